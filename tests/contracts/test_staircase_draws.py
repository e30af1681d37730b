"""What `Staircase` draws in training: levels, by the odds of how near the edges are; nothing in inference."""

from typing import Any

import numpy as np

from codeword import layers
from codeword.backend import keras

from .gradients import gradient
from .tensors import DTYPES, quick, to_array, to_tensor

LEVELS = [0.0, 0.25, 0.5, 0.75]


def drawn(x: np.ndarray, **settings: Any) -> np.ndarray:
    layer = layers.Staircase(LEVELS, slope="drawn", seed=3, **settings)
    return to_array(layer(to_tensor(x), training=True))


def test_only_levels_are_drawn_in_every_dtype() -> None:
    x = np.random.default_rng(0).normal(0.4, 0.5, size=(2_000, 5))
    for name, dtype in DTYPES.items():
        values = drawn(x.astype(dtype), dtype=name)
        assert values.dtype == dtype
        assert set(np.unique(values).astype(float)) == set(LEVELS)


def test_a_level_is_drawn_by_how_near_it_is() -> None:
    for place, odds in ((0.0, 0.0), (0.05, 0.2), (0.125, 0.5), (0.2, 0.8), (0.25, 1.0)):
        share = (drawn(np.full((100_000,), place, np.float32)) == 0.25).mean()
        assert abs(share - odds) <= 5 * np.sqrt(odds * (1 - odds) / 100_000), place


def test_the_mean_of_the_draws_is_the_input_so_the_slope_of_1_is_right() -> None:
    x = np.linspace(0, 0.75, 7, dtype=np.float32)
    mean = drawn(np.tile(x, (50_000, 1))).mean(axis=0)
    np.testing.assert_allclose(mean, x, atol=5 * 0.125 / np.sqrt(50_000))
    layer = layers.Staircase(LEVELS, slope="drawn")
    weights = np.random.default_rng(1).normal(size=(7,)).astype(np.float32)
    assert gradient(lambda x: layer(x, training=True), 10 * x - 3, weights).tolist() == weights.tolist()


def test_far_outside_and_in_inference_nothing_is_drawn() -> None:
    far = np.array([-1e6, -0.126, 0.876, 1e6, np.inf, -np.inf], np.float32)
    assert drawn(np.tile(far, (1_000, 1))).std(axis=0).max() == 0
    layer = layers.Staircase(LEVELS, slope="drawn")
    x = np.random.default_rng(2).normal(size=(1_000,)).astype(np.float32)
    nearest = np.float32(LEVELS)[np.abs(x[:, None] - LEVELS).argmin(axis=1)]
    for training in (False, None):
        np.testing.assert_array_equal(
            to_array(quick(lambda x, t=training: layer(x, training=t))(to_tensor(x))), nearest
        )


def test_nan_stays_nan_and_the_same_seed_draws_the_same() -> None:
    x = np.full((1_000,), 0.1, np.float32)
    np.testing.assert_array_equal(drawn(x), drawn(x))
    layer = layers.Staircase(LEVELS, slope="drawn", seed=3)
    first, second = (to_array(layer(to_tensor(x), training=True)) for _ in range(2))
    assert (first != second).any()
    assert np.isnan(drawn(np.array([np.nan, 0.1], np.float32))[0])


def test_training_reaches_the_layer_inside_a_model() -> None:
    model = keras.Sequential([keras.Input((1,)), layers.Staircase(LEVELS, slope="drawn", seed=0)])
    x = np.full((1_000, 1), 0.125, np.float32)
    assert len(np.unique(to_array(model(x, training=True)))) == 2
    assert len(np.unique(model.predict(x, verbose=0))) == 1
