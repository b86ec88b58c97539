"""The training path that all models share: epochs of steps, and what is told and shown on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastembed_layer import initializers, optimizers
from fastembed_layer.callbacks import CallbackList, History
from fastembed_layer.checks import check_choice, check_count, check_dimension, check_flag, check_limit, check_number
from fastembed_layer.inputs.columns import is_table, read_columns_deep
from fastembed_layer.models.class_weights import check_class_weight, weigh_classes
from fastembed_layer.models.compiled_loss import CompiledLoss, LossTracker
from fastembed_layer.models.compiled_metrics import CompiledMetrics
from fastembed_layer.models.data import Batch, Stream, is_iterable_of_batches, open_source, split_validation
from fastembed_layer.models.outputs import join_outputs
from fastembed_layer.models.packing import pack_x_y_sample_weight, read_logs
from fastembed_layer.models.progress import Progress, check_verbose
from fastembed_layer.models.rows import as_rows, as_targets
from fastembed_layer.models.steps import Steps
from fastembed_layer.models.validation import Validation, as_validation, check_frequency
from fastembed_layer.optimizers.step.placing import make_room
from fastembed_layer.tables.table import Table

Logs = dict[str, Any]

LARGEST_SPLIT = math.nextafter(1.0, 0.0)


class Trainer(Steps):
    """The methods of a model around `compile`: fit, evaluate, predict, and single steps."""

    loss: Any = None
    compiled = run_eagerly = False
    jit_compile: Any = "auto"
    steps_per_execution = 1
    stop_training = stop_evaluating = stop_predicting = False
    history: History | None = None  # of the last `fit`

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool | None = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
    ) -> None:
        """Choose how the model is trained.

        Parameters
        ----------
        optimizer : str, dict, type or Optimizer
            The optimizer.
        loss : str, dict, type, Loss or callable, or list or dict of them, optional
            The loss; not needed for `predict`. For several outputs one that all have, or one for each, in a list or in
            a dict by the names of the outputs; None in its place leaves an output out.
        metrics : list of str, dict, type, Metric or callable, optional
            Reported by fit and evaluate beside the loss; sample weights do not reach them. For several outputs a list
            or a dict with the metrics of each.
        loss_weights : float, or list or dict of float, optional
            What the losses of the outputs are multiplied with before they are added up.
        weighted_metrics : list, optional
            Metrics that sample weights reach.
        run_eagerly, jit_compile : bool
            As in Keras, and without effect: nothing is traced, and kernels are compiled in any case.
        steps_per_execution : int
            As in Keras, and without effect: callbacks are told of every batch.

        Raises
        ------
        MemoryError
            If a layer's ``device`` argument has put a table on a GPU where the optimizer's slots do not fit beside
            it. A table that went there by default moves to the CPU instead, with a warning.
        """
        chosen = optimizers.get(optimizer)
        if chosen is None:
            raise ValueError("`optimizer` must be an optimizer or its name. Received: None.")
        self.run_eagerly = check_flag(run_eagerly or False, "run_eagerly")
        self.steps_per_execution = check_dimension(steps_per_execution, "steps_per_execution")
        self.jit_compile = check_choice(jit_compile, "jit_compile", (True, False, "auto", None))
        compiled = CompiledLoss(loss, loss_weights, self.output_names)
        make_room(self.weights, chosen)
        self.optimizer = chosen
        self.loss = compiled.loss
        self._compile_loss = None if loss is None else compiled
        self._compile_metrics = CompiledMetrics(metrics, weighted_metrics, self.output_names)
        self._loss_tracker = LossTracker(name="loss")
        self._other_metrics = None
        self.compiled = True

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Make one training step.

        Returns
        -------
        float, list of float or dict
            The loss, penalties included, and the metrics of this batch; by name with `return_dict`.
        """
        self._check_compiled()
        if class_weight is not None:
            check_class_weight(class_weight, sample_weight)
            sample_weight = weigh_classes(as_targets(y, self.has_one_output), class_weight)
        self.reset_metrics()
        logs = read_logs(self.train_step(self._read_batch(x, y, sample_weight)), "train_step")
        return self._in_order(logs, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return the loss and the metrics of one batch, as `train_on_batch` does, without training."""
        self._check_compiled()
        self.reset_metrics()
        logs = read_logs(self.test_step(self._read_batch(x, y, sample_weight)), "test_step")
        return self._in_order(logs, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs of one batch."""
        return self.predict_step(self._read_batch(x))

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
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train for some epochs.

        Parameters
        ----------
        x, y, sample_weight : array_like
            Samples, targets and weights; `x` may be a list or dict of arrays, a list of sequences of different
            lengths, a `Ragged`, a table or columns of pandas, polars or Arrow, a ``keras.utils.PyDataset``, or an
            iterable of ``(x, y)`` or ``(x, y, sample_weight)`` batches. For several outputs `y` is a list or a dict.
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
        class_weight : dict from int to float, optional
            Weights of the samples by their class, 1 for classes that it does not hold; instead of `sample_weight`.
        initial_epoch : int
            Number of epochs already done.
        steps_per_epoch : int, optional
            Ends an epoch early; the next one goes on from there. An epoch ends with the data as well, with a warning.
        validation_steps : int, optional
            Number of batches to validate on; by default all.
        validation_batch_size : int, optional
            Samples per batch of the validation; by default `batch_size`.
        validation_freq : int or list of int
            After how many epochs, or after which, counted from 1, a validation follows.

        Returns
        -------
        History
            Its ``history`` holds a list per number, one entry per epoch.
        """
        self._check_compiled()
        check_dimension(epochs, "epochs")
        check_count(initial_epoch, "initial_epoch")
        data, held_out = self._read(x, y, sample_weight), as_validation(validation_data)
        if held_out is None and check_number(validation_split, "validation_split", 0.0, LARGEST_SPLIT) > 0:
            data, held_out = split_validation(data, validation_split)
        generator = np.random.default_rng(initializers.draw_seed()) if check_flag(shuffle, "shuffle") else None
        source = open_source(*data, batch_size, generator, class_weight)
        stream = Stream(source, check_limit(steps_per_epoch, "steps_per_epoch"))
        validation_batch_size = check_limit(validation_batch_size, "validation_batch_size") or batch_size
        validation = self._open_validation(held_out, validation_batch_size, validation_steps, validation_freq)
        calls = self._prepare_callbacks(callbacks, verbose, epochs, stream.steps, add_history=True)
        self.stop_training = False
        logs: Logs = {}
        calls.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            calls.on_epoch_begin(epoch)
            with Progress(f"Epoch {epoch + 1}/{epochs}", stream.steps, verbose) as progress:
                logs = self._train_epoch(stream.epoch(), progress, calls)
                if validation is not None and validation.is_due(epoch):
                    logs |= self._validate(validation, calls)
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
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and the metrics over some data.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight
            As for `fit`.
        steps : int, optional
            Number of batches; by default all.
        callbacks : Callback or list of them, optional
            Their methods ``on_test_begin``, ``on_test_batch_begin``, ``on_test_batch_end`` and ``on_test_end`` are
            called.
        return_dict : bool
            Whether the numbers are returned by name.

        Returns
        -------
        float, list of float or dict
            One number, or the loss, the losses of several outputs and the metrics.
        """
        self._check_compiled()
        source = open_source(*self._read(x, y, sample_weight), batch_size)
        stream = Stream(source, check_limit(steps, "steps"))
        calls = self._prepare_callbacks(callbacks, verbose, 1, stream.steps)
        with Progress("evaluate", stream.steps, verbose) as progress:
            logs = self._test_epoch(stream.first(), progress, calls)
            progress.close_with(logs)
        return self._in_order(logs, return_dict)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None, callbacks: Any = None
    ) -> Any:
        """Return the outputs for some samples, computed batch by batch.

        Parameters
        ----------
        x, batch_size, verbose
            As for `fit`; silent by default.
        steps : int, optional
            Number of batches; by default all.
        callbacks : Callback or list of them, optional
            Their methods ``on_predict_begin``, ``on_predict_batch_begin``, ``on_predict_batch_end`` and
            ``on_predict_end`` are called.

        Returns
        -------
        ndarray, Ragged, or list, tuple or dict of them
            What the model returns, for all samples.
        """
        stream = Stream(open_source(*self._read(x), batch_size), check_limit(steps, "steps"))
        calls = self._prepare_callbacks(callbacks, verbose, 1, stream.steps)
        self.stop_predicting = False
        calls.on_predict_begin()
        parts = []
        with Progress("predict", stream.steps, verbose) as progress:
            for number, batch in enumerate(stream.first()):
                calls.on_predict_batch_begin(number)
                parts.append(self.predict_step(pack_x_y_sample_weight(*batch)))
                calls.on_predict_batch_end(number, {"outputs": parts[-1]})
                progress.advance({})
                if self.stop_predicting:
                    break
        calls.on_predict_end()
        return join_outputs(parts) if parts else self.predict_on_batch(x)

    def column_names(self) -> list[str] | None:
        """Return the names of inputs, by which columns of a table are found; None where a table is one array."""
        return None

    @property
    def has_one_output(self) -> bool:
        """Whether it is known that the model has a single output, which is in no list and no dict."""
        return False

    def _read(self, x: Any, y: Any = None, sample_weight: Any = None) -> Batch:
        """Return data of which rows can be taken; an iterable of batches stays what it is."""
        if is_iterable_of_batches(x):
            return Batch(x, y, sample_weight)
        return Batch(as_rows(x, self.column_names()), *self._read_targets(y, sample_weight))

    def _read_batch(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Return one batch as steps take it; what the model itself can read is left to it."""
        inputs = as_rows(x, self.column_names()) if is_table(x) else read_columns_deep(x)
        return pack_x_y_sample_weight(inputs, *self._read_targets(y, sample_weight))

    def _read_targets(self, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        return as_targets(y, self.has_one_output), as_targets(sample_weight, self.has_one_output)

    def _prepare_callbacks(
        self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, add_history: bool = False
    ) -> CallbackList:
        check_verbose(verbose)
        self._other_metrics = None
        return CallbackList(callbacks, add_history, model=self, verbose=verbose, epochs=epochs, steps=steps)

    def _open_validation(
        self, held_out: Batch | None, batch_size: int | None, steps: int | None, frequency: Any
    ) -> Validation | None:
        limit, frequency = check_limit(steps, "validation_steps"), check_frequency(frequency)
        if held_out is None:
            return None
        return Validation(open_source(*self._read(*held_out), batch_size), limit, frequency)

    def _validate(self, validation: Validation, calls: CallbackList) -> Logs:
        stream = validation.stream()
        with Progress("validate", stream.steps, 0) as progress:
            logs = self._test_epoch(stream.first(), progress, calls)
        return {f"val_{name}": value for name, value in logs.items()}

    def _train_epoch(self, batches: Iterator[Batch], progress: Progress, calls: CallbackList) -> Logs:
        self.reset_metrics()
        logs: Logs | None = None
        for number, batch in enumerate(batches):
            calls.on_train_batch_begin(number)
            logs = read_logs(self.train_step(pack_x_y_sample_weight(*batch)), "train_step")
            progress.advance(logs)
            calls.on_train_batch_end(number, logs)
            if self.stop_training:
                break
        return _refuse_nothing(logs)

    def _test_epoch(self, batches: Iterator[Batch], progress: Progress, calls: CallbackList) -> Logs:
        self.stop_evaluating = False
        calls.on_test_begin()
        self.reset_metrics()
        logs: Logs | None = None
        for number, batch in enumerate(batches):
            calls.on_test_batch_begin(number)
            logs = read_logs(self.test_step(pack_x_y_sample_weight(*batch)), "test_step")
            progress.advance(logs)
            calls.on_test_batch_end(number, logs)
            if self.stop_evaluating:
                break
        calls.on_test_end(_refuse_nothing(logs))
        return _refuse_nothing(logs)

    def _in_order(self, logs: Logs, return_dict: bool) -> Any:
        """Return numbers by name, or as a list in Keras's order: loss, metrics, then those of outputs by name."""
        if check_flag(return_dict, "return_dict"):
            return logs
        first = dict.fromkeys(part.name for metric in self.metrics for part in getattr(metric, "metrics", [metric]))
        names = [name for name in first if name in logs] + sorted(name for name in logs if name not in first)
        return logs[names[0]] if len(names) == 1 else [logs[name] for name in names]

    def _finish_weights(self) -> None:
        """At the end of a training, put moving averages in place and bring idle rows up to date."""
        assert self.optimizer is not None
        self.optimizer.finalize_variable_values(self.trainable_weights)
        for weight in self.trainable_weights:
            if isinstance(weight, Table):
                weight.finish()

    def _check_compiled(self) -> None:
        if self.optimizer is None:
            raise RuntimeError(
                "You must compile your model before training/testing. Use `model.compile(optimizer, loss)`."
            )


def _refuse_nothing(logs: Logs | None) -> Logs:
    if logs is None:
        raise ValueError(
            "`x` holds no samples, or is an iterator that has run out: pass something that can be iterated once "
            "per epoch, or `steps_per_epoch`. Received: no batch."
        )
    return logs
