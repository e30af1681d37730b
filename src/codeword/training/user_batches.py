"""Batches of a user's arrays, in the order in which `keras.Model.fit` would take them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.errors import DataError
from codeword.training.batches import Batches, Load, take_rows


class RowBatches(Batches):
    """Gives rows of arrays, shuffled as Keras shuffles them, by NumPy's global stream; the last batch may be smaller.

    An array that is given twice, as input and target say, is held once.

    Args:
        x, y, sample_weight: NumPy arrays, scipy.sparse matrices, or structures of them; None where there are none.
        batch_size: Rows a batch.
        shuffle: False, True, or "batch" for rows within each batch.
        most_bytes: What may lie on the device. Larger data comes piece by piece, each of at most half of it.
    """

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, *, batch_size: int, shuffle: bool | str, most_bytes: float
    ) -> None:
        leaves, structure = _flat(keras.utils.pack_x_y_sample_weight(x, y, sample_weight))
        unique = list({id(leaf): leaf for leaf in leaves}.values())
        places = {id(leaf): place for place, leaf in enumerate(unique)}
        self.num_rows = _number_of_rows(leaves)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.batch = _Assembled(structure, tuple(places[id(leaf)] for leaf in leaves))
        row_bytes = sum(_dense(leaf[:1]).nbytes for leaf in unique)
        if row_bytes * self.num_rows > most_bytes:
            self.most_steps = max(1, int(most_bytes / 2 / (row_bytes * batch_size)))
        self.arrays = tuple(unique) if self.most_steps else tuple(_dense(leaf) for leaf in unique)

    def __len__(self) -> int:
        return math.ceil(self.num_rows / self.batch_size)

    def blocks(self) -> list[tuple[int, Any]]:
        order = self._order().astype(np.int32)
        steps, rest = divmod(self.num_rows, self.batch_size)
        whole = order[: self.num_rows - rest].reshape(steps, self.batch_size)
        blocks: list[tuple[int, Any]] = [(steps, whole)] if steps else []
        return [*blocks, (1, order[None, self.num_rows - rest :])] if rest else blocks

    def peek(self) -> tuple[int, Any]:
        if self.shuffle == "batch":  # Keras, too, shuffles no more than the batch that it looks at
            return 1, np.random.permutation(min(self.batch_size, self.num_rows))[None]
        return super().peek()

    def load(self, blocks: Sequence[tuple[int, Any]], start: int, count: int) -> Load:
        if self.most_steps is None:
            return super().load(blocks, start, count)
        num_steps, draws = blocks[0]
        if start >= num_steps:
            (num_steps, draws), start = blocks[1], start - num_steps
        count = min(count, self.most_steps, num_steps - start)
        # Always as many rows, so that one compiled loop serves all pieces; in the order of the file.
        rows = np.resize(draws[start : start + count], (min(self.most_steps, num_steps), draws.shape[1]))
        places, numbers = np.unique(rows, return_inverse=True)
        places = np.resize(places, rows.size)
        pieces = tuple(_dense(array[places]) for array in self.arrays)
        drawn = (numbers.reshape(rows.shape).astype(np.int32),)
        return Load(pieces, drawn, np.array([[0, count]], np.int32), count)

    def _order(self) -> NDArray[np.intp]:
        if not self.shuffle:
            return np.arange(self.num_rows)
        if self.shuffle != "batch":
            return np.random.permutation(self.num_rows)
        starts = range(0, self.num_rows, self.batch_size)
        sizes = [min(self.batch_size, self.num_rows - start) for start in starts]
        return np.concatenate([start + np.random.permutation(size) for start, size in zip(starts, sizes, strict=True)])


@dataclass(frozen=True)
class _Assembled:
    """Takes rows of every array and puts them into the structure that the model takes; equal by value."""

    structure: Any
    places: tuple[int, ...]

    def __call__(self, arrays: Any, rows: Any) -> Any:
        taken = [take_rows(array, rows) for array in arrays]
        return self.structure.unflatten([taken[place] for place in self.places])


def _flat(data: Any) -> tuple[list[Any], Any]:
    import jax

    leaves, structure = jax.tree.flatten(data)
    return leaves, structure


def _number_of_rows(leaves: list[Any]) -> int:
    numbers = [leaf.shape[0] for leaf in leaves]
    if len(set(numbers)) != 1 or not numbers[0]:
        raise DataError(
            "Inputs, targets and sample weights must have the same number of rows, at least 1. Received: "
            f"{', '.join(str(number) for number in numbers)} rows. Give a row of each for every row."
        )
    return int(numbers[0])


def _dense(array: Any) -> Any:
    """Gives a part of an array as it goes to the device: floats as Keras' own float type, integers as they are."""
    array = array.toarray() if scipy.sparse.issparse(array) else np.asarray(array)
    floatx = keras.config.floatx()
    return array.astype(floatx) if array.dtype.kind == "f" and array.dtype != floatx else array
