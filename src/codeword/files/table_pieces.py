"""Files of rows and codes read and written in pieces, for data larger than memory (no Keras)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.files import sql_tables
from codeword.files.codes import as_codes, check_origin, code_columns, origin_in, read_codes
from codeword.files.data_path import existing_file, format_of
from codeword.files.locked_duckdb import attach, database_files, literal, locked_duckdb
from codeword.files.output_file import scratch_folder
from codeword.files.output_table import copy_options, replaced_table
from codeword.files.tables import as_numbers_table, read_array
from codeword.files.temporary_file import name_of, temporary_file

CELLS_PER_CHUNK = 1 << 22  # a query takes about 50 ms, however few rows it returns
CELLS_PER_GROUP = 1 << 24  # DuckDB keeps a row group of a Parquet file in memory while it writes
ROWS_PER_GROUP = (2_048, 122_880)  # minimum and maximum, as in DuckDB

Choose = Callable[[list[str]], list[str]]
Check = Callable[[dict[str, Any], int], NDArray[Any]]


class TableRows:
    """Rows of a Parquet file, of which only slices are in memory; `open_rows` creates it.

    `choose` selects the columns from the names of all. `check` converts columns by name, and the number of their first
    row, to an array, or raises.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: sql_tables.TableFile, choose: Choose, check: Check
    ) -> None:
        self._connection, self._table, self._check = connection, table, check
        reader = sql_tables.table_reader(table)
        described = self._asked("DESCRIBE SELECT *", reader)
        names = choose(described["column_name"].tolist())
        self._columns = ", ".join(sql_tables.quoted_name(name) for name in names)
        found = self._asked("SELECT count(*) AS num_rows", reader)
        self.shape = (int(found["num_rows"][0]), len(names))
        if len(self):
            types = dict(zip(described["column_name"], described["column_type"], strict=True))
            sql_tables.check_numbers(table.path, {name: types[name] for name in names})
        self._start, self._chunk = 0, self._read(0, 1)  # reads a row, so that whatever else is wrong is raised now

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        if start < self._start or stop > self._start + len(self._chunk):
            num_rows = max(stop - start, CELLS_PER_CHUNK // self.shape[1])
            self._start, self._chunk = start, self._read(start, start + num_rows)
        return self._chunk[start - self._start : stop - self._start]

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        reader = sql_tables.table_reader(self._table, ", file_row_number=true")
        where = f"WHERE file_row_number >= {start} AND file_row_number < {stop} ORDER BY file_row_number"
        return self._check(self._asked(f"SELECT {self._columns}", f"{reader} {where}"), start)

    def _asked(self, select: str, source: str) -> dict[str, Any]:
        return sql_tables.asked(self._connection, self._table, f"{select} FROM {source}")


@contextmanager
def open_rows(path: str | Path) -> Iterator[Any]:
    """Open a file of numbers for reading in slices.

    The errors are those of `read_array`, raised at the latest when their slice is read. A .csv file is first converted
    to a temporary Parquet file, as the types of its columns depend on all rows. A `.npy` file is memory-mapped.
    """
    path = existing_file(path)
    if format_of(path) == ".npy":
        yield read_array(path)
        return

    def check(columns: dict[str, Any], start: int) -> NDArray[Any]:
        return as_numbers_table(path, columns, first_row=start)

    with sql_tables.open_table(path) as table, _rows(table, list, check) as rows:
        yield rows


@contextmanager
def open_codes(path: str | Path, *, fingerprint: str | None = None) -> Iterator[tuple[Any, CodeKind | None]]:
    """Open a file of codes like `open_rows`, and yield what `read_codes` returns."""
    path = existing_file(path)
    if format_of(path) == ".npy":
        yield read_codes(path, fingerprint=fingerprint)
        return

    with sql_tables.open_table(path) as table:
        origin = check_origin(path, origin_in(table), fingerprint)

        def check(columns: dict[str, Any], start: int) -> NDArray[np.uint8]:
            return as_codes(path, as_numbers_table(path, columns, first_row=start), origin)

        with _rows(table, lambda names: code_columns(path, names), check) as rows:
            yield rows, None if origin is None else origin.code


def write_array_pieces(path: str | Path, pieces: Iterable[NDArray[Any]], *, num_rows: int) -> tuple[int, ...]:
    """Write at least one piece of an array, as `write_array` writes all of it, and return its whole shape."""
    return _write(Path(path), pieces, num_rows, metadata=None)


def write_code_pieces(
    path: str | Path, pieces: Iterable[NDArray[np.uint8]], *, num_rows: int, fingerprint: str, kind: CodeKind
) -> None:
    """Write at least one piece of an array of codes, as `write_codes` writes all of it."""
    _write(Path(path), pieces, num_rows, metadata={"model": fingerprint, "code": kind.to_config()})


@contextmanager
def _rows(table: sql_tables.TableFile, choose: Choose, check: Check) -> Iterator[TableRows]:
    with ExitStack() as stack:
        source = table
        if table.suffix == ".csv":
            table = stack.enter_context(_unnamed_parquet(source.path))
        names = source.name, source.path, table.name, Path(table.file.name)
        connection = stack.enter_context(locked_duckdb(*names))
        if table is not source:
            query = f"SELECT * FROM {sql_tables.table_reader(source)}"
            options = "FORMAT parquet, USE_TMP_FILE false"
            sql_tables.asked(connection, source, f"COPY ({query}) TO {literal(table.name)} ({options})")
        yield TableRows(connection, table, choose, check)


@contextmanager
def _unnamed_parquet(of: Path) -> Iterator[sql_tables.TableFile]:
    """Make a temporary file for a converted table."""
    with temporary_file("table.parquet") as file:
        yield sql_tables.TableFile(of, file, name_of(Path(file.name), file), ".parquet")


def _write(
    path: Path, pieces: Iterable[NDArray[Any]], num_rows: int, *, metadata: dict[str, Any] | None
) -> tuple[int, ...]:
    with replaced_table(path, metadata) as file:
        if path.suffix == ".npy":
            row_shape = _write_npy(file, pieces, num_rows)
        else:
            row_shape = _write_table(Path(file.name), pieces, copy_options(path.suffix, metadata))
    return (num_rows, *row_shape)


def _write_npy(file: BinaryIO, pieces: Iterable[NDArray[Any]], num_rows: int) -> tuple[int, ...]:
    pieces = iter(pieces)
    first = next(pieces)
    row_shape = first.shape[1:]
    header = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False}
    np.lib.format.write_array_header_1_0(file, {**header, "shape": (num_rows, *row_shape)})
    for piece in chain([first], pieces):
        file.write(np.ascontiguousarray(piece).data)
    return row_shape


def _write_table(file: Path, pieces: Iterable[NDArray[Any]], options: str) -> tuple[int, ...]:
    """Collect the pieces in a temporary database next to `file`, as DuckDB cannot append to a file."""
    rows = scratch_folder(file) / "rows.duckdb"
    with sql_tables.disk_errors(), locked_duckdb(file, *database_files(rows)) as connection:
        attach(connection, rows, "pieces")
        statement = "CREATE TABLE pieces.rows AS"
        for chunk in _chunks(pieces):
            connection.register("columns", sql_tables.numbered_columns(chunk))
            connection.execute(f"{statement} SELECT * FROM columns")
            row_shape, statement = chunk.shape[1:], "INSERT INTO pieces.rows"
        if options.startswith("FORMAT parquet"):
            fitting = CELLS_PER_GROUP // max(1, int(np.prod(row_shape)))
            options += f", ROW_GROUP_SIZE {int(np.clip(fitting, *ROWS_PER_GROUP))}"
        sql_tables.copy_to(connection, "pieces.rows", file, options)
    return row_shape


def _chunks(pieces: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Join pieces until they are large enough for one statement of DuckDB."""
    waiting: list[NDArray[Any]] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(some.size for some in waiting) >= CELLS_PER_CHUNK:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)
