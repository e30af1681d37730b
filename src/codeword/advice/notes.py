"""Facts about an array, and what else to know about it (no Keras)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.advice.figures import outliers_of
from codeword.advice.heads import AdvisedHead
from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds import Binary, DataKind, Real
from codeword.data_kinds.inference import Readings

FRAME = "In the programs for Keras, x is the array of the frame: x = frame.to_numpy()."
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
) -> tuple[str, ...]:
    """Return what else to know about an array, one or two sentences per note.

    Args:
        scan: Of the array.
        readings: What its values may mean.
        head: The first one that is advised.
        names: Names of the columns, or nothing.
        is_frame: Whether the array came as a data frame.
    """
    return (
        *_of_nan(scan, names),
        *_of_constants(scan, names),
        *_of_outliers(scan, head.kind),
        *_of_floor(head, scan),
        *_of_rows_that_sum_to_one(scan, head.kind),
        *_of_counts(scan, readings, head.kind),
        *_of_two_values(scan, head.kind),
        *_of_columns_of_one_kind(scan, head.kind),
        *_of_ratings_by_name(names),
        *([FRAME] if is_frame else []),
    )


def _of_nan(scan: ValueScan, names: Sequence[str]) -> list[str]:
    if scan.num_nan == 0 or len(scan.shape) == 1:
        return []
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
    return [note]


def _of_constants(scan: ValueScan, names: Sequence[str]) -> list[str]:
    if scan.shape[0] == 1:
        return ["This is one row: pass many rows, to show what changes between them."]
    if scan.minimum == scan.maximum:
        return [f"Every value is {scan.minimum:g}: there is nothing to learn."]
    constant = scan.constant_columns
    if len(constant) == 0:
        return []
    shown = ", ".join(str(_named(scan, number, names)) for number in constant[:MAX_SHOWN])
    more = ", …" if len(constant) > MAX_SHOWN else ""
    drop = " If that is unexpected, drop them: x[:, x.std(axis=0) > 0]." if len(scan.shape) == 2 else ""
    return [
        f"{len(constant):,} of {len(scan.column_minimum):,} columns never change ({shown}{more}); they teach nothing, "
        f"and do no harm.{drop}"
    ]


def _of_outliers(scan: ValueScan, kind: DataKind) -> list[str]:
    outliers = outliers_of(scan.sample) if kind == Real() else None
    if outliers is None:
        return []
    if outliers.share == 0:
        return ["No value lies more than five robust spreads from its column's median: mse suits."]
    note = (
        f"{outliers.share:.2%} of the values lie more than five robust spreads from their column's median; they hold "
        f"{outliers.share_of_squares:.0%} of the squared distances, which a squared error would learn"
    )
    if outliers.share_of_squares <= RULING_SHARE:
        few = outliers.share_of_squares < WORTH_A_TRY
        return [f"{note}: {'little, so mse suits' if few else 'mse suits, and mae is worth a try'}."]
    log = " All values are at least 0: np.log1p(x) may help, too." if scan.minimum >= 0 else ""
    return [f'{note}. Check those values; if they are right but should not dominate, use Real(loss="mae").{log}']


def _of_floor(head: AdvisedHead, scan: ValueScan) -> list[str]:
    for choice in head.losses:
        if choice.name == "binary_crossentropy" and choice.perfect:
            all_rows = len(scan.sample) == scan.shape[0]
            floor = f"{choice.perfect:.4f}" if all_rows else f"about {choice.perfect:.2g}"
            where = "" if all_rows else f" (measured on {len(scan.sample):,} evenly spaced rows)"
            return [
                f"Binary cross-entropy has its minimum where the output equals the value, but the minimum is {floor} "
                f"nats{where}, not 0: these values are not only 0 and 1. Training cannot go below it."
            ]
    return []


def _of_counts(scan: ValueScan, readings: Readings, kind: DataKind) -> list[str]:
    if not kind.entry_levels or readings.zeros is None:
        return []
    return [f"If these are counts that may grow beyond {scan.maximum:g}, use Real() instead of Levels."]


def _of_two_values(scan: ValueScan, kind: DataKind) -> list[str]:
    if len(kind.entry_levels) != 2 or scan.num_nan:
        return []
    return [
        f"Two values are yes or no: x == {scan.maximum:g} is Binary(), which needs one number per cell instead of two."
    ]


def _of_rows_that_sum_to_one(scan: ValueScan, kind: DataKind) -> list[str]:
    if len(scan.shape) < 2 or scan.shape[-1] < 2 or scan.share_summing_to_one < 1:
        return []
    what = "one-hot classes" if kind == Binary() else "distributions"
    return [
        f"Each row sums to 1 ({what}). If the cells of a row exclude each other, use "
        f"keras.layers.Dense({scan.shape[-1]}) and keras.losses.CategoricalCrossentropy(from_logits=True)."
    ]


def _of_columns_of_one_kind(scan: ValueScan, kind: DataKind) -> list[str]:
    spreads = scan.column_std[scan.column_std > 0]
    similar = len(spreads) >= 16 and np.quantile(spreads, 0.95) < SIMILAR_SPREADS * np.quantile(spreads, 0.05)
    if kind != Real() or not similar:
        return []
    return ['If the columns are of one kind, as in embeddings, Real(spread="common") keeps the distances between rows.']


def _of_ratings_by_name(names: Sequence[str]) -> list[str]:
    if not {name.lower() for name in names} & {"rating", "ratings", "stars"}:
        return []
    return [
        "A column is named like ratings. If each row is one rating, this is a table for "
        "RatingAutoencoder(columns=(user, item, rating)), on the command line: --columns user,item,rating."
    ]


def _named(scan: ValueScan, number: int, names: Sequence[str]) -> str:
    """Return a column's name, its number, or its index if rows have several axes."""
    if names:
        return repr(names[number])
    if len(scan.shape) == 2:
        return str(number)
    return str(tuple(int(index) for index in np.unravel_index(number, scan.shape[1:])))
