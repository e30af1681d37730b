"""Stores of strangers: nothing in them or next to them is run, followed or changed; nonsense is refused in words."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from codeword.errors import CodeError, ParameterError, StoreFileError
from codeword.search import CodeStore, store_schema

ROWS = "id BIGINT NOT NULL, code_0 UBIGINT NOT NULL"
TABLE = f"CREATE TABLE codes ({ROWS}, label VARCHAR); INSERT INTO codes VALUES (1, 1, 'a'), (2, 2, 'b');"
ONE = np.array([[0, 0, 0, 0, 0, 0, 0, 9]], np.uint8)


def note(num_bits: str = "'64'", model: str = "NULL", version: str = "'1'") -> str:
    values = f"('format_version', {version}), ('num_bits', {num_bits}), ('model', {model})"
    return f"CREATE TABLE codeword_store (name VARCHAR, value VARCHAR); INSERT INTO codeword_store VALUES {values};"


FIFTY_SIX, LONG = note("'56'"), note("'128'")


def foreign(path: Path, sql: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)
    return path


REFUSED = {
    "a view": (f"CREATE VIEW codes AS SELECT 1::BIGINT AS id, 1::UBIGINT AS code_0; {note()}", "without a valid table"),
    "a note that is a view": (f"{TABLE} CREATE VIEW codeword_store AS SELECT 'num_bits' AS name", "without a valid"),
    "a note with a default": (
        f"{TABLE} {note().replace('value VARCHAR', 'value VARCHAR DEFAULT version()')}",
        "without a valid table codeword_store",
    ),
    "a repeated note": (f"{TABLE} {note()} INSERT INTO codeword_store VALUES ('model', 'x')", "without a valid table"),
    "a generated column": (
        f"CREATE TABLE codes ({ROWS}, label VARCHAR GENERATED ALWAYS AS (repeat('a', 1000000000))); {note()}",
        "with defaults, constraints",
    ),
    "a default": (f"CREATE TABLE codes ({ROWS}, label VARCHAR DEFAULT (version())); {note()}", "with defaults"),
    "a check": (
        f"CREATE TABLE codes ({ROWS}, CHECK (length(repeat('x', 10)) > id)); {note()}",
        "with defaults",
    ),
    "a key": (f"CREATE TABLE codes ({ROWS}, PRIMARY KEY (id)); {note()}", "with defaults, constraints, indexes"),
    "an index": (f"{TABLE} {note()} CREATE INDEX i ON codes ((id + 1))", "with defaults, constraints, indexes"),
    "a collation": (f"CREATE TABLE codes ({ROWS}, label VARCHAR COLLATE nocase); {note()}", "with defaults"),
    "missing words": (f"CREATE TABLE codes (id BIGINT, code_0 UBIGINT); {note()}", "with defaults, constraints"),
    "a type": (f"CREATE TABLE codes ({ROWS}, label STRUCT(a INTEGER)); {note()}", "a column 'label' of type STRUCT"),
    "an index of the note": (f"{TABLE} {note()} CREATE INDEX i ON codeword_store (name)", "without a valid table"),
    "ids that are not first": (f"CREATE TABLE codes (label VARCHAR, {ROWS}); {note()}", "num_bits '64' for 1 words"),
    "words out of order": (
        f"CREATE TABLE codes (id BIGINT NOT NULL, code_1 UBIGINT NOT NULL, code_0 UBIGINT NOT NULL); {LONG}",
        "num_bits '128' for 2 words",
    ),
    "no word": (f"CREATE TABLE codes (id BIGINT NOT NULL); {note()}", "num_bits '64' for 0 words"),
    "other words": (f"CREATE TABLE codes (id BIGINT NOT NULL, code_1 UBIGINT NOT NULL); {note()}", "num_bits '64'"),
    **{
        f"num_bits {text}": (f"{TABLE} {note(text)}", "num_bits")
        for text in ("'0'", "'-8'", "'65'", "'100000000'", "'６４'", "'64 '", "'6e1'", "NULL", "repeat('9', 100000)")
    },
    "SQL for a model": (TABLE + note(model="'x''}); COPY'"), "which is no fingerprint"),
    "a long model": (TABLE + note(model="repeat('a', 10000000)"), "which is no fingerprint"),
    "a long version": (TABLE + note(version="repeat('a', 10000000)"), "a{20}. Upgrade codeword"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_with_anything_but_the_tables_of_a_store_are_refused(tmp_path: Path, name: str) -> None:
    sql, received = REFUSED[name]
    path = foreign(tmp_path / "s.duckdb", sql)
    before = path.read_bytes()
    with pytest.raises(StoreFileError, match=f"got .*{received}") as caught:
        CodeStore(path)
    assert len(str(caught.value)) < 500
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["s.duckdb"]


def test_tables_of_too_many_columns_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = foreign(tmp_path / "s.duckdb", TABLE + note())
    monkeypatch.setattr(store_schema, "_MOST_COLUMNS", 3)
    assert len(CodeStore(path)) == 2
    monkeypatch.setattr(store_schema, "_MOST_COLUMNS", 2)
    with pytest.raises(StoreFileError, match="got a table codes of 3 columns"):
        CodeStore(path)


def test_ten_times_the_file_and_a_gigabyte_may_be_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    store_schema.check_size(1_000 + 2**30, path)
    with pytest.raises(
        StoreFileError, match=r"at most 1\.1 GB of memory, as it has 100 bytes: got rows that take 1\.1"
    ):
        store_schema.check_size(1_001 + 2**30, path)


def test_texts_count_as_many_at_a_time_as_duckdb_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "SELECT range, 0, repeat('a', 1000) FROM range(20)"
    path = foreign(
        tmp_path / "s.duckdb", f"CREATE TABLE codes ({ROWS}, label VARCHAR); INSERT INTO codes {rows}; {note()}"
    )
    monkeypatch.setattr(store_schema, "_MOST_FOR_FILE", 0)
    for rows_at_a_time, most, fits in ((5, 5_000, True), (5, 4_999, False), (99, 20_000, True), (99, 19_999, False)):
        monkeypatch.setattr(store_schema, "_ROWS_OF_A_GROUP", rows_at_a_time)
        monkeypatch.setattr(store_schema, "_MOST_FOR_ALL", most)
        if fits:
            assert len(CodeStore(path)) == 20
        else:
            with pytest.raises(StoreFileError, match="must take at most"):
                CodeStore(path)


def test_texts_that_take_more_memory_than_their_file_justifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "SELECT range, 0, repeat('a', 1000000) FROM range(20)"
    path = foreign(
        tmp_path / "s.duckdb", f"CREATE TABLE codes ({ROWS}, label VARCHAR); INSERT INTO codes {rows}; {note()}"
    )
    assert len(CodeStore(path)) == 20
    monkeypatch.setattr(store_schema, "_MOST_FOR_ALL", 1_000_000)
    for deleted in ("false", "id = 1"):  # afterwards DuckDB no longer knows the size of all texts
        foreign(path, f"DELETE FROM codes WHERE {deleted}")
        with pytest.raises(StoreFileError, match=r"must take at most 0.0 GB of memory.* got rows that take 0.0 GB"):
            len(CodeStore(path))


def test_equal_rows_that_take_more_memory_than_their_file_justifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "SELECT range, 0 FROM range(1000000)"
    path = foreign(tmp_path / "s.duckdb", f"CREATE TABLE codes ({ROWS}); INSERT INTO codes {rows}; {note()}")
    monkeypatch.setattr(store_schema, "_MOST_FOR_ALL", 1_000_000)
    store = CodeStore(path)
    assert len(store) == 1_000_000
    with pytest.raises(StoreFileError, match=r"got rows that take 0\.0 GB"):
        store.index()


def test_rows_that_cannot_be_codes(tmp_path: Path) -> None:
    for number, (rows, received) in enumerate(
        [
            ("(1, 256), (1, 512)", "must have different ids in all rows"),
            ("(1, 1), (2, 256)", "bits beyond the 56 of a code"),
        ]
    ):
        sql = f"CREATE TABLE codes ({ROWS}); INSERT INTO codes VALUES {rows}; {FIFTY_SIX}"
        store = CodeStore(foreign(tmp_path / f"{number}.duckdb", sql))
        for call in (store.index, lambda store=store: store.get([1])):
            with pytest.raises(StoreFileError, match=received):
                call()


def test_macros_views_and_tables_beside_the_store_mean_nothing(tmp_path: Path) -> None:
    names = ("max", "count", "coalesce_", "stats", "strlen", "json_serialize_sql", "unnest")
    macros = "".join(f"CREATE MACRO {name}(x) AS 77; " for name in names)
    views = "".join(f"CREATE VIEW {name} AS SELECT 77; " for name in ("duckdb_tables", "batch", "wanted", "new_ids"))
    more = "CREATE MACRO duckdb_tables() AS TABLE SELECT 77; CREATE SCHEMA store; CREATE TABLE store.codes (id BIGINT);"
    store = CodeStore(foreign(tmp_path / "s.duckdb", TABLE + note() + macros + views + more))
    assert (len(store), store.columns) == (2, ("label",))
    assert store.append(None, ONE, {"label": ["c"]}) == 3
    assert store.get([3, 1]).metadata["label"].tolist() == ["c", "a"]
    assert store.search(ONE, 1, where="label = 'c' AND abs(id) = 3")[1].tolist() == [[3]]
    assert store.search(ONE, 1, where={"label": ["c"]})[1].tolist() == [[3]]
    assert store.delete([2]) == 1


def test_names_of_files_are_nothing_but_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("md:x", ":memory:", "it's [1]*"):
        assert CodeStore(name).append(None, ONE) == 1
        assert (tmp_path / name).is_file()
        assert len(CodeStore(name).index()) == 1
    for name in ("a?b", "a\\b", "a\0b", "a\udc80b"):
        with pytest.raises(ParameterError, match="`path` must be the name of a file"):
            CodeStore(name)
    (tmp_path / "sqlite").write_bytes(b"SQLite format 3\0" + bytes(5_000))
    with pytest.raises(StoreFileError, match="not a valid DuckDB database"):
        CodeStore("sqlite")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="got a pipe or a device"):
        len(CodeStore("pipe"))


def link(file: Path, victim: Path) -> None:
    file.symlink_to(victim)


def second_name(file: Path, victim: Path) -> None:
    os.link(victim, file)


def content(file: Path, victim: Path) -> None:
    file.write_text("someone's notes")


def pipe(file: Path, victim: Path) -> None:
    os.mkfifo(file)


def folder(file: Path, victim: Path) -> None:
    file.mkdir()
    (file / "mine").write_text("x")


def dangling(file: Path, victim: Path) -> None:
    file.symlink_to(victim.parent / "new")


HELPERS = [".s.duckdb.room", ".s.duckdb.turn", ".s.duckdb.new", "s.duckdb.wal", "s.duckdb.wal.checkpoint"]


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("arrange", [link, second_name, content, pipe, folder, dangling], ids=lambda f: f.__name__)
def test_what_lies_in_the_place_of_a_helper_file(tmp_path: Path, helper: str, arrange: Any) -> None:
    inside, victim = tmp_path / "inside", tmp_path / "outside" / "victim"
    inside.mkdir()
    victim.parent.mkdir()
    victim.write_text("precious")
    store = CodeStore(inside / "s.duckdb", timeout_seconds=1)
    foreign(store.path, TABLE + note())
    arrange(inside / helper, victim)
    for call in (store.index, lambda: store.append(None, ONE, {"label": ["c"]})):
        with suppress(StoreFileError):  # or it does not matter
            call()
    assert victim.read_text() == "precious"
    assert os.listdir(victim.parent) == ["victim"]
    if arrange is content and ".wal" not in helper:
        assert (inside / helper).read_text() == "someone's notes"
    if arrange is folder:
        assert (inside / helper / "mine").read_text() == "x"


def test_readers_make_no_files(tmp_path: Path) -> None:
    store = CodeStore(foreign(tmp_path / "s.duckdb", TABLE + note()))
    assert (len(store), len(store.index())) == (2, 2)
    assert os.listdir(tmp_path) == ["s.duckdb"]
    store.append(None, ONE, {"label": ["c"]})
    lock = tmp_path / ".s.duckdb.room"
    lock.write_text('{"process": 999999999, "since": 0.0}')  # of a killed writer
    assert len(store) == 3
    assert lock.read_text().startswith('{"process": 999999999')
    store.delete([1])
    assert lock.read_text() == ""


def test_what_a_killed_first_append_leaves_is_removed(tmp_path: Path) -> None:
    draft = tmp_path / ".s.duckdb.new"
    draft.mkdir()
    (draft / "store").write_text("half")
    (draft / "store.wal").write_text("half")
    store = CodeStore(tmp_path / "s.duckdb")
    with pytest.raises(CodeError):
        store.append(None, np.zeros((1, 8), np.uint8))
    assert not draft.exists()
    assert not store.path.exists()
    assert store.append(None, ONE) == 1
    draft.mkdir()
    assert store.append(None, ONE) == 2
    assert sorted(os.listdir(tmp_path)) == [".s.duckdb.room", ".s.duckdb.turn", "s.duckdb"]
