"""What happens to an id that is not a row of the table: an error, unless the layer was told otherwise."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.checks import warn_caller
from fastembed_layer.inputs.positions import describe_position

Array = np.ndarray[Any, Any]

POLICIES = ("raise", "zero", "clip", "wrap")


class Replaced(NamedTuple):
    """Ids that are all rows, and where the output is to be zeros that train nothing (None if nowhere)."""

    ids: Array
    zeroed: Array | None

    def also_zero(self, where: Array | None) -> Replaced:
        """Return the same ids with zeros at more positions; None adds none."""
        if where is None or self.zeroed is None:
            return Replaced(self.ids, where if self.zeroed is None else self.zeroed)
        return Replaced(self.ids, self.zeroed | where)


def set_padding_apart(ids: Array, padding_id: int | None) -> Replaced:
    """Return ids whose padding is to give zeros; padding that is no row of the table is replaced by row 0."""
    if padding_id is None:
        return Replaced(ids, None)
    is_padding = ids == padding_id
    if not is_padding.any():
        return Replaced(ids, None)
    return Replaced(ids if padding_id >= 0 else np.where(is_padding, ids.dtype.type(0), ids), is_padding)


def join_zeroed(looked_up: Replaced, replaced: Replaced, padding_id: int | None) -> Replaced:
    """Return the replaced ids with zeros for both reasons, and for ids that were replaced by padding."""
    turned = set_padding_apart(replaced.ids, padding_id)
    return turned.also_zero(looked_up.zeroed).also_zero(replaced.zeroed)


class OutOfRangePolicy:
    """The ``out_of_range`` argument of a layer, and the count of ids that it hid.

    Parameters
    ----------
    policy : str or int
        ``"raise"``, ``"zero"`` (a row of zeros that trains nothing), ``"clip"`` (to the first or last row),
        ``"wrap"`` (modulo the number of rows, so -1 is the last one) or the number of the row to use instead.
    input_dim : int
        Number of rows.

    Raises
    ------
    TypeError, ValueError
        If `policy` is none of these.
    """

    def __init__(self, policy: Any, input_dim: int):
        self.policy = _checked_policy(policy, input_dim)
        self.input_dim = input_dim
        self.count = 0
        self._warned = False
        self._lock = threading.Lock()

    def handle(self, ids: Array, shape: tuple[int, ...], layer_name: str) -> Replaced:
        """Replace the ids that are no rows, or raise.

        Parameters
        ----------
        ids : ndarray, shape (n,)
            Of which at least one is out of range.
        shape : tuple of int
            Shape of the ids as the caller passed them.
        layer_name : str
            Named in the message.

        Raises
        ------
        IndexError
            With the policy ``"raise"``.
        """
        bad = (ids < 0) | (ids >= self.input_dim)
        if self.policy == "raise":
            raise IndexError(self._message(ids, bad, shape, layer_name))
        self._count(ids, bad, shape, layer_name)
        if ids.dtype.kind == "i":
            ids = ids.astype(np.int64, copy=False)  # the rows of a table may be more than int32 counts
        return Replaced(self._replace(ids, bad).astype(np.int64, copy=False), bad if self.policy == "zero" else None)

    def _replace(self, ids: Array, bad: Array) -> Array:
        if self.policy == "clip":
            return np.clip(ids, 0, self.input_dim - 1)
        if self.policy == "wrap":
            return ids % self.input_dim
        return np.where(bad, ids.dtype.type(0 if self.policy == "zero" else self.policy), ids)

    def _message(self, ids: Array, bad: Array, shape: tuple[int, ...], layer_name: str) -> str:
        first = int(np.argmax(bad))
        hint = f" Did you mean input_dim={self.input_dim + 1}?" if ids.max() == self.input_dim else ""
        return (
            f"indices{describe_position(first, shape)} = {ids[first]} is not in [0, {self.input_dim}) "
            f"(layer {layer_name!r}, {int(bad.sum())} of {len(ids)} ids are out of range).{hint}"
        )

    def _count(self, ids: Array, bad: Array, shape: tuple[int, ...], layer_name: str) -> None:
        with self._lock:
            self.count += int(bad.sum())
            first_time, self._warned = not self._warned, True
        if first_time:
            warn_caller(
                f"{self._message(ids, bad, shape, layer_name)} They are handled by out_of_range={self.policy!r}; "
                "`out_of_range_count` of the layer counts them, and this warning is not repeated."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


def _checked_policy(policy: Any, input_dim: int) -> str | int:
    if isinstance(policy, str) and policy in POLICIES:
        return policy
    if isinstance(policy, int | np.integer) and not isinstance(policy, bool):
        if 0 <= policy < input_dim:
            return int(policy)
        raise ValueError(f"`out_of_range` must be a row of the table, in [0, {input_dim}). Received: {policy}.")
    kind = ValueError if isinstance(policy, str) else TypeError
    raise kind(f"`out_of_range` must be one of {', '.join(POLICIES)} or the number of a row. Received: {policy!r}.")
