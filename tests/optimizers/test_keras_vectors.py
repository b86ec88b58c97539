"""All runs of Keras in the file of vectors: those of our optimizers are followed, those of others are refused."""

from __future__ import annotations

import numpy as np
import pytest
from keras_vectors import TOLERANCE, expected_slots, expected_tables, follow, make_optimizer, read_file, start_table

from fastembed_layer import optimizers

NOT_LOCAL = ("lamb", "adafactor", "muon", "schedulefree")
OURS = [case for case in read_file()["cases"] if case not in NOT_LOCAL]


def forms_of(case: str) -> tuple[str, ...]:
    """Keras overwrites rows that Ftrl has not seen; `test_ftrl.py` compares those that it has."""
    return ("dense",) if case.startswith("ftrl") else ("rows", "dense")


RUNS = [(case, form) for case in OURS for form in forms_of(case)]


def test_the_file_holds_what_it_is_said_to_hold() -> None:
    assert len(read_file()["cases"]) == 26
    assert len(OURS) == 22


@pytest.mark.parametrize(("case", "form"), RUNS)
def test_exact_mode_follows_keras_in_every_step_and_every_slot(case: str, form: str) -> None:
    table, optimizer = start_table(), make_optimizer(case)
    seen = follow(optimizer, table, form)
    np.testing.assert_allclose(seen, expected_tables(case), rtol=0, atol=TOLERANCE)
    optimizer.finish(table)
    kept = optimizer.slots_of(table)
    expected = {name: slot for name, slot in expected_slots(case).items() if name in kept}
    assert kept.keys() == expected.keys()
    for name, slot in kept.items():
        np.testing.assert_allclose(slot, expected[name], rtol=0, atol=TOLERANCE)


def test_the_moving_average_is_that_of_keras() -> None:
    table, optimizer = start_table(), make_optimizer("sgd_ema")
    follow(optimizer, table, "rows")
    average = read_file()["cases"]["sgd_ema"]["final_state"]
    np.testing.assert_allclose(optimizer.moving_average(table), *average.values(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", NOT_LOCAL)
def test_the_optimizers_of_the_other_cases_are_refused_by_name(case: str) -> None:
    with pytest.raises(ValueError, match="is not local to rows"):
        optimizers.get(read_file()["cases"][case]["cls"])
