"""Atomic writes: temporary file, fsync, rename."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from codeword.errors import OutputPathError


@contextmanager
def replaced_whole(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces `path` only when all of it is on disk.

    An old file at `path` survives any error, including a crash of the process or the machine.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        os.close(handle)
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.umask(umask := os.umask(0))
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, OutputPathError):
            raise cannot_write(path, error) from error
        raise
    _sync_folder(path.parent)


def move_into_place(temporary: Path, path: Path) -> None:
    """Move a finished file within its file system, so that after a crash it is there completely or not at all."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def check_writable(path: str | Path) -> None:
    """Check that `replaced_whole` can write to a path, before hours of work end in an error."""
    path = Path(path)
    if path.is_dir():
        raise OutputPathError(f"{path} must be a file: got a folder. Add a file name.")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> OutputPathError:
    """Return the error for a path that the system does not let us write to."""
    return OutputPathError(
        f"{path} must be in an existing, writable folder with free space: got {error.strerror or error}. "
        "Nothing was written."
    )


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power failure, where the system supports it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
