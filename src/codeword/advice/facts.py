"""What an advice says of the values: facts, questions, notes (no Keras)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from codeword.advice.figures import Sample, outliers_of
from codeword.advice.heads import AdvisedHead
from codeword.arrays.value_scan import ValueScan, row_pieces
from codeword.data_kinds import Binary, DataKind, Real
from codeword.data_kinds.inference import scale_if_zero_is_missing

RATINGS_OR_COUNTS = (
    "Ratings or counts? Most cells are 0. Only you know whether 0 is a value or means that there is none."
)
RATINGS_OR_WORDS = "Ratings or counts? Only you know whether a cell that is not stored is not known, or 0."
BRIGHTNESS_OR_COUNTS = "Brightness or counts? Whole numbers from 0 to 255 may have a greatest possible value, or not."
CLASSES_OR_GRADES = "Names or grades? Only you know whether the order of the whole numbers means anything."
UNKNOWN_OR_MISTAKE = "Not known, or a mistake? NaN must not enter a network: one makes the loss and all weights NaN."
FRAME = "In the programs for Keras x is the array of the frame: x = frame.to_numpy()."
MAX_SHOWN = 5
ALIKE_SPREADS = 3.0
WORTH_A_TRY = 0.1
RULING_SHARE = 0.5


def values_of(scan: ValueScan) -> dict[str, Any]:
    """Gives the facts of an array, as plain values."""
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
        "num_sampled_rows": 0,
    }


def values_of_stored(matrix: Any, stored: ValueScan) -> dict[str, Any]:
    """Gives the facts of a scipy.sparse matrix; of the values those of what is stored."""
    shape = {"shape": list(matrix.shape), "share_observed": stored.num_cells / float(np.prod(matrix.shape))}
    return {**values_of(stored), **shape, "num_constant_columns": 0}


def with_zeros(stored: ValueScan, matrix: Any) -> ValueScan:
    """Gives the scan of what a matrix stores as if what it does not store were 0."""
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
    )


def notes_of(x: Any, scan: ValueScan, sample: Sample, head: AdvisedHead, names: Sequence[str]) -> tuple[str, ...]:
    """Gives what else to know of an array, each in a sentence or two.

    Args:
        x: The array.
        scan: What all of its values say.
        sample: Some of its rows.
        head: The first that is advised.
        names: Of the columns, if they have any.
    """
    notes = [
        *_of_nan(x, scan, names),
        *_of_constants(scan, names),
        *_of_outliers(scan, sample, head.kind),
        *_of_floor(head, len(sample), scan.shape[0]),
        *_of_rows_that_sum_to_one(scan, head.kind),
        *_of_counts(scan, head.kind),
        *_of_two_values(scan, head.kind),
        *_of_columns_of_one_kind(scan, head.kind),
        *_of_ratings_by_name(names),
    ]
    return tuple(notes)


def _of_nan(x: Any, scan: ValueScan, names: Sequence[str]) -> list[str]:
    if scan.num_nan == 0 or len(scan.shape) == 1:
        return []
    counts = np.zeros(len(scan.column_minimum), np.int64)
    for _, piece in row_pieces(x):
        counts += np.isnan(piece.reshape(len(piece), -1)).sum(axis=0)
    most = int(counts.argmax())
    note = (
        f"NaN stands in {np.count_nonzero(counts):,} of {len(counts):,} columns, the first at index "
        f"{scan.first_not_finite}; most of it in column {_named(scan, most, names)}, "
        f"{counts[most] / scan.shape[0]:.0%} of the rows."
    )
    empty = np.flatnonzero(counts == scan.shape[0])
    if len(empty):
        note += (
            f" Nothing else stands in {len(empty)} of them: drop those, the first is {_named(scan, empty[0], names)}."
        )
    return [note]


def _of_constants(scan: ValueScan, names: Sequence[str]) -> list[str]:
    if scan.shape[0] == 1:
        return ["This is one row: pass many, so that one can tell what changes from row to row."]
    if scan.minimum == scan.maximum:
        return [f"Every value is {scan.minimum:g}: there is nothing to learn."]
    constant = scan.constant_columns
    if len(constant) == 0:
        return []
    shown = ", ".join(str(_named(scan, number, names)) for number in constant[:MAX_SHOWN])
    more = ", …" if len(constant) > MAX_SHOWN else ""
    drop = " Drop them if that is not what they shall be: x[:, x.std(axis=0) > 0]." if len(scan.shape) == 2 else ""
    return [
        f"{len(constant):,} of {len(scan.column_minimum):,} columns never change ({shown}{more}); they teach nothing, "
        f"and do no harm.{drop}"
    ]


def _of_outliers(scan: ValueScan, sample: Sample, kind: DataKind) -> list[str]:
    outliers = outliers_of(sample) if kind == Real() else None
    if outliers is None:
        return []
    if outliers.share == 0:
        return ["No value lies more than five robust spreads from its column's median: mse suits."]
    note = (
        f"{outliers.share:.2%} of the values lie more than five robust spreads from their column's median; they hold "
        f"{outliers.share_of_squares:.0%} of the squared distances, which is what a squared error would learn"
    )
    if outliers.share_of_squares <= RULING_SHARE:
        few = outliers.share_of_squares < WORTH_A_TRY
        return [f"{note}: {'little, so mse suits' if few else 'mse suits, and mae is worth a try'}."]
    log = " All values are >= 0: np.log1p(x) may help, too." if scan.minimum >= 0 else ""
    return [f'{note}: if they are rare exceptions, take Real(loss="mae"). Check that those values are right.{log}']


def _of_floor(head: AdvisedHead, num_sampled: int, num_rows: int) -> list[str]:
    for choice in head.losses:
        if choice.name == "binary_crossentropy" and choice.perfect:
            all_rows = num_sampled == num_rows
            floor = f"{choice.perfect:.4f}" if all_rows else f"about {choice.perfect:.2g}"
            where = "" if all_rows else f" (measured on {num_sampled:,} evenly spaced rows)"
            return [
                f"Binary cross-entropy is least where the output equals the value, but {floor} nats there{where}, "
                "not 0: these values are not only 0 and 1. Training cannot go below, and that is no failure."
            ]
    return []


def _of_counts(scan: ValueScan, kind: DataKind) -> list[str]:
    asked = bool(kind.entry_levels) and scale_if_zero_is_missing(scan) is not None
    return (
        [f"If these are counts that may grow beyond {scan.maximum:g}, take Real() instead of Levels."] if asked else []
    )


def _of_two_values(scan: ValueScan, kind: DataKind) -> list[str]:
    if len(kind.entry_levels) != 2 or scan.num_nan:
        return []
    return [
        f"Two values are yes or no: x == {scan.maximum:g} is Binary(), which needs one number a cell instead of two."
    ]


def _of_rows_that_sum_to_one(scan: ValueScan, kind: DataKind) -> list[str]:
    if len(scan.shape) < 2 or scan.shape[-1] < 2 or scan.share_summing_to_one < 1:
        return []
    what = "one-hot classes" if kind == Binary() else "distributions"
    return [
        f"Each row sums to 1 ({what}). If one row is one answer, the cells exclude each other: take "
        f"keras.layers.Dense({scan.shape[-1]}) and keras.losses.CategoricalCrossentropy(from_logits=True)."
    ]


def _of_columns_of_one_kind(scan: ValueScan, kind: DataKind) -> list[str]:
    spreads = scan.column_std[scan.column_std > 0]
    alike = len(spreads) >= 16 and np.quantile(spreads, 0.95) < ALIKE_SPREADS * np.quantile(spreads, 0.05)
    if kind != Real() or not alike:
        return []
    return ['If the columns are of one kind, as in embeddings, Real(spread="common") keeps the distances between rows.']


def _of_ratings_by_name(names: Sequence[str]) -> list[str]:
    if not {name.lower() for name in names} & {"rating", "ratings", "stars"}:
        return []
    return [
        "A column is named like ratings. If each row is one rating, this is a table for "
        "RatingAutoencoder(data=..., columns=(user, item, rating)), on the command line: --columns user,item,rating."
    ]


def _named(scan: ValueScan, number: int, names: Sequence[str]) -> str:
    """Gives a column's name, or its number, or of rows with several axes its index."""
    if names:
        return repr(names[number])
    if len(scan.shape) == 2:
        return str(number)
    return str(tuple(int(index) for index in np.unravel_index(number, scan.shape[1:])))
