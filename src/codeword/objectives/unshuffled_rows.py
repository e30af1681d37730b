"""Rows in their order, to be tested on."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.training.batches import Batches, take_rows


class UnshuffledRows(Batches):
    """Gives rows as input and target at once, in their order; the last batch may be smaller.

    Args:
        x: Rows of shape `(n, ...)`.
        batch_size: Rows a batch.
    """

    def __init__(self, x: NDArray[Any], *, batch_size: int) -> None:
        self.arrays = x
        self.batch = _input_and_target
        self.batch_size = min(batch_size, len(x))

    def __len__(self) -> int:
        return math.ceil(len(self.arrays) / self.batch_size)

    def blocks(self) -> list[tuple[int, Any]]:
        rows = np.arange(len(self.arrays), dtype=np.int32)
        steps, rest = divmod(len(rows), self.batch_size)
        whole = rows[: len(rows) - rest].reshape(steps, self.batch_size)
        return [(len(part), part) for part in (whole, rows[None, len(rows) - rest :]) if part.size]


def _input_and_target(arrays: Any, rows: Any) -> tuple[Any, Any]:
    taken = take_rows(arrays, rows)
    return taken, taken
