"""Rank items by what people take together: a linear autoencoder over items, of low rank and in closed form."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from codeword.data_kinds import Ratings
from codeword.recommenders.judge import Judge
from codeword.recommenders.row_network import Float32Array
from codeword.recommenders.scores import Scored, parts

RANK = 256
EXTRA_COUNT = 100.0  # added to the count of every item: an item that few have taken says little
STRENGTHS = (0.5, 1.0, 2.0, 4.0)  # of the ridge penalty, tried on held-out interactions
LIKED_FROM = 0.75  # of the way from the lowest to the highest rating
LEAST_WEIGHT = 0.2  # of an item with the lowest rating, beside 1 for one with the highest
JUDGED_AT = 20  # places of a list of recommendations
USER_POWER = 0.5  # of what a user took, by which the user weighs less
MOST_JUDGED = 2_000  # users whose lists are judged
SEED = 0


@dataclass(frozen=True)
class ItemRanking:
    """What items say about each other.

    Attributes:
        inputs: What each item of a user says, float32 `(items, rank)`.
        outputs: Which items that speaks for, float32 `(items, rank)`.
        popularity: The share of all interactions that each item has, float32 `(items,)`: the order where nothing is
            known of a user, and for everyone if the rank is 0.
        reads_ratings: Whether an item with a high rating says more than one with a low rating.
    """

    inputs: Float32Array
    outputs: Float32Array
    popularity: Float32Array
    reads_ratings: bool

    def scores(self, taken: scipy.sparse.csr_array) -> Float32Array:
        """Return the score of each item for each user, from the ratings on a scale from 0 to 1 of what a user took."""
        scores = (_weighted(taken, self.reads_ratings) @ self.inputs) @ self.outputs.T
        scores[np.diff(taken.indptr) == 0 if self.inputs.shape[1] else slice(None)] = self.popularity
        return scores

    def of_users(self, taken: scipy.sparse.csr_array) -> Scored:
        """Yield batches: which of the users, their scores of all items, and what they have taken."""
        for part in parts(taken.shape[0], taken.shape[1]):
            yield part, self.scores(taken[part]), taken[part]


class Recipe(NamedTuple):
    """Whether inputs and targets of the autoencoder know ratings, and how strong its penalty is."""

    reads_ratings: bool
    predicts_likes: bool
    strength: float


READINGS = ((False, False), (False, True), (True, False), (True, True))  # what knows ratings: inputs, targets
DEFAULT = Recipe(True, False, 1.0)  # without held-out interactions to choose by


def learn_ranking(
    taken: scipy.sparse.csr_array,
    held_out: scipy.sparse.csr_array,
    whole: scipy.sparse.csr_array,
    by_rating: Callable[[NDArray[np.intp]], Scored],
) -> tuple[ItemRanking, str]:
    """Learn which items are taken together, as well as held-out interactions show how.

    Args:
        taken: Ratings on a scale from 0 to 1, 1 for interactions without a rating, of shape (users, items).
        held_out: Other ratings of the same shape.
        whole: All of them.
        by_rating: Scores of all items for some users by what they would rate highest, learned from `taken`.

    Returns:
        The ranking of the whole, and what recommends held-out items better, "ranking" or "rating".
    """
    judge = Judge(taken, likes(held_out), k=JUDGED_AT, most=MOST_JUDGED)
    if len(judge.users) == 0:
        return fit_ranking(whole, DEFAULT), "ranking"
    recipe, quality = choose_recipe(taken, judge)
    is_better = judge.judge(by_rating(judge.users))["ndcg"] > quality
    return fit_ranking(whole, recipe), "rating" if is_better else "ranking"


def fit_ranking(taken: scipy.sparse.csr_array, recipe: Recipe | None) -> ItemRanking:
    """Learn which items are taken together by a recipe, or rank by popularity without one."""
    if recipe is None:
        none = np.zeros((taken.shape[1], 0), np.float32)
        return ItemRanking(none, none, _popularity(taken), False)
    (ranking,) = _rankings(taken, recipe.reads_ratings, recipe.predicts_likes, [recipe.strength])
    return ranking


def choose_recipe(taken: scipy.sparse.csr_array, judge: Judge) -> tuple[Recipe | None, float]:
    """Return the recipe that ranks held-out interactions best, None for popularity, and how well."""
    best, quality = None, judge.judge(fit_ranking(taken, None).of_users(judge.taken))["ndcg"]
    are_rated = taken.nnz > 0 and bool((taken.data != taken.data[0]).any())
    for reads, predicts in READINGS if are_rated else READINGS[:1]:
        for strength, ranking in zip(STRENGTHS, _rankings(taken, reads, predicts, STRENGTHS), strict=True):
            found = judge.judge(ranking.of_users(judge.taken))["ndcg"]
            if found > quality:
                best, quality = Recipe(reads, predicts, strength), found
    return best, quality


def _rankings(
    taken: scipy.sparse.csr_array, reads_ratings: bool, predicts_likes: bool, strengths: Sequence[float]
) -> Iterator[ItemRanking]:
    """Yield the autoencoder of each strength, from one decomposition.

    With inputs X (users, items), targets Y and the penalty D, the weights B that minimize ‖Y - X B‖² + ‖D½ B‖² with a
    zero diagonal are P (Xᵀ Y - diag(c)), where P = (Xᵀ X + D)⁻¹ and c sets the diagonal to zero. D grows with the
    counts of the items, which is what dropout of the inputs would do (Steck, 2020), and makes the eigenvectors of
    X D⁻½ beyond the first few hundred superfluous. So B = D⁻½ V (...) has low rank, and needs no (items, items) matrix.

    References:
        Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019, and "Autoencoders that don't overfit
        towards the Identity", 2020. Differs: low rank by truncation, users weigh by the root of what they took.
    """
    inputs = _weighted(taken, reads_ratings)
    counts = np.maximum(np.diff(taken.indptr), 1)
    rows = scipy.sparse.diags_array(counts**-USER_POWER)
    weighted = rows @ inputs
    squares = np.asarray(weighted.multiply(inputs).sum(axis=0)).ravel()
    mean_weight = weighted.sum() / max(inputs.sum(), 1e-30)
    penalty = squares + EXTRA_COUNT * mean_weight
    root = np.sqrt(penalty)
    scaled = scipy.sparse.diags_array(np.sqrt(counts**-USER_POWER)) @ inputs @ scipy.sparse.diags_array(1 / root)
    scaled = scipy.sparse.csr_array(scaled, dtype=np.float32)
    vectors, energies = _decomposed(scaled)
    moments = None
    if predicts_likes:
        targets = scipy.sparse.diags_array(np.sqrt(counts**-USER_POWER)) @ likes(taken)
        moments = np.asarray(targets.T @ (scaled @ vectors))  # (items, rank)
    for strength in strengths:
        kept = energies / (energies + strength)
        inverse = (1 - np.einsum("ir,r,ir->i", vectors, kept, vectors)) / (strength * penalty)  # the diagonal of P
        outputs = vectors * kept / root[:, None]
        if moments is None:
            outputs /= (strength * inverse)[:, None]
        else:
            plain = moments / (energies + strength)
            diagonal = np.einsum("ir,ir->i", vectors, plain) / root
            outputs = plain + outputs * (diagonal / inverse / strength)[:, None]
        yield ItemRanking(
            np.asarray(vectors / root[:, None], np.float32),
            np.asarray(outputs, np.float32),
            _popularity(taken),
            reads_ratings,
        )


def _decomposed(matrix: scipy.sparse.csr_array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the first right singular vectors `(columns, rank)`, and the squares of the singular values."""
    rank = min(RANK, *matrix.shape)
    _, values, vectors = randomized_svd(matrix, rank, n_iter=3, random_state=SEED)
    return vectors.T.astype(np.float64), values.astype(np.float64) ** 2


def _weighted(taken: scipy.sparse.csr_array, reads_ratings: bool) -> scipy.sparse.csr_array:
    data = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * taken.data if reads_ratings else np.ones_like(taken.data)
    return scipy.sparse.csr_array((data.astype(np.float32), taken.indices, taken.indptr), shape=taken.shape)


def to_unit_scale(ratings: scipy.sparse.csr_array, kind: Ratings) -> scipy.sparse.csr_array:
    """Return ratings on a scale from 0 to 1."""
    data = (ratings.data - np.float32(kind.low)) / np.float32(kind.high - kind.low)
    return scipy.sparse.csr_array((data, ratings.indices, ratings.indptr), shape=ratings.shape)


def likes(taken: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Return a one for each rating in the upper quarter of the scale from 0 to 1."""
    liked = scipy.sparse.csr_array((taken.data >= LIKED_FROM, taken.indices, taken.indptr), shape=taken.shape)
    liked = liked.astype(np.float32)
    liked.eliminate_zeros()
    return liked


def _popularity(taken: scipy.sparse.csr_array) -> Float32Array:
    counts = np.bincount(taken.indices, minlength=taken.shape[1])
    return np.asarray(counts / max(1, counts.sum()), np.float32)
