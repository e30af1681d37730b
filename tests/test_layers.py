import json
from typing import Any

import numpy as np
import pytest

from codeword import layers
from codeword.errors import ParameterError

from .contracts.tensors import to_array


@pytest.mark.parametrize(
    "make",
    [
        *(layers.SignBits, layers.Step, layers.Threshold, layers.ScalarQuantizer),
        lambda **given: layers.Staircase(3, **given),
    ],
)
def test_bad_slopes_and_widths_are_refused(make: Any) -> None:
    with pytest.raises(ParameterError, match=r"`slope` must be one of .*Received: 'softmax'"):
        make(slope="softmax")
    for width in (0, -1, True, "wide", np.nan):
        with pytest.raises(ParameterError, match=rf"`width` must be .*Received: {width!r}"):
            make(width=width)


def test_bad_settings_of_hardmax_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"`slope` of Hardmax must be .*Received: 'tanh'"):
        layers.Hardmax(slope="tanh")
    for temperature in (0, 1e-50, True, "1"):
        with pytest.raises(ParameterError, match=rf"`temperature` must be .*Received: {temperature!r}"):
            layers.Hardmax(temperature=temperature)
    for axis in (True, 1.0, None, (0, 1)):
        with pytest.raises(ParameterError, match=r"`axis` must be an integer. Received: "):
            layers.Hardmax(axis)


@pytest.mark.parametrize(("make", "name"), [(layers.Step, "threshold"), (layers.Threshold, "value")])
def test_bad_thresholds_are_refused(make: Any, name: str) -> None:
    for value in (np.inf, -np.inf, np.nan, True, "0.5", None, [0.5]):
        with pytest.raises(ParameterError, match=rf"`{name}` must be a finite number.*Received: ") as caught:
            make(value)
        assert repr(value) in str(caught.value)


@pytest.mark.parametrize("make", [layers.Staircase, layers.LevelOneHot])
def test_bad_levels_are_refused(make: Any) -> None:
    for levels in ([1], [0, 0], [1, 0], 1, "ab", None, [0, np.inf]):
        with pytest.raises(ParameterError, match=r"`levels` must be .*Received: "):
            make(levels)


def test_bad_edges_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"`edges` must be .*Received: 'round'"):
        layers.Staircase(3, edges="round")
    with pytest.raises(ParameterError, match=r"`edges` must be .*Received: \(?\[?0.0"):
        layers.Staircase(3, edges=[0, 1.5])


def test_bad_steps_are_refused() -> None:
    for steps in (1, 0, -3, 65_537, 2.5, "many", True, (2, 1), (2.5, 3), None):
        with pytest.raises(ParameterError, match=r"`steps`.*Received: "):
            layers.ScalarQuantizer(steps)
    for minimum, maximum in ((1, 0), (0, 0), (-np.inf, 0), (0, np.inf), (0, np.nan)):
        with pytest.raises(ParameterError, match=r"`minimum` must be below `maximum`.*Received: "):
            layers.ScalarQuantizer(minimum=minimum, maximum=maximum)


def test_steps_must_fit_the_columns() -> None:
    layer = layers.ScalarQuantizer((2, 3))
    with pytest.raises(ParameterError, match=r"one for each of the 3 columns. Received: 2 numbers"):
        layer(np.zeros((4, 3), np.float32))


def test_steps_that_collide_in_the_dtype_are_refused() -> None:
    layer = layers.ScalarQuantizer(300, dtype="bfloat16")
    with pytest.raises(ParameterError, match=r"(?s)different in bfloat16.*Received: 300 values of which 2\d\d remain"):
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
