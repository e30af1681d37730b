"""Keras' training loop with many steps per call, for models on JAX.

It follows `keras.Model.fit` step by step, including its callbacks. One call of the compiled function runs as many steps
as fit into `SECONDS_PER_CALL`, on data that lies on the device.
"""

import time
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import jax
import numpy as np

from codeword import keras_internals
from codeword.backend import keras
from codeword.training.batch_hooks import is_hooked, looks_at_batches, looks_at_model
from codeword.training.batches import Batches, Load
from codeword.training.interrupts import delayed_interrupts
from codeword.training.jax_steps import compiled_steps

SECONDS_PER_CALL = 0.2  # so that the progress bar moves, and an interrupt is noticed
FIRST_STEPS = 16


def train(
    model: Any,
    batches: Batches,
    *,
    validation: Batches | None = None,
    validation_due: Callable[[int], bool] = lambda epoch: True,
    epochs: int = 1,
    initial_epoch: int = 0,
    callbacks: Any = None,
) -> Any:
    """Train a compiled model like `keras.Model.fit`; `validation_due` says for each epoch if validation follows it."""
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = keras.callbacks.CallbackList(
            callbacks, add_history=True, verbose=0, epochs=epochs, steps=len(batches), model=model
        )

    def first_batch() -> Any:
        load = batches.load([batches.peek()], 0, 1)
        return jax.eval_shape(batches.batch, load.arrays, jax.tree.map(lambda steps: steps[0], load.draws[0]))

    keras_internals.build(model, first_batch)
    return _Training(model, batches, validation, callbacks).run(initial_epoch, epochs, validation_due)


class _Training:
    def __init__(self, model: Any, batches: Batches, validation: Batches | None, callbacks: Any) -> None:
        self._model, self._callbacks = model, callbacks
        self._batches = _on_device(batches)
        self._validation = None if validation is None else _on_device(validation)
        self._alone = not any(looks_at_model(callback) for callback in callbacks.callbacks)
        self._hooked = any(is_hooked(callback) for callback in callbacks.callbacks)
        # Then callbacks may hear of an epoch while the next one runs.
        shown = any(isinstance(callback, keras.callbacks.ProgbarLogger) for callback in callbacks.callbacks)
        self._quiet = self._alone and not shown and validation is None and not batches.most_steps
        self._train = compiled_steps(model, batches.batch, "train")
        self._pace = _Pace(model, callbacks.callbacks)
        self._state: Any = None
        self._written = True  # whether the model's variables hold the state

    def run(self, initial_epoch: int, epochs: int, validation_due: Callable[[int], bool]) -> Any:
        model, callbacks = self._model, self._callbacks
        model.stop_training = False
        model.reset_metrics()
        self._metrics = self._first_metrics = [variable.value for variable in model.metrics_variables]
        with keras_internals.state_on_demand(model, self._write) as works:
            self._eager = not works and not self._alone
            callbacks.on_train_begin()
            initial_epoch = keras_internals.initial_epoch(model) or initial_epoch
            try:
                logs = self._run_epochs(range(initial_epoch, epochs), validation_due)
            finally:
                with delayed_interrupts():
                    self._write()
                    if epochs > 0:
                        model.optimizer.finalize_variable_values(model.trainable_weights)
            callbacks.on_train_end(logs=logs)
        return model.history

    def _run_epochs(self, epochs: range, validation_due: Callable[[int], bool]) -> dict[str, float]:
        logs: dict[str, float] = {}
        unreported: tuple[int, Any] | None = None
        for epoch in epochs:
            if self._quiet and self._pace.steps >= len(self._batches):
                self._metrics = self._first_metrics
                started = epoch, self._call(self._batches.load(self._batches.blocks(), 0, len(self._batches)))
                logs = self._report(unreported, logs)  # while the device computes
                unreported = started
            else:
                logs = self._report(unreported, logs)
                unreported = None
                if not self._model.stop_training:
                    logs = self._run_epoch(epoch, validate=self._validation is not None and validation_due(epoch))
            if self._model.stop_training:
                return logs
        return self._report(unreported, logs)

    def _run_epoch(self, epoch: int, *, validate: bool) -> dict[str, float]:
        self._callbacks.on_epoch_begin(epoch)
        logs = self._train_epoch()
        if validate:
            logs |= {f"val_{name}": value for name, value in self._test().items()}
        if not self._alone:
            self._write()
        self._callbacks.on_epoch_end(epoch, logs)
        return logs

    def _train_epoch(self) -> dict[str, float]:
        self._metrics = self._first_metrics
        reported: Any = {}
        done, blocks = 0, self._batches.blocks()
        while done < len(self._batches) and not self._model.stop_training:
            load = self._batches.load(blocks, done, min(self._pace.steps, len(self._batches) - done))
            if self._hooked:
                self._callbacks.on_train_batch_begin(done)
            if self._batches.most_steps:
                _numbers(reported)  # this piece was read while the last one trained; no third one waits
            began = time.perf_counter()
            reported = self._call(load)
            if self._hooked or load.num_steps == self._pace.steps:  # no need to wait for shorter calls
                reported = _numbers(reported)
                self._pace.took(load.num_steps, time.perf_counter() - began)
            done += load.num_steps
            if self._hooked:
                self._callbacks.on_train_batch_end(done - 1, reported)
        return _numbers(reported)

    def _report(self, unreported: tuple[int, Any] | None, logs: dict[str, float]) -> dict[str, float]:
        """Report an epoch that was started, if there is one, to the callbacks; return the logs of the last epoch."""
        if unreported is None:
            return logs
        epoch, reported = unreported
        logs = _numbers(reported)
        self._callbacks.on_epoch_begin(epoch)
        self._callbacks.on_train_batch_begin(0)
        self._callbacks.on_train_batch_end(len(self._batches) - 1, logs)
        self._callbacks.on_epoch_end(epoch, logs)
        return logs

    def _call(self, load: Load) -> Any:
        with delayed_interrupts():  # JAX deletes the old state before the new one is here
            state, metrics, reported = self._train(self._taken(), self._metrics, load.arrays, load.draws, load.bounds)
            self._hand_over(state, metrics)
        return reported

    def _test(self) -> dict[str, float]:
        """Evaluate as `keras.Model.evaluate` does, on data that lies on the device."""
        assert self._validation is not None
        batches, callbacks, metrics, logs, done = self._validation, self._callbacks, self._first_metrics, {}, 0
        test = compiled_steps(self._model, batches.batch, "test")
        callbacks.on_test_begin()
        blocks = batches.blocks()
        while done < len(batches):
            load = batches.load(blocks, done, len(batches) - done)
            callbacks.on_test_batch_begin(done)
            trainable, rest, optimizer = self._taken()
            (rest,), metrics, reported = test((trainable, rest), metrics, load.arrays, load.draws, load.bounds)
            self._hand_over((trainable, rest, optimizer), metrics)
            logs, done = _numbers(reported), done + load.num_steps
            callbacks.on_test_batch_end(done - 1, logs)
        if not self._alone:
            self._write()
        callbacks.on_test_end(logs)
        return logs

    def _taken(self) -> Any:
        """Return the state to continue from: the last call's, or the model's if a callback may have changed it."""
        if self._state is None or (self._written and not self._alone):
            seen: set[int] = set()
            self._state = tuple([_own(variable.value, seen) for variable in part] for part in self._variables()[:3])
        return self._state

    def _hand_over(self, state: Any, metrics: Any) -> None:
        self._state, self._metrics, self._written = state, metrics, False
        if self._eager:
            self._write()

    def _write(self) -> None:
        """Write the state into the model's variables, unless they hold it."""
        if not self._written:
            for variables, values in zip(self._variables(), (*self._state, self._metrics), strict=True):
                for variable, value in zip(variables, values, strict=True):
                    variable.assign(value)
            self._written = True

    def _variables(self) -> tuple[list[Any], ...]:
        trained = self._model.trainable_variables, self._model.non_trainable_variables
        return *trained, self._model.optimizer.variables, self._model.metrics_variables


def _on_device(batches: Batches) -> Batches:
    """Return the same batches with arrays that lie on the device, unless they come in pieces."""
    placed = copy(batches)
    if not placed.most_steps:
        placed.arrays = jax.device_put(batches.arrays)
    return placed


class _Pace:
    """The number of steps per call: as many as callbacks allow, else as fit into `SECONDS_PER_CALL`."""

    def __init__(self, model: Any, callbacks: Sequence[Any]) -> None:
        self._fixed = any(looks_at_batches(callback) for callback in callbacks)
        self.steps = model.steps_per_execution if self._fixed else FIRST_STEPS
        self._compiling = True

    def took(self, count: int, seconds: float) -> None:
        if not self._fixed and not self._compiling and count == self.steps:
            self.steps = max(1, min(int(count * SECONDS_PER_CALL / seconds), 16 * count))
        self._compiling = False


def _own(value: Any, seen: set[int]) -> Any:
    """Return an array, or a copy of one that was seen: averaged weights may share it, and JAX donates it only once."""
    if id(value) in seen:
        return jax.numpy.copy(value)
    seen.add(id(value))
    return value


def _numbers(logs: Any) -> dict[str, Any]:
    """Return logs as Python numbers, with one transfer for all."""
    arrays = {name: np.asarray(value) for name, value in jax.device_get(logs).items()}
    return {name: array.item() if array.ndim == 0 else array for name, array in arrays.items()}
