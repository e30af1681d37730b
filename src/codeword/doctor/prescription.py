"""What would put a model right: scaling, output activation and loss, as lines to paste and to rebuild it by."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import ValueScan
from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.measuring.given_data import Array, is_several
from codeword.doctor.measuring.output_facts import OutputFacts


@dataclass(frozen=True)
class Scaling:
    """Takes numbers to about unit size: `(x - shift) / factor`; `inverse` takes them back.

    Attributes:
        shift, factor: A number, or one a column of a row's shape.
    """

    shift: Any = 0.0
    factor: Any = 1.0

    def __call__(self, x: Any) -> NDArray[np.float32]:
        """Scales rows, shape `(n, ...)`, any numeric dtype; gives float32."""
        if self.is_identity and (isinstance(x, dict) or is_several(x)):
            return x
        wide = np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float64)
        return ((wide - self.shift) / self.factor).astype(np.float32)

    def inverse(self, x: Any) -> NDArray[np.float64]:
        """Takes scaled rows back; gives float64."""
        return np.asarray(x, np.float64) * self.factor + self.shift

    @property
    def is_identity(self) -> bool:
        return np.ndim(self.shift) == np.ndim(self.factor) == 0 and (self.shift, self.factor) == (0, 1)

    def lines(self, name: str) -> list[str]:
        """Writes it as Python for the array of that name."""
        if self.is_identity:
            return []
        if np.ndim(self.factor) == 0:
            shifted = name if self.shift == 0 else f"({name} - {self.shift:g})"
            return [f"{name} = ({shifted} / {self.factor:g}).astype('float32')".replace("'", '"')]
        return [
            f"mean, spread = {name}.mean(axis=0), {name}.std(axis=0)",
            f'{name} = (({name} - mean) / np.where(spread > 0, spread, 1)).astype("float32")',
        ]


@dataclass(frozen=True)
class Head:
    """Activation and loss that fit the targets of an output, once they are scaled.

    Attributes:
        activation: Keras' name of it.
        loss: Keras' name of the loss.
        from_logits: Whether the loss takes logits.
        missing: The value that stands for a missing entry; None for none.
        keeps_loss: Whether the loss that the model has is right, such as one of the user's own.
    """

    activation: str
    loss: str
    from_logits: bool = False
    missing: float | None = None
    keeps_loss: bool = False

    @property
    def loss_code(self) -> str:
        """The loss as Python."""
        if self.keeps_loss:
            return "model.loss"
        if self.missing is not None:
            shown = 'float("nan")' if math.isnan(self.missing) else f"{self.missing:g}"
            return f'cw.losses.Masked("{self.loss}", missing={shown})'
        if self.from_logits:
            return f"keras.losses.{CLASSES[self.loss]}(from_logits=True)"
        return f'"{self.loss}"'


CLASSES = {
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}


def scaling_of(scan: ValueScan) -> Scaling:
    """Chooses the scaling of real numbers: none within ±1 or about unit size, brightness by 255, else by column."""
    if scan.minimum >= -1e-6 and scan.maximum <= 1 + 1e-6 and not is_unscaled(scan):
        return Scaling()
    if scan.minimum >= 0 and scan.maximum <= 255 and scan.whole and scan.maximum > 16:
        return Scaling(factor=255.0)
    if not is_unscaled(scan):
        return Scaling()
    spread = np.where(scan.column_std > 0, scan.column_std, 1.0)
    shape = scan.shape[1:]
    return Scaling(scan.column_mean.reshape(shape), spread.reshape(shape))


_SCALES_ITSELF = frozenset(
    ["Embedding", "Normalization", "Rescaling", "Discretization", "Hashing", "IntegerLookup", "CategoryEncoding"]
)


def scaling_of_input(case: Case, number: int) -> Scaling:
    """Gives the scaling of what enters; none where the model looks numbers up or scales them itself."""
    array = case.x.arrays[number]
    if not case.same:
        given = array.rows(case.sample[:32])
        for call in case.calls:
            kinds = {type(call.layer).__name__, type(getattr(call.layer, "layer", None)).__name__}
            if kinds.intersection(_SCALES_ITSELF) and any(_holds(tensor, given) for tensor in call.inputs):
                return Scaling()
    return scaling_of(array.scan)


def _holds(tensor: Any, given: NDArray[Any]) -> bool:
    """Says whether a tensor holds the input's rows, or single columns of them."""
    rows = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor[: len(given)], "float32")))
    return len(rows) == len(given) and bool(np.isin(rows, given.astype(np.float32)).all())


def is_unscaled(scan: ValueScan) -> bool:
    """Says whether values are far from unit size: as a whole, or in single columns."""
    largest = np.nanmax(np.hypot(scan.column_mean, scan.column_std))
    return bool(scan.rms > 5 or largest > 20 or 0 < scan.rms < 1e-3)


def head_of(case: Case, number: int) -> Head:
    """Chooses the head of an output; what is already right stays, so also a cross-entropy that the data allows."""
    out, target = case.outputs[number], case.targets[number]
    assert target is not None
    facts, missing = out.loss, case.missing(number)
    if missing is not None:
        given = facts.name if facts is not None and facts.masked and facts.kind == "distance" else None
        return Head("linear", _short(given), missing=missing)
    labels = label_classes(case, number)
    if labels is not None or (facts is not None and facts.kind == "sparse"):
        return _classes(out, "sparse_categorical_crossentropy")
    if is_distributions(target) and (facts is None or facts.kind != "binary" or out.activation == "softmax"):
        return _classes(out, "categorical_crossentropy")
    scan = target.scan
    scaling = scaling_of(scan)
    low, high = scan.minimum / _one(scaling), scan.maximum / _one(scaling)
    if np.ndim(scaling.factor) == 0 and low >= -1e-6 and high <= 1 + 1e-6:
        cross_entropy = facts is not None and facts.kind in ("binary", "categorical")
        if cross_entropy and facts is not None and facts.from_logits and out.activation == "linear":
            return Head("linear", "binary_crossentropy", from_logits=True)
        if cross_entropy and out.activation == "linear":
            return Head("linear", "binary_crossentropy", from_logits=True)
        binary = scan.distinct is not None and set(scan.distinct) <= {0.0, 1.0}
        own = facts.name if facts is not None and facts.kind == "distance" and facts.name else None
        loss = "binary_crossentropy" if cross_entropy or (binary and own is None) else _short(own)
        return Head("sigmoid", loss, keeps_loss=facts is not None and facts.kind in ("own", "levels"))
    loss = _short(facts.name if facts is not None and facts.kind == "distance" else None)
    return Head("linear", loss, keeps_loss=facts is not None and facts.kind in ("own", "levels"))


def head_lines(case: Case, number: int, *, scale: bool = True) -> str:
    """Writes what puts an output right: scaling where it is needed, activation and loss where they change."""
    out, target = case.outputs[number], case.targets[number]
    assert target is not None
    head = head_of(case, number)
    lines = scaling_lines(case) if scale and head.missing is None else []
    if out.activation != head.activation:
        lines.append(activation_line(case, out, head.activation))
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


def activation_line(case: Case, out: OutputFacts, activation: str) -> str:
    """Writes how the layer of an output gets another activation."""
    path = None if out.layer is None else path_of(case.model, out.layer)
    if path is None or "activation" not in vars(out.layer):  # of an LSTM it is its cell's
        return (
            f'# let the last layer have activation="{activation}" instead of {out.activation or "its own"}, or:\n'
            + REBUILD
        )
    return f"{path}.activation = keras.activations.{activation}"


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
    """Says whether the last axis of targets sums to 1 nearly everywhere."""
    return len(target.scan.shape) > 1 and target.scan.shape[-1] > 1 and target.scan.share_summing_to_one > 0.99


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
    if scan.distinct is None or len(scan.distinct) < 2:
        return None
    count = len(scan.distinct)
    from_zero_or_one = scan.minimum in (0, 1) and scan.maximum - scan.minimum + 1 == count
    integers = scan.dtype.kind in "iu"
    return count if width == 1 and from_zero_or_one and integers and 3 <= count <= 100 else None


def _classes(out: OutputFacts, loss: str) -> Head:
    """Keeps a softmax or sigmoid as it is, and takes logits from any other output."""
    if out.is_probability:
        return Head("softmax", loss)
    return Head("linear", loss, from_logits=True)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _one(scaling: Scaling) -> float:
    return float(scaling.factor) if np.ndim(scaling.factor) == 0 else 1.0


def _short(name: str | None) -> str:
    return {None: "mse", "mean_squared_error": "mse", "mean_absolute_error": "mae"}.get(name, name or "mse")
