"""Uniform numbers: the same formula on every backend, drawn anew each time, independent of each other."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from codeword import random_numbers
from codeword.backend import keras


def drawn(generator, shape=(64, 32), dtype="float32"):
    return keras.ops.convert_to_numpy(random_numbers.uniform(keras.ops.zeros(shape, dtype), generator))


def hashed(x):
    x = (x ^ (x >> 16)) * 0x7FEB352D % 2**32
    x = (x ^ (x >> 15)) * 0x846CA68B % 2**32
    return x ^ (x >> 16)


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_they_are_those_of_the_formula_in_whole_numbers(seed):
    generator = keras.random.SeedGenerator(seed)
    for step in range(3):
        places = np.arange(64 * 32, dtype=np.uint64)
        bits = hashed((places * 0x9E3779B9 + hashed((step + hashed((seed + 0x9E3779B9) % 2**32)) % 2**32)) % 2**32)
        expected = (((bits >> 9) + 0.5) / 2**23).astype(np.float32).reshape(64, 32)
        numbers = drawn(generator)
        assert numbers.dtype == np.float32
        np.testing.assert_array_equal(numbers, expected)


def test_they_are_uniform_and_independent():
    generator = keras.random.SeedGenerator(3)
    steps = np.stack([drawn(generator, (256, 8)).ravel() for _ in range(60)])
    assert 0 < steps.min() < steps.max() < 1
    assert kstest(steps.ravel(), "uniform").pvalue > 0.01
    for values in (steps[:, 0], steps[:, 1], steps[:, -1]):  # one place, step after step
        assert kstest(values, "uniform").pvalue > 0.001
    centered = steps - 0.5
    bound = 4.5 / math.sqrt(steps.size)
    for one, other in [
        (centered[1:], centered[:-1]),
        (centered[:, 1:], centered[:, :-1]),
        (centered[:, 8:], centered[:, :-8]),
        (centered[1:, 1:], centered[:-1, :-1]),
        (centered[1:] ** 2 - 1 / 12, centered[:-1] ** 2 - 1 / 12),
    ]:
        assert abs((one * other).mean() / (one.std() * other.std())) < bound


def test_every_seed_has_numbers_of_its_own():
    numbers = [drawn(keras.random.SeedGenerator(seed)) - 0.5 for seed in (5, 5, 6)]
    np.testing.assert_array_equal(numbers[0], numbers[1])
    assert abs((numbers[0] * numbers[2]).mean()) < 0.01


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4, 5)])
def test_any_shape_and_dtype_will_do(shape):
    for dtype in ("float16", "int32"):
        assert drawn(keras.random.SeedGenerator(1), shape, dtype).shape == shape


def test_compiled_numbers_are_the_same():
    class Numbers(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(4)

        def call(self, inputs):
            return random_numbers.uniform(inputs, self.seed_generator)

    rows = keras.Input((3,))
    model = keras.Model(rows, Numbers()(rows))
    x = np.zeros((5, 3), np.float32)
    expected = drawn(keras.random.SeedGenerator(4), (5, 3))
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
