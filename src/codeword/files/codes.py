"""Codes read from .npy, .csv and .parquet files, with the model that made them (no Keras).

Files of codes record the fingerprint and code kind of their model: in the metadata of a Parquet file, and in a note, a
small `.json` file of the same name, next to a .npy or .csv file.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import Bits, CodeKind
from codeword.code_kinds.packing import check_bit_codes
from codeword.errors import CodeError
from codeword.files import npy_file
from codeword.files.code_note import METADATA_KEY, Origin, origin_beside, origin_inside
from codeword.files.data_path import existing_file, format_of
from codeword.files.input_file import opened
from codeword.files.locked_duckdb import literal, locked_duckdb
from codeword.files.sql_tables import TableFile, answer, asked, check_numbers, open_table
from codeword.files.tables import as_numbers_table

CODE_COLUMN = re.compile(r"c(0|[1-9]\d*)")


class CodeTable(NamedTuple):
    """Codes from a file, uint8 of shape `(n, num_bytes)`, the other columns by name, and the origin if recorded."""

    codes: NDArray[np.uint8]
    others: dict[str, Any]
    origin: Origin | None


def read_codes(path: str | Path, *, fingerprint: str | None = None) -> tuple[NDArray[np.uint8], CodeKind | None]:
    """Read codes and their code kind, None if the file does not record it.

    Raises:
        FileNotFoundError, TableFileError: If there is no file, or it or its note is damaged or has another format.
        DataError, CodeError: If it does not hold codes, or those of another model than `fingerprint` names.
    """
    table = read_code_table(path, fingerprint=fingerprint)
    return table.codes, None if table.origin is None else table.origin.code


def read_code_table(path: str | Path, *, fingerprint: str | None = None) -> CodeTable:
    """Read codes and the other columns of their file in one pass; see `read_codes`."""
    path = existing_file(path)
    if format_of(path) == ".npy":
        with opened(path) as file:
            origin = check_origin(path, origin_beside(path, file), fingerprint)
            return CodeTable(as_codes(path, npy_file.mapped(path, file), origin), {}, origin)
    with open_table(path) as table:
        origin = check_origin(path, origin_in(table), fingerprint)
        others = answer(table, "SELECT *", check=lambda types: _check_types(path, types))
    codes = as_numbers_table(path, {name: others.pop(name) for name in code_columns(path, list(others))})
    return CodeTable(as_codes(path, codes, origin), others, origin)


def _check_types(path: Path, types: Mapping[str, str]) -> None:
    """Refuse a table without columns of codes, or with text in them, before any row is read."""
    check_numbers(path, {name: types[name] for name in code_columns(path, list(types))})


def code_columns(path: Path, columns: list[str]) -> list[str]:
    """Return the names of the columns that hold codes: c0, c1, … of a store's export, otherwise all."""
    if "id" not in columns:
        return columns
    names = sorted((name for name in columns if CODE_COLUMN.fullmatch(name)), key=lambda name: int(name[1:]))
    if not names:
        raise CodeError(f"{path} must hold codes in columns c0, c1, …: got {', '.join(columns)}.")
    return names


def as_codes(path: Path, codes: NDArray[Any], origin: Origin | None = None) -> NDArray[np.uint8]:
    """Return the content of a file as codes, or raise if it is not bytes, or not of the kind that its note says."""
    is_text = format_of(path) == ".csv"
    if is_text and codes.dtype.kind in "iu" and codes.size and codes.min() >= 0 and codes.max() <= 255:
        codes = codes.astype(np.uint8)  # text has no dtype
    if codes.dtype != np.uint8 or codes.ndim != 2:
        raise CodeError(
            f"{path} must hold codes, uint8 of shape (n, num_bytes): got shape {codes.shape}, dtype {codes.dtype}. "
            "Write it with `codeword encode`."
        )
    if origin is not None and codes.shape[1] != origin.code.num_bytes:
        raise CodeError(
            f"{path} must have {origin.code.num_bytes} bytes per row, as its note says {origin.code}: got "
            f"{codes.shape[1]}. Encode the data again."
        )
    if origin is not None and isinstance(origin.code, Bits):
        check_bit_codes(codes, origin.code.num_bits, name=str(path))
    return codes


def check_origin(path: Path, origin: Origin | None, fingerprint: str | None) -> Origin | None:
    """Return the recorded origin of a file's codes, or raise if another model than `fingerprint` made them."""
    recorded = None if origin is None else origin.fingerprint
    if recorded is not None and fingerprint is not None and recorded != fingerprint:
        raise CodeError(
            f"{path} must hold codes of model {fingerprint[:12]}: got codes of model {recorded[:12]}. "
            "Use the model that made them."
        )
    return origin


def read_origin(path: str | Path) -> Origin | None:
    """Return the recorded origin of a file's codes, None if there is no record; raise as `read_codes` does."""
    path = existing_file(path)
    if format_of(path) == ".npy":
        with opened(path) as file:
            return origin_beside(path, file)
    with open_table(path) as table:
        return origin_in(table)


def origin_in(table: TableFile) -> Origin | None:
    """Return the recorded origin of the codes in an open table, None if there is no record."""
    if table.suffix == ".csv":
        return origin_beside(table.path, table.file)
    query = f"SELECT value FROM parquet_kv_metadata({literal(table.name)}) WHERE key = '{METADATA_KEY}'"
    with locked_duckdb(table.name, table.path) as connection:
        found = asked(connection, table, query)["value"]
    return origin_inside(table.path, table.file, bytes(found[0]) if len(found) else None)
