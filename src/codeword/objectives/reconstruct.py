"""Codes that reconstruct rows best."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.objectives.objective import Given, Objective, Task
from codeword.objectives.swapped_rows import SwappedRows
from codeword.settings import check_settings, number, optional
from codeword.training.batches import Batches, blocks_in_order, take_rows

SHARE = optional(number(0, 1))


@dataclass(frozen=True, kw_only=True)
class Reconstruct(Objective):
    """Train the code to reconstruct rows, and nothing else.

    Args:
        swap: Share of cells, 0 to 1, that training replaces by the same cell of another row, in both input
            and target, so that the network cannot memorize the rows. None: 0.15 for `Bits` and `Choices`, else 0.
        noise: Standard deviation, 0 to 1, of Gaussian noise before the code's thresholds in training, in units of the
            spread of the values. It drives the values away from the thresholds. None: 0.2 for `Bits`, else 0.

    Example:
        >>> Reconstruct(swap=0.1)
        Reconstruct(swap=0.1, noise=None)
    """

    swap: float | None = None
    noise: float | None = None

    def __post_init__(self) -> None:
        check_settings(self, {"swap": SHARE, "noise": SHARE})

    def noise_for(self, code: CodeKind) -> float:
        return code.default_noise if self.noise is None else float(self.noise)

    def batch_size_for(self, num_rows: int) -> int:
        return 128

    def epochs_for(self, steps_per_epoch: int) -> int:
        return 40

    def task(self, given: Given) -> Task:
        swap = given.code.default_swap if self.swap is None else self.swap
        size, held_out = given.batch_size, given.held_out
        batches = SwappedRows(given.rows.entered, batch_size=size, share=swap, seed=given.seed)
        validation = None if held_out is None else UnshuffledRows(held_out.entered, batch_size=size)
        own = given.networks.own_training
        if own is not None:
            own.start(given.rows.entered, given.seed)
            return Task(own.model, batches, own.loss, [], validation)
        return Task(given.networks.model, batches, given.loss, given.metrics, validation)


class UnshuffledRows(Batches):
    """Return rows as input and target at once, in their order; the last batch may be smaller.

    Args:
        x: Rows of shape `(n, ...)`.
        batch_size: Number of rows per batch.
    """

    def __init__(self, x: NDArray[Any], *, batch_size: int) -> None:
        self.arrays = x
        self.batch = _input_and_target
        self.num_rows, self.batch_size = len(x), min(batch_size, len(x))

    def blocks(self) -> list[tuple[int, Any]]:
        return blocks_in_order(np.arange(self.num_rows, dtype=np.int32), self.batch_size)


def _input_and_target(arrays: Any, rows: Any) -> tuple[Any, Any]:
    taken = take_rows(arrays, rows)
    return taken, taken
