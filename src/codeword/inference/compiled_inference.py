"""Inference as one function of a batch: compiled once on JAX, and Keras' own on other backends."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from codeword.backend import check_not_forked, keras

# The programs refer to their models weakly, or no model would ever be freed.
_PROGRAMS: weakref.WeakKeyDictionary[Any, Callable[..., Any]] = weakref.WeakKeyDictionary()


def compiled_inference(model: Any) -> Callable[[NDArray[Any]], Any]:
    """Return a function from a batch to the model's outputs in inference mode, with its current weights.

    On JAX the function returns while the device still computes. `predict_on_batch` would wait, and would copy all
    weights each time, which takes longer than a small network. Weights are arguments of the compiled program, so new
    weights do not need a new program.

    Args:
        model: Keras model with one input.

    Returns:
        Function from a batch to an array or a list of arrays; on JAX they are arrays on the device.
    """
    check_not_forked()
    if not _can_be_compiled(model):
        return model.predict_on_batch
    if model not in _PROGRAMS:
        _PROGRAMS[model] = _program(model)
    return functools.partial(_PROGRAMS[model], _weights(model))


def in_both_modes(model: Any, rows: NDArray[Any]) -> tuple[Any, Any]:
    """Return a model's outputs for one batch in inference mode and in training mode, without changing the model.

    On JAX both are one program. Eagerly, the first pass would compile some sixty operations, which takes seconds.
    """
    if not _can_be_compiled(model):
        weights = model.get_weights()
        outputs = model(rows, training=False), model(rows, training=True)
        model.set_weights(weights)  # training moved the averages of the normalization
        return outputs
    import jax

    @jax.jit
    def both(weights: tuple[Any, Any], rows: Any) -> tuple[Any, Any]:
        inference, training = (model.stateless_call(*weights, rows, training=mode)[0] for mode in (False, True))
        return inference, training

    return both(_weights(model), rows)


def _can_be_compiled(model: Any) -> bool:
    return keras.backend.backend() == "jax" and model.jit_compile and not model.run_eagerly


def _weights(model: Any) -> tuple[list[Any], list[Any]]:
    trainable, rest = ([v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables))
    return trainable, rest


def _program(model: Any) -> Callable[..., Any]:
    import jax

    known = weakref.ref(model)

    def infer(weights: tuple[Any, Any], batch: Any) -> Any:
        model = known()
        assert model is not None, "the caller holds the model"
        return model.stateless_call(*weights, batch, training=False)[0]

    return jax.jit(infer)
