import numpy as np
import pytest

from codeword import surrogates
from codeword.backend import keras
from codeword.errors import ParameterError

from .contracts.gradients import gradient, slope_formula, softmax_gradient
from .contracts.tensors import DTYPES, assert_same_bits, quick, to_array, to_tensor, ways_to_run

ops = keras.ops

NUM_VALUES = 100_000


def random_values(dtype: np.dtype, seed: int) -> np.ndarray:
    """Gives normal numbers of all magnitudes that the dtype has, of both signs."""
    rng = np.random.default_rng(seed)
    largest = 4.0 if dtype == np.float16 else 30.0
    return (rng.choice([-1, 1], NUM_VALUES) * 10 ** rng.uniform(-4, largest, NUM_VALUES)).astype(dtype)


def test_both_forms_give_the_hard_value_bit_for_bit() -> None:
    for name, dtype in DTYPES.items():
        hard, x, slope = (random_values(dtype, seed) for seed in range(3))

        def both(parts: tuple[object, ...]) -> list[object]:
            return [surrogates.with_slope(*parts), surrogates.straight_through(*parts[:2])]

        for way, function in ways_to_run(both).items():
            for value in function(tuple(to_tensor(part) for part in (hard, x, slope))):
                assert_same_bits(value, hard, f"{name} {way}")


def test_common_form_is_not_exact_where_this_one_is() -> None:
    scores = np.random.default_rng(5).normal(size=(20_000, 10))
    for name, dtype in DTYPES.items():
        hard = np.eye(10)[scores.argmax(axis=-1)].astype(dtype)
        soft = (np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)).astype(dtype)
        given = to_tensor(hard), to_tensor(soft)
        common = to_array(given[0] + given[1] - ops.stop_gradient(given[1]))
        off = (common != hard).any(axis=-1)
        assert off.mean() > 0.05, name
        assert_same_bits(surrogates.straight_through(*given), hard, name)


def test_gradients_are_the_slope_and_that_of_the_soft_value() -> None:
    rng = np.random.default_rng(6)
    x, slope, hard, weights = rng.normal(size=(4, 1000)).astype(np.float32)
    given = gradient(lambda x: surrogates.with_slope(to_tensor(hard), x, to_tensor(slope)), x, weights)
    np.testing.assert_allclose(given, slope * weights, rtol=1e-6)
    soft = gradient(lambda x: surrogates.straight_through(to_tensor(hard), ops.tanh(x)), x, weights)
    np.testing.assert_allclose(soft, (1 - np.tanh(x.astype(np.float64)) ** 2) * weights, rtol=1e-4, atol=1e-6)


def test_nothing_flows_into_the_hard_value_and_the_slope() -> None:
    x = np.linspace(-2, 2, 9, dtype=np.float32)
    ones = to_tensor(np.ones_like(x))
    assert not gradient(lambda hard: surrogates.with_slope(3 * hard, ones, ones), x).any()
    assert not gradient(lambda slope: surrogates.with_slope(ones, ones, 3 * slope), x).any()
    assert not gradient(lambda hard: surrogates.straight_through(3 * hard, ones), x).any()


def test_infinity_keeps_the_hard_value_and_nan_stays_nan() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 1.0], np.float32)
    hard = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    for slope in (0.0, 1.0):
        function = quick(lambda x, slope=slope: surrogates.with_slope(to_tensor(hard), x, ops.full_like(x, slope)))
        assert_same_bits(function(to_tensor(x)), np.array([1, 2, np.nan, 4], np.float32))
    slopes = gradient(lambda x: surrogates.with_slope(to_tensor(hard), x, ops.ones_like(x)), x)
    assert slopes[[0, 1, 3]].tolist() == [0, 0, 1]


def test_slopes_are_those_of_the_table() -> None:
    distance = np.concatenate([[0, 0.7, 1.4], np.random.default_rng(1).exponential(5, 1000), [1e30]])
    for slope in surrogates.SLOPES:
        for width in (0.7, 1, 20.0):
            given = quick(lambda d, s=slope, w=width: surrogates.slope_of(d, s, w))(to_tensor(np.float32(distance)))
            expected = slope_formula(np.float32(distance), slope, width)
            np.testing.assert_allclose(to_array(given), expected, rtol=1e-4, atol=1e-6, err_msg=f"{slope} {width}")
            assert to_array(given)[0] == 1


def test_window_ends_exactly_at_its_width() -> None:
    distance = np.array([0.5, np.nextafter(np.float32(0.5), 1)], np.float32)
    assert to_array(surrogates.slope_of(to_tensor(distance), "window", 0.5)).tolist() == [1, 0]


def test_bad_slopes_and_widths_are_refused() -> None:
    settings = surrogates.SLOPE_SETTINGS
    with pytest.raises(
        ParameterError, match=r'`slope` must be "straight_through", "window" or "tanh": got \'steep\'\.$'
    ):
        settings["slope"].check("slope", "steep")
    for width in (0, -1.0, float("inf"), float("nan"), True, "1", None):
        with pytest.raises(ParameterError, match=rf"`width` must be a number above 0: got {width!r}\.$"):
            settings["width"].check("width", width)
    for slope in surrogates.SLOPES:
        settings["slope"].check("slope", slope)
    settings["width"].check("width", 1)


@pytest.mark.parametrize("row", [[0.3, -0.2], [0.3, -0.2, -90.0], [0.3, -0.2, -300.0]], ids=str)
def test_two_near_scores_share_the_gradient_whatever_the_others_are(row: list[float]) -> None:
    x, weights = np.array([row], np.float32), np.arange(1, len(row) + 1, dtype=np.float32)[None]
    given = gradient(lambda x: surrogates.choice(x, -1, "softmax", 0.5), x, weights)
    np.testing.assert_allclose(given, softmax_gradient(x, weights, -1, 0.5), rtol=1e-5, atol=1e-7)
    assert (given[0, :2] != 0).all()


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_a_choice_is_made_along_each_axis(axis: int) -> None:
    x = np.array([[3, 1, 2], [1, 5, 0]], np.float32)
    expected = np.eye(2)[x.argmax(axis=0)].T if axis in (0, -2) else np.eye(3)[x.argmax(axis=1)]
    assert_same_bits(surrogates.choice(to_tensor(x), axis, "softmax", 1.0), expected.astype(np.float32))


def test_choices_without_noise_are_those_of_the_scores_themselves() -> None:
    x = np.array([[0, 1e-9, -1e-9], [0, np.nan, 1], [-1, 0, 0]], np.float32)
    hard = to_array(surrogates.choice(to_tensor(x), -1, "softmax", 1.0))
    assert hard[[0, 2]].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert np.isnan(hard[1]).all()


@pytest.mark.parametrize("row", [[0.0, 1.0, -0.5], [3e38, 0.0, 1.0], [np.inf, 0.0, 1.0], [-3e38, -3e38, 0.0]], ids=str)
def test_gradients_at_zero_and_at_the_largest_scores(row: list[float]) -> None:
    x, weights = np.array([row], np.float32), np.array([[1, 2, 4]], np.float32)
    given = gradient(lambda x: surrogates.choice(x, -1, "softmax", 1.0), x, weights)
    expected = softmax_gradient(np.clip(x, -3e38, 3e38), weights, -1, 1.0)
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-7)


def test_reinmax_of_a_choice_that_could_not_be_drawn_has_the_slope_of_the_smallest_normal_number() -> None:
    x, weights = np.array([[0.0, -1e4]], np.float32), np.array([[0, 1e37]], np.float32)
    given = gradient(lambda x: surrogates.choice(x, -1, "reinmax", 1.0), x, weights)
    np.testing.assert_allclose(given, [[-2, 2]], rtol=1e-5)  # 2 softmax(log([1, 1e-37]))
