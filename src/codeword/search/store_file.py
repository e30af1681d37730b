"""The DuckDB file of a store: opened once per call, created atomically, with readable errors (no Keras)."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from codeword.arrays.ids import is_unicode
from codeword.errors import (
    CodewordError,
    DataError,
    DiskError,
    OutputPathError,
    ParameterError,
    StoreBusyError,
    StoreFileError,
)
from codeword.files.locked_duckdb import attach, database_files, locked_duckdb
from codeword.files.output_file import cannot_write, move_into_place, perhaps_lost
from codeword.files.sql_tables import first_line
from codeword.search.store_lock import Patience, check_own_file, held
from codeword.search.store_schema import StoreNote, read_note

# Parts of DuckDB's messages, in lower case, for files that it cannot read or write.
_SIGNS_OF_THE_SYSTEM = ("permission denied", "too many open files", "out of memory")
_SIGNS_OF_FAILED_WRITES = (
    "no space left",
    "not enough space",
    "could not write",
    "permission denied",
    "read-only",
    "fsync",
)
# Parts of DuckDB's messages for a file that is open elsewhere: in another process (POSIX, Windows), or in this one.
_SIGNS_OF_OTHER_CLIENTS = ("Could not set lock", "used by another process", "Unique file handle conflict")


class StoreFile:
    """The file of a store, opened for one call at a time; other processes wait.

    DuckDB may open this file and its log, and nothing else, whatever is in them.
    """

    def __init__(self, path: str | Path, timeout_seconds: float) -> None:
        self.path, self._timeout_seconds = _checked(path), timeout_seconds
        self._known: tuple[object, StoreNote] | None = None  # a state of the file, and the note in it

    @contextmanager
    def reading(self, *outputs: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, StoreNote]]:
        """Open the file for reading; other processes may read at the same time. `outputs` may be written."""
        with self._in_words(writes=False):
            self.require()
            with (
                held(self.path, exclusive=False, timeout_seconds=self._timeout_seconds) as patience,
                self._connected(self.path, patience, *outputs, read_only=True) as connection,
            ):
                yield connection, self._note(connection)

    def note(self) -> StoreNote:
        """Return the note of the file, which is opened only if it has changed since this object last saw it."""
        known = self._known
        if known is not None and known[0] == self.state():
            return known[1]
        with self.reading() as (_, note):
            return note

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[tuple[duckdb.DuckDBPyConnection, StoreNote | None]]:
        """Open the file exclusively for one transaction, which is rolled back if the block raises.

        With `create` the file may be missing. The block then gets None instead of a note and must call `create_tables`;
        the file appears, complete, when the block ends. After the transaction has ended nothing raises any more.
        """
        with self._in_words(writes=True):
            if not create:
                self.require()
            with held(self.path, exclusive=True, timeout_seconds=self._timeout_seconds) as patience:
                self._remove_draft()
                if create and not self.exists():
                    with self._new_file(patience) as connection:
                        yield connection, None
                    return
                self.require()
                with self._connected(self.path, patience, read_only=False) as connection:
                    note = self._note(connection)
                    connection.begin()
                    yield connection, note
                    with self._reaching_the_disk():
                        connection.commit()
                self._known = self.state(), note

    @contextmanager
    def _in_words(self, *, writes: bool) -> Iterator[None]:
        """Translate errors of the system that are not translated yet; none occurs after a transaction has ended."""
        try:
            yield
        except OSError as error:
            if isinstance(error, CodewordError) or error.errno is None:
                raise
            if writes:
                raise cannot_write(self.path, error) from error
            raise self._unreadable(error.strerror or str(error)) from error

    def _note(self, connection: duckdb.DuckDBPyConnection) -> StoreNote:
        """Return the note of the file, and check the whole file where it is not as this object has seen or left it."""
        state, known = self.state(), self._known
        if known is None or known[0] != state:
            self._known = known = state, read_note(connection, self.path)
        return known[1]

    @contextmanager
    def limited(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Stop a query that takes longer than a call may wait, though at least a second."""
        seconds = min(max(self._timeout_seconds, 1.0), threading.TIMEOUT_MAX)
        timer = threading.Timer(seconds, connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise StoreBusyError(
                f"{self.path} must answer within {seconds:g} s: got a condition that takes longer. Simplify `where`, "
                "or increase timeout_seconds."
            ) from error
        finally:
            timer.cancel()
            timer.join()

    def exists(self) -> bool:
        """Return whether there is anything at the path."""
        try:
            return self.path.exists()
        except OSError as error:  # a name that is too long, a folder that cannot be entered
            raise self._unreadable(error.strerror or str(error)) from error

    def require(self) -> None:
        """Check that the file exists."""
        with self._in_words(writes=False):
            if self.exists() and self.path.is_file():
                return
            found = "a folder" if self.path.is_dir() else "a pipe or a device" if self.path.exists() else "no such file"
        raise FileNotFoundError(
            f"{self.path} must be a store of codes: got {found}. Append codes first, or check the path."
        )

    def state(self) -> list[object]:
        """Return a value that changes whenever any process changes the file."""
        return [_state_of(file) for file in (self.path, self._log)]

    @property
    def _log(self) -> Path:
        """DuckDB's write-ahead log, which belongs to the file after a crash."""
        return self.path.with_name(f"{self.path.name}.wal")

    @contextmanager
    def _reaching_the_disk(self) -> Iterator[None]:
        """Translate DuckDB's errors where it brings a transaction to the disk.

        Before it raises, DuckDB takes back what it has added to its log, unless the disk refuses this, too.
        """
        before = self._log_size()
        try:
            yield
        except duckdb.Error as error:
            if self._log_size() == before:
                raise self._unwritable(first_line(error)) from error
            raise OutputPathError(
                f"{self.path} must be on a disk that keeps what is written: got {first_line(error)}, and what was "
                "written could not be taken back. Check which rows the store has before you repeat the call.",
                path=self.path,
                on_disk="unknown",
            ) from error

    def _log_size(self) -> int | None:
        """Return the number of bytes in DuckDB's log, 0 without one, None if the system does not tell."""
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError:
            return None

    @contextmanager
    def _new_file(self, patience: Patience) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a new database next to the path and move it there after the block has succeeded."""
        if self._log.exists():
            raise StoreFileError(
                f"{self.path} must be a new file: got a leftover {self._log.name} of another store next to it. Restore "
                "that store, or delete the leftover."
            )
        try:
            self._draft.mkdir(mode=0o700)
            made = self._draft / "store"
            with self._connected(made, patience, read_only=False) as connection:
                connection.begin()
                yield connection
                with self._reaching_the_disk():
                    connection.commit()
                    connection.execute("CHECKPOINT store")  # closing does it too, but is silent when the disk is full
            self._move(made)
        except OSError as error:
            raise error if isinstance(error, CodewordError) else cannot_write(self.path, error) from error
        finally:
            with suppress(OSError, StoreFileError):  # the next writer tries again
                self._remove_draft()

    def _move(self, made: Path) -> None:
        """Move a new store to its path; if it could be lost there in a power failure, it is taken back."""
        try:
            move_into_place(made, self.path)
        except OSError as error:
            if not made.exists():
                try:
                    self.path.unlink()
                except OSError:
                    raise perhaps_lost(self.path, error) from error
            raise

    @property
    def _draft(self) -> Path:
        """A folder, for this user only, in which a writer that holds the lock makes a new store."""
        return self.path.with_name(f".{self.path.name}.new")

    def _remove_draft(self) -> None:
        """Remove what a killed writer has left. The caller holds the lock."""
        try:
            found = os.lstat(self._draft)
        except OSError:
            return
        try:
            if stat.S_ISDIR(found.st_mode):
                for file in database_files(self._draft / "store"):
                    file.unlink(missing_ok=True)
                self._draft.rmdir()
                return
        except OSError:
            pass
        raise StoreFileError(
            f"{self._draft.name} next to {self.path} must be a folder that codeword made: got another one, or a file. "
            "Remove it. Nothing was changed."
        )

    @contextmanager
    def _connected(
        self, file: Path, patience: Patience, *outputs: str, read_only: bool
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Connect to a file, wait for clients other than `CodeStore`, and translate DuckDB's errors."""
        file = file.absolute()  # DuckDB takes what a relative path begins with for a protocol: md:, http:
        connection = locked_duckdb(*database_files(file), *outputs)
        try:
            while True:
                for log in database_files(file)[1:]:
                    check_own_file(log, self.path)
                try:
                    attach(connection, file, "store", read_only=read_only)
                    break
                except duckdb.Error as error:
                    if not any(sign in str(error) for sign in _SIGNS_OF_OTHER_CLIENTS):
                        raise
                patience.pause("another DuckDB client, which has the file open")
            yield connection
        except duckdb.Error as error:
            raise self._translated(error, read_only) from error
        except RuntimeError as error:
            if str(error) == "Query interrupted":  # what DuckDB makes of Ctrl-C while it works
                raise KeyboardInterrupt from error
            raise
        finally:
            with suppress(duckdb.Error):
                connection.close()

    def _translated(self, error: duckdb.Error, read_only: bool) -> Exception:
        text = first_line(error)
        signs = text.replace(str(self.path.parent), "").lower()  # a folder may have any name
        if not read_only and any(sign in signs for sign in _SIGNS_OF_FAILED_WRITES):
            return self._unwritable(text)
        if isinstance(error, duckdb.OutOfMemoryException) or any(sign in signs for sign in _SIGNS_OF_THE_SYSTEM):
            return self._unreadable(text)
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
            return DataError(f"The batch must fit the columns of {self.path}: got {text}.")
        return StoreFileError(
            f"{self.path} must be a store of codes: got a file that cannot be read as one ({text}). "
            "Restore it from a copy."
        )

    def _unwritable(self, found: str) -> OutputPathError:
        return OutputPathError(
            f"{self.path} must be writable, on a disk with free space: got {found}. The store was not changed.",
            path=self.path,
            on_disk="old",
        )

    def _unreadable(self, found: str) -> DiskError:
        return DiskError(
            f"{self.path} must be readable: got {found}. Check permissions, memory and open files.", path=self.path
        )


def _checked(path: str | Path) -> Path:
    """Return a path, or raise if DuckDB would take a part of it for something else than a name."""
    path = Path(path)
    text = str(path.absolute())
    special = [letter for letter in ("?", "\\", "\0") if letter in text and letter != os.sep]
    if special or not is_unicode(text):
        raise ParameterError(
            f"`path` must be the name of a file, in Unicode and without ?, backslash and NUL, which DuckDB does not "
            f"take for letters: got {text!r}."
        )
    return path


def _state_of(file: Path) -> object:
    try:
        found = file.stat()
    except FileNotFoundError:  # not checked first: DuckDB may remove its log in between
        return None
    except OSError:  # an unknown state equals no other
        return object()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
