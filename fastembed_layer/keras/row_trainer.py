"""`RowTrainer`: gradients of a layer as they arrive, and the one step that is made of them."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from fastembed_layer.keras.followers import Follower
from fastembed_layer.keras.ways import Gradients, Way
from fastembed_layer.optimizers.step.clipping import gradient_norm
from fastembed_layer.optimizers.step.gradients import is_finite, merge_pairs
from fastembed_layer.tables.row_gradient import RowGradient

Array = np.ndarray[Any, Any]

MOST_WAITING = 4096
TOKEN_BITS = 40  # sums of so many tokens are exact in float64, and no two runs of them have the same


class Arrival(NamedTuple):
    """The gradient of one lookup.

    Attributes
    ----------
    token : int
        What its lookup adds to the gradient of the anchor.
    number : int
        Of the call of the layer; gradients are added in this order.
    gradients : list
        Of the tables.
    """

    token: int
    number: int
    gradients: Gradients


class RowTrainer:
    """Keeps the gradients of a layer until an optimizer makes a step with its anchor.

    The anchor is a weight of one number, through which Keras knows of the layer. The way back of each lookup adds a
    token, a large random number, to its gradient. So an optimizer that is handed the sum says which gradients its step
    is about: those that arrived one after the other and whose tokens have that sum. Earlier ones belong to steps that
    never came, and are dropped; later ones wait for theirs.

    Parameters
    ----------
    way : Way
        What the layer computes.
    name : str
        Of the layer.
    update : {"exact", "lazy"}
        What becomes of rows that a batch does not hold.
    given : Optimizer or None
        Trains the tables in place of the optimizer that makes the step.
    """

    def __init__(self, way: Way, name: str, update: str, given: Any = None):
        self.way, self.name, self.update, self.given = way, name, update, given
        self._waiting: deque[Arrival] = deque(maxlen=MOST_WAITING)
        self._random, self._lock = random.Random(), threading.Lock()
        self._followers: WeakKeyDictionary[Any, Follower] = WeakKeyDictionary()
        self._latest: Follower | None = None
        self._loaded: dict[str, Array] = {}

    def look_up(self, way: Way, anchor: Array, *inputs: Array) -> list[Array]:
        """Return what the layer, or a penalty on it, makes of some inputs, and what the way back needs."""
        if anchor != 0:
            raise RuntimeError(
                f"The anchor of the layer {self.name!r} must be written by Keras's optimizers only, by `apply`, "
                f"`apply_gradients` or `fit`: it has no meaning of its own. Received: {float(anchor)}, from something "
                "else that trains or sets weights. Make the step by a Keras optimizer."
            )
        return way.look_up(*inputs)

    def receive(self, way: Way, number: int, d_output: Array, *arrays: Array) -> list[Array]:
        """Keep the gradient of one lookup; return its token and the gradients of inputs that have one."""
        gradients, others = way.pull_back(d_output, *arrays)
        with self._lock:
            token = 1 + self._random.getrandbits(TOKEN_BITS)
            self._waiting.append(Arrival(token, number, gradients))
        return [np.float64(token), *others]  # type: ignore[list-item]

    def follow(self, optimizer: Any, anchor: Any) -> Follower:
        """Return what trains the tables when an optimizer of Keras makes a step.

        Raises
        ------
        ValueError
            If it has options that cannot be honoured, with the way out.
        """
        if optimizer not in self._followers:
            self._followers[optimizer] = Follower(optimizer, anchor, self)
        return self._followers[optimizer]

    def is_finite(self, received: Array) -> bool:
        """Tell whether the gradients that a step is about are free of NaN and infinity."""
        return all(is_finite(gradient) for arrival in self._find(received) for gradient, _ in arrival.gradients)

    def norm(self, received: Array) -> float:
        """Return the norm of the gradients that a step is about, those of repeated ids summed."""
        merged: Any = merge_pairs(self._pairs(received))
        summed = [each.sum_duplicates() if isinstance(each, RowGradient) else each for _, each in merged]
        return float(np.sqrt(sum(gradient_norm(each) ** 2 for each in summed)))

    def step(self, follower: Follower, received: Array, numbers: tuple[int, float, float]) -> None:
        """Train the tables by the gradients whose tokens have been received.

        Parameters
        ----------
        follower : Follower
            Makes the step.
        received : ndarray
            The gradient of the anchor.
        numbers : tuple of (int, float, float)
            Finished steps, the learning rate, and what the gradients are multiplied with.
        """
        pairs, last = self._pairs(received), self._find(received)[-1]
        if self._loaded:
            follower.resume(self._loaded, int(numbers[0]))
            self._loaded = {}
        follower.step(pairs, numbers)
        self._latest = follower
        with self._lock:
            while self._waiting and self._waiting.popleft() is not last:
                pass

    def save_state(self, store: MutableMapping[str, Any]) -> None:
        """Write slots and counters into a store; without a step so far, what was loaded."""
        if self._latest is not None and not self._loaded:
            self._latest.save(store)
            return
        for name, array in self._loaded.items():
            store[name] = array

    def load_state(self, store: Mapping[str, Any]) -> None:
        """Keep a state until the next step, when it is known which optimizer goes on with it."""
        self._loaded = {name: np.array(store[name]) for name in store.keys()}  # noqa: SIM118

    def _pairs(self, received: Array) -> Any:
        arrivals = sorted(self._find(received), key=lambda arrival: arrival.number)
        return [pair for arrival in arrivals for pair in arrival.gradients]

    def _find(self, received: Array) -> list[Arrival]:
        """Return the arrivals, one after the other, whose tokens have the sum that an optimizer was handed."""
        with self._lock:
            waiting = list(self._waiting)
        for stop in range(len(waiting), 0, -1):
            start = _find_start(waiting, stop, float(received))
            if start is not None:
                return waiting[start:stop]
        raise RuntimeError(
            f"The gradient of the anchor of the layer {self.name!r} must reach the optimizer as it left the tape, and "
            f"once: it names the gradients of a step. Received: {float(received)}. Clip and accumulate by the "
            "arguments of the optimizer (`clipnorm`, `gradient_accumulation_steps`), or pass the gradients of this "
            "layer on unchanged."
        )


def _find_start(waiting: list[Arrival], stop: int, received: float) -> int | None:
    """Return where arrivals up to `stop` begin whose tokens have a sum; None if no sum is that."""
    total = 0
    for start in range(stop - 1, -1, -1):
        total += waiting[start].token
        if total >= received:
            return start if total == received else None
    return None
