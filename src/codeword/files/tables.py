"""Numbers and columns read from .npy, .csv and .parquet files (no Keras)."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, DataTypeError, TableFileError
from codeword.files import npy_file
from codeword.files.data_path import existing_file, format_of
from codeword.files.input_file import opened
from codeword.files.sql_tables import TableFile, answer, check_numbers, open_table, quoted_name

MAX_SHOWN = 8  # column names in a message
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")
_POSITION = re.compile(r"column\d+")  # the name of a column in a .csv file without a header


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
    with open_table(_table_path(path)) as table:
        return answer(table, "SELECT *")


def read_named_columns(path: str | Path, names: Sequence[str], *, numbers: Sequence[str] = ()) -> dict[str, Any]:
    """Read some columns of a table like `read_columns`, but a .csv file in one pass and, unless `numbers`, as text.

    The columns of a .csv file without a header are column0, column1, …. If there are as many as `names`, they are read
    in this order, whatever `names` are. Such names also read by position what looks like a header but does not have
    them.

    Raises:
        FileNotFoundError, TableFileError: As for `read_columns`.
        DataError: If a column is missing.
        DataTypeError: If one of `numbers` holds text.

    Warns:
        UserWarning: If the name of one of `numbers` is a number, so that the first line may be no header.
    """
    with open_table(_table_path(path)) as table:
        return _named_columns(table, names, numbers)


def _named_columns(table: TableFile, names: Sequence[str], numbers: Sequence[str]) -> dict[str, Any]:
    path, header, there, read = table.path, None, _names_of(table), list(names)
    is_csv = format_of(path) == ".csv"
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
    if format_of(path) == ".npy":
        return []
    with open_table(path) as table:
        return _names_of(table)


def _names_of(table: TableFile, *, header: bool | None = None) -> list[str]:
    names: list[str] = answer(table, "DESCRIBE SELECT *", header=header, as_text=True)["column_name"].tolist()
    return names


def _table_path(path: str | Path) -> Path:
    path = existing_file(path)
    if format_of(path) == ".npy":
        raise TableFileError(f"{path} must be a table, .csv or .parquet: got a .npy file.")
    return path
