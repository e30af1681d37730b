"""Compiled loops over Keras' own training and test steps, on JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from codeword.backend import keras
from codeword.keras_internals import kept_until_compiled

Batch = Callable[[Any, Any], Any]


def compiled_steps(model: Any, batch: Batch, use: str) -> Any:
    """Return the loop of a model for one use, "train" or "test"; the same one until the model is compiled again."""
    kept = kept_until_compiled(model)
    if use not in kept or kept[use][0] != batch:
        names = f"{use}_step", "compute_metrics"
        own_logs = any(getattr(type(model), name) is not getattr(keras.Model, name) for name in names)
        loop = partial(_run_steps, model, batch, use, own_logs)
        kept[use] = batch, jax.jit(loop, donate_argnums=0 if use == "train" else ())
    return kept[use][1]


def _run_steps(
    model: Any, batch: Batch, use: str, own_logs: bool, state: Any, metrics: Any, arrays: Any, draws: Any, bounds: Any
) -> Any:
    """Run the steps within the bounds of each block; return the state that changes, the metrics' state and the logs.

    The logs of a user's own step are carried from step to step. Those of Keras' steps follow from the metrics.
    """
    fixed = state[:1] if use == "test" else ()  # what is trained

    def step(data: Any, carried: Any) -> Any:
        state, metrics, _ = carried
        logs, (*state, metrics) = getattr(model, f"{use}_step")((*fixed, *state, metrics), data)
        return tuple(state[len(fixed) :]), metrics, logs if own_logs else ()

    def numbered(block: Any, number: Any, carried: Any) -> Any:
        new = step(batch(arrays, jax.tree.map(lambda steps: steps[number], block)), carried)
        # A loop must keep the types of what it carries, even where a step returns a wider or weaker one.
        return jax.tree.map(lambda one, old: jax.lax.convert_element_type(one, old.dtype), new, carried)

    carried = state[len(fixed) :], metrics, ()
    if own_logs:
        first = batch(arrays, jax.tree.map(lambda steps: steps[0], draws[0]))
        shapes = jax.eval_shape(lambda: step(first, carried)[2])
        carried = *carried[:2], jax.tree.map(lambda one: jax.numpy.zeros(one.shape, one.dtype), shapes)
    for block, (start, stop) in zip(draws, bounds, strict=True):
        carried = jax.lax.fori_loop(start, stop, partial(numbered, block), carried)
    state, metrics, logs = carried
    if not own_logs:
        with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, metrics, strict=True))):
            logs = model.get_metrics_result()
    return state, metrics, logs
