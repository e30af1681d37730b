"""Table files read and written by DuckDB: parts of queries, and readable errors (no Keras)."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.errors import OutputPathError, TableFileError
from codeword.files.locked_duckdb import locked_duckdb

PLAIN_TEXT = """, all_varchar=true, quote='"', escape='"'"""  # the options of a .csv file without inferred types


def answer(path: Path, select: str, *, header: bool | None = None, as_text: bool = False) -> dict[str, Any]:
    """Return the columns with which DuckDB answers a query, given up to FROM, on a table file.

    By default a .csv file has a header unless its first line holds only numbers. Text takes a single pass over it.
    """
    with locked_duckdb(*readable(path)) as connection:
        if as_text and path.suffix == ".csv":
            try:
                # DuckDB finds the delimiter at the beginning; types and rarer quotes would take another pass.
                return asked(connection, path, f"{select} FROM {table_reader(path, PLAIN_TEXT, header=header)}")
            except TableFileError:
                pass  # other quotes, perhaps: look at the whole file
        options = ", all_varchar=true, sample_size=-1" if as_text and path.suffix == ".csv" else ""
        return asked(connection, path, f"{select} FROM {table_reader(path, options, header=header)}")


def asked(connection: duckdb.DuckDBPyConnection, path: Path, query: str) -> dict[str, Any]:
    """Return the columns of a query's result, or raise if DuckDB cannot read the file."""
    try:
        return connection.execute(query).fetchnumpy()
    except duckdb.Error as error:
        raise TableFileError(
            f"{path} must be a {path.suffix[1:]} table: got a file that cannot be read as one ({first_line(error)})."
        ) from error


def first_line(error: Exception) -> str:
    """Return the message of a DuckDB error without its excerpt of the query."""
    return str(error).partition("\n")[0]


def table_reader(path: Path, options: str = "", *, header: bool | None = None) -> str:
    """Return the DuckDB expression that reads a table file; `options` begin with a comma."""
    options += ", hive_partitioning=false"
    if path.suffix == ".csv":
        header = not _first_line_is_numbers(path) if header is None else header
        # By default DuckDB infers types from the first rows, rounds later ones, and skips lines that look odd.
        options += "" if "all_varchar" in options else ", sample_size=-1"
        options += f", header={str(header).lower()}, skip=0, comment='', null_padding=false"
    return f"{'read_csv' if path.suffix == '.csv' else 'read_parquet'}('{pattern(path)}'{options})"


def columns_of(array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the columns of an array by the names c0, c1, …, with rows flattened."""
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    native = flat.astype(array.dtype.newbyteorder("="), copy=False)
    return {f"c{number}": np.ascontiguousarray(native[:, number]) for number in range(flat.shape[1])}


def copy_to(connection: duckdb.DuckDBPyConnection, table: str, target: str | Path, options: str) -> None:
    """Write a table or query of DuckDB to the file that `replaced_whole` syncs and renames."""
    with disk_errors(target):
        connection.execute(f"COPY {table} TO '{quoted(target)}' ({options}, USE_TMP_FILE false)")


@contextmanager
def disk_errors(target: str | Path) -> Iterator[None]:
    """Raise `OutputPathError` where DuckDB fails to write to a disk."""
    try:
        yield
    except duckdb.IOException as error:
        raise OutputPathError(f"{target} must be on a disk with free space: got {error}.") from error


def quoted(path: str | Path) -> str:
    """Return a path for use between single quotes in a query."""
    return str(path).replace("'", "''")


def quoted_name(name: str) -> str:
    """Return a column name in double quotes for use in a query."""
    return '"' + name.replace('"', '""') + '"'


def pattern(path: Path) -> str:
    """Return a path for use between single quotes where DuckDB expands wildcards, so that it matches only this file."""
    return quoted(readable(path)[1])


def readable(path: Path) -> tuple[str, str]:
    """Return the names under which DuckDB opens a file: its own, and the pattern that matches only this file."""
    return str(path), re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def _first_line_is_numbers(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        fields = [field.strip(' "\r\n') for field in re.split("[,;|\t]", file.readline())]
    try:
        for field in fields:
            float({"": "0", "true": "1", "false": "0"}.get(field.lower(), field))
    except ValueError:
        return False
    return any(fields)
