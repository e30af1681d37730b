"""Shares and brightness."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import (
    all_within,
    all_within_unit_interval,
    as_finite_numbers,
    as_numbers,
    in_native_order,
    refuse_where,
)
from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds.kind import DataKind, Statistics
from codeword.data_kinds.python_text import python_literal
from codeword.data_kinds.scaling import Scaling
from codeword.settings import number


@dataclass(frozen=True)
class UnitInterval(DataKind):
    """Shares and brightness: every value lies from 0 to a known maximum, 1 by default.

    Args:
        loss: "mse", or "binary_crossentropy", whose minimum on such data is not 0 but the entropy of the data.
        maximum: Greatest possible value, such as 255 for images of bytes. Values enter the network divided by it.

    Example:
        >>> UnitInterval(maximum=255).to_network(np.array([[0, 51, 255]]), {}).tolist()
        [[0.0, 0.20000000298023224, 1.0]]
    """

    loss: str = "mse"
    maximum: float = 1.0
    losses: ClassVar[tuple[str, ...]] = ("mse", "binary_crossentropy")
    is_probability = True
    when_to_take: ClassVar[dict[str, str]] = {
        "mse": "The output aims at the mean; a large error costs more than many small ones. A perfect output costs 0.",
        "binary_crossentropy": "For shares and probabilities. It is also smallest where the output equals the value, "
        "but it is not 0 there: compare it with its minimum.",
    }
    is_continuous = True

    def __post_init__(self) -> None:
        super().__post_init__()
        number(above=0).check("maximum", self.maximum)
        object.__setattr__(self, "maximum", float(self.maximum))

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        x = as_numbers(x)
        if all_within_unit_interval(x) if self.maximum == 1 else all_within(x, 0, self.maximum):
            return in_native_order(x)  # within these limits, and so finite: read once instead of six times
        x = as_finite_numbers(x, first_row=first_row)
        name = "UnitInterval()" if self.maximum == 1 else f"UnitInterval(maximum={self.maximum:g})"
        allowed = f"from 0 to {self.maximum:g}, the range of {name}"
        hint = "Pass the greatest possible value (UnitInterval(maximum=255) for images of bytes), or use Real()."
        refuse_where((x < 0) | (x > self.maximum), x, allowed, hint, first_row=first_row)
        return x

    def to_network(self, x: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        rows = x.astype(np.float32, copy=False)
        return rows if self.maximum == 1 else rows / np.float32(self.maximum)

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.float32]:
        if self.loss == "binary_crossentropy":  # the head returns logits; exp of a negative number cannot overflow
            small = np.exp(-np.abs(output))
            output = np.where(output >= 0, 1 / (1 + small), small / (1 + small))
        values = np.clip(output, 0, 1).astype(np.float32, copy=False)
        return values if self.maximum == 1 else values * np.float32(self.maximum)

    def entry_code(self, name: str) -> list[str]:
        return [] if self.maximum == 1 else [f'scaled = {name}.astype("float32") / {self.maximum:g}  # 0 to 1']

    def values_code(self, output: str) -> str:
        return output if self.maximum == 1 else f"{output} * {self.maximum:g}"

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        return {"mse": float(np.square((x - y.astype(np.float64)) / self.maximum).mean())}

    @property
    def meaning(self) -> str:
        return f"shares or brightness, from 0 to {self.maximum:g}"

    @property
    def scaling(self) -> str:
        if self.maximum == 1:
            return "None: values from 0 to 1 enter the network as they are."
        return f"x / {self.maximum:g}, the greatest possible value; outputs are multiplied by it."

    @property
    def word(self) -> str:
        return "unit" if self.maximum == 1 else f"unit:{python_literal(self.maximum)}"

    def scaling_by(self, scan: ValueScan) -> Scaling:
        return Scaling(factor=self.maximum)

    @property
    def activation(self) -> str:
        return "sigmoid" if self.loss == "mse" else "linear"
