"""`RowGradient`: what callers see of a gradient; its sums are judged in `backends/test_operations.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close
from strategies import INTEGER_TYPES, argmax_and_positions, flat_ids, matrices

from fastembed_layer import RowGradient

Array = np.ndarray[Any, Any]

SHAPE = (6, 3)


@st.composite
def gradients(draw: st.DrawFn, dtype: str = "float64") -> RowGradient:
    """Gradients of a table of six rows, some with vectors that are shared, scaled, or for the argmax of columns."""
    ids = draw(flat_ids(SHAPE[0], draw(st.sampled_from(["int32", "int64"])), max_size=12))
    if draw(st.booleans()):
        return RowGradient(ids, draw(matrices(len(ids), SHAPE[1], dtype)), SHAPE)
    owners = st.lists(st.integers(0, 3), min_size=len(ids), max_size=len(ids))
    scales = draw(matrices(len(ids), 1, dtype)).reshape(-1) if draw(st.booleans()) else None
    won = draw(argmax_and_positions(4, SHAPE[1], len(ids))) if draw(st.booleans()) else ()
    return RowGradient(ids, draw(matrices(4, SHAPE[1], dtype)), SHAPE, np.array(draw(owners), np.int64), scales, *won)


def arrays_of(gradient: RowGradient) -> list[Any]:
    """The arrays that a gradient is made of."""
    return [getattr(gradient, name) for name in ("ids", "values", "sources", "scales", "argmax", "bag_positions")]


def densify(gradient: RowGradient) -> Array:
    """The dense gradient, by the reference."""
    ids, sums = reference.sum_duplicates(*arrays_of(gradient))
    dense = np.zeros(gradient.shape)
    dense[ids] = sums
    return dense


# ---- What it says


@given(gradient=gradients())
def test_every_view_of_a_gradient_is_the_same_dense_array(gradient: RowGradient) -> None:
    dense = densify(gradient)
    assert_close(gradient.to_dense(), dense, 1e-13)
    assert_close(gradient.expand().to_dense(), dense, 1e-13)
    assert_close(gradient.sum_duplicates().to_dense(), dense, 1e-13)
    assert abs(gradient.norm() - np.linalg.norm(dense)) < 1e-12 * (1 + np.linalg.norm(dense))


@given(gradient=gradients())
def test_summed_ids_are_ascending_and_occur_once(gradient: RowGradient) -> None:
    summed = gradient.sum_duplicates()
    assert summed.ids.tolist() == sorted(set(gradient.ids.tolist()))
    assert (summed.sources, summed.scales, summed.shape) == (None, None, SHAPE)
    assert summed.dtype == gradient.dtype


@given(left=gradients(), right=gradients())
def test_gradients_of_one_table_add_up(left: RowGradient, right: RowGradient) -> None:
    both = left + right
    assert isinstance(both, RowGradient)
    assert len(both) == len(left) + len(right)
    assert_close(both.to_dense(), densify(left) + densify(right), 1e-13)


@given(gradient=gradients())
def test_with_a_dense_gradient_the_sum_is_dense_on_either_side(gradient: RowGradient) -> None:
    dense = np.arange(18.0).reshape(SHAPE)
    expected = densify(gradient) + dense
    for total in (gradient + dense, dense + gradient):
        assert isinstance(total, np.ndarray)
        assert_close(total, expected, 1e-13)


@given(gradient=gradients(), factor=st.floats(-3, 3))
def test_a_gradient_is_scaled_by_a_number_on_either_side(gradient: RowGradient, factor: float) -> None:
    for scaled in (gradient * factor, factor * gradient, np.float64(factor) * gradient, gradient * np.array(factor)):
        assert isinstance(scaled, RowGradient)
        assert_close(scaled.to_dense(), densify(gradient) * factor, 1e-12)


def test_adding_and_scaling_leave_the_gradients_as_they_were() -> None:
    gradient = RowGradient(np.array([1, 1]), np.ones((2, 3), "float32"), SHAPE)
    for result in (gradient + gradient, 2 * gradient, gradient.sum_duplicates()):
        assert isinstance(result, RowGradient)
        result.values[:] = 7
    assert gradient.values.tolist() == np.ones((2, 3)).tolist()
    assert gradient.ids.tolist() == [1, 1]


@given(gradient=gradients())
def test_a_copy_is_of_the_same_form_and_has_memory_of_its_own(gradient: RowGradient) -> None:
    for array, copied in zip(arrays_of(gradient), arrays_of(gradient.copy()), strict=True):
        assert (array is None) == (copied is None)
        if array is not None:
            np.testing.assert_array_equal(copied, array)
            assert not np.shares_memory(copied, array)


def test_the_sum_of_two_gradients_of_bags_holds_one_vector_per_bag() -> None:
    argmax, bag_positions = np.zeros((1, 3), np.int32), np.zeros(4, np.int32)
    ids, sources = np.array([0, 4, 5, 1]), np.zeros(4, "int64")
    plain = RowGradient(ids, np.ones((1, 3), "float32"), SHAPE, sources)
    won = RowGradient(ids, np.ones((1, 3), "float32"), SHAPE, sources, None, argmax, bag_positions)
    for both in (plain + plain, plain + won, won + won):
        assert isinstance(both, RowGradient)
        assert both.values.shape == (2, 3)


def test_a_plain_gradient_is_its_own_expansion() -> None:
    gradient = RowGradient(np.array([1]), np.ones((1, 3)), SHAPE)
    assert gradient.expand() is gradient


def test_the_ids_of_a_bag_share_one_vector_without_a_copy() -> None:
    values = np.ones((1, 3), "float32")
    gradient = RowGradient(np.array([0, 4, 5]), values, SHAPE, np.zeros(3, "int64"))
    assert gradient.values is values
    assert gradient.expand().values.shape == (3, 3)


def test_a_gradient_says_how_large_it_is() -> None:
    gradient = RowGradient(np.array([1, 1], "int32"), np.ones((2, 3), "float32"), SHAPE)
    assert (len(gradient), gradient.nbytes, gradient.dtype) == (2, 2 * 4 + 6 * 4, np.dtype("float32"))
    assert repr(gradient) == "<RowGradient of 2 ids for a table of shape (6, 3), float32>"


def test_a_gradient_without_ids_is_zero() -> None:
    gradient = RowGradient(np.zeros(0, "int64"), np.zeros((0, 3), "float32"), SHAPE)
    assert gradient.norm() == 0
    assert not gradient.to_dense().any()
    assert len(gradient.sum_duplicates()) == 0


def test_the_norm_of_large_float32_values_does_not_overflow() -> None:
    gradient = RowGradient(np.array([0]), np.full((1, 3), 1e25, "float32"), SHAPE)
    assert np.isclose(gradient.norm(), 1e25 * 3**0.5)


# ---- What it takes


@pytest.mark.parametrize("dtype", INTEGER_TYPES)
def test_every_integer_type_of_ids_is_taken(dtype: str) -> None:
    gradient = RowGradient(np.array([5, 0], dtype), np.ones((2, 3), "float32"), SHAPE)
    assert gradient.ids.dtype in ("int32", "int64")
    assert gradient.to_dense().any(axis=1).tolist() == [True, False, False, False, False, True]


def test_strided_and_read_only_arrays_are_taken() -> None:
    gradient = RowGradient(np.arange(1, 3), np.ones((3, 4), "float32").T[::2][:, :3], SHAPE)
    assert gradient.values.flags.c_contiguous
    values = np.broadcast_to(np.array([1.0, 2.0, 3.0]), (2, 3))
    assert RowGradient(np.arange(6)[::3], values, SHAPE).to_dense()[3].tolist() == [1, 2, 3]


def test_ids_that_fit_already_are_not_copied() -> None:
    ids, values = np.array([1]), np.ones((1, 3), "float32")
    gradient = RowGradient(ids, values, SHAPE)
    assert gradient.ids is ids
    assert gradient.values is values


@pytest.mark.parametrize("ids", [np.array([1.0]), np.array([True]), np.array(["1"]), [None], np.array([1j])], ids=repr)
def test_ids_that_are_no_integers_are_a_type_error(ids: Any) -> None:
    with pytest.raises(TypeError, match=r"`ids` of a row gradient must be integers\. Received: dtype "):
        RowGradient(ids, np.ones((1, 3)), SHAPE)


@pytest.mark.parametrize("values", [np.ones((1, 3), "int64"), np.ones((1, 3), bool), np.ones((1, 3), complex)])
def test_values_that_are_no_floats_are_a_type_error(values: Any) -> None:
    with pytest.raises(TypeError, match=r"`values` of a row gradient must be floats\. Received: dtype "):
        RowGradient(np.array([1]), values, SHAPE)


@pytest.mark.parametrize("shape", [(1, 2), (1, 4), (3,), (1, 1, 3), ()], ids=str)
def test_values_of_another_width_or_rank_are_a_value_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`values` of a row gradient must have the shape \(n, 3\)\. Received: "):
        RowGradient(np.array([1]), np.ones(shape), SHAPE)


@pytest.mark.parametrize("ids", [np.zeros((1, 1), int), np.zeros((), int)])
def test_ids_of_another_rank_are_a_value_error(ids: Array) -> None:
    if ids.ndim == 0:  # numpy makes a contiguous array of a number one-dimensional
        assert len(RowGradient(ids, np.ones((1, 3)), SHAPE)) == 1
        return
    with pytest.raises(ValueError, match=r"`ids` of a row gradient must be one-dimensional\. Received: shape"):
        RowGradient(ids, np.ones((1, 3)), SHAPE)


def test_one_vector_per_id_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"one gradient vector per id\. Received: 2 ids and values of shape \(3, 3\)"):
        RowGradient(np.array([1, 2]), np.ones((3, 3)), SHAPE)


@pytest.mark.parametrize("sources", [[0, 2], [-1, 0], [0], [[0, 1]], [0, 1, 1]], ids=str)
def test_sources_that_name_no_vector_or_do_not_fit_are_a_value_error(sources: Any) -> None:
    with pytest.raises(ValueError, match="`sources` of a row gradient must "):
        RowGradient(np.array([1, 2]), np.ones((2, 3)), SHAPE, np.array(sources))


@pytest.mark.parametrize("scales", [[1.0], [[1.0, 1.0]], [1.0, 1.0, 1.0]], ids=str)
def test_scales_that_do_not_fit_are_a_value_error(scales: Any) -> None:
    with pytest.raises(ValueError, match=r"`scales` of a row gradient must have the shape \(2,\)"):
        RowGradient(np.array([1, 2]), np.ones((2, 3)), SHAPE, scales=np.array(scales))


def test_sources_and_scales_of_another_kind_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="`sources` of a row gradient must be integers"):
        RowGradient(np.array([1]), np.ones((1, 3)), SHAPE, np.array([0.0]))
    with pytest.raises(TypeError, match="`scales` of a row gradient must be floats"):
        RowGradient(np.array([1]), np.ones((1, 3)), SHAPE, scales=np.array([1]))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"argmax": [[0, 0, 0]]}, ValueError, "go with `bag_positions` and `sources`"),
        ({"bag_positions": [0]}, ValueError, "go with `bag_positions` and `sources`"),
        (
            {"argmax": [[0, 0, 0]], "bag_positions": [0], "sources": None},
            ValueError,
            "go with `bag_positions` and `sources`",
        ),
        (
            {"argmax": [[0, 0]], "bag_positions": [0]},
            ValueError,
            r"`argmax` .* the shape \(1, 3\)\. Received: \(1, 2\)",
        ),
        (
            {"argmax": [[0, 0, 0]], "bag_positions": [0, 1]},
            ValueError,
            r"`bag_positions` .* the shape \(1,\)\. Received: \(2,\)",
        ),
        ({"argmax": [[0.0, 0, 0]], "bag_positions": [0]}, TypeError, "`argmax` of a row gradient must be integers"),
        (
            {"argmax": [[0, 0, 0]], "bag_positions": [True]},
            TypeError,
            "`bag_positions` of a row gradient must be integers",
        ),
    ],
    ids=str,
)
def test_an_argmax_that_does_not_fit_is_refused(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RowGradient(np.array([1]), np.ones((1, 3)), SHAPE, **{"sources": np.array([0]), **given})


def test_gradients_of_tables_of_different_shapes_are_not_added() -> None:
    one, other = (RowGradient(np.array([0]), np.ones((1, 3)), (rows, 3)) for rows in (2, 5))
    with pytest.raises(ValueError, match=r"different tables cannot be added\. Received: \(2, 3\), \(5, 3\)"):
        one + other
    with pytest.raises(ValueError, match="different tables"):
        one + np.ones((5, 3))


def test_a_number_is_not_added_to_a_gradient() -> None:
    gradient = RowGradient(np.array([0]), np.ones((1, 3)), SHAPE)
    with pytest.raises(TypeError, match="unsupported operand"):
        gradient + 1  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand"):
        sum([gradient, gradient])  # type: ignore[list-item]


@pytest.mark.parametrize("operation", ["sum_duplicates", "to_dense", "norm"])
@pytest.mark.parametrize("bad", [6, -1])
def test_an_id_that_is_no_row_is_found_when_the_ids_are_used(operation: str, bad: int) -> None:
    gradient = RowGradient(np.array([0, bad]), np.ones((2, 3)), SHAPE)
    with pytest.raises(IndexError, match=rf"indices\[1\] = {bad} is not in \[0, 6\)"):
        getattr(gradient, operation)()


@pytest.mark.parametrize("dtype", ["float16", "longdouble"])
def test_a_gradient_of_a_type_without_kernels_is_summed_too(dtype: str) -> None:
    gradient = RowGradient(np.array([1, 1]), np.ones((2, 3), dtype), SHAPE)
    assert gradient.to_dense()[1].tolist() == [2, 2, 2]


@pytest.mark.parametrize("ids", [[], [3], [3, 3, 3], [4, 0, 4, 2, 0]])
def test_distinct_ids_are_each_id_once_in_ascending_order(ids: list[int]) -> None:
    gradient = RowGradient(np.array(ids, np.int32), np.ones((len(ids), 2), "float32"), (5, 2))
    assert gradient.distinct_ids().tolist() == sorted(set(ids))
    assert gradient.ids.tolist() == ids


@given(gradients("float32"))
def test_numpy_sees_the_dense_gradient(gradient: RowGradient) -> None:
    dense = gradient.to_dense()
    assert gradient.ndim == 2
    for array in (np.asarray(gradient), np.array(gradient), gradient.numpy(), gradient.reshape(SHAPE)):
        np.testing.assert_array_equal(array, dense)
        assert array.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(gradient, np.float64), dense.astype(np.float64))


def test_gradients_of_several_weights_are_joined_as_dense_ones_are() -> None:
    gradients = [RowGradient(np.array([2, 2]), np.ones((2, 2)), (3, 2)), np.full((2, 2), 5.0)]
    joined = np.concatenate([gradient.reshape(-1) for gradient in gradients])
    np.testing.assert_array_equal(joined, [0, 0, 0, 0, 2, 2, 5, 5, 5, 5])
    np.testing.assert_array_equal(np.concatenate(gradients)[2:], [[2, 2], [5, 5], [5, 5]])  # type: ignore[arg-type]


def test_a_dense_array_cannot_be_had_without_making_one() -> None:
    with pytest.raises(ValueError, match="has to make one: copy=False"):
        RowGradient(np.array([1]), np.ones((1, 2)), (3, 2)).__array__(copy=False)


def test_indices_values_and_dense_shape_are_those_of_indexed_slices() -> None:
    gradient = RowGradient(np.array([2, 0]), np.ones((2, 2)), (3, 2))
    np.testing.assert_array_equal(gradient.indices, [2, 0])
    assert gradient.dense_shape == (3, 2)
    shared = RowGradient(np.array([2, 0]), np.ones((1, 2)), (3, 2), sources=np.array([0, 0]))
    with pytest.raises(AttributeError, match=r"Take both from gradient\.expand\(\)"):
        shared.indices  # noqa: B018 - the error is what is tested
    np.testing.assert_array_equal(shared.expand().indices, [2, 0])


def test_a_dense_gradient_of_the_table_is_added_from_either_side() -> None:
    rows, dense = RowGradient(np.array([1, 1]), np.ones((2, 2)), (3, 2)), np.full((3, 2), 0.5)
    for total in (rows + dense, dense + rows):
        assert isinstance(total, np.ndarray)
        np.testing.assert_array_equal(total, [[0.5, 0.5], [2.5, 2.5], [0.5, 0.5]])
