"""Lists of ids in files: one per line, or a column of a table (no Keras)."""

import csv
from pathlib import Path

import numpy as np

from codeword.arrays.id_columns import item_column
from codeword.errors import DataError
from codeword.files.sql_tables import TableFile, answer, open_table, quoted_name
from codeword.files.tables import table_path
from codeword.files.text_table import DELIMITERS, first_lines


def read_item_ids(path: str | Path) -> list[str]:
    """Read ids of items as text: one per line or, in a table with names such as item or movieId, from that column.

    A name above a list is read as an id, too: only the caller knows what ids look like.

    Raises:
        FileNotFoundError, TableFileError: If there is no file, or it is damaged or no table.
        DataError: If it is a .parquet table without a column of items.
    """
    with open_table(table_path(path)) as table:
        name = _column_in_text(table) if table.suffix == ".csv" else _column_in_parquet(table)
        if name is None:
            return _lines(table)
        (ids,) = answer(table, f"SELECT CAST({quoted_name(name)} AS VARCHAR) AS id", header=True, as_text=True).values()
        return [str(text) for text in np.ma.compressed(ids).tolist()]


def _column_in_text(table: TableFile) -> str | None:
    """Return the name of the column of items, None if the text is no table with names."""
    first = next(iter(first_lines(table.text or table.file)), "")
    for delimiter in DELIMITERS:
        fields = first.split(delimiter) if len(delimiter) > 1 else next(csv.reader([first], delimiter=delimiter), [])
        if len(fields) > 1 and (name := item_column(fields)) is not None:
            return name
    return None


def _column_in_parquet(table: TableFile) -> str:
    names = answer(table, "DESCRIBE SELECT *")["column_name"].tolist()
    name = names[0] if len(names) == 1 else item_column(names)
    if name is None:
        raise DataError(f"{table.path} must have a column named item, or a single one: got {', '.join(names[:8])}.")
    return str(name)


def _lines(table: TableFile) -> list[str]:
    """Return the lines of a text that are not empty, without quotes around them."""
    text = table.text or table.file
    text.seek(0)
    lines = (line.strip() for line in text.read().decode("utf-8-sig").splitlines())
    return [next(csv.reader([line]))[0] if line.startswith('"') else line for line in lines if line]
