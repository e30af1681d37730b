"""What all code kinds answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.settings import SettingsObject, as_plain, integer

MAX_SYMBOLS = 2**20  # a note or a model of a stranger may name any number, and the sizes of all symbols are computed
MAX_SYMBOL_SIZE = 65_536
COUNT = integer(1, MAX_SYMBOLS)
SIZE = integer(2, MAX_SYMBOL_SIZE)


class CodeKind(SettingsObject, ABC):
    """What all code kinds answer. The first setting of a kind is its number of symbols.

    Attributes:
        symbol_size: Number of values that every symbol can take, unless `symbol_sizes` says otherwise.
        has_hamming_distance: True if near codes can be found by comparing bits.
        quantizes_rows: True if the code layer takes the rows themselves, without an encoder before it.
        layer: The class in `codeword.layers` that makes the symbols; `layer_arguments` are its arguments.
        default_hidden: Units of the hidden layers that measured best.
        default_batch_size: Rows per step that measured best; None where that depends on the objective alone.
        default_epochs: Epochs that measured best; None as above.
        default_noise: Noise before the code in training that measured best for reconstruction, in units of the spread
            of the values.
        default_swap: Share of swapped cells that measured best for reconstruction.
    """

    symbol_size: ClassVar[int]
    has_hamming_distance: ClassVar[bool] = False
    quantizes_rows: ClassVar[bool] = False
    layer: ClassVar[str]
    default_hidden: ClassVar[tuple[int, ...]] = (512, 512)
    default_batch_size: ClassVar[int | None] = None
    default_epochs: ClassVar[int | None] = None
    default_noise: ClassVar[float] = 0.0
    default_swap: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        COUNT.check(fields(self)[0].name, self.num_symbols)

    @property
    def num_symbols(self) -> int:
        """Number of columns that `transform` returns."""
        count: int = getattr(self, fields(self)[0].name)
        return count

    @property
    def symbol_sizes(self) -> tuple[int, ...]:
        """Number of values that each symbol can take."""
        return (self.symbol_size,) * self.num_symbols

    @property
    def symbol_widths(self) -> tuple[int, ...]:
        """Number of bits of each packed symbol."""
        return tuple((size - 1).bit_length() for size in self.symbol_sizes)

    @property
    def symbol_dtype(self) -> type:
        """Smallest unsigned integer that holds every symbol; float32 for `Floats`."""
        return np.uint8 if max(self.symbol_sizes) <= 256 else np.uint16

    @property
    def num_bytes(self) -> int:
        """Bytes per row, the number of columns that `encode` returns."""
        return -(-sum(self.symbol_widths) // 8)

    @property
    def value_shape(self) -> tuple[int, ...]:
        """Shape of one row of the decoder's input."""
        return (self.num_symbols,)

    @property
    def width(self) -> int:
        """Number of values per row that the code layer takes and returns."""
        return prod(self.value_shape)

    @property
    def layer_arguments(self) -> Mapping[str, Any]:
        """Arguments of the code layer."""
        return {}

    @abstractmethod
    def to_network(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        """Return the decoder's input for symbols of shape `(n, num_symbols)`."""

    def to_config(self) -> dict[str, Any]:
        """Return plain values from which `code_kind_from_config` makes an equal object."""
        # JSON has no NumPy integers, such as Bits(x.shape[1] // np.int64(2)) holds.
        return {"kind": type(self).__name__, **{name: as_plain(value) for name, value in asdict(self).items()}}
