"""Lines to paste that fix an output: scaling, activation and loss."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.data_kinds.heads import GivenOutput, Head, choose_head
from codeword.data_kinds.scaling import Scaling, is_unscaled
from codeword.doctor.case import Case
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.measuring.run import as_float32
from codeword.doctor.output import Output

REBUILD = "model, scaling = cw.examine(model, x, y).remedied()"
_SCALES_ITSELF = frozenset(
    ["Embedding", "Normalization", "Rescaling", "Discretization", "Hashing", "IntegerLookup", "CategoryEncoding"]
)


def head_lines(case: Case, out: Output, *, scale: bool = True) -> str:
    """Return Python that fixes an output: scaling where it is needed, activation and loss where they change."""
    lines = scaling_lines(case, out) if scale and out.head.missing is None else []
    if out.head.levels or out.activation != out.head.activation:
        lines.append(activation_line(out, out.head))
    return "\n".join([*lines, compile_line(out, out.head.loss_code)])


def scaling_lines(case: Case, fixed: Output | None = None) -> list[str]:
    """Return Python that scales inputs and targets far from unit size; one output may get the scaling of its head."""
    lines = []
    for number, array in enumerate(case.run.x.arrays):
        scaling = scaling_of_input(case, number)
        if hasattr(array.values, "tocsr") and not scaling.is_identity:
            lines.append(f"{array.name} = {array.name}.toarray()")
        lines += scaling.lines(array.name)
    if not case.run.is_reconstruction:
        for out in case.targeted:
            scaling = out.head.scaling if out is fixed else scaling_of_target(out)
            lines += scaling.lines(out.target.name)
    return lines


def _scaling_of(array: Array) -> Scaling:
    """Return the scaling that the table of heads has for numbers far from unit size."""
    return choose_head(array.scan, GivenOutput()).scaling if is_unscaled(array.scan) else Scaling()


def scaling_of_target(out: Output) -> Scaling:
    """Return the scaling of targets that are amounts far from unit size; none for others."""
    return Scaling() if out.is_classes else _scaling_of(out.target)


def scaling_of_input(case: Case, number: int) -> Scaling:
    """Return the scaling of an input; none if the model looks numbers up or scales them itself."""
    run, array = case.run, case.run.x.arrays[number]
    if run.is_reconstruction and number < len(case.outputs):
        return case.outputs[number].head.scaling
    given = array.rows(run.rows[:32])
    for call in run.calls:
        kinds = {type(call.layer).__name__, type(getattr(call.layer, "layer", None)).__name__}
        if kinds & _SCALES_ITSELF and any(_holds(tensor, given) for tensor in call.inputs):
            return Scaling()
    return _scaling_of(array)


def _holds(tensor: Any, given: NDArray[Any]) -> bool:
    """Return whether a tensor holds the rows of an input, or single columns of them."""
    rows = as_float32(tensor[: len(given)])
    return len(rows) == len(given) and bool(np.isin(rows, given.astype(np.float32)).all())


def activation_line(out: Output, head: Head) -> str:
    """Return Python that sets the activation of the layer of an output."""
    path = path_to_activation(out)
    if path is None:
        before = out.activation or "its own"
        return f'# give the last layer activation="{head.activation}" instead of {before}, or:\n{REBUILD}'
    if head.levels:
        return f"{path} = cw.activations.staircase({written(head.levels)})  # returns only these values"
    return f"{path} = keras.activations.{head.activation}"


def written(levels: Iterable[float]) -> str:
    """Return levels as Python."""
    return f"[{', '.join(f'{level:.9g}' for level in levels)}]"


def compile_line(out: Output, loss: str) -> str:
    """Return Python that compiles the model with a new loss for one output; "model.loss" keeps all losses."""
    count, number = len(out.run.predictions), out.number
    if count > 1 and loss != "model.loss":
        given = out.run.model.loss
        if isinstance(given, dict):
            loss = f'{{**model.loss, "{out.name}": {loss}}}'
        elif isinstance(given, list | tuple):
            loss = f"[*model.loss[:{number}], {loss}, *model.loss[{number + 1}:]]"
        else:
            loss = f"[*[model.loss] * {number}, {loss}, *[model.loss] * {count - number - 1}]"
    return f"model.compile(optimizer=model.optimizer, loss={loss})"


def path_to_activation(out: Output) -> str | None:
    """Return Python of the activation of an output's layer; None if it cannot be set there, as in an LSTM."""
    path = None if out.source.layer is None else path_of(out.run.model, out.source.layer)
    return f"{path}.activation" if path and "activation" in vars(out.source.layer) else None


def path_of(model: Any, layer: Any) -> str | None:
    """Return Python that gets a layer from `model`, through nested models; None if that is impossible."""
    if any(one is layer for one in getattr(model, "layers", ())):
        return f'model.get_layer("{layer.name}")'
    for one in getattr(model, "layers", ()):
        if hasattr(one, "get_layer") and (inner := path_of(one, layer)) is not None:
            return f'model.get_layer("{one.name}"){inner.removeprefix("model")}'
    return None
