"""What every activation promises, asked of all that `codeword.activations` exports."""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from codeword import activations
from codeword.backend import keras
from codeword.errors import ParameterError

from .gradients import gradient, slope_formula, softmax_gradient
from .tensors import DTYPES, assert_same_bits, quick, to_array, to_tensor, ways_to_run

ops = keras.ops

STAIR_SLOPES = ("straight_through", "window", "tanh")
LARGEST = float(np.finfo(np.float16).max)
UNEQUAL = [-3.0, -0.1, 0.2, 0.3, 7.7]


@dataclass(frozen=True)
class Stairs:
    """One way to call an activation of stairs, and what must come out: level k from edge k-1 to edge k."""

    settings: dict[str, Any]
    levels: list[float]
    edges: list[float]
    upper_on_edge: bool = True

    def symbols(self, x: np.ndarray) -> np.ndarray:
        """Counts edges in float32, the dtype in which thresholds are compared."""
        side = "right" if self.upper_on_edge else "left"
        return np.searchsorted(np.array(self.edges, np.float32), x.astype(np.float32), side=side)

    def values(self, x: np.ndarray) -> np.ndarray:
        exact = np.array(self.levels)[self.symbols(x)]
        return np.where(np.isnan(x.astype(np.float64)), np.nan, exact).astype(x.dtype)

    def inputs(self, dtype: np.dtype) -> np.ndarray:
        """Gives 10,000 values of several scales, led by edges, their neighbors, zeros, infinities and NaN."""
        edges = np.array(self.edges, dtype)
        extremes = np.array([0, -0.0, LARGEST, -LARGEST, np.inf, -np.inf, np.nan], dtype)
        beside = [np.nextafter(edge, far) for edge in edges[edges != 0] for far in extremes[2:4]]
        special = np.concatenate([edges, extremes, np.array(beside, dtype)])
        scales = np.resize([1e-3, 1.0, 10.0, 1e4], 10_000 - len(special))
        return np.concatenate([special, (np.random.default_rng(7).normal(size=len(scales)) * scales).astype(dtype)])

    def distance(self, x: np.ndarray) -> np.ndarray:
        wide = x.astype(np.float64)
        return np.maximum(np.maximum(self.edges[0] - wide, wide - self.edges[-1]), 0)


@dataclass(frozen=True)
class Cut(Stairs):
    """One way to call `threshold`: what is on the one edge or above it is kept."""

    def values(self, x: np.ndarray) -> np.ndarray:
        kept = np.where(x.astype(np.float32) < np.float32(self.edges[0]), 0, x.astype(np.float32))
        return (kept + np.float32(0)).astype(x.dtype)  # 0 of -0

    def distance(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(self.edges[0] - x.astype(np.float64), 0)


@dataclass(frozen=True)
class Choice:
    """One way to call `hardmax`."""

    settings: dict[str, Any] = field(default_factory=dict)


EXAMPLES: dict[str, list[Any]] = {
    "sign": [Stairs({}, [-1, 1], [0])],
    "step": [
        Stairs({}, [0, 1], [0], upper_on_edge=False),
        Stairs({"threshold": 0.3}, [0, 1], [0.3], upper_on_edge=False),
    ],
    "threshold": [Cut({}, [], [0]), Cut({"threshold": 0.3}, [], [0.3]), Cut({"threshold": -2}, [], [-2])],
    "staircase": [
        Stairs({"levels": [0, 0.25, 0.5, 0.75]}, [0, 0.25, 0.5, 0.75], [0.125, 0.375, 0.625]),
        Stairs({"levels": 3}, [0, 1, 2], [0.5, 1.5]),
        Stairs({"levels": UNEQUAL}, UNEQUAL, [-1.55, 0.05, 0.25, 4.0]),
        Stairs({"levels": UNEQUAL, "edges": "floor"}, UNEQUAL, [-0.1, 0.2, 0.3, 7.7]),
        Stairs({"levels": UNEQUAL, "edges": [-2.9, 0.0, 0.3, 0.31]}, UNEQUAL, [-2.9, 0.0, 0.3, 0.31]),
    ],
    "hardmax": [Choice(), Choice({"axis": 1, "temperature": 0.25})],
}
STAIRS = [(name, example) for name, examples in EXAMPLES.items() for example in examples if isinstance(example, Stairs)]
one_of_each = pytest.mark.parametrize(("name", "example"), list(dict(STAIRS).items()), ids=list(dict(STAIRS)))
stairs = pytest.mark.parametrize(("name", "example"), STAIRS, ids=[f"{name}-{e.settings}" for name, e in STAIRS])


def activation(name: str, settings: dict[str, Any]) -> Callable[[Any], Any]:
    function = getattr(activations, name)
    if name == "staircase":
        return function(**settings)
    return lambda x: function(x, **settings)


def side_by_side(functions: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Gives each function its own row: one tensor, one gradient, one compilation for all."""
    return lambda x: ops.stack([function(x[row]) for row, function in enumerate(functions)])


def one_hot_of_first_maximum(x: np.ndarray, axis: int) -> np.ndarray:
    first = np.expand_dims(np.argmax(x.astype(np.float64), axis=axis), axis)
    hot = np.zeros(x.shape, x.dtype)
    np.put_along_axis(hot, first, 1, axis=axis)
    return hot


def test_every_activation_has_an_example() -> None:
    public = {
        name
        for name, function in vars(activations).items()
        if inspect.isfunction(function) and function.__module__ == activations.__name__ and not name.startswith("_")
    }
    assert public == set(EXAMPLES)


@stairs
def test_stairs_are_exact_for_every_slope_and_dtype_eager_and_compiled(name: str, example: Stairs) -> None:
    def all_slopes(x: Any) -> Any:
        return ops.stack([activation(name, {**example.settings, "slope": slope})(x) for slope in STAIR_SLOPES])

    for dtype in DTYPES.values():
        x = example.inputs(dtype)
        expected = np.stack([example.values(x)] * len(STAIR_SLOPES))
        for way, function in ways_to_run(all_slopes).items():
            assert_same_bits(function(to_tensor(x)), expected, f"{dtype} {way}")


@stairs
def test_stairs_saturate_at_infinity(name: str, example: Stairs) -> None:
    ends = np.array([-np.inf, -1e30, 1e30, np.inf], np.float32)
    lowest, highest = (0, ends[2:]) if isinstance(example, Cut) else np.float32([example.levels[0], example.levels[-1]])
    expected = np.array([lowest, lowest, *np.broadcast_to(highest, 2)], np.float32)
    assert_same_bits(quick(activation(name, example.settings))(to_tensor(ends)), expected)


@stairs
def test_stairs_learn_by_the_slope_that_was_chosen(name: str, example: Stairs) -> None:
    rng = np.random.default_rng(3)
    chosen = [(slope, width) for slope in STAIR_SLOPES for width in (0.5, 3.0)]
    x = (rng.normal(size=(len(chosen), 1500)) * np.resize([0.1, 2.0, 30.0], 1500)).astype(np.float32)
    weights = rng.normal(size=x.shape).astype(np.float32)
    functions = [activation(name, {**example.settings, "slope": slope, "width": width}) for slope, width in chosen]
    slopes = gradient(side_by_side(functions), x, weights)
    for (slope, width), row, weight, got in zip(chosen, x, weights, slopes, strict=True):
        expected = weight * slope_formula(example.distance(row), slope, width)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5, err_msg=f"{slope} {width}")


def test_the_slopes_by_default_are_those_of_the_docstrings() -> None:
    x = np.random.default_rng(4).normal(size=(5, 300)).astype(np.float32) * 4
    narrow = activations.staircase(UNEQUAL, slope="tanh")
    functions = [activations.sign, activations.step, activations.threshold, narrow, activations.hardmax]
    slopes = gradient(side_by_side(functions), x, weights := np.resize([1.0, -2.0, 0.5], x.shape).astype(np.float32))
    outside = [np.abs(x[0]), np.abs(x[1]), np.maximum(-x[2], 0), np.maximum(np.maximum(-1.55 - x[3], x[3] - 4), 0)]
    for row, (distance, width) in enumerate(zip(outside, [1, 1, 1, (7.7 + 3) / 12], strict=True)):
        expected = weights[row] * slope_formula(distance, "tanh", width)
        np.testing.assert_allclose(slopes[row], expected, rtol=1e-3, atol=1e-5, err_msg=str(row))
    np.testing.assert_allclose(slopes[4], softmax_gradient(x[4], weights[4], -1, 1.0), rtol=1e-4, atol=1e-6)


@one_of_each
def test_stairs_learn_in_half_precision(name: str, example: Stairs) -> None:
    middle = (example.edges[0] + example.edges[-1]) / 2
    for dtype in (DTYPES["bfloat16"], DTYPES["float16"]):
        x = np.array([middle, example.edges[0] - 2, example.edges[-1] + 2], dtype)
        slopes = gradient(
            activation(name, {**example.settings, "slope": "window", "width": 1.5}), x, np.array([2, 3, 4])
        )
        assert slopes.dtype == dtype
        assert slopes.astype(np.float64).tolist() == [2, 0, 4 if isinstance(example, Cut) else 0]


@one_of_each
def test_stairs_have_finite_gradients_at_infinity(name: str, example: Stairs) -> None:
    function = side_by_side([activation(name, {**example.settings, "slope": slope}) for slope in STAIR_SLOPES])
    for dtype in DTYPES.values():
        x = np.array([[np.inf, -np.inf, LARGEST, example.edges[0]]] * len(STAIR_SLOPES), dtype)
        slopes = gradient(function, x).astype(np.float64).tolist()
        kept = isinstance(example, Cut)
        assert slopes == [[0, 0, kept or slope == "straight_through", 1] for slope in STAIR_SLOPES], dtype


def test_zero_is_positive_for_sign_and_not_above_zero_for_step() -> None:
    for dtype in DTYPES.values():
        zeros = np.array([0.0, -0.0], dtype)
        both = quick(lambda x: ops.stack([activations.sign(x), activations.step(x)]))(to_tensor(zeros))
        assert to_array(both).astype(float).tolist() == [[1, 1], [0, 0]]


def test_value_on_an_edge_belongs_to_the_upper_level() -> None:
    edges = np.array([0.1, 0.25, 0.7], np.float32)
    floor = activations.staircase([0, 0.1, 0.25, 0.7], edges="floor")
    own = activations.staircase([0, 0.2, 0.5, 0.9], edges=[0.1, 0.25, 0.7])
    on_edges = quick(lambda x: [floor(x), own(x)])(to_tensor(edges))
    assert to_array(on_edges[0]).tolist() == edges.tolist()
    assert to_array(on_edges[1]).tolist() == np.array([0.2, 0.5, 0.9], np.float32).tolist()


def test_levels_that_collide_in_the_dtype_are_refused() -> None:
    near = activations.staircase([1, 1.001])
    assert to_array(near(np.ones(2, np.float32))).tolist() == [1, 1]
    with pytest.raises(ParameterError, match=r"bfloat16: got 2 values, of which 1 remain"):
        near(to_tensor(np.ones(2, DTYPES["bfloat16"])))
    with pytest.raises(ParameterError, match=r"float16: got 3 values"):  # 1e6 would be infinite
        activations.staircase([0, 1, 1e6])(to_tensor(np.ones(2, np.float16)))


def test_integers_and_booleans_count_as_floats() -> None:
    together = quick(lambda x: [activation(name, example.settings)(x) for name, example in STAIRS])
    for x in (np.array([-2, 0, 1, 9], np.int32), np.array([True, False])):
        for (name, example), values in zip(STAIRS, together(to_tensor(x)), strict=True):
            assert_same_bits(values, example.values(x.astype(np.float32)), name)


def test_hardmax_is_exact_along_every_axis_eager_and_compiled() -> None:
    rng = np.random.default_rng(11)
    for shape in ((7,), (40, 5), (6, 4, 5), (3, 4, 2, 5)):
        # Rounded to quarters, so that ties are common.
        x = (np.round(rng.normal(size=shape) * 4) / 4).astype(np.float32)
        axes = range(-len(shape), len(shape))

        def along_all_axes(x: Any, axes: range = axes) -> list[Any]:
            return [activations.hardmax(x, axis) for axis in axes]

        ways = ways_to_run(along_all_axes)
        if len(ways) > 1 and x.ndim != 3:
            del ways["eager"]  # JAX compiles every single step of it for every shape: seconds
        for way, function in ways.items():
            for axis, hot in zip(axes, function(to_tensor(x)), strict=True):
                assert_same_bits(hot, one_hot_of_first_maximum(x, axis), f"{shape} {axis} {way}")


def hardmax_examples(x: Any) -> list[Any]:
    return [activations.hardmax(x, **example.settings) for example in EXAMPLES["hardmax"]]


def test_hardmax_is_exact_in_every_dtype_and_scale() -> None:
    rng = np.random.default_rng(12)
    for dtype in DTYPES.values():
        x = (rng.normal(size=(4, 3000, 6)) * np.array([1e-3, 1.0, 100.0, 1e4])[:, None, None]).astype(dtype)
        for way, function in ways_to_run(hardmax_examples).items():
            for example, hot in zip(EXAMPLES["hardmax"], function(to_tensor(x)), strict=True):
                expected = one_hot_of_first_maximum(x, example.settings.get("axis", -1))
                assert_same_bits(hot, expected, f"{dtype} {way} {example.settings}")


def test_hardmax_takes_the_first_among_equals_and_keeps_nan_within_its_row() -> None:
    rows = [[0.5] * 3, [0, 1, 1], [-0.0, 0.0, -0.0], [-np.inf] * 3, [2, np.inf, np.inf], [LARGEST, np.inf, 0]]

    for dtype in DTYPES.values():
        x = np.array([*rows, [1, np.nan, 2], [3, 1, 2]], dtype)
        for way, function in ways_to_run(activations.hardmax).items():
            hot = to_array(function(to_tensor(x))).astype(float)
            assert hot[:6].argmax(axis=-1).tolist() == [0, 1, 0, 0, 1, 1], (dtype, way)
            assert np.isnan(hot[6]).all(), (dtype, way)
            assert hot[7].tolist() == [1, 0, 0], (dtype, way)


def test_hardmax_learns_as_a_softmax() -> None:
    rng = np.random.default_rng(13)
    chosen = [(axis, temperature) for axis in (-1, 1, -3) for temperature in (0.1, 20.0)]
    x = rng.normal(size=(len(chosen), 6, 4, 5)).astype(np.float32)
    weights = rng.normal(size=x.shape).astype(np.float32)
    functions = [activation("hardmax", {"axis": axis, "temperature": t}) for axis, t in chosen]
    slopes = gradient(side_by_side(functions), x, weights)
    for (axis, temperature), part, weight, got in zip(chosen, x, weights, slopes, strict=True):
        expected = softmax_gradient(part, weight, axis, temperature)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5, err_msg=f"{axis} {temperature}")


def test_hardmax_learns_by_finite_numbers_at_tiny_temperatures_and_infinities() -> None:
    smallest = float(np.finfo(np.float32).tiny)
    settings = [{"temperature": smallest}, {"temperature": 1e-30}, {"temperature": 1.0}]
    function = side_by_side([activation("hardmax", chosen) for chosen in settings])
    for dtype in DTYPES.values():
        x = np.array([[[1, 2, 3], [5, 5, -5], [np.inf, 1, -np.inf], [3e4, -3e4, 1e-3]]] * len(settings), dtype)
        assert_same_bits(quick(function)(to_tensor(x)), one_hot_of_first_maximum(x, -1))
        # Equal weights have no preference: a softmax then gives no gradient, not even on a tie.
        np.testing.assert_allclose(gradient(function, x, 0.5).astype(np.float64), 0, atol=1e-6, err_msg=str(dtype))


def test_dense_layers_with_every_activation_survive_saving(tmp_path: Any) -> None:
    given = [
        *(activations.staircase(**example.settings) for example in EXAMPLES["staircase"]),
        activations.staircase(UNEQUAL, slope="tanh", width=0.5),
        *(getattr(activations, name) for name in EXAMPLES if name != "staircase"),
    ]
    keras.utils.set_random_seed(5)
    inputs = keras.Input((4,))
    outputs = [keras.layers.Dense(3, activation=function, bias_initializer="normal")(inputs) for function in given]
    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(5).normal(size=(64, 4)).astype(np.float32) * 3

    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")

    for function, before, after in zip(given, model.predict(x, verbose=0), again.predict(x, verbose=0), strict=True):
        assert_same_bits(after, before, repr(function))
        assert len(np.unique(before)) > 1, function  # outputs that do not vary would prove little
    for before, after in zip(model.layers[1:], again.layers[1:], strict=True):
        assert after.get_config()["activation"] == before.get_config()["activation"]


def test_staircase_gives_a_config_of_plain_values() -> None:
    for example in EXAMPLES["staircase"]:
        for extra in ({}, {"slope": "tanh", "width": 0.25}):
            made = activations.staircase(**example.settings, **extra)
            config = json.loads(json.dumps(made.get_config()))
            again = type(made).from_config(config)
            assert again.get_config() == made.get_config()
            x = example.inputs(DTYPES["float32"])
            assert_same_bits(again(x), example.values(x))
            assert (again.slope, again.width) == (extra.get("slope", "straight_through"), extra.get("width"))


def test_activations_are_found_by_the_name_that_keras_saves() -> None:
    for name in ("sign", "step", "hardmax", "threshold"):
        saved = keras.activations.serialize(getattr(activations, name))
        assert keras.activations.deserialize(saved) is getattr(activations, name)
