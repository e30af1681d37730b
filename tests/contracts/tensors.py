"""NumPy arrays in and out of whichever backend Keras runs, and that backend's compilers."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from codeword.backend import keras

ops = keras.ops

DTYPES = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(ml_dtypes.bfloat16), "float16": np.dtype(np.float16)}


def to_tensor(values: Any) -> Any:
    """Gives a tensor of the array's own dtype; bfloat16 goes by way of float32, which PyTorch can read."""
    values = np.asarray(values)
    name = keras.backend.standardize_dtype(values.dtype)
    if name == "bfloat16":
        return ops.cast(ops.convert_to_tensor(values.astype(np.float32)), name)
    return ops.convert_to_tensor(values)


def to_array(tensor: Any) -> np.ndarray:
    """Gives an array of the tensor's own dtype."""
    name = keras.backend.standardize_dtype(tensor.dtype)
    if name == "bfloat16":
        return ops.convert_to_numpy(ops.cast(tensor, "float32")).astype(DTYPES[name])
    return ops.convert_to_numpy(tensor)


def quick(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Gives the function as it runs soonest: JAX compiles every eager step by itself, and takes seconds to do so."""
    return ways_to_run(function)["jax.jit"] if keras.backend.backend() == "jax" else function


def ways_to_run(function: Callable[[Any], Any]) -> dict[str, Callable[[Any], Any]]:
    """Gives the function as the backend runs it: eager, and compiled in each way that it offers."""
    ways = {"eager": function}
    if keras.backend.backend() == "jax":
        import jax

        ways["jax.jit"] = jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        ways["tf.function"] = tf.function(function, autograph=False)
        ways["tf.function with XLA"] = tf.function(function, autograph=False, jit_compile=True)
    return ways


def assert_same_bits(actual: Any, expected: np.ndarray, message: str = "") -> None:
    """Compares dtype, shape and every bit; a NaN equals any NaN."""
    actual = actual if isinstance(actual, np.ndarray) else to_array(actual)
    assert actual.dtype == expected.dtype, message
    assert actual.shape == expected.shape, message
    if actual.dtype.kind in "iub":
        np.testing.assert_array_equal(actual, expected, err_msg=message)
        return
    both_nan = np.isnan(actual.astype(np.float64)) & np.isnan(expected.astype(np.float64))
    whole = np.dtype(f"u{actual.dtype.itemsize}")
    actual_bits = np.where(both_nan, 0, np.ascontiguousarray(actual).view(whole))
    np.testing.assert_array_equal(actual_bits, np.where(both_nan, 0, expected.view(whole)), err_msg=message)
