"""Tells a data kind from data, from a saved configuration and from the command line's words."""

import re
from typing import Any

import numpy as np

from codeword.data_kinds.binary import Binary
from codeword.data_kinds.kind import DataKind
from codeword.data_kinds.levels import Levels
from codeword.data_kinds.ratings import Ratings
from codeword.data_kinds.real import Real
from codeword.data_kinds.unit_interval import UnitInterval
from codeword.errors import DataError, ParameterError
from codeword.finite_numbers import as_finite_numbers

MAX_INFERRED_LEVELS = 16
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_SCALE = re.compile(rf"({_NUMBER})-({_NUMBER})(?:/({_NUMBER}))?")


def infer_data_kind(x: Any) -> DataKind:
    """Tells the data kind from the values alone.

    Args:
        x: Numbers of shape `(n, ...)`, or a scipy.sparse matrix.

    Returns:
        `Binary()` if only 0 and 1 occur; `Levels(...)` if at most 16 different values share at least 8 cells each on
        average; `UnitInterval()` if all lie from 0 to 1; else `Real()`. For a scipy.sparse matrix, in which only
        what is stored was observed, `Ratings(lowest, highest)`.

    Raises:
        DataTypeError, DataError: If `x` is empty, not numeric or not finite.

    Example:
        >>> infer_data_kind(np.array([[0, 1, 1], [1, 0, 0]]))
        Binary(loss='binary_crossentropy')
    """
    if hasattr(x, "tocsr"):
        stored = as_finite_numbers(x.tocsr().data)
        if stored.size == 0:
            raise DataError(f"`x` must hold at least one rating to tell its kind. Received: {x.shape}, none stored.")
        low, high = float(stored.min()), float(stored.max())
        return Ratings(low, high if high > low else low + 1)
    x = as_finite_numbers(x)
    if x.size == 0:
        raise DataError(f"`x` must hold at least one value to tell its kind. Received: shape {x.shape}.")
    distinct = np.unique(x)
    if np.isin(distinct, (0, 1)).all():
        return Binary()
    if 2 <= len(distinct) <= MAX_INFERRED_LEVELS and x.size >= 8 * len(distinct):
        return Levels(distinct.tolist())
    if distinct[0] >= 0 and distinct[-1] <= 1:
        return UnitInterval()
    return Real()


def data_kind_from_config(config: dict[str, Any]) -> DataKind:
    """Makes the data kind that `to_config` described.

    Raises:
        ParameterError: If `config` names no data kind or does not fit it.
    """
    classes: dict[Any, Any] = {kind.__name__: kind for kind in (Binary, Levels, Ratings, Real, UnitInterval)}
    settings = dict(config)
    name = settings.pop("kind", None)
    if not isinstance(name, str) or name not in classes:
        raise ParameterError(f"A data kind must be one of {sorted(classes)}. Received: {name!r}.")
    try:
        return classes[name](**settings)
    except TypeError as error:
        raise ParameterError(f"The settings of {name} do not fit. Received: {settings}. {error}.") from error


def parse_data_kind(text: str, *, edges: str = "midpoint") -> DataKind:
    """Reads a data kind as the command line writes it.

    Args:
        text: `binary`, `unit`, `real`, `real:common` (one spread for all columns), `levels:4` (0 to 3),
            `levels:0,.25,.5,.75`, `ratings:1-5` or, with the scale's steps, `ratings:.5-5/.5`.
        edges: "midpoint" or "floor", for levels.

    Raises:
        ParameterError: If `text` is none of these.

    Example:
        >>> parse_data_kind("levels:0,.5,1").values
        (0.0, 0.5, 1.0)
    """
    simple = {
        "binary": Binary(),
        "unit": UnitInterval(),
        "real": Real(),
        "real:common": Real(spread="common"),
    }
    text = text.strip().lower()
    if text in simple:
        return simple[text]
    name, _, numbers = text.partition(":")
    scale = _SCALE.fullmatch(numbers) if name == "ratings" else None
    if scale is not None:
        low, high, step = scale.groups()
        return Ratings(float(low), float(high), None if step is None else float(step))
    try:
        if name != "levels":
            raise ValueError(name)
        values = int(numbers) if numbers.isdigit() else [float(number) for number in numbers.split(",")]
    except ValueError as error:
        raise ParameterError(
            "Data must be written as binary, unit, real, real:common, levels:4, levels:0,.25,.5,.75, ratings:1-5 or "
            f"ratings:.5-5/.5. Received: {text!r}."
        ) from error
    return Levels(values, edges=edges)
