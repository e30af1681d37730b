"""Code: are the bits in the middle used, balanced, different, and the same in training as afterwards?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword import layers
from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.output_facts import activation_of
from codeword.doctor.measuring.recording import Call
from codeword.doctor.prescription import REBUILD
from codeword.errors import ParameterError
from codeword.evaluation.code_usage import NEAR_THRESHOLD

UNBALANCED, CORRELATED = 0.05, 0.9
MAX_COMPARED = 1024  # bits: every pair of them is a number
_MIN_ROWS = 32
_NEAR = 5e-4  # of normal values, 4e-5 lie as near


def code_findings(case: Case) -> Iterator[Finding]:
    """Check every layer of bits, the layer that `code_layer` names, and the bottleneck of an autoencoder."""
    calls = [call for call in case.calls if isinstance(call.layer, layers.SignBits | layers.Step)]
    named = named_call(case)
    for call in [*calls, *([named] if named is not None and named not in calls else [])]:
        values, threshold = _before_threshold(call), _threshold(call.layer)
        if len(values) >= _MIN_ROWS:
            yield from _bits(case, call, values, threshold)
    hard = any(isinstance(call.layer, layers.SignBits | layers.ScalarQuantizer | layers.Hardmax) for call in case.calls)
    middle = named if named is not None else (None if hard else narrowest(case))
    if middle is not None and not isinstance(middle.layer, layers.SignBits | layers.Step):
        yield from _rounded(case, middle, named is not None)


def named_call(case: Case) -> Call | None:
    """Gives the call of the layer that the user named, the last one.

    Raises:
        ParameterError: If no layer has that name.
    """
    if case.code_layer is None:
        return None
    found_calls = [call for call in case.calls if call.layer.name == case.code_layer]
    if not found_calls:
        names = ", ".join(dict.fromkeys(call.layer.name for call in case.calls))
        raise ParameterError(
            f"`code_layer` must name a layer that the model calls: got {case.code_layer!r}. The layers are {names}."
        )
    return found_calls[-1]


def narrowest(case: Case) -> Call | None:
    """Gives the last call of the narrowest layer of an autoencoder; None if no layer is half as wide as the rows."""
    if not case.same and not _looks_like_autoencoder(case):
        return None
    cells = int(np.prod(case.x.arrays[0].scan.shape[1:]))
    best, width = None, cells / 2
    for call in case.calls:
        if hasattr(call.layer, "layers") or len(call.outputs) != 1 or not keras.ops.is_tensor(call.outputs[0]):
            continue
        size = int(np.prod(tuple(call.outputs[0].shape[1:])))
        if tuple(call.outputs[0].shape[:1]) == (len(case.sample),) and 1 < size <= width:
            best, width = call, size
    return best


def _looks_like_autoencoder(case: Case) -> bool:
    shapes = [one.scan.shape[1:] for one in case.x.arrays]
    return len(shapes) == 1 and len(case.predictions) == 1 and case.predictions[0].shape[1:] == shapes[0]


def _bits(case: Case, call: Call, values: NDArray[np.float32], threshold: float) -> Iterator[Finding]:
    bits = values >= threshold if isinstance(call.layer, layers.SignBits) else values > threshold
    rows, width = bits.shape
    if width > 1 and len(np.unique(np.packbits(bits, axis=1), axis=0)) == 1:
        evidence = f"All {rows:,} rows get one and the same code from the {width} bits of `{call.layer.name}`."
        remedy = (
            _centered(case, call) if isinstance(call.layer, layers.SignBits | layers.Step) else _as_bits(case, call)
        )
        yield found("one-code", "error", evidence, remedy, rows=rows, bits=width)
        return

    def bit_finding(code: str, which: NDArray[np.intp], what: str) -> Finding:
        shown = ", ".join(map(str, which[:8].tolist())) + (", …" if len(which) > 8 else "")
        evidence = f"{len(which)} of the {width} bits of `{call.layer.name}` ({shown}) {what}."
        return found(code, "warning", evidence, _centered(case, call), bits=len(which), of=width)

    ones = bits.mean(axis=0)
    dead, living = np.flatnonzero((ones == 0) | (ones == 1)), np.flatnonzero((ones > 0) & (ones < 1))
    if len(dead):
        yield bit_finding("dead-bits", dead, f"are the same in all {rows:,} rows")
    rarer = np.minimum(ones, 1 - ones)[living]
    if (rarer < UNBALANCED).any():
        what = f"have one value in more than {1 - UNBALANCED:.0%} of the rows, the worst in {1 - rarer.min():.2%}"
        yield bit_finding("unbalanced-bits", living[rarer < UNBALANCED], what)
    living = living[:: -(-max(1, len(living)) // MAX_COMPARED)]
    if len(living) > 1:
        correlation = np.abs(np.corrcoef(bits[:, living], rowvar=False))
        np.fill_diagonal(correlation, 0)
        same = correlation > 1 - 1e-9
        if same.any():
            twins = living[np.triu(same).any(axis=0)]
            yield bit_finding("duplicate-bits", twins, "say in every row the same as another, or its opposite")
        alike = np.where(same, 0, correlation)
        if (alike > CORRELATED).any():
            one, other = living[list(np.unravel_index(np.argmax(alike), alike.shape))]
            what = f"are correlated above {CORRELATED:g} with another; {one} and {other} by {alike.max():.3f}"
            yield bit_finding("correlated-bits", living[(alike > CORRELATED).any(axis=0)], what)
    yield from _near_threshold(call, values, threshold)


def _near_threshold(call: Call, values: NDArray[np.float32], threshold: float) -> Iterator[Finding]:
    spread = values.std(axis=0)
    near = (np.abs(values - threshold) < NEAR_THRESHOLD * spread)[:, spread > 0]
    if not near.size or near.mean() <= _NEAR:
        return
    yield found(
        "near-threshold",
        "note",
        f"{near.mean():.2%} of the values before the bits of `{call.layer.name}` lie within {NEAR_THRESHOLD:g} of "
        "their spread from the threshold: another backend or batch size may give another bit there.",
        "# encode(..., return_margin=True) of a cw.Autoencoder tells which; treat them as unsure",
        share=float(near.mean()),
    )


def _centered(case: Case, call: Call) -> str:
    """Writes what keeps the threshold of every bit in the middle of its values."""
    if isinstance(call.layer, layers.SignBits):
        return (
            f"{REBUILD}  # BatchNormalization(center=False, scale=False) before the bits\n"
            f"model.fit(scaling(x), scaling.targets({case.name_of_targets}), epochs=10)  # it acts once trained\n"
            "# Like rows shall get like codes, too? cw.losses.Contrast, or cw.Autoencoder(code=cw.Bits(n))"
        )
    if isinstance(call.layer, layers.Step):
        return "# keras.layers.BatchNormalization() before the step keeps its threshold among the values"
    return (
        f'encoder = keras.Model(model.inputs, model.get_layer("{call.layer.name}").output)\n'
        "hasher = cw.binarize(encoder, x)  # turns the code so that every bit is used and balanced"
    )


def _as_bits(case: Case, call: Call) -> str:
    """Writes what puts signs behind the layer, for a training that has them."""
    return (
        f'model, scaling = cw.examine(model, x, y, code_layer="{call.layer.name}").remedied()  # adds SignBits\n'
        f"model.fit(scaling(x), scaling.targets({case.name_of_targets}), epochs=10)"
    )


def _rounded(case: Case, call: Call, named: bool) -> Iterator[Finding]:
    """Measures the loss with the code as it is, and with two values for each unit."""
    if not case.has_loss or len(case.sample) < _MIN_ROWS:
        return
    if sum(one.layer is call.layer for one in case.calls) > 1:  # shared: its values would be put everywhere
        return
    output = _array(call.outputs[0])
    values, threshold = output.reshape(len(output), -1), _threshold(call.layer)
    bits = values > threshold
    # Each side of the threshold stands for its mean: of two values a unit these have the least squared error.
    high = np.where(bits.any(axis=0), (values * bits).sum(axis=0) / np.maximum(1, bits.sum(axis=0)), threshold)
    low = np.where((~bits).any(axis=0), (values * ~bits).sum(axis=0) / np.maximum(1, (~bits).sum(axis=0)), threshold)
    rounded = np.where(bits, high, low).reshape(output.shape)
    before = case.loss
    after = case.loss_of(case.predict_with(call.layer, lambda tensor: keras.ops.cast(rounded, tensor.dtype)))
    if not (math.isfinite(before) and math.isfinite(after)) or after <= before + 0.02 * abs(before):
        return
    width = values.shape[1]
    name = call.layer.name
    yield found(
        "rounded-after-training",
        "warning" if named else "note",
        f"`{name}`, {width} numbers a row, is no bits in training. Rounded afterwards at {threshold:g}, each side at "
        f"its mean, the loss goes from {before:.5g} to {after:.5g}; "
        f"{len(np.unique(np.packbits(bits, axis=1), axis=0)):,} different codes in {len(bits):,} rows.",
        "# If it shall be stored as bits, let it be bits in training, or turn it into balanced ones:\n"
        f"{_as_bits(case, call)}\n"
        f"# or: cw.binarize(encoder, x) for what is trained; cw.Autoencoder(code=cw.Bits({width})) from the start",
        loss=before,
        loss_rounded=after,
    )


def _before_threshold(call: Call) -> NDArray[np.float32]:
    hard = isinstance(call.layer, layers.SignBits | layers.Step)
    values = _array(call.inputs[0] if hard else call.outputs[0])
    return values.reshape(len(values), -1)


def _threshold(layer: Any) -> float:
    if isinstance(layer, layers.Step):
        return float(layer.threshold)
    return 0.5 if activation_of(layer)[0] in ("sigmoid", "hard_sigmoid", "softmax") else 0.0


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))
