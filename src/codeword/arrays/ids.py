"""Ids of users and items: integers or text (no Keras).

Texts are Python strings in arrays of objects: NumPy's text arrays take the width of the longest text in every row.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, DataTypeError

MISSING_WORDS = {"NA", "N/A", "NULL", "null", "None", "nan", "NaN"}  # beside integers
_KINDS = {"i": "integers", "O": "text"}


@dataclass(frozen=True)
class Ids:
    """Names of rows or columns: different integers (int64) or texts (objects), in ascending order."""

    values: NDArray[Any]

    @classmethod
    def counted(cls, number: int) -> Self:
        """Return the ids 0 to `number - 1`, the row or column numbers of a matrix."""
        return cls(np.arange(number))

    @classmethod
    def of(cls, ids: Any, name: str) -> tuple[Self, NDArray[np.intp]]:
        """Return the different ids of a column, and the position of each entry's id among them."""
        ids = checked_ids(ids, name)
        if ids.dtype.kind == "i":
            values, positions = np.unique(ids, return_inverse=True)
            return cls(values), positions
        different = sorted(set(ids.tolist()))
        if "" in different:
            _refuse_missing(ids == "", name, "an empty text")
        for word in MISSING_WORDS & set(different):
            if all(text in MISSING_WORDS or text.removeprefix("-").isdecimal() for text in different):
                _refuse_missing(np.isin(ids, list(MISSING_WORDS)), name, repr(word))
        places = dict(zip(different, range(len(different)), strict=True))
        positions = np.fromiter(map(places.__getitem__, ids.tolist()), np.intp, len(ids))
        return cls(np.array(different, object)), positions

    def __len__(self) -> int:
        return len(self.values)

    @property
    def are_counted(self) -> bool:
        """Whether they are the numbers from 0, like the row numbers of a matrix."""
        return bool(np.array_equal(self.values, np.arange(len(self.values))))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the ids as numbers, or as the bytes of all texts and where each text ends; see `from_arrays`."""
        if self.values.dtype.kind == "i":
            return {"": self.values}
        encoded = [text.encode() for text in self.values.tolist()]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        return {"/text": np.frombuffer(b"".join(encoded), np.uint8), "/ends": ends}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], name: str) -> Self:
        """Read ids of this name from the arrays that `to_arrays` returned, or refuse them."""
        values = arrays.get(name)
        if values is None:
            text, bounds = arrays[f"{name}/text"].tobytes(), [0, *arrays[f"{name}/ends"].tolist()]
            if bounds != sorted(bounds) or bounds[-1] != len(text) or b"\0" in text:
                raise DataError(f"`{name}/ends` must divide `{name}/text`, which must be without NUL.")
            values = np.array([text[start:end].decode() for start, end in pairwise(bounds)], object)
        if len(values) == 0 or (values[1:] <= values[:-1]).any():
            raise DataError(f"The ids in `{name}` must be in ascending order.")
        return cls(values)

    def positions(self, ids: Any, name: str) -> NDArray[np.intp]:
        """Return the position of each id, -1 for an unknown one; refuse text among integers and integers among text."""
        ids = checked_ids(ids, name)
        if ids.dtype.kind != self.values.dtype.kind and ids.size:
            wanted, given = (_KINDS[array.dtype.kind] for array in (self.values, ids))
            raise DataTypeError(
                f"The ids in `{name}` must be {wanted}, as in training: got {given}, the first "
                f"{ids[:1].tolist()[0]!r}. Convert them."
            )
        found = np.searchsorted(self.values, ids)
        known = found < len(self.values)
        known[known] = self.values[found[known]] == ids[known]
        return np.where(known, found, -1)


def checked_ids(ids: Any, name: str) -> NDArray[Any]:
    """Return ids as int64, or strings as objects, with one axis; refuse others, missing ones, and inexact ones."""
    if np.ma.is_masked(ids):
        _refuse_missing(np.ma.getmaskarray(ids), name, "an empty cell")
    # NumPy would turn a list of texts and numbers into texts.
    some_text = isinstance(ids, list | tuple) and any(isinstance(value, str) for value in ids)
    try:
        array = np.atleast_1d(np.asarray(ids, object if some_text else None))
    except ValueError as error:
        raise DataTypeError(f"`{name}` must hold one id per row: got {type(ids).__name__} of uneven rows.") from error
    if array.size == 0 and array.ndim == 1:
        return array.astype(object if array.dtype.kind == "U" else np.int64)
    if array.ndim != 1:
        raise DataTypeError(
            f"`{name}` must have one axis, with an id per row: got shape {array.shape}. Flatten a single column: "
            "numpy.ravel(column)."
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        _refuse_missing(np.isnan(array), name, "NaN")
    if array.dtype.kind == "O" and (missing := _missing_among(array)).any():
        _refuse_missing(missing, name, repr(array[missing][0]))
    _refuse_too_large(array, name)
    if array.dtype.kind == "O":
        kinds = {type(value) for value in array.flat}
        if all(issubclass(kind, str) for kind in kinds):
            return _texts(array, name)
        if not all(issubclass(kind, int | np.integer) and kind is not bool for kind in kinds):
            found = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise DataTypeError(
                f"`{name}` must hold ids that are all integers or all text: got {found}. Write all as "
                "text: column.astype(str)."
            )
        array = array.astype(np.int64)
    if array.dtype.kind == "f" and np.isfinite(array).all() and np.array_equal(array, np.trunc(array)):
        array = array.astype(np.int64)  # whole numbers that a frame keeps as floats
    if array.dtype.kind not in "iuU":
        raise DataTypeError(
            f"`{name}` must hold ids that are integers or text: got dtype {array.dtype}. Write them as text: "
            "column.astype(str)."
        )
    return _texts(array, name) if array.dtype.kind == "U" else array.astype(np.int64)


def _missing_among(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of some objects mean that there is none: None, NaN, pandas' NA and NaT."""
    others = {type(value) for value in array} - {str, int}  # of these all is quickly known
    if not others:
        return np.zeros(len(array), bool)
    names = {kind for kind in others if kind.__name__ in ("NoneType", "NAType", "NaTType")}
    return np.fromiter(
        (type(value) in names or (isinstance(value, float | np.floating) and value != value) for value in array),
        bool,
        len(array),
    )


def _refuse_missing(missing: NDArray[np.bool_], name: str, shown: str) -> NoReturn:
    raise DataError(
        f"`{name}` must have an id in every row: got {int(missing.sum())} missing, the first in row "
        f"{int(np.argmax(missing))}, counted from 0 ({shown}). Drop those rows."
    )


def _refuse_too_large(array: NDArray[Any], name: str) -> None:
    """Refuse integers of which two could become the same id: floats from 2**53 on, others beyond 64 bits."""
    limit = 2**53 if array.dtype.kind == "f" else 2**63
    if array.dtype.kind in "fu":
        large = np.abs(array) >= limit
    elif array.dtype.kind == "O":
        large = np.array([isinstance(value, int) and not -limit <= value < limit for value in array.flat], bool)
        large = large.reshape(array.shape)
    else:
        return
    if large.any():
        raise DataError(
            f"`{name}` must hold ids that are exact as 64-bit integers: got {int(large.sum())} that are "
            f"not, the first {array[large][0]!s}. Write them as text: column.astype(str)."
        )


def _texts(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return texts as objects; refuse texts that a file could not hold exactly."""
    texts = [str(text) for text in array.tolist()]
    different = set(texts)
    zeros, halves = sum("\0" in text for text in different), 0
    try:
        "".join(different).encode()
    except UnicodeEncodeError:
        halves = sum(not is_unicode(text) for text in different)
    if zeros or halves:
        raise DataError(
            f"`{name}` must hold text of whole characters, without NUL: got {zeros} ids with NUL, {halves} with halves "
            "of characters. Check the encoding with which it was read."
        )
    return np.array(texts, object)


def is_unicode(text: str) -> bool:
    """Return whether a text consists of whole characters: no encoding can write half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
