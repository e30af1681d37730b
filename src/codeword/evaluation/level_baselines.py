"""Simple ways to store images with few levels, as baselines for a trained code."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.data_kinds import Levels


def most_frequent_level(x_train: NDArray[Any], num_rows: int) -> NDArray[Any]:
    """Return each cell's most frequent training value for every row, `(num_rows, ...)`: what 0 bytes per row can do."""
    values, classes = np.unique(x_train, return_inverse=True)
    counts = np.stack([(classes.reshape(x_train.shape) == number).sum(axis=0) for number in range(len(values))])
    return np.broadcast_to(values[counts.argmax(axis=0)], (num_rows, *x_train.shape[1:]))


def pca_rounded(x_train: NDArray[Any], x: NDArray[Any], kind: Levels, num_bytes: int) -> NDArray[Any]:
    """Store principal components as one byte each, and round the reconstruction to the nearest level.

    Args:
        x_train: Rows from which the components are learned, shape `(n, ...)`.
        x: Rows to store and reconstruct.
        kind: The levels.
        num_bytes: Number of components.

    Returns:
        Levels, of the same shape as `x`.
    """
    from sklearn.decomposition import PCA

    pca = PCA(num_bytes, random_state=0).fit(x_train.reshape(len(x_train), -1))
    codes, train_codes = (pca.transform(rows.reshape(len(rows), -1)) for rows in (x, x_train))
    restored = pca.inverse_transform(uint8_steps(codes, train_codes))
    return Levels(kind.values).quantize(restored).reshape(x.shape)


def uint8_steps(codes: NDArray[Any], train_codes: NDArray[Any]) -> NDArray[np.float32]:
    """Round floats to 256 equal steps between the smallest and largest training value of each column.

    This is rounding after training: the decoder then sees values on which it was not trained.
    """
    low, high = train_codes.min(axis=0), train_codes.max(axis=0)
    step = np.where(high > low, (high - low) / 255, 1)
    return (low + step * np.clip(np.round((codes - low) / step), 0, 255)).astype(np.float32)
