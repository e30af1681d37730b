"""Code: are the bits used, balanced and different, and are they the same in training and afterwards?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword import layers
from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.run import as_float32
from codeword.doctor.remedies.heads import REBUILD
from codeword.evaluation.code_usage import NEAR_THRESHOLD
from codeword.inference.output_source import activation_of
from codeword.inference.recording import Call

UNBALANCED, CORRELATED = 0.05, 0.9
MAX_COMPARED = 1024  # bits: each pair of them is one number
_BITS = (layers.SignBits, layers.Step)
_MIN_ROWS = 32
_NEAR = 5e-4  # for normally distributed values the share is 4e-5


def code_findings(case: Case) -> Iterator[Finding]:
    """Check every layer of bits, the layer that `code_layer` names, and the bottleneck of an autoencoder."""
    named = case.code_call
    calls = [call for call in case.run.calls if isinstance(call.layer, _BITS)]
    for call in [*calls, *([named] if named is not None and named not in calls else [])]:
        values = as_float32(call.inputs[0] if isinstance(call.layer, _BITS) else call.outputs[0])
        values = values.reshape(len(values), -1)  # (rows, bits)
        if len(values) >= _MIN_ROWS:
            yield from _bits(case, call, values)
    hard = (layers.SignBits, layers.ScalarQuantizer, layers.Hardmax)
    is_hard = any(isinstance(call.layer, hard) for call in case.run.calls)
    middle = named if named is not None else (None if is_hard else bottleneck(case))
    if middle is not None and not isinstance(middle.layer, _BITS):
        yield from _rounded(case, middle)


def bottleneck(case: Case) -> Call | None:
    """Return the last call of the narrowest layer of an autoencoder; None if no layer is half as wide as the rows."""
    run = case.run
    shapes = [one.scan.shape[1:] for one in run.x.arrays]
    looks_like_autoencoder = len(shapes) == len(run.predictions) == 1 and run.predictions[0].shape[1:] == shapes[0]
    if not run.is_reconstruction and not looks_like_autoencoder:
        return None
    best, width = None, int(np.prod(shapes[0])) / 2
    for call in run.calls:
        if hasattr(call.layer, "layers") or len(call.outputs) != 1 or not keras.ops.is_tensor(call.outputs[0]):
            continue
        size = int(np.prod(tuple(call.outputs[0].shape[1:])))
        if tuple(call.outputs[0].shape[:1]) == (len(run.rows),) and 1 < size <= width:
            best, width = call, size
    return best


def _bits(case: Case, call: Call, values: NDArray[np.float32]) -> Iterator[Finding]:
    """Check the bits that a layer makes of its values, shape `(rows, bits)`."""
    name, threshold = call.layer.name, _threshold(call.layer)
    bits = values >= threshold if isinstance(call.layer, layers.SignBits) else values > threshold
    rows, width = bits.shape
    if width > 1 and len(np.unique(np.packbits(bits, axis=1), axis=0)) == 1:
        evidence = f"All {rows:,} rows get the same code from the {width} bits of `{name}`."
        remedy = _centered(case, call) if isinstance(call.layer, _BITS) else _as_bits(case, call)
        yield found("one-code", evidence, remedy, {"rows": rows, "bits": width})
        return
    for code, which, problem in _unused_bits(bits):
        shown = ", ".join(map(str, which[:8].tolist())) + (", …" if len(which) > 8 else "")
        evidence = f"{len(which)} of the {width} bits of `{name}` ({shown}) {problem}."
        yield found(code, evidence, _centered(case, call), {"bits": len(which), "of": width})
    yield from _near_threshold(call, values, threshold)


def _unused_bits(bits: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.intp], str]]:
    """Yield the code of a finding, the bits that it is about, and their problem."""
    ones = bits.mean(axis=0)
    dead, living = np.flatnonzero((ones == 0) | (ones == 1)), np.flatnonzero((ones > 0) & (ones < 1))
    if len(dead):
        yield "dead-bits", dead, f"are the same in all {len(bits):,} rows"
    rarer = np.minimum(ones, 1 - ones)[living]
    if (rarer < UNBALANCED).any():
        worst = f"the worst: {1 - rarer.min():.2%}"
        problem = f"have the same value in more than {1 - UNBALANCED:.0%} of the rows ({worst})"
        yield "unbalanced-bits", living[rarer < UNBALANCED], problem
    living = living[:: -(-max(1, len(living)) // MAX_COMPARED)]
    if len(living) < 2:
        return
    correlation = np.abs(np.corrcoef(bits[:, living], rowvar=False))
    np.fill_diagonal(correlation, 0)
    same = correlation > 1 - 1e-9
    if same.any():
        yield "duplicate-bits", living[np.triu(same).any(axis=0)], "equal another bit, or its opposite, in every row"
    similar = np.where(same, 0, correlation)
    if (similar > CORRELATED).any():
        one, other = living[list(np.unravel_index(np.argmax(similar), similar.shape))]
        pair = f"bits {one} and {other}: {similar.max():.3f}"
        problem = f"have a correlation above {CORRELATED:g} with another bit ({pair})"
        yield "correlated-bits", living[(similar > CORRELATED).any(axis=0)], problem


def _near_threshold(call: Call, values: NDArray[np.float32], threshold: float) -> Iterator[Finding]:
    spread = values.std(axis=0)
    near = (np.abs(values - threshold) < NEAR_THRESHOLD * spread)[:, spread > 0]
    if not near.size or near.mean() <= _NEAR:
        return
    yield found(
        "near-threshold",
        f"{near.mean():.2%} of the values before the bits of `{call.layer.name}` are within {NEAR_THRESHOLD:g} "
        "standard deviations of the threshold. Another backend or batch size may return another bit there.",
        "# encode(..., return_margin=True) of a cw.Autoencoder returns the distance of each bit to its threshold",
        {"share": float(near.mean())},
    )


def _centered(case: Case, call: Call) -> str:
    """Return Python that keeps the threshold of every bit in the middle of its values."""
    if isinstance(call.layer, layers.SignBits):
        return (
            f"{REBUILD}  # BatchNormalization(center=False, scale=False) before the bits\n"
            f"model.fit(scaling(x), scaling.targets({case.name_of_targets}), epochs=10)  # takes effect in training\n"
            "# To give similar rows similar codes: cw.losses.Contrast, or cw.Autoencoder(code=cw.Bits(n))"
        )
    if isinstance(call.layer, layers.Step):
        return "# keras.layers.BatchNormalization() before the step keeps its threshold in the middle of the values"
    return (
        f'encoder = keras.Model(model.inputs, model.get_layer("{call.layer.name}").output)\n'
        "hasher = cw.binarize(encoder, x)  # rotates the code so that every bit is used and balanced"
    )


def _as_bits(case: Case, call: Call) -> str:
    """Return Python that adds signs after the layer and trains with them."""
    return (
        f'model, scaling = cw.examine(model, x, y, code_layer="{call.layer.name}").remedied()  # adds SignBits\n'
        f"model.fit(scaling(x), scaling.targets({case.name_of_targets}), epochs=10)"
    )


def _rounded(case: Case, call: Call) -> Iterator[Finding]:
    """Compare the loss with the code as it is and with two values per unit."""
    run, name = case.run, call.layer.name
    is_shared = sum(one.layer is call.layer for one in run.calls) > 1  # its values would be put everywhere
    if not run.has_loss or len(run.rows) < _MIN_ROWS or is_shared:
        return
    output = as_float32(call.outputs[0])
    values, threshold = output.reshape(len(output), -1), _threshold(call.layer)
    bits = values > threshold
    # The mean of each side of the threshold: no other two values per unit have a lower squared error.
    high = np.where(bits.any(axis=0), (values * bits).sum(axis=0) / np.maximum(1, bits.sum(axis=0)), threshold)
    low = np.where((~bits).any(axis=0), (values * ~bits).sum(axis=0) / np.maximum(1, (~bits).sum(axis=0)), threshold)
    rounded = np.where(bits, high, low).reshape(output.shape)
    before = run.loss
    after = run.loss_of(run.predictions_with(call.layer, lambda tensor: keras.ops.cast(rounded, tensor.dtype)))
    if not (math.isfinite(before) and math.isfinite(after)) or after <= before + 0.02 * abs(before):
        return
    num_codes, width = len(np.unique(np.packbits(bits, axis=1), axis=0)), values.shape[1]
    yield found(
        "rounded-after-training",
        f"`{name}` has {width} real values per row in training. Cut at {threshold:g} afterwards, with each side "
        f"replaced by its mean, they change the loss from {before:.5g} to {after:.5g}. "
        f"Number of different codes for {len(bits):,} rows: {num_codes:,}.",
        "# To store it as bits, train it as bits:\n"
        f"{_as_bits(case, call)}\n"
        f"# or keep what is trained: cw.binarize(encoder, x); or start with cw.Autoencoder(code=cw.Bits({width}))",
        {"loss": before, "loss_rounded": after},
        severity="note" if case.code_call is None else "warning",
    )


def _threshold(layer: Any) -> float:
    if isinstance(layer, layers.Step):
        return float(layer.threshold)
    return 0.5 if activation_of(layer)[0] in ("sigmoid", "hard_sigmoid", "softmax") else 0.0
