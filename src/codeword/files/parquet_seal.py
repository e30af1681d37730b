"""The seal in the metadata of a Parquet file: the length and the SHA-256 of the file that it stands in (no Keras).

Parquet's pages may have checksums, but DuckDB writes none. The SHA-256 is computed with 64 zeros in its place.
"""

import hashlib
import os
import re
from typing import BinaryIO, NamedTuple

DIGITS = 64
ZEROS = b"0" * DIGITS
WIDTH = 19  # of the length, filled with spaces
BLANK = f'{{"sha256": "{ZEROS.decode()}", "num_bytes": {0:{WIDTH}}}}'  # what `fill_in` completes
_SEAL = re.compile(rb'"sha256": "([0-9a-f]{64})", "num_bytes": ([ \d]{19})\}')
_END_OF_PARQUET = b"PAR1"


class _Seal(NamedTuple):
    """Where the SHA-256 stands, where the length stands, and both as they are written."""

    sha256_at: int
    num_bytes_at: int
    sha256: bytes
    num_bytes: bytes


def fill_in(file: BinaryIO) -> None:
    """Complete the blank seal in the metadata of a Parquet file that is open for reading and writing."""
    seal = _found(file)
    if seal is None:
        raise RuntimeError("The metadata of the file must have a blank seal.")
    _put(file, seal.num_bytes_at, f"{os.fstat(file.fileno()).st_size:{WIDTH}}".encode())
    _put(file, seal.sha256_at, _sha256(file, seal.sha256_at))


def is_broken(file: BinaryIO) -> bool:
    """Return whether an open file has the length that its seal names, but other content.

    A file of another length was written by another program, which has kept the metadata.
    """
    seal = _found(file)
    if seal is None or seal.num_bytes.strip() != str(os.fstat(file.fileno()).st_size).encode():
        return False
    return _sha256(file, seal.sha256_at) != seal.sha256


def _found(file: BinaryIO) -> _Seal | None:
    """Return the last seal in the footer: what a column is called comes before the metadata."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    length, end = file.read(4), file.read(4)
    if end != _END_OF_PARQUET:
        return None
    start = max(0, size - 8 - int.from_bytes(length, "little"))
    file.seek(start)
    found = list(_SEAL.finditer(file.read()))
    return _Seal(start + found[-1].start(1), start + found[-1].start(2), *found[-1].groups()) if found else None


def _sha256(file: BinaryIO, zeros_at: int) -> bytes:
    digest, left = hashlib.sha256(), zeros_at
    file.seek(0)
    while block := file.read(min(2**20, left)):
        digest.update(block)
        left -= len(block)
    digest.update(ZEROS)
    file.seek(zeros_at + DIGITS)
    while block := file.read(2**20):
        digest.update(block)
    return digest.hexdigest().encode()


def _put(file: BinaryIO, place: int, content: bytes) -> None:
    file.seek(place)
    file.write(content)
    file.flush()
