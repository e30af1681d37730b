"""What every layer promises, asked of all that `codeword.layers` exports."""

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from codeword import layers
from codeword.backend import keras
from codeword.errors import ParameterError

from .gradients import gradient, slope_formula, softmax_gradient
from .tensors import DTYPES, assert_same_bits, quick, to_array, to_tensor, ways_to_run

STAIR_SLOPES = ("straight_through", "window", "tanh")
CHOICE_SLOPES = ("softmax", "gumbel", "reinmax")
UNEQUAL = [-3.0, -0.1, 0.2, 0.3, 7.7]
NUM_ROWS = 10_000
FLOAT32 = DTYPES["float32"]
LARGEST = float(np.finfo(np.float16).max)
MIXED = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


@dataclass(frozen=True)
class Stairs:
    """A layer that puts each number on a level: one pair of levels and edges for all columns, or one for each."""

    settings: dict[str, Any]
    columns: list[tuple[Any, Any]]
    saturates_at: str = "edges"
    rounding: float = 0.0  # margin within which the symbol may be the neighbor, as it is computed, not compared
    collides_in: tuple[str, ...] = ()
    one_hot: bool = False
    upper_on_edge: bool = True
    slopes: tuple[str, ...] = STAIR_SLOPES
    more: dict[str, Any] = field(default_factory=lambda: {"width": 0.25})
    row_shape: tuple[int, ...] = (3,)
    has_symbols: bool = True

    def symbols(self, x: np.ndarray) -> np.ndarray:
        side = "right" if self.upper_on_edge else "left"
        return self._by_column(x, lambda x, _, edges: np.searchsorted(np.float32(edges), x, side=side))

    def values(self, symbols: np.ndarray) -> np.ndarray:
        """Gives float64; the layer must give the nearest that its dtype has."""
        if self.one_hot:
            return np.eye(len(self.columns[0][0]))[symbols]
        return self._by_column(symbols, lambda k, levels, _: np.float64(levels)[k])

    def margin(self, x: np.ndarray) -> np.ndarray:
        def nearest(x: np.ndarray, _: Any, edges: Any) -> np.ndarray:
            index = np.searchsorted(edges, x)
            below, above = np.take(edges, np.maximum(index - 1, 0)), np.take(edges, np.minimum(index, len(edges) - 1))
            return np.minimum(np.abs(x - below), np.abs(x - above))

        return self._by_column(x.astype(np.float64), nearest)

    def slope_formula(self, x: np.ndarray, weights: np.ndarray, slope: str, width: float) -> np.ndarray:
        def distance(x: np.ndarray, levels: Any, edges: Any) -> np.ndarray:
            ends = edges if self.saturates_at == "edges" else levels
            return np.maximum(np.maximum(ends[0] - x, x - ends[-1]), 0)

        return weights * slope_formula(self._by_column(x.astype(np.float64), distance), slope, width)

    def inputs(self, dtype: np.dtype = FLOAT32) -> np.ndarray:
        """Gives rows of several scales, led by every edge with its neighbors, zeros, and the ends of the range."""
        rng = np.random.default_rng(7)
        x = rng.normal(size=(NUM_ROWS, *self.row_shape)) * np.resize([0.01, 1, 100, 1e4], NUM_ROWS)[:, None]
        x = x.astype(dtype)
        for column in range(x.shape[-1]):
            edges = np.array(self._column(column)[1], dtype)[:300]
            ends = np.array([LARGEST, -LARGEST, np.inf, -np.inf, 0, -0.0], dtype)
            beside = [np.nextafter(edge, far) for edge in edges[edges != 0] for far in ends[:2]]
            special = np.concatenate([edges, ends, np.array(beside, dtype)])
            x[: len(special), column] = special
        return x

    def _column(self, column: int) -> tuple[Any, Any]:
        return self.columns[column if len(self.columns) > 1 else 0]

    def _by_column(self, x: np.ndarray, function: Any) -> np.ndarray:
        return np.stack([function(x[..., i], *self._column(i)) for i in range(x.shape[-1])], axis=-1)


@dataclass(frozen=True)
class Cut(Stairs):
    """A layer that keeps what is above its one edge: there are no symbols, and the values are what is kept."""

    def symbols(self, x: np.ndarray) -> np.ndarray:
        edge = np.float32(self.columns[0][1][0])
        return np.where(x >= edge, x, 0) + np.float32(0)  # which makes 0 of -0

    def values(self, symbols: np.ndarray) -> np.ndarray:
        return symbols

    def slope_formula(self, x: np.ndarray, weights: np.ndarray, slope: str, width: float) -> np.ndarray:
        edge = self.columns[0][1][0]
        return weights * slope_formula(np.maximum(edge - x.astype(np.float64), 0), slope, width)


@dataclass(frozen=True)
class Choice:
    """A layer that gives the one-hot of the maximum along an axis; nothing is drawn, as in inference."""

    settings: dict[str, Any] = field(default_factory=dict)
    row_shape: tuple[int, ...] = (3,)
    slopes: tuple[str, ...] = CHOICE_SLOPES
    rounding: float = 0.0
    collides_in: tuple[str, ...] = ()
    one_hot: bool = False
    more: dict[str, Any] = field(default_factory=lambda: {"annealed": True, "seed": 5})
    has_symbols: bool = True

    @property
    def axis(self) -> int:
        return self.settings.get("axis", -1)

    def symbols(self, x: np.ndarray) -> np.ndarray:
        return x.argmax(axis=self.axis)

    def values(self, symbols: np.ndarray) -> np.ndarray:
        size = self.row_shape[self.axis if self.axis < 0 else self.axis - 1]
        return np.moveaxis(np.eye(size)[symbols], -1, self.axis)

    def margin(self, x: np.ndarray) -> np.ndarray:
        second, best = np.moveaxis(np.sort(x.astype(np.float64), axis=self.axis), self.axis, 0)[-2:]
        return np.where(best == second, 0, best - np.where(best == second, 0, second))

    def slope_formula(self, x: np.ndarray, weights: np.ndarray, slope: str, _: float) -> np.ndarray:
        temperature = self.settings.get("temperature", 1.0)
        return softmax_gradient(x, weights, self.axis, temperature)

    def inputs(self, dtype: np.dtype = FLOAT32) -> np.ndarray:
        """Gives rows of several scales, led by ties, neighbors, zeros of both signs and infinities."""
        rng = np.random.default_rng(8)
        scales = np.resize([0.01, 1, 100, 1e4], NUM_ROWS).reshape(-1, *[1] * len(self.row_shape))
        x = (rng.normal(size=(NUM_ROWS, *self.row_shape)) * scales).astype(dtype)
        one, ends = np.ones((), dtype), [np.inf, -np.inf, 0.0, -0.0, 1.0, LARGEST]
        special = np.array([one, np.nextafter(one, np.array(2, dtype)), *ends], dtype)
        x[:4000] = rng.choice(special, size=(4000, *self.row_shape))
        return x


@dataclass(frozen=True)
class Passing:
    """A layer that returns its inputs in inference, all rows or the first half of them."""

    settings: dict[str, Any] = field(default_factory=dict)
    row_shape: tuple[int, ...] = (3,)
    half: bool = False
    slopes: tuple[str, ...] = ()
    collides_in: tuple[str, ...] = ()
    has_symbols: bool = False

    def symbols(self, x: np.ndarray) -> np.ndarray:
        return x[: len(x) // 2] if self.half else x

    def values(self, symbols: np.ndarray) -> np.ndarray:
        return symbols

    def inputs(self, dtype: np.dtype = FLOAT32) -> np.ndarray:
        """Gives rows of several scales, led by the ends of the range."""
        x = np.random.default_rng(7).normal(size=(NUM_ROWS, *self.row_shape)) * 100
        x[:6] = np.array([LARGEST, -LARGEST, np.inf, -np.inf, 0, -0.0]).reshape(-1, *[1] * len(self.row_shape))
        return x.astype(dtype)


def scalars(steps: int, minimum: float, maximum: float) -> tuple[np.ndarray, np.ndarray]:
    """Gives levels, float32 as documented, and their midpoints."""
    width = (maximum - minimum) / (steps - 1)
    return np.float32(minimum + np.arange(steps) * width), minimum + (np.arange(steps - 1) + 0.5) * width


EXAMPLES: dict[str, list[Any]] = {
    "SignBits": [Stairs({}, [([-1, 1], [0])])],
    "Staircase": [
        Stairs(
            {"levels": [0, 0.25, 0.5, 0.75]},
            [([0, 0.25, 0.5, 0.75], [0.125, 0.375, 0.625])],
            slopes=("drawn", *STAIR_SLOPES),
        ),
        Stairs({"levels": UNEQUAL, "edges": "floor"}, [(UNEQUAL, UNEQUAL[1:])]),
        Stairs({"levels": [1, 1.001], "edges": [1.0005]}, [([1, 1.001], [1.0005])], collides_in=("bfloat16",)),
    ],
    "ScalarQuantizer": [
        Stairs({}, [scalars(256, 0, 1)], "levels", rounding=1e-6),
        Stairs(
            {"steps": (2, 3, 100), "minimum": -1.5, "maximum": 0.7},
            [scalars(2, -1.5, 0.7), scalars(3, -1.5, 0.7), scalars(100, -1.5, 0.7)],
            "levels",
            rounding=2e-6,
        ),
    ],
    "Step": [Stairs({"threshold": 0.3}, [([0, 1], [0.3])], upper_on_edge=False)],
    "Threshold": [
        Cut({"threshold": 0.5}, [(None, [0.5])], has_symbols=False),
        Cut({}, [(None, [0.0])], has_symbols=False),
    ],
    "Hardmax": [
        Choice(),
        Choice({"axis": 1, "temperature": 0.5, "slope": "gumbel", "seed": 3}, row_shape=(4, 3)),
        Choice({"axis": -2, "temperature": 2.0, "slope": "reinmax", "annealed": True}, row_shape=(4, 3)),
    ],
    "LevelOneHot": [
        Stairs({"levels": UNEQUAL}, [(UNEQUAL, [-1.55, 0.05, 0.25, 4.0])], one_hot=True, slopes=(), has_symbols=False)
    ],
    "CodeNoise": [Passing({"stddev": 0.5, "seed": 3})],
    "NoCode": [Passing()],
    "RandomAffine": [
        Passing({"rotation": 30.0, "seed": 3}, row_shape=(5, 3)),
        Passing({"zoom": 0.5, "shift": 0.2}, row_shape=(5, 4, 2)),
    ],
    "ForDecoder": [Passing(half=True)],
}
OUTPUT_IN_THE_DTYPE_OF_THE_INPUT = ("Threshold", "CodeNoise", "ForDecoder")
CASES = [(name, number) for name, examples in EXAMPLES.items() for number in range(len(examples))]
every_layer = pytest.mark.parametrize(("name", "number"), CASES)
every_layer_with_symbols = pytest.mark.parametrize(
    ("name", "number"), [case for case in CASES if EXAMPLES[case[0]][case[1]].has_symbols]
)


def make(class_name: str, number: int, **more: Any) -> Any:
    return getattr(layers, class_name)(**{**EXAMPLES[class_name][number].settings, **more})


def built(class_name: str, number: int, **more: Any) -> Any:
    """Makes a layer with its variables, which must not be made while JAX traces."""
    layer = make(class_name, number, **more)
    layer.build((None, *EXAMPLES[class_name][number].row_shape))
    return layer


@functools.cache
def answers_of(name: str, number: int, dtype: str = "float32") -> Callable[[Any], Any]:
    """Gives a function from inputs to outputs, symbols and margin, which JAX compiles once for all tests."""
    layer = built(name, number, dtype=dtype)

    def all_three(x: Any) -> list[Any]:
        has_symbols = EXAMPLES[name][number].has_symbols
        return [layer(x), layer.symbols(x), layer.margin(x)] if has_symbols else [layer(x)]

    compiled = quick(all_three)
    return lambda x: [to_array(answer) for answer in compiled(to_tensor(x))]


def working_dtypes(example: Any) -> list[str]:
    return [dtype for dtype in DTYPES if dtype not in example.collides_in]


@pytest.fixture(params=MIXED)
def mixed_policy(request: pytest.FixtureRequest) -> Iterator[str]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def test_every_layer_has_an_example() -> None:
    exported = {
        name
        for name, thing in vars(layers).items()
        if isinstance(thing, type) and issubclass(thing, keras.layers.Layer) and not name.startswith("_")
    }
    codebooks = {name for name in exported if hasattr(getattr(layers, name), "prefixes")}
    assert exported - codebooks == set(EXAMPLES)  # those have weights and a contract of their own
    exported -= codebooks
    # `NoCode` has no thresholds; no other layer of symbols may escape their tests.
    with_symbols = {name for name in exported if hasattr(getattr(layers, name), "symbols")}
    assert with_symbols == {name for name, number in CASES if EXAMPLES[name][number].has_symbols} | {"NoCode"}


def test_every_registered_layer_is_exported() -> None:
    registered = [
        thing
        for name, thing in keras.saving.get_custom_objects().items()
        if name.startswith("codeword>") and isinstance(thing, type) and issubclass(thing, keras.layers.Layer)
    ]
    assert registered
    for layer in registered:
        assert getattr(layers, layer.__name__, None) is layer


@every_layer
def test_outputs_are_exact_values_in_every_dtype(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    for dtype in working_dtypes(example):
        x = example.inputs(DTYPES[dtype])
        outputs, *rest = answers_of(name, number, dtype)(x)
        symbols = example.symbols(x.astype(np.float32))
        if rest:
            far = example.margin(x) >= example.rounding
            assert far.mean() > 0.9
            np.testing.assert_array_equal(rest[0][far], symbols[far], err_msg=dtype)
            assert rest[0].dtype == np.int32
            symbols = rest[0]  # within the rounding the layer may choose either
        assert_same_bits(outputs, example.values(symbols).astype(DTYPES[dtype]), dtype)


@every_layer
def test_levels_that_collide_in_the_dtype_are_refused(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    for dtype in example.collides_in:
        with pytest.raises(ParameterError, match=rf"(?s)must stay different in {dtype}: got \d+ values"):
            make(name, number, dtype=dtype)(to_tensor(example.inputs(DTYPES[dtype])))


@every_layer_with_symbols
def test_margin_is_the_distance_to_the_nearest_threshold(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    for dtype in working_dtypes(example):
        x = example.inputs(DTYPES[dtype])
        _, _, margin = answers_of(name, number, dtype)(x)
        assert margin.dtype == np.float32
        assert (margin >= 0).all()
        np.testing.assert_allclose(margin, example.margin(x), rtol=1e-6, atol=1e-6, err_msg=dtype)


@every_layer_with_symbols
def test_symbols_change_beyond_the_margin_and_not_within(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    answers = answers_of(name, number)
    x = (np.random.default_rng(9).normal(size=(NUM_ROWS, *example.row_shape)) * 3).astype(np.float32)
    _, symbols, margin = answers(x)
    direction = np.float32(1)
    if isinstance(example, Choice):  # the best score comes down by half of its lead, all others go up
        direction = 1 - 2 * example.values(symbols).astype(np.float32)
        margin = np.expand_dims(margin, example.axis) / 2
    far = (margin > 1e-4) & (margin < 5)
    within = [answers(x + factor * margin * direction)[1] == symbols for factor in (-0.99, 0.99)]
    beyond = [answers(x + factor * margin * direction)[1] != symbols for factor in (-1.01, 1.01)]
    if isinstance(example, Choice):
        far = far.squeeze(example.axis)
    assert far.mean() > 0.5
    assert (within[0] & within[1])[far].all()
    assert (beyond[0] | beyond[1])[far].all()


@every_layer_with_symbols
def test_symbols_fit_the_outputs_whatever_dtype_comes_in(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    for dtype in working_dtypes(example):
        x = np.random.default_rng(10).normal(size=(NUM_ROWS, *example.row_shape)).astype(np.float32)
        outputs, symbols, _ = answers_of(name, number, dtype)(x)
        assert_same_bits(outputs, example.values(symbols).astype(DTYPES[dtype]), dtype)
        for other in (x.astype(DTYPES[dtype]), x.astype(np.float64)):
            assert_same_bits(answers_of(name, number, dtype)(other)[1], symbols, f"{dtype} {other.dtype}")


@every_layer
def test_nan_stays_nan_and_disturbs_no_other_row(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    x = np.ones((NUM_ROWS, *example.row_shape), np.float32)
    x[0] = np.nan
    outputs, *_ = answers_of(name, number)(x)
    assert np.isfinite(outputs[1:]).all()
    if name != "LevelOneHot":  # which takes levels, not any numbers
        assert np.isnan(outputs[0]).all()


@every_layer
def test_compiled_equals_eager_every_time(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    layer = make(name, number)
    x = example.inputs()
    eager = to_array(layer(to_tensor(x)))
    inputs = keras.Input(example.row_shape)
    asked = [layer(inputs)]
    if example.has_symbols:
        asked += [layer.symbols(inputs), layer.margin(inputs)]
    model = keras.Model(inputs, {str(number): answer for number, answer in enumerate(asked)})
    ways = {**ways_to_run(layer), "quick": lambda _: answers_of(name, number)(x)[0]}
    ways.pop("jax.jit", None)  # which is the quick one
    for _ in range(2):
        predicted = model.predict(x, batch_size=NUM_ROWS, verbose=0)
        assert_same_bits(predicted["0"], eager)
        for way, function in ways.items():
            assert_same_bits(function(to_tensor(x)), eager, way)
    if example.has_symbols:
        _, symbols, margin = answers_of(name, number)(x)
        assert_same_bits(predicted["1"], symbols)
        np.testing.assert_allclose(predicted["2"], margin, rtol=1e-6, atol=1e-6)
    assert tuple(asked[0].shape) == (None, *eager.shape[1:])
    assert keras.backend.standardize_dtype(asked[0].dtype) == "float32"


@every_layer
def test_mixed_precision_computes_in_float32(name: str, number: int, mixed_policy: str) -> None:
    example = EXAMPLES[name][number]
    half = DTYPES[MIXED[mixed_policy]]
    layer = make(name, number)
    for x in (example.inputs(), example.inputs(half)):
        expected = answers_of(name, number)(x.astype(np.float32))[0]
        if name == "LevelOneHot":  # zeros and ones, in the dtype of the network that follows
            expected = expected.astype(half)
        if name in OUTPUT_IN_THE_DTYPE_OF_THE_INPUT:  # which give no symbols, and numbers as exact as those that came
            expected = answers_of(name, number, MIXED[mixed_policy])(x.astype(half))[0]
        assert_same_bits(layer(to_tensor(x)), expected)


@every_layer
def test_empty_batch_gives_an_empty_result(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    x = np.zeros((0, *example.row_shape), np.float32)
    outputs, *rest = answers_of(name, number)(x)
    one_row = example.symbols(np.zeros((1, *example.row_shape)))
    assert outputs.shape == (0, *example.values(one_row).shape[1:])
    assert outputs.dtype == np.float32
    for answer in rest:
        assert answer.shape == (0, *one_row.shape[1:])


@every_layer
def test_more_axes_and_integers_change_nothing(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    answers = answers_of(name, number)
    x = np.round(np.random.default_rng(4).normal(size=(NUM_ROWS, *example.row_shape)) * 3).astype(np.float32)
    if not isinstance(example, Passing):
        for from_integers, from_floats in zip(answers(x.astype(np.int32)), answers(x), strict=True):
            assert_same_bits(from_integers, from_floats)
    if getattr(example, "axis", -1) == -1 and not getattr(example, "half", False) and name != "RandomAffine":
        for split, flat in zip(answers(x.reshape(100, 50, 2, -1)), answers(x), strict=True):
            assert_same_bits(split.reshape(flat.shape), flat)
            assert split.shape == (100, 50, 2, *flat.shape[1:])


@every_layer
def test_config_survives_json_and_keras(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    x = to_tensor(example.inputs())
    for slope in example.slopes or (None,):
        given = {**example.settings, **({} if slope is None else {"slope": slope, **example.more}), "name": "mine"}
        layer = getattr(layers, name)(**given)
        config = json.loads(json.dumps(layer.get_config()))
        for setting, value in given.items():
            assert config[setting] == (list(value) if isinstance(value, tuple) else value)
        again = type(layer).from_config(config)
        restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        for copy in (again, restored):
            assert type(copy) is type(layer)
            assert copy.get_config() == layer.get_config()
    assert_same_bits(again(x), answers_of(name, number)(example.inputs())[0])


def test_model_with_every_layer_survives_saving(tmp_path: Any) -> None:
    keras.utils.set_random_seed(6)
    inputs = keras.Input((5,))
    results = {}
    for name, number in CASES:
        row_shape = EXAMPLES[name][number].row_shape
        dense = keras.layers.Dense(int(np.prod(row_shape)), kernel_initializer=keras.initializers.RandomNormal(0, 1))
        results[f"{name}_{number}"] = make(name, number)(keras.layers.Reshape(row_shape)(dense(inputs)))
    model = keras.Model(inputs, results)
    x = np.random.default_rng(6).normal(size=(64, 5)).astype(np.float32)

    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")

    before, after = model.predict(x, verbose=0), again.predict(x, verbose=0)
    for name, outputs in before.items():
        assert_same_bits(after[name], outputs, name)
        assert len(np.unique(outputs)) > 1, name  # outputs that do not vary would prove little
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]


@every_layer
def test_gradient_is_the_slope_that_was_chosen(name: str, number: int) -> None:
    example = EXAMPLES[name][number]
    rng = np.random.default_rng(5)
    if not example.slopes:
        slopes = gradient(built(name, number), rng.normal(size=(500, *example.row_shape)).astype(np.float32))
        passes = isinstance(example, Passing) and not example.half
        assert (slopes == (1 if passes else 0)).all()
        return
    x = (rng.normal(size=(len(example.slopes), 500, *example.row_shape)) * 3).astype(np.float32)
    weights = rng.normal(size=x.shape).astype(np.float32)
    width = {} if isinstance(example, Choice) else {"width": 0.8}
    by_slope = [built(name, number, slope=slope, **width) for slope in example.slopes]
    slopes = gradient(lambda x: keras.ops.stack([layer(x[row]) for row, layer in enumerate(by_slope)]), x, weights)
    for row, slope in enumerate(example.slopes):
        expected = example.slope_formula(x[row], weights[row], slope, 0.8)
        np.testing.assert_allclose(slopes[row], expected, rtol=1e-4, atol=1e-5, err_msg=slope)


def test_one_training_step_moves_every_weight() -> None:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((5,))
    results, first, last = {}, {}, {}
    for name, number in CASES:
        if name == "ForDecoder":  # whose outputs have fewer rows than the targets
            continue
        example, key = EXAMPLES[name][number], f"{name}_{number}"
        first[key] = keras.layers.Dense(int(np.prod(example.row_shape)), bias_initializer="normal")
        last[key] = keras.layers.Dense(2)
        learns = name != "LevelOneHot"
        hidden = keras.layers.Reshape(example.row_shape)(first[key](inputs) if learns else inputs[:, :3])
        results[key] = last[key](keras.layers.Flatten()(make(name, number)(hidden)))
    model = keras.Model(inputs, results)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    rng = np.random.default_rng(3)
    x = rng.normal(size=(32, 5)).astype(np.float32)
    targets = {key: rng.normal(size=(32, 2)).astype(np.float32) for key in results}
    before = {key: [w.copy() for layer in (first[key], last[key]) for w in layer.get_weights()] for key in results}

    model.fit(x, targets, batch_size=32, epochs=1, verbose=0)

    for key in results:
        after = [w for layer in (first[key], last[key]) for w in layer.get_weights()]
        assert len(after) == (2 if key.startswith("LevelOneHot") else 4)
        for place, (old, new) in enumerate(zip(before[key], after, strict=True)):
            assert np.isfinite(new).all(), key
            # Before the layer every weight moves; behind it an input may be 0 in all rows.
            enough = 1.0 if len(after) == 4 and place < 2 else 0.5
            assert (new != old).mean() >= enough, (key, place)
