"""Arrays in `.npy` files: their header is checked before anything is mapped (no Keras)."""

import math
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from codeword.errors import TableFileError
from codeword.files.input_file import reading

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 10_000  # as in NumPy
_ENTRY = re.compile(rb"\s*'(\w+)'\s*:\s*('[^'\\]*'|True|False|\([\dL, ]*\))\s*(?:,\s*|(?=\}))")
_SHAPE = re.compile(r"\( *(\d{1,19}L?( *, *\d{1,19}L?){0,31} *,?)? *\)")
_NUMBERS = re.compile(r"[<>=|]?([fiu](\d|1[06])|b1)|\?")


def mapped(path: Path, file: BinaryIO) -> NDArray[Any]:
    """Return the numbers of an open `.npy` file as a read-only memory map.

    Raises:
        TableFileError: If it is not exactly one array of numbers.
    """
    with reading(path):
        file.seek(0)
        dtype, shape, order = _header(path, file)
        start, size = file.tell(), os.fstat(file.fileno()).st_size
        if start + math.prod(shape) * dtype.itemsize != size:
            raise _refused(path, f"its header claims shape {shape}, dtype {dtype}, but {size - start} bytes follow")
        if 0 in shape:  # nothing to map
            return np.empty(shape, dtype)
        return np.memmap(file, dtype, "r", start, shape, order)


def _header(path: Path, file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], Any]:
    start = file.read(8)
    if start.startswith(b"PK"):
        raise _refused(path, "it holds several arrays")
    if not start.startswith(MAGIC) or start[6:] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise _refused(path, "its first bytes are no header")
    length = int.from_bytes(file.read(2 if start[6] == 1 else 4), "little")
    if length > MAX_HEADER_BYTES:
        raise _refused(path, f"its header claims {length} bytes")
    header = file.read(length)
    entries = _entries(header)
    if len(header) < length or set(entries) != {"descr", "fortran_order", "shape"}:
        raise _refused(path, f"its header is no description of numbers: {header[:200].decode('latin-1').strip()}")
    descr, fortran_order, shape = entries["descr"].strip("'"), entries["fortran_order"], entries["shape"]
    if not _NUMBERS.fullmatch(descr):
        raise _refused(path, f"it holds {_words(descr)}")
    sides = tuple(map(int, re.findall(r"\d+", shape))) if _SHAPE.fullmatch(shape) else None
    if fortran_order not in ("True", "False") or sides is None or math.prod(filter(None, sides)) >= 2**59:
        raise _refused(path, f"its header claims shape {shape[:200]}")
    try:
        return np.dtype(descr), sides, "F" if fortran_order == "True" else "C"
    except TypeError as error:  # f1, i3, and numbers that this machine does not have
        raise _refused(path, f"it holds numbers of type {descr}") from error


def _entries(header: bytes) -> dict[str, str]:
    """Return the entries of a header as they are written, none if it is no flat dictionary; nothing is evaluated."""
    text, entries = header.strip(), {}
    place = 1
    while text[:1] == b"{" and (match := _ENTRY.match(text, place)):
        entries[match[1].decode()] = match[2].decode("latin-1")
        place = match.end()
    return entries if text[place:] == b"}" else {}


def _words(descr: str) -> str:
    kind = descr.lstrip("<>=|")[:1]
    return {"O": "objects", "c": "complex numbers", "U": f"text ({descr})", "S": "text"}.get(kind, f"type {descr!r}")


def _refused(path: Path, why: str) -> TableFileError:
    return TableFileError(f"{path} must be a .npy file of numbers: got one that is not ({why}).")
