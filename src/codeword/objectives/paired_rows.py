"""Batches of rows and their partners, whose codes become similar."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.training.batches import ShuffledBatches, take_rows

ops = keras.ops

Partners = Callable[[NDArray[np.intp]], NDArray[np.intp]]


class _Draws(NamedTuple):
    rows: Any  # (steps, pairs)
    partners: Any  # (steps, pairs)


class PairedRows(ShuffledBatches):
    """Make batches of rows followed by a partner of each, shuffled again in each epoch.

    Every batch has the same number of rows, so that one compiled step serves all: the last batch of an epoch is filled
    up from the first rows of the epoch. The targets are the rows without their partners, and which rows and partners
    form a pair.

    Args:
        x: Rows of shape `(n, ...)`, as they enter the network.
        partners: Function from row numbers to the row numbers of their partners.
        pairs: Number of pairs per batch; fewer only if `x` has fewer rows.
        seed: Seed of the shuffling.
        names: Names of the two outputs with targets: the reconstruction and the codes.
        fixed: If True, every epoch has the same batches, as for validation.
        points: Array of shape `(n, ...)` that replaces the second target: the location of each row.
    """

    def __init__(
        self,
        x: NDArray[Any],
        *,
        partners: Partners,
        pairs: int,
        seed: int,
        names: tuple[str, str],
        fixed: bool = False,
        points: NDArray[Any] | None = None,
    ) -> None:
        arrays = (x,) if points is None else (x, points)
        super().__init__(arrays, batch_size=pairs, seed=seed, batch=partial(_paired, names=names))
        self._partners = partners
        self._fixed = super().blocks() if fixed else None

    def blocks(self) -> list[tuple[int, Any]]:
        return self._fixed or super().blocks()

    def draws(self, rows: NDArray[np.int32]) -> Any:
        return _Draws(rows, self._partners(rows.ravel().astype(np.intp)).reshape(rows.shape).astype(np.int32))


def _paired(arrays: Any, draws: _Draws, *, names: tuple[str, str]) -> tuple[Any, dict[str, Any]]:
    both = ops.concatenate([draws.rows, draws.partners], axis=0)
    x, num_pairs = take_rows(arrays[0], both), draws.rows.shape[0]
    together = take_rows(arrays[1], both) if len(arrays) > 1 else ops.tile(ops.arange(num_pairs), 2)
    return x, dict(zip(names, (x[:num_pairs], together), strict=True))
