"""Checks at the public border of gates: settings, right answers, and what experts put out."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.errors import DataError, DataTypeError
from codeword.files.tables import as_array


def check_labels(y: Any, num_rows: int) -> NDArray[Any]:
    """Returns class labels, `(n,)`: whole numbers, text or booleans; or refuses them."""
    _check_given(y)
    labels = _as_plain_array(y, "y")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = column_or_1d(labels, warn=True)
    if labels.ndim != 1:
        raise DataError(f"`y` must have shape (n,), one label a row. Received: shape {labels.shape}. Give one column.")
    _check_length(labels, num_rows)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError("`y` must be class labels. Received: NaN or infinity in `y`. Remove those rows.")
    if kind_of_labels(labels) is None:
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        raise DataError(
            "`y` must be class labels of one kind: text, whole numbers or booleans. Received: "
            f"{', '.join(kinds[:5])}. Remove rows without a label; give the rest one kind."
        )
    try:
        check_classification_targets(labels)
    except ValueError as error:
        raise DataError(f"`y` must be class labels. Received: {error} Take HardGateRegressor for numbers.") from error
    return labels


def kind_of_labels(labels: NDArray[Any]) -> str | None:
    """Gives "text" or "numbers", which may be booleans; None for anything else, or both at once."""
    if labels.dtype.kind == "O":
        values = labels.ravel().tolist()
        if all(isinstance(value, str) for value in values):
            return "text"
        return "numbers" if all(isinstance(value, Number) and value == value for value in values) else None
    return "text" if labels.dtype.kind == "U" else "numbers" if labels.dtype.kind in "fiub" else None


def all_classes(labels: NDArray[Any], known: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Gives the labels of `y` and those that experts know, ascending, each once; or refuses those of another kind."""
    if any(kind_of_labels(classes) != kind_of_labels(labels) for classes in known):
        raise DataError(
            "`y` and the experts must have labels of one kind, all text or all numbers. Received: "
            f"{labels.dtype} in `y` and {', '.join(str(classes.dtype) for classes in known)} from the experts. "
            "Fit the experts to labels like those of `y`."
        )
    if labels.dtype.kind == "U":
        known = [classes.astype(str) for classes in known]  # text as objects is the same text
    return np.unique(np.concatenate([labels, *known]))


def check_numbers(y: Any, num_rows: int) -> NDArray[np.float64]:
    """Returns numbers to predict, `(n,)` or `(n, num_targets)`, or refuses them."""
    _check_given(y)
    try:
        numbers = as_finite_numbers(as_array(y))
    except (DataError, DataTypeError) as error:
        raise type(error)(f"`y`, the right answers: {error}".replace("`x`", "`y`")) from error
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = column_or_1d(numbers, warn=True)
    if numbers.ndim not in (1, 2) or 0 in numbers.shape[1:]:
        raise DataError(f"`y` must have shape (n,) or (n, num_targets). Received: shape {numbers.shape}. Reshape it.")
    _check_length(numbers, num_rows)
    return numbers.astype(np.float64)


def check_outputs(outputs: Any, num_rows: int, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Returns what experts put out, `(n, num_experts)` or `(n, num_experts, …)`, or refuses it.

    Args:
        shape: That of a row in training; None in training itself.
    """
    outputs = _as_plain_array(outputs, "outputs")
    if outputs.ndim not in (2, 3) or outputs.shape[1] < 2:
        raise DataError(
            "`outputs` must have one column an expert, at least 2: shape (n, num_experts), or (n, num_experts, "
            f"classes or targets). Received: shape {outputs.shape}. Stack them: np.stack([…], axis=1)."
        )
    if shape is not None and outputs.shape[1:] != shape:
        raise DataError(
            f"`outputs` must have rows of shape {shape}, as in training. Received: shape {outputs.shape}. "
            "Give the same experts in the same order."
        )
    if len(outputs) != num_rows:
        raise DataError(
            f"`outputs` must have one row a row of X. Received: {len(outputs)} and {num_rows} rows. Ask the experts "
            "for the same rows."
        )
    if outputs.dtype.kind == "f" and not np.isfinite(outputs).all():
        rows, experts = np.nonzero(~np.isfinite(outputs.reshape(*outputs.shape[:2], -1)).all(axis=-1))
        raise DataError(
            f"`outputs` must be finite. Received: NaN or infinity in {len(np.unique(rows))} rows, the first in row "
            f"{rows[0]} of expert {experts[0]}. Remove those rows or fill them in."
        )
    return outputs


def _check_given(y: Any) -> None:
    if y is None:
        raise DataError("A gate requires y to be passed, but the target y is None. Received: None. Call fit(X, y).")


def _as_plain_array(values: Any, name: str) -> NDArray[Any]:
    """Returns an array, or refuses what is sparse, masked or uneven."""
    values = as_array(values)
    if hasattr(values, "toarray"):
        raise DataTypeError(f"`{name}` must be dense. Received: sparse {type(values).__name__}. Pass .toarray().")
    if np.ma.is_masked(values):
        raise DataError(f"`{name}` must have no masked entry. Received: some. Remove those rows or fill them in.")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataTypeError(f"`{name}` must be an array. Received: uneven rows. Give all rows one length.") from error


def _check_length(y: NDArray[Any], num_rows: int) -> None:
    if len(y) != num_rows:
        raise DataError(
            f"`y` must have one answer a row. Received: {num_rows} rows and {len(y)} answers. Give as many of both."
        )
