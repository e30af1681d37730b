"""Any finite numbers."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import all_within, as_finite_numbers, refuse_where
from codeword.data_kinds.kind import DataKind, LossCall, Statistics
from codeword.errors import ParameterError


@dataclass(frozen=True)
class Real(DataKind):
    """Any finite numbers. Each column enters the network less its mean, in units of its spread in the training data.

    Args:
        loss: "mse", or "mae" where single values lie far off.
        spread: "each" column's own; or "common", one for all, which keeps the distances between rows: for embeddings
            and principal components, whose columns are of one kind.
    """

    loss: str = "mse"
    spread: str = "each"
    losses: ClassVar[tuple[str, ...]] = ("mse", "mae")
    when_to_take: ClassVar[dict[str, str]] = {
        "mse": "The output aims at the mean; large errors cost most. For values without outliers.",
        "mae": "The output aims at the median; an error counts as it is, so that single values far off do not rule. "
        "For values with outliers.",
    }
    meaning: ClassVar[str] = "any finite numbers"
    scaling: ClassVar[str] = "Each column less its mean, in units of its spread; outputs are put back the same way."
    statistic_names: ClassVar[tuple[str, ...]] = ("mean", "scale")

    def __post_init__(self) -> None:
        self._check_loss()
        if self.spread not in ("each", "common"):
            raise ParameterError(f"`spread` of Real must be each or common. Received: {self.spread!r}.")

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        x = as_finite_numbers(x, first_row=first_row)
        largest = float(np.finfo(np.float32).max)
        if x.dtype.kind == "f" and x.dtype.itemsize > 4 and not all_within(x, -largest, largest):
            refuse_where(
                np.abs(x) > largest, x, f"within ±{largest:.2g}, float32's", "Scale them.", first_row=first_row
            )
        return x

    def learn(self, x: NDArray[Any]) -> Statistics:
        wide = x.astype(np.float64)
        scale = wide.std(axis=0)
        # A constant column has spread 0 up to rounding, which for vast values is far above 1: it stands at 0 in units
        # of that rounding, others in units of 1.
        rounding = 1e-12 * np.abs(wide).max(axis=0)
        if self.spread == "common":
            scale = np.full(scale.shape, np.sqrt(np.square(scale).mean()))
        return {"mean": wide.mean(axis=0), "scale": np.where(scale <= rounding, np.maximum(rounding, 1.0), scale)}

    def to_network(self, x: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        # In float64, so that 1,700,000,000 ± 1 keeps its spread.
        return ((x.astype(np.float64) - statistics["mean"]) / statistics["scale"]).astype(np.float32)

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.float64]:
        return output.astype(np.float64) * statistics["scale"] + statistics["mean"]

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        return {"mse": float(np.square((x - y) / statistics["scale"]).mean())}

    @property
    def loss_call(self) -> LossCall:
        return LossCall("keras.losses", {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError"}[self.loss])

    def to_config(self) -> dict[str, Any]:
        # Files from before there was a choice say nothing of it, and keep their fingerprints.
        return {"kind": "Real", "loss": self.loss, **({} if self.spread == "each" else {"spread": self.spread})}
