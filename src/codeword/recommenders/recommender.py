"""The half of a recommender that ranks items."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from codeword.arrays.ids import Ids
from codeword.code_kinds import CodeKind
from codeword.errors import DataError, ParameterError, shown
from codeword.recommenders.item_codes import ItemCodes, learn_item_codes
from codeword.recommenders.judge import Judge
from codeword.recommenders.ranking import (
    ItemRanking,
    RecommenderKind,
    by_popularity,
    liked,
    popularity_of,
    to_unit_scale,
)
from codeword.recommenders.rating_table import RatingTable, as_rating_table
from codeword.recommenders.row_network import Float32Array
from codeword.recommenders.saving import ORDERS, SavedRatings
from codeword.recommenders.scores import Scored, parts, top_items, with_unknown_user
from codeword.settings import integer, one_of


class Recommender(SavedRatings):
    """Rank items for known and new users; subclasses fit the parts and predict ratings."""

    columns: Sequence[str] | None
    repeated: str
    data_: RecommenderKind
    ratings_: RatingTable
    ranking_: ItemRanking | None
    recommends_by_: str
    _scores: Any  # `RatingScores`, None for interactions

    def recommend(
        self,
        users: Any,
        k: int = 10,
        *,
        by: str | None = None,
        items: Any = None,
        exclude: Any = None,
        include_seen: bool = False,
        return_known: bool = False,
    ) -> Any:
        """Recommend items to known users, best first.

        "ranking" puts first what users with similar ratings have rated, and rated high: what the user is most likely
        to choose and like. "rating" puts first what the user would rate highest, popular or not. "popularity" puts
        first what most users have rated. Items without a rating in training are never recommended. Unknown users, and
        users without a rating, get the most popular items or, by "rating", those with the highest biases.

        Args:
            users: Ids, `(n,)`.
            k: Maximum number of items per user.
            by: "ranking", "rating" or "popularity". Default: `recommends_by_`, the best on held-out ratings.
            items: Ids of the only items that may be recommended, such as those in stock. Ids that the model does not
                know are left out.
            exclude: Ids of items that may not be recommended.
            include_seen: Whether items that the user has rated may be recommended again.
            return_known: Whether to also return which users have a rating, so that their recommendations are their own.

        Returns:
            Ids of items and their scores, both of shape `(n, min(k, num_items))`, best first. Scores are predicted
            ratings by "rating", shares of all ratings by "popularity", and by "ranking" numbers to compare for one
            user. With `return_known` also booleans `(n,)`. Where fewer items are left, the score is NaN and the id is
            -1 or "".

        Raises:
            DataError: If the model knows none of `items`.
            ParameterError: If `k` or `by` is not allowed, or the model has no such order.
        """
        by = self._order(by)
        rows = self.ratings_.users.positions(users, "users")
        left_out = self._left_out(items, exclude)
        found = self._recommended(len(rows), k, self._scored(rows, by), by, left_out, include_seen=include_seen)
        return (*found, self._has_taken[rows]) if return_known else found

    def recommend_new(
        self,
        ratings: Any,
        k: int = 10,
        *,
        by: str | None = None,
        items: Any = None,
        exclude: Any = None,
        include_seen: bool = False,
        return_known: bool = False,
    ) -> Any:
        """Recommend items to new users from their ratings, without training.

        Args:
            ratings: Ratings of the new users, in any form that `fit` takes; users are ordered by their ids, and ratings
                of unknown items are ignored. A matrix must have the model's items as columns.
            k: Maximum number of items per user.
            by: As for `recommend`.
            items: As for `recommend`.
            exclude: As for `recommend`.
            include_seen: As for `recommend`.
            return_known: Whether to also return which users have rated a known item.

        Returns:
            As `recommend` does, with one row per new user.
        """
        by = self._order(by)
        matrix, left_out = self._ratings_of_new(ratings), self._left_out(items, exclude)
        if by == "rating":
            scored = self._scores.of_new_users(matrix)
        else:
            scored = self._ranked(to_unit_scale(matrix, self.data_), by)
        found = self._recommended(matrix.shape[0], k, scored, by, left_out, include_seen=include_seen)
        return (*found, np.diff(matrix.indptr) > 0) if return_known else found

    def similar_items(self, items: Any, k: int = 10) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Find the items that are taken by the same people, most similar first.

        Args:
            items: Ids, `(n,)`.
            k: Maximum number of similar items.

        Returns:
            Ids, and similarities from -1 to 1, both of shape `(n, min(k, num_items - 1))`: the cosine between what two
            items recommend. An unknown item, or one without a rating, has none: NaN, and -1 or "".
        """
        vectors = self._known_ranking().embeddings
        places = self.ratings_.items.positions(items, "items")
        integer(1).check("k", k)
        k = min(k, len(vectors) - 1)
        columns, best = np.full((len(places), k), -1), np.full((len(places), k), np.nan, np.float32)
        for part in parts(len(places), len(vectors)) if k else ():
            scores = vectors[places[part]] @ vectors.T
            scores[:, ~self._is_taken[:-1]] = -np.inf
            scores[~self._is_taken[places[part]]] = -np.inf
            itself = places[part][:, None] * (places[part] >= 0)[:, None]
            left_out = scipy.sparse.csr_array(
                (np.ones(len(itself)), itself.ravel(), np.arange(len(itself) + 1)), shape=scores.shape
            )
            columns[part], best[part] = top_items(scores, left_out, k)
        return self._ids(columns), best

    def explain(self, user: Any, item: Any, k: int = 10) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return which of a user's items argue for an item, strongest first.

        Args:
            user: Id of a user in training.
            item: Id of an item in training.
            k: Maximum number of arguments.

        Returns:
            Ids of items that the user has rated, and what each adds to the score of `item` by "ranking", below 0 if
            it argues against. All of a user's items together add up to the score.

        Raises:
            DataError: If the model does not know the user or the item.
        """
        ranking = self._known_ranking()
        integer(1).check("k", k)
        rows = self.ratings_.users.positions(user, "user")
        columns = self.ratings_.items.positions(item, "item")
        for name, value, places in (("user", user, rows), ("item", item, columns)):
            if len(places) != 1 or places[0] < 0:
                raise DataError(f"`{name}` must be one id in the training data: got {shown(value)}.")
        (row,), (column,) = rows, columns
        weighted = ranking.weighted(self._taken[[row]])
        added = weighted.data * (ranking.inputs[weighted.indices] @ ranking.outputs[column])
        order = np.argsort(-added, kind="stable")[:k]
        return self.ratings_.items.values[weighted.indices[order]], added[order].astype(np.float32)

    def item_codes(self, kind: CodeKind) -> ItemCodes:
        """Compute a packed code for each item, from which similar items are found and items are recommended.

        The same model gives the same codes on the same machine. `save` the result, and keep it as long as you keep
        stored codes: without it, nothing says what their symbols mean.

        Args:
            kind: Size and kind of the codes: `Bits(512)` for search by Hamming distance in a `HammingIndex` or a
                `CodeStore`; `Choices(64)` to recommend from as few bytes as possible; or `Scalars` or `Floats`.

        Returns:
            The codes, their ids, and what they mean. `with_item_codes` recommends from them.

        Raises:
            ParameterError: If `kind` is no code kind or larger than the vectors of an item, or the model is of an
                older version.
            DataError: If the ranking says nothing of any item.
        """
        ranking = self._known_ranking()
        return learn_item_codes(ranking, self._taken[:-1], self.ratings_.items, kind, verbose=self.verbose == 1)

    def with_item_codes(self, codes: ItemCodes) -> Self:
        """Return a copy of this recommender that ranks items by their codes alone instead of by floats.

        `evaluate` of both shows what the codes cost. Predicted ratings stay as they are.

        Args:
            codes: What `item_codes` returned.

        Raises:
            DataError: If they are codes of other items.
        """
        ranking = self._known_ranking()
        if not np.array_equal(codes.items_, self.ratings_.items.values):
            raise DataError(
                f"`codes` must be of the {len(self.ratings_.items)} items of this model: got {len(codes.items_)} of "
                "another one. Compute them with `item_codes`."
            )
        inputs, outputs = codes.decode(codes.codes_)
        new = copy.copy(self)
        new.ranking_ = replace(ranking, inputs=inputs, outputs=outputs)
        return new

    def _evaluate_lists(self, table: RatingTable, k: int, least: float | None, by: str | None) -> dict[str, float]:
        """Judge the lists of the users of a table by what they took and liked there."""
        by = self._order(by)
        rows = self.ratings_.users.positions(table.users.values, "ratings")
        wanted = replace(table, matrix=liked(table.matrix, self.data_, least))
        relevant = wanted.within(self.ratings_, "ratings", users=False)
        unknown = np.diff(wanted.matrix.indptr) - np.diff(relevant.indptr)
        judge = Judge(self._taken[rows], relevant, k=k, num_unknown=unknown)
        people = rows[judge.users]
        if len(people) == 0:
            return {"judged_users": 0}
        figures = {f"{name}@{k}": value for name, value in judge.judge(self._scored(people, by)).items()}
        popular = judge.judge(self._scored(people, "popularity"))
        figures |= {f"{name}@{k}_popularity": popular[name] for name in ("recall", "ndcg")}
        return {**figures, "judged_users": len(people)}

    def _scored(self, rows: NDArray[np.intp], by: str) -> Scored:
        """Yield the scores of all items for users by position, -1 for an unknown one."""
        return self._scores.of_users(rows) if by == "rating" else self._ranked(self._taken[rows], by)

    def _ranked(self, taken: scipy.sparse.csr_array, by: str) -> Scored:
        return self._known_ranking().of_users(taken) if by == "ranking" else by_popularity(taken, self._popularity)

    def _recommended(
        self,
        number: int,
        k: int,
        scored: Scored,
        by: str,
        left_out: NDArray[np.bool_],
        *,
        include_seen: bool,
    ) -> tuple[NDArray[Any], Float32Array]:
        integer(1).check("k", k)
        k = min(k, len(self.ratings_.items))
        columns, best = np.empty((number, k), np.intp), np.empty((number, k), np.float32)
        with tqdm(total=number, desc="recommend", unit="user", disable=self.verbose != 1, delay=1) as bar:
            for part, scores, taken in scored:
                scores[:, left_out] = -np.inf
                seen = scipy.sparse.csr_array(taken.shape) if include_seen else taken
                columns[part], best[part] = top_items(scores, seen, k)
                bar.update(len(scores))
        return self._ids(columns), self._scores.as_ratings(best) if by == "rating" else best

    def _left_out(self, items: Any, exclude: Any) -> NDArray[np.bool_]:
        """Return which items may not be recommended."""
        left_out = ~self._is_taken[:-1]
        if items is not None:
            places = self.ratings_.items.positions(_listed(items), "items")
            if not (places >= 0).any():
                raise DataError(f"`items` must name items of the training data: got {len(places)} ids, none known.")
            allowed = np.zeros(len(left_out), bool)
            allowed[places[places >= 0]] = True
            left_out |= ~allowed
        if exclude is not None:
            places = self.ratings_.items.positions(_listed(exclude), "exclude")
            left_out[places[places >= 0]] = True
        return left_out

    def _order(self, by: str | None) -> str:
        check_is_fitted(self)
        by = self.recommends_by_ if by is None else by
        one_of(*ORDERS).check("by", by)
        if by == "rating" and not self.data_.has_ratings:
            raise ParameterError(f'`by` must be "ranking" or "popularity" for {self.data_}: got "rating".')
        if by == "ranking":
            self._known_ranking()
        return by

    def _known_ranking(self) -> ItemRanking:
        check_is_fitted(self)
        if self.ranking_ is None:
            raise ParameterError(
                'This model was fitted by an older version and has no ranking. Fit it again, or use by="rating".'
            )
        return self.ranking_

    def _ratings_of_new(self, ratings: Any) -> scipy.sparse.csr_array:
        check_is_fitted(self)
        table = as_rating_table(
            ratings, self.data_, columns=self.columns, repeated=self.repeated, empty=True, like=self.ratings_
        )
        return table.rows_for(self.ratings_, "ratings")

    def _ids(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """Return the ids of items by position; -1 or an empty text for position -1."""
        return with_unknown_id(self.ratings_.items)[places]

    def _prepare(self) -> None:
        """Make what is not saved."""
        matrix = self.ratings_.matrix
        self._taken = with_unknown_user(to_unit_scale(matrix, self.data_))
        counts = np.bincount(matrix.indices, minlength=matrix.shape[1] + 1)  # one more: position -1, never taken
        self._has_taken, self._is_taken = np.diff(self._taken.indptr) > 0, counts > 0
        self._popularity = popularity_of(matrix)


def _listed(ids: Any) -> Any:
    """Return the ids of a set, whose order does not matter here, as a list."""
    return list(ids) if isinstance(ids, set | frozenset) else ids


def with_unknown_id(ids: Ids) -> NDArray[Any]:
    """Return ids, and what stands for an unknown one at position -1."""
    return np.append(ids.values, -1 if ids.values.dtype.kind == "i" else "")
