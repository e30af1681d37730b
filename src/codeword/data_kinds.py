"""The table of data kinds: what values the data takes, and all that follows from it (no Keras).

| kind | values | enters the network as | losses, the default first | an output becomes a value by |
|---|---|---|---|---|
| `Binary()` | 0 and 1 | itself | binary_crossentropy | logit >= 0 |
| `Levels(values)` | the levels | one-hot | crossentropy, ordinal, bin_insensitive, mse, staircase | best level or bin |
| `UnitInterval()` | 0 to 1 | itself | mse, binary_crossentropy | itself, within 0 to 1 |
| `Real()` | any finite number | standardized | mse, mae | undoing the standardization |

Heads, estimators and advice read this table, so that they cannot drift apart.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, ParameterError
from codeword.finite_numbers import as_finite_numbers, refuse_where
from codeword.levels import checked_edges, checked_levels, level_edges

MAX_INFERRED_LEVELS = 16
Statistics = dict[str, NDArray[np.float64]]


class DataKind(ABC):
    """What all data kinds answer.

    A `losses` entry names what the network is trained with; `loss` is the one that this object chose.
    """

    losses: ClassVar[tuple[str, ...]]
    statistic_names: ClassVar[tuple[str, ...]] = ()
    loss: str

    @abstractmethod
    def check(self, x: Any) -> NDArray[Any]:
        """Returns `x` as an array of the kind's values, or refuses it.

        Args:
            x: Numbers of any shape `(n, ...)`, any numeric dtype, byte order or memory layout.

        Raises:
            DataTypeError: If `x` is no array of numbers.
            DataError: If a value is not allowed.
        """

    def learn(self, x: NDArray[Any]) -> Statistics:
        """Learns what the kind must know of the training data; nothing for most kinds."""
        return {}

    def to_network(self, x: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        """Turns checked values into the network's input and target, shape kept."""
        return x.astype(np.float32)

    @abstractmethod
    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[Any]:
        """Turns the head's output into values: only values of this kind come out."""

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        """Compares values with what came back: share of exact cells and rows.

        For kinds of real numbers instead the mean squared error "mse", in units of each column's spread for `Real`.
        """
        right = (x == y).reshape(len(x), -1)
        return {"cells_exact": float(right.mean()), "rows_exact": float(right.all(axis=1).mean())}

    @property
    def num_channels(self) -> int:
        """Numbers by which one cell enters the network."""
        return 1

    @property
    def num_outputs(self) -> int:
        """Numbers that the head gives for one cell."""
        return 1

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """Gives plain values from which `data_kind_from_config` makes an equal object."""

    def _check_loss(self) -> None:
        if self.loss not in self.losses:
            raise ParameterError(
                f"`loss` of {type(self).__name__} must be one of {', '.join(self.losses)}. Received: {self.loss!r}."
            )


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


@dataclass(frozen=True)
class UnitInterval(DataKind):
    """Shares and brightness: every value lies from 0 to 1.

    Args:
        loss: "mse", or "binary_crossentropy", whose floor on such data is not 0 but the data's own entropy.
    """

    loss: str = "mse"
    losses: ClassVar[tuple[str, ...]] = ("mse", "binary_crossentropy")

    def __post_init__(self) -> None:
        self._check_loss()

    def check(self, x: Any) -> NDArray[Any]:
        x = as_finite_numbers(x)
        hint = "Divide by the greatest possible value (255 for uint8 images), or take Real()."
        refuse_where((x < 0) | (x > 1), x, "from 0 to 1, the range of UnitInterval()", hint)
        return x

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.float32]:
        if self.loss == "binary_crossentropy":  # the head then gives logits; exp of a negative number cannot overflow
            small = np.exp(-np.abs(output))
            output = np.where(output >= 0, 1 / (1 + small), small / (1 + small))
        return np.clip(output, 0, 1).astype(np.float32)

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        return {"mse": float(np.square(x - y.astype(np.float64)).mean())}

    def to_config(self) -> dict[str, Any]:
        return {"kind": "UnitInterval", "loss": self.loss}


@dataclass(frozen=True)
class Real(DataKind):
    """Any finite numbers. Each column is standardized by the mean and spread of the training data.

    Args:
        loss: "mse", or "mae" where single values lie far off.
    """

    loss: str = "mse"
    losses: ClassVar[tuple[str, ...]] = ("mse", "mae")
    statistic_names: ClassVar[tuple[str, ...]] = ("mean", "scale")

    def __post_init__(self) -> None:
        self._check_loss()

    def check(self, x: Any) -> NDArray[Any]:
        x = as_finite_numbers(x)
        largest = np.finfo(np.float32).max
        refuse_where(np.abs(x.astype(np.float64)) > largest, x, f"within ±{largest:.2g}, float32's", "Scale them.")
        return x

    def learn(self, x: NDArray[Any]) -> Statistics:
        wide = x.astype(np.float64)
        scale = wide.std(axis=0)
        # A constant column has spread 0 up to rounding, which for vast values is far above 1: it stands at 0 in units
        # of that rounding, others in units of 1.
        rounding = 1e-12 * np.abs(wide).max(axis=0)
        return {"mean": wide.mean(axis=0), "scale": np.where(scale <= rounding, np.maximum(rounding, 1.0), scale)}

    def to_network(self, x: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        # In float64, so that 1,700,000,000 ± 1 keeps its spread.
        return ((x.astype(np.float64) - statistics["mean"]) / statistics["scale"]).astype(np.float32)

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.float64]:
        return output.astype(np.float64) * statistics["scale"] + statistics["mean"]

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        return {"mse": float(np.square((x - y) / statistics["scale"]).mean())}

    def to_config(self) -> dict[str, Any]:
        return {"kind": "Real", "loss": self.loss}


@dataclass(frozen=True, init=False)
class Levels(DataKind):
    """Few ordered values, such as four greys.

    Data may come as the levels themselves or, where that cannot be mistaken, as class numbers 0 to `num_levels - 1`
    of an integer dtype: floats are always read as levels; integers as class numbers where some level is not an
    integer.

    Args:
        values: The levels, strictly ascending, not necessarily equally spaced; or their count, for 0, 1, 2, ….
        edges: Where a real output changes from one level to the next. "midpoint": halfway, so that the nearest level
            wins. "floor": at the next level, so that [0, .25) is 0. Or the `num_levels - 1` edges themselves, each
            above its level and at most the next one. A value on an edge belongs to the upper level.
        loss: "crossentropy" (one logit a level), "ordinal" (one logit an edge), "bin_insensitive" (a real output that
            costs nothing in the right bin), "mse" (a real output, rounded), "staircase" (MSE behind a staircase).

    Example:
        >>> four = Levels([0, .25, .5, .75], edges="floor")
        >>> four.quantize([.1, .25, .49, 2.]).tolist()
        [0.0, 0.25, 0.25, 0.75]
    """

    values: tuple[float, ...]
    edges: str | tuple[float, ...]
    loss: str
    losses: ClassVar[tuple[str, ...]] = ("crossentropy", "ordinal", "bin_insensitive", "mse", "staircase")

    def __init__(
        self, values: int | Sequence[float], *, edges: str | Sequence[float] = "midpoint", loss: str = "crossentropy"
    ) -> None:
        object.__setattr__(self, "values", checked_levels(values))
        object.__setattr__(self, "loss", loss)
        self._check_loss()
        object.__setattr__(self, "edges", checked_edges(self.values, edges))

    @property
    def num_channels(self) -> int:
        return len(self.values)

    @property
    def num_outputs(self) -> int:
        return {"crossentropy": len(self.values), "ordinal": len(self.values) - 1}.get(self.loss, 1)

    @property
    def table(self) -> NDArray[Any]:
        """The levels as an array: float32 where that holds them exactly, else float64."""
        wide = np.array(self.values, np.float64)
        narrow = wide.astype(np.float32)
        return narrow if (narrow == wide).all() else wide

    def check(self, x: Any) -> NDArray[Any]:
        x = as_finite_numbers(x)
        if x.dtype.kind in "iub" and self._integers_are_classes():
            hint = "Integers are read as class numbers here; give the levels themselves as floats."
            outside = (x.astype(np.int64) < 0) | (x.astype(np.int64) >= len(self.values))
            refuse_where(outside, x, f"class numbers from 0 to {len(self.values) - 1}", hint)
            return self.table[x.astype(np.intp)]
        index = self._nearest(x)
        exact = np.array(self.values)[index]
        # A level such as .1 comes a little off from a file of floats: allow a few steps of its dtype.
        tolerance = max(1e-6, 2 * np.finfo(x.dtype).eps) if x.dtype.kind == "f" else 0
        wrong = np.abs(x - exact) > tolerance * np.maximum(np.abs(exact), self._spacing())
        hint = "Are they class numbers? Cast them to integers. Or `Levels.quantize` puts numbers on their levels."
        refuse_where(wrong, x, f"one of the levels {list(self.values)}", hint)
        return self.table[index]

    def classes(self, x: NDArray[Any]) -> NDArray[np.intp]:
        """Gives the class numbers of checked values."""
        return self._nearest(x)

    def quantize(self, x: Any) -> NDArray[Any]:
        """Puts any finite numbers on the level of their bin, as `edges` says."""
        return self.table[np.searchsorted(level_edges(self.values, self.edges), as_finite_numbers(x), side="right")]

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[Any]:
        if self.loss == "crossentropy":
            return self.table[output.argmax(axis=-1)]
        if self.loss == "ordinal":
            return self.table[(output >= 0).sum(axis=-1)]
        if self.loss == "staircase":
            return self.table[self._nearest(output)]
        return self.quantize(output)

    def probabilities(self, output: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Gives each level's probability from the head's output.

        Returns:
            float32 array of the output's shape with a last axis of `num_levels`, which sums to 1.

        Raises:
            ParameterError: If the head gives one real number, which has no probabilities.
        """
        wide = output.astype(np.float64)
        if self.loss == "crossentropy":
            weights = np.exp(wide - wide.max(axis=-1, keepdims=True))
        elif self.loss == "ordinal":
            above = np.minimum.accumulate(1 / (1 + np.exp(-np.clip(wide, -500, 500))), axis=-1)
            ones = np.ones((*above.shape[:-1], 1))
            weights = -np.diff(np.concatenate([ones, above, 0 * ones], axis=-1), axis=-1)
        else:
            raise ParameterError(
                f'Only the losses "crossentropy" and "ordinal" give probabilities. Received: loss={self.loss!r}. '
                'Train with Levels(..., loss="crossentropy").'
            )
        return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)

    def to_config(self) -> dict[str, Any]:
        edges = self.edges if isinstance(self.edges, str) else list(self.edges)
        return {"kind": "Levels", "values": list(self.values), "edges": edges, "loss": self.loss}

    def _nearest(self, x: NDArray[Any]) -> NDArray[np.intp]:
        return np.searchsorted(level_edges(self.values, "midpoint"), x, side="right")

    def _spacing(self) -> float:
        return float(np.diff(self.values).min())

    def _integers_are_classes(self) -> bool:
        integers = [(index, value) for index, value in enumerate(self.values) if value == int(value)]
        if len(integers) == len(self.values):
            return False
        clash = [value for index, value in integers if index != value and 0 <= value < len(self.values)]
        if clash:
            raise DataError(
                f"Integers cannot be told apart here: {clash[0]:g} is a level of {list(self.values)} and also the "
                f"class number of another. Received: an integer array. Cast it to float if it holds levels; if it "
                f"holds class numbers, pass np.array(levels)[x]."
            )
        return True


def infer_data_kind(x: Any) -> DataKind:
    """Tells the data kind from the values alone.

    Args:
        x: Numbers of shape `(n, ...)`.

    Returns:
        `Binary()` if only 0 and 1 occur; `Levels(...)` if at most 16 different values share at least 8 cells each on
        average; `UnitInterval()` if all lie from 0 to 1; else `Real()`.

    Raises:
        DataTypeError, DataError: If `x` is empty, not numeric or not finite.

    Example:
        >>> infer_data_kind(np.array([[0, 1, 1], [1, 0, 0]]))
        Binary(loss='binary_crossentropy')
    """
    x = as_finite_numbers(x)
    if x.size == 0:
        raise DataError(f"`x` must hold at least one value to tell its kind. Received: shape {x.shape}.")
    distinct = np.unique(x)
    if np.isin(distinct, (0, 1)).all():
        return Binary()
    if 2 <= len(distinct) <= MAX_INFERRED_LEVELS and x.size >= 8 * len(distinct):
        return Levels(distinct.tolist())
    if distinct[0] >= 0 and distinct[-1] <= 1:
        return UnitInterval()
    return Real()


def data_kind_from_config(config: dict[str, Any]) -> DataKind:
    """Makes the data kind that `to_config` described.

    Raises:
        ParameterError: If `config` names no data kind or does not fit it.
    """
    classes: dict[Any, Any] = {"Binary": Binary, "Levels": Levels, "UnitInterval": UnitInterval, "Real": Real}
    settings = dict(config)
    name = settings.pop("kind", None)
    if not isinstance(name, str) or name not in classes:
        raise ParameterError(f"A data kind must be one of {sorted(classes)}. Received: {name!r}.")
    try:
        return classes[name](**settings)
    except TypeError as error:
        raise ParameterError(f"The settings of {name} do not fit. Received: {settings}. {error}.") from error


def parse_data_kind(text: str, *, edges: str = "midpoint") -> DataKind:
    """Reads a data kind as the command line writes it.

    Args:
        text: `binary`, `unit`, `real`, `levels:4` (0 to 3) or `levels:0,.25,.5,.75`.
        edges: "midpoint" or "floor", for levels.

    Raises:
        ParameterError: If `text` is none of these.

    Example:
        >>> parse_data_kind("levels:0,.5,1").values
        (0.0, 0.5, 1.0)
    """
    simple: dict[str, Any] = {"binary": Binary, "unit": UnitInterval, "real": Real}
    name, _, numbers = text.strip().lower().partition(":")
    if name in simple and not numbers:
        return simple[name]()
    try:
        if name != "levels":
            raise ValueError(name)
        values = int(numbers) if numbers.isdigit() else [float(number) for number in numbers.split(",")]
    except ValueError as error:
        raise ParameterError(
            f"Data must be written as binary, unit, real, levels:4 or levels:0,.25,.5,.75. Received: {text!r}."
        ) from error
    return Levels(values, edges=edges)
