"""Data frames and files in .npy, .csv and .parquet format (no Keras).

Files of codes record the fingerprint and code kind of their model: in the metadata of a Parquet file, and in a note, a
small `.json` file of the same name, next to a .npy or .csv file.
"""

import json
import re
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.rows import as_array as as_array
from codeword.code_kinds import Bits, CodeKind
from codeword.code_kinds.packing import check_bit_codes
from codeword.errors import CodeError, DataError, DataTypeError, TableFileError
from codeword.files import npy_file
from codeword.files.code_note import Origin, origin_beside, origin_of, replaced_with_note
from codeword.files.input_file import cannot_read, opened
from codeword.files.locked_duckdb import literal, locked_duckdb
from codeword.files.output_file import replaced_whole
from codeword.files.sql_tables import (
    TableFile,
    answer,
    asked,
    columns_of,
    copy_to,
    disk_errors,
    open_table,
    quoted_name,
)

SUFFIXES = (".npy", ".csv", ".parquet")
METADATA_KEY = "codeword"
CODE_COLUMN = re.compile(r"c(0|[1-9]\d*)")
MAX_SHOWN = 8  # column names in a message
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")
_POSITION = re.compile(r"column\d+")  # the name of a column in a .csv file without a header


class CodeTable(NamedTuple):
    """Codes from a file, uint8 of shape `(n, num_bytes)`, the other columns by name, and the origin if recorded."""

    codes: NDArray[np.uint8]
    others: dict[str, Any]
    origin: Origin | None


def read_array(path: str | Path, *, empty_as_nan: bool = False) -> NDArray[Any]:
    """Read numbers from a table, `(rows, columns)`, or a memory-mapped `.npy` file of any shape.

    Raises:
        FileNotFoundError, TableFileError: If there is no file, or it is damaged or has another format.
        DataError: If a column does not hold numbers, a cell is empty (unless `empty_as_nan`), or there is no row.
    """
    path = existing_file(path)
    if path.suffix == ".npy":
        with opened(path) as file:
            return npy_file.mapped(path, file)
    with open_table(path) as table:
        return as_numbers_table(path, answer(table, "SELECT *"), empty_as_nan=empty_as_nan)


def as_numbers_table(
    path: Path, columns: dict[str, Any], *, empty_as_nan: bool = False, first_row: int = 0
) -> NDArray[Any]:
    """Stack the numeric columns of a table, or of a piece from `first_row` on, or raise as `read_array` does."""
    for name, values in columns.items():
        if len(values) == 0:
            raise DataError(f"{path} must have at least one row of numbers: got none.")
        if np.ma.is_masked(values) and not empty_as_nan:
            row = first_row + int(np.argmax(np.ma.getmaskarray(values)))
            raise DataError(f"{path} must not have empty cells: got one in column {name!r}, row {row}.")
        if values.dtype.kind not in "fiub":
            raise DataError(f"{path} must hold only numbers: got text in column {name!r}.")
        if np.ma.is_masked(values):
            columns[name] = np.ma.filled(values.astype(np.float64), np.nan)
    return np.column_stack([np.asarray(values) for values in columns.values()])


def read_columns(path: str | Path) -> dict[str, Any]:
    """Read all columns of a table by name, masked where cells are empty; text as objects.

    A .csv file without a header has column0, column1, ….
    """
    with open_table(_table_path(path)) as table:
        return answer(table, "SELECT *")


def read_named_columns(path: str | Path, names: Sequence[str], *, numbers: Sequence[str] = ()) -> dict[str, Any]:
    """Read some columns of a table like `read_columns`, but a .csv file in one pass and, unless `numbers`, as text.

    The columns of a .csv file without a header are column0, column1, …. If there are as many as `names`, they are read
    in this order, whatever `names` are. Such names also read by position what looks like a header but does not have
    them.

    Raises:
        DataError: If a column is missing.
        DataTypeError: If one of `numbers` holds text.

    Warns:
        UserWarning: If the name of one of `numbers` is a number, so that the first line may be no header.
    """
    with open_table(_table_path(path)) as table:
        return _named_columns(table, names, numbers)


def _named_columns(table: TableFile, names: Sequence[str], numbers: Sequence[str]) -> dict[str, Any]:
    path, header, there, read = table.path, None, _names_of(table), list(names)
    is_csv = path.suffix == ".csv"
    if is_csv and not set(names) <= set(there):
        if all(map(_POSITION.fullmatch, names)):
            header = False
            there = _names_of(table, header=header)
        elif len(there) == len(names) and _POSITION.fullmatch(there[0]):
            read = there
    first = "This file has no header" if _POSITION.fullmatch(there[0]) else "If the file has no header"
    hint = f" {first}: name them by position, such as column0, column1, column2." if is_csv else ""
    check_columns(there, read, str(path), hint)
    if is_csv and any(_NUMBER.fullmatch(name) for name in numbers):
        warnings.warn(f"The first line of {path} was read as a header, but looks like data.{hint}", stacklevel=6)
    selected, texts = [quoted_name(name) for name in read], []
    for place, name in enumerate(names):
        if is_csv and name in numbers:
            text, number = selected[place], f"TRY_CAST({selected[place]} AS DOUBLE)"
            selected[place] = number
            texts.append(f"CASE WHEN {number} IS NULL THEN {text} END")
    named = [f"{column} AS v{place}" for place, column in enumerate(selected + texts)]  # `names` may repeat
    columns = list(answer(table, f"SELECT {', '.join(named)}", header=header, as_text=True).values())
    for name, found in zip(numbers, columns[len(names) :], strict=False):
        unreadable = np.ma.compressed(found)
        if len(unreadable):
            raise DataTypeError(f"{path} must have numbers in column {name!r}: got text, the first {unreadable[0]!r}.")
    return dict(zip(names, columns, strict=False))


def check_columns(there: Sequence[str], wanted: Sequence[str], table: str, hint: str = "") -> None:
    """Refuse a table without one of the wanted columns."""
    missing = [name for name in wanted if name not in there]
    if missing:
        shown = ", ".join(map(str, there[:MAX_SHOWN])) + (", …" if len(there) > MAX_SHOWN else "")
        wide = f", in {len(there)} columns. If each is an item, melt them into rows first" if len(there) > 20 else ""
        raise DataError(
            f"{table} must have the columns {', '.join(wanted)}: got {shown}, without {', '.join(missing)}{wide}. "
            f"Name yours, in this order, with `columns` (on the command line: --columns).{hint}"
        )


def column_names(path: str | Path) -> list[str]:
    """Return the names of a table's columns, none for a .npy file, by reading only its beginning."""
    path = existing_file(path)
    if path.suffix == ".npy":
        return []
    with open_table(path) as table:
        return _names_of(table)


def _names_of(table: TableFile, *, header: bool | None = None) -> list[str]:
    names: list[str] = answer(table, "DESCRIBE SELECT *", header=header, as_text=True)["column_name"].tolist()
    return names


def write_array(path: str | Path, array: NDArray[Any]) -> None:
    """Write numbers to a file, completely or not at all; tables have a column c0, c1, … for each number of a row."""
    _write(Path(path), array, metadata=None)


def write_columns(path: str | Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write columns of numbers or strings to a `.csv` or `.parquet` file, completely or not at all."""
    with replaced_whole(path) as file:
        _copy_columns(columns, file.name, copy_options(Path(path).suffix, None))


def read_codes(path: str | Path, *, fingerprint: str | None = None) -> tuple[NDArray[np.uint8], CodeKind | None]:
    """Read codes and their code kind, None if the file does not record it; raise if another model made them."""
    table = read_code_table(path, fingerprint=fingerprint)
    return table.codes, None if table.origin is None else table.origin.code


def read_code_table(path: str | Path, *, fingerprint: str | None = None) -> CodeTable:
    """Read codes and the other columns of their file in one pass; see `read_codes`."""
    path = existing_file(path)
    if path.suffix == ".npy":
        with opened(path) as file:
            origin = check_origin(path, origin_beside(path, file), fingerprint)
            return CodeTable(as_codes(path, npy_file.mapped(path, file), origin), {}, origin)
    with open_table(path) as table:
        origin = check_origin(path, origin_in(table), fingerprint)
        others = answer(table, "SELECT *")
    codes = as_numbers_table(path, {name: others.pop(name) for name in code_columns(path, list(others))})
    return CodeTable(as_codes(path, codes, origin), others, origin)


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
    if path.suffix == ".csv" and codes.dtype.kind in "iu" and codes.size and codes.min() >= 0 and codes.max() <= 255:
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
    if origin is not None and fingerprint is not None and origin.fingerprint != fingerprint:
        raise CodeError(
            f"{path} must hold codes of model {fingerprint[:12]}: got codes of model {origin.fingerprint[:12]}. "
            "Use the model that made them."
        )
    return origin


def read_origin(path: str | Path) -> Origin | None:
    """Return the recorded origin of a file's codes; None if there is no record."""
    path = existing_file(path)
    if path.suffix == ".npy":
        with opened(path) as file:
            return origin_beside(path, file)
    with open_table(path) as table:
        return origin_in(table)


def origin_in(table: TableFile) -> Origin | None:
    """Return the recorded origin of the codes in an open table; None if there is no record."""
    if table.path.suffix == ".csv":
        return origin_beside(table.path, table.file)
    query = f"SELECT value FROM parquet_kv_metadata({literal(table.name)}) WHERE key = '{METADATA_KEY}'"
    with locked_duckdb(table.name, table.path) as connection:
        found = asked(connection, table, query)["value"]
    return origin_of(table.path, bytes(found[0])) if len(found) else None


def write_codes(path: str | Path, codes: NDArray[np.uint8], *, fingerprint: str, kind: CodeKind) -> None:
    """Write codes with the fingerprint and code kind of their model, completely or not at all."""
    _write(Path(path), codes, metadata={"model": fingerprint, "code": kind.to_config()})


def check_suffix(path: str | Path) -> None:
    """Check that a file name ends in .npy, .csv or .parquet."""
    if Path(path).suffix not in SUFFIXES:
        raise TableFileError(f"{path} must end in {', '.join(SUFFIXES)}: got {Path(path).suffix!r}.")


def _write(path: Path, array: NDArray[Any], *, metadata: dict[str, Any] | None) -> None:
    with replaced_table(path, metadata) as file:
        if path.suffix == ".npy":
            np.save(file, array, allow_pickle=False)
        else:
            _copy_columns(columns_of(array), file.name, copy_options(path.suffix, metadata))


def replaced_table(path: Path, metadata: dict[str, Any] | None) -> AbstractContextManager[BinaryIO]:
    """Open a file like `replaced_whole`; if its format cannot record the origin of codes, a note beside it does."""
    check_suffix(path)
    return replaced_whole(path) if path.suffix == ".parquet" else replaced_with_note(path, metadata)


def copy_options(suffix: str, metadata: dict[str, Any] | None) -> str:
    """Return DuckDB's options for writing a file with this suffix."""
    if suffix == ".csv":
        return "FORMAT csv, HEADER"
    text = json.dumps(metadata).replace("'", "''")
    return "FORMAT parquet" + (f", KV_METADATA {{{METADATA_KEY}: '{text}'}}" if metadata else "")


def _copy_columns(columns: dict[str, NDArray[Any]], target: str, options: str) -> None:
    # DuckDB takes the type of objects from the first of them; those of codeword are texts.
    typed = {
        name: column.astype("U1") if column.dtype == object and not len(column) else column
        for name, column in columns.items()
    }
    with disk_errors(), locked_duckdb(target) as connection:
        connection.register("columns", typed)
        copy_to(connection, "columns", target, options)


def existing_file(path: str | Path) -> Path:
    """Return the path of a data file, or raise if there is no such file."""
    path = Path(path)
    check_suffix(path)
    try:
        if not path.is_file():
            raise FileNotFoundError(f"{path} must be a data file: got no such file.")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise cannot_read(path, error) from error
    return path


def _table_path(path: str | Path) -> Path:
    path = existing_file(path)
    if path.suffix == ".npy":
        raise TableFileError(f"{path} must be a table, .csv or .parquet: got a .npy file.")
    return path
