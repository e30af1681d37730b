"""What strangers could put beside a store or in its place: paths, files and links.

A folder `out` beside the store's folder has files of other people: secret.txt and secret.parquet.
"""

import json
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _link(name: str, target: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).symlink_to(folder.parent / "out" / target)


def _file(name: str, content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(content)


def _sparse(name: str) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(1 << 31)

    return make


def _unix_socket(folder: Path) -> None:
    here = os.getcwd()
    os.chdir(folder)
    socket.socket(socket.AF_UNIX).bind("s.duckdb")
    os.chdir(here)


def _sqlite(folder: Path) -> None:
    with sqlite3.connect(folder / "s.duckdb") as connection:
        for statement in ("CREATE TABLE codes (id, code_0)", "CREATE TABLE codeword_store (name, value)"):
            connection.execute(statement)
    connection.close()


# Paths, and what is there. Where nothing is, a store of this name may be made.
PATHS: dict[str, tuple[str, Callable[[Path], Any] | None]] = {
    path: (path, None)
    for path in [
        *("md:x", "ducklake:x", "ducklake:sqlite:x", "sqlite:x.db", "mysql:host=127.0.0.1", "duckdb:x", "quack:x"),
        *("postgres:host=127.0.0.1 port=9 dbname=x", "http://127.0.0.1:9/s.duckdb", "https://127.0.0.1:9/s.duckdb"),
        *("s3://bucket/s.duckdb", "hf://datasets/a/s.duckdb", "gs://bucket/s.duckdb", "az://bucket/s.duckdb"),
        *(
            ":memory:",
            ":default:",
            ":memory:named",
            "",
            ".",
            "a\0b",
            "a\nb.duckdb",
            "?.duckdb",
            "*.duckdb",
            "[a].duckdb",
        ),
        *("a'b.duckdb", 'a"b.duckdb', "a;b.duckdb", "x" * 300, "ünï.duckdb", "s.duckdb?access_mode=read_write", "a:b"),
        *("file:s.duckdb", "s.duckdb.wal", "\x1b[31m.duckdb", "-s.duckdb", "~/s.duckdb", "$HOME.duckdb", "s.db.gz"),
    ]
} | {
    name: ("s.duckdb", make)
    for name, make in [
        ("an SQLite file", _sqlite),
        ("an SQLite header", _file("s.duckdb", b"SQLite format 3\0" + bytes(4_000))),
        ("an empty file", _file("s.duckdb", b"")),
        ("text", _file("s.duckdb", b"hello\n" * 1_000)),
        ("a Parquet file", _file("s.duckdb", b"PAR1" + bytes(999) + b"PAR1")),
        ("a header without content", _file("s.duckdb", bytes(8) + b"DUCK" + bytes(8_180))),
        ("a sparse file of 2 GB", _sparse("s.duckdb")),
        ("a folder", lambda folder: (folder / "s.duckdb").mkdir()),
        ("a pipe", lambda folder: os.mkfifo(folder / "s.duckdb")),
        ("a socket", _unix_socket),
        ("a link to itself", lambda folder: (folder / "s.duckdb").symlink_to("s.duckdb")),
    ]
}
LOCKS = (".s.duckdb.room", ".s.duckdb.turn")
LONG = json.dumps({"process": 1, "since": 0, "x": "\x1b[31m" * 2_000_000}).encode()
HELPERS: dict[str, Callable[[Path], Any]] = {
    f"{lock}: {name}": make
    for lock in LOCKS
    for name, make in [
        ("a link to a file", _link(lock, "secret.txt")),
        ("a link to no file", _link(lock, "new.txt")),
        ("a link to a folder", _link(lock, ".")),
        ("a hard link", lambda folder, lock=lock: os.link(folder.parent / "out" / "secret.txt", folder / lock)),
        ("a folder", lambda folder, lock=lock: (folder / lock).mkdir()),
        ("a pipe", lambda folder, lock=lock: os.mkfifo(folder / lock)),
        ("a link to /dev/zero", lambda folder, lock=lock: (folder / lock).symlink_to("/dev/zero")),
        ("a link to itself", lambda folder, lock=lock: (folder / lock).symlink_to(lock)),
        ("a long text", _file(lock, LONG)),
        ("a sparse file of 2 GB", _sparse(lock)),
        ("nonsense", _file(lock, b'{"process": 1e400, "since": "\xff"')),
    ]
} | {
    f"{name}: a link to a file": _link(name, "secret.txt")
    for name in ("s.duckdb.wal", "s.duckdb.tmp", "s.duckdb.wal.recovery", "s.duckdb.wal.checkpoint", "s.duckdb.note")
}
HELPERS |= {
    "s.duckdb.tmp: a link to a folder": _link("s.duckdb.tmp", "."),
    "s.duckdb.wal: nonsense": _file("s.duckdb.wal", bytes(range(256)) * 40),
    "codes.parquet: a link to a file": _link("codes.parquet", "secret.parquet"),
}
