"""The kinds of codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds.kind import SIZE, CodeKind
from codeword.errors import ParameterError

# Scalars of unit spread are clipped at this many standard deviations; the decoder sees them at unit spread, too.
SCALAR_RANGE = 3.0


@dataclass(frozen=True)
class Bits(CodeKind):
    """`num_bits` signs, the only kind with a Hamming distance.

    Args:
        num_bits: Integer from 1 to 1,048,576.

    Example:
        >>> Bits(10).num_bytes
        2
    """

    num_bits: int
    symbol_size: ClassVar[int] = 2
    has_hamming_distance: ClassVar[bool] = True
    layer: ClassVar[str] = "SignBits"
    default_noise: ClassVar[float] = 0.2
    default_swap: ClassVar[float] = 0.15  # such codes hold more than the data needs and memorize it otherwise

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        return np.where(symbols > 0, np.float32(1), np.float32(-1))


@dataclass(frozen=True)
class Scalars(CodeKind):
    """`num_scalars` numbers, each rounded to one of `steps` equally spaced values.

    Args:
        num_scalars: Integer from 1 to 1,048,576.
        steps: Number of values that a scalar can take, 2 to 65536: one integer for all scalars, or one per scalar.

    Example:
        >>> Scalars(8).num_bytes, Scalars(3, steps=(4, 4, 16)).num_bytes
        (8, 1)
    """

    num_scalars: int
    steps: int | tuple[int, ...] = 256
    layer: ClassVar[str] = "ScalarQuantizer"

    def __post_init__(self) -> None:
        super().__post_init__()
        several = isinstance(self.steps, list | tuple | np.ndarray)
        sizes: Any = self.steps if several else (self.steps,)
        for size in sizes:
            SIZE.check("steps", size)
        if several:
            object.__setattr__(self, "steps", tuple(int(size) for size in sizes))
            if len(sizes) != self.num_scalars:
                raise ParameterError(
                    f"`steps` must be one integer, or one per scalar: got {len(sizes)} for {self.num_scalars} scalars."
                )

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return self.steps if isinstance(self.steps, tuple) else (self.steps,) * self.num_scalars

    @property
    def layer_arguments(self) -> Mapping[str, Any]:
        steps = self.steps if isinstance(self.steps, tuple) else int(self.steps)
        # Hardly any value of unit spread lies outside the range, so the slope there makes no difference.
        return {"steps": steps, "minimum": -SCALAR_RANGE, "maximum": SCALAR_RANGE, "slope": "straight_through"}

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        table = scalar_values(self.symbol_sizes, -SCALAR_RANGE, SCALAR_RANGE)
        return table[np.arange(self.num_scalars), symbols]


@dataclass(frozen=True)
class Choices(CodeKind):
    """`num_choices` one-hot choices out of `size`, each with learned vectors in the decoder's first layer.

    Args:
        num_choices: Integer from 1 to 1,048,576.
        size: Number of entries to choose from, 2 to 65536.

    Example:
        >>> Choices(8, size=256).num_bytes
        8
    """

    num_choices: int
    size: int = 256
    layer: ClassVar[str] = "Hardmax"
    default_swap: ClassVar[float] = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        SIZE.check("size", self.size)

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return (self.size,) * self.num_choices

    @property
    def value_shape(self) -> tuple[int, ...]:
        return (self.num_choices, self.size)

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        # (n, num_choices) -> (n, num_choices, size)
        return (symbols[..., None] == np.arange(self.size)).astype(np.float32)


@dataclass(frozen=True)
class Residual(CodeKind):
    """`num_codebooks` entries of learned codebooks, each for what the entries before it leave.

    The sum of the chosen entries approximates the row, so the first symbols of a code are a shorter, coarser code.

    Args:
        num_codebooks: Integer from 1 to 1,048,576.
        size: Number of entries in each codebook, 2 to 65536.

    Example:
        >>> Residual(8).num_bytes, Residual(3, size=1024).num_bytes
        (8, 4)
    """

    num_codebooks: int
    size: int = 256
    layer: ClassVar[str] = "ResidualSteps"
    quantizes_rows: ClassVar[bool] = True
    default_hidden: ClassVar[tuple[int, ...]] = (128,)
    default_batch_size: ClassVar[int | None] = 512
    default_epochs: ClassVar[int | None] = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        SIZE.check("size", self.size)

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return (self.size,) * self.num_codebooks

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        return symbols.astype(np.float32)  # at most 65,535: exact


@dataclass(frozen=True)
class Floats(CodeKind):
    """`num_floats` unrounded float32 numbers, the baseline to compare with.

    Args:
        num_floats: Integer from 1 to 1,048,576.
    """

    num_floats: int
    symbol_size: ClassVar[int] = 2**32
    symbol_dtype: ClassVar[type] = np.float32
    layer: ClassVar[str] = "NoCode"

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        return symbols.astype(np.float32)


def scalar_values(steps: Sequence[int], minimum: float, maximum: float) -> NDArray[np.float32]:
    """Return the value of every step of every scalar.

    Layer and decoder both gather from this table, because the formula itself is one ulp off between eager and compiled
    TensorFlow in up to 29 % of values.

    Args:
        steps: Number of steps of each scalar.
        minimum: Value of the first step.
        maximum: Value of the last step.

    Returns:
        float32 array of shape `(len(steps), max(steps))`; shorter rows are padded with their maximum.
    """
    rows = [np.linspace(minimum, maximum, count) for count in steps]
    return np.stack([np.pad(row, (0, max(steps) - len(row)), mode="edge") for row in rows]).astype(np.float32)
