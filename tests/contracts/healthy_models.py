"""Models as people write them with nothing wrong: whatever is found in them is a false alarm, or the author's mistake.

Small, and untrained: what a start from random weights alone makes look ill is trained for an epoch or two.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.svm import SVC

import codeword as cw
from codeword import activations, layers, losses
from codeword.backend import keras

ops = keras.ops
Dense = keras.layers.Dense
Input = keras.layers.Input
Conv2D = keras.layers.Conv2D

FOUR = [0, 0.25, 0.5, 0.75]


class Healthy(NamedTuple):
    """What `examine` is given: a compiled model, rows, targets, and its other arguments by name."""

    model: Any
    x: Any
    y: Any = None
    options: Mapping[str, Any] = MappingProxyType({})


# Data


def pixels(rows: int = 300) -> np.ndarray:
    """Return 8x8 digits as rows of 64 values from 0 to 1."""
    return (load_digits().data[:rows] / 16).astype(np.float32)


def pictures(rows: int = 300) -> np.ndarray:
    """Return 8x8 digits as images of one channel, 0 to 1."""
    return pixels(rows).reshape(-1, 8, 8, 1)


def large_bytes(rows: int = 200) -> np.ndarray:
    """Return 16x16 digits as they come from a file: uint8, 0 to 255, one channel."""
    return np.round(zoom(load_digits().images[:rows] / 16, (1, 2, 2), order=1) * 255).astype(np.uint8)[..., None]


def digits(rows: int = 300) -> np.ndarray:
    return load_digits().target[:rows]


def four_levels(rows: int = 300) -> np.ndarray:
    return cw.datasets.four_level_digits()[:rows].reshape(rows, 64).astype(np.float32)


def waves(rows: int = 200, steps: int = 12) -> np.ndarray:
    """Return sines of random frequency and phase, shape `(rows, steps, 1)`."""
    rng = np.random.default_rng(0)
    frequency, phase = rng.uniform(0.2, 0.8, (rows, 1)), rng.uniform(0, 2 * np.pi, (rows, 1))
    return np.sin(frequency * np.arange(steps) + phase).astype(np.float32)[..., None]


def ratings(rows: int = 300, items: int = 100) -> np.ndarray:
    rng = np.random.default_rng(0)
    rated = rng.random((rows, items)) < 0.1
    rated[np.arange(rows), rng.integers(0, items, rows)] = True
    return (rng.integers(1, 6, rated.shape) * rated).astype(np.float32)


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """Return ten standardized columns, and the standardized progression of the disease."""
    x, y = load_diabetes(return_X_y=True)
    return (x / x.std(axis=0)).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)[:, None]


# Models


def chain(x: Any, *parts: Any, loss: Any, y: Any = None, epochs: int = 0, **fit: Any) -> Healthy:
    """Stack layers, and train where an untrained start would be unfair."""
    return finished(keras.Sequential([Input(x.shape[1:]), *parts]), x, y, loss, epochs, **fit)


def finished(model: Any, x: Any, y: Any, loss: Any, epochs: int = 0, **fit: Any) -> Healthy:
    model.compile("adam", loss=loss)
    if epochs:
        model.fit(x, x if y is None else y, epochs=epochs, verbose=0, **fit)
    return Healthy(model, x, y)


def staircase_output() -> Healthy:
    """docs/levels.md: exact levels come out, in the training already."""
    hidden = [layers.LevelOneHot(FOUR), keras.layers.Flatten(), Dense(32, "gelu"), Dense(64)]
    return chain(four_levels(), *hidden, layers.Staircase(FOUR, edges="floor"), loss="mse")


def sign_bits() -> Healthy:
    """README: a custom network with 64 signs in the middle and a staircase at the end."""
    return chain(
        four_levels(),
        layers.LevelOneHot(FOUR),
        keras.layers.Flatten(),
        Dense(128, activation="gelu"),
        Dense(64),
        keras.layers.BatchNormalization(center=False, scale=False),
        layers.SignBits(),
        Dense(128, activation="gelu"),
        Dense(64, activation=activations.staircase(FOUR)),
        loss="mse",
        epochs=15,  # the statistics before the bits need hundreds of steps: their momentum is .99
        batch_size=10,
    )


def gate_of_experts() -> Healthy:
    """docs/gate.md: a one-hot of the maximum that trains, and the experts' answers as second input."""
    x, y = pixels(600), np.where(digits(600) % 2, 1.0, -1.0).astype(np.float32)
    svms = [SVC(kernel=kernel).fit(x[:100], y[:100]) for kernel in ("linear", "poly", "rbf")]
    answers = np.stack([svm.decision_function(x[300:]) for svm in svms], axis=1).astype(np.float32)
    rows, outputs = Input((64,)), Input((3,))
    scores = Dense(20, activation="sigmoid")(rows)
    choice = Dense(3, activation=activations.hardmax, name="layer_op_2")(scores)
    answer = Dense(1, activation="tanh")(keras.layers.Dot(axes=1)([choice, outputs]))
    return finished(keras.Model([rows, outputs], answer), [x[300:], answers], y[300:], "mse", epochs=2)


def contrasted_bits() -> Healthy:
    """docs/hash.md: signs that are similar where the numbers in y are."""
    x, y = np.concatenate([pixels(), pixels() + np.float32(0.02)]), np.tile(np.arange(300), 2)
    order = np.random.default_rng(0).permutation(300)
    pairs = np.stack([order, order + 300], axis=1).ravel()  # both of a pair in one batch
    parts = [Dense(64, activation="relu"), Dense(16, use_bias=False)]
    parts += [keras.layers.BatchNormalization(center=False, scale=False), layers.SignBits(slope="tanh")]
    model = keras.Sequential([Input((64,)), *parts])
    return finished(model, x[pairs], y[pairs], losses.Contrast(temperature=0.4), 15, shuffle=False)


def masked_recommender() -> Healthy:
    """docs/recommenders.md: zeros are missing and are not learned."""
    parts = [keras.layers.Dropout(0.5), Dense(32), keras.layers.LeakyReLU(), Dense(100)]
    return chain(ratings(), *parts, loss=losses.Masked("mse", missing=0))


def dense_autoencoder() -> Healthy:
    """Keras' tutorial "Building autoencoders": one hidden layer, pixels from 0 to 1."""
    return chain(pixels(), Dense(32, "relu"), Dense(64, "sigmoid"), loss="binary_crossentropy")


def sparse_autoencoder() -> Healthy:
    """The same with a penalty on the code."""
    code = Dense(32, "relu", activity_regularizer=keras.regularizers.l1(1e-5))
    return chain(pixels(), code, Dense(64, "sigmoid"), loss="binary_crossentropy")


def deep_autoencoder() -> Healthy:
    """The same with 128-64-32-64-128."""
    hidden = [Dense(units, "relu") for units in (128, 64, 32, 64, 128)]
    return chain(pixels(), *hidden, Dense(64, "sigmoid"), loss="binary_crossentropy")


def convolutional_autoencoder() -> Healthy:
    """The same with convolutions, pooling and upsampling."""

    def convolution(filters: int) -> Any:
        return Conv2D(filters, 3, activation="relu", padding="same")

    down = [convolution(16), keras.layers.MaxPooling2D(), convolution(8), keras.layers.MaxPooling2D()]
    up = [convolution(8), keras.layers.UpSampling2D(), convolution(16), keras.layers.UpSampling2D()]
    last = Conv2D(1, 3, activation="sigmoid", padding="same")
    return chain(pictures(), *down, *up, last, loss="binary_crossentropy")


def denoising_autoencoder() -> Healthy:
    """Noisy images in, clean ones out."""
    noisy = pixels() + 0.3 * np.random.default_rng(0).normal(size=(300, 64))
    noisy = np.clip(noisy, 0, 1).astype(np.float32)
    return chain(noisy, Dense(48, "relu"), Dense(64, "sigmoid"), loss="binary_crossentropy", y=pixels())


def sequence_autoencoder() -> Healthy:
    """An LSTM reads, another one writes."""
    parts = [keras.layers.LSTM(16), keras.layers.RepeatVector(12), keras.layers.LSTM(16, return_sequences=True)]
    return chain(waves(), *parts, keras.layers.TimeDistributed(Dense(1)), loss="mse")


@keras.saving.register_keras_serializable(package="healthy_models")
class Sampling(keras.layers.Layer):
    """Draws a code from its mean and log variance, and adds their divergence from the prior to the loss."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs: Any) -> Any:
        mean, log_variance = inputs
        divergence = ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
        self.add_loss(-0.5 / 64 * ops.mean(divergence))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


def variational_autoencoder() -> Healthy:
    """The tutorial's last: a code that is drawn."""
    inputs = Input((64,))
    hidden = Dense(32, "relu")(inputs)
    code = Sampling()([Dense(4)(hidden), Dense(4)(hidden)])
    outputs = Dense(64, "sigmoid")(Dense(32, "relu")(code))
    return finished(keras.Model(inputs, outputs), pixels(), None, "binary_crossentropy")


def segmentation_with_skips() -> Healthy:
    """A small U-Net: which pixels are ink?"""
    x = pictures()
    inputs = Input((8, 8, 1))
    first = Conv2D(8, 3, activation="relu", padding="same")(inputs)
    second = Conv2D(16, 3, activation="relu", padding="same")(keras.layers.MaxPooling2D()(first))
    bottom = Conv2D(16, 3, activation="relu", padding="same")(keras.layers.MaxPooling2D()(second))
    up = keras.layers.Concatenate()([keras.layers.UpSampling2D()(bottom), second])
    up = keras.layers.Conv2DTranspose(8, 3, strides=2, activation="relu", padding="same")(up)
    outputs = Conv2D(1, 1, activation="sigmoid")(keras.layers.Concatenate()([up, first]))
    return finished(keras.Model(inputs, outputs), x, (x > 0.5).astype(np.float32), "binary_crossentropy")


def rescaled_images() -> Healthy:
    """Bytes are rescaled in the model; whole class numbers."""
    parts = [keras.layers.Rescaling(1 / 255), Conv2D(8, 3, activation="relu"), keras.layers.MaxPooling2D()]
    parts += [keras.layers.Flatten(), Dense(10, activation="softmax")]
    return chain(large_bytes(), *parts, loss="sparse_categorical_crossentropy", y=digits(200))


def normalized_images() -> Healthy:
    """Batch normalization sees the bytes first; one-hot classes."""
    parts = [keras.layers.BatchNormalization(), keras.layers.Flatten(), Dense(32, activation="relu")]
    y = np.eye(10, dtype=np.float32)[digits(200)]
    x = large_bytes().astype(np.float32)
    return chain(x, *parts, Dense(10, activation="softmax"), loss="categorical_crossentropy", y=y, epochs=3)


def normalized_columns() -> Healthy:
    """Columns in units from hundredths to thousands, normalized in the model; absolute error."""
    x = load_wine().data.astype(np.float32)
    normalization = keras.layers.Normalization()
    normalization.adapt(x[:, 1:])
    parts = [normalization, Dense(16, activation="relu"), Dense(1)]
    return chain(x[:, 1:], *parts, loss="mae", y=x[:, :1] - 13)


def text_classifier() -> Healthy:
    """Words are whole numbers, padded with 0."""
    rng = np.random.default_rng(0)
    words = rng.integers(1, 2000, (300, 20)) * (np.arange(20) < rng.integers(5, 21, 300)[:, None])
    parts = [keras.layers.Embedding(2000, 16, mask_zero=True), keras.layers.GlobalAveragePooling1D()]
    parts += [Dense(16, activation="relu"), Dense(1, activation="sigmoid")]
    return chain(words, *parts, loss="binary_crossentropy", y=rng.integers(0, 2, 300))


def several_labels() -> Healthy:
    """Any number of labels per row, each with its own sigmoid, and dropout."""
    y = np.stack([digits() % 2 == 0, digits() > 4, digits() % 3 == 0], axis=1).astype(np.float32)
    parts = [Dense(32, activation="relu"), keras.layers.Dropout(0.3), Dense(3, activation="sigmoid")]
    return chain(pixels(), *parts, loss="binary_crossentropy", y=y)


def logit_classifier() -> Healthy:
    """No softmax in the model: it is in the loss."""
    x = (load_wine().data - load_wine().data.mean(axis=0)) / load_wine().data.std(axis=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return chain(x.astype(np.float32), Dense(16, activation="relu"), Dense(3), loss=loss, y=load_wine().target)


def regression() -> Healthy:
    """Standardized columns and targets, linear, squared error."""
    x, y = diabetes()
    return chain(x, Dense(16, activation="relu"), Dense(16, activation="relu"), Dense(1), loss="mse", y=y)


def images_around_zero() -> Healthy:
    """Pixels from -1 to 1, as a generator gives them."""
    return chain(2 * pixels() - 1, Dense(32, activation="relu"), Dense(64, activation="tanh"), loss="mse")


def ordinal_levels() -> Healthy:
    """Three yes or no a pixel: is its level above?"""
    parts = [Dense(64, activation="relu"), Dense(64 * 3), keras.layers.Reshape((64, 3))]
    return chain(four_levels(), *parts, loss=losses.OrdinalCrossentropy(FOUR), y=four_levels())


def residual_network() -> Healthy:
    """Blocks that begin as the identity, because the scale of their last normalization begins at 0."""
    inputs = Input((8, 8, 1))
    hidden = Conv2D(8, 3, padding="same", activation="relu")(inputs)
    for _ in range(2):
        branch = Conv2D(8, 3, padding="same", use_bias=False)(hidden)
        branch = keras.layers.ReLU()(keras.layers.BatchNormalization()(branch))
        branch = Conv2D(8, 3, padding="same", use_bias=False)(branch)
        branch = keras.layers.BatchNormalization(gamma_initializer="zeros")(branch)
        hidden = keras.layers.ReLU()(keras.layers.Add()([hidden, branch]))
    outputs = Dense(10, activation="softmax")(keras.layers.GlobalAveragePooling2D()(hidden))
    return finished(keras.Model(inputs, outputs), pictures(), digits(), "sparse_categorical_crossentropy")


def transformer() -> Healthy:
    """Rows of an image as words: attention, normalization, skips."""
    inputs = Input((8, 8))
    words = Dense(16)(inputs)
    words = words + keras.layers.Embedding(8, 16)(ops.arange(8))
    normed = keras.layers.LayerNormalization()(words)
    words = words + keras.layers.MultiHeadAttention(num_heads=2, key_dim=8)(normed, normed)
    normed = keras.layers.LayerNormalization()(words)
    words = words + Dense(16)(Dense(32, activation="gelu")(normed))
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(words))
    model = keras.Model(inputs, Dense(10, activation="softmax")(pooled))
    return finished(model, pixels().reshape(-1, 8, 8), digits(), "sparse_categorical_crossentropy")


def recurrent_regression() -> Healthy:
    """The next value of a wave."""
    series = waves(steps=13)
    return chain(series[:, :12], keras.layers.GRU(16), Dense(1), loss="mse", y=series[:, 12])


def siamese() -> Healthy:
    """Two images through the same layers: are they the same digit?"""
    shared = keras.Sequential([Input((64,)), Dense(32, activation="relu"), Dense(16)])
    left, right = Input((64,)), Input((64,))
    apart = ops.abs(shared(left) - shared(right))
    model = keras.Model([left, right], Dense(1, activation="sigmoid")(apart))
    same = (digits(600)[:300] == digits(600)[300:]).astype(np.float32)
    return finished(model, [pixels(600)[:300], pixels(600)[300:]], same, "binary_crossentropy")


MODELS: tuple[Callable[[], Healthy], ...] = (
    staircase_output,
    sign_bits,
    gate_of_experts,
    contrasted_bits,
    masked_recommender,
    dense_autoencoder,
    sparse_autoencoder,
    deep_autoencoder,
    convolutional_autoencoder,
    denoising_autoencoder,
    sequence_autoencoder,
    variational_autoencoder,
    segmentation_with_skips,
    rescaled_images,
    normalized_images,
    normalized_columns,
    text_classifier,
    several_labels,
    logit_classifier,
    regression,
    images_around_zero,
    ordinal_levels,
    residual_network,
    transformer,
    recurrent_regression,
    siamese,
)
