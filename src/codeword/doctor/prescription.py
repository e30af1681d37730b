"""What would put a model right: scaling, output activation and loss, as lines to paste and to rebuild it by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import ValueScan
from codeword.backend import keras
from codeword.data_kinds.heads import GivenOutput, Head, choose_head, sums_to_one
from codeword.data_kinds.inference import num_classes
from codeword.data_kinds.scaling import Scaling, is_unscaled
from codeword.doctor.case import Case
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.measuring.output_facts import OutputFacts


def scaling_of(scan: ValueScan) -> Scaling:
    """Return the scaling that the table of heads has for numbers."""
    return choose_head(scan, GivenOutput()).scaling


_SCALES_ITSELF = frozenset(
    ["Embedding", "Normalization", "Rescaling", "Discretization", "Hashing", "IntegerLookup", "CategoryEncoding"]
)


def scaling_of_input(case: Case, number: int) -> Scaling:
    """Return the scaling of what enters; none if the model looks numbers up or scales them itself."""
    array = case.x.arrays[number]
    if case.same and number < len(case.targets) and case.targets[number] is not None:
        return head_of(case, number).scaling
    given = array.rows(case.sample[:32])
    for call in case.calls:
        kinds = {type(call.layer).__name__, type(getattr(call.layer, "layer", None)).__name__}
        if kinds.intersection(_SCALES_ITSELF) and any(_holds(tensor, given) for tensor in call.inputs):
            return Scaling()
    return scaling_of(array.scan) if is_unscaled(array.scan) else Scaling()


def _holds(tensor: Any, given: NDArray[Any]) -> bool:
    """Says whether a tensor holds the input's rows, or single columns of them."""
    rows = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor[: len(given)], "float32")))
    return len(rows) == len(given) and bool(np.isin(rows, given.astype(np.float32)).all())


def head_of(case: Case, number: int) -> Head:
    """Return the head of an output; the table of heads keeps what is right already."""
    target = case.targets[number]
    assert target is not None
    return choose_head(target.scan, given_output(case, number))


def given_output(case: Case, number: int) -> GivenOutput:
    """Return what an output has already."""
    out = case.outputs[number]
    loss = out.loss
    return GivenOutput(
        activation=out.activation,
        is_probability=out.is_probability,
        loss=None if loss is None else loss.name,
        loss_kind=None if loss is None else loss.kind,
        missing=case.missing(number),
        num_classes=label_classes(case, number),
        is_reconstruction=case.same,
    )


def head_lines(case: Case, number: int, *, scale: bool = True) -> str:
    """Writes what puts an output right: scaling where it is needed, activation and loss where they change."""
    out, target = case.outputs[number], case.targets[number]
    assert target is not None
    head = head_of(case, number)
    lines = scaling_lines(case) if scale and head.missing is None else []
    if head.levels or out.activation != head.activation:
        lines.append(activation_line(case, out, head))
    lines.append(compile_line(case, number, head))
    return "\n".join(lines)


def scaling_lines(case: Case) -> list[str]:
    """Writes the scaling of what enters and, where they are numbers, of the targets."""
    lines = []
    for number, array in enumerate(case.x.arrays):
        if hasattr(array.values, "tocsr") and not scaling_of_input(case, number).is_identity:
            lines.append(f"{array.name} = {array.name}.toarray()")
        lines += scaling_of_input(case, number).lines(array.name)
    if not case.same:
        for number, array_of in enumerate(case.targets):
            if array_of is not None and not is_classes(case, number):
                lines += scaling_of(array_of.scan).lines(array_of.name)
    return lines


def activation_line(case: Case, out: OutputFacts, head: Head) -> str:
    """Return Python that sets the activation of an output's layer."""
    path = None if out.layer is None else path_of(case.model, out.layer)
    if path is None or "activation" not in vars(out.layer):  # the activation of an LSTM belongs to its cell
        return (
            f'# let the last layer have activation="{head.activation}" instead of {out.activation or "its own"}, or:\n'
            + REBUILD
        )
    return f"{path}.activation = {activation_code(head)}"


def activation_code(head: Head) -> str:
    """Return Python of a head's activation."""
    if head.levels:
        return f"cw.activations.staircase([{', '.join(f'{level:.9g}' for level in head.levels)}])"
    return f"keras.activations.{head.activation}"


REBUILD = "model, scaling = cw.examine(model, x, y).remedied()"


def compile_line(case: Case, number: int, head: Head) -> str:
    """Writes `compile` with the loss of one output changed."""
    if len(case.outputs) == 1 or head.keeps_loss:
        loss = head.loss_code
    else:
        name = case.outputs[number].name
        loss = f'{{**model.loss, "{name}": {head.loss_code}}}'
        if not isinstance(case.model.loss, dict):
            loss = f"[*model.loss[:{number}], {head.loss_code}, *model.loss[{number + 1}:]]"
            if not isinstance(case.model.loss, list | tuple):
                loss = f"[*[model.loss] * {number}, {head.loss_code}, *[model.loss] * {len(case.outputs) - number - 1}]"
    return f"model.compile(optimizer=model.optimizer, loss={loss})"


def compile_with(case: Case, number: int, loss: str) -> str:
    """Writes `compile` with a loss given as Python."""
    line = compile_line(case, number, head_of(case, number))
    return line.replace(head_of(case, number).loss_code, loss, 1)


def path_of(model: Any, layer: Any) -> str | None:
    """Writes how one gets a layer from `model`, through models inside models; None if one cannot."""
    for one in getattr(model, "layers", ()):
        if one is layer:
            return f'model.get_layer("{layer.name}")'
    for one in getattr(model, "layers", ()):
        if hasattr(one, "get_layer") and (inner := path_of(one, layer)) is not None:
            return f'model.get_layer("{one.name}"){inner.removeprefix("model")}'
    return None


def is_distributions(target: Array) -> bool:
    """Return whether the last axis of targets sums to 1 nearly everywhere."""
    return sums_to_one(target.scan)


def same_cells(case: Case, number: int) -> bool:
    """Says whether an output has a value for each cell of its targets; a last axis of 1 does not count."""
    target = case.targets[number]
    assert target is not None
    return _without_ones(target.scan.shape[1:]) == _without_ones(case.predictions[number].shape[1:])


def is_classes(case: Case, number: int) -> bool:
    """Says whether an output's targets name classes."""
    facts, target = case.outputs[number].loss, case.targets[number]
    assert target is not None
    sparse = facts is not None and facts.kind == "sparse"
    return sparse or label_classes(case, number) is not None or (not case.same and is_distributions(target))


def label_classes(case: Case, number: int) -> int | None:
    """Gives the number of classes, if the targets are one column that counts them from 0 or 1; else None."""
    target, values = case.targets[number], case.predictions[number]
    if case.same or target is None:
        return None
    scan = target.scan
    if int(np.prod(scan.shape[1:])) != 1 or not scan.whole or scan.num_finite < scan.num_cells or scan.minimum < 0:
        return None
    width = int(np.prod(values.shape[1:]))
    if width > 1 and 0 < scan.maximum < width:
        return width
    return num_classes(scan, first=(0, 1)) if width == 1 and scan.dtype.kind in "iu" else None


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape
