"""The tables of a store: how they are created, and the check that a file holds just these (no Keras)."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import duckdb

from codeword.code_kinds import Bits, CodeKind, code_kind_from_config
from codeword.errors import StoreFileError
from codeword.files.sql_tables import quoted_name
from codeword.search.code_words import WORD_COLUMN, word_names

FORMAT_VERSION = "1"
CODES, NOTE = "store.main.codes", "store.main.codeword_store"
ID_TYPES = ("BIGINT", "VARCHAR")
METADATA_TYPES = ("BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "TIMESTAMP")
FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_NUM_BITS = re.compile(r"[1-9][0-9]{0,8}")
_MOST_COLUMNS = 10_000
_ROWS_OF_A_GROUP = 122_880  # DuckDB unpacks at most this many rows at a time
# Memory that a file may ask for. Equal rows take almost no space in a file, but as much as others in memory.
_MOST_FOR_FILE, _MOST_FOR_ALL = 10, 1 << 30
_OF_NOTE = {"name": "VARCHAR", "value": "VARCHAR"}
_NO_NOTE = "a DuckDB file without a valid table codeword_store"


class StoreNote(NamedTuple):
    """What a store holds: bits per code, the fingerprint of the model if known, and the kind if it is not `Bits`."""

    num_bits: int
    fingerprint: str | None
    code: CodeKind | None = None

    @property
    def num_bytes(self) -> int:
        return Bits(self.num_bits).num_bytes


def note_of(code: CodeKind, fingerprint: str | None) -> StoreNote:
    """Return the note of a store for codes of a kind."""
    if code.has_hamming_distance:
        return StoreNote(code.num_symbols, fingerprint)
    return StoreNote(8 * code.num_bytes, fingerprint, code)


def create_tables(
    connection: duckdb.DuckDBPyConnection, note: StoreNote, id_type: str, columns: Mapping[str, str]
) -> None:
    """Create the tables of a new store, with metadata columns of these SQL types."""
    words = dict.fromkeys(word_names(note.num_bits), "UBIGINT")
    _create(connection, CODES, {"id": id_type, **words, **columns})
    _create(connection, NOTE, _OF_NOTE)
    entries = {"format_version": FORMAT_VERSION, "num_bits": str(note.num_bits), "model": note.fingerprint}
    if note.code is not None:
        entries["code"] = json.dumps(note.code.to_config())
    connection.executemany(f"INSERT INTO {NOTE} VALUES (?, ?)", [list(entry) for entry in entries.items()])


def _create(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]) -> None:
    fields = [
        f"{quoted_name(name)} {kind}{' NOT NULL' if name == 'id' or WORD_COLUMN.fullmatch(name) else ''}"
        for name, kind in columns.items()
    ]
    connection.execute(f"CREATE TABLE {table} ({', '.join(fields)})")


def read_note(connection: duckdb.DuckDBPyConnection, path: Path) -> StoreNote:
    """Check that a file holds the tables of a store, exactly as `create_tables` makes them, and return their note.

    What else may be in the file (views, macros, other tables) is never used: no name in our queries can mean it.
    """
    found = connection.execute(
        "SELECT table_name, sql, index_count, column_count FROM duckdb_tables() WHERE database_name = 'store' "
        "AND schema_name = 'main' AND table_name IN ('codes', 'codeword_store') ORDER BY table_name"
    ).fetchall()
    if [name for name, *_ in found] != ["codes", "codeword_store"]:
        raise _no_store(path, _NO_NOTE)
    (_, codes_sql, num_indexes, num_columns), (_, note_sql, num_note_indexes, _) = found
    if note_sql != _definition(connection, "codeword_store", _OF_NOTE) or num_note_indexes:
        raise _no_store(path, _NO_NOTE)
    entries = _entries(connection, path)
    if num_columns > _MOST_COLUMNS:
        raise _no_store(path, f"a table codes of {num_columns:,} columns")
    columns = types_of(connection)
    for name, kind in columns.items():
        allowed = ID_TYPES if name == "id" else ("UBIGINT",) if WORD_COLUMN.fullmatch(name) else METADATA_TYPES
        if kind not in allowed or name.lower() == "rowid":  # our queries mean DuckDB's own row numbers
            raise _no_store(path, f"a column {name[:60]!r} of type {kind[:60]}")
    triggers = connection.execute("SELECT 1 FROM duckdb_triggers() WHERE database_name = 'store'").fetchall()
    if codes_sql != _definition(connection, "codes", columns) or num_indexes or triggers:
        raise _no_store(path, "a table codes with defaults, constraints, indexes or triggers")
    _check_texts(connection, columns, path)
    return _note(entries, columns, path)


def _definition(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]) -> str:
    """Return how DuckDB writes the definition of a table with these columns and nothing else."""
    _create(connection, f"memory.main.{table}", columns)
    query = f"SELECT sql FROM duckdb_tables() WHERE database_name = 'memory' AND table_name = '{table}'"
    sql = str(connection.execute(query).fetchall()[0][0])
    connection.execute(f"DROP TABLE memory.main.{table}")
    return sql


def _check_texts(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], path: Path) -> None:
    """Check that no text, as DuckDB unpacks it to look at it, takes far more memory than the file justifies.

    A file of a megabyte can hold a thousand texts of a million equal letters each. DuckDB knows their sizes beforehand.
    """
    texts = [name for name, kind in columns.items() if kind == "VARCHAR"]
    if not texts:
        return
    listed = ", ".join(quoted_name(name) for name in texts)
    nothing = ", ".join(["NULL"] * len(texts))
    query = f"SELECT {', '.join(f'stats({quoted_name(name)})' for name in texts)} FROM "
    # One row of NULL, so that there is an answer, without unpacking a row of the store.
    query += f"(SELECT {listed} FROM {CODES} WHERE rowid < 0 UNION ALL SELECT {nothing})"
    for name, known in zip(texts, connection.execute(query).fetchall()[0], strict=True):
        total = known.get("total_string_length")  # unknown after rows were deleted
        total = _size_of_segments(connection, name) if total is None else total
        check_size(min(total, known["max_string_length"] * _ROWS_OF_A_GROUP), path)


def _size_of_segments(connection: duckdb.DuckDBPyConnection, column: str) -> int:
    """Return how many bytes the texts of a column take, with those of deleted rows, from each part of the file."""
    segments = connection.execute(
        "SELECT count, stats FROM pragma_storage_info(?) WHERE column_name = ? AND segment_type = 'VARCHAR'",
        [CODES, column],
    ).fetchall()
    return sum(known.get("total_string_length", known["max_string_length"] * count) for count, known in segments)


def check_size(size: int, path: Path) -> None:
    """Check that what is read from a file takes at most a multiple of its bytes, and a gigabyte, in memory."""
    in_file = path.stat().st_size
    most = _MOST_FOR_FILE * in_file + _MOST_FOR_ALL
    if size > most:
        raise StoreFileError(
            f"{path} must take at most {most / 1e9:.1f} GB of memory, as it has {in_file:,} bytes: got rows that take "
            f"{size / 1e9:.1f} GB. Such a file is hostile, or its rows are nearly all the same."
        )


def _entries(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str | None]:
    """Return the entries of the note, of which a few and short ones are read."""
    found = connection.execute(f"SELECT left(name, 20), left(value, 200) FROM {NOTE} LIMIT 20").fetchall()
    entries = dict(found)
    if entries.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
        raise StoreFileError(
            f"{path} must have store format {FORMAT_VERSION}: got {str(entries['format_version'])[:20]}. Upgrade "
            "codeword."
        )
    if len(entries) < len(found) or not {"format_version", "num_bits", "model"} <= set(entries):
        raise _no_store(path, _NO_NOTE)
    return entries


def _note(entries: Mapping[str, str | None], columns: Mapping[str, str], path: Path) -> StoreNote:
    words = [name for name in columns if WORD_COLUMN.fullmatch(name)]
    num_bits, model = str(entries["num_bits"]), entries["model"]
    # Names are made only once it is certain that they are no more than the columns.
    fits = _NUM_BITS.fullmatch(num_bits) and -(-int(num_bits) // 64) == len(words)
    if not fits or words != word_names(int(num_bits)) or next(iter(columns)) != "id":
        raise _no_store(path, f"num_bits {num_bits[:20]!r} for {len(words)} words in each code")
    if model is not None and not FINGERPRINT.fullmatch(model):
        raise _no_store(path, f"a model {model[:70]!r}, which is no fingerprint")
    if entries.get("code") is None:
        return StoreNote(int(num_bits), model)
    try:
        note = note_of(code_kind_from_config(json.loads(str(entries["code"]))), model)
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_store(path, f"a code kind {str(entries['code'])[:70]!r}") from error
    if note.code is None or note.num_bits != int(num_bits):
        raise _no_store(path, f"num_bits {num_bits} for {note.code}")
    return note


def _no_store(path: Path, found: str) -> StoreFileError:
    hint = "Choose another path, or restore the store from a copy."
    return StoreFileError(f"{path} must be a store of codes: got {found}. {hint}")


def types_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the SQL types of all columns by name."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {CODES}").fetchall()}


def columns_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the SQL types of the metadata columns by name."""
    return {
        name: kind for name, kind in types_of(connection).items() if name != "id" and not WORD_COLUMN.fullmatch(name)
    }


def count_of(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of rows."""
    return int(connection.execute(f"SELECT count(*) FROM {CODES}").fetchall()[0][0])
