"""Files are written whole or not at all: temporary file, fsync, rename."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from codeword.errors import OutputPathError


@contextmanager
def replaced_whole(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes the place of `path` only when all of it is on the disk.

    An old file at `path` survives any error, also a crash of the process or the machine.

    Raises:
        OutputPathError: If the folder does not exist or cannot be written to, or the disk is full.
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
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, OutputPathError):
            raise cannot_write(path, error) from error
        raise
    _sync_folder(path.parent)


def move_into_place(temporary: Path, path: Path) -> None:
    """Gives a file that another program wrote its place, so that a crash leaves it whole or not there at all.

    Args:
        temporary: The file, in the same file system.
        path: Its place.
    """
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def check_writable(path: str | Path) -> None:
    """Refuses a place where `replaced_whole` would fail, before hours of work end in an error.

    Raises:
        OutputPathError: If the folder does not exist or cannot be written to, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputPathError(f"{path} must be a file. Received: a folder. Give a file name in it.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> OutputPathError:
    """Gives the error for a place that the system does not let us write to."""
    return OutputPathError(
        f"{path} must be in a folder that exists and can be written to. Received: {error.strerror or error}. "
        "Create the folder, free the disk, or choose another place; nothing was written."
    )


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power failure, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
