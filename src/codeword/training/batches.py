"""Batches for training: arrays that stay on the device, and small draws that select each step's rows."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras

ops = keras.ops


class Load(NamedTuple):
    """The steps of one call of the compiled loop: `bounds` has the first step of each block and one past its last."""

    arrays: Any
    draws: tuple[Any, ...]  # one for each block
    bounds: NDArray[np.int32]  # (blocks, 2)
    num_steps: int


class Batches:
    """Batches in two parts: large arrays that are passed once, and small draws that differ from step to step.

    On JAX `batch` is traced and compiled into the training loop. On the other backends it runs once per step.

    Attributes:
        arrays: Structure of NumPy arrays, or what `batch` takes in their place.
        batch: Pure function of the arrays and one step's draws. It returns what `keras.Model.fit` takes as a batch:
            inputs, or a tuple of inputs, targets and sample weights. It must not hold the arrays, because it is kept
            with the compiled program.
        most_steps: Number of steps whose rows are loaded at a time; None if all arrays fit on the device.
    """

    arrays: Any
    batch: Callable[[Any, Any], Any]
    num_rows: int
    batch_size: int
    most_steps: int | None = None

    def __len__(self) -> int:
        return math.ceil(self.num_rows / self.batch_size)

    @abstractmethod
    def blocks(self) -> list[tuple[int, Any]]:
        """Draw an epoch: pairs of a number of steps and their draws, arrays whose first axis is the step.

        All steps of a block have the same batch size.
        """

    def peek(self) -> tuple[int, Any]:
        """Return one block, for the shapes of a batch."""
        return self.blocks()[0]

    def load(self, blocks: Sequence[tuple[int, Any]], start: int, count: int) -> Load:
        """Return what `count` steps from `start` on need, or fewer steps if they do not fit on the device."""
        lengths, draws = zip(*blocks, strict=True)
        firsts = np.cumsum((0, *lengths[:-1]))
        bounds = np.stack([np.clip(step - firsts, 0, lengths) for step in (start, start + count)], axis=1)
        return Load(self.arrays, draws, bounds.astype(np.int32), count)


class ShuffledBatches(Batches):
    """Shuffled batches of inputs and targets, in a new order in each epoch.

    Every batch has the same number of rows, so that one compiled step serves all. The last batch of an epoch is filled
    with rows from its beginning. `batch` gets the draws of a batch, its row numbers unless a subclass has others. By
    default it returns these rows of all arrays.
    """

    def __init__(
        self,
        arrays: tuple[NDArray[Any], ...],
        *,
        batch_size: int,
        seed: int,
        batch: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.arrays = arrays
        self.batch = batch or _rows_of_all
        self.num_rows = len(arrays[0])
        self.batch_size = min(batch_size, self.num_rows)
        self.random = np.random.default_rng(seed)

    def blocks(self) -> list[tuple[int, Any]]:
        order = self.random.permutation(np.arange(self.num_rows, dtype=np.int32))
        return [(len(self), self.draws(np.resize(order, (len(self), self.batch_size))))]

    def draws(self, rows: NDArray[np.int32]) -> Any:
        """Return the draws of all steps, given the row numbers of their batches, `(steps, batch_size)`."""
        return rows


def blocks_in_order(rows: NDArray[np.int32], batch_size: int) -> list[tuple[int, Any]]:
    """Return blocks that take rows in this order; the last batch may be smaller."""
    rest = len(rows) % batch_size
    whole = rows[: len(rows) - rest].reshape(-1, batch_size)
    return [(len(part), part) for part in (whole, rows[None, len(rows) - rest :]) if part.size]


def take_rows(array: Any, rows: Any) -> Any:
    """Return rows of a tensor by their numbers, which must be valid: JAX does not check them."""
    if keras.backend.backend() == "jax":
        return array.at[rows].get(mode="promise_in_bounds")
    return ops.take(array, rows, axis=0)


def _rows_of_all(arrays: Any, rows: Any) -> Any:
    return tuple(take_rows(array, rows) for array in arrays)
