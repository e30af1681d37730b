"""Batches of rows and their partners, whose codes shall be like theirs."""

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
    """Gives shuffled batches: rows, then a partner of each; each epoch anew.

    Every batch has the same number of rows, so that one compiled step serves all: the last one of an epoch is filled up
    from its first. Targets are by name the rows without their partners, and which rows and partners belong together.

    Args:
        x: Rows of shape `(n, ...)`, as they enter the network.
        partners: From row numbers to those of their partners.
        pairs: Pairs a batch; fewer only if `x` has fewer.
        seed: Of the shuffling.
        names: Of the two outputs that the targets are for: what is decoded, and the codes.
        fixed: Whether every epoch gives the same batches, as for validation.
        points: Of shape `(n, ...)`, the target of the codes instead: where each row lies among its neighbors.
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
