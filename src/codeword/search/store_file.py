"""The DuckDB file of a store: made whole, opened for one call, its errors in words (no Keras)."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

from codeword.code_kinds import Bits
from codeword.errors import DataError, OutputPathError, StoreFileError
from codeword.files.output_file import cannot_write, move_into_place
from codeword.files.sql_tables import quoted_name
from codeword.search.code_words import word_names
from codeword.search.store_lock import Patience, held

FORMAT_VERSION = "1"
_NOTE = "codeword_store"
# A second thread that connects to the file meanwhile would get a database whose functions are not all there yet.
_CONNECTING = threading.Lock()
# What DuckDB says, in lower case, where it cannot write.
_SIGNS_OF_THE_SYSTEM = ("permission denied", "too many open files", "out of memory")
_SIGNS_OF_NO_PLACE = ("no space left", "not enough space", "could not write", "permission denied", "read-only")
# What DuckDB says where a file is open elsewhere: in another process (POSIX, Windows), or in this one.
_SIGNS_OF_OTHERS = ("Could not set lock", "used by another process", "different configuration")


class StoreNote(NamedTuple):
    """What a store says of itself."""

    num_bits: int
    fingerprint: str | None

    @property
    def num_bytes(self) -> int:
        return Bits(self.num_bits).num_bytes


class NewStore(NamedTuple):
    """What a store is made with: its note, and the SQL types of its ids and of its columns of metadata."""

    note: StoreNote
    id_type: str
    columns: dict[str, str]


class StoreFile:
    """Opens a store's file for reading or writing, one call at a time, and waits for others.

    Args:
        path: Of the file.
        timeout_seconds: How long to wait.
    """

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self.path = path
        self._timeout_seconds = timeout_seconds

    @contextmanager
    def reading(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, StoreNote]]:
        """Opens the file to read; others may read with us.

        Raises:
            FileNotFoundError, StoreFileError, StoreBusyError: If it cannot be read.
        """
        self.require()
        with held(self.path, exclusive=False, timeout_seconds=self._timeout_seconds) as patience:
            self.require()  # a first batch that failed takes its file away
            with self._connected(patience, read_only=True) as connection:
                yield connection, self._note(connection)

    @contextmanager
    def writing(self, new: NewStore | None = None) -> Iterator[tuple[duckdb.DuckDBPyConnection, StoreNote]]:
        """Opens the file, alone, for one transaction, which is undone if the block raises.

        Args:
            new: What to make first if there is no file; None: then it is an error.

        Raises:
            FileNotFoundError, StoreFileError, StoreBusyError, OutputPathError: If it cannot be written.
        """
        with held(self.path, exclusive=True, timeout_seconds=self._timeout_seconds) as patience:
            first = not self.path.exists()
            if first and new is not None:
                self._make(new)
            self.require()
            try:
                with self._connected(patience, read_only=False) as connection:
                    note = self._note(connection)
                    connection.begin()
                    yield connection, note
                    connection.commit()
            except BaseException:
                if first:  # an empty store would ask for the columns of the batch that failed
                    self._log.unlink(missing_ok=True)  # first: a log without its store would be refused
                    self.path.unlink(missing_ok=True)
                raise

    def require(self) -> None:
        """Refuses a path where no file is."""
        if not self.path.is_file():
            found = "a folder" if self.path.is_dir() else "no such file"
            raise FileNotFoundError(
                f"{self.path} must be a store of codes. Received: {found}. Append codes first, or check the path."
            )

    def state(self) -> list[tuple[int, ...] | None]:
        """Gives what changes whenever the file does, whoever writes it."""
        return [_state_of(file) for file in (self.path, self._log)]

    @property
    def _log(self) -> Path:
        """Where DuckDB keeps what a crash left: it belongs to the file."""
        return self.path.with_name(f"{self.path.name}.wal")

    @contextmanager
    def _connected(self, patience: Patience, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Opens the file, waiting for clients that are no `CodeStore`; says in words what goes wrong."""
        while True:
            try:
                with _CONNECTING:
                    connection = duckdb.connect(str(self.path), read_only=read_only)
                break
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _SIGNS_OF_OTHERS):
                    raise self._in_words(error, read_only) from error
                patience.pause("another DuckDB client, which has the file open")
        try:
            yield connection
        except duckdb.Error as error:
            raise self._in_words(error, read_only) from error
        finally:
            connection.close()

    def _in_words(self, error: duckdb.Error, read_only: bool) -> Exception:
        text = first_line(error)
        said = text.replace(str(self.path.parent), "").lower()  # a folder may be named anything
        if not read_only and any(sign in said for sign in _SIGNS_OF_NO_PLACE):
            return OutputPathError(
                f"{self.path} must be a file that can be written, with room. Received: {text}. Free the disk or choose "
                "another place; the store is as before."
            )
        if isinstance(error, duckdb.OutOfMemoryException) or any(sign in said for sign in _SIGNS_OF_THE_SYSTEM):
            return StoreFileError(
                f"{self.path} must be readable. Received: {text}. Free memory or files, or the access."
            )
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
            return DataError(f"The batch must fit the columns of {self.path}. Received: {text}. Convert it.")
        return StoreFileError(
            f"{self.path} must be a store of codes. Received: a file that cannot be read as one ({text}). "
            "Restore it from a copy."
        )

    def _make(self, new: NewStore) -> None:
        """Makes an empty store beside its place and moves it there whole."""
        if self._log.exists():
            raise StoreFileError(
                f"{self.path} must be a new file. Received: a leftover {self._log.name} of another one beside it. Put "
                "that file back, or delete the leftover."
            )
        fields = [f"id {new.id_type} NOT NULL", *(f"{name} UBIGINT NOT NULL" for name in word_names(new.note.num_bits))]
        fields += [f"{quoted_name(name)} {sql_type}" for name, sql_type in new.columns.items()]
        note = {
            "format_version": FORMAT_VERSION,
            "num_bits": str(new.note.num_bits),
            "model": new.note.fingerprint,
        }
        try:
            with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=f".{self.path.name}.") as folder:
                made = Path(folder) / "store"
                with duckdb.connect(str(made)) as connection:
                    connection.execute(f"CREATE TABLE codes ({', '.join(fields)})")
                    connection.execute(f"CREATE TABLE {_NOTE} (name VARCHAR, value VARCHAR)")
                    connection.executemany(f"INSERT INTO {_NOTE} VALUES (?, ?)", [list(pair) for pair in note.items()])
                    connection.execute("CHECKPOINT")  # closing does it as well, but says nothing where the disk is full
                move_into_place(made, self.path)
        except duckdb.Error as error:
            raise self._in_words(error, read_only=False) from error
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _note(self, connection: duckdb.DuckDBPyConnection) -> StoreNote:
        try:
            entries = dict(connection.execute(f"SELECT name, value FROM {_NOTE}").fetchall())
            if entries["format_version"] != FORMAT_VERSION:
                raise StoreFileError(
                    f"{self.path}: the format must be {FORMAT_VERSION}, which this library reads. Received: "
                    f"{entries['format_version']}. Upgrade codeword."
                )
            return StoreNote(Bits(int(entries["num_bits"])).num_bits, entries["model"])
        except (duckdb.CatalogException, duckdb.BinderException, KeyError, ValueError, TypeError) as error:
            if isinstance(error, StoreFileError):
                raise
            raise StoreFileError(
                f"{self.path} must be a store of codes. Received: a DuckDB file without a proper table {_NOTE}. "
                "Choose another path; this file was not changed."
            ) from error


def _state_of(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except FileNotFoundError:  # not asked before: DuckDB may take its log away in between
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def count_of(connection: duckdb.DuckDBPyConnection) -> int:
    """Counts the rows."""
    return int(connection.execute("SELECT count(*) FROM codes").fetchall()[0][0])


def types_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Gives the SQL types of all columns by name."""
    return {row[0]: row[1] for row in connection.execute("DESCRIBE codes").fetchall()}


def columns_of(connection: duckdb.DuckDBPyConnection, note: StoreNote) -> dict[str, str]:
    """Gives the columns of metadata and their types."""
    apart = {"id", *word_names(note.num_bits)}
    return {name: kind for name, kind in types_of(connection).items() if name not in apart}


def first_line(error: Exception) -> str:
    """Gives what an error of DuckDB says, without its drawing of the query."""
    return str(error).partition("\n")[0]
