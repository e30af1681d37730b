"""Any finite numbers."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import all_within, as_finite_numbers, in_native_order, refuse_where
from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds.kind import DataKind, Statistics
from codeword.data_kinds.scaling import Scaling, standardization
from codeword.settings import one_of

MOST_UNEQUAL = 10  # columns whose spreads differ by more are taken to have different units


@dataclass(frozen=True)
class Real(DataKind):
    """Any finite numbers; the mean and spread of each column in the training data standardize them.

    Args:
        loss: "mse", or "mae" for data with outliers.
        spread: "each" divides each column by its own spread: for columns of different units. "common" divides all by
            one spread, which keeps the distances between rows: for embeddings and principal components. "auto": an
            estimator chooses "common" if the code is for search, or if no column's spread is more than ten times
            another's, else "each".
    """

    loss: str = "mse"
    spread: str = "auto"
    losses: ClassVar[tuple[str, ...]] = ("mse", "mae")
    when_to_take: ClassVar[dict[str, str]] = {
        "mse": "The output aims at the mean; large errors cost most. For values without outliers.",
        "mae": "The output aims at the median; large errors cost no more than in proportion. For values with outliers.",
    }
    meaning = "any finite numbers"
    scaling = "(x - mean) / spread of each column; outputs are transformed back."
    is_continuous = True
    statistic_names: ClassVar[tuple[str, ...]] = ("mean", "scale")

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("auto", "each", "common").check("spread", self.spread)

    @property
    def word(self) -> str:
        return "real" if self.spread == "auto" else f"real:{self.spread}"

    def scaling_by(self, scan: ValueScan) -> Scaling:
        return standardization(scan)

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        return self._within_float32(as_finite_numbers(x, first_row=first_row), first_row)

    def as_inferred(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._within_float32(in_native_order(x), None)

    def _within_float32(self, x: NDArray[Any], first_row: int | None) -> NDArray[Any]:
        largest = float(np.finfo(np.float32).max)
        if x.dtype.kind == "f" and x.dtype.itemsize > 4 and not all_within(x, -largest, largest):
            refuse_where(
                np.abs(x) > largest, x, f"within ±{largest:.2g}, float32's", "Scale them.", first_row=first_row
            )
        return x

    def settled(self, x: NDArray[Any], *, keep_distances: bool) -> "Real":
        return self if self.spread != "auto" else replace(self, spread=_spread_for(x, keep_distances=keep_distances))

    def learn(self, x: NDArray[Any]) -> Statistics:
        wide = x.astype(np.float64)
        scale = wide.std(axis=0)
        # A constant column has spread 0 up to rounding, which for vast values is far above 1. It is divided by that
        # rounding, or by 1.
        rounding = 1e-12 * np.abs(wide).max(axis=0)
        if self.spread == "common":
            scale = np.full(scale.shape, np.sqrt(np.square(scale).mean()))
        return {"mean": wide.mean(axis=0), "scale": np.where(scale <= rounding, np.maximum(rounding, 1.0), scale)}

    def to_network(self, x: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        # In float64, so that 1,700,000,000 ± 1 keeps its spread.
        return ((x.astype(np.float64) - statistics["mean"]) / statistics["scale"]).astype(np.float32)

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.float64]:
        return output.astype(np.float64) * statistics["scale"] + statistics["mean"]

    def entry_code(self, name: str) -> list[str]:
        return [
            f"mean, spread = np.nanmean({name}, axis=0), np.nanstd({name}, axis=0)",
            f"scaled = ({name} - mean) / np.where(spread == 0, 1, spread)",
        ]

    def values_code(self, output: str) -> str:
        return f"{output} * spread + mean"

    head_comment = "  # linear: any number"

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        return {"mse": float(np.square((x - y) / statistics["scale"]).mean())}


def _spread_for(x: NDArray[Any], *, keep_distances: bool) -> str:
    spreads = x.std(axis=0, dtype=np.float64)
    spreads = spreads[spreads > 0]
    of_one_kind = spreads.size == 0 or spreads.max() <= MOST_UNEQUAL * spreads.min()
    return "common" if keep_distances or of_one_kind else "each"
