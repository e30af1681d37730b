"""The limit: the networks in plain JAX, one fused epoch after the other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from fused_epochs import FusedEpochs, adam, no_moments, sign, taken
from networks import RATE, Network, Rows, first_weights, shuffled, weighted_mean


def make(network: Network, rows: Rows) -> Any:
    generator = np.random.default_rng(0)
    fused = FusedEpochs(step_of(network), rows, network.batch)
    state = first_state(network)

    def train(epochs: int) -> tuple[list[float], None]:
        nonlocal state
        losses = []
        for _ in range(epochs):
            state, values = fused(state, shuffled(generator, network))
            losses.append(values)
        jax.block_until_ready(state)
        return [weighted_mean(values, network) for values in losses], None

    return train


def first_state(network: Network) -> Any:
    weights = [jnp.asarray(weight) for weight in first_weights(network)]
    return weights, no_moments(weights), jnp.int32(0)


def step_of(network: Network) -> Any:
    loss = rating_loss if network.middle is None else image_loss

    def step(state: Any, rows: jax.Array, batch: jax.Array) -> tuple[Any, jax.Array]:
        weights, moments, count = state
        value, gradients = jax.value_and_grad(loss)(weights, taken(rows, batch))
        weights, moments = adam(weights, moments, gradients, count + 1, RATE)
        return (weights, moments, count + 1), value

    return step


def image_loss(weights: Any, batch: jax.Array) -> jax.Array:
    k1, b1, k2, b2, k3, b3, k4, b4 = weights
    bits = sign(jax.nn.relu(batch @ k1 + b1) @ k2 + b2)
    output = jax.nn.sigmoid(jax.nn.relu(bits @ k3 + b3) @ k4 + b4)
    return jnp.mean(jnp.square(output - batch))


def rating_loss(weights: Any, batch: jax.Array) -> jax.Array:
    k1, b1, k2, b2 = weights
    output = jax.nn.sigmoid(batch @ k1 + b1) @ k2 + b2
    rated = batch != 0
    squares = jnp.where(rated, jnp.square(output - batch), 0).sum(axis=1)
    return jnp.mean(squares / jnp.maximum(rated.sum(axis=1), 1))
