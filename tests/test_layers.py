import json
from typing import Any

import numpy as np
import pytest

from codeword import activations, layers
from codeword.errors import ParameterError

from .contracts.gradients import gradient
from .contracts.tensors import to_array


@pytest.mark.parametrize(
    "make",
    [
        *(layers.SignBits, layers.Step, layers.Threshold, layers.ScalarQuantizer),
        lambda **given: layers.Staircase(3, **given),
    ],
)
def test_bad_slopes_and_widths_are_refused(make: Any) -> None:
    with pytest.raises(ParameterError, match=r'`slope` must be "straight_through", .*"tanh".*: got \'softmax\'\.$'):
        make(slope="softmax")
    for width in (0, -1, True, "wide", np.nan):
        with pytest.raises(ParameterError, match=rf"`width` must be a number above 0.*: got {width!r}\.$"):
            make(width=width)


def test_bad_settings_of_hardmax_are_refused() -> None:
    with pytest.raises(ParameterError, match=r'`slope` must be "softmax", "gumbel" or "reinmax": got \'tanh\'\.$'):
        layers.Hardmax(slope="tanh")
    for temperature in (0, 1e-50, True, "1"):
        with pytest.raises(ParameterError, match=rf"`temperature` must be a number .*: got {temperature!r}\.$"):
            layers.Hardmax(temperature=temperature)
    for axis in (True, 1.0, None, (0, 1)):
        with pytest.raises(ParameterError, match=r"`axis` must be an integer: got "):
            layers.Hardmax(axis)
    with pytest.raises(ParameterError, match=r"`annealed` must be True or False: got 1\.$"):
        layers.Hardmax(annealed=1)


@pytest.mark.parametrize(
    "make",
    [
        *(layers.Hardmax, layers.RandomAffine),
        lambda **given: layers.Staircase(3, **given),
        lambda **given: layers.CodeNoise(0.1, **given),
    ],
)
def test_bad_seeds_are_refused(make: Any) -> None:
    for seed in (-1, 2**32, 1.5, True, "1"):
        with pytest.raises(ParameterError, match=rf"`seed` must be an integer from 0 to 4294967295.*: got {seed!r}\.$"):
            make(seed=seed)


def test_bad_noise_is_refused() -> None:
    for stddev in (-0.1, np.inf, np.nan, True, None):
        with pytest.raises(ParameterError, match=rf"`stddev` must be a number of at least 0: got {stddev!r}\.$"):
            layers.CodeNoise(stddev)


@pytest.mark.parametrize("make", [layers.Step, layers.Threshold])
def test_bad_thresholds_are_refused(make: Any) -> None:
    for threshold in (np.inf, -np.inf, np.nan, True, "0.5", None, [0.5]):
        with pytest.raises(ParameterError, match=r"`threshold` must be a finite number: got ") as caught:
            make(threshold)
        assert repr(threshold) in str(caught.value)


def test_a_threshold_of_an_older_file_is_called_value() -> None:
    config = layers.Threshold(0.25, width=2).get_config()
    old = {"value" if name == "threshold" else name: setting for name, setting in config.items()}
    assert layers.Threshold.from_config(old).get_config() == config
    with pytest.raises((TypeError, ValueError), match="value"):
        layers.Threshold(value=0.25)


def test_the_staircase_has_the_defaults_of_the_activation() -> None:
    layer, activation = layers.Staircase(3).get_config(), activations.staircase(3).get_config()
    assert {name: layer[name] for name in activation} == activation


def test_a_staircase_learns_however_far_outside_its_levels_the_input_starts() -> None:
    for make in (layers.Staircase, activations.staircase):
        assert gradient(make([1e6, 1e6 + 1]), np.zeros(3, np.float32)).tolist() == [1, 1, 1]


def test_a_staircase_without_a_width_has_a_twelfth_of_the_range() -> None:
    levels = [-1.0, 0.0, 5.0]
    x = np.linspace(-4, 8, 50, dtype=np.float32)
    for make in (layers.Staircase, activations.staircase):
        default, explicit, half = (gradient(make(levels, slope="tanh", width=width), x) for width in (None, 0.5, 0.25))
        np.testing.assert_array_equal(default, explicit)
        assert (half != explicit).any()


@pytest.mark.parametrize("make", [layers.Staircase, layers.LevelOneHot])
def test_bad_levels_are_refused(make: Any) -> None:
    for levels in ([1], [0, 0], [1, 0], 1, "ab", None, [0, np.inf]):
        with pytest.raises(ParameterError, match=r"`levels` must be .*got "):
            make(levels)


def test_bad_edges_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"`edges` must be .*got 'round'"):
        layers.Staircase(3, edges="round")
    with pytest.raises(ParameterError, match=r"`edges` must be .*got \(?\[?0.0"):
        layers.Staircase(3, edges=[0, 1.5])


def test_bad_steps_are_refused() -> None:
    for steps in (1, 0, -3, 65_537, 2.5, "many", True, (2, 1), (2.5, 3), None):
        with pytest.raises(ParameterError, match=r"`steps`.*: got "):
            layers.ScalarQuantizer(steps)
    for minimum, maximum in ((1, 0), (0, 0), (-np.inf, 0), (0, np.inf), (0, np.nan)):
        with pytest.raises(ParameterError, match=r"`m..imum` must be (below `maximum`|a finite number): got "):
            layers.ScalarQuantizer(minimum=minimum, maximum=maximum)


def test_steps_must_fit_the_columns() -> None:
    layer = layers.ScalarQuantizer((2, 3))
    with pytest.raises(ParameterError, match=r"one for each of the 3 columns: got 2 numbers"):
        layer(np.zeros((4, 3), np.float32))


def test_steps_that_collide_in_the_dtype_are_refused() -> None:
    layer = layers.ScalarQuantizer(300, dtype="bfloat16")
    with pytest.raises(ParameterError, match=r"(?s)different in bfloat16: got 300 values, of which 2\d\d remain"):
        layer(np.zeros((4, 3), np.float32))
    assert layers.ScalarQuantizer(256, dtype="bfloat16")(np.ones((1, 1), np.float32)).shape == (1, 1)


def test_hardmax_over_one_score_has_no_other_to_be_near_to() -> None:
    layer = layers.Hardmax()
    assert to_array(layer.margin(np.array([[-3.0]], np.float32))).tolist() == [np.inf]


def test_settings_of_numpy_become_plain_numbers() -> None:
    half = np.float32(0.5)
    made = [
        layers.Step(half, width=half),
        layers.Threshold(half, width=half),
        layers.SignBits(width=half),
        layers.Staircase(3, width=half),
        layers.ScalarQuantizer(4, width=half),
        layers.Hardmax(np.int64(-1), temperature=half),
    ]
    for layer in made:
        assert "0.5" in json.dumps(layer.get_config())
