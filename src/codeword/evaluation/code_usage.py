"""Measure whether the symbols of codes are used; of bits, whether they are balanced and independent (no Keras)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.code_kinds.packing import check_bit_codes, unpack
from codeword.errors import CodeError, DataError
from codeword.evaluation.symbol_usage import SymbolUsage, symbol_usage

NEAR_THRESHOLD = 5e-5  # closer than this, another backend may produce another bit


@dataclass(frozen=True)
class CodeUsage:
    """Result of `code_usage` for bits; `print` shows it as a table.

    Attributes:
        num_codes: Number of codes.
        ones: Share of codes in which each bit is 1, shape `(num_bits,)`; 0.5 is balanced.
        entropy: Entropy of each bit, 0 to 1, shape `(num_bits,)`.
        dead_bits: Indices of the bits that have the same value in all codes.
        correlation: Largest and mean absolute correlation between two bits that are not dead; 0 with fewer than two.
        distinct: Number of distinct codes divided by the number of codes.
        near_threshold: Share of bits closer to the threshold than 5e-5 of the spread; None without margins.
    """

    num_codes: int
    ones: NDArray[np.float64]
    entropy: NDArray[np.float64]
    dead_bits: tuple[int, ...]
    correlation: tuple[float, float]
    distinct: float
    near_threshold: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "codes": self.num_codes,
            "bits": len(self.ones),
            "dead_bits": list(self.dead_bits),
            "least_entropy": float(self.entropy.min()),
            "mean_entropy": float(self.entropy.mean()),
            "largest_imbalance": float(np.abs(self.ones - 0.5).max()),
            "largest_correlation": self.correlation[0],
            "mean_correlation": self.correlation[1],
            "distinct": self.distinct,
            "near_threshold": self.near_threshold,
        }

    def __str__(self) -> str:
        shown = [(name.replace("_", " "), value) for name, value in self.to_dict().items()]
        return "\n".join(
            f"{name:<22}{value:.4f}" if isinstance(value, float) else f"{name:<22}{value}" for name, value in shown
        )


def code_usage(
    codes: Any, *, num_bits: int | None = None, margin: Any = None, kind: CodeKind | None = None
) -> CodeUsage | SymbolUsage:
    """Measure how codes use their bits, or with `kind` how they use symbols of another kind.

    Args:
        codes: Packed codes, uint8 of shape `(n, num_bytes)`.
        num_bits: Number of bits per code if the last byte is not full. Default: 8 bits per byte.
        margin: Distances to the threshold, shape `(n, num_bits)`, as returned by `encode(..., return_margin=True)`.
        kind: Code kind of codes that are no bits, such as `Residual(8)`: the result is a `SymbolUsage` then.

    Raises:
        CodeError: If the codes are not packed bits, or there are none.
        DataError: If the margins have another shape.

    Example:
        >>> usage = code_usage(np.array([[0b1000], [0b0000]], np.uint8))
        >>> usage.dead_bits, usage.distinct
        ((0, 1, 2, 3, 5, 6, 7), 1.0)
    """
    if kind is not None and not kind.has_hamming_distance:
        symbols = unpack(codes, kind)
        if len(symbols) == 0 or symbols.dtype.kind == "f":
            raise CodeError(f"`codes` must be at least one row of integer symbols: got {len(symbols)} of {kind}.")
        near = None if margin is None else _share_near(margin, symbols.shape)
        return symbol_usage(symbols, kind.symbol_sizes, near)
    codes, num_bits = check_bit_codes(codes, num_bits if kind is None else kind.num_symbols)
    if len(codes) == 0:
        raise CodeError("`codes` must have at least one row: got none.")
    bits = np.unpackbits(codes, axis=1, count=num_bits)
    ones = bits.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(share > 0, -share * np.log2(share), 0.0) for share in (ones, 1 - ones)]
    living = (ones > 0) & (ones < 1)
    return CodeUsage(
        num_codes=len(codes),
        ones=ones,
        entropy=parts[0] + parts[1],
        dead_bits=tuple(np.flatnonzero(~living).tolist()),
        correlation=_correlation(bits[:, living]),
        distinct=len(np.unique(codes, axis=0)) / len(codes),
        near_threshold=None if margin is None else _share_near(margin, bits.shape),
    )


def _correlation(bits: NDArray[np.uint8]) -> tuple[float, float]:
    if bits.shape[1] < 2:
        return 0.0, 0.0
    pairs = np.abs(np.asarray(np.corrcoef(bits, rowvar=False))[np.triu_indices(bits.shape[1], 1)])
    return float(pairs.max()), float(pairs.mean())


def _share_near(margin: Any, shape: tuple[int, ...]) -> float:
    margin = np.asarray(margin)
    if margin.shape != shape or margin.dtype.kind != "f":
        raise DataError(
            f"`margin` must be floats of shape {shape}, one per bit: got shape {margin.shape}, dtype {margin.dtype}. "
            "Take codes and margins from encode(x, return_margin=True)."
        )
    return float((margin < NEAR_THRESHOLD).mean())
