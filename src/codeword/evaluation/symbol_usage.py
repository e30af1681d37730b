"""Measure whether the entries of codebooks are used, and evenly (no Keras)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SymbolUsage:
    """Result of `code_usage` for codes of other symbols than bits; `print` shows it as a table.

    Attributes:
        num_codes: Number of codes.
        usage: Share of the entries of each symbol that occur, shape `(num_symbols,)`.
        entropy: Entropy of each symbol in bits, shape `(num_symbols,)`; at most log2 of its size.
        perplexity: `2 ** entropy`: the number of entries that, used evenly, would say as much.
        distinct: Number of distinct codes divided by the number of codes.
        collisions: Share of codes that another code equals.
        largest_group: Largest number of equal codes.
        near_threshold: Share of symbols closer to another choice than 5e-5 of the spread; None without margins.
    """

    num_codes: int
    usage: NDArray[np.float64]
    entropy: NDArray[np.float64]
    perplexity: NDArray[np.float64]
    distinct: float
    collisions: float
    largest_group: int
    near_threshold: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "codes": self.num_codes,
            "symbols": len(self.usage),
            "usage": [round(float(share), 4) for share in self.usage],
            "entropy": [round(float(bits), 4) for bits in self.entropy],
            "perplexity": [round(float(number), 2) for number in self.perplexity],
            "distinct": self.distinct,
            "collisions": self.collisions,
            "largest_group": self.largest_group,
            "near_threshold": self.near_threshold,
        }

    def __str__(self) -> str:
        shown = [(name.replace("_", " "), value) for name, value in self.to_dict().items()]
        return "\n".join(
            f"{name:<22}{value:.4f}" if isinstance(value, float) else f"{name:<22}{value}" for name, value in shown
        )


def symbol_usage(symbols: NDArray[Any], sizes: tuple[int, ...], near_threshold: float | None) -> SymbolUsage:
    """Measure how codes use their symbols; see `code_usage`.

    Args:
        symbols: Integers of shape `(n, num_symbols)`, with at least one row.
        sizes: Number of values that each symbol can take.
        near_threshold: Share of symbols near another choice, None if unknown.
    """
    counts = [
        np.bincount(column.astype(np.int64), minlength=size) for column, size in zip(symbols.T, sizes, strict=True)
    ]
    shares = [count[count > 0] / len(symbols) for count in counts]
    entropy = np.array([max(0.0, -float(share @ np.log2(share))) for share in shares])
    _, groups = np.unique(symbols, axis=0, return_counts=True)
    return SymbolUsage(
        num_codes=len(symbols),
        usage=np.array([float((count > 0).mean()) for count in counts]),
        entropy=entropy,
        perplexity=2**entropy,
        distinct=len(groups) / len(symbols),
        collisions=float(groups[groups > 1].sum() / len(symbols)),
        largest_group=int(groups.max()),
        near_threshold=near_threshold,
    )
