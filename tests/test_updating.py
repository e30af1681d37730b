"""New ratings, users and items in a fitted recommender: what changes, what does not, how near it is to a new fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeword import Interactions, RatingAutoencoder, Ratings, load, split_ratings
from codeword.datasets import RatingColumns, planted_ratings
from codeword.errors import DataError, DataTypeError
from codeword.recommenders.rating_table import as_rating_table
from codeword.recommenders.updating import merged


def small(**settings: Any) -> RatingAutoencoder:
    return RatingAutoencoder(**{"units": 16, "epochs": 4, "verbose": 0, "validation_fraction": 0, **settings})


def test_old_and_new_ratings_are_put_together() -> None:
    old = as_rating_table((["b", "b", "d"], [1, 3, 3], [1.0, 0, 4]), Ratings(0, 5))
    new = as_rating_table((["a", "b", "b"], [2, 3, 9], [5.0, 2, 0]), Ratings(0, 5))
    to = merged(old, new, counts=False)
    assert to.table.users.values.tolist() == ["a", "b", "d"]
    assert to.table.items.values.tolist() == [1, 2, 3, 9]
    users, items, ratings = to.table.pairs()
    found = dict(zip(zip(users, items.tolist(), strict=True), ratings.tolist(), strict=True))
    # The rating of b and 3 was 0, a rating like any other.
    assert found == {("b", 1): 1, ("b", 3): 2, ("b", 9): 0, ("d", 3): 4, ("a", 2): 5}
    assert to.changed_users.tolist() == [True, True, False]
    assert to.changed_items.tolist() == [False, True, True, True]
    assert (to.users.tolist(), to.items.tolist()) == ([1, 2], [0, 2])


def test_new_counts_are_added() -> None:
    old = as_rating_table(([1, 2], [1, 1], [2, 3]), Interactions())
    to = merged(old, as_rating_table(([1, 1], [1, 2]), Interactions()), counts=True)
    assert to.table.matrix.toarray().tolist() == [[3, 1], [3, 0]]


@pytest.fixture(scope="module")
def planted() -> tuple[RatingColumns, RatingColumns]:
    return split_ratings(planted_ratings(num_users=400, num_items=150, num_ratings=16_000)[0], test_share=0.1)


@pytest.mark.parametrize("by", ["items", "users"])
def test_it_is_about_as_good_as_a_new_fit(by: str, planted: tuple[RatingColumns, RatingColumns]) -> None:
    train, test = planted
    random = np.random.default_rng(0)
    late_users, late_items = (random.choice(np.unique(ids), len(np.unique(ids)) // 10) for ids in train[:2])
    late = np.isin(train.users, late_users) | np.isin(train.items, late_items) | (random.random(len(train.users)) < 0.1)
    settings = {"by": by, "epochs": 10, "units": 32}
    updated = small(**settings).fit(train.rows(~late)).partial_fit(train.rows(late))
    fitted = small(**settings).fit(train)
    late_test = test.rows(np.isin(test.users, late_users) | np.isin(test.items, late_items))
    for part in (test, late_test):
        new, whole = updated.evaluate(part), fitted.evaluate(part)
        assert new["rmse"] < 0.5 * (whole["rmse"] + whole["rmse_biases"])
        assert new["known"] == whole["known"]
        assert new["ndcg@10"] == pytest.approx(whole["ndcg@10"], rel=0.05)


@pytest.mark.parametrize("by", ["items", "users"])
def test_nothing_moves_for_who_has_nothing_new(by: str, planted: tuple[RatingColumns, RatingColumns]) -> None:
    model = small(by=by).fit(planted[0])
    user, other = model.users_[:2]
    items = model.items_[:20]
    before = model.predict(other, items)
    item = next(item for item in model.items_ if item not in planted[0].items[planted[0].users == user])
    model.partial_fit(([user], [item], [5.0]))
    changed = model.predict(other, items) != before
    assert changed[items != item].sum() == 0 if by == "users" else (~changed).sum() >= 18
    assert item not in model.recommend(user, k=150)[0]


def test_new_items_and_users_are_answered_and_saved(
    planted: tuple[RatingColumns, RatingColumns], tmp_path: Path
) -> None:
    model = small().fit(planted[0])
    users = model.users_[:30]
    model.partial_fit(([*users, 10**6], [10**6] * 31, [5.0] * 31))
    assert {10**6} <= set(model.users_) & set(model.items_)
    assert 10**6 in model.recommend(model.users_[40:], k=150)[0]
    assert model.recommend(10**6, k=3, return_known=True)[2].all()
    model.save(tmp_path / "films.codeword")
    again = load(tmp_path / "films.codeword")
    assert np.array_equal(again.predict(users, 10**6), model.predict(users, 10**6))
    assert np.array_equal(again.recommend(users)[0], model.recommend(users)[0])


def test_what_is_refused_leaves_the_model_alone(planted: tuple[RatingColumns, RatingColumns]) -> None:
    model = small().fit(planted[0])
    before = model.predict(model.users_[:5], model.items_[:5])
    with pytest.raises(DataError):
        model.partial_fit(([1], [2], [9.0]))
    with pytest.raises(DataTypeError, match="must be integers"):
        model.partial_fit((["Ada"], [2], [3.0]))
    assert np.array_equal(model.predict(model.users_[:5], model.items_[:5]), before)


def test_the_first_part_is_a_fit(planted: tuple[RatingColumns, RatingColumns]) -> None:
    first, fitted = small().partial_fit(planted[0]), small().fit(planted[0])
    assert np.array_equal(first.recommend([1, 2])[0], fitted.recommend([1, 2])[0])


def test_interactions_are_taken_in(planted: tuple[RatingColumns, RatingColumns]) -> None:
    train, late = (part[:2] for part in planted)
    shop = small(data=Interactions()).fit(train).partial_fit(late)
    assert shop.num_ratings_ == len(train[0]) + len(late[0])
    assert shop.recommend([int(late[0][0])])[0].shape == (1, 10)
