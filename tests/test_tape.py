"""The tape: what it records, how it walks back, and the judge of all pullbacks."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import (
    Concatenate,
    Dense,
    Dot,
    Embedding,
    EmbeddingBag,
    GradientTape,
    Ragged,
    RowGradient,
    losses,
    optimizers,
)
from fastembed_layer.layers.layer import Layer
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tape import Cotangents, is_recording, record

Array = np.ndarray[Any, Any]


class Scale(Layer):
    """Multiplies by a weight; `claimed` spoils the pullback by a factor."""

    def __init__(self, claimed: float = 1.0):
        super().__init__(dtype="float64")
        self.factor = Parameter(np.array(3.0), "factor")
        self.claimed = claimed

    def forward(self, inputs: Array, training: bool = False, mask: Any = None) -> Any:
        factor = self.factor

        def pull(d_output: Array) -> Cotangents:
            d_factor = np.array((d_output * inputs).sum() * self.claimed)
            return Cotangents([d_output * factor.value], [(factor, d_factor)])

        return inputs * factor.value, pull


def test_a_layer_written_by_hand_is_differentiated() -> None:
    layer, inputs = Scale(), np.array([1.0, -2.0])
    assert_pullback_agrees(lambda: layer(inputs), [inputs, layer.factor])


def test_the_judge_sees_a_wrong_pullback() -> None:
    layer, inputs = Scale(claimed=1.001), np.array([1.0, -2.0])
    with pytest.raises(AssertionError):
        assert_pullback_agrees(lambda: layer(inputs), [layer.factor])


def test_the_judge_sees_a_missing_gradient() -> None:
    layer, other = Scale(), Scale()
    with pytest.raises(AssertionError, match="no gradient"):
        assert_pullback_agrees(lambda: layer(np.ones(2)), [other.factor])


def test_the_target_is_summed() -> None:
    layer = Scale()
    with GradientTape() as tape:
        output = layer(np.array([1.0, 2.0]))
    assert tape.gradient(output, layer.factor) == 3.0


def test_several_targets_are_added() -> None:
    layer = Scale()
    with GradientTape() as tape:
        outputs = [layer(np.array([1.0])), layer(np.array([5.0]))]
    assert tape.gradient(outputs, layer.factor) == 6.0


def test_one_source_gives_a_gradient_and_several_give_a_list() -> None:
    layer = Scale()
    with GradientTape(persistent=True) as tape:
        output = layer(np.ones(2))
    assert tape.gradient(output, layer.factor) == 2.0
    assert tape.gradient(output, [layer.factor]) == [2.0]


def test_a_persistent_tape_may_be_asked_more_than_once() -> None:
    layer = Scale()
    with GradientTape(persistent=True) as tape:
        output = layer(np.ones(2))
    assert tape.gradient(output, layer.factor) == tape.gradient(output, layer.factor)


def test_another_tape_is_used_up_by_one_question_and_lets_go_of_what_it_recorded() -> None:
    layer = Scale()
    with GradientTape() as tape:
        output = layer(np.ones(2))
    tape.gradient(output, layer.factor)
    assert tape.calls == []
    with pytest.raises(RuntimeError, match=r"^A non-persistent GradientTape can only be used to compute one set of"):
        tape.gradient(output, layer.factor)


def test_a_tape_that_is_used_up_records_anew_when_it_is_entered_again() -> None:
    layer, tape = Scale(), GradientTape()
    for _ in range(2):
        with tape:
            output = layer(np.ones(2))
        assert tape.gradient(output, layer.factor) == 2.0


def test_a_question_that_is_refused_does_not_use_the_tape_up() -> None:
    layer = Scale()
    with GradientTape() as tape:
        output = layer(np.ones(2))
    with pytest.raises(ValueError, match="`target` must be what"):
        tape.gradient(output + 1, layer.factor)
    assert tape.gradient(output, layer.factor) == 2.0


def test_nothing_is_recorded_while_recording_is_stopped() -> None:
    layer, outer = Scale(), GradientTape()
    with outer, GradientTape() as inner:
        first = layer(np.ones(2))
        with outer.stop_recording():
            layer(first)
        layer(first)
    assert (len(outer.calls), len(inner.calls)) == (2, 3)
    with pytest.raises(RuntimeError, match="a tape that is not recording"), inner.stop_recording():
        pass


def test_recording_goes_on_after_an_error_in_a_block_without_it() -> None:
    with GradientTape() as tape:
        with pytest.raises(ZeroDivisionError), tape.stop_recording():
            raise ZeroDivisionError
        assert is_recording()


def test_a_reset_tape_has_forgotten_and_goes_on_recording() -> None:
    layer = Scale()
    with GradientTape() as tape:
        before = layer(np.ones(2))
        tape.reset()
        after = layer(np.ones(3))
    with pytest.raises(ValueError, match="`target` must be what"):
        tape.gradient(before, layer.factor)
    assert tape.gradient(after, layer.factor) == 3.0


def test_watch_is_accepted_and_decides_only_where_nothing_else_is_watched() -> None:
    for watches_all, expected in ((True, [2.0, 5.0]), (False, [2.0, None])):
        one, other = Scale(), Scale()
        with GradientTape(watch_accessed_variables=watches_all) as tape:
            tape.watch([one.factor])
            outputs = [one(np.ones(2)), other(np.ones(5))]
        assert tape.gradient(outputs, [one.factor, other.factor]) == expected


def test_output_gradients_are_what_the_way_back_begins_with() -> None:
    layer, inputs = Scale(), np.array([1.0, 2.0])
    with GradientTape(persistent=True) as tape:
        outputs = [layer(inputs), layer(inputs)]
    assert tape.gradient(outputs[0], layer.factor, output_gradients=np.array([10.0, 1.0])) == 12.0
    assert tape.gradient(outputs[0], layer.factor, [10, 1]) == 12.0
    assert tape.gradient(outputs, layer.factor, [None, [10.0, 1.0]]) == 3.0 + 12.0


def test_a_loss_in_numpy_reaches_the_table_through_output_gradients() -> None:
    layer, ids, targets = Embedding(4, 2, dtype="float64"), np.array([3, 1, 3]), np.ones((3, 2))
    with GradientTape(persistent=True) as tape:
        rows = layer(ids)
        loss = losses.MeanSquaredError()(targets, rows)
    by_hand = tape.gradient(rows, layer.embeddings, output_gradients=2 * (rows - targets) / rows.size)
    expected = tape.gradient(loss, layer.embeddings)
    assert isinstance(by_hand, RowGradient)
    np.testing.assert_allclose(by_hand.to_dense(), expected.to_dense())


def test_a_ragged_target_takes_the_gradient_of_its_values() -> None:
    layer, ids = Embedding(4, 2, dtype="float64"), Ragged.from_lists([[3, 1], [], [3]])
    with GradientTape(persistent=True) as tape:
        rows = layer(ids)
    given = np.arange(6.0).reshape(3, 2)
    for form in (given, Ragged(given, ids.offsets)):
        gradient = tape.gradient(rows, layer.embeddings, output_gradients=form)
        np.testing.assert_array_equal(gradient.to_dense(), [[0, 0], [2, 3], [0, 0], [4, 6]])
    np.testing.assert_array_equal(tape.gradient(rows, layer.embeddings).to_dense()[3], [2, 2])


def test_output_gradients_that_do_not_fit_are_refused() -> None:
    layer = Scale()
    with GradientTape() as tape:
        output = layer(np.ones(2))
    with pytest.raises(ValueError, match=r"must have the shape of the target\. Received: \(3,\) for .* \(2,\)"):
        tape.gradient(output, layer.factor, np.ones(3))
    with pytest.raises(ValueError, match=r"one gradient per target\. Received: 2 for 1 targets"):
        tape.gradient([output], layer.factor, [np.ones(2), np.ones(2)])
    with pytest.raises(TypeError, match="`output_gradients` must hold numbers"):
        tape.gradient(output, layer.factor, ["a", "b"])


def test_unconnected_gradients_are_none_or_zeros_without_an_array_of_the_tables_size() -> None:
    layer, table, dense = Scale(), Embedding(10**6, 2), Dense(2)
    table.build()
    dense.build((None, 3))
    with GradientTape(persistent=True) as tape:
        output = layer(np.ones(2))
    sources = [layer.factor, table.embeddings, dense.kernel, np.ones(4)]
    assert tape.gradient(output, sources)[1:] == [None, None, None]
    known, rows, kernel, array = tape.gradient(output, sources, unconnected_gradients="zero")
    assert known == 2.0
    assert isinstance(rows, RowGradient)
    assert len(rows.ids) == 0
    np.testing.assert_array_equal(kernel, np.zeros((3, 2)))
    np.testing.assert_array_equal(array, np.zeros(4))
    with pytest.raises(ValueError, match="`unconnected_gradients` must be one of 'none', 'zero'"):
        tape.gradient(output, sources, unconnected_gradients="ones")


def test_what_the_target_does_not_depend_on_has_no_gradient() -> None:
    used, unused = Scale(), Scale()
    with GradientTape() as tape:
        output = used(np.ones(2))
        unused(np.ones(2))
    assert tape.gradient(output, [unused.factor]) == [None]


def test_a_layer_used_twice_in_a_step_receives_the_sum_of_its_gradients() -> None:
    layer, inputs = Scale(), np.array([1.0, 2.0])
    assert_pullback_agrees(lambda: layer(layer(inputs)), [inputs, layer.factor])


def test_an_array_used_twice_receives_the_sum_of_its_gradients() -> None:
    layer, inputs = Dense(2, dtype="float64"), np.ones((3, 2))
    join = Concatenate()
    layer(inputs)

    def call() -> Array:
        hidden = layer(inputs)
        return join([hidden, hidden, inputs])

    assert_pullback_agrees(call, [inputs, *layer.weights])


def test_a_table_looked_up_twice_receives_one_row_gradient_with_both() -> None:
    layer = Embedding(5, 2, dtype="float64")
    dot = Dot(axes=1)
    left, right = np.array([1, 1, 4]), np.array([1, 2, 0])
    assert_pullback_agrees(lambda: dot([layer(left), layer(right)]), [layer.embeddings])
    with GradientTape() as tape:
        scores = dot([layer(left), layer(right)])
    gradient = tape.gradient(scores, layer.embeddings)
    assert isinstance(gradient, RowGradient)
    assert sorted(gradient.ids.tolist()) == [0, 1, 1, 1, 2, 4]


def test_a_gradient_that_is_a_function_is_computed_only_if_it_is_wanted() -> None:
    inputs, output, calls = np.ones(2), np.ones(2), []
    layer = Scale()
    with GradientTape(persistent=True) as tape:
        scaled = layer(inputs)
        record([scaled, inputs], output, lambda d: Cotangents([lambda: calls.append(1) or d, lambda: d * 1j]))
    assert tape.gradient(output, layer.factor) == 2.0  # `scaled` came from a call, so its gradient is needed
    assert tape.gradient(output, [inputs])[0].tolist() == [3 + 1j, 3 + 1j]
    calls.clear()
    with GradientTape() as tape:
        record([inputs], output, lambda d: Cotangents([lambda: calls.append(1) or d], [(layer.factor, d)]))
    assert tape.gradient(output, layer.factor).tolist() == [1, 1]
    assert calls == []


def test_a_ragged_source_has_a_gradient_of_its_values() -> None:
    bag, weights = EmbeddingBag(3, 2, "sum", weights=[np.ones((3, 2))]), Ragged(np.ones(3), [0, 1, 3])
    with GradientTape(persistent=True) as tape:
        output = bag([[0], [1, 2]], weights)
    assert tape.gradient(output, weights).tolist() == [2, 2, 2]
    assert tape.gradient(output, [weights])[0].tolist() == [2, 2, 2]


def test_a_gradient_that_a_pullback_kept_is_not_changed_by_a_later_sum() -> None:
    kept = np.ones(2)
    source, outputs = np.zeros(2), [np.zeros(2), np.zeros(2)]
    with GradientTape() as tape:
        for output in outputs:
            record([source], output, lambda d_output: Cotangents([kept]))
    np.testing.assert_array_equal(tape.gradient(outputs, source), [2.0, 2.0])
    np.testing.assert_array_equal(kept, [1.0, 1.0])


def test_a_target_that_was_not_recorded_is_refused() -> None:
    layer = Scale()
    with GradientTape() as tape:
        output = layer(np.ones(2))
    with pytest.raises(ValueError, match=r"`target` must be what a layer or a loss returned.*shape \(2,\)"):
        tape.gradient(output * 2, layer.factor)


def test_calls_outside_the_block_are_not_recorded() -> None:
    layer = Scale()
    with GradientTape() as tape:
        pass
    layer(np.ones(2))
    assert tape.calls == []
    assert not is_recording()


def test_nested_tapes_both_record() -> None:
    layer = Scale()
    with GradientTape() as outer:
        with GradientTape() as inner:
            output = layer(np.ones(2))
        layer(output)
    assert (len(outer.calls), len(inner.calls)) == (2, 1)


def test_a_tape_of_one_thread_does_not_record_another() -> None:
    layer = Scale()
    with GradientTape() as tape:
        thread = threading.Thread(target=layer, args=(np.ones(2),))
        thread.start()
        thread.join()
    assert tape.calls == []


def test_a_tape_is_closed_when_its_block_raises() -> None:
    with pytest.raises(ZeroDivisionError), GradientTape():
        raise ZeroDivisionError
    assert not is_recording()


def test_a_loss_is_recorded_and_reaches_the_table() -> None:
    layer = Embedding(4, 3, dtype="float64")
    targets, ids = np.ones((2, 3)), np.array([3, 3])
    loss = losses.get("mse")
    assert loss is not None
    assert_pullback_agrees(lambda: loss(targets, layer(ids)), [layer.embeddings])


def test_penalties_are_targets_beside_the_loss() -> None:
    layer = Dense(2, dtype="float64", kernel_regularizer="l2", activity_regularizer="l2")
    inputs = np.ones((3, 4))
    layer(inputs)
    with GradientTape() as tape:
        output = layer(inputs)
        penalties = layer.losses
    gradient = tape.gradient(penalties, layer.kernel)
    kernel = layer.kernel.numpy()
    np.testing.assert_allclose(gradient, 0.02 * kernel + inputs.T @ (0.02 * output) / 3)


class SumOfSquares(Layer):
    """The sum of the squares of a whole table, next to its lookups."""

    def __init__(self, embedding: Embedding):
        super().__init__(dtype="float64")
        self.embedding = embedding

    def forward(self, inputs: Array, training: bool = False, mask: Any = None) -> Any:
        table = self.embedding.embeddings
        value = table.value.copy()

        def pull(d_output: Array) -> Cotangents:
            return Cotangents([None], [(table, 2 * value * d_output)])

        return np.array((value**2).sum()), pull


@pytest.mark.parametrize("whole_first", [False, True])
def test_rows_and_the_whole_table_in_one_loss_add_their_gradients_up(whole_first: bool) -> None:
    embedding = Embedding(4, 2, dtype="float64")
    squares, ids = SumOfSquares(embedding), np.array([3, 1, 3])
    embedding(ids)
    before = embedding.embeddings.numpy()
    with GradientTape() as tape:
        targets = [squares(np.ones(1)), embedding(ids)] if whole_first else [embedding(ids), squares(np.ones(1))]
    gradient = tape.gradient(targets, embedding.embeddings)
    np.testing.assert_allclose(gradient, 2 * before + np.array([[0], [1], [0], [2]]))
    optimizers.SGD(0.1).apply_gradients([(gradient, embedding.embeddings)])
    np.testing.assert_allclose(embedding.embeddings.numpy(), before - 0.1 * gradient)
