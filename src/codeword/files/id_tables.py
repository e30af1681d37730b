"""Tables of ids in files: which columns they are, and what stands in them (no Keras)."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from codeword.arrays.id_columns import (
    NUMBERS,
    PLACES,
    IdColumns,
    are_places_or_times,
    chosen_columns,
    is_id_table,
    is_like_ids,
    named_columns,
    placed_columns,
)
from codeword.arrays.id_pairs import are_pairs_of_ids
from codeword.errors import DataTypeError
from codeword.files.data_path import existing_file, format_of
from codeword.files.locked_duckdb import literal, locked_duckdb
from codeword.files.sql_tables import PLAIN_TEXT, TableFile, answer, asked, open_table, quoted_name, table_reader
from codeword.files.tables import table_path
from codeword.files.text_table import first_lines

FIRST_ROWS = 100_000  # of a text without names, to see which columns are ids
# Of such a text with so many columns: places of users, items and ratings. Before the ids may be the number of the row.
ORDERS: dict[int, list[tuple[int, ...]]] = {
    2: [(0, 1)],
    3: [(0, 1, 2), (0, 2, 1), (1, 2, 0)],
    4: [(0, 1, 2), (1, 2, 3)],
}
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?\b.*|\d\d?[./]\d\d?[./]\d{2,4}\b.*")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_INTEGER = "CASE WHEN CAST(TRY_CAST(trim({0}) AS BIGINT) AS VARCHAR) = trim({0}) THEN TRY_CAST({0} AS BIGINT) END"
_RATING = (  # also true, false, and a decimal comma, which no thousands have
    "CASE lower(trim({0})) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE "
    "TRY_CAST(regexp_replace(trim({0}), '^([-+]?[0-9]+),([0-9][0-9]?)$', '\\1.\\2') AS DOUBLE) END"
)
_BEGINS_WITH_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?\s*(/|%|\D+$)")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


class IdTableFile(NamedTuple):
    """What a file of ids holds.

    Attributes:
        columns: Names of the columns; column0, column1, … in a text without names.
        names: Names of all columns.
        users: Ids, masked where cells are empty.
        items: Ids, too.
        values: Ratings or counts, None without a column of them.
        times: Seconds as float64, NaN where a cell is no time; None without a column of them.
    """

    columns: IdColumns
    names: tuple[str, ...]
    users: Any
    items: Any
    values: Any
    times: Any


class _Head(NamedTuple):
    """What DuckDB finds at the beginning of a text table."""

    names: list[str]
    types: list[str]
    first: list[str]  # the fields of the first line
    has_names: bool


def read_id_file(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    counted: bool | None,
    texts: tuple[bool, bool] = (False, False),
) -> IdTableFile:
    """Read users, items and, if there are any, ratings or counts and times from a table.

    The first line of a text holds names unless its fields have the types of the others. Text is parsed once, or
    twice if ids that begin as integers go on as text. Ids are integers if all are written as such, without leading
    zeros.

    Args:
        path: A text table or a Parquet file.
        columns: Names of the columns of users, items, values and times, at least the first two. In a text without
            names: by position, column0, column1, …, or any names if there are as many as columns. None: found by
            their names or, without names, by position.
        counted: Whether values are counts, which need no column, and not ratings. None: what there is.
        texts: Whether the ids of users, and of items, in a text are text even if all are integers.

    Raises:
        FileNotFoundError, TableFileError: If there is no file, or it is damaged or no table.
        DataError: If a column is missing.
        DataTypeError: If values are text.
    """
    with open_table(table_path(path)) as table:
        if table.suffix == ".csv":
            return _text(table, columns, counted, texts)
        names = answer(table, "DESCRIBE SELECT *")
        types = dict(zip(names["column_name"].tolist(), names["column_type"].tolist(), strict=True))
        chosen = chosen_columns(list(types), columns, counted=counted, table=str(table.path))
        selected = [quoted_name(name) for name in chosen.present[: 2 + (chosen.value is not None)]]
        selected += [_seconds(quoted_name(chosen.time), types[chosen.time])] if chosen.time else []
        found = _read(table, selected, None)
        return IdTableFile(chosen, tuple(types), *_in_order(chosen, found))


def id_columns_in(path: str | Path) -> tuple[str, ...] | None:
    """Return which columns of a file to read as users, items and ratings; None if it is no table of ids.

    Without names that say it, two columns of whole numbers are users and items if hardly any pair of them repeats.

    Returns:
        No name where the columns are found by their names or, in a text without names, are in the usual order.
    """
    path = existing_file(path)
    if format_of(path) == ".npy":
        return None
    with open_table(path) as table:
        if table.suffix != ".csv":
            return () if is_id_table(answer(table, "DESCRIBE SELECT *")["column_name"].tolist()) else None
        head = _head(table)
        if is_id_table(head.names) if head.has_names else is_like_ids(head.types, head.first):
            return ()
        return _columns_of_pairs(table, head)


def _columns_of_pairs(table: TableFile, head: _Head) -> tuple[str, ...] | None:
    """Return the columns of a text by its first rows: which two of them are ids."""
    if len(head.names) not in ORDERS or not set(head.types) <= NUMBERS or are_places_or_times(head.names):
        return None
    casts = ", ".join(f"TRY_CAST({quoted_name(name)} AS BIGINT) AS {quoted_name(name)}" for name in head.names)
    query = f"SELECT {casts} FROM {table_reader(table, PLAIN_TEXT, header=head.has_names)} LIMIT {FIRST_ROWS}"
    with locked_duckdb(table.name, table.path) as connection:
        rows = asked(connection, table, query)
    for order in ORDERS[len(head.names)]:
        user, item, *rating = (head.names[place] for place in order)
        are_whole = all(
            head.types[head.names.index(name)] == "BIGINT" and not np.ma.is_masked(rows[name]) for name in (user, item)
        )
        if are_whole and are_pairs_of_ids(np.asarray(rows[user]), np.asarray(rows[item])):
            return (user, item, *rating) if head.has_names or order[:2] != (0, 1) else ()
    return None


def _text(
    table: TableFile, columns: Sequence[str] | None, counted: bool | None, texts: tuple[bool, bool]
) -> IdTableFile:
    head, where = _head(table), str(table.path)
    header, names, chosen = _chosen(head, columns, counted, where)
    ids = [quoted_name(chosen.user), quoted_name(chosen.item)]
    types = [head.types[names.index(name)] for name in chosen[:2]]  # of the first rows
    numbers = [
        _INTEGER.format(name) if kind == "BIGINT" and not text else name
        for name, kind, text in zip(ids, types, texts, strict=True)
    ]
    selected = []
    if chosen.value is not None:
        value = quoted_name(chosen.value)
        number = _RATING.format(value)
        selected += [number, f"CASE WHEN {number} IS NULL THEN {value} END"]
    selected += [_seconds(quoted_name(chosen.time), "VARCHAR")] if chosen.time else []
    found = _read(table, [*numbers, *selected], header)
    integers = [
        name if np.ma.is_masked(part) else number for name, number, part in zip(ids, numbers, found, strict=False)
    ]
    if integers != numbers:  # a later row has no integer
        found = _read(table, [*integers, *selected], header)
    if chosen.value is not None:
        unreadable = np.ma.compressed(found.pop(3))
        if len(unreadable):
            raise DataTypeError(
                f"{where} must have numbers in column {chosen.value!r}: got text, the first {unreadable[0]!r}."
                f" {cure_of_text(unreadable[0])}"
            )
    return IdTableFile(chosen, tuple(names), *_in_order(chosen, found))


def _chosen(
    head: _Head, columns: Sequence[str] | None, counted: bool | None, where: str
) -> tuple[bool, list[str], IdColumns]:
    """Return whether the first line holds names, the names of all columns, and which of them to read."""
    names, places = head.names, [f"column{place}" for place in range(len(head.names))]
    by_place = columns is not None and all(map(PLACES.fullmatch, columns)) and not set(columns) <= set(names)
    if head.has_names and by_place:
        return False, places, chosen_columns(places, columns, counted=counted, table=where)
    if head.has_names:
        shown = places[: 2 if counted else 3]
        python = ", ".join(f'"{place}"' for place in shown)
        hint = f" If the first line is no header: columns=({python}), on the command line --columns {','.join(shown)}."
        return True, names, chosen_columns(names, columns, counted=counted, table=where, hint=hint)
    if columns is None:
        return False, names, placed_columns(head.types, head.first, counted=counted, table=where)
    if set(columns) <= set(head.first):  # names that a message about this file may have shown
        columns = [names[head.first.index(name)] for name in columns]
    elif len(columns) == len(names) and not set(columns) <= set(names):
        columns = names
    return False, names, chosen_columns(names, columns, counted=counted, table=where, hint=" The file has no header.")


def _head(table: TableFile) -> _Head:
    delimiter = "" if table.delimiter is None else f", delim={literal(table.delimiter)}"
    options = f"{delimiter}, skip=0, comment='', null_padding=false, compression='none'"
    query = (
        "SELECT Delimiter AS delimiter, HasHeader AS has_names, unnest(Columns, recursive := true) "
        f"FROM sniff_csv({literal(table.name)}{options})"
    )
    with locked_duckdb(table.name, table.path) as connection:
        found = asked(connection, table, query)
    first = _fields(next(iter(first_lines(table.text or table.file)), ""), found["delimiter"].tolist())
    names, has_names = found["name"].tolist(), bool(found["has_names"].tolist() and found["has_names"][0])
    if named_columns(first, counted=None):  # perhaps above columns of text
        names, has_names = (names, True) if has_names else (first, True)
    elif has_names and any(_NUMBER.fullmatch(field) or _DATE.fullmatch(field) for field in first):
        names, has_names = [f"column{place}" for place in range(len(names))], False
    return _Head(names, found["type"].tolist(), first, has_names)


def _fields(line: str, delimiters: list[str]) -> list[str]:
    delimiter = delimiters[0].replace("\\t", "\t") if delimiters else ","
    if len(delimiter) != 1:
        return line.split(delimiter)
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter), [])]


def _read(table: TableFile, selected: list[str], header: bool | None) -> list[Any]:
    named = ", ".join(f"{column} AS v{place}" for place, column in enumerate(selected))  # names may repeat
    return list(answer(table, f"SELECT {named}", header=header, as_text=True).values())


def _in_order(columns: IdColumns, found: list[Any]) -> tuple[Any, Any, Any, Any]:
    """Return users, items, values and times; None for those that the table does not have."""
    parts = iter(found)
    users, items, values, times = (None if name is None else next(parts) for name in columns)
    return users, items, values, None if times is None else np.ma.filled(np.ma.asarray(times, np.float64), np.nan)


def _seconds(column: str, kind: str) -> str:
    """Return SQL for the seconds that a column of numbers, times or text stands for."""
    if kind == "VARCHAR":
        return f"coalesce(TRY_CAST({column} AS DOUBLE), epoch(TRY_CAST({column} AS TIMESTAMP)))"
    return f"epoch({column})" if kind.startswith(("TIMESTAMP", "DATE")) else f"TRY_CAST({column} AS DOUBLE)"


def cure_of_text(text: str) -> str:
    """Return what to do about ratings that are text, from the first of them."""
    if _NUMBER.fullmatch(text.strip()):
        return "Convert them to numbers: column.astype(float)."
    if _DECIMAL_COMMA.fullmatch(text.strip()):
        return "Write decimals with a point."
    if _BEGINS_WITH_NUMBER.match(text.strip()) and not _DATE.fullmatch(text):
        return "Write numbers alone, without units."
    is_date = bool(_DATE.fullmatch(text))
    return f"{'These are dates. ' if is_date else ''}If another column holds the ratings, name it with `columns`."
