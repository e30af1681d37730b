"""The table of code kinds: what the middle of a network may be, its symbols and its bytes (no Keras).

| kind | a symbol is | value that the decoder sees | bytes a row |
|---|---|---|---|
| `Bits(n)` | a sign, 0 or 1 | -1 or +1 | n / 8, rounded up |
| `Scalars(n, steps)` | a step, 0 to steps - 1 | equally spaced from -3 to +3 | n for 256 steps |
| `Choices(n, size)` | a chosen index, 0 to size - 1 | its one-hot | n for 256 entries |
| `Floats(n)` | a float32, the baseline to compare with | itself | 4 n |
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import ParameterError

MAX_SYMBOL_SIZE = 65_536
# Scalars of unit spread are clipped at this many standard deviations; the decoder sees them at unit spread, too.
SCALAR_RANGE = 3.0


class CodeKind(ABC):
    """What all code kinds answer."""

    @property
    @abstractmethod
    def num_symbols(self) -> int:
        """Columns of `transform`'s result."""

    @property
    @abstractmethod
    def symbol_sizes(self) -> tuple[int, ...]:
        """How many values each symbol can take."""

    @property
    def symbol_widths(self) -> tuple[int, ...]:
        """Bits that each symbol takes when packed."""
        return tuple((size - 1).bit_length() for size in self.symbol_sizes)

    @property
    def symbol_dtype(self) -> type:
        """Smallest unsigned integer that holds every symbol; float32 for `Floats`."""
        return np.uint8 if max(self.symbol_sizes) <= 256 else np.uint16

    @property
    def num_bytes(self) -> int:
        """Bytes a row, the columns of `encode`'s result."""
        return -(-sum(self.symbol_widths) // 8)

    @abstractmethod
    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        """Gives the decoder's input for symbols of shape `(n, num_symbols)`."""

    def to_config(self) -> dict[str, Any]:
        """Gives plain values from which `code_kind_from_config` makes an equal object."""
        settings = {"kind": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]
        # JSON has no NumPy integers, such as Bits(x.shape[1] // np.int64(2)) holds.
        return {name: int(value) if isinstance(value, np.integer) else value for name, value in settings.items()}


@dataclass(frozen=True)
class Bits(CodeKind):
    """`num_bits` signs: the one kind that Hamming distance is for.

    Args:
        num_bits: Positive integer.

    Example:
        >>> Bits(10).num_bytes
        2
    """

    num_bits: int

    def __post_init__(self) -> None:
        _check_count("Bits", "num_bits", self.num_bits)

    @property
    def num_symbols(self) -> int:
        return self.num_bits

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return (2,) * self.num_bits

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        return np.where(symbols > 0, np.float32(1), np.float32(-1))


@dataclass(frozen=True)
class Scalars(CodeKind):
    """`num_scalars` numbers, each rounded to one of `steps` equally spaced values.

    Args:
        num_scalars: Positive integer.
        steps: Values a scalar can take, 2 to 65536; one number, or one a scalar.

    Example:
        >>> Scalars(8).num_bytes, Scalars(3, steps=(4, 4, 16)).num_bytes
        (8, 1)
    """

    num_scalars: int
    steps: int | tuple[int, ...] = 256

    def __post_init__(self) -> None:
        _check_count("Scalars", "num_scalars", self.num_scalars)
        several = isinstance(self.steps, Sequence | np.ndarray) and not isinstance(self.steps, str)
        sizes: Any = self.steps if several else (self.steps,)
        for size in sizes:
            _check_size("Scalars", "steps", size)
        if several:
            object.__setattr__(self, "steps", tuple(int(size) for size in sizes))
            if len(self.symbol_sizes) != self.num_scalars:
                raise ParameterError(
                    f"`steps` of Scalars must be one number or one a scalar. Received: {len(self.symbol_sizes)} for "
                    f"{self.num_scalars} scalars. Give as many steps as scalars."
                )

    @property
    def num_symbols(self) -> int:
        return self.num_scalars

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return self.steps if isinstance(self.steps, tuple) else (self.steps,) * self.num_scalars

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        table = scalar_values(self.symbol_sizes, -SCALAR_RANGE, SCALAR_RANGE)
        return table[np.arange(self.num_scalars), symbols]


@dataclass(frozen=True)
class Choices(CodeKind):
    """`num_choices` one-hot choices out of `size`, each with its learned vectors in the decoder's first layer.

    Args:
        num_choices: Positive integer.
        size: Entries to choose from, 2 to 65536.

    Example:
        >>> Choices(8, size=256).num_bytes
        8
    """

    num_choices: int
    size: int = 256

    def __post_init__(self) -> None:
        _check_count("Choices", "num_choices", self.num_choices)
        _check_size("Choices", "size", self.size)

    @property
    def num_symbols(self) -> int:
        return self.num_choices

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return (self.size,) * self.num_choices

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        # (n, num_choices) -> (n, num_choices, size)
        return (symbols[..., None] == np.arange(self.size)).astype(np.float32)


@dataclass(frozen=True)
class Floats(CodeKind):
    """`num_floats` float32 numbers that nothing rounds: the baseline to compare with.

    Args:
        num_floats: Positive integer.
    """

    num_floats: int

    def __post_init__(self) -> None:
        _check_count("Floats", "num_floats", self.num_floats)

    @property
    def num_symbols(self) -> int:
        return self.num_floats

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return (2**32,) * self.num_floats

    @property
    def symbol_dtype(self) -> type:
        return np.float32

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        return symbols.astype(np.float32)


def scalar_values(steps: Sequence[int], minimum: float, maximum: float) -> NDArray[np.float32]:
    """Gives the value of every step of every scalar.

    The one place where steps become numbers: layer and decoder gather from this table, because the formula itself is
    one ulp off between eager and compiled TensorFlow in up to 29 % of values.

    Returns:
        float32 array of shape `(len(steps), max(steps))`; shorter rows are filled up with their maximum.
    """
    rows = [np.linspace(minimum, maximum, count) for count in steps]
    return np.stack([np.pad(row, (0, max(steps) - len(row)), mode="edge") for row in rows]).astype(np.float32)


def code_kind_from_config(config: dict[str, Any]) -> CodeKind:
    """Makes the code kind that `to_config` described.

    Raises:
        ParameterError: If `config` names no code kind or does not fit it.
    """
    classes = {cls.__name__: cls for cls in (Bits, Scalars, Choices, Floats)}
    settings = dict(config)
    name = settings.pop("kind", None)
    if not isinstance(name, str) or name not in classes:
        raise ParameterError(f"A code kind must be one of {sorted(classes)}. Received: {name!r}.")
    try:
        return classes[name](**settings)
    except TypeError as error:
        raise ParameterError(f"The settings of {name} do not fit. Received: {settings}. {error}.") from error


def parse_code_kind(text: str) -> CodeKind:
    """Reads a code kind as the command line writes it.

    Args:
        text: `bits:64`, `scalars:8`, `scalars:8x16` (16 steps), `choices:8x256` or `floats:8`.

    Raises:
        ParameterError: If `text` is none of these.

    Example:
        >>> parse_code_kind("scalars:8x16")
        Scalars(num_scalars=8, steps=16)
    """
    classes = {"bits": Bits, "scalars": Scalars, "choices": Choices, "floats": Floats}
    name, _, numbers = text.strip().lower().partition(":")
    try:
        counts = [int(number) for number in numbers.split("x")]
        return classes[name](*counts)
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(
            "A code must be written as bits:64, scalars:8, scalars:8x16, choices:8x256 or floats:8. "
            f"Received: {text!r}."
        ) from error


def _check_count(kind: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ParameterError(f"`{name}` of {kind} must be a positive integer. Received: {value!r}.")


def _check_size(kind: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 2 <= value <= MAX_SYMBOL_SIZE:
        raise ParameterError(f"`{name}` of {kind} must be an integer from 2 to {MAX_SYMBOL_SIZE}. Received: {value!r}.")
