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
from codeword.training.batch_hooks import is_hooked, looks_at_batches, looks_at_model
from codeword.training.batches import Batches, Load
from codeword.training.jax_steps import compiled_steps

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
        self._alone = not any(looks_at_model(callback) for callback in callbacks.callbacks)
        self._hooked = any(is_hooked(callback) for callback in callbacks.callbacks)
        # Nobody minds to hear of an epoch while the next one runs.
        shown = any(isinstance(callback, keras.callbacks.ProgbarLogger) for callback in callbacks.callbacks)
        self._quiet = self._alone and not shown and validation is None and not batches.most_steps
        self._train = compiled_steps(model, batches.batch).train
        self._pace = _Pace(model, callbacks.callbacks)
        self._state: Any = None

    def run(self, initial_epoch: int, epochs: int, validation_due: Callable[[int], bool]) -> Any:
        model, callbacks = self._model, self._callbacks
        model.stop_training = False
        model._jax_state_synced = True
        model.reset_metrics()
        self._metrics = [variable.value for variable in model.metrics_variables]
        callbacks.on_train_begin()
        initial_epoch = getattr(model, "_initial_epoch", None) or initial_epoch
        logs: dict[str, float] = {}
        untold: tuple[int, Any] | None = None
        finished = False
        try:
            for epoch in range(initial_epoch, epochs):
                if self._quiet and self._pace.steps >= len(self._batches):
                    started = epoch, self._start_epoch()
                    logs = self._tell(untold, logs)  # while the device computes
                    untold = started
                else:
                    logs = self._tell(untold, logs)
                    untold = None
                    if not model.stop_training:
                        logs = self._run_epoch(epoch, validate=self._validation is not None and validation_due(epoch))
                if model.stop_training:
                    break
            else:
                logs = self._tell(untold, logs)
            finished = True
        finally:
            self._give_back(always=True)
            if epochs > 0:
                model.optimizer.finalize_variable_values(model.trainable_weights)
            if finished:
                callbacks.on_train_end(logs=logs)
            model._jax_state, model._jax_state_synced = None, True
        return model.history

    def _run_epoch(self, epoch: int, *, validate: bool) -> dict[str, float]:
        self._callbacks.on_epoch_begin(epoch)
        logs = self._train_epoch()
        if validate:
            logs |= {f"val_{name}": value for name, value in self._test().items()}
        self._give_back()
        self._callbacks.on_epoch_end(epoch, logs)
        return logs

    def _train_epoch(self) -> dict[str, float]:
        metrics: Any = self._metrics
        reported: Any = {}
        done, blocks = 0, self._batches.blocks()
        while done < len(self._batches) and not self._model.stop_training:
            load = self._batches.load(blocks, done, min(self._pace.steps, len(self._batches) - done))
            if self._hooked:
                self._callbacks.on_train_batch_begin(done)
            if self._batches.most_steps:
                _numbers(reported)  # this piece was read while the last one trained; no third one waits
            began = time.perf_counter()
            metrics, reported = self._call(load, metrics)
            if self._hooked or load.num_steps == self._pace.steps:  # shorter calls need not be waited for
                reported = _numbers(reported)
                self._pace.took(load.num_steps, time.perf_counter() - began)
            done += load.num_steps
            if self._hooked:
                self._callbacks.on_train_batch_end(done - 1, reported)
        return _numbers(reported)

    def _start_epoch(self) -> Any:
        """Trains a whole epoch in one call, and does not wait for what it reports."""
        load = self._batches.load(self._batches.blocks(), 0, len(self._batches))
        return self._call(load, self._metrics)[1]

    def _tell(self, untold: tuple[int, Any] | None, logs: dict[str, float]) -> dict[str, float]:
        """Tells callbacks of an epoch that was started and not told of; gives its logs."""
        if untold is None:
            return logs
        epoch, reported = untold
        logs = _numbers(reported)
        self._callbacks.on_epoch_begin(epoch)
        self._callbacks.on_train_batch_begin(0)
        self._callbacks.on_train_batch_end(len(self._batches) - 1, logs)
        self._callbacks.on_epoch_end(epoch, logs)
        return logs

    def _call(self, load: Load, metrics: Any) -> tuple[Any, Any]:
        state, metrics, reported = self._train(self._taken(), metrics, load.arrays, load.draws, load.bounds)
        self._hand_over(state, metrics)
        return metrics, reported

    def _test(self) -> dict[str, float]:
        """Does what `keras.Model.evaluate` does, on data that lies on the device."""
        assert self._validation is not None
        batches, callbacks, metrics, logs, done = self._validation, self._callbacks, self._metrics, {}, 0
        test = compiled_steps(self._model, batches.batch).test
        callbacks.on_test_begin()
        blocks = batches.blocks()
        while done < len(batches):
            load = batches.load(blocks, done, len(batches) - done)
            callbacks.on_test_batch_begin(done)
            trainable, rest, optimizer = self._taken()
            rest, metrics, reported = test((trainable, rest), metrics, load.arrays, load.draws, load.bounds)
            self._hand_over((trainable, rest, optimizer), metrics)
            logs, done = _numbers(reported), done + load.num_steps
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
        kept = {**dict(zip(names, state, strict=True)), "metrics_variables": metrics}
        # Past `Layer.__setattr__`, which would look for variables in all of it: .35 ms, a quarter of a small epoch.
        # If nobody looks before the end, Keras need not fetch it.
        vars(self._model).update(_jax_state=kept, _jax_state_synced=self._alone)

    def _give_back(self, *, always: bool = False) -> None:
        """Puts the state into the model's variables."""
        if always and self._alone:
            self._model._jax_state_synced = False
        if always or not self._alone:
            self._model.jax_state_sync()


class _OnDevice(Batches):
    """Batches whose arrays, unless they come in pieces, lie on the device."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.batch, self.most_steps = batches.batch, batches.most_steps
        self.arrays = None if self.most_steps else jax.device_put(batches.arrays)

    def __len__(self) -> int:
        return len(self._batches)

    def blocks(self) -> list[tuple[int, Any]]:
        return self._batches.blocks()

    def load(self, blocks: Sequence[tuple[int, Any]], start: int, count: int) -> Load:
        if self.most_steps:
            return self._batches.load(blocks, start, count)
        return super().load(blocks, start, count)


class _Pace:
    """How many steps a call makes: as many as callbacks allow, else as fit into `SECONDS_A_CALL`."""

    def __init__(self, model: Any, callbacks: Sequence[Any]) -> None:
        self._fixed = any(looks_at_batches(callback) for callback in callbacks)
        self.steps = model.steps_per_execution if self._fixed else FIRST_STEPS
        self._compiling = True

    def took(self, count: int, seconds: float) -> None:
        if not self._fixed and not self._compiling and count == self.steps:
            self.steps = max(1, min(int(count * SECONDS_A_CALL / seconds), 16 * count))
        self._compiling = False


def _build(model: Any, batches: Batches) -> None:
    """Makes the variables of model, metrics and optimizer that are missing, by the shapes of a first batch."""
    batch = None
    if _is_unbuilt(model):
        load = batches.load([batches.peek()], 0, 1)
        batch = jax.eval_shape(batches.batch, load.arrays, jax.tree.map(lambda steps: steps[0], load.draws[0]))
    model._symbolic_build(data_batch=batch)


def _is_unbuilt(model: Any) -> bool:
    parts = (*model._flatten_layers(), model._compile_metrics, model._compile_loss)
    return not all(part.built for part in parts if part is not None)


def _numbers(logs: Any) -> dict[str, Any]:
    """Gives logs as Python numbers, with one transfer for all."""
    arrays = {name: np.asarray(value) for name, value in jax.device_get(logs).items()}
    return {name: array.item() if array.ndim == 0 else array for name, array in arrays.items()}
