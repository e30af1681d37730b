"""Data: finite, scaled, and changing?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import row_pieces
from codeword.backend import keras
from codeword.data_kinds.scaling import is_far_from_unit_size, is_unscaled
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.prescription import scaling_lines

_NAMES = """
Embedding BatchNormalization Normalization LayerNormalization GroupNormalization RMSNormalization UnitNormalization
Discretization Hashing IntegerLookup StringLookup CategoryEncoding
"""
_TAKE_ANY_SCALE = frozenset(_NAMES.split())


def data_findings(case: Case) -> Iterator[Finding]:
    """Looks at the inputs."""
    yield from _not_scaled(case)
    yield from _constant_columns(case)


def not_finite(arrays: list[Array], missing: dict[str, float | None]) -> Iterator[Finding]:
    """Looks for NaN and infinity in all of the data; NaN in targets is right where the loss leaves it out.

    Args:
        arrays: Inputs and targets.
        missing: By an array's name the value that the loss leaves out.
    """
    for array in arrays:
        scan = array.scan
        left_out = missing.get(array.name)
        num_nan = 0 if left_out is not None and math.isnan(left_out) else scan.num_nan
        if not (num_nan or scan.num_infinite):
            continue
        rows = np.concatenate(
            [
                ~np.isfinite(piece.astype(np.float64)).reshape(len(piece), -1).all(axis=1)
                for _, piece in row_pieces(array.values)
            ]
        )
        name = array.name.split("[")[0]
        others = {"x": "y", "y": "x"}[name] if name in "xy" else None
        axes = "" if len(scan.shape) == 1 else f".all(axis={tuple(range(1, len(scan.shape)))})"
        lines = [f"keep = np.isfinite({array.name}){axes}"]
        if rows.mean() < 0.5 and name == array.name:
            lines.append(f"{name} = {name}[keep]")
            lines.append(f"{others} = {others}[keep] if {others} is not None else None")
        else:
            lines = [
                "# If NaN means missing: it must not enter, and must cost nothing.",
                'model.compile(optimizer=model.optimizer, loss=cw.losses.Masked("mse", missing=float("nan")))',
                f"y = {array.name} if y is None else y",
                f"{array.name} = np.nan_to_num({array.name}, posinf=0, neginf=0)",
            ]
        yield found(
            "not-finite",
            "error",
            f"`{array.name}` holds {scan.num_nan:,} NaN and {scan.num_infinite:,} infinite values in "
            f"{int(rows.sum()):,} of {len(rows):,} rows, the first at index {scan.first_not_finite}. One of them "
            "makes the loss and every weight NaN.",
            "\n".join(lines),
            num_nan=scan.num_nan,
            num_infinite=scan.num_infinite,
            rows=int(rows.sum()),
        )


def _not_scaled(case: Case) -> Iterator[Finding]:
    for number, array in enumerate(case.x.arrays):
        if not is_unscaled(array.scan) or not _enters_as_it_is(case, number):
            continue
        scan = array.scan
        columns = np.hypot(scan.column_mean, scan.column_std)
        largest = f", in column {int(np.nanargmax(columns))} of {np.nanmax(columns):.4g}" if scan.rms < 5 else ""
        yield found(
            "not-scaled",
            "warning",
            f"`{array.name}` goes from {scan.minimum:g} to {scan.maximum:g}, mean {scan.mean:.4g}, standard deviation "
            f"{scan.std:.4g}: values of size {scan.rms:.4g}{largest} enter weights that were drawn for size 1.",
            "\n".join(scaling_lines(case))
            or f"{array.name} = {array.name} / {max(abs(scan.minimum), abs(scan.maximum)):g}",
            rms=scan.rms,
            minimum=scan.minimum,
            maximum=scan.maximum,
        )


def _enters_as_it_is(case: Case, number: int) -> bool:
    """Says whether the first layer with weights that an input reaches gets numbers far from unit size, and minds."""
    given = case.x.arrays[number].rows(case.sample[:32]).astype(np.float64)
    reached: set[int] = set()
    for call in case.calls:
        if hasattr(call.layer, "layers"):
            continue
        entering = [one for one in call.inputs if id(one) in reached or _same_values(one, given)]
        if not entering:
            continue
        kinds = {type(call.layer).__name__, type(getattr(call.layer, "layer", None)).__name__}
        if kinds & _TAKE_ANY_SCALE:
            return False
        if getattr(call.layer, "weights", None):
            return any(_is_unscaled(one) for one in entering)
        reached |= {id(tensor) for tensor in call.outputs}
    return False


def _is_unscaled(tensor: Any) -> bool:
    values = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")), np.float64)
    columns = np.sqrt(np.square(values.reshape(len(values), -1)).mean(axis=0))
    return is_far_from_unit_size(float(np.sqrt(np.square(columns).mean())), float(columns.max()))


def _same_values(tensor: Any, given: NDArray[np.float64]) -> bool:
    if len(tensor.shape) == 0 or tensor.shape[0] < len(given):
        return False
    rows = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor[: len(given)], "float32")), np.float64)
    return rows.size == given.size and bool(np.allclose(rows.reshape(given.shape), given, rtol=1e-2, atol=1e-6))


def _constant_columns(case: Case) -> Iterator[Finding]:
    for array in case.x.arrays:
        constant, total = array.scan.constant_columns, len(array.scan.column_minimum)
        if len(constant) == 0 or array.scan.shape[0] < 2:
            continue
        first = ", ".join(str(int(column)) for column in constant[:5]) + (", …" if len(constant) > 5 else "")
        many = len(constant) >= total / 2
        yield found(
            "constant-columns",
            "warning" if many else "note",
            f"{len(constant):,} of the {total:,} columns of `{array.name}` never change in {array.scan.shape[0]:,} "
            f"rows (columns {first}): they teach nothing, and dividing by their spread would divide by 0.",
            f"changing = {array.name}.reshape(len({array.name}), -1).std(axis=0) > 0  # a network may have these alone",
            columns=len(constant),
            of=total,
        )
