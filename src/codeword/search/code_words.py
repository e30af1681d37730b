"""Packed codes as 64-bit words, the columns of a store (NumPy only).

Word 0 holds the first eight bytes of a code, most significant byte first; the last word is padded with zero bits.
"""

import re

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import Bits

WORD_COLUMN = re.compile(r"code_(0|[1-9]\d*)")


def word_names(num_bits: int) -> list[str]:
    """Return the column names of a code: code_0, code_1, …."""
    return [f"code_{number}" for number in range(-(-num_bits // 64))]


def to_words(codes: NDArray[np.uint8]) -> list[NDArray[np.uint64]]:
    """Convert packed codes `(n, num_bytes)` to columns of words, each `(n,)`."""
    filled = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    words = np.ascontiguousarray(filled).view(">u8").astype(np.uint64)
    return [np.ascontiguousarray(words[:, column]) for column in range(words.shape[1])]


def from_words(words: list[NDArray[np.uint64]], num_bytes: int) -> NDArray[np.uint8]:
    """Convert columns of words to packed codes `(n, num_bytes)`."""
    table = np.stack(words, axis=1).astype(">u8")
    return np.ascontiguousarray(table.view(np.uint8).reshape(len(table), 8 * len(words))[:, :num_bytes])


def bytes_in_sql(num_bits: int) -> list[str]:
    """Return SQL expressions that compute the bytes c0, c1, … of a code from its words."""
    return [
        f"((code_{number // 8} >> {56 - number % 8 * 8}) & 255)::UTINYINT AS c{number}"
        for number in range(Bits(num_bits).num_bytes)
    ]
