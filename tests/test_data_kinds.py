"""The table of data kinds: what is allowed, what the network sees, and what comes back."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.arrays.value_scan import scan_values
from codeword.data_kinds import (
    Binary,
    DataKind,
    Interactions,
    Levels,
    LossCall,
    Ratings,
    Real,
    UnitInterval,
    data_kind_from_config,
    data_kind_text,
    infer_data_kind,
    parse_data_kind,
)
from codeword.data_kinds.inference import num_classes, readings_of, scale_if_mostly_missing, scale_if_zero_is_missing
from codeword.data_kinds.level_edges import checked_levels, level_edges
from codeword.data_kinds.python_text import python_call, python_literal
from codeword.data_kinds.scaling import Scaling, is_far_from_unit_size, is_unscaled, standardization
from codeword.data_kinds.sentinels import sentinel_in
from codeword.errors import DataError, DataTypeError, ParameterError

FOUR = (0.0, 0.25, 0.5, 0.75)
UNEQUAL = (-3.0, 0.0, 0.5, 10.0)
KINDS = [Binary(), Levels(FOUR), UnitInterval(), Real()]

# squares of smaller ones are 0, so that they have no spread
ordinary_floats = st.floats(-1e30, 1e30).map(lambda value: value if abs(value) > 1e-100 else 0.0)
ascending = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9, unique=True).map(sorted)


def variants(x: np.ndarray) -> list[np.ndarray]:
    """The same numbers in other byte order, layout and protection."""
    read_only = x.copy()
    read_only.flags.writeable = False
    strided = np.repeat(x, 2, axis=-1)[..., ::2]
    return [x.astype(x.dtype.newbyteorder(">")), strided, np.asfortranarray(x), x[::-1][::-1], read_only]


# Levels and their edges


@pytest.mark.parametrize(
    ("edges", "expected"),
    [("midpoint", [-1.5, 0.25, 5.25]), ("floor", [0.0, 0.5, 10.0]), ([-2.9, 0.5, 7], [-2.9, 0.5, 7.0])],
)
def test_edges_lie_between_the_levels(edges: Any, expected: list[float]) -> None:
    assert level_edges(UNEQUAL, edges).tolist() == expected


@settings(deadline=None)
@given(ascending, hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-2e6, 2e6)))
def test_midpoint_takes_the_nearest_level(levels: list[float], x: np.ndarray) -> None:
    values = Levels(levels).quantize(x)
    distance = np.abs(x[:, None] - np.array(levels))
    np.testing.assert_allclose(np.abs(x - values), distance.min(axis=1), rtol=1e-9, atol=1e-6)


@settings(deadline=None)
@given(ascending, hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-2e6, 2e6)))
def test_floor_takes_the_greatest_level_that_is_not_above(levels: list[float], x: np.ndarray) -> None:
    expected = [max([level for level in levels if level <= value], default=levels[0]) for value in x]
    assert Levels(levels, edges="floor").quantize(x).tolist() == expected


def test_own_edges_cut_where_they_say() -> None:
    kind = Levels(UNEQUAL, edges=np.array([-2.9, 0.5, 7]))
    assert kind.quantize([-99, -2.91, -2.9, 0.49, 0.5, 6.99, 7, 99]).tolist() == [-3, -3, 0, 0, 0.5, 0.5, 10, 10]


@pytest.mark.parametrize(
    ("edges", "expected"),
    [("midpoint", [0.25, 0.5, 0.75]), ("floor", [0.0, 0.25, 0.5]), ([0.1, 0.3, 0.625], [0.25, 0.5, 0.75])],
)
def test_a_value_on_an_edge_belongs_to_the_upper_level(edges: Any, expected: list[float]) -> None:
    kind = Levels(FOUR, edges=edges)
    on_edges = level_edges(FOUR, edges)
    assert kind.quantize(on_edges).tolist() == list(FOUR[1:])
    assert kind.quantize(np.nextafter(on_edges, -1)).tolist() == list(FOUR[:-1])
    assert kind.quantize([0.125, 0.375, 0.625]).tolist() == expected


@pytest.mark.parametrize(
    ("edges", "received"),
    [
        ("nearest", "'nearest'"),
        ([0.1, 0.3], r"\[0.1, 0.3\]"),
        ([0.0, 0.3, 0.6], r"\[0.0, 0.3, 0.6\]"),
        ([0.26, 0.3, 0.6], r"\[0.26, 0.3, 0.6\]"),
        ([0.3, 0.1, 0.6], r"\[0.3, 0.1, 0.6\]"),
        ([0.1, 0.3, np.nan], "nan"),
        (["a", "b", "c"], r"\['a', 'b', 'c'\]"),
        (5, "5.0"),
        (None, "nan"),
        ([[0.1, 0.3, 0.6]], r"\[\[0.1, 0.3, 0.6\]\]"),
    ],
)
def test_edges_that_do_not_lie_between_the_levels_are_refused(edges: Any, received: str) -> None:
    with pytest.raises(ParameterError, match=f"got .*{received}"):
        Levels(FOUR, edges=edges)


def test_levels_may_be_given_as_their_count() -> None:
    assert Levels(4) == Levels(np.int64(4)) == Levels([0, 1, 2, 3])
    assert checked_levels(3) == (0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("values", "received"),
    [
        ([0, 2, 1], r"\[0.0, 2.0, 1.0\]"),
        ([0, 1, 1], r"\[0.0, 1.0, 1.0\]"),
        ([1], r"\[1.0\]"),
        ([], r"\[\]"),
        (1, r"\[0.0\]"),
        (-4, r"\[\]"),
        ([0, np.nan], r"\[0.0, nan\]"),
        ([0, np.inf], r"\[0.0, inf\]"),
        ([0, 10**400], r"\[0, 10000"),
        (65_537, "65537"),
        (True, "True"),
        (2.0, "2.0"),
        (None, "None"),
        ("0123", "'0123'"),
        (["low", "high"], r"\['low', 'high'\]"),
        ([[0, 1], [2, 3]], r"\[\[0, 1\], \[2, 3\]\]"),
    ],
)
def test_levels_that_are_not_ascending_numbers_are_refused(values: Any, received: str) -> None:
    with pytest.raises(ParameterError, match=f"got {received}"):
        Levels(values)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g"])
def test_floats_of_every_dtype_and_layout_are_read_as_levels(dtype: str) -> None:
    x = np.array([[0, 0.25], [0.75, 0.5], [0.5, 0.5]])
    for variant in variants(x.astype(dtype)):
        np.testing.assert_array_equal(Levels(FOUR).check(variant), x)


def test_a_level_that_lost_digits_in_a_narrower_dtype_is_still_that_level() -> None:
    kind = Levels([0, 0.1, 0.2])
    for dtype in ("f2", "f4", "f8"):
        assert kind.check(np.array([0.1, 0.2, 0], dtype)).tolist() == [0.1, 0.2, 0.0]
    assert kind.check(np.array([0.1 + 1e-8])).tolist() == [0.1]


@pytest.mark.parametrize("value", [0.1001, 0.0999, -0.0001, 0.15, 0.2001, -np.float64(1e30), np.float32(0.1001)])
def test_a_value_beside_its_level_is_refused(value: float) -> None:
    with pytest.raises(
        DataError, match=rf"got 1 other values, the first {re.escape(f'{value:.4g}')}.* at index \(1, 0\)"
    ):
        Levels([0, 0.1, 0.2]).check(np.array([[0.1], [value]], np.asarray(value).dtype))


@pytest.mark.parametrize(
    ("values", "given", "read_as"),
    [
        # every level an integer: integers are levels
        ((0, 1, 2), [0, 2, 1], [0, 2, 1]),
        ((-5, 7, 100), [100, -5, 7], [100, -5, 7]),
        # no level an integer: integers are class numbers
        ((0.1, 0.2, 0.3), [0, 2, 1], [0.1, 0.3, 0.2]),
        # some are, but each is its own class number, or could be none: still class numbers
        ((0, 0.25, 0.5, 0.75), [0, 3, 1], [0, 0.75, 0.25]),
        ((-2, -1.5, 9), [0, 2, 1], [-2, 9, -1.5]),
    ],
)
def test_integers_are_levels_or_class_numbers(values: tuple, given: list[int], read_as: list[float]) -> None:
    kind = Levels(values)
    for dtype in ("i1", ">i2", "i8", "u1", "u8") if min(given) >= 0 else ("i1", ">i2", "i8"):
        np.testing.assert_allclose(kind.check(np.array(given, dtype)), read_as)


def test_booleans_are_integers() -> None:
    assert Levels(2).check(np.array([True, False])).tolist() == [1, 0]
    assert Levels([0.25, 0.75]).check(np.array([True, False])).tolist() == [0.75, 0.25]


@pytest.mark.parametrize("values", [(0, 0.5, 1), (0.5, 2, 2.5), (1, 1.5)])
def test_integers_that_could_be_either_are_refused(values: tuple) -> None:
    with pytest.raises(DataError, match=r"got an integer array, .*Cast levels to float"):
        Levels(values).check(np.array([0, 1]))


def test_floats_are_never_ambiguous() -> None:
    assert Levels([0, 0.5, 1]).check(np.array([1.0, 0.0])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("x", "received"),
    [([0, 4], r"first 4 at index \(1,\)"), ([0, -1], "first -1"), (np.array([2**64 - 1], "u8"), "1844")],
)
def test_class_numbers_beyond_the_levels_are_refused(x: Any, received: str) -> None:
    with pytest.raises(DataError, match=f"class numbers from 0 to 3: got .*{received}"):
        Levels(FOUR).check(np.array(x))


def test_classes_are_the_index_of_the_level() -> None:
    assert Levels(UNEQUAL).classes(np.array([[10, -3], [0, 0.5]])).tolist() == [[3, 0], [1, 2]]


def test_the_table_is_as_wide_as_the_levels_need() -> None:
    assert Levels(FOUR).table.dtype == np.float32
    assert Levels([0, 0.1]).table.dtype == np.float64
    assert Levels([0, 0.1]).table.tolist() == [0, 0.1]


# What the head's output means


def test_each_loss_names_the_width_of_its_output() -> None:
    widths = {loss: Levels(FOUR, loss=loss).num_outputs for loss in Levels.losses}
    assert widths == {"crossentropy": 4, "ordinal": 3, "bin_insensitive": 1, "mse": 1, "staircase": 1}
    assert [kind.num_outputs for kind in (Binary(), UnitInterval(), Real())] == [1, 1, 1]
    assert [kind.num_channels for kind in KINDS] == [1, 4, 1, 1]


@pytest.mark.parametrize(
    ("kind", "output", "values"),
    [
        (Binary(), [-0.1, 0.0, 5.0], [0, 1, 1]),
        (Levels(FOUR), [[1, 2, 2, 0], [0, 0, 0, 9], [5, 4, 3, 2]], [0.25, 0.75, 0]),
        (Levels(FOUR, loss="ordinal"), [[3, 2, 1], [1, -1, -2], [0, 0, -1], [-3, -2, -1]], [0.75, 0.25, 0.5, 0]),
        (Levels(FOUR, loss="bin_insensitive"), [-9, 0.124, 0.125, 0.7], [0, 0, 0.25, 0.75]),
        (Levels(FOUR, loss="bin_insensitive", edges="floor"), [-9, 0.249, 0.25, 0.7], [0, 0, 0.25, 0.5]),
        (Levels(FOUR, loss="mse", edges="floor"), [0.249, 0.75, 99], [0, 0.75, 0.75]),
        (Levels(FOUR, loss="staircase", edges="floor"), [0.2499999, 0.25, 0.75], [0.25, 0.25, 0.75]),
        (UnitInterval(), [-1, 0.25, 2], [0, 0.25, 1]),
        (UnitInterval(loss="binary_crossentropy"), [-1000, 0, 1000, np.log(3)], [0, 0.5, 1, 0.75]),
        (UnitInterval(loss="binary_crossentropy"), [-np.log(3), np.log(1.5)], [0.25, 0.6]),
        (UnitInterval(maximum=2), [-1, 0.25, 2], [0, 0.5, 2]),
        (Levels(FOUR, loss="staircase"), [0.125, 0.375], [0.25, 0.5]),  # on an edge
        (Levels(32, loss="staircase"), [0.5, 30.5, 30.4], [1, 31, 30]),
    ],
    ids=str,
)
def test_an_output_becomes_a_value(kind: DataKind, output: list[Any], values: list[float]) -> None:
    restored = kind.from_network(np.array(output, np.float32), {})
    np.testing.assert_allclose(restored, values, rtol=1e-6, atol=0)
    assert restored.dtype == (np.uint8 if isinstance(kind, Binary) else np.float32)


@pytest.mark.parametrize("kind", [*(Levels(UNEQUAL, loss=loss) for loss in Levels.losses), Binary()], ids=str)
def test_only_values_of_the_kind_come_out(kind: DataKind) -> None:
    rng = np.random.default_rng(0)
    shape = (50, 2, kind.num_outputs) if kind.num_outputs > 1 else (50, 2)
    values = kind.from_network(rng.normal(0, 4, shape).astype(np.float32), {})
    assert values.shape == (50, 2)
    assert set(values.ravel()) <= set(getattr(kind, "values", (0, 1)))


@settings(deadline=None)
@given(hnp.arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32)))
def test_crossentropy_gives_softmax_probabilities(logits: np.ndarray) -> None:
    expected = [[1 / np.exp(np.minimum(row - value, 700)).sum() for value in row] for row in logits.astype(np.float64)]
    probabilities = Levels(FOUR).probabilities(logits)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-6)


@settings(deadline=None)
@given(hnp.arrays(np.float32, (3, 3), elements=st.floats(-1e4, 1e4, width=32)))
def test_ordinal_gives_probabilities_between_the_edges(logits: np.ndarray) -> None:
    # P(above edge i) = sigmoid(logit i), but never more than above the edge before; P(level) = the difference.
    above = 0.5 * (1 + np.tanh(logits.astype(np.float64) / 2))
    expected = np.empty((3, 4))
    for row in range(3):
        first, second, third = above[row, 0], min(above[row, :2]), min(above[row, :3])
        expected[row] = [1 - first, first - second, second - third, third]
    probabilities = Levels(FOUR, loss="ordinal").probabilities(logits)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-6)
    assert (probabilities >= 0).all()


@pytest.mark.parametrize("loss", ["crossentropy", "ordinal"])
def test_probabilities_of_rows_with_several_axes_are_those_of_each_cell(loss: str) -> None:
    kind = Levels(FOUR, loss=loss)
    logits = np.random.default_rng(0).normal(0, 3, (2, 3, kind.num_outputs))
    cells = [[kind.probabilities(cell) for cell in row] for row in logits]
    np.testing.assert_allclose(kind.probabilities(logits), cells, rtol=1e-6)


def test_a_real_output_has_no_probabilities() -> None:
    with pytest.raises(ParameterError, match="got 'mse'"):
        Levels(FOUR, loss="mse").probabilities(np.zeros((1, 2)))


# Binary, UnitInterval, Real


def test_binary_takes_zero_and_one_of_any_dtype() -> None:
    for dtype in ("?", "u1", ">i4", "f2", ">f8"):
        assert Binary().check(np.array([[1, 0]], dtype)).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("kind", "x", "received"),
    [
        (Binary(), [0, 2], r"1 other values, the first 2 at index \(1,\); min=0, max=2"),
        (Binary(), [0.5, 1], r"1 other values, the first 0.5 at index \(0,\)"),
        (
            UnitInterval(),
            [0, 128, 255],
            r"2 other values, the first 128 at index \(1,\); min=0, max=255. Pass the greatest",
        ),
        (UnitInterval(), [[0.5], [-1e-9]], r"1 other values, the first -1e-09 at index \(1, 0\)"),
        (Real(), [1e39], r"1 other values, the first 1e\+39"),
        (Real(), [0.0, -1e300], r"1 other values, the first -1e\+300"),
    ],
)
def test_values_outside_the_kind_are_refused(kind: DataKind, x: list[Any], received: str) -> None:
    with pytest.raises(DataError, match=f"got {received}"):
        kind.check(x)


def test_the_ends_of_the_range_belong_to_it() -> None:
    assert UnitInterval().check([0.0, 1.0]).tolist() == [0, 1]
    largest = float(np.finfo(np.float32).max)
    assert Real().check([largest, -largest]).tolist() == [largest, -largest]


def test_real_is_standardized_by_mean_and_spread() -> None:
    x = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 10.0]])
    statistics = Real().learn(x)
    assert {name: array.tolist() for name, array in statistics.items()} == {
        "mean": [3.0, 10.0],
        "scale": [np.sqrt(8 / 3), 1.0],
    }
    rows = Real().to_network(x, statistics)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[-np.sqrt(1.5), 0], [0, 0], [np.sqrt(1.5), 0]], rtol=1e-6)


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=ordinary_floats),
    st.sampled_from(["f4", "f8"]),
)
def test_standardizing_can_be_undone(x: np.ndarray, dtype: str) -> None:
    x = x.astype(dtype)
    statistics = Real().learn(x)
    rows = Real().to_network(x, statistics)
    back = Real().from_network(rows, statistics)
    # The network's input is float32: of the spread, and of values of the mean's size, this much is kept.
    room = 1e-6 * statistics["scale"] * np.abs(rows).max(axis=0) + 4e-16 * np.abs(statistics["mean"])
    assert (np.abs(back - x) <= room + 2e-12 * np.abs(x).max(axis=0)).all()
    assert np.abs(rows).max() <= np.sqrt(len(x)) * (1 + 1e-5) + 1e-3


def test_a_large_offset_does_not_drown_a_small_spread() -> None:
    x = 1.7e9 + np.array([[-1.0], [0.0], [1.0], [0.25]])
    statistics = Real().learn(x)
    rows = Real().to_network(x, statistics)
    np.testing.assert_allclose(rows.ravel(), (np.array([-1, 0, 1, 0.25]) - 0.0625) / x.std(), rtol=1e-5)
    np.testing.assert_allclose(Real().from_network(rows, statistics), x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1.7e9, 0.1e30, -3e38])
@pytest.mark.parametrize("num_rows", [1, 3, 1_000])
def test_a_constant_column_stands_at_zero_and_comes_back(constant: float, num_rows: int) -> None:
    x = np.full((num_rows, 1), constant)
    statistics = Real().learn(x)
    rows = Real().to_network(x, statistics)
    np.testing.assert_allclose(rows, np.zeros_like(x), atol=1e-3)
    np.testing.assert_allclose(Real().from_network(rows, statistics), x, rtol=1e-15)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_checked_values_enter_the_network_as_float32_of_the_same_shape(kind: DataKind) -> None:
    x = np.array([[[0], [1]], [[1], [0]]]) * (0.75 if isinstance(kind, Levels) else 1.0)
    for variant in variants(x):
        checked = kind.check(variant)
        rows = kind.to_network(checked, kind.learn(checked))
        assert (rows.dtype, rows.shape) == (np.float32, x.shape)
        assert rows.dtype.isnative
        if not isinstance(kind, Real):
            np.testing.assert_array_equal(rows, x)


# What is no array of finite numbers


@pytest.mark.parametrize(
    ("x", "error", "received"),
    [
        ([[1.0, np.nan]], DataError, r"1 NaN and 0 infinity \(inf\), the first at index \(0, 1\)"),
        ([[np.inf], [-np.inf]], DataError, r"0 NaN and 2 infinity \(inf\), the first at index \(0, 0\)"),
        ([[None, 1.0]], DataError, "1 NaN"),
        ([["a", "b"]], DataTypeError, "dtype <U1"),
        (np.array([[object()]]), DataTypeError, "objects, "),
        (np.array([[10**400]]), DataTypeError, "objects, "),
        ([[1, 2], [3]], DataTypeError, "list of uneven rows"),
        ([[1 + 2j]], DataError, "dtype complex128"),
        (scipy.sparse.csr_matrix([[0, 1]]), DataTypeError, "sparse csr_matrix"),
        (np.array(["2020-01-01"], "M8[D]"), DataTypeError, "dtype datetime64"),
        (np.array([3], "m8[s]"), DataTypeError, "dtype timedelta64"),
        (np.ma.array([1.0, 2.0], mask=[True, False]), DataError, "1 of them"),
        (None, DataError, "1 NaN"),
        (b"bytes", DataTypeError, r"dtype \|S5"),
        ({"a": 1}, DataTypeError, "objects, "),
    ],
)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_no_array_of_finite_numbers_is_refused(kind: DataKind, x: Any, error: type, received: str) -> None:
    with pytest.raises(error, match=f"got {received}") as caught:
        kind.check(x)
    assert type(caught.value) is error


def test_numbers_in_objects_and_lists_are_numbers() -> None:
    assert as_finite_numbers(np.array([1, 2.5], object)).tolist() == [1.0, 2.5]
    assert as_finite_numbers([[True], [False]]).dtype == bool
    assert as_finite_numbers(np.ma.array([1.0, 2.0], mask=False)).tolist() == [1.0, 2.0]
    assert as_finite_numbers(np.array([1], ">i4")).dtype.isnative


def test_native_arrays_are_not_copied() -> None:
    x = np.ones(3)
    assert np.shares_memory(as_finite_numbers(x), x)


# Telling the kind, comparing, settings


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (np.array([[True, False]]), Binary()),
        (np.array([[0.0, 1.0], [1.0, 1.0]]), Binary()),
        (np.zeros((4, 4)), Binary()),
        (np.tile(FOUR, 8), Levels(FOUR)),
        (np.tile(np.arange(16), 8), Levels(16)),
        (np.tile(np.arange(17), 100).reshape(50, 34), Real()),
        (np.tile(np.arange(17), 100).reshape(50, 2, 17), UnitInterval(maximum=16)),
        (np.tile(np.arange(17), 100), Levels(17)),  # one column of class numbers
        (np.tile(np.arange(17) / 16, 100), UnitInterval()),
        (np.tile(FOUR, 7), UnitInterval()),
        (np.random.default_rng(0).uniform(size=500), UnitInterval()),
        (np.random.default_rng(0).normal(size=500), Real()),
        (np.full(100, 5), Real()),
        (np.full(100, 0.5), UnitInterval()),
        (np.arange(256, dtype=np.uint8).repeat(99).reshape(99, 256), UnitInterval(maximum=255)),
        (np.tile([1, 2], 8).astype(">i8"), Levels([1, 2])),
    ],
)
def test_the_kind_is_told_from_the_values(x: np.ndarray, kind: DataKind) -> None:
    assert infer_data_kind(x) == kind


STARS = np.array([[0, 0, 5, 0], [1, 0, 0, 0], [0, 0, 0, 3]])


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (np.tile(STARS, (5, 1)), Levels([0, 1, 3, 5])),
        (STARS, Real()),  # too few cells to tell levels
        (np.tile(STARS, (5, 1)) / 2.0, Levels([0, 0.5, 1.5, 2.5])),
        (np.tile(STARS, (5, 1)) * 2, Levels([0, 2, 6, 10])),
    ],
)
def test_a_table_of_mostly_zeros_is_asked_about(x: np.ndarray, kind: DataKind) -> None:
    low, high = x[x > 0].min(), x.max()
    with pytest.warns(UserWarning, match="ratings or counts") as caught:
        assert infer_data_kind(x) == kind
    (text,) = [str(warning.message) for warning in caught]
    assert text.startswith(
        f"`x` is 0 in 75% of its cells, otherwise {low:g} to {high:g}: ratings or counts? It is treated as"
    )
    assert f"RatingAutoencoder(data=Ratings({low:g}, {high:g})).fit(scipy.sparse.csr_array(x))" in text
    assert 'losses.Masked("mse", missing=0)' in text
    assert f"data={python_call(kind)}, or data=Real()" in text
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "x",
    [
        np.tile(STARS, (5, 1)).reshape(5, 3, 4),  # images
        np.tile(STARS.ravel(), 5)[:, None],  # a single column
        np.tile(STARS.ravel(), 5),
        np.tile(STARS != 0, (5, 1)),
        np.tile(STARS, (5, 1)) * 3,  # up to 15
        np.tile(STARS, (5, 1)) / 4,
        np.tile(STARS, (5, 1)) - (STARS == 5)[0, 2] * 1,
        np.tile([[0, 1, 5, 0]], (9, 1)),  # half are 0, not most
        np.tile([[0, 0, 5, 0]], (9, 1)),  # one value beside 0
        scipy.sparse.csr_array(STARS),
    ],
)
def test_other_data_is_not_asked_about(x: Any) -> None:
    infer_data_kind(x)


def test_a_file_is_read_in_pieces(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 4, (5_000, 700)).astype(np.float32) / 4
    np.save(tmp_path / "x.npy", x)
    assert infer_data_kind(np.load(tmp_path / "x.npy", mmap_mode="r")) == Levels(FOUR)
    x[-1, -1] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DataError, match=r"got 1 NaN and 0 infinity \(inf\), the first at index \(4999, 699\)"):
        infer_data_kind(np.load(tmp_path / "x.npy", mmap_mode="r"))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_no_values_tell_no_kind(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"got shape \("):
        infer_data_kind(np.empty(shape))


@pytest.mark.parametrize(
    ("kind", "activation", "loss", "output_shape"),
    [
        (Binary(), "linear", "keras.losses.BinaryCrossentropy(from_logits=True)", (3, 2)),
        (UnitInterval(), "sigmoid", "keras.losses.MeanSquaredError()", (3, 2)),
        (
            UnitInterval("binary_crossentropy"),
            "linear",
            "keras.losses.BinaryCrossentropy(from_logits=True)",
            (3, 2),
        ),
        (Real(), "linear", "keras.losses.MeanSquaredError()", (3, 2)),
        (Real("mae"), "linear", "keras.losses.MeanAbsoluteError()", (3, 2)),
        (Interactions(), "linear", "keras.losses.BinaryCrossentropy(from_logits=True)", (3, 2)),
        (Ratings(1, 5), "linear", 'cw.losses.Masked(loss="mse", missing=0)', (3, 2)),
        (Ratings(0, 5), "linear", 'cw.losses.Masked(loss="mse", missing=float("nan"))', (3, 2)),
        (Levels(3), "linear", "cw.losses.LevelCrossentropy(levels=[0, 1, 2])", (3, 2, 3)),
        (Levels(2, loss="ordinal"), "linear", "cw.losses.OrdinalCrossentropy(levels=[0, 1])", (3, 2, 1)),
        (
            Levels(3, loss="bin_insensitive", edges=[0.25, 2]),
            "linear",
            "cw.losses.BinInsensitive(levels=[0, 1, 2], edges=[0.25, 2])",
            (3, 2),
        ),
        (
            Levels(3, loss="mse", edges="floor"),
            "linear",
            'cw.losses.LevelSquaredError(levels=[0, 1, 2], edges="floor")',
            (3, 2),
        ),
        (Levels(3, loss="staircase"), "staircase", "keras.losses.MeanSquaredError()", (3, 2)),
    ],
)
def test_the_table_says_what_the_head_is(
    kind: DataKind, activation: str, loss: str, output_shape: tuple[int, ...]
) -> None:
    assert kind.activation == activation
    assert isinstance(kind.loss_call, LossCall)
    assert str(kind.loss_call) == loss
    assert kind.output_shape((3, 2)) == output_shape


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1 / 3, "0.3333333333333333"),
        (1e20, "1e+20"),
        (3.0, "3"),
        (-0.25, "-0.25"),
        (float("nan"), 'float("nan")'),
        (float("-inf"), 'float("-inf")'),
        (("a", 1, None, True), '["a", 1, None, True]'),
    ],
)
def test_plain_values_are_written_as_python(value: Any, text: str) -> None:
    assert python_literal(value) == text
    np.testing.assert_equal(eval(text), list(value) if isinstance(value, tuple) else value)


def test_metrics_of_few_values_count_exact_cells_and_rows() -> None:
    x, y = np.array([[[1], [0]], [[1], [1]], [[0], [0]]]), np.array([[[1], [0]], [[0], [1]], [[1], [1]]])
    for kind in (Binary(), Levels(2)):
        assert kind.metrics(x, y, {}) == {"cells_exact": 3 / 6, "rows_exact": 1 / 3}
        assert kind.metrics(x[:2], y[:2], {}) == {"cells_exact": 3 / 4, "rows_exact": 1 / 2}


def test_metrics_of_real_numbers_are_squared_errors() -> None:
    x, y = np.array([[1.0, 0.5]]), np.array([[0.5, 0.5]], np.float32)
    assert UnitInterval().metrics(x, y, {}) == {"mse": 0.125}
    assert Real().metrics(x, y, {"mean": np.zeros(2), "scale": np.array([0.25, 1.0])}) == {"mse": (0.5 / 0.25) ** 2 / 2}


every_kind = st.one_of(
    st.just(Binary()),
    st.just(Interactions()),
    st.sampled_from([UnitInterval(loss=loss) for loss in UnitInterval.losses]),
    st.sampled_from([Real(loss=loss) for loss in Real.losses]),
    st.builds(Levels, ascending, edges=st.sampled_from(["midpoint", "floor"]), loss=st.sampled_from(Levels.losses)),
    ascending.map(lambda levels: Levels(levels, edges=level_edges(levels, "floor"))),
    st.sampled_from([Ratings(1, 5), Ratings(-10, 10.5), Ratings(0.5, 5, step=0.5), Ratings(1, 5, missing=0)]),
)


@settings(deadline=None)
@given(every_kind)
def test_settings_survive_json(kind: DataKind) -> None:
    assert data_kind_from_config(json.loads(json.dumps(kind.to_config()))) == kind


@settings(deadline=None)
@given(every_kind)
def test_a_kind_written_as_python_makes_it_again(kind: DataKind) -> None:
    assert eval(python_call(kind)) == kind


def test_python_leaves_out_what_is_the_default() -> None:
    assert python_call(Levels(4)) == "Levels(4)"
    assert python_call(Levels(FOUR, edges="floor")) == 'Levels([0, 0.25, 0.5, 0.75], edges="floor")'
    assert python_call(Ratings(0.5, 5, step=0.5)) == "Ratings(0.5, 5, step=0.5)"
    assert python_call(Real(spread="common")) == 'Real(spread="common")'


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Binary(), "binary"),
        (UnitInterval(), "unit"),
        (UnitInterval(maximum=255), "unit:255"),
        (Real(), "real"),
        (Real(spread="each"), "real:each"),
        (Real(spread="common"), "real:common"),
        (Levels(FOUR), "levels:0,0.25,0.5,0.75"),
        (Levels(2), "levels:0,1"),
        (Interactions(), "interactions"),
        (Ratings(1, 5), "ratings:1-5"),
        (Ratings(-1, 5, 0.5), "ratings:-1-5/0.5"),
        (Ratings(1, 5, 0.5, missing=-1), "ratings:1-5/0.5,missing=-1"),
        (Real("mae"), None),
        (Levels(FOUR, edges="floor"), None),
        (Levels(FOUR, loss="mse"), None),
        (Ratings(0, 1e20), None),
    ],
)
def test_a_kind_is_written_for_the_command_line_where_it_has_words(kind: DataKind, text: str | None) -> None:
    assert data_kind_text(kind) == text
    assert text is None or parse_data_kind(text) == kind


@pytest.mark.parametrize(
    ("config", "received"),
    [
        ({}, "None"),
        ({"kind": "Ordinal"}, "'Ordinal'"),
        ({"kind": ["Real"]}, r"\['Real'\]"),
        ({"kind": "UnitInterval", "maximum": 0}, "0"),
        ({"kind": "UnitInterval", "maximum": float("inf")}, "inf"),
        ({"kind": "Levels"}, "{}"),
        ({"kind": "Real", "values": 3}, "{'values': 3, 'spread': 'each'}"),
        ({"kind": "Real", "loss": "bce"}, "'bce'"),
        ({"kind": "Levels", "values": [0, 1], "edges": ["x"], "loss": "mse"}, r"\['x'\]"),
    ],
)
def test_a_config_that_describes_no_data_kind_is_refused(config: dict[str, Any], received: str) -> None:
    with pytest.raises(ParameterError, match=f"got {received}"):
        data_kind_from_config(config)


@pytest.mark.parametrize("make", [Binary, UnitInterval, Real, lambda loss: Levels(2, loss=loss)])
def test_a_loss_of_another_kind_is_refused(make: Any) -> None:
    with pytest.raises(ParameterError, match=r"`loss` must be .*: got 'hinge'"):
        make(loss="hinge")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("binary", Binary()),
        (" Unit ", UnitInterval()),
        ("unit:255", UnitInterval(maximum=255)),
        ("real", Real()),
        ("levels:4", Levels(4, edges="floor")),
        ("levels:0,.25,.5,.75", Levels(FOUR, edges="floor")),
        ("ratings:1-5", Ratings(1, 5)),
        ("ratings:.5-5/.5", Ratings(0.5, 5, step=0.5)),
        ("ratings:-10--1.5", Ratings(-10, -1.5)),
    ],
)
def test_the_command_line_writes_data_kinds_short(text: str, kind: DataKind) -> None:
    assert parse_data_kind(text, edges="floor") == kind


@pytest.mark.parametrize(
    "text",
    ["", "levels", "levels:", "levels:a,b", "stars:5", "binary:2", "unit:a", "levels:0;1", "ratings:1", "ratings"],
)
def test_text_that_is_no_data_kind_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=f"got '{text}'"):
        parse_data_kind(text)


def test_ratings_are_checked_against_the_scale() -> None:
    assert Ratings(-1, 5).check([-1, 0, 5]).tolist() == [-1, 0, 5]
    with pytest.raises(
        DataError, match=r"between 1 and 5: got 0 to 4, 2 of 3 outside\. 2 of them are 0: if 0 means not"
    ):
        Ratings(1, 5).check([0, 0, 4])
    with pytest.raises(DataError, match=r"got 1 to 7, 1 of 2 outside\. If the scale is wrong, use Ratings\(1, 7\) "):
        Ratings(1, 5).check([1, 7])
    for sentinel, scale in ((-1, "-1, 10"), (99, "1, 99")):
        told = rf"3 of them are {sentinel}: if {sentinel} means not rated, use Ratings\(1, 10, missing={sentinel}"
        told += rf".*; if the scale is wrong, use Ratings\({scale}\)"
        with pytest.raises(DataError, match=told):
            Ratings(1, 10).check([sentinel, 3, sentinel, 10, sentinel])
    with pytest.raises(DataError, match=r"got 1 NaN"):
        Ratings(1, 5).check([1, np.nan])
    with pytest.raises(DataError, match=r"multiples of 0\.5 above 1: got 1 others, the first 1\.3"):
        Ratings(1, 5, step=0.5).check([1.3, 2.5])


@pytest.mark.parametrize("counts", [[1], [1, 1, 1], [0.25, 700.0], np.uint8([1, 255])])
def test_counts_above_0_are_interactions(counts: Any) -> None:
    np.testing.assert_array_equal(Interactions().check(counts), counts)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 0, 1], r"above 0: got 0 to 3, 1 of 3 not above 0\. Drop .* use Ratings\(0, 3\)\."),
        ([-1, -1], r"above 0: got -1 to -1, 2 of 2 not above 0\. Drop those rows [^R]*does not occur\.$"),
        ([True, False], r"got 0 to 1, 1 of 2"),
        ([1, np.nan], r"finite: got 1 NaN"),
        ([1, np.inf], r"1 infinity"),
    ],
)
def test_counts_that_are_none_are_refused(counts: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Interactions().check(counts)


def test_the_output_of_interactions_says_what_is_taken() -> None:
    assert Interactions().from_network(np.array([-0.1, 0.0, 3.0]), {}).tolist() == [0, 1, 1]
    assert Interactions().values_code("y") == "y >= 0"


@pytest.mark.parametrize("number", [-1, 99])
def test_a_number_that_lies_apart_means_not_rated_and_no_wider_scale(number: float) -> None:
    with pytest.raises(DataError, match=r"3 of them are -?\d+, which lies apart from the others, 1 to 10, and") as told:
        Ratings(1, 10).check(np.array([*range(1, 11), number, number, number]))
    words = f"use Ratings(1, 10, missing={number}) (on the command line: --data ratings:1-10,missing={number})."
    assert str(told.value).endswith(words)
    assert parse_data_kind(f"ratings:1-10,missing={number}") == Ratings(1, 10, missing=number)


def test_times_are_no_ratings() -> None:
    with pytest.raises(DataError, match=r"2 of 2 outside\. They look like times\. Name the column of ratings with"):
        Ratings(1, 5).check([881250949, 891717742])


@pytest.mark.parametrize(
    ("ratings", "found"),
    [
        ([1, 2, 3, 4, 5, -1, -1], (-1, 2, 1, 5)),
        ([1, 2, 3, 4, 5, 99, 99], (99, 2, 1, 5)),
        ([-10, -9.5, 0.25, 9.5, 99, 99, 99], (99, 3, -10, 9.5)),
        ([10, 20, 30, 40, 500, 500], (500, 2, 10, 40)),
        ([1, 2, 3, 4, 5, 99], None),  # once: a slip
        ([1, 2, 3, 4, 5, 0, 0], None),  # the next step of the scale
        ([1, 3, 4, 5, 1], None),
        ([-1, 0, 1, -1], None),
        ([-1, 1, -1, 1], None),
        ([0, 25, 50, 75, 100, 100], None),
        ([], None),
    ],
)
def test_numbers_for_not_rated_are_known_by_their_distance(ratings: list[float], found: Any) -> None:
    apart = sentinel_in(np.array(ratings, np.float32))
    assert (None if apart is None else tuple(apart)) == found


def test_ratings_come_back_within_the_scale_and_on_its_steps() -> None:
    stars = Ratings(0.5, 5, step=0.5)
    assert stars.from_network(np.array([-3.0, 2.2, 9.0]), {}).tolist() == [0.5, np.float32(2.2), 5.0]
    assert stars.quantize([0.74, 0.75, 4.9]).tolist() == [0.5, 1.0, 5.0]
    assert stars.levels.tolist() == np.arange(1, 11).__truediv__(2).tolist()
    assert Ratings(0, 1, step=0.1).check(np.array([0.3, 0.7], np.float32)).shape == (2,)
    with pytest.raises(ParameterError, match=r"must have a `step` to round to: got Ratings\(low=1\.0"):
        Ratings(1, 5).quantize([2])


def test_metrics_of_ratings_are_their_errors() -> None:
    assert Ratings(1, 5).metrics(np.array([1.0, 5.0]), np.array([1.0, 3.0]), {}) == {"rmse": np.sqrt(2), "mae": 1.0}


@pytest.mark.parametrize(
    ("scale", "received"),
    [
        ((5, 1), r"Ratings\(5, 1\)"),
        ((1, 1), r"Ratings\(1, 1\)"),
        ((1, float("nan")), "nan"),
        (("1", 5), "'1'"),
        ((True, 5), "True"),
        ((1, 5, 0.3), "0.3"),
        ((1, 5, 0), "0"),
        ((1, 5, -1), "-1"),
        ((0, 5, 1e-9), "1e-09"),
        ((1, 5, None, 3), "3"),
        ((1, 5, None, float("nan")), "nan"),
    ],
)
def test_a_scale_that_is_none_is_refused(scale: tuple[Any, ...], received: str) -> None:
    with pytest.raises(ParameterError, match=f"`(low|high|step|missing)` .*: got {received}"):
        Ratings(*scale)


def test_a_sparse_matrix_holds_ratings() -> None:
    stored = scipy.sparse.csr_array((np.array([2.0, 0.0, 4.5]), ([0, 1, 2], [0, 0, 1])), shape=(9, 9))
    assert infer_data_kind(stored) == Ratings(0, 4.5)
    assert infer_data_kind(scipy.sparse.eye_array(3)) == Interactions()
    assert infer_data_kind(scipy.sparse.eye_array(3) * -1) == Ratings(-1, 0)
    with pytest.raises(DataError, match="none stored"):
        infer_data_kind(scipy.sparse.csr_array((3, 3)))


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"userId": [1, 1], "movieId": [2, 3], "rating": [1.0, 4.5], "timestamp": [5, 6]}, Ratings(1, 4.5)),
        ({"userId": [1, 1], "movieId": [2, 3], "rating": [1.0, 4.5], "title": ["a", "b"]}, Ratings(1, 4.5)),
        ({"userId": ["a", "b"], "movieId": [2, 3]}, Interactions()),
        ({"user": [1, 1], "item": [2, 3], "plays": [1, 4]}, Interactions()),
        ({"user": [1, 1], "item": [2, 3], "rating": [1, 523]}, Interactions()),
        ({"user": [1, 1], "item": [2, 3], "rating": [5, 5]}, Interactions()),
        ({"customer": [1, 1], "product": [2, 3], "price": [1.5, 4.5]}, Real()),
        ({"a": [1.0, 1.5], "b": [2.5, 3.0]}, Real()),
    ],
)
@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_frame_of_ids_holds_ratings_or_interactions(library: Any, columns: dict[str, Any], kind: DataKind) -> None:
    assert infer_data_kind(library(columns)) == kind


@pytest.mark.parametrize(
    ("ratings", "kinds"),
    [
        ([1, 2, 3, 99, 99], ("Ratings(1, 3, missing=99)", "Ratings(1, 99)")),
        ([0, 0, 0, 1, 2], ("Ratings(1, 2, missing=0)", "Ratings(0, 2)")),
    ],
)
def test_a_number_for_not_rated_is_asked_for(ratings: list[float], kinds: tuple[str, str]) -> None:
    frame = pd.DataFrame({"user": np.arange(5), "item": np.arange(5), "rating": ratings})
    with pytest.warns(
        UserWarning, match=re.escape(f"treated as {kinds[0]}. If all numbers are ratings, use {kinds[1]}.")
    ):
        assert python_call(infer_data_kind(frame)) == kinds[0]


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8", "g"])
def test_unit_interval_tells_its_ends_from_what_lies_just_beyond(dtype: str) -> None:
    ends = np.array([[-0.0, 0.0, 1.0]], dtype)
    np.testing.assert_array_equal(UnitInterval().check(np.asfortranarray(ends)), ends)
    one = np.ones((), np.dtype(dtype).newbyteorder("="))
    for beyond in (np.nextafter(one, 2 * one), np.nextafter(0 * one, -one), np.nan, np.inf, -np.inf):
        with pytest.raises(DataError, match=r"got [01] "):
            UnitInterval().check(np.array([[0.5, beyond]], dtype))


def test_a_known_maximum_scales_there_and_back() -> None:
    kind = UnitInterval(maximum=255)
    x = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rows = kind.to_network(kind.check(x), {})
    np.testing.assert_array_equal(rows, x.astype(np.float32) / 255)
    np.testing.assert_allclose(kind.from_network(rows, {}), x, rtol=1e-6)
    assert kind.metrics(x, x + 51.0, {}) == {"mse": pytest.approx(0.04)}
    assert kind.to_config() == {"kind": "UnitInterval", "loss": "mse", "maximum": 255.0}
    assert UnitInterval().to_config() == {"kind": "UnitInterval", "loss": "mse"}
    with pytest.raises(DataError, match=r"must be from 0 to 255, the range of UnitInterval\(maximum=255\)"):
        kind.check([[256, 3]])


# What scanned values may mean, at the limits


def mostly_missing(shares: Sequence[float], count: int) -> np.ndarray:
    x = np.full((2, 10), np.nan)
    x.reshape(-1)[:count] = np.resize(shares, count)
    return x


@pytest.mark.parametrize(
    ("x", "scale"),
    [
        (mostly_missing([1, 5], 10), None),  # exactly half is missing
        (mostly_missing([1, 5], 9), Ratings(1, 5)),
        (mostly_missing([3], 9), None),
        (mostly_missing([1, 5], 9)[None], None),
    ],
)
def test_a_table_that_is_mostly_nan_may_be_ratings(x: np.ndarray, scale: Ratings | None) -> None:
    assert scale_if_mostly_missing(scan_values(x)) == scale


def mostly_zero(values: Sequence[float], count: int) -> np.ndarray:
    x = np.zeros((2, 10))
    x.reshape(-1)[:count] = np.resize(values, count)
    return x


@pytest.mark.parametrize(
    ("x", "scale"),
    [
        (mostly_zero([1, 5], 10), None),  # exactly half is 0
        (mostly_zero([1, 5], 9), Ratings(1, 5)),
        (mostly_zero([0.5, 10], 9), Ratings(0.5, 10)),
        (mostly_zero([0.5, 10.5], 9), None),
        (mostly_zero([0.25, 5], 9), None),
        (mostly_zero([-1, 5], 9), None),
        (mostly_zero([5], 9), None),
        (mostly_zero([1, 5], 9)[None], None),
        (mostly_zero([1, 5], 9).reshape(20, 1), None),
    ],
)
def test_a_table_that_is_mostly_0_may_be_ratings(x: np.ndarray, scale: Ratings | None) -> None:
    assert scale_if_zero_is_missing(scan_values(x)) == scale


@pytest.mark.parametrize(
    ("y", "first", "count"),
    [
        ([0, 1, 2] * 2, (0,), 3),
        ([0, 1, 2, 0, 1], (0,), None),  # less than twice each
        ([0, 1] * 3, (0,), None),
        ([0, 1, 3] * 2, (0,), None),
        ([1, 2, 3] * 2, (0,), None),
        ([1, 2, 3] * 2, (0, 1), 3),
        ([0, 0.5, 2] * 2, (0,), None),
        (list(range(1000)) * 2, (0,), 1000),
        (list(range(1001)) * 2, (0,), None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_class_numbers_are_counted_at_least_twice_each(y: list[float], first: tuple, count: int | None) -> None:
    assert num_classes(scan_values(np.array(y)), first=first) == count


@pytest.mark.parametrize(
    ("x", "kinds"),
    [
        (np.resize([0, 1], (4, 4)), (Binary(),)),
        (np.resize([0, 2], (4, 4)), (Levels([0, 2]),)),  # eight cells per level
        (np.resize([0, 2], (3, 5)), (Real(), UnitInterval(maximum=2))),
        (np.resize(np.arange(16) / 4, (8, 16)), (Levels(np.arange(16) / 4),)),
        (np.resize(np.arange(17) / 4, (8, 17)), (Real(),)),
        (np.linspace(0, 1, 20).reshape(4, 5), (UnitInterval(),)),
        (np.linspace(0, 1.01, 20).reshape(4, 5), (Real(),)),
        (np.linspace(-0.01, 1, 20).reshape(4, 5), (Real(),)),
        (np.arange(32, dtype=np.uint8).reshape(4, 8), (Real(), UnitInterval(maximum=31))),
        (np.arange(1, 33, dtype=np.uint8).reshape(4, 8), (UnitInterval(maximum=255),)),
        (np.arange(1, 33).reshape(4, 8), (Real(), UnitInterval(maximum=32))),
        (np.arange(127, 107, -1).reshape(4, 5), (Real(), UnitInterval(maximum=127))),
        (np.arange(128, 108, -1).reshape(4, 5), (Real(), UnitInterval(maximum=255))),
        (np.arange(255, 235, -1).reshape(4, 5), (UnitInterval(maximum=255), Real())),
        (np.arange(255, 235, -1).reshape(4, 5, 1), (UnitInterval(maximum=255),)),
        (np.arange(127, 107, -1).reshape(4, 5, 1), (UnitInterval(maximum=127), Real())),
        (np.arange(256, 236, -1).reshape(4, 5), (Real(),)),
        (np.arange(19, -1, -1).reshape(4, 5) - 1, (Real(),)),
        (np.arange(20).reshape(20, 1), (Real(),)),
        (np.full((4, 5), 7), (Real(),)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_scanned_values_may_mean(x: np.ndarray, kinds: tuple[DataKind, ...]) -> None:
    assert readings_of(scan_values(x)).kinds == kinds


# Limits and tolerances


def test_levels_are_at_most_65536_and_within_float32() -> None:
    largest = float(np.finfo(np.float32).max)
    assert len(checked_levels(65_536)) == 65_536
    assert len(checked_levels(range(65_536))) == 65_536
    assert checked_levels([-largest, largest]) == (-largest, largest)
    for too_many in (65_537, range(65_537)):
        with pytest.raises(ParameterError, match=r"`levels` must be .*65536"):
            checked_levels(too_many)
    for beyond in ([-1.1 * largest, 0], [0, 1.1 * largest]):
        with pytest.raises(ParameterError, match=r"must lie within ±3\.4e\+38"):
            checked_levels(beyond)


@pytest.mark.parametrize(
    ("scale", "near", "beside"),
    [
        (Ratings(1, 5, step=0.5), 4e-5, 6e-5),  # a ten-thousandth of a step
        (Ratings(0, 60_000, step=1), 7.0e-3, 7.3e-3),  # what float32 rounds at the end of the scale
        (Ratings(-60_000, 0, step=1), 7.0e-3, 7.3e-3),
        (Ratings(1e6, 1e6 + 4, step=0.125), 0.061, 0.0615),  # but never half a step
    ],
)
def test_ratings_may_be_off_their_step_by_what_float32_rounds(scale: Ratings, near: float, beside: float) -> None:
    middle = scale.levels[2]
    scale.check([middle + near, middle - near])
    for x in (middle + beside, middle - beside):
        with pytest.raises(DataError, match="must be multiples of"):
            scale.check([middle, x])


def test_the_ends_of_what_a_scale_may_be() -> None:
    assert Ratings(1, 5, step=4).levels.tolist() == [1, 5]
    assert len(Ratings(0, 65_535, step=1).levels) == 65_536
    assert Ratings(-1e30, 1e30).high == 1e30
    for low, high, step in ((1, 5, 8), (0, 65_536, 1), (-1.1e30, 0, None), (0, 1.1e30, None), (1, 1 + 1e-9, None)):
        with pytest.raises(ParameterError, match=r"Ratings|`step`"):
            Ratings(low, high, step)


@pytest.mark.parametrize(("scale", "has_zero"), [((0, 5), True), ((-5, 0), True), ((-1, 1), True), ((1, 5), False)])
def test_zero_is_missing_only_where_it_is_no_rating(scale: tuple[float, float], has_zero: bool) -> None:
    missing = Ratings(*scale).loss_call.arguments["missing"]
    assert np.isnan(missing) if has_zero else missing == 0


def test_zeros_off_the_scale_are_named_even_if_there_is_one() -> None:
    with pytest.raises(DataError, match=r"1 of them are 0: if 0 means not rated, use Ratings\(1, 5, missing=0\)"):
        Ratings(1, 5).check([0, 3])
    with pytest.raises(DataError, match=r"use Ratings\(-2, 7\) \("):
        Ratings(1, 5).check([-2, 7])


def test_one_spread_for_all_columns_keeps_their_ratio() -> None:
    x = np.array([[0.0, 10.0], [2.0, 50.0]])
    statistics = Real(spread="common").learn(x)
    np.testing.assert_allclose(statistics["scale"], [np.sqrt((1 + 400) / 2)] * 2)
    vast = Real().learn(np.array([[1e14, 1.0], [1e14 + 1, 3.0]]))
    assert vast["scale"].tolist() == [1e-12 * (1e14 + 1), 1.0]  # a constant up to rounding
    assert Real().learn(np.array([[5.0], [5.0]]))["scale"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("scales", "keep_distances", "spread"),
    [
        ([1, 2, 9], False, "common"),
        ([1, 2, 11], False, "each"),
        ([1, 2, 11], True, "common"),
        ([1, 0, 2], False, "common"),  # a constant column has no spread
        ([0, 0, 0], False, "common"),
    ],
)
def test_columns_of_one_kind_share_a_spread(scales: list[float], keep_distances: bool, spread: str) -> None:
    x = np.array([[-1.0], [1.0]]) * scales
    assert Real().settled(x, keep_distances=keep_distances) == Real(spread=spread)
    for chosen in ("each", "common"):
        assert Real(spread=chosen).settled(x, keep_distances=keep_distances).spread == chosen
    assert UnitInterval().settled(x, keep_distances=keep_distances) == UnitInterval()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_inferred_numbers_are_looked_at_only_for_their_size(dtype: str) -> None:
    x = np.array([[1, 2]], np.dtype(dtype).newbyteorder(">"))
    assert Real().as_inferred(x).dtype == np.dtype(dtype)
    if dtype == "f8":
        with pytest.raises(DataError, match=r"within ±3\.4e\+38, float32's"):
            Real().as_inferred(np.array([[1.0, 1e39]]))


# How kinds are described, and written as Python


@pytest.mark.parametrize(
    ("kind", "meaning", "scaling", "word", "comment"),
    [
        (Binary(), "yes or no", "None: 0 and 1", "binary", "  # logits, no activation"),
        (UnitInterval(), "shares or brightness, from 0 to 1", "None: values from 0 to 1", "unit", ""),
        (UnitInterval(maximum=255), "shares or brightness, from 0 to 255", "x / 255, the", "unit:255", ""),
        (UnitInterval(maximum=2), "shares or brightness, from 0 to 2", "x / 2, the", "unit:2", ""),
        (UnitInterval("binary_crossentropy"), "shares", "None", "unit", "  # logits, no activation"),
        (Real(), "any finite", "(x - mean)", "real", "  # linear: any number"),
        (Levels(3), "few ordered", "None: each", "levels:0,1,2", "  # one logit per level"),
        (Levels(3, loss="ordinal"), "few ordered", "None: each", "levels:0,1,2", "  # one logit per edge"),
        (Levels(3, loss="mse"), "few ordered", "None: each", "levels:0,1,2", ""),
        (Ratings(1, 5, 0.5), "ratings on", "RatingAutoencoder", "ratings:1-5/0.5", ""),
    ],
    ids=str,
)
def test_kinds_describe_themselves(kind: DataKind, meaning: str, scaling: str, word: str, comment: str) -> None:
    assert kind.meaning.startswith(meaning)
    assert kind.scaling.startswith(scaling)
    assert (kind.word, kind.head_comment) == (word, comment)


@pytest.mark.parametrize(
    ("kind", "x"),
    [
        (Binary(), np.array([[0, 1], [1, 1]])),
        (UnitInterval(), np.array([[0.0, 0.25], [1, 0.5]])),
        (UnitInterval(maximum=255), np.array([[0, 51], [255, 102]])),
        (UnitInterval(maximum=2), np.array([[0, 1.5], [2, 0.5]])),
        (Real(), np.array([[1.0, 5], [3, 9]])),
        (Levels(FOUR), np.array([[0, 0.25], [0.75, 0.5]])),
        (Levels(FOUR, loss="ordinal"), np.array([[0, 0.25], [0.75, 0.5]])),
    ],
    ids=str,
)
def test_the_python_that_is_shown_does_what_the_kind_does(kind: DataKind, x: np.ndarray) -> None:
    statistics = kind.learn(x.astype(float))
    names: dict[str, Any] = {"np": np, "x": x, "scaled": x}
    exec("\n".join(kind.entry_code("x")), names)
    rows = kind.to_network(kind.check(x), statistics)
    np.testing.assert_allclose(names["scaled"], rows, rtol=1e-6)
    shape = (*x.shape, kind.num_outputs) if kind.num_outputs > 1 else x.shape
    names["y"] = output = np.clip(np.random.default_rng(0).normal(size=shape), 0, 1).round(1)
    found = eval(kind.values_code("y"), names)
    np.testing.assert_allclose(found, kind.from_network(output, statistics), rtol=1e-6)


def test_activations_are_written_as_python() -> None:
    assert Levels(3, loss="staircase", edges="floor").activation_code == 'cw.activations.staircase([0, 1, 2], "floor")'
    assert [kind.activation_code for kind in (UnitInterval(), Real())] == ['"sigmoid"', '"linear"']
    calls = [Real().loss_call, Binary().loss_call, LossCall("keras.losses", "CosineSimilarity")]
    assert [call.alias for call in calls] == ["mse", "binary_crossentropy", "cosine_similarity"]
    assert [call.code for call in calls] == ['"mse"', str(calls[1]), '"cosine_similarity"']
    assert [dict(kind.exact_match) for kind in (Real(), Binary())] == [{}, {"levels": 2, "outputs": "binary_logits"}]
    floor = {"levels": FOUR, "edges": "floor"}
    for loss, outputs in (("crossentropy", "logits"), ("ordinal", "ordinal_logits"), ("mse", "values")):
        assert Levels(FOUR, edges="floor", loss=loss).exact_match == {**floor, "outputs": outputs}
    staircase = Levels(FOUR, edges="floor", loss="staircase")
    assert staircase.exact_match == {**floor, "edges": "midpoint", "outputs": "values"}


# Scaling


@pytest.mark.parametrize(
    ("rms", "largest_column", "is_far"),
    [
        (5.0, 20.0, False),
        (5.01, 1.0, True),
        (1.0, 20.01, True),
        (1e-3, 0.0, False),
        (0.99e-3, 0.0, True),
        (0.0, 0.0, False),
        (1.0, 1.0, False),
    ],
)
def test_what_is_far_from_unit_size(rms: float, largest_column: float, is_far: bool) -> None:
    assert is_far_from_unit_size(rms, largest_column) is is_far


def test_one_column_may_be_far_from_unit_size_by_its_mean_or_its_spread() -> None:
    x = np.tile([1.0, -1.0], (2_000, 100))
    assert not is_unscaled(scan_values(x))
    for column in (21.0 * x[:, 0], 15.0 + 15 * np.tile([1, -1], 1_000)):
        x[:, 0] = column
        assert is_unscaled(scan_values(x))


def test_scaling_and_its_python() -> None:
    x = np.array([[1, 5], [3, 5]])
    by_column = standardization(scan_values(x))
    np.testing.assert_array_equal(by_column(x), [[-1, 0], [1, 0]])
    for scaling in (Scaling(), Scaling(factor=4), Scaling(2, 4), by_column):
        names = {"np": np, "x": x}
        exec("\n".join(scaling.lines("x")), names)
        np.testing.assert_array_equal(names["x"], scaling(x))
        np.testing.assert_array_equal(scaling(scipy.sparse.csr_array(x)), scaling(x))
        np.testing.assert_array_equal(scaling.inverse(scaling(x)), x)
        assert scaling(x).dtype == np.float32
    assert (Scaling().lines("x"), Scaling(factor=4).lines("x")) == ([], ['x = (x / 4).astype("float32")'])
    assert [one.is_identity for one in (Scaling(), Scaling(1), Scaling(factor=2), by_column)] == [True, *[False] * 3]
    assert Scaling()([[1, 2]]).dtype == np.float32
    for several in ([x, x], (x, x), {"a": x}):
        assert Scaling()(several) is several
    assert Scaling(factor=2)([x, x]).shape == (2, 2, 2)
    holes = scan_values(np.array([[np.nan, 2.0], [np.nan, 4.0]]))
    assert (standardization(holes).shift.tolist(), standardization(holes).factor.tolist()) == ([0, 3], [1, 1])


# More of the limits, and of what is shared by all kinds


def test_what_kinds_are() -> None:
    kinds = [Binary(), Levels(3), UnitInterval(), Real(), Ratings(1, 5), Interactions()]
    assert [kind.is_continuous for kind in kinds] == [False, False, True, True, False, False]
    assert [kind.has_missing for kind in kinds] == [False, False, False, False, True, True]
    assert [kind.has_ratings for kind in kinds] == [False, False, False, False, True, False]
    assert [kind.is_probability for kind in kinds] == [True, False, True, False, False, False]
    assert Ratings(1, 5).values_code("y") == "y"
    assert [kind.learn(np.ones((2, 2))) for kind in (Binary(), Levels(3), UnitInterval())] == [{}] * 3
    assert type(UnitInterval(maximum=255).maximum) is float
    with pytest.raises(ParameterError, match='`spread` must be "auto", "each" or "common": got \'both\''):
        Real(spread="both")
    for step in (True, "1"):
        with pytest.raises(ParameterError, match="`step` of `Ratings` must be"):
            Ratings(1, 5, step)


def test_float32_is_not_copied_on_its_way_in_and_out() -> None:
    x = np.array([[0.0, 1.0]], np.float32)
    for kind in (Binary(), UnitInterval(), Levels(2)):
        assert np.shares_memory(kind.to_network(x, {}), x)
    assert UnitInterval().from_network(x, {}).dtype == np.float32


@pytest.mark.parametrize("kind", [Levels(FOUR), Levels(32), Binary(), UnitInterval(), UnitInterval(maximum=2)], ids=str)
def test_inferred_values_are_those_of_check(kind: DataKind) -> None:
    x = np.array([[0.0, 1.0]]) if len(kind.entry_levels) != 4 else np.array([[0.25, 0.75]])
    for variant in variants(x):
        inferred = kind.as_inferred(variant)
        np.testing.assert_array_equal(inferred, kind.check(variant))
        assert inferred.dtype.isnative


@pytest.mark.parametrize(
    ("levels", "near", "beside"),
    [
        ([0, 1e-3], 1e-3 + 5e-10, 1e-3 + 5e-9),
        ([0, 1000], 1000 + 5e-4, 1000 + 5e-3),
        ([0, 1, 1000], 5e-7, 5e-6),
        ([0, 1, 1000], 1 + 5e-7, 1 + 5e-6),
        ([-2000, 0], -2000 - 1e-3, -2000 - 5e-3),
    ],
)
def test_levels_may_be_off_by_a_millionth_of_themselves_or_of_the_least_distance(
    levels: list[float], near: float, beside: float
) -> None:
    assert Levels(levels).check(np.array([near])).tolist() == [min(levels, key=lambda level: abs(level - near))]
    with pytest.raises(DataError, match="one of the levels"):
        Levels(levels).check(np.array([beside]))


def test_integers_are_exactly_levels() -> None:
    assert Levels([0, 5]).check(np.array([5, 0])).tolist() == [5, 0]
    with pytest.raises(DataError, match="got 1 other values, the first 4"):
        Levels([0, 5]).check(np.array([5, 4]))
    with pytest.raises(DataError, match="0 may be the level or a class number"):
        Levels([-0.5, 0, 0.5]).check(np.array([0]))
    assert Levels([0.5, 1.5, 3]).check(np.array([2, 0])).tolist() == [3, 0.5]


def test_a_value_that_occurs_twice_off_the_scale_is_named() -> None:
    with pytest.raises(
        DataError, match=r"3 of 4 outside\. 2 of them are -1: if -1 means not rated, use Ratings\(1, 7, mis"
    ):
        Ratings(1, 5).check([-1, -1, 7, 3])


def test_lists_that_hold_an_array_are_several_inputs() -> None:
    mixed = [np.ones((2, 2)), 3.0]
    assert Scaling()(mixed) is mixed


@pytest.mark.parametrize("levels", [[-1e39, 0], [0, 1e39]])
def test_levels_beyond_float32_are_refused_at_both_ends(levels: list[float]) -> None:
    with pytest.raises(ParameterError, match=r"`levels` must lie within ±3\.4e\+38, float32's"):
        Levels(levels)
