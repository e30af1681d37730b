"""What all data kinds answer."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import in_native_order
from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds.python_text import python_literal
from codeword.data_kinds.scaling import Scaling
from codeword.settings import as_plain, one_of

Statistics = dict[str, NDArray[np.float64]]

_ALIASES = {"MeanSquaredError": "mse", "MeanAbsoluteError": "mae"}

# Files from before these settings do not have them, and keep their fingerprints.
_LATER_SETTINGS = {"maximum": 1.0, "spread": "each", "missing": None}


class LossCall(NamedTuple):
    """How a loss is made: its module, `keras.losses` or `codeword.losses`, its class, and the arguments.

    Example:
        >>> str(LossCall("keras.losses", "BinaryCrossentropy", {"from_logits": True}))
        'keras.losses.BinaryCrossentropy(from_logits=True)'
    """

    module: str
    name: str
    arguments: Mapping[str, Any] = MappingProxyType({})

    def __str__(self) -> str:
        """Return the call as Python, where `cw` is codeword."""
        written = {
            name: value if isinstance(value, LossCall) else python_literal(value)
            for name, value in self.arguments.items()
        }
        arguments = ", ".join(f"{name}={value}" for name, value in written.items())
        return f"{self.module.replace('codeword', 'cw')}.{self.name}({arguments})"

    @property
    def alias(self) -> str:
        """The name by which `compile` knows a Keras loss, such as "mse" or "binary_crossentropy"."""
        return _ALIASES.get(self.name) or re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()

    @property
    def code(self) -> str:
        """Python for the `loss` of `compile`: the alias if there are no arguments, else the call."""
        return str(self) if self.arguments else f'"{self.alias}"'


@dataclass(frozen=True)
class DataKind(ABC):
    """What values the data takes, and everything that follows from it.

    `losses` are the losses that a network may be trained with, and `loss` is the one chosen. `when_to_take` says when
    each of them fits, `meaning` what the values are, and `scaling` how they enter the network. Estimators, advice and
    the doctor read these fields, so that their answers agree.
    """

    losses: ClassVar[tuple[str, ...]]
    when_to_take: ClassVar[dict[str, str]]
    statistic_names: ClassVar[tuple[str, ...]] = ()
    is_continuous: ClassVar[bool] = False
    has_missing: ClassVar[bool] = False
    has_ratings: ClassVar[bool] = False  # whether the observed values are ratings that a network can predict
    loss: str

    @property
    @abstractmethod
    def meaning(self) -> str:
        """What the values are, in a few words."""

    @property
    @abstractmethod
    def scaling(self) -> str:
        """How values enter the network, as a sentence."""

    @property
    @abstractmethod
    def word(self) -> str:
        """The kind on the command line, such as "binary"; `data_kind_text` checks that it says everything."""

    def scaling_by(self, scan: ValueScan) -> Scaling:
        """Return the scaling by which numbers enter a network that is trained on the scanned values."""
        return Scaling()

    @abstractmethod
    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        """Return numbers of any shape `(n, ...)`, dtype, byte order and memory layout as an array of the kind's values.

        If `x` is a piece of the data, `first_row` is the number of its first row, for messages.
        """

    def as_inferred(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return numbers from which this kind was inferred as its values, without looking for NaN again."""
        return in_native_order(x)

    def settled(self, x: NDArray[Any], *, keep_distances: bool) -> Self:
        """Return the kind with every setting that it leaves to the data; most kinds leave nothing.

        Args:
            x: Training data, checked.
            keep_distances: Whether distances between rows as they enter the network must stay as they are.
        """
        return self

    def learn(self, x: NDArray[Any]) -> Statistics:
        """Return what the kind must know about the training data; nothing for most kinds."""
        return {}

    def to_network(self, x: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        """Return checked values as the network's input and target, same shape; float32 data may be returned as is."""
        return x.astype(np.float32, copy=False)

    @abstractmethod
    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[Any]:
        """Return the values that the head's output stands for, all of them values of this kind."""

    def metrics(self, x: NDArray[Any], y: NDArray[Any], statistics: Statistics) -> dict[str, float]:
        """Compare values with their reconstruction: the share of exact cells and rows.

        Kinds of real numbers report the mean squared error "mse" instead; `Real` in units of each column's spread.
        """
        right = (x == y).reshape(len(x), -1)
        return {"cells_exact": float(right.mean()), "rows_exact": float(right.all(axis=1).mean())}

    @property
    def entry_levels(self) -> tuple[float, ...]:
        """The levels that enter the network as one-hot; empty if values enter as numbers."""
        return ()

    def entry_code(self, name: str) -> list[str]:
        """Return lines of Python that turn the array of that name, NaN allowed, into `scaled`; none if not needed."""
        return []

    def values_code(self, output: str) -> str:
        """Return Python that turns the head's output into values, as `from_network` does."""
        return output

    @property
    def head_comment(self) -> str:
        """What the output layer returns, as a comment in Python."""
        return "  # logits, no activation" if self.loss == "binary_crossentropy" else ""

    @property
    def activation_arguments(self) -> Mapping[str, Any]:
        """Arguments of the output's activation: `levels` and `edges` of a staircase, else none."""
        return {}

    @property
    def exact_match(self) -> Mapping[str, Any]:
        """Arguments of `metrics.ExactMatch`; empty if a reconstructed number is hardly ever exact."""
        return {}

    @property
    def is_probability(self) -> bool:
        """Whether scaled values lie from 0 to 1, so that cross-entropy takes them."""
        return False

    @property
    def num_channels(self) -> int:
        """Numbers with which one cell enters the network."""
        return 1

    @property
    def num_outputs(self) -> int:
        """Numbers that the head returns for one cell."""
        return 1

    @property
    def activation(self) -> str:
        """The output's activation: "linear", "sigmoid" or "staircase", a staircase of `values` and `edges`."""
        return "linear"

    @property
    def probability_activation(self) -> str | None:
        """The activation that turns the head's logits into probabilities; None if it returns no logits."""
        return "sigmoid" if self.loss == "binary_crossentropy" else None

    @property
    def activation_code(self) -> str:
        """Python of the activation."""
        arguments = ", ".join(map(python_literal, self.activation_arguments.values()))
        return f"cw.activations.staircase({arguments})" if arguments else python_literal(self.activation)

    @property
    def loss_call(self) -> LossCall:
        """The loss between `to_network` values and the head's output."""
        if self.loss == "binary_crossentropy":
            return LossCall("keras.losses", "BinaryCrossentropy", {"from_logits": True})
        return LossCall("keras.losses", {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError"}[self.loss])

    def output_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the head's output for a row, with one more axis for several numbers per cell."""
        return row_shape

    def to_config(self) -> dict[str, Any]:
        """Return plain values from which `data_kind_from_config` makes an equal object."""
        names = [field.name for field in fields(self) if field.init]
        settings = {name: as_plain(getattr(self, name)) for name in names}
        kept = {name: value for name, value in settings.items() if (name, value) not in _LATER_SETTINGS.items()}
        return {"kind": type(self).__name__, **kept}

    def with_loss(self, loss: str) -> Self:
        """Return the same kind with another loss."""
        return replace(self, loss=loss)

    def __post_init__(self) -> None:
        one_of(*self.losses).check("loss", self.loss)
