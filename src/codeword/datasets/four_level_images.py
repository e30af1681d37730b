"""8x8 images with the four values 0, 0.25, 0.5 and 0.75."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.mnist import load_mnist

LEVELS = (0.0, 0.25, 0.5, 0.75)


def four_level_digits() -> NDArray[np.float64]:
    """Return scikit-learn's 1,797 digits with their 17 gray values mapped to four levels; no download is needed.

    Returns:
        float64 array of shape `(1797, 8, 8)` with the values 0, 0.25, 0.5 and 0.75.
    """
    from sklearn.datasets import load_digits

    return np.floor(load_digits().images * 4 / 17) / 4


def four_level_mnist(folder: str | Path | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return MNIST as 8x8 images with four levels: padded to 32x32, mean of 4x4 blocks, floor(4 mean / 255) / 4.

    Args:
        folder: As for `load_mnist`.

    Returns:
        60,000 training and 10,000 test images, float64 of shape `(n, 8, 8)` with the values 0, 0.25, 0.5 and 0.75.
    """
    (x_train, _), (x_test, _) = load_mnist(folder)
    return _shrunk(x_train), _shrunk(x_test)


def _shrunk(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.int64)
    # (n, 32, 32) -> (n, 8, 4, 8, 4) -> (n, 8, 8): sums of integers, so no mean is rounded
    sums = padded.reshape(-1, 8, 4, 8, 4).sum(axis=(2, 4))
    return np.minimum(4 * sums // (16 * 255), 3) / 4
