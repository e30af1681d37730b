"""The gradient of the loss of a compiled model, on whichever backend Keras runs.

Keras has no public function for it that all backends share, so there is one function for each.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.keras_internals import takes_training

Gradients = list[NDArray[np.float64] | None]


def gradient_function(model: Any, x: Any, y: Any, sample_weight: Any = None) -> Callable[[], tuple[float, Gradients]]:
    """Return a function that computes the training loss of a model, and its gradient for every trainable weight.

    It uses the weights at the time of the call and updates none of them. The model runs in training mode, so batch
    statistics and seeds may change. The gradient of a weight is None if the backend reports that the loss does not
    depend on it (JAX returns zeros there).

    Args:
        model: Built and compiled Keras model.
        x: Inputs: tensors, or structures of tensors, as the model expects them.
        y: Targets in the same form.
        sample_weight: Tensor or None.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        compute = _by_jax(model, x, y, sample_weight)
    else:
        compute = partial(_by_torch if backend == "torch" else _by_tensorflow, model, x, y, sample_weight)

    def loss_and_gradients() -> tuple[float, Gradients]:
        loss, gradients = compute()
        arrays = [None if one is None else np.asarray(keras.ops.convert_to_numpy(one), np.float64) for one in gradients]
        return float(keras.ops.convert_to_numpy(loss)), arrays

    return loss_and_gradients


def _by_jax(model: Any, x: Any, y: Any, sample_weight: Any) -> Callable[[], tuple[Any, list[Any]]]:
    import jax

    rest, metrics = _values(model.non_trainable_variables), _values(model.metrics_variables)
    optimizer = None if model.optimizer is None else _values(model.optimizer.variables)

    def objective(weights: list[Any], x: Any, y: Any, sample_weight: Any) -> Any:
        _, (loss, *_) = model.compute_loss_and_updates(
            weights, rest, metrics, x, y, sample_weight, training=True, optimizer_variables=optimizer
        )
        return loss

    # It runs once or twice, so compiling takes nearly all of the time: less without optimization.
    quickly = {"xla_backend_optimization_level": 0}
    compiled = jax.jit(jax.value_and_grad(objective), compiler_options=quickly)
    return lambda: compiled(_values(model.trainable_variables), x, y, sample_weight)


def _by_torch(model: Any, x: Any, y: Any, sample_weight: Any) -> tuple[Any, list[Any]]:
    import torch

    with torch.enable_grad():
        loss = _loss(model, x, y, sample_weight)
    weights = _values(model.trainable_variables)
    if not loss.requires_grad or not weights:
        return loss, [None] * len(weights)
    return loss, list(torch.autograd.grad(loss, weights, allow_unused=True))


def _by_tensorflow(model: Any, x: Any, y: Any, sample_weight: Any) -> tuple[Any, list[Any]]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = _loss(model, x, y, sample_weight)
    gradients = tape.gradient(loss, _values(model.trainable_variables))
    return loss, [None if one is None else tf.convert_to_tensor(one) for one in gradients]


def _loss(model: Any, x: Any, y: Any, sample_weight: Any) -> Any:
    y_pred = model(x, training=True) if takes_training(model) else model(x)
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)


def _values(variables: Any) -> list[Any]:
    return [variable.value for variable in variables]
