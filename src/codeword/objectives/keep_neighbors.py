"""Codes that find the nearest rows again."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.losses import Neighborhood
from codeword.objectives.neighbor_walks import NeighborWalks
from codeword.objectives.similar_codes import SimilarCodes

TEMPERATURE = 0.8  # in units of the spread of the similarity of unrelated codes, 1 / sqrt(num_bits)
WIDTH = 0.3  # in units of the distance to the last of the nearest rows


@dataclass(frozen=True, kw_only=True)
class KeepNeighbors(SimilarCodes):
    """Train codes to be similar for a row and its nearest rows, to find those again. Needs `Bits`.

    Targets are graded by distance, so that the codes separate near from nearer. Nearest means by Euclidean distance of
    the values, so bring columns to comparable scales first.

    Args:
        neighbors: Number of nearest rows that each step of a walk chooses from.
        steps: Number of steps of a walk from a row to its partner.
        augment: Augmentation under which a row keeps its code. "images": rotate, scale and shift images of shape
            `(h, w)` or `(h, w, channels)`; or a Keras layer from rows to rows.
        noise: Standard deviation, 0 to 1, of Gaussian noise before the code's thresholds in training, in units of the
            spread of the values.

    Example:
        >>> KeepNeighbors(neighbors=5)
        KeepNeighbors(neighbors=5, steps=1, augment=None, noise=0.0)
    """

    mutual: ClassVar[bool] = False

    def code_loss(self, walks: NeighborWalks, code: CodeKind) -> Any:
        return Neighborhood(WIDTH * walks.reach, TEMPERATURE / math.sqrt(code.num_symbols))

    def code_targets(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        return points
