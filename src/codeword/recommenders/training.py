"""Trains the networks of a rating autoencoder, and weighs them."""

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from tqdm import tqdm

from codeword.errors import DivergedError
from codeword.recommenders.biases import Biases
from codeword.recommenders.member import WIDTH, Member, entering
from codeword.recommenders.row_fitting import fit_rows
from codeword.recommenders.row_network import Floats, RowNetwork
from codeword.recommenders.settings import KINDS_BY

STEPS_PER_EPOCH = 30
MAX_BATCH_SIZE = 100_000
PAIRS = 2**15  # held-out ratings answered at a time
ITEMS_WEIGHT = 0.8  # of networks by items beside networks by users, where no held-out ratings tell it


def train_members(
    model: Any, ratings: scipy.sparse.csr_array, held_out: scipy.sparse.csr_array | None
) -> tuple[Biases, list[Member], NDArray[np.float32], float]:
    """Trains what the settings of a `RatingAutoencoder` ask for.

    Args:
        model: Its settings.
        ratings: CSR of shape (users, items), on a scale from 0 to 4.
        held_out: The same, to measure by; None: a random part of `ratings`.

    Returns:
        Biases, networks, the networks' weights, which sum to 1, and the root mean squared error on the held-out
        ratings, NaN without any.

    Raises:
        DivergedError: If the error becomes NaN or infinite.
    """
    generator = np.random.default_rng(model.seed)
    if held_out is None:
        ratings, held_out = _split(ratings, model.validation_fraction, generator)
    biases = Biases.of(ratings)
    residuals = biases.residuals(ratings, biases.users)
    aims = biases.residuals(held_out, biases.users)
    kinds = [by for by in KINDS_BY[model.by] for _ in range(model.members)]
    members, answers = [], []
    with tqdm(total=len(kinds) * model.epochs, disable=model.verbose != 1, desc="fit", unit="epoch") as bar:
        for number, by in enumerate(kinds):
            tracker = _Tracker(model, by, residuals, aims, bar, f"{by} {number % model.members + 1}")
            members.append(tracker.train(generator.spawn(1)[0]))
            answers.append(tracker.best_answers)
    weights = _weights(kinds, np.array(answers), aims.data)
    combined = np.clip(weights @ np.array(answers) + held_out.data - aims.data, 0, WIDTH) if aims.nnz else np.zeros(0)
    return biases, members, weights, _root_mean_square(combined - held_out.data)


class _Tracker:
    """Trains one network, and keeps its best weights."""

    def __init__(
        self, model: Any, by: str, residuals: scipy.sparse.csr_array, aims: scipy.sparse.csr_array, bar: Any, name: str
    ) -> None:
        self._model, self._bar, self._name = model, bar, name
        self._residuals, self._aims = residuals, aims
        self._unit = (model.scale[1] - model.scale[0]) / WIDTH
        self._best: RowNetwork | None = None
        self._best_error, self._bad_epochs = np.inf, 0
        self.best_answers: Floats = np.zeros(aims.nnz, np.float32)
        self.by = by

    def train(self, generator: np.random.Generator) -> Member:
        """Trains and gives the network of the least error on the held-out ratings; without any, the last."""
        model = self._model
        rows = self._residuals.T.tocsr() if self.by == "items" else self._residuals
        network = RowNetwork.random(rows.shape[1], model.units, generator)
        # A column without a rating to learn from says what all columns share, and enters nothing.
        self._unseen = np.bincount(rows.indices, minlength=rows.shape[1]) == 0
        network.kernel_in[self._unseen] = network.kernel_out[self._unseen] = 0
        self._inputs = entering(rows)
        self._member = Member(self.by, network, float(model.weight_decay))
        self._member.history = {"mse": []} if self._aims.nnz == 0 else {"mse": [], "val_rmse": []}
        batch_size = model.batch_size or min(MAX_BATCH_SIZE, -(-rows.nnz // STEPS_PER_EPOCH))
        fit_rows(
            network,
            self._inputs,
            rows.data,
            epochs=model.epochs,
            steps_per_epoch=-(-rows.nnz // batch_size),
            learning_rate=model.learning_rate,
            weight_decay=model.weight_decay,
            noise=model.noise,
            generator=generator,
            after_epoch=self._after_epoch,
        )
        if self._best is not None:
            self._member.network = self._best
        return self._member

    def _after_epoch(self, epoch: int, mse: float) -> bool:
        history = self._member.history
        history["mse"].append(mse * self._unit**2)
        shown = f"mse {history['mse'][-1]:.4f}"
        if not np.isfinite(mse):
            raise DivergedError(
                f"The error must stay finite. Received: {mse} in epoch {epoch}, at learning_rate="
                f"{self._model.learning_rate}. Lower it."
            )
        if self._aims.nnz:
            answers = self._answers()
            error = _root_mean_square(answers - self._aims.data)
            history["val_rmse"].append(error * self._unit)
            shown += f", held out rmse {history['val_rmse'][-1]:.4f}"
            if error < self._best_error:
                self._best_error, self._bad_epochs, self.best_answers = error, 0, answers
                self._best = self._member.network.copy()
            else:
                self._bad_epochs += 1
        self._bar.set_postfix_str(f"{self._name}: {shown}")
        self._bar.update()
        if self._model.verbose == 2:
            print(f"{self._name} epoch {epoch}/{self._model.epochs}: {shown}")
        stop = self._bad_epochs >= self._model.patience
        if stop:
            self._bar.update(self._model.epochs - epoch)
        return stop

    def _answers(self) -> Floats:
        """Gives the network's answers at the held-out ratings."""
        network, pairs = self._member.network, self._aims.tocoo()
        codes = network.hidden(self._inputs)
        own = network.kernel_out + network.common_out
        codes[np.diff(self._inputs.indptr) == 0] = 0
        own[self._unseen] = 0
        row, column = (pairs.col, pairs.row) if self.by == "items" else (pairs.row, pairs.col)
        answers = np.empty(len(row), np.float32)
        for start in range(0, len(row), PAIRS):
            part = slice(start, start + PAIRS)
            np.einsum("ij,ij->i", codes[row[part]], own[column[part]], out=answers[part])
        return answers


def _split(
    ratings: scipy.sparse.csr_array, fraction: float, generator: np.random.Generator
) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
    """Holds a share of the ratings out, within the rows: every user and item keeps one, or nothing would know them."""
    order = generator.permutation(ratings.nnz)
    users = np.repeat(np.arange(ratings.shape[0]), np.diff(ratings.indptr))
    spare = np.ones(ratings.nnz, bool)
    for owner in (users, ratings.indices):
        spare[order[np.unique(owner[order], return_index=True)[1]]] = False
    held_out = np.zeros(ratings.nnz, bool)
    held_out[order[spare[order]][: int(fraction * ratings.nnz)]] = True
    return _entries_of(ratings, ~held_out), _entries_of(ratings, held_out)


def _entries_of(matrix: scipy.sparse.csr_array, chosen: NDArray[np.bool_]) -> scipy.sparse.csr_array:
    indptr = np.concatenate([[0], np.cumsum(chosen)])[matrix.indptr]
    return scipy.sparse.csr_array((matrix.data[chosen], matrix.indices[chosen], indptr), shape=matrix.shape)


def _weights(kinds: list[str], answers: NDArray[np.float32], aims: Floats) -> NDArray[np.float32]:
    """Weighs networks of one kind alike, and the two kinds by least squares on the held-out ratings."""
    by_items = np.array([by == "items" for by in kinds])
    if by_items.all() or not by_items.any():
        return np.full(len(kinds), 1 / len(kinds), np.float32)
    share = ITEMS_WEIGHT
    if len(aims):
        one, other = answers[by_items].mean(axis=0), answers[~by_items].mean(axis=0)
        difference = (one - other).astype(np.float64)
        square = float(difference @ difference)
        share = float(np.clip(difference @ (aims - other) / square, 0, 1)) if square > 0 else share
    return np.where(by_items, share / by_items.sum(), (1 - share) / (~by_items).sum()).astype(np.float32)


def _root_mean_square(errors: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.square(errors, dtype=np.float64).mean())) if len(errors) else float("nan")
