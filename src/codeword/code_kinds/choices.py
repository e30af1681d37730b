"""One-hot choices out of a codebook."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds.kind import COUNT, SIZE, CodeKind
from codeword.settings import check_settings


@dataclass(frozen=True)
class Choices(CodeKind):
    """`num_choices` one-hot choices out of `size`, each with learned vectors in the decoder's first layer.

    Args:
        num_choices: Positive integer.
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
        check_settings(self, {"num_choices": COUNT, "size": SIZE})

    @property
    def num_symbols(self) -> int:
        return self.num_choices

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return (self.size,) * self.num_choices

    @property
    def value_shape(self) -> tuple[int, ...]:
        return (self.num_choices, self.size)

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        # (n, num_choices) -> (n, num_choices, size)
        return (symbols[..., None] == np.arange(self.size)).astype(np.float32)
