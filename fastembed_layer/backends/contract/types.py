"""What the operations of a backend are handed: the state of a table, and a gradient by rows, as far as they read it.

`tables/` makes these values, one floor above. A backend knows no more of them than what is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class Weight(Protocol):
    """A weight of any rank.

    Attributes
    ----------
    array : ndarray
        Its memory, which operations read and write.
    placement : str
        The device on which it lives.
    """

    @property
    def array(self) -> Array: ...
    @property
    def placement(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...


class ClockState(Protocol):
    """The steps of a table, and the sums that its idle rows need.

    Attributes
    ----------
    now, base : int
        The present step, and the first of `series`.
    shrink : float
        What decay has left of a weight since `base`.
    series : ndarray of float64, shape (entries, sums + 1)
        An entry for each step since `base`; on the host.
    reach : int
        How many entries before the last the present step has changed.
    """

    @property
    def now(self) -> int: ...
    @property
    def base(self) -> int: ...
    @property
    def shrink(self) -> float: ...
    @property
    def series(self) -> Array: ...
    @property
    def reach(self) -> int: ...


class RateState(Protocol):
    """The share of the learning rate of each row."""

    @property
    def factors(self) -> Array | None: ...
    def factors_on(self, placement: str) -> Array | None: ...


class IdleState(Protocol):
    """How far the rows of a table are behind.

    Attributes
    ----------
    rule : str
        Name of the rule by which they move.
    slots : list of ndarray
        The optimizer's slots of the table.
    last_steps : ndarray of int32, shape (input_dim,)
        The step that each row is up to date with.
    constants : tuple of float
        The numbers of the rule.
    is_finished : bool
        Whether all rows are up to date.
    row_rates : RateState or None
        The shares of the idle steps.
    """

    @property
    def rule(self) -> str: ...
    @property
    def slots(self) -> list[Array]: ...
    @property
    def last_steps(self) -> Array: ...
    @property
    def clock(self) -> ClockState: ...
    @property
    def constants(self) -> tuple[float, ...]: ...
    @property
    def is_finished(self) -> bool: ...
    @property
    def row_rates(self) -> RateState | None: ...


class GuardState(Protocol):
    """Tells a lookup whether a step writes beside it; see `Guard`."""

    @property
    def version(self) -> int: ...
    @property
    def is_plain(self) -> bool: ...
    @property
    def writing(self) -> AbstractContextManager[Any]: ...


class TableState(Weight, Protocol):
    """The table of an operation."""

    @property
    def input_dim(self) -> int: ...
    @property
    def output_dim(self) -> int: ...
    @property
    def idle(self) -> IdleState | None: ...
    @property
    def row_rates(self) -> RateState | None: ...
    @property
    def guard(self) -> GuardState: ...


class Gradient(Protocol):
    """Ids and vectors, as `RowGradient` documents them."""

    @property
    def ids(self) -> Array: ...
    @property
    def values(self) -> Array: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def sources(self) -> Array | None: ...
    @property
    def scales(self) -> Array | None: ...
    @property
    def argmax(self) -> Array | None: ...
    @property
    def bag_positions(self) -> Array | None: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __len__(self) -> int: ...
    def to(self, device: str) -> Gradient: ...
    def with_ids(self, ids: Array, input_dim: int) -> Gradient: ...


class GroupedGradient(NamedTuple):
    """A row gradient whose ids have been checked and sorted: `keys` hold ids and positions in the backend's way."""

    gradient: Gradient
    keys: Array


class Step(NamedTuple):
    """What an optimizer does to a weight in one step.

    Attributes
    ----------
    rule : str
        Name of the update rule, such as ``"adagrad"``.
    slots : sequence of ndarray of the shape and dtype of the weight
        The optimizer's state, in the order of the rule; some rules have slots with one number for each row.
    scalars : sequence of float
        The numbers of the rule, in its order.
    decay_factor : float
        What weight decay leaves of the weights; they are multiplied by it before the rule sees them.
    """

    rule: str
    slots: Sequence[Array]
    scalars: Sequence[float]
    decay_factor: float = 1.0


class IdsOutOfRangeError(IndexError):
    """Some id is not a row of the table.

    Attributes
    ----------
    position : int
        Where the first such id stands in the flat ids.
    """

    def __init__(self, position: int, value: int, input_dim: int):
        super().__init__(f"indices[{position}] = {value} is not in [0, {input_dim})")
        self.position = position
