"""Tells a data kind from data, from a saved configuration and from the command line's words."""

import re
import warnings
from typing import Any

from codeword.arrays.finite_numbers import as_finite_numbers, refuse_not_finite
from codeword.arrays.value_scan import ValueScan, scan_values
from codeword.data_kinds.binary import Binary
from codeword.data_kinds.kind import DataKind
from codeword.data_kinds.levels import Levels
from codeword.data_kinds.python_text import python_call, python_literal
from codeword.data_kinds.ratings import Ratings
from codeword.data_kinds.real import Real
from codeword.data_kinds.unit_interval import UnitInterval
from codeword.errors import DataError, ParameterError

MAX_INFERRED_LEVELS = 16
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_SCALE = re.compile(rf"({_NUMBER})-({_NUMBER})(?:/({_NUMBER}))?")


def infer_data_kind(x: Any) -> DataKind:
    """Tells the data kind from the values alone.

    They are read once, in pieces, so that a memory-mapped file of any size may come.

    Args:
        x: Numbers of shape `(n, ...)`, or a scipy.sparse matrix.

    Returns:
        `Binary()` if only 0 and 1 occur; `Levels(...)` if at most 16 different values share at least 8 cells each on
        average; `UnitInterval()` if all lie from 0 to 1; else `Real()`. For a scipy.sparse matrix, in which only
        what is stored was observed, `Ratings(lowest, highest)`.

    Raises:
        DataTypeError, DataError: If `x` is empty, not numeric or not finite.

    Warns:
        UserWarning: If a table is mostly 0 and else whole or half numbers up to 10, as ratings and counts both are.

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
    scan = scan_values(x)
    refuse_not_finite(scan.num_nan, scan.num_infinite, scan.first_not_finite)
    kind = kind_of_values(scan)
    scale = scale_if_zero_is_missing(scan)
    if scale is not None:
        ends, taken = f"({scale.low:g}, {scale.high:g})", python_call(kind)
        warnings.warn(
            f"`x` is 0 in {scan.share_zero:.0%} of its cells, else {scale.low:g} to {scale.high:g}: ratings or counts? "
            f"It was taken for {taken}, in which 0 is a value like the others. If 0 means not rated, it must not be "
            f"learnt: RatingAutoencoder(data=Ratings{ends}).fit(scipy.sparse.csr_array(x)), or in a model of your own "
            f'losses.Masked("mse", missing=0). If 0 is a count or another value, say so: data={taken}, or data=Real() '
            "where counts may grow.",
            UserWarning,
            stacklevel=2,
        )
    return kind


def kind_of_values(scan: ValueScan) -> DataKind:
    """Tells the data kind from what a scan found; NaN and infinity do not count."""
    if scan.minimum >= 0 and scan.maximum <= 1 and scan.whole:
        return Binary()
    few = scan.distinct is not None and 2 <= len(scan.distinct) <= MAX_INFERRED_LEVELS
    if few and scan.num_finite >= 8 * len(scan.distinct or ()):
        return Levels(scan.distinct or ())
    if scan.minimum >= 0 and scan.maximum <= 1:
        return UnitInterval()
    return Real()


def scale_if_zero_is_missing(scan: ValueScan) -> Ratings | None:
    """Tells the scale of a table that may hold ratings with 0 for "not rated"; None if it does not look so.

    It looks so if most cells are 0 and the others take at least two values, whole or half numbers up to 10. Counts look
    the same: only the user can tell. Images have more axes; a single column is no table of users and items.
    """
    is_table = len(scan.shape) == 2 and scan.shape[1] > 1
    if not (is_table and scan.halves and scan.minimum == 0 and scan.maximum <= 10 and scan.share_zero > 0.5):
        return None
    others = [value for value in scan.distinct or () if value > 0]
    return Ratings(min(others), max(others)) if len(others) > 1 else None


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


def data_kind_text(kind: DataKind) -> str | None:
    """Writes a data kind as `parse_data_kind` reads it; None if the command line has no words for its settings.

    Example:
        >>> data_kind_text(Levels([0, .5, 1])), data_kind_text(Ratings(1, 5))
        ('levels:0,0.5,1', 'ratings:1-5')
    """
    if isinstance(kind, Ratings):
        step = "" if kind.step is None else f"/{python_literal(kind.step)}"
        text = f"ratings:{python_literal(kind.low)}-{python_literal(kind.high)}{step}"
    elif isinstance(kind, Levels):
        text = f"levels:{','.join(map(python_literal, kind.values))}"
    else:
        text = {
            Binary: "binary",
            UnitInterval: "unit",
            Real: "real:common" if kind == Real(spread="common") else "real",
        }[type(kind)]
    try:
        return text if parse_data_kind(text) == kind else None
    except ParameterError:  # 1e+20 is no word of the command line
        return None
