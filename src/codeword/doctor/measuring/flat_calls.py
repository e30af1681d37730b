"""Calls that block the gradient: their values stay identical when their input changes a little."""

import dis
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.inference.output_source import activation_name, snake_case
from codeword.inference.recording import Call, is_float, to_array

# Operations whose derivative is 0 wherever it exists, by the names of Keras, NumPy and the backends.
_NAMES = """
argmax argmin argsort round rint around sign floor ceil trunc fix one_hot to_categorical greater greater_equal less
less_equal equal not_equal heaviside digitize searchsorted floor_divide cast astype stop_gradient detach top_k in_top_k
histogram bincount logical_and logical_or logical_not
"""
FLAT_OPERATIONS = frozenset(_NAMES.split())
_BACK_TO_NUMBERS = frozenset({"cast", "astype", "one_hot"})
_UNMOVED = 0.9


@dataclass(frozen=True)
class FlatCall:
    """A call whose values stay identical when its input changes a little.

    Attributes:
        call: The call.
        operation: Name of the flat operation, such as "argmax", if it is known.
        share: Share of the values that stayed identical.
    """

    call: Call
    operation: str | None
    share: float


def flat_calls(calls: Sequence[Call], unmoved_weights: Iterable[Any]) -> list[FlatCall]:
    """Follow the outputs of the layers without gradient and return the flat calls on the way, named ones first."""
    unmoved = {id(weight) for weight in unmoved_weights}
    reached: set[int] = set()
    found = []
    for call in calls:
        if hasattr(call.layer, "layers"):
            continue
        own = any(id(weight) in unmoved for weight in getattr(call.layer, "trainable_variables", ()))
        if not own and not any(id(tensor) in reached for tensor in call.inputs):
            continue
        reached |= {id(tensor) for tensor in call.outputs}
        operation, share = _operation_in(call.layer), _share_unmoved(call)
        if (share > _UNMOVED and (operation or _has_several_values(call))) or operation == "stop_gradient":
            found.append(FlatCall(call, operation, share))
    return sorted(found, key=lambda flat: flat.operation is None)


def is_relu(layer: Any) -> bool:
    """Return whether a layer ends in a ReLU."""
    return type(layer).__name__ == "ReLU" or activation_name(getattr(layer, "activation", 0)) == "relu"


def _has_several_values(call: Call) -> bool:
    """Return whether a call returns more than one value; a layer of zeros returns one."""
    values = to_array(call.outputs[0])
    return not is_relu(call.layer) and bool((values != values.reshape(-1)[:1]).any())


def _share_unmoved(call: Call) -> float:
    """Repeat a call on slightly changed inputs and return the share of values that stayed identical."""
    rng = np.random.default_rng(0)

    def moved(one: Any) -> Any:
        if not keras.ops.is_tensor(one) or not is_float(one):
            return one
        array = to_array(keras.ops.cast(one, "float32"))
        step = 1e-4 * (float(array.std()) or 1.0) * rng.standard_normal(array.shape)
        return keras.ops.cast(keras.ops.convert_to_tensor((array + step).astype(np.float32)), one.dtype)

    try:
        arguments, keywords = keras.tree.map_structure(moved, (call.arguments, call.keywords))
        again = keras.tree.flatten(call.layer.call(*arguments, **keywords))
    except Exception:  # a call that cannot be repeated shows nothing
        return 0.0
    same = total = 0
    for before, after in zip(call.outputs, again, strict=False):
        if keras.ops.is_tensor(before) and tuple(before.shape) == tuple(after.shape):
            equal = to_array(keras.ops.equal(before, after))
            same, total = same + int(equal.sum()), total + equal.size
    return same / total if total else 0.0


def _operation_in(layer: Any) -> str | None:
    """Return the name of the flat operation in a layer, its activation or its code; None if there is none."""
    kind = snake_case(type(layer).__name__)
    if kind in FLAT_OPERATIONS:
        return kind
    for function in (getattr(layer, "function", None), getattr(layer, "activation", None)):
        name = getattr(function, "__name__", None)
        if name in FLAT_OPERATIONS:
            return str(name)
        if function is not None and activation_name(function) is None and (inner := _operation_in_code(function)):
            return inner
    own = type(layer).__module__.startswith(("keras.", "codeword."))
    return None if own else _operation_in_code(type(layer).call)


def _operation_in_code(function: Any) -> str | None:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return None
    for name in code.co_names:
        if name in FLAT_OPERATIONS - _BACK_TO_NUMBERS:
            return str(name)
    if any(step.opname == "COMPARE_OP" for step in dis.get_instructions(code)):
        return "comparison"
    return next((str(name) for name in code.co_names if name in FLAT_OPERATIONS), None)
