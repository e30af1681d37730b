"""Train the networks of a rating autoencoder, and weigh them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from tqdm.auto import tqdm

from codeword.data_kinds import Ratings
from codeword.errors import DivergedError
from codeword.recommenders.biases import SCALE_WIDTH, Biases, network_unit, to_network_scale
from codeword.recommenders.ensemble_member import EnsembleMember, network_input
from codeword.recommenders.gaussian_factors import GaussianFactors, fit_gaussian
from codeword.recommenders.held_out import errors_of_biases, expected_square
from codeword.recommenders.row_fitting import fit_rows
from codeword.recommenders.row_network import Float32Array, RowNetwork, short
from codeword.recommenders.weighing import HeldOut

STEPS_PER_EPOCH = 30
EPOCHS_OF_A_HIGH_RATE = 0.5  # the share of all epochs before which training never stops
MAX_BATCH_SIZE = 100_000
PAIRS_AT_A_TIME = 2**12  # held-out ratings predicted at a time
FEWEST_ROWS = 5 * STEPS_PER_EPOCH  # of a network by items
FEWEST_PER_COLUMN = 20  # ratings, on average, that the weights of a user are worth


@dataclass(frozen=True)
class Recipe:
    """How to train: settings of a `RatingAutoencoder`, which documents them."""

    by: str
    members: int
    units: int
    noise: float
    weight_decay: float
    epochs: int
    batch_size: int | None
    learning_rate: float
    validation_fraction: float
    patience: int | None
    seed: int
    verbose: bool | int


class Ensemble(NamedTuple):
    """What predicts ratings together.

    Attributes:
        biases: Mean and biases.
        members: Networks.
        weights: Their weights, which sum to 1 or less.
        gaussian: A Gaussian model beside them, None where it does not help or nothing was held out to tell.
        validation_rmse: RMSE to expect of all together on new ratings, from held-out ones, each predicted with
            weights that the others gave; NaN without any.
    """

    biases: Biases
    members: list[EnsembleMember]
    weights: NDArray[np.float32]
    gaussian: GaussianFactors | None
    validation_rmse: float


def train_ensemble(
    ratings: scipy.sparse.csr_array,
    held_out: scipy.sparse.csr_array,
    kind: Ratings,
    recipe: Recipe,
    *,
    drawn_from: scipy.sparse.csr_array | None = None,
) -> Ensemble:
    """Train networks on the residuals of biases.

    Args:
        ratings: CSR of shape (users, items).
        held_out: Other ratings of the same shape, to measure the error; may be empty.
        kind: The scale of the ratings.
        recipe: How to train.
        drawn_from: All ratings, if those held out were drawn from them evenly.
    """
    generator, random = np.random.default_rng([recipe.seed, 1]), np.random.default_rng([recipe.seed, 2])
    ratings, held_out = to_network_scale(ratings, kind), to_network_scale(held_out, kind)
    biases = Biases.of(ratings)
    residuals = biases.residuals(ratings, biases.users)
    targets = biases.residuals(held_out, biases.users)
    wanted = chosen_rows(ratings) if recipe.by == "auto" else recipe.by
    kinds = [by for by in ("items", "users") if wanted in (by, "both") for _ in range(recipe.members)]
    members, predictions = [], []
    with tqdm(total=len(kinds) * recipe.epochs, disable=recipe.verbose != 1, desc="fit", unit="epoch") as bar:
        for number, by in enumerate(kinds):

            def report(text: str, epochs: int, name: str = f"{by} {number % recipe.members + 1}") -> None:
                bar.set_postfix_str(f"{name}: {text}")
                bar.update(epochs)
                if recipe.verbose > 1:
                    print(f"{name} {text}", file=sys.stderr)

            training = _MemberTraining(by, residuals, targets, recipe, network_unit(kind), report)
            members.append(training.run(generator.spawn(1)[0]))
            predictions.append(training.predictions)
    gaussian, of_gaussian = None, np.zeros(targets.nnz, np.float32)
    if targets.nnz:
        gaussian = fit_gaussian(residuals, generator.spawn(1)[0])
        of_gaussian = _predictions(gaussian.of_users(residuals), gaussian.means, targets)
    judged = HeldOut(kinds, np.array(predictions), of_gaussian, targets.data)
    weights = judged.weights()
    gaussian = replace(gaussian, weight=weights.gaussian) if gaussian and weights.gaussian > 0 else None
    predicted = judged.cross_fitted(random) + held_out.data - targets.data
    squares = np.square(np.clip(predicted, 0, SCALE_WIDTH) - held_out.data)
    square = float(squares.mean()) if len(squares) else float("nan")
    if drawn_from is not None and len(squares):
        of_biases = np.square(errors_of_biases(biases, held_out))
        square = expected_square(squares, of_biases, to_network_scale(drawn_from, kind), random)
    return Ensemble(biases, members, weights.networks, gaussian, float(np.sqrt(square)) * network_unit(kind))


def chosen_rows(ratings: scipy.sparse.csr_array) -> str:
    """Return what a network should read as a row: "items", but "users" where they are many and have too few ratings."""
    users, items = np.count_nonzero(np.diff(ratings.indptr)), len(np.unique(ratings.indices))
    many = users > items
    return "users" if many and (items < FEWEST_ROWS or ratings.nnz < FEWEST_PER_COLUMN * users) else "items"


def no_ensemble(num_users: int, num_items: int) -> Ensemble:
    """Return what stands for biases and networks where there are no ratings to predict."""
    zeros = Biases(0.0, np.zeros(num_users, np.float32), np.zeros(num_items, np.float32))
    return Ensemble(zeros, [], np.zeros(0, np.float32), None, float("nan"))


@dataclass
class _MemberTraining:
    """Train one network whose rows are `by` "items" or "users", and predict the held-out `targets`.

    Weights are the last, or with `patience` the best on the targets. Without it no epoch is chosen by them, because
    that would make the error on them too low, and what is best alone is not what is best beside the biases.
    """

    by: str
    residuals: scipy.sparse.csr_array
    targets: scipy.sparse.csr_array
    recipe: Recipe
    unit: float  # what 1 on the networks' scale is in units of the ratings
    report: Callable[[str, int], None]  # called after each epoch: its errors, the number of epochs that are now done

    def __post_init__(self) -> None:
        self._rows = self.residuals.T.tocsr() if self.by == "items" else self.residuals
        # A column without a rating to learn from has only what all columns share, and enters nothing.
        self._unseen = np.bincount(self._rows.indices, minlength=self._rows.shape[1]) == 0
        self._inputs = network_input(self._rows)
        self._best: dict[str, NDArray[np.floating]] = {}  # the weights, the kernels in half the bytes
        self._best_error, self._bad_epochs = np.inf, 0
        self.predictions: Float32Array = np.zeros(self.targets.nnz, np.float32)

    def run(self, generator: np.random.Generator) -> EnsembleMember:
        """Return the network of the last epoch or, with patience, of that with the least error on held-out ratings."""
        rows, recipe = self._rows, self.recipe
        network = RowNetwork.random(rows.shape[1], recipe.units, generator)
        network.kernel_in[self._unseen] = network.kernel_out[self._unseen] = 0
        history: dict[str, list[float]] = {"mse": [], "val_rmse": []} if self.targets.nnz else {"mse": []}
        self._member = EnsembleMember(self.by, network, float(recipe.weight_decay), history)
        batch_size = recipe.batch_size or min(MAX_BATCH_SIZE, -(-rows.nnz // STEPS_PER_EPOCH))
        fit_rows(
            network,
            self._inputs,
            rows.data,
            epochs=recipe.epochs,
            steps_per_epoch=-(-rows.nnz // batch_size),
            learning_rate=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            noise=recipe.noise,
            generator=generator,
            after_epoch=self._after_epoch,
        )
        for name, weights in self._best.items():
            vars(network)[name][:] = weights
        network.shorten()
        return self._member

    def _after_epoch(self, epoch: int, mse: float) -> bool:
        recipe, history = self.recipe, self._member.history
        history["mse"].append(mse * self.unit**2)
        shown = f"epoch {epoch}/{recipe.epochs}: mse {history['mse'][-1]:.4f}"
        if not np.isfinite(mse):
            raise DivergedError(
                f"The error must stay finite: got {mse} in epoch {epoch}. Lower `learning_rate`, "
                f"now {recipe.learning_rate}."
            )
        if self.targets.nnz:
            predictions = self._predictions()
            error = _root_mean_square(predictions - self.targets.data)
            history["val_rmse"].append(error * self.unit)
            shown += f", held-out rmse {history['val_rmse'][-1]:.4f}"
            if recipe.patience is None:
                self.predictions = predictions
            elif error < self._best_error:
                self._best_error, self._bad_epochs, self.predictions = error, 0, predictions
                self._best.clear()  # before the next copy is made
                for name, weights in vars(self._member.network).items():
                    self._best[name] = short(weights) if weights.ndim > 1 else weights.copy()
            else:
                self._bad_epochs += 1
        # While the learning rate is high the error may rise for some epochs, and fall below the best one later.
        is_settling = epoch > recipe.epochs * EPOCHS_OF_A_HIGH_RATE
        stop = recipe.patience is not None and is_settling and self._bad_epochs >= recipe.patience
        self.report(shown, recipe.epochs - epoch + 1 if stop else 1)
        return stop

    def _predictions(self) -> Float32Array:
        """Return the network's outputs at the held-out ratings."""
        network, pairs = self._member.network, self.targets.tocoo()
        row, column = (pairs.col, pairs.row) if self.by == "items" else (pairs.row, pairs.col)
        predictions = np.empty(len(row), np.float32)
        order = np.argsort(row, kind="stable")  # so that the codes of few rows are needed at a time
        for start in range(0, len(order), PAIRS_AT_A_TIME):
            part = order[start : start + PAIRS_AT_A_TIME]
            present, which = np.unique(row[part], return_inverse=True)
            codes = network.hidden(self._inputs[present])
            codes[np.diff(self._inputs.indptr)[present] == 0] = 0
            own = network.kernel_out[column[part]] + network.common_out
            own[self._unseen[column[part]]] = 0
            predictions[part] = np.einsum("ij,ij->i", codes[which], own)
        return predictions


def _predictions(users: Float32Array, items: Float32Array, targets: scipy.sparse.csr_array) -> Float32Array:
    """Return the products of users' and items' vectors where targets (users, items) are stored."""
    pairs = targets.tocoo()
    predictions = np.empty(targets.nnz, np.float32)
    for start in range(0, targets.nnz, PAIRS_AT_A_TIME):
        part = slice(start, start + PAIRS_AT_A_TIME)
        np.einsum("ij,ij->i", users[pairs.row[part]], items[pairs.col[part]], out=predictions[part])
    return predictions


def _root_mean_square(errors: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.square(errors, dtype=np.float64).mean())) if len(errors) else float("nan")
