"""8x8 images of the four values 0, .25, .5 and .75."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.mnist import load_mnist

LEVELS = (0.0, 0.25, 0.5, 0.75)


def four_level_digits() -> NDArray[np.float64]:
    """Gives scikit-learn's 1,797 digits with their 17 greys put on four levels: always there, nothing to download.

    Returns:
        float64 array of shape `(1797, 8, 8)`, values 0, .25, .5 and .75.
    """
    from sklearn.datasets import load_digits

    return np.floor(load_digits().images * 4 / 17) / 4


def four_level_mnist(folder: str | Path | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gives MNIST as 8x8 images of four levels: padded to 32x32, mean of 4x4 blocks, floor(4 mean / 255) / 4.

    Args:
        folder: As for `load_mnist`.

    Returns:
        60,000 training and 10,000 test images, float64 of shape `(n, 8, 8)`, values 0, .25, .5 and .75.
    """
    data = load_mnist(folder)
    return _shrunk(data.x_train), _shrunk(data.x_test)


def _shrunk(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.int64)
    # (n, 32, 32) -> (n, 8, 4, 8, 4) -> (n, 8, 8): whole-number sums, so that no mean is rounded
    sums = padded.reshape(-1, 8, 4, 8, 4).sum(axis=(2, 4))
    return np.minimum(4 * sums // (16 * 255), 3) / 4
