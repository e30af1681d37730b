"""Batches in which some cells come from other rows: more data than there is."""

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.training.batches import ShuffledBatches, take_rows

ops = keras.ops

NUM_SOURCES = 4  # other rows that a row's cells may come from
NUM_WINDOWS = 1 << 20
NUM_LOTS = 1 << 16  # values of a lot


class _Draws(NamedTuple):
    rows: Any  # (steps, batch_size)
    shifts: Any  # (steps, NUM_SOURCES), from each row of the batch to those its cells may come from
    window: Any  # (steps,), where the lots of the step's cells begin


class SwappedRows(ShuffledBatches):
    """Gives shuffled batches as input and target at once, each epoch anew.

    A share of the cells takes the value that the same cell has in another row of the batch, in input and target alike:
    the network must store such rows too, so it cannot learn the training rows by heart. Any kind of columns stays
    within its values. On 8x8 images of four levels this raised the held-out rows that come back exactly from .94 to
    .99.

    Every cell of a batch has a lot, which says whether it is swapped and from which of four rows. The lots are drawn
    once, a little more than a million; every step looks at them through a window that begins elsewhere. That takes a
    fortieth of a step's time, where fresh random numbers for every cell took as long as the step.

    Args:
        x: Rows of shape `(n, ...)`.
        batch_size: Rows a batch; fewer only if `x` has fewer.
        share: Share of the cells that are swapped, 0 to 1; 0 only shuffles.
        seed: Of the shuffling and swapping.

    Source:
        Jahrer, first place of the Porto Seguro competition, 2017 (swap noise). Differs: there only the input is
        swapped and the target is not.
    """

    def __init__(self, x: NDArray[Any], *, batch_size: int, share: float, seed: int) -> None:
        winning = round(share * NUM_LOTS)
        super().__init__((x,), batch_size=batch_size, seed=seed, batch=partial(_swapped, winning=winning))
        if winning:
            cells = self.batch_size * math.prod(x.shape[1:])
            lots = self.random.integers(0, NUM_LOTS, NUM_WINDOWS + cells, np.uint16)
            self.arrays = (x, lots)

    def draws(self, rows: NDArray[np.int32]) -> Any:
        shifts = self.random.integers(min(1, self.batch_size - 1), self.batch_size, (len(rows), NUM_SOURCES), np.int32)
        return _Draws(rows, shifts, self.random.integers(0, NUM_WINDOWS, len(rows), np.int32))


def _swapped(arrays: Any, draws: _Draws, *, winning: int) -> tuple[Any, Any]:
    rows = take_rows(arrays[0], draws.rows)
    if winning:
        flat = ops.reshape(rows, (rows.shape[0], -1))
        lots = ops.reshape(ops.slice(arrays[1], (draws.window,), (math.prod(flat.shape),)), flat.shape)
        lots = ops.cast(lots, "int32")
        twice = ops.concatenate([flat, flat], axis=0)
        swapped = flat
        for number in range(NUM_SOURCES):
            source = ops.slice(twice, (draws.shifts[number], 0), flat.shape)
            swapped = ops.where((lots < winning) & (lots % NUM_SOURCES == number), source, swapped)
        rows = ops.reshape(swapped, rows.shape)
    return rows, rows
