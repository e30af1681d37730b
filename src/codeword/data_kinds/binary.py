"""Yes or no."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import all_within, as_finite_numbers, refuse_where
from codeword.data_kinds.kind import DataKind, Statistics


@dataclass(frozen=True)
class Binary(DataKind):
    """Yes or no: every value is 0 or 1 (or False or True)."""

    loss: str = "binary_crossentropy"
    losses: ClassVar[tuple[str, ...]] = ("binary_crossentropy",)
    when_to_take: ClassVar[dict[str, str]] = {
        "binary_crossentropy": "The output is the log-odds of each 1. A confident wrong answer costs most."
    }
    meaning = "yes or no"
    scaling = "None: 0 and 1 enter the network as they are."
    word = "binary"
    is_probability = True

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        x = as_finite_numbers(x, first_row=first_row)
        if x.dtype.kind != "f" and all_within(x, 0, 1):
            return x
        hint = "Use Levels(...) for other values."
        refuse_where((x != 0) & (x != 1), x, "0 or 1, the values of Binary()", hint, first_row=first_row)
        return x

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.uint8]:
        return (output >= 0).astype(np.uint8)

    def values_code(self, output: str) -> str:
        return f"{output} >= 0"

    @property
    def exact_match(self) -> Mapping[str, Any]:
        return {"levels": 2, "outputs": "binary_logits"}
