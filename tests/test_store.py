"""The store of codes: what comes back, what is refused, what crashes, full disks and other processes leave of it."""

import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeword.code_kinds import Bits, Scalars
from codeword.errors import (
    CodeError,
    DataError,
    DataTypeError,
    OutputPathError,
    ParameterError,
    StoreFileError,
    TableFileError,
)
from codeword.files.codes import read_origin
from codeword.files.output_table import write_codes, write_columns
from codeword.search import CodeStore, HammingIndex, store_checks, store_schema
from codeword.search import store as store_module
from codeword.search.store_schema import StoreNote

CODES = np.array([[0b1111], [0b0001], [0b0011]], np.uint8)
ZERO = np.array([[0]], np.uint8)
MODEL = SimpleNamespace(fingerprint_="ab" * 32, code_=Bits(10))
OTHER = SimpleNamespace(fingerprint_="cd" * 32, code_=Bits(10))
TEN_BITS = np.array([[160, 64], [0, 0], [255, 192]], np.uint8)
WHOLE_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


def made(path: Path) -> CodeStore:
    store = CodeStore(path, timeout_seconds=20)
    store.append(["x", "y", "z"], CODES, {"label": ["cat", "dog", None], "year": [2019, 2020, 2021]})
    return store


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    return made(tmp_path / "codes.duckdb")


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> CodeStore:
    return made(tmp_path_factory.mktemp("store") / "codes.duckdb")


def everything(store: CodeStore) -> Any:
    """Reads the file by DuckDB alone."""
    with duckdb.connect(str(store.path), read_only=True) as connection:
        return connection.execute("SELECT * FROM codes ORDER BY id").fetchall()


# What comes back


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_rows_come_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    count, num_bytes = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 20))
    kinds = st.sampled_from([st.integers(-(2**63), 2**63 - 1), WHOLE_TEXT])
    ids = data.draw(st.lists(data.draw(kinds), min_size=count, max_size=count, unique=True))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    codes = rng.integers(0, 256, (count, num_bytes), dtype=np.uint8) | 2
    texts = data.draw(st.lists(st.none() | WHOLE_TEXT, min_size=count, max_size=count))
    name = data.draw(WHOLE_TEXT.filter(lambda text: text and text.lower() not in ("id", "rowid")).map("t{}".format))
    path = tmp_path_factory.mktemp("store") / "codes.duckdb"
    cut = data.draw(st.integers(0, count))
    store = CodeStore(path)
    for part in (slice(0, cut), slice(cut, count)):
        part_ids = np.array(ids[part], np.int64 if isinstance(ids[0], int) else str)
        store.append(part_ids, codes[part], {name: np.array(texts[part], object), "f": np.arange(12.0)[:count][part]})
    order = data.draw(st.lists(st.integers(0, count - 1), max_size=5))
    rows = CodeStore(path).get([ids[place] for place in order])
    assert (len(store), store.num_bits, store.columns) == (count, 8 * num_bytes, (name, "f"))
    assert rows.ids.tolist() == [ids[place] for place in order]
    np.testing.assert_array_equal(rows.codes, codes[order].reshape(len(order), num_bytes))
    assert rows.metadata[name].tolist() == [texts[place] for place in order]
    assert rows.metadata["f"].tolist() == order
    for found, expected in zip(store.search(codes, count), HammingIndex(codes, ids).search(codes, count), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_ids_are_numbered_on_after_the_greatest(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")
    assert (len(store), store.fingerprint) == (0, None)
    assert store.append(None, CODES) == 3
    assert store.append([40], CODES[:1]) == 4
    assert store.append(None, CODES[:2]) == 6
    assert store.search(ZERO, 6)[1].tolist() == [[1, 42, 2, 0, 40, 41]]
    store.append([2**63 - 2], CODES[:1])
    store.append(None, CODES[:1])
    assert store.get([2**63 - 1]).ids.tolist() == [2**63 - 1]
    with pytest.raises(DataError, match=r"no 64-bit integers follow 9223372036854775807: got None"):
        store.append(None, CODES[:1])
    assert len(store) == 8


YES, TWO_TIMES = [True, None, False], [datetime.datetime(2020, 1, 1, 12), None, datetime.datetime(2021, 1, 1)]
TABLE = {"i": [1, None, -3], "f": [0.5, None, 2.0], "t": ["ü", None, "it's"], "b": YES, "m": TWO_TIMES}


@pytest.mark.parametrize(
    "metadata",
    [
        TABLE,
        {name: np.array(values, object) for name, values in TABLE.items()},
        {name: np.ma.array([value or values[0] for value in values], mask=[0, 1, 0]) for name, values in TABLE.items()}
        | {"b": np.ma.array([True, True, False], mask=[0, 1, 0])},
        pl.DataFrame(TABLE),
        pa.table(TABLE),
        pd.DataFrame(TABLE).convert_dtypes(),
        pd.DataFrame(TABLE).astype({"b": object}),
        dict(pl.DataFrame(TABLE).to_dict().items()),
    ],
    ids=["lists", "objects", "masked", "polars", "arrow", "pandas", "pandas-object", "series"],
)
def test_metadata_of_all_kinds(tmp_path: Path, metadata: Any) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")
    if isinstance(metadata, pd.DataFrame) and metadata["i"].dtype == float:
        metadata = metadata.astype({"i": "Int64"})  # pandas makes floats of whole numbers with one missing
    store.append([1, 2, 3], CODES, metadata)
    rows = store.get([1, 2, 3])
    assert {name: values.tolist() for name, values in rows.metadata.items()} == TABLE
    found = store.index("i < 0 AND f = 2 AND t = 'it''s' AND NOT b AND m > '2020-06-01'").search(ZERO, 1)
    assert found[1].tolist() == [[3]]


COLUMNS: list[tuple[Any, list[Any]]] = [
    (np.array([1, 2, 3], ">i2"), [1, 2, 3]),
    (np.array([1, 2, 3], ">f4"), [1.0, 2.0, 3.0]),
    (np.array([1, 2, 255], np.uint8), [1, 2, 255]),
    (np.array([0.5, np.nan, 2], np.float16), [0.5, None, 2.0]),
    (["a\0b\0", "", "é" * 1_000], ["a\0b\0", "", "é" * 1_000]),
    ([None, None, None], [None, None, None]),
    (pd.Series(["a", None, "b"]), ["a", None, "b"]),
    (pd.Series(["a", "b", "a"], dtype="category"), ["a", "b", "a"]),
    ([datetime.date(2020, 1, 2)] * 3, [datetime.datetime(2020, 1, 2)] * 3),
    (
        pd.Series(pd.to_datetime(["2020-01-01"] * 3)).dt.tz_localize("Europe/Berlin"),
        [datetime.datetime(2019, 12, 31, 23)] * 3,
    ),
    (
        np.array(["2020-01-01", "NaT", "2021-01-01"], "M8[ns]"),
        [datetime.datetime(2020, 1, 1), None, datetime.datetime(2021, 1, 1)],
    ),
]


def test_columns_of_metadata(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")
    store.append([1, 2, 3], CODES, {f"column {number}": values for number, (values, _) in enumerate(COLUMNS)})
    columns = store.get([1, 2, 3]).metadata
    assert [columns[name].tolist() for name in store.columns] == [expected for _, expected in COLUMNS]


def test_names_of_metadata(tmp_path: Path) -> None:
    names = ('a b"c', "it's", "ü\n", "position", "value", "select", "v0", "codes", "code_01", "🙂")
    store = CodeStore(tmp_path / "codes.duckdb", timeout_seconds=1)
    store.append([1, 2, 3], CODES, {name: [f"{name}{row}" for row in "pqr"] for name in names})
    assert store.columns == names
    columns = store.get([3, 1]).metadata
    for name in names:
        assert columns[name].tolist() == [f"{name}r", f"{name}p"]
        quoted, text = name.replace('"', '""'), name.replace("'", "''")
        assert store.search(ZERO, 1, where=f"\"{quoted}\" = '{text}r'")[1].tolist() == [[3]]
    store.export_parquet(tmp_path / "codes.parquet")
    again = CodeStore(tmp_path / "again.duckdb")
    again.import_parquet(tmp_path / "codes.parquet")
    assert (again.columns, everything(again)) == (names, everything(store))


def test_where_chooses_what_is_searched(store: CodeStore) -> None:
    assert store.search(ZERO, 1, where="label = 'cat'")[1].tolist() == [["x"]]
    assert store.search(ZERO, 2, where="label = 'cat' OR \"year\" > 2020")[1].tolist() == [["z", "x"]]
    assert len(store.index("label IS NULL")) == 1
    assert len(store.index("id >= 'y'")) == 2
    assert len(store.index()) == 3
    distances, ids = store.search(np.repeat(ZERO, 2, axis=0), where="year > 3000")
    assert (distances.shape, ids.shape) == ((2, 0), (2, 0))
    assert store.index("year > 3000").within(ZERO, 8)[1][0].tolist() == []
    assert store.search(ZERO, 10, where="label = 'cat'")[1].tolist() == [["x"]]  # as many as there are
    for where in ("colour = 1", "label >", "", "label", "label > 5", "true); DROP TABLE codes; --", 5):
        with pytest.raises(ParameterError, match="`where` must be an SQL condition") as caught:
            store.search(ZERO, 1, where=where)
        assert f"got {where!r}" in str(caught.value)
    assert len(store) == 3


def test_get_keeps_order_and_repeats(store: CodeStore) -> None:
    rows = store.get(["z", "x", "z"])
    assert (rows.ids.tolist(), rows.codes.ravel().tolist()) == (["z", "x", "z"], [3, 15, 3])
    assert rows.metadata["year"].tolist() == [2021, 2019, 2021]
    assert rows.metadata["label"].tolist() == [None, "cat", None]
    nothing = store.get([])
    assert (nothing.ids.tolist(), nothing.codes.shape, nothing.metadata["year"].tolist()) == ([], (0, 1), [])
    with pytest.raises(DataError, match="got 2 that are not, the first 'w'"):
        store.get(["x", "w", "w"])
    with pytest.raises(DataTypeError, match=r"must be strings.* got 1"):
        store.get([1])


def test_delete(store: CodeStore) -> None:
    assert store.delete(["x", "w", "x"]) == 1
    assert store.delete(["x"]) == store.delete([]) == 0
    assert [row[0] for row in everything(store)] == ["y", "z"]
    assert store.append(["x"], CODES[:1], {"label": ["new"], "year": [1]}) == 3
    assert store.delete(["x", "y", "z"]) == 3
    with pytest.raises(CodeError, match=r"must have codes to search: got none"):
        store.search(ZERO)
    with pytest.raises(DataTypeError, match="got 1"):
        store.delete([1])


def test_duckdb_alone_finds_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (50, 9), dtype=np.uint8)
    store = CodeStore(tmp_path / "codes.duckdb")
    store.append(None, codes, {"label": np.arange(50) % 2})
    distances, ids = store.search(codes[:1], 50, where="label = 1 OR true")
    words = [int.from_bytes(bytes(codes[0, :8])), int.from_bytes(bytes(codes[0, 8:]) + bytes(7))]
    query = """SELECT id, bit_count(xor(code_0, ?::UBIGINT))::INT + bit_count(xor(code_1, ?::UBIGINT))::INT AS distance
        FROM codes ORDER BY distance, id"""
    with duckdb.connect(str(store.path), read_only=True) as connection:
        assert connection.execute(query, words).fetchall() == list(
            zip(ids[0].tolist(), distances[0].tolist(), strict=True)
        )


def test_append_opens_the_file_and_checks_the_codes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    connect, check = duckdb.connect, store_module.check_stored_codes
    monkeypatch.setattr(duckdb, "connect", lambda *words, **named: calls.append("open") or connect(*words, **named))
    monkeypatch.setattr(store_module, "check_stored_codes", lambda *words: calls.append("check") or check(*words))
    store = CodeStore(tmp_path / "codes.duckdb")
    assert store.append(None, CODES) == 3
    assert sorted(calls) == ["check", "open"]
    calls.clear()
    assert store.append(None, CODES) == 6
    assert sorted(calls) == ["check", "open"]


def test_repr_names_file_codes_and_model(tmp_path: Path) -> None:
    path = tmp_path / "codes.duckdb"
    store = CodeStore(path, model=MODEL)
    assert repr(store) == f"<CodeStore {path}: no file yet>"
    store.append(None, TEN_BITS)
    assert repr(store) == f"<CodeStore {path}: 3 codes of 10 bits, of model abababababab>"
    assert repr(store.index()) == "<HammingIndex: 3 codes of 10 bits>"
    path.write_text("damaged")
    assert repr(store) == f"<CodeStore {path}: cannot be read>"


def test_importing_leaves_the_store_object_as_it_was(tmp_path: Path) -> None:
    write_codes(tmp_path / "codes.parquet", TEN_BITS, fingerprint=MODEL.fingerprint_, kind=Bits(10))
    store = CodeStore(tmp_path / "codes.duckdb")
    before = dict(vars(store))
    assert store.import_parquet(tmp_path / "codes.parquet") == 3
    assert vars(store) == before
    assert (store.fingerprint, store.num_bits) == (MODEL.fingerprint_, 10)


# What is refused


@pytest.mark.parametrize(
    ("error", "received", "ids", "codes", "metadata"),
    [
        (DataError, "1 that are, the first y", ["w", "y"], CODES[:2], ...),
        (DataError, "1 that occur more than once", ["w", "w"], CODES[:2], ...),
        (DataError, "1 ids for 2 codes", ["w"], CODES[:2], ...),
        (DataTypeError, "1\\.", [1, 2], CODES[:2], ...),
        (DataTypeError, "None\\.", None, CODES[:2], ...),
        (CodeError, "2. Encode with the model of the store", ["v", "w"], np.full((2, 2), 9, np.uint8), ...),
        (CodeError, r"shape \(2, 8\), dtype uint8. Pack them with", ["v", "w"], np.eye(8, dtype=np.uint8)[:2], ...),
        (CodeError, r"shape \(2, 1\), dtype int64", ["v", "w"], [[1], [2]], ...),
        (DataError, "none. Use the same", ["v", "w"], CODES[:2], None),
        (DataError, "label BIGINT, year BIGINT", ["v", "w"], CODES[:2], {"label": [1, 2], "year": [1, 2]}),
        (DataError, "label VARCHAR", ["v", "w"], CODES[:2], {"label": ["a", "b"]}),
        (DataError, r"column 'label' of shape \(1,\)", ["v", "w"], CODES[:2], {"label": ["a"], "year": [1, 2]}),
        (
            DataError,
            "1 strings with lone surrogates",
            ["v", "w"],
            CODES[:2],
            {"label": ["a", "\ud800"], "year": [1, 2]},
        ),
        (DataError, "9223372036854775808 in", ["v", "w"], CODES[:2], {"label": ["a", "b"], "year": [1, 2**63]}),
        (DataTypeError, "int, str in", ["v", "w"], CODES[:2], {"label": ["a", 1], "year": [1, 2]}),
        (DataTypeError, "bytes in", ["v", "w"], CODES[:2], {"label": [b"a", b"b"], "year": [1, 2]}),
        (DataTypeError, "dtype complex128", ["v", "w"], CODES[:2], {"label": np.array([1j, 2]), "year": [1, 2]}),
        (DataTypeError, "list", ["v", "w"], CODES[:2], ["a", "b"]),
        (DataTypeError, "time in", ["v", "w"], CODES[:2], pl.DataFrame({"year": [datetime.time(1)] * 2})),
        (DataError, "Expected unique", ["v", "w"], CODES[:2], pd.DataFrame(np.ones((2, 2)), columns=["a", "a"])),
        *(
            (DataError, "", ["v", "w"], CODES[:2], {name: [1, 2]})
            for name in ("", "ID", "code_0", "c1", "a\0", "\ud800")
        ),
        (DataError, "'Year'", ["v", "w"], CODES[:2], {"year": [1, 2], "Year": [1, 2]}),
        (DataError, "0\\.", ["v", "w"], CODES[:2], pd.DataFrame(np.ones((2, 1)))),
    ],
    ids=range(28),
)
def test_a_batch_that_does_not_fit_leaves_the_store_as_it_was(
    unchanged: CodeStore, error: Any, received: str, ids: Any, codes: Any, metadata: Any
) -> None:
    before = everything(unchanged)
    with pytest.raises(error, match=f"got {received}"):
        unchanged.append(ids, codes, {"label": ["a", "b"], "year": [1, 2]} if metadata is ... else metadata)
    assert everything(unchanged) == before


def test_the_model_of_a_store(tmp_path: Path, store: CodeStore) -> None:
    path = tmp_path / "model.duckdb"
    mine = CodeStore(path, model=MODEL)
    assert mine.fingerprint == MODEL.fingerprint_
    mine.append(None, TEN_BITS)
    assert (CodeStore(path).fingerprint, CodeStore(path).num_bits) == (MODEL.fingerprint_, 10)
    assert mine.search(TEN_BITS[:1], 3)[0].tolist() == [[0, 3, 7]]
    for right in (mine, CodeStore(path)):
        with pytest.raises(CodeError, match=r"padding bits of 0: got a row with other bits there"):
            right.append(None, TEN_BITS | 1)
        with pytest.raises(CodeError, match=r"got shape \(1, 10\), dtype uint8. Pack them with"):
            right.append(None, np.zeros((1, 10), np.uint8))
    with pytest.raises(CodeError, match=r"of model cdcdcdcdcdcd: got codes of model abababababab"):
        CodeStore(path, model=OTHER)
    with pytest.raises(CodeError, match="got codes of an unknown model"):
        CodeStore(store.path, model=MODEL)
    late = CodeStore(tmp_path / "late.duckdb", model=OTHER)
    CodeStore(tmp_path / "late.duckdb", model=MODEL).append(None, TEN_BITS)
    for call in (lambda: late.append(None, TEN_BITS), lambda: late.delete([0])):
        with pytest.raises(CodeError, match="got codes of model abababababab"):
            call()
    with pytest.raises(CodeError, match=r"got Scalars\(num_scalars=3"):
        CodeStore(path, model=SimpleNamespace(fingerprint_="a", code_=Scalars(3)))
    with pytest.raises(ParameterError, match=r"got 'digits.codeword'"):
        CodeStore(path, model="digits.codeword")
    for seconds in (-1, "1", True, float("nan"), None):
        with pytest.raises(ParameterError, match=f"got {seconds!r}"):
            CodeStore(path, timeout_seconds=seconds)
    assert len(CodeStore(path, timeout_seconds=0)) == 3


@pytest.mark.parametrize("fingerprint", [None, 5, "", "ab" * 31, "AB" * 32, "ab" * 32 + "\n", "x" * 10_000])
def test_what_is_no_fingerprint(fingerprint: Any) -> None:
    with pytest.raises(
        CodeError, match="`model` must have the fingerprint of a model, 64 hexadecimal digits: got"
    ) as e:
        store_checks.identity_of(SimpleNamespace(fingerprint_=fingerprint, code_=Bits(10)))
    assert len(str(e.value)) < 200
    assert store_checks.identity_of(MODEL) == (MODEL.fingerprint_, Bits(10))


def test_codes_of_another_model() -> None:
    mine, unknown = StoreNote(10, MODEL.fingerprint_), StoreNote(10, None)
    for fingerprint, note in ((None, mine), (None, unknown), (MODEL.fingerprint_, mine)):
        store_checks.check_same_model(fingerprint, note, Path("s.duckdb"))
    for note in (mine, unknown):
        with pytest.raises(CodeError, match=r"s\.duckdb must hold codes of model cdcdcdcdcdcd: got codes of"):
            store_checks.check_same_model(OTHER.fingerprint_, note, Path("s.duckdb"))


def test_ids_and_words_that_are_damaged() -> None:
    path, note = Path("s.duckdb"), StoreNote(12, None)
    assert store_checks.ids_of(np.array([1, 2]), path).tolist() == [1, 2]
    for ids in (np.ma.array([1, 2], mask=[True, False]), np.array([1.0]), np.array([1], np.uint64)):
        with pytest.raises(StoreFileError, match="must have ids in all rows: got missing or odd ones"):
            store_checks.ids_of(ids, path)
    good = np.array([0xABC << 52, 0], np.uint64)
    assert store_checks.codes_of([good], note, path).tolist() == [[0xAB, 0xC0], [0, 0]]
    assert store_checks.codes_of([good[:0]], note, path).shape == (0, 2)
    long = StoreNote(72, None)
    for words in ([np.ma.array(good, mask=[True, False]), good], [good, good.astype(np.int64)]):
        with pytest.raises(StoreFileError, match="must have codes in all rows: got missing or odd ones"):
            store_checks.codes_of(words, long, path)
    for bit in (0, 47, 48, 51):  # behind the two bytes of a code, and in the second of them
        with pytest.raises(StoreFileError, match="got bits beyond the 12 of a code"):
            store_checks.codes_of([good | np.uint64(1 << bit)], note, path)


@pytest.mark.parametrize(("ids", "least"), [([1, 2, 3], 3 * (1 + 8)), (["x", "y", "z"], 3 * (1 + 64))])
def test_an_index_takes_what_its_rows_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: list[Any], least: int
) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")
    store.append(ids, CODES)
    monkeypatch.setattr(store_schema, "_MOST_FOR_FILE", 0)
    monkeypatch.setattr(store_schema, "_MOST_FOR_ALL", least)
    assert len(store.index()) == 3
    monkeypatch.setattr(store_schema, "_MOST_FOR_ALL", least - 1)
    with pytest.raises(StoreFileError, match="must take at most"):
        store.index({"id": ids})


def test_ten_are_searched_for_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")
    store.append(None, np.arange(2, 14, dtype=np.uint8)[:, None])
    for searched in (store, store.index(), HammingIndex(np.arange(2, 14, dtype=np.uint8)[:, None])):
        assert searched.search(np.full((4_097, 1), 2, np.uint8))[1].shape == (4_097, 10)
    assert capsys.readouterr().err == ""  # and nothing is shown
    with pytest.raises(TableFileError, match=r"must end in \.parquet: got '\.csv'"):
        store.export_parquet(tmp_path / "codes.csv")


def test_rows_of_zeros_and_ones_are_codes_where_the_width_is_known(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")
    store.append(None, np.full((1, 8), 255, np.uint8))
    store.append(None, np.zeros((1, 8), np.uint8))
    assert store.search(np.zeros((1, 8), np.uint8), 2)[0].tolist() == [[0, 64]]


def test_parquet_out_and_in(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "it's.duckdb", model=MODEL)
    store.append(["x", "y", "z"], TEN_BITS, TABLE)
    path = tmp_path / "it's {all} [1].parquet"
    store.export_parquet(path)
    origin = read_origin(path)
    assert origin is not None
    assert (origin.fingerprint, origin.code) == (MODEL.fingerprint_, Bits(10))
    again = CodeStore(tmp_path / "again.duckdb")
    assert again.import_parquet(path) == 3
    assert (again.fingerprint, again.num_bits, everything(again)) == (MODEL.fingerprint_, 10, everything(store))
    with pytest.raises(DataError, match="got 3 that are, the first x"):
        again.import_parquet(path)
    with pytest.raises(CodeError, match=r"of model cdcdcdcdcdcd: got codes of model abababababab"):
        CodeStore(tmp_path / "other.duckdb", model=OTHER).import_parquet(path)
    unknown = CodeStore(tmp_path / "unknown.duckdb")
    unknown.append(["w"], TEN_BITS[:1], {"t": ["x"]})
    with pytest.raises(CodeError, match="of model abababababab: got codes of an unknown model"):
        unknown.import_parquet(path)
    with pytest.raises(OutputPathError, match="got No such file"):
        store.export_parquet(tmp_path / "no" / "codes.parquet")


def test_codes_of_encode_can_be_imported(tmp_path: Path) -> None:
    write_codes(tmp_path / "codes.parquet", TEN_BITS, fingerprint=MODEL.fingerprint_, kind=Bits(10))
    store = CodeStore(tmp_path / "codes.duckdb", model=MODEL)
    assert store.import_parquet(tmp_path / "codes.parquet") == 3
    np.testing.assert_array_equal(store.get([0, 1, 2]).codes, TEN_BITS)
    write_codes(tmp_path / "scalars.parquet", TEN_BITS, fingerprint="ef" * 32, kind=Scalars(2))
    with pytest.raises(CodeError, match=r"holds codes of Bits.* got Scalars\(num_scalars=2"):
        CodeStore(tmp_path / "new.duckdb").import_parquet(tmp_path / "scalars.parquet")
    write_columns(tmp_path / "bare.parquet", {"id": np.array([7, 9]), "c0": CODES[:2, 0], "label": np.array([1, 2])})
    bare = CodeStore(tmp_path / "bare.duckdb")
    bare.import_parquet(tmp_path / "bare.parquet")
    assert everything(bare) == [(7, 15 << 56, 1), (9, 1 << 56, 2)]
