"""Metrics written as in Keras: variables, calls, sums, names, and arguments that nobody knows."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from fastembed_layer import losses, metrics
from fastembed_layer.metrics.variables import Variable


class Hits(metrics.Metric):
    """The metric of Keras's guide, with a weight of tf.keras and one of Keras 3."""

    def __init__(self, name: str = "hits", **keywords: Any):
        super().__init__(name=name, **keywords)
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.seen = self.add_variable(shape=(2,), name="seen", dtype="int32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.hits.assign_add(np.sum(np.logical_and(y_true, y_pred)))
        self.seen.assign(self.seen + np.array([len(y_true), 1]))

    def result(self) -> Any:
        return self.hits / self.seen[0]


def test_a_metric_of_ones_own_counts_and_forgets() -> None:
    metric = Hits()
    assert metric([1, 1], [1, 0]) == 0.5
    assert metric([1, 1], [1, 1]) == 0.75
    assert metric.seen.value.tolist() == [4, 2]
    assert [variable.name for variable in metric.variables] == ["hits", "seen"]
    metric.reset_state()
    assert [variable.numpy().tolist() for variable in metric.variables] == [0, [0, 0]]


class Calls(metrics.Metric):
    """A metric without a constructor, whose state is a number of Python."""

    def update_state(self, *batch: Any) -> None:
        self.calls += 1

    def result(self) -> int:
        return self.calls

    def reset_state(self) -> None:
        self.calls = 0


def test_a_metric_without_a_constructor_begins_as_after_a_reset() -> None:
    metric = Calls(name="calls")
    assert metric.result() == 0
    assert metric([1], [1]) == 1


def test_variables_of_metrics_inside_are_found_once() -> None:
    outer = Hits()
    outer.parts = [Hits(), {"again": Hits()}, outer.hits]  # type: ignore[attr-defined]
    assert len(outer.variables) == 6


def test_copies_and_pickles_go_on_by_themselves() -> None:
    metric = Hits()
    metric.update_state([1], [1])
    for other in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        other.update_state([1], [0])
        assert (metric.result(), other.result()) == (1.0, 0.5)


def test_a_variable_is_its_value_in_arithmetic_and_for_numpy() -> None:
    variable = Variable([1.0, 2.0], "v")
    np.testing.assert_array_equal(variable * 2 + np.ones(2), [3, 5])
    np.testing.assert_array_equal(np.sqrt(variable), np.sqrt([1, 2]))
    np.testing.assert_array_equal(np.asarray(variable, "float32"), [1, 2])
    assert (variable.shape, len(variable), variable[1], float(Variable(3))) == ((2,), 2, 2.0, 3.0)
    variable.assign_sub([1.0, 1.0])
    assert variable.numpy().tolist() == [0, 1]
    variable.numpy()[0] = 7
    assert variable.value[0] == 0
    assert int(Variable(2.0)) == 2
    assert not Variable(0.0)
    assert repr(variable) == "<Variable v array([0., 1.])>"


def test_a_value_of_another_shape_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`value` for the variable 'variable' must have the shape \(2,\). Received: shape \(3,\)"
    ):
        Variable([1.0, 2.0]).assign(np.zeros(3))


def test_a_call_updates_and_returns_the_result() -> None:
    mean = metrics.Mean()
    assert mean([1, 3, 5, 7]) == 4
    assert mean([8.0], sample_weight=[4]) == 6
    assert metrics.BinaryAccuracy()([1, 0], [[0.7], [0.6]], mask=[True, False]) == 1


def test_a_sum_is_weighted_and_forgets() -> None:
    total = metrics.Sum()
    assert total([1, 3, 5, 7]) == 16
    assert total([[1, 3], [5, 7]], sample_weight=[[1, 1], [1, 0]]) == 16 + 9
    assert total([[1, 3], [5, 7]], sample_weight=[[1, 0]]) == 25 + 6
    total.reset_state()
    assert type(total.result()) is float
    assert total.result() == 0


def test_arguments_of_metrics_are_in_the_order_of_keras() -> None:
    assert metrics.Mean("m", "float32").get_config() == {"name": "m", "dtype": "float32"}
    assert metrics.BinaryAccuracy("b", None, 0.25).threshold == 0.25
    assert metrics.AUC(10, "PR", "majoring", "area").name == "area"
    assert repr(metrics.Mean(name="m")) == "<Mean name=m>"


@pytest.mark.parametrize(
    ("identifier", "kind", "name"),
    [
        ("acc", metrics.BinaryAccuracy, "acc"),
        ("mse", metrics.MeanSquaredError, "mse"),
        ("AUC", metrics.AUC, "AUC"),
        ("auc", metrics.AUC, "auc"),
        ("RootMeanSquaredError", metrics.RootMeanSquaredError, "RootMeanSquaredError"),
        ("Precision", metrics.Precision, "Precision"),
        ("recall", metrics.Recall, "recall"),
        ("bce", metrics.BinaryCrossentropy, "bce"),
        ("cosine_similarity", metrics.CosineSimilarity, "cosine_similarity"),
        ("KLD", metrics.KLDivergence, "KLD"),
        (losses.mean_absolute_error, metrics.MeanAbsoluteError, "mean_absolute_error"),
        (losses.huber, metrics.MeanMetricWrapper, "huber"),
        (losses.Huber(), metrics.MeanMetricWrapper, "huber_loss"),
    ],
)
def test_what_compile_takes_becomes_a_metric(identifier: Any, kind: Any, name: str) -> None:
    metric = metrics.resolve(identifier, np.zeros((2, 1)), np.zeros((2, 1)))
    assert type(metric) is kind
    assert metric.name == name
    assert np.isfinite(metric(np.array([[0.0], [1.0]]), np.array([[0.5], [0.75]])))


def test_a_custom_object_is_found_by_its_name() -> None:
    metric = metrics.deserialize({"class_name": "Hits", "config": {"name": "mine"}}, custom_objects={"Hits": Hits})
    assert type(metric) is Hits
    assert metric.name == "mine"


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        (metrics.AUC, "num_threshold", "num_thresholds"),
        (metrics.AUC, "multilabel", "multi_label"),
        (metrics.Mean, "nmae", "name"),
        (metrics.Precision, "classid", "class_id"),
        (metrics.CosineSimilarity, "axes", "axis"),
        (metrics.MeanSquaredError, "dtyp", "dtype"),
        (Hits, "nmae", "name"),
    ],
)
def test_an_unknown_argument_comes_with_the_nearest_known_one(kind: Any, name: str, near: str) -> None:
    with pytest.raises(TypeError, match=rf"^{kind.__name__} got .* argument '{name}'\. Did you mean '{near}'"):
        kind(**{name: 1})


def test_a_metric_without_its_methods_says_what_is_missing() -> None:
    for call in (metrics.Metric().result, metrics.Metric().update_state):
        with pytest.raises(NotImplementedError, match="Metric must implement"):
            call()
