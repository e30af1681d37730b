"""Codes that find all rows of a kind."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.losses import Contrast
from codeword.objectives.neighbor_walks import NeighborWalks
from codeword.objectives.paired_rows import GROUPS
from codeword.objectives.similar_codes import Lessons, SimilarCodes

TEMPERATURE = 0.4


@dataclass(frozen=True, kw_only=True)
class KeepGroups(SimilarCodes):
    """Train codes to be similar for rows of a kind, to find all of them by Hamming distance. Needs `Bits`.

    No labels are used: rows belong together if a random walk on the nearest-neighbor graph joins them. Nearest means
    by Euclidean distance of the values, so bring columns to comparable scales first.

    Args:
        neighbors: Number of nearest rows that each step of a walk chooses from.
        steps: Number of steps of a walk. Long walks among few neighbors follow chains of similar rows, which images
            form. For texts, which lie apart in all directions, `neighbors=100, steps=1` is better.
        augment: Augmentation under which a row keeps its code. "images": rotate, scale and shift images of shape
            `(h, w)` or `(h, w, channels)`; or a Keras layer from rows to rows.
        noise: Standard deviation, 0 to 1, of Gaussian noise before the code's thresholds in training, in units of the
            spread of the values.

    Example:
        >>> KeepGroups(neighbors=100, steps=1)
        KeepGroups(neighbors=100, steps=1, augment=None, noise=0.0)
    """

    steps: int = 20
    most_pairs: ClassVar[int] = 512

    def lessons(self, points: NDArray[np.float32], code: CodeKind, seed: int) -> Lessons:
        walks = NeighborWalks(points, num_neighbors=self.neighbors, num_steps=self.steps, mutual=True, seed=seed)
        return Lessons([walks.ends], {GROUPS: Contrast(TEMPERATURE)}, {})
