"""Text tables as people have them: compressed, in other encodings, with mixed line ends and rare delimiters (no Keras).

DuckDB reads UTF-8 with one kind of line ends and finds `,`, `;`, `|` and tabs. Other files are first copied to a
temporary one that it reads.
"""

import codecs
import csv
import gzip
import io
import math
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from codeword.errors import DiskError, TableFileError
from codeword.files.input_file import reading
from codeword.files.temporary_file import temporary_file

PIECE_BYTES = 2**20
MAX_FIRST_BYTES = 2**20
MAX_FIRST_LINES = 20
# A compressed file of a stranger may unpack to more than the disk holds.
MAX_UNPACKED_RATIO = 100
MAX_UNPACKED_BYTES = 200 * 2**20
GZIP = b"\x1f\x8b"
FOREIGN = {
    b"PK\x03\x04": "a zip archive or a workbook. Unpack it, or save the sheet as .csv",
    b"BZh": "a file compressed with bzip2. Unpack it, or compress it with gzip",
    b"\xfd7zXZ": "a file compressed with xz. Unpack it, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "a file compressed with Zstandard. Unpack it, or compress it with gzip",
    b"PAR1": "a Parquet file. Rename it to .parquet",
    b"\x93NUMPY": "a NumPy file. Rename it to .npy",
    b"\x89HDF": "an HDF5 file. Write it as .csv or .parquet",
}
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
DELIMITERS = ("::", ",", ";", "|", "\t", " ")
NOT_TEXT = bytes(set(range(32)) - set(b"\t\n\r\f\x1a\x1b"))  # control characters


class TextForm(NamedTuple):
    """How the bytes of a text table are to be read: compressed or not, in which encoding, with which line ends."""

    is_compressed: bool
    encoding: str
    has_mixed_ends: bool

    @property
    def is_plain(self) -> bool:
        return not self.is_compressed and self.encoding == "utf-8"


def form_of(path: Path, file: BinaryIO) -> TextForm:
    """Read a whole text file, and return its form.

    Raises:
        TableFileError: If it has another format, or is compressed and damaged or vast.
    """
    with reading(path):
        file.seek(0)
        start = file.read(8)
        size = os.fstat(file.fileno()).st_size
        file.seek(0)
    for magic, found in FOREIGN.items():
        if start.startswith(magic):
            raise TableFileError(f"{path} must be a text table: got {found}.")
    is_compressed = start.startswith(GZIP)
    most = MAX_UNPACKED_BYTES + MAX_UNPACKED_RATIO * size if is_compressed else math.inf
    decoders = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "cp1252")}
    is_utf_16, ends = False, set[bytes]()
    for number, piece in enumerate(_pieces(path, file, is_compressed=is_compressed, most=most)):
        is_utf_16 = is_utf_16 or (number == 0 and piece.startswith(UTF_16))
        if is_utf_16:
            continue
        _decode(decoders, piece)
        if "utf-8" not in decoders and piece.translate(None, NOT_TEXT) != piece:
            raise TableFileError(f"{path} must be a text table: got a file that cannot be read as one (binary data).")
        ends |= _line_ends(piece)
    _decode(decoders, b"", final=True)
    encoding = "utf-16" if is_utf_16 else next(iter(decoders), "latin-1")
    return TextForm(is_compressed, encoding, len(ends) > 1)


def _decode(decoders: dict[str, codecs.IncrementalDecoder], piece: bytes, *, final: bool = False) -> None:
    """Remove the decoders of encodings that a text cannot have, given its next piece."""
    is_whole = "utf-8" not in decoders or not decoders["utf-8"].getstate()[0]
    if is_whole and piece.isascii():
        return
    for name in list(decoders):
        try:
            decoders[name].decode(piece, final)
        except UnicodeDecodeError:
            del decoders[name]


def _line_ends(piece: bytes) -> set[bytes]:
    """Return the kinds of line ends in a piece that does not divide a pair of carriage return and line feed."""
    if b"\r" not in piece:
        return {b"\n"} if b"\n" in piece else set()
    pairs = piece.count(b"\r\n")
    counts = {b"\r\n": pairs, b"\n": piece.count(b"\n") - pairs, b"\r": piece.count(b"\r") - pairs}
    return {end for end, count in counts.items() if count}


@contextmanager
def plain_copy(path: Path, file: BinaryIO, form: TextForm) -> Iterator[BinaryIO]:
    """Copy a text file of any form to a temporary file of plain UTF-8 lines that end in a line feed.

    Warns:
        UserWarning: If the encoding was guessed.
    """
    if form.encoding in ("cp1252", "latin-1"):
        name = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}[form.encoding]
        warnings.warn(
            f"{path} is not UTF-8, and was read as {name}. If ids look wrong, save it as UTF-8.",
            UserWarning,
            stacklevel=2,
        )
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(form.encoding)(), translate=True)
    with temporary_file("table.csv") as copy:
        file.seek(0)
        try:
            for piece in _pieces(path, file, is_compressed=form.is_compressed):
                copy.write(decoder.decode(piece).encode())
            copy.write(decoder.decode(b"", final=True).encode())
            copy.flush()
        except UnicodeError as error:
            found = f"got a file that cannot be read as one ({error})"
            raise TableFileError(f"{path} must be a text table: {found}.") from error
        except DiskError:
            raise
        except OSError as error:
            raise DiskError(
                f"The folder of temporary files must have room for the text of {path}: got {error.strerror or error}."
            ) from error
        yield copy


def delimiter_of(file: BinaryIO) -> str | None:
    """Return the delimiter of a plain text table if all of the first lines have it equally often, else None.

    DuckDB looks for neither `::` nor blanks. Where several may be the delimiter, it decides.
    """
    lines = first_lines(file)
    counts = {delimiter: {line.count(delimiter) for line in lines} for delimiter in DELIMITERS}
    even = [delimiter for delimiter in DELIMITERS if len(counts[delimiter]) == 1 and 0 not in counts[delimiter]]
    others = [delimiter for delimiter in DELIMITERS[1:-1] if counts[delimiter] - {0}]
    if "::" in even:
        return "::"
    return even[0] if len(even) == 1 and others in ([], even) else None


def uneven_line(file: BinaryIO, delimiter: str) -> tuple[int, int, int] | None:
    """Return the number of the first line with another number of columns than the first, and both; None without one."""
    file.seek(0)
    text = codecs.iterdecode(file, "utf-8-sig", errors="replace")
    rows = (line.split(delimiter) for line in text) if len(delimiter) > 1 else csv.reader(text, delimiter=delimiter)
    expected = 0
    with suppress(csv.Error):
        for number, row in enumerate(rows, 1):
            expected = expected or len(row)
            if row and len(row) != expected:
                return number, len(row), expected
    return None


def first_lines(file: BinaryIO) -> list[str]:
    """Return the first lines of a plain text file that are not empty, without their ends; a very long one is cut."""
    file.seek(0)
    content = file.read(MAX_FIRST_BYTES)
    lines = content.decode("utf-8-sig", "replace").splitlines()
    if len(content) == MAX_FIRST_BYTES and len(lines) > 1:
        lines = lines[:-1]
    return [line for line in lines if line.strip()][:MAX_FIRST_LINES]


def _pieces(path: Path, file: BinaryIO, *, is_compressed: bool, most: float = math.inf) -> Iterator[bytes]:
    """Yield the unpacked content of a file in pieces that do not divide a pair of carriage return and line feed."""
    total = 0
    content: gzip.GzipFile | BinaryIO = gzip.GzipFile(fileobj=file) if is_compressed else file
    while True:
        with reading(path):
            try:
                piece = content.read(PIECE_BYTES)
                piece += content.read(1) if piece.endswith(b"\r") else b""
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise TableFileError(
                    f"{path} must be compressed as a whole: got a damaged file ({error}). Compress or copy it again."
                ) from error
        if not piece:
            return
        total += len(piece)
        if total > most:
            raise TableFileError(
                f"{path} must unpack to at most {most:,} bytes: got more. If you trust it, unpack it first."
            )
        yield piece
