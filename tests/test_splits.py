"""Splits of ratings: who is held out, in which type, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.model_selection import KFold, cross_validate

import codeword as cw
from codeword.errors import DataError, DataTypeError, ParameterError

USERS = np.array([3, 1, 3, 1, 3, 2, 1, 3])
ITEMS = np.arange(8)
STARS = np.array([5.0, 4, 3, 2, 1, 5, 4, 3])
TIMES = np.array([80, 10, 70, 30, 60, 50, 20, 40])


def sources(folder: Path) -> dict[str, Any]:
    """Gives the same ratings in every form."""
    frame = pd.DataFrame({"userId": USERS, "movieId": ITEMS, "rating": STARS, "timestamp": TIMES})
    frame.to_csv(folder / "ratings.csv", index=False)
    return {
        "arrays": (USERS, ITEMS, STARS, TIMES),
        "lists": tuple(part.tolist() for part in (USERS, ITEMS, STARS, TIMES)),
        "pandas": frame.set_index(np.arange(8)[::-1]),
        "polars": pl.from_pandas(frame),
        "file": folder / "ratings.csv",
    }


def as_columns(part: Any) -> list[list[float]]:
    columns = list(part) if isinstance(part, tuple) else [part[name] for name in part.columns]
    return [np.asarray(column).tolist() for column in columns]


@pytest.mark.parametrize("form", ["arrays", "lists", "pandas", "polars", "file"])
@pytest.mark.parametrize(
    ("how", "held_out"), [("last", [0, 3]), ("time", [0, 2]), ("random", np.random.default_rng(0).permutation(8)[:2])]
)
def test_the_test_part_is_what_it_says(how: str, held_out: Any, form: str, tmp_path: Path) -> None:
    train, test = cw.split_ratings(sources(tmp_path)[form], how, test_share=0.25)
    assert as_columns(test) == [column[held_out].tolist() for column in (USERS, ITEMS, STARS, TIMES)]
    assert sorted(as_columns(train)[1] + as_columns(test)[1]) == ITEMS.tolist()
    if form != "file":
        assert type(train) is type(sources(tmp_path)[form])


def test_without_times_the_last_in_the_table_is_the_last() -> None:
    _, test = cw.split_ratings((USERS, ITEMS), "last")
    assert as_columns(test) == [[1, 3], [6, 7]]


def test_of_a_matrix_stored_zeros_stay_ratings() -> None:
    matrix = sp.csr_array((np.zeros(8), (USERS, ITEMS)), shape=(5, 9))
    train, test = cw.split_ratings(matrix, test_share=0.25)
    assert (train.nnz, test.nnz, train.shape, test.shape) == (6, 2, (5, 9), (5, 9))
    given, rest = cw.split_users(matrix, test_share=0.4)[1:]
    assert len(np.unique(np.append(*(part.tocoo().row for part in (given, rest))))) == 1


def test_named_columns_stay_named() -> None:
    ratings, _ = cw.datasets.planted_ratings(50, 40, 500)
    parts = cw.split_ratings(ratings)
    assert [type(part) for part in parts] == [cw.datasets.RatingColumns] * 2
    assert [len(part.users) for part in parts] == [450, 50]


def test_users_are_held_out_whole() -> None:
    ratings, _ = cw.datasets.planted_ratings(200, 100, 6_000)
    train, given, rest = cw.split_users(ratings, test_share=0.2, given_share=0.75, seed=3)
    tested = np.unique(rest.users)
    assert not np.isin(train.users, tested).any()
    assert set(given.users.tolist()) <= set(tested.tolist())
    assert len(tested) == pytest.approx(0.2 * len(np.unique(ratings.users)), abs=1)
    for user in tested[:20]:
        counts = [(part.users == user).sum() for part in (given, rest)]
        assert counts[0] == int(0.75 * sum(counts))
    assert len(train.users) + len(given.users) + len(rest.users) == len(ratings.users)


def test_whatever_fit_refuses_is_not_split_either() -> None:
    for ratings in (
        (USERS, ITEMS, sp.csr_array(STARS)),
        (USERS, ITEMS, STARS[:3]),
        (USERS, ITEMS, np.where(STARS > 3, STARS, np.nan)),
        (USERS, ITEMS, STARS[:, None]),
        (USERS, ITEMS, "stars"),
        ([1.5] * 8, ITEMS, STARS),
        (USERS, [None] * 8, STARS),
        [USERS, ITEMS],
    ):
        with pytest.raises((DataError, DataTypeError)):
            cw.split_ratings(ratings)
    _, test = cw.split_ratings((3, ITEMS, STARS), test_share=0.25)  # one user of several items
    assert test[0].tolist() == [3, 3]


FEW = (np.array([1, 1, 2]), np.array([7, 8, 7]), np.array([5.0, 3, 4]))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda: cw.split_ratings(FEW), r"a test part of 0\.1: got 3 of them\. Raise `test_share`"),
        (lambda: cw.split_ratings(FEW[:2], test_share=0.3), r"of 0\.3: got 3 of them"),
        (lambda: cw.split_ratings((*FEW, FEW[0]), "time"), r"of 0\.1: got 3 of them"),
        (lambda: cw.split_ratings((FEW[1][:2], FEW[1][:2]), "last"), r"several: got 2 of 2 users"),
        (lambda: cw.split_ratings(tuple(part[:0] for part in FEW), "last"), r"several: got 0 of 0 users"),
        (lambda: cw.split_users(FEW), r"a test user: got 2 users and a share of 0\.1"),
        (lambda: cw.split_users(FEW, test_share=0.9), r"a user to train on: got 2 users and a share of 0\.9"),
        (lambda: cw.split_users(FEW, test_share=0.5, given_share=0.1), r"given: got at most [12] of a test .* 0\.1\."),
        (lambda: cw.split_ratings(sp.csr_array((3, 4))), r"of 0\.1: got 0 of them"),
    ],
)
def test_no_part_is_empty_without_a_word(split: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"`ratings` must be enough for .*{message}"):
        split()


def test_folds_are_those_of_scikit_learn() -> None:
    ratings, _ = cw.datasets.planted_ratings(50, 40, 500)
    frame = pd.DataFrame(ratings._asdict())
    rec = cw.RatingAutoencoder(units=2, epochs=1, verbose=0)
    folds = KFold(2, shuffle=True, random_state=0)
    figures = cross_validate(rec, frame, cv=folds, scoring=cw.RatingAutoencoder.evaluate)
    assert figures["test_known"].shape == (2,)
    for fold, (train, test) in enumerate(folds.split(frame)):
        rec.fit(tuple(part[train] for part in ratings))
        expected = rec.evaluate(tuple(part[test] for part in ratings))
        assert figures["test_rmse"][fold] == pytest.approx(expected["rmse"])
        assert figures["test_recall@10"][fold] == pytest.approx(expected["recall@10"])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"how": "stratified"}, ParameterError),
        ({"test_share": 1}, ParameterError),
        ({"seed": -1}, ParameterError),
        ({"how": "time"}, DataError),
        ({"columns": ("who", "what")}, DataError),
    ],
)
def test_what_cannot_be_split_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    frame = pd.DataFrame({"user": USERS, "item": ITEMS})
    with pytest.raises(error):
        cw.split_ratings(frame, **arguments)
