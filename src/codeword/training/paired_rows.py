"""Batches of rows and their partners, whose codes shall be like theirs."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras

Partners = Callable[[NDArray[np.intp]], NDArray[np.intp]]


class PairedRows(keras.utils.PyDataset):
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
        super().__init__()
        self._x = x
        self._partners = partners
        self._pairs = min(pairs, len(x))
        self._random = np.random.default_rng(seed)
        self._names = names
        self._points = points
        self._fixed = fixed
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self._x) / self._pairs)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        part = slice(index * self._pairs, (index + 1) * self._pairs)
        chosen = self._order[part]
        others = self._others[part] if self._fixed else self._partners(chosen)
        both = np.concatenate([chosen, others])
        rows = self._x[both]
        together = np.tile(np.arange(len(chosen)), 2) if self._points is None else self._points[both]
        return rows, dict(zip(self._names, (rows[: len(chosen)], together), strict=True))

    def on_epoch_end(self) -> None:
        if not self._fixed:
            self._shuffle()

    def _shuffle(self) -> None:
        order = self._random.permutation(len(self._x))
        self._order: NDArray[np.intp] = np.resize(order, len(self) * self._pairs)
        if self._fixed:
            self._others = self._partners(self._order)
