"""Fair turns for many readers or one writer of a store's file (no Keras).

DuckDB lets either one process write or many processes read, and rejects all others immediately. Here they wait. Two
lock files next to the store keep the turns. A writer holds `.room` exclusively, readers share it. Each process first
takes `.turn`. A writer keeps `.turn` until all earlier processes have left `.room`, so an endless stream of readers
cannot starve it. While it writes, `.turn` is free for the next process, so the same writer cannot overtake the others.
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

_RANDOM = random.SystemRandom()  # users seed Python's global generator, and forked processes would wait in step
_LOG = logging.getLogger("codeword")
_SAY_AFTER_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_OF_THE_NEXT_SECONDS = 0.004  # few processes wait for the room, and it is idle in the meantime


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
            _LOG.warning(
                "%s: waiting for %s; giving up in %.0f s", self._path, who, max(self._timeout_seconds - waited, 0)
            )
        time.sleep(_RANDOM.uniform(0.1, 1) * longest_seconds)


@contextmanager
def held(path: Path, *, exclusive: bool, timeout_seconds: float) -> Iterator[Patience]:
    """Hold a store's file while the block runs, exclusively or with other readers; yield the patience that is left."""
    patience = Patience(path, timeout_seconds)
    with ExitStack() as files:
        try:
            turn, room = (files.enter_context(_lock_file(path, suffix, exclusive)) for suffix in (".turn", ".room"))
        except OSError as error:
            if exclusive:
                raise cannot_write(path, error) from error
            yield patience  # a read-only folder: DuckDB's own lock still keeps writers out
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
    """Write the id of a writing process into the lock file, for those who wait, or clear it."""
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
