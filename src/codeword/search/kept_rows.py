"""Rows that are kept beside an index of their codes, for rescoring (no Keras)."""

import math
import weakref
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers, as_numbers
from codeword.arrays.ids import checked_ids
from codeword.errors import DataError, DataTypeError
from codeword.search.held_codes import HeldCodes, as_objects, check_distinct
from codeword.search.queries import is_moderate

_BLOCK = 1 << 14  # rows to quantize at a time


class KeptRows:
    """Rows beside their codes, as floats or as 8-bit integers with a scale; they may lie in a memory map.

    A row is `values * scale + offset`.

    Args:
        values: Numbers of shape `(n, ...)`, such as float32, float16 or int8.
        ids: Distinct integers or strings, one id per row: the ids of the index, in any order. None: the row numbers.
        scale: Number, or numbers of shape `(d,)` per column or `(n, 1)` per row. None: 1 for floats, and unknown for
            integers, which then can be compared by cosine only.
        offset: Number, or numbers of shape `(d,)` per column or `(n, 1)` per row.

    Raises:
        DataError: If an id is duplicated or missing, or shapes do not fit.
        DataTypeError: If the values are not numbers.

    Example:
        >>> rows = np.array([[0.5, -1.0], [0.0, 0.25], [3.0, 0.1]], np.float32)
        >>> kept = KeptRows.quantized(rows)
        >>> kept.values.tolist(), bool(np.abs(kept.at(np.arange(3)) - rows).max() < 0.01)
        ([[64, -127], [0, 127], [127, 4]], True)
    """

    def __init__(self, values: Any, ids: Any = None, *, scale: Any = None, offset: Any = 0.0) -> None:
        values = as_numbers(values)
        if values.ndim < 2 or 0 in values.shape:
            raise DataError(f"Rows for rescoring must have shape (n, d): got shape {values.shape}.")
        self.values = values.reshape(len(values), math.prod(values.shape[1:]))
        self.ids = None
        if ids is not None:
            self.ids = as_objects(checked_ids(ids, "ids"))
            check_distinct(self.ids, len(values))
        self._places: tuple[Callable[[], Any], NDArray[np.int64] | None] = (lambda: None), None
        self.is_unscaled = scale is None and values.dtype.kind != "f"
        self.scale = self._broadcast(1.0 if scale is None else scale, "scale")
        self.offset = self._broadcast(offset, "offset")

    @classmethod
    def quantized(cls, rows: Any, ids: Any = None) -> Self:
        """Keep rows as int8, each with the scale at which its largest number is 127.

        They take a quarter of the memory of float32. To keep them on disk, save `values` and `scale` as `.npy` files
        and pass both, loaded as memory maps, to `KeptRows`.

        Args:
            rows: Finite numbers of shape `(n, ...)`.
            ids: Ids as in the constructor.
        """
        given = as_numbers(rows)
        if given.ndim < 2 or 0 in given.shape:
            raise DataError(f"`rows` must have shape (n, d): got shape {given.shape}.")
        flat = given.reshape(len(given), math.prod(given.shape[1:]))
        values, scale = np.empty(flat.shape, np.int8), np.empty((len(flat), 1), np.float32)
        for start in range(0, len(flat), _BLOCK):
            part = slice(start, start + _BLOCK)
            block = as_finite_numbers(flat[part], first_row=start)
            if not is_moderate(block):
                raise DataError(f"`rows` must lie between -1e18 and 1e18: got {block.min():.3g} to {block.max():.3g}.")
            block = block.astype(np.float32)
            scale[part] = np.abs(block).max(axis=1, keepdims=True) / 127
            values[part] = np.rint(block / np.where(scale[part] > 0, scale[part], 1))
        return cls(values, ids, scale=scale)

    def _broadcast(self, factor: Any, name: str) -> NDArray[np.float32]:
        """Return a scale or an offset with two axes, or refuse it."""
        array = np.atleast_2d(as_finite_numbers(factor)).astype(np.float32)
        if array.ndim == 2 and array.shape in {(1, 1), (1, self.width), (len(self), 1)}:
            return array
        raise DataError(
            f"`{name}` must be a number, or numbers of shape ({self.width},) or ({len(self)}, 1): got shape "
            f"{np.shape(factor)}."
        )

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<KeptRows: {len(self):,} rows of {self.width} numbers, {self.values.dtype}>"

    @property
    def width(self) -> int:
        """Numbers per row."""
        return int(self.values.shape[1])

    def at(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some rows as float32."""
        with np.errstate(over="ignore"):
            rows = self.values[places].astype(np.float32)
        for factor, combine in ((self.scale, np.multiply), (self.offset, np.add)):
            if factor.size > 1 or factor.item() != (1 if combine is np.multiply else 0):
                combine(rows, factor[places] if len(factor) == len(self) > 1 else factor, out=rows)
        if not is_moderate(rows):
            place = int(places[np.argmin([is_moderate(row) for row in rows])])
            raise DataError(
                f"`rescore` must hold numbers between -1e18 and 1e18: got another, or NaN, in row {place}, counted "
                "from 0."
            )
        return rows

    def places_of(self, held: HeldCodes, *, whole: bool) -> NDArray[np.int64] | None:
        """Return the place of the row that belongs to each code of an index, None if they are in the same order.

        Args:
            held: Codes of the index.
            whole: Whether the index holds all codes, and not those alone that fulfill a condition.
        """
        if self.ids is not None:
            of, places = self._places
            if of() is not held:  # looked up once per index
                places = self._places_by_ids(held.all_ids, self.ids)
                self._places = weakref.ref(held), places
            return places
        wanted = held.ids
        if wanted is not None and len(wanted) and wanted.dtype.kind != "i":
            raise DataTypeError(
                f"`rescore` must name the ids of its rows, as the index has strings, the first {wanted[0]!r}: got rows "
                "alone. Pass KeptRows(rows, ids)."
            )
        if wanted is None and whole and len(self) != len(held):
            raise DataError(f"`rescore` must have one row per code, {len(held)}: got {len(self)} rows.")
        if not held.in_order:
            raise DataError(
                "`rescore` must name the ids of its rows, as the codes did not come in the order of their ids: got "
                "rows alone. Pass KeptRows(rows, ids)."
            )
        first, last = (0, len(held) - 1) if wanted is None or len(wanted) == 0 else (wanted[0], wanted[-1])
        if not 0 <= first <= last + 1 <= len(self):
            raise DataError(
                f"`rescore` must have a row for each id of the index, {first} to {last}: got {len(self)} rows, "
                "numbered from 0. Pass KeptRows(rows, ids)."
            )
        return wanted

    @staticmethod
    def _places_by_ids(wanted: NDArray[Any], own: NDArray[Any]) -> NDArray[np.int64]:
        if len(wanted) and own.dtype.kind != wanted.dtype.kind:
            kind = "integers" if wanted.dtype.kind == "i" else "strings"
            raise DataTypeError(f"The ids of `rescore` must be {kind}, like the ids of the index: got {own[0]!r}.")
        order = np.argsort(own, kind="stable")
        found = np.minimum(np.searchsorted(own, wanted, sorter=order), len(own) - 1)
        places = order[found]
        missing = wanted[own[places] != wanted] if len(wanted) else wanted
        if len(missing):
            raise DataError(
                f"`rescore` must have a row for each id of the index: got none for {len(missing)} of them, the first "
                f"{missing.tolist()[0]!r}."
            )
        return places
