"""`Optimizer`: what all optimizers share, from the checks before a step to the constraint after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice, check_flag, check_positive
from fastembed_layer.optimizers.arguments import check_name, read_config, refuse_unknown
from fastembed_layer.optimizers.attributes import KerasAttributes
from fastembed_layer.optimizers.schedules.base import Schedule, serialize
from fastembed_layer.optimizers.step.accumulation import Accumulation
from fastembed_layer.optimizers.step.averages import MovingAverages
from fastembed_layer.optimizers.step.clipping import Clipping
from fastembed_layer.optimizers.step.decay import WeightDecay
from fastembed_layer.optimizers.step.folded_penalties import settle_penalties
from fastembed_layer.optimizers.step.gradients import Pairs, check_finite, check_pair, is_finite, merge_pairs
from fastembed_layer.optimizers.step.idle_book import IdleBook, IdleMotion
from fastembed_layer.optimizers.step.order import take_step
from fastembed_layer.optimizers.step.owner import check_row_rates
from fastembed_layer.optimizers.step.saving import load_state, save_state
from fastembed_layer.optimizers.step.slots import fill_new_rows, make_slots, move_slots, settle_slots
from fastembed_layer.optimizers.step.trained_rows import leave_out_frozen, row_rates_of
from fastembed_layer.tables.guard import Guard, OptimizerGuard, hold
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient
from fastembed_layer.tables.row_rates import RowRates
from fastembed_layer.tables.table import Table
from fastembed_layer.tape import Cotangents, record

Array = np.ndarray[Any, Any]

UPDATE_MODES = ("exact", "lazy")


class Optimizer(KerasAttributes):
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
    clipnorm, global_clipnorm, clipvalue : float, optional
        At most one of them: the largest norm of each gradient, of all gradients together, or the largest value.
        Gradients of repeated ids are summed first.
    gradient_accumulation_steps : int, optional
        Number of calls whose mean gradient makes one step.
    use_ema : bool
        Whether moving averages of the weights are kept; `moving_average` returns them.
    ema_momentum : float
        Momentum of the averages.
    ema_overwrite_frequency : int, optional
        Number of steps after which the averages overwrite the weights; without it `finalize_variable_values` does.
    loss_scale_factor : float, optional
        What the loss is multiplied with by `scale_loss`; gradients are divided by it. A step whose gradients are not
        finite is then left out and counted in `skipped_steps`.

    Attributes
    ----------
    iterations : int
        Number of finished steps.
    row_wise_slots : tuple of str
        Names of the slots that have one number per row instead: their last dimension is 1.
    non_negative_slots : frozenset of str
        Names of slots that sum squares or keep largest sizes, and so are never below 0.

    References
    ----------
    .. [1] Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    row_wise_slots: tuple[str, ...] = ()
    non_negative_slots = frozenset(
        {"accumulator", "accumulated_grad", "accumulated_delta_var", "velocity", "velocity_hat", "norm"}
    )

    def __init__(
        self,
        learning_rate: float | Schedule,
        name: str | None = None,
        update: str = "exact",
        check_numerics: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        global_clipnorm: float | None = None,
        clipvalue: float | None = None,
        gradient_accumulation_steps: int | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        **unknown: Any,
    ):
        refuse_unknown(type(self), unknown)
        self.learning_rate = learning_rate
        self.update = check_choice(update, "update", UPDATE_MODES)
        self.name = check_name(name) or type(self).__name__.lower()
        self.check_numerics = check_flag(check_numerics, "check_numerics")
        self.decay = WeightDecay(weight_decay)
        self.clipping = Clipping(clipnorm, global_clipnorm, clipvalue)
        self.accumulation = Accumulation(gradient_accumulation_steps)
        self.averages = MovingAverages(use_ema, ema_momentum, ema_overwrite_frequency)
        factor = loss_scale_factor
        self.loss_scale_factor = None if factor is None else check_positive(factor, "loss_scale_factor")
        self.iterations = 0
        self.skipped_steps = 0
        self.own_slots: dict[Parameter, dict[str, Array]] = {}
        self.idle_book = IdleBook()
        self.guard: Guard = OptimizerGuard()
        self._row_rates: dict[Parameter, RowRates | None] = {}

    @property
    def slots(self) -> dict[Parameter, dict[str, Array]]:
        """For each trained parameter its state arrays by name, shaped like it; they live as long as the optimizer."""
        return settle_slots(self.own_slots)

    @property
    def is_gradient_descent(self) -> bool:
        """Whether a step is ``w -= lr g`` and nothing else, so that an L2 penalty is a decay."""
        return False

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

    def idle_amount(self, learning_rate: float, step: int) -> float | Array:
        """Return what one step contributes to the sums of `idle_motion`: a factor of its weights, or all of it."""
        return learning_rate

    def stands_still(self, learning_rate: float) -> bool:
        """Tell whether a step at this rate changes neither weights nor slots, whatever the gradients are."""
        return False

    def refusal_of_row_rates(self) -> str | None:
        """Return why rows cannot have rates of their own, and what to do instead; None where they can."""
        return None

    def finish(self, table: Table) -> None:
        """Bring all rows of a table up to date in one pass; reading the table's value does so by itself."""
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
            If a gradient has the wrong shape, or is not finite and `check_numerics` is set, or a weight is read-only,
            or the optimizer cannot give rows rates of their own. In all cases nothing has been written.
        """
        pairs = merge_pairs(grads_and_vars)
        guards = {parameter.guard for parameter, _ in pairs}
        if self.accumulation.steps is not None:
            guards.update(parameter.guard for parameter in self.accumulation.parameters)
        return hold([self.guard, *guards], lambda: self._apply(pairs))

    def _apply(self, pairs: Pairs) -> int:
        """Make one step with the locks of all tables; of one that fails nothing is left."""
        state = self.accumulation.state
        done = self.iterations
        try:
            return self._check_and_step(pairs)
        except BaseException:
            if self.iterations == done:  # an interrupt may come right behind a step that is whole
                self.accumulation.state = state
            raise

    def _check_and_step(self, pairs: Pairs) -> int:
        for parameter, gradient in pairs:
            check_pair(parameter, gradient)
            check_row_rates(parameter, self)
        pairs = leave_out_frozen(settle_penalties(pairs, self))
        if self.loss_scale_factor is not None:
            pairs = [(parameter, gradient * (1 / self.loss_scale_factor)) for parameter, gradient in pairs]
            if not all(is_finite(gradient) for _, gradient in pairs):
                self.skipped_steps += 1
                return self.iterations
        if self.check_numerics:
            check_finite(pairs)
        complete = self.accumulation.add(pairs)
        if complete is not None:
            take_step(self, self.clipping.apply(complete))
        return self.iterations

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Parameter] | None = None) -> int:
        """Make one step, as Keras's ``apply``: gradients and weights one after the other and not in pairs.

        Parameters
        ----------
        grads : iterable of gradients
            One for each weight; None leaves a weight out. Pairs, as `apply_gradients` takes them, are understood too.
        trainable_variables : iterable of Parameter, optional
            The weights; without them those that `build` was told of or that have been trained, in that order.

        Returns
        -------
        iterations : int
            Number of finished steps.

        Raises
        ------
        ValueError
            If there are not as many gradients as weights, and whatever `apply_gradients` raises.
        """
        gradients = list(grads)
        if trainable_variables is None and gradients and isinstance(gradients[0], tuple):
            return self.apply_gradients(gradients)
        weights = list(self.own_slots if trainable_variables is None else trainable_variables)
        if len(weights) != len(gradients):
            raise ValueError(
                f"`grads` must hold one gradient for each of the {len(weights)} weights. Received: {len(gradients)}; "
                "pass the weights as `trainable_variables`, or tell `build` of them first."
            )
        return self.apply_gradients(zip(gradients, weights, strict=True))

    def slots_of(self, parameter: Parameter) -> dict[str, Array]:
        """Return the state arrays of a parameter by name, made at the first call."""
        if parameter not in self.own_slots:
            self.own_slots[parameter] = make_slots(parameter, self.slot_values(), self.row_wise_slots)
        move_slots(self.own_slots[parameter], parameter.placement)
        rates = row_rates_of(parameter)
        if rates is not self._row_rates.get(parameter):
            fill_new_rows(self.slots[parameter], self.slot_values(), rates)
            self._row_rates[parameter] = rates
        return self.own_slots[parameter]

    def build(self, var_list: Iterable[Parameter]) -> None:
        """Make the state of some weights before their first step, in this order; `load_own_variables` needs it."""
        for parameter in var_list:
            self.slots_of(parameter)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the whole state into `store`, a dict or anything that takes arrays under names.

        It holds the counters, the rate if it is a number, and for each weight, in the order of `build` or of the first
        step, its slots, moving average and accumulated gradient. All rows are brought up to date first. An optimizer
        with the same arguments, and the weights of this moment, goes on from there with the same bits.

        Examples
        --------
        >>> import numpy as np
        >>> from fastembed_layer import Embedding, RowGradient, optimizers
        >>> layer, optimizer = Embedding(5, 2), optimizers.Adam()
        >>> gradient = RowGradient(np.array([3]), np.ones((1, 2), "float32"), (5, 2))
        >>> optimizer.apply_gradients([(gradient, layer.embeddings)])
        1
        >>> store = {}
        >>> optimizer.save_own_variables(store)  # np.savez("optimizer.npz", **store) puts it on disk
        >>> resumed = optimizers.Adam()
        >>> resumed.build([layer.embeddings])
        >>> resumed.load_own_variables(store)
        """
        self._hold_all(lambda: save_state(self, store))

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read back what `save_own_variables` wrote, after `build` with the same weights in the same order.

        Raises
        ------
        ValueError, TypeError
            If number, names, shapes or kinds of the arrays are not those of this optimizer; nothing is written then.
        """
        self._hold_all(lambda: load_state(self, store))

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave weights out of the decay; before the first step.

        Parameters
        ----------
        var_list : list of Parameter, optional
            The weights themselves.
        var_names : list of str, optional
            Regular expressions that are searched for in the names of weights.
        """
        self.decay.exclude(var_list, var_names)

    def scale_loss(self, loss: Any) -> Any:
        """Return the loss times `loss_scale_factor`, recorded on the tape."""
        if (factor := self.loss_scale_factor) is None:
            return loss
        if not isinstance(loss, np.ndarray):
            return loss * factor
        scaled = np.array(loss * factor, loss.dtype)
        record([loss], scaled, lambda d_scaled: Cotangents([d_scaled * factor]))
        return scaled

    def moving_average(self, parameter: Parameter) -> Array:
        """Return the moving average of a weight, with ``use_ema``."""
        return self.averages.of(parameter)

    def finalize_variable_values(self, var_list: Iterable[Parameter]) -> None:
        """Overwrite weights with their moving averages, as Keras does at the end of ``fit``."""
        self.averages.overwrite(var_list)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer without state."""
        config = {"name": self.name, "learning_rate": serialize(self._learning_rate), "update": self.update}
        own = {
            "check_numerics": self.check_numerics,
            "weight_decay": self.decay.rate,
            **self.clipping.bounds,
            "gradient_accumulation_steps": self.accumulation.steps,
            **self.averages.get_config(),
            "loss_scale_factor": self.loss_scale_factor,
        }
        return config | {key: value for key, value in own.items() if value}

    def _hold_all(self, work: Callable[[], None]) -> None:
        """Call `work` between two steps; the weights that there are is known only once none is under way."""
        hold([self.guard], lambda: hold([parameter.guard for parameter in self.own_slots], work))

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what is written to a file, has a lock of its own."""
        return {name: value for name, value in vars(self).items() if name != "guard"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.guard = OptimizerGuard()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make an optimizer from what `get_config` returned, here or in Keras."""
        return cls(**read_config(config))
