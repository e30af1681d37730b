"""Record the calls inside a Keras model, and leave the model unchanged."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.keras_internals import added_losses, global_seed_generator, inner_layers, set_global_seed_generator


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation: its arguments, and its input and output tensors."""

    layer: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


@contextmanager
def recorded(model: Any) -> Iterator[list[Call]]:
    """Collect the calls of all layers and operations inside a model, in the order in which they end.

    Calls inside a loop that the backend compiles, such as the cell of a recurrent layer, have no values and are not
    recorded.
    """
    calls: list[Call] = []

    def watched(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*arguments: Any, **keywords: Any) -> Any:
            result = call(*arguments, **keywords)
            outputs = tuple(keras.tree.flatten(result))
            if all(_has_values(tensor) for tensor in outputs):
                inputs = keras.tree.flatten((arguments, keywords))
                tensors = tuple(tensor for tensor in inputs if keras.ops.is_tensor(tensor))
                calls.append(Call(layer, arguments, keywords, tensors, outputs))
            return result

        return watch

    with _calls_replaced(dict.fromkeys(operations_of(model), watched)):
        yield calls


@contextmanager
def replaced(layer: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """Let the output of a layer pass through `change` first."""

    def changed(_: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **keywords: change(call(*arguments, **keywords))

    with _calls_replaced({layer: changed}):
        yield


def operations_of(model: Any) -> list[Any]:
    """Return all layers inside a model, nested ones included, and the operations of functional graphs, each once."""
    found: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        inner = [*inner_layers(layer), *(getattr(layer, "operations", None) or ())]
        for one in inner:
            if id(one) not in found and one is not model and hasattr(one, "call"):
                found[id(one)] = one
                waiting.append(one)
    return list(found.values())


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Restore everything afterwards: weights, seeds, batch statistics, optimizer, metrics and random streams."""
    optimizer = getattr(model, "optimizer", None)
    variables = [
        *model.variables,
        *getattr(model, "metrics_variables", ()),
        *(optimizer.variables if optimizer else ()),
    ]
    values = [np.array(keras.ops.convert_to_numpy(variable), copy=True) for variable in variables]
    generator = global_seed_generator()
    seed = None if generator is None else np.array(keras.ops.convert_to_numpy(generator.state), copy=True)
    python, numpy, torch = random.getstate(), np.random.get_state(), _torch()
    stream = None if torch is None else torch.get_rng_state()
    losses = {id(layer): list(added_losses(layer)) for layer in operations_of(model)}
    try:
        yield
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        set_global_seed_generator(generator)
        if generator is not None:
            generator.state.assign(seed)
        random.setstate(python)
        np.random.set_state(numpy)
        if torch is not None:
            torch.set_rng_state(stream)
        for layer in operations_of(model):
            if id(layer) in losses:
                added_losses(layer)[:] = losses[id(layer)]


def to_array(tensor: Any) -> NDArray[Any]:
    """Return a tensor as an array of the same dtype."""
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def is_float(tensor: Any) -> bool:
    """Return whether a tensor holds floating-point numbers."""
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def _has_values(tensor: Any) -> bool:
    """Return whether a tensor holds numbers now, and is not a placeholder during compilation."""
    if keras.backend.backend() == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    return keras.backend.backend() != "tensorflow" or not keras.ops.is_tensor(tensor) or hasattr(tensor, "numpy")


def _torch() -> Any:
    if keras.backend.backend() != "torch":
        return None
    import torch

    return torch


@contextmanager
def _calls_replaced(makers: dict[Any, Callable[[Any, Callable[..., Any]], Callable[..., Any]]]) -> Iterator[None]:
    """Replace the `call` of each layer, which Keras looks up at every use."""
    before = {}
    for layer, maker in makers.items():
        before[layer] = layer.__dict__.get("call")
        object.__setattr__(layer, "call", maker(layer, layer.call))
    try:
        yield
    finally:
        for layer, own in before.items():
            if own is None:
                object.__delattr__(layer, "call")
            else:
                object.__setattr__(layer, "call", own)
