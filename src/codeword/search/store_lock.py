"""Fair turns for many readers or one writer of a store's file (no Keras).

DuckDB lets either one process write or many processes read, and rejects all others immediately. Here they wait. Two
lock files next to the store keep the turns. A writer holds `.room` exclusively, readers share it. Each process first
takes `.turn`. A writer keeps `.turn` until all earlier processes have left `.room`, so an endless stream of readers
cannot starve it. While it writes, `.turn` is free for the next process, so the same writer cannot overtake the others.

A store may come from a stranger, and so may what lies next to it: links are not followed, readers change nothing, and
nothing but a note of ours is overwritten.
"""

import errno
import json
import logging
import os
import random
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import portalocker

from codeword.errors import CodewordError, StoreBusyError, StoreFileError
from codeword.files.output_file import cannot_write

_RANDOM = random.SystemRandom()  # users seed Python's global generator, and forked processes would wait in step
_LOG = logging.getLogger("codeword")
_SAY_AFTER_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_OF_THE_NEXT_SECONDS = 0.004  # few processes wait for the room, and it is idle in the meantime
# No link is followed, no pipe is waited for, and no child process inherits the lock.
_FLAGS = 0
for _flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _flag, 0)
_TAKEN = (errno.EACCES, errno.EAGAIN)
_MAX_BYTES = 200  # of a note
_BEGINNING = b'{"process": '


class Patience:
    """Time that a call has waited for a store."""

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self._path, self._timeout_seconds = path, timeout_seconds
        self._start, self._said = time.monotonic(), False

    def pause(self, who: str, longest_seconds: float = _LONGEST_PAUSE_SECONDS) -> None:
        """Wait for a random moment, log a warning once the wait exceeds one second, and raise once time is up."""
        waited = time.monotonic() - self._start
        if waited >= self._timeout_seconds:
            raise StoreBusyError(
                f"{self._path} must become free within {self._timeout_seconds:g} s: got {who} for all that time. Try "
                "again, end that process, or increase timeout_seconds."
            )
        if waited > _SAY_AFTER_SECONDS and not self._said:
            self._said = True
            _LOG.warning("%s: waiting for %s; giving up in %.0f s", self._path, who, self._timeout_seconds - waited)
        time.sleep(_RANDOM.uniform(0.1, 1) * longest_seconds)


@contextmanager
def held(path: Path, *, exclusive: bool, timeout_seconds: float) -> Iterator[Patience]:
    """Hold a store's file while the block runs, exclusively or with other readers; yield the patience that is left."""
    patience = Patience(path, timeout_seconds)
    with ExitStack() as files:
        try:
            turn, room = (_opened(path, suffix, exclusive, files) for suffix in (".turn", ".room"))
            if turn is not None and room is not None:
                _take(turn, exclusive, room, patience, _LONGEST_PAUSE_SECONDS)
                _take(room, exclusive, room, patience, _LONGEST_PAUSE_OF_THE_NEXT_SECONDS)
                if exclusive:
                    _sign(room, path)
                    files.callback(_clear, room)
                with suppress(portalocker.LockException):  # then the end of this call lets the next one in
                    portalocker.unlock(turn)
        except OSError as error:
            if isinstance(error, CodewordError):
                raise
            if exclusive:
                raise cannot_write(path, error) from error
        yield patience  # a reader without lock files, as in a read-only folder: DuckDB's own lock keeps writers out


def _opened(path: Path, suffix: str, exclusive: bool, files: ExitStack) -> IO[Any] | None:
    """Open a lock file for the time of a call. Only writers create it and write to it; readers do without it."""
    lock = path.with_name(f".{path.name}{suffix}")
    check_own_file(lock, path)
    try:
        descriptor = os.open(lock, _FLAGS | os.O_RDWR | (os.O_CREAT if exclusive else 0), 0o666)
    except FileNotFoundError:
        if exclusive:
            raise
        return None
    except PermissionError:
        if exclusive:
            raise
        descriptor = os.open(lock, _FLAGS | os.O_RDONLY)
    file: IO[Any] = os.fdopen(descriptor, "r+b" if exclusive else "rb", buffering=0)
    files.callback(_close, file)
    check_own_file(lock, path, os.fstat(descriptor))
    return file


def _close(file: IO[Any]) -> None:
    with suppress(OSError):  # the call is over, and the system lets the lock go in any case
        file.close()


def check_own_file(file: Path, path: Path, found: os.stat_result | None = None) -> None:
    """Check that a file next to a store is absent, or a file of its own: no link, no pipe, no other user's file."""
    try:
        found, folder = found or os.lstat(file), os.stat(path.parent)
    except OSError:
        return  # absent, or opening it says why not
    if not stat.S_ISREG(found.st_mode):
        what = "a link" if stat.S_ISLNK(found.st_mode) else "a folder, a pipe or a device"
    elif found.st_nlink > 1:
        what = "a file with a second name elsewhere"
    elif folder.st_mode & stat.S_IWOTH and found.st_uid not in _owners(path, folder):
        what = "a file of another user"
    else:
        return
    hint = "Copy it" if ".wal" in file.suffixes else "Remove it"
    raise StoreFileError(
        f"{file.name} next to {path} must be a plain file that codeword made: got {what}. {hint}. Nothing was changed."
    )


def _owners(path: Path, folder: os.stat_result) -> set[int]:
    """Return the users whose files may lie next to a store in a folder that everybody may write to."""
    me = os.geteuid() if os.name == "posix" else 0  # Windows has no such numbers: all files are of user 0
    with suppress(OSError):
        return {me, folder.st_uid, os.stat(path).st_uid}
    return {me, folder.st_uid}


def _take(file: IO[Any], exclusive: bool, room: IO[Any], patience: Patience, longest_seconds: float) -> None:
    flags = portalocker.LockFlags.EXCLUSIVE if exclusive else portalocker.LockFlags.SHARED
    while True:
        try:
            portalocker.lock(file, flags | portalocker.LockFlags.NON_BLOCKING)
            return
        except portalocker.LockException as error:
            cause = next((part for part in error.args if isinstance(part, OSError)), None)
            if cause is not None and cause.errno not in _TAKEN:
                raise cause from error  # a file system without locks
            patience.pause(_holder(room), longest_seconds)


def _sign(room: IO[Any], path: Path) -> None:
    """Write the id of the writing process into the lock file, for those who wait."""
    found = _content(room)
    if not found.startswith(_BEGINNING[: len(found)]):
        raise StoreFileError(
            f".{path.name}.room next to {path} must be a file that codeword made: got another file. Move it. Nothing "
            "was changed."
        )
    with suppress(OSError):  # a full disk: the note is only for those who wait
        room.truncate(0)
        room.seek(0)
        room.write(json.dumps({"process": os.getpid(), "since": time.time()}).encode())


def _clear(room: IO[Any]) -> None:
    with suppress(OSError):
        room.truncate(0)


def _content(room: IO[Any]) -> bytes:
    room.seek(0)
    return bytes(room.read(_MAX_BYTES))


def _note(room: IO[Any]) -> tuple[int, float] | None:
    """Return the process that signed a lock file and when, or None if it holds no such note."""
    try:
        note = json.loads(_content(room))
        process, since = note["process"], float(note["since"])
        return (process, since) if type(process) is int and 0 < process < 2**31 else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _holder(room: IO[Any]) -> str:
    note = _note(room)
    if note is not None and _is_alive(note[0]):
        return f"process {note[0]}, which has been writing for {time.time() - note[1]:.0f} s"
    return "other processes, which read"


def _is_alive(process: int) -> bool:
    """Return whether a process may still run; the note of a killed one stays in the lock file."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
