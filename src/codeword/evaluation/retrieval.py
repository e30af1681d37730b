"""Retrieval measures of codes that treat ties correctly (no Keras).

Hamming distance takes few values, so many codes of a database lie at the same distance from a query. A ranking that
breaks these ties by row number leads to a figure that changes when the rows are shuffled. Here each figure is the mean
over all orders of the ties, in closed form.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds.packing import check_bit_codes
from codeword.errors import CodeError, DataError
from codeword.settings import integer

_BLOCK_CELLS = 16_000_000  # distances in memory at a time: 64 MB, and temporarily 128 MB for their counts


def mean_average_precision(
    codes: Any, labels: Any, query_codes: Any, query_labels: Any, *, num_bits: int | None = None
) -> float:
    """Return the mean over queries of the average precision of the database ranked by Hamming distance.

    An entry is relevant if it has the label of the query. Queries without a relevant entry are ignored.

    Args:
        codes: Packed codes of the database, uint8 of shape `(n, num_bytes)`.
        labels: Labels of the database, shape `(n,)`.
        query_codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
        query_labels: Labels of the queries, shape `(q,)`.
        num_bits: Number of bits per code if the last byte is not full. Default: 8 bits per byte.

    Returns:
        A number from 0 to 1.

    Raises:
        CodeError: If codes are not packed, or the widths differ.
        DataError: If labels and codes differ in number, or no query has a relevant entry.

    Example:
        >>> codes, labels = np.array([[0], [0], [255]], np.uint8), ["a", "b", "a"]
        >>> round(mean_average_precision(codes, labels, codes[:1], ["a"]), 4)  # the mean of (1 + 2/3)/2, (1/2 + 2/3)/2
        0.7083

    References:
        McSherry and Najork, "Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied
        Scores", 2008, section 3.
    """
    averages = [_average_precision(*counts) for counts in _counts(codes, labels, query_codes, query_labels, num_bits)]
    found = np.concatenate(averages)
    if np.isnan(found).all():
        raise DataError(
            "`query_labels` must contain a label of the database: got none. Check that both have the same type."
        )
    return float(np.nanmean(found))


def precision_at_k(
    codes: Any, labels: Any, query_codes: Any, query_labels: Any, k: int, *, num_bits: int | None = None
) -> float:
    """Return the mean share of relevant entries among the `k` nearest.

    Entries tied at the k-th place are weighted by the probability that they are among the `k` nearest.

    Args:
        codes: Packed codes of the database, uint8 of shape `(n, num_bytes)`.
        labels: Labels of the database, shape `(n,)`.
        query_codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
        query_labels: Labels of the queries, shape `(q,)`.
        k: Integer from 1 to `n`.
        num_bits: Number of bits per code if the last byte is not full. Default: 8 bits per byte.

    Raises:
        ParameterError: If `k` is out of range.
    """
    shares = []
    for total, relevant in _counts(codes, labels, query_codes, query_labels, num_bits):
        integer(1, int(total[0].sum())).check("k", k)
        shares.append((relevant * _share_within(total, k)).sum(axis=1) / k)
    return float(np.concatenate(shares).mean())


def recall_at_k(codes: Any, query_codes: Any, neighbors: Any, k: int, *, num_bits: int | None = None) -> float:
    """Return the mean share of each query's true neighbors that are among its `k` nearest codes.

    Codes tied at the k-th place are weighted by the probability that they are among the `k` nearest.

    Args:
        codes: Packed codes of the database, uint8 of shape `(n, num_bytes)`.
        query_codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
        neighbors: Integers of shape `(q, t)`: the rows of each query's true neighbors in the database, as returned by
            `search.nearest_rows`.
        k: Integer from 1 to `n`.
        num_bits: Number of bits per code if the last byte is not full. Default: 8 bits per byte.

    Raises:
        CodeError, DataError, ParameterError: If codes, neighbors or `k` do not fit.
    """
    codes, query_codes, num_bits = _checked(codes, query_codes, num_bits)
    neighbors = np.asarray(neighbors)
    if neighbors.ndim != 2 or len(neighbors) != len(query_codes) or neighbors.dtype.kind not in "iu":
        raise DataError(
            f"`neighbors` must be integers of shape ({len(query_codes)}, t), as returned by `nearest_rows`: got shape "
            f"{neighbors.shape}, dtype {neighbors.dtype}."
        )
    if neighbors.size == 0 or neighbors.min() < 0 or neighbors.max() >= len(codes):
        raise DataError(
            f"`neighbors` must be rows of the database, 0 to {len(codes) - 1}: got "
            f"{f'{neighbors.min()} to {neighbors.max()}' if neighbors.size else 'none'}."
        )
    integer(1, len(codes)).check("k", k)
    shares = []
    for part, distances in _distances(codes, query_codes):
        total = _histogram(distances, num_bits)
        chance = _share_within(total, k)
        of_neighbors = np.take_along_axis(distances, neighbors[part], axis=1)
        shares.append(np.take_along_axis(chance, of_neighbors, axis=1).mean(axis=1))
    return float(np.concatenate(shares).mean())


def _average_precision(total: NDArray[np.int64], relevant: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each query's average precision from the counts at each distance; NaN where nothing is relevant.

    For a tie of n entries, r of them relevant, after C entries, R of them relevant, the mean over all orders is

        r/n * sum over i = 1..n of (R + 1 + (i - 1) (r - 1)/(n - 1)) / (C + i)

    and the sum is a difference of harmonic numbers.
    """
    before, relevant_before = (counts.cumsum(axis=1) - counts for counts in (total, relevant))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total.sum(axis=1).max() + 1))])
    rise = (relevant - 1) / np.maximum(total - 1, 1)
    inverse_ranks = harmonic[before + total] - harmonic[before]
    gained = (relevant_before + 1 - rise * (before + 1)) * inverse_ranks + rise * total
    share = relevant / np.maximum(total, 1)
    with np.errstate(invalid="ignore"):
        return (share * gained).sum(axis=1) / relevant.sum(axis=1)


def _share_within(total: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return for each distance the probability that an entry there is among the `k` nearest."""
    before = total.cumsum(axis=1) - total
    return np.clip((k - before) / np.maximum(total, 1), 0, 1)


def _counts(
    codes: Any, labels: Any, query_codes: Any, query_labels: Any, num_bits: int | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield for blocks of queries how many entries, and how many relevant entries, lie at each distance."""
    codes, query_codes, num_bits = _checked(codes, query_codes, num_bits)
    there = _labels(labels, len(codes), "labels")
    wanted = _labels(query_labels, len(query_codes), "query_labels")
    if (there.dtype.kind == "U") != (wanted.dtype.kind == "U"):
        kind = "strings" if there.dtype.kind == "U" else "numbers"
        raise DataError(f"`query_labels` must be {kind}, like `labels`: got dtype {wanted.dtype}.")
    for part, distances in _distances(codes, query_codes):
        right = there == wanted[part, None]
        yield _histogram(distances, num_bits), _histogram(distances, num_bits, right)


def _distances(codes: NDArray[np.uint8], query_codes: NDArray[np.uint8]) -> Iterator[tuple[slice, NDArray[np.int32]]]:
    """Yield blocks of queries and their distances to all codes, shape `(block, n)`."""
    words, query_words = _words(codes), _words(query_codes)
    size = max(1, _BLOCK_CELLS // len(codes))
    for start in range(0, len(query_codes), size):
        part = slice(start, start + size)
        distances = np.zeros((len(query_codes[part]), len(codes)), np.int32)
        for column in range(words.shape[1]):
            distances += np.bitwise_count(query_words[part, column, None] ^ words[:, column])
        yield part, distances


def _histogram(
    distances: NDArray[np.int32], num_bits: int, chosen: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Count the distances in each row, or the chosen ones: `(q, n)` -> `(q, num_bits + 1)`."""
    cells = distances + (np.arange(len(distances)) * (num_bits + 1))[:, None]
    flat = cells.ravel() if chosen is None else cells[chosen]
    return np.bincount(flat, minlength=len(distances) * (num_bits + 1)).reshape(len(distances), num_bits + 1)


def _words(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """View packed codes as 64-bit words, padded with zeros: `(n, num_bytes)` -> `(n, num_words)`."""
    filled = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return np.ascontiguousarray(filled).view(np.uint64)


def _checked(codes: Any, query_codes: Any, num_bits: int | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    codes, num_bits = check_bit_codes(codes, num_bits)
    array = np.asarray(query_codes)
    same_width = array.ndim == 2 and array.shape[1] == codes.shape[1]  # a few queries may contain only zeros and ones
    query_codes, _ = check_bit_codes(array, num_bits if same_width else None, name="query_codes")
    if query_codes.shape[1] != codes.shape[1]:
        raise CodeError(
            f"`query_codes` must have {codes.shape[1]} columns, like `codes`: got {query_codes.shape[1]}. "
            "Encode both with the same model."
        )
    for name, array in (("codes", codes), ("query_codes", query_codes)):
        if len(array) == 0:
            raise CodeError(f"`{name}` must have at least one row: got none.")
    return codes, query_codes, num_bits


def _labels(labels: Any, count: int, name: str) -> NDArray[Any]:
    """Return labels as numbers or strings, or raise if one is missing."""
    if np.ma.is_masked(labels):
        missing = int(np.ma.getmaskarray(labels).sum())
        raise DataError(f"`{name}` must not be missing: got {missing} masked. Drop those rows.")
    labels = np.asarray(labels)
    if labels.shape != (count,):
        raise DataError(f"`{name}` must have shape ({count},), one label per code: got shape {labels.shape}.")
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels):
        labels = labels.astype(str)
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise DataError(f"`{name}` must not be missing: got {int(np.isnan(labels).sum())} NaN. Drop those rows.")
    if labels.dtype.kind not in "biufU":
        found = sorted({type(label).__name__ for label in labels.tolist()})
        raise DataError(
            f"`{name}` must be either numbers or strings, none missing: got {', '.join(found)}. Drop rows without a "
            "label, or convert all labels to strings."
        )
    return labels
