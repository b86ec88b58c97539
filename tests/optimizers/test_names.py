"""Optimizers by name, and those of Keras that are left out."""

from __future__ import annotations

from typing import Any

import pytest

from fastembed_layer import optimizers


@pytest.mark.parametrize("name", sorted({cls.__name__ for cls in optimizers.OPTIMIZERS.classes.values()}))
def test_every_optimizer_is_found_by_its_name_and_in_lower_case(name: str) -> None:
    for spelling in (name, name.lower()):
        assert type(optimizers.get(spelling)).__name__ == name


@pytest.mark.parametrize("name", ["rowwise_adagrad", "rowwise_adam", "rowwise_lamb"])
def test_row_wise_optimizers_are_found_in_snake_case(name: str) -> None:
    assert type(optimizers.get(name)).__name__.lower() == name.replace("_", "")


@pytest.mark.parametrize(
    ("name", "alternative"),
    [
        ("Adafactor", "rowwise_adam"),
        ("adafactor", "rowwise_adagrad"),
        ("Muon", "adamw"),
        ("lamb", "rowwise_lamb"),
        ("ScheduleFreeAdamW", "adamw"),
        ("schedule_free_adam_w", "adamw"),
    ],
)
def test_an_optimizer_that_is_not_local_to_rows_is_refused_with_the_reason_and_an_alternative(
    name: str, alternative: str
) -> None:
    identifiers: list[Any] = [name, {"class_name": name, "config": {"learning_rate": 0.1}}]
    for identifier in identifiers:
        with pytest.raises(ValueError, match=rf"{name!r} is not local to rows: .*{alternative!r}.*Received: {name!r}"):
            optimizers.get(identifier)


def test_a_bad_identifier_is_still_one_of_no_known_kind() -> None:
    with pytest.raises(TypeError, match="Could not interpret the optimizer identifier"):
        optimizers.get(3)
    with pytest.raises(ValueError, match="Unknown optimizer"):
        optimizers.get({"class_name": "Adafactoor"})
