"""Ratings of any origin: the same matrix and ids from all of them, and what is refused, with the ids named."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codeword.arrays.ids import Ids, checked_ids
from codeword.data_kinds import Interactions, Ratings
from codeword.errors import DataError, DataTypeError, TableFileError
from codeword.files import id_tables, sql_tables
from codeword.recommenders.rating_table import RatingTable, as_rating_table

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
FORMATS = [f"{name}_{kind}" for name in ("csr", "csc", "coo", "lil", "dok") for kind in ("array", "matrix")]
DENSE = np.array([[0, 3, 0, 1], [5, 0, 0, 0], [0, 0, 0, 2]])
COLUMNS: dict[str, Any] = {"user": [7, 3, 7], "item": ["b", "é", "a"], "rating": [1.0, 2.5, 0.0]}


def read(ratings: Any, **options: Any) -> RatingTable:
    return as_rating_table(ratings, options.pop("kind", None), **options)


def entries(table: RatingTable) -> dict[tuple[Any, Any], float]:
    """Gives what a table holds by the ids of user and item."""
    coo = table.matrix.tocoo()
    users, items = table.users.values.tolist(), table.items.values.tolist()
    found = {
        (users[row], items[column]): float(value) for row, column, value in zip(coo.row, coo.col, coo.data, strict=True)
    }
    assert len(found) == table.matrix.nnz
    return found


def assert_well_formed(table: RatingTable) -> None:
    matrix = table.matrix
    assert isinstance(matrix, sp.csr_array)
    assert matrix.dtype == np.float32
    assert matrix.shape == (len(table.users), len(table.items))
    # Not the flags, which may be stale: the entries themselves.
    for row in range(matrix.shape[0]):
        assert (np.diff(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]) > 0).all()
    for ids in (table.users.values, table.items.values):
        assert ids.dtype == np.int64 or ids.dtype == object
        assert (ids[1:] > ids[:-1]).all()


# Sparse matrices


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("name", FORMATS)
def test_every_sparse_format_is_the_same_table(name: str, dtype: Any) -> None:
    table = read(getattr(sp, name)(DENSE.astype(dtype)))
    assert_well_formed(table)
    np.testing.assert_array_equal(table.matrix.toarray(), DENSE)
    assert table.matrix.nnz == 4
    np.testing.assert_array_equal(table.users.values, np.arange(3))
    np.testing.assert_array_equal(table.items.values, np.arange(4))


@pytest.mark.parametrize("name", ["csr_array", "csr_matrix", "csc_array", "csc_matrix", "coo_array", "coo_matrix"])
def test_a_stored_zero_is_a_rating(name: str) -> None:
    data, row, column = np.array([0.0, 4.0, 0.0]), np.array([1, 0, 2]), np.array([3, 1, 0])
    table = read(getattr(sp, name)(sp.coo_array((data, (row, column)), shape=(3, 4))), kind=Ratings(0, 4))
    assert entries(table) == {(1, 3): 0.0, (0, 1): 4.0, (2, 0): 0.0}


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_unsorted_entries_are_sorted_and_the_users_matrix_stays_as_it_was(index: Any) -> None:
    given_parts = np.array([3.0, 1.0, 5.0], np.float32), np.array([3, 0, 2], index), np.array([0, 3, 3], index)
    matrix = sp.csr_array(given_parts, shape=(2, 4))
    before = [part.copy() for part in (matrix.data, matrix.indices, matrix.indptr)]
    table = read(matrix)
    assert_well_formed(table)
    assert entries(table) == {(0, 3): 3.0, (0, 0): 1.0, (0, 2): 5.0}
    for part, old in zip((matrix.data, matrix.indices, matrix.indptr), before, strict=True):
        np.testing.assert_array_equal(part, old)
        assert not any(np.shares_memory(part, own) for own in (table.matrix.data, table.matrix.indices))


@pytest.mark.parametrize("name", ["coo_array", "coo_matrix", "csr_array"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64, bool])
def test_a_pair_twice_with_one_rating_counts_once(name: str, dtype: Any) -> None:
    data, row, column = np.array([1, 0, 1, 0, 1], dtype), [2, 0, 2, 0, 1], [1, 3, 1, 3, 0]
    matrix = sp.coo_array((data, (row, column)), shape=(3, 4))
    if name == "csr_array":
        matrix = sp.csr_array((data[[1, 3, 4, 0, 2]], [3, 3, 0, 1, 1], [0, 2, 3, 5]), shape=(3, 4))
    elif name == "coo_matrix":
        matrix = sp.coo_matrix((data, (row, column)), shape=(3, 4))
    assert matrix.nnz == 5
    table = read(matrix)
    assert_well_formed(table)
    assert entries(table) == {(2, 1): 1.0, (0, 3): 0.0, (1, 0): 1.0}
    assert matrix.nnz == 5


TWICE = sp.coo_array((np.array([250, 1, 4], np.uint8), ([2, 0, 2], [1, 3, 1])), shape=(3, 4))


def test_a_pair_rated_twice_differently_is_refused_with_its_ids_if_asked_for() -> None:
    with pytest.raises(DataError, match=r"got 1 more .* the first for user 2 and item 1: 250 and 4\. Keep .* or set"):
        read(TWICE, repeated="error")
    users, items = np.array(["zoë", "al", "zoë", "zoë"]), [10, 20, 10, 30]
    with pytest.raises(DataError, match=r"got 1 more .* the first for user zoë and item 10: 1 and 2\."):
        read((users, items, [1.0, 5.0, 2.0, 1.0]), repeated="error")
    with pytest.raises(DataError, match=r"got 2 more ratings of the same pairs"):
        read(([1, 1, 1], [2, 2, 2], [1, 2, 3]), repeated="error")
    read(([1, 1, 1], [2, 2, 2], [3, 3, 3]), repeated="error")


def test_the_last_rating_of_a_pair_counts_and_is_told() -> None:
    with pytest.warns(UserWarning, match=r"`ratings` has 1 more .*: 250 and 4\. Of each pair, the last in the table c"):
        assert entries(read(TWICE)) == {(2, 1): 4.0, (0, 3): 1.0}
    ratings = ([1, 2, 1, 1], [5, 5, 5, 6], [1, 2, 4, 3])
    with pytest.warns(UserWarning, match=r"set repeated=\"mean\" \(on the command line: --repeated\)"):
        assert entries(read(ratings)) == {(1, 5): 4.0, (2, 5): 2.0, (1, 6): 3.0}


@pytest.mark.parametrize(
    "times",
    [
        [30, 10, 20, 5],
        np.array(["2020-03-01", "2020-01-01", "2020-02-01", "2019-01-01"], "datetime64[s]"),
        ["2020-03-01 10:00", "2020-01-01", "2020-02-01", "2019-01-01"],
        [30.5, np.nan, 20, 5],
    ],
    ids=["numbers", "times", "texts", "unknown"],
)
def test_the_latest_rating_of_a_pair_counts_where_there_are_times(tmp_path: Path, times: Any) -> None:
    ratings = {"user": [1, 1, 1, 2], "item": [5, 5, 5, 5], "rating": [2, 3, 4, 1]}
    frame = pd.DataFrame({**ratings, "timestamp": times})
    frame.to_csv(tmp_path / "r.csv", index=False)
    frame.to_parquet(tmp_path / "r.parquet")
    if frame["timestamp"].dtype.kind in "OM":  # small numbers without a name are no times
        frame.to_csv(tmp_path / "bare.csv", index=False, header=False)
    sources = (frame, pl.DataFrame(frame), (*ratings.values(), times), *sorted(tmp_path.iterdir()))
    assert len(sources) >= 5
    for source in sources:
        with pytest.warns(UserWarning, match=r"has 2 more ratings .*Of each pair, the latest counts"):
            assert entries(read(source)) == {(1, 5): 2.0, (2, 5): 1.0}


def test_the_mean_of_the_ratings_of_a_pair_is_a_step_of_the_scale() -> None:
    ratings = ([1, 2, 1, 1], [5, 5, 5, 5], [1, 2, 4, 4])
    with pytest.warns(UserWarning, match=r"Of each pair, their mean counts\.$"):
        assert entries(read(ratings, repeated="mean")) == {(1, 5): 3.0, (2, 5): 2.0}
    for kind, mean in ((Ratings(1, 5), 2.5), (Ratings(1, 5, step=1), 3.0), (Ratings(1, 5, step=0.5), 2.5)):
        with pytest.warns(UserWarning, match="mean"):
            assert entries(read(([1, 1], [5, 5], [1, 4]), repeated="mean", kind=kind)) == {(1, 5): mean}


# Numbers that stand for "not rated"


@pytest.mark.parametrize("number", [-1, 0, 99])
def test_rows_of_a_number_for_not_rated_are_dropped(number: float, tmp_path: Path) -> None:
    kind, ratings = Ratings(1, 5, missing=number), ([1, 2, 2, 3], [5, 5, 6, 6], [1, number, 4, number])
    pd.DataFrame(dict(zip(COLUMNS, ratings, strict=True))).to_csv(tmp_path / "r.csv", index=False)
    for source in (ratings, tmp_path / "r.csv"):
        assert entries(read(source, kind=kind)) == {(1, 5): 1.0, (2, 6): 4.0}
    assert entries(read(sp.coo_array((ratings[2], ratings[:2])), kind=kind)) == {(1, 5): 1.0, (2, 6): 4.0}
    with pytest.raises(DataError, match=r"between 1 and 5: got 1 to 7, 1 of 2 outside\. If the scale"):
        read(([1, 2, 2], [5, 5, 6], [1, number, 7]), kind=kind)
    with pytest.raises(DataError, match=r"at least one rating: got none"):
        read(([1, 2], [5, 5], [number, number]), kind=kind)


def test_a_number_apart_from_the_others_is_told_where_the_scale_holds_it() -> None:
    users, items = np.arange(60), np.arange(60) % 7
    ratings = np.where(np.arange(60) % 3 == 0, 99, 1 + np.arange(60) % 5)
    with pytest.warns(UserWarning, match=r"33\.3% of `ratings` are 99, which .* use Ratings\(1, 5, missing=99\)"):
        read((users, items, ratings), kind=Ratings(1, 99))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_rating_that_is_not_finite_is_refused_with_its_ids(bad: float) -> None:
    dense = DENSE.astype(float)
    dense[2, 3] = bad
    with pytest.raises(DataError, match=r"got 1 NaN or infinite, the first for user 2 and item 3\."):
        read(sp.csc_array(dense))
    with pytest.raises(DataError, match=r"the first for user -4 and item é\."):
        read((np.array([9, -4, 9]), np.array(["a", "é", "b"]), [1, bad, 2]))


def test_a_rating_too_large_for_float32_is_refused_as_any_other() -> None:
    with pytest.raises(DataError, match=r"for user 5 and item 1\."):
        read(([4, 5], [1, 1], [1.0, 1e300]), kind=Ratings(1, 5))
    with pytest.raises(DataError, match=r"for user 0 and item 1\."):
        read(sp.csr_array([[1.0, 1e300]]), kind=Ratings(1, 5))


def test_true_and_false_are_1_and_0() -> None:
    assert entries(read(sp.csr_array(DENSE == 5))) == {(1, 0): 1.0}
    assert entries(read(([1, 2], [3, 3], np.array([True, False])))) == {(1, 3): 1.0, (2, 3): 0.0}


def test_sparse_matrices_of_no_real_numbers_or_another_rank_are_refused() -> None:
    with pytest.raises(DataTypeError, match=r"got shape \(3, 4\), dtype complex128"):
        read(sp.csr_array(DENSE.astype(complex)))
    with pytest.raises(DataTypeError, match=r"got shape \(3,\)"):
        read(sp.coo_array(np.ones(3)))


# Tables and files


@pytest.mark.parametrize("library", FRAMES)
def test_frames_of_every_library_are_the_same_table(library: str) -> None:
    table = read(FRAMES[library]({"when": [1, 2, 3], **COLUMNS}), kind=Ratings(0, 5))
    assert_well_formed(table)
    assert entries(table) == {(7, "b"): 1.0, (3, "é"): 2.5, (7, "a"): 0.0}


@pytest.mark.parametrize("library", FRAMES)
def test_columns_of_other_names_and_order(library: str) -> None:
    frame = FRAMES[library]({"stars": [1.0, 2.0], "film": [8, 9], "who": ["x", "y"]})
    assert entries(read(frame, columns=("who", "film", "stars"))) == {("x", 8): 1.0, ("y", 9): 2.0}
    assert entries(read(frame)) == {("x", 8): 1.0, ("y", 9): 2.0}
    with pytest.raises(DataError, match=r"got stars, film, who, without user, item, rating\. Name .*columns=\(\"stars"):
        read(frame, columns=("user", "item", "rating"))
    with pytest.raises(DataError, match=r"without stars2"):
        read(frame, columns=("who", "film", "stars2"))


@pytest.mark.parametrize(
    "ids",
    [
        pd.Categorical(["x", "y", "x"]),
        pd.array(["x", "y", "x"], dtype="string"),
        pd.array(["x", "y", "x"], dtype="string[pyarrow]"),
        pd.Series(["x", "y", "x"], dtype=object),
        pl.Series(["x", "y", "x"], dtype=pl.Categorical),
        pl.Series(["x", "y", "x"], dtype=pl.Enum(["y", "x"])),
        pa.array(["x", "y", "x"]).dictionary_encode(),
        pa.array(["x", "y", "x"], pa.large_string()),
        np.array(["x", "y", "x"]),
        ["x", "y", "x"],
    ],
    ids=lambda ids: f"{type(ids).__module__.partition('.')[0]}-{getattr(ids, 'dtype', getattr(ids, 'type', 'list'))}",
)
def test_texts_of_every_type_are_ids(ids: Any) -> None:
    assert entries(read(as_frame(ids))) == {("x", 1): 1.0, ("y", 2): 2.0, ("x", 3): 3.0}


@pytest.mark.parametrize(
    "ids",
    [
        np.array([5, -4, 5], np.int8),
        np.array([5, -4, 5], np.int64),
        np.array([5.0, -4.0, 5.0]),
        np.array([5.0, -4.0, 5.0], np.float32),
        np.array([5, np.int32(-4), 5], object),
        pd.array([5, -4, 5], dtype="Int64"),
        pd.array([5, -4, 5], dtype="Float64"),
        pd.Categorical([5, -4, 5]),
        pl.Series([5, -4, 5], dtype=pl.Int16),
        pa.array([5, -4, 5], pa.int32()),
        [5, -4, 5],
    ],
    ids=lambda ids: f"{type(ids).__module__.partition('.')[0]}-{getattr(ids, 'dtype', getattr(ids, 'type', 'list'))}",
)
def test_whole_numbers_of_every_type_are_ids(ids: Any) -> None:
    assert entries(read(as_frame(ids))) == {(5, 1): 1.0, (-4, 2): 2.0, (5, 3): 3.0}


def as_frame(ids: Any) -> Any:
    """Puts ids into a table of their own library, of three ratings."""
    others: dict[str, Any] = {"item": [1, 2, 3], "rating": [1.0, 2.0, 3.0]}
    if isinstance(ids, pa.Array):
        return pa.table({"user": ids, **others})
    if isinstance(ids, pl.Series):
        return pl.DataFrame({"user": ids, **others})
    if isinstance(ids, list | np.ndarray):
        return ids, others["item"], others["rating"]
    return pd.DataFrame({"user": ids, **others})


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("column", ["user", "item"])
@pytest.mark.parametrize("ids", [["a", None, "b"], [1, None, 2]], ids=["text", "numbers"])
def test_missing_ids_are_refused_as_missing(library: str, column: str, ids: list[Any]) -> None:
    columns = {"user": [1, 2, 3], "item": [1, 2, 3], "rating": [1.0, 2.0, 3.0], column: ids}
    # Not "Write them as text", which would make an id "nan" of all who have none.
    with pytest.raises(DataError, match=rf"`ratings: {column}`.* got 1 missing, the first in row 1, counted from 0"):
        read(FRAMES[library](columns))


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, ""], ids=repr)
def test_a_missing_id_in_a_list_of_texts_is_no_id(missing: Any) -> None:
    with pytest.raises(DataError, match=r"`ratings: user` .* got 1 missing, the first in row 1, counted from 0"):
        read((["a", missing, "b"], [1, 2, 3], [1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    "ids",
    [
        np.array(["a", 1], object),
        np.array([True, False]),
        np.array([True, 1], object),
        np.array([1.5, 2.0]),
        np.array([np.inf, 2.0]),
        np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"),
        np.array([b"a", b"b"]),
        np.ones((2, 1), int),
        np.array([1 + 2j, 2]),
    ],
    ids=["mixed", "bool", "bool and int", "fractions", "infinite", "dates", "bytes", "two axes", "complex"],
)
def test_ids_that_are_neither_whole_numbers_nor_text_are_refused(ids: Any) -> None:
    with pytest.raises((DataTypeError, DataError), match=r"`ratings: item`.*got "):
        read(([1, 2], ids, [1.0, 2.0]))


@pytest.mark.parametrize(
    "ids",
    [np.array([2**63 + 5, 1], np.uint64), [2**70, 1], [-(2**70), 1], [1e30, 1.0], [2.0**63, 1.0]],
    ids=["uint64", "object", "negative", "float", "first float beyond"],
)
def test_ids_beyond_int64_are_refused_not_wrapped(ids: Any) -> None:
    with pytest.raises((DataError, DataTypeError), match=r"`ratings: user`.*got "):
        read((ids, [1, 2], [1.0, 2.0]))


def test_largest_ids_are_kept_exactly() -> None:
    ids = [2**63 - 1, -(2**63), 2**53 + 1]
    assert read((ids, [1, 2, 3], [1.0, 2.0, 3.0])).users.values.tolist() == sorted(ids)


def test_masked_ids_and_ratings_are_refused() -> None:
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0])
    with pytest.raises(DataError, match=r"user` .*got 1 missing, the first in row 1, counted from 0 \(an empty cell\)"):
        read((masked, [1, 2, 3], [1, 2, 3]))
    with pytest.raises(DataError, match=r"`ratings: rating` .* got 1 empty"):
        read(([1, 2, 3], [1, 2, 3], masked))
    assert len(entries(read((np.ma.array([1, 2, 3]), [1, 2, 3], np.ma.array([1, 2, 3]))))) == 3


@pytest.mark.parametrize("header", [True, False])
def test_csv_with_and_without_a_header(tmp_path: Path, header: bool) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating\n" * header + "7,10,1\n3,-9,2.5\n7,11,0\n", encoding="utf-8")
    for place in (path, str(path)):
        table = read(place, kind=Ratings(0, 5))
        assert_well_formed(table)
        assert entries(table) == {(7, 10): 1.0, (3, -9): 2.5, (7, 11): 0.0}


def queries_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the queries that DuckDB runs on a file."""
    queries: list[str] = []
    plain = sql_tables.asked

    def recorded(connection: Any, path: Path, query: str) -> dict[str, Any]:
        queries.append(query)
        return plain(connection, path, query)

    for module in (sql_tables, id_tables):
        monkeypatch.setattr(module, "asked", recorded)
    return queries


@pytest.mark.parametrize("head", ["user,item,rating\n", "", "when,rating,item,user\n"], ids=["header", "none", "more"])
def test_a_csv_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(head + "\n".join(["1,2,3,4" if head.startswith("when") else "3,2,2"] * 30_000))
    queries = queries_of(monkeypatch)
    assert len(entries(read(path))) == 1
    names, parse = queries  # the names come from the beginning: without `sample_size=-1` DuckDB reads no further
    assert "sniff_csv" in names
    assert "read_csv" in parse
    assert not any("sample_size" in query for query in queries)


def test_a_parquet_is_read_once_and_only_its_three_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({**COLUMNS, "more": [1, 2, 3]}).write_parquet(tmp_path / "ratings.parquet")
    queries = queries_of(monkeypatch)
    read(tmp_path / "ratings.parquet")
    assert [query.partition(" FROM ")[0] for query in queries] == [
        "DESCRIBE SELECT *",
        'SELECT "user" AS v0, "item" AS v1, "rating" AS v2',
    ]


def test_csv_columns_by_position(tmp_path: Path) -> None:
    """A first line of which one field is text, an id or a date, is no header: it is not lost."""
    path = tmp_path / "ratings.csv"
    columns = ("column1", "column0", "column2")
    for lines in ("u0,7,4,2005-04-02\nu1,8,2.5,2006-01-01\n", "10,7,4,881250949\n11,8,2.5,881250950\n"):
        path.write_text(lines)
        with pytest.raises(DataError, match=r"without column7\. Name those of .* The file has no header\.$"):
            read(path, columns=("column0", "column1", "column7"))
        users = ["u0", "u1"] if lines.startswith("u") else [10, 11]
        assert entries(read(path, columns=columns)) == {(7, users[0]): 4.0, (8, users[1]): 2.5}
        table = read(path)
        assert entries(table) == {(users[0], 7): 4.0, (users[1], 8): 2.5}
        assert table.note == "user = column0, item = column1, rating = column2, time = column3"
    path.write_text("u0,7,4,2005-04-02\nu1,8,2.5,2006-01-01\n")
    assert entries(read(path, columns=("u0", "7", "4"))) == {("u0", 7): 4.0, ("u1", 8): 2.5}
    assert entries(read(path, columns=("u", "i", "r", "t"))) == {("u0", 7): 4.0, ("u1", 8): 2.5}
    path.write_text("column0,column1,column2\n5,6,2\n")  # names of a header like any others
    assert entries(read(path, columns=columns)) == {(6, 5): 2.0}
    path.write_text("ann,dune\nbob,emma\n")  # nothing says that this is no header
    with pytest.raises(DataError, match=r"the first line is no header: columns=\(\"column0\", \"column1\"\), on"):
        read(path, kind=Interactions())
    assert len(entries(read(path, kind=Interactions(), columns=("column0", "column1")))) == 2


@pytest.mark.parametrize(
    ("lines", "counted", "told"),
    [
        ("1,2,3\n", False, "user = column0, item = column1, rating = column2"),
        ("1,2,881250949,3\n", False, "user = column0, item = column1, rating = column3, time = column2"),
        ("a::2::3.5::2005-04-02 10:00:00\n", False, "user = column0, item = column1, rating = column2, time = column3"),
        ("1\t2\n", True, "user = column0, item = column1"),
        ("1,2,881250949\n", True, "user = column0, item = column1, time = column2"),
        ("a\tb\tthe name\t17\n", True, "user = column0, item = column1, count = column3; not read: column2"),
        ("1 2 3\n", True, "user = column0, item = column1, count = column2"),
    ],
)
def test_columns_without_names_are_known_by_what_they_hold(
    tmp_path: Path, lines: str, counted: bool, told: str
) -> None:
    path = tmp_path / "ratings.txt"
    path.write_text(lines * 3)
    kind = Interactions() if counted else Ratings(1, 5)
    assert read(path, kind=kind).note == told


@pytest.mark.parametrize(
    ("lines", "counted", "message"),
    [
        ("1,2\n", False, r"users, items and ratings, .* got 2 columns without names, the first line '1, 2'"),
        ("1,2,881250949\n", False, r"got 3 columns without names"),
        (
            "1,2,3,4,5\n",
            False,
            r"columns=\(\"column0\", \"column1\", \"column2\"\), on the",
        ),
        ("1\n2\n", True, r"columns of users and items, .* got 1 columns"),
        ("9,8,7\nuser,item,3\n", False, r"between 1 and 5: got 3 to 7, 1 of 2 outside"),
        ("3,242,881250949\n4,302,891717742\n", False, r"columns without names"),
        ("881250949,242,196\n891717742,302,186\n", False, r"between 1 and 5: got 186 to 196"),
    ],
)
def test_columns_in_another_order_are_refused(tmp_path: Path, lines: str, counted: bool, message: str) -> None:
    path = tmp_path / "ratings.txt"
    path.write_text(lines)
    with pytest.raises(DataError, match=message):
        read(path, kind=Interactions() if counted else Ratings(1, 5))


def test_csv_ratings_that_are_text_are_refused_with_the_first(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating\n1,1,3\n1,2,\n1,3,good\n1,4,bad\n")
    with pytest.raises(DataTypeError, match=r"must have numbers in column 'rating': got .* 'good'\. If another"):
        read(path)
    path.write_text("user;item;rating\n1;1;3,5\n1;2;1,234\n")
    with pytest.raises(DataTypeError, match=r"got text, the first '1,234'\. Write decimals with a point\.$"):
        read(path)
    for column in ("rating", "score"):
        path.write_text(f"user,item,{column}\n1,1,2020-01-01\n1,2,2020-01-02\n")
        with pytest.raises(DataTypeError, match=r"the first '2020-01-01'\. These are dates\. If another column holds"):
            read(path)
    frame = pd.DataFrame({**COLUMNS, "rating": pd.to_datetime(["2020-01-01"] * 3)})
    with pytest.raises(DataTypeError, match=r"dtype datetime64.*If another column holds the ratings, name it"):
        read(frame)


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("head", ["user,item,rating\n", ""])
def test_csv_quotes_that_first_occur_far_below(tmp_path: Path, head: str, quote: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(head + "1,2,3\n" * 50_000 + f"{quote}a, b{quote},4,5\n")
    assert entries(read(path)) == {("1", 2): 3.0, ("a, b", 4): 5.0}


def test_csv_of_texts_and_more_columns(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text('when,rating,user,item\n1,4,"a, b",é\n2,5,日本,x\n', encoding="utf-8")
    assert entries(read(path)) == {("a, b", "é"): 4.0, ("日本", "x"): 5.0}


@pytest.mark.parametrize("frame", ["user,item,rating\n,1,3\n2,2,4\n", "user,item,rating\n1,1,3\n2,2,\n"])
def test_csv_with_an_empty_cell_is_refused(tmp_path: Path, frame: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(frame)
    with pytest.raises(DataError, match=r"got 1 (missing|empty), the first in row [01], counted from 0"):
        read(path)


def test_csv_of_other_columns_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("kid,toy,fun\n1,1,3\n")
    with pytest.raises(DataError, match=r"got kid, toy, fun, none of which .* --columns kid,toy,fun\. If the"):
        read(path)
    with pytest.raises(DataError, match=r"the columns kid, toys, fun: got kid, toy, fun, without toys\."):
        read(path, columns=("kid", "toys", "fun"))
    assert entries(read(path, columns=("kid", "toy", "fun"))) == {(1, 1): 3.0}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_parquet(tmp_path: Path, library: str) -> None:
    path = tmp_path / "ratings.parquet"
    frame = FRAMES[library](COLUMNS)
    frame.to_parquet(path) if library == "pandas" else frame.write_parquet(path)
    assert entries(read(path)) == {(7, "b"): 1.0, (3, "é"): 2.5, (7, "a"): 0.0}


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.csv"):
        read(tmp_path / "no.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(TableFileError, match=r"broken\.parquet"):
        read(tmp_path / "broken.parquet")
    np.save(tmp_path / "ratings.npy", DENSE)
    with pytest.raises(TableFileError, match=r"got a \.npy file"):
        read(tmp_path / "ratings.npy")


def test_a_table_that_was_read_is_taken_as_it_is() -> None:
    table = read(sp.csr_array(DENSE))
    assert read(table, kind=Ratings(1, 5)) is table
    with pytest.raises(DataError, match=r"between 2 and 5: got 1 to 5"):
        read(table, kind=Ratings(2, 5))


# What else is refused


def test_a_dense_array_is_refused_with_the_way_out() -> None:
    with pytest.raises(DataTypeError, match=r"got ndarray of shape \(3, 4\)\..*scipy\.sparse\.csr_array\(x\)"):
        read(DENSE)
    for other in ([[1, 2, 3]], None, 5, ([1], [1]), {(1, 2): 3}, pl.DataFrame(COLUMNS).lazy()):
        with pytest.raises(DataTypeError, match=rf"got {type(other).__name__}[ .]"):
            read(other)


def test_arrays_of_other_lengths_are_refused() -> None:
    with pytest.raises(DataError, match=r"got lengths \[3, 2, 3\]"):
        read(([1, 2, 3], [1, 2], [1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    "values",
    [
        np.array(["1", "2"]),
        np.array(["1", "2"], object),
        np.array([1 + 2j, 2]),
        np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"),
        np.array([{}, 1], object),
        np.ones((2, 1)),
    ],
    ids=["text", "text objects", "complex", "dates", "objects", "two axes"],
)
def test_ratings_that_are_no_numbers_are_refused(values: Any) -> None:
    with pytest.raises(DataTypeError, match=r"`ratings: rating` must be numbers.*: got "):
        read(([1, 2], [1, 2], values))


def test_no_rating_is_refused_unless_there_may_be_none() -> None:
    for nothing in (sp.csr_array((3, 4)), ([], [], []), sp.csr_array((0, 0)), pl.DataFrame(COLUMNS)[:0]):
        with pytest.raises(DataError, match=r"at least one rating: got none for \d+ users x \d+ items"):
            read(nothing)
        assert read(nothing, empty=True).matrix.nnz == 0
    assert read(sp.csr_array((3, 4)), empty=True).matrix.shape == (3, 4)


@pytest.mark.parametrize("library", FRAMES)
def test_a_table_of_no_row_may_be_empty_whatever_the_library(library: str) -> None:
    if library == "pandas":
        columns = {"user": pd.Series([], dtype=object), "item": pd.Series([], dtype=object), "rating": []}
        frame = pd.DataFrame(columns).astype({"rating": float})  # as an object column filtered down to nothing is
    else:
        frame = FRAMES[library](COLUMNS)[:0]
    assert read(frame, empty=True).matrix.nnz == 0


def test_one_rating() -> None:
    table = read(([-3], ["x"], [4.5]))
    assert_well_formed(table)
    assert entries(table) == {(-3, "x"): 4.5}


def test_ratings_outside_the_scale_are_refused_from_every_origin() -> None:
    for ratings in (sp.csr_array(DENSE), ([1, 2], [1, 2], [0.5, 3])):
        with pytest.raises(DataError, match=r"between 1 and 4: got .*, 1 of \d outside"):
            read(ratings, kind=Ratings(1, 4))
    stored_zero = sp.coo_array(([0.0, 3.0], ([0, 1], [0, 1])), shape=(2, 2))
    with pytest.raises(DataError, match=r"1 of them are 0: if 0 means not rated, use Ratings\(1, 4, missing=0\)"):
        read(stored_zero, kind=Ratings(1, 4))


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(0.1, 0.7, 0.1), (-0.7, -0.1, 0.1), (0, 1, 0.01), (0, 100, 0.01), (1e4, 1e4 + 1, 0.01), (-1e3, 1e3, 0.1)],
)
def test_every_rating_that_a_scale_with_steps_has_is_allowed(low: float, high: float, step: float) -> None:
    kind = Ratings(low, high, step)
    levels = kind.levels
    table = read((np.arange(len(levels)), np.zeros(len(levels), int), levels), kind=kind)
    np.testing.assert_array_equal(table.matrix.data, levels.astype(np.float32))
    with pytest.raises(DataError, match=r"got 1 others, the first "):
        read(([1], [1], [levels[0] + 0.4 * step]), kind=kind)


# Round trips


ids_of_numbers = st.integers(-(2**63), 2**63 - 1)
# An empty text is no id, NumPy's text arrays cannot end in NUL, and no file can hold half a surrogate pair.
ids_of_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)
ratings_of_ids = st.tuples(
    st.sampled_from([ids_of_numbers, ids_of_text]), st.sampled_from([ids_of_numbers, ids_of_text])
)
named_ratings = ratings_of_ids.flatmap(
    lambda kinds: st.dictionaries(st.tuples(*kinds), st.floats(-5, 5, width=32), min_size=1, max_size=12)
)


@settings(deadline=None, max_examples=60)
@given(named_ratings, st.randoms())
def test_what_a_table_says_is_what_the_matrix_holds(ratings: dict[tuple[Any, Any], float], random: Any) -> None:
    pairs = list(ratings)
    random.shuffle(pairs)
    columns = ([user for user, _ in pairs], [item for _, item in pairs], [ratings[pair] for pair in pairs])
    table = read(columns)
    assert_well_formed(table)
    assert entries(table) == ratings
    coo = table.matrix.tocoo()
    again = read((table.users.values[coo.row], table.items.values[coo.col], coo.data))
    assert entries(again) == ratings
    for name, ids in (("users", columns[0]), ("items", columns[1])):
        known: Ids = getattr(table, name)
        np.testing.assert_array_equal(known.values[known.positions(ids, name)], ids)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.sampled_from([None, 0, 1, 5]), min_size=3, max_size=3), min_size=1, max_size=5))
def test_matrix_to_table_and_back(rows: list[list[int | None]]) -> None:
    stored = [(i, j, value) for i, row in enumerate(rows) for j, value in enumerate(row) if value is not None]
    if not stored:
        return
    row, column, value = map(np.array, zip(*stored, strict=True))
    matrix = read(sp.coo_array((value, (row, column)), shape=(len(rows), 3)))
    table = read((row, column, value))
    assert entries(matrix) == entries(table) == {(i, j): float(value) for i, j, value in stored}


# Ids


NUMBERS, TEXTS = Ids(np.array([-5, 2, 9])), Ids(np.array(["", "a", "é"], object))


def test_positions_of_known_and_unknown_ids() -> None:
    assert NUMBERS.positions([9, -5, 3, -6, 10, 2, 9], "n").tolist() == [2, 0, -1, -1, -1, 1, 2]
    assert NUMBERS.positions(9.0, "n").tolist() == [2]
    assert NUMBERS.positions(np.array([2], np.uint8), "n").tolist() == [1]
    assert TEXTS.positions(["é", "", "b", "éa", "a"], "t").tolist() == [2, 0, -1, -1, 1]
    assert TEXTS.positions("a", "t").tolist() == [1]
    assert Ids.counted(3).positions([2, 3, -1], "n").tolist() == [2, -1, -1]
    assert Ids.counted(0).positions([0], "n").tolist() == [-1]


@pytest.mark.parametrize("ids", [NUMBERS, TEXTS], ids=["numbers", "texts"])
@pytest.mark.parametrize(
    "nothing",
    [[], (), np.array([], int), np.array([], str), np.array([]), np.array([], object), pl.Series([], dtype=pl.String)],
    ids=["list", "tuple", "int", "str", "float", "object", "polars"],
)
def test_positions_of_no_ids(ids: Ids, nothing: Any) -> None:
    found = ids.positions(nothing, "users")
    assert found.shape == (0,)
    assert found.dtype.kind == "i"


def test_positions_of_ids_of_the_other_kind_are_refused() -> None:
    with pytest.raises(DataTypeError, match=r"`users` must be integers, as in training: got text, .*'2'"):
        NUMBERS.positions(["2"], "users")
    with pytest.raises(DataTypeError, match=r"`items` must be text, as in training: got integers, .*2"):
        TEXTS.positions([2], "items")
    with pytest.raises(DataTypeError, match=r"`items`"):
        NUMBERS.positions([1.5], "items")


def test_ids_of_a_column_and_where_they_stand() -> None:
    ids, positions = Ids.of(["b", "a", "b"], "n")
    assert (ids.values.tolist(), positions.tolist(), len(ids)) == (["a", "b"], [1, 0, 1], 2)
    array: NDArray[Any] = checked_ids(np.array([3, 1], np.int8), "n")
    assert array.dtype == np.int64


def test_the_users_arrays_stay_as_they_were() -> None:
    arrays = np.array([5, 1, 5]), np.array(["b", "a", "a"]), np.array([1.0, 2.0, 3.0], np.float32)
    copies = [array.copy() for array in arrays]
    read(arrays, kind=Ratings(1, 5))
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


# Interactions: pairs without a rating, perhaps with a count

PAIRS = {"user": [7, 3, 7], "item": ["b", "a", "a"]}
TAKEN = {(7, "b"): 1.0, (3, "a"): 1.0, (7, "a"): 1.0}


@pytest.mark.parametrize("library", FRAMES)
def test_pairs_without_a_count_count_as_1_whatever_they_came_in(library: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    pd.DataFrame(PAIRS).to_csv(path, index=False)
    for pairs in (FRAMES[library](PAIRS), tuple(PAIRS.values()), path):
        table = read(pairs, kind=Interactions())
        assert entries(table) == TAKEN
        assert_well_formed(table)
        with pytest.raises((DataError, DataTypeError), match=r"rating|three arrays"):
            read(pairs)


def test_counts_are_kept_and_those_of_a_repeated_pair_added() -> None:
    counted = {**PAIRS, "plays": [2, 5, 0.5]}
    columns = ("user", "item", "plays")
    for pairs in (pd.DataFrame(counted), tuple(counted.values())):
        table = read(pairs, kind=Interactions(), columns=columns)
        assert entries(table) == {(7, "b"): 2.0, (3, "a"): 5.0, (7, "a"): 0.5}
    assert entries(read(([1, 1, 2], [4, 4, 4]), kind=Interactions())) == {(1, 4): 2.0, (2, 4): 1.0}
    doubled = sp.coo_array(([2, 3, 1], ([0, 0, 1], [1, 1, 0])))
    assert entries(read(doubled, kind=Interactions())) == {(0, 1): 5.0, (1, 0): 1.0}


def test_negative_counts_are_refused_before_they_are_added() -> None:
    for users in ([1, 1, 2], [1, 3, 2]):
        with pytest.raises(DataError, match="Counts of interactions must be above 0"):
            read((users, [4, 4, 4], [3, -1, 1]), kind=Interactions())


@pytest.mark.parametrize("counts", [[0, 2, 1], [False, True, True], [0.0, 0.5, 1]], ids=str)
def test_rows_of_what_was_not_taken_are_left_out_with_a_warning(counts: list[Any]) -> None:
    with pytest.warns(UserWarning, match=r"`ratings` has the count 0 \(or False\) in 1 of 3 rows, which are left out"):
        table = read(([1, 1, 2], [4, 4, 4], counts), kind=Interactions())
    assert entries(table) == {(1, 4): counts[1], (2, 4): 1.0}
    matrix = sp.csr_array((np.array(counts), ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    with pytest.warns(UserWarning, match="left out"):
        assert read(matrix, kind=Interactions()).matrix.nnz == 2


def test_decimal_commas_and_words_for_yes_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("user;item;rating\n1;1;3,5\n1;2;4,25\n")
    assert entries(read(path)) == {(1, 1): 3.5, (1, 2): 4.25}
    path.write_text("user,item,liked\n1,1,True\n1,2,false\n")
    with pytest.warns(UserWarning, match="1 of 2 rows"):
        assert entries(read(path, kind=Interactions())) == {(1, 1): 1.0}
