"""Locked DuckDB connections: the named files open, and nothing else."""

from pathlib import Path

import duckdb
import pytest

from codeword.files.locked_duckdb import attach, database_files, literal, locked_duckdb

QUERIES = [
    "SELECT * FROM read_text('{other}')",
    "SELECT * FROM read_blob('{other}')",
    "SELECT * FROM read_csv('{other}')",
    "SELECT * FROM sniff_csv('{other}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM '{other}'",
    "SELECT * FROM secret",
    "COPY (SELECT 1) TO '{folder}/new.csv'",
    "ATTACH '{folder}/new.duckdb'",
    "ATTACH 'sqlite:{folder}/new.db'",
    "ATTACH 'md:x'",
    "EXPORT DATABASE '{folder}/all'",
    "INSTALL httpfs",
    "LOAD sqlite_scanner",
    "SET enable_external_access = true",
    "SET allowed_paths = ['{other}']",
    "SET threads = 1",
    "CREATE PERSISTENT SECRET s (TYPE http)",
]


def test_a_locked_connection_opens_the_named_files_only(tmp_path: Path) -> None:
    other, named = tmp_path / "other.csv", tmp_path / "it's [1] named.csv"
    for file in (other, named):
        file.write_text("a,b\n1,2\n")
    secret = {"a": [1]}  # DuckDB would read it as a table by its name
    with locked_duckdb(named, *database_files(tmp_path / "kept.duckdb")) as connection:
        attach(connection, tmp_path / "kept.duckdb", "kept")
        connection.execute(f"CREATE TABLE kept.t AS SELECT * FROM read_csv({literal(named)})")
        connection.execute("CHECKPOINT kept")
        for query in QUERIES:
            with pytest.raises(duckdb.Error):
                connection.execute(query.format(other=other, folder=tmp_path)).fetchall()
        assert connection.execute("SELECT * FROM kept.t").fetchall() == [(1, 2)]
    assert secret == {"a": [1]}
    assert {file.name for file in tmp_path.iterdir()} == {"other.csv", "it's [1] named.csv", "kept.duckdb"}
