"""Texts with one label each, split as published."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class TextSet(NamedTuple):
    """Texts and labels.

    Attributes:
        x_train, x_test: Lists of texts.
        y_train, y_test: int64 labels, numbers into `names`.
        names: What the labels mean.
    """

    x_train: list[str]
    y_train: NDArray[np.int64]
    x_test: list[str]
    y_test: NDArray[np.int64]
    names: tuple[str, ...]
