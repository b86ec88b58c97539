"""`Optimizer`: what all optimizers share, from the checks before a step to the constraint after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice, check_flag, check_number
from fastembed_layer.dispatch import backend_of
from fastembed_layer.optimizers.idle_book import IdleBook, IdleMotion, touch_all_rows
from fastembed_layer.row_gradient import RowGradient
from fastembed_layer.table import Parameter, Table

Array = np.ndarray[Any, Any]
Gradient = Array | RowGradient
Schedule = Callable[[int], float]

UPDATE_MODES = ("exact", "lazy")

# Keys of Keras's optimizer configs: for the first ones only the value that switches them off is understood.
SWITCHED_OFF = {
    "clipnorm": (None,),
    "global_clipnorm": (None,),
    "clipvalue": (None,),
    "use_ema": (None, False),
    "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None,),
}
WITHOUT_EFFECT = ("ema_momentum", "ema_overwrite_frequency", "jit_compile", "is_legacy_optimizer", "decay")


class Optimizer:
    """Base of all optimizers.

    A step on a `RowGradient` costs what its rows cost. Repeated ids are summed before the optimizer sees them.

    Parameters
    ----------
    learning_rate : float or callable
        The rate, or a schedule ``step -> rate`` that is asked with the number of finished steps.
    name : str, optional
        Name of the optimizer.
    update : {"exact", "lazy"}
        What becomes of the rows of a table that a batch does not hold. Exact: what the dense optimizer would make of
        them; momentum goes on moving them. They are brought up to date when they are next looked up or updated, by a
        closed form, so the cost is that of the touched rows all the same. Lazy: they and their slots keep their
        bits, as in PyTorch's ``SparseAdam``; that is another algorithm.
    check_numerics : bool
        Whether NaN or infinity in a gradient refuses the step, before anything is written. By default they
        propagate into the weights, as in Keras.
    weight_decay : float, optional
        Decoupled weight decay [1]_: before its update a weight loses the share ``weight_decay * learning_rate``.

    Attributes
    ----------
    iterations : int
        Number of finished steps.
    slots : dict
        For each trained parameter a dict of its state arrays, shaped like the parameter. They live as long as the
        optimizer.

    References
    ----------
    .. [1] Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        name: str | None = None,
        update: str = "exact",
        check_numerics: bool = False,
        weight_decay: float | None = None,
    ):
        self.learning_rate = learning_rate
        self.update = check_choice(update, "update", UPDATE_MODES)
        self.name = name or type(self).__name__.lower()
        self.check_numerics = check_flag(check_numerics, "check_numerics")
        self.weight_decay = None if not weight_decay else check_number(weight_decay, "weight_decay", low=0.0)
        self.iterations = 0
        self.slots: dict[Parameter, dict[str, Array]] = {}
        self._idle_book = IdleBook()

    @property
    def learning_rate(self) -> float | Schedule:
        """The rate or the schedule; may be set between steps."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._learning_rate = value if callable(value) else check_number(value, "learning_rate", low=0.0)

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        raise NotImplementedError(f"{type(self).__name__} must name its update `rule`.")

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots, in the order of the rule, with their first values."""
        return {}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step; steps count from 1."""
        return (learning_rate,)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient; None when nothing changes."""
        return None

    def idle_amount(self, learning_rate: float, step: int) -> float:
        """Return what one step contributes to the sums of `idle_motion`."""
        return learning_rate

    def finish(self, table: Table) -> None:
        """Bring all rows of a table up to date, in one parallel pass; reading the table's value does so by itself."""
        table.finish()

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Gradient | None, Parameter]]) -> int:
        """Make one step.

        Parameters
        ----------
        grads_and_vars : iterable of (gradient, parameter)
            Pairs whose gradient is None are left out; gradients of one parameter are added.

        Returns
        -------
        iterations : int
            Number of finished steps.

        Raises
        ------
        IndexError
            If an id of a row gradient is not a row of its table.
        ValueError
            If a gradient has the wrong shape, or is not finite and `check_numerics` is set. In all cases nothing has
            been written.
        """
        pairs = self._merge_pairs(grads_and_vars)
        for parameter, gradient in pairs:
            self._check_gradient(parameter, gradient)
        rate = self._rate_of_step()
        grouped = [
            backend_of(parameter).group_gradient(gradient) if isinstance(gradient, RowGradient) else gradient
            for parameter, gradient in pairs
        ]
        all_slots = [list(self.slots_of(parameter).values()) for parameter, _ in pairs]
        tables = [parameter for parameter, _ in pairs if isinstance(parameter, Table)]
        motion = self.idle_motion() if self.update == "exact" else None
        keep = self._kept_share(rate)
        self._idle_book.open_step(tables, motion, self.slots, self.weight_decay is not None)
        numbers = self.scalars(rate, self.iterations + 1)
        for (parameter, _), prepared, slots in zip(pairs, grouped, all_slots, strict=True):
            self._update(parameter, prepared, slots, numbers, keep)
        self._idle_book.close_step(tables, self.idle_amount(rate, self.iterations + 1), keep)
        for parameter, gradient in pairs:
            apply_constraint(parameter, gradient)
        self.iterations += 1
        return self.iterations

    apply = apply_gradients

    def slots_of(self, parameter: Parameter) -> dict[str, Array]:
        """Return the state arrays of a parameter by name, made at the first call."""
        if parameter not in self.slots:
            self.slots[parameter] = {name: _filled(parameter, value) for name, value in self.slot_values().items()}
        return self.slots[parameter]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer without state."""
        config = {"name": self.name, "learning_rate": self.learning_rate, "update": self.update}
        own = {"check_numerics": self.check_numerics, "weight_decay": self.weight_decay}
        return config | {key: value for key, value in own.items() if value}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make an optimizer from what `get_config` returned, here or in Keras.

        Raises
        ------
        ValueError
            If the config asks for something that this optimizer does not do.
        """
        arguments = {key: value for key, value in config.items() if key not in WITHOUT_EFFECT}
        for key, off in SWITCHED_OFF.items():
            value = arguments.pop(key, None)
            if value not in off:
                raise ValueError(f"`{key}` is not among the options of {cls.__name__}. Received: {key}={value!r}.")
        return cls(**arguments)

    def _update(
        self, parameter: Parameter, gradient: Any, slots: list[Array], numbers: tuple[float, ...], keep: float
    ) -> None:
        backend = backend_of(parameter)
        if not isinstance(gradient, np.ndarray):
            backend.update_rows(parameter, gradient, self.rule, slots, numbers, keep)  # type: ignore[arg-type]
            return
        if isinstance(parameter, Table):
            touch_all_rows(parameter)
        backend.update_dense(parameter, gradient, self.rule, slots, numbers, keep)

    def _kept_share(self, rate: float) -> float:
        """What weight decay leaves of the weights in one step."""
        keep = 1 - rate * (self.weight_decay or 0.0)
        if keep <= 0:
            raise ValueError(
                "`weight_decay` times the learning rate must be below 1, or the weights change sign. "
                f"Received: {self.weight_decay} * {rate}."
            )
        return keep

    def _rate_of_step(self) -> float:
        if not callable(self._learning_rate):
            return float(self._learning_rate)
        rate = float(self._learning_rate(self.iterations))
        if not math.isfinite(rate) or rate < 0:
            raise ValueError(
                f"`learning_rate` must be a finite number that is not negative. Received: a schedule that returned "
                f"{rate} at step {self.iterations}."
            )
        return rate

    @staticmethod
    def _merge_pairs(pairs: Iterable[tuple[Gradient | None, Parameter]]) -> list[tuple[Parameter, Gradient]]:
        merged: dict[Parameter, Gradient] = {}
        for gradient, parameter in pairs:
            if gradient is not None:
                known = merged.get(parameter)
                merged[parameter] = gradient if known is None else known + gradient
        return list(merged.items())

    def _check_gradient(self, parameter: Parameter, gradient: Gradient) -> None:
        if gradient.shape != parameter.shape:
            raise ValueError(
                f"The gradient of the weight {parameter.name!r} must have its shape, {parameter.shape}. "
                f"Received: {gradient.shape}."
            )
        values = gradient.values if isinstance(gradient, RowGradient) else gradient
        if self.check_numerics and not np.isfinite(values).all():
            raise ValueError(
                f"The gradient of the weight {parameter.name!r} must be finite with check_numerics=True. Received: "
                f"{int(np.isnan(values).sum())} NaN and {int(np.isinf(values).sum())} infinite of {values.size} values."
            )


def apply_constraint(parameter: Parameter, gradient: Gradient) -> None:
    """Project a parameter after its update: the touched rows where the constraint is row-local, else all."""
    constraint = parameter.constraint
    if constraint is None:
        return
    if isinstance(gradient, RowGradient) and getattr(constraint, "is_row_local", False):
        touched = np.unique(gradient.ids)
        parameter.storage[touched] = constraint(parameter.storage[touched])
    else:
        parameter.value[...] = constraint(parameter.value)


def _filled(parameter: Parameter, value: float) -> Array:
    """Zeros stay unwritten, so that a row's slot takes up memory only once the row is trained."""
    if value == 0:
        return np.zeros(parameter.shape, parameter.dtype)
    return np.full(parameter.shape, value, parameter.dtype)
