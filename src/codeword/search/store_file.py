"""The DuckDB file of a store: opened once per call, created atomically, with readable errors (no Keras)."""

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

from codeword.code_kinds import Bits
from codeword.errors import CodewordError, DataError, OutputPathError, StoreFileError
from codeword.files.output_file import cannot_write, move_into_place
from codeword.files.sql_tables import first_line, quoted_name
from codeword.search.code_words import word_names
from codeword.search.store_lock import Patience, held

FORMAT_VERSION = "1"
_NOTE = "codeword_store"
# A second thread that connects at the same time would get a database in which some functions are still missing.
_CONNECTING = threading.Lock()
# Parts of DuckDB's messages, in lower case, for files that it cannot read or write.
_SIGNS_OF_THE_SYSTEM = ("permission denied", "too many open files", "out of memory")
_SIGNS_OF_NO_PLACE = ("no space left", "not enough space", "could not write", "permission denied", "read-only")
# Parts of DuckDB's messages for a file that is open elsewhere: in another process (POSIX, Windows), or in this one.
_SIGNS_OF_OTHERS = ("Could not set lock", "used by another process", "different configuration")


class StoreNote(NamedTuple):
    """Number of bits per code in a store, and the fingerprint of the model that made them, if known."""

    num_bits: int
    fingerprint: str | None

    @property
    def num_bytes(self) -> int:
        return Bits(self.num_bits).num_bytes


class StoreFile:
    """The file of a store, opened for one call at a time; other processes wait."""

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self.path, self._timeout_seconds = path, timeout_seconds

    @contextmanager
    def reading(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, StoreNote]]:
        """Open the file for reading; other processes may read at the same time."""
        self.require()
        with (
            held(self.path, exclusive=False, timeout_seconds=self._timeout_seconds) as patience,
            self._connected(self.path, patience, read_only=True) as connection,
        ):
            yield connection, self._note(connection)

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[tuple[duckdb.DuckDBPyConnection, StoreNote | None]]:
        """Open the file exclusively for one transaction, which is rolled back if the block raises.

        With `create` the file may be missing. The block then gets None instead of a note and must call `create_tables`;
        the file appears, complete, when the block ends.
        """
        with held(self.path, exclusive=True, timeout_seconds=self._timeout_seconds) as patience:
            if create and not self.path.exists():
                with self._new_file(patience) as connection:
                    yield connection, None
                return
            self.require()
            with self._connected(self.path, patience, read_only=False) as connection:
                note = self._note(connection)
                connection.begin()
                yield connection, note
                connection.commit()

    def require(self) -> None:
        """Check that the file exists."""
        if not self.path.is_file():
            found = "a folder" if self.path.is_dir() else "no such file"
            raise FileNotFoundError(
                f"{self.path} must be a store of codes: got {found}. Append codes first, or check the path."
            )

    def state(self) -> list[tuple[int, ...] | None]:
        """Return a value that changes whenever any process changes the file."""
        return [_state_of(file) for file in (self.path, self._log)]

    @property
    def _log(self) -> Path:
        """DuckDB's write-ahead log, which belongs to the file after a crash."""
        return self.path.with_name(f"{self.path.name}.wal")

    @contextmanager
    def _new_file(self, patience: Patience) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a new database next to the path and move it there after the block has succeeded."""
        if self._log.exists():
            raise StoreFileError(
                f"{self.path} must be a new file: got a leftover {self._log.name} of another store next to it. Restore "
                "that store, or delete the leftover."
            )
        try:
            with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=f".{self.path.name}.") as folder:
                made = Path(folder) / "store"
                with self._connected(made, patience, read_only=False) as connection:
                    connection.begin()
                    yield connection
                    connection.commit()
                    connection.execute("CHECKPOINT")  # closing does it too, but is silent when the disk is full
                move_into_place(made, self.path)
        except OSError as error:
            raise error if isinstance(error, CodewordError) else cannot_write(self.path, error) from error

    @contextmanager
    def _connected(self, file: Path, patience: Patience, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Connect to a file, wait for clients other than `CodeStore`, and translate DuckDB's errors."""
        while True:
            try:
                with _CONNECTING:
                    connection = duckdb.connect(str(file), read_only=read_only)
                break
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _SIGNS_OF_OTHERS):
                    raise self._translated(error, read_only) from error
                patience.pause("another DuckDB client, which has the file open")
        try:
            yield connection
        except duckdb.Error as error:
            raise self._translated(error, read_only) from error
        finally:
            connection.close()

    def _translated(self, error: duckdb.Error, read_only: bool) -> Exception:
        text = first_line(error)
        signs = text.replace(str(self.path.parent), "").lower()  # a folder may have any name
        if not read_only and any(sign in signs for sign in _SIGNS_OF_NO_PLACE):
            return OutputPathError(
                f"{self.path} must be writable, on a disk with free space: got {text}. The store was not changed."
            )
        if isinstance(error, duckdb.OutOfMemoryException) or any(sign in signs for sign in _SIGNS_OF_THE_SYSTEM):
            return StoreFileError(
                f"{self.path} must be readable: got {text}. Check permissions, memory and open files."
            )
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
            return DataError(f"The batch must fit the columns of {self.path}: got {text}.")
        return StoreFileError(
            f"{self.path} must be a store of codes: got a file that cannot be read as one ({text}). "
            "Restore it from a copy."
        )

    def _note(self, connection: duckdb.DuckDBPyConnection) -> StoreNote:
        try:
            entries = dict(connection.execute(f"SELECT name, value FROM {_NOTE}").fetchall())
            if entries["format_version"] != FORMAT_VERSION:
                raise StoreFileError(
                    f"{self.path} must have store format {FORMAT_VERSION}: got {entries['format_version']}. "
                    "Upgrade codeword."
                )
            return StoreNote(Bits(int(entries["num_bits"])).num_bits, entries["model"])
        except (duckdb.CatalogException, duckdb.BinderException, KeyError, ValueError, TypeError) as error:
            if isinstance(error, StoreFileError):
                raise
            raise StoreFileError(
                f"{self.path} must be a store of codes: got a DuckDB file without a valid table {_NOTE}. "
                "Choose another path; this file was not changed."
            ) from error


def create_tables(
    connection: duckdb.DuckDBPyConnection, note: StoreNote, id_type: str, columns: Mapping[str, str]
) -> None:
    """Create the tables of a new store, with metadata columns of these SQL types."""
    fields = [f"id {id_type} NOT NULL", *(f"{name} UBIGINT NOT NULL" for name in word_names(note.num_bits))]
    fields += [f"{quoted_name(name)} {sql_type}" for name, sql_type in columns.items()]
    entries = {"format_version": FORMAT_VERSION, "num_bits": str(note.num_bits), "model": note.fingerprint}
    connection.execute(f"CREATE TABLE codes ({', '.join(fields)})")
    connection.execute(f"CREATE TABLE {_NOTE} (name VARCHAR, value VARCHAR)")
    connection.executemany(f"INSERT INTO {_NOTE} VALUES (?, ?)", [list(entry) for entry in entries.items()])


def _state_of(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except FileNotFoundError:  # not checked first: DuckDB may remove its log in between
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def count_of(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of rows."""
    return int(connection.execute("SELECT count(*) FROM codes").fetchall()[0][0])


def types_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the SQL types of all columns by name."""
    return {row[0]: row[1] for row in connection.execute("DESCRIBE codes").fetchall()}


def columns_of(connection: duckdb.DuckDBPyConnection, note: StoreNote) -> dict[str, str]:
    """Return the SQL types of the metadata columns by name."""
    others = {"id", *word_names(note.num_bits)}
    return {name: kind for name, kind in types_of(connection).items() if name not in others}
