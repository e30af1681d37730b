"""Data: is it finite, scaled and varying?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import row_pieces
from codeword.data_kinds.scaling import is_far_from_unit_size, is_unscaled
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.measuring.run import as_float32
from codeword.doctor.remedies.heads import scaling_lines

_LAYERS = "Embedding Discretization Hashing IntegerLookup StringLookup CategoryEncoding"
_ANY_SCALE = {*_LAYERS.split(), *(f"{kind}Normalization" for kind in ("", "Batch", "Layer", "Group", "RMS", "Unit"))}


def data_findings(case: Case) -> Iterator[Finding]:
    """Check the inputs."""
    yield from _not_scaled(case)
    yield from _constant_columns(case)


def not_finite(arrays: list[Array], missing: dict[str, float | None]) -> Iterator[Finding]:
    """Find NaN and infinity in all of the data; NaN in targets is fine where the loss leaves it out.

    Args:
        arrays: Inputs and targets.
        missing: The value that the loss leaves out, by the name of an array.
    """
    for array in arrays:
        scan = array.scan
        left_out = missing.get(array.name)
        num_nan = 0 if left_out is not None and math.isnan(left_out) else scan.num_nan
        if not (num_nan or scan.num_infinite):
            continue
        pieces = (piece.reshape(len(piece), -1).astype(np.float64) for _, piece in row_pieces(array.values))
        affected = ~np.concatenate([np.isfinite(piece).all(axis=1) for piece in pieces])
        num_rows = int(affected.sum())
        yield found(
            "not-finite",
            f"`{array.name}` contains {scan.num_nan:,} NaN and {scan.num_infinite:,} infinite values in {num_rows:,} "
            f"of {len(affected):,} rows, the first at index {scan.first_not_finite}. A single one makes the loss NaN, "
            "and then every weight.",
            _finite_lines(array, drop_rows=affected.mean() < 0.5),
            {"num_nan": scan.num_nan, "num_infinite": scan.num_infinite, "rows": num_rows},
        )


def _finite_lines(array: Array, *, drop_rows: bool) -> str:
    """Return Python that drops the affected rows, or that treats NaN as missing."""
    name = array.name
    if drop_rows and name in ("x", "y"):
        other = "y" if name == "x" else "x"
        axes = "" if len(array.scan.shape) == 1 else f".all(axis={tuple(range(1, len(array.scan.shape)))})"
        return (
            f"keep = np.isfinite({name}){axes}\n{name} = {name}[keep]\n"
            f"{other} = {other}[keep] if {other} is not None else None"
        )
    return (
        "# If NaN means missing, replace it in the input and leave it out of the loss:\n"
        'model.compile(optimizer=model.optimizer, loss=cw.losses.Masked("mse", missing=float("nan")))\n'
        f"y = {name} if y is None else y\n{name} = np.nan_to_num({name}, posinf=0, neginf=0)"
    )


def _not_scaled(case: Case) -> Iterator[Finding]:
    for number, array in enumerate(case.run.x.arrays):
        if not is_unscaled(array.scan) or not _enters_as_it_is(case, number):
            continue
        scan = array.scan
        columns = np.hypot(scan.column_mean, scan.column_std)
        largest = f" (in column {int(np.nanargmax(columns))}: {np.nanmax(columns):.4g})" if scan.rms < 5 else ""
        yield found(
            "not-scaled",
            f"`{array.name}` ranges from {scan.minimum:g} to {scan.maximum:g}, with mean {scan.mean:.4g} and standard "
            f"deviation {scan.std:.4g}. Its root mean square is {scan.rms:.4g}{largest}, but the weights were "
            "initialized for inputs of size 1.",
            "\n".join(scaling_lines(case))
            or f"{array.name} = {array.name} / {max(abs(scan.minimum), abs(scan.maximum)):g}",
            {"rms": scan.rms, "minimum": scan.minimum, "maximum": scan.maximum},
        )


def _enters_as_it_is(case: Case, number: int) -> bool:
    """Return whether the first layer with weights that an input reaches gets unscaled values and depends on scale."""
    given = case.run.x.arrays[number].rows(case.run.rows[:32]).astype(np.float64)
    reached: set[int] = set()
    for call in case.run.calls:
        if hasattr(call.layer, "layers"):
            continue
        entering = [one for one in call.inputs if id(one) in reached or _same_values(one, given)]
        if not entering:
            continue
        kinds = {type(call.layer).__name__, type(getattr(call.layer, "layer", None)).__name__}
        if kinds & _ANY_SCALE:
            return False
        if getattr(call.layer, "weights", None):
            return any(_is_unscaled(one) for one in entering)
        reached |= {id(tensor) for tensor in call.outputs}
    return False


def _is_unscaled(tensor: Any) -> bool:
    values = as_float32(tensor).astype(np.float64)
    columns = np.sqrt(np.square(values.reshape(len(values), -1)).mean(axis=0))
    return is_far_from_unit_size(float(np.sqrt(np.square(columns).mean())), float(columns.max()))


def _same_values(tensor: Any, given: NDArray[np.float64]) -> bool:
    if len(tensor.shape) == 0 or tensor.shape[0] < len(given):
        return False
    rows = as_float32(tensor[: len(given)]).astype(np.float64)
    return rows.size == given.size and bool(np.allclose(rows.reshape(given.shape), given, rtol=1e-2, atol=1e-6))


def _constant_columns(case: Case) -> Iterator[Finding]:
    for array in case.run.x.arrays:
        constant, total = array.scan.constant_columns, len(array.scan.column_minimum)
        if len(constant) == 0 or array.scan.shape[0] < 2:
            continue
        first = ", ".join(str(int(column)) for column in constant[:5]) + (", …" if len(constant) > 5 else "")
        yield found(
            "constant-columns",
            f"{len(constant):,} of the {total:,} columns of `{array.name}` have the same value in all "
            f"{array.scan.shape[0]:,} rows (columns {first}). The network learns nothing from them, and standardizing "
            "them would divide by 0.",
            f"changing = {array.name}.reshape(len({array.name}), -1).std(axis=0) > 0  # keep only these columns",
            {"columns": len(constant), "of": total},
            severity="warning" if len(constant) >= total / 2 else "note",
        )
