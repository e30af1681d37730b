"""What `ChosenCost` promises: the cost of a choice, what every other choice would have cost, and even use."""

import json
from typing import Any

import numpy as np
import pytest

from codeword import layers, losses
from codeword.backend import keras
from codeword.errors import DataError, ParameterError

from .gradients import value_and_gradient
from .tensors import DTYPES, quick, to_array, to_tensor

ChosenCost = losses.ChosenCost
SETTINGS = [(0.0, 0.0), (0.0, 0.7), (2.5, 0.0), (2.5, 0.7)]
SHAPES = [(6, 3), (6, 4, 3), (6, 2, 4, 3)]


def batch(shape: tuple[int, ...], *, hard: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Gives costs of both signs, and choices: one-hots, or shares that sum to 1."""
    rng = np.random.default_rng(5)
    costs, scores = rng.normal(size=shape) * 2, rng.normal(size=shape)
    if hard:
        return costs.astype(np.float32), np.eye(shape[-1], dtype=np.float32)[scores.argmax(axis=-1)]
    shares = np.exp(scores)
    return costs.astype(np.float32), (shares / shares.sum(axis=-1, keepdims=True)).astype(np.float32)


def formula(costs: np.ndarray, choices: np.ndarray, sharpness: float, balance: float) -> np.ndarray:
    """Gives each row's loss, in plain NumPy."""
    costs, choices = costs.astype(np.float64), choices.astype(np.float64)
    if sharpness:
        each = -np.log((choices * np.exp(-sharpness * costs)).sum(axis=-1)) / sharpness
    else:
        each = (choices * costs).sum(axis=-1)
    uneven = costs.shape[-1] * np.square(choices.mean(axis=0)).sum(axis=-1) - 1
    return each.reshape(len(costs), -1).sum(axis=1) + balance * uneven.sum()


@pytest.mark.parametrize("hard", [True, False], ids=["one-hots", "shares"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_is_that_of_the_formula(shape: tuple[int, ...], hard: bool) -> None:
    costs, choices = batch(shape, hard=hard)

    def all_values(choices: Any) -> list[Any]:
        return [ChosenCost(*setting, reduction="none")(to_tensor(costs), choices) for setting in SETTINGS]

    for setting, got in zip(SETTINGS, quick(all_values)(to_tensor(choices)), strict=True):
        expected = formula(costs, choices, *setting)
        np.testing.assert_allclose(to_array(got), expected, rtol=1e-5, atol=1e-5, err_msg=str(setting))
        np.testing.assert_allclose(to_array(ChosenCost(*setting)(costs, choices)), expected.mean(), rtol=1e-5)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_gradient_is_that_of_the_formula(setting: tuple[float, float]) -> None:
    costs, choices = batch((6, 2, 3), hard=False)
    value, slope = value_and_gradient(lambda choices: ChosenCost(*setting)(to_tensor(costs), choices), choices)
    expected = np.zeros_like(choices, np.float64)
    for index in np.ndindex(*choices.shape):
        step = np.zeros_like(expected)
        step[index] = 1e-5
        rise = formula(costs, choices + step, *setting).mean() - formula(costs, choices - step, *setting).mean()
        expected[index] = rise / 2e-5
    np.testing.assert_allclose(value, formula(costs, choices, *setting).mean(), rtol=1e-5)
    np.testing.assert_allclose(slope, expected, rtol=2e-4, atol=1e-6)


def test_the_gradient_says_what_every_choice_would_have_cost() -> None:
    costs, choices = batch((6, 3))
    _, slope = value_and_gradient(lambda choices: ChosenCost(reduction="sum")(to_tensor(costs), choices), choices)
    np.testing.assert_array_equal(slope, costs)


def test_a_one_hot_costs_what_its_choice_costs_at_any_sharpness() -> None:
    costs, choices = batch((6, 3))
    for sharpness in (0.0, 0.01, 1.0, 7.0):
        got = to_array(ChosenCost(sharpness, reduction="none")(costs, choices))
        np.testing.assert_allclose(got, (costs * choices).sum(axis=1), rtol=1e-4, atol=1e-5)


def test_many_gates_a_row_add_up() -> None:
    costs, choices = batch((6, 4, 3), hard=False)
    together = to_array(ChosenCost(1.5, 0.3)(costs, choices))
    alone = [to_array(ChosenCost(1.5, 0.3)(costs[:, gate], choices[:, gate])) for gate in range(4)]
    np.testing.assert_allclose(together, np.sum(alone), rtol=1e-5)


def test_even_use_costs_nothing_and_one_for_all_the_most() -> None:
    costs, even, one = np.zeros((6, 3), np.float32), np.tile(np.eye(3), (2, 1)), np.tile(np.eye(3)[:1], (6, 1))
    for balance in (0.5, 2.0):
        loss = ChosenCost(balance=balance)
        assert float(to_array(loss(costs, even.astype(np.float32)))) == pytest.approx(0, abs=1e-6)
        assert float(to_array(loss(costs, one.astype(np.float32)))) == pytest.approx(2 * balance)


def test_huge_costs_stay_finite() -> None:
    costs = np.array([[0.0, 1e30, -1e30], [1e30, 1e30, 1e30]], np.float32)
    choices = np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]], np.float32)
    for sharpness in (0.0, 1.0, 1e3):
        value, slope = value_and_gradient(
            lambda choices, sharpness=sharpness: ChosenCost(sharpness)(to_tensor(costs), choices), choices
        )
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_half_precision_is_computed_in_float32_and_nan_is_not_hidden() -> None:
    costs, choices = batch((6, 3))
    for dtype in (DTYPES["bfloat16"], DTYPES["float16"]):
        got = to_array(ChosenCost(1.0)(to_tensor(costs), to_tensor(choices.astype(dtype))))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, formula(costs, choices, 1.0, 0.0).mean(), rtol=1e-5)
    costs[2, 1] = np.nan
    for setting in SETTINGS:
        assert np.isnan(to_array(ChosenCost(*setting)(costs, choices)))


def test_config_survives_json_and_keras() -> None:
    costs, choices = batch((6, 3))
    loss = ChosenCost(2.5, 0.7, name="mine", reduction="sum")
    config = json.loads(json.dumps(loss.get_config()))
    assert {**config, "sharpness": 2.5, "balance": 0.7, "name": "mine", "reduction": "sum"} == config
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    for copy in (ChosenCost.from_config(config), restored):
        assert type(copy) is ChosenCost
        assert copy.get_config() == loss.get_config()
        assert to_array(copy(costs, choices)) == to_array(loss(costs, choices))


def test_a_compiled_gate_learns_and_survives_saving(tmp_path: Any) -> None:
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(256, 2)).astype(np.float32)
    right = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    costs = (right[:, None] != np.arange(3)).astype(np.float32)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3), layers.Hardmax()]
    )
    model.compile(keras.optimizers.Adam(0.02), ChosenCost(balance=0.01))
    model.fit(x, costs, batch_size=64, epochs=40, verbose=0)
    choices = model.predict(x, verbose=0)
    assert set(np.unique(choices)) == {0.0, 1.0}
    assert (choices.argmax(axis=1) == right).mean() > 0.9
    model.save(tmp_path / "gate.keras")
    again = keras.models.load_model(tmp_path / "gate.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), choices)
    assert again.loss.get_config() == model.loss.get_config()


@pytest.mark.parametrize("name", ["sharpness", "balance"])
@pytest.mark.parametrize("value", [-0.1, float("inf"), float("nan"), True, "much", None])
def test_settings_that_cannot_work_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=rf"`{name}` must be a number of at least 0: got "):
        ChosenCost(**{name: value})


def test_other_shapes_are_refused() -> None:
    costs, choices = batch((6, 3))
    for wrong, right in ((costs[:, :2], choices), (costs[:, None], choices), (costs[:, 0], choices[:, 0])):
        with pytest.raises(DataError, match=r"`y_true` must have one cost per choice.*: got costs of shape \(6"):
            ChosenCost()(wrong, right)
