"""What every loss promises, asked of all that `codeword.losses` exports."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from codeword import losses
from codeword.backend import keras
from codeword.errors import DataError, ParameterError

from .gradients import gradient, value_and_gradient
from .tensors import DTYPES, quick, to_array, to_tensor

ops = keras.ops

FOUR = [0.0, 0.25, 0.5, 0.75]
UNEQUAL = [-3.0, -0.1, 0.2, 7.7]
SHAPES = ((6, 3), (6, 2, 3), (6, 2, 1, 3))

Formula = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Example:
    """One way to make a loss, and its formula: from class numbers and predictions to each cell's loss and slope."""

    settings: dict[str, Any]
    formula: Formula
    numbers_a_cell: int | None = None

    @property
    def levels(self) -> np.ndarray:
        return np.array(self.settings.get("levels", FOUR), np.float32)

    def data(self, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gives class numbers, their levels and predictions, all sorts of them."""
        rng = np.random.default_rng(seed)
        classes = rng.integers(len(self.levels), size=shape)
        spread = 1.0 if self.numbers_a_cell is None else 3.0
        y_pred = rng.normal(size=shape if self.numbers_a_cell is None else (*shape, self.numbers_a_cell)) * spread
        return classes, self.levels[classes], y_pred.astype(np.float32)


def bin_insensitive(lower: list[float], upper: list[float]) -> Formula:
    def formula(classes: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        below, above = np.array(lower)[classes] - y_pred, y_pred - np.array(upper)[classes]
        return np.maximum(np.maximum(below, above), 0), np.where(below > 0, -1.0, np.where(above > 0, 1.0, 0.0))

    return formula


def crossentropy(classes: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shifted = y_pred - y_pred.max(axis=-1, keepdims=True)
    shares = np.exp(shifted) / np.exp(shifted).sum(axis=-1, keepdims=True)
    true = np.eye(y_pred.shape[-1])[classes]
    return np.log(np.exp(shifted).sum(axis=-1)) - (true * shifted).sum(axis=-1), shares - true


def ordinal(classes: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    above = classes[..., None] > np.arange(y_pred.shape[-1])
    cost = np.logaddexp(0, np.where(above, -y_pred, y_pred)).mean(axis=-1)
    return cost, (1 / (1 + np.exp(-y_pred)) - above) / y_pred.shape[-1]


def squared(aims: list[float]) -> Formula:
    def formula(classes: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error = y_pred - np.array(aims)[classes]
        return error**2, 2 * error

    return formula


def without_first_class(formula: Formula) -> Formula:
    """Class 0 is missing; scaled so that the mean over all cells of a row is the mean over its observed ones."""

    def masked(classes: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cost, slope = formula(classes, y_pred)
        axes = tuple(range(1, classes.ndim))
        share = (classes > 0) / np.maximum((classes > 0).mean(axis=axes, keepdims=True), 1e-9)
        return cost * share, slope * share

    return masked


INF = float("inf")
EXAMPLES: dict[str, list[Example]] = {
    "BinInsensitive": [
        Example({"levels": FOUR}, bin_insensitive([-INF, 0.125, 0.375, 0.625], [0.125, 0.375, 0.625, INF])),
        Example({"levels": FOUR, "edges": "floor"}, bin_insensitive([-INF, 0.25, 0.5, 0.75], [0.25, 0.5, 0.75, INF])),
        Example(
            {"levels": UNEQUAL, "edges": [-2.0, 0.0, 1.0]},
            bin_insensitive([-INF, -2.0, 0.0, 1.0], [-2.0, 0.0, 1.0, INF]),
        ),
    ],
    "LevelCrossentropy": [Example({"levels": UNEQUAL}, crossentropy, numbers_a_cell=4)],
    "OrdinalCrossentropy": [Example({"levels": UNEQUAL}, ordinal, numbers_a_cell=3)],
    "LevelSquaredError": [
        Example({"levels": FOUR}, squared(FOUR)),
        # The first level has no bin below it, and the last bin counts as wide as the one before.
        Example({"levels": FOUR, "edges": "floor"}, squared([0.0, 0.375, 0.625, 0.875])),
        Example({"levels": UNEQUAL, "edges": "floor"}, squared([-3.0, 0.05, 3.95, 11.45])),
        Example({"levels": UNEQUAL, "edges": [-2.0, 0.0, 1.0]}, squared(UNEQUAL)),
    ],
    "Masked": [
        # "row", as the formula is one of rows; the default "entry" has its contracts in test_masked.py.
        Example({"loss": "mse", "missing": None, "average": "row"}, squared(FOUR)),
        Example({"loss": "mse", "missing": 0.0, "average": "row"}, without_first_class(squared(FOUR))),
    ],
}
CASES = [(name, number) for name, examples in EXAMPLES.items() for number in range(len(examples))]


def make(class_name: str, number: int, **more: Any) -> Any:
    return getattr(losses, class_name)(**{**EXAMPLES[class_name][number].settings, **more})


def make_for_classes(class_name: str) -> Any:
    """Gives the loss with 0, 1, 2, 3 for levels."""
    has_levels = "levels" in EXAMPLES[class_name][0].settings
    return getattr(losses, class_name)(levels=4) if has_levels else make(class_name, 0)


def all_losses(**more: Any) -> list[tuple[str, Example, Any]]:
    """Gives every loss with its example and a text that says in an assertion which one it is."""
    return [(f"{name} {number}", EXAMPLES[name][number], make(name, number, **more)) for name, number in CASES]


def values(calls: list[tuple[Any, ...]]) -> list[np.ndarray]:
    """Calls `loss(y_true, y_pred, weights)` for each entry, which JAX compiles as one."""
    y_preds = [to_tensor(y_pred) for _, _, y_pred, *_ in calls]

    def call_all(y_preds: list[Any]) -> list[Any]:
        together = zip(calls, y_preds, strict=True)
        return [loss(to_tensor(y_true), y_pred, *weights) for (loss, y_true, _, *weights), y_pred in together]

    return [to_array(value) for value in quick(call_all)(y_preds)]


def test_every_loss_has_an_example() -> None:
    exported = {
        name
        for name, thing in vars(losses).items()
        if isinstance(thing, type) and issubclass(thing, keras.losses.Loss) and not name.startswith("_")
    }
    # The losses of whole batches have contracts of their own, test_code_losses.py and test_chosen_cost.py.
    assert exported == {*EXAMPLES, "ChosenCost", "Contrast", "Neighborhood"}


@pytest.mark.parametrize(("name", "number"), CASES)
def test_value_and_gradient_are_those_of_the_formula(name: str, number: int) -> None:
    example, loss = EXAMPLES[name][number], make(name, number)
    data = [example.data(shape) for shape in SHAPES]
    sizes = np.cumsum([y_pred.size for _, _, y_pred in data])

    def all_shapes(flat: Any) -> Any:
        parts = [flat[end - y_pred.size : end] for end, (_, _, y_pred) in zip(sizes, data, strict=True)]
        together = zip(data, parts, strict=True)
        return ops.stack([loss(to_tensor(y), ops.reshape(part, y_pred.shape)) for (_, y, y_pred), part in together])

    flat = np.concatenate([y_pred.ravel() for _, _, y_pred in data])
    got, slopes = value_and_gradient(all_shapes, flat)
    slopes = np.split(slopes, sizes[:-1])
    for (classes, _, y_pred), value, slope in zip(data, got, slopes, strict=True):
        cost, expected = example.formula(classes, y_pred.astype(np.float64))
        np.testing.assert_allclose(value, cost.mean(), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(slope.reshape(y_pred.shape), expected / cost.size, rtol=1e-5, atol=1e-7)


def test_eager_equals_compiled() -> None:
    data = [example.data((6, 3))[1:] for _, example, _ in all_losses()]
    compiled = values([(loss, *pair) for (_, _, loss), pair in zip(all_losses(), data, strict=True)])
    for (name, _, loss), pair, value in zip(all_losses(), data, compiled, strict=True):
        eager = to_array(loss(*pair))
        assert eager.dtype == np.float32
        assert eager.shape == ()
        np.testing.assert_allclose(value, eager, rtol=1e-6, err_msg=name)
        assert to_array(loss(*pair)) == eager


def test_weights_and_reductions_weigh_the_rows() -> None:
    calls, expected = [], []
    for reduction in ("none", "sum", "sum_over_batch_size"):
        for name, example, loss in all_losses(reduction=reduction):
            classes, y_true, y_pred = example.data((6, 3))
            cells, _ = example.formula(classes, y_pred.astype(np.float64))
            # As in Keras: a loss of one number a cell takes the last axis away, one of logits takes these away.
            costs = cells.mean(axis=-1) if example.numbers_a_cell is None else cells
            weights = np.array([0, 1, 2, 0.5, 0, 3]).reshape(6, *[1] * (costs.ndim - 1))
            costs = costs * weights
            calls.append((loss, y_true, y_pred, weights.astype(np.float32)))
            expected.append((name, {"none": costs, "sum": costs.sum()}.get(reduction, costs.mean())))
    for (name, cost), value in zip(expected, values(calls), strict=True):
        np.testing.assert_allclose(value, cost, rtol=1e-5, atol=1e-7, err_msg=name)


def test_half_precision_predictions_are_computed_in_float32() -> None:
    for dtype in (DTYPES["bfloat16"], DTYPES["float16"]):
        calls, expected = [], []
        for name, example, loss in all_losses():
            classes, y_true, y_pred = example.data((6, 3))
            rounded = y_pred.astype(dtype)
            calls.append((loss, y_true, rounded))
            expected.append((name, example.formula(classes, rounded.astype(np.float64))[0].mean()))
        for (name, cost), value in zip(expected, values(calls), strict=True):
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, cost, rtol=1e-5, err_msg=name)


def test_integer_targets_are_levels_too() -> None:
    calls = []
    for name in EXAMPLES:
        classes, _, y_pred = EXAMPLES[name][0].data((6, 3))
        for dtype in (np.float32, np.int32, np.uint8):
            calls.append((make_for_classes(name), classes.astype(dtype), y_pred))
    got = np.reshape(values(calls), (len(EXAMPLES), 3))
    assert (got > 0).all()
    np.testing.assert_array_equal(got, got[:, :1].repeat(3, axis=1))


def test_nan_is_not_hidden() -> None:
    calls = []
    for _, example, loss in all_losses():
        _, y_true, y_pred = example.data((6, 3))
        y_true[2, 1], y_pred[2, 1] = example.levels[-1], np.nan
        calls.append((loss, y_true, y_pred))
    assert np.isnan(values(calls)).all()


def test_last_axis_of_one_may_be_missing() -> None:
    calls, expected = [], []
    for name, example, loss in all_losses():
        classes, y_true, y_pred = example.data((6, 1))
        flat = y_pred[:, 0]  # no axis for the one cell; logits, where there are any, stay last
        for targets, predictions in ((y_true[:, 0], y_pred), (y_true, flat), (y_true[:, 0], flat)):
            calls.append((loss, targets, predictions))
            expected.append((name, example.formula(classes, y_pred.astype(np.float64))[0].mean()))
    for (name, cost), value in zip(expected, values(calls), strict=True):
        np.testing.assert_allclose(value, cost, rtol=1e-5, err_msg=name)


def test_other_shapes_are_refused() -> None:
    for _, example, loss in all_losses():
        _, y_true, y_pred = example.data((6, 3))
        for wrong in (y_true[:, :2], y_true[:5], y_true[0], y_true[:, :, None, None]):
            received = re.escape(f": got shape {wrong.shape}")
            with pytest.raises(DataError, match=f"`y_true` must have one value per .*{received}"):
                loss(wrong, y_pred)
        if example.numbers_a_cell is not None:
            with pytest.raises(DataError, match=r"`y_pred` must have a last axis.*: got shape \(6, 3, 2\)"):
                loss(y_true, y_pred[..., :2])


def test_empty_batch_costs_nothing() -> None:
    calls = [(loss, *example.data((0, 3))[1:]) for _, example, loss in all_losses()]
    for (name, example, _), value in zip(all_losses(), values(calls), strict=True):
        # Keras gives an empty tensor where each row has one loss, as for its own MeanSquaredError, else 0.
        assert value.shape == ((0,) if example.numbers_a_cell is None else ()), name
        assert value.sum() == 0, name


def test_config_survives_json_and_keras() -> None:
    calls = []
    for _, example, loss in all_losses(name="mine", reduction="sum"):
        config = json.loads(json.dumps(loss.get_config()))
        assert {**config, **example.settings} == config
        again = type(loss).from_config(config)
        restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
        for copy in (loss, again, restored):
            assert type(copy) is type(loss)
            assert copy.get_config() == loss.get_config()
            assert (copy.name, copy.reduction) == ("mine", "sum")
            calls.append((copy, *example.data((6, 3))[1:]))
    got = np.reshape(values(calls), (len(CASES), 3))
    np.testing.assert_array_equal(got, got[:, :1].repeat(3, axis=1))


def test_compiled_model_trains_and_survives_saving(tmp_path: Any) -> None:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((5,))
    results, targets, expected = {}, {}, {}
    rng = np.random.default_rng(2)
    x = rng.normal(size=(32, 5)).astype(np.float32)
    for name, number in CASES:
        example, key = EXAMPLES[name][number], f"{name}_{number}"
        cells = (3,) if example.numbers_a_cell is None else (3, example.numbers_a_cell)
        results[key] = keras.layers.Reshape(cells, name=key)(keras.layers.Dense(int(np.prod(cells)))(inputs))
        expected[key], targets[key], _ = example.data((32, 3), seed=number)
    model = keras.Model(inputs, results)
    model.compile(keras.optimizers.SGD(0.01), {f"{name}_{number}": make(name, number) for name, number in CASES})
    first = model.predict(x, verbose=0)
    before = model.evaluate(x, targets, verbose=0, return_dict=True)
    for name, number in CASES:
        key = f"{name}_{number}"
        cost, _ = EXAMPLES[name][number].formula(expected[key], first[key].astype(np.float64))
        np.testing.assert_allclose(before[f"{key}_loss"], cost.mean(), rtol=1e-5, err_msg=key)

    model.fit(x, targets, batch_size=32, epochs=5, verbose=0)
    after = model.evaluate(x, targets, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").evaluate(x, targets, verbose=0, return_dict=True)

    for name, number in CASES:
        key = f"{name}_{number}_loss"
        assert after[key] < before[key], key
        np.testing.assert_allclose(again[key], after[key], rtol=1e-6, err_msg=key)


def test_compiled_model_trains_under_mixed_precision() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inputs = keras.Input((5,))
        flat, several = keras.layers.Dense(3)(inputs), keras.layers.Dense(12)(inputs)
        model = keras.Model(inputs, {"values": flat, "logits": keras.layers.Reshape((3, 4))(several)})
        chosen = {"values": losses.BinInsensitive(FOUR), "logits": losses.LevelCrossentropy(FOUR)}
        model.compile(keras.optimizers.SGD(0.1), chosen)
        rng = np.random.default_rng(4)
        x, y = rng.normal(size=(32, 5)).astype(np.float32), rng.choice(FOUR, (32, 3)).astype(np.float32)
        costs = model.fit(x, {"values": y, "logits": y}, epochs=6, verbose=0).history
        outputs = {key: output.astype(np.float32) for key, output in model.predict(x, verbose=0).items()}
        got = model.evaluate(x, {"values": y, "logits": y}, verbose=0, return_dict=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(model.outputs[0].dtype) == "bfloat16"
    assert costs["loss"][-1] < costs["loss"][0]
    for key, loss in chosen.items():
        # XLA keeps more digits than bfloat16 has between the steps of one program.
        np.testing.assert_allclose(got[f"{key}_loss"], to_array(loss(y, outputs[key])), rtol=2e-3)


def test_bin_insensitive_is_exactly_flat_inside_the_bin_and_on_its_edges() -> None:
    loss = losses.BinInsensitive(FOUR, edges="floor", reduction="none")
    classes = np.array([0, 0, 0, 1, 1, 1, 1, 2, 3, 3])
    inside = np.array([-1e4, 0.0, 0.25, 0.25, 0.3, np.nextafter(np.float32(0.5), 0), 0.5, 0.5, 0.75, 1e4], np.float32)
    y_true = np.float32(FOUR)[classes]
    slopes = gradient(lambda y_pred: loss(to_tensor(y_true[:, None]), y_pred), inside[:, None])
    assert not values([(loss, y_true[:, None], inside[:, None])])[0].any()
    assert not slopes.any()


def test_bin_insensitive_pulls_with_one_outside_the_bin() -> None:
    loss = losses.BinInsensitive(FOUR, edges="floor", reduction="sum")
    y_true = np.float32([[0.25, 0.25, 0.25, 0.0, 0.75]]).T
    y_pred = np.array([[np.nextafter(np.float32(0.25), 0), -5.0, 0.6, 0.26, 0.0]], np.float32).T
    slopes = gradient(lambda y_pred: loss(to_tensor(y_true), y_pred), y_pred)
    assert slopes.ravel().tolist() == [-1, -1, 1, 1, -1]


def test_level_crossentropy_is_that_of_keras() -> None:
    classes, y_true, y_pred = EXAMPLES["LevelCrossentropy"][0].data((6, 3))
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ours = losses.LevelCrossentropy(UNEQUAL)
    np.testing.assert_allclose(*values([(ours, y_true, y_pred), (theirs, classes.astype(np.int32), y_pred)]), rtol=1e-6)


def test_level_squared_error_to_midpoints_is_plain_mse() -> None:
    _, y_true, y_pred = EXAMPLES["LevelSquaredError"][0].data((6, 3))
    plain = np.square(y_pred.astype(np.float64) - y_true).mean()
    np.testing.assert_allclose(values([(losses.LevelSquaredError(FOUR), y_true, y_pred)]), [plain], rtol=1e-6)


def test_cross_entropies_stay_finite_at_huge_logits() -> None:
    y_true = np.float32([[0.0], [0.75]])
    for loss, size, right, wrong in (
        (losses.OrdinalCrossentropy(FOUR), 3, [[-1e4] * 3, [1e4] * 3], [[1e4] * 3, [-1e4] * 3]),
        (losses.LevelCrossentropy(FOUR), 4, [[1e4, 0, 0, 0], [0, 0, 0, 1e4]], [[0, 1e4, 0, 0], [0, 1e4, 0, 0]]),
    ):
        for logits, cost in ((right, 0), (wrong, 1e4)):
            y_pred = np.float32(logits).reshape(2, 1, size)
            assert values([(loss, y_true, y_pred)]) == [cost]
            slopes = gradient(lambda y_pred, loss=loss: loss(to_tensor(y_true), y_pred), y_pred)
            assert np.isfinite(slopes).all()
            assert slopes.any() == (cost > 0)


def test_bad_levels_and_edges_are_refused() -> None:
    for name in ("BinInsensitive", "LevelCrossentropy", "OrdinalCrossentropy", "LevelSquaredError"):
        for levels in ([1], [0, 0, 1], [1, 0], [0, np.nan], "ab"):
            with pytest.raises(ParameterError, match=r"`levels` must be .*got "):
                getattr(losses, name)(levels)
    for name in ("BinInsensitive", "LevelSquaredError"):
        for edges in ("ceiling", [0.1], [0.1, 0.1, 0.6]):
            with pytest.raises(ParameterError, match=r"`edges` must be .*got "):
                getattr(losses, name)(FOUR, edges)
