"""One step of residual quantization: entries of a codebook are tried on the sums that are kept, and the best stay.

`weights` are those of one step: "codebook" of shape `(size, d)`, and with a network "plain" `(size, d)` for the
preselection, "of_sum" `(d, units)`, and "kernel_0", "bias_0", … of its layers. A row keeps several sums, of which
`absent` adds a vast error to those that are not there.
"""

from typing import Any

from codeword.backend import keras

ops = keras.ops


def best_sums(x: Any, kept: Any, weights: Any, place: Any) -> Any:
    """Try entries of one codebook on the kept sums `(n, beams, d)`; return the best, and the margins `(n,)`."""
    absent, sums, symbols = kept
    beams, size = sums.shape[1], weights["codebook"].shape[0]
    residuals = x[:, None] - sums
    plain = weights.get("plain", weights["codebook"])
    errors = absent + ops.sum(ops.square(residuals), axis=-1)
    errors = errors[:, :, None] - 2 * ops.matmul(residuals, ops.transpose(plain)) + ops.sum(ops.square(plain), axis=-1)
    pairs = ops.top_k(-ops.reshape(errors, (-1, beams * size)), min(2 * beams, beams * size))[1]
    parents, entries = pairs // size, pairs % size  # (n, tried)
    before = ops.take_along_axis(sums, parents[:, :, None], axis=1)
    vectors = ops.take(weights["codebook"], entries, axis=0)
    of_entries = of_entries_alone(weights["codebook"], weights)
    of_entries = None if of_entries is None else ops.take(of_entries, entries, axis=0)
    tried = before + adjusted(vectors, of_entries, before, weights)
    absent = ops.take_along_axis(absent, parents, axis=1)
    nearness, best = ops.top_k(-distances_to(x, tried, absent), beams + 1)
    margin, best = (nearness[:, -2] - nearness[:, -1]) / 2, best[:, :-1]
    parents, entries = (ops.take_along_axis(found, best, axis=1) for found in (parents, entries))
    symbols = ops.take_along_axis(symbols, parents[:, :, None], axis=1)
    here = ops.arange(symbols.shape[2]) == place
    symbols = ops.where(here, ops.cast(entries, "int32")[:, :, None], symbols)
    absent = ops.take_along_axis(absent, best, axis=1)
    return (absent, ops.take_along_axis(tried, best[:, :, None], axis=1), symbols), margin


def distances_to(x: Any, sums: Any, absent: Any) -> Any:
    """Return the distances `(n, beams)` of vectors to sums, vast for sums that are not there."""
    return ops.sqrt(ops.sum(ops.square(sums - x[:, None]), axis=-1) + absent)


def of_entries_alone(entries: Any, weights: Any) -> Any:
    """Return what the first layer of a step's network makes of entries alone; None without a network."""
    return ops.matmul(entries, weights["kernel_0"]) if "kernel_0" in weights else None


def adjusted(entries: Any, of_entries: Any, sums: Any, weights: Any) -> Any:
    """Return entries as one step adds them to sums of the same shape."""
    if of_entries is None:
        return entries
    number, x = 1, ops.relu(of_entries + ops.matmul(sums, weights["of_sum"]) + weights["bias_0"])
    while f"bias_{number}" in weights:
        x = ops.relu(ops.matmul(x, weights[f"kernel_{number}"]) + weights[f"bias_{number}"])
        number += 1
    return entries + ops.matmul(x, weights[f"kernel_{number}"])
