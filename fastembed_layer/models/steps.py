"""The steps of a model: what is done with one batch, which subclasses may write anew."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from fastembed_layer import optimizers
from fastembed_layer.checks import warn_caller
from fastembed_layer.layers.module import Module
from fastembed_layer.metrics import Metric
from fastembed_layer.models.compiled_loss import CompiledLoss, LossTracker, add_up
from fastembed_layer.models.compiled_metrics import CompiledMetrics
from fastembed_layer.models.packing import unpack_x_y_sample_weight
from fastembed_layer.models.rows import count_samples
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tape import GradientTape

Array = np.ndarray[Any, Any]
Logs = dict[str, Any]

NO_LOSS = "No loss was given. Pass a `loss` argument to `compile()`, such as loss='mse'."


class Steps(Module):
    """The methods of a model for one batch: steps, loss and metrics, with the protocol of Keras."""

    optimizer: optimizers.Optimizer | None = None
    output_names: list[str] | None = None
    _compile_loss: CompiledLoss | None = None
    _compile_metrics: CompiledMetrics | None = None
    _loss_tracker: LossTracker | None = None
    _other_metrics: list[Metric] | None = None  # those among attributes, looked for once in a run

    def train_step(self, data: Any) -> Logs:
        """Make one training step; `fit` and `train_on_batch` call it, and a subclass may write its own.

        Parameters
        ----------
        data : x, (x,), (x, y) or (x, y, sample_weight)
            One batch; `unpack_x_y_sample_weight` takes it apart.

        Returns
        -------
        dict
            Numbers by name, those of the epoch so far: what callbacks are told and what the history holds.

        Examples
        --------
        A step with a loss of its own, and its mean over the epoch:

        >>> import numpy as np
        >>> from fastembed_layer import Dense, EmbeddingBag, GradientTape, Model, losses, metrics
        >>> class Ranker(Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.bag, self.dense = EmbeddingBag(100, 4), Dense(1)
        ...         self.mean = metrics.Mean(name="loss")
        ...         self.error = losses.MeanSquaredError()
        ...
        ...     def call(self, ids):
        ...         return self.dense(self.bag(ids))
        ...
        ...     def train_step(self, data):
        ...         x, y = data
        ...         with GradientTape() as tape:
        ...             loss = self.error(y, self(x, training=True))
        ...         weights = self.trainable_variables
        ...         self.optimizer.apply(tape.gradient(loss, weights), weights)
        ...         self.mean.update_state([loss])
        ...         return {"loss": self.mean.result()}
        ...
        ...     @property
        ...     def metrics(self):
        ...         return [self.mean]
        >>> model = Ranker()
        >>> model.compile("adam")
        >>> history = model.fit(np.zeros((8, 3), int), np.ones((8, 1)), epochs=2, verbose=0)
        >>> len(history.history["loss"])
        2
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        optimizer = self.optimizer
        assert optimizer is not None
        with GradientTape() as tape:
            y_pred = self(x, training=True)  # type: ignore[operator]
            loss = self._compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = optimizer.scale_loss(loss)
        self._track_loss(loss, x, y)
        weights = self.trainable_weights
        gradients = tape.gradient(scaled, weights)
        self._warn_of_missing_gradients(weights, gradients)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> Logs:
        """Return the numbers of a batch without training; `evaluate` and `test_on_batch` call it.

        See `train_step` for argument and result.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)  # type: ignore[operator]
        loss = self._compute_loss(x, y, y_pred, sample_weight, training=False)
        self._track_loss(loss, x, y)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return the outputs for a batch; `predict` and `predict_on_batch` call it."""
        return self(unpack_x_y_sample_weight(data)[0], training=False)  # type: ignore[operator]

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Array:
        """Return the loss of a batch, penalties included, recorded on the open tapes.

        Parameters
        ----------
        x, y, sample_weight : array_like, or list or dict of them
            The batch; `x` and `training` are for subclasses.
        y_pred : ndarray, or list or dict of them
            What the model returned for `x`.
        training : bool
            Whether this is a training step.

        Raises
        ------
        ValueError
            If `compile` was given no loss, and no layer has a penalty.
        """
        terms = [] if self._compile_loss is None else [self._compile_loss(y, y_pred, sample_weight)]
        terms += self.losses  # type: ignore[attr-defined]
        if not terms:
            raise ValueError(NO_LOSS)
        return add_up(terms)

    def compiled_loss(self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None) -> Array:
        """Return the loss of a batch with the penalties that are passed, and count it: what tf.keras's steps call.

        `compute_loss` is the way of Keras 3.
        """
        if self._compile_loss is None:
            raise ValueError(NO_LOSS)
        loss = self._compile_loss(y, y_pred, sample_weight)
        loss = add_up([loss, *(regularization_losses or [])])
        self._track_loss(loss, None, y)
        return loss

    @property
    def compiled_metrics(self) -> CompiledMetrics | None:
        """The metrics that `compile` was given, which steps written for tf.keras update themselves."""
        return self._compile_metrics

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Logs:
        """Count a batch in the metrics that `compile` was given, and return the numbers of all metrics."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    @property
    def metrics(self) -> list[Metric]:
        """All metrics: of the loss, of `compile`, of each output's loss, and those among the attributes.

        They are reset when an epoch or an evaluation begins.
        """
        compiled = (self._loss_tracker, self._compile_metrics)
        found: list[Metric] = [metric for metric in compiled if metric is not None]
        found += self._compile_loss.metrics if self._compile_loss is not None else []
        if self._other_metrics is None:
            self._other_metrics = [metric for metric in self._find_metrics() if metric not in found]
        return found + self._other_metrics

    @property
    def metrics_names(self) -> list[str]:
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    def get_metrics_result(self) -> Logs:
        """Return the numbers of all metrics by name."""
        logs: Logs = {}
        for metric in self.metrics:
            result: Any = metric.result()
            logs |= result if isinstance(result, dict) else {metric.name: result}
        return logs

    def reset_metrics(self) -> None:
        """Forget what all metrics have counted."""
        for metric in self.metrics:
            metric.reset_state()

    def _find_metrics(self) -> Iterator[Metric]:
        """The metrics among the attributes of the model and of its layers; other models have their own."""
        for module in (self, *self.submodules):
            if module is self or not isinstance(module, Steps):
                yield from _own_metrics(vars(module))

    @cached_property
    def _takes_training(self) -> bool:
        return "training" in inspect.signature(self.compute_loss).parameters

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Array:
        """Call `compute_loss`, also one that was written before it had the argument `training`."""
        options = {"training": training} if self._takes_training else {}
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **options)

    def _track_loss(self, loss: Array, x: Any, y: Any) -> None:
        if self._loss_tracker is not None:
            self._loss_tracker.update_state(loss, count_samples(x, y))

    def _warn_of_missing_gradients(self, weights: list[Parameter], gradients: list[Any]) -> None:
        missing = [weight.name for weight, gradient in zip(weights, gradients, strict=True) if gradient is None]
        if missing and not getattr(self, "_warned_of_missing_gradients", False):
            self._warned_of_missing_gradients = True
            warn_caller(
                f"Gradients do not exist for the weights {missing} of the model {self.name!r}: the loss does not "
                "depend on them through calls of layers. Array arithmetic between layers is not recorded."
            )


def _own_metrics(attributes: dict[str, Any]) -> Iterator[Metric]:
    """The metrics among the attributes of a module, also in lists."""
    for value in attributes.values():
        if isinstance(value, Metric):
            yield value
        elif isinstance(value, list | tuple):
            yield from (part for part in value if isinstance(part, Metric))
