"""`AUC` with all its options, on the numbers of Keras's tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import metrics

Y_TRUE, Y_PRED = np.array([0, 0, 1, 1]), np.array([0, 0.5, 0.3, 0.9])
WEIGHTS = np.array([1, 2, 3, 4])


# Counts at three thresholds, weighted: tp = [7, 4, 0], fp = [3, 0, 0], fn = [0, 3, 7], tn = [0, 3, 3].
@pytest.mark.parametrize(
    ("curve", "method", "expected"),
    [
        ("ROC", "interpolation", (4 / 7 + 1) / 2),
        ("ROC", "majoring", 1.0),
        ("ROC", "minoring", 4 / 7),
        ("PR", "interpolation", (0.5 * (3 + 2 * np.log(10 / 4)) + 4) / 7),
        ("PR", "majoring", 1.0),
        ("PR", "minoring", 0.7 * 3 / 7),
        ("PRGAIN", "majoring", 1.0),
        ("PRGAIN", "minoring", 0.0),
        ("PRGAIN", "interpolation", 0.5),
    ],
)
def test_summation_methods_have_the_values_of_keras(curve: str, method: str, expected: float) -> None:
    auc = metrics.AUC(num_thresholds=3, curve=curve, summation_method=method)
    assert auc(Y_TRUE, Y_PRED, sample_weight=WEIGHTS) == pytest.approx(expected)


def test_words_may_be_written_in_either_case() -> None:
    auc = metrics.AUC(curve="pr", summation_method="Minoring")
    assert (auc.curve, auc.summation_method) == ("PR", "minoring")


@pytest.mark.parametrize("curve", ["ROC", "PR"])
def test_even_thresholds_of_ones_own_are_those_that_are_made(curve: str) -> None:
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 2, 200), rng.random(200)
    own = metrics.AUC(thresholds=[0.75, 0.25, 0.5], curve=curve)
    assert own.thresholds == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=1e-6)
    assert own(y_true, y_pred) == pytest.approx(metrics.AUC(num_thresholds=5, curve=curve)(y_true, y_pred))


def test_uneven_thresholds_tell_predictions_apart() -> None:
    auc = metrics.AUC(thresholds=[0.35])
    assert auc.num_thresholds == 3
    # Above 0.35: one of two positives, one of two negatives.
    assert auc(Y_TRUE, Y_PRED) == pytest.approx(0.5)
    assert metrics.AUC(thresholds=[0.2, 0.4, 0.6])(Y_TRUE, Y_PRED) == pytest.approx(0.75)


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("num_labels", [None, 3])
def test_areas_of_labels_are_averaged(curve: str, weighted: bool, num_labels: int | None) -> None:
    rng = np.random.default_rng(1)
    y_true, y_pred, weights = rng.integers(0, 2, (40, 3)), rng.random((40, 3)), rng.random((40, 1))
    label_weights = [0.5, 2.0, 0.0] if weighted else None
    auc = metrics.AUC(curve=curve, multi_label=True, num_labels=num_labels, label_weights=label_weights)
    assert auc.result() == 0
    for rows in (slice(0, 25), slice(25, 40)):
        auc.update_state(y_true[rows], y_pred[rows], weights[rows])
    areas = [metrics.AUC(curve=curve)(y_true[:, i], y_pred[:, i], weights[:, 0]) for i in range(3)]
    assert auc.result() == pytest.approx(np.average(areas, weights=label_weights))
    assert auc.true_positives.shape == (200, 3)
    auc.reset_state()
    assert not auc.true_positives.value.any()


def test_weights_of_labels_weight_the_counts_where_labels_are_not_apart() -> None:
    rng = np.random.default_rng(2)
    y_true, y_pred = rng.integers(0, 2, (30, 2)), rng.random((30, 2))
    weighted = metrics.AUC(label_weights=[3.0, 1.0])(y_true, y_pred)
    assert weighted == pytest.approx(metrics.AUC()(y_true, y_pred, sample_weight=np.tile([3.0, 1.0], (30, 1))))
    with pytest.raises(ValueError, match="`label_weights` must fit the last axis"):
        metrics.AUC(label_weights=[1.0, 2.0, 3.0])(y_true, y_pred)


def test_negative_weights_leave_no_area_under_the_pr_curve() -> None:
    assert metrics.AUC(num_thresholds=3, curve="PR")(Y_TRUE, Y_PRED, sample_weight=-WEIGHTS) == 0


def test_counts_are_variables_with_the_names_of_keras() -> None:
    auc = metrics.AUC(num_thresholds=3)
    auc.update_state(Y_TRUE, Y_PRED, WEIGHTS)
    assert [variable.name for variable in auc.variables] == [
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
    ]
    assert [variable.value.tolist() for variable in auc.variables] == [[7, 4, 0], [3, 0, 0], [0, 3, 3], [0, 3, 7]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_thresholds": 5, "curve": "PR", "summation_method": "majoring"},
        {"thresholds": [0.3, 0.9]},
        {"multi_label": True, "num_labels": 2, "label_weights": [0.5, 1.0], "from_logits": True},
    ],
)
def test_a_config_builds_an_equal_metric(arguments: dict[str, Any]) -> None:
    auc = metrics.AUC(**arguments, name="area", dtype="float32")
    again = metrics.deserialize(metrics.serialize(auc))
    assert again.get_config() == auc.get_config()
    assert again.thresholds == auc.thresholds


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"summation_method": "middle"}, ValueError),
        ({"summation_method": None}, ValueError),
        ({"multi_label": 1}, TypeError),
        ({"num_labels": 2}, ValueError),
        ({"num_labels": 0, "multi_label": True}, ValueError),
        ({"label_weights": "heavy"}, TypeError),
        ({"thresholds": ["a"]}, TypeError),
    ],
)
def test_a_wrong_option_is_refused_by_name(arguments: dict[str, Any], error: Any) -> None:
    with pytest.raises(error, match=f"`{next(iter(arguments))}`.* Received: "):
        metrics.AUC(**arguments)


def test_labels_of_another_number_or_rank_are_refused() -> None:
    auc = metrics.AUC(multi_label=True, num_labels=2)
    with pytest.raises(ValueError, match="one column for each of the 2 labels"):
        auc(np.ones((4, 3)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="`y_pred` must have rank 2 when `multi_label=True`"):
        auc(np.ones(4), np.ones(4))
