"""What every metric promises, asked of all that `codeword.metrics` exports."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from codeword import metrics
from codeword.activations import staircase
from codeword.backend import keras
from codeword.errors import DataError, ParameterError

from .tensors import DTYPES, to_tensor

FOUR = [0.0, 0.25, 0.5, 0.75]
UNEQUAL = [-3.0, -0.1, 0.2, 7.7]
SHAPES = ((40,), (40, 3), (40, 2, 1, 2))


@dataclass(frozen=True)
class Example:
    """One way to make a metric, predictions of which a good part is right, and which class each of them is."""

    settings: dict[str, Any]
    predictions: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    predicted: Callable[[np.ndarray], np.ndarray]
    levels: list[float]

    def data(self, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gives true values, predictions, and which cells are right."""
        rng = np.random.default_rng(seed)
        classes = rng.integers(len(self.levels), size=shape)
        guesses = np.where(rng.random(shape) < 0.8, classes, rng.integers(len(self.levels), size=shape))
        y_pred = self.predictions(guesses, rng).astype(np.float32)
        right = self.predicted(y_pred) == classes
        return np.float32(self.levels)[classes], y_pred, right

    def score(self, right: np.ndarray, weights: np.ndarray | None = None) -> float:
        by_row = right.reshape(len(right), -1)
        rows = by_row.all(axis=1) if self.settings.get("by") == "row" else by_row.mean(axis=1)
        return float(np.average(rows, weights=weights))


def near_levels(levels: list[float], up: float = 0.0) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda guesses, rng: np.array(levels)[guesses] + up + rng.normal(size=guesses.shape) * 0.1


def exact_levels(levels: list[float]) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda guesses, rng: np.array(levels)[guesses]


def logits(guesses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(*guesses.shape, 4)) + 3 * np.eye(4)[guesses]


def ordinal_logits(guesses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(*guesses.shape, 3)) + np.where(guesses[..., None] > np.arange(3), 2, -2)


def binary_logits(guesses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(guesses, 1, -1) * np.round(np.abs(rng.normal(size=guesses.shape)))  # zeros too: they count as 1


def nearest(y_pred: np.ndarray) -> np.ndarray:
    return np.abs(y_pred[..., None].astype(np.float64) - FOUR).argmin(axis=-1)


def floor(y_pred: np.ndarray) -> np.ndarray:
    return np.maximum((np.float32(UNEQUAL) <= y_pred[..., None]).sum(axis=-1) - 1, 0)


def class_in(levels: Sequence[float], y: np.ndarray) -> np.ndarray:
    """Gives the place of each number among the levels, -1 where it is none of them."""
    equal = np.float32(levels) == y[..., None]
    return np.where(equal.any(axis=-1), equal.argmax(axis=-1), -1)


OF_CELLS = [
    Example({}, exact_levels(FOUR), lambda y: class_in(FOUR, y), FOUR),
    Example({"levels": FOUR}, near_levels(FOUR), nearest, FOUR),
    Example({"levels": UNEQUAL, "edges": "floor"}, near_levels(UNEQUAL, up=0.1), floor, UNEQUAL),
    Example({"levels": UNEQUAL, "outputs": "logits"}, logits, lambda y: y.argmax(axis=-1), UNEQUAL),
    Example({"levels": UNEQUAL, "outputs": "ordinal_logits"}, ordinal_logits, lambda y: (y >= 0).sum(axis=-1), UNEQUAL),
    Example({"levels": 2, "outputs": "binary_logits"}, binary_logits, lambda y: (y >= 0).astype(int), [0.0, 1.0]),
]
OF_ROWS = [replace(example, settings={**example.settings, "by": "row"}) for example in OF_CELLS[::3]]
EXAMPLES: dict[str, list[Example]] = {
    "ExactMatch": [*OF_CELLS, *OF_ROWS],
    "Masked": [
        Example({"metric": "accuracy", "missing": None}, exact_levels(FOUR), lambda y: class_in(FOUR, y), FOUR),
        Example(
            {"metric": "accuracy", "missing": None, "average": "row"},
            exact_levels(FOUR),
            lambda y: class_in(FOUR, y),
            FOUR,
        ),
    ],
}
CASES = [(name, number) for name, examples in EXAMPLES.items() for number in range(len(examples))]
every_metric = pytest.mark.parametrize(("name", "number"), CASES)


def make(class_name: str, number: int, **more: Any) -> Any:
    return getattr(metrics, class_name)(**{**EXAMPLES[class_name][number].settings, **more})


def test_every_metric_has_an_example() -> None:
    exported = {
        name
        for name, thing in vars(metrics).items()
        if isinstance(thing, type) and issubclass(thing, keras.metrics.Metric) and not name.startswith("_")
    }
    assert exported == set(EXAMPLES)


def test_exact_match_has_an_example_of_every_kind_of_outputs() -> None:
    from codeword.metrics.exact_match import SETTINGS

    outputs = {example.settings.get("outputs", "values") for example in EXAMPLES["ExactMatch"]}
    assert outputs == set(re.findall(r'"(\w+)"', SETTINGS["outputs"].words))


@every_metric
def test_result_is_that_of_the_formula_for_every_rank(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    metric = make(name, number)
    for shape in SHAPES:
        y_true, y_pred, right = example.data(shape)
        metric.reset_state()
        metric.update_state(to_tensor(y_true), to_tensor(y_pred))
        assert 0.1 < example.score(right) < 0.95  # neither all right nor all wrong, which would prove little
        np.testing.assert_allclose(float(metric.result()), example.score(right), rtol=1e-6)


@every_metric
def test_several_batches_count_as_one_and_reset_forgets(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    metric = make(name, number)
    y_true, y_pred, right = example.data((40, 3))
    for _ in range(2):
        for rows in (slice(0, 20), slice(20, 40)):
            metric.update_state(y_true[rows], y_pred[rows])
        np.testing.assert_allclose(float(metric.result()), example.score(right), rtol=1e-6)
        metric.update_state(y_true[:0], y_pred[:0])  # an empty batch changes nothing
        np.testing.assert_allclose(float(metric.result()), example.score(right), rtol=1e-6)
        metric.reset_state()
        assert float(metric.result()) == 0


@every_metric
def test_weights_weigh_the_rows(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    y_true, y_pred, right = example.data((40, 3))
    weights = np.resize([0, 1, 2.5, 0.25], 40).astype(np.float32)
    metric = make(name, number)
    metric.update_state(y_true, y_pred, sample_weight=weights)
    np.testing.assert_allclose(float(metric.result()), example.score(right, weights), rtol=1e-6)


@every_metric
def test_empty_data_gives_zero(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    for shape in ((0, 3), (0,), (0, 2, 2)):
        y_true, y_pred, _ = example.data(shape)
        assert float(make(name, number)(y_true, y_pred)) == 0


@every_metric
def test_config_survives_json_and_keras(name: str, number: int) -> None:
    y_true, y_pred, right = EXAMPLES[name][number].data((40, 3))
    metric = make(name, number, name="mine")
    settings = {**EXAMPLES[name][number].settings, "name": "mine"}
    if settings.get("levels") == 2:
        settings["levels"] = [0.0, 1.0]
    config = json.loads(json.dumps(metric.get_config()))
    assert {**config, **settings} == config
    again = type(metric).from_config(config)
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    for copy in (again, restored):
        assert type(copy) is type(metric)
        assert copy.get_config() == metric.get_config()
        assert copy.name == "mine"
        np.testing.assert_allclose(float(copy(y_true, y_pred)), EXAMPLES[name][number].score(right), rtol=1e-6)


@every_metric
def test_half_precision_predictions_count_as_what_they_are(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    y_true, y_pred, _ = example.data((40, 3))
    for dtype in (DTYPES["bfloat16"], DTYPES["float16"]):
        rounded = y_pred.astype(dtype)
        right = example.predicted(rounded.astype(np.float32)) == class_in(example.levels, y_true)
        metric = make(name, number)
        metric.update_state(to_tensor(y_true), to_tensor(rounded))
        np.testing.assert_allclose(float(metric.result()), example.score(right), rtol=1e-6)


@every_metric
def test_nan_is_never_right(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    y_true, y_pred, _ = example.data((40, 3))
    y_pred[:] = np.nan
    assert float(make(name, number)(y_true, y_pred)) == 0


@every_metric
def test_last_axis_of_one_may_be_missing_and_other_shapes_are_refused(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    y_true, y_pred, right = example.data((40, 1))
    for targets, predictions in ((y_true[:, 0], y_pred), (y_true, y_pred[:, 0]), (y_true[:, 0], y_pred[:, 0])):
        np.testing.assert_allclose(float(make(name, number)(targets, predictions)), example.score(right), rtol=1e-6)
    y_true, y_pred, _ = example.data((40, 3))
    for wrong in (y_true[:, :2], y_true[:20], y_true[0]):
        with pytest.raises(DataError, match=r"`y_true` must have .*: got shape \("):
            make(name, number).update_state(wrong, y_pred)


def test_compiled_model_shows_every_metric_and_survives_saving(tmp_path: Any) -> None:
    keras.utils.set_random_seed(8)
    rng = np.random.default_rng(8)
    inputs = keras.Input((5,))
    results, targets, chosen = {}, {}, {}
    for name, number in CASES:
        example, key = EXAMPLES[name][number], f"{name}_{number}"
        targets[key], y_pred, _ = example.data((40, 3))
        cells = y_pred.shape[1:]
        # Few values, so that some come out exactly right.
        values = staircase([-0.1, 0, 0.25, 0.75]) if example.settings.get("levels") is None else "linear"
        dense = keras.layers.Dense(int(np.prod(cells)), activation=values)
        results[key] = keras.layers.Reshape(cells, name=key)(dense(inputs))
        chosen[key] = make(name, number, name="score")
    model = keras.Model(inputs, results)
    model.compile("sgd", {"ExactMatch_0": "mse"}, metrics=chosen)  # some loss, as Keras asks for one
    x = rng.normal(size=(40, 5)).astype(np.float32)
    before = model.evaluate(x, targets, verbose=0, return_dict=True)
    outputs = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    after = again.evaluate(x, targets, verbose=0, return_dict=True)
    for name, number in CASES:
        example, key = EXAMPLES[name][number], f"{name}_{number}"
        right = example.predicted(outputs[key]) == class_in(example.levels, targets[key])
        np.testing.assert_allclose(before[f"{key}_score"], example.score(right), rtol=1e-6, err_msg=key)
        np.testing.assert_allclose(after[f"{key}_score"], before[f"{key}_score"], rtol=1e-6, err_msg=key)


def test_exact_match_without_levels_rounds_nothing() -> None:
    metric = metrics.ExactMatch()
    for dtype in (np.int32, np.uint8, bool, np.float32):
        metric.reset_state()
        metric.update_state(np.array([[0, 1, 1, 0]]).astype(dtype), np.array([[0.7, 1.2, 1.0, -0.0]], np.float32))
        assert float(metric.result()) == 0.5, dtype


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ParameterError, match=r'`by` must be "cell" or "row": got \'column\'\.$'):
        metrics.ExactMatch(by="column")
    with pytest.raises(ParameterError, match=r'`outputs` must be "values", .*: got \'bits\'\.$'):
        metrics.ExactMatch(outputs="bits")
    with pytest.raises(ParameterError, match=r"`levels` must be given for outputs='logits': got None\.$"):
        metrics.ExactMatch(outputs="logits")
    with pytest.raises(ParameterError, match="`levels` must be "):
        metrics.ExactMatch(levels=[1, 0])
    with pytest.raises(ParameterError, match=r"`edges` must be .*got 'ceiling'"):
        metrics.ExactMatch(levels=FOUR, edges="ceiling")
