"""`class_weight`: weights of samples by their class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from told import make_constant

from fastembed_layer.models.class_weights import weigh_classes

WEIGHTS = {0: 0.5, 2: 3.0}


@pytest.mark.parametrize(
    "targets",
    [
        [0, 1, 2, 2],
        [[0], [1], [2], [2]],
        [0.2, 0.8, 2.4, 1.6],
        np.eye(3)[[0, 1, 2, 2]],
        np.array([0, 1, 2, 2], "uint8"),
    ],
    ids=lambda targets: str(np.shape(targets)),
)
def test_a_sample_weighs_what_its_class_weighs(targets: Any) -> None:
    weights = weigh_classes(np.asarray(targets), WEIGHTS)
    assert weights.tolist() == [0.5, 1.0, 3.0, 3.0]
    assert weights.dtype == np.float32


def test_the_loss_of_a_training_is_weighted_and_that_of_the_validation_is_not() -> None:
    inputs, targets = np.zeros(4), np.array([[0.0], [1.0], [2.0], [2.0]])
    history = (
        make_constant().fit(inputs, targets, class_weight=WEIGHTS, validation_data=(inputs, targets), verbose=0).history
    )
    assert history["loss"] == [pytest.approx((1 + 3 * 4 + 3 * 4) / 4)]
    assert history["val_loss"] == [pytest.approx((1 + 4 + 4) / 4)]


def test_batches_of_an_iterable_are_weighted_too() -> None:
    batches = [(np.zeros(2), np.array([[0.0], [1.0]])), (np.zeros(2), np.array([[2.0], [2.0]]))]
    history = make_constant().fit(iter(batches), class_weight=WEIGHTS, verbose=0).history
    assert history["loss"] == [pytest.approx((1 + 3 * 4 + 3 * 4) / 4)]


def test_one_batch_is_weighted() -> None:
    assert make_constant().train_on_batch(np.zeros(2), np.array([[2.0], [0.0]]), class_weight=WEIGHTS) == 6.0


def test_weighted_metrics_see_the_weights_of_classes() -> None:
    model = make_constant(weighted_metrics=["mae"])
    history = model.fit(np.zeros(2), np.array([[2.0], [1.0]]), class_weight=WEIGHTS, verbose=0).history
    assert history["mae"] == [pytest.approx((3 * 2 + 1) / 4)]


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1.0, 2.0], TypeError, "`class_weight` must be a dict from class numbers to weights. Received: list"),
        ({"0": 1.0}, TypeError, "The keys of `class_weight` must be class numbers. Received: '0'"),
        ({True: 1.0}, TypeError, "The keys of `class_weight` must be class numbers. Received: True"),
        ({0: "1"}, TypeError, r"`class_weight\[0\]` must be a number"),
        ({0: float("nan")}, ValueError, r"`class_weight\[0\]` must be a finite number"),
    ],
    ids=str,
)
def test_other_weights_are_refused(weights: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_constant().fit(np.zeros(2), np.zeros((2, 1)), class_weight=weights, verbose=0)


def test_weights_of_samples_and_of_classes_exclude_each_other() -> None:
    model, batch = make_constant(), (np.zeros(2), np.zeros((2, 1)), np.ones(2))
    message = "`class_weight` and `sample_weight` must not be given at the same time"
    with pytest.raises(ValueError, match=message):
        model.fit(*batch[:2], sample_weight=batch[2], class_weight=WEIGHTS, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.fit(iter([batch]), class_weight=WEIGHTS, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(*batch, class_weight=WEIGHTS)


@pytest.mark.parametrize(
    "targets", [None, [np.zeros(2), np.zeros(2)], {"a": np.zeros(2)}, np.zeros((2, 2, 3))], ids=str
)
def test_targets_without_one_class_each_are_refused(targets: Any) -> None:
    with pytest.raises(ValueError, match=r"`class_weight` needs .*Received: "):
        weigh_classes(targets, WEIGHTS)
