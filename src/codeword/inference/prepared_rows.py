"""Rows on their way into a network, checked and converted piece by piece."""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from codeword.arrays.memory_maps import let_go
from codeword.inference.fixed_batches import Rows

Prepare = Callable[[NDArray[Any], int | None], NDArray[Any]]


class PreparedRows:
    """Return slices of rows as they enter a network, so that only one slice at a time is in memory.

    Pages of a memory map are released, too.

    Args:
        given: Array, or an object that returns one for each slice.
        prepare: Function from a slice of `given`, and the number of its first row or None if it is all, to the
            network's input.
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
