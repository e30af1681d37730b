"""What an advice measures on a sample of rows: what losses can reach, and how far outliers lie off (no Keras)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.data_kinds import DataKind
from codeword.data_kinds.level_edges import level_edges

FAR = 5.0
NORMAL_SPREAD = 1.4826  # spread of normal values over the median of their distances from the median
SMALLEST = 1e-300  # whose logarithm is finite

Sample = NDArray[np.float64]


class Reach(NamedTuple):
    """Mean loss per cell over the values that are not NaN; None if it has no short formula, or nothing was sampled.

    Attributes:
        perfect: If the output equals every value.
        nothing_learnt: If the output is the same for every row, and the best one by this loss for each column.
    """

    perfect: float | None
    nothing_learnt: float | None


class Outliers(NamedTuple):
    """Cells more than five robust spreads from their column's median.

    The robust spread is 1.48 times the median distance from the median. Columns where it is 0 are left out.

    Attributes:
        share: Their share of the cells.
        share_of_squares: Their share of the squared distances.
    """

    share: float
    share_of_squares: float


def reach_of(kind: DataKind, sample: Sample) -> Reach:
    """Return what the loss of a kind can reach on sampled rows, scaled as they enter the network."""
    counts = (~np.isnan(sample)).sum(axis=0)
    if not counts.any():
        return Reach(None, None)
    sample, counts = sample[:, counts > 0], counts[counts > 0]
    if kind.entry_levels:
        costs = _same_level_costs(kind, sample, counts)
        return Reach(0.0, None if costs is None else float(counts @ costs / counts.sum()))
    if kind.loss == "binary_crossentropy":
        same = entropy(np.nanmean(sample, axis=0))
        return Reach(float(np.nanmean(entropy(sample))), float(counts @ same / counts.sum()))
    if kind.loss == "mae":
        return Reach(0.0, float(np.nanmean(np.abs(sample - _median(sample)))))
    return Reach(0.0, float(np.nanmean(np.square(sample - np.nanmean(sample, axis=0)))))


def outliers_of(sample: Sample) -> Outliers | None:
    """Measure outliers; None if at least half of each column is one value."""
    sample = sample[:, (~np.isnan(sample)).any(axis=0)]
    if sample.size == 0:
        return None
    distance = np.abs(sample - _median(sample))
    spread = NORMAL_SPREAD * _median(distance)
    if not (spread > 0).any():
        return None
    distance = distance[:, spread > 0] / spread[spread > 0]
    is_far = distance > FAR
    squares = np.square(distance)
    share = is_far.sum() / (~np.isnan(distance)).sum()
    return Outliers(float(share), float(squares[is_far].sum() / np.nansum(squares)))


def entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -p log p - (1 - p) log (1 - p) in nats, the minimum of the cross-entropy against a share p."""
    others = 1 - shares
    return -(shares * np.log(np.maximum(shares, SMALLEST)) + others * np.log(np.maximum(others, SMALLEST)))


def _median(sample: Sample) -> NDArray[np.float64]:
    # `nanmedian` takes several times as long.
    return np.nanmedian(sample, axis=0) if np.isnan(sample).any() else np.median(sample, axis=0)


def _same_level_costs(kind: DataKind, sample: Sample, counts: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """Return for each column the mean cost of the best probabilities that are the same for every row."""
    if kind.loss not in ("crossentropy", "ordinal"):
        return None
    observed = ~np.isnan(sample)
    nearest = np.searchsorted(level_edges(kind.entry_levels, "midpoint"), sample, side="right")
    classes = np.where(observed, nearest, -1)  # NaN sorts above all
    if kind.loss == "ordinal":
        edges = range(len(kind.entry_levels) - 1)
        return np.mean([entropy((classes > edge).sum(axis=0) / counts) for edge in edges], axis=0)
    shares = np.array([(classes == number).sum(axis=0) / counts for number in range(len(kind.entry_levels))])
    return -(shares * np.log(np.maximum(shares, SMALLEST))).sum(axis=0)
