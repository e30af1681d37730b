"""Columns of users, items, ratings, counts and times are known by the names that people give them."""

import pytest

from codeword.arrays.id_columns import IdColumns, chosen_columns, named_columns
from codeword.errors import DataError


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("user_id:token item_id:token rating:float", ("user_id:token", "item_id:token", "rating:float", None)),
        ("userId movieId rating timestamp", ("userId", "movieId", "rating", "timestamp")),
        ("rating timestamp movie_id user_id", ("user_id", "movie_id", "rating", "timestamp")),
        ("User-ID ISBN Book-Rating", ("User-ID", "ISBN", "Book-Rating", None)),
        ("reviewerID asin overall unixReviewTime", ("reviewerID", "asin", "overall", "unixReviewTime")),
        ("user_id parent_asin rating timestamp", ("user_id", "parent_asin", "rating", "timestamp")),
        ("uid iid score ts", ("uid", "iid", "score", "ts")),
        ("CUSTOMER PRODUCT STARS DATE", ("CUSTOMER", "PRODUCT", "STARS", "DATE")),
        ("userID artistID weight", ("userID", "artistID", "weight", None)),
        ("CustomerID StockCode Quantity InvoiceDate", ("CustomerID", "StockCode", "Quantity", "InvoiceDate")),
        ("visitorid itemid event timestamp", ("visitorid", "itemid", None, "timestamp")),
        ("userId movieId title genres rating", ("userId", "movieId", "rating", None)),
        ("user item", ("user", "item", None, None)),
        ("userId variable value", ("userId", "variable", "value", None)),
        ("index variable value", ("index", "variable", "value", None)),
        ("userId movieId value", ("userId", "movieId", "value", None)),
        ("userId level_1 0", ("userId", "level_1", "0", None)),
        ("user_id video_id is_click", ("user_id", "video_id", "is_click", None)),
        ("index value", None),
        ("user rating", None),
        ("item rating", None),
        ("x y z", None),
        ("", None),
    ],
)
def test_columns_are_found_by_their_names(names: str, found: tuple[str | None, ...] | None) -> None:
    assert named_columns(names.split(), counted=None) == (None if found is None else IdColumns(*found))


def test_counts_are_no_ratings_and_ratings_no_counts() -> None:
    names = ["user", "item", "rating", "plays"]
    assert named_columns(names, counted=False) == IdColumns("user", "item", "rating")
    assert named_columns(names, counted=True) == IdColumns("user", "item", "plays")
    assert named_columns(names[:3], counted=True) == IdColumns("user", "item")
    assert named_columns(["user", "item", "plays"], counted=False) == IdColumns("user", "item")


def test_names_that_the_user_gives_need_no_time() -> None:
    names = ["when", "a", "b", "c", "d"]
    chosen = [(["a", "b", "c"], "when"), (["a", "b", "c", "d"], "d"), (["a", "b"], "when"), (["when", "a", "b"], None)]
    for columns, time in chosen:
        found = chosen_columns(names, columns, counted=None, table="`x`")
        assert found == IdColumns(columns[0], columns[1], columns[2] if len(columns) > 2 else None, time)
    with pytest.raises(DataError, match=r"`x` must have ratings: got only the columns a, b\. Name a third one"):
        chosen_columns(names, ["a", "b"], counted=False, table="`x`")


@pytest.mark.parametrize(
    ("names", "counted", "message"),
    [
        (
            "a b c",
            False,
            r"users, items and ratings: got a, b, c, none .*=\(\"a\", \"b\", \"c\"\), on .* a,b,c\.$",
        ),
        (
            "a b",
            True,
            r"columns of users, items: got a, b, none .* columns=\(\"a\", \"b\"\), on .* --columns a,b\.$",
        ),
        ("user item c", False, r"none of which is named like ratings\."),
        ("Item Ratings", False, r"none of which is named like users\."),
        ("a b c d", False, r"--columns USER,ITEM,RATING\.$"),
        (" ".join(f"film{n}" for n in range(30)), False, r"film7, …, none .* in 30 columns\. If each is an item, melt"),
    ],
)
def test_names_that_nobody_gives_are_refused_with_the_way_to_name_them(names: str, counted: bool, message: str) -> None:
    with pytest.raises(DataError, match=message):
        chosen_columns(names.split(), None, counted=counted, table="`x`")


def test_what_was_found_is_told_in_a_line() -> None:
    names = ["userId", "movieId", "rating", "genres"]
    found = named_columns(names, counted=False)
    assert found is not None
    assert found.described(names) == "user = userId, item = movieId, rating = rating; not read: genres"
    assert found.described(names[:3], "count") == "user = userId, item = movieId, count = rating"
