"""Ratings on a scale, most of them missing."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.arrays.id_columns import LEAST_TIME
from codeword.data_kinds.kind import DataKind, LossCall, Statistics
from codeword.data_kinds.level_edges import MAX_LEVELS, level_edges
from codeword.data_kinds.python_text import python_call, python_literal
from codeword.data_kinds.sentinels import sentinel_in
from codeword.errors import DataError, ParameterError
from codeword.settings import number

LARGEST = 1e30  # squares of what lies beyond are infinite in float32
LIKED_SHARE = 0.75  # of the way from the lowest to the highest rating: from there on, it was liked


@dataclass(frozen=True)
class Ratings(DataKind):
    """Ratings on a scale. Missing ratings have no value, so 0 may be a rating like any other.

    Args:
        low: Lowest rating; may be negative or a fraction.
        high: Highest rating, above `low`.
        step: Distance between the steps of the scale, 0.5 for half stars. None: any number between the ends.
        missing: A number off the scale that stands for "not rated", such as -1 or 99: such rows are dropped.

    Example:
        >>> Ratings(0.5, 5, step=0.5).quantize([3.2, 3.3, 7.0]).tolist()
        [3.0, 3.5, 5.0]
    """

    low: float
    high: float
    step: float | None = None
    missing: float | None = None
    loss: str = field(default="mse", init=False, repr=False)  # the only one, so not an argument
    losses: ClassVar[tuple[str, ...]] = ("mse",)
    has_missing: ClassVar[bool] = True
    has_ratings: ClassVar[bool] = True
    when_to_take: ClassVar[dict[str, str]] = {
        "mse": "Over the rated cells only: missing ratings have no loss and no gradient. Its root is the RMSE."
    }
    meaning = "ratings on a scale, most of them missing"
    scaling = "RatingAutoencoder subtracts the mean and the biases of users and items."

    def __post_init__(self) -> None:
        for name in ("low", "high", "step", "missing"):
            value = getattr(self, name)
            if value is None and name in ("step", "missing"):
                continue
            number(-LARGEST, LARGEST).check(f"{name}` of `Ratings", value)
            object.__setattr__(self, name, float(value))
        if not self.low < self.high:
            raise ParameterError(f"`low` of Ratings must be below `high`: got Ratings({self.low:g}, {self.high:g}).")
        if not np.float32(self.low) < np.float32(self.high):
            raise ParameterError(
                f"`low` and `high` of Ratings must differ as float32: got {self.low!r} and {self.high!r}. Subtract a "
                "constant from all ratings."
            )
        if self.missing is not None and self.low <= self.missing <= self.high:
            raise ParameterError(
                f"`missing` must lie off the scale from {self.low:g} to {self.high:g}: got {self.missing:g}."
            )
        if self.step is not None:
            count = (self.high - self.low) / self.step if self.step > 0 else -1
            if not 1 <= round(count) < MAX_LEVELS or abs(count - round(count)) > 1e-6:
                raise ParameterError(
                    f"`step` must divide the scale from {self.low:g} to {self.high:g} into 1 to {MAX_LEVELS - 1} equal "
                    f"steps: got {self.step:g}."
                )

    @property
    def word(self) -> str:
        step = "" if self.step is None else f"/{python_literal(self.step)}"
        missing = "" if self.missing is None else f",missing={python_literal(self.missing)}"
        return f"ratings:{python_literal(self.low)}-{python_literal(self.high)}{step}{missing}"

    @property
    def levels(self) -> NDArray[np.float64]:
        """The possible ratings in ascending order; only a scale with a `step` has them."""
        if self.step is None:
            raise ParameterError(
                f"The scale must have a `step` to round to: got {self}. Set one, such as step=1 for whole stars."
            )
        return np.linspace(self.low, self.high, round((self.high - self.low) / self.step) + 1)

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        x = as_finite_numbers(x, first_row=first_row)
        outside = (x < self.low) | (x > self.high)
        if outside.any():
            raise DataError(
                f"Ratings must lie between {self.low:g} and {self.high:g}: got {x.min():g} to {x.max():g}, "
                f"{int(outside.sum())} of {x.size} outside. {self._hint(x, outside)}"
            )
        if self.step is not None:
            # float32 cannot hold most steps; allow what it rounds, but never half a step.
            rounding = float(np.finfo(np.float32).eps) * max(abs(self.low), abs(self.high))
            off = np.abs(x - self.quantize(x)) > min(max(1e-4 * self.step, rounding), 0.49 * self.step)
            if off.any():
                raise DataError(
                    f"Ratings must be multiples of {self.step:g} above {self.low:g}: got {int(off.sum())} others, the "
                    f"first {x[off][0]:g}. Leave `step` out, or round them with `Ratings.quantize`."
                )
        return x

    def _hint(self, x: NDArray[Any], outside: NDArray[np.bool_]) -> str:
        """Say what to do about ratings off the scale: one value that occurs often may stand for "not rated"."""
        if x.min() >= LEAST_TIME:
            return "They look like times. Name the column of ratings with `columns` (on the command line: --columns)."
        if set(np.unique(x)) <= {0, 1}:
            return (
                "If they say yes or no, keep the rows with yes (1, True) and use Interactions() (on the command line: "
                "--data interactions)."
            )
        low, high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        wider, apart = Ratings(low, high), sentinel_in(x)
        values, counts = np.unique(x[outside], return_counts=True)
        often, count = float(values[counts.argmax()]), int(counts.max())
        if apart is not None and apart.value == often:
            others = Ratings(min(self.low, apart.low), max(self.high, apart.high), missing=often)
            return (
                f"{count} of them are {often:g}, which lies apart from the others, {apart.low:g} to {apart.high:g}, "
                f"and probably means not rated: then use {others.written()}."
            )
        if (often != 0 and count < 2) or (counts > 1).sum() > 1:
            return f"If the scale is wrong, use {wider.written()}."
        rest = x[x != often]
        low, high = (float(rest.min()), float(rest.max())) if rest.size else (self.low, self.high)
        low, high = min(self.low, low), max(self.high, high)
        dropped = "drop those rows" if low <= often <= high else f"use {Ratings(low, high, missing=often).written()}"
        return (
            f"{count} of them are {often:g}: if {often:g} means not rated, {dropped}; if the scale is wrong, use "
            f"{wider.written()}."
        )

    def written(self) -> str:
        """Return the scale in Python and for the command line."""
        return f"{python_call(self)} (on the command line: --data {self.word})"

    def strengths(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return how much each rating says that it was liked, from 0 at the low end of the scale to 1 at the high."""
        return np.asarray((x - x.dtype.type(self.low)) / x.dtype.type(self.high - self.low))

    @property
    def liked_from(self) -> float:
        """The least rating that says that it was liked, where the upper quarter of the scale begins."""
        return self.low + LIKED_SHARE * (self.high - self.low)

    def quantize(self, x: Any) -> NDArray[np.float64]:
        """Return the step of the scale that is nearest to each number."""
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
