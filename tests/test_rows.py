"""Data frames become arrays, or are refused in words; what is no frame stays as it is."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.arrays.rows import MAX_AXES, as_array, check_shape
from codeword.errors import CodewordError, DataError, DataTypeError


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "arrow"])
def test_a_frame_becomes_an_array_with_its_columns_in_order(make: Any) -> None:
    array = as_array(make({"b": [1.0, 2.0], "a": [3, 4]}))
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize("x", [np.ones((2, 2)), [[1, 2]], scipy.sparse.eye(2), None, 3, np.matrix([[1]])], ids=type)
def test_what_is_no_frame_stays_what_it_is(x: Any) -> None:
    assert as_array(x) is x


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (pd.DataFrame({"a": ["x"]}), DataTypeError),
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), DataError),
        (pl.DataFrame({"a": [1, None]}), DataError),
        (pl.LazyFrame({"a": [1, 2]}), DataTypeError),
        (pa.table({"a": [None, 1.5]}), DataError),
    ],
    ids=["text", "pandas NA", "polars null", "lazy", "arrow null"],
)
def test_a_frame_of_no_numbers_is_refused_in_words(frame: Any, error: type[CodewordError]) -> None:
    with pytest.raises(error, match=r"got "):
        as_finite_numbers(as_array(frame))


def test_rows_of_many_axes_are_refused_before_a_backend_fails_on_them() -> None:
    check_shape((3, *[1] * (MAX_AXES - 1)))
    with pytest.raises(DataError, match=r"at most 6 axes.* got 33\. Reshape"):
        check_shape((3, *[1] * 32))
    assert MAX_AXES == 6
