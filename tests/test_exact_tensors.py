import numpy as np
import pytest

from codeword import exact_tensors
from codeword.backend import keras
from codeword.errors import DataError, ParameterError

from .contracts.gradients import gradient
from .contracts.tensors import DTYPES, to_array, to_tensor


def test_bin_index_counts_the_edges_at_or_below() -> None:
    index = exact_tensors.bin_index(np.array([[-1, 0.1, 0.2], [0.3, 9, -np.inf]], np.float32), np.array([0.1, 0.3]))
    assert to_array(index).tolist() == [[0, 1, 1], [2, 2, 0]]
    assert to_array(index).dtype == np.int32


def test_representable_gives_the_nearest_numbers_of_the_dtype() -> None:
    values = np.array([0, 0.1, 0.30000001, 1000])
    for name, dtype in DTYPES.items():
        rounded = exact_tensors.representable(values, name)
        assert rounded.dtype == dtype
        spacing = np.spacing(values.astype(dtype)).astype(np.float64)
        assert (np.abs(rounded.astype(np.float64) - values) <= spacing / 2).all()
    with pytest.raises(ParameterError, match=r"in float32: got 2 values, of which 1 remain"):
        exact_tensors.representable(np.array([1, 1 + 1e-9]), "float32")
    with pytest.raises(ParameterError, match=r"in float16: got 2 values"):
        exact_tensors.representable(np.array([0, 1e6]), "float16")


def test_the_first_of_equal_maxima_wins_and_both_zeros_are_equal() -> None:
    for dtype in DTYPES.values():
        x = to_tensor(np.array([[0, 1, 1], [-0.0, 0.0, -0.0], [-np.inf, -np.inf, -np.inf]], dtype))
        assert to_array(exact_tensors.index_of_maximum(x, -1)).tolist() == [1, 0, 0]


def test_half_precision_is_widened_and_other_floats_are_kept() -> None:
    for name, wide in (("bfloat16", "float32"), ("float16", "float32"), ("float32", "float32"), ("int32", "float32")):
        tensor = keras.ops.ones((2,), name)
        assert keras.backend.standardize_dtype(exact_tensors.widened(tensor).dtype) == wide
        assert exact_tensors.wide_dtype(tensor) == wide


def test_the_finite_limit_is_the_largest_number_of_the_dtype() -> None:
    for name, dtype in DTYPES.items():
        limit = np.array(exact_tensors.finite_limit(name), dtype)
        assert np.isfinite(limit.astype(np.float64))
        with np.errstate(over="ignore"):
            assert np.isinf(np.nextafter(limit, np.array(np.inf, dtype)).astype(np.float64))


def test_division_by_zero_is_zero_and_has_no_gradient() -> None:
    count = to_tensor(np.array([0, 2], np.float32))
    total = np.array([3, 3], np.float32)
    assert to_array(exact_tensors.divide_or_zero(to_tensor(total), count)).tolist() == [0, 1.5]
    assert gradient(lambda total: exact_tensors.divide_or_zero(total, count), total).tolist() == [0, 0.5]


def test_row_sums_leave_the_first_axis() -> None:
    for shape in ((4,), (4, 3), (4, 2, 3)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(to_array(exact_tensors.row_sum(to_tensor(x))), x.reshape(4, -1).sum(1), rtol=1e-5)


def test_targets_take_the_shape_of_the_cells_or_are_refused() -> None:
    for given, wanted in (((4, 1), (4,)), ((4,), (4, 1)), ((4, 3), (None, 3)), ((4, 3, 1), (4, 3))):
        shaped = exact_tensors.with_target_shape(to_tensor(np.zeros(given, np.float32)), wanted)
        assert len(shaped.shape) == len(wanted)
    for given, wanted in (((4, 3), (4, 2)), ((4,), (4, 3)), ((4, 3), (3, 4)), ((4, 3, 2), (4, 3))):
        with pytest.raises(DataError, match=r"`y_true` must have one value per predicted cell, shape .*: got shape \("):
            exact_tensors.with_target_shape(to_tensor(np.zeros(given, np.float32)), wanted)
