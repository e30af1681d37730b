"""The gradient of the loss of a compiled model, on whichever backend Keras runs.

Keras has no public function for it that all backends share, so there is one function for each.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.keras_internals import takes_training

ops = keras.ops


Gradients = list[NDArray[np.float64] | None]


def gradient_function(model: Any, x: Any, y: Any, sample_weight: Any = None) -> Callable[[], tuple[float, Gradients]]:
    """Return a function that computes the training loss of a model, and its gradient for every trainable weight.

    It uses the weights at the time of the call and updates none of them. The model runs in training mode, so batch
    statistics and seeds may change.

    Args:
        model: Built and compiled Keras model.
        x: Inputs: tensors, or structures of tensors, as the model expects them.
        y: Targets in the same form.
        sample_weight: Tensor or None.

    Returns:
        A function without arguments. It returns the loss, and for each of `model.trainable_variables` an array of its
        shape, or None if the backend reports that the loss does not depend on it (JAX returns zeros there).
    """
    way = {"jax": _by_jax, "torch": _by_torch, "tensorflow": _by_tensorflow}[keras.backend.backend()]
    compute = way(model, x, y, sample_weight)

    def loss_and_gradients() -> tuple[float, Gradients]:
        loss, gradients = compute()
        arrays = [None if one is None else np.asarray(ops.convert_to_numpy(one), np.float64) for one in gradients]
        return float(ops.convert_to_numpy(loss)), arrays

    return loss_and_gradients


def _by_jax(model: Any, x: Any, y: Any, sample_weight: Any) -> Callable[[], tuple[Any, list[Any]]]:
    import jax

    rest = [variable.value for variable in model.non_trainable_variables]
    metrics = [variable.value for variable in model.metrics_variables]
    optimizer = None if model.optimizer is None else [variable.value for variable in model.optimizer.variables]

    def objective(weights: list[Any], x: Any, y: Any, sample_weight: Any) -> Any:
        _, (loss, *_) = model.compute_loss_and_updates(
            weights, rest, metrics, x, y, sample_weight, training=True, optimizer_variables=optimizer
        )
        return loss

    # It runs once or twice, so compiling takes nearly all of the time: less without optimization.
    quickly = {"xla_backend_optimization_level": 0}
    compiled = jax.jit(jax.value_and_grad(objective), compiler_options=quickly)
    return lambda: compiled([variable.value for variable in model.trainable_variables], x, y, sample_weight)


def _by_torch(model: Any, x: Any, y: Any, sample_weight: Any) -> Callable[[], tuple[Any, list[Any]]]:
    import torch

    def compute() -> tuple[Any, list[Any]]:
        with torch.enable_grad():
            loss = _loss(model, x, y, sample_weight)
        weights = [variable.value for variable in model.trainable_variables]
        if not loss.requires_grad or not weights:
            return loss, [None] * len(weights)
        return loss, list(torch.autograd.grad(loss, weights, allow_unused=True))

    return compute


def _by_tensorflow(model: Any, x: Any, y: Any, sample_weight: Any) -> Callable[[], tuple[Any, list[Any]]]:
    import tensorflow as tf

    def compute() -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            loss = _loss(model, x, y, sample_weight)
        gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
        return loss, [None if one is None else tf.convert_to_tensor(one) for one in gradients]

    return compute


def _loss(model: Any, x: Any, y: Any, sample_weight: Any) -> Any:
    arguments = {"training": True} if takes_training(model) else {}
    y_pred = model(x, **arguments)
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
