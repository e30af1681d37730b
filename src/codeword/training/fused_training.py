"""Keras' training loop with many steps a call, for models on JAX.

It follows `keras.Model.fit` call by call, callbacks and all; only that a call of the compiled function makes as many
steps as fit into `SECONDS_A_CALL`, on data that lies on the device. What it uses of Keras beyond the public names are
those by which Keras' own trainer hands its state to callbacks: `_jax_state`, `_jax_state_synced`, `_symbolic_build`.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from codeword.backend import keras
from codeword.training.batch_hooks import UNCONCERNED, is_hooked, looks_at_batches
from codeword.training.batches import Batches
from codeword.training.compiled_steps import compiled_steps

SECONDS_A_CALL = 0.2  # so that the progress bar moves, and an interrupt is heard
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
    verbose: Any = 0,
) -> Any:
    """Trains a compiled model; gives Keras' `History`.

    Args:
        model: Compiled Keras model, on JAX.
        batches: What it learns from.
        validation: What it is tested on after epochs.
        validation_due: From an epoch's number, from 0, to whether validation follows it.
        epochs, initial_epoch, callbacks, verbose: As for `keras.Model.fit`.
    """
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=len(batches),
            model=model,
        )
    _build(model, batches)
    return _Training(model, batches, validation, callbacks).run(initial_epoch, epochs, validation_due)


class _Training:
    def __init__(self, model: Any, batches: Batches, validation: Batches | None, callbacks: Any) -> None:
        self._model = model
        self._batches = _OnDevice(batches)
        self._validation = None if validation is None else _OnDevice(validation)
        self._callbacks = callbacks
        self._alone = all(type(callback) in UNCONCERNED for callback in callbacks.callbacks)
        self._hooked = any(is_hooked(callback) for callback in callbacks.callbacks)
        self._state: Any = None

    def run(self, initial_epoch: int, epochs: int, validation_due: Callable[[int], bool]) -> Any:
        model, callbacks = self._model, self._callbacks
        steps = compiled_steps(model, self._batches.batch)
        pace = _Pace(model, callbacks.callbacks)
        model.stop_training = False
        model._jax_state_synced = True
        model.reset_metrics()
        self._metrics = [variable.value for variable in model.metrics_variables]
        callbacks.on_train_begin()
        initial_epoch = getattr(model, "_initial_epoch", None) or initial_epoch
        logs: dict[str, float] = {}
        finished = False
        try:
            for epoch in range(initial_epoch, epochs):
                callbacks.on_epoch_begin(epoch)
                logs = self._train_epoch(steps.train, pace)
                if self._validation is not None and validation_due(epoch):
                    tested = self._test()
                    logs |= {f"val_{name}": value for name, value in tested.items()}
                self._give_back()
                callbacks.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
            finished = True
        finally:
            self._give_back(always=True)
            if epochs > 0:
                model.optimizer.finalize_variable_values(model.trainable_weights)
            if finished:
                callbacks.on_train_end(logs=logs)
            model._jax_state, model._jax_state_synced = None, True
        return model.history

    def _train_epoch(self, train: Any, pace: "_Pace") -> dict[str, float]:
        metrics, logs, done = self._metrics, {}, 0
        for num_steps, draws in self._batches.blocks():
            start = 0
            while start < num_steps and not self._model.stop_training:
                count = min(pace.steps, num_steps - start, self._batches.most_steps or num_steps)
                arrays, drawn, first = self._batches.load(draws, start, count)
                if self._hooked:
                    self._callbacks.on_train_batch_begin(done)
                began = time.perf_counter()
                state, metrics, reported = train(self._taken(), metrics, arrays, drawn, first, first + count)
                self._hand_over(state, metrics)
                logs = _numbers(reported)
                pace.took(count, time.perf_counter() - began)
                start, done = start + count, done + count
                if self._hooked:
                    self._callbacks.on_train_batch_end(done - 1, logs)
        return logs

    def _test(self) -> dict[str, float]:
        """Does what `keras.Model.evaluate` does, on data that lies on the device."""
        assert self._validation is not None
        callbacks, metrics, logs, done = self._callbacks, self._metrics, {}, 0
        test = compiled_steps(self._model, self._validation.batch).test
        callbacks.on_test_begin()
        for num_steps, draws in self._validation.blocks():
            for start in range(0, num_steps, self._validation.most_steps or num_steps):
                count = min(self._validation.most_steps or num_steps, num_steps - start)
                arrays, drawn, first = self._validation.load(draws, start, count)
                callbacks.on_test_batch_begin(done)
                trainable, rest, optimizer = self._taken()
                rest, metrics, reported = test((trainable, rest), metrics, arrays, drawn, first, first + count)
                self._hand_over((trainable, rest, optimizer), metrics)
                logs, done = _numbers(reported), done + count
                callbacks.on_test_batch_end(done - 1, logs)
        self._give_back()
        callbacks.on_test_end(logs)
        return logs

    def _taken(self) -> Any:
        """Gives the state to go on from: that of the last call, or the model's own if a callback may have seen it."""
        model = self._model
        if self._state is None or (not self._alone and model._jax_state_synced):
            of_each = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
            self._state = tuple([variable.value for variable in variables] for variables in of_each)
        return self._state

    def _hand_over(self, state: Any, metrics: Any) -> None:
        """Keeps the state of a call where callbacks that ask for the model make Keras fetch it from."""
        self._state = state
        names = ("trainable_variables", "non_trainable_variables", "optimizer_variables")
        self._model._jax_state = {**dict(zip(names, state, strict=True)), "metrics_variables": metrics}
        self._model._jax_state_synced = self._alone  # nobody looks before the end

    def _give_back(self, *, always: bool = False) -> None:
        """Puts the state into the model's variables."""
        if always and self._alone:
            self._model._jax_state_synced = False
        if always or not self._alone:
            self._model.jax_state_sync()


class _OnDevice:
    """Batches whose arrays, unless they come in pieces, lie on the device."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.batch = batches.batch
        self.most_steps = batches.most_steps
        self.blocks = batches.blocks
        self._arrays = None if self.most_steps else jax.device_put(batches.arrays)

    def load(self, draws: Any, start: int, count: int) -> tuple[Any, Any, Any]:
        if self._arrays is None:
            return self._batches.load(draws, start, count)
        return self._arrays, draws, start


class _Pace:
    """How many steps a call makes: as many as callbacks allow, else as fit into `SECONDS_A_CALL`."""

    def __init__(self, model: Any, callbacks: Sequence[Any]) -> None:
        self._fixed = any(looks_at_batches(callback) for callback in callbacks)
        self.steps = model.steps_per_execution if self._fixed else FIRST_STEPS
        self._compiling = True

    def took(self, count: int, seconds: float) -> None:
        if not self._fixed and not self._compiling and count >= self.steps // 2:
            self.steps = max(1, min(int(count * SECONDS_A_CALL / seconds), 16 * count))
        self._compiling = False


def _build(model: Any, batches: Batches) -> None:
    """Makes the variables of model, metrics and optimizer that are missing, by the shapes of a first batch."""
    batch = None
    if _is_unbuilt(model):
        arrays, draws, first = batches.load(batches.peek(), 0, 1)
        drawn = jax.tree.map(lambda steps: steps[first], draws)
        batch = jax.eval_shape(batches.batch, arrays, drawn)
    model._symbolic_build(data_batch=batch)


def _is_unbuilt(model: Any) -> bool:
    parts = (*model._flatten_layers(), model._compile_metrics, model._compile_loss)
    return not all(part.built for part in parts if part is not None)


def _numbers(logs: Any) -> dict[str, float]:
    """Gives logs as Python numbers, with one transfer for all."""
    return {name: value.item() if np.ndim(value) == 0 else value for name, value in jax.device_get(logs).items()}
