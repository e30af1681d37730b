"""What `where` may be: an expression in SQL over the columns of a store, or a mapping without SQL (no Keras).

An expression is parsed by DuckDB and refused unless each of its parts is in the lists below. So it can read columns and
compare them, but it reaches no file and no other table, and it cannot ask for much time or memory.
"""

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import is_unicode
from codeword.errors import ParameterError, shown
from codeword.files.sql_tables import first_line, quoted_name

MAX_CHARACTERS = 10_000
MAX_DEPTH = 50
# For each type of a column: the NumPy dtype, and the Python types that fit it without conversion.
_ARRAYS: dict[str, tuple[Any, set[type]]] = {
    "VARCHAR": (object, {str}),
    "BIGINT": (np.int64, {int}),
    "DOUBLE": (np.float64, {int, float}),
    "BOOLEAN": (bool, {bool}),
    "TIMESTAMP": ("datetime64[us]", set()),
}
_CLASSES = {"BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR"}
_OPERATORS = {
    *("OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE", "OPERATOR_NULLIF"),
    *("COMPARE_IN", "COMPARE_NOT_IN"),
}
_TYPES = {
    *("BOOLEAN", "BOOL", "TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT"),
    *("UINTEGER", "UBIGINT", "FLOAT", "REAL", "DOUBLE", "VARCHAR", "TEXT", "STRING", "DATE", "TIMESTAMP", "DATETIME"),
    "INTERVAL",
}
# Functions whose result is no longer than their arguments, and that take time in proportion to them.
_FUNCTIONS = {
    *("+", "-", "*", "/", "//", "%", "&", "|", "~", "<<", ">>", "xor", "bit_count", "mod"),
    *("abs", "sign", "round", "floor", "ceil", "ceiling", "trunc", "sqrt", "ln", "log", "log2", "log10", "exp", "pow"),
    *("greatest", "least", "isnan", "isinf", "isfinite", "nullif", "ifnull"),
    *("~~", "!~~", "~~*", "!~~*", "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"),
    *("lower", "upper", "trim", "ltrim", "rtrim", "length", "strlen", "left", "right", "substring", "substr"),
    *("contains", "prefix", "suffix", "starts_with", "ends_with", "^@", "instr", "strpos", "position"),
    *("date_part", "date_trunc", "year", "quarter", "month", "week", "day", "dayofweek", "dayofyear", "isodow"),
    *("hour", "minute", "second", "epoch", "make_date", "now", "today"),
    *("to_years", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes", "to_seconds"),
}


class Condition(NamedTuple):
    """An SQL expression, the values of its parameters, and the arrays that it looks into by name."""

    sql: str
    values: list[Any]
    lists: dict[str, NDArray[Any]]


def condition_of(where: Any, columns: Mapping[str, str]) -> Condition:
    """Return the condition for `where`; a string is still to be checked by `checked_query`."""
    if isinstance(where, str):
        if len(where) > MAX_CHARACTERS:
            raise ParameterError(
                f"`where` must have at most {MAX_CHARACTERS:,} characters: got {len(where):,}. Pass long lists of "
                'values as {"column": [value, …]}.'
            )
        return Condition(where, [], {})
    if not isinstance(where, Mapping):
        raise ParameterError(
            "`where` must be an SQL condition as a string, or a mapping from columns to values, such as "
            f'{{"label": "cat", "year": (2000, 2010)}}: got {shown(where)}.'
        )
    whole = Condition("TRUE", [], {})
    for name, wanted in where.items():
        part = _of_column(name, wanted, columns, f"list{len(whole.lists)}")
        whole = Condition(f"{whole.sql} AND ({part.sql})", whole.values + part.values, whole.lists | part.lists)
    return whole


def _of_column(name: Any, wanted: Any, columns: Mapping[str, str], list_name: str) -> Condition:
    if not isinstance(name, str) or name not in columns:
        raise ParameterError(f"`where` must name columns of the store, {_listed(columns)}: got {shown(name)}.")
    column, kind = quoted_name(name), columns[name]
    if wanted is None:
        return Condition(f"{column} IS NULL", [], {})
    if isinstance(wanted, tuple):
        if len(wanted) != 2 or all(end is None for end in wanted):
            raise ParameterError(
                f"`where` must give a range as (smallest, greatest), of which one may be None: got {len(wanted)} "
                f"values for {name}. Pass several values as a list."
            )
        ends = [(sign, end) for sign, end in zip((">=", "<="), wanted, strict=True) if end is not None]
        return Condition(
            " AND ".join(f"{column} {sign} ?" for sign, _ in ends), [_value(name, kind, end) for _, end in ends], {}
        )
    if isinstance(wanted, list | set | frozenset) or (isinstance(wanted, np.ndarray) and wanted.ndim):
        if isinstance(wanted, np.ndarray) and wanted.dtype.kind in "biufU":
            wanted = wanted.tolist()
        present = [value for value in wanted if value is not None]
        or_missing = f" OR {column} IS NULL" if len(present) < len(wanted) else ""
        if not present:
            return Condition(f"FALSE{or_missing}", [], {})
        sql = f"{column} IN (SELECT value FROM {list_name}){or_missing}"
        return Condition(sql, [], {list_name: _values(name, kind, present)})
    return Condition(f"{column} = ?", [_value(name, kind, wanted)], {})


def _values(name: str, kind: str, wanted: list[Any]) -> NDArray[Any]:
    """Return values of the column's type as an array, which DuckDB reads far faster than a list."""
    dtype, plain = _ARRAYS[kind]
    if set(map(type, wanted)) <= plain:  # a million of them in a fraction of the time
        try:
            values = np.array(wanted, dtype)
            if not np.isnan(values).any() if kind == "DOUBLE" else kind != "VARCHAR" or all(map(is_unicode, wanted)):
                return values
        except OverflowError:
            pass
    return np.array([_value(name, kind, value) for value in wanted], dtype)


def _value(name: str, kind: str, value: Any) -> Any:
    """Return a value of the column's type, or raise; DuckDB would convert others, and sometimes fail at it."""
    given, value = value, value.item() if isinstance(value, np.generic) and value.dtype.kind not in "mM" else value
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "VARCHAR" and isinstance(value, str) and is_unicode(value):
        return str(value)
    if kind == "BIGINT" and is_whole and -(2**63) <= value < 2**63:
        return int(value)
    if kind == "DOUBLE" and ((is_whole and abs(value) < 2**1023) or (isinstance(value, float) and value == value)):
        return float(value)
    if kind == "BOOLEAN" and isinstance(value, bool):
        return value
    if kind == "TIMESTAMP" and (time := _as_time(value)) is not None:
        return time
    raise ParameterError(f"`where` must compare {name} with values that its type {kind} can hold: got {shown(given)}.")


def _as_time(value: Any) -> datetime.datetime | None:
    """Return a time, a date or a text in ISO format as a time in UTC; None if it is none of them."""
    try:
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        if isinstance(value, np.datetime64):
            year = value.astype("datetime64[Y]").item()  # None, or an integer beyond Python's years
            value = value.astype("datetime64[us]").item() if isinstance(year, datetime.date) else None
        if not isinstance(value, datetime.date) or value != value:  # a missing time of pandas is a date, too
            return None
        if isinstance(value, datetime.datetime):
            return value.astimezone(datetime.UTC).replace(tzinfo=None) if value.tzinfo else value
        return datetime.datetime(value.year, value.month, value.day)
    except (ValueError, OverflowError):
        return None


def checked_query(
    connection: duckdb.DuckDBPyConnection, query: Callable[[str], str], where: str, columns: Mapping[str, str]
) -> str:
    """Return a query in DuckDB's JSON that differs from the one without a condition in a harmless expression only.

    What is run is this JSON, and not the text: DuckDB's parser leaves out parts of a text that have no effect.
    """
    given, plain = (_parsed(connection, query(text), where, columns) for text in (where, "TRUE"))
    trees = [json.loads(text)["statements"] for text in (given, plain)]
    condition, _ = (tree[0]["node"].pop("where_clause", None) for tree in trees)
    if trees[0] != trees[1]:
        raise not_a_condition(where, columns, "more than one expression")
    names = {name.lower() for name in columns}
    _check(condition, names, lambda what: not_a_condition(where, columns, what), 0)
    return given


def _parsed(connection: duckdb.DuckDBPyConnection, query: str, where: str, columns: Mapping[str, str]) -> str:
    try:
        text = str(connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])
        tree = json.loads(text)
    except (duckdb.Error, RecursionError, UnicodeError) as error:
        raise not_a_condition(where, columns, first_line(error)) from error
    if tree["error"]:
        raise not_a_condition(where, columns, str(tree.get("error_message")).partition("\n")[0])
    return text


def _check(node: Any, names: set[str], refused: Callable[[str], Exception], depth: int) -> None:
    """Check a part of a parsed expression, as DuckDB writes it in JSON, and the parts inside it."""
    if isinstance(node, list):
        for part in node:
            _check(part, names, refused, depth)
    if not isinstance(node, dict):
        return
    if "class" in node:
        depth += 1
        if depth > MAX_DEPTH:
            raise refused(f"more than {MAX_DEPTH} expressions inside each other")
        if (fault := _fault(node, names)) is not None:
            raise refused(fault)
    for key, part in node.items():
        if key not in ("literal", "type_expr"):
            _check(part, names, refused, depth)


def _fault(node: dict[str, Any], names: set[str]) -> str | None:
    """Return what is wrong with one part of an expression, or None."""
    kind = node["class"]
    if kind not in _CLASSES or node.get("alias"):
        return "a subquery" if kind == "SUBQUERY" else kind.lower().replace("_", " ")
    if kind == "OPERATOR" and node["type"] not in _OPERATORS:
        return str(node["type"]).lower().replace("_", " ")
    if kind == "COLUMN_REF" and (len(node["column_names"]) != 1 or node["column_names"][0].lower() not in names):
        return f"the name {shown('.'.join(node['column_names']))}"
    if kind == "CAST" and not _is_plain_type(node):
        return "a conversion to another type"
    if kind == "FUNCTION":
        of_catalog = node["schema"] or node["catalog"]
        extras = node["distinct"] or node["filter"] or node["order_bys"]["orders"]
        named = any(part["name"] for part in node["arguments"])
        if of_catalog or extras or named or node["function_name"].lower() not in _FUNCTIONS:
            return f"the function {shown(node['function_name'])}"
    return None


def _is_plain_type(node: dict[str, Any]) -> bool:
    """Return whether a conversion is to a simple type."""
    kind = node["type_expr"]
    return kind["type_name"].upper() in _TYPES and not (kind["children"] or kind["schema"] or kind["catalog"])


def not_a_condition(where: Any, columns: Mapping[str, str], found: str) -> ParameterError:
    """Return the error for a condition that DuckDB or the rules above refuse."""
    return ParameterError(
        f"`where` must be an SQL condition on {_listed(columns)}: got {shown(where, 200)} ({found[:300]}). Put names "
        "in double quotes and strings in single quotes. It may compare columns and use simple functions, but no "
        "subqueries."
    )


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(list(columns)[:20]) + (", …" if len(columns) > 20 else "")
