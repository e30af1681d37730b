"""Validation: does it ask for something that the network has not seen?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import row_pieces
from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import MAX_ROWS, Array, as_tensor
from codeword.doctor.measuring.run import as_arrays
from codeword.inference.recording import call_model


def validation_findings(case: Case) -> Iterator[Finding]:
    """Check the held-out data, if there is any."""
    if case.validation_data is None:
        return
    inputs, targets = (data.arrays[0] for data in case.validation_data)
    missing = case.outputs[0].missing if case.outputs else None
    if missing is None:  # behind a mask, the same rows may come with other ratings
        yield from _repeated_rows(case.run.x.arrays[0], inputs)
    elif targets.scan.shape[1:] == inputs.scan.shape[1:]:
        yield from _shown_entries(case, inputs, targets, missing)


def _shown_entries(case: Case, inputs: Array, targets: Array, missing: float) -> Iterator[Finding]:
    """Find validation entries that are part of their own input."""
    rows = np.arange(min(inputs.scan.shape[0], MAX_ROWS))
    entered, wanted = inputs.rows(rows), targets.rows(rows)
    observed = np.isfinite(wanted) & (wanted != missing)
    if not observed.any():
        return
    share = float((entered[observed] == wanted[observed]).mean())
    if share < 0.5:
        return
    hidden = observed & (np.random.default_rng(0).random(wanted.shape) < 0.1)
    without = np.where(hidden, 0, entered).astype(entered.dtype)
    rmse_shown, rmse_hidden = _rmse(case, entered, wanted, observed), _rmse(case, without, wanted, hidden)
    yield found(
        "validation-copies",
        f"{share:.1%} of the entries that the validation asks for are part of its own input. The root mean squared "
        f"error on them is {rmse_shown:.4g}, but {rmse_hidden:.4g} when a tenth of them is hidden from the input. Only "
        "the second number measures prediction.",
        _lines_that_hide(missing),
        {"share": share, "rmse_shown": rmse_shown, "rmse_hidden": rmse_hidden},
    )


def _rmse(case: Case, entered: NDArray[Any], wanted: NDArray[Any], where: NDArray[np.bool_]) -> float:
    if not where.any():
        return math.nan
    x = keras.tree.pack_sequence_as(case.run.x.structure, [as_tensor(entered)])
    values = as_arrays(call_model(case.run.model, x))[0]
    return float(np.sqrt(np.square(values[where] - wanted[where]).mean()))


def _lines_that_hide(missing: float) -> str:
    """Return Python of a validation whose entries are hidden from its input."""
    if math.isnan(missing):
        observed, hidden, empty = "~np.isnan(x)", "np.nan_to_num(np.where(asked, 0, x))", "np.nan"
    else:
        observed, hidden, empty = f"(x != {missing:g})", f"np.where(asked, {missing:g}, x)", f"{missing:g}"
    return (
        "rng = np.random.default_rng(0)\n"
        f"asked = {observed} & (rng.random(x.shape) < 0.1)  # a tenth is asked for and hidden from the input\n"
        f"validation_data = ({hidden}, np.where(asked, x, {empty}))\n"
        f"x = {hidden}  # hidden in training as well"
    )


def _repeated_rows(training: Array, validation: Array) -> Iterator[Finding]:
    """Find validation rows that are training rows as well."""
    if validation.scan.shape[1:] != training.scan.shape[1:]:
        return
    held_out = list(_hashes(validation))
    wanted = set(held_out)
    known = wanted.intersection(_hashes(training))
    share = sum(row in known for row in held_out) / len(held_out)
    if share <= 0.01 or 1 - len(wanted) / len(held_out) > 0.5 * share:  # rows with few values repeat by nature
        return
    yield found(
        "validation-copies",
        f"{share:.1%} of the {len(held_out):,} validation rows are also rows of `{training.name}`: their loss says "
        "nothing about rows that the model has not seen.",
        "order = np.random.default_rng(0).permutation(len(x))\n"
        "held_out, rest = order[: len(x) // 10], order[len(x) // 10 :]\n"
        "validation_data = (x[held_out], (x if y is None else y)[held_out])\n"
        "x, y = x[rest], None if y is None else y[rest]",
        {"share": share},
    )


def _hashes(array: Array) -> Iterator[int]:
    for _, piece in row_pieces(array.values):
        rows = piece.reshape(len(piece), -1).astype(np.float32) + np.float32(0)  # -0 becomes 0
        yield from (hash(row.tobytes()) for row in rows)
