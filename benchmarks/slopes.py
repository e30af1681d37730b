"""Which surrogate slope trains which hard function best: signs, staircases, one-hot choices, rounded scalars?

    CODEWORD_DATA=/folder python benchmarks/slopes.py                 all parts, about 40 minutes on one core
    CODEWORD_DATA=/folder python benchmarks/slopes.py --part sign     one part; what the file has is not done again
    python benchmarks/slopes.py --smoke                               about a minute, on the built-in digits
    python benchmarks/slopes.py --table                               the table of docs/slopes.md from the results file

One small network a part; only the hard function in it changes. Each slope's learning rate, and its width or
temperature where it has one, are chosen by the mean of two seeds on validation rows; then five other seeds are
measured on test rows. Initial weights and the order of batches are the same for all slopes of a seed, so differences
are paired. Without CODEWORD_DATA everything runs on scikit-learn's digits, into a results file of its own.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

os.environ["KERAS_BACKEND"] = "jax"  # the training below is one jitted scan

import jax
import jax.numpy as jnp
import numpy as np
from data_sets.usps import load_usps
from results_file import ResultsFile
from scipy.stats import t as student
from sklearn.svm import SVC

import codeword as cw
from codeword import activations, layers
from codeword.backend import keras
from codeword.datasets.folders import FOLDER_VARIABLE
from codeword.surrogates import straight_through, with_slope

ops = keras.ops

CHOOSING_SEEDS, SEEDS = (100, 101), (0, 1, 2, 3, 4)
BATCH = 200
DRAWN = "rounded up or down by chance"
LEVELS = (0.0, 0.25, 0.5, 0.75)
SCALAR_STEPS, SCALAR_LIMIT = 4, 1.5  # four steps of a normal value lose least from about -1.5 to 1.5
PARTS = {  # title, unit of the error
    "sign": ("Sign: 32 bits in the middle of an autoencoder", "MSE x 1000"),
    "staircase": ("Staircase: four levels as the output of an autoencoder", "cells wrong, %"),
    "hardmax": ("Hardmax: 8 choices of 16 in the middle of an autoencoder", "MSE x 1000"),
    "gate": ("Hardmax: the choice among three SVMs", "wrong, %"),
    "scalars": ("Rounded scalars: 8 of 4 steps in the middle of an autoencoder", "MSE x 1000"),
}
Layer = keras.layers.Layer


class Slope(NamedTuple):
    """One way to train through a hard function.

    Attributes:
        name: As in the table.
        make: Gives the layer for a setting.
        settings: Widths, temperatures and the like to choose from.
        shipped: Is it a slope of the library?
        also: A setting that is measured in any case.
        loss: Of target and output, in training.
    """

    name: str
    make: Callable[[Any], Layer]
    settings: Sequence[Any] = (None,)
    shipped: bool = False
    also: Any = None
    loss: Callable[[Any, Any], Any] | None = None


class Part(NamedTuple):
    """A network with a hole for the hard function, its data, and what may fill the hole."""

    rows: dict[str, tuple[Any, Any]]
    network: Callable[[Layer, int], Any]
    error: Callable[[Any, Any], Any]
    epochs: int
    rates: tuple[float, float, float]
    slopes: list[Slope]
    soft: Slope  # stands in the same place for the time of a step, and to show what hardness costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    # Compiling is nearly all that a smoke test does.
    jax.config.update("jax_disable_most_optimizations", arguments.smoke)
    name = "slopes" if arguments.table or os.environ.get(FOLDER_VARIABLE) else "slopes_digits"
    results = ResultsFile(name, smoke=arguments.smoke)
    if not arguments.table:
        # Read again before each row: another process may measure another part.
        current = (lambda: results) if arguments.smoke else partial(ResultsFile, name, smoke=False)
        for part in arguments.part or PARTS:
            measure_part(part, current, smoke=arguments.smoke)
        results = current()
    print(table({"rows": results.rows}))


# --- The layers ---


class InTraining(Layer):
    """Gives `train(x, setting, layer)` in training and `hard(x)` otherwise; `progress` goes from 0 to 1."""

    def __init__(self, train: Callable[..., Any], hard: Callable[[Any], Any], setting: Any) -> None:
        super().__init__()
        self.train, self.hard, self.setting = train, hard, setting
        self.num_steps = 1
        self.draws = keras.random.SeedGenerator()

    def build(self, input_shape: Any) -> None:
        self.progress = self.add_weight((), "zeros", trainable=False)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return self.hard(x)
        y = self.train(x, self.setting, self)
        self.progress.assign(self.progress + 1 / self.num_steps)
        return y

    def growing(self, last: float) -> Any:
        """Gives 1 on the first step and `last` on the last, in equal ratios."""
        return ops.exp(self.progress * np.log(last).astype(np.float32))

    def uniform(self, x: Any) -> Any:
        return keras.random.uniform(ops.shape(x), seed=self.draws)

    def normal(self, x: Any) -> Any:
        return keras.random.normal(ops.shape(x), seed=self.draws)

    def gumbel(self, x: Any) -> Any:
        return -ops.log(-ops.log(keras.random.uniform(ops.shape(x), minval=1e-7, seed=self.draws)))


def rival(name: str, train: Callable[..., Any], hard: Any, settings: Sequence[Any] = (None,), **kwargs: Any) -> Slope:
    return Slope(name, partial(InTraining, train, hard), settings, **kwargs)


def library_slopes(make: Callable[..., Layer], widths: Sequence[float], default: float = 1.0) -> list[Slope]:
    """Gives the slopes of the library's layers; `make` takes `slope` and `width`."""
    return [
        Slope('"straight_through"', lambda _: make(slope="straight_through"), shipped=True),
        Slope('"window"', lambda width: make(slope="window", width=width), widths, True, default),
        Slope('"tanh"', lambda width: make(slope="tanh", width=width), widths, True, default),
        # 4 s(x) (1 - s(x)) with the logistic s is 1 - tanh(x / 2)^2
        Slope("sigmoid", lambda width: make(slope="tanh", width=2 * width), widths),
    ]


# --- Signs ---


def sign_slopes() -> list[Slope]:
    hard, widths = activations.sign, (0.5, 1.0, 2.0)
    return [
        *library_slopes(layers.SignBits, widths),
        rival("ApproxSign, a triangle", approx_sign, hard, (*widths, 4.0)),
        rival("SwishSign", swish_sign, hard, (1.0, 2.0, 5.0, 10.0)),
        rival("sign drawn by its chance", drawn_sign, hard, (0.125, 0.25, 0.5, 1.0)),
        rival("tanh and noise, signs at test", noisy_tanh, hard, (0.125, 0.25, 0.5, 1.0)),
        rival("tanh ever steeper, signs at test", steeper_tanh, hard, (4.0, 16.0, 64.0, 256.0)),
    ]


def approx_sign(x: Any, width: float, layer: InTraining) -> Any:
    # Liu et al., "Bi-Real Net", 2018: 2 - 2 |x| up to 1. Differs: the width is a parameter.
    return with_slope(activations.sign(x), x, ops.relu(2 - 2 * ops.abs(x) / width))


def swish_sign(x: Any, beta: float, layer: InTraining) -> Any:
    # Darabi et al., "BNN+", 2018, with beta 5.
    slope = beta * (2 - beta * x * ops.tanh(beta * x / 2)) / (1 + ops.cosh(ops.clip(beta * x, -80, 80)))
    return with_slope(activations.sign(x), x, slope)


def drawn_sign(x: Any, width: float, layer: InTraining) -> Any:
    # Bengio et al., 2013; Raiko et al., "Techniques for Learning Binary Stochastic Feedforward Neural Networks", 2015:
    # the slope is that of the expected sign.
    mean = ops.tanh(x / width)
    return straight_through(ops.where(layer.uniform(x) < (1 + mean) / 2, 1.0, -1.0), mean)


def noisy_tanh(x: Any, deviation: float, layer: InTraining) -> Any:
    # Salakhutdinov and Hinton, "Semantic Hashing", 2009. Differs: unit spread by batch normalization, hence the 4.
    return ops.tanh(4 * (x + deviation * layer.normal(x)))


def steeper_tanh(x: Any, steepness: float, layer: InTraining) -> Any:
    # Cao et al., "HashNet", 2017.
    return ops.tanh(layer.growing(steepness) * x)


# --- Staircases and rounded scalars: `count` levels, `gap` apart ---


class Stairs(NamedTuple):
    """Equally spaced levels, and the hard function that puts numbers on them."""

    hard: Callable[[Any], Any]
    minimum: float
    gap: float
    count: int

    def from_edges(self, x: Any) -> Any:
        """Gives signed distances to each edge, in gaps, on a new last axis."""
        edges = self.minimum + self.gap * (np.arange(self.count - 1, dtype=np.float32) + 0.5)
        return (x[..., None] - edges) / self.gap


def staircase_slopes() -> list[Slope]:
    stairs = Stairs(activations.staircase(LEVELS), LEVELS[0], 0.25, len(LEVELS))
    return [
        Slope('"drawn"', lambda _: layers.Staircase(LEVELS, slope="drawn"), shipped=True),
        *library_slopes(partial(layers.Staircase, LEVELS), (0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0), 0.0625),
        *(slope for slope in stair_rivals(stairs) if slope.name != DRAWN),  # which is the library's "drawn"
        rival("BinInsensitive loss, rounded at test", passed, stairs.hard, loss=cw.losses.BinInsensitive(LEVELS)),
    ]


def scalar_slopes() -> list[Slope]:
    make = partial(layers.ScalarQuantizer, SCALAR_STEPS, minimum=-SCALAR_LIMIT, maximum=SCALAR_LIMIT)
    stairs = Stairs(make(), -SCALAR_LIMIT, 2 * SCALAR_LIMIT / (SCALAR_STEPS - 1), SCALAR_STEPS)
    bounded = Slope("bounded by tanh, then straight through", partial(Bounded, stairs.hard), (0.5, 0.75, 1.5, 3.0))
    return [*library_slopes(make, (0.125, 0.25, 0.5, 1.0, 2.0), SCALAR_LIMIT / 6), *stair_rivals(stairs), bounded]


def stair_rivals(stairs: Stairs) -> list[Slope]:
    return [
        rival("a bump at every edge", partial(bumps, stairs), stairs.hard, (0.125, 0.25, 0.5, 1.0)),
        rival(DRAWN, partial(drawn_stair, stairs), stairs.hard),
        rival("dithered", partial(dithered, stairs), stairs.hard),
        rival("uniform noise, rounded at test", partial(uniform_noise, stairs), stairs.hard),
        rival(
            "soft stairs ever steeper, rounded at test", partial(steeper_stairs, stairs), stairs.hard, (2, 4, 16, 64)
        ),
        rival("soft rounding ever harder, rounded at test", partial(soft_rounding, stairs), stairs.hard, (4, 16, 64)),
        rival("nothing, rounded at test", passed, stairs.hard),
    ]


def bumps(stairs: Stairs, x: Any, width: float, layer: InTraining) -> Any:
    # The derivative of a staircase of tanh steps (of sigmoid steps at half the width); on average it rises one in one.
    # Gong et al., "Differentiable Soft Quantization", 2019. Differs: the value is hard, the width is fixed.
    slope = ops.sum(1 - ops.square(ops.tanh(stairs.from_edges(x) / width)), axis=-1) / (2 * width)
    return with_slope(stairs.hard(x), x, slope)


def drawn_stair(stairs: Stairs, x: Any, setting: None, layer: InTraining) -> Any:
    # Gupta et al., "Deep Learning with Limited Numerical Precision", 2015; straight through.
    inside = ops.clip(x, stairs.minimum, stairs.minimum + stairs.gap * (stairs.count - 1))
    return straight_through(stairs.hard(inside + stairs.gap * (layer.uniform(x) - 0.5)), x)


def dithered(stairs: Stairs, x: Any, setting: None, layer: InTraining) -> Any:
    # Choi et al., "Variable Rate Deep Image Compression With a Conditional Autoencoder", 2019. Differs: no dither at
    # test, where the code must not depend on chance.
    noise = stairs.gap * (layer.uniform(x) - 0.5)
    return straight_through(stairs.hard(x + noise) - noise, x)


def uniform_noise(stairs: Stairs, x: Any, setting: None, layer: InTraining) -> Any:
    # Ballé et al., "End-to-end Optimized Image Compression", 2017.
    return x + stairs.gap * (layer.uniform(x) - 0.5)


def steeper_stairs(stairs: Stairs, x: Any, steepness: float, layer: InTraining) -> Any:
    # Yang et al., "Quantization Networks", 2019; with tanh instead of the sigmoid.
    risen = ops.sum(1 + ops.tanh(layer.growing(steepness) * stairs.from_edges(x)), axis=-1)
    return stairs.minimum + stairs.gap / 2 * risen


def soft_rounding(stairs: Stairs, x: Any, hardness: float, layer: InTraining) -> Any:
    # Agustsson and Theis, "Universally Quantized Neural Compression", 2020, eq. (12). Differs: without their noise.
    position = (x - stairs.minimum) / stairs.gap
    floor, alpha = ops.stop_gradient(ops.floor(position)), layer.growing(hardness)
    risen = (1 + ops.tanh(alpha * (position - floor - 0.5)) / ops.tanh(alpha / 2)) / 2
    return stairs.minimum + stairs.gap * (floor + risen)


def passed(x: Any, setting: None, layer: InTraining) -> Any:
    return x


class Bounded(Layer):
    """Rounds `limit * tanh(x / width)`, straight through: the slope is that of the bound alone.

    Source:
        Mentzer et al., "Finite Scalar Quantization", 2024, with width 1.
    """

    def __init__(self, hard: Callable[[Any], Any], width: float) -> None:
        super().__init__()
        self.hard, self.width = hard, width

    def call(self, x: Any) -> Any:
        bounded = SCALAR_LIMIT * ops.tanh(x / self.width)
        return straight_through(self.hard(bounded), bounded)


# --- Choices ---


def hardmax_slopes() -> list[Slope]:
    hard, temperatures = activations.hardmax, (0.5, 1.0, 2.0)
    warmer = (*temperatures, 4.0)
    return [
        Slope('"softmax"', lambda setting: layers.Hardmax(temperature=setting), temperatures, True, 1.0),
        rival("straight through", lambda x, setting, layer: straight_through(hard(x), x), hard),
        rival("softmax ever colder", colder_softmax, hard, (0.1, 0.25, 0.5)),
        rival("drawn, slope of softmax", drawn_softmax, hard, temperatures),
        rival("Gumbel-softmax", gumbel_softmax, hard, temperatures),
        rival("Gumbel-softmax of 4 x", sharper(gumbel_softmax), hard, warmer),
        rival("ReinMax", reinmax, hard, warmer),
        rival("ReinMax of 4 x", sharper(reinmax), hard, warmer),
        rival("ReinMax without noise", quiet_reinmax, hard, warmer),
        rival("softmax, maximum at test", plain_softmax, hard, (0.1, 0.3, 1.0)),
    ]


def sharper(train: Callable[..., Any]) -> Callable[..., Any]:
    # Noise is made for scores that can grow; behind batch normalization they cannot.
    return lambda x, temperature, layer: train(4 * x, temperature, layer)


def colder_softmax(x: Any, last: float, layer: InTraining) -> Any:
    # The temperature falls from 2, as Jang et al., 2017, let it fall. Differs: no noise, the value is hard.
    return straight_through(activations.hardmax(x), ops.softmax(x / (2 * layer.growing(last / 2))))


def drawn_softmax(x: Any, temperature: float, layer: InTraining) -> Any:
    # Bengio et al., 2013: straight through a draw.
    return straight_through(activations.hardmax(x + layer.gumbel(x)), ops.softmax(x / temperature))


def gumbel_softmax(x: Any, temperature: float, layer: InTraining) -> Any:
    # Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, section 2.2.
    noisy = x + layer.gumbel(x)
    return straight_through(activations.hardmax(noisy), ops.softmax(noisy / temperature))


def reinmax(x: Any, temperature: float, layer: InTraining) -> Any:
    return reinmax_of(activations.hardmax(x + layer.gumbel(x)), x, temperature)


def quiet_reinmax(x: Any, temperature: float, layer: InTraining) -> Any:
    return reinmax_of(activations.hardmax(x), x, temperature)


def reinmax_of(chosen: Any, x: Any, temperature: float) -> Any:
    # Liu et al., "Bridging Discrete and Backpropagation: Straight-Through and Beyond", 2023, algorithm 2.
    mean = (ops.stop_gradient(chosen) + ops.softmax(x / temperature)) / 2
    mean = ops.softmax(ops.stop_gradient(ops.log(ops.maximum(mean, 1e-30)) - x) + x)
    return straight_through(chosen, 2 * mean - ops.softmax(x) / 2)


def plain_softmax(x: Any, temperature: float, layer: InTraining) -> Any:
    return ops.softmax(x / temperature)


# --- The networks and their data ---


def part_named(name: str, *, small: bool) -> Part:
    """Gives a part; `small`: on scikit-learn's digits, which need no folder."""
    tanh, softmax = rival("tanh, no code", plain_tanh, ops.tanh), Slope("softmax, no code", lambda _: SoftChoice())
    if name == "staircase":
        stairs = activations.staircase(LEVELS)
        soft = rival("tanh, rounded at test", plain_tanh, lambda x: stairs(ops.tanh(x)))
        return Part(
            four_level_rows(small), level_network, wrong_cells, 40, (0.01, 0.03, 0.06), staircase_slopes(), soft
        )
    if name == "gate":
        rows = gate_rows(small)
        network = partial(gate_network, rows["train"][0].shape[1])
        softmax = softmax._replace(name="softmax, the three mixed")
        return Part(rows, network, wrong_signs, 100, (0.003, 0.01, 0.03), hardmax_slopes(), softmax)
    middle, slopes, soft = {
        "sign": ((32,), sign_slopes, tanh),
        "hardmax": ((8, 16), hardmax_slopes, softmax),
        "scalars": ((8,), scalar_slopes, tanh),
    }[name]
    rows = image_rows(small)
    network = partial(autoencoder, rows["train"][0].shape[1], middle)
    return Part(rows, network, thousand_squares, 12, (0.01, 0.03, 0.06), slopes(), soft)


def plain_tanh(x: Any, setting: None, layer: InTraining) -> Any:
    return ops.tanh(x)


class SoftChoice(Layer):
    """Softmax along the last axis."""

    def call(self, x: Any) -> Any:
        return ops.softmax(x)


def autoencoder(num_columns: int, middle: tuple[int, ...], layer: Layer, seed: int) -> Any:
    inputs = keras.Input((num_columns,))
    x = dense(128, seed, 0, activation="gelu")(inputs)
    x = dense(int(np.prod(middle)), seed, 1, use_bias=False)(x)
    x = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False)(x)
    x = keras.layers.Flatten()(layer(keras.layers.Reshape(middle)(x)))
    x = dense(128, seed, 2, activation="gelu")(x)
    return keras.Model(inputs, dense(num_columns, seed, 3, activation="sigmoid")(x))


def level_network(layer: Layer, seed: int) -> Any:
    inputs = keras.Input((64,))
    x = dense(128, seed, 0, activation="gelu")(inputs)
    x = dense(8, seed, 1)(x)
    x = dense(128, seed, 2, activation="gelu")(x)
    return keras.Model(inputs, layer(dense(64, seed, 3)(x)))


def gate_network(num_columns: int, layer: Layer, seed: int) -> Any:
    inputs = keras.Input((num_columns,))
    scores = dense(3, seed, 1)(dense(20, seed, 0, activation="sigmoid")(inputs))
    decided = keras.layers.Dot(1)([layer(scores), inputs[:, -3:]])
    return keras.Model(inputs, keras.layers.Activation("tanh")(decided))


def dense(units: int, seed: int, number: int, **kwargs: Any) -> Layer:
    return keras.layers.Dense(
        units, kernel_initializer=keras.initializers.GlorotUniform(seed=10 * seed + number), **kwargs
    )


def image_rows(small: bool) -> dict[str, tuple[Any, Any]]:
    if small:
        x = digits().reshape(-1, 64) / 16
        return in_three(x, x)
    (train, _), (test, _) = cw.datasets.load_mnist()
    train, test = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in (train[:12_000], test))
    return in_three(train, train, test, test)


def four_level_rows(small: bool) -> dict[str, tuple[Any, Any]]:
    if small:
        x = np.floor(digits().reshape(-1, 64) * 4 / 17) / 4
        return in_three(x, x)
    train, test = (x.reshape(len(x), -1) for x in cw.datasets.four_level_mnist())
    return in_three(train[:12_000], train[:12_000], test, test)


def gate_rows(small: bool) -> dict[str, tuple[Any, Any]]:
    """Gives pixels and the outputs of three SVMs, each of which has learned odd from even on some of the digits only.

    Real images, of which each SVM knows a part: the gate has to tell which one to trust.
    """
    if small:
        x, y = digits().reshape(-1, 64) / 16, digits(labels=True)
    else:
        x, y = load_usps()
        x = x.reshape(len(x), -1) / 255
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].astype(np.float32), y[order].astype(int)
    num_expert = len(x) // 4
    known = {"linear": (0, 1, 2, 3), "poly": (4, 5, 6), "rbf": (7, 8, 9)}
    outputs = []
    for kernel, labels in known.items():
        mine = np.isin(y[:num_expert], labels)
        machine = SVC(kernel=kernel).fit(x[:num_expert][mine], y[:num_expert][mine] % 2)
        outputs.append(machine.decision_function(x[num_expert:]))
    rows = np.column_stack([x[num_expert:], *outputs])
    return in_three(rows, 2.0 * (y[num_expert:, None] % 2) - 1)


def gate_bounds(rows: dict[str, tuple[Any, Any]]) -> dict[str, float]:
    """Gives the test error of one SVM for all rows, and of a gate that always finds a right one."""
    wrong = {name: np.sign(np.asarray(x)[:, -3:]) != np.asarray(y) for name, (x, y) in rows.items()}
    alone = int(wrong["validation"].mean(axis=0).argmin())
    return {
        "the SVM that is best alone": float(100 * wrong["test"][:, alone].mean()),
        "a right one wherever there is one": float(100 * wrong["test"].all(axis=1).mean()),
    }


def digits(*, labels: bool = False) -> Any:
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.target if labels else data.images


def in_three(x: Any, y: Any, x_test: Any = None, y_test: Any = None) -> dict[str, tuple[Any, Any]]:
    """Splits off the last sixth for validation, after the last third for the test if none is given."""
    if x_test is None:
        cut = 2 * len(x) // 3
        x, x_test, y, y_test = x[:cut], x[cut:], y[:cut], y[cut:]
    cut = 5 * len(x) // 6
    parts = {"train": (x[:cut], y[:cut]), "validation": (x[cut:], y[cut:]), "test": (x_test, y_test)}
    return {name: (jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)) for name, (a, b) in parts.items()}


def thousand_squares(y: Any, output: Any) -> Any:
    return 1000 * jnp.mean(jnp.square(y - output))


def wrong_cells(y: Any, output: Any) -> Any:
    return 100 * jnp.mean(jnp.abs(y - output) > 1e-6)


def wrong_signs(y: Any, output: Any) -> Any:
    return 100 * jnp.mean(jnp.where(output >= 0, 1, -1) != y)


# --- Training ---


class Trainer:
    """Trains one slope in one setting; compiled once for all rates and seeds."""

    def __init__(self, part: Part, slope: Slope, setting: Any, *, epochs: int) -> None:
        self._part, self._slope, self._setting, self._epochs = part, slope, setting, epochs
        self._steps = len(part.rows["train"][0]) // BATCH
        model = self._model(0)
        self._epoch = jax.jit(partial(_epoch, model, slope.loss or squared_error))
        self._error = jax.jit(lambda weights, others, x, y: part.error(y, model.stateless_call(weights, others, x)[0]))

    def error(self, rows: str, rate: float, seed: int) -> float:
        """Trains anew; gives the error on these rows."""
        state, shuffle = self.start(seed), np.random.default_rng(seed)
        done = np.arange(self._epochs * self._steps).reshape(self._epochs, -1) / (self._epochs * self._steps)
        for rates in rate * (1 + np.cos(np.pi * done)) / 2:  # falls to 0
            state = self.run_epoch(state, self.order(shuffle), rates)
        error = float(self._error(state[0], state[1], *self._part.rows[rows]))
        return error if np.isfinite(error) else 1e9

    def start(self, seed: int) -> Any:
        model = self._model(seed)
        weights = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        zeros = [jnp.zeros_like(w) for w in weights]
        return weights, others, zeros, zeros, jnp.zeros(())

    def order(self, shuffle: np.random.Generator) -> Any:
        num_rows = len(self._part.rows["train"][0])
        return shuffle.permutation(num_rows)[: self._steps * BATCH].reshape(self._steps, BATCH)

    def run_epoch(self, state: Any, order: Any, rates: Any) -> Any:
        return self._epoch(state, *self._part.rows["train"], order, rates.astype(np.float32))

    def _model(self, seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        layer = self._slope.make(self._setting)
        layer.num_steps = self._steps * self._epochs
        return self._part.network(layer, seed)


def squared_error(y: Any, output: Any) -> Any:
    return jnp.mean(jnp.square(y - output))


def _epoch(model: Any, loss: Any, state: Any, x: Any, y: Any, order: Any, rates: Any) -> Any:
    def value(weights: Any, others: Any, index: Any) -> Any:
        output, others = model.stateless_call(weights, others, x[index], training=True)
        return loss(y[index], output), others

    def step(state: Any, batch: Any) -> Any:
        weights, others, first, second, count = state
        index, rate = batch
        gradients, others = jax.grad(value, has_aux=True)(weights, others, index)
        count = count + 1
        # Adam, as in Keras
        first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
        size = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = [w - size * m / (jnp.sqrt(v) + 1e-7) for w, m, v in zip(weights, first, second, strict=True)]
        return (weights, others, first, second, count), None

    return jax.lax.scan(step, state, (order, rates))[0]


# --- Measuring ---


def measure_part(name: str, results: Callable[[], ResultsFile], *, smoke: bool) -> None:
    part = part_named(name, small=smoke or not os.environ.get(FOLDER_VARIABLE))
    epochs = 1 if smoke else part.epochs
    clock = Trainer(part, part.soft, part.soft.settings[0], epochs=epochs)
    slopes = part.slopes[:3] if smoke and name == "gate" else part.slopes  # hardmax has run them all
    for slope in [*slopes, part.soft]:
        if results().has(part=name, slope=slope.name):
            continue
        start = time.perf_counter()
        kind = "soft" if slope is part.soft else "shipped" if slope.shipped else "rival"
        row = {"part": name, "slope": slope.name, "kind": kind}
        row |= measure_slope(part, slope, clock, epochs=epochs, smoke=smoke)
        results().add(row | {"seconds": round(time.perf_counter() - start, 1)})
    if name == "gate" and not results().has(part=name, kind="bound"):
        for label, error in gate_bounds(part.rows).items():
            results().add(
                {
                    "part": name,
                    "slope": label,
                    "kind": "bound",
                    "setting": None,
                    "test": [error] * (2 if smoke else len(SEEDS)),
                }
            )


def measure_slope(part: Part, slope: Slope, clock: Trainer, *, epochs: int, smoke: bool) -> dict[str, Any]:
    """Chooses setting and rate on validation rows, then measures on test rows; the library's own width, too."""
    settings, rates = (slope.settings[:1], part.rates[:1]) if smoke else (slope.settings, part.rates)
    trainers = {setting: Trainer(part, slope, setting, epochs=epochs) for setting in settings}
    validation = {
        setting: {rate: [trainer.error("validation", rate, seed) for seed in CHOOSING_SEEDS[: 1 if smoke else None]]
                  for rate in rates}
        for setting, trainer in trainers.items()
    }  # fmt: skip

    def best_rate(setting: Any) -> float:
        return min(rates, key=lambda rate: np.mean(validation[setting][rate]))

    def tested(setting: Any) -> dict[str, Any]:
        rate = best_rate(setting)
        errors = [trainers[setting].error("test", rate, seed) for seed in SEEDS[: 2 if smoke else None]]
        return {"setting": setting, "rate": rate, "test": errors}

    chosen = min(settings, key=lambda setting: np.mean(validation[setting][best_rate(setting)]))
    row = {**tested(chosen), "step_ratios": step_ratios(trainers[chosen], clock, pairs=1 if smoke else 11)}
    if slope.also not in (None, chosen) and not smoke:
        row["also"] = tested(slope.also)
    return row | {"validation": {str(setting): by_rate for setting, by_rate in validation.items()}}


def step_ratios(trainer: Trainer, clock: Trainer, *, pairs: int) -> list[float]:
    """Gives the time of a training step over that with the soft function in its place, measured in turn."""
    epochs = {}
    for one in (clock, trainer):
        state, order = one.start(0), one.order(np.random.default_rng(0))
        epochs[one] = partial(one.run_epoch, state, order, np.zeros(len(order)))
        jax.block_until_ready(epochs[one]())
    once = _seconds(epochs[clock], 1)
    repeats = max(1, int(0.1 / once))
    return [_seconds(epochs[trainer], repeats) / _seconds(epochs[clock], repeats) for _ in range(pairs)]


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.process_time()  # of the processor, so that other programs do not count
    for _ in range(repeats):
        jax.block_until_ready(call())
    return time.process_time() - start


# --- The table ---


def table(results: dict[str, Any]) -> str:
    """Gives the table of docs/slopes.md from what the results file holds: a Markdown table a part.

    Bold: the best mean of its part, and what differs from it by less than the paired differences of the seeds tell
    (95 % interval of their mean, by Student's t).
    """
    measured = {row["part"] for row in results["rows"]}
    return "\n\n".join(_part_table(ranked(results["rows"], part), *PARTS[part]) for part in PARTS if part in measured)


def ranked(rows: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """Gives a part's rows, best first, each with `mean`, `behind` the best, `interval` of that and `tied`."""
    mine = [
        row | row.get(key, {}) for row in rows if row["part"] == part for key in ("", "also") if not key or key in row
    ]
    for row in mine:
        row["mean"] = float(np.mean(row["test"]))
    best = min((row for row in mine if row["kind"] in ("shipped", "rival")), key=lambda row: row["mean"])
    for row in mine:
        behind = np.subtract(row["test"], best["test"])
        interval = student.ppf(0.975, len(behind) - 1) * np.std(behind, ddof=1) / np.sqrt(len(behind))
        row |= {"behind": float(behind.mean()), "interval": float(interval)}
        row["tied"] = row["kind"] in ("shipped", "rival") and abs(row["behind"]) <= interval
    return sorted(mine, key=lambda row: row["mean"])


def _part_table(rows: list[dict[str, Any]], title: str, unit: str) -> str:
    head = [f"**{title}**", "", f"| slope | setting | {unit} | behind the best | step |", "|---|---|---|---|---|"]
    return "\n".join(head + ["| " + " | ".join(_cells(row)) + " |" for row in rows])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    name = {"shipped": f"`{row['slope']}`", "rival": row["slope"]}.get(row["kind"], f"*{row['slope']}*")
    setting = "–" if row["setting"] is None else f"{row['setting']:g}"
    figure = f"{row['mean']:.2f} ± {np.std(row['test'], ddof=1):.2f}"
    behind = f"{row['behind']:.2f} ± {row['interval']:.2f}" if row["behind"] else "best"
    step = f"{np.median(row['step_ratios']):.2f}" if "step_ratios" in row else ""
    return name, setting, f"**{figure}**" if row["tied"] else figure, behind, step


if __name__ == "__main__":
    main()
