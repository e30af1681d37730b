"""What people think of things, on a scale; most of it unknown."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.data_kinds.kind import DataKind, LossCall, Statistics
from codeword.data_kinds.level_edges import MAX_LEVELS, level_edges
from codeword.data_kinds.python_text import python_literal
from codeword.errors import DataError, ParameterError


@dataclass(frozen=True)
class Ratings(DataKind):
    """Ratings on a scale. Only what was rated is a value; what is missing has none, and 0 may be a rating.

    Args:
        low, high: The scale's ends, `low < high`; both may be negative or fractions.
        step: Distance of the scale's own steps, .5 for half stars; None: any number between the ends.

    Example:
        >>> Ratings(0.5, 5, step=0.5).quantize([3.2, 3.3, 7.0]).tolist()
        [3.0, 3.5, 5.0]
    """

    low: float
    high: float
    step: float | None = None
    loss: str = field(default="mse", init=False, repr=False)  # the only one, so that nobody is asked for it
    losses: ClassVar[tuple[str, ...]] = ("mse",)
    when_to_take: ClassVar[dict[str, str]] = {
        "mse": "Over what was rated only: what is missing costs nothing and teaches nothing. Its root is the RMSE."
    }
    meaning = "ratings on a scale, most of them missing"
    scaling = "RatingAutoencoder subtracts the mean and the biases of users and items."

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if value is None and name == "step":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise ParameterError(f"`{name}` of Ratings must be a finite number. Received: {value!r}.")
            object.__setattr__(self, name, float(value))
        if not self.low < self.high:
            raise ParameterError(
                f"A scale must go up from its lowest to its highest rating. Received: ({self.low:g}, {self.high:g}). "
                f"Write ({min(self.low, self.high):g}, {max(self.low, self.high):g}), with two different ends."
            )
        if self.step is not None:
            count = (self.high - self.low) / self.step if self.step > 0 else -1
            if not 1 <= round(count) < MAX_LEVELS or abs(count - round(count)) > 1e-6:
                raise ParameterError(
                    f"`step` must lead from {self.low:g} to {self.high:g} in at most {MAX_LEVELS - 1} whole steps. "
                    f"Received: {self.step:g}."
                )

    @property
    def word(self) -> str:
        step = "" if self.step is None else f"/{python_literal(self.step)}"
        return f"ratings:{python_literal(self.low)}-{python_literal(self.high)}{step}"

    @property
    def levels(self) -> NDArray[np.float64]:
        """The ratings that one can give, ascending; only a scale with a `step` has them."""
        if self.step is None:
            raise ParameterError(
                f"Only a scale with steps has levels. Received: {self}. Give it one: step=1 for whole stars."
            )
        return np.linspace(self.low, self.high, round((self.high - self.low) / self.step) + 1)

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        """Returns observed ratings as numbers, or refuses them."""
        x = as_finite_numbers(x, first_row=first_row)
        outside = (x < self.low) | (x > self.high)
        if outside.any():
            zeros = int((x == 0).sum())
            low, high = min(self.low, x.min()), max(self.high, x.max())
            hint = (
                f"{zeros} are 0: if 0 means not rated, drop those rows (of a matrix: eliminate_zeros())."
                if zeros
                else f"Is the scale right? scale=({low:g}, {high:g}) would hold them."
            )
            raise DataError(
                f"Ratings must lie from {self.low:g} to {self.high:g}, the scale of this model. Received: "
                f"{int(outside.sum())} others; min={x.min():g}, max={x.max():g}. {hint}"
            )
        if self.step is not None:
            # float32 cannot hold most steps; allow what it rounds, but never half a step.
            rounding = float(np.finfo(np.float32).eps) * max(abs(self.low), abs(self.high))
            off = np.abs(x - self.quantize(x)) > min(max(1e-4 * self.step, rounding), 0.49 * self.step)
            if off.any():
                raise DataError(
                    f"Ratings must lie on the steps of {self.step:g} from {self.low:g}. Received: {int(off.sum())} "
                    f"between them, the first {x[off][0]:g}. Take step=None, or round them: Ratings.quantize."
                )
        return x

    def quantize(self, x: Any) -> NDArray[np.float64]:
        """Puts numbers on the nearest step of the scale: the staircase whose stairs are the ratings one can give."""
        levels = self.levels
        return levels[np.searchsorted(level_edges(levels.tolist(), "midpoint"), as_finite_numbers(x), side="right")]

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.float32]:
        return np.clip(output, self.low, self.high).astype(np.float32)

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        error = x - y.astype(np.float64)
        return {"rmse": float(np.sqrt(np.square(error).mean())), "mae": float(np.abs(error).mean())}

    @property
    def loss_call(self) -> LossCall:
        # In a dense table: 0 can only mean missing where the scale does not have it.
        missing = float("nan") if self.low <= 0 <= self.high else 0
        return LossCall("codeword.losses", "Masked", {"loss": "mse", "missing": missing})

    def to_config(self) -> dict[str, Any]:
        return {"kind": "Ratings", "low": self.low, "high": self.high, "step": self.step}
