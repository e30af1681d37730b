"""A network that chooses among experts by a hard gate, written in plain Keras, and what trains it.

Three experts (as three support vector machines) each know one of three sectors of the plane, and guess elsewhere. The
gate sees the place and must choose one of them.
"""

import warnings
from typing import Any

import numpy as np
import pytest

from codeword import activations, callbacks, layers
from codeword.backend import keras

from .tensors import assert_same_bits, to_array, to_tensor

ops = keras.ops


def three_sectors(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gives places, what the experts say there, and the truth, -1 or +1."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(num_rows, 2))
    sectors = sectors_of(places)
    truth = rng.choice([-1.0, 1.0], num_rows)
    guesses = rng.choice([-1.0, 1.0], (num_rows, 3))
    opinions = np.where(sectors[:, None] == np.arange(3), truth[:, None], guesses) * rng.uniform(
        0.5, 1.5, (num_rows, 3)
    )
    return places.astype(np.float32), opinions.astype(np.float32), truth[:, None].astype(np.float32)


def sectors_of(places: np.ndarray) -> np.ndarray:
    return np.floor((np.arctan2(places[:, 1], places[:, 0]) / np.pi + 1) * 1.5).astype(int) % 3


def gate_network(gate: Any) -> Any:
    """Gives the network; the gate's last layer is named `layer_op_2`."""
    keras.utils.set_random_seed(3)
    places, opinions = keras.Input((2,)), keras.Input((3,))
    hidden = keras.layers.Dense(20, activation="sigmoid", name="layer_op_1")(places)
    if isinstance(gate, keras.layers.Layer):
        choice = gate(keras.layers.Dense(3, name="scores")(hidden))
    else:
        choice = keras.layers.Dense(3, activation=gate, name="layer_op_2")(hidden)
    chosen = keras.layers.Dot(axes=1)([choice, opinions])
    outputs = keras.layers.Dense(1, activation="tanh", name="answer")(chosen)
    return keras.Model([places, opinions], outputs)


def accuracy(answers: np.ndarray, truth: np.ndarray) -> float:
    return float((np.sign(answers) == truth).mean())


GATES = {
    "activation": lambda: activations.hardmax,
    "annealed": lambda: layers.Hardmax(temperature=2.0, annealed=True, name="layer_op_2"),
    "gumbel": lambda: layers.Hardmax(slope="gumbel", seed=1, name="layer_op_2"),
    "reinmax": lambda: layers.Hardmax(slope="reinmax", temperature=2.0, seed=1, name="layer_op_2"),
}


@pytest.mark.parametrize("gate", GATES)
def test_gate_learns_which_expert_to_ask(gate: str) -> None:
    places, opinions, truth = three_sectors(1500, seed=1)
    model = gate_network(GATES[gate]())
    model.compile(keras.optimizers.Adam(0.05), loss="mse")
    before = [weight.copy() for weight in model.get_weights()]
    anneal = [callbacks.AnnealTemperature(last=0.5)] if gate == "annealed" else []
    model.fit([places, opinions], truth, batch_size=100, epochs=24, callbacks=anneal, verbose=0)
    trainable = [to_array(variable) for variable in model.trainable_variables]
    assert len(trainable) == 6
    for old, new in zip(before, trainable, strict=False):
        assert (old != new).all()

    places, opinions, truth = three_sectors(4000, seed=2)
    oracle = np.take_along_axis(opinions, sectors_of(places)[:, None], axis=1)
    best_single = max(accuracy(opinions[:, [expert]], truth) for expert in range(3))
    assert accuracy(oracle, truth) == 1
    assert 0.6 < best_single < 0.72
    assert accuracy(model.predict([places, opinions], batch_size=4000, verbose=0), truth) > 0.93

    asked = keras.Model(model.inputs, model.get_layer("layer_op_2").output)
    choices = asked.predict([places, opinions], batch_size=4000, verbose=0)
    assert_same_bits(choices, np.eye(3, dtype=np.float32)[choices.argmax(-1)])
    assert (choices.argmax(-1) == sectors_of(places)).mean() > 0.87


def plain_one_hot(scores: Any) -> Any:
    return ops.one_hot(ops.argmax(scores, axis=-1), 3)


def test_plain_one_hot_leaves_the_gate_where_it_was() -> None:
    places, opinions, truth = three_sectors(200, seed=1)
    model = gate_network(plain_one_hot)
    model.compile(keras.optimizers.Adam(0.03), loss="mse")
    before = [weight.copy() for weight in model.get_weights()]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")  # which is the point
        model.fit([places, opinions], truth, epochs=2, verbose=0)
    moved = [bool((old != new).any()) for old, new in zip(before, model.get_weights(), strict=True)]
    assert moved == [False] * 4 + [True] * 2


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_every_optimizer_moves_all_weights(optimizer: str) -> None:
    places, opinions, truth = three_sectors(200, seed=1)
    model = gate_network(activations.hardmax)
    model.compile(optimizer, loss="mse")
    before = [weight.copy() for weight in model.get_weights()]
    model.fit([places, opinions], truth, batch_size=100, epochs=1, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert (old != new).all()
        assert np.isfinite(new).all()


SQUASHED = {"sigmoid": [0.3, 0.5, 0.8], "tanh": [-0.5, 0.0, 0.6], "softmax": [0.1, 1 / 3, 0.5]}


def test_thresholds_behind_squashings_are_exact_and_learn() -> None:
    keras.utils.set_random_seed(4)
    inputs = keras.Input((6,))
    squashed, results, expected = {}, {}, {}
    for name, thresholds in SQUASHED.items():
        squashed[name] = keras.layers.Dense(4, activation=name, bias_initializer="normal", name=name)(inputs)
        for number, value in enumerate(thresholds):
            results[f"{name}_step_{number}"] = layers.Step(value)(squashed[name])
            results[f"{name}_cut_{number}"] = layers.Threshold(value)(squashed[name])
    hard = keras.Model(inputs, {**squashed, **results})
    answers = {key: keras.layers.Dense(1, name=f"{key}_answer")(result) for key, result in results.items()}
    model = keras.Model(inputs, answers)
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 6)).astype(np.float32)

    # The three steps of a squashing count how many thresholds lie below its value; what is cut is what lies below.
    outputs = {key: to_array(output) for key, output in hard(to_tensor(x)).items()}
    for name, thresholds in SQUASHED.items():
        for number, value in enumerate(thresholds):
            values = outputs[name]
            expected[f"{name}_step_{number}"] = (values > np.float32(value)).astype(np.float32)
            expected[f"{name}_cut_{number}"] = np.where(values >= np.float32(value), values, np.float32(0)) + 0
    for key, values in expected.items():
        assert_same_bits(outputs[key], values, key)
        assert 0 < np.count_nonzero(values) < values.size, key

    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    before = {layer.name: [w.copy() for w in layer.get_weights()] for layer in model.layers}
    model.fit(x, {key: rng.normal(size=(300, 1)) for key in results}, batch_size=300, epochs=1, verbose=0)
    for layer in model.layers:
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
            assert np.isfinite(new).all()
            assert (old != new).mean() > (0.7 if layer.name.endswith("answer") else 0.99), layer.name
