"""What a training takes step by step: arrays that stay where the network runs, and what every step draws from them."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras

ops = keras.ops


class Load(NamedTuple):
    """What a call needs for its steps.

    Attributes:
        arrays: For `Batches.batch`.
        draws: Of each block.
        bounds: int32 `(blocks, 2)`, the first step of each block, and the one after the last.
        num_steps: Steps in all.
    """

    arrays: Any
    draws: tuple[Any, ...]
    bounds: NDArray[np.int32]
    num_steps: int


class Batches:
    """Gives every step its batch, in two parts.

    What is large, `arrays`, is handed over once. What differs from step to step, `blocks`, is small: row numbers, say.
    `batch` makes one of the other; it is traced and compiled on JAX, and runs as it stands on the other backends.

    Attributes:
        arrays: Structure of NumPy arrays, or what `batch` takes in their place.
        batch: Pure function of the arrays and one step's draws; gives what `keras.Model.fit` takes a batch: inputs,
            or a tuple of inputs, targets and sample weights. It must not hold the arrays, for it is kept with what is
            compiled.
        most_steps: Steps whose rows are loaded at a time; None if the arrays lie on the device in whole.
    """

    arrays: Any
    batch: Callable[[Any, Any], Any]
    most_steps: int | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Gives the number of steps of an epoch."""

    @abstractmethod
    def blocks(self) -> list[tuple[int, Any]]:
        """Draws an epoch.

        Returns:
            Pairs of a number of steps, and what they draw: a structure of arrays whose first axis is the steps'. Steps
            of one block have batches of one size.
        """

    def peek(self) -> tuple[int, Any]:
        """Gives some block, for the shapes of a batch."""
        return self.blocks()[0]

    def load(self, blocks: Sequence[tuple[int, Any]], start: int, count: int) -> Load:
        """Gives what `count` steps of an epoch need, or the first of them, from `start` on."""
        bounds, offset = [], 0
        for num_steps, _ in blocks:
            bounds.append(np.clip([start - offset, start + count - offset], 0, num_steps))
            offset += num_steps
        return Load(self.arrays, tuple(draws for _, draws in blocks), np.array(bounds, np.int32), count)


def take_rows(array: Any, rows: Any) -> Any:
    """Gives rows of a tensor by their numbers, which must be right: on JAX nothing checks them."""
    if keras.backend.backend() == "jax":
        return array.at[rows].get(mode="promise_in_bounds")
    return ops.take(array, rows, axis=0)


class KerasBatches(keras.utils.PyDataset):
    """Gives `Batches` one by one to `keras.Model.fit`, for backends on which they cannot be compiled."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches
        self._arrays = keras.tree.map_structure(ops.convert_to_tensor, batches.arrays)
        self._blocks = batches.blocks()

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        for num_steps, draws in self._blocks:
            if index < num_steps:
                drawn = keras.tree.map_structure(lambda steps: ops.convert_to_tensor(steps[index]), draws)  # noqa: B023
                return self._batches.batch(self._arrays, drawn)
            index -= num_steps
        raise IndexError(index)

    def on_epoch_end(self) -> None:
        self._blocks = self._batches.blocks()
