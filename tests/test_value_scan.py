"""What all values of an array say: figures against plain NumPy, odd arrays, memory maps."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from codeword.arrays import value_scan
from codeword.arrays.value_scan import row_pieces, scan_values
from codeword.errors import DataError, DataTypeError


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(value_scan, "CELLS_A_PIECE", 50)


def test_any_byte_but_0_of_a_boolean_is_true():
    odd = np.array([[0, 1], [100, 255]], np.uint8).view(bool)  # as other programs write them to .npy files
    assert scan_values(odd).distinct == (0.0, 1.0)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", "bool", ">f4", ">i2"])
def test_figures_are_those_of_numpy(dtype):
    x = (np.random.default_rng(0).random((40, 3, 5)) * 9).astype(dtype)
    wide = x.astype(np.float64)
    scan = scan_values(x)
    assert (scan.shape, scan.dtype, scan.num_cells, scan.num_finite) == ((40, 3, 5), x.dtype, 600, 600)
    assert (scan.minimum, scan.maximum) == (wide.min(), wide.max())
    np.testing.assert_allclose([scan.mean, scan.std], [wide.mean(), wide.std()], rtol=1e-6)
    columns = wide.reshape(40, -1)
    np.testing.assert_allclose(scan.column_mean, columns.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scan.column_std, columns.std(axis=0), rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(scan.column_minimum, columns.min(axis=0))
    np.testing.assert_array_equal(scan.column_maximum, columns.max(axis=0))
    assert scan.num_zero == (wide == 0).sum()
    sums = wide.sum(axis=-1)
    np.testing.assert_allclose(scan.group_sum, [sums.min(), sums.mean(), sums.max()], rtol=1e-6)
    values, counts = np.unique(x, return_counts=True)
    if len(values) <= 64:
        assert (scan.distinct, scan.distinct_counts) == (tuple(values.astype(float)), tuple(counts.tolist()))
    else:
        assert scan.distinct is scan.distinct_counts is None
    assert scan.whole == bool((wide == np.rint(wide)).all())
    assert scan.halves == bool((2 * wide == np.rint(2 * wide)).all())


def test_what_is_not_finite_is_counted_and_left_out():
    x = np.arange(60.0).reshape(20, 3)
    x[7, 1], x[9, 0], x[9, 2] = np.nan, np.inf, -np.inf
    scan = scan_values(x)
    assert (scan.num_nan, scan.num_infinite, scan.first_not_finite) == (1, 2, (7, 1))
    finite = x[np.isfinite(x)]
    np.testing.assert_allclose(
        [scan.minimum, scan.maximum, scan.mean, scan.std], [finite.min(), finite.max(), finite.mean(), finite.std()]
    )
    assert not np.isnan(scan.column_mean).any()


def test_nothing_but_nan():
    scan = scan_values(np.full((3, 2), np.nan))
    assert (scan.num_nan, scan.num_finite, scan.distinct) == (6, 0, ())
    assert np.isnan([scan.minimum, scan.maximum, scan.mean, scan.std]).all()
    assert scan.constant_columns.size == 0


def test_empty_rows_and_sums_to_one():
    x = np.array([[0, 0, 0], [0.2, 0.3, 0.5], [0, np.nan, 0], [2, -1, 0], [0, 1, 0]])
    scan = scan_values(x)
    assert (scan.num_empty_rows, scan.first_empty_row) == (2, 0)
    assert scan.share_summing_to_one == pytest.approx(2 / 5)  # 2 - 1 has something below 0


def test_vast_values_keep_their_spread():
    x = 1.7e9 + np.random.default_rng(0).normal(size=(500, 2))
    np.testing.assert_allclose(scan_values(x).column_std, x.std(axis=0), rtol=1e-6)


def test_a_value_seen_late_is_counted():
    x = np.zeros((100, 3), np.float32)
    x[99, 2] = 0.5
    scan = scan_values(x)
    assert (scan.distinct, scan.distinct_counts) == ((0.0, 0.5), (299, 1))
    assert (scan.whole, scan.halves) == (False, True)
    assert scan.constant_columns.tolist() == [0, 1]


def test_sparse_is_read_as_zeros():
    x = scipy.sparse.random_array((60, 7), density=0.2, rng=0)
    scan, dense = scan_values(x.tocoo()), scan_values(x.toarray())
    assert (scan.maximum, scan.num_zero, scan.mean) == (dense.maximum, dense.num_zero, dense.mean)


def test_one_axis_is_one_column():
    scan = scan_values([1, 2, 3])
    assert (scan.column_minimum.shape, scan.mean) == ((1,), 2.0)


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (3.0, DataError, r"got shape \(\)"),
        (np.zeros((0, 3)), DataError, r"got shape \(0, 3\)"),
        (np.zeros((3, 0)), DataError, r"got shape \(3, 0\)"),
        (["a", "b"], DataTypeError, "got dtype <U1"),
        (np.ones(3) * 1j, DataError, "Complex data not supported"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(x, error, match):
    with pytest.raises(error, match=match):
        scan_values(x)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_is_read_and_keeps_its_changes(tmp_path, mode):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(3000.0).reshape(1000, 3))
    x = np.load(path, mmap_mode=mode)
    if mode != "r":
        x[999, 2] = -5.0
    scan = scan_values(x[500:])
    assert (scan.minimum, scan.maximum) == ((1500, 2999) if mode == "r" else (-5, 2998))
    assert x[999, 2] == (2999 if mode == "r" else -5)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells what a map holds")
def test_a_memory_map_does_not_stay_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(value_scan, "CELLS_A_PIECE", 1 << 18)
    path = tmp_path / "x.npy"
    np.save(path, np.ones((64, 1 << 17)))  # 64 MB
    x = np.load(path, mmap_mode="r")
    most = 0
    for _, piece in row_pieces(x):
        assert piece.sum() == piece.size
        most = max(most, _mapped_kilobytes(path))
    assert most < 16_000


def _mapped_kilobytes(path):
    lines = Path("/proc/self/smaps").read_text().splitlines()
    maps = [number for number, line in enumerate(lines) if str(path) in line]
    return sum(int(next(line for line in lines[number:] if line.startswith("Rss:")).split()[1]) for number in maps)
