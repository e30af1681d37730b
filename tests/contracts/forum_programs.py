"""The programs of five forum questions, as their askers wrote them: what is wrong with each is known.

Idioms are those of Keras 2, carried over: a Lambda here, a loss written with the backend's functions there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.svm import SVC

import codeword as cw
from codeword.backend import keras

ops = keras.ops
Dense = keras.layers.Dense


class Program(NamedTuple):
    """A compiled model, what it is fitted to, and the codes of the findings that say why it fails."""

    name: str
    model: Any
    x: Any
    y: Any
    causes: frozenset[str]


def four_level_sigmoid() -> Program:
    """8x8 images of 0, .25, .5 and .75: the outputs never are these values."""
    keras.utils.set_random_seed(1)
    x = cw.datasets.four_level_digits()[:500].reshape(500, 64)
    hidden = [Dense(units, activation="relu") for units in (32, 8, 32)]
    model = keras.Sequential([keras.Input((64,)), *hidden, Dense(64, activation="sigmoid")])
    model.compile(optimizer="adam", loss="mse")
    return Program("four levels behind a sigmoid", model, x, x, frozenset({"levels-as-reals"}))


def softmax_images() -> Program:
    """28x28 images of 0 to 255, a softmax over the pixels, and binary cross-entropy: the loss falls below zero."""
    keras.utils.set_random_seed(2)
    images = zoom(load_digits().images[:300] / 16, (1, 3.5, 3.5), order=1)  # (300, 8, 8) -> (300, 28, 28)
    x = np.round(images * 255).astype(np.uint8).reshape(300, 784).astype(np.float32)
    hidden = [Dense(units, activation="relu") for units in (128, 64, 28, 64, 128)]
    model = keras.Sequential([keras.Input((784,)), *hidden, Dense(784, activation="softmax")])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    causes = frozenset({"targets-not-distributions", "cross-entropy-targets"})
    return Program("softmax over images of 0 to 255", model, x, x, causes)


def masked_mse(y_true: Any, y_pred: Any) -> Any:
    """The loss of the asker: zeros are not rated and must not count."""
    mask = ops.cast(ops.not_equal(y_true, 0), y_pred.dtype)
    return ops.mean(ops.square(mask * (y_true - y_pred)))


def masked_recommender() -> Program:
    """The zeros are masked, and a softmax couples every rated item with all others."""
    return _recommender("softmax recommender, masked", "softmax", masked_mse, "masked-softmax")


def plain_recommender() -> Program:
    """The output may be any number, and mostly learns to be 0."""
    return _recommender("linear recommender, every zero counts", "linear", "mse", "zeros-as-missing")


def argmax_gate() -> Program:
    """A gate chooses one of three support vector machines by argmax, written on the tensors themselves."""
    return _gate("gate of argmax", lambda scores: ops.one_hot(ops.argmax(scores, axis=-1), 3))


def argmax_gate_in_a_lambda() -> Program:
    """The same gate behind a Lambda layer."""
    layer = keras.layers.Lambda(lambda s: ops.one_hot(ops.argmax(s, axis=-1), 3))
    return _gate("gate of argmax in a Lambda", layer)


def hashed_afterwards() -> Program:
    """An autoencoder whose ReLU code, named "code", is made to bits once it is trained."""
    keras.utils.set_random_seed(5)
    x = (load_digits().data[:500] / 16).astype(np.float32)
    layers = [
        Dense(50, activation="relu"),
        Dense(10, activation="relu", name="code"),
        Dense(50, activation="relu"),
        Dense(64, activation="sigmoid"),
    ]
    model = keras.Sequential([keras.Input((64,)), *layers])
    model.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy")
    model.fit(x, x, epochs=8, batch_size=50, verbose=0)
    return Program("ReLU code, hashed afterwards", model, x, x, frozenset({"rounded-after-training"}))


PROGRAMS: tuple[Callable[[], Program], ...] = (
    four_level_sigmoid,
    softmax_images,
    masked_recommender,
    plain_recommender,
    argmax_gate,
    argmax_gate_in_a_lambda,
    hashed_afterwards,
)


def _recommender(name: str, output: str, loss: Any, cause: str) -> Program:
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    rated = rng.random((300, 400)) < 0.05
    rated[np.arange(300), rng.integers(0, 400, 300)] = True  # nobody without a rating
    x = (rng.integers(1, 6, rated.shape) * rated).astype(np.float32)
    model = keras.Sequential([keras.Input((400,)), Dense(128), Dense(400, activation=output)])
    model.compile(optimizer="adam", loss=loss)
    return Program(name, model, x, x, frozenset({cause}))


def _gate(name: str, one_hot_of_maximum: Callable[[Any], Any]) -> Program:
    keras.utils.set_random_seed(4)
    digits = load_digits()
    rows, labels = (digits.data / 16).astype(np.float32), np.where(digits.target % 2, 1.0, -1.0).astype(np.float32)
    svms = [SVC(kernel=kernel).fit(rows[:150], labels[:150]) for kernel in ("linear", "poly", "rbf")]
    rows, labels = rows[500:800], labels[500:800]
    answers = np.stack([svm.predict(rows) for svm in svms], axis=1).astype(np.float32)

    inputs, experts = keras.Input((64,)), keras.Input((3,))
    hidden = Dense(20, activation="sigmoid", name="layer_op_1")(inputs)
    choice = one_hot_of_maximum(Dense(3, name="layer_op_2")(hidden))
    chosen = keras.layers.Dot(axes=1)([choice, experts])
    model = keras.Model([inputs, experts], Dense(1, activation="tanh")(chosen))
    model.compile(optimizer="adam", loss="mse")
    return Program(name, model, [rows, answers], labels, frozenset({"no-gradient"}))
