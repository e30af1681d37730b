"""What the losses of codes promise: one number a row, from all rows of the batch."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from codeword import layers, losses
from codeword.backend import keras
from codeword.errors import DataError, ParameterError

from .gradients import value_and_gradient
from .tensors import DTYPES, quick, to_array, to_tensor

ops = keras.ops

LOSSES: dict[str, Callable[..., Any]] = {
    "Contrast": lambda **more: losses.Contrast(temperature=0.4, **more),
    "Neighborhood": lambda **more: losses.Neighborhood(width=1.5, temperature=0.3, **more),
}
NAMES = list(LOSSES)


def batch(name: str, size: int = 8, bits: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Gives targets and codes: of `Contrast` three groups and a row alone, of `Neighborhood` points."""
    rng = np.random.default_rng(3)
    codes = np.where(rng.random((size, bits)) < 0.5, -1, 1).astype(np.float32)
    if name == "Contrast":
        return np.array([0, 1, 0, 2, 1, 0, 3, 2])[:size], codes
    return rng.normal(size=(size, 3)).astype(np.float32), codes


def log_shares(codes: np.ndarray, temperature: float, choosers: np.ndarray | None = None) -> np.ndarray:
    """Gives log softmax of the scaled products, oneself left out, in plain NumPy."""
    rows = codes if choosers is None else choosers
    logits = rows.astype(np.float64) @ codes.T.astype(np.float64) / codes.shape[1] / temperature
    np.fill_diagonal(logits, -np.inf)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def weights_of(name: str, y_true: np.ndarray) -> np.ndarray:
    """Gives how much each row wants each other one, rows summing to 1 or 0."""
    if name == "Contrast":
        together = (y_true[:, None] == y_true[None]) & ~np.eye(len(y_true), dtype=bool)
        return together / np.maximum(together.sum(axis=1, keepdims=True), 1)
    squared = np.square(y_true[:, None] - y_true[None]).sum(axis=-1) / 1.5**2
    np.fill_diagonal(squared, np.inf)
    shares = np.exp(-squared)
    return shares / shares.sum(axis=1, keepdims=True)


def formula(name: str, y_true: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Gives each row's loss."""
    shares = log_shares(codes, 0.4 if name == "Contrast" else 0.3)
    np.fill_diagonal(shares, 0)
    return -(weights_of(name, y_true) * shares).sum(axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_value_is_that_of_the_formula(name: str) -> None:
    y_true, codes = batch(name)
    got = to_array(quick(lambda codes: LOSSES[name](reduction="none")(to_tensor(y_true), codes))(to_tensor(codes)))
    np.testing.assert_allclose(got, formula(name, y_true, codes), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(to_array(LOSSES[name]()(y_true, codes)), got.mean(), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_that_of_the_formula(name: str) -> None:
    y_true, codes = batch(name)
    soft = codes * 0.7
    value, slope = value_and_gradient(lambda codes: LOSSES[name]()(to_tensor(y_true), codes), soft)
    expected = np.zeros_like(soft, np.float64)
    for index in np.ndindex(*soft.shape):
        step = np.zeros_like(soft, np.float64)
        step[index] = 1e-5
        rise = formula(name, y_true, soft + step).mean() - formula(name, y_true, soft - step).mean()
        expected[index] = rise / 2e-5
    np.testing.assert_allclose(value, formula(name, y_true, soft).mean(), rtol=1e-5)
    np.testing.assert_allclose(slope, expected, rtol=2e-4, atol=1e-6)


def test_values_before_the_threshold_choose_among_the_codes_too() -> None:
    points, codes = batch("Neighborhood")
    values = codes * np.random.default_rng(4).random(codes.shape).astype(np.float32)
    loss = LOSSES["Neighborhood"](reduction="none")
    got = to_array(loss(to_tensor(points), to_tensor(np.stack([codes, values], axis=1))))
    asked = log_shares(codes, 0.3, values)
    np.fill_diagonal(asked, 0)
    expected = formula("Neighborhood", points, codes) - (weights_of("Neighborhood", points) * asked).sum(axis=1)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_prefixes_are_codes_of_their_own_with_the_temperature_of_their_length() -> None:
    points, codes = batch("Neighborhood", bits=8)
    got = to_array(losses.Neighborhood(1.5, 0.3, prefixes=[2], reduction="none")(to_tensor(points), to_tensor(codes)))
    prefix = losses.Neighborhood(1.5, 0.3 * 2, reduction="none")(to_tensor(points), to_tensor(codes[:, :2]))
    np.testing.assert_allclose(got, (to_array(prefix) + formula("Neighborhood", points, codes)) / 2, rtol=1e-5)
    with pytest.raises(DataError, match=r"`prefixes` must be below the 8 bits of the codes: got \[2, 8\]"):
        losses.Neighborhood(prefixes=[2, 8])(points, codes)


def test_a_row_without_a_partner_costs_nothing() -> None:
    y_true, codes = batch("Contrast")
    costs = to_array(losses.Contrast(reduction="none")(y_true, codes))
    assert costs[6] == 0
    assert (np.delete(costs, 6) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_row_costs_nothing(name: str) -> None:
    y_true, codes = batch(name, size=1)
    assert to_array(LOSSES[name]()(y_true, codes)) == pytest.approx(0, abs=1e-6)


def test_columns_of_numbers_and_flat_ones_are_the_same() -> None:
    y_true, codes = batch("Contrast")
    loss = losses.Contrast()
    assert to_array(loss(y_true[:, None], codes)) == to_array(loss(y_true, codes))
    assert to_array(loss(y_true.astype(np.uint8), codes)) == to_array(loss(y_true, codes))


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_codes_are_computed_in_float32(name: str) -> None:
    y_true, codes = batch(name)
    for dtype in (DTYPES["bfloat16"], DTYPES["float16"]):
        got = to_array(LOSSES[name]()(to_tensor(y_true), to_tensor(codes.astype(dtype))))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, formula(name, y_true, codes).mean(), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_not_hidden(name: str) -> None:
    y_true, codes = batch(name)
    codes[2, 1] = np.nan
    assert np.isnan(to_array(LOSSES[name]()(y_true, codes)))


@pytest.mark.parametrize("name", NAMES)
def test_config_survives_json_and_keras(name: str) -> None:
    y_true, codes = batch(name)
    loss = LOSSES[name](name="mine", reduction="sum")
    again = type(loss).from_config(json.loads(json.dumps(loss.get_config())))
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    for copy in (again, restored):
        assert type(copy) is type(loss)
        assert copy.get_config() == loss.get_config()
        assert to_array(copy(y_true, codes)) == to_array(loss(y_true, codes))


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_model_learns_codes_and_survives_saving(name: str, tmp_path: Any) -> None:
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    groups = np.arange(64) % 4
    x = (rng.normal(size=(4, 8))[groups] * 2 + rng.normal(size=(64, 8)) * 0.3).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(12),
            keras.layers.BatchNormalization(center=False, scale=False),
            layers.SignBits(slope="tanh"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), LOSSES[name]())
    y_true = groups if name == "Contrast" else x
    history = model.fit(x, y_true, batch_size=64, epochs=40, verbose=0).history["loss"]
    assert history[-1] < history[0]
    codes = model(x, training=True)
    same = to_array(ops.matmul(codes, ops.transpose(codes)))
    together = groups[:, None] == groups[None]
    assert same[together].mean() > same[~together].mean() + 6
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.loss.get_config() == model.loss.get_config()


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), True, "hot", None])
def test_settings_that_cannot_work_are_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match=r"`temperature` must be a number above 0: got "):
        losses.Contrast(temperature=value)
    with pytest.raises(ParameterError, match=r"`temperature` must be a number above 0: got "):
        losses.Neighborhood(temperature=value)
    with pytest.raises(ParameterError, match=r"`width` must be a number above 0: got "):
        losses.Neighborhood(width=value)
    with pytest.raises(ParameterError, match=r"`prefixes` must be a sequence of integers of at least 1"):
        losses.Neighborhood(prefixes=[0])


@pytest.mark.parametrize("name", NAMES)
def test_other_shapes_are_refused(name: str) -> None:
    y_true, codes = batch(name)
    with pytest.raises(DataError, match=r"`y_pred` must be codes.*: got shape \(8, 6, 1\)"):
        LOSSES[name]()(y_true, codes[:, :, None])
    if name == "Contrast":
        with pytest.raises(DataError, match=r"`y_true` must have one group number per row.*: got shape \(8, 2\)"):
            LOSSES[name]()(np.zeros((8, 2)), codes)
