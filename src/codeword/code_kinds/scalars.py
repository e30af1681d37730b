"""Numbers rounded to equally spaced values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds.kind import COUNT, SIZE, CodeKind
from codeword.errors import ParameterError
from codeword.settings import check_settings

# Scalars of unit spread are clipped at this many standard deviations; the decoder sees them at unit spread, too.
SCALAR_RANGE = 3.0


@dataclass(frozen=True)
class Scalars(CodeKind):
    """`num_scalars` numbers, each rounded to one of `steps` equally spaced values.

    Args:
        num_scalars: Positive integer.
        steps: Number of values that a scalar can take, 2 to 65536: one integer for all scalars, or one per scalar.

    Example:
        >>> Scalars(8).num_bytes, Scalars(3, steps=(4, 4, 16)).num_bytes
        (8, 1)
    """

    num_scalars: int
    steps: int | tuple[int, ...] = 256
    layer: ClassVar[str] = "ScalarQuantizer"

    def __post_init__(self) -> None:
        check_settings(self, {"num_scalars": COUNT})
        several = isinstance(self.steps, list | tuple | np.ndarray)
        sizes: Any = self.steps if several else (self.steps,)
        for size in sizes:
            SIZE.check("steps", size)
        if several:
            object.__setattr__(self, "steps", tuple(int(size) for size in sizes))
            if len(self.symbol_sizes) != self.num_scalars:
                raise ParameterError(
                    f"`steps` must be one integer, or one per scalar: got {len(self.symbol_sizes)} for "
                    f"{self.num_scalars} scalars."
                )

    @property
    def num_symbols(self) -> int:
        return self.num_scalars

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
