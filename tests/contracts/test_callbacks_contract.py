"""What `AnnealTemperature` does to the layers, and what that does to the gradient of a compiled step."""

from typing import Any

import numpy as np
import pytest

from codeword import callbacks, layers
from codeword.backend import keras
from codeword.errors import ParameterError

from .gradients import softmax_gradient

X = np.random.default_rng(1).normal(size=(16, 4)).astype(np.float32)
Y = np.random.default_rng(2).normal(size=(16, 3)).astype(np.float32)


def temperatures(model: Any) -> list[float]:
    """Gives the temperature of every annealed layer, by the order of the layers."""
    return [
        float(keras.ops.convert_to_numpy(layer.current_temperature))
        for layer in model._flatten_layers()
        if getattr(layer, "annealed", False)
    ]


def by_epoch(model: Any, anneal: Any, **fitting: Any) -> np.ndarray:
    """Fits, and gives the temperatures that the steps of each epoch see: (epochs, annealed layers)."""
    seen: list[list[float]] = []
    record = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(temperatures(model)))
    model.fit(X, Y, batch_size=16, callbacks=[anneal, record], verbose=0, **fitting)
    return np.array(seen)


def compiled(*chosen: Any) -> Any:
    """Gives a network that is not built before it is fitted."""
    model = keras.Sequential([keras.layers.Dense(3), *chosen])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    return model


def test_temperature_falls_by_the_same_factor_from_its_own_to_the_last() -> None:
    model = compiled(layers.Hardmax(temperature=8.0, annealed=True), layers.Hardmax(temperature=3.0))
    seen = by_epoch(model, callbacks.AnnealTemperature(last=0.5), epochs=5)
    np.testing.assert_allclose(seen[:, 0], [8, 4, 2, 1, 0.5], rtol=1e-6)
    # It stays where it ended, and each fit begins anew.
    assert temperatures(model) == [pytest.approx(0.5)]
    np.testing.assert_allclose(
        by_epoch(model, callbacks.AnnealTemperature(last=2.0), epochs=3)[:, 0], [8, 4, 2], rtol=1e-6
    )
    # Resumed epochs go on where they would have been.
    again = by_epoch(model, callbacks.AnnealTemperature(last=0.5), epochs=5, initial_epoch=3)
    np.testing.assert_allclose(again[:, 0], [1, 0.5], rtol=1e-6)
    # One epoch is the first. Without the callback nothing falls.
    assert by_epoch(model, callbacks.AnnealTemperature(last=0.5), epochs=1).tolist() == [[8]]
    assert by_epoch(model, keras.callbacks.Callback(), epochs=2).tolist() == [[8], [8]]
    # It may also rise.
    np.testing.assert_allclose(by_epoch(model, callbacks.AnnealTemperature(last=16), epochs=2)[:, 0], [8, 16])


def test_layers_are_found_wherever_they_are() -> None:
    def annealed(temperature: float) -> Any:
        return layers.Hardmax(temperature=temperature, annealed=True)

    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), annealed(2.0)])
    inputs = keras.Input((4,))
    first = annealed(4.0)(keras.layers.Dense(3)(inputs))
    each_time = keras.layers.TimeDistributed(annealed(1.0))
    last = keras.layers.Reshape((3,))(each_time(keras.layers.Reshape((1, 3))(keras.Sequential([inner])(first))))
    model = keras.Model(inputs, last)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    seen = by_epoch(model, callbacks.AnnealTemperature(last=0.25), epochs=3)
    falling = {row[0]: row for row in seen.T.tolist()}
    assert sorted(falling) == [1, 2, 4]
    for start, row in falling.items():
        np.testing.assert_allclose(row, [start, np.sqrt(start * 0.25), 0.25], rtol=1e-6)


@pytest.mark.parametrize("jit_compile", ["auto", *[False, True][: 2 * (keras.backend.backend() == "tensorflow")]])
def test_compiled_step_learns_by_the_temperature_of_its_epoch(jit_compile: Any) -> None:
    scores = keras.layers.Dense(3, use_bias=False)
    model = keras.Sequential([keras.Input((4,)), scores, layers.Hardmax(temperature=4.0, annealed=True)])
    # The gradient of this loss by the choice is `weights`, whatever was chosen.
    model.compile(
        keras.optimizers.SGD(1.0),
        loss=lambda weights, hot: keras.ops.sum(weights * hot, axis=-1),
        jit_compile=jit_compile,
    )
    kernels = [scores.get_weights()[0]]
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kernels.append(scores.get_weights()[0]))
    model.fit(X, Y, batch_size=16, epochs=4, callbacks=[callbacks.AnnealTemperature(last=0.5), record], verbose=0)
    for before, after, temperature in zip(kernels[:-1], kernels[1:], [4, 2, 1, 0.5], strict=True):
        expected = X.T @ softmax_gradient(X @ before, Y, -1, temperature) / len(X)
        np.testing.assert_allclose(before - after, expected, rtol=1e-3, atol=1e-5, err_msg=str(temperature))


def test_annealed_temperature_is_saved(tmp_path: Any) -> None:
    model = compiled(layers.Hardmax(temperature=8.0, annealed=True))
    by_epoch(model, callbacks.AnnealTemperature(last=0.5), epochs=3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert temperatures(again) == temperatures(model) == [pytest.approx(0.5)]
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    np.testing.assert_allclose(
        by_epoch(again, callbacks.AnnealTemperature(last=0.5), epochs=3)[:, 0], [8, 2, 0.5], rtol=1e-6
    )


@pytest.mark.parametrize("half", ["float16", "bfloat16", "mixed_float16"])
def test_temperature_is_not_rounded_in_half_precision(half: str) -> None:
    layer = layers.Hardmax(temperature=1.0, annealed=True, dtype=half)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), layer])
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    seen = by_epoch(model, callbacks.AnnealTemperature(last=1e-12), epochs=2)
    assert seen[:, 0].tolist() == [1, pytest.approx(1e-12)]
    hot = keras.ops.convert_to_numpy(keras.ops.cast(layer(X[:, :3], training=True), "float32"))
    assert np.isin(hot, [0, 1]).all()


def test_model_without_an_annealed_layer_is_refused() -> None:
    model = compiled(layers.Hardmax(name="plain"))
    with pytest.raises(ParameterError, match=r"`Hardmax\(annealed=True\)`: got the layers dense\w*, plain\."):
        model.fit(X, Y, epochs=1, callbacks=[callbacks.AnnealTemperature()], verbose=0)


def test_bad_last_temperatures_are_refused() -> None:
    for last in (0, -1.0, float("inf"), float("nan"), 1e-50, True, "1", None):
        with pytest.raises(ParameterError, match=rf"`last` must be a number from .*: got {last!r}"):
            callbacks.AnnealTemperature(last=last)
