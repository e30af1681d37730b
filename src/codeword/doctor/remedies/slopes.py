"""Steps inside a model: where the gradient ends, and which function has the same values and a surrogate gradient."""

import dis
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword import activations, layers
from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.measuring.output_ranges import activation_name, snake_case
from codeword.doctor.measuring.recording import Call

# Operations whose derivative is 0 wherever it exists, by the names of Keras, NumPy and the backends.
_NAMES = """
argmax argmin argsort round rint around sign floor ceil trunc fix one_hot to_categorical greater greater_equal less
less_equal equal not_equal heaviside digitize searchsorted floor_divide cast astype stop_gradient detach top_k in_top_k
histogram bincount logical_and logical_or logical_not
"""
STEPS = frozenset(_NAMES.split())
MAX_STAIRS = 64
_UNMOVED = 0.9


@dataclass(frozen=True)
class Step:
    """A call whose values stay identical when its input changes a little.

    Attributes:
        call: The call.
        operation: Name of the step, such as "argmax", if it is known.
        share: Share of the values that stayed identical.
    """

    call: Call
    operation: str | None
    share: float


@dataclass(frozen=True)
class Place:
    """What replaces a step.

    Attributes:
        change: A layer of codeword, or the new activation of a layer.
        python: The same as Python.
        first: First call of the chain that it replaces, such as argmax.
        last: Last call of that chain, such as one_hot.
        between: All calls of the chain but the last.
    """

    change: Any
    python: str
    first: Call
    last: Call
    between: tuple[Call, ...] = ()


def stopping_steps(case: Case) -> list[Step]:
    """Follow the outputs of the layers without gradient and return the steps on the way, those with a name first."""
    stopped = {id(weight) for weight in case.unmoved_weights}
    reached: set[int] = set()
    steps = []
    for call in case.run.calls:
        if hasattr(call.layer, "layers"):
            continue
        own = any(id(weight) in stopped for weight in getattr(call.layer, "trainable_variables", ()))
        if not own and not any(id(tensor) in reached for tensor in call.inputs):
            continue
        reached |= {id(tensor) for tensor in call.outputs}
        operation, share = _step_in(call.layer), _share_unmoved(call)
        if (share > _UNMOVED and (operation or _has_stairs(call))) or operation == "stop_gradient":
            steps.append(Step(call, operation, share))
    return sorted(steps, key=lambda step: step.operation is None)


def with_slope(case: Case, first: Call) -> Place | None:
    """Return what has identical values and a surrogate gradient; None if codeword has nothing like it."""
    chain = [first]
    while not _is_float(chain[-1].outputs[0]):  # argmax returns integers, which one_hot consumes
        after = next((call for call in case.run.calls if any(t is chain[-1].outputs[0] for t in call.inputs)), None)
        if after is None:
            return None
        chain.append(after)
    wanted = _array(chain[-1].outputs[0])
    if hasattr(first.layer, "activation") and len(chain) == 1:
        found = _same_activation(first, wanted)
    else:
        found = next((pair for pair in _layers_like(first, wanted) if _gives(pair[0], first.inputs[0], wanted)), None)
    return None if found is None else Place(*found, first, chain[-1], tuple(chain[:-1]))


def is_relu(layer: Any) -> bool:
    """Return whether a layer ends in a ReLU."""
    return type(layer).__name__ == "ReLU" or activation_name(getattr(layer, "activation", 0)) == "relu"


def _has_stairs(call: Call) -> bool:
    """Return whether a call returns more than one value, as a step does; a layer of zeros returns one."""
    values = _array(call.outputs[0])
    return not is_relu(call.layer) and bool((values != values.reshape(-1)[:1]).any())


def _share_unmoved(call: Call) -> float:
    """Repeat a call on slightly changed inputs and return the share of values that stayed identical."""
    rng = np.random.default_rng(0)

    def moved(one: Any) -> Any:
        if not keras.ops.is_tensor(one) or not _is_float(one):
            return one
        array = _array(keras.ops.cast(one, "float32"))
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
            equal = _array(keras.ops.equal(before, after))
            same, total = same + int(equal.sum()), total + equal.size
    return same / total if total else 0.0


def _step_in(layer: Any) -> str | None:
    """Return the name of the step in an operation, an activation or the code of a layer; None if there is none."""
    kind = snake_case(type(layer).__name__)
    if kind in STEPS:
        return kind
    for function in (getattr(layer, "function", None), getattr(layer, "activation", None)):
        name = getattr(function, "__name__", None)
        if name in STEPS:
            return str(name)
        if function is not None and activation_name(function) is None and (inner := _step_in_code(function)):
            return inner
    own = type(layer).__module__.startswith(("keras.", "codeword."))
    return None if own else _step_in_code(type(layer).call)


def _step_in_code(function: Any) -> str | None:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return None
    follow = {"cast", "astype", "one_hot"}  # these turn a step into numbers again
    for name in code.co_names:
        if name in STEPS - follow:
            return str(name)
    if any(step.opname == "COMPARE_OP" for step in dis.get_instructions(code)):
        return "comparison"
    return next((str(name) for name in code.co_names if name in STEPS), None)


def _layers_like(first: Call, wanted: NDArray[Any]) -> list[tuple[Any, str]]:
    """Return the layers that may equal a step, and their Python."""
    found: list[tuple[Any, str]] = [
        (layers.Hardmax(), "cw.layers.Hardmax()"),
        (layers.SignBits(), "cw.layers.SignBits()"),
    ]
    found += [(layers.Step(number), f"cw.layers.Step({number:g})") for number in _numbers_in(first)]
    for levels, edges in _stairs(wanted):
        found.append(
            (layers.Staircase(levels, edges=edges), f'cw.layers.Staircase({_written(levels)}, edges="{edges}")')
        )
    return found


def _same_activation(call: Call, wanted: NDArray[Any]) -> tuple[Any, str] | None:
    found: list[tuple[Any, str]] = [
        (activations.hardmax, "cw.activations.hardmax"),
        (activations.sign, "cw.activations.sign"),
        (activations.step, "cw.activations.step"),
    ]
    for levels, edges in _stairs(wanted):
        written = f'cw.activations.staircase({_written(levels)}, edges="{edges}")'
        found.append((activations.staircase(levels, edges=edges), written))
    before = call.layer.activation
    try:
        for change, written in found:
            call.layer.activation = change
            if _gives(lambda _: call.layer.call(*call.arguments, **call.keywords), None, wanted):
                return change, written
    finally:
        call.layer.activation = before
    return None


def _stairs(wanted: NDArray[Any]) -> list[tuple[list[float], str]]:
    distinct = np.unique(wanted)
    few = 2 <= len(distinct) <= MAX_STAIRS and bool(np.isfinite(distinct).all())
    return [([float(level) for level in distinct], edges) for edges in ("midpoint", "floor")] if few else []


def _numbers_in(call: Call) -> list[float]:
    """Return the numbers that a comparison may use: its arguments, those in its code, 0 and 0.5."""
    code = getattr(getattr(call.layer, "function", None), "__code__", None)
    named = [*call.arguments, *call.keywords.values(), *vars(call.layer).values(), *(code.co_consts if code else ())]
    tensors = [float(_array(one).reshape(-1)[0]) for one in call.inputs[1:] if _array(one).size == 1]
    plain = [float(one) for one in named if isinstance(one, int | float) and not isinstance(one, bool)]
    return list(dict.fromkeys([*tensors, *plain, 0.0, 0.5]))


def _gives(change: Any, given: Any, wanted: NDArray[Any]) -> bool:
    try:
        values = _array(change(given))
    except Exception:  # a candidate that does not fit
        return False
    return values.shape == wanted.shape and bool((values == wanted).all())


def _written(levels: list[float]) -> str:
    return f"[{', '.join(f'{level:.9g}' for level in levels)}]"


def _is_float(tensor: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def _array(tensor: Any) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(tensor))
