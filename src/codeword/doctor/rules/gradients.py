"""Gradient: does it reach every weight, and how much of it arrives?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.flat_calls import FlatCall
from codeword.doctor.measuring.run import as_float32
from codeword.doctor.remedies.heads import REBUILD, path_of, scaling_lines
from codeword.doctor.remedies.slopes import flat_calls_of, with_slope
from codeword.doctor.rules.hidden_values import hidden_value_findings
from codeword.inference.recording import Call, is_float

VANISHED, EXPLODED = 1e-5, 1e4


def gradient_findings(case: Case) -> Iterator[Finding]:
    """Check the loss, the gradient of every weight, and the values of every hidden layer."""
    if case.run.has_loss:
        loss = case.gradients[0]
        if not math.isfinite(loss) or not math.isfinite(case.run.loss):
            yield _not_finite(case, loss)
        else:
            if stopped := _without_idle_biases(case):
                yield _no_gradient(case, stopped)
            yield from _vanishing(case)
            yield from _exploding(case)
    yield from hidden_value_findings(case)


def _not_finite(case: Case, training_loss: float) -> Finding:
    loss, rows = case.run.loss, len(case.run.rows)
    first = next((call.layer.name for call in case.run.calls if not _is_finite(call)), None)
    cause = "All layers return finite values, so the loss itself is the cause: a logarithm of 0 or a division by 0."
    if first:
        cause = f"The first values that are not finite come from `{first}`."
    clipped = "model.compile(optimizer=keras.optimizers.Adam(1e-4, clipnorm=1.0), loss=model.loss)"
    return found(
        "loss-not-finite",
        f"On {rows:,} finite rows the loss is {loss:.4g} in inference mode and {training_loss:.4g} in training mode. "
        f"{cause}",
        "\n".join([*scaling_lines(case), clipped]),
        {"loss": loss, "training_loss": training_loss},
    )


def _is_finite(call: Call) -> bool:
    return all(bool(np.isfinite(as_float32(one)).all()) for one in call.outputs if keras.ops.is_tensor(one))


def _without_idle_biases(case: Case) -> list[Any]:
    """Return the weights without gradient, except biases that the next operation removes while their layer learns."""
    stopped = {id(weight) for weight in case.unmoved_weights}
    learning = {
        id(weight)
        for call in case.run.calls
        if any(id(weight) not in stopped for weight in _own_weights(call.layer))
        for weight in _own_weights(call.layer)
        if weight.name in ("bias", "beta")
    }
    return [weight for weight in case.unmoved_weights if id(weight) not in learning]


def _no_gradient(case: Case, stopped: list[Any]) -> Finding:
    owners = {id(one): call.layer for call in case.run.calls for one in _own_weights(call.layer)}
    names = list(dict.fromkeys(owners[id(one)].name if id(one) in owners else one.path for one in stopped))
    count = sum(int(np.prod(weight.shape)) for weight in stopped)
    total = sum(int(np.prod(weight.shape)) for weight in case.run.model.trainable_variables)
    shown = ", ".join(f"`{name}`" for name in names[:6]) + (", …" if len(names) > 6 else "")
    flat = flat_calls_of(case)
    if flat:
        cause, remedy = _cause(flat[0]), _slope_remedy(case, flat[0])
    elif not any(id(weight) in owners for weight in stopped):
        cause = "They belong to no layer that was called, or the loss does not depend on them."
        remedy = "# remove them from the model, or use their output"
    else:
        cause = "None of their output reaches the loss: units that are always 0, a product with 0, or an unused branch."
        remedy = f"{REBUILD}  # same layers, new initial weights; an unused branch stays unused"
    evidence = f"The gradient of {count:,} of {total:,} trainable values is exactly 0, in {shown}. {cause}"
    return found("no-gradient", evidence, remedy, {"weights": count, "of": total})


def _cause(stop: FlatCall) -> str:
    """Return a sentence about the call that blocks the gradient."""
    layer = stop.call.layer
    what = f"`{layer.name}` ({type(layer).__name__})"
    what = f"`{stop.operation}` in {what}" if stop.operation else what
    if stop.operation == "stop_gradient":
        return f"{what} blocks it, as intended. Remove it if these weights are meant to learn."
    return f"{what} blocks it: when its input changes a little, {stop.share:.1%} of its values stay identical."


def _slope_remedy(case: Case, stop: FlatCall) -> str:
    """Return Python that replaces a flat call by the same function with a surrogate gradient."""
    place = with_slope(case, stop.call)
    path = path_of(case.run.model, stop.call.layer)
    if place is not None and path is not None and not isinstance(place.change, keras.layers.Layer):
        return f"{path}.activation = {place.python}  # same values, with a surrogate gradient"
    if place is not None:
        return f"{REBUILD}  # puts {place.python} in its place: same values, with a surrogate gradient"
    return (
        "# Same values, with a surrogate gradient: cw.layers.Hardmax (one-hot of the maximum), SignBits (sign),\n"
        "# Step (above a threshold), Staircase(levels) (rounding, floor), Threshold."
    )


def _vanishing(case: Case) -> Iterator[Finding]:
    """Compare the gradients of the kernels with each other."""
    sizes = [
        (weight.path, float(np.sqrt(np.square(one).mean())))
        for weight, one in zip(case.run.model.trainable_variables, case.gradients[1], strict=True)
        if one is not None and one.ndim >= 2 and weight.name != "bias" and one.any()
    ]
    largest = max((size for _, size in sizes), default=0.0)
    vanished = [(path, size) for path, size in sizes if size < VANISHED * largest]
    if not vanished:
        return
    path, least = min(vanished, key=lambda pair: pair[1])
    yield found(
        "vanishing-gradient",
        f"The gradient of `{path}` has size {least:.1e}, which is {least / largest:.1e} of the largest one "
        f"({largest:.1e}). {len(vanished)} of {len(sizes)} kernels are below 1e-5 of it and hardly move.",
        "# relu or gelu instead of sigmoid and tanh in hidden layers, BatchNormalization between them,\n"
        "# or fewer layers; then check again: print(cw.examine(model, x, y))",
        {"ratio": least / largest, "kernels": len(vanished)},
    )


def _exploding(case: Case) -> Iterator[Finding]:
    """Compare the gradient with the loss, and the values of the layers with the input."""
    loss, gradients = case.gradients
    norm = math.sqrt(sum(float(np.square(one).sum()) for one in gradients if one is not None))
    growth, name = _growth(case)
    if norm <= EXPLODED * max(1.0, abs(loss)) and growth <= EXPLODED:
        return
    lines = [*scaling_lines(case), "model.compile(optimizer=keras.optimizers.Adam(clipnorm=1.0), loss=model.loss)"]
    lines.append('# and smaller initial weights (kernel_initializer="he_normal") or BatchNormalization')
    yield found(
        "exploding-gradient",
        f"The norm of the gradient is {norm:.3g} at a loss of {loss:.3g}. The values of `{name}` are {growth:.3g} "
        "times as large as the input.",
        "\n".join(lines),
        {"norm": norm, "growth": growth},
    )


def _growth(case: Case) -> tuple[float, str]:
    """Return how many times larger than the input the values of a layer are at most, and the layer."""
    entering = max((one.scan.rms for one in case.run.x.arrays if math.isfinite(one.scan.rms)), default=1.0)
    largest, name = 0.0, ""
    for call in case.run.calls:
        if not getattr(call.layer, "weights", None):  # a mask of -1e9 is intended; real growth leaves weights as well
            continue
        for tensor in call.outputs:
            if keras.ops.is_tensor(tensor) and is_float(tensor):
                mean_square = keras.ops.mean(keras.ops.square(keras.ops.cast(tensor, "float32")))
                size = math.sqrt(float(keras.ops.convert_to_numpy(mean_square)))
                if size > largest:
                    largest, name = size, call.layer.name
    return largest / max(entering, 1.0), name


def _own_weights(layer: Any) -> list[Any]:
    return [] if hasattr(layer, "layers") else list(getattr(layer, "trainable_variables", ()))
