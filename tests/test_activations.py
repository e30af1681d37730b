import re
from typing import Any

import numpy as np
import pytest

from codeword import activations
from codeword.backend import keras
from codeword.datasets import four_level_digits
from codeword.errors import ParameterError
from codeword.training.recipe import seeded

X = np.zeros(3, np.float32)


@pytest.mark.parametrize("function", [activations.sign, activations.step, activations.threshold])
def test_bad_slopes_and_widths_are_refused(function: Any) -> None:
    with pytest.raises(ParameterError, match=r'`slope` must be "straight_through", .*"tanh": got \'softmax\'\.$'):
        function(X, slope="softmax")
    for width in (-1, None):
        with pytest.raises(ParameterError, match=rf"`width` must be a number above 0: got {width}\.$"):
            function(X, width=width)


def test_bad_settings_of_hardmax_are_refused() -> None:
    # What float32 does not have would divide by 0.
    for temperature in (0, -1, 1e-38, 1e39, float("nan"), float("inf"), True, "1"):
        with pytest.raises(ParameterError, match=rf"`temperature` must be .*: got {re.escape(repr(temperature))}\.$"):
            activations.hardmax(X, temperature=temperature)
    with pytest.raises(ParameterError, match=r"`axis` must be an integer: got None\.$"):
        activations.hardmax(X, axis=None)


def test_bad_thresholds_are_refused() -> None:
    for value in (np.inf, np.nan, True, "0.5", None):
        for function in (activations.step, activations.threshold):
            with pytest.raises(ParameterError, match=rf"`threshold` must be a finite number: got {value!r}\.$"):
                function(X, value)


def test_bad_settings_of_a_staircase_are_refused_when_it_is_made() -> None:
    for levels, received in (
        ([1], r"\[1.0\]"),
        (1, r"\[0.0\]"),
        ([0, 0, 1], r"\[0.0, 0.0, 1.0\]"),
        ([1, 0], r"\[1.0, 0.0\]"),
        ([0, np.nan], r"\[0.0, nan\]"),
        ([0, np.inf], r"\[0.0, inf\]"),
        ("four", "'four'"),
        (None, "None"),
    ):
        with pytest.raises(ParameterError, match=rf"`levels` must be .*got {received}"):
            activations.staircase(levels)
    for edges, received in (
        ("ceiling", "'ceiling'"),
        ([0.1], r"\(?\[?0.1"),
        ([-0.1, 0.6], r"\(?\[?-0.1"),
        ([0.6, 0.5], r"\(?\[?0.6"),
        ([0.1, np.nan], r"\(?\[?0.1, nan"),
    ):
        with pytest.raises(ParameterError, match=rf"`edges` must be .*got {received}"):
            activations.staircase([0, 0.5, 1], edges=edges)
    with pytest.raises(ParameterError, match=r"`slope` must be .*: got 'softmax'"):
        activations.staircase(3, slope="softmax")
    with pytest.raises(ParameterError, match=r"`width` must be a number above 0, or None: got 0\.$"):
        activations.staircase(3, width=0)


def test_a_network_that_ends_in_a_plain_floor_stands_still_and_one_that_ends_in_a_staircase_learns() -> None:
    x = four_level_digits()[:512].reshape(512, 64).astype(np.float32)

    def trained(activation: Any) -> tuple[list[bool], list[float]]:
        with seeded(0):
            hidden = keras.layers.Dense(32, activation="relu")
            model = keras.Sequential([keras.Input((64,)), hidden, keras.layers.Dense(64, activation=activation)])
            model.compile(keras.optimizers.Adam(1e-2), loss="mse")
            before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.trainable_variables]
            losses = model.fit(x, x, epochs=4, verbose=0).history["loss"]
        after = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
        return [bool((old != new).any()) for old, new in zip(before, after, strict=True)], losses

    moved, losses = trained(lambda y: keras.ops.floor(keras.ops.clip(y, 0, 0.99) * 4) / 4)
    assert moved == [False] * 4
    assert losses == pytest.approx([losses[0]] * 4)
    moved, losses = trained(activations.staircase([0, 0.25, 0.5, 0.75], edges="floor"))
    assert moved == [True] * 4
    assert losses[-1] < losses[0] / 2
