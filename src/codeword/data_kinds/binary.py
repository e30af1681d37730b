"""Yes or no."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.data_kinds.kind import DataKind, Statistics
from codeword.finite_numbers import as_finite_numbers, refuse_where


@dataclass(frozen=True)
class Binary(DataKind):
    """Yes or no: every value is 0 or 1 (or False or True)."""

    loss: str = "binary_crossentropy"
    losses: ClassVar[tuple[str, ...]] = ("binary_crossentropy",)

    def __post_init__(self) -> None:
        self._check_loss()

    def check(self, x: Any) -> NDArray[Any]:
        x = as_finite_numbers(x)
        refuse_where((x != 0) & (x != 1), x, "0 or 1, the values of Binary()", "Levels(...) takes other values.")
        return x

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.uint8]:
        return (output >= 0).astype(np.uint8)

    def to_config(self) -> dict[str, Any]:
        return {"kind": "Binary", "loss": self.loss}
