"""The noise before a code: normal, of the spread that was asked for, in training alone."""

import numpy as np
import pytest
from scipy.stats import kstest

from codeword.backend import keras
from codeword.layers import CodeNoise


def drawn(layer):
    return keras.ops.convert_to_numpy(layer(np.zeros((256, 32), np.float32), training=True))


def test_numbers_are_normal_and_drawn_anew():
    layer = CodeNoise(1.0, seed=3)
    one, other = drawn(layer), drawn(layer)
    assert kstest(np.append(one, other), "norm").pvalue > 0.01
    assert abs((one * other).mean()) < 0.05


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_noise_has_the_spread_and_the_dtype(dtype):
    output = CodeNoise(0.25, seed=1, dtype=dtype)(keras.ops.ones((100, 50), dtype), training=True)
    assert keras.backend.standardize_dtype(output.dtype) == dtype
    noise = keras.ops.convert_to_numpy(keras.ops.cast(output, "float32")) - 1
    assert noise.std() == pytest.approx(0.25, abs=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.015)


def test_nothing_is_drawn_in_inference():
    x = np.ones((3, 4), np.float32)
    for training in (False, None):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(CodeNoise(1.0)(x, training=training)), x)


def test_layers_draw_each_their_own_and_the_same_again_from_the_same_seed():
    keras.utils.set_random_seed(0)
    first, second = drawn(CodeNoise(1.0)), drawn(CodeNoise(1.0))
    assert abs((first * second).mean()) < 0.05
    keras.utils.set_random_seed(0)
    np.testing.assert_array_equal(drawn(CodeNoise(1.0)), first)


def test_a_compiled_model_learns_with_it_and_survives_saving(tmp_path):
    model = keras.Sequential([keras.Input((4,)), CodeNoise(0.5, seed=2), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    x = np.ones((40, 4), np.float32)
    assert np.isfinite(model.fit(x, x[:, :1], batch_size=16, epochs=2, verbose=0).history["loss"]).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
