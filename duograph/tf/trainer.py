"""Keras's `fit`, `evaluate` and `predict` on Duograph.

Stands in the place of `keras.src.backend.torch.trainer`. A step (forward, loss, metrics, gradients, update) is recorded
and then computed in one plan at the end of the step, so that metrics cost no wait of their own: when a callback or the
progress bar looks at them, they are there.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from keras.src import backend, optimizers, tree
from keras.src import callbacks as callbacks_module
from keras.src.backend import config
from keras.src.callbacks.progbar_logger import ProgbarLogger
from keras.src.trainers import trainer as base_trainer
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.epoch_iterator import EpochIterator
from keras.src.utils import is_default, traceback_utils
from keras.src.utils.python_utils import pythonify_logs

import duograph.torch as torch

from .batch_size import building, forget
from .dataset_adapter import DatasetAdapter, adapted
from .engine import step_boundary
from .fitting_loss import fitting_loss
from .keras_strings import holds_text
from .steps import Steps, to_tensors

log = logging.getLogger("duograph")
Batch = Any
Logs = dict[str, Any]
DISPLAY_INTERVAL = 0.05
"""Seconds between two updates of the progress bar."""
BOOKKEEPING = frozenset(("history", "_eval_epoch_iterator"))
"""Attributes that the loops set on a model for their own use."""


class TorchTrainer(base_trainer.Trainer):
    """The training methods of every Keras model. The name is the one Keras looks for."""

    def __init__(self) -> None:
        super().__init__()
        self.train_function: Any = None  # list[Batch] -> Logs; made when first needed
        self.test_function: Any = None
        self.predict_function: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        """What no step depends on is no change of the module, for which compiled steps would be captured anew."""
        if name in BOOKKEEPING:
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    # -- one step ------------------------------------------------------------------------------------------------------
    def train_step(self, data: Any, *targets: Any) -> Any:
        """Train one step.

        With the one argument `data`, as Keras calls it: `(x, y, sample_weight)` as far as given; returns the metrics.
        With two, `train_step(x, y)`: arrays of one batch; returns the loss as a tensor. A model that was never compiled
        is then compiled with Adam and the loss that fits its output and the targets, and the log says so once.
        """
        if targets:
            return self._train_on_pair(data, *targets)
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
        y_pred = self._predictions(x, training=True)
        loss = self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
        self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        self._update_weights(loss)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Batch) -> Logs:
        """Evaluate one batch `(x, y, sample_weight)`; returns the metrics so far."""
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
        y_pred = self._predictions(x, training=False)
        loss = self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
        self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Batch) -> Any:
        """The model's outputs for one batch."""
        x, _, _ = data_adapter_utils.unpack_x_y_sample_weight(data)
        return self._predictions(x, training=False)

    def _predictions(self, x: Any, training: bool) -> Any:
        return self(x, training=training) if self._call_has_training_arg else self(x)

    def _update_weights(self, loss: Any) -> None:
        if not self.trainable_weights:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
            return
        if self.optimizer is not None:
            loss = self.optimizer.scale_loss(loss)
        self.zero_grad()
        loss.backward()
        weights = list(self.trainable_weights)
        with torch.no_grad():
            self.optimizer.apply([weight.value.grad for weight in weights], weights)
        self.zero_grad()  # nobody looks at them later: a compiled step need not hand them out

    def _train_on_pair(self, x: Any, y: Any) -> Any:
        x, y = to_tensors(x), to_tensors(y)
        if not self.compiled:
            loss, described = fitting_loss(self, x, y)
            log.warning("%s was never compiled: training with Adam() and %s", self.name, described)
            self.compile(optimizer=optimizers.Adam(), loss=loss)
        self._symbolic_build(data_batch=(x, y))
        y_pred = self._predictions(x, training=True)
        loss = self._compute_loss(x=x, y=y, y_pred=y_pred, training=True)
        self._update_weights(loss)
        loss = loss.detach()
        step_boundary()
        return loss

    # -- functions over lists of batches -------------------------------------------------------------------------------
    def make_train_function(self, force: bool = False) -> Any:
        """Make `self.train_function`, which takes a list of batches and returns the metrics after the last."""
        if self.train_function is None or force:
            self.train_function = self._over_batches(self.train_step, gradients=True)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Make `self.test_function`, which takes a list of batches and returns the metrics after the last."""
        if self.test_function is None or force:
            self.test_function = self._over_batches(self.test_step, gradients=False)
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Any:
        """Make `self.predict_function`, which takes a list of batches and returns the outputs, joined along axis 0."""
        if self.predict_function is None or force:
            one = self._over_batches(self.predict_step, gradients=False)

            def predict_batches(batches: list[Batch]) -> Any:
                outputs = [one([batch]) for batch in batches]
                return outputs[0] if len(outputs) == 1 else tree.map_structure(lambda *o: torch.cat(o), *outputs)

            self.predict_function = predict_batches
        return self.predict_function

    def _over_batches(self, step: Callable[[Batch], Any], gradients: bool) -> Steps:
        return Steps(step, gradients, self.run_eagerly)

    # -- loops ---------------------------------------------------------------------------------------------------------
    @traceback_utils.filter_traceback
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        self._assert_compile_called("fit")
        epochs = self._capped(epochs)
        self._eval_epoch_iterator: Any = None
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = array_slicing.train_validation_split(
                (x, y, sample_weight), validation_split=validation_split
            )
        batches = TorchEpochIterator(
            x=x,
            y=y,
            sample_weight=sample_weight,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            shuffle=shuffle,
            class_weight=class_weight,
            steps_per_execution=self.steps_per_execution,
        )
        self._build_before_loop(batches)
        batches.reset()
        callbacks = self._callbacks(callbacks, batches, verbose, epochs=epochs, add_history=True)
        on_batch = _BatchCalls(callbacks, "train")

        self.stop_training = False
        self.make_train_function()
        callbacks.on_train_begin()
        logs: Logs = {}
        for epoch in range(self._initial_epoch or initial_epoch, epochs):
            self.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            self.train()  # for modules of duograph.torch.nn inside the model
            step_logs: Logs = {}
            for first, last, data in batches:
                on_batch.begin(first)
                step_logs = self.train_function(data)
                on_batch.end(last, step_logs)
                if self.stop_training:
                    break
            logs = dict(self._get_metrics_result_or_logs(step_logs))
            self.eval()
            if validation_data is not None and self._should_eval(epoch, validation_freq):
                logs |= self._validate(
                    validation_data, validation_batch_size or batch_size, validation_steps, callbacks
                )
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        if isinstance(self.optimizer, optimizers.Optimizer) and epochs > 0:
            self.optimizer.finalize_variable_values(self.trainable_weights)
        self._eval_epoch_iterator = None
        callbacks.on_train_end(logs=logs)
        return self.history

    @traceback_utils.filter_traceback
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        self._assert_compile_called("evaluate")
        batches = self._eval_epoch_iterator if kwargs.pop("_use_cached_eval_dataset", False) else None
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        if batches is None:
            batches = TorchEpochIterator(
                x=x,
                y=y,
                sample_weight=sample_weight,
                batch_size=batch_size,
                steps_per_epoch=steps,
                shuffle=False,
                steps_per_execution=self.steps_per_execution,
            )
        self._build_before_loop(batches)
        batches.reset()
        callbacks = self._callbacks(callbacks, batches, verbose)
        on_batch = _BatchCalls(callbacks, "test")

        self.eval()
        self.make_test_function()
        self.stop_evaluating = False
        callbacks.on_test_begin()
        self.reset_metrics()
        step_logs: Logs = {}
        for first, last, data in batches:
            on_batch.begin(first)
            step_logs = self.test_function(data)
            on_batch.end(last, step_logs)
            if self.stop_evaluating:
                break
        logs = pythonify_logs(self._get_metrics_result_or_logs(step_logs))
        callbacks.on_test_end(logs)
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    @traceback_utils.filter_traceback
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        batches = TorchEpochIterator(
            x=x,
            batch_size=batch_size,
            steps_per_epoch=steps,
            shuffle=False,
            steps_per_execution=self.steps_per_execution,
        )
        callbacks = self._callbacks(callbacks, batches, verbose)
        on_batch = _BatchCalls(callbacks, "predict")

        self.eval()
        self.make_predict_function()
        self.stop_predicting = False
        callbacks.on_predict_begin()
        parts: list[Any] = []
        for first, last, data in batches:
            on_batch.begin(first)
            outputs = self.predict_function(data)
            parts.append(tree.map_structure(backend.convert_to_numpy, outputs))
            on_batch.end(last, {"outputs": outputs})
            if self.stop_predicting:
                break
        callbacks.on_predict_end()
        return tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        self._assert_compile_called("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(
                    "Arguments `sample_weight` and `class_weight` cannot be specified at the same time. "
                    f"Received: sample_weight={sample_weight}, class_weight={class_weight}"
                )
            sample_weight = data_adapter_utils.class_weight_to_sample_weights(y, class_weight)
        return self._on_batch((x, y, sample_weight), self.make_train_function, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        self._assert_compile_called("test_on_batch")
        return self._on_batch((x, y, sample_weight), self.make_test_function, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        outputs = self.make_predict_function()([(x,)])
        return tree.map_structure(backend.convert_to_numpy, outputs)

    def _on_batch(self, data: Batch, make_function: Callable[[], Any], return_dict: bool) -> Any:
        self._symbolic_build(data_batch=data)
        function = make_function()
        self.reset_metrics()
        logs = pythonify_logs(function([data]))
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    # -- parts of the loops --------------------------------------------------------------------------------------------
    def _build_before_loop(self, batches: EpochIterator) -> None:
        """Build what is not built yet. A model without `call` has a training step of its own, which uses its parts."""
        from keras import Model

        if type(self).call is not Model.call:
            with building():
                self._symbolic_build(iterator=batches.specs())

    def _symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Build what is not built yet: the model, metrics, the loss and the optimizer.

        They are called with shapes and dtypes only. Strings exist outside graphs, and have to be looked at.
        """
        try:
            if data_batch is not None:
                _refuse_text(data_batch)
            super()._symbolic_build(iterator, data_batch)
        except _TextError as found:
            self._build_by_call(found.batch)

    def _build_by_call(self, batch: Batch) -> None:
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(to_tensors(batch))
        with torch.no_grad():
            y_pred = self(x)
            if self._compile_metrics is not None and not self._compile_metrics.built:
                self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
            if self._compile_loss is not None and not self._compile_loss.built:
                self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
        self.reset_metrics()
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        self._post_build()

    @staticmethod
    def _capped(epochs: int) -> int:
        limit = config.max_epochs()
        if limit and limit < epochs:
            warnings.warn(f"Limiting epochs to {limit}", stacklevel=4)
            return limit
        return epochs

    def _callbacks(self, callbacks: Any, batches: EpochIterator, verbose: Any, epochs: int = 1, **keywords: Any) -> Any:
        if isinstance(callbacks, callbacks_module.CallbackList):
            return callbacks
        return callbacks_module.CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=batches.num_batches,
            model=self,
            **keywords,
        )

    def _validate(self, data: Any, batch_size: int | None, steps: int | None, callbacks: Any) -> Logs:
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
        if self._eval_epoch_iterator is None:
            self._eval_epoch_iterator = TorchEpochIterator(
                x=x,
                y=y,
                sample_weight=sample_weight,
                batch_size=batch_size,
                steps_per_execution=self.steps_per_execution,
                steps_per_epoch=steps,
                shuffle=False,
            )
        logs = self.evaluate(
            x=x,
            y=y,
            sample_weight=sample_weight,
            batch_size=batch_size,
            steps=steps,
            callbacks=callbacks,
            return_dict=True,
            _use_cached_eval_dataset=True,
        )
        return {f"val_{name}": value for name, value in logs.items()}


class TorchEpochIterator(EpochIterator):
    """The batches of one epoch, as structures of NumPy arrays: they become tensors when a step begins."""

    def __init__(self, x: Any, **keywords: Any) -> None:
        super().__init__(adapted(x, keywords.get("class_weight")), **keywords)

    def _get_iterator(self) -> Iterator[Batch]:
        return self.data_adapter.get_numpy_iterator()

    def specs(self) -> Iterator[tuple[int, int, list[Batch]]]:
        """As iteration, with shapes and dtypes for arrays. Layers that are built by them forget the size of the batch
        where another may have another."""
        for first, last, batches in self:
            _refuse_text(batches[0])
            specs = [tree.map_structure(_spec, batch) for batch in batches]
            if not self._are_alike():
                x, _, _ = data_adapter_utils.unpack_x_y_sample_weight(specs[0])
                forget(next((leaf.shape[0] for leaf in tree.flatten(x) if leaf is not None), None))
            yield first, last, specs

    def _are_alike(self) -> bool:
        """Whether all batches are known to have one size."""
        match self.data_adapter:
            case ArrayDataAdapter() as adapter:
                return not adapter.has_partial_batch
            case DatasetAdapter() as adapter:
                return adapter.batch_size is not None
        return False

    def __next__(self) -> tuple[int, int, list[Batch]]:
        """The next `steps_per_execution` batches, fewer at the end of the epoch, and the numbers of the first and last.

        Data that ends before its announced length, or before the steps asked for, warns as Keras does.
        """
        first, last, batches = next(self._epoch_iterator)
        left = self.num_batches - first if self.num_batches else self.steps_per_execution
        taken: list[Batch] = []
        with self.catch_stop_iteration():
            while len(taken) < min(self.steps_per_execution, left):
                taken.append(next(batches))
        if not taken:
            raise StopIteration
        return first, first + len(taken) - 1 if left < self.steps_per_execution else last, taken


class _BatchCalls:
    """Calls the callbacks around each batch: only those that listen, and the progress bar only when it would be drawn.

    Keras hands these calls to a thread pool, since with its other backends reading the logs waits for the device. Here
    they have been computed with the step, and the calls are made at once and in order.
    """

    def __init__(self, callbacks: Any, mode: str) -> None:
        callbacks._async_train = callbacks._async_test = callbacks._async_predict = False
        listeners = [c for c in callbacks.callbacks if not isinstance(c, ProgbarLogger)]
        own_list = type(callbacks) is not callbacks_module.CallbackList
        self._begin = (
            getattr(callbacks, f"on_{mode}_batch_begin") if own_list or _any_listens(listeners, mode, "begin") else None
        )
        self._end = (
            getattr(callbacks, f"on_{mode}_batch_end") if own_list or _any_listens(listeners, mode, "end") else None
        )
        self._bars = [c for c in callbacks.callbacks if isinstance(c, ProgbarLogger)]
        self._bar_update = f"on_{mode}_batch_end"
        self._drawn = 0.0

    def begin(self, batch: int) -> None:
        if self._begin is not None:
            self._begin(batch)

    def end(self, batch: int, logs: Logs) -> None:
        if self._end is not None:
            self._end(batch, logs)
            return
        now = time.monotonic()
        due = now - self._drawn >= DISPLAY_INTERVAL
        for bar in self._bars:
            if due:
                getattr(bar, self._bar_update)(batch, pythonify_logs(logs))
            bar.seen = batch + 1
        if due:
            self._drawn = now


def _any_listens(callbacks: list[Any], mode: str, moment: str) -> bool:
    names = [f"on_{mode}_batch_{moment}"] + ([f"on_batch_{moment}"] if mode == "train" else [])
    return any(not is_default(getattr(callback, name)) for callback in callbacks for name in names)


class _TextError(Exception):
    """A batch has strings."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


def _refuse_text(batch: Batch) -> None:
    if any(holds_text(leaf) for leaf in tree.flatten(batch)):
        raise _TextError(batch)


def _spec(array: Any) -> Any:
    """An array's shape and dtype, as Keras keeps them."""
    return None if array is None else backend.KerasTensor(array.shape, backend.standardize_dtype(array.dtype))


def _batch_size(x: Any) -> int:
    return next(leaf for leaf in tree.flatten(x) if leaf is not None).shape[0]
