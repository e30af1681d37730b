"""Numbers and columns read from .npy, .csv and .parquet files (no Keras)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, TableFileError
from codeword.files import npy_file
from codeword.files.data_path import existing_file, format_of
from codeword.files.input_file import opened
from codeword.files.sql_tables import answer, check_numbers, open_table


def read_array(path: str | Path, *, empty_as_nan: bool = False) -> NDArray[Any]:
    """Read numbers from a table, `(rows, columns)`, or a memory-mapped `.npy` file of any shape.

    Raises:
        FileNotFoundError, TableFileError: If there is no file, or it is damaged or has another format.
        DataError: If a column does not hold numbers, a cell is empty (unless `empty_as_nan`), or there is no row.
    """
    path = existing_file(path)
    if format_of(path) == ".npy":
        with opened(path) as file:
            return npy_file.mapped(path, file)
    with open_table(path) as table:
        columns = answer(table, "SELECT *", check=lambda types: check_numbers(path, types))
    return as_numbers_table(path, columns, empty_as_nan=empty_as_nan)


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

    Raises:
        FileNotFoundError, TableFileError: If there is no file, or it is damaged or no table.
    """
    with open_table(table_path(path)) as table:
        return answer(table, "SELECT *")


def column_names(path: str | Path) -> list[str]:
    """Return the names of a table's columns, none for a .npy file, by reading only its beginning."""
    path = existing_file(path)
    if format_of(path) == ".npy":
        return []
    with open_table(path) as table:
        names: list[str] = answer(table, "DESCRIBE SELECT *", as_text=True)["column_name"].tolist()
    return names


def table_path(path: str | Path) -> Path:
    """Return the path of a table file, or raise as `read_columns` does."""
    path = existing_file(path)
    if format_of(path) == ".npy":
        raise TableFileError(f"{path} must be a table, .csv or .parquet: got a .npy file.")
    return path
