"""What a rating autoencoder's biases and networks say together, of known users and of new ones."""

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.recommenders.biases import Biases
from codeword.recommenders.member import Member
from codeword.recommenders.row_network import Floats

SCORES_AT_A_TIME = 2**22  # users x items, or pairs x factors: 16 MiB, and twice that while they are ranked


class RatingScores:
    """Gives scores on a scale from 0 to 4, for users and items by position; -1 stands for an unknown one.

    Args:
        ratings: CSR of shape (users, items), on a scale from 0 to 4.
        biases, members, weights: What was learned from them.

    Attributes:
        rated_users, rated_items: Who has a rating; one more entry than users and items, false, for the unknown.
    """

    def __init__(
        self, ratings: scipy.sparse.csr_array, biases: Biases, members: Sequence[Member], weights: Floats
    ) -> None:
        residuals = biases.residuals(ratings, biases.users)
        self._biases, self._members = biases, members
        self._factors = [member.item_factors(residuals) for member in members]
        weighted = [weight * factors for weight, factors in zip(weights, self._factors, strict=True)]
        # Of everything the last row, position -1, stands for the unknown.
        self._item_factors = np.pad(np.hstack(weighted), ((0, 1), (0, 0)))
        self._user_biases, self._item_biases = np.pad(biases.users, (0, 1)), np.pad(biases.items, (0, 1))
        indptr = np.append(residuals.indptr, residuals.indptr[-1])
        shape = (residuals.shape[0] + 1, residuals.shape[1])
        self._residuals = scipy.sparse.csr_array((residuals.data, residuals.indices, indptr), shape=shape)
        self.rated_users = np.diff(indptr) > 0
        self.rated_items = np.bincount(ratings.indices, minlength=shape[1] + 1) > 0

    def rows(self, by: str) -> scipy.sparse.csr_array:
        """Gives the residuals with items, or users, as rows."""
        known = self._residuals[:-1]
        return known.T.tocsr() if by == "items" else known

    def of_pairs(self, users: NDArray[np.intp], items: NDArray[np.intp]) -> Floats:
        """Gives each pair's score, (n,)."""
        scores = self.of_biases(users, items)
        order = np.argsort(users, kind="stable")  # so that a user is worked out once or twice, not once a pair
        for part in _parts(len(order), self._item_factors.shape[1]):
            pairs = order[part]
            present, which = np.unique(users[pairs], return_inverse=True)
            factors = self._user_factors(present)[which]
            scores[pairs] += np.einsum("ij,ij->i", factors, self._item_factors[items[pairs]])
        return scores

    def of_biases(self, users: NDArray[np.intp], items: NDArray[np.intp]) -> Floats:
        """Gives what the biases alone say of each pair, (n,)."""
        return self._user_biases[users] + self._item_biases[items] + np.float32(self._biases.mean)

    def of_users(self, users: NDArray[np.intp]) -> Iterator[tuple[slice, Floats, scipy.sparse.csr_array]]:
        """Gives by batches: which of the users, their scores of all items, and what they have rated."""
        for part in _parts(len(users), self._residuals.shape[1]):
            scores = self._of_all_items(self._user_factors(users[part]), self._user_biases[users[part]])
            yield part, scores, self._residuals[users[part]]

    def of_new_users(self, ratings: scipy.sparse.csr_array) -> Iterator[tuple[slice, Floats, scipy.sparse.csr_array]]:
        """Gives the same for users never seen, from their ratings on a scale from 0 to 4."""
        for part in _parts(ratings.shape[0], ratings.shape[1]):
            rows = ratings[part]
            biases = self._biases.users_of(rows)
            residuals = self._biases.residuals(rows, biases)
            pairs = zip(self._members, self._factors, strict=True)
            factors = np.hstack([member.new_user_factors(residuals, codes) for member, codes in pairs])
            yield part, self._of_all_items(factors, biases), rows

    def _user_factors(self, users: NDArray[np.intp]) -> Floats:
        return np.hstack([member.user_factors(self._residuals, users) for member in self._members])

    def _of_all_items(self, factors: Floats, biases: Floats) -> Floats:
        scores = factors @ self._item_factors[:-1].T
        scores += biases[:, None] + np.float32(self._biases.mean)
        scores += self._biases.items
        return scores


def _parts(number: int, width: int) -> Iterator[slice]:
    """Cuts `number` rows into parts of at most `SCORES_AT_A_TIME` numbers, `width` a row."""
    length = max(1, SCORES_AT_A_TIME // max(1, width))
    return (slice(start, min(start + length, number)) for start in range(0, number, length))
