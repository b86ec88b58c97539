"""The training path that all models share: record the calls of a batch, walk them back, let the optimizer step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastembed_layer import initializers, losses, optimizers
from fastembed_layer.callbacks import CallbackList, History
from fastembed_layer.checks import check_dimension, check_number
from fastembed_layer.layers.masks import mask_of
from fastembed_layer.layers.module import Module
from fastembed_layer.metrics import Metric
from fastembed_layer.models.data import Batch, Stream, count_samples, join_outputs, open_source, split_validation
from fastembed_layer.models.metric_list import MetricList
from fastembed_layer.models.progress import Progress
from fastembed_layer.optimizers.step.placing import make_room
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table
from fastembed_layer.tape import GradientTape

Array = np.ndarray[Any, Any]
Logs = dict[str, Any]

LARGEST_SPLIT = math.nextafter(1.0, 0.0)


class Trainer(Module):
    """The methods of a model around `compile`: fit, evaluate, predict, and single steps."""

    optimizer: optimizers.Optimizer | None = None
    loss: losses.Loss | None = None
    stop_training = False
    history: History | None = None  # of the last `fit`
    _metrics = MetricList(None, None)

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, weighted_metrics: Any = None
    ) -> None:
        """Choose how the model is trained.

        Parameters
        ----------
        optimizer : str, dict, type or Optimizer
            The optimizer.
        loss : str, dict, type, Loss or callable, optional
            The loss; not needed for `predict`.
        metrics : list of str, dict, type, Metric or callable, optional
            Reported by fit and evaluate beside the loss; sample weights do not reach them.
        weighted_metrics : list, optional
            Metrics that sample weights reach.

        Raises
        ------
        MemoryError
            If a layer's ``device`` argument has put a table on a GPU where the optimizer's slots do not fit beside
            it. A table that went there by default moves to the CPU instead, with a warning.
        """
        chosen = optimizers.get(optimizer)
        if chosen is None:
            raise ValueError("`optimizer` must be an optimizer or its name. Received: None.")
        make_room(self.weights, chosen)
        self.optimizer = chosen
        self.loss = losses.get(loss)
        self._metrics = MetricList(metrics, weighted_metrics)

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that `compile` was given, once a batch has shown their kinds."""
        return self._metrics.metrics

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None) -> Logs:
        """Make one training step; returns the loss (with penalties) and the metrics of this batch."""
        self._compiled_loss()
        self._metrics.reset()
        return self._train_step(Batch(x, y, sample_weight)) | self._metrics.results()

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None) -> Logs:
        """Return the loss and the metrics of one batch without training."""
        self._compiled_loss()
        self._metrics.reset()
        return self._test_step(Batch(x, y, sample_weight)) | self._metrics.results()

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs of one batch."""
        return self(x, training=False)  # type: ignore[operator]

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
    ) -> History:
        """Train for some epochs.

        Parameters
        ----------
        x, y, sample_weight : array_like
            Samples, targets and weights; `x` may be a list or dict of arrays, a list of sequences of different
            lengths, a `Ragged`, or an iterable of ``(x, y)`` or ``(x, y, sample_weight)`` batches.
        batch_size : int, optional
            Samples per step, 32 by default.
        epochs : int
            Number of the last epoch.
        verbose : {"auto", 0, 1, 2}
            0 silent, 1 a progress bar, 2 a line per epoch; "auto" is 1.
        callbacks : Callback, callable or list of them, optional
            Objects with methods of `callbacks.Callback`, those of Keras among them; a function is called as
            ``function(epoch, logs)`` after each epoch. Setting ``stop_training`` of the model ends the training.
        validation_split : float
            Share of the last samples to validate on, in ``[0, 1)``.
        validation_data : tuple, optional
            ``(x, y)`` or ``(x, y, sample_weight)``; wins over `validation_split`.
        shuffle : bool
            Whether the samples are put in a new order for each epoch.
        initial_epoch : int
            Number of epochs already done.
        steps_per_epoch : int, optional
            Ends an epoch early; an iterator goes on from there in the next one.

        Returns
        -------
        History
            Its ``history`` holds a list per number, one entry per epoch.
        """
        self._compiled_loss()
        check_dimension(epochs, "epochs")
        data, held_out = Batch(x, y, sample_weight), _as_validation(validation_data)
        if held_out is None and check_number(validation_split, "validation_split", 0.0, LARGEST_SPLIT) > 0:
            data, held_out = split_validation(data, validation_split)
        generator = np.random.default_rng(initializers.draw_seed()) if shuffle else None
        source = open_source(*data, batch_size, generator)
        stream = Stream(source, steps_per_epoch)
        calls = self._prepare_callbacks(callbacks, verbose, epochs, stream.steps, add_history=True)
        self.stop_training = False
        logs: Logs = {}
        calls.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            calls.on_epoch_begin(epoch)
            with Progress(f"Epoch {epoch + 1}/{epochs}", stream.steps, verbose) as progress:
                logs = self._train_epoch(stream.epoch(), progress, calls)
                if held_out is not None:
                    logs |= self._validate(held_out, batch_size, calls)
                progress.close_with(logs)
            calls.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        self._finish_weights()
        calls.on_train_end(logs)
        assert calls.history is not None
        return calls.history

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        return_dict: bool = False,
        callbacks: Any = None,
    ) -> Any:
        """Return the loss and the metrics over some data, as a list, or as a dict with `return_dict`.

        The methods ``on_test_begin``, ``on_test_batch_begin``, ``on_test_batch_end`` and ``on_test_end`` of the
        callbacks are called.
        """
        self._compiled_loss()
        source = open_source(x, y, sample_weight, batch_size)
        calls = self._prepare_callbacks(callbacks, verbose, 1, source.steps)
        with Progress("evaluate", source.steps, verbose) as progress:
            logs = self._test_epoch(source.batches(), progress, calls)
            progress.close_with(logs)
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = 0, callbacks: Any = None) -> Any:
        """Return the outputs for some samples, computed batch by batch.

        The methods ``on_predict_begin``, ``on_predict_batch_begin``, ``on_predict_batch_end`` and ``on_predict_end`` of
        the callbacks are called.
        """
        source = open_source(x, batch_size=batch_size)
        calls = self._prepare_callbacks(callbacks, verbose, 1, source.steps)
        calls.on_predict_begin()
        parts = []
        with Progress("predict", source.steps, verbose) as progress:
            for number, batch in enumerate(source.batches()):
                calls.on_predict_batch_begin(number)
                parts.append(self.predict_on_batch(batch.inputs))
                calls.on_predict_batch_end(number, {"outputs": parts[-1]})
                progress.advance({})
        calls.on_predict_end()
        return join_outputs(parts) if parts else self.predict_on_batch(x)

    def _prepare_callbacks(
        self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, add_history: bool = False
    ) -> CallbackList:
        """Return callbacks as one; those of a training are handed to its validations as they are."""
        if isinstance(callbacks, CallbackList) and not add_history:
            return callbacks
        return CallbackList(callbacks, add_history, self, verbose=verbose, epochs=epochs, steps=steps)

    def _validate(self, held_out: Batch, batch_size: int | None, calls: CallbackList) -> Logs:
        logs = self.evaluate(*held_out, batch_size=batch_size, verbose=0, return_dict=True, callbacks=calls)
        return {f"val_{name}": value for name, value in logs.items()}

    def _train_epoch(self, batches: Iterator[Batch], progress: Progress, calls: CallbackList) -> Logs:
        self._metrics.reset()
        mean, logs = _RunningLoss(), {}
        for number, batch in enumerate(batches):
            calls.on_train_batch_begin(number)
            mean.add(self._train_step(batch)["loss"], count_samples(batch))
            logs = {"loss": mean.result()} | self._metrics.results()
            progress.advance(logs)
            calls.on_train_batch_end(number, logs)
            if self.stop_training:
                break
        return _refuse_nothing(logs)

    def _test_epoch(self, batches: Iterator[Batch], progress: Progress, calls: CallbackList) -> Logs:
        self._metrics.reset()
        mean, logs = _RunningLoss(), {}
        calls.on_test_begin()
        for number, batch in enumerate(batches):
            calls.on_test_batch_begin(number)
            mean.add(self._test_step(batch)["loss"], count_samples(batch))
            logs = {"loss": mean.result()} | self._metrics.results()
            progress.advance(logs)
            calls.on_test_batch_end(number, logs)
        calls.on_test_end(_refuse_nothing(logs))
        return logs

    def _train_step(self, batch: Batch) -> Logs:
        optimizer = self.optimizer
        assert optimizer is not None
        with GradientTape() as tape:
            predictions = self(batch.inputs, training=True)  # type: ignore[operator]
            value = self._loss_of(batch, predictions)
            penalties = self._penalties()
            targets = [optimizer.scale_loss(term) for term in (value, *penalties)]
        weights = self.trainable_weights
        gradients = tape.gradient(targets, weights)
        self._warn_of_missing_gradients(weights, gradients)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self._metrics.update(batch, predictions)
        return {"loss": float(value) + sum(penalty.item() for penalty in penalties)}

    def _finish_weights(self) -> None:
        """At the end of a training, put moving averages in place and bring idle rows up to date."""
        assert self.optimizer is not None
        self.optimizer.finalize_variable_values(self.trainable_weights)
        for weight in self.trainable_weights:
            if isinstance(weight, Table):
                weight.finish()

    def _test_step(self, batch: Batch) -> Logs:
        predictions = self.predict_on_batch(batch.inputs)
        value = self._loss_of(batch, predictions)
        self._metrics.update(batch, predictions)
        return {"loss": float(value) + sum(penalty.item() for penalty in self._penalties())}

    def _loss_of(self, batch: Batch, predictions: Any) -> Array:
        if batch.targets is None:
            raise ValueError("`y` must be given: the loss compares the predictions with it. Received: None.")
        return self._compiled_loss()(batch.targets, predictions, batch.sample_weight, mask=mask_of(predictions))

    def _penalties(self) -> list[Array]:
        return self.losses  # type: ignore[attr-defined]

    def _compiled_loss(self) -> losses.Loss:
        if self.optimizer is None:
            raise RuntimeError(
                "You must compile your model before training/testing. Use `model.compile(optimizer, loss)`."
            )
        if self.loss is None:
            raise ValueError("No loss was given. Pass a `loss` argument to `compile()`, such as loss='mse'.")
        return self.loss

    def _warn_of_missing_gradients(self, weights: list[Parameter], gradients: list[Any]) -> None:
        missing = [weight.name for weight, gradient in zip(weights, gradients, strict=True) if gradient is None]
        if missing and not getattr(self, "_warned_of_missing_gradients", False):
            self._warned_of_missing_gradients = True
            warnings.warn(
                f"Gradients do not exist for the weights {missing} of the model {self.name!r}: the loss does not "
                "depend on them through calls of layers. Array arithmetic between layers is not recorded.",
                stacklevel=4,
            )


class _RunningLoss:
    """The mean loss of the samples so far."""

    total = count = 0.0

    def add(self, loss: float, samples: int) -> None:
        self.total, self.count = self.total + loss * samples, self.count + samples

    def result(self) -> float:
        return self.total / max(1.0, self.count)


def _refuse_nothing(logs: Logs) -> Logs:
    if not logs:
        raise ValueError(
            "`x` holds no samples, or is an iterator that has run out: pass something that can be iterated once "
            "per epoch, or `steps_per_epoch`. Received: no batch."
        )
    return logs


def _as_validation(data: Any) -> Batch | None:
    if data is None:
        return None
    if isinstance(data, list | tuple) and len(data) in (2, 3):
        return Batch(*data)
    if isinstance(data, Iterable) and not isinstance(data, list | tuple | np.ndarray):
        return Batch(data)
    raise TypeError(
        "`validation_data` must be (x, y), (x, y, sample_weight) or an iterable of batches. "
        f"Received: {type(data).__name__}."
    )
