"""Table files read and written by DuckDB: parts of queries, and readable errors (no Keras)."""

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, TableFileError
from codeword.files.data_path import format_of
from codeword.files.input_file import opened, reading
from codeword.files.locked_duckdb import literal, locked_duckdb
from codeword.files.temporary_file import name_of
from codeword.files.text_table import delimiter_of, first_lines, form_of, plain_copy, uneven_line

PLAIN_TEXT = """, all_varchar=true, quote='"', escape='"'"""  # the options of a .csv file without inferred types
# A file may be compressed, and a hostile one would fill the memory when it is unpacked. Columns of zeros shrink
# a thousandfold.
MAX_UNPACKED_RATIO = 2_000
MAX_UNPACKED_BYTES = 200 * 2**20
LENGTHS = {"VARCHAR": "strlen", "BLOB": "octet_length"}  # what counts the bytes of a column
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_COLUMNS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_QUOTE = re.compile(r"unterminated quote")
_NESTED_TYPE = re.compile(r".*\]|(STRUCT|MAP|UNION|VARIANT|GEOMETRY)\b.*")


class TableFile(NamedTuple):
    """An open table file.

    Attributes:
        path: For messages.
        file: The file itself.
        name: For DuckDB; of a text table that it cannot read as it is, the name of a plain copy.
        suffix: ".csv" for any text table, or ".parquet".
        text: The text that DuckDB reads.
        delimiter: Of a text table, if DuckDB does not look for it.
    """

    path: Path
    file: BinaryIO
    name: str
    suffix: str
    text: BinaryIO | None = None
    delimiter: str | None = None


@contextmanager
def open_table(path: Path) -> Iterator[TableFile]:
    """Open a table file, so that all queries read the same file, whatever its name is and becomes."""
    with opened(path) as file, ExitStack() as stack:
        table = TableFile(path, file, name_of(path, file), format_of(path))
        yield stack.enter_context(_readable_text(table)) if table.suffix == ".csv" else table


@contextmanager
def _readable_text(table: TableFile) -> Iterator[TableFile]:
    """Yield a text table, or a copy of it that DuckDB can read."""
    form, text = form_of(table.path, table.file), table.file
    with ExitStack() as stack:
        if not form.is_plain or (form.has_mixed_ends and not _is_read(table)):
            text = stack.enter_context(plain_copy(table.path, table.file, form))
            table = table._replace(name=name_of(Path(text.name), text))
        yield table._replace(text=text, delimiter=delimiter_of(text))


def _is_read(table: TableFile) -> bool:
    """Return whether DuckDB reads a text table as it is, with the usual quotes."""
    try:
        with locked_duckdb(table.name, table.path) as connection, damage_in_words(table):
            connection.execute(f"SELECT count(*) FROM {table_reader(table, PLAIN_TEXT, header=True)}")
    except TableFileError:
        return False
    return True


def answer(
    table: TableFile,
    select: str,
    *,
    header: bool | None = None,
    as_text: bool = False,
    check: Callable[[Mapping[str, str]], None] | None = None,
) -> dict[str, Any]:
    """Return the columns with which DuckDB answers a query, given up to FROM, on a table file.

    By default a .csv file has a header unless its first line holds only numbers. Text takes a single pass over it.
    `check` sees the types of a .parquet file's columns by name, and may raise, before any row is in memory.
    """
    as_text, reason = as_text and table.suffix == ".csv", None
    with locked_duckdb(table.name, table.path) as connection:
        if as_text:
            try:
                # DuckDB finds the delimiter at the beginning; types and rarer quotes would take another pass.
                return asked(connection, table, f"{select} FROM {table_reader(table, PLAIN_TEXT, header=header)}")
            except TableFileError as error:
                reason = error  # other quotes, perhaps: look at the whole file
        options = ", all_varchar=true, sample_size=-1" if as_text else ""
        query = f"{select} FROM {table_reader(table, options, header=header)}"
        if table.suffix == ".parquet" and not select.startswith("DESCRIBE"):
            check_unpacked(connection, table, query, check)
        try:
            return asked(connection, table, query)
        except TableFileError as error:
            raise reason or error from error


def asked(connection: duckdb.DuckDBPyConnection, table: TableFile, query: str) -> dict[str, Any]:
    """Return the columns of a query's result, or raise if DuckDB cannot read the file."""
    with damage_in_words(table):
        return connection.execute(query).fetchnumpy()


def check_unpacked(
    connection: duckdb.DuckDBPyConnection,
    table: TableFile,
    query: str,
    check: Callable[[Mapping[str, str]], None] | None = None,
) -> None:
    """Refuse a query whose result has nested columns, is far larger than the file justifies, or fails `check`."""
    with damage_in_words(table):
        types = dict(row[:2] for row in connection.execute(f"DESCRIBE {query}").fetchall())
        nested = [f"{kind} in column {name!r}" for name, kind in types.items() if _NESTED_TYPE.fullmatch(kind)]
        if nested:
            raise DataError(f"{table.path} must have columns of numbers, text or times: got {nested[0]}.")
        texts = [
            f"coalesce(sum({LENGTHS[kind]}({quoted_name(name)})), 0)" for name, kind in types.items() if kind in LENGTHS
        ]
        sums = connection.execute(f"SELECT {', '.join(['count(*)', *texts])} FROM ({query})").fetchall()[0]
    unpacked = 8 * len(types) * sums[0] + sum(sums[1:])
    with reading(table.path):
        size = os.fstat(table.file.fileno()).st_size
    if unpacked > MAX_UNPACKED_BYTES + MAX_UNPACKED_RATIO * size:
        raise TableFileError(
            f"{table.path} must unpack to at most {MAX_UNPACKED_RATIO:,} times its {size:,} bytes: got {sums[0]:,} "
            f"rows of {len(types):,} columns, {unpacked:,} bytes. If you trust it, write it with less compression."
        )
    if check is not None and sums[0]:
        check(types)


def check_numbers(path: Path, types: Mapping[str, str]) -> None:
    """Refuse columns that are no numbers before any of them is read."""
    for name, kind in types.items():
        if kind in LENGTHS or _NESTED_TYPE.fullmatch(kind):
            raise DataError(f"{path} must hold only numbers: got text in column {name!r}.")


@contextmanager
def damage_in_words(table: TableFile) -> Iterator[None]:
    """Raise `TableFileError` for whatever DuckDB, or what passes its values to NumPy, raises for a damaged file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        what = "text" if table.suffix == ".csv" else table.suffix[1:]
        raise TableFileError(
            f"{table.path} must be a {what} table: got a file that cannot be read as one ({_reason(table, error)}"
        ) from error


def _reason(table: TableFile, error: Exception) -> str:
    """Return what DuckDB found wrong in a table, a closing parenthesis, and what to do about it."""
    text = str(error)
    line, columns, quote = (re.search(pattern, text) for pattern in (_LINE, _COLUMNS, _QUOTE))
    is_undetected = table.suffix == ".csv" and "automatically detect" in text
    uneven = uneven_line(table.text, table.delimiter) if is_undetected and table.text and table.delimiter else None
    if line and columns:
        uneven = int(line[1]), int(columns[2]), int(columns[1])
    if uneven:
        number, found, expected = uneven
        return f"line {number} has {found} columns instead of {expected}). Correct it; quote what holds the delimiter."
    if line and quote:
        return f"line {line[1]} has a quote that does not end). Correct it; write a quote within quotes twice."
    if is_undetected:
        return "its lines have different numbers of columns, or none of the delimiters , ; | tab ::). Correct them."
    return f"{first_line(error).replace(table.name, table.path.name) or type(error).__name__})."


def first_line(error: Exception) -> str:
    """Return the message of a DuckDB error without its excerpt of the query."""
    return str(error).partition("\n")[0]


def table_reader(table: TableFile, options: str = "", *, header: bool | None = None) -> str:
    """Return the DuckDB expression that reads a table file; `options` begin with a comma."""
    options += ", hive_partitioning=false"
    if table.suffix == ".csv":
        header = not _first_line_is_numbers(table) if header is None else header
        options += "" if table.delimiter is None else f", delim={literal(table.delimiter)}"
        # By default DuckDB infers types from the first rows, rounds later ones, and skips lines that look odd.
        options += "" if "all_varchar" in options else ", sample_size=-1"
        options += f", header={str(header).lower()}, skip=0, comment='', null_padding=false, compression='none'"
    return f"{'read_csv' if table.suffix == '.csv' else 'read_parquet'}({literal(table.name)}{options})"


def numbered_columns(array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the columns of an array by the names c0, c1, …; rows of several axes are flattened."""
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    native = flat.astype(array.dtype.newbyteorder("="), copy=False)
    return {f"c{number}": np.ascontiguousarray(native[:, number]) for number in range(flat.shape[1])}


def copy_to(connection: duckdb.DuckDBPyConnection, table: str, target: str | Path, options: str) -> None:
    """Write a table or query of DuckDB to the file that `replaced_whole` syncs and renames."""
    with disk_errors(duckdb.IOException):
        connection.execute(f"COPY {table} TO {literal(target)} ({options}, USE_TMP_FILE false)")


@contextmanager
def disk_errors(kind: type[duckdb.Error] = duckdb.Error) -> Iterator[None]:
    """Raise the `OSError` that `replaced_whole` puts into words where DuckDB fails to write."""
    try:
        yield
    except kind as error:
        raise OSError(first_line(error)) from error


def quoted_name(name: str) -> str:
    """Return a column name in double quotes for use in a query."""
    return '"' + name.replace('"', '""') + '"'


def _first_line_is_numbers(table: TableFile) -> bool:
    line = next(iter(first_lines(table.text or table.file)), "")
    fields = [field.strip(' "') for field in re.split(table.delimiter or "[,;|\t]", line)]
    try:
        for field in fields:
            float({"": "0", "true": "1", "false": "0"}.get(field.lower(), field))
    except ValueError:
        return False
    return any(fields)
