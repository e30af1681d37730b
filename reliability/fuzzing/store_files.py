"""Damaged stores: bytes of the file, and DuckDB files with any tables."""

import random
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from reliability.fuzzing.damage import changed_bytes

NUM_BITS = ("8", "64", "10", "65", "0", "-1", "1e3", "100000000", "", "é", "9" * 400, "inf", "None")
TYPES = (
    "BIGINT",
    "VARCHAR",
    "UBIGINT",
    "DOUBLE",
    "BLOB",
    "INTEGER[]",
    "STRUCT(a INTEGER)",
    "BOOLEAN",
    "HUGEINT",
    "DATE",
)
VIEWS = (
    "SELECT 1 AS id, content.hash()::UBIGINT AS code_0, content AS label FROM read_text('/etc/hostname')",
    "SELECT range AS id, range::UBIGINT AS code_0 FROM range(3)",
    "SELECT 1 AS id, error('no')::UBIGINT AS code_0",
)
NAMES = ("id", "code_0", "code_1", "code_00", "label", "rowid", '"', "'", "é", "ID", "c0", "x" * 300, "\x1b[31m")


def write_store(random: random.Random, path: Path, templates: list[bytes]) -> None:
    """Write a file that may be damaged anywhere."""
    if random.random() < 0.5:
        path.write_bytes(_changed(random, random.choice(templates)))
        return
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for statement in _statements(random):
            try:
                connection.execute(statement)
            except duckdb.Error:
                continue


def _changed(random: random.Random, content: bytes) -> bytes:
    if random.random() < 0.5:
        return changed_bytes(random, content)
    # Bytes of the first blocks: the headers, and checksums.
    changed = bytearray(content)
    for _ in range(random.choice((1, 4, 32))):
        changed[random.randrange(min(len(changed), 3 * 4096 + 2000))] = random.choice(
            (0, 1, 255, random.randrange(256))
        )
    return bytes(changed)


def _statements(random: random.Random) -> list[str]:
    columns = ["id BIGINT NOT NULL", "code_0 UBIGINT NOT NULL", "label VARCHAR"]
    for _ in range(random.choice((0, 0, 1, 2))):
        place = random.randrange(len(columns))
        columns[place : place + random.choice((0, 1))] = [f"{_name(random)} {random.choice(TYPES)}"]
    codes = random.choice(("codes", "codes", "codes", "other"))
    note = random.choice(("codeword_store", "codeword_store", "codeword_store", "notes"))
    cells = ["NULL" if random.random() < 0.1 else str(random.randrange(99)) for _ in columns]
    entries = {
        "format_version": random.choice(("1", "1", "1", "1", "2", "")),
        "num_bits": random.choice(NUM_BITS),
        "model": random.choice(("0" * 64, "a 'quote', x: 1}", "\x1b[31m", "x" * 99_999)),
    }
    return [
        random.choice(
            (*[f"CREATE TABLE {codes} ({', '.join(columns)})"] * 4, f"CREATE VIEW {codes} AS {random.choice(VIEWS)}")
        ),
        f"INSERT INTO {codes} SELECT {', '.join(cells)} FROM range({random.choice((0, 1, 3))})",
        random.choice(
            (
                *[f"CREATE TABLE {note} (name VARCHAR, value VARCHAR)"] * 4,
                f"CREATE TABLE {note} (name INTEGER, value BLOB)",
            )
        ),
        *(
            f"INSERT INTO {note} VALUES ('{name}', {_literal(value)})"
            for name, value in entries.items()
            if random.random() < 0.95
        ),
        random.choice(
            (
                "SELECT 1",
                "CREATE MACRO max(x) AS 7",
                "CREATE MACRO count(x) AS 3",
                f"INSERT INTO {note} VALUES ('model', '2')",
            )
        ),
    ]


def _name(random: random.Random) -> str:
    return '"' + random.choice(NAMES).replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def use(path: Path, folder: Path) -> Any:
    """Call what reads a store."""
    import codeword

    store = codeword.CodeStore(path, timeout_seconds=1)
    shown = (len(store), store.columns, store.fingerprint, store.num_bits, repr(store))
    if shown[0]:
        index = store.index()
        query = np.zeros((1, -(-index.num_bits // 8)), np.uint8)
        _, ids = index.search(query, 1)
        store.get(ids[0].tolist())
        store.export_parquet(folder / "export.parquet")
    return shown


def template(folder: Path) -> bytes:
    """Return a whole store."""
    import codeword

    path = folder / "template.duckdb"
    store = codeword.CodeStore(path)
    random = np.random.default_rng(0)
    labels = [f"label {number % 3}" for number in range(50)]
    store.append(None, random.integers(0, 256, (50, 8), np.uint8), {"label": labels, "year": np.arange(50)})
    return path.read_bytes()
