"""Networks of gates, from a row to one of several experts: one gate, or many that learn side by side."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.layers import Hardmax


def build_gate(num_features: int, num_experts: int, *, hidden: Sequence[int]) -> Any:
    """Build a gate: dense layers, none of them hidden for a linear gate.

    Returns:
        Keras model from standardized rows, `(batch, num_features)`, to one-hots, `(batch, num_experts)`. Its layer
        "scores" outputs the score of each expert.
    """
    x = rows = keras.Input((num_features,), name="rows")
    for number, units in enumerate(hidden, start=1):
        x = keras.layers.Dense(units, activation="relu", dtype="float32", name=f"hidden_{number}")(x)
    scores = keras.layers.Dense(num_experts, dtype="float32", name="scores")(x)
    return keras.Model(rows, Hardmax(name="choice")(scores), name="gate")


def build_gates(
    num_features: int, num_experts: int, *, banks: Sequence[Sequence[int]], penalties: NDArray[np.float32]
) -> Any:
    """Build banks of gates that learn side by side from the same rows, in one network.

    Args:
        num_features: Number of columns of a row.
        num_experts: Number of experts.
        banks: The hidden layers of the gates in each bank.
        penalties: Cost of the sum of the squares of a gate's kernels, for each gate of a bank, `(num_gates,)`.

    Returns:
        Keras model from rows, `(batch, num_features)`, to the shares of the experts in the choice of each gate,
        `(batch, len(banks) * num_gates, num_experts)`. See `weights_of`.
    """
    rows = keras.Input((num_features,), name="rows")
    banks_of_scores = []
    for number, hidden in enumerate(banks):
        x, sizes = rows, list(pairwise([num_features, *hidden, num_experts]))
        for layer, (before, after) in enumerate(sizes, start=1):
            last = layer == len(sizes)
            x = keras.layers.EinsumDense(
                "bd,mdh->bmh" if layer == 1 else "bmd,mdh->bmh",
                output_shape=(len(penalties), after),
                bias_axes="mh",
                activation=None if last else "relu",
                # The last layer begins at 0: at first every expert has the same score.
                kernel_initializer=keras.initializers.RandomNormal(0, 0.0 if last else math.sqrt(2 / before)),
                kernel_regularizer=_Penalty(penalties),
                dtype="float32",
                name=f"bank_{number}_{'scores' if last else f'hidden_{layer}'}",
            )(x)
        banks_of_scores.append(x)
    scores = keras.layers.Concatenate(axis=1, name="scores")(banks_of_scores)
    return keras.Model(rows, keras.layers.Softmax(name="shares")(scores), name="gates")


def weights_of(gates: Any, bank: int, position: int) -> list[NDArray[np.float32]]:
    """Return the weights of one gate of a bank, as `build_gate` with the same hidden layers takes them."""
    layers = [layer for layer in gates.layers if layer.name.startswith(f"bank_{bank}_")]
    return [weight[position] for layer in layers for weight in layer.get_weights()]


class _Penalty(keras.regularizers.Regularizer):
    """A weight decay of its own for each gate. Not registered: the network of many gates is never saved."""

    def __init__(self, penalties: NDArray[np.float32]) -> None:
        self._penalties = penalties

    def __call__(self, kernel: Any) -> Any:
        penalties = keras.ops.convert_to_tensor(self._penalties)
        return keras.ops.sum(penalties * keras.ops.sum(keras.ops.square(kernel), axis=(1, 2)))
