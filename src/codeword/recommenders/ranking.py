"""Rank items by what people take together: a linear autoencoder over items, of low rank and in closed form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from codeword.data_kinds import Interactions, Ratings
from codeword.data_kinds.ratings import LIKED_SHARE
from codeword.recommenders.judge import Judge
from codeword.recommenders.row_network import Float32Array, shortened
from codeword.recommenders.scores import RatingScores, Scored, parts

RecommenderKind = Ratings | Interactions

RANK = 256
EXTRA_COUNTS = (100.0, 10.0)  # tried on held-out interactions; where most items are rare, less is better
STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # of the ridge penalty, also tried
LEAST_WEIGHT = 0.2  # of an item with the lowest rating, beside 1 for one with the highest
JUDGED_AT = 20  # places of a list of recommendations
USER_POWER = 0.5  # of what a user took, by which the user weighs less
MOST_JUDGED = 2_000  # users whose lists are judged
JUDGED_SCORES = 2**23  # users are fewer where they would need more scores than this, but not fewer than
FEWEST_JUDGED = 500
OVERSAMPLING, POWERS = 10, 4  # of the decomposition
SMALLEST_SQUARE = 1e-10  # of a direction's length beside the longest, below which it is rounding
USERS_AT_A_TIME = 2**14
ROWS_AT_A_TIME = 2**10  # in double precision
SEED = 0


class Recipe(NamedTuple):
    """How to learn a ranking.

    Attributes:
        reads_ratings: Whether the input of the autoencoder knows ratings, and not only who took what.
        predicts_likes: Whether its target is what was liked instead of its input.
        strength: Strength of its penalty.
        extra_count: Added to the count of every item in the penalty: an item that few have taken says little.
    """

    reads_ratings: bool
    predicts_likes: bool
    strength: float
    extra_count: float = EXTRA_COUNTS[0]

    def to_config(self) -> dict[str, Any]:
        """Return the entries of a model file, without an extra count that older files do not have."""
        return {name: value for name, value in self._asdict().items() if self._field_defaults.get(name) != value}


@dataclass(frozen=True)
class ItemRanking:
    """What items say about each other.

    Attributes:
        inputs: What each item of a user says, float32 `(items, rank)`.
        outputs: Which items that speaks for, float32 `(items, rank)`.
        recipe: How they were learned.
        popularity: The share of all interactions that each item has, float32 `(items,)`: the order where nothing is
            known of a user.
    """

    inputs: Float32Array
    outputs: Float32Array
    recipe: Recipe
    popularity: Float32Array

    def of_users(self, taken: scipy.sparse.csr_array) -> Scored:
        """Yield batches: which of the users, their scores of all items, and what they have taken.

        Args:
            taken: What users took, on a scale from 0 to 1; see `to_unit_scale`.
        """
        for part in parts(taken.shape[0], taken.shape[1]):
            rows = taken[part]
            scores = (self.weighted(rows) @ self.inputs) @ self.outputs.T
            scores[np.diff(rows.indptr) == 0] = self.popularity
            yield part, scores, rows

    def weighted(self, taken: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
        """Return with which weight each item of a user speaks."""
        return _weighted(taken, self.recipe.reads_ratings)

    @cached_property
    def embeddings(self) -> Float32Array:
        """One vector of length 1 per item, `(items, rank)`: near if the items speak for the same others; 0 for none."""
        values, vectors = np.linalg.eigh(self.outputs.T.astype(np.float64) @ self.outputs)
        embedded = self.inputs @ (vectors * np.sqrt(np.maximum(values, 0)))
        lengths = np.linalg.norm(embedded, axis=1, keepdims=True)
        return np.asarray(embedded / np.where(lengths > 0, lengths, 1), np.float32)


DEFAULT = Recipe(True, False, 1.0)  # without held-out interactions to choose by


def learn_ranking(
    taken: scipy.sparse.csr_array,
    held_out: scipy.sparse.csr_array,
    whole: scipy.sparse.csr_array,
    kind: RecommenderKind,
    by_rating: Callable[[], RatingScores] | None,
    *,
    verbose: bool = False,
) -> tuple[ItemRanking, str]:
    """Learn which items are taken together, as well as held-out interactions show how.

    Args:
        taken: Ratings or counts, of shape (users, items).
        held_out: Others of the same shape.
        whole: All of them.
        kind: What they are.
        by_rating: Makes scores by what users would rate highest, learned from `taken`; they are held while needed.
        verbose: Whether to show a progress bar if it takes more than a second.

    Returns:
        The ranking of the whole, and what recommends held-out items best: "ranking", "rating" or "popularity".
    """
    most = min(MOST_JUDGED, max(FEWEST_JUDGED, JUDGED_SCORES // max(1, taken.shape[1])))
    judge = Judge(to_unit_scale(taken, kind), liked(held_out, kind), k=JUDGED_AT, most=most)
    with tqdm(desc="rank", unit="step", disable=not verbose, delay=1) as bar:
        recipe, quality = choose_recipe(to_unit_scale(taken, kind), judge, kind, bar)
        ranking = fit_ranking(to_unit_scale(whole, kind), recipe)
        bar.update()
    popular = judge.judge(by_popularity(judge.taken, popularity_of(taken)))["ndcg"]  # without the held-out ones
    qualities = {"ranking": quality, "popularity": popular}
    if by_rating is not None:
        qualities["rating"] = judge.judge(by_rating().of_users(judge.users))["ndcg"]
    return ranking, max(qualities, key=lambda by: qualities[by])  # the first if all are equal


def fit_ranking(taken: scipy.sparse.csr_array, recipe: Recipe) -> ItemRanking:
    """Learn which items are taken together by a recipe, from a matrix on a scale from 0 to 1."""
    return _Spectrum(taken, recipe).ranking(recipe)


def choose_recipe(
    taken: scipy.sparse.csr_array, judge: Judge, kind: RecommenderKind, bar: Any = None
) -> tuple[Recipe, float]:
    """Return the recipe that ranks held-out interactions best, and its NDCG.

    A progress bar counts decompositions and recipes, and one step that follows.
    """
    bar = tqdm(disable=True) if bar is None else bar
    if len(judge.users) == 0:
        return DEFAULT, 0.0
    differ = bool((taken.data != taken.data[:1]).any())
    targets = (False, True) if differ and kind.has_ratings else (False,)
    bar.total = (len(EXTRA_COUNTS) + differ) * (1 + len(targets) * len(STRENGTHS)) + 1
    best, quality = DEFAULT, 0.0
    for reads_ratings in (False, True) if differ else (False,):
        for extra_count in (best.extra_count,) if reads_ratings else EXTRA_COUNTS:
            like = Recipe(reads_ratings, False, 1.0, extra_count)
            recipe, found = _best_of(like, targets, taken, judge, bar)
            if found > quality:
                best, quality = recipe, found
    return best, quality


def _best_of(
    like: Recipe, targets: Sequence[bool], taken: scipy.sparse.csr_array, judge: Judge, bar: Any
) -> tuple[Recipe, float]:
    """Return the best of the recipes that differ from one in target and strength, and its NDCG."""
    spectrum = _Spectrum(taken, like)
    bar.update()
    recipes = [like._replace(predicts_likes=likes, strength=strength) for likes in targets for strength in STRENGTHS]
    found = []
    for recipe in recipes:
        found.append(judge.judge(spectrum.ranking(recipe).of_users(judge.taken))["ndcg"])
        bar.update()
    best = int(np.argmax(found))
    return recipes[best], found[best]


class _Spectrum:
    """The decomposition from which the autoencoders of all strengths and targets follow, for one kind of input.

    With inputs X (users, items), targets Y and the penalty D, the weights B that minimize ‖Y - X B‖² + ‖D½ B‖² with a
    zero diagonal are P (Xᵀ Y - diag(c)), where P = (Xᵀ X + D)⁻¹ and c sets the diagonal to zero. D grows with the
    counts of the items, which is what dropout of the inputs would do (Steck, 2020), and makes the eigenvectors of
    X D⁻½ beyond the first few hundred superfluous. So B = D⁻½ V (...) has low rank, and needs no (items, items) matrix.

    References:
        Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019, and "Autoencoders that don't overfit
        towards the Identity", 2020. Differs: low rank by truncation, users weigh by the root of what they took.
    """

    def __init__(self, taken: scipy.sparse.csr_array, recipe: Recipe) -> None:
        self._taken = taken
        inputs = _weighted(taken, recipe.reads_ratings)
        counts = np.maximum(np.diff(taken.indptr), 1)
        weighted = scipy.sparse.diags_array(counts**-USER_POWER) @ inputs
        squares = np.asarray(weighted.multiply(inputs).sum(axis=0)).ravel()
        self._penalty = squares + recipe.extra_count * weighted.sum() / max(inputs.sum(), 1e-30)
        self._root = np.sqrt(self._penalty)
        self._user_weights = scipy.sparse.diags_array(counts ** (-USER_POWER / 2))
        scaled = self._user_weights @ inputs @ scipy.sparse.diags_array(1 / self._root)
        self._scaled = scipy.sparse.csr_array(scaled, dtype=np.float32)
        self._vectors, self._energies = _decomposed(self._scaled)

    def ranking(self, recipe: Recipe) -> ItemRanking:
        """Return the autoencoder of a recipe with the same inputs and extra count."""
        strength = recipe.strength
        vectors, energies, root = self._vectors, self._energies, self._root
        kept = energies / (energies + strength)
        inverse = (1 - np.einsum("ir,r,ir->i", vectors, kept, vectors)) / (strength * self._penalty)  # P's diagonal
        weights = 1 / (strength * inverse * root)
        plain = None
        if recipe.predicts_likes:
            plain = self._moments / (energies + strength).astype(np.float32)
            weights *= np.einsum("ir,ir->i", vectors, plain) / root
        outputs = vectors * kept.astype(np.float32)
        outputs *= weights.astype(np.float32)[:, None]
        if plain is not None:
            outputs += plain
            del plain
        outputs = shortened(outputs)
        inputs = shortened(vectors / root.astype(np.float32)[:, None])
        return ItemRanking(inputs, outputs, recipe, popularity_of(self._taken))

    @cached_property
    def _moments(self) -> Float32Array:
        """What likes have in common with each direction, (items, rank)."""
        targets = self._user_weights @ _ones(self._taken, LIKED_SHARE)
        return _product_over_users(targets, self._scaled, self._vectors)


@threadpool_limits.wrap(limits=1, user_api="blas")  # as in training: on a busy machine, threads wait for each other
def _decomposed(matrix: scipy.sparse.csr_array) -> tuple[Float32Array, NDArray[np.float64]]:
    """Return the first right singular vectors `(columns, rank)`, and the squares of the singular values.

    References:
        Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithm 4.4 on XᵀX, so that no array
        has a row for each user.
    """
    rank = min(RANK, *matrix.shape)
    size = min(rank + OVERSAMPLING, matrix.shape[1])
    basis = np.random.default_rng(SEED).standard_normal((matrix.shape[1], size)).astype(np.float32)
    for _ in range(POWERS):
        basis = _product_over_users(matrix, matrix, basis)  # on its own line, so that no old basis is kept
        basis = _orthogonal(basis)
    rank = min(rank, basis.shape[1])
    energies, directions = np.linalg.eigh(_inner_products(basis, _product_over_users(matrix, matrix, basis)))
    best = slice(-1, -rank - 1, -1)
    return basis @ directions[:, best].astype(np.float32), np.maximum(energies[best], 0)


def _orthogonal(columns: Float32Array) -> Float32Array:
    """Return an orthogonal basis of what columns span, by products that are ten times as fast as a QR decomposition."""
    squares, directions = np.linalg.eigh(_inner_products(columns, columns))
    spans = squares > SMALLEST_SQUARE * squares[-1]
    return columns @ (directions[:, spans] / np.sqrt(squares[spans])).astype(np.float32)


def _inner_products(one: Float32Array, other: Float32Array) -> NDArray[np.float64]:
    """Return oneᵀ @ other in double precision, without an array of it that has all rows."""
    products = np.zeros((one.shape[1], other.shape[1]))
    for start in range(0, len(one), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        products += one[rows].T.astype(np.float64) @ other[rows]
    return products


def _product_over_users(
    one: scipy.sparse.csr_array, other: scipy.sparse.csr_array, right: Float32Array
) -> Float32Array:
    """Return oneᵀ (other @ right) without an array that has a row for each user."""
    product = np.zeros((one.shape[1], right.shape[1]), np.float32)
    for start in range(0, one.shape[0], USERS_AT_A_TIME):
        rows = slice(start, start + USERS_AT_A_TIME)
        product += one[rows].T @ (other[rows] @ right)
    return product


def _weighted(taken: scipy.sparse.csr_array, reads_ratings: bool) -> scipy.sparse.csr_array:
    data = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * taken.data if reads_ratings else np.ones_like(taken.data)
    return scipy.sparse.csr_array((data.astype(np.float32), taken.indices, taken.indptr), shape=taken.shape)


def to_unit_scale(taken: scipy.sparse.csr_array, kind: RecommenderKind) -> scipy.sparse.csr_array:
    """Return ratings or counts on the scale from 0 to 1 of how much each says that it was liked."""
    return scipy.sparse.csr_array((kind.strengths(taken.data), taken.indices, taken.indptr), shape=taken.shape)


def liked(taken: scipy.sparse.csr_array, kind: RecommenderKind, least: float | None = None) -> scipy.sparse.csr_array:
    """Return a one for each rating or count of at least `least`, by default those that say that it was liked."""
    return _ones(taken, kind.liked_from if least is None else least)


def _ones(taken: scipy.sparse.csr_array, least: float) -> scipy.sparse.csr_array:
    ones = scipy.sparse.csr_array((taken.data >= least, taken.indices, taken.indptr), shape=taken.shape)
    ones = ones.astype(np.float32)
    ones.eliminate_zeros()
    return ones


def popularity_of(taken: scipy.sparse.csr_array) -> Float32Array:
    """Return the share of all interactions that each item has, `(items,)`."""
    counts = np.bincount(taken.indices, minlength=taken.shape[1])
    return np.asarray(counts / max(1, counts.sum()), np.float32)


def by_popularity(taken: scipy.sparse.csr_array, popularity: Float32Array) -> Scored:
    """Yield batches as a ranking does, with what is most popular first for everyone."""
    for part in parts(taken.shape[0], taken.shape[1]):
        yield part, np.tile(popularity, (part.stop - part.start, 1)), taken[part]
