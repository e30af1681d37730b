"""Batches of rows and their partners, whose codes become similar."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.training.batches import ShuffledBatches, take_rows

ops = keras.ops

ROWS, CODES, PLACES, GROUPS = "rows", "codes", "places", "groups"  # outputs of the similarity network
Partners = Callable[[NDArray[np.intp]], NDArray[np.intp]]


class _Draws(NamedTuple):
    rows: Any  # (steps, pairs)
    partners: Any  # (steps, partners of a row, pairs)


class PairedRows(ShuffledBatches):
    """Make batches of rows followed by their partners, shuffled again in each epoch.

    Every batch has the same number of rows, so that one compiled step serves all: the last batch of an epoch is filled
    up from the first rows of the epoch. A batch has a target for each name: for `ROWS` the rows without their partners,
    for `CODES` and `PLACES` the location of every row, for `GROUPS` a number that a row and its last partner share.

    Args:
        x: Rows of shape `(n, ...)`, as they enter the network.
        partners: Functions from row numbers to the row numbers of partners; a batch has the partners of one function
            after the partners of the other.
        pairs: Number of rows per batch, without partners; fewer only if `x` has fewer rows.
        seed: Seed of the shuffling.
        names: Names of the targets.
        fixed: If True, every epoch has the same batches, as for validation.
        points: Array of shape `(n, ...)`: the location of each row, for `CODES` and `PLACES`.
    """

    def __init__(
        self,
        x: NDArray[Any],
        *,
        partners: Sequence[Partners],
        pairs: int,
        seed: int,
        names: Sequence[str],
        fixed: bool = False,
        points: NDArray[Any] | None = None,
    ) -> None:
        arrays = (x,) if points is None else (x, points)
        super().__init__(arrays, batch_size=pairs, seed=seed, batch=partial(_paired, names=tuple(names)))
        self._partners = tuple(partners)
        self._fixed = super().blocks() if fixed else None

    def blocks(self) -> list[tuple[int, Any]]:
        return self._fixed or super().blocks()

    def draws(self, rows: NDArray[np.int32]) -> Any:
        flat = rows.ravel().astype(np.intp)
        found = [partners(flat).reshape(rows.shape).astype(np.int32) for partners in self._partners]
        return _Draws(rows, np.stack(found, axis=1))


def _paired(arrays: Any, draws: _Draws, *, names: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    num_rows, num_partners = draws.rows.shape[0], draws.partners.shape[0]
    every = ops.concatenate([draws.rows, ops.reshape(draws.partners, (-1,))], axis=0)
    x = take_rows(arrays[0], every)
    targets = {ROWS: x[:num_rows]}
    if len(arrays) > 1:
        targets |= dict.fromkeys((CODES, PLACES), take_rows(arrays[1], every))
    if GROUPS in names:
        numbers = ops.arange(num_rows * num_partners)
        targets[GROUPS] = ops.concatenate([numbers, numbers[:num_rows]], axis=0)
    return x, {name: targets[name] for name in names}
