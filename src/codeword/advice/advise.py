"""From data alone: its kind, its scaling, the output layer and the loss that fit (no Keras)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from codeword.advice import facts
from codeword.advice.figures import Sample, sample_rows
from codeword.advice.heads import AdvisedHead as AdvisedHead
from codeword.advice.heads import LossChoice as LossChoice
from codeword.advice.heads import head_of_ratings, head_of_rows, head_of_target
from codeword.advice.report import Advice as Advice
from codeword.arrays.finite_numbers import as_numbers, refuse_not_finite
from codeword.arrays.value_scan import ValueScan, scan_values
from codeword.data_kinds import DataKind, Levels, Ratings, Real
from codeword.data_kinds.inference import (
    MAX_INFERRED_LEVELS,
    infer_data_kind,
    kind_of_values,
    kinds_of_values,
    num_classes,
    scale_if_mostly_missing,
    scale_if_zero_is_missing,
)
from codeword.data_kinds.python_text import python_literal
from codeword.errors import DataError
from codeword.files.tables import as_array
from codeword.recommenders.rating_table import COLUMNS, RatingTable, as_rating_table

Found = tuple[str | None, tuple[AdvisedHead, ...]]  # a question, and a head for each answer


def advise(x: Any, *, columns: Sequence[str] = (), verbose: bool = False) -> Advice:
    """Tells from data alone which data kind it is, how to scale it, and which output layer and loss fit.

    The answer comes from the table of data kinds, which `Autoencoder` makes its heads from. Where values can mean two
    things, ratings or counts, it asks, and gives a head for each answer. All values are read once, in pieces, so that
    a memory-mapped file of any size may come; what losses can reach, and how far values lie off, is measured on evenly
    spaced rows, up to 2 million cells. Keras is not loaded.

    Args:
        x: Numbers of shape `(n, ...)`, NaN allowed; a scipy.sparse matrix, in which what is stored was observed; a
            frame, also one with the columns user, item and rating. A single column is taken for a target that a
            network is to tell from other data: class labels, yes or no, a number.
        columns: Names of the columns, for the notes; those of a frame are known.
        verbose: Whether to show a progress bar where reading takes more than a second.

    Returns:
        Printed, a table and programs to paste; `kind` is the data kind; `to_json()` is for programs.

    Raises:
        DataTypeError: If `x` is no array of numbers.
        DataError: If `x` is empty, complex or infinite, or nothing but NaN.

    Example:
        >>> advice = advise(np.random.default_rng(0).integers(0, 4, size=(64, 8, 8)) / 4)
        >>> advice.kind.values, advice.kind.loss, advice.heads[0].output
        ((0.0, 0.25, 0.5, 0.75), 'crossentropy', 'keras.layers.Dense(256)')
    """
    frame = nw.from_native(x, eager_only=True, pass_through=True)
    names = tuple(frame.columns) if isinstance(frame, nw.DataFrame) else columns
    if isinstance(frame, nw.DataFrame) and set(COLUMNS) <= set(names):
        return advise_on_ratings(as_rating_table(x, None, name="x"))
    if hasattr(x, "tocsr"):
        return _of_sparse(x)
    x = as_numbers(as_array(x))
    scan = scan_values(x, verbose=verbose)
    refuse_not_finite(0, scan.num_infinite, scan.first_not_finite)
    if scan.num_finite == 0:
        raise DataError(f"`x` must hold at least one number. Received: shape {scan.shape}, all NaN. Pass values.")
    sample = sample_rows(x)
    if scan.is_one_column:
        question, heads = _of_target(scan, sample)
    elif scan.num_nan:
        question, heads = _of_missing(scan, sample)
    else:
        question, heads = _of_rows(scan, sample)
    notes = facts.notes_of(x, scan, sample, heads[0], names)
    if isinstance(frame, nw.DataFrame):
        notes += (facts.FRAME,)
    return Advice({**facts.values_of(scan), "num_sampled_rows": len(sample)}, question, heads, notes)


def _of_rows(scan: ValueScan, sample: Sample) -> Found:
    """Rows of which every value is there."""
    kinds = kinds_of_values(scan)
    heads = tuple(head_of_rows(kind, scan, sample) for kind in kinds)
    scale = scale_if_zero_is_missing(scan)
    if scale is not None:
        rated = head_of_ratings(scale, scan.shape[1], came="zeros", answer="0 means not rated, not seen, not known")
        return facts.RATINGS_OR_COUNTS, (replace(heads[0], answer="0 is a count, a gray, or another value"), rated)
    if len(heads) == 1:
        return None, heads
    return facts.BRIGHTNESS_OR_COUNTS, tuple(replace(head, answer=_brightness_or_counts(head.kind)) for head in heads)


def _brightness_or_counts(kind: DataKind) -> str:
    if kind == Real():
        return "they are counts, ages, prices: no value is the greatest possible one"
    return f"they are brightness, or shares of {kind.scaling.split()[2].strip(',')}, the greatest possible value"


def _of_missing(scan: ValueScan, sample: Sample) -> Found:
    """Rows with NaN."""
    kind = kind_of_values(scan)
    whole_rows = ~np.isnan(sample).any(axis=1)
    # A value from the middle of the kind's own.
    middle = float(np.nanmedian(sample)) if np.isfinite(sample).any() else scan.mean
    if kind.entry_levels:
        middle = min(kind.entry_levels, key=lambda value: abs(value - middle))
    middle = round(middle) if kind.loss == "binary_crossentropy" else middle
    unknown = "NaN means not known: it is to be left out"
    scale = scale_if_mostly_missing(scan)
    if scale is not None:
        left_out = head_of_ratings(scale, scan.shape[1], came="nan", answer=unknown)
    else:
        left_out = head_of_rows(kind, scan, sample, filled=middle, answer=unknown)
    if whole_rows.mean() > 0.5:
        axes = 1 if len(scan.shape) == 2 else tuple(range(1, len(scan.shape)))
        mended = f"x = x[~np.isnan(x).any(axis={axes})]  # rows without NaN"
        sample = sample[whole_rows]
    else:
        middles = "np.nanmedian(x, axis=0)" if kind == Real() else python_literal(middle)
        mended = f"x = np.where(np.isnan(x), {middles}, x)  # too many rows to drop: a value from the middle"
    head = head_of_rows(kind, scan, sample, prepare=(mended,), answer="NaN is a mistake: it is to be mended")
    return facts.UNKNOWN_OR_MISTAKE, (left_out, head)


def _of_target(scan: ValueScan, sample: Sample) -> Found:
    """A single column, which a network is to tell from other data."""
    prepare: tuple[str, ...] = ()
    if scan.num_nan:
        prepare = ("known = ~np.isnan(y).reshape(-1)", "x, y = x[known], y[known]  # NaN can teach nothing")
        sample = sample[~np.isnan(sample).any(axis=1)]
    classes = num_classes(scan)
    if classes is None:
        return None, (head_of_target(kind_of_values(scan), scan, sample, prepare=prepare),)
    names = head_of_target(Levels(classes), scan, sample, prepare=prepare, classes=True)
    if classes > MAX_INFERRED_LEVELS:
        return None, (names,)
    names = replace(names, answer="they are names: 2 is no more than 1")
    order = "they are grades, stars, stages: 2 is more than 1"
    grades = head_of_target(Levels(classes, loss="ordinal"), scan, sample, prepare=prepare, answer=order)
    return facts.CLASSES_OR_GRADES, (names, grades)


def advise_on_ratings(table: RatingTable, *, columns: Sequence[str] = COLUMNS) -> Advice:
    """Gives the advice on a table with a row for each rating; `columns`: its columns of users, items and ratings."""
    kind = infer_data_kind(table.matrix)
    assert isinstance(kind, Ratings), "it is sparse"
    head = head_of_ratings(kind, table.matrix.shape[1], came="table", columns=columns)
    return Advice(facts.values_of_stored(table.matrix, scan_values(table.matrix.data)), None, (head,), ())


def _of_sparse(x: Any) -> Advice:
    """A scipy.sparse matrix: what is stored was observed."""
    as_rating_table(x, None, name="x")  # refuses what no recommender could take
    matrix = x.tocsr()
    kind = infer_data_kind(matrix)
    assert isinstance(kind, Ratings), "it is sparse"
    stored = scan_values(matrix.data)
    rated = head_of_ratings(kind, matrix.shape[1], came="sparse", answer="what is not stored is not known: ratings")
    dense = facts.with_zeros(stored, matrix)
    sample = sample_rows(matrix)
    counted = head_of_rows(
        kind_of_values(dense),
        dense,
        sample,
        prepare=("x = x.toarray()",),
        answer="what is not stored is 0: counts, words",
    )
    values = {**facts.values_of_stored(matrix, stored), "num_sampled_rows": len(sample)}
    return Advice(values, facts.RATINGS_OR_WORDS, (rated, counted), ())
