"""How a gate is trained: on what every expert's answer would cost, with as much freedom as held-out rows confirm."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.gates.network import build_gate, build_gates, weights_of
from codeword.inference.fixed_batches import in_fixed_batches
from codeword.losses import ChosenCost
from codeword.training import recipe as fitting
from codeword.training.batches import ShuffledBatches, take_rows

ops = keras.ops

NUM_STEPS = 1_500
BATCH_ROWS = 256
NUM_FOLDS = 5
LEAST_ROWS = 20  # fewer say nothing of a gate
SHARPNESS = math.log(9)  # an expert that is right is believed nine times as much as one that is wrong
STANDARD_ERRORS = 2.0


class Trained(NamedTuple):
    """A gate's network, what was trained for it, and what its choices cost on rows that it has not seen."""

    model: Any
    hidden: tuple[int, ...]
    history: dict[str, list[float]]
    held_out: dict[str, float]


class _Candidate(NamedTuple):
    """A kind of gate: its bank, the gate of the bank that has seen all rows, and what it chose for unseen rows."""

    bank: int
    number: int
    chosen: NDArray[np.intp]


def train_gate(gate: Any, rows: NDArray[np.float32], costs: NDArray[np.floating[Any]]) -> Trained:
    """Trains gates, linear and with hidden layers, under several penalties, and keeps the one that holds up.

    Each learns six times side by side: from all rows, and from all but a fold, which says what such a gate is worth on
    rows that it has not seen. The best is taken if its gain over the best single expert is more than twice that gain's
    standard error; otherwise the best single expert is always chosen.
    """
    penalties = np.atleast_1d(np.asarray(gate.penalty, np.float32))
    hidden = tuple(int(units) for units in gate.hidden)
    banks = [(), hidden] if hidden else [()]
    num_folds = min(NUM_FOLDS, len(rows))
    folds = np.random.default_rng(int(gate.seed)).permutation(len(rows)) % num_folds
    # Gates of one penalty stand together: one without each fold, the last with all rows.
    seen = np.tile(np.vstack([~np.eye(num_folds, dtype=bool), np.ones(num_folds, bool)]), (len(penalties), 1))
    num_gates = len(banks) * len(seen)
    penalties = np.repeat(penalties, num_folds + 1) * seen.mean(axis=1, dtype=np.float32) / num_gates
    gates = build_gates(rows.shape[1], costs.shape[1], banks=banks, penalties=penalties)
    batches = ShuffledBatches(
        (rows, (costs / num_gates).astype(np.float32), folds, np.tile(seen.T, len(banks))),
        batch_size=gate.batch_size or BATCH_ROWS,
        seed=int(gate.seed),
        batch=_with_seen_costs,
    )
    history = fitting.fit(
        gates,
        batches,
        loss=ChosenCost(SHARPNESS * num_gates, gate.balance / num_gates),
        epochs=gate.epochs or max(10, math.ceil(NUM_STEPS / len(batches))),
        learning_rate=gate.learning_rate,
        verbose=gate.verbose,
    )
    candidates = _candidates(gates, rows, folds, len(banks))
    best, held_out = _best(candidates, costs, gate.balance)
    hidden = banks[best.bank] if best else ()
    model = build_gate(rows.shape[1], costs.shape[1], hidden=hidden)
    if best:
        model.set_weights(weights_of(gates, best.bank, best.number))
    else:
        kernel, bias = (np.zeros_like(weight) for weight in model.get_weights())
        bias[costs.mean(axis=0).argmin()] = 1.0
        model.set_weights([kernel, bias])
    return Trained(model, hidden, history, held_out)


def _with_seen_costs(arrays: Any, chosen: Any) -> tuple[Any, Any]:
    """Gives rows, and for each of many gates the costs of the rows that it may see, 0 for others."""
    rows, costs, folds, seen = arrays  # seen: (num_folds, num_gates)
    taken = ops.cast(take_rows(seen, take_rows(folds, chosen)), "float32")
    return take_rows(rows, chosen), take_rows(costs, chosen)[:, None, :] * taken[:, :, None]


def _candidates(gates: Any, rows: NDArray[np.float32], folds: NDArray[np.intp], num_banks: int) -> list[_Candidate]:
    """Gives every kind of gate with its choices for rows that it has not seen."""
    num_folds, num_gates = folds.max() + 1, gates.output_shape[1]
    chosen = np.empty((len(rows), num_gates), np.intp)
    for part, shares in in_fixed_batches(gates, rows, description="held-out rows"):
        chosen[part] = shares.argmax(axis=-1)
    a_bank, every = num_gates // num_banks, np.arange(len(rows))
    return [
        _Candidate(start // a_bank, start % a_bank + num_folds, chosen[every, start + folds])
        for start in range(0, num_gates, num_folds + 1)
    ]


def _best(
    candidates: list[_Candidate], costs: NDArray[np.floating[Any]], balance: float
) -> tuple[_Candidate | None, dict[str, float]]:
    """Gives the kind of gate to keep, None for the best single expert; and mean costs on held-out rows."""
    num_rows, num_experts = costs.shape
    every = np.arange(num_rows)
    alone = costs[:, costs.mean(axis=0).argmin()]
    best, most, cost = None, 0.0, alone.mean()
    for candidate in candidates if num_rows >= LEAST_ROWS else ():
        gains = alone - costs[every, candidate.chosen]
        shares = np.bincount(candidate.chosen, minlength=num_experts) / num_rows
        spared = balance * num_experts * (1 - np.square(shares).sum())  # of what one expert for all would cost
        sure = gains.mean() + spared - STANDARD_ERRORS * gains.std(ddof=1) / math.sqrt(num_rows)
        if sure > most:
            best, most, cost = candidate, sure, costs[every, candidate.chosen].mean()
    figures = {"gate": cost, "best_expert": alone.mean(), "best_possible": costs.min(axis=1).mean()}
    return best, {name: float(value) for name, value in figures.items()}
