"""Yes or no."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.data_kinds.kind import DataKind, LossCall, Statistics
from codeword.finite_numbers import as_finite_numbers, refuse_where


@dataclass(frozen=True)
class Binary(DataKind):
    """Yes or no: every value is 0 or 1 (or False or True)."""

    loss: str = "binary_crossentropy"
    losses: ClassVar[tuple[str, ...]] = ("binary_crossentropy",)
    when_to_take: ClassVar[dict[str, str]] = {
        "binary_crossentropy": "Yes or no: the output is how likely each 1 is. A sure answer that is wrong costs most."
    }
    meaning: ClassVar[str] = "yes or no"
    scaling: ClassVar[str] = "None: 0 and 1 enter the network as they are."

    def __post_init__(self) -> None:
        self._check_loss()

    def check(self, x: Any) -> NDArray[Any]:
        x = as_finite_numbers(x)
        refuse_where((x != 0) & (x != 1), x, "0 or 1, the values of Binary()", "Levels(...) takes other values.")
        return x

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.uint8]:
        return (output >= 0).astype(np.uint8)

    @property
    def loss_call(self) -> LossCall:
        return LossCall("keras.losses", "BinaryCrossentropy", {"from_logits": True})

    def to_config(self) -> dict[str, Any]:
        return {"kind": "Binary", "loss": self.loss}
