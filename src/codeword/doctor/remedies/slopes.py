"""Which function of codeword has the values of a flat call and a surrogate gradient."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword import activations, layers
from codeword.doctor.case import Case
from codeword.doctor.measuring.flat_calls import FlatCall, flat_calls
from codeword.doctor.remedies.heads import written
from codeword.inference.recording import Call, is_float, to_array

MAX_STAIRS = 64


@dataclass(frozen=True)
class Place:
    """What replaces a flat call.

    Attributes:
        change: A layer of codeword, or the new activation of a layer.
        python: The same as Python.
        chain: The calls that it replaces, such as argmax and one_hot.
    """

    change: Any
    python: str
    chain: list[Call]


def flat_calls_of(case: Case) -> list[FlatCall]:
    """Return the calls that block the gradient of a model."""
    return flat_calls(case.run.calls, case.unmoved_weights)


def with_slope(case: Case, first: Call) -> Place | None:
    """Return what has identical values and a surrogate gradient; None if codeword has nothing like it."""
    chain = [first]
    while not is_float(chain[-1].outputs[0]):  # argmax returns integers, which one_hot consumes
        after = next((call for call in case.run.calls if any(t is chain[-1].outputs[0] for t in call.inputs)), None)
        if after is None:
            return None
        chain.append(after)
    wanted = to_array(chain[-1].outputs[0])
    if hasattr(first.layer, "activation") and len(chain) == 1:
        found = _same_activation(first, wanted)
    else:
        found = next((pair for pair in _layers_like(first, wanted) if _equals(pair[0], first.inputs[0], wanted)), None)
    return None if found is None else Place(*found, chain)


def _layers_like(first: Call, wanted: NDArray[Any]) -> list[tuple[Any, str]]:
    """Return the layers that may equal a flat call, and their Python."""
    found: list[tuple[Any, str]] = [(layers.Hardmax(), "Hardmax()"), (layers.SignBits(), "SignBits()")]
    found += [(layers.Step(number), f"Step({number:g})") for number in _numbers_in(first)]
    found += [(layers.Staircase(levels, edges=edges), f"Staircase({text})") for levels, edges, text in _stairs(wanted)]
    return [(layer, f"cw.layers.{python}") for layer, python in found]


def _same_activation(call: Call, wanted: NDArray[Any]) -> tuple[Any, str] | None:
    """Return the activation with which a layer returns the same values, and its Python; None if there is none."""
    found: list[tuple[Any, str]] = [(getattr(activations, name), name) for name in ("hardmax", "sign", "step")]
    stairs = activations.staircase
    found += [(stairs(levels, edges=edges), f"staircase({text})") for levels, edges, text in _stairs(wanted)]
    before = call.layer.activation
    try:
        for change, python in found:
            call.layer.activation = change
            if _equals(lambda _: call.layer.call(*call.arguments, **call.keywords), None, wanted):
                return change, f"cw.activations.{python}"
    finally:
        call.layer.activation = before
    return None


def _stairs(wanted: NDArray[Any]) -> list[tuple[list[float], str, str]]:
    """Return the levels and edges of staircases with these values, and their arguments as Python."""
    distinct = np.unique(wanted)
    if not (2 <= len(distinct) <= MAX_STAIRS and np.isfinite(distinct).all()):
        return []
    shown = written(distinct)
    return [(distinct.astype(float).tolist(), edges, f'{shown}, edges="{edges}"') for edges in ("midpoint", "floor")]


def _numbers_in(call: Call) -> list[float]:
    """Return the numbers that a comparison may use: its arguments, those in its code, 0 and 0.5."""
    code = getattr(getattr(call.layer, "function", None), "__code__", None)
    named = [*call.arguments, *call.keywords.values(), *vars(call.layer).values(), *(code.co_consts if code else ())]
    tensors = [float(to_array(one).reshape(-1)[0]) for one in call.inputs[1:] if to_array(one).size == 1]
    plain = [float(one) for one in named if isinstance(one, int | float) and not isinstance(one, bool)]
    return list(dict.fromkeys([*tensors, *plain, 0.0, 0.5]))


def _equals(change: Any, given: Any, wanted: NDArray[Any]) -> bool:
    try:
        values = to_array(change(given))
    except Exception:  # a candidate that does not fit
        return False
    return values.shape == wanted.shape and bool((values == wanted).all())
