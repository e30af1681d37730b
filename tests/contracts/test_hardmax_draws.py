"""What `Hardmax` does in training where it draws its choice: "gumbel" and "reinmax"."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from codeword import activations, layers, random_numbers, surrogates
from codeword.backend import keras

from .gradients import gradient, reinmax_gradient, softmax, softmax_gradient, value_and_gradient
from .tensors import DTYPES, assert_same_bits, quick, to_array, to_tensor, ways_to_run

ops = keras.ops

SAMPLED = ("gumbel", "reinmax")
# The slope of `choice` that stands behind each of the layer's.
WITH_NOISE = {"gumbel": "softmax", "reinmax": "reinmax"}
SCALES = [1e-3, 1.0, 100.0, 1e4]


def one_hot_of(index: np.ndarray, like: np.ndarray, axis: int = -1) -> np.ndarray:
    hot = np.zeros(like.shape, like.dtype)
    np.put_along_axis(hot, np.expand_dims(index, axis), 1, axis=axis)
    return hot


def gumbel_noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gumbel(size=shape).astype(np.float32)


def in_training(layer: Any) -> Callable[[Any], Any]:
    """Gives the layer as it is called in training, with the draw that comes next; it is not used up."""

    def call(x: Any) -> Any:
        with keras.StatelessScope():
            return layer(x, training=True)

    return call


def drawing(slope: str, row_shape: tuple[int, ...] = (3,), **settings: Any) -> Any:
    layer = layers.Hardmax(slope=slope, seed=settings.pop("seed", 7), **settings)
    layer.build((None, *row_shape))
    return layer


def test_choices_with_noise_are_exact_in_every_dtype_and_scale() -> None:
    noise = gumbel_noise((len(SCALES), 500, 6), seed=1)
    x = np.random.default_rng(12).normal(size=noise.shape) * np.reshape(SCALES, (-1, 1, 1))
    cases = list(itertools.product(DTYPES, WITH_NOISE.values(), (-1, 1)))

    def all_cases(given: tuple[Any, Any]) -> list[Any]:
        x, noise = given
        return [surrogates.choice(ops.cast(x, d), axis, s, 0.5, noise=noise) for d, s, axis in cases]

    ways = ways_to_run(all_cases)
    if len(ways) == 2:
        del ways["eager"]  # JAX compiles every single step of it: seconds
    for way, function in ways.items():
        answers = function((to_tensor(x.astype(np.float32)), to_tensor(noise)))
        for (dtype, slope, axis), hot in zip(cases, answers, strict=True):
            given = x.astype(np.float32).astype(DTYPES[dtype])
            index = (given.astype(np.float32) + noise).argmax(axis)
            assert_same_bits(hot, one_hot_of(index, given, axis), f"{dtype} {slope} {axis} {way}")


def test_rows_in_training_are_exactly_one_hot() -> None:
    rng = np.random.default_rng(2)
    plain = rng.normal(size=(len(SCALES), 2000, 5)) * np.reshape(SCALES, (-1, 1, 1))
    ties = rng.choice([0, 1.0, -1e4, 6e4], size=plain[:1].shape)
    x = np.concatenate([plain, np.zeros_like(ties), ties]).astype(np.float32)
    cases = list(itertools.product(SAMPLED, DTYPES))
    calls = [in_training(drawing(slope, x.shape[1:], dtype=dtype)) for slope, dtype in cases]
    first: list[np.ndarray] = []
    for way, function in ways_to_run(lambda x: [call(x) for call in calls]).items():
        answers = [to_array(answer) for answer in function(to_tensor(x))]
        first = first or answers
        for (slope, dtype), answer, same in zip(cases, answers, first, strict=True):
            assert answer.dtype == DTYPES[dtype]
            hot = answer.astype(np.float64)
            wrong = ~(np.isin(hot, [0, 1]).all(axis=-1) & (hot.sum(axis=-1) == 1))
            assert wrong.sum() == 0, (slope, dtype, way)
            if way != "tf.function with XLA":  # which has random numbers of its own
                assert_same_bits(answer, same, f"{slope} {dtype} {way}")


def test_noise_gives_the_gradient_of_gumbel_softmax_and_of_reinmax() -> None:
    rng = np.random.default_rng(13)
    chosen = [(-1, 0.3), (1, 1.0), (-3, 5.0)]
    x, weights = rng.normal(size=(2, len(chosen), 6, 4, 5)).astype(np.float32)
    noise = gumbel_noise(x.shape, seed=3)
    for slope in SAMPLED:

        def side_by_side(x: Any, slope: str = WITH_NOISE[slope]) -> Any:
            return ops.stack(
                [
                    surrogates.choice(x[row], axis, slope, t, noise=to_tensor(noise[row]))
                    for row, (axis, t) in enumerate(chosen)
                ]
            )

        drawn, slopes = value_and_gradient(side_by_side, x, weights)
        for row, (axis, t) in enumerate(chosen):
            noisy = x[row] + noise[row]
            assert_same_bits(drawn[row], one_hot_of(noisy.argmax(axis), x[row], axis))
            if slope == "gumbel":
                expected = softmax_gradient(noisy, weights[row], axis, t)
            else:
                expected = reinmax_gradient(x[row], weights[row], drawn[row], axis, t)
            np.testing.assert_allclose(slopes[row], expected, rtol=1e-4, atol=1e-5, err_msg=f"{slope} {axis} {t}")


def test_layer_learns_in_training_by_what_it_drew() -> None:
    tolerances = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 3e-3}
    cases = list(itertools.product(SAMPLED, tolerances, (False, True)))
    rng = np.random.default_rng(4)
    x, weights = (rng.normal(size=(2, len(cases), 300, 4)) * 64).round() / 64  # which bfloat16 has too, but for few

    def layer_of(slope: str, dtype: str, annealed: bool) -> Any:
        layer = drawing(slope, (4,), temperature=0.7, annealed=annealed, dtype=dtype)
        if annealed:
            layer.current_temperature.assign(0.25)
        return layer

    calls = [in_training(layer_of(*case)) for case in cases]
    drawn, slopes = value_and_gradient(
        lambda x: ops.stack([ops.cast(call(x[row]), "float32") for row, call in enumerate(calls)]),
        x.astype(np.float32),
        weights.astype(np.float32),
    )
    for row, (slope, dtype, annealed) in enumerate(cases):
        given, temperature = x[row].astype(DTYPES[dtype]), 0.25 if annealed else 0.7
        if slope == "gumbel":
            twin = layer_of(slope, dtype, annealed)
            noise = -ops.log(-ops.log(random_numbers.uniform(to_tensor(given), twin.seed_generator)))
            noisy = given.astype(np.float32) + to_array(noise)
            assert_same_bits(drawn[row], one_hot_of(noisy.argmax(-1), noisy))
            expected = softmax_gradient(noisy, weights[row], -1, temperature)
        else:
            assert (drawn[row].argmax(-1) != given.argmax(-1)).any()
            expected = reinmax_gradient(given, weights[row], drawn[row], -1, temperature)
        tolerance = {"rtol": tolerances[dtype], "atol": tolerances[dtype]}
        np.testing.assert_allclose(slopes[row], expected, **tolerance, err_msg=f"{slope} {dtype} {annealed}")


def test_common_summand_of_all_scores_changes_no_gradient() -> None:
    rng = np.random.default_rng(5)
    summands = np.array([0.0, 1e4, -1e6], np.float32)[:, None, None]
    x = rng.integers(-2, 3, size=(50, 4)).astype(np.float32) + summands  # all exact
    weights = rng.normal(size=x.shape).astype(np.float32)
    # Scores have gaps of 1, so that little noise decides between equals only, beside 1e6 too.
    noise = (rng.integers(0, 4, size=x.shape) / 8).astype(np.float32)
    drawn, slopes = value_and_gradient(
        lambda x: surrogates.choice(x, -1, "reinmax", 1.0, noise=to_tensor(noise)), x, weights
    )
    np.testing.assert_allclose(slopes, reinmax_gradient(x, weights, drawn, -1, 1.0), rtol=1e-4, atol=1e-5)


def test_extreme_scores_give_finite_gradients_and_the_only_choice_there_is() -> None:
    decided = [[np.inf, 1, -np.inf], [-6e4, 6e4, 0], [-np.inf, -np.inf, 0], [1, np.inf, 2], [-np.inf, 3, -6e4]]
    decided.append([3e38, -3e38, 0])
    x = np.array([*decided, [65504, np.inf, 0], [np.inf, np.inf, 0], [-np.inf] * 3, [1, np.nan, 2]], np.float32)
    cases = list(itertools.product(SAMPLED, DTYPES, (1e-30, 1.0)))
    calls = [in_training(drawing(slope, dtype=dtype, temperature=t)) for slope, dtype, t in cases]
    weights = np.full((len(cases), *x.shape), 0.5, np.float32)
    weights[:, :6] = [1, -2, 3]  # not on a tie: a tiny temperature is steep there, as it should be
    answers, slopes = value_and_gradient(
        lambda x: ops.stack([ops.cast(call(x[row]), "float32") for row, call in enumerate(calls)]),
        np.stack([x] * len(cases)),
        weights,
    )
    for case, hot, slope in zip(cases, answers, slopes, strict=True):
        assert hot[:6].argmax(-1).tolist() == [0, 1, 2, 1, 1, 0], case
        assert hot[6].argmax() == 1, case  # 65504 is the largest number of float16
        assert hot[7].argmax() < 2, case
        assert (hot[:9].sum(axis=-1) == 1).all(), case
        assert np.isnan(hot[9]).all(), case
        assert np.isfinite(slope[:9]).all(), case


@pytest.mark.parametrize("slope", SAMPLED)
def test_shares_of_the_draws_are_the_softmax_of_the_scores(slope: str) -> None:
    scores = np.array([[0, 0, 0, 0], [1, 0, -1, 2], [-3, 4, 0.5, 0.5], [0, -12, -1e4, -np.inf]], np.float32)
    num_draws = 100_000
    # The temperature is the gradient's alone; one axis away from the last, to see that each choice has its own noise.
    layer = drawing(slope, (4, num_draws), axis=1, temperature=0.2)
    x = np.broadcast_to(scores[:, :, None], (4, 4, num_draws))
    hot = to_array(quick(in_training(layer))(to_tensor(np.ascontiguousarray(x))))
    assert (hot.sum(axis=1) == 1).all()
    counts = hot.sum(axis=-1, dtype=np.float64)
    for row, count in zip(scores, counts, strict=True):
        expected = softmax(row, -1) * num_draws
        likely = expected > 5
        assert (np.abs(count - expected) <= 5 * np.sqrt(expected) + 8 * ~likely * (expected > 0)).all(), row
        if likely.all():
            assert stats.chisquare(count, expected).pvalue > 1e-5
    # Choices of different rows are independent: on even odds two rows agree in a quarter of the draws.
    order = hot[0].argmax(axis=0)
    assert abs((order[1:] == order[:-1]).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / num_draws)


@pytest.mark.parametrize("slope", SAMPLED)
def test_same_seed_draws_the_same_and_each_call_anew(slope: str) -> None:
    x = to_tensor(np.zeros((200, 3), np.float32))
    first, second, other = drawing(slope), drawing(slope), drawing(slope, seed=8)
    calls = [[to_array(layer(x, training=True)) for _ in range(2)] for layer in (first, second, other)]
    assert_same_bits(calls[0][0], calls[1][0])
    assert_same_bits(calls[0][1], calls[1][1])
    for one, two in ((calls[0][0], calls[0][1]), (calls[0][0], calls[2][0])):
        assert 0.5 < (one != two).any(axis=-1).mean() < 0.8  # 2/3 expected
    keras.utils.set_random_seed(1)
    unseeded = [layers.Hardmax(slope=slope) for _ in range(2)]
    given = [to_array(layer(x, training=True)) for layer in unseeded]
    assert (given[0] != given[1]).any()
    keras.utils.set_random_seed(1)
    again = [layers.Hardmax(slope=slope) for _ in range(2)]
    for layer, draws in zip(again, given, strict=True):
        assert_same_bits(to_array(layer(x, training=True)), draws)


def test_nothing_is_drawn_in_inference() -> None:
    x = np.random.default_rng(9).normal(size=(500, 3)).astype(np.float32) / 10
    best = one_hot_of(x.argmax(-1), x)
    drawers = [drawing(slope) for slope in SAMPLED]

    def without_drawing(x: Any) -> Any:
        return ops.stack([layer(x, training=training) for layer in drawers for training in (None, False)])

    hot, slopes = value_and_gradient(without_drawing, x, np.stack([x] * 4))
    assert_same_bits(hot, np.stack([best] * 4))
    np.testing.assert_allclose(slopes, 4 * softmax_gradient(x, x, -1, 1.0), rtol=1e-4, atol=1e-5)
    # Nor is anything used up: the next draw is the first.
    for slope, layer in zip(SAMPLED, drawers, strict=True):
        drawn = to_array(layer(to_tensor(x), training=True))
        assert (drawn != best).any()
        assert_same_bits(drawn, to_array(drawing(slope)(to_tensor(x), training=True)))


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 unless it is enabled")
def test_float64_is_kept() -> None:
    x = np.random.default_rng(10).normal(size=(50, 3))
    for slope, annealed in itertools.product(SAMPLED, (False, True)):
        drawn = to_array(in_training(drawing(slope, annealed=annealed, dtype="float64"))(to_tensor(x)))
        assert drawn.dtype == np.float64
        assert (np.sort(drawn, axis=-1) == [0, 0, 1]).all()


@pytest.mark.parametrize("slope", SAMPLED)
def test_empty_batch_in_training(slope: str) -> None:
    hot, slopes = value_and_gradient(in_training(drawing(slope)), np.zeros((0, 3), np.float32))
    assert hot.shape == slopes.shape == (0, 3)


def wrapped(functional: bool) -> Any:
    """Gives a network whose scores are all 0 and stay so, and drawn choices in all places where a layer can be."""
    scores = keras.layers.Dense(4, kernel_initializer="zeros")
    if not functional:
        return keras.Sequential([scores, layers.Hardmax(slope="gumbel", seed=3)])
    inputs = keras.Input((5, 2))
    zeros = scores(inputs)
    nested = keras.Sequential([keras.Input((5, 4)), keras.Sequential([layers.Hardmax(slope="reinmax", seed=4)])])
    each_time = keras.layers.TimeDistributed(layers.Hardmax(slope="gumbel", seed=5))
    direct = layers.Hardmax(slope="gumbel", seed=6)
    return keras.Model(inputs, [direct(zeros), nested(zeros), each_time(zeros)])


def first_share(_: Any, hot: Any) -> Any:
    """Gives the share of the first choice, which wins all ties where nothing is drawn."""
    return ops.mean(hot[..., 0], axis=-1)


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("jit_compile", ["auto", *[False, True][: 2 * (keras.backend.backend() == "tensorflow")]])
def test_training_reaches_the_layer_wherever_it_is(functional: bool, jit_compile: Any) -> None:
    model = wrapped(functional)
    model.compile(keras.optimizers.SGD(0.0), loss=first_share, jit_compile=jit_compile)
    x = np.ones((400, 5, 2), np.float32)
    y = [x] * 3 if functional else x
    history = model.fit(x, y, batch_size=200, epochs=3, verbose=0).history
    losses = [shares for name, shares in history.items() if name != "loss" or not functional]
    assert len(losses) == (3 if functional else 1)
    for shares in losses:
        assert np.abs(np.array(shares) - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 2000)
        assert len(set(shares)) == 3  # each epoch draws anew
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] == len(losses)


def test_steps_in_time_draw_each_for_themselves() -> None:
    each_time = keras.layers.TimeDistributed(layers.Hardmax(slope="gumbel", seed=5))
    hot = to_array(each_time(to_tensor(np.zeros((300, 2, 4), np.float32)), training=True))
    assert 0.6 < (hot[:, 0] != hot[:, 1]).any(axis=-1).mean() < 0.9  # 3/4 expected


def test_loaded_layer_draws_as_a_new_one_and_keeps_its_temperature(tmp_path: Any) -> None:
    inputs = keras.Input((3,))
    made = [layers.Hardmax(slope=slope, annealed=True, seed=2, temperature=2.0) for slope in SAMPLED]
    model = keras.Model(inputs, [layer(inputs) for layer in made])
    x = to_tensor(np.zeros((300, 3), np.float32))
    first = [to_array(hot) for hot in model(x, training=True)]
    for layer in made:
        layer.current_temperature.assign(0.125)
    model.save(tmp_path / "model.keras")

    again = keras.models.load_model(tmp_path / "model.keras")

    loaded = [layer for layer in again.layers if isinstance(layer, layers.Hardmax)]
    assert [float(layer.current_temperature) for layer in loaded] == [0.125] * 2
    assert [layer.temperature for layer in loaded] == [2.0] * 2
    for ours, theirs in zip(first, again(x, training=True), strict=True):
        assert_same_bits(theirs, ours)


def gradient_of_expectation(function: Callable[[Any], Any], scores: np.ndarray) -> np.ndarray:
    """Gives the gradient of E[function(choice)] by the scores, from the value of every category."""
    values = to_array(function(to_tensor(np.eye(scores.shape[-1], dtype=np.float32))))
    return softmax(scores, -1) * (values - (softmax(scores, -1) * values).sum(axis=-1, keepdims=True))


def expectation_of_gradients(function: Callable[[Any], Any], scores: np.ndarray) -> list[np.ndarray]:
    """Gives what "reinmax" gives on average, what a softmax behind the same draws gives, and "softmax" without.

    Every category is drawn once for every row of scores, and counts by its share.
    """
    num_categories = scores.shape[-1]
    each = np.eye(num_categories, dtype=np.float32)[:, None] + np.zeros_like(scores)
    rows, shares = np.stack([scores] * num_categories), np.moveaxis(softmax(scores, -1), -1, 0)

    def drawn(x: Any) -> Any:
        return function(surrogates.choice(x, -1, "reinmax", 1.0, noise=to_tensor(each * 100)))

    slopes_of_function = gradient(function, each, shares)
    return [
        gradient(drawn, rows, shares).sum(axis=0),
        softmax_gradient(rows, slopes_of_function, -1, 1.0).sum(axis=0),
        gradient(lambda x: function(activations.hardmax(x)), scores),
    ]


@pytest.mark.parametrize("num_categories", [2, 5])
def test_reinmax_is_right_on_average_for_quadratic_functions(num_categories: int) -> None:
    rng = np.random.default_rng(num_categories)
    matrix = to_tensor(rng.normal(size=(num_categories, num_categories)).astype(np.float32))
    linear = to_tensor(rng.normal(size=num_categories).astype(np.float32))

    def quadratic(y: Any) -> Any:
        return ops.sum(ops.matmul(y, matrix) * y, axis=-1) + ops.sum(y * linear, axis=-1)

    scores = rng.normal(size=(4, num_categories)).astype(np.float32)
    true = gradient_of_expectation(quadratic, scores)
    reinmax, *others = expectation_of_gradients(quadratic, scores)
    np.testing.assert_allclose(reinmax, true, atol=1e-5)
    for other in others:
        assert np.abs(other - true).max() > 0.1


def test_reinmax_is_nearer_to_the_true_gradient_than_a_softmax_for_other_functions() -> None:
    place = to_tensor(np.array([0.3, -1.0, 1.4, 0.6], np.float32))

    def logistic_loss(y: Any) -> Any:
        return ops.softplus(-2 * ops.sum(y * place, axis=-1))

    def squared_error(y: Any) -> Any:
        return ops.square(ops.sigmoid(ops.sum(y * place, axis=-1)) - 1)

    scores = np.random.default_rng(11).normal(size=(20, 4)).astype(np.float32)
    for function in (logistic_loss, squared_error):
        true = gradient_of_expectation(function, scores)
        reinmax, *others = [np.linalg.norm(g - true) for g in expectation_of_gradients(function, scores)]
        assert reinmax < 0.6 * min(others)
