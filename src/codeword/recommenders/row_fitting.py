"""Train a network over sparse rows in mini-batches, at a cost proportional to the entries."""

from collections.abc import Callable

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from codeword.recommenders.row_adam import RowAdam
from codeword.recommenders.row_network import Float32Array, RowNetwork, gradient

WARMUP_SHARE = 0.1  # of all steps


@threadpool_limits.wrap(limits=1, user_api="blas")
def fit_rows(
    network: RowNetwork,
    inputs: scipy.sparse.csr_array,
    targets: Float32Array,
    *,
    epochs: int,
    steps_per_epoch: int,
    learning_rate: float,
    weight_decay: float,
    noise: float,
    generator: np.random.Generator,
    after_epoch: Callable[[int, float], bool],
) -> None:
    """Train in place, by Adam with a short warm-up and a learning rate that then falls to 0 along a half cosine.

    A step touches only the weights of the columns that have an entry in its rows. It runs on one core: more threads
    gained nothing for such small products, and on a busy machine they made it 8 to 12 times slower.

    Args:
        network: Network to train.
        inputs: CSR of shape (rows, columns).
        targets: float32, the targets of the outputs at the stored entries of `inputs`, in their order.
        epochs: Maximum number of passes over the rows.
        steps_per_epoch: Batches per epoch; each has about the same number of entries.
        learning_rate: The highest rate.
        weight_decay: Each epoch, ½ weight_decay times the kernels' squares is added to the sum of squared errors.
        noise: Share of the entries dropped from the input at random in every step; the others grow by 1 / (1 - noise).
        generator: Source of random numbers.
        after_epoch: Called with the epoch's number, from 1, and its mean squared error; true ends the training.
    """
    optimizers = {name: RowAdam(weights) for name, weights in vars(network).items()}
    lengths = np.diff(inputs.indptr)
    filled = np.flatnonzero(lengths)
    for epoch in range(1, epochs + 1):
        cost, done = 0.0, 0
        for rows in _batches(generator.permutation(filled), lengths, steps_per_epoch):
            batch, entries = _rows_of(inputs, rows)
            columns, batch = _touched(batch)
            part = network if columns is None else network.rows_of(columns)
            if noise:
                kept = generator.random(batch.nnz, np.float32) >= np.float32(noise)
                batch.data *= kept * np.float32(1 / (1 - noise))
            slope, squares = gradient(part, batch, targets[entries])
            share = batch.nnz / inputs.nnz
            rate = learning_rate * _rate_share((epoch - 1 + done / inputs.nnz + share / 2) / epochs)
            for name in ("kernel_in", "kernel_out"):
                optimizers[name].update(columns, getattr(slope, name), rate=rate, decay=weight_decay * share)
            for name in ("bias_in", "common_out"):
                optimizers[name].update(None, getattr(slope, name), rate=rate)
            cost, done = cost + squares, done + batch.nnz
        if after_epoch(epoch, cost / inputs.nnz):
            return


def _rate_share(progress: float) -> float:
    if progress < WARMUP_SHARE:
        return progress / WARMUP_SHARE
    return 0.5 + 0.5 * float(np.cos(np.pi * (progress - WARMUP_SHARE) / (1 - WARMUP_SHARE)))


def _batches(order: NDArray[np.intp], num_entries: NDArray[np.integer], count: int) -> list[NDArray[np.intp]]:
    """Cut rows into batches of about equally many entries; long rows may leave fewer batches."""
    entries = np.cumsum(num_entries[order])
    cuts = np.searchsorted(entries, entries[-1] * np.arange(1, count) / count) + 1
    return [batch for batch in np.split(order, cuts) if len(batch)]


def _rows_of(matrix: scipy.sparse.csr_array, rows: NDArray[np.intp]) -> tuple[scipy.sparse.csr_array, NDArray[np.intp]]:
    """Return a copy of some rows, and the positions of their entries in the whole matrix."""
    lengths = np.diff(matrix.indptr)[rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    entries = np.arange(indptr[-1]) + np.repeat(matrix.indptr[rows] - indptr[:-1], lengths)
    data = (matrix.data[entries], matrix.indices[entries], indptr)
    return scipy.sparse.csr_array(data, shape=(len(rows), matrix.shape[1])), entries


def _touched(batch: scipy.sparse.csr_array) -> tuple[NDArray[np.intp] | None, scipy.sparse.csr_array]:
    """Return the columns with an entry, None if all have one, and the batch reduced to these columns."""
    touched = np.zeros(batch.shape[1], bool)  # `unique` sorts, which took a tenth of a step
    touched[batch.indices] = True
    columns = np.flatnonzero(touched)
    if len(columns) == batch.shape[1]:
        return None, batch
    places = (np.cumsum(touched, dtype=batch.indices.dtype) - 1)[batch.indices]
    return columns, scipy.sparse.csr_array((batch.data, places, batch.indptr), shape=(batch.shape[0], len(columns)))
