"""The networks that every contestant trains: their sizes, rows and first weights, in NumPy alone."""

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.folders import FOLDER_VARIABLE

Rows = NDArray[np.float32]
Weights = list[NDArray[np.float32]]  # kernel, bias, kernel, bias, ...
RATE = 1e-3  # Adam's


class Network(NamedTuple):
    """An autoencoder: columns - hidden - middle - hidden - columns, or without a middle columns - hidden - columns.

    With a middle: ReLU, mean squared error of a sigmoid output. Without: sigmoid, linear output, mean squared error of
    the ratings that there are, the mean of each row's mean.
    """

    name: str
    columns: int
    hidden: int
    middle: int | None
    num_rows: int
    batch: int

    @property
    def sizes(self) -> tuple[int, ...]:
        inner = (self.hidden,) if self.middle is None else (self.hidden, self.middle, self.hidden)
        return (self.columns, *inner, self.columns)

    @property
    def num_steps(self) -> int:
        """Gives the steps of an epoch."""
        return -(-self.num_rows // self.batch)


FULL = {
    "A": Network("A", 784, 250, 10, 60_000, 100),
    "B": Network("B", 64, 32, 8, 1_797, 32),
    "C": Network("C", 4_000, 128, None, 6_000, 128),
    "A, 6,000 rows": Network("A", 784, 250, 10, 6_000, 100),  # for rivals that make ten steps a second
}
SMALL = {  # for a smoke test; the last batch of B and C is still a smaller one
    "A": FULL["A"]._replace(num_rows=1_000),
    "B": FULL["B"],
    "C": FULL["C"]._replace(columns=400, num_rows=600),
    "A, 6,000 rows": FULL["A"]._replace(num_rows=600),
}


def network_of(name: str, *, smoke: bool, middle: int | None = None) -> Network:
    """Gives a network; `middle` sets how many numbers its middle has."""
    network = (SMALL if smoke else FULL)[name]
    return network if middle is None else network._replace(middle=middle)


def rows_of(network: Network) -> Rows:
    """Gives the rows: images in [0, 1], or ratings from 1 to 5 with 0 where there is none."""
    if network.name == "A":
        return scaled(images(network.num_rows))
    if network.name == "B":
        from sklearn.datasets import load_digits

        return np.asarray(load_digits().data[: network.num_rows] / 16, np.float32)
    return ratings(network)


def images(num_rows: int) -> NDArray[np.uint8]:
    """Gives MNIST as uint8 of shape (num_rows, 784); without the folder of data sets, drawn rows of that shape."""
    if os.environ.get(FOLDER_VARIABLE):
        from codeword.datasets.mnist import load_mnist

        return load_mnist()[0][0][:num_rows].reshape(-1, 784)
    generator = np.random.default_rng(0)
    patterns = generator.random((10, 784), np.float32) ** 4
    noise = generator.integers(0, 32, (num_rows, 784), np.uint8)
    return (patterns[generator.integers(0, 10, num_rows)] * 223).astype(np.uint8) + noise


def scaled(values: NDArray[np.uint8]) -> Rows:
    """Divides by 255 without a copy that nobody needs."""
    return np.divide(values, np.float32(255), dtype=np.float32)


def ratings(network: Network, *, filled: float = 0.04) -> Rows:
    from codeword.datasets.planted_ratings import planted_ratings

    count = int(filled * network.num_rows * network.columns)
    given, _ = planted_ratings(network.num_rows, network.columns, count)
    rows = np.zeros((network.num_rows, network.columns), np.float32)
    rows[given.users, given.items] = given.ratings
    return rows


def first_weights(network: Network, seed: int = 0) -> Weights:
    """Draws Glorot's uniform kernels and zero biases, the same for every contestant."""
    generator = np.random.default_rng(seed)
    weights = []
    for inputs, outputs in zip(network.sizes, network.sizes[1:], strict=False):
        limit = np.sqrt(6 / (inputs + outputs))
        weights += [generator.uniform(-limit, limit, (inputs, outputs)), np.zeros(outputs)]
    return [weight.astype(np.float32) for weight in weights]


def shuffled(generator: np.random.Generator, network: Network) -> NDArray[np.int32]:
    """Draws the order of the rows in an epoch."""
    return generator.permutation(network.num_rows).astype(np.int32)


def weighted_mean(losses: Any, network: Network) -> float:
    """Gives the mean loss of an epoch from those of its steps, where a smaller last batch counts less."""
    sizes = np.full(network.num_steps, network.batch)
    sizes[-1] = network.num_rows - network.batch * (network.num_steps - 1)
    return float(np.average(losses, weights=sizes))
