"""The command line for codes in a store, as a user runs it: encode into it, search it, tell mistakes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner, Result

import codeword as cw
from codeword.cli import main
from codeword.files.output_table import write_codes, write_columns
from codeword.files.tables import read_columns

NUM_ROWS = 40


def run(*words: Any, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == exit_code, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-search")
    images = cw.datasets.four_level_digits()[:NUM_ROWS]
    np.save(folder / "images.npy", images)
    np.save(folder / "queries.npy", images[:3])
    model = cw.Autoencoder(code=cw.Bits(12), hidden=(8,), epochs=1, verbose=0).fit(images)
    model.save(folder / "digits.codeword")
    other = SimpleNamespace(fingerprint_="cd" * 32, code_=cw.Bits(12))
    some_codes = np.full((3, 2), 16, np.uint8)
    cw.CodeStore(folder / "other.duckdb", model=other).append(None, some_codes)
    write_codes(folder / "other.npy", some_codes, fingerprint=other.fingerprint_, kind=cw.Bits(12))
    labels = [f"it's {number % 4}" for number in range(NUM_ROWS)]
    labels[5] = ""
    columns = {"label": np.array(labels, object), "year": np.arange(2000, 2000 + NUM_ROWS)}
    write_columns(folder / "labels.csv", columns)
    names = np.array([f"row {number:02}" for number in range(NUM_ROWS)], object)
    write_columns(folder / "named.parquet", {"id": names, **columns})
    write_columns(folder / "short.csv", {"label": columns["label"][:3]})
    write_columns(folder / "taken.csv", {"code_0": columns["label"]})
    run("encode", folder / "digits.codeword", folder / "queries.npy", folder / "codes.npy", "-q")
    for name, table in (("numbered", "labels.csv"), ("named", "named.parquet")):
        words = ["--store", folder / f"{name}.duckdb", "--metadata", folder / table, "-q"]
        run("encode", folder / "digits.codeword", folder / "images.npy", *words)
    return folder


@pytest.fixture(scope="module")
def nearest(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Gives all distances and rows, nearest first, by plain NumPy."""
    codes = cw.load(folder / "digits.codeword").encode(np.load(folder / "images.npy"))
    distances = np.unpackbits(codes[:3, None] ^ codes, axis=2).sum(axis=2, dtype=int)
    rows = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, rows, axis=1), rows


def searched(folder: Path, *words: Any, store: str = "numbered.duckdb") -> Any:
    return json.loads(run("search", folder / store, *words, "--json").output)["results"]


@pytest.mark.slow
def test_encode_into_a_store(folder: Path, tmp_path: Path) -> None:
    words = ["encode", folder / "digits.codeword", folder / "images.npy", "--store", tmp_path / "codes.duckdb"]
    told = json.loads(run(*words, "--metadata", folder / "labels.csv", "--json").output)
    fingerprint = cw.load(folder / "digits.codeword").fingerprint_
    assert told == {
        "store": str(tmp_path / "codes.duckdb"),
        "rows": NUM_ROWS,
        "rows_in_store": NUM_ROWS,
        "bytes_per_row": 2,
        "code": "Bits(num_bits=12)",
        "model_fingerprint": fingerprint,
    }
    shown = run(*words, "--metadata", folder / "labels.csv", "-q").output
    assert f"rows in store      {2 * NUM_ROWS}\n" in shown
    store = cw.CodeStore(tmp_path / "codes.duckdb")
    assert (store.fingerprint, store.columns) == (fingerprint, ("label", "year"))
    rows = store.get([NUM_ROWS + 4, 5])
    assert rows.metadata["year"].tolist() == [2004, 2005]
    assert rows.metadata["label"].tolist() == ["it's 0", None]
    np.testing.assert_array_equal(
        rows.codes, cw.load(folder / "digits.codeword").encode(np.load(folder / "images.npy"))[[4, 5]]
    )


def test_encode_into_a_store_without_metadata(folder: Path, tmp_path: Path) -> None:
    run("encode", folder / "digits.codeword", folder / "images.npy", "--store", tmp_path / "codes.duckdb", "-q")
    assert cw.CodeStore(tmp_path / "codes.duckdb").columns == ()


def test_the_nearest_by_codes_and_by_rows(folder: Path, nearest: Any) -> None:
    distances, rows = nearest
    expected = [
        {"query": query, "ids": rows[query, :10].tolist(), "distances": distances[query, :10].tolist()}
        for query in range(3)
    ]
    assert searched(folder, "--codes", folder / "codes.npy") == expected
    assert searched(folder, folder / "queries.npy", "--model", folder / "digits.codeword") == expected
    (first, *_) = searched(folder, "--codes", folder / "codes.npy", "-k", NUM_ROWS, store="named.duckdb")
    assert first["ids"] == [f"row {row:02}" for row in rows[0]]


def test_codes_within_a_distance(folder: Path, nearest: Any) -> None:
    distances, rows = nearest
    limit = int(np.median(distances))
    found = searched(folder, "--codes", folder / "codes.npy", "--within", limit)
    assert [record["ids"] for record in found] == [
        rows[query, distances[query] <= limit].tolist() for query in range(3)
    ]
    assert [max(record["distances"]) for record in found] == [d[d <= limit].max() for d in distances]


def test_where(folder: Path, nearest: Any) -> None:
    _, rows = nearest
    where = "label = 'it''s 1' AND year < 2030"
    chosen = [row for row in range(NUM_ROWS) if row % 4 == 1 and row != 5 and row < 30]
    found = searched(folder, "--codes", folder / "codes.npy", "--where", where)
    assert [record["ids"] for record in found] == [[row for row in order.tolist() if row in chosen] for order in rows]


def test_the_printed_lines(folder: Path, nearest: Any, tmp_path: Path) -> None:
    distances, rows = nearest
    lines = run("search", folder / "numbered.duckdb", "--codes", folder / "codes.npy", "-k", 2).output.splitlines()
    assert lines[0] == "query  id (distance in bits)"
    for query, line in enumerate(lines[1:]):
        (first, second), (near, far) = rows[query, :2], distances[query, :2]
        assert line == f"    {query}  {first} ({near}), {second} ({far})"
    np.save(tmp_path / "many.npy", np.full((23, 2), 16, np.uint8))  # bare codes: nobody can tell whose
    words = ["search", folder / "numbered.duckdb", "--codes", tmp_path / "many.npy", "--within", 0, "--where", "id = 0"]
    lines = run(*words).output.splitlines()
    assert len(lines) == 22
    assert lines[1].split() in (["0", "none"], ["0", "0", "(0)"])
    assert lines[-1] == "… and 3 more queries: use --output to write all of them to a table."


def test_a_table_of_codes_is_searched_like_its_store(folder: Path, tmp_path: Path, nearest: Any) -> None:
    cw.CodeStore(folder / "named.duckdb").export_parquet(tmp_path / "codes.parquet")
    for words in (["--codes", folder / "codes.npy"], [folder / "queries.npy", "--model", folder / "digits.codeword"]):
        assert searched(tmp_path, *words, store="codes.parquet") == searched(folder, *words, store="named.duckdb")
    run("search", tmp_path / "codes.parquet", "--codes", folder / "other.npy", exit_code=1)


def test_queries_that_know_their_margins_and_rows(folder: Path) -> None:
    images, model = np.load(folder / "images.npy"), cw.load(folder / "digits.codeword")
    words = [folder / "queries.npy", "--model", folder / "digits.codeword", "-k", 4]
    index, queries = cw.HammingIndex(model.encode(images), num_bits=12), model.queries(images[:3])
    for extra, settings in (
        (["--asymmetric"], {}),
        (["--rescore", folder / "images.npy"], {"rescore": images}),
        (
            ["--rescore", folder / "images.npy", "--candidates", 9, "--metric", "cosine"],
            {"rescore": images, "candidates": 9, "metric": "cosine"},
        ),
    ):
        distances, ids = index.search(queries, 4, **settings)
        found = searched(folder, *words, *extra)
        assert [record["ids"] for record in found] == ids.tolist()
        np.testing.assert_allclose([record["distances"] for record in found], distances, rtol=1e-6)
    lines = run("search", folder / "numbered.duckdb", *words, "--rescore", folder / "images.npy").output.splitlines()
    assert lines[0] == "query  id (distance)"
    assert lines[1].startswith("    0  0 (0), ")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("store", ["numbered", "named"])
def test_results_as_a_file(folder: Path, tmp_path: Path, nearest: Any, suffix: str, store: str) -> None:
    distances, rows = nearest
    path = tmp_path / f"it's found.{suffix}"
    words = ["search", folder / f"{store}.duckdb", "--codes", folder / "codes.npy", "-k", 4, "-o", path]
    told = json.loads(run(*words, "--json").output)
    assert told == {"queries": 3, "rows": 12, "written_to": str(path)}
    written = read_columns(path)
    assert list(written) == ["query", "id", "distance"]
    ids = [row if store == "numbered" else f"row {row:02}" for row in rows[:, :4].ravel().tolist()]
    assert written["query"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert (written["id"].tolist(), written["distance"].tolist()) == (ids, distances[:, :4].ravel().tolist())


@pytest.mark.parametrize("store", ["numbered", "named"])
def test_a_file_of_no_results_keeps_its_types(folder: Path, tmp_path: Path, store: str) -> None:
    opposite = np.load(folder / "codes.npy")[:1] ^ np.array([255, 240], np.uint8)  # all 12 bits differ from row 0
    np.save(tmp_path / "opposite.npy", opposite)
    words = ["search", folder / f"{store}.duckdb", "--codes", tmp_path / "opposite.npy", "--where", "year = 2000"]
    assert json.loads(run(*words, "--within", 12, "--json").output)["results"][0]["distances"] == [12]
    run(*words, "--within", 11, "-o", tmp_path / "none.parquet")
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM '{tmp_path / 'none.parquet'}'").fetchall()
    id_type = "BIGINT" if store == "numbered" else "VARCHAR"
    assert [row[:2] for row in described] == [("query", "BIGINT"), ("id", id_type), ("distance", "INTEGER")]
    assert len(read_columns(tmp_path / "none.parquet")["id"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "numbered.duckdb"], "Pass either --codes"),
        (["search", "numbered.duckdb", "queries.npy"], "Pass either --codes"),
        (["search", "numbered.duckdb", "--model", "digits.codeword"], "Pass either --codes"),
        (["search", "numbered.duckdb", "queries.npy", "--codes", "codes.npy"], "Pass either --codes"),
        (["search", "numbered.duckdb", "--codes", "codes.npy", "--model", "digits.codeword"], "Pass either --codes"),
        (["search", "numbered.duckdb", "--codes", "codes.npy", "-k", 1, "--within", 1], "Pass either -k or --within"),
        (["search", "numbered.duckdb", "--codes", "codes.npy", "-k", 0], "0 is not in the range"),
        (["search", "numbered.duckdb", "--codes", "codes.npy", "--within", -1], "-1 is not in the range"),
        (["search", "numbered.duckdb", "--codes", "codes.npy", "--asymmetric"], "need --model and QUERIES"),
        (["search", "numbered.duckdb", "--codes", "codes.npy", "--rescore", "images.npy"], "need --model and QUERIES"),
        (["search", "numbered.duckdb", "--codes", "codes.npy", "--candidates", 5], "need --rescore"),
        (["search", "exported.parquet", "--codes", "codes.npy", "--where", "id = 1"], "--where needs a store"),
        (["encode", "digits.codeword", "images.npy"], "Pass either OUTPUT"),
        (["encode", "digits.codeword", "images.npy", "never.npy", "--store", "never.duckdb"], "Pass either OUTPUT"),
        (["encode", "digits.codeword", "images.npy", "never.npy", "--metadata", "labels.csv"], "Pass --store, too"),
    ],
    ids=range(15),
)
def test_commands_called_wrongly(folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[Any], message: str) -> None:
    monkeypatch.chdir(folder)
    assert message in run(*words, exit_code=2).output
    assert not list(folder.glob("never*"))


ENCODE = ["encode", "digits.codeword", "images.npy", "--store"]
SEARCH = ["search", "numbered.duckdb", "--codes"]
ROWS = ["search", "numbered.duckdb", "queries.npy", "--model", "digits.codeword"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "never.duckdb", "--codes", "codes.npy"], "got no such file"),
        (["search", "labels.csv", "--codes", "codes.npy"], "must be a store of codes: got a file that cannot"),
        ([*ROWS, "--rescore", "queries.npy"], "must have one row per code, 40: got 3 rows"),
        ([*ROWS, "--rescore", "nowhere.npy"], "must be a data file: got no such file"),
        ([*SEARCH, "nowhere.npy"], "must be a data file: got no such file"),
        ([*SEARCH, "images.npy"], "must hold codes, uint8"),
        ([*SEARCH, "other.npy"], "must hold codes of model"),
        ([*SEARCH, "codes.npy", "--where", "colour = 1"], "condition on id, label, year, code_0: got 'colour = 1'"),
        ([*SEARCH, "codes.npy", "-o", "never.npy"], "must end in .csv or .parquet"),
        ([*SEARCH, "codes.npy", "-o", "no/never.csv"], "Nothing was written"),
        (["search", "other.duckdb", "queries.npy", "--model", "digits.codeword"], "got codes of model cdcdcdcd"),
        (["search", "numbered.duckdb", "queries.npy", "--model", "nowhere.codeword"], "no such file"),
        (["search", "other.duckdb", "--codes", "codes.npy"], "must hold codes of model cdcdcdcd"),
        ([*ENCODE, "other.duckdb"], "got codes of model cdcdcdcd"),
        ([*ENCODE, "never.duckdb", "--metadata", "short.csv"], "got 3 in column label for 40 rows"),
        ([*ENCODE, "never.duckdb", "--metadata", "taken.csv"], "got 'code_0'."),
        ([*ENCODE, "never.duckdb", "--metadata", "images.npy"], "must be a table, .csv or .parquet"),
        ([*ENCODE, "numbered.duckdb"], "got none. Use the same names and types"),
        ([*ENCODE, "numbered.duckdb", "--metadata", "named.parquet"], "must be integers"),
        ([*ENCODE, "named.duckdb", "--metadata", "named.parquet"], "got 40 that are, the first row 00"),
        ([*ENCODE, "no/never.duckdb"], "Nothing was written"),
        ([*ENCODE, "."], "got a folder"),
    ],
    ids=range(22),
)
def test_bad_data_is_told_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[Any], message: str
) -> None:
    monkeypatch.chdir(folder)
    before = len(cw.CodeStore("numbered.duckdb")), len(cw.CodeStore("named.duckdb"))
    result = run(*words, exit_code=1)
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert (len(cw.CodeStore("numbered.duckdb")), len(cw.CodeStore("named.duckdb"))) == before == (40, 40)
    assert not list(folder.glob("never*"))


@pytest.mark.parametrize("command", ["encode", "search"])
def test_help_shows_examples_that_are_the_command(command: str) -> None:
    shown = run(command, "--help").output
    lines = shown.partition("Examples:\n")[2].replace("\\\n", " ").splitlines()
    examples = [" ".join(line.split()) for line in lines]
    assert len(examples) == {"encode": 3, "search": 4}[command]
    assert all(example.startswith(f"codeword {command} ") for example in examples)
    assert ("--store" if command == "encode" else "--within") in " ".join(examples)
    assert command in run("--help").output


def test_searching_by_codes_loads_no_keras(folder: Path) -> None:
    script = (
        "import sys; from codeword.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "assert not {'keras', 'jax', 'torch', 'tensorflow', 'narwhals', 'tqdm'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cw.__file__).parents[1])}
    words = ["search", folder / "numbered.duckdb", "--codes", folder / "codes.npy"]
    command = [sys.executable, "-c", script, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run(*words).output
