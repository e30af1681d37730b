"""Columns of users, items, ratings, counts and times are known by the names that people give them."""

from itertools import permutations

import numpy as np
import pytest
from sklearn import datasets

from codeword.arrays.id_columns import IdColumns, chosen_columns, named_columns
from codeword.arrays.id_pairs import are_pairs_of_ids
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
        ("customer_uid shop_id num_tx", ("customer_uid", "shop_id", "num_tx", None)),
        ("user_uuid imdb_id rating", ("user_uuid", "imdb_id", "rating", None)),
        ("userNo movieNo rating_id", ("userNo", "movieNo", None, None)),
        (
            "order_id order_date customer_id product_id quantity",
            ("customer_id", "product_id", "quantity", "order_date"),
        ),
        ("user_session user_id product_id", ("user_id", "product_id", None, None)),
        ("usuario película puntuación fecha", ("usuario", "película", "puntuación", "fecha")),
        ("id_usuario id_filme nota", ("id_usuario", "id_filme", "nota", None)),
        ("utilisateur film note", ("utilisateur", "film", "note", None)),
        ("Benutzer Artikel Bewertung Datum", ("Benutzer", "Artikel", "Bewertung", "Datum")),
        ("user postcode", None),
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


def drawn_pairs(users: int, items: int, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives different pairs, of popular items and busy users more."""
    random = np.random.default_rng(seed)
    weights = np.outer(random.pareto(1.5, users) + 0.1, random.pareto(1.2, items) + 0.1)
    cells = random.choice(weights.size, number, replace=False, p=(weights / weights.sum()).ravel())
    return np.divmod(cells, items)


@pytest.mark.parametrize("shape", [(40, 30, 500), (300, 90, 2_000), (900, 1_600, 9_000), (2_000, 3_000, 12_000)])
def test_whole_numbers_of_which_no_pair_repeats_are_ids(shape: tuple[int, int, int]) -> None:
    for seed in range(3):
        users, items = drawn_pairs(*shape, seed)
        assert are_pairs_of_ids(users, items)
        assert are_pairs_of_ids(np.append(users, users[:9]), np.append(items, items[:9]))  # a few are rated twice
        assert not are_pairs_of_ids(users, users % 5)
        assert not are_pairs_of_ids(-1 - users, items)
    assert not are_pairs_of_ids(users[:0], items[:0])


def test_other_whole_numbers_are_no_ids() -> None:
    colors = datasets.load_sample_images().images[0].reshape(-1, 3)[::5]
    digits, cells = datasets.load_digits().data.astype(int), datasets.load_breast_cancer().data[:, :4].astype(int)
    diabetes = np.rint(datasets.load_diabetes(scaled=False).data).astype(int)
    for table in (colors, np.unique(colors, axis=0), digits[:, :20], cells, diabetes):
        pairs = permutations(range(table.shape[1]), 2)
        assert not any(are_pairs_of_ids(table[:, one].astype(int), table[:, other].astype(int)) for one, other in pairs)
    year, month = np.divmod(np.arange(600), 12)
    assert not are_pairs_of_ids(year, month)  # a full grid
    assert not are_pairs_of_ids(np.arange(600), month)  # the number of the row
