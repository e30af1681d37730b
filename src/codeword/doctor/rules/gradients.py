"""Gradient: does it reach every weight, and how much of it?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.output_facts import activation_name
from codeword.doctor.measuring.recording import Call
from codeword.doctor.prescription import REBUILD, path_of, scaling_lines
from codeword.doctor.remedies.slopes import Step, is_relu, stopping_steps, with_slope

SATURATED, DEAD = 0.8, 1 / 3
VANISHED, EXPLODED = 1e-5, 1e4


def gradient_findings(case: Case) -> Iterator[Finding]:
    """Looks at the loss, the gradient of every weight, and the values of every layer."""
    if case.has_loss:
        loss = case.gradients[0]
        if not math.isfinite(loss) or not math.isfinite(case.loss):
            yield _not_finite(case, loss)
        else:
            stopped = _without_idle_biases(case)
            if stopped:
                yield _no_gradient(case, stopped)
            yield from _sizes(case)
    yield from _values(case)


def _not_finite(case: Case, loss: float) -> Finding:
    first = next(
        (call.layer.name for call in case.calls if call.outputs and not _all_finite(call)),
        None,
    )
    where = (
        f"The first values that are not finite come out of `{first}`."
        if first
        else "All layers give finite values: it is the loss itself, a logarithm of 0 or a division by 0."
    )
    return found(
        "loss-not-finite",
        "error",
        f"On {len(case.sample):,} finite rows the loss is {case.loss:.4g}, and {loss:.4g} in training. {where}",
        "\n".join(
            [
                *scaling_lines(case),
                "model.compile(optimizer=keras.optimizers.Adam(1e-4, clipnorm=1.0), loss=model.loss)",
            ]
        ),
        loss=case.loss,
        training_loss=loss,
    )


def _all_finite(call: Call) -> bool:
    return all(
        bool(np.isfinite(np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(one, "float32")))).all())
        for one in call.outputs
        if keras.ops.is_tensor(one)
    )


def _without_idle_biases(case: Case) -> list[Any]:
    """Gives the weights that get no gradient, but not a bias that what follows takes off, where its layer learns."""
    stopped = {id(weight) for weight in case.unmoved_weights}
    learning = {
        id(weight)
        for call in case.calls
        if any(id(weight) not in stopped for weight in _own_weights(call.layer))
        for weight in _own_weights(call.layer)
        if weight.name in ("bias", "beta")
    }
    return [weight for weight in case.unmoved_weights if id(weight) not in learning]


def _no_gradient(case: Case, stopped: list[Any]) -> Finding:
    owners = {id(one): call.layer for call in case.calls for one in _own_weights(call.layer)}
    names: dict[str, None] = {}
    for weight in stopped:
        owner = owners.get(id(weight))
        names.setdefault(owner.name if owner is not None else weight.path)
    count = sum(int(np.prod(weight.shape)) for weight in stopped)
    total = sum(int(np.prod(weight.shape)) for weight in case.model.trainable_variables)
    shown = ", ".join(f"`{name}`" for name in list(names)[:6]) + (", …" if len(names) > 6 else "")
    unused = [weight for weight in stopped if id(weight) not in owners]
    steps = stopping_steps(case)
    if steps:
        stop, layer = steps[0], steps[0].call.layer
        what = f"`{layer.name}` ({type(layer).__name__})"
        what = f"`{stop.operation}` in {what}" if stop.operation else what
        why = f"{what} stops it, as it is meant to. Take it away if these weights shall learn."
        if stop.operation != "stop_gradient":
            why = f"{what} stops it: change its input a little, and {stop.share:.1%} of its values stay as they are."
        remedy = _slope_remedy(case, stop)
    elif len(unused) == len(stopped):
        why = "They belong to no layer that was called, or to none that the loss depends on."
        remedy = "# leave them out of the model, or use what they give"
    else:
        why = "Nothing that they give reaches the loss: units that are always 0, a product with 0, an unused branch."
        remedy = f"{REBUILD}  # the same layers, weights drawn anew; a branch that nothing uses stays so"
    return found(
        "no-gradient",
        "error",
        f"The gradient of {count:,} of {total:,} trainable numbers is exactly 0, in {shown}. {why}",
        remedy,
        weights=count,
        of=total,
    )


def _slope_remedy(case: Case, stop: Step) -> str:
    """Writes the same hard function with a slope."""
    place = with_slope(case, stop.call)
    path = path_of(case.model, stop.call.layer)
    if place is not None and path is not None and not isinstance(place.change, keras.layers.Layer):
        return f"{path}.activation = {place.python}  # the same values, with a slope"
    if place is not None:
        return f"{REBUILD}  # {place.python} in its place: the same values, with a slope"
    return (
        "# The same values, with a slope: cw.layers.Hardmax (one-hot of the maximum), Step (above a threshold),\n"
        "# SignBits (sign), Staircase(levels) (rounding, floor), Threshold. See docs/slopes.md."
    )


def _sizes(case: Case) -> Iterator[Finding]:
    """Compares the gradients of the kernels with each other, and the values of the layers with the input."""
    loss, gradients = case.gradients
    sizes = [
        (weight.path, float(np.sqrt(np.square(one).mean())))
        for weight, one in zip(case.model.trainable_variables, gradients, strict=True)
        if one is not None and one.ndim >= 2 and weight.name != "bias" and one.any()
    ]
    norm = math.sqrt(sum(float(np.square(one).sum()) for one in gradients if one is not None))
    largest = max((size for _, size in sizes), default=0.0)
    vanished = [(path, size) for path, size in sizes if size < VANISHED * largest]
    if vanished:
        path, least = min(vanished, key=lambda pair: pair[1])
        yield found(
            "vanishing-gradient",
            "warning",
            f"The gradient of `{path}` has size {least:.1e}, {least / largest:.1e} of the largest one's "
            f"({largest:.1e}); {len(vanished)} of {len(sizes)} kernels lie below 1e-5 of it and hardly move.",
            "# relu or gelu instead of sigmoid and tanh in hidden layers, BatchNormalization between them,\n"
            "# or fewer layers; then look again: print(cw.examine(model, x, y))",
            ratio=least / largest,
            kernels=len(vanished),
        )
    growth, name = _growth(case)
    if norm > EXPLODED * max(1.0, abs(loss)) or growth > EXPLODED:
        yield found(
            "exploding-gradient",
            "warning",
            f"The gradient's norm is {norm:.3g} at a loss of {loss:.3g}; the values of `{name}` are {growth:.3g} "
            "times as large as those that enter.",
            "\n".join(
                [
                    *scaling_lines(case),
                    "model.compile(optimizer=keras.optimizers.Adam(clipnorm=1.0), loss=model.loss)",
                    '# and smaller first weights (kernel_initializer="he_normal") or BatchNormalization',
                ]
            ),
            norm=norm,
            growth=growth,
        )


def _growth(case: Case) -> tuple[float, str]:
    """Gives how many times larger than the input the values of a layer are, at most, and the layer."""
    entering = max((one.scan.rms for one in case.x.arrays if math.isfinite(one.scan.rms)), default=1.0)
    largest, name = 0.0, ""
    for call in case.calls:
        if not getattr(call.layer, "weights", None):  # a mask of -1e9 is meant so; what grows comes out of weights, too
            continue
        for tensor in call.outputs:
            if keras.ops.is_tensor(tensor) and "float" in keras.backend.standardize_dtype(tensor.dtype):
                size = math.sqrt(
                    float(
                        keras.ops.convert_to_numpy(keras.ops.mean(keras.ops.square(keras.ops.cast(tensor, "float32"))))
                    )
                )
                if size > largest:
                    largest, name = size, call.layer.name
    return largest / max(entering, 1.0), name


def _values(case: Case) -> Iterator[Finding]:
    """Looks for hidden layers at the ends of their range, and for units that are always 0."""
    at_output = {id(out.layer) for out in case.outputs}
    for call in case.calls:
        layer = call.layer
        if id(layer) in at_output or hasattr(layer, "layers") or not call.outputs or len(case.sample) < 32:
            continue
        name = activation_name(getattr(layer, "activation", None)) if hasattr(layer, "activation") else None
        if type(layer).__name__ in ("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell"):
            continue
        if name in ("sigmoid", "tanh"):
            yield from _saturated(case, call, name)
        if is_relu(layer):
            yield from _dead(case, call)


def _saturated(case: Case, call: Call, name: str) -> Iterator[Finding]:
    values = _array(call.outputs[0])
    ends = np.abs(values - 0.5) > 0.49 if name == "sigmoid" else np.abs(values) > 0.99
    share = float(ends.mean())
    if share < SATURATED:
        return
    largest = 0.25 if name == "sigmoid" else 1.0
    slope = float((values * (1 - values) if name == "sigmoid" else 1 - values**2).mean()) / largest
    yield found(
        "saturated",
        "warning",
        f"{share:.1%} of the values of `{call.layer.name}` lie within .01 of the ends of {name}, where it is flat: "
        f"its mean slope is {slope:.1%} of the greatest one, and what lies before it learns that much slower.",
        "\n".join([*scaling_lines(case), *_less_flat(case, call.layer)]),
        share=share,
        slope=slope,
    )


def _less_flat(case: Case, layer: Any) -> list[str]:
    path = path_of(case.model, layer)
    wanted = f"# BatchNormalization before `{layer.name}`, or an activation that is flat on one side only"
    return [f"{wanted}:", f"{path}.activation = keras.activations.relu"] if path else [wanted]


def _dead(case: Case, call: Call) -> Iterator[Finding]:
    values = _array(call.outputs[0])
    dead = ~(values.reshape(-1, values.shape[-1]) != 0).any(axis=0)
    before = next((one for one in case.calls if any(t is call.inputs[0] for t in one.outputs)), None)
    if before is not None and type(before.layer).__name__ == "BatchNormalization" and before.layer.trainable:
        varying = _array(before.inputs[0]).reshape(-1, values.shape[-1]).std(axis=0) > 0
        beta = before.layer.beta
        if beta is None or not _array(beta).any():
            dead &= ~varying  # in training it puts the mean of every unit that varies at 0
    if dead.mean() < DEAD:
        return
    yield found(
        "dead-relus",
        "warning",
        f"{int(dead.sum()):,} of {len(dead):,} units of `{call.layer.name}` are 0 in all {len(case.sample):,} rows: "
        "they give nothing and get no gradient that could bring them back.",
        f"{REBUILD}  # the same layers, weights drawn anew\n"
        f"model.fit(scaling(x), scaling.targets({case.name_of_targets}))\n"
        '# If they die again: a lower learning rate, or activation="gelu", which has a slope below 0, too.',
        dead=int(dead.sum()),
        of=len(dead),
    )


def _own_weights(layer: Any) -> list[Any]:
    return [] if hasattr(layer, "layers") else list(getattr(layer, "trainable_variables", ()))


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))
