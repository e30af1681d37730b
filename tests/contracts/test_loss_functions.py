"""Every loss but `Masked` is a class and a plain function, which give the same values and gradients."""

import inspect
import re
from typing import Any

import numpy as np
import pytest

from codeword import losses
from codeword.backend import keras
from codeword.errors import CodewordError

from .gradients import value_and_gradient
from .tensors import to_array, to_tensor

FOUR = [0.0, 0.25, 0.5, 0.75]
rng = np.random.default_rng(3)
LEVELS = rng.choice(FOUR, (6, 3)).astype(np.float32)
CODES = rng.choice([-1, 1], (8, 6)).astype(np.float32)
SHARES = rng.dirichlet(np.ones(3), 6).astype(np.float32)
NUMBERS = rng.normal(size=(6, 3, 4)).astype(np.float32)

EXAMPLES: dict[str, list[tuple[dict[str, Any], np.ndarray, np.ndarray]]] = {
    "BinInsensitive": [({"levels": FOUR, "edges": edges}, LEVELS, NUMBERS[..., 0]) for edges in ("midpoint", "floor")],
    "LevelSquaredError": [
        ({"levels": FOUR, "edges": edges}, LEVELS, NUMBERS[..., 0]) for edges in ("midpoint", "floor")
    ],
    "LevelCrossentropy": [({"levels": FOUR}, LEVELS, NUMBERS), ({"levels": 4}, (4 * LEVELS).astype(int), NUMBERS)],
    "OrdinalCrossentropy": [({"levels": FOUR}, LEVELS, NUMBERS[..., :3])],
    "Contrast": [({}, np.arange(8) % 3, CODES), ({"temperature": 0.2}, np.arange(8)[:, None] % 3, CODES)],
    "Neighborhood": [({}, rng.normal(size=(8, 5)), CODES), ({"width": 2, "temperature": 0.3}, CODES, CODES)],
    "ChosenCost": [({}, NUMBERS[:, 0, :3], SHARES), ({"sharpness": 2.0, "balance": 0.3}, NUMBERS[:, 0, :3], SHARES)],
}
CASES = [(name, *case) for name, cases in EXAMPLES.items() for case in cases]


def function_name(class_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


def test_every_class_but_masked_has_a_function_of_its_name() -> None:
    exported = vars(losses).items()
    classes = {name for name, thing in exported if isinstance(thing, type) and issubclass(thing, keras.losses.Loss)}
    functions = {name for name, thing in exported if inspect.isfunction(thing)}
    assert classes == {*EXAMPLES, "Masked"}
    assert functions == {function_name(name) for name in EXAMPLES}


@pytest.mark.parametrize(("name", "settings", "y_true", "y_pred"), CASES)
def test_function_and_class_are_equal(name: str, settings: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    function, loss = getattr(losses, function_name(name)), getattr(losses, name)(**settings, reduction="none")
    value, slope = value_and_gradient(lambda at: function(to_tensor(y_true), at, **settings), y_pred)
    of_class, slope_of_class = value_and_gradient(lambda at: loss(to_tensor(y_true), at), y_pred)
    assert value.shape[0] == len(y_pred)
    np.testing.assert_allclose(value, of_class, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(slope, slope_of_class, rtol=1e-6, atol=1e-7)
    assert slope.any()
    np.testing.assert_allclose(to_array(function(y_true, y_pred, **settings)), of_class, rtol=1e-6, atol=1e-7)


def test_settings_have_the_same_defaults() -> None:
    for name in EXAMPLES:
        of_class = dict(inspect.signature(getattr(losses, name)).parameters)
        of_function = dict(inspect.signature(getattr(losses, function_name(name))).parameters)
        for argument in ("y_true", "y_pred"):
            del of_function[argument]
        assert {key: of_class[key].default for key in of_function} == {k: v.default for k, v in of_function.items()}


@pytest.mark.parametrize(("name", "settings", "y_true", "y_pred"), CASES)
def test_shapes_that_do_not_fit_are_refused(name: str, settings: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    with pytest.raises(CodewordError, match=r"`y_(true|pred)` must .*: got "):
        getattr(losses, function_name(name))(y_true, y_pred[0, 0], **settings)


def test_functions_that_need_no_settings_train_a_model_that_can_be_saved(tmp_path: Any) -> None:
    x = rng.normal(size=(8, 5)).astype(np.float32)
    for loss, y in ((losses.contrast, np.arange(8) % 2), (losses.neighborhood, x), (losses.chosen_cost, x)):
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(5)])
        model.compile("sgd", loss)
        model.fit(x, y, verbose=0)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(again.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), rtol=1e-6)
