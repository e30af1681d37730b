"""Codes that find the nearest rows again."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from codeword.code_kinds import CodeKind
from codeword.losses import Contrast, Neighborhood
from codeword.objectives import keep_groups
from codeword.objectives.neighbor_walks import NeighborWalks
from codeword.objectives.paired_rows import CODES, GROUPS, PLACES
from codeword.objectives.similar_codes import Lessons, SimilarCodes
from codeword.settings import check_settings, number

TEMPERATURE = 0.8  # in units of the spread of the similarity of unrelated codes, 1 / sqrt(num_bits)
WIDTH = 0.3  # in units of the distance to the last of the nearest rows
PLACES_WIDTH = 0.5  # in units of the median distance of two rows
HIDDEN = (1024,)  # one wide layer keeps distances better than two of 512 units
FIRST_PREFIX = 64  # bits
_SOME_ROWS = 500


@dataclass(frozen=True, kw_only=True)
class KeepNeighbors(SimilarCodes):
    """Train codes to be similar for a row and its nearest rows, to find those again. Needs `Bits`.

    Targets are graded by distance, so that the codes separate near from nearer. Nearest means by Euclidean distance of
    the values, so bring columns to comparable scales first.

    Args:
        neighbors: Number of nearest rows that each step of a walk chooses from.
        steps: Number of steps of a walk from a row to its partner.
        groups: Weight, at least 0, of what lies beyond the nearest rows: rows that a long walk joins, as in
            `KeepGroups`, and whole regions. With 0 the codes of rows that are no neighbors say nothing about how far
            apart they are.
        augment: Augmentation under which a row keeps its code. "images": rotate, scale and shift images of shape
            `(h, w)` or `(h, w, channels)`; or a Keras layer from rows to rows.
        noise: Standard deviation, 0 to 1, of Gaussian noise before the code's thresholds in training, in units of the
            spread of the values.

    Example:
        >>> KeepNeighbors(neighbors=5)
        KeepNeighbors(neighbors=5, steps=1, augment=None, noise=0.0, groups=0.5)
    """

    groups: float = 0.5
    finds_nearest: ClassVar[bool] = True
    most_pairs: ClassVar[int] = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings(self, {"groups": number(0)})

    def hidden_for(self, code: CodeKind) -> tuple[int, ...]:
        return HIDDEN

    def lessons(self, points: NDArray[np.float32], code: CodeKind, seed: int) -> Lessons:
        near = NeighborWalks(points, num_neighbors=self.neighbors, num_steps=self.steps, mutual=False, seed=seed)
        losses: dict[str, Any] = {
            CODES: Neighborhood(
                WIDTH * near.reach, TEMPERATURE / math.sqrt(code.num_symbols), _prefixes(code.num_symbols)
            ),
        }
        if not self.groups:
            return Lessons([near.ends], losses, {})
        far = near.longer(keep_groups.KeepGroups.steps, mutual=True, seed=seed)
        losses[GROUPS] = Contrast(keep_groups.TEMPERATURE)
        losses[PLACES] = Neighborhood(PLACES_WIDTH * _median_distance(points), keep_groups.TEMPERATURE)
        # The mean over a batch counts three parts, and only two of them, rows and their last partners, have a group.
        weights = {GROUPS: 3 / 2 * self.groups, PLACES: float(self.groups)}
        return Lessons([near.ends, far.ends], losses, weights)


def _prefixes(num_bits: int) -> list[int]:
    """Return the numbers of bits that are to be codes of their own: 64, 128, … below `num_bits`."""
    return [FIRST_PREFIX * 2**power for power in range(20) if FIRST_PREFIX * 2**power < num_bits]


def _median_distance(points: NDArray[np.float32]) -> float:
    """Return the median distance of two rows, over some rows; 1 if it is 0."""
    distances = pdist(points[:: -(-len(points) // _SOME_ROWS)].astype(np.float64))
    return float(np.median(distances) or 1.0) if len(distances) else 1.0
