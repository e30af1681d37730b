"""Compiled loops over Keras' own training and test steps, on JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from codeword.backend import keras
from codeword.keras_internals import flat_layers, kept_until_compiled

Batch = Callable[[Any, Any], Any]


def compiled_steps(model: Any, batch: Batch, use: str) -> Any:
    """Return the loop of a model for one use, "train" or "test"; the same one until the model is compiled again."""
    kept = kept_until_compiled(model)
    if use not in kept or kept[use][0] != batch:
        names = f"{use}_step", "compute_metrics"
        own_logs = any(getattr(type(model), name) is not getattr(keras.Model, name) for name in names)
        looped = not _is_slow_in_loops(model)
        run = jax.jit(
            partial(_run_steps, model, batch, use, own_logs, looped), donate_argnums=0 if use == "train" else ()
        )
        kept[use] = batch, run if looped else partial(_run_one_by_one, run, use)
    return kept[use][1]


def _is_slow_in_loops(model: Any) -> bool:
    """Return whether a model has convolutions on a CPU, where XLA computes them 15 to 24 times as slowly in a loop."""
    return jax.default_backend() == "cpu" and any("Conv" in type(layer).__name__ for layer in flat_layers(model))


def _run_one_by_one(
    run: Callable[..., Any], use: str, state: Any, metrics: Any, arrays: Any, draws: Any, bounds: Any
) -> Any:
    """Run the steps within the bounds of each block, one in a call."""
    fixed = state[:1] if use == "test" else ()
    state, logs = state[len(fixed) :], None
    for block, (start, stop) in zip(draws, bounds, strict=True):
        for number in range(int(start), int(stop)):
            state, metrics, logs = run((*fixed, *state), metrics, arrays, (block,), ((number, number + 1),))
    return state, metrics, logs


def _run_steps(
    model: Any,
    batch: Batch,
    use: str,
    own_logs: bool,
    looped: bool,
    state: Any,
    metrics: Any,
    arrays: Any,
    draws: Any,
    bounds: Any,
) -> Any:
    """Run the steps within the bounds of each block; return the state that changes, the metrics' state and the logs.

    If not `looped`, each block has one step.

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
        if looped:
            carried = jax.lax.fori_loop(start, stop, partial(numbered, block), carried)
        else:
            carried = numbered(block, start, carried)
    state, metrics, logs = carried
    if not own_logs:
        with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, metrics, strict=True))):
            logs = model.get_metrics_result()
    return state, metrics, logs
