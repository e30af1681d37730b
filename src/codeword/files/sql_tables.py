"""How DuckDB reads and writes table files: the words of queries, and errors told (no Keras)."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.errors import TableFileError


def answer(path: Path, select: str, texts: Sequence[str] = ()) -> dict[str, Any]:
    """Asks DuckDB of a table file; gives the answer's columns."""
    with duckdb.connect() as connection:
        return asked(connection, path, f"{select} FROM {table_reader(path, texts=texts)}")


def asked(connection: duckdb.DuckDBPyConnection, path: Path, query: str) -> dict[str, Any]:
    """Gives the columns that DuckDB answers with; refuses a file that it cannot read."""
    try:
        return connection.execute(query).fetchnumpy()
    except duckdb.Error as error:
        raise TableFileError(
            f"{path} must be a {path.suffix[1:]} table. Received: a file that cannot be read as one "
            f"({str(error).splitlines()[0]}). Restore it from a copy or write it again."
        ) from error


def table_reader(path: Path, options: str = "", *, texts: Sequence[str] = ()) -> str:
    """Gives DuckDB's call that reads a table file.

    Args:
        path: `.csv` or `.parquet`.
        options: More of them, each behind a comma.
        texts: Columns of a .csv file that are read as text.
    """
    options += ", hive_partitioning=false"
    if path.suffix == ".csv":
        # Left alone, DuckDB tells the types from the first rows and rounds later ones, and skips lines that look odd.
        header = "false" if _first_line_is_numbers(path) else "true"
        options += f", header={header}, sample_size=-1, skip=0, comment='', null_padding=false"
        types = ", ".join(f"'{quoted(name)}': 'VARCHAR'" for name in texts)
        options += f", types={{{types}}}" if types else ""
    return f"{'read_csv' if path.suffix == '.csv' else 'read_parquet'}('{pattern(path)}'{options})"


def columns_of(array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Gives an array's columns by the names c0, c1, …: one a number of a row."""
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    native = flat.astype(array.dtype.newbyteorder("="), copy=False)
    return {f"c{number}": np.ascontiguousarray(native[:, number]) for number in range(flat.shape[1])}


def copy_to(connection: duckdb.DuckDBPyConnection, table: str, target: str | Path, options: str) -> None:
    """Writes a table of DuckDB straight into the file that `replaced_whole` syncs and renames."""
    connection.execute(f"COPY {table} TO '{quoted(target)}' ({options}, USE_TMP_FILE false)")


def quoted(path: str | Path) -> str:
    """Gives a path as it stands between the quotes of a query."""
    return str(path).replace("'", "''")


def quoted_name(name: str) -> str:
    """Gives a column's name as it stands in a query."""
    return '"' + name.replace('"', '""') + '"'


def pattern(path: Path) -> str:
    """Quotes a path that DuckDB reads as a pattern, so that it means this file alone."""
    return re.sub(r"[*?\[]", r"[\g<0>]", quoted(path))


def _first_line_is_numbers(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        fields = [field.strip(' "\r\n') for field in re.split("[,;|\t]", file.readline())]
    try:
        for field in fields:
            float({"": "0", "true": "1", "false": "0"}.get(field.lower(), field))
    except ValueError:
        return False
    return any(fields)
