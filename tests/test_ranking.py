"""The order of recommendations: the closed form against dense algebra, what it beats, when it gives way, the judge."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from codeword import Interactions, RatingAutoencoder, Ratings, load
from codeword.errors import DataError, DataTypeError, ParameterError
from codeword.recommenders import ranking as rankings
from codeword.recommenders.judge import Judge
from codeword.recommenders.ranking import LEAST_WEIGHT, Recipe, by_popularity, fit_ranking
from codeword.recommenders.scores import parts

NUM_USERS, NUM_ITEMS, NUM_GROUPS = 300, 60, 4


def liked(seed: int = 0, *, share: float = 0.35) -> sp.csr_array:
    """Gives ratings from 0 to 1: users take items of their own group, the first of each group more often."""
    random = np.random.default_rng(seed)
    groups = np.arange(NUM_ITEMS) % NUM_GROUPS
    tastes = random.integers(0, NUM_GROUPS, NUM_USERS)
    appeal = 1.5 * (1 - np.arange(NUM_ITEMS) / NUM_ITEMS)
    chances = share * appeal * np.where(groups == tastes[:, None], 1, 0.15)
    taken = random.random(chances.shape) < chances
    row, column = np.nonzero(taken)
    return sp.csr_array((random.integers(1, 5, len(row)) / 4, (row, column)), shape=taken.shape).astype(np.float32)


def halves(taken: sp.csr_array, seed: int = 0) -> tuple[sp.csr_array, sp.csr_array]:
    random = np.random.default_rng(seed)
    entries, first = taken.tocoo(), random.random(taken.nnz) < 0.7
    return tuple(
        sp.csr_array((entries.data[some], (entries.row[some], entries.col[some])), shape=taken.shape)
        for some in (first, ~first)
    )


def dense_scores(taken: sp.csr_array, recipe: Recipe) -> np.ndarray:
    """Gives all scores by a dense inverse, in float64: ridge regression of all items on all others."""
    mask = taken.toarray() > 0
    inputs = np.where(mask, LEAST_WEIGHT + (1 - LEAST_WEIGHT) * taken.toarray().astype(float), 0)
    inputs = inputs if recipe.reads_ratings else mask.astype(float)
    targets = (taken.toarray() >= 0.75).astype(float) if recipe.predicts_likes else inputs
    weights = np.maximum(mask.sum(axis=1), 1)[:, None] ** -0.5
    squares = (weights * inputs**2).sum(axis=0)
    penalty = recipe.strength * (squares + recipe.extra_count * (weights * inputs).sum() / inputs.sum())
    inverse = np.linalg.inv(inputs.T @ (weights * inputs) + np.diag(penalty))
    plain = inverse @ inputs.T @ (weights * targets)
    items = plain - inverse * (np.diag(plain) / np.diag(inverse))
    assert np.allclose(np.diag(items), 0, atol=1e-12)
    return inputs @ items


@pytest.mark.parametrize("predicts_likes", [False, True])
@pytest.mark.parametrize("reads_ratings", [False, True])
def test_scores_are_those_of_the_dense_closed_form(
    reads_ratings: bool, predicts_likes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rankings, "shortened", lambda weights: weights)
    taken = liked()
    recipe = Recipe(reads_ratings, predicts_likes, 2.0, 30.0)
    ((_, scores, _),), expected = fit_ranking(taken, recipe).of_users(taken), dense_scores(taken, recipe)
    # Without targets of their own, the scores of an item are only defined up to what its own weight adds.
    left = taken.toarray() == 0
    assert np.allclose(scores[left], expected[left], atol=2e-4 * np.abs(expected).max())


def test_a_cut_rank_loses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, later = halves(liked())
    judge = Judge(taken, later, k=10)
    recipe = Recipe(False, False, 1.0)
    whole = judge.judge(fit_ranking(taken, recipe).of_users(judge.taken))["ndcg"]
    monkeypatch.setattr(rankings, "RANK", 10)
    cut = fit_ranking(taken, recipe)
    assert cut.inputs.shape == (NUM_ITEMS, 10)
    assert judge.judge(cut.of_users(judge.taken))["ndcg"] > 0.95 * whole


def test_learning_takes_few_copies_of_what_is_learned() -> None:
    num_items = 2_000
    taken = sp.random_array((300, num_items), density=0.003, format="csr", dtype=np.float32, rng=0)
    tracemalloc.start()
    try:
        ranking = fit_ranking(taken, Recipe(False, True, 1.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ranking.inputs.shape == (num_items, rankings.RANK)
    assert peak < 7 * ranking.inputs.nbytes  # in double precision it were 11


def test_what_is_learned_finds_more_than_popularity() -> None:
    taken, later = halves(liked())
    judge = Judge(taken, later, k=10)
    recipe, _ = rankings.choose_recipe(*halves_judged(taken), Ratings(0, 1))
    ranking = fit_ranking(taken, recipe)
    found, popular = (
        judge.judge(ranking.of_users(judge.taken)),
        judge.judge(by_popularity(judge.taken, ranking.popularity)),
    )
    assert found["ndcg"] > 1.3 * popular["ndcg"]
    assert found["recall"] > 1.3 * popular["recall"]


def halves_judged(taken: sp.csr_array) -> tuple[sp.csr_array, Judge]:
    before, later = halves(taken, seed=1)
    return before, Judge(before, later, k=10)


@pytest.mark.parametrize("seed", range(3))
def test_what_recommends_is_never_worse_than_popularity_on_what_it_is_chosen_by(seed: int) -> None:
    random = np.random.default_rng(seed)
    chances = np.linspace(0.5, 0.02, NUM_ITEMS) ** 1.5  # nothing goes together
    taken = sp.csr_array((random.random((1_000, NUM_ITEMS)) < chances).astype(np.float32))
    before, _ = halves_judged(taken)
    held_out = sp.csr_array(taken - before)
    _, by = rankings.learn_ranking(before, held_out, taken, Interactions(), None)
    # Judged by what was learned without the held-out part, of both.
    judge = Judge(before, held_out, k=20)
    _, found = rankings.choose_recipe(rankings.to_unit_scale(before, Interactions()), judge, Interactions())
    popular = judge.judge(by_popularity(judge.taken, rankings.popularity_of(before)))["ndcg"]
    assert by == ("ranking" if found >= popular else "popularity")


def test_counts_may_weigh() -> None:
    counts = sp.csr_array(np.array([[1, 9, 0], [4, 0, 1.0]]))
    unit = rankings.to_unit_scale(counts, Interactions())
    assert np.allclose(unit.toarray(), [[1 / 2, 9 / 10, 0], [4 / 5, 0, 1 / 2]])
    assert rankings.liked(counts, Interactions()).nnz == 4


@pytest.mark.parametrize(("kind", "least", "expected"), [(Ratings(1, 5), None, [4, 5]), (Ratings(1, 5), 3, [3, 4, 5])])
def test_liked_is_the_upper_quarter_of_the_scale(kind: Ratings, least: float | None, expected: list[int]) -> None:
    stars = sp.csr_array(np.array([[1.0, 2, 3, 4, 5]]))
    assert (rankings.liked(stars, kind, least).indices + 1).tolist() == expected


def test_users_without_anything_get_what_is_popular() -> None:
    found = fit_ranking(liked(), Recipe(True, False, 1.0))
    nobody = sp.csr_array((2, NUM_ITEMS), dtype=np.float32)
    ((_, scores, _),) = found.of_users(nobody)
    assert (scores == found.popularity).all()
    assert found.popularity.sum() == pytest.approx(1, abs=1e-5)


# The judge


def lists_of(scores: np.ndarray, taken: sp.csr_array) -> Any:
    return ((part, scores[part].astype(np.float32), taken[part]) for part in parts(*scores.shape))


def test_the_judge_by_hand() -> None:
    taken = sp.csr_array(np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0.0]]))
    relevant = sp.csr_array(np.array([[0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0.0]]))
    judge = Judge(taken, relevant, k=2)
    assert judge.users.tolist() == [0, 1]  # nobody can be right for the third
    scores = np.array([[9, 4, 5, 3, 2], [1, 2, 3, 4, 9.0]])  # lists 2, 1 and 3, 2
    found = judge.judge(lists_of(scores, judge.taken))
    second = 1 / np.log2(3)
    assert found["recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["ndcg"] == pytest.approx((second / (1 + second) + second) / 2)
    assert found["map"] == pytest.approx((0.5 / 2 + 0.5) / 2)
    assert found["coverage"] == pytest.approx(3 / 5)
    assert found["popularity"] == 0
    perfect = judge.judge(lists_of(np.array([[9, 4, 1, 3, 2], [1, 2, 5, 4, 9.0]]), judge.taken))
    assert (perfect["recall"], perfect["ndcg"], perfect["map"]) == (1, 1, 1)


def test_equal_scores_are_worth_a_random_order() -> None:
    random = np.random.default_rng(0)
    taken = sp.csr_array((400, 40), dtype=np.float32)
    relevant = sp.csr_array(np.eye(40)[random.integers(0, 40, 400)])
    recalls = []
    for shift in range(40):  # whatever columns are the right ones
        judge = Judge(taken, relevant[:, (np.arange(40) + shift) % 40], k=10)
        recalls.append(judge.judge(lists_of(np.zeros((400, 40)), judge.taken))["recall"])
    assert np.mean(recalls) == pytest.approx(0.25, abs=1e-6)


def test_relevant_items_that_no_list_can_hold_count_as_missed() -> None:
    relevant = sp.csr_array(np.array([[0, 1, 0.0]]))
    judge = Judge(sp.csr_array((1, 3)), relevant, k=3, num_unknown=np.array([3]))
    found = judge.judge(lists_of(np.array([[1, 3, 2.0]]), judge.taken))
    assert found["recall"] == 0.25
    assert found["ndcg"] < 1


# In the estimator


@pytest.fixture(scope="module")
def recommender() -> RatingAutoencoder:
    taken, _ = halves(liked())
    entries = taken.tocoo()
    return RatingAutoencoder(units=8, epochs=2, verbose=0, validation_fraction=0.2).fit(
        (entries.row, entries.col, 1 + 4 * entries.data)
    )


def test_recommend_ranks_by_default_and_saves_what_it_learned(recommender: RatingAutoencoder, tmp_path: Path) -> None:
    assert recommender.recommends_by_ == "ranking"
    users = recommender.users_[:20]
    items, scores = recommender.recommend(users, k=5)
    assert not np.isnan(scores).any()
    assert (np.diff(scores, axis=1) <= 0).all()
    assert (items != recommender.recommend(users, k=5, by="rating")[0]).any()
    recommender.save(tmp_path / "films.codeword")
    again = load(tmp_path / "films.codeword")
    for found, expected in zip(again.recommend(users, k=5), (items, scores), strict=True):
        assert np.array_equal(found, expected)


def test_a_new_user_with_the_same_ratings_gets_the_same_list(recommender: RatingAutoencoder) -> None:
    users, items, ratings = recommender.ratings_.pairs()
    theirs = users == recommender.users_[7]
    new = recommender.recommend_new((np.zeros(theirs.sum(), int), items[theirs], ratings[theirs]), k=5)
    for found, expected in zip(new, recommender.recommend(recommender.users_[7], k=5), strict=True):
        assert np.array_equal(found, expected)


def test_unknown_users_get_the_most_popular_items(recommender: RatingAutoencoder) -> None:
    (items,), _ = recommender.recommend([10**6], k=3)
    _, taken, _ = recommender.ratings_.pairs()
    counts = np.bincount(taken)
    assert counts[items].tolist() == sorted(counts, reverse=True)[:3]


def test_only_three_orders_are_known(recommender: RatingAutoencoder) -> None:
    with pytest.raises(ParameterError, match='"ranking", "rating" or "popularity"'):
        recommender.recommend([1], by="stars")


@pytest.mark.parametrize("by", ["ranking", "rating", "popularity"])
def test_only_allowed_items_are_recommended(recommender: RatingAutoencoder, by: str) -> None:
    users = recommender.users_[:10]
    taken = recommender.ratings_.matrix[:10].toarray() > 0
    allowed, excluded = [3, 5, 8, 13, 21, 34, 10**9], [5, 34, 99]
    items, scores = recommender.recommend(users, k=60, by=by, items=set(allowed), exclude=excluded)
    for row, own in enumerate(taken):
        listed = items[row, ~np.isnan(scores[row])].tolist()
        assert sorted(listed) == [item for item in (3, 8, 13, 21) if not own[item]]
    seen, _ = recommender.recommend(users, k=4, by=by, items=[3, 8, 13, 21], include_seen=True)
    assert (np.sort(seen, axis=1) == [3, 8, 13, 21]).all()
    entries = recommender.ratings_.matrix[:10].tocoo()
    new, _ = recommender.recommend_new((entries.row, entries.col, entries.data), k=60, by=by, items=allowed)
    assert set(np.unique(new)) <= {-1, 3, 5, 8, 13, 21, 34}


def test_items_of_which_none_is_known_are_refused(recommender: RatingAutoencoder) -> None:
    with pytest.raises(DataError, match="none known"):
        recommender.recommend([1], items=[10**9])
    with pytest.raises(DataTypeError, match="must be integers"):
        recommender.recommend([1], exclude=["film"])


def test_similar_items_are_of_the_same_group(recommender: RatingAutoencoder) -> None:
    items = recommender.items_[:20]
    found, similarities = recommender.similar_items(items, k=5)
    assert (found % NUM_GROUPS == (items % NUM_GROUPS)[:, None]).mean() > 0.8
    assert (found != items[:, None]).all()
    assert ((similarities >= -1.001) & (similarities <= 1.001)).all()
    assert (np.diff(similarities, axis=1) <= 0).all()
    unknown, none = recommender.similar_items([10**9, items[0]], k=2)
    assert (unknown[0].tolist(), np.isnan(none[0]).tolist()) == ([-1, -1], [True, True])
    assert unknown[1].tolist() == found[0, :2].tolist()
    assert recommender.similar_items(items, k=10**9)[0].shape == (20, len(recommender.items_) - 1)


def test_reasons_add_up_to_the_score(recommender: RatingAutoencoder) -> None:
    user = recommender.users_[11]
    (items,), (scores,) = recommender.recommend(user, k=3)
    for item, score in zip(items, scores, strict=True):
        theirs, added = recommender.explain(user, item, k=100)
        assert sorted(theirs) == recommender.items_[recommender.ratings_.matrix[[11]].indices].tolist()
        assert added.sum() == pytest.approx(score, rel=1e-4)
        assert (np.diff(added) <= 0).all()
        assert recommender.explain(user, item, k=2)[0].tolist() == theirs[:2].tolist()
    with pytest.raises(DataError, match="`item` must be one id in the training data: got 1000000000"):
        recommender.explain(user, 10**9)
    with pytest.raises(DataError, match="`user` must be one id"):
        recommender.explain([user, user], 3)


def test_evaluate_judges_lists(recommender: RatingAutoencoder) -> None:
    _, later = halves(liked())
    entries = later.tocoo()
    figures = recommender.evaluate((entries.row, entries.col, 1 + 4 * entries.data), k=5)
    assert figures["recall@5"] > 1.3 * figures["recall@5_popularity"]
    assert figures["ndcg@5"] > 1.3 * figures["ndcg@5_popularity"]
    assert 0 < figures["map@5"] < figures["ndcg@5"] < 1
    assert 0 < figures["coverage@5"] <= 1
    assert figures["judged_users"] == (later.max(axis=1).toarray() >= 0.75).sum()
    assert "recall@5" not in recommender.evaluate((entries.row, entries.col, 1 + 4 * entries.data), k=None)
    by_rating = recommender.evaluate((entries.row, entries.col, 1 + 4 * entries.data), k=5, by="rating")
    assert by_rating["recall@5"] < figures["recall@5"]
    assert by_rating["rmse"] == figures["rmse"]
    # Of someone unknown, and of an unknown item, nothing is known: the item counts as missed.
    unknown = recommender.evaluate(([10**6], [10**6], [5.0]))
    assert (unknown["recall@10"], unknown["judged_users"]) == (0, 1)
    assert recommender.evaluate(([1], [2], [1.0]), k=3)["judged_users"] == 0


# Interactions


@pytest.fixture(scope="module")
def shop() -> RatingAutoencoder:
    entries = halves(liked())[0].tocoo()
    return RatingAutoencoder(data=Interactions(), verbose=0, validation_fraction=0.2).fit((entries.row, entries.col))


def test_interactions_are_ranked(shop: RatingAutoencoder, tmp_path: Path) -> None:
    later = halves(liked())[1].tocoo()
    figures = shop.evaluate((later.row, later.col), k=10)
    assert figures["recall@10"] > 1.3 * figures["recall@10_popularity"]
    assert "rmse" not in figures
    assert shop.score((later.row, later.col)) == figures["ndcg@10"]
    shop.save(tmp_path / "shop.codeword")
    again = load(tmp_path / "shop.codeword")
    assert again.data_ == Interactions()
    for found, expected in zip(again.recommend([1, 2]), shop.recommend([1, 2]), strict=True):
        assert np.array_equal(found, expected)
    assert again.recommend_new(([1, 1], [2, 6]), k=2)[0].shape == (1, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda shop: shop.predict(1, 2),
        lambda shop: shop.predict_biases(1, 2),
        lambda shop: shop.predict_new(([1], [2])),
        lambda shop: shop.recommend(1, by="rating"),
        lambda shop: shop.model_,
        lambda shop: shop.history_,
    ],
)
def test_interactions_have_no_ratings_to_predict(call: Any, shop: RatingAutoencoder) -> None:
    with pytest.raises(ParameterError, match=r"Interactions\(\)"):
        call(shop)


def test_counts_are_learned_from(tmp_path: Path) -> None:
    entries = liked().tocoo()
    counts = np.random.default_rng(0).geometric(0.2, entries.nnz)
    model = RatingAutoencoder(data=Interactions(), verbose=0).fit((entries.row, entries.col, counts))
    assert model.num_ratings_ == entries.nnz
    with pytest.raises(DataError):
        model.fit((entries.row, entries.col, -counts))
    assert model.recommends_by_ in ("ranking", "popularity")
