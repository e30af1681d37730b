"""Metadata of a store: times are stored as they are, or refused."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from codeword.errors import DataError, DataTypeError
from codeword.search.metadata_columns import metadata_columns

WEST = datetime.timezone(datetime.timedelta(hours=-5))


@pytest.mark.parametrize(
    "times",
    [
        np.array(["300000", "2000"], "datetime64[Y]"),
        np.array(["-300000", "2000"], "datetime64[Y]"),
        np.array([290_001 - 1970, 0], "datetime64[Y]"),
        np.array([-290_001 - 1970, 0], "datetime64[Y]"),
        np.array([2**60, 1], "datetime64[D]"),
        np.array([2**62, 5], "datetime64[s]"),
        np.array([-(2**62), 5], "datetime64[ms]"),
        [np.datetime64("300000", "Y"), datetime.date(2000, 1, 1)],
        [datetime.datetime(9999, 12, 31, 23, tzinfo=WEST), datetime.datetime(2000, 1, 1)],
        pd.Series(np.array([2**60, 5], "datetime64[s]")),
        pl.Series([2**30, 5], dtype=pl.Int32).cast(pl.Date),
        pl.Series([2**62, None], dtype=pl.Int64).cast(pl.Datetime("ms")),
        pa.chunked_array([pa.array([2**60, 5], pa.timestamp("s"))]),
    ],
    ids=range(13),
)
def test_times_that_would_become_others_are_refused(times: Any) -> None:
    with pytest.raises(DataError, match=r"must hold times from the year -290000 to 290000: got .* in column 'when'"):
        metadata_columns({"when": times}, 2)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (np.array(["290000", "NaT"], "datetime64[Y]"), ["290000-01-01", "NaT"]),
        (np.array(["-290000", "2000"], "datetime64[Y]"), ["-290000-01-01", "2000-01-01"]),
        ([np.datetime64("2000-01-02"), datetime.date(2001, 1, 2)], ["2000-01-02", "2001-01-02"]),
        ([datetime.datetime(2000, 1, 2, 3, tzinfo=WEST), None], ["2000-01-02T08", "NaT"]),
        (np.array([1, -1], "datetime64[as]"), ["1970-01-01", "1969-12-31T23:59:59.999999"]),
        ([datetime.date(1, 1, 1), datetime.datetime(9999, 12, 31)], ["0001-01-01", "9999-12-31"]),
        (pl.Series([datetime.date(2000, 1, 2), None]), ["2000-01-02", "NaT"]),
        (pl.Series([datetime.datetime(2000, 1, 2, 3), None]), ["2000-01-02T03", "NaT"]),
        (pd.Series([pd.Timestamp("2000-01-02"), pd.NaT]), ["2000-01-02", "NaT"]),
        (pa.chunked_array([pa.array([datetime.date(2000, 1, 2), None])]), ["2000-01-02", "NaT"]),
        (pl.Series([datetime.datetime(2000, 1, 2, tzinfo=WEST), None]), ["2000-01-02T05", "NaT"]),
    ],
    ids=range(11),
)
def test_other_times_are_stored_to_the_microsecond(times: Any, expected: list[str]) -> None:
    (column,) = metadata_columns({"when": times}, 2).values()
    assert column.sql_type == "TIMESTAMP"
    gone = np.ma.getmaskarray(column.values) | np.isnat(np.ma.getdata(column.values))
    wanted = np.array(expected, "datetime64[us]")
    assert gone.tolist() == np.isnat(wanted).tolist()
    assert np.ma.getdata(column.values)[~gone].tolist() == wanted[~gone].tolist()


def test_a_column_of_no_times_fits_every_type() -> None:
    for nothing in (pl.Series([None, None], dtype=pl.Date), pd.Series([pd.NaT, pd.NaT])):
        assert metadata_columns({"when": nothing}, 2)["when"].sql_type == "NULL"


@pytest.mark.parametrize("value", [b"abc", bytearray(b"abc"), (1, 2), [1, 2], {1: 2}])
def test_values_that_are_sequences_are_refused_in_words(value: Any) -> None:
    # DuckDB gives the cells of a column of BLOB as bytearrays.
    with pytest.raises(DataTypeError, match=f"got {type(value).__name__} in column 'x'"):
        metadata_columns({"x": np.array([value, None, value, value, value], object)}, 5)


@pytest.mark.parametrize(
    ("values", "sql_type", "expected"),
    [
        ([1, None], "BIGINT", [1, None]),
        ([True, 7], "BIGINT", [1, 7]),
        ([np.int8(-1), True], "BIGINT", [-1, 1]),
        ([2**63 - 1, -(2**63)], "BIGINT", [2**63 - 1, -(2**63)]),
        (np.array([2**63 - 1, 0], np.uint64), "BIGINT", [2**63 - 1, 0]),
        ([True, None], "BOOLEAN", [True, None]),
        ([np.True_, False], "BOOLEAN", [True, False]),
        ([1, 0.5], "DOUBLE", [1.0, 0.5]),
        ([np.float32(0.5), True], "DOUBLE", [0.5, 1.0]),
        ([float("nan"), 2.0], "DOUBLE", [None, 2.0]),
        ([np.float32("nan"), 2**60], "BIGINT", [None, 2**60]),
        ([float("inf"), 2], "DOUBLE", [float("inf"), 2.0]),
        (np.array([0.5, np.nan], np.float32), "DOUBLE", [0.5, "nan"]),
        (np.ma.array([5, 6], mask=[True, False]), "BIGINT", [None, 6]),
        (np.ma.array(["a", "b"], mask=[True, False]), "VARCHAR", [None, "b"]),
        (["a", None], "VARCHAR", ["a", None]),
        (np.array(["a", "bc"]), "VARCHAR", ["a", "bc"]),
        (pl.Series([1, None]), "BIGINT", [1, None]),
        (pl.Series([0.5, 1.5], dtype=pl.Float32), "DOUBLE", [0.5, 1.5]),
        (pl.Series(["a", None]), "VARCHAR", ["a", None]),
        (np.ma.array([5, 6], mask=True), "NULL", [None, None]),
        (np.ma.array(["2000", "2001"], "datetime64[Y]", mask=True), "NULL", [None, None]),
        ([None, float("nan")], "NULL", [None, None]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_types_of_columns(values: Any, sql_type: str, expected: list[Any]) -> None:
    column = metadata_columns({"x": values}, 2)["x"]
    assert column.sql_type == sql_type
    found = ["nan" if value != value else value for value in column.values.tolist()]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]
    assert (column.values.dtype == object) == (sql_type in ("VARCHAR", "NULL"))


def test_no_rows_have_the_type_of_their_array() -> None:
    assert metadata_columns({"x": np.zeros(0)}, 0)["x"].sql_type == "DOUBLE"
    assert metadata_columns({"x": np.zeros(0, np.uint8)}, 0)["x"].sql_type == "BIGINT"
    assert metadata_columns({"x": []}, 0)["x"].sql_type == "VARCHAR"
    assert metadata_columns({"x": np.zeros(0, "datetime64[D]")}, 0)["x"].sql_type == "TIMESTAMP"
    assert metadata_columns(None, 5) == {}


@pytest.mark.parametrize(
    ("values", "error", "received"),
    [
        ([1, "a"], DataTypeError, "int, str in column 'x'"),
        ([True, datetime.date(2000, 1, 1)], DataTypeError, "bool, date in column 'x'"),
        ([1j, 2], DataTypeError, "complex, int in column 'x'"),
        (np.array([1j, 2]), DataTypeError, "dtype complex128 in column 'x'"),
        ([2**63, 1], DataError, f"got {2**63} in column 'x'"),
        ([1, -(2**63) - 1], DataError, f"got {-(2**63) - 1} in column 'x'"),
        (np.array([1, 2**63], np.uint64), DataError, f"got {2**63} in column 'x'"),
        ([10**400, 0.5], DataError, "an integer beyond all floats"),
        (["a\ud800", "b"], DataError, "got 1 strings with lone surrogates"),
        ([1], DataError, r"column 'x' of shape \(1,\) for 2 codes"),
        ([1, 2, 3], DataError, r"column 'x' of shape \(3,\) for 2 codes"),
        (np.zeros((2, 1)), DataError, r"column 'x' of shape \(2, 1\) for 2 codes"),
        (7, DataError, r"column 'x' of shape \(\) for 2 codes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_columns_that_are_refused(values: Any, error: type[Exception], received: str) -> None:
    with pytest.raises(error, match=received):
        metadata_columns({"x": values}, 2)


@pytest.mark.parametrize(
    "names", [["id"], ["ID"], ["rowid"], ["code_0"], ["Code_12"], ["c7"], [""], ["a\0"], ["\ud800"], [5]]
)
def test_names_that_are_refused(names: list[Any]) -> None:
    with pytest.raises(DataError, match="must have a unique name, a string other than"):
        metadata_columns({name: [1, 2] for name in names}, 2)
    with pytest.raises(DataError, match="must have a unique name"):
        metadata_columns({"x": [1, 2], "X": [1, 2]}, 2)
    assert list(metadata_columns({"code_01": [1, 2], "c": [1, 2], "ids": [1, 2]}, 2)) == ["code_01", "c", "ids"]


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(DataTypeError, match=r"must be a data frame or a mapping .*: got list"):
        metadata_columns([1, 2], 2)
