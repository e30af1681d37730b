"""What the biases and networks of a rating autoencoder predict together, for known users and for new ones."""

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.data_kinds import Ratings
from codeword.recommenders.biases import Biases, network_unit, to_network_scale
from codeword.recommenders.ensemble_member import EnsembleMember
from codeword.recommenders.gaussian_factors import GaussianFactors
from codeword.recommenders.row_network import Float32Array

Scored = Iterator[tuple[slice, Float32Array, scipy.sparse.csr_array]]  # users, scores of all items, what they took
SCORES_AT_A_TIME = 2**21  # users x items, or pairs x factors: 8 MiB, and three times that while they are ranked


class RatingScores:
    """Compute scores on a scale from 0 to 4 for users and items by position; -1 stands for an unknown one.

    Biases, networks, their weights and a Gaussian model were learned from `ratings`, CSR of shape (users, items).

    Attributes:
        rated_users: Whether each user has a rating; one more entry than users, false, for the unknown.
        rated_items: Whether each item has a rating; one more entry than items, false, for the unknown.
    """

    def __init__(
        self,
        ratings: scipy.sparse.csr_array,
        kind: Ratings,
        biases: Biases,
        members: Sequence[EnsembleMember],
        weights: Float32Array,
        gaussian: GaussianFactors | None,
    ) -> None:
        residuals = biases.residuals(to_network_scale(ratings, kind), biases.users)
        counted = [(member, weight) for member, weight in zip(members, weights, strict=True) if weight != 0]
        self._kind, self._biases, self._gaussian = kind, biases, gaussian
        self._members = [member for member, _ in counted]
        width = sum(len(member.network.bias_in) for member in self._members)
        width += gaussian.means.shape[1] if gaussian else 0
        # The last row of everything, position -1, stands for the unknown.
        self._item_factors = np.zeros((residuals.shape[1] + 1, width), np.float32)
        self._codes: list[Float32Array | None] = []  # of networks by items, from which the factors of new users follow
        start = 0
        for member, weight in counted:
            factors = member.item_factors(residuals)
            np.multiply(factors, weight, out=self._item_factors[:-1, start : start + factors.shape[1]])
            self._codes.append(factors if member.by == "items" else None)
            start += factors.shape[1]
        if gaussian:
            np.multiply(gaussian.means, np.float32(gaussian.weight), out=self._item_factors[:-1, start:])
        self._user_biases, self._item_biases = np.pad(biases.users, (0, 1)), np.pad(biases.items, (0, 1))
        self._residuals = with_unknown_user(residuals)
        self.rated_users = np.diff(self._residuals.indptr) > 0
        self.rated_items = np.bincount(residuals.indices, minlength=residuals.shape[1] + 1) > 0

    def as_ratings(self, scores: Float32Array, *, rounded: bool = False) -> NDArray[np.float32]:
        """Return scores as ratings within the scale or, if `rounded`, on its steps."""
        ratings = self._kind.from_network(self._kind.low + scores * network_unit(self._kind), {})
        return self._kind.quantize(ratings).astype(np.float32) if rounded else ratings

    def rows(self, by: str) -> scipy.sparse.csr_array:
        """Return the residuals with items, or users, as rows."""
        known = self._residuals[:-1]
        return known.T.tocsr() if by == "items" else known

    def of_pairs(self, users: NDArray[np.intp], items: NDArray[np.intp]) -> Float32Array:
        """Return each pair's score, (n,)."""
        scores = self.of_biases(users, items)
        order = np.argsort(users, kind="stable")  # so that a user's factors are computed once or twice, not per pair
        for part in parts(len(order), self._item_factors.shape[1]):
            pairs = order[part]
            present, which = np.unique(users[pairs], return_inverse=True)
            factors = self._user_factors(present)[which]
            scores[pairs] += np.einsum("ij,ij->i", factors, self._item_factors[items[pairs]])
        return scores

    def of_biases(self, users: NDArray[np.intp], items: NDArray[np.intp]) -> Float32Array:
        """Return the score of each pair by the biases alone, (n,)."""
        return self._user_biases[users] + self._item_biases[items] + np.float32(self._biases.mean)

    def of_users(self, users: NDArray[np.intp]) -> Scored:
        """Yield batches: which of the users, their scores of all items, and what they have rated."""
        for part in parts(len(users), self._residuals.shape[1]):
            scores = self._of_all_items(self._user_factors(users[part]), self._user_biases[users[part]])
            yield part, scores, self._residuals[users[part]]

    def of_new_users(self, ratings: scipy.sparse.csr_array) -> Scored:
        """Yield the same for users that the model has never seen, from their ratings of its items."""
        ratings = to_network_scale(ratings, self._kind)
        for part in parts(ratings.shape[0], ratings.shape[1]):
            rows = ratings[part]
            biases = self._biases.users_of(rows)
            residuals = self._biases.residuals(rows, biases)
            pairs = zip(self._members, self._codes, strict=True)
            factors = [member.new_user_factors(residuals, codes) for member, codes in pairs]
            yield part, self._of_all_items(self._with_gaussian(factors, residuals), biases), rows

    def _user_factors(self, users: NDArray[np.intp]) -> Float32Array:
        factors = [member.user_factors(self._residuals, users) for member in self._members]
        return self._with_gaussian(factors, self._residuals[users])

    def _with_gaussian(self, factors: list[Float32Array], residuals: scipy.sparse.csr_array) -> Float32Array:
        none = np.zeros((residuals.shape[0], 0), np.float32)
        return np.hstack([*factors, self._gaussian.of_users(residuals) if self._gaussian else none])

    def _of_all_items(self, factors: Float32Array, biases: Float32Array) -> Float32Array:
        scores = factors @ self._item_factors[:-1].T
        scores += biases[:, None] + np.float32(self._biases.mean)
        scores += self._biases.items
        return scores


def top_items(
    scores: NDArray[np.float32], left_out: scipy.sparse.csr_array, k: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the `k` best columns of each row, and their scores, best first; -1 and NaN where a row has too few.

    Of columns with equal scores the lower one comes first. Which of several equal scores makes the k-th place is not
    defined.

    Args:
        scores: float32 of shape (rows, columns), overwritten; -inf is never chosen.
        left_out: CSR of the same shape; its stored entries are not chosen.
        k: Number of columns to choose; at most all of them.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(left_out.indptr))
    scores[rows, left_out.indices] = -np.inf
    if k < scores.shape[1]:
        chosen = np.argpartition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k :]
    else:
        chosen = np.broadcast_to(np.arange(k), scores.shape)
    chosen = np.sort(chosen, axis=1)
    found = np.take_along_axis(scores, chosen, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    chosen, found = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(found, order, axis=1)
    missing = np.isneginf(found)
    return np.where(missing, -1, chosen), np.where(missing, np.float32(np.nan), found)


def with_unknown_user(ratings: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Return a matrix with one more row, position -1, that is empty and stands for the unknown."""
    indptr = np.append(ratings.indptr, ratings.indptr[-1])
    return scipy.sparse.csr_array(
        (ratings.data, ratings.indices, indptr), shape=(ratings.shape[0] + 1, ratings.shape[1])
    )


def parts(number: int, width: int) -> Iterator[slice]:
    """Cut `number` rows of `width` numbers into parts of at most `SCORES_AT_A_TIME` numbers."""
    length = max(1, SCORES_AT_A_TIME // max(1, width))
    return (slice(start, min(start + length, number)) for start in range(0, number, length))
