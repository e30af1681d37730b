"""Pack symbols into bytes and back, the same on every machine (NumPy only).

A row's symbols are written one after the other, each with as many bits as its size needs, most significant bit
first. The last byte is padded with zero bits, so `Bits(10)` takes two bytes and `Scalars(8)` eight. `docs/formats.md`
specifies every bit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import all_within
from codeword.code_kinds import Bits, CodeKind, Floats
from codeword.errors import CodeError


def pack(symbols: Any, kind: CodeKind) -> NDArray[np.uint8]:
    """Pack symbols into bytes.

    Args:
        symbols: Integers of shape `(n, kind.num_symbols)`, each from 0 to below its size; float32 for `Floats`.
        kind: The code kind.

    Returns:
        C-contiguous uint8 array of shape `(n, kind.num_bytes)`.

    Raises:
        CodeError: If the shape, dtype or range does not fit, or a float is not finite in float32.

    Example:
        >>> pack([[1, 0, 1, 0, 0, 0, 0, 0, 0, 1]], Bits(10)).tolist()
        [[160, 64]]
    """
    symbols = _checked_symbols(as_code_array(symbols, "symbols"), kind)
    if isinstance(kind, Floats):
        with np.errstate(over="ignore"):
            little_endian = np.array(symbols, dtype="<f4", order="C")
        if not np.isfinite(little_endian).all():
            raise CodeError(
                f"`symbols` of {kind} must be finite in float32: got NaN, infinity or a larger number. {_ORIGIN}"
            )
        return little_endian.view(np.uint8).reshape(len(symbols), kind.num_bytes)
    widths = kind.symbol_widths
    if set(widths) == {8}:
        return np.array(symbols, dtype=np.uint8, order="C")
    if set(widths) == {1}:
        return np.packbits(symbols.astype(bool, order="C"), axis=1)
    bits = np.empty((len(symbols), sum(widths)), np.uint8)
    start = 0
    for column, width in enumerate(widths):
        shifts = np.arange(width - 1, -1, -1)
        bits[:, start : start + width] = (symbols[:, column, None].astype(np.int64) >> shifts) & 1
        start += width
    return np.packbits(bits, axis=1)


def unpack(codes: Any, kind: CodeKind, *, first_row: int = 0) -> NDArray[Any]:
    """Unpack bytes into symbols, the inverse of `pack`.

    Args:
        codes: uint8 of shape `(n, kind.num_bytes)`.
        kind: The code kind that packed them.
        first_row: Number of the first row, for messages, where `codes` are a piece of a larger array.

    Returns:
        Array of shape `(n, kind.num_symbols)`, dtype `kind.symbol_dtype`.

    Raises:
        CodeError: If the shape or dtype does not fit, or the bytes hold a symbol or padding that `kind` never writes.

    Example:
        >>> unpack(np.array([[160, 64]], np.uint8), Bits(10)).tolist()
        [[1, 0, 1, 0, 0, 0, 0, 0, 0, 1]]
    """
    codes = check_codes(codes, kind)
    if isinstance(kind, Floats):
        floats = np.ascontiguousarray(codes).view("<f4").astype(np.float32)
        if not np.isfinite(floats).all():
            raise CodeError(f"`codes` of {kind} must hold finite numbers: got NaN or infinity. {_ORIGIN}")
        return floats.reshape(len(codes), kind.num_symbols)
    widths = kind.symbol_widths
    if set(widths) == {8}:
        symbols = np.array(codes, dtype=np.uint8)
    else:
        _check_padding(codes, kind, "codes")
        bits = np.unpackbits(codes, axis=1)
        if set(widths) == {1}:
            return np.ascontiguousarray(bits[:, : len(widths)])
        symbols = np.empty((len(codes), len(widths)), kind.symbol_dtype)
        start = 0
        for column, width in enumerate(widths):
            weights = 1 << np.arange(width - 1, -1, -1)
            symbols[:, column] = bits[:, start : start + width] @ weights
            start += width
    return _in_range(symbols, kind, name="codes", first_row=first_row)


def pack_bits(bits: Any) -> NDArray[np.uint8]:
    """Pack 0 and 1 (or False and True) of shape `(n, num_bits)`, as `pack` does with `Bits(num_bits)`."""
    bits = as_code_array(bits, "bits")
    if bits.ndim != 2 or bits.shape[1] == 0:
        raise CodeError(f"`bits` must have shape (n, num_bits): got shape {bits.shape}.")
    return pack(bits, Bits(bits.shape[1]))


def unpack_bits(codes: Any, num_bits: int) -> NDArray[np.uint8]:
    """Unpack codes of `Bits(num_bits)` into 0 and 1 of shape `(n, num_bits)`."""
    return unpack(codes, Bits(num_bits))


def check_codes(codes: Any, kind: CodeKind) -> NDArray[np.uint8]:
    """Return codes as an array, after checking their shape and dtype."""
    codes = as_code_array(codes, "codes")
    if codes.dtype == np.uint8 and codes.ndim == 2 and codes.shape[1] == kind.num_bytes:
        return codes
    hint = "Pass what `encode` returned."
    if isinstance(kind, Bits) and codes.ndim == 2 and codes.shape[1] == kind.num_symbols:
        hint = "Pack them with `packing.pack_bits` first."
    raise CodeError(
        f"`codes` must be uint8 with {kind.num_bytes} columns (the bytes of {kind}): got shape {codes.shape}, dtype "
        f"{codes.dtype}. {hint}"
    )


def check_bit_codes(codes: Any, num_bits: int | None = None, *, name: str = "codes") -> tuple[NDArray[np.uint8], int]:
    """Return C-contiguous codes and the number of their bits, after checking that they are packed bits.

    Args:
        codes: uint8 of shape `(n, num_bytes)`.
        num_bits: Number of bits of a code. None: all bits of the bytes.
        name: Name of the argument, for the message.

    Raises:
        CodeError: If dtype, shape or padding do not fit, or each bit seems to take a whole byte.
        ParameterError: If `num_bits` is not a positive integer.
    """
    codes = as_code_array(codes, name)
    wanted = (
        "uint8 of shape (n, num_bytes), eight bits per byte" if num_bits is None else f"the bytes of {Bits(num_bits)}"
    )
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] == 0:
        raise CodeError(
            f"`{name}` must be packed, {wanted}: got shape {codes.shape}, dtype {codes.dtype}. {_way_in(codes)}"
        )
    if num_bits is not None:
        check_codes(codes, Bits(num_bits))
        _check_padding(codes, Bits(num_bits), name)
    elif codes.shape[1] >= 8 and codes.size and codes.max() <= 1:
        raise CodeError(
            f"`{name}` must be packed, eight bits per byte: got {codes.shape[1]} columns of only 0 and 1. "
            f"Pack them with `packing.pack_bits`, or pass num_bits={8 * codes.shape[1]} if they are packed."
        )
    return np.ascontiguousarray(codes), 8 * codes.shape[1] if num_bits is None else int(num_bits)


def _way_in(codes: NDArray[Any]) -> str:
    """Return how hashes of another form become packed codes."""
    if codes.dtype == np.int8:
        return "Convert signed bytes, as sentence-transformers returns for binary: codes.view(np.uint8) ^ 128."
    if codes.dtype.kind in "iu" and codes.dtype.itemsize == 8 and codes.size and codes[:1].size == 1:
        return 'Convert hashes of 64 bits: codes.astype(">u8").view(np.uint8).reshape(-1, 8).'
    if codes.dtype.kind in "UO":
        return "Convert hexadecimal text: np.array([list(bytes.fromhex(text)) for text in codes], np.uint8)."
    if codes.dtype.kind == "f":
        return "Pass what `encode` returned, or keep the signs of embeddings: np.packbits(codes > 0, axis=1)."
    return "Pass what `encode` returned, or pack 0 and 1 with `packing.pack_bits`."


def as_code_array(values: Any, name: str = "codes") -> NDArray[Any]:
    """Return codes, bits or symbols as an array of any shape and dtype, or refuse uneven rows."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise CodeError(f"`{name}` must be an array: got {type(values).__name__} of uneven rows.") from error


_ORIGIN = "They are damaged or come from another model: encode the data again."


def _check_padding(codes: NDArray[np.uint8], kind: CodeKind, name: str) -> None:
    padding = 8 * kind.num_bytes - sum(kind.symbol_widths)
    if padding and (codes[:, -1] & ((1 << padding) - 1)).any():
        raise CodeError(
            f"`{name}` of {kind} must end in {padding} padding bits of 0: got a row with other bits there. {_ORIGIN}"
        )


def _checked_symbols(symbols: NDArray[Any], kind: CodeKind) -> NDArray[Any]:
    floats = isinstance(kind, Floats)
    allowed = symbols.dtype.kind in ("f" if floats else "iub")
    if symbols.ndim != 2 or symbols.shape[1] != kind.num_symbols or not allowed:
        raise CodeError(
            f"`symbols` of {kind} must be {'floats' if floats else 'integers'} of shape (n, {kind.num_symbols}): got "
            f"shape {symbols.shape}, dtype {symbols.dtype}. Pass what `transform` returned."
        )
    return symbols if floats else _in_range(symbols, kind, name="symbols")


def _in_range(symbols: NDArray[Any], kind: CodeKind, *, name: str, first_row: int = 0) -> NDArray[Any]:
    sizes = np.array(kind.symbol_sizes)
    if all_within(symbols, 0, sizes.min() - 1):
        return symbols
    outside = (symbols < 0) | (symbols >= sizes)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise CodeError(
            f"`{name}` of {kind} must lie between 0 and {sizes[column] - 1} in column {column}: got "
            f"{symbols[row, column]} in row {row + first_row}. {_ORIGIN}"
        )
    return symbols
