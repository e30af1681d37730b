"""Checks of right answers and of the outputs of experts, where users pass them."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.arrays.rows import as_array
from codeword.errors import DataError, DataTypeError


def check_labels(y: Any) -> NDArray[Any]:
    """Return class labels, `(n,)`: integers, text or booleans; or refuse them."""
    labels = _as_plain_array(y, "y")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = column_or_1d(labels, warn=True)
    if labels.ndim != 1:
        raise DataError(f"`y` must have shape (n,), one label per row: got shape {labels.shape}.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError("`y` must be class labels: got NaN or infinity. Remove those rows.")
    if kind_of_labels(labels) is None:
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        raise DataError(
            "`y` must be class labels of one type, text, integers or booleans: got "
            f"{', '.join(kinds[:5])}. Remove rows without a label, and convert the rest to one type."
        )
    try:
        check_classification_targets(labels)
    except ValueError as error:
        raise DataError(f"`y` must be class labels: {error} Use HardGateRegressor for numbers.") from error
    return labels


def kind_of_labels(labels: NDArray[Any]) -> str | None:
    """Return "text" or "numbers", which may be booleans; None for anything else, or a mixture."""
    if labels.dtype.kind == "O":
        values = labels.ravel().tolist()
        if all(isinstance(value, str) for value in values):
            return "text"
        return "numbers" if all(isinstance(value, Number) and _is_itself(value) for value in values) else None
    return "text" if labels.dtype.kind == "U" else "numbers" if labels.dtype.kind in "fiub" else None


def _is_itself(value: Any) -> bool:
    """Return whether a number is no NaN."""
    try:
        return bool(value == value)
    except ArithmeticError:  # a signaling NaN of `decimal`
        return False


def all_classes(labels: NDArray[Any], known: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the different labels of `y` and of the experts in ascending order, or refuse a mixture of types."""
    if any(kind_of_labels(classes) != kind_of_labels(labels) for classes in known):
        raise DataError(
            f"`y` and the experts must have labels of one type, all text or all numbers: got {labels.dtype} in `y` "
            f"and {', '.join(str(classes.dtype) for classes in known)} from the experts."
        )
    if labels.dtype.kind == "U":
        known = [classes.astype(str) for classes in known]  # text as objects is the same text
    return np.unique(np.concatenate([labels, *known]))


def check_numbers(y: Any) -> NDArray[np.float64]:
    """Return numbers to predict, `(n,)` or `(n, num_targets)`, or refuse them."""
    try:
        numbers = as_finite_numbers(as_array(y))
    except (DataError, DataTypeError) as error:
        raise type(error)(f"`y`, the right answers: {error}".replace("`x`", "`y`")) from error
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = column_or_1d(numbers, warn=True)
    if numbers.ndim not in (1, 2) or 0 in numbers.shape:
        raise DataError(
            f"`y` must have shape (n,) or (n, num_targets), without a 0: got shape {numbers.shape}. Pass the right "
            "answer of every row."
        )
    return numbers.astype(np.float64)


def check_outputs(outputs: Any, num_rows: int, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return the outputs of experts, `(n, num_experts)` or `(n, num_experts, ...)`, or refuse them.

    `shape` is the shape of one row in training; None in training itself.
    """
    outputs = _as_plain_array(outputs, "outputs")
    if outputs.ndim not in (2, 3) or outputs.shape[1] < 2:
        raise DataError(
            "`outputs` must have one column per expert, at least 2: shape (n, num_experts), or (n, num_experts, "
            f"classes or targets): got shape {outputs.shape}. Stack them: np.stack([...], axis=1)."
        )
    if shape is not None and outputs.shape[1:] != shape:
        raise DataError(
            f"`outputs` must have rows of shape {shape}, as in training: got shape {outputs.shape}. "
            "Pass the outputs of the same experts in the same order."
        )
    if len(outputs) != num_rows:
        raise DataError(f"`outputs` must have one row per row of `X`: got {len(outputs)} rows for {num_rows}.")
    if outputs.dtype.kind == "f" and not np.isfinite(outputs).all():
        rows, experts = np.nonzero(~np.isfinite(outputs.reshape(*outputs.shape[:2], -1)).all(axis=-1))
        raise DataError(
            f"`outputs` must be finite: got NaN or infinity in {len(np.unique(rows))} rows, first in row {rows[0]} "
            f"of expert {experts[0]}."
        )
    return outputs


def _as_plain_array(values: Any, name: str) -> NDArray[Any]:
    """Return an array, or refuse sparse, masked and ragged input."""
    values = as_array(values)
    if hasattr(values, "toarray"):
        raise DataTypeError(f"`{name}` must be dense: got a sparse {type(values).__name__}. Pass .toarray().")
    if np.ma.is_masked(values):
        raise DataError(f"`{name}` must have no masked entries. Remove those rows or fill them in.")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataTypeError(f"`{name}` must be an array: got rows of different lengths.") from error
