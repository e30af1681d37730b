"""Rows that are checked and turned into numbers for a network piece by piece, when a piece is asked for."""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from codeword.arrays.value_scan import let_go
from codeword.inference.fixed_batches import Rows

Prepare = Callable[[NDArray[Any], int | None], NDArray[Any]]


class PreparedRows:
    """Gives slices of rows as they enter a network, so that never more than a slice of them is in memory.

    A memory map does not stay in memory either.

    Args:
        given: Array, or what gives one for each slice.
        prepare: From a slice of `given`, and the number of its first row or None if it is all, to the network's input.
    """

    def __init__(self, given: Rows, prepare: Prepare) -> None:
        self._given = given
        self._prepare = prepare

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        piece = self._given[rows]
        prepared = self._prepare(piece, None if len(piece) == len(self) else rows.start)
        let_go(self._given)
        return prepared
