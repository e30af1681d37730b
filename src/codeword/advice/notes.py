"""Facts about an array, and what else to know about it (no Keras)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.advice.figures import Outliers, outliers_of
from codeword.advice.heads import AdvisedHead
from codeword.arrays.id_columns import PLACES, has_ratings, naming
from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds import Binary, DataKind, Real
from codeword.data_kinds.inference import Readings

MAX_SHOWN = 5
SIMILAR_SPREADS = 3.0
WORTH_A_TRY = 0.1
RULING_SHARE = 0.5  # of the squared distances: a squared error then mostly learns the outliers


def values_of(scan: ValueScan) -> dict[str, Any]:
    """Return the facts about an array, as plain values."""
    constant = scan.constant_columns.tolist() if scan.shape[0] > 1 else []
    return {
        "shape": list(scan.shape),
        "dtype": str(scan.dtype),
        "minimum": scan.minimum,
        "maximum": scan.maximum,
        "mean": scan.mean,
        "distinct": None if scan.distinct is None else list(scan.distinct),
        "share_zero": scan.share_zero,
        "share_observed": scan.num_finite / scan.num_cells,
        "num_nan": scan.num_nan,
        "first_nan": None if scan.first_not_finite is None else list(scan.first_not_finite),
        "num_constant_columns": len(constant),
        "num_sampled_rows": len(scan.sample),
    }


def values_of_stored(shape: Sequence[int], stored: ValueScan) -> dict[str, Any]:
    """Return the facts about a sparse matrix; its values are the stored ones."""
    observed = {"shape": list(shape), "share_observed": stored.num_cells / float(np.prod(shape))}
    return {**values_of(stored), **observed, "num_constant_columns": 0}


def with_zeros(stored: ValueScan, matrix: Any, sample: NDArray[Any]) -> ValueScan:
    """Return the scan of a sparse matrix whose missing entries are 0.

    Args:
        stored: Of the stored entries.
        matrix: The scipy.sparse matrix.
        sample: Some of its rows, dense.
    """
    distinct, has_zeros = stored.distinct, stored.num_cells < int(np.prod(matrix.shape))
    mean = np.ravel(matrix.mean(axis=0))
    squares = np.ravel(matrix.multiply(matrix).mean(axis=0))
    return replace(
        stored,
        shape=matrix.shape,
        minimum=min(stored.minimum, 0.0) if has_zeros else stored.minimum,
        maximum=max(stored.maximum, 0.0) if has_zeros else stored.maximum,
        distinct=None if distinct is None else tuple(sorted({*([0.0] * has_zeros), *distinct})),
        column_mean=mean,
        column_std=np.sqrt(np.maximum(squares - mean**2, 0)),
        sample=sample.astype(np.float64),
    )


def notes_of(
    scan: ValueScan, readings: Readings, head: AdvisedHead, names: Sequence[str], *, is_frame: bool
) -> Iterator[str]:
    """Yield what else to know about an array, one or two sentences per note.

    Args:
        scan: Of the array.
        readings: What its values may mean.
        head: The first one that is advised.
        names: Names of the columns, or nothing.
        is_frame: Whether the array came as a data frame.
    """
    yield from _of_nan(scan, names)
    yield from _of_constants(scan, names)
    if head.kind == Real() and (outliers := outliers_of(scan.sample)) is not None:
        yield _of_outliers(outliers, scan)
    yield from _of_floor(head, scan)
    yield from _of_meaning(scan, readings, head.kind)
    if _may_be_ids(scan, names):
        yield (
            "If each row is a user, an item and a rating, this is a table for RatingAutoencoder. "
            f"{naming(names[:3], counted=False)}"
        )
    if has_ratings(names):
        yield (
            "A column is named like ratings. If each row is one rating, this is a table for RatingAutoencoder. "
            f"{naming(names, counted=False)}"
        )
    if is_frame:
        yield "In the programs for Keras, x is the array of the frame: x = frame.to_numpy()."


def notes_of_ids(pairs: NDArray[np.intp], scan: ValueScan, kind: DataKind, columns: Sequence[str]) -> Iterator[str]:
    """Yield what else to know about a table of ids.

    Args:
        pairs: A number for the pair of user and item of each row.
        scan: Of the ratings.
        kind: What the ratings are.
        columns: Names of the columns that are read.
    """
    repeated = len(pairs) - len(np.unique(pairs))
    if repeated and kind.has_ratings:
        yield (
            f"{repeated:,} rows are of pairs that occur before. RatingAutoencoder takes the latest of a pair; for "
            'their mean, set repeated="mean", on the command line: --repeated mean.'
        )
    elif repeated:
        yield f"{repeated:,} rows are of pairs that occur before: their counts are added."
    if not kind.has_ratings and len(columns) > 2 and scan.minimum == scan.maximum:
        yield f"Every value in {columns[2]!r} is {scan.minimum:g}: there is nothing to predict, only items to rank."


def _may_be_ids(scan: ValueScan, names: Sequence[str]) -> bool:
    """Return whether a text table without names may be one of ids: three columns of which the last has few values."""
    if len(names) != 3 or not all(map(PLACES.fullmatch, names)) or not scan.halves or scan.minimum < 0:
        return False
    return bool(scan.column_maximum[2] <= 10 < scan.column_maximum[:2].min())


def _of_nan(scan: ValueScan, names: Sequence[str]) -> Iterator[str]:
    if scan.num_nan == 0 or len(scan.shape) == 1:
        return
    counts = scan.shape[0] - scan.column_count
    most = int(counts.argmax())
    note = (
        f"{np.count_nonzero(counts):,} of {len(counts):,} columns have NaN, the first at index "
        f"{scan.first_not_finite}; column {_named(scan, most, names)} has the most, "
        f"{counts[most] / scan.shape[0]:.0%} of the rows."
    )
    empty = np.flatnonzero(scan.column_count == 0)
    if len(empty):
        note += f" {len(empty)} of them have nothing else: drop those, the first is {_named(scan, empty[0], names)}."
    yield note


def _of_constants(scan: ValueScan, names: Sequence[str]) -> Iterator[str]:
    constant = scan.constant_columns
    if scan.shape[0] == 1:
        yield "This is one row: pass many rows, to show what changes between them."
    elif scan.minimum == scan.maximum:
        yield f"Every value is {scan.minimum:g}: there is nothing to learn."
    elif len(constant):
        shown = ", ".join(_named(scan, number, names) for number in constant[:MAX_SHOWN])
        more = ", …" if len(constant) > MAX_SHOWN else ""
        drop = " If that is unexpected, drop them: x[:, x.std(axis=0) > 0]." if len(scan.shape) == 2 else ""
        yield (
            f"{len(constant):,} of {len(scan.column_minimum):,} columns never change ({shown}{more}); they teach "
            f"nothing, and do no harm.{drop}"
        )


def _of_outliers(outliers: Outliers, scan: ValueScan) -> str:
    if outliers.share == 0:
        return "No value lies more than five robust spreads from its column's median: mse suits."
    note = (
        f"{outliers.share:.2%} of the values lie more than five robust spreads from their column's median; they hold "
        f"{outliers.share_of_squares:.0%} of the squared distances, which a squared error would learn"
    )
    if outliers.share_of_squares <= RULING_SHARE:
        few = outliers.share_of_squares < WORTH_A_TRY
        return f"{note}: {'little, so mse suits' if few else 'mse suits, and mae is worth a try'}."
    log = " All values are at least 0: np.log1p(x) may help, too." if scan.minimum >= 0 else ""
    return f'{note}. Check those values; if they are right but should not dominate, use Real(loss="mae").{log}'


def _of_floor(head: AdvisedHead, scan: ValueScan) -> Iterator[str]:
    for choice in head.losses:
        if choice.name == "binary_crossentropy" and choice.perfect:
            all_rows = len(scan.sample) == scan.shape[0]
            floor = f"{choice.perfect:.4f}" if all_rows else f"about {choice.perfect:.2g}"
            where = "" if all_rows else f" (measured on {len(scan.sample):,} evenly spaced rows)"
            yield (
                f"Binary cross-entropy has its minimum where the output equals the value, but the minimum is {floor} "
                f"nats{where}, not 0: these values are not only 0 and 1. Training cannot go below it."
            )


def _of_meaning(scan: ValueScan, readings: Readings, kind: DataKind) -> Iterator[str]:
    if len(scan.shape) > 1 and scan.shape[-1] > 1 and scan.share_summing_to_one == 1:
        what = "one-hot classes" if kind == Binary() else "distributions"
        yield (
            f"Each row sums to 1 ({what}). If the cells of a row exclude each other, use "
            f"keras.layers.Dense({scan.shape[-1]}) and keras.losses.CategoricalCrossentropy(from_logits=True)."
        )
    if kind.entry_levels and readings.zeros is not None:
        yield f"If these are counts that may grow beyond {scan.maximum:g}, use Real() instead of Levels."
    if len(kind.entry_levels) == 2 and scan.num_nan == 0:
        yield (
            f"Two values are yes or no: x == {scan.maximum:g} is Binary(), which needs one number per cell instead of "
            "two."
        )
    spreads = scan.column_std[scan.column_std > 0]
    similar = len(spreads) >= 16 and np.quantile(spreads, 0.95) < SIMILAR_SPREADS * np.quantile(spreads, 0.05)
    if kind == Real() and similar:
        of_one_kind = "If the columns are of one kind, as in embeddings,"
        yield f'{of_one_kind} Real(spread="common") keeps the distances between rows.'


def _named(scan: ValueScan, number: int, names: Sequence[str]) -> str:
    """Return a column's name, its number, or its index if rows have several axes."""
    if names:
        return repr(names[number])
    if len(scan.shape) == 2:
        return str(number)
    return str(tuple(int(index) for index in np.unravel_index(number, scan.shape[1:])))
