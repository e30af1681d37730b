"""Files of rows and codes in pieces, for more of them than there is memory (no Keras)."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.errors import OutputPathError
from codeword.files import sql_tables, tables
from codeword.files.output_file import replaced_whole

CELLS_A_CHUNK = 1 << 22  # to ask DuckDB takes some 50 ms, however few the rows
CELLS_A_GROUP = 1 << 24  # of a Parquet file: DuckDB has a group in memory while it writes
ROWS_A_GROUP = (2_048, 122_880)  # at least, at most: DuckDB's own

Check = Callable[[dict[str, Any], int], NDArray[Any]]


class TableRows:
    """The rows of a Parquet file in their order, of which only slices come into memory; `open_rows` makes it.

    Args:
        connection: To DuckDB.
        file: The Parquet file.
        names: The columns to read.
        check: Makes an array of columns by name and the number of their first row, or refuses them.

    Attributes:
        shape: `(rows, columns)`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, file: Path, names: list[str], check: Check) -> None:
        self._connection, self._file, self._check = connection, file, check
        self._columns = ", ".join(sql_tables.quoted_name(name) for name in names)
        found = self._asked("SELECT count(*) AS num_rows", sql_tables.table_reader(file))
        self.shape = (int(found["num_rows"][0]), len(names))
        self._start, self._chunk = 0, self._read(0, 1)  # refuses columns of text at once

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        if start < self._start or stop > self._start + len(self._chunk):
            num_rows = max(stop - start, CELLS_A_CHUNK // self.shape[1])
            self._start, self._chunk = start, self._read(start, start + num_rows)
        return self._chunk[start - self._start : stop - self._start]

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        reader = sql_tables.table_reader(self._file, ", file_row_number=true")
        where = f"WHERE file_row_number >= {start} AND file_row_number < {stop} ORDER BY file_row_number"
        return self._check(self._asked(f"SELECT {self._columns}", f"{reader} {where}"), start)

    def _asked(self, select: str, source: str) -> dict[str, Any]:
        return sql_tables.asked(self._connection, self._file, f"{select} FROM {source}")


@contextmanager
def open_rows(path: str | Path) -> Iterator[Any]:
    """Opens a file of numbers to be read in slices; refuses what `read_array` refuses, at the latest in its slice.

    A .csv file is first turned into a temporary Parquet file, as only all of it tells the types of its columns.

    Yields:
        A memory-mapped array for `.npy`, else `TableRows`.
    """
    path = Path(path)
    if path.suffix == ".npy":
        yield tables.read_array(path)
        return
    names = tables.column_names(path)
    with _opened(path, names, lambda columns, start: tables.as_numbers_table(path, columns, first_row=start)) as rows:
        yield rows


@contextmanager
def open_codes(path: str | Path, *, fingerprint: str | None = None) -> Iterator[tuple[Any, CodeKind | None]]:
    """Opens a file of codes, to be read in slices; refuses what `tables.read_codes` refuses.

    Yields:
        A memory-mapped array or `TableRows`, and the code kind; None where the file does not say it.
    """
    path = Path(path)
    if path.suffix == ".npy":
        yield tables.read_codes(path, fingerprint=fingerprint)
        return
    names = tables.code_columns(path)
    kind = tables.check_origin(path, fingerprint)

    def check(columns: dict[str, Any], start: int) -> NDArray[np.uint8]:
        return tables.as_codes(path, tables.as_numbers_table(path, columns, first_row=start))

    with _opened(path, names, check) as rows:
        yield rows, kind


def write_array_pieces(path: str | Path, pieces: Iterable[NDArray[Any]], *, num_rows: int) -> tuple[int, ...]:
    """Writes pieces of an array one behind the other to a file, as `tables.write_array` writes all of it.

    Args:
        path: `.npy`, `.csv` or `.parquet`.
        pieces: Arrays of shape `(rows, ...)`, at least one; only the last one read is in memory.
        num_rows: Rows of all pieces together.

    Returns:
        The shape of the whole array.

    Raises:
        TableFileError: If the suffix is unknown.
        OutputPathError: If the place cannot be written to.
    """
    return _write(Path(path), pieces, num_rows, metadata=None)


def write_code_pieces(
    path: str | Path, pieces: Iterable[NDArray[np.uint8]], *, num_rows: int, fingerprint: str, kind: CodeKind
) -> None:
    """Writes pieces of codes one behind the other to a file, as `tables.write_codes` writes all of them."""
    _write(Path(path), pieces, num_rows, metadata={"model": fingerprint, "code": kind.to_config()})


@contextmanager
def _opened(path: Path, names: list[str], check: Check) -> Iterator[TableRows]:
    """Opens a table; refuses one without rows."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = path
        if path.suffix == ".csv":
            file = Path(folder) / "table.parquet"
            copy = (
                f"COPY (SELECT * FROM {sql_tables.table_reader(path)}) TO '{sql_tables.quoted(file)}' (FORMAT parquet)"
            )
            sql_tables.asked(connection, path, copy)
        yield TableRows(connection, file, names, check)


def _write(
    path: Path, pieces: Iterable[NDArray[Any]], num_rows: int, *, metadata: dict[str, Any] | None
) -> tuple[int, ...]:
    tables.check_suffix(path)
    with replaced_whole(path) as file:
        if path.suffix == ".npy":
            row_shape = _write_npy(file, pieces, num_rows)
        else:
            row_shape = _write_table(Path(file.name), pieces, tables.copy_options(path.suffix, metadata))
    tables.write_sidecar(path, metadata)
    return (num_rows, *row_shape)


def _write_npy(file: BinaryIO, pieces: Iterable[NDArray[Any]], num_rows: int) -> tuple[int, ...]:
    row_shape: tuple[int, ...] | None = None
    for piece in pieces:
        if row_shape is None:
            row_shape = piece.shape[1:]
            header = {"descr": np.lib.format.dtype_to_descr(piece.dtype), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (num_rows, *row_shape)})
        file.write(np.ascontiguousarray(piece).data)
    assert row_shape is not None, "one piece at least"
    return row_shape


def _write_table(file: Path, pieces: Iterable[NDArray[Any]], options: str) -> tuple[int, ...]:
    """Collects pieces in a temporary database beside `file`, as DuckDB cannot append to a file."""
    row_shape: tuple[int, ...] | None = None
    try:
        with (
            tempfile.TemporaryDirectory(dir=file.parent, prefix=f"{file.name}.") as folder,
            duckdb.connect(Path(folder) / "rows.duckdb") as connection,
        ):
            for chunk in _chunks(pieces):
                if row_shape is None:
                    row_shape = chunk.shape[1:]
                    connection.register("columns", sql_tables.columns_of(chunk[:0]))
                    connection.execute("CREATE TABLE rows AS SELECT * FROM columns")
                connection.register("columns", sql_tables.columns_of(chunk))
                connection.execute("INSERT INTO rows SELECT * FROM columns")
            assert row_shape is not None, "one piece at least"
            if options.startswith("FORMAT parquet"):
                fitting = CELLS_A_GROUP // max(1, int(np.prod(row_shape)))
                options += f", ROW_GROUP_SIZE {int(np.clip(fitting, *ROWS_A_GROUP))}"
            sql_tables.copy_to(connection, "rows", file, options)
    except duckdb.IOException as error:
        raise OutputPathError(f"{file} must be a place with room. Received: {error}. Free some.") from error
    return row_shape


def _chunks(pieces: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Joins pieces until they are worth a statement of DuckDB."""
    waiting: list[NDArray[Any]] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(some.size for some in waiting) >= CELLS_A_CHUNK:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)
