"""What all data kinds answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.data_kinds.python_text import python_literal
from codeword.errors import ParameterError

Statistics = dict[str, NDArray[np.float64]]


class LossCall(NamedTuple):
    """How a loss is made: the module, `keras.losses` or `codeword.losses`, the name in it, and what it is told.

    Example:
        >>> str(LossCall("keras.losses", "BinaryCrossentropy", {"from_logits": True}))
        'keras.losses.BinaryCrossentropy(from_logits=True)'
    """

    module: str
    name: str
    arguments: Mapping[str, Any] = MappingProxyType({})

    def __str__(self) -> str:
        """Gives the call as Python, `codeword` being imported as `cw`."""
        told = ", ".join(f"{name}={python_literal(value)}" for name, value in self.arguments.items())
        return f"{self.module.replace('codeword', 'cw')}.{self.name}({told})"


class DataKind(ABC):
    """What all data kinds answer.

    A `losses` entry names what the network is trained with; `loss` is the one that this object chose. `when_to_take`
    says of each when it suits, `meaning` what the values are, `scaling` how they enter the network. Heads and advice
    read this, `activation` and `loss_call`, so that they cannot drift apart.
    """

    losses: ClassVar[tuple[str, ...]]
    when_to_take: ClassVar[dict[str, str]]
    meaning: ClassVar[str]
    scaling: ClassVar[str]
    statistic_names: ClassVar[tuple[str, ...]] = ()
    loss: str

    @abstractmethod
    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        """Returns `x` as an array of the kind's values, or refuses it.

        Args:
            x: Numbers of any shape `(n, ...)`, any numeric dtype, byte order or memory layout.
            first_row: Where `x` is a piece of the data, the number of its first row, for messages.

        Raises:
            DataTypeError: If `x` is no array of numbers.
            DataError: If a value is not allowed.
        """

    def learn(self, x: NDArray[Any]) -> Statistics:
        """Learns what the kind must know of the training data; nothing for most kinds."""
        return {}

    def to_network(self, x: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        """Turns checked values into the network's input and target, shape kept; float32 may be `x` itself."""
        return x.astype(np.float32, copy=False)

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

    @property
    def activation(self) -> str:
        """The output's activation: "linear", "sigmoid" or "staircase", a staircase of `values` and `edges`."""
        return "linear"

    @property
    @abstractmethod
    def loss_call(self) -> LossCall:
        """The loss between `to_network` values and the head's output."""

    def output_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Gives the shape of the head's output for a row: one more axis where it gives several numbers a cell."""
        return row_shape

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """Gives plain values from which `data_kind_from_config` makes an equal object."""

    def _check_loss(self) -> None:
        if self.loss not in self.losses:
            raise ParameterError(
                f"`loss` of {type(self).__name__} must be one of {', '.join(self.losses)}. Received: {self.loss!r}."
            )
