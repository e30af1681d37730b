"""Hidden values: are layers stuck at the ends of their range, or units always 0?"""

from collections.abc import Iterator

import numpy as np

from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.flat_calls import is_relu
from codeword.doctor.measuring.run import as_float32
from codeword.doctor.remedies.heads import REBUILD, path_of, scaling_lines
from codeword.inference.output_source import activation_name
from codeword.inference.recording import Call

SATURATED, DEAD = 0.8, 1 / 3
_MIN_ROWS = 32
_RECURRENT = frozenset(["LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell"])


def hidden_value_findings(case: Case) -> Iterator[Finding]:
    """Check every hidden layer that ends in a sigmoid, a tanh or a ReLU."""
    at_output = {id(out.source.layer) for out in case.outputs}
    if len(case.run.rows) < _MIN_ROWS:
        return
    for call in case.run.calls:
        layer = call.layer
        if id(layer) in at_output or hasattr(layer, "layers") or type(layer).__name__ in _RECURRENT or not call.outputs:
            continue
        name = activation_name(getattr(layer, "activation", 0))
        if name in ("sigmoid", "tanh"):
            yield from _saturated(case, call, name)
        if is_relu(layer):
            yield from _dead(case, call)


def _saturated(case: Case, call: Call, name: str) -> Iterator[Finding]:
    values, layer = as_float32(call.outputs[0]), call.layer
    ends = np.abs(values - 0.5) > 0.49 if name == "sigmoid" else np.abs(values) > 0.99
    share = float(ends.mean())
    if share < SATURATED:
        return
    slope = float((values * (1 - values)).mean()) / 0.25 if name == "sigmoid" else float((1 - values**2).mean())
    lines = scaling_lines(case)
    lines.append(f"# BatchNormalization before `{layer.name}`, or an activation that is flat on one side only")
    if path := path_of(case.run.model, layer):
        lines.append(f"{path}.activation = keras.activations.relu")
    yield found(
        "saturated",
        f"{share:.1%} of the values of `{layer.name}` are within 0.01 of the ends of {name}, where it is flat. Its "
        f"mean slope is {slope:.1%} of the maximum, so all layers before it learn that much more slowly.",
        "\n".join(lines),
        {"share": share, "slope": slope},
    )


def _dead(case: Case, call: Call) -> Iterator[Finding]:
    values = as_float32(call.outputs[0])
    dead = ~(values.reshape(-1, values.shape[-1]) != 0).any(axis=0)
    before = next((one for one in case.run.calls if any(t is call.inputs[0] for t in one.outputs)), None)
    if before is not None and type(before.layer).__name__ == "BatchNormalization" and before.layer.trainable:
        varying = as_float32(before.inputs[0]).reshape(-1, values.shape[-1]).std(axis=0) > 0
        beta = before.layer.beta
        if beta is None or not as_float32(beta).any():
            dead &= ~varying  # training mode centers every unit that varies at 0
    if dead.mean() < DEAD:
        return
    count = int(dead.sum())
    yield found(
        "dead-relus",
        f"{count:,} of {len(dead):,} units of `{call.layer.name}` are 0 in all {len(case.run.rows):,} rows. They "
        "contribute nothing and get no gradient that could revive them.",
        f"{REBUILD}  # same layers, new initial weights\n"
        f"model.fit(scaling(x), scaling.targets({case.name_of_targets}))\n"
        '# If units die again: use a lower learning rate, or activation="gelu", which has a slope below 0.',
        {"dead": count, "of": len(dead)},
    )
