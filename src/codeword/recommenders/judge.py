"""Measure lists of recommendations by what users went on to take."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.recommenders.scores import Scored, top_items

SEED = 0


class Judge:
    """Compare the best `k` items of each user with the held-out items that the user took and liked.

    Every item may be recommended, except those that the user has taken already. Items with equal scores come in a
    random order, the same for all users, so that the order of their ids is no advantage.

    Args:
        taken: What users took in training, CSR `(users, items)`.
        relevant: What they took later, of the same shape; every stored entry counts, but not what is in `taken`, too.
        num_unknown: How many more items each user took later, of those that are in no column.
        k: Length of the lists.
        most: Judge at most so many users, drawn at random.
    """

    def __init__(
        self,
        taken: scipy.sparse.csr_array,
        relevant: scipy.sparse.csr_array,
        *,
        k: int,
        num_unknown: NDArray[np.intp] | None = None,
        most: int | None = None,
    ) -> None:
        random = np.random.default_rng(SEED)
        relevant = scipy.sparse.csr_array(relevant - relevant.multiply(taken.astype(bool)))
        relevant.eliminate_zeros()
        counts = np.diff(relevant.indptr) + (0 if num_unknown is None else num_unknown)
        (users,) = np.nonzero(counts)
        if most is not None and len(users) > most:
            users = np.sort(random.choice(users, most, replace=False))
        self.users, self.taken, self.k = users, taken[users], min(k, taken.shape[1])
        self._relevant, self._num_relevant = relevant[users], counts[users]
        self._order = random.permutation(taken.shape[1])
        self._popularity = np.bincount(taken.indices, minlength=taken.shape[1]) / max(1, taken.shape[0])

    def judge(self, scored: Scored) -> dict[str, float]:
        """Return the quality of the lists by these scores, each a mean over users from 0 to 1.

        Returns:
            "recall", the share of the relevant items that are in the list; "ndcg", which counts a place by the
            logarithm of its rank and is 1 if all places, or all relevant items, are right; "map", the mean average
            precision; "coverage", the share of all items that are in any list; and "popularity", the share of users
            who took a listed item in training, mean over all places.
        """
        sums = np.zeros(3)
        listed: list[NDArray[np.intp]] = []
        for part, lists in self._lists(scored):
            hits = self._hits(part, lists)
            sums += _qualities(hits, self._num_relevant[part]).sum(axis=1)
            listed.append(lists[lists >= 0])
        recall, ndcg, precision = (sums / max(1, len(self.users))).tolist()
        places = np.concatenate(listed) if listed else np.empty(0, np.intp)
        return {
            "recall": recall,
            "ndcg": ndcg,
            "map": precision,
            "coverage": len(np.unique(places)) / max(1, self.taken.shape[1]),
            "popularity": float(self._popularity[places].mean()) if len(places) else 0.0,
        }

    def _lists(self, scored: Scored) -> Iterator[tuple[slice, NDArray[np.intp]]]:
        for part, scores, taken in scored:
            chosen, _ = top_items(scores[:, self._order], taken[:, self._order], self.k)
            yield part, np.where(chosen >= 0, self._order[chosen], -1)

    def _hits(self, part: slice, lists: NDArray[np.intp]) -> NDArray[np.bool_]:
        relevant = self._relevant[part]
        rows = np.arange(len(lists)) * relevant.shape[1]
        keys = np.repeat(rows, np.diff(relevant.indptr)) + relevant.indices
        return np.isin(rows[:, None] + lists, keys) & (lists >= 0)


def _qualities(hits: NDArray[np.bool_], num_relevant: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the recall, NDCG and average precision of each list, (3, users)."""
    places = np.arange(1, hits.shape[1] + 1)
    discounts = 1 / np.log2(places + 1)
    reachable = np.minimum(num_relevant, hits.shape[1])
    precisions = np.cumsum(hits, axis=1) / places
    return np.stack(
        [
            hits.sum(axis=1) / num_relevant,
            hits @ discounts / np.cumsum(discounts)[reachable - 1],
            (precisions * hits).sum(axis=1) / reachable,
        ]
    )
