"""What `where` may be: expressions over the store's columns, or a mapping, and nothing that reaches further."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import duckdb
import numpy as np
import pandas
import pytest

from codeword.errors import CodeError, ParameterError, StoreBusyError
from codeword.search import CodeStore
from codeword.search.conditions import not_a_condition
from codeword.search.store_file import StoreFile
from reliability.hostile_conditions import FILES, FUNCTIONS, NETWORK, SQL, TIME_AND_MEMORY

ZERO = np.array([[0]], np.uint8)
LABELS = ["cat", "dog", None, "it's", "a" * 20_000, "Cat"]
YEARS = [1999, 2000, 2005, 2010, None, 2011]
RATES = [0.5, float("nan"), 1e300, -2.0, 0.0, 3.0]
TIMES = [datetime.datetime(2020, 1, day, 12) for day in range(1, 6)] + [None]
YES = [True, False, None, True, False, True]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> CodeStore:
    store = CodeStore(tmp_path_factory.mktemp("store") / "codes.duckdb")
    columns = {"label": LABELS, "year": YEARS, "rate": RATES, "seen": TIMES, "is ok": YES}
    store.append(np.arange(6), np.arange(6, dtype=np.uint8)[:, None] * 2, columns)
    return store


def nested(depth: int) -> list[Any]:
    """Gives lists inside each other, which nothing recursive can walk."""
    whole: list[Any] = []
    for _ in range(depth):
        whole = [whole]
    return whole


def ids(store: CodeStore, where: Any) -> list[int]:
    return sorted(store.index(where).search(ZERO, 100)[1][0].tolist())


EXPRESSIONS = [
    "id = 3",
    "label = 'cat' OR label ILIKE 'CAT'",
    "label IN ('cat', 'dog') AND NOT year < 2000",
    "label IS NULL OR year IS NOT NULL",
    "year BETWEEN 2000 AND 2010",
    "coalesce(year, 0) // 10 = 200",
    "lower(label) = 'cat' AND length(label) = 3",
    "starts_with(label, 'c') OR contains(label, '''')",
    "CASE WHEN year > 2000 THEN rate > 0 ELSE false END",
    "seen >= TIMESTAMP '2020-01-02' AND seen < '2020-01-05'",
    "seen > DATE '2020-01-05' - INTERVAL 2 DAY",
    "extract(day FROM seen) = 3 OR date_trunc('month', seen) > '2021-01-01'",
    "year::VARCHAR LIKE '20%'",
    "isnan(rate) OR abs(rate) > 1e9",
    '"is ok"',
    '"is ok" IS NOT TRUE',
    "bit_count(xor(code_0, 0)) > 1 AND code_0 > 5",
    "ID = 3 -- a comment",
    "id % 2 = 0 AND nullif(year, 2005) IS DISTINCT FROM 2010",
    "label LIKE 'it''s' ESCAPE 'x'",
]


def test_expressions_mean_what_they_mean_in_duckdb(store: CodeStore) -> None:
    with duckdb.connect(str(store.path), read_only=True) as connection:
        for where in EXPRESSIONS:
            expected = connection.execute(f"SELECT id FROM codes WHERE {where}\n ORDER BY id").fetchall()
            assert ids(store, where) == [row[0] for row in expected], where


MAPPINGS: list[tuple[Any, list[int]]] = [
    ({}, [0, 1, 2, 3, 4, 5]),
    ({"label": "cat"}, [0]),
    ({"label": "it's"}, [3]),
    ({"label": "äöü"}, []),
    ({"year": [-(2**63), 2**63 - 1, 1999]}, [0]),
    ({"year": (-(2**63), 2**63 - 1)}, [0, 1, 2, 3, 5]),
    ({"rate": (-(2**1022), 2**1022)}, [0, 2, 3, 4, 5]),
    ({"label": "x' OR true --"}, []),
    ({"label": None}, [2]),
    ({"label": ["cat", "dog", None]}, [0, 1, 2]),
    ({"label": []}, []),
    ({"year": (2000, 2010)}, [1, 2, 3]),
    ({"year": (2005, None)}, [2, 3, 5]),
    ({"year": (None, 1999)}, [0]),
    ({"year": (2000, 2010), "label": ["dog", "it's"]}, [1, 3]),
    ({"id": [1, 5, 77]}, [1, 5]),
    ({"id": np.int64(4)}, [4]),
    ({"id": np.array([2, 3])}, [2, 3]),
    ({"rate": (0, 3)}, [0, 4, 5]),
    ({"rate": 0.5}, [0]),
    ({"rate": [0, 0.5, 10**300]}, [0, 2, 4]),
    ({"rate": (3, float("inf"))}, [2, 5]),
    ({"label": np.array(["cat", "Cat"])}, [0, 5]),
    ({"id": np.array([2, 9], np.uint8), "label": [None, "x"]}, [2]),
    ({"seen": ["2020-01-03T12:00", datetime.datetime(2020, 1, 1, 12)]}, [0, 2]),
    ({"is ok": [True, None]}, [0, 2, 3, 5]),
    ({"is ok": True}, [0, 3, 5]),
    ({"seen": (datetime.datetime(2020, 1, 2), datetime.date(2020, 1, 4))}, [1, 2]),
    ({"seen": "2020-01-03T12:00"}, [2]),
    ({"seen": np.datetime64("2020-01-05T12:00")}, [4]),
    ({"seen": datetime.datetime(2020, 1, 1, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))}, [0]),
]


def test_mappings(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened_once(store, monkeypatch):
        for where, expected in MAPPINGS:
            assert ids(store, where) == expected, where
    assert store.search(ZERO, 1, where={"label": "dog"})[1].tolist() == [[1]]
    assert len(store.index({"label": "none"})) == 0


@pytest.mark.parametrize(
    ("where", "received"),
    [
        ({"colour": 1}, "'colour'"),
        ({"code_0": 1}, "'code_0'"),
        ({"LABEL": "cat"}, "'LABEL'"),
        ({1: 1}, "1"),
        ({"label": 5}, "5"),
        ({"label": "\ud800"}, "'.ud800'"),
        ({"year": "2000"}, "'2000'"),
        ({"year": 2.0}, "2.0"),
        ({"year": True}, "True"),
        ({"year": 2**63}, "9223372036854775808"),
        ({"year": -(2**63) - 1}, "-9223372036854775809"),
        ({"label": "a\udfffb"}, "'a.udfffb'"),
        ({"rate": 2**1023}, "8988"),
        ({"rate": True}, "True"),
        ({"rate": "1"}, "'1'"),
        ({"is ok": "true"}, "'true'"),
        ({"seen": 2020}, "2020"),
        ({"seen": datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1)))}, "datetime"),
        ({"rate": float("nan")}, "nan"),
        ({"rate": 10**400}, ""),
        ({"is ok": 1}, "1"),
        ({"seen": "yesterday"}, "'yesterday'"),
        ({"year": (1, 2, 3)}, "3 values for year"),
        ({"year": (None, None)}, "2 values for year"),
        ({"year": {"a": 1}}, ""),
        ({"year": np.array(2000)}, "array"),
        ({"year": [2000, 2**63]}, "9223372036854775808"),
        ({"rate": [1, 10**400]}, ""),
        ({"rate": [1.0, float("nan")]}, "nan"),
        ({"label": ["cat", "\ud800"]}, "'.ud800'"),
        ({"year": np.timedelta64(2000, "ns")}, "np.timedelta64"),
        ({"seen": np.datetime64("NaT")}, ".*NaT"),
        ({"seen": np.datetime64(10**15, "Y")}, "np.datetime64"),
        ({"seen": pandas.NaT}, "NaT"),
        ({"year": nested(100_000)}, "a value of type list"),
        ({"year": 10**5_000}, "a value of type int"),
        (nested(100_000), "a value of type list"),
        ({"year": np.ma.masked}, ""),
        (5, "5"),
        (["label"], ""),
    ],
)
def test_mappings_that_do_not_fit(store: CodeStore, where: Any, received: str) -> None:
    with pytest.raises(ParameterError, match=f"`where` must .*got {received}"):
        store.index(where)


@pytest.mark.parametrize("column", ["id", "label"])
def test_long_lists_are_quick(store: CodeStore, column: str) -> None:
    wanted = [3, *range(10, 300_000)] if column == "id" else ["it's", *map(str, range(300_000))]
    start = time.process_time()
    assert ids(store, {column: wanted}) == [3]
    assert time.process_time() - start < 0.45  # as parameters of DuckDB they take four times as long


@contextmanager
def opened_once(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the store open for many conditions, which saves most of the time."""
    with store._file.reading() as once, monkeypatch.context() as patch:
        patch.setattr(store._file, "reading", lambda: nullcontext(once))
        yield


def answered(store: CodeStore, where: str) -> str:
    """Gives what an error says, nothing where a condition is accepted."""
    try:
        store.index(where)
    except (ParameterError, CodeError) as error:
        return str(error)
    return ""


# One expression in the end; what else is written has no effect.
HARMLESS = ["1 = 1 --", "1 = 1) OR (1 = 1", "true) WINDOW w AS (ORDER BY id"]


@pytest.mark.parametrize("group", [FILES, NETWORK, SQL, FUNCTIONS], ids=["files", "network", "sql", "functions"])
def test_hostile_conditions_are_refused(store: CodeStore, group: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    victim = store.path.with_name("secret.txt")
    victim.write_text("s3cret")
    before = {file.name for file in store.path.parent.iterdir()}
    with opened_once(store, monkeypatch):
        answers = {where: answered(store, where.replace("OUT", str(victim.parent))) for where in group}
    assert [where for where, answer in answers.items() if not answer] == [where for where in group if where in HARMLESS]
    assert max(map(len, answers.values())) < 1_500
    assert not any("s3cret" in answer for answer in answers.values())
    assert {file.name for file in store.path.parent.iterdir()} == before
    assert len(store) == 6


REASONS = {
    "codes.id = 1": "the name 'codes.id'",
    "id.id = 1": "the name 'id.id'",
    "rowid = 1": "the name 'rowid'",
    "colour = 1": "the name 'colour'",
    "main.abs(id) = 1": "the function 'abs'",
    "abs(DISTINCT id) = 1": "the function 'abs'",
    "abs(id) FILTER (WHERE true) = 1": "the function 'abs'",
    "abs(id ORDER BY id) = 1": "the function 'abs'",
    "substr(label, start := 1) = 'a'": "the function 'substr'",
    "repeat(label, 2) = 'a'": "the function 'repeat'",
    "label::VARCHAR(5) = 'a'": "a conversion to another type",
    "id::main.INTEGER = 1": "a conversion to another type",
    "id::INTEGER[] = [1]": "a conversion to another type",
    "id::UUID = 'a'": "a conversion to another type",
    "label[1] = 'a'": "array extract",
    "TRY(id) = 1": "operator try",
    "label COLLATE nocase = 'x'": "collate",
    "abs(id) OVER () = 1": "window",
    "EXISTS (SELECT 1)": "a subquery",
    "id = ?": "more than one expression",
    "true) ORDER BY (1": "more than one expression",
    "NOT " * 50 + '"is ok"': "more than 50 expressions inside each other",
}


def test_a_condition_is_refused_for_what_is_wrong_with_it_before_it_is_run(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_once(store, monkeypatch):
        for where, reason in REASONS.items():
            assert f"({reason}). Put names" in answered(store, where), where
        assert answered(store, "NOT " * 49 + '"is ok"') == ""  # 50 expressions
        assert ids(store, "id = 3".ljust(10_000)) == [3]
        assert "must have at most 10,000 characters: got 10,001" in answered(store, "id = 3".ljust(10_001))


def test_an_error_lists_no_more_than_twenty_columns() -> None:
    names = [f"column {number}" for number in range(21)]
    error = str(not_a_condition("x", dict.fromkeys(names, ""), "nonsense"))
    assert f"condition on {', '.join(names[:20])}, …: got 'x' (nonsense)" in error
    assert "column 19: got" in str(not_a_condition("x", dict.fromkeys(names[:20], ""), "nonsense"))


def test_no_condition_takes_long(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened_once(store, monkeypatch):
        for where in TIME_AND_MEMORY:
            start = time.perf_counter()
            assert len(answered(store, where)) < 1_500
            assert time.perf_counter() - start < 5, where[:100]


def test_a_condition_that_takes_too_long_is_stopped(store: CodeStore) -> None:
    file, start = StoreFile(store.path, timeout_seconds=0), time.perf_counter()
    with file.reading() as (connection, _):
        busy = pytest.raises(StoreBusyError, match="must answer within 1 s: got a condition that takes longer")
        with busy, file.limited(connection):
            connection.execute("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b").fetchall()
        with file.limited(connection):
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
    assert 1 < time.perf_counter() - start < 10
