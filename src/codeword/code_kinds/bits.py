"""Signs, which Hamming distance compares."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds.kind import COUNT, CodeKind
from codeword.settings import check_settings


@dataclass(frozen=True)
class Bits(CodeKind):
    """`num_bits` signs, the only kind with a Hamming distance.

    Args:
        num_bits: Positive integer.

    Example:
        >>> Bits(10).num_bytes
        2
    """

    num_bits: int
    has_hamming_distance: ClassVar[bool] = True
    layer: ClassVar[str] = "SignBits"
    default_noise: ClassVar[float] = 0.2
    default_swap: ClassVar[float] = 0.15  # such codes hold more than the data needs and memorize it otherwise

    def __post_init__(self) -> None:
        check_settings(self, {"num_bits": COUNT})

    @property
    def num_symbols(self) -> int:
        return self.num_bits

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        return (2,) * self.num_bits

    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        return np.where(symbols > 0, np.float32(1), np.float32(-1))
