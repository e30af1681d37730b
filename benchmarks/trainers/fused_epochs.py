"""What a training loop written by hand for JAX has at its best: data on the device, one compiled scan an epoch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from networks import Rows
from numpy.typing import NDArray

# state, rows on the device, indices of a batch -> state, loss
Step = Callable[[Any, jax.Array, jax.Array], tuple[Any, jax.Array]]


class FusedEpochs:
    """Runs all steps of an epoch in one call, the smaller last batch included.

    Nothing waits for a result: while the device trains an epoch, the host draws the next permutation.

    Tried and not faster, by CPU time on networks A and B: `fori_loop` and steps unrolled twice or four times (within
    the noise), gathering the whole shuffled epoch first (.90 of the speed on A), the last batch in a call of its own
    (.92 on B), many epochs a call (.97 on B), all weights in one vector (.55 on B, .82 on A), state that is not donated
    (.96), `mode="promise_in_bounds"` (.97 to 1.01), XLA's flags for wider vectors and fast mathematics.
    """

    def __init__(self, step: Step, rows: Rows, batch: int) -> None:
        self.rows = jnp.asarray(rows)

        def epoch(state: Any, rows: jax.Array, order: jax.Array) -> tuple[Any, jax.Array]:
            whole = len(order) // batch * batch
            batches = order[:whole].reshape(-1, batch)
            state, losses = jax.lax.scan(lambda carried, chosen: step(carried, rows, chosen), state, batches)
            if whole < len(order):
                state, loss = step(state, rows, order[whole:])
                losses = jnp.append(losses, loss)
            return state, losses

        self._epoch = jax.jit(epoch, donate_argnums=0)

    def __call__(self, state: Any, order: NDArray[np.int32]) -> tuple[Any, jax.Array]:
        """Trains one epoch over the rows in that order; gives the state and each step's loss."""
        return self._epoch(state, self.rows, order)


def taken(rows: jax.Array, batch: jax.Array) -> jax.Array:
    """Gives a batch of rows; "clip" spares the check for indices outside, and that for NaN to put there."""
    return jnp.take(rows, batch, axis=0, mode="clip")


def adam(weights: Any, moments: Any, gradients: Any, count: jax.Array, rate: Any, decays: Any = None) -> Any:
    """Gives weights and moments after a step, by Keras' formula; a decay is the share that a step at rate 1 takes."""
    first, second = moments
    count = count.astype(jnp.float32)
    scale = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    first = jax.tree.map(lambda m, g: m + (g - m) * 0.1, first, gradients)
    second = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, second, gradients)
    decays = [0.0] * len(weights) if decays is None else decays
    weights = [
        (w - w * (decay * rate) if decay else w) - m * scale / (jnp.sqrt(v) + 1e-7)
        for w, m, v, decay in zip(weights, first, second, decays, strict=True)
    ]
    return weights, (first, second)


def no_moments(weights: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights)


@jax.custom_vjp
def sign(x: jax.Array) -> jax.Array:
    """Gives -1 or +1, with the slope of `SignBits`, 1 - tanh(x)^2."""
    return jnp.where(x >= 0, 1.0, -1.0)


sign.defvjp(lambda x: (sign(x), x), lambda x, slope: (slope * (1 - jnp.square(jnp.tanh(x))),))
