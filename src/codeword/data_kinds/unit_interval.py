"""Shares and brightness."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import (
    all_within_unit_interval,
    as_finite_numbers,
    as_numbers,
    in_native_order,
    refuse_where,
)
from codeword.data_kinds.kind import DataKind, LossCall, Statistics


@dataclass(frozen=True)
class UnitInterval(DataKind):
    """Shares and brightness: every value lies from 0 to 1.

    Args:
        loss: "mse", or "binary_crossentropy", whose floor on such data is not 0 but the data's own entropy.
    """

    loss: str = "mse"
    losses: ClassVar[tuple[str, ...]] = ("mse", "binary_crossentropy")
    when_to_take: ClassVar[dict[str, str]] = {
        "mse": "The output aims at the mean; a large error costs more than many small ones. A perfect output costs 0.",
        "binary_crossentropy": "Values that are shares or probabilities. It is also least where the output equals the "
        "value, but not 0 there: judge it by its distance from its least value.",
    }
    meaning: ClassVar[str] = "shares or brightness, from 0 to 1"
    scaling: ClassVar[str] = "None: values from 0 to 1 enter the network as they are."

    def __post_init__(self) -> None:
        self._check_loss()

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        x = as_numbers(x)
        if all_within_unit_interval(x):  # and so finite: read once instead of six times
            return in_native_order(x)
        x = as_finite_numbers(x, first_row=first_row)
        hint = "Divide by the greatest possible value (255 for uint8 images), or take Real()."
        refuse_where((x < 0) | (x > 1), x, "from 0 to 1, the range of UnitInterval()", hint, first_row=first_row)
        return x

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.float32]:
        if self.loss == "binary_crossentropy":  # the head then gives logits; exp of a negative number cannot overflow
            small = np.exp(-np.abs(output))
            output = np.where(output >= 0, 1 / (1 + small), small / (1 + small))
        return np.clip(output, 0, 1).astype(np.float32, copy=False)

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        return {"mse": float(np.square(x - y.astype(np.float64)).mean())}

    @property
    def activation(self) -> str:
        return "sigmoid" if self.loss == "mse" else "linear"

    @property
    def loss_call(self) -> LossCall:
        if self.loss == "mse":
            return LossCall("keras.losses", "MeanSquaredError")
        return LossCall("keras.losses", "BinaryCrossentropy", {"from_logits": True})

    def to_config(self) -> dict[str, Any]:
        return {"kind": "UnitInterval", "loss": self.loss}
