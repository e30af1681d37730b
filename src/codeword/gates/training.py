"""Training of a gate: many gates learn side by side what each expert's answer would cost, and held-out rows choose."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.gates.network import build_gate, build_gates, weights_of
from codeword.inference.fixed_batches import in_fixed_batches
from codeword.losses import ChosenCost
from codeword.training import recipe as training
from codeword.training.batches import ShuffledBatches, take_rows

ops = keras.ops

NUM_STEPS = 1_500
BATCH_ROWS = 256
NUM_FOLDS = 5
LEAST_ROWS = 20  # fewer rows say nothing about a gate
SHARPNESS = math.log(9)  # an expert that is right is nine times as likely as one that is wrong
STANDARD_ERRORS = 2.0


class GateRecipe(NamedTuple):
    """The settings of a gate that its training reads; `HardGateClassifier` documents them."""

    hidden: Sequence[int]
    balance: float
    penalty: Any
    epochs: int | None
    batch_size: int | None
    learning_rate: float
    seed: int
    verbose: bool | int


class TrainedGate(NamedTuple):
    """The network of a gate, its hidden layers, the history of its training, and its costs on held-out rows."""

    model: Any
    hidden: tuple[int, ...]
    history: dict[str, list[float]]
    held_out: dict[str, float]


def train_gate(
    rows: NDArray[np.float32], costs: NDArray[np.floating[Any]], num_features: int, recipe: GateRecipe
) -> TrainedGate:
    """Train linear gates and gates with hidden layers under several penalties, and keep the best.

    Gates of each kind learn six times side by side: from all rows, and from all rows but one of five folds. The latter
    measure what such a gate is worth on rows that it has not seen. The best kind is kept if its gain over the best
    single expert exceeds two standard errors of that gain; otherwise the best single expert gets every row.

    Args:
        rows: Rows as they enter the network, `(n, num_features)`.
        costs: What the answer of each expert would cost, `(n, num_experts)`.
        num_features: Number of columns of a row.
        recipe: The settings.
    """
    penalties = np.atleast_1d(np.asarray(recipe.penalty, np.float32))
    hidden = tuple(int(units) for units in recipe.hidden)
    banks = [(), hidden] if hidden else [()]
    num_folds = min(NUM_FOLDS, len(costs))
    folds = np.random.default_rng(int(recipe.seed)).permutation(len(costs)) % num_folds
    # Gates of one penalty stand together: one without each fold, the last with all rows.
    seen = np.tile(np.vstack([~np.eye(num_folds, dtype=bool), np.ones(num_folds, bool)]), (len(penalties), 1))
    num_gates = len(banks) * len(seen)
    penalties = np.repeat(penalties, num_folds + 1) * seen.mean(axis=1, dtype=np.float32) / num_gates
    gates = build_gates(num_features, costs.shape[1], banks=banks, penalties=penalties)
    batches = ShuffledBatches(
        (rows, (costs / num_gates).astype(np.float32), folds, np.tile(seen.T, len(banks))),
        batch_size=recipe.batch_size or BATCH_ROWS,
        seed=int(recipe.seed),
        batch=_with_seen_costs,
    )
    history = training.fit(
        gates,
        batches,
        loss=ChosenCost(SHARPNESS * num_gates, recipe.balance / num_gates),
        epochs=recipe.epochs or max(10, math.ceil(NUM_STEPS / len(batches))),
        learning_rate=recipe.learning_rate,
        verbose=recipe.verbose,
    )
    parts = in_fixed_batches(gates, rows, description="held-out rows")
    chosen = np.concatenate([shares.argmax(axis=-1) for _, shares in parts])  # (n, num_gates)
    # What each kind of gate chooses for rows that it has not seen.
    starts = range(0, num_gates, num_folds + 1)
    unseen = [chosen[np.arange(len(costs)), start + folds] for start in starts]
    best, held_out = _best(unseen, costs, recipe.balance)
    bank, position = (0, 0) if best is None else divmod(starts[best] + num_folds, len(seen))
    hidden = () if best is None else banks[bank]
    model = build_gate(num_features, costs.shape[1], hidden=hidden)
    if best is None:
        kernel, bias = (np.zeros_like(weight) for weight in model.get_weights())
        bias[costs.mean(axis=0).argmin()] = 1.0
        model.set_weights([kernel, bias])
    else:
        model.set_weights(weights_of(gates, bank, position))
    return TrainedGate(model, hidden, history, held_out)


def _with_seen_costs(arrays: Any, chosen: Any) -> tuple[Any, Any]:
    """Return rows and, for each of many gates, the costs of the rows that the gate may see; 0 for other rows."""
    rows, costs, folds, seen = arrays  # seen: (num_folds, num_gates)
    taken = ops.cast(take_rows(seen, take_rows(folds, chosen)), "float32")
    return take_rows(rows, chosen), take_rows(costs, chosen)[:, None, :] * taken[:, :, None]


def _best(
    unseen: list[NDArray[np.intp]], costs: NDArray[np.floating[Any]], balance: float
) -> tuple[int | None, dict[str, float]]:
    """Return which choices for held-out rows are best, None if the best single expert is, and mean costs."""
    num_rows, num_experts = costs.shape
    every = np.arange(num_rows)
    alone = costs[:, costs.mean(axis=0).argmin()]
    best, most, cost = None, 0.0, alone.mean()
    for number, chosen in enumerate(unseen if num_rows >= LEAST_ROWS else ()):
        gains = alone - costs[every, chosen]
        shares = np.bincount(chosen, minlength=num_experts) / num_rows
        spared = balance * num_experts * (1 - np.square(shares).sum())  # of the cost of one expert for all rows
        sure = gains.mean() + spared - STANDARD_ERRORS * gains.std(ddof=1) / math.sqrt(num_rows)
        if sure > most:
            best, most, cost = number, sure, costs[every, chosen].mean()
    figures = {"gate": cost, "best_expert": alone.mean(), "best_possible": costs.min(axis=1).mean()}
    return best, {name: float(value) for name, value in figures.items()}
