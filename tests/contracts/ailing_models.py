"""For every finding a tiny model that has the problem, and a twin, as similar as possible, that does not.

Where a threshold matters the weights are drawn by NumPy, so that every backend sees the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits

from codeword import activations, layers, losses
from codeword.backend import keras

ops = keras.ops
Activation = keras.layers.Activation
Dense = keras.layers.Dense
Lambda = keras.layers.Lambda
Rescaling = keras.layers.Rescaling

FOUR = [0, 0.25, 0.5, 0.75]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Case(NamedTuple):
    """What `examine` is given: a model, rows, targets, and its other arguments by name."""

    model: Any
    x: Any
    y: Any = None
    options: Mapping[str, Any] = NOTHING


Pair = tuple[Callable[[], Case], Callable[[], Case]]


def numbers(columns: int = 8, rows: int = 200, seed: int = 0) -> np.ndarray:
    """Return normal numbers of unit size."""
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def shades(columns: int = 16, rows: int = 200, seed: int = 0) -> np.ndarray:
    """Return numbers between 0 and 1, like gray pixels."""
    return np.random.default_rng(seed).uniform(0.02, 0.98, (rows, columns)).astype(np.float32)


def bytes_of(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as a file holds them, 0 to 255."""
    return np.round(pixels * 255).astype(np.float32)


def shares(columns: int = 16) -> np.ndarray:
    """Return rows that sum to 1."""
    amounts = shades(columns)
    return amounts / amounts.sum(axis=1, keepdims=True)


def chosen_from(values: Sequence[float], columns: int = 16, rows: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(values, (rows, columns)).astype(np.float32)


def labels(classes: int = 10, rows: int = 200, seed: int = 1) -> np.ndarray:
    """Return whole class numbers, int64, shape `(rows,)`."""
    return np.random.default_rng(seed).integers(0, classes, rows)


def every(count: int) -> np.ndarray:
    """Return a mask of 200 rows and 16 columns that is True in every `count`-th cell."""
    return (np.arange(200 * 16) % count == 0).reshape(200, 16)


def one_hots(classes: int = 10) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[labels(classes)]


def several_labels() -> np.ndarray:
    """Return ten columns with one to four ones per row."""
    ranks = np.random.default_rng(2).random((200, 10)).argsort(axis=1).argsort(axis=1)
    return (ranks <= np.arange(200)[:, None] % 4).astype(np.float32)


def ratings(seed: int = 0, step: float = 1.0) -> np.ndarray:
    """Return ratings from `step` to 5 by 200 people of 32 items; nine tenths are 0, but no row is empty."""
    rng = np.random.default_rng(seed)
    rated = rng.random((200, 32)) < 0.1
    rated[np.arange(200), rng.integers(0, 32, 200)] = True
    return (step * rng.integers(1, round(5 / step) + 1, rated.shape) * rated).astype(np.float32)


def halves(stars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratings as two matrices, each with every second rating of each row."""
    first = (stars != 0) & (np.cumsum(stars != 0, axis=1) % 2 == 1)
    return stars * first, stars * ~first


def is_rated(stars: np.ndarray) -> np.ndarray:
    return (stars != 0).astype(np.float32)


def missing_as_nan(stars: np.ndarray) -> np.ndarray:
    return np.where(stars == 0, np.float32(np.nan), stars)


def with_entry(data: np.ndarray, value: float) -> np.ndarray:
    """Return a copy in which row 3 has another value in its column 1."""
    data = data.copy()
    data[3, 1] = value
    return data


def away_from_zero() -> np.ndarray:
    """Return numbers that are all at least 0.2 away from 0."""
    z = numbers(8, rows=300, seed=3)
    return z + np.float32(0.2) * np.sign(z)


def images_of_bytes() -> np.ndarray:
    """Return 28x28 digits as rows of whole numbers from 0 to 255, mostly 0, like MNIST."""
    return bytes_of(zoom(load_digits().images[:200] / 16, (1, 3.5, 3.5), order=1).reshape(200, 784))


def orthonormal(size: int = 16, columns: int = 8, seed: int = 7) -> np.ndarray:
    """Return a kernel with orthonormal columns: normal rows then have unrelated scores of unit size."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0][:, :columns]


def network(
    x: Any,
    *parts: Any,
    loss: Any = None,
    y: Any = None,
    weights: Mapping[str, Sequence[Any]] = NOTHING,
    biases: Mapping[str, Sequence[float]] = NOTHING,
    **options: Any,
) -> Case:
    """Stack layers; weights and biases go by the name of the layer, `options` go to `examine`."""
    case = compiled(keras.Sequential([keras.Input(x.shape[1:]), *parts]), x, y, loss)
    for name, values in weights.items():
        case.model.get_layer(name).set_weights([np.asarray(value, np.float32) for value in values])
    for name, values in biases.items():
        case.model.get_layer(name).bias.assign(np.asarray(values, np.float32))
    return case._replace(options=MappingProxyType(options))


def compiled(model: Any, x: Any, y: Any, loss: Any) -> Case:
    """Set every kernel to numbers that NumPy draws, and compile if there is a loss."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(11)
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:
            spread = np.sqrt(2 / (variable.shape[-2] + variable.shape[-1]))
            variable.assign(rng.normal(0, spread, variable.shape).astype(np.float32))
    if loss is not None:
        model.compile(keras.optimizers.Adam(0.001), loss=loss)
    return Case(model, x, y)


# Parts that several cases share


def regression(*parts: Any, x: Any = None, y: Any = None, loss: Any = "mse", **more: Any) -> Case:
    """Return a network from eight columns of unit size through the parts to one linear output."""
    x = numbers(8) if x is None else x
    return network(x, *parts, Dense(1), loss=loss, y=numbers(1, seed=5) if y is None else y, **more)


def classifier(output: str | None, loss: Any, *more: Any, y: Any = None, units: int = 10) -> Case:
    y = labels() if y is None else y
    return network(numbers(8), Dense(16, "relu"), Dense(units, output), *more, loss=loss, y=y)


def recommender(output: str | None, loss: Any, x: Any = None, y: Any = None, **options: Any) -> Case:
    return network(ratings() if x is None else x, Dense(16), Dense(32, output), loss=loss, y=y, **options)


def middle(part: Any, **before: Any) -> Case:
    """Return a network with a part between two dense layers that both have to learn."""
    return regression(Dense(8, name="before", **before), part)


def with_biases(activation: str, biases: Sequence[float], *more: Any) -> Case:
    """Return a network with one hidden unit per bias."""
    hidden = Dense(len(biases), activation, name="hidden")
    return regression(hidden, *more, biases={"hidden": biases})


def pictures(*before: Any, biases: Sequence[float] = (0, 0, 0, 0)) -> Case:
    """Return a network with four filters on 8x8 images of bytes."""
    filters = keras.layers.Conv2D(4, 3, activation="relu", name="filters")
    x = bytes_of(load_digits().images[:200, ..., None] / 16)
    return regression(*before, filters, keras.layers.GlobalMaxPooling2D(), x=x, biases={"filters": biases})


def zeroed(*names: str) -> Case:
    """Return a network with a hidden and a last layer; the named ones start with all weights 0."""
    zeros = {"hidden": [np.zeros((8, 8)), np.zeros(8)], "last": [np.zeros((8, 1)), np.zeros(1)]}
    parts = [Dense(8, name="hidden"), Dense(1, name="last")]
    return network(numbers(8), *parts, loss="mse", y=numbers(1, seed=5), weights={name: zeros[name] for name in names})


def coded(kernel: Any = None, bias: Any = 0.0, x: Any = None, part: Any = None, **options: Any) -> Case:
    """Return a network with eight bits, or a part on such scores, and a linear decoder."""
    kernel = orthonormal() if kernel is None else np.asarray(kernel)
    x = numbers(len(kernel), rows=300, seed=3) if x is None else x
    bits = kernel.shape[1]
    scores, part = Dense(bits, name="scores"), layers.SignBits(name="code") if part is None else part
    weights = {"scores": [kernel, np.broadcast_to(bias, (bits,))]}
    return network(x, scores, part, Dense(x.shape[1]), loss="mse", weights=weights, **options)


def restoring(latent: np.ndarray, part: Any, gain: float = 1.0, **options: Any) -> Case:
    """Return rows that are a linear map of latent numbers, and a network that restores both exactly."""
    basis = np.random.default_rng(4).uniform(0.2, 1, (latent.shape[1], 16))
    weights = {"scores": [gain * np.linalg.pinv(basis), np.zeros(latent.shape[1])], "decoder": [basis, np.zeros(16)]}
    x = (latent @ basis).astype(np.float32)
    parts = [Dense(latent.shape[1], name="scores"), part, Dense(16, name="decoder")]
    return network(x, *parts, loss="mse", weights=weights, **options)


def deep(scale: float, activation: str, depth: int) -> Case:
    """Return a network of square layers whose kernels are rotations times a number."""
    parts = [Dense(16, activation, name=f"layer_{number}") for number in range(depth)]
    weights = {part.name: [scale * orthonormal(16, 16, number), np.zeros(16)] for number, part in enumerate(parts)}
    return regression(*parts, x=numbers(16), weights=weights)


def two_inputs(second: np.ndarray) -> Case:
    first, other = keras.Input((8,)), keras.Input((4,))
    joined = keras.layers.Concatenate()([Dense(8, "relu")(first), Dense(8, "relu")(other)])
    return compiled(keras.Model([first, other], Dense(1)(joined)), [numbers(8), second], numbers(1, seed=5), "mse")


def two_outputs(losses_of: Mapping[str, Any], second: Any) -> Case:
    """Return a network with a linear output "first" and a sigmoid output "second"."""
    inputs = keras.Input((8,))
    hidden = Dense(8, "relu")(inputs)
    outputs = {"first": Dense(1, name="first")(hidden), "second": Dense(4, "sigmoid", name="second")(hidden)}
    y = {"first": numbers(1, seed=5), "second": second}
    return compiled(keras.Model(inputs, outputs), numbers(8), y, dict(losses_of))


def on_tensors(function: Callable[[Any], Any], loss: Any, x: np.ndarray, y: Any, units: int) -> Case:
    """Return a functional model that ends in a function of tensors, without a layer around it."""
    inputs = keras.Input(x.shape[1:])
    return compiled(keras.Model(inputs, function(Dense(units, name="last")(inputs))), x, y, loss)


def embedded(part: Any) -> Case:
    tokens = np.random.default_rng(0).integers(0, 1000, (200, 12))
    pooling = keras.layers.GlobalAveragePooling1D()
    return regression(part, pooling, Dense(8, "relu"), x=tokens) if part else regression(Dense(8), x=tokens)


def normalization(x: np.ndarray) -> Any:
    layer = keras.layers.Normalization()
    layer.adapt(x)
    return layer


def own_masked_mse(y_true: Any, y_pred: Any) -> Any:
    mask = ops.cast(ops.not_equal(y_true, 0), y_pred.dtype)
    return ops.mean(ops.square(mask * (y_true - y_pred)))


def mean_of_the_rated(y_true: Any, y_pred: Any) -> Any:
    """Like own_masked_mse, divided by the number of ratings in the row: 0 / 0 if there are none."""
    mask = ops.cast(ops.not_equal(y_true, 0), y_pred.dtype)
    return ops.sum(ops.square(mask * (y_true - y_pred)), axis=-1) / ops.sum(mask, axis=-1)


def straight_through_round(z: Any) -> Any:
    return z + ops.stop_gradient(ops.round(z) - z)


def plain_round(z: Any) -> Any:
    return ops.round(z)


def quarter_floor(z: Any) -> Any:
    return ops.floor(4 * z) / 4


@keras.saving.register_keras_serializable(package="ailing_models")
class Shift(keras.layers.Layer):
    """Add a learned number to every column; the layer may have an unused weight, or fail."""

    def __init__(self, spare: bool = False, fails: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spare, self.fails = spare, fails

    def build(self, shape: Any) -> None:
        self.shift = self.add_weight(shape=(shape[-1],), initializer="zeros", name="shift")
        if self.spare:
            self.unused = self.add_weight(shape=(shape[-1],), initializer="zeros", name="unused")

    def call(self, inputs: Any) -> Any:
        if self.fails and not keras.backend.is_keras_tensor(inputs):
            raise ValueError("there are no more than 7 columns")
        return inputs + self.shift

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spare": self.spare, "fails": self.fails}


# The pairs

DEAD = [0.0] * 10 + [-100.0] * 6
TENTHS = {"out": [np.full((16, 1), 0.1), [0]]}

SEVERITIES = {
    "targets-not-distributions": "error",
    "output-out-of-reach": "error",
    "output-range-unused": "warning",
    "cross-entropy-targets": "error",
    "cross-entropy-floor": "note",
    "logits-twice": "error",
    "not-probabilities": "error",
    "labels-as-numbers": "error",
    "labels-out-of-range": "error",
    "levels-as-reals": "warning",
    "not-finite": "error",
    "not-scaled": "warning",
    "constant-columns": "note",
    "zeros-as-missing": "warning",
    "masked-softmax": "error",
    "empty-rows": "error",
    "validation-copies": "warning",
    "loss-not-finite": "error",
    "no-gradient": "error",
    "saturated": "warning",
    "dead-relus": "warning",
    "vanishing-gradient": "warning",
    "exploding-gradient": "warning",
    "one-code": "error",
    "dead-bits": "warning",
    "duplicate-bits": "warning",
    "unbalanced-bits": "warning",
    "correlated-bits": "warning",
    "rounded-after-training": "note",
    "near-threshold": "note",
    "model-fails": "error",
    "not-compiled": "note",
    "no-targets": "note",
}

PAIRS: dict[str, Pair] = {
    "targets-not-distributions": (
        lambda: network(shades(), Dense(16, "softmax"), loss="categorical_crossentropy"),
        lambda: network(shares(), Dense(16, "softmax"), loss="categorical_crossentropy"),
    ),
    "output-out-of-reach": (
        lambda: network(shades(), Dense(16, "sigmoid"), loss="mse", y=bytes_of(shades())),
        lambda: network(shades(), Dense(16, "sigmoid"), loss="mse", y=bytes_of(shades()) / 255),
    ),
    "output-range-unused": (
        lambda: network(shades(), Dense(16, "tanh"), loss="mse"),
        lambda: network(2 * shades() - 1, Dense(16, "tanh"), loss="mse"),
    ),
    "cross-entropy-targets": (
        lambda: classifier("sigmoid", "binary_crossentropy", y=2 * labels(2) - 1, units=1),
        lambda: classifier("sigmoid", "binary_crossentropy", y=labels(2), units=1),
    ),
    "cross-entropy-floor": (
        lambda: network(shades(), Dense(16, "sigmoid"), loss="binary_crossentropy"),
        lambda: network(chosen_from([0, 1]), Dense(16, "sigmoid"), loss="binary_crossentropy"),
    ),
    "logits-twice": (
        lambda: classifier("sigmoid", keras.losses.BinaryCrossentropy(from_logits=True), y=several_labels()),
        lambda: classifier("linear", keras.losses.BinaryCrossentropy(from_logits=True), y=several_labels()),
    ),
    "not-probabilities": (
        lambda: classifier("linear", "binary_crossentropy", y=labels(2), units=1),
        lambda: classifier("sigmoid", "binary_crossentropy", y=labels(2), units=1),
    ),
    "labels-as-numbers": (
        lambda: classifier("softmax", "mse", y=labels()[:, None]),
        lambda: classifier("softmax", "sparse_categorical_crossentropy", y=labels()[:, None]),
    ),
    "labels-out-of-range": (
        lambda: classifier(None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), y=labels() + 1),
        lambda: classifier(None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    ),
    "levels-as-reals": (
        lambda: network(chosen_from(FOUR), Dense(16, "sigmoid"), loss="mse"),
        lambda: network(0.75 * shades(), Dense(16, "sigmoid"), loss="mse"),
    ),
    "not-finite": (
        lambda: regression(Dense(8, "relu"), x=with_entry(numbers(8), np.nan)),
        lambda: regression(Dense(8, "relu")),
    ),
    "not-scaled": (
        lambda: regression(Dense(8, "relu"), x=bytes_of(shades(8))),
        lambda: regression(Rescaling(1 / 255), Dense(8, "relu"), x=bytes_of(shades(8))),
    ),
    "constant-columns": (
        lambda: regression(Dense(8, "relu"), x=np.where(np.arange(16) < 3, np.float32(0.5), numbers(16))),
        lambda: regression(Dense(8, "relu"), x=numbers(16)),
    ),
    "zeros-as-missing": (
        lambda: recommender("linear", "mse"),
        lambda: recommender("linear", losses.Masked("mse", missing=0)),
    ),
    "masked-softmax": (
        lambda: recommender("softmax", losses.Masked("mse", missing=0)),
        lambda: recommender("linear", losses.Masked("mse", missing=0)),
    ),
    "empty-rows": (
        lambda: recommender("linear", mean_of_the_rated, x=ratings() * (np.arange(200) % 20 > 0)[:, None]),
        lambda: recommender("linear", mean_of_the_rated),
    ),
    "validation-copies": (
        lambda: recommender("linear", losses.Masked("mse"), validation_data=(ratings(seed=9), ratings(seed=9))),
        lambda: recommender("linear", losses.Masked("mse"), validation_data=halves(ratings(seed=9))),
    ),
    "loss-not-finite": (  # the logarithm of a negative number
        lambda: network(numbers(8), Dense(16), Dense(1, "linear"), loss="poisson", y=labels(5)),
        lambda: network(numbers(8), Dense(16), Dense(1, "softplus"), loss="poisson", y=labels(5)),
    ),
    "no-gradient": (
        lambda: middle(Lambda(plain_round)),
        lambda: middle(layers.Staircase([-2, -1, 0, 1, 2])),
    ),
    "saturated": (
        lambda: deep(40, "tanh", depth=1),
        lambda: deep(0.5, "tanh", depth=1),
    ),
    "dead-relus": (
        lambda: with_biases("relu", DEAD),
        lambda: with_biases("relu", [0] * 16),
    ),
    "vanishing-gradient": (
        lambda: deep(1, "sigmoid", depth=20),
        lambda: deep(1, "tanh", depth=20),
    ),
    "exploding-gradient": (
        lambda: deep(5, "relu", depth=12),
        lambda: deep(2**0.5, "relu", depth=12),
    ),
    "one-code": (
        lambda: coded(bias=100),
        coded,
    ),
    "dead-bits": (
        lambda: coded(bias=[0, 0, 0, 0, 0, 100, -100, 100]),
        coded,
    ),
    "duplicate-bits": (
        lambda: coded(orthonormal()[:, [0, 1, 2, 3, 4, 5, 5, 5]]),
        coded,
    ),
    "unbalanced-bits": (
        lambda: coded(bias=[0, 0, 0, 0, 0, 2.2, -2.2, 2.2]),
        coded,
    ),
    "correlated-bits": (
        lambda: coded(0.995**0.5 * orthonormal()[:, :1] + 0.005**0.5 * orthonormal(columns=9)[:, 1:]),
        coded,
    ),
    "rounded-after-training": (
        lambda: restoring(2 * shades(4, rows=300), Activation("relu", name="code")),
        lambda: restoring(chosen_from([-1, 1], 4, rows=300), layers.SignBits(name="code")),
    ),
    "near-threshold": (
        lambda: coded(np.eye(8), x=np.where(np.arange(300)[:, None] % 5, 1, np.float32(1e-7)) * away_from_zero()),
        lambda: coded(np.eye(8), x=away_from_zero()),
    ),
    "model-fails": (
        lambda: regression(Dense(8))._replace(x=numbers(6)),
        lambda: regression(Dense(8)),
    ),
    "not-compiled": (
        lambda: regression(Dense(8), loss=None),
        lambda: regression(Dense(8)),
    ),
    "no-targets": (
        lambda: regression(Dense(8))._replace(y=None),
        lambda: regression(Dense(8)),
    ),
}


# Other ways to ail, and to be well

VARIANTS: dict[str, dict[str, Pair]] = {
    "targets-not-distributions": {
        "softmax over images, squared error": (
            lambda: network(shades(), Dense(16, "softmax"), loss="mse"),
            lambda: network(shares(), Dense(16, "softmax"), loss="mse"),
        ),
        "several labels per row": (
            lambda: classifier("softmax", "categorical_crossentropy", y=several_labels()),
            lambda: classifier("softmax", "categorical_crossentropy", y=one_hots()),
        ),
        "several labels per row, logits": (
            lambda: classifier("linear", keras.losses.CategoricalCrossentropy(from_logits=True), y=several_labels()),
            lambda: classifier("linear", keras.losses.CategoricalCrossentropy(from_logits=True), y=one_hots()),
        ),
        "softmax on tensors": (
            lambda: on_tensors(ops.softmax, "mse", shades(), None, 16),
            lambda: on_tensors(ops.softmax, "mse", shares(), None, 16),
        ),
    },
    "output-out-of-reach": {
        "relu on negative numbers": (
            lambda: network(numbers(16), Dense(16, "relu"), loss="mse"),
            lambda: network(numbers(16), Dense(16, "linear"), loss="mse"),
        ),
        "tanh on standardized numbers": (
            lambda: network(numbers(16), Dense(16, "tanh"), loss="mse"),
            lambda: network(np.tanh(numbers(16)), Dense(16, "tanh"), loss="mse"),
        ),
        "relu on negative numbers, one per row": (
            lambda: classifier("relu", "mse", y=numbers(1, seed=5)[:, 0], units=1),
            lambda: classifier("relu", "mse", y=np.abs(numbers(1, seed=5)[:, 0]), units=1),
        ),
        "sigmoid, one cell in two hundred above 1": (
            lambda: network(shades(), Dense(16, "sigmoid"), loss="mse", y=np.where(every(200), 1.5, shades())),
            lambda: network(shades(), Dense(16, "sigmoid"), loss="mse", y=np.where(every(200), 1, shades())),
        ),
        "staircase that ends too low": (
            lambda: network(chosen_from([*FOUR, 1]), Dense(16, activations.staircase(FOUR)), loss="mse"),
            lambda: network(chosen_from([*FOUR, 1]), Dense(16, activations.staircase([*FOUR, 1])), loss="mse"),
        ),
        "sigmoid layer of its own": (
            lambda: network(shades(), Dense(16), Activation("sigmoid"), loss="mse", y=bytes_of(shades())),
            lambda: network(
                shades(), Dense(16), Activation("sigmoid"), Rescaling(255), loss="mse", y=bytes_of(shades())
            ),
        ),
        "relu with an upper end": (
            lambda: network(shades(), Dense(16), keras.layers.ReLU(max_value=6), loss="mse", y=16 * shades()),
            lambda: network(shades(), Dense(16), keras.layers.ReLU(), loss="mse", y=16 * shades()),
        ),
        "relu on tensors": (
            lambda: on_tensors(ops.relu, "mse", numbers(16), None, 16),
            lambda: on_tensors(lambda z: ops.relu(z) - ops.relu(-z), "mse", numbers(16), None, 16),
        ),
        "sigmoid in a Lambda": (
            lambda: network(shades(), Dense(16), Lambda(ops.sigmoid), loss="mse", y=bytes_of(shades())),
            lambda: network(
                shades(), Dense(16), Lambda(lambda z: 255 * ops.sigmoid(z)), loss="mse", y=bytes_of(shades())
            ),
        ),
        "the second of two outputs": (
            lambda: two_outputs({"first": "mse", "second": "mse"}, bytes_of(shades(4))),
            lambda: two_outputs({"first": "mse", "second": "mse"}, shades(4)),
        ),
    },
    "output-range-unused": {
        "tanh layer of its own over shades": (
            lambda: network(shades(), Dense(16), Activation("tanh"), loss="mae"),
            lambda: network(shades(), Dense(16), Activation("tanh"), Rescaling(0.5, offset=0.5), loss="mae"),
        ),
    },
    "cross-entropy-targets": {
        "cross-entropy of -1 and 1 in a column": (
            lambda: classifier("sigmoid", "binary_crossentropy", y=2 * labels(2)[:, None] - 1, units=1),
            lambda: classifier("sigmoid", "binary_crossentropy", y=labels(2)[:, None], units=1),
        ),
        "cross-entropy of bytes": (
            lambda: network(shades(), Dense(16, "sigmoid"), loss="binary_crossentropy", y=bytes_of(shades())),
            lambda: network(shades(), Dense(16, "sigmoid"), loss="binary_crossentropy", y=bytes_of(shades()) / 255),
        ),
        "cross-entropy of standardized numbers, an object": (
            lambda: network(numbers(16), Dense(16, "sigmoid"), loss=keras.losses.BinaryCrossentropy()),
            lambda: network(numbers(16), Dense(16, "sigmoid"), loss=keras.losses.BinaryCrossentropy(), y=shades()),
        ),
        "focal cross-entropy of -1 and 1": (
            lambda: classifier("sigmoid", "binary_focal_crossentropy", y=2 * several_labels() - 1),
            lambda: classifier("sigmoid", "binary_focal_crossentropy", y=several_labels()),
        ),
        "cross-entropy of logits, -1 and 1": (
            lambda: classifier(None, keras.losses.BinaryCrossentropy(from_logits=True), y=2 * several_labels() - 1),
            lambda: classifier(None, keras.losses.BinaryCrossentropy(from_logits=True), y=several_labels()),
        ),
    },
    "cross-entropy-floor": {
        "soft labels": (
            lambda: classifier("softmax", "categorical_crossentropy", y=0.8 * one_hots() + 0.02),
            lambda: classifier("softmax", "categorical_crossentropy", y=one_hots()),
        ),
    },
    "logits-twice": {
        "softmax twice, class numbers": (
            lambda: classifier("softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
            lambda: classifier("linear", keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        ),
        "softmax twice, one-hots": (
            lambda: classifier("softmax", keras.losses.CategoricalCrossentropy(from_logits=True), y=one_hots()),
            lambda: classifier("softmax", keras.losses.CategoricalCrossentropy(), y=one_hots()),
        ),
        "softmax twice, a layer of its own": (
            lambda: classifier(
                None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), keras.layers.Softmax()
            ),
            lambda: classifier(None, keras.losses.SparseCategoricalCrossentropy(), keras.layers.Softmax()),
        ),
        "sigmoid twice, on tensors": (
            lambda: on_tensors(
                ops.sigmoid, keras.losses.BinaryCrossentropy(from_logits=True), shades(), several_labels(), 10
            ),
            lambda: on_tensors(ops.sigmoid, keras.losses.BinaryCrossentropy(), shades(), several_labels(), 10),
        ),
    },
    "not-probabilities": {
        "tanh and binary cross-entropy": (
            lambda: classifier("tanh", "binary_crossentropy", y=several_labels()),
            lambda: classifier("tanh", "binary_crossentropy", Rescaling(0.5, offset=0.5), y=several_labels()),
        ),
        "relu and binary cross-entropy": (
            lambda: network(numbers(16), Dense(16, "relu"), loss="binary_crossentropy", y=chosen_from([0, 1])),
            lambda: network(numbers(16), Dense(16, "hard_sigmoid"), loss="binary_crossentropy", y=chosen_from([0, 1])),
        ),
        "linear and categorical cross-entropy": (
            lambda: classifier("linear", "categorical_crossentropy", y=one_hots()),
            lambda: classifier("linear", keras.losses.CategoricalCrossentropy(from_logits=True), y=one_hots()),
        ),
        "linear and sparse categorical cross-entropy": (
            lambda: classifier(None, "sparse_categorical_crossentropy"),
            lambda: classifier(None, "sparse_categorical_crossentropy", Activation("softmax")),
        ),
    },
    "labels-as-numbers": {
        "class numbers to one unit": (
            lambda: classifier(None, "mse", units=1),
            lambda: classifier(None, "mse", units=1, y=numbers(1, seed=5)),
        ),
        "class numbers in a column, absolute error": (
            lambda: classifier(None, "mae", y=labels()[:, None]),
            lambda: classifier(None, "mae", y=numbers(10, seed=5)),
        ),
        "class numbers to a softmax, huber": (
            lambda: classifier("softmax", keras.losses.Huber(), y=labels().astype(np.float32)),
            lambda: classifier("softmax", keras.losses.Huber(), y=one_hots()),
        ),
    },
    "levels-as-reals": {
        "yes and no as reals": (
            lambda: network(chosen_from([0, 1]), Dense(16, "sigmoid"), loss="mse"),
            lambda: network(chosen_from([0, 1]), Dense(16, "sigmoid"), loss="binary_crossentropy"),
        ),
        "sixteen and seventeen levels": (
            lambda: network(chosen_from(np.arange(16) / 16), Dense(16, "linear"), loss="mse"),
            lambda: network(chosen_from(np.arange(17) / 16), Dense(16, "linear"), loss="mse"),
        ),
        "three levels, binary cross-entropy": (
            lambda: network(chosen_from([0, 0.5, 1]), Dense(16, "sigmoid"), loss="binary_crossentropy"),
            lambda: network(
                chosen_from([0, 0.5, 1]),
                Dense(32),
                keras.layers.Reshape((16, 2)),
                loss=losses.OrdinalCrossentropy([0, 0.5, 1]),
                y=chosen_from([0, 0.5, 1]),
            ),
        ),
        "four levels, absolute error": (
            lambda: network(chosen_from(FOUR), Dense(16), loss="mae"),
            lambda: network(chosen_from(FOUR), Dense(16), layers.Staircase(FOUR), loss="mae"),
        ),
        "four levels, the right bin costs nothing": (
            lambda: network(chosen_from(FOUR), Dense(16), loss=keras.losses.Huber()),
            lambda: network(chosen_from(FOUR), Dense(16), loss=losses.BinInsensitive(FOUR)),
        ),
    },
    "not-finite": {
        "infinity in y": (
            lambda: regression(Dense(8), x=numbers(8), y=with_entry(numbers(2, seed=5), np.inf)[:, 1:]),
            lambda: regression(Dense(8), x=numbers(8), y=with_entry(numbers(2, seed=5), 3)[:, 1:]),
        ),
        "NaN in y": (
            lambda: recommender(None, "mse", y=missing_as_nan(ratings())),
            lambda: recommender(None, losses.Masked("mse", missing=float("nan")), y=missing_as_nan(ratings())),
        ),
        "NaN in the second input": (lambda: two_inputs(with_entry(numbers(4), np.nan)), lambda: two_inputs(numbers(4))),
    },
    "not-scaled": {
        "tiny numbers": (
            lambda: regression(Dense(8, "relu"), x=1e-5 * numbers(8)),
            lambda: regression(normalization(1e-3 * numbers(8)), Dense(8, "relu"), x=1e-3 * numbers(8)),
        ),
        "far from zero": (
            lambda: regression(Dense(8, "relu"), x=numbers(8) + 2000),
            lambda: regression(normalization(numbers(8) + 2000), Dense(8, "relu"), x=numbers(8) + 2000),
        ),
        "one column of eight in another unit": (
            lambda: regression(Dense(8, "relu"), x=numbers(8) * np.float32([1, 1, 1, 1, 1, 1, 1, 1e5])),
            lambda: regression(Dense(8, "relu"), x=numbers(8) * np.float32([1, 1, 1, 1, 1, 1, 1, 0.5])),
        ),
        "images of bytes to a convolution": (pictures, lambda: pictures(Rescaling(1 / 127.5, offset=-1))),
        "images of bytes, the second of two inputs": (
            lambda: two_inputs(bytes_of(shades(4))),
            lambda: two_inputs(shades(4)),
        ),
        "token numbers": (lambda: embedded(None), lambda: embedded(keras.layers.Embedding(1000, 8))),
    },
    "constant-columns": {
        "most columns constant": (
            lambda: regression(Dense(8, "relu"), x=np.where(np.arange(16) < 10, np.float32(0.5), numbers(16))),
            lambda: regression(Dense(8, "relu"), x=numbers(16)),
        ),
    },
    "zeros-as-missing": {
        "half stars, absolute error": (
            lambda: recommender(None, "mae", x=ratings(step=0.5)),
            lambda: recommender(None, own_masked_mse, x=ratings(step=0.5)),
        ),
        "ratings asked for apart": (
            lambda: recommender(None, "mse", *halves(ratings())),
            lambda: recommender(
                None,
                losses.Masked("mse", missing=None),
                *halves(ratings()),
                sample_weight=is_rated(halves(ratings())[1]),
            ),
        ),
        "ratings, and images that are mostly 0": (
            lambda: recommender("relu", "mse"),
            lambda: network(images_of_bytes(), Rescaling(1 / 255), Dense(16), Dense(784), loss="mse"),
        ),
    },
    "masked-softmax": {
        "own masked loss over a softmax": (
            lambda: recommender("softmax", own_masked_mse),
            lambda: recommender(None, own_masked_mse),
        ),
        "masked by weights over a softmax": (
            lambda: recommender("softmax", losses.Masked("mse", missing=None), sample_weight=is_rated(ratings())),
            lambda: recommender("softmax", "categorical_crossentropy", x=one_hots(32)),
        ),
        "NaN for missing over a softmax": (
            lambda: recommender("softmax", losses.Masked("mse", missing=float("nan")), y=missing_as_nan(ratings())),
            lambda: recommender("softplus", losses.Masked("mse", missing=float("nan")), y=missing_as_nan(ratings())),
        ),
    },
    "empty-rows": {
        "empty rows and codeword's loss": (
            lambda: recommender(None, mean_of_the_rated, x=ratings() * (np.arange(200) != 7)[:, None]),
            lambda: recommender(None, losses.Masked("mse"), x=ratings() * (np.arange(200) != 7)[:, None]),
        ),
    },
    "validation-copies": {
        "rows of the training data": (
            lambda: regression(Dense(8), validation_data=(numbers(8)[:50], numbers(1, seed=5)[:50])),
            lambda: regression(Dense(8), validation_data=(numbers(8, 50, seed=8), numbers(1, 50, seed=9))),
        ),
        "an autoencoder's own rows": (
            lambda: network(shades(), Dense(16, "sigmoid"), loss="mse", validation_data=(shades()[:50], shades()[:50])),
            lambda: network(
                shades(),
                Dense(16, "sigmoid"),
                loss="mse",
                validation_data=(shades(rows=50, seed=8), shades(rows=50, seed=8)),
            ),
        ),
    },
    "loss-not-finite": {
        "an overflow": (
            lambda: network(
                bytes_of(shades()), Dense(1, "exponential", name="out"), loss="mse", y=numbers(1), weights=TENTHS
            ),
            lambda: network(
                shades(), Dense(1, "exponential", name="out"), loss="mse", y=np.exp(numbers(1)), weights=TENTHS
            ),
        ),
        "the logarithm of zero": (
            lambda: regression(Lambda(ops.log), Dense(8), x=chosen_from([0, 1, 2, 3], 8)),
            lambda: regression(Lambda(lambda z: ops.log(1 + z)), Dense(8), x=chosen_from([0, 1, 2, 3], 8)),
        ),
    },
    "no-gradient": {
        "sign": (lambda: regression(Dense(8, ops.sign)), lambda: regression(Dense(8, activations.sign))),
        "floor in an own activation": (
            lambda: regression(Dense(8, quarter_floor)),
            lambda: regression(Dense(8, straight_through_round)),
        ),
        "round in a Lambda": (
            lambda: middle(Lambda(plain_round)),
            lambda: middle(Lambda(lambda z: z + ops.stop_gradient(ops.round(z) - z))),
        ),
        "a comparison": (lambda: middle(Lambda(lambda z: ops.cast(z > 0, "float32"))), lambda: middle(layers.Step())),
        "a cast to whole numbers and back": (
            lambda: middle(Lambda(lambda z: ops.cast(ops.cast(4 * z, "int32"), "float32"))),
            lambda: middle(Lambda(lambda z: ops.cast(ops.cast(4 * z, "bfloat16"), "float32"))),
        ),
        "argmax in a Lambda": (
            lambda: middle(Lambda(lambda z: ops.one_hot(ops.argmax(z, axis=-1), 8))),
            lambda: middle(layers.Hardmax()),
        ),
        "stop_gradient": (lambda: middle(Lambda(ops.stop_gradient)), lambda: middle(Lambda(lambda z: z))),
        "frozen before the round": (
            lambda: middle(Lambda(plain_round), trainable=True),
            lambda: middle(Lambda(plain_round), trainable=False),
        ),
        "the output rounded": (
            lambda: network(chosen_from(FOUR), Dense(16, "sigmoid"), Dense(16, quarter_floor), loss="mse"),
            lambda: network(
                chosen_from(FOUR),
                Dense(16, "sigmoid"),
                Dense(16, activations.staircase(FOUR, edges="floor")),
                loss="mse",
            ),
        ),
        "the output rounded, on tensors": (
            lambda: on_tensors(ops.round, "mse", 3 * shades(), None, 16),
            lambda: on_tensors(straight_through_round, "mse", 3 * shades(), None, 16),
        ),
        "a weight that nothing uses": (lambda: regression(Shift(spare=True)), lambda: regression(Shift())),
        "an output without a loss": (
            lambda: two_outputs({"first": "mse", "second": None}, shades(4)),
            lambda: two_outputs({"first": "mse", "second": "mse"}, shades(4)),
        ),
        "a branch times zero": (lambda: middle(Rescaling(0.0, offset=1.0)), lambda: middle(Rescaling(1.0, offset=1.0))),
        "all relus dead": (lambda: with_biases("relu", [-100] * 8), lambda: with_biases("relu", [0] * 8)),
        "all weights zero": (lambda: zeroed("hidden", "last"), lambda: zeroed("last")),
    },
    "saturated": {
        "sigmoid over bytes": (
            lambda: regression(Dense(8, "sigmoid"), x=bytes_of(shades(8)) - 128),
            lambda: regression(Rescaling(1 / 255), Dense(8, "sigmoid"), x=bytes_of(shades(8)) - 128),
        ),
        "tanh layer of its own": (
            lambda: regression(Rescaling(100), Dense(8), Activation("tanh")),
            lambda: regression(Rescaling(1), Dense(8), Activation("tanh")),
        ),
    },
    "dead-relus": {
        "relu layer of its own": (
            lambda: with_biases("linear", DEAD, keras.layers.ReLU()),
            lambda: with_biases("linear", DEAD, keras.layers.LeakyReLU()),
        ),
        "filters of a convolution": (
            lambda: pictures(Rescaling(1 / 255), biases=[0, 0, -100, -100]),
            lambda: pictures(Rescaling(1 / 255), biases=[0, 0, 0, 0.5]),
        ),
    },
    "one-code": {
        "every score positive": (
            lambda: coded(np.abs(orthonormal()), x=shades(16, rows=300)),
            lambda: coded(np.abs(orthonormal()), x=shades(16, rows=300) - 0.5),
        ),
        "a tanh code, dead": (
            lambda: coded(bias=100, part=Activation("tanh", name="code"), code_layer="code"),
            lambda: coded(part=Activation("tanh", name="code"), code_layer="code"),
        ),
    },
    "dead-bits": {
        "units of a relu code that are always 0": (
            lambda: coded(bias=[0] * 6 + [-100] * 2, part=Activation("relu", name="code"), code_layer="code"),
            lambda: coded(part=Activation("relu", name="code"), code_layer="code"),
        ),
    },
    "duplicate-bits": {
        "a bit and its opposite": (
            lambda: coded(orthonormal()[:, [0, 1, 2, 3, 4, 5, 6, 6]] * [1, 1, 1, 1, 1, 1, 1, -1]),
            coded,
        ),
    },
    "rounded-after-training": {
        "rounded, with the layer named": (
            lambda: restoring(2 * shades(4, rows=300), Activation("relu", name="code"), code_layer="code"),
            lambda: restoring(
                chosen_from([-1, 1], 4, rows=300), Activation("tanh", name="code"), gain=3, code_layer="code"
            ),
        ),
    },
    "model-fails": {
        "targets of another shape": (
            lambda: network(numbers(8), Dense(5), loss="mse", y=numbers(3)),
            lambda: network(numbers(8), Dense(3), loss="mse", y=numbers(3)),
        ),
        "a layer that raises": (lambda: regression(Shift(fails=True)), lambda: regression(Shift())),
    },
}

# Where a variant is more or less than the pair of its code, and words that its evidence must have
OTHER_SEVERITIES = {
    "sigmoid, one cell in two hundred above 1": "warning",
    "class numbers to one unit": "warning",
    "yes and no as reals": "note",
    "most columns constant": "warning",
    "rounded, with the layer named": "warning",
}
WORDS = {
    "sign": "sign",
    "floor in an own activation": "floor",
    "round in a Lambda": "round",
    "argmax in a Lambda": "argmax",
    "the output rounded": "floor",
    "the output rounded, on tensors": "round",
    "a layer that raises": "no more than 7 columns",
}
