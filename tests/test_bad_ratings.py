"""What people pass by mistake is refused in words before anything is trained, or has a documented answer."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import codeword as cw
from codeword.errors import CodewordError, DataError, DataTypeError

USERS, ITEMS = np.divmod(np.arange(60), 10)
STARS = 1.0 + (USERS + ITEMS) % 5


STARRED, TAKEN = cw.Ratings(1, 5), cw.Interactions()


def recommender(data: Any = STARRED, **settings: Any) -> cw.RatingAutoencoder:
    return cw.RatingAutoencoder(data=data, units=2, epochs=1, verbose=0, **settings)


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"user": USERS, "item": ITEMS, "rating": STARS, **columns})


def with_first(values: Any, first: Any) -> list[Any]:
    return [first, *np.asarray(values).tolist()[1:]]


DATES = pd.date_range("2020-01-01", periods=60)
REFUSED: dict[str, tuple[Any, Any, type[CodewordError], str]] = {
    "ids of mixed types": (
        frame(user=pd.Series(with_first(USERS, "ann"), dtype=object)),
        STARRED,
        DataTypeError,
        r"`ratings: user` must hold ids that are all integers or all text: got int, str\. .*column\.astype\(str\)",
    ),
    "missing ids": (
        frame(item=with_first(ITEMS, np.nan)),
        STARRED,
        DataError,
        r"`ratings: item` .* 1 missing",
    ),
    "ids that are fractions": (frame(item=ITEMS + 0.5), STARRED, DataTypeError, "integers or text: got dtype float64"),
    "ids that are booleans": (frame(user=USERS > 2), STARRED, DataTypeError, "`ratings: user` .* dtype bool"),
    "ids that are dates": (frame(item=DATES), STARRED, DataTypeError, "`ratings: item` .* dtype datetime64"),
    "booleans as ratings": (frame(rating=STARS > 3), STARRED, DataError, r"got 0 to 1, .* use Interactions\(\)"),
    "dates as ratings": (frame(rating=DATES), STARRED, DataTypeError, r"dtype datetime64.* name it with `col"),
    "texts as ratings": (
        frame(rating=STARS.astype(str)),
        STARRED,
        DataTypeError,
        r"numbers: got text, the first '1\.0'\. Convert them to numbers: column\.astype\(float\)\.$",
    ),
    "digits that are text": ((USERS, ITEMS, ["4"] * 60), STARRED, DataTypeError, r"the first '4'\. Convert them"),
    "decimal commas": (frame(rating=["4,5"] * 60), STARRED, DataTypeError, r"Write decimals with a point\.$"),
    "ids of two axes": (
        (USERS[:, None], ITEMS, STARS),
        STARRED,
        DataTypeError,
        r"`ratings: user` must have one axis, .* got shape \(60, 1\)\. Flatten .*: numpy\.ravel\(column\)",
    ),
    "texts without an id": (
        frame(item=with_first(ITEMS.astype(str), "")),
        STARRED,
        DataError,
        r"`ratings: item` .* 1 missing, the first in row 0, counted from 0 \(an empty text\)",
    ),
    "times as ratings": (
        frame(rating=881250949 + ITEMS),
        STARRED,
        DataError,
        r"look like times\. Name the col",
    ),
    "missing ratings": (frame(rating=with_first(STARS, np.nan)), STARRED, DataError, r"finite: got 1 NaN"),
    "negative counts": (
        frame(plays=ITEMS - 1),
        TAKEN,
        DataError,
        r"above 0: got -1 to 8, 12 of 60 not above",
    ),
    "missing counts": (frame(plays=with_first(ITEMS, None)), TAKEN, DataError, r"finite: got 1 NaN"),
    "no rows": (frame()[:0], STARRED, DataError, r"at least one rating: got none for 0 users x 0 items"),
    "no ratings": ((USERS, ITEMS), STARRED, DataTypeError, r"got tuple of 2\. .* use data=Interactions\(\)"),
    "ratings first": (
        (STARS, USERS, ITEMS),
        STARRED,
        DataError,
        r"got 0 to 9\. `user` \(5 different, 1 to 5\) looks like .*`rating` .* like ids\. .* \(users, items, ratings\)",
    ),
    "ratings in the middle of a frame": (
        frame(item=STARS, rating=ITEMS * 7).set_axis(["a", "b", "c"], axis=1),
        STARRED,
        DataError,
        r"`b` .* looks like ratings, and `c` \(0 to 63\) like ids\. .*=\(\"a\", \"c\", \"b\"\), on .* a,c,b\.$",
    ),
    "a list of rows": (list(zip(USERS, ITEMS, STARS, strict=True)), STARRED, DataTypeError, r"DataFrame\(ratings, col"),
    "a list of columns": (
        [USERS, ITEMS, STARS],
        STARRED,
        DataTypeError,
        r"Pass a tuple: \(users, items, rat",
    ),
    "a list of dictionaries": (
        frame().to_dict("records"),
        STARRED,
        DataTypeError,
        r"Pass pandas\.DataFrame\(ratings\)\.$",
    ),
    "a dictionary of dictionaries": ({1: {2: 5.0}}, STARRED, DataTypeError, r"for item, rating in rated\.items\(\)\]"),
    "a dictionary of columns": ({"user": USERS}, STARRED, DataTypeError, r"Pass pandas\.DataFrame\(ratings\)\.$"),
    "rows of an array": (
        frame().to_numpy(),
        STARRED,
        DataTypeError,
        r"pass tuple\(ratings\.T\)\. If 0 means",
    ),
    "a series": (frame().rating, STARRED, DataTypeError, r"Pass ratings\.reset_index\(\)\.$"),
    "a lazy frame": (pl.LazyFrame({"user": [1]}), STARRED, DataTypeError, r"Pass ratings\.collect\(\)\.$"),
    "ids in the index": (
        frame().set_index(["user", "item"]),
        STARRED,
        DataError,
        r"named like users or items\. .* The index, user, item, is no column: pass ratings\.reset_index\(\)\.$",
    ),
    "columns of other names": (
        frame().set_axis(["kid", "toy", "fun"], axis=1),
        STARRED,
        DataError,
        r"got kid, toy, fun, none of which is named like users or items or ratings\. .*\(\"kid\", \"toy\", \"fun\"\)",
    ),
    "a wide table": (
        pd.DataFrame(np.ones((3, 30)), columns=[f"film {number}" for number in range(30)]),
        STARRED,
        DataError,
        r"in 30 columns\. If each is an item, melt them into rows first",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ratings, data, error, message = REFUSED[name]
    monkeypatch.setattr(
        "codeword.recommenders.rating_autoencoder.learn_ranking", lambda *_, **__: pytest.fail("trained")
    )
    monkeypatch.setattr("codeword.recommenders.rating_autoencoder.train_ensemble", lambda *_: pytest.fail("trained"))
    columns = ("a", "b", "c") if name == "ratings in the middle of a frame" else None
    model = recommender(data, columns=columns)
    with pytest.raises(error, match=message) as refused:
        model.fit(ratings)
    assert len(str(refused.value)) < 600
    assert not hasattr(model, "ratings_")


@pytest.mark.parametrize("data", [STARRED, TAKEN], ids=["ratings", "interactions"])
@pytest.mark.parametrize(
    ("users", "items"),
    [([7] * 6, np.arange(6)), (np.arange(6), [7] * 6), ([7], [7])],
    ids=["one user", "one item", "one pair"],
)
def test_one_user_or_one_item_is_enough(data: Any, users: Any, items: Any) -> None:
    values = [] if data == TAKEN else [1.0 + np.arange(len(users)) % 5]
    model = recommender(data).fit((users, items, *values))
    found, scores, known = model.recommend(np.unique(users), 3, include_seen=True, return_known=True)
    assert known.all()
    assert set(found[0][~np.isnan(scores[0])]) <= set(np.unique(items))
    assert np.isnan(model.recommend(users[:1], 3)[1]).all() == (len(set(items)) == 1 or len(set(users)) == 1)


def test_ratings_that_are_all_alike_are_ranked_with_a_warning() -> None:
    keep = (USERS + ITEMS) % 3 > 0
    with pytest.warns(UserWarning, match=r"All 40 ratings are 5, so there is nothing to learn"):
        model = recommender().fit((USERS[keep], ITEMS[keep], np.full(keep.sum(), 5.0)))
    assert np.isfinite(model.recommend([0, 1], 2)[1]).all()
    assert cw.infer_data_kind(frame(rating=5)) == cw.Interactions()


def test_unknown_ids_are_answered_and_marked() -> None:
    model = recommender().fit(frame())
    assert model.predict([999, 0], [0, 999], return_known=True)[1].tolist() == [False, False]
    assert model.recommend([999], 2, return_known=True)[2].tolist() == [False]
    items, _, known = model.recommend_new(frame(item=ITEMS + 1000), 2, return_known=True)
    assert items.shape == (6, 2)
    assert not known.any()
    with pytest.raises(DataTypeError, match="must be integers, as in training: got text, the first 'ann'"):
        model.predict(["ann"], [0])


def test_booleans_are_counts_of_1_where_they_are_true() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = recommender(cw.Interactions()).fit((USERS, ITEMS, np.ones(60, bool)))
    assert model.num_ratings_ == 60
    with pytest.warns(UserWarning, match="36 of 60 rows, which are left out"):
        model = recommender(cw.Interactions()).fit((USERS, ITEMS, STARS > 3))
    assert model.num_ratings_ == 24
