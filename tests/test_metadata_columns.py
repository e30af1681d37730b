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
    ids=range(11),
)
def test_times_that_would_become_others_are_refused(times: Any) -> None:
    with pytest.raises(DataError, match=r"must hold times from the year -290000 to 290000: got .* in column 'when'"):
        metadata_columns({"when": times}, 2)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (np.array(["290000", "NaT"], "datetime64[Y]"), ["290000-01-01", "NaT"]),
        (np.array([1, -1], "datetime64[as]"), ["1970-01-01", "1969-12-31T23:59:59.999999"]),
        ([datetime.date(1, 1, 1), datetime.datetime(9999, 12, 31)], ["0001-01-01", "9999-12-31"]),
        (pl.Series([datetime.date(2000, 1, 2), None]), ["2000-01-02", "NaT"]),
        (pl.Series([datetime.datetime(2000, 1, 2, 3), None]), ["2000-01-02T03", "NaT"]),
        (pd.Series([pd.Timestamp("2000-01-02"), pd.NaT]), ["2000-01-02", "NaT"]),
        (pa.chunked_array([pa.array([datetime.date(2000, 1, 2), None])]), ["2000-01-02", "NaT"]),
        (pl.Series([datetime.datetime(2000, 1, 2, tzinfo=WEST), None]), ["2000-01-02T05", "NaT"]),
    ],
    ids=range(8),
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
