"""Record the calls inside a Keras model, and leave the model unchanged."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.keras_internals import (
    added_losses,
    global_seed_generator,
    inner_layers,
    set_global_seed_generator,
    takes_training,
)


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
                inputs = tuple(filter(keras.ops.is_tensor, keras.tree.flatten((arguments, keywords))))
                calls.append(Call(layer, arguments, keywords, inputs, outputs))
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


def call_model(model: Any, x: Any) -> Any:
    """Call a model in inference mode."""
    torch = torch_or_none()
    with torch.no_grad() if torch else nullcontext():
        return model(x, training=False) if takes_training(model) else model(x)


def operations_of(model: Any) -> list[Any]:
    """Return all layers inside a model, nested ones included, and the operations of functional graphs, each once."""
    found: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        for one in [*inner_layers(layer), *(getattr(layer, "operations", None) or ())]:
            if id(one) not in found and one is not model and hasattr(one, "call"):
                found[id(one)] = one
                waiting.append(one)
    return list(found.values())


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Restore everything afterwards: weights, seeds, batch statistics, optimizer, metrics and random streams."""
    optimizer, generator = getattr(model, "optimizer", None), global_seed_generator()
    variables = [*model.variables, *getattr(model, "metrics_variables", ())]
    variables += [*(optimizer.variables if optimizer else ()), *([] if generator is None else [generator.state])]
    values = copies_of(variables)
    python, numpy, torch = random.getstate(), np.random.get_state(), torch_or_none()
    stream = torch.get_rng_state() if torch else None
    losses = {id(layer): list(added_losses(layer)) for layer in operations_of(model)}
    try:
        yield
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        set_global_seed_generator(generator)
        random.setstate(python)
        np.random.set_state(numpy)
        if torch:
            torch.set_rng_state(stream)
        for layer in operations_of(model):
            if id(layer) in losses:
                added_losses(layer)[:] = losses[id(layer)]


def copies_of(variables: list[Any]) -> list[NDArray[Any]]:
    """Return the values of variables now."""
    return [np.array(keras.ops.convert_to_numpy(variable), copy=True) for variable in variables]


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


def torch_or_none() -> Any:
    """Return the module `torch` if it is the backend."""
    if keras.backend.backend() != "torch":
        return None
    import torch

    return torch


@contextmanager
def _calls_replaced(makers: dict[Any, Callable[[Any, Callable[..., Any]], Callable[..., Any]]]) -> Iterator[None]:
    """Replace the `call` of each layer, which Keras looks up at every use."""
    before = {layer: vars(layer).get("call") for layer in makers}
    for layer, maker in makers.items():
        vars(layer)["call"] = maker(layer, layer.call)
    try:
        yield
    finally:
        for layer, own in before.items():
            if own is None:
                del vars(layer)["call"]
            else:
                vars(layer)["call"] = own
