"""DuckDB connections that reach no file but the named ones, whatever a query or a file says (no Keras)."""

import os
import threading
from pathlib import Path
from typing import Any

import duckdb

# Set before any file is opened. Together with `enable_external_access=false` they keep DuckDB from the network, from
# extensions, from Python's variables, and from every file that is not named.
_CONFIG: dict[str, Any] = {
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
}
# A second thread that connects at the same time would get a database in which some functions are still missing.
_CONNECTING = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A process forked during a connection would find this lock, and those of DuckDB, held for ever.
    os.register_at_fork(
        before=_CONNECTING.acquire, after_in_parent=_CONNECTING.release, after_in_child=_CONNECTING.release
    )


def locked_duckdb(*files: str | Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to an empty database in memory that may open these files and nothing else, for good."""
    with _CONNECTING:
        connection = duckdb.connect(config=_CONFIG)
    paths = ", ".join(literal(file) for file in files)
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def literal(text: str | Path) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def database_files(path: Path) -> list[Path]:
    """Return the names of all files that DuckDB opens for a database: the database and its logs."""
    return [path.with_name(path.name + suffix) for suffix in ("", ".wal", ".wal.checkpoint", ".wal.recovery")]


def attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool = False) -> None:
    """Open a database file under a name; unqualified names still mean the empty database in memory."""
    connection.execute(f"ATTACH {literal(path)} AS {name} (TYPE duckdb{', READ_ONLY' if read_only else ''})")
