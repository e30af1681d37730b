"""Unrounded numbers, the baseline to compare with."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds.kind import COUNT, CodeKind
from codeword.settings import check_settings


@dataclass(frozen=True)
class Floats(CodeKind):
    """`num_floats` unrounded float32 numbers, the baseline to compare with.

    Args:
        num_floats: Positive integer.
    """

    num_floats: int
    layer: ClassVar[str] = "NoCode"

    def __post_init__(self) -> None:
        check_settings(self, {"num_floats": COUNT})

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
