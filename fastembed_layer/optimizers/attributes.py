"""What Keras has as attributes of an optimizer: the rate, the options around a step, and the state as variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.schedules.base import get as get_schedule
from fastembed_layer.optimizers.step.accumulation import Accumulation
from fastembed_layer.optimizers.step.averages import MovingAverages
from fastembed_layer.optimizers.step.clipping import Clipping
from fastembed_layer.optimizers.step.decay import WeightDecay
from fastembed_layer.optimizers.step.variables import StateVariable, list_variables, overwrite_all
from fastembed_layer.tables.parameter import Parameter


class Rate(float):
    """The learning rate of an optimizer: a number that can also be assigned to, as a variable of Keras."""

    _owner: Any

    def __new__(cls, value: float, owner: Any) -> Rate:
        """Make the rate of an optimizer."""
        rate = super().__new__(cls, value)
        rate._owner = owner
        return rate

    def assign(self, value: Any) -> None:
        """Set the rate of the optimizer; this number itself stays what it is."""
        self._owner.learning_rate = float(value)

    def numpy(self) -> float:
        """Return the number."""
        return float(self)

    @property
    def value(self) -> float:
        """The number."""
        return float(self)

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        """A copy is a plain number: it belongs to no optimizer."""
        return float, (float(self),)


class KerasAttributes:
    """The attributes of Keras's optimizers; those with setters may be set between steps."""

    own_slots: dict[Parameter, Any]
    decay: WeightDecay
    clipping: Clipping
    accumulation: Accumulation
    averages: MovingAverages

    @property
    def learning_rate(self) -> float | Schedule:
        """The rate or the schedule; may be set between steps. A rate also has `assign`, as in Keras."""
        rate = self._learning_rate
        return rate if callable(rate) else Rate(rate, self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._learning_rate: float | Schedule = get_schedule(value)

    @property
    def clipnorm(self) -> float | None:
        """The largest norm of each gradient; may be set between steps."""
        return self.clipping.bounds.get("clipnorm")

    @clipnorm.setter
    def clipnorm(self, value: float | None) -> None:
        self.clipping = Clipping(**{**self.clipping.bounds, "clipnorm": value})

    @property
    def global_clipnorm(self) -> float | None:
        """The largest norm of all gradients together; may be set between steps."""
        return self.clipping.bounds.get("global_clipnorm")

    @global_clipnorm.setter
    def global_clipnorm(self, value: float | None) -> None:
        self.clipping = Clipping(**{**self.clipping.bounds, "global_clipnorm": value})

    @property
    def clipvalue(self) -> float | None:
        """The largest size of each element of a gradient; may be set between steps."""
        return self.clipping.bounds.get("clipvalue")

    @clipvalue.setter
    def clipvalue(self, value: float | None) -> None:
        self.clipping = Clipping(**{**self.clipping.bounds, "clipvalue": value})

    @property
    def weight_decay(self) -> float | None:
        """The share of the weights that a step takes away, per learning rate; may be set between steps."""
        return self.decay.rate

    @weight_decay.setter
    def weight_decay(self, value: float | None) -> None:
        self.decay.rate = WeightDecay(value).rate

    @property
    def gradient_accumulation_steps(self) -> int | None:
        """Number of calls whose mean gradient makes one step."""
        return self.accumulation.steps

    @property
    def use_ema(self) -> bool:
        """Whether moving averages of the weights are kept."""
        return self.averages.use_ema

    @property
    def ema_momentum(self) -> float:
        """Momentum of the moving averages."""
        return self.averages.momentum

    @property
    def ema_overwrite_frequency(self) -> int | None:
        """Number of steps after which the averages overwrite the weights."""
        return self.averages.overwrite_frequency

    @property
    def variables(self) -> list[StateVariable]:
        """The state in the order of Keras: steps, rate, averages, accumulated gradients, slots weight by weight.

        Each has a `name`, `shape`, `dtype`, `value`, `numpy()` and `assign(value)`; averages and accumulated gradients
        can only be read. A rate that is a schedule is no variable.

        Examples
        --------
        >>> from fastembed_layer import Embedding, optimizers
        >>> layer, optimizer = Embedding(5, 2), optimizers.Adam()
        >>> optimizer.build([layer.embeddings])
        >>> [(variable.name, variable.shape) for variable in optimizer.variables[1:]]
        [('learning_rate', ()), ('embeddings_momentum', (5, 2)), ('embeddings_velocity', (5, 2))]
        """
        return list_variables(self, self._hold_all)  # type: ignore[arg-type]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Assign arrays to all `variables`, after `build` with the same weights in the same order.

        `load_own_variables` also brings back what this leaves out: averages, accumulated gradients, idle rows.

        Raises
        ------
        ValueError, TypeError
            If number, shapes or kinds of the arrays are not those of `variables`; nothing is written then.
        """
        if not self.own_slots:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built: call "
                f"`optimizer.build(trainable_variables)` first. Received: {len(weights)} arrays."
            )
        self._hold_all(lambda: overwrite_all(self.variables, weights))

    def _hold_all(self, work: Callable[[], None]) -> None:
        raise NotImplementedError
