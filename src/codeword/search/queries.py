"""Queries that know more than their codes (no Keras)."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.code_kinds import Bits
from codeword.code_kinds.packing import check_bit_codes
from codeword.errors import CodeError, DataError, DataTypeError

_LARGEST = 1e18  # its square is finite in float32


class Queries:
    """Codes of queries, with the margin of each bit and the rows themselves.

    A stored code has lost how near each of its bits was to the other side, but a query that has just been encoded
    still knows it. The *asymmetric distance* of a query to a stored code is the sum of the query's margins over the
    bits that differ: a bit that was nearly the other one hardly counts. `Autoencoder.queries` makes such queries.

    Args:
        codes: Packed codes, uint8 of shape `(q, num_bytes)`.
        margins: Numbers of at least 0, of shape `(q, num_bits)`: what it costs a stored code to differ in this bit.
            None: a search compares the codes by Hamming distance.
        rows: The rows that were encoded, numbers of shape `(q, ...)`, which rescoring compares with kept rows.
        num_bits: Number of bits per code if the last byte is not full. Default: the number of margins, otherwise 8 bits
            per byte.
        fingerprint: Fingerprint of the model that made the codes. An index or store of another model refuses them.

    Raises:
        CodeError: If the codes are not packed, or there are none.
        DataError: If margins or rows are not finite, do not fit the codes, or a margin is negative.
        DataTypeError: If margins or rows are not numbers.

    Example:
        >>> embeddings = np.array([[1, -0.125, 0.5, 0.25, -0.75, 0.25, 0.125, -0.5]])
        >>> queries = Queries(np.packbits(embeddings > 0, axis=1), margins=np.abs(embeddings), rows=embeddings)
        >>> distances, ids = HammingIndex(np.array([[0b10110101], [0b11110110]], np.uint8)).search(queries, k=2)
        >>> ids.tolist(), distances.tolist()  # the second bit differs; or the last two, of which one counts more
        ([[1, 0]], [[0.125, 0.625]])

    References:
        Gordo et al., "Asymmetric Distances for Binary Embeddings", 2014.
    """

    def __init__(
        self,
        codes: Any,
        *,
        margins: Any = None,
        rows: Any = None,
        num_bits: int | None = None,
        fingerprint: str | None = None,
    ) -> None:
        known = None if margins is None else numbers_within(margins, "margins")
        if num_bits is None and known is not None and known.ndim == 2:
            num_bits = known.shape[1]
        self.codes, self.num_bits = check_bit_codes(codes, num_bits)
        if len(self.codes) == 0:
            raise CodeError("`codes` must have at least one query: got none.")
        self.margins = None if known is None else self._as_margins(known)
        self.rows = None if rows is None else self._as_rows(numbers_within(rows, "rows"))
        self.fingerprint = fingerprint

    def _as_margins(self, margins: NDArray[Any]) -> NDArray[np.float32]:
        if margins.shape != (len(self.codes), self.num_bits):
            raise DataError(
                f"`margins` must have one number per bit, shape {(len(self.codes), self.num_bits)}: got shape "
                f"{margins.shape}."
            )
        if margins.min() < 0:
            raise DataError(
                f"`margins` must be at least 0: got {margins.min():.6g}. Pass their absolute values; the sign is in "
                "the code."
            )
        return np.ascontiguousarray(margins, np.float32)

    def _as_rows(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        if rows.ndim < 2 or len(rows) != len(self.codes):
            raise DataError(f"`rows` must have one row per code, {len(self.codes)}: got shape {rows.shape}.")
        return np.ascontiguousarray(rows.reshape(len(rows), math.prod(rows.shape[1:])), np.float32)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, part: slice) -> Self:
        """Return some of the queries."""
        margins, rows = (None if array is None else array[part] for array in (self.margins, self.rows))
        return self._like(self.codes[part], margins, rows, self.num_bits)

    def __repr__(self) -> str:
        known = [name for name in ("margins", "rows") if getattr(self, name) is not None]
        return f"<Queries: {len(self):,} codes of {self.num_bits} bits{''.join(f', {name}' for name in known)}>"

    def prefix(self, num_bits: int) -> Self:
        """Return the queries with the first bits of their codes only.

        Args:
            num_bits: Integer from 1 to the number of bits.
        """
        if not 1 <= num_bits <= self.num_bits:
            raise CodeError(f"`num_bits` must lie between 1 and {self.num_bits}: got {num_bits}.")
        codes = self.codes[:, : Bits(num_bits).num_bytes].copy()
        codes[:, -1] &= 256 - (1 << -num_bits % 8)  # zeros as padding
        margins = None if self.margins is None else np.ascontiguousarray(self.margins[:, :num_bits])
        return self._like(codes, margins, self.rows, num_bits)

    def _like(self, codes: Any, margins: Any, rows: Any, num_bits: int) -> Self:
        """Make queries of parts that were checked."""
        new = type(self).__new__(type(self))
        new.codes, new.margins, new.rows, new.num_bits = codes, margins, rows, num_bits
        new.fingerprint = self.fingerprint
        return new


def numbers_within(values: Any, name: str) -> NDArray[Any]:
    """Return finite numbers whose squares are finite in float32, too."""
    try:
        array = as_finite_numbers(values)
    except (DataError, DataTypeError) as error:
        raise type(error)(str(error).replace("`x`", f"`{name}`", 1)) from error
    if not is_moderate(array):
        raise DataError(f"`{name}` must lie between -1e18 and 1e18: got {array.min():.3g} to {array.max():.3g}.")
    return array


def as_queries(codes: Any) -> Queries:
    """Return queries as they are, and packed codes as queries that know nothing else."""
    return codes if isinstance(codes, Queries) else Queries(codes)


def is_moderate(array: NDArray[Any]) -> bool:
    """Return whether the squares of all numbers are finite in float32; NaN is not."""
    # Python's floats: 1e18 is beyond float16, and NumPy would warn of it.
    return array.size == 0 or (float(array.min()) >= -_LARGEST and float(array.max()) <= _LARGEST)
