"""Who may open a store's file now: many readers, or one writer, in turn (no Keras).

DuckDB lets one process write or many read, and refuses at once who comes at the wrong time. Here they wait. Two lock
files beside the store keep the turns: who writes holds `.room` alone, who reads holds it together with other readers.
Each first passes `.turn`, which a writer keeps until those before it have left: so readers that come one after the
other without end cannot keep a writer out. While it writes, `.turn` is free for the next: so a writer that comes back
at once finds the others before it.
"""

import json
import logging
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import portalocker

from codeword.errors import StoreBusyError
from codeword.files.output_file import cannot_write

_RANDOM = random.SystemRandom()  # its own: users seed Python's, and forked processes would wait alike
_LOG = logging.getLogger("codeword")
_SAY_AFTER_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_OF_THE_NEXT_SECONDS = 0.004  # few wait for the room, and it is empty meanwhile


class Patience:
    """How long somebody has waited for a store, and what is said of it.

    Args:
        path: Of the store.
        timeout_seconds: Waiting beyond this ends in `StoreBusyError`.
    """

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._start = time.monotonic()
        self._said = False

    def pause(self, who: str, longest_seconds: float = _LONGEST_PAUSE_SECONDS) -> None:
        """Waits a moment; says so in the log, once, when it has lasted a second.

        Args:
            who: What holds the store, as a noun.
            longest_seconds: Of the moment, which is drawn at random.

        Raises:
            StoreBusyError: If the time is over.
        """
        waited = time.monotonic() - self._start
        if waited >= self._timeout_seconds:
            raise StoreBusyError(
                f"{self._path} must be free within {self._timeout_seconds:g} s: one process may write, or many read. "
                f"Received: {who} for all that time. Try again, end that process, or give timeout_seconds more."
            )
        if waited > _SAY_AFTER_SECONDS and not self._said:
            self._said = True
            _LOG.warning(
                "%s: waiting for %s; giving up in %.0f s", self._path, who, max(self._timeout_seconds - waited, 0)
            )
        time.sleep(_RANDOM.uniform(0.1, 1) * longest_seconds)


@contextmanager
def held(path: Path, *, exclusive: bool, timeout_seconds: float) -> Iterator[Patience]:
    """Holds a store's file, alone or together with other readers, as long as the block runs.

    Gives the patience that is left, for what else must be waited for.

    Raises:
        StoreBusyError: If others hold it for longer than `timeout_seconds`.
        OutputPathError: If the lock files cannot be made, and the store shall be written.
    """
    patience = Patience(path, timeout_seconds)
    with ExitStack() as files:
        try:
            turn, room = (files.enter_context(_lock_file(path, suffix, exclusive)) for suffix in (".turn", ".room"))
        except OSError as error:
            if exclusive:
                raise cannot_write(path, error) from error
            yield patience  # a folder that cannot be written to: who can write elsewhere is kept out by DuckDB's lock
            return
        _take(turn, exclusive, room, patience, _LONGEST_PAUSE_SECONDS)
        _take(room, exclusive, room, patience, _LONGEST_PAUSE_OF_THE_NEXT_SECONDS)
        _sign(room, exclusive)
        portalocker.unlock(turn)
        try:
            yield patience
        finally:
            if exclusive:
                room.truncate(0)


def _lock_file(path: Path, suffix: str, exclusive: bool) -> IO[Any]:
    lock = path.with_name(f".{path.name}{suffix}")
    if lock.exists() and not exclusive and not os.access(lock, os.W_OK):
        return lock.open("rb")
    return lock.open("a+b")


def _take(file: IO[Any], exclusive: bool, room: IO[Any], patience: Patience, longest_seconds: float) -> None:
    flags = portalocker.LockFlags.EXCLUSIVE if exclusive else portalocker.LockFlags.SHARED
    while True:
        try:
            portalocker.lock(file, flags | portalocker.LockFlags.NON_BLOCKING)
            return
        except portalocker.LockException:
            patience.pause(_holder(room), longest_seconds)


def _sign(room: IO[Any], exclusive: bool) -> None:
    """Writes into the lock file who writes, for those who wait; takes away the name of a writer that was killed."""
    if room.writable():
        room.truncate(0)
    if exclusive:
        room.write(json.dumps({"process": os.getpid(), "since": time.time()}).encode())
        room.flush()


def _holder(room: IO[Any]) -> str:
    try:
        room.seek(0)
        holder = json.loads(room.read())
        return f"process {holder['process']:d}, which has been writing for {time.time() - holder['since']:.0f} s"
    except (OSError, ValueError, KeyError, TypeError):
        return "other processes, which read"
