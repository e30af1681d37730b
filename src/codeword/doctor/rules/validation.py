"""Validation: does it ask for what the network has not seen?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import row_pieces
from codeword.backend import keras
from codeword.doctor.case import Case, as_arrays, call_model
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Array, as_tensor


def validation_findings(case: Case) -> Iterator[Finding]:
    """Looks at the data held out, if there is any."""
    if case.validation_data is None:
        return
    x_val, y_val = case.validation_data
    target = y_val.arrays[0]
    missing = case.missing(0) if case.outputs else None
    if missing is None:  # with a mask, the same people come with other ratings
        yield from _repeated_rows(case, x_val.arrays[0])
    if missing is None or target.scan.shape[1:] != x_val.arrays[0].scan.shape[1:]:
        return
    numbers = np.arange(min(len(x_val), 2048))
    entered, asked = x_val.arrays[0].rows(numbers), target.rows(numbers)
    observed = np.isfinite(asked) & (asked != missing)
    if not observed.any():
        return
    share = float((entered[observed] == asked[observed]).mean())
    if share < 0.5:
        return
    shown, hidden = _error_when_hidden(case, entered, asked, observed)
    yield found(
        "validation-copies",
        "warning",
        f"{share:.1%} of the entries that the validation asks for stand in its own input. Root mean squared error "
        f"there: {shown:.4g}; of the same entries when a tenth of them is hidden from the input: {hidden:.4g}, which "
        "is what predicting means.",
        _held_apart(missing),
        share=share,
        rmse_shown=shown,
        rmse_hidden=hidden,
    )


def _held_apart(missing: float) -> str:
    """Writes a validation that asks for ratings which it does not show."""
    if math.isnan(missing):
        observed, hidden, empty = "~np.isnan(x)", "np.nan_to_num(np.where(asked, 0, x))", "np.nan"
    else:
        observed, hidden, empty = f"(x != {missing:g})", f"np.where(asked, {missing:g}, x)", f"{missing:g}"
    return "\n".join(
        [
            "rng = np.random.default_rng(0)",
            f"asked = {observed} & (rng.random(x.shape) < 0.1)  # a tenth is asked for, and not shown",
            f"validation_data = ({hidden}, np.where(asked, x, {empty}))",
            f"x = {hidden}  # and train without them",
        ]
    )


def _error_when_hidden(
    case: Case, entered: NDArray[Any], asked: NDArray[Any], observed: NDArray[np.bool_]
) -> tuple[float, float]:
    hidden = observed & (np.random.default_rng(0).random(asked.shape) < 0.1)
    errors = []
    for rows, where in ((entered, observed), (np.where(hidden, 0, entered).astype(entered.dtype), hidden)):
        x = keras.tree.pack_sequence_as(case.x.structure, [as_tensor(rows)])
        values = as_arrays(call_model(case.model, x))[0]
        errors.append(float(np.sqrt(np.square(values[where] - asked[where]).mean())) if where.any() else math.nan)
    return errors[0], errors[1]


def _repeated_rows(case: Case, validation: Array) -> Iterator[Finding]:
    training = case.x.arrays[0]
    if validation.scan.shape[1:] != training.scan.shape[1:]:
        return
    held_out = [hash(row.tobytes()) for _, piece in row_pieces(validation.values) for row in _plain(piece)]
    wanted, known = set(held_out), set()
    for _, piece in row_pieces(training.values):
        known.update(wanted.intersection(hash(row.tobytes()) for row in _plain(piece)))
    share = sum(row in known for row in held_out) / len(held_out)
    if share <= 0.01 or 1 - len(wanted) / len(held_out) > 0.5 * share:  # rows of few values repeat by nature
        return
    yield found(
        "validation-copies",
        "warning",
        f"{share:.1%} of the {len(held_out):,} rows held out for validation are rows of `{training.name}` as well: "
        "their loss says nothing of rows that the model has not seen.",
        "order = np.random.default_rng(0).permutation(len(x))\n"
        "held_out, rest = order[: len(x) // 10], order[len(x) // 10 :]\n"
        "validation_data = (x[held_out], (x if y is None else y)[held_out])\n"
        "x, y = x[rest], None if y is None else y[rest]",
        share=share,
    )


def _plain(piece: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(piece.reshape(len(piece), -1).astype(np.float32)) + np.float32(0)  # -0 becomes 0
