"""Compiled loops over Keras' own training and test steps, on JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from codeword.backend import keras
from codeword.keras_internals import kept_until_compiled


class _CompiledSteps:
    """Loops that run many of a model's steps, on what `batch` returns, in one call."""

    def __init__(self, model: Any, batch: Callable[[Any, Any], Any]) -> None:
        self._model = model
        self._batch = batch
        standard = [getattr(type(model), name) is getattr(keras.Model, name) for name in ("train_step", "test_step")]
        measured = type(model).compute_metrics is keras.Model.compute_metrics
        # The logs of a user's own step are carried from step to step. Those of Keras' steps follow from the metrics.
        self.train = jax.jit(partial(self._train, own_logs=not (standard[0] and measured)), donate_argnums=0)
        self.test = jax.jit(partial(self._test, own_logs=not (standard[1] and measured)))

    def _train(self, state: Any, metrics: Any, arrays: Any, draws: Any, bounds: Any, *, own_logs: bool) -> Any:
        """Train for the steps within the bounds of each block; return the new state, the metrics' state and logs."""

        def step(data: Any, carried: Any) -> Any:
            (trainable, rest, optimizer), metrics, _ = carried
            logs, (*state, metrics) = self._model.train_step((trainable, rest, optimizer, metrics), data)
            return tuple(state), metrics, logs if own_logs else ()

        return self._loops(step, (state, metrics), arrays, draws, bounds, own_logs=own_logs)

    def _test(self, state: Any, metrics: Any, arrays: Any, draws: Any, bounds: Any, *, own_logs: bool) -> Any:
        """Test for these steps; return the new state of what is not trained, the metrics' state and logs."""
        trainable, rest = state

        def step(data: Any, carried: Any) -> Any:
            rest, metrics, _ = carried
            logs, (_, rest, metrics) = self._model.test_step((trainable, rest, metrics), data)
            return rest, metrics, logs if own_logs else ()

        return self._loops(step, (rest, metrics), arrays, draws, bounds, own_logs=own_logs)

    def _loops(self, step: Any, carried: Any, arrays: Any, draws: Any, bounds: Any, *, own_logs: bool) -> Any:
        def numbered(block: Any, number: Any, carried: Any) -> Any:
            new = step(self._batch(arrays, jax.tree.map(lambda steps: steps[number], block)), carried)
            # A loop must keep the types of what it carries, even where a step returns a wider or weaker one.
            return jax.tree.map(lambda one, old: jax.lax.convert_element_type(one, old.dtype), new, carried)

        logs: Any = ()
        if own_logs:
            first = self._batch(arrays, jax.tree.map(lambda steps: steps[0], draws[0]))
            shapes = jax.eval_shape(lambda: step(first, (*carried, ()))[2])
            logs = jax.tree.map(lambda one: jax.numpy.zeros(one.shape, one.dtype), shapes)
        carried = (*carried, logs)
        for block, (start, stop) in zip(draws, bounds, strict=True):
            carried = jax.lax.fori_loop(start, stop, partial(numbered, block), carried)
        state, metrics, logs = carried
        return state, metrics, logs if own_logs else self._results(metrics)

    def _results(self, metrics: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(self._model.metrics_variables, metrics, strict=True))):
            return self._model.get_metrics_result()


def compiled_steps(model: Any, batch: Callable[[Any, Any], Any], use: str) -> Any:
    """Return the loop of a model for one use, "train" or "test"; the same one until the model is compiled again."""
    kept = kept_until_compiled(model)
    if use not in kept or kept[use][0] != batch:
        kept[use] = batch, getattr(_CompiledSteps(model, batch), use)
    return kept[use][1]
