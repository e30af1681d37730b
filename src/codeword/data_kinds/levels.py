"""Few ordered values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import all_within, as_finite_numbers, refuse_where
from codeword.data_kinds.kind import DataKind, LossCall, Statistics
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.data_kinds.python_text import python_literal
from codeword.errors import DataError, ParameterError

FEW_EDGES = 16  # up to here it is faster to compare with each than to search: 7 times with 3


@dataclass(frozen=True, init=False)
class Levels(DataKind):
    """Few ordered values, such as four greys.

    Data may hold the levels themselves or class numbers from 0 to `num_levels - 1`. Floats are always levels. Integers
    are levels if all levels are integers, and class numbers otherwise.

    Args:
        values: The levels, strictly ascending, not necessarily equally spaced; or their count, for 0, 1, 2, ….
        edges: Where a real output changes from one level to the next. "midpoint": halfway, so that the nearest level
            wins. "floor": at the next level, so that [0, 0.25) is 0. Or the `num_levels - 1` edges themselves, each
            above its level and at most equal to the next level. A value on an edge belongs to the upper level.
        loss: "crossentropy" (one logit per level), "ordinal" (one logit per edge), "bin_insensitive" (a real output
            that costs nothing in the right bin), "mse" (a real output, rounded), or "staircase" (MSE after a
            staircase).

    Example:
        >>> four = Levels([0, .25, .5, .75], edges="floor")
        >>> four.quantize([.1, .25, .49, 2.]).tolist()
        [0.0, 0.25, 0.25, 0.75]
    """

    values: tuple[float, ...]
    edges: str | tuple[float, ...]
    loss: str
    losses: ClassVar[tuple[str, ...]] = ("crossentropy", "ordinal", "bin_insensitive", "mse", "staircase")
    when_to_take: ClassVar[dict[str, str]] = {
        "crossentropy": "Most exact cells. It ignores the order: the next level costs as much as one far away.",
        "ordinal": "If the next level is a smaller mistake than one far away: grades, stars.",
        "bin_insensitive": "One number per cell; the loss is 0 in the right bin, and else the distance to it.",
        "mse": "One number per cell, rounded to a level afterwards: for comparison.",
        "staircase": "The network's own output takes only the levels; a surrogate slope trains it through the steps.",
    }
    meaning = "few ordered values"
    scaling = "None: each value enters the network as one-hot, with one number per level."

    def __init__(
        self, values: int | Sequence[float], *, edges: str | Sequence[float] = "midpoint", loss: str = "crossentropy"
    ) -> None:
        object.__setattr__(self, "values", checked_levels(values))
        object.__setattr__(self, "loss", loss)
        self.__post_init__()
        object.__setattr__(self, "edges", checked_edges(self.values, edges))

    @property
    def word(self) -> str:
        return f"levels:{','.join(map(python_literal, self.values))}"

    @property
    def entry_levels(self) -> tuple[float, ...]:
        return self.values

    @property
    def num_channels(self) -> int:
        return len(self.values)

    @property
    def num_outputs(self) -> int:
        return {"crossentropy": len(self.values), "ordinal": len(self.values) - 1}.get(self.loss, 1)

    @property
    def activation(self) -> str:
        return "staircase" if self.loss == "staircase" else "linear"

    @property
    def activation_arguments(self) -> Mapping[str, Any]:
        return {"levels": self.values, "edges": self.edges} if self.loss == "staircase" else {}

    @property
    def exact_match(self) -> Mapping[str, Any]:
        outputs = {"crossentropy": "logits", "ordinal": "ordinal_logits"}.get(self.loss, "values")
        edges = "midpoint" if self.loss == "staircase" else self.edges
        return {"levels": self.values, "edges": edges, "outputs": outputs}

    @property
    def loss_call(self) -> LossCall:
        by_levels, by_bins = {"levels": self.values}, {"levels": self.values, "edges": self.edges}
        return {
            "crossentropy": LossCall("codeword.losses", "LevelCrossentropy", by_levels),
            "ordinal": LossCall("codeword.losses", "OrdinalCrossentropy", by_levels),
            "bin_insensitive": LossCall("codeword.losses", "BinInsensitive", by_bins),
            "mse": LossCall("codeword.losses", "LevelSquaredError", by_bins),
            "staircase": LossCall("keras.losses", "MeanSquaredError"),
        }[self.loss]

    def output_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*row_shape, self.num_outputs) if self.loss in ("crossentropy", "ordinal") else row_shape

    @property
    def table(self) -> NDArray[Any]:
        """The levels as an array: float32 where that holds them exactly, else float64."""
        wide = np.array(self.values, np.float64)
        narrow = wide.astype(np.float32)
        return narrow if (narrow == wide).all() else wide

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        x = as_finite_numbers(x, first_row=first_row)
        if x.dtype.kind in "iub" and self._integers_are_classes():
            hint = "Integers are class numbers here. Pass the levels themselves as floats."
            if not all_within(x, 0, len(self.values) - 1):
                outside = (x.astype(np.int64) < 0) | (x.astype(np.int64) >= len(self.values))
                allowed = f"class numbers from 0 to {len(self.values) - 1}"
                refuse_where(outside, x, allowed, hint, first_row=first_row)
            return self.table[x.astype(np.intp)]
        index = self._nearest(x)
        found = self.table[index]
        if (found == x).all():
            return found
        exact = np.array(self.values)[index]
        # A level such as 0.1 is a little off in a file of floats: allow a few steps of its dtype.
        tolerance = max(1e-6, 2 * np.finfo(x.dtype).eps) if x.dtype.kind == "f" else 0
        wrong = np.abs(x - exact) > tolerance * np.maximum(np.abs(exact), np.diff(self.values).min())
        hint = "Cast class numbers to integers. `Levels.quantize` rounds numbers to levels."
        refuse_where(wrong, x, f"one of the levels {list(self.values)}", hint, first_row=first_row)
        return found

    def as_inferred(self, x: NDArray[Any]) -> NDArray[Any]:
        return self.table[self._nearest(x)]

    def classes(self, x: NDArray[Any]) -> NDArray[np.intp]:
        """Return the class numbers of checked values."""
        return self._nearest(x)

    def quantize(self, x: Any) -> NDArray[Any]:
        """Round any finite numbers to the level of their bin, as `edges` defines it."""
        return self.table[np.searchsorted(level_edges(self.values, self.edges), as_finite_numbers(x), side="right")]

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[Any]:
        if self.loss == "crossentropy":
            return self.table[output.argmax(axis=-1)]
        if self.loss == "ordinal":
            return self.table[(output >= 0).sum(axis=-1)]
        if self.loss == "staircase":
            return self.table[self._nearest(output)]
        return self.quantize(output)

    def values_code(self, output: str) -> str:
        classes = f"{output}.argmax(axis=-1)" if self.loss == "crossentropy" else f"({output} >= 0).sum(axis=-1)"
        return f"np.array({python_literal(self.values)})[{classes}]"

    @property
    def head_comment(self) -> str:
        return {"crossentropy": "  # one logit per level", "ordinal": "  # one logit per edge"}.get(self.loss, "")

    @property
    def probability_activation(self) -> str | None:
        return {"crossentropy": "softmax", "ordinal": "sigmoid"}.get(self.loss)

    def probabilities(self, output: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the probability of each level, float32 along a last axis, from the logits of the head.

        Raises:
            ParameterError: If the head returns one real number, which has no probabilities.
        """
        wide = output.astype(np.float64)
        if self.loss == "crossentropy":
            weights = np.exp(wide - wide.max(axis=-1, keepdims=True))
        elif self.loss == "ordinal":
            above = np.minimum.accumulate(1 / (1 + np.exp(-np.clip(wide, -500, 500))), axis=-1)
            ones = np.ones((*above.shape[:-1], 1))
            weights = -np.diff(np.concatenate([ones, above, np.zeros_like(ones)], axis=-1), axis=-1)
        else:
            raise ParameterError(
                f'`loss` must be "crossentropy" or "ordinal" to have probabilities: got {self.loss!r}.'
            )
        return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)

    def _nearest(self, x: NDArray[Any]) -> NDArray[np.intp]:
        edges = level_edges(self.values, "midpoint")
        if len(edges) > FEW_EDGES:
            return np.searchsorted(edges, x, side="right")
        index = np.zeros(np.shape(x), np.intp)
        for edge in edges:
            index += x >= edge
        return index

    def _integers_are_classes(self) -> bool:
        integers = [(index, value) for index, value in enumerate(self.values) if value == int(value)]
        if len(integers) == len(self.values):
            return False
        clash = [value for index, value in integers if index != value and 0 <= value < len(self.values)]
        if clash:
            raise DataError(
                f"`x` must be floats for these levels: got an integer array, in which {clash[0]:g} may be the level "
                f"or a class number of {list(self.values)}. Cast levels to float; replace class numbers by "
                "np.array(levels)[x]."
            )
        return True
