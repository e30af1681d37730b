"""From data alone: its kind, its scaling, the output layer and the loss that fit (no Keras)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from codeword.advice import notes
from codeword.advice.heads import AdvisedHead, measured
from codeword.advice.programs import Source
from codeword.advice.report import Advice as Advice
from codeword.arrays.finite_numbers import refuse_not_finite
from codeword.arrays.id_columns import is_count, is_id_table
from codeword.arrays.ids import Ids
from codeword.arrays.rows import as_frame, evenly_spaced, take_rows
from codeword.arrays.value_scan import ValueScan, scan_values
from codeword.data_kinds import DataKind, Levels, Ratings, Real
from codeword.data_kinds.inference import MAX_INFERRED_LEVELS, Readings, kinds_of_observed, readings_of
from codeword.data_kinds.python_text import python_literal
from codeword.errors import DataError, DataTypeError
from codeword.recommenders.given_ratings import GivenRatings, given_ratings, numbers_of

SAMPLE_CELLS = 1 << 21

Found = tuple[str | None, tuple[AdvisedHead, ...]]  # a question, and a head for each answer


def advise(x: Any, *, columns: Sequence[str] = (), verbose: bool = False) -> Advice:
    """Recommend a data kind, a scaling, an output layer and a loss from the data alone.

    The answer comes from the table of heads that `infer_data_kind`, `examine` and the estimators read. If the values
    can mean two things, such as ratings or counts, the advice asks and has a head for each answer. All values are read
    once, in pieces, so `x` may be a memory-mapped file of any size. What each loss can reach is measured on evenly
    spaced rows, up to 2 million cells. Keras is not loaded.

    Args:
        x: Numbers of shape `(n, ...)`, NaN allowed; a scipy.sparse matrix, whose stored entries were observed; or a
            data frame, which may be a table of ids with columns such as userId, movieId and rating. A single column is
            treated as a target that a network predicts from other data: class labels, yes or no, or a number.
        columns: Names of the columns, for the notes. A data frame brings its own.
        verbose: Whether to show a progress bar if reading takes more than a second.

    Returns:
        An `Advice`: `print` shows a table and programs to paste, `kind` is the data kind, and `to_json()` is for
        programs.

    Raises:
        DataTypeError: If `x` is not an array of numbers.
        DataError: If `x` is empty, complex or infinite, or all NaN.

    Example:
        >>> advice = advise(np.random.default_rng(0).integers(0, 4, size=(64, 8, 8)) / 4)
        >>> advice
        Advice(Levels([0, 0.25, 0.5, 0.75]), keras.layers.Dense(256), cw.losses.LevelCrossentropy(...))
    """
    frame = as_frame(x)
    names = tuple(columns) if frame is None else tuple(map(str, frame.columns))
    if frame is not None and is_id_table(names):
        return advise_on_ids(given_ratings(x, counted=None, name="x"))
    if hasattr(x, "tocsr"):
        return _on_sparse(x.tocsr())
    scan = scan_values(x if frame is None else frame.to_numpy(), sample_cells=SAMPLE_CELLS, verbose=verbose)
    refuse_not_finite(0, scan.num_infinite, scan.first_not_finite)
    if scan.num_finite == 0:
        raise DataError(f"`x` must hold at least one number: got shape {scan.shape}, all NaN.")
    readings = readings_of(scan)
    question, heads = _on_target(scan, readings) if scan.is_one_column else _on_rows(scan, readings)
    heads = tuple(measured(head, scan) for head in heads)
    more = tuple(notes.notes_of(scan, readings, heads[0], names, is_frame=frame is not None))
    return Advice(notes.values_of(scan), question, heads, more)


def advise_on_ids(given: GivenRatings, *, are_named: bool = False, path: str | None = None) -> Advice:
    """Return the advice on a table of users, items and perhaps ratings or counts.

    Args:
        given: Its columns.
        are_named: Whether the user named the columns.
        path: The file that they came from.
    """
    users, rows = Ids.of(given.users, given.columns.user)
    items, places = Ids.of(given.items, given.columns.item)
    values = None if given.values is None else numbers_of(given)
    scan = scan_values(np.ones(len(rows)) if values is None else values, name=given.columns.value or "x")
    refuse_not_finite(scan.num_nan, scan.num_infinite, scan.first_not_finite)
    kinds = kinds_of_observed(None if is_count(given.columns.value) else values)
    question: str | None = None
    answers: tuple[str | None, ...] = (None,)
    if len(kinds) > 1:
        question, answers = _of_not_rated(kinds[0].to_config()["missing"], scan)
    columns = given.columns.present[: 2 + (values is not None)]
    source = Source("table", (len(items),), columns=columns, are_named=are_named, path=path)
    heads = [AdvisedHead(kind, _on_scale(source, kind), answer) for kind, answer in zip(kinds, answers, strict=True)]
    more = [] if given.note is None else [f"Columns: {given.note}."]
    more += notes.notes_of_ids(rows * len(items) + places, scan, kinds[0], columns)
    shape = (len(users), len(items))
    return Advice(
        notes.values_of_stored(shape, scan), question, tuple(measured(head, scan) for head in heads), tuple(more)
    )


def _of_not_rated(number: float, scan: ValueScan) -> tuple[str, tuple[str, str]]:
    count = dict(zip(scan.distinct or (), scan.distinct_counts or (), strict=True)).get(number)
    share = "Some" if count is None else f"{count / scan.num_cells:.0%}"
    return (
        f"Rated or not? {share} of the ratings are {number:g}. Only you know what {number:g} means.",
        (f"{number:g} means not rated: such rows are dropped", f"{number:g} is a rating like the others"),
    )


def _on_scale(source: Source, kind: DataKind) -> Source:
    config = kind.to_config()
    return replace(source, scale=(config["low"], config["high"])) if kind.has_ratings else source


def _on_rows(scan: ValueScan, readings: Readings) -> Found:
    """Return a head for each meaning that rows may have."""
    source = Source("rows", scan.shape[1:])
    if scan.num_nan:
        question = "Unknown or a mistake? NaN must not enter a network:"
        question += " a single one makes the loss and all weights NaN."
        return question, (_of_unknown(scan, readings), _of_mistakes(scan, readings.kinds[0]))
    if readings.zeros is not None:
        question = (
            "Ratings or counts? Most cells are 0. Only you know whether 0 is a value or means that there is none."
        )
        counted = AdvisedHead(readings.kinds[0], source, "0 is a count, a gray, or another value")
        rated = _rated(readings.zeros, scan.shape[1:], "zeros", "0 means not rated, not seen, unknown")
        return question, (counted, rated)
    if len(readings.kinds) == 1:
        return None, (AdvisedHead(readings.kinds[0], source),)
    question = "Brightness or counts? Only you know whether whole numbers from 0 to 255 have a greatest possible value."
    amounts = "they are counts, ages or prices: there is no greatest possible value"
    shares = "they are brightness or shares: {:g} is the greatest possible value"
    answers = (amounts if kind == Real() else shares.format(kind.to_config()["maximum"]) for kind in readings.kinds)
    heads = [AdvisedHead(kind, source, answer) for kind, answer in zip(readings.kinds, answers, strict=True)]
    return question, tuple(heads)


def _rated(scale: Ratings, row_shape: tuple[int, ...], came: str, answer: str | None, **more: Any) -> AdvisedHead:
    return AdvisedHead(scale, Source(came, row_shape, scale=(scale.low, scale.high), **more), answer)


def _middle(scan: ValueScan, kind: DataKind) -> float:
    """Return a value of the kind from the middle of the others."""
    middle = float(np.nanmedian(scan.sample)) if np.isfinite(scan.sample).any() else scan.mean
    if kind.entry_levels:
        return min(kind.entry_levels, key=lambda value: abs(value - middle))
    return float(round(middle)) if "mse" not in kind.losses else middle


def _of_unknown(scan: ValueScan, readings: Readings) -> AdvisedHead:
    """Return the head if NaN means "unknown": the loss ignores it."""
    answer, kind = "NaN means unknown: the loss ignores it", readings.kinds[0]
    if readings.holes is not None:
        return _rated(readings.holes, scan.shape[1:], "nan", answer)
    scaling = kind.scaling_by(scan)
    filled = 0.0 if np.ndim(scaling.factor) else _middle(scan, kind) / scaling.factor
    return AdvisedHead(kind, Source("rows", scan.shape[1:], filled=filled), answer)


def _of_mistakes(scan: ValueScan, kind: DataKind) -> AdvisedHead:
    """Return the head if NaN is a mistake in the data: rows are dropped, or filled if too many have one."""
    drops = bool((~np.isnan(scan.sample).any(axis=1)).mean() > 0.5)
    if drops:
        axes = 1 if len(scan.shape) == 2 else tuple(range(1, len(scan.shape)))
        line = f"x = x[~np.isnan(x).any(axis={axes})]  # rows without NaN"
    else:
        middle = "np.nanmedian(x, axis=0)" if kind == Real() else python_literal(_middle(scan, kind))
        line = f"x = np.where(np.isnan(x), {middle}, x)  # too many rows to drop: a value from the middle"
    source = Source("rows", scan.shape[1:], drops_holes=drops)
    return AdvisedHead(kind, source, "NaN is a mistake in the data: drop or fill it", (line,))


def _on_target(scan: ValueScan, readings: Readings) -> Found:
    """Return a head for each meaning that one column may have, which a network predicts from other data."""
    prepare: tuple[str, ...] = ()
    if scan.num_nan:
        prepare = ("known = ~np.isnan(y).reshape(-1)", "x, y = x[known], y[known]  # NaN teaches nothing")
    source = Source("target", drops_holes=bool(scan.num_nan))
    if readings.num_classes is None:
        return None, (AdvisedHead(readings.kinds[0], source, None, prepare),)
    names = AdvisedHead(Levels(readings.num_classes), replace(source, came="classes"), None, prepare)
    if readings.num_classes > MAX_INFERRED_LEVELS:
        return None, (names,)
    question = "Names or grades? Only you know whether the order of the whole numbers means anything."
    answer = "they are grades or stages: 2 is more than 1"
    grades = AdvisedHead(names.kind.with_loss("ordinal"), source, answer, prepare)
    return question, (replace(names, answer="they are names: 2 is no more than 1"), grades)


def _on_sparse(matrix: Any) -> Advice:
    """Return the advice on a scipy.sparse matrix, whose stored entries were observed."""
    if len(matrix.shape) != 2:
        raise DataTypeError(f"`x` must be a matrix of shape (rows, columns): got shape {matrix.shape}.")
    if matrix.nnz == 0:
        raise DataError(f"`x` must hold at least one value: got shape {matrix.shape}, none stored.")
    stored = scan_values(matrix.data)
    refuse_not_finite(stored.num_nan, stored.num_infinite, stored.first_not_finite)
    sampled = take_rows(matrix, evenly_spaced(matrix.shape[0], max(1, SAMPLE_CELLS // matrix.shape[1])))
    dense = notes.with_zeros(stored, matrix, sampled)
    question = "Ratings or counts? Only you know whether a cell that is not stored is unknown, or 0."
    observed = kinds_of_observed(matrix.data)[0]
    what = "ratings" if observed.has_ratings else "interactions"
    answer = f"a cell that is not stored is unknown: {what}"
    rated = AdvisedHead(observed, _on_scale(Source("sparse", matrix.shape[1:]), observed), answer)
    kind, source = readings_of(dense).kinds[0], Source("rows", matrix.shape[1:])
    counted = AdvisedHead(kind, source, "a cell that is not stored is 0: counts, words", ("x = x.toarray()",))
    values = {**notes.values_of_stored(matrix.shape, stored), "num_sampled_rows": len(sampled)}
    return Advice(values, question, (measured(rated, dense), measured(counted, dense)), ())
