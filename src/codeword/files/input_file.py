"""Files of others, opened for reading: only regular files, and errors that name the file (no Keras)."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from codeword.errors import DiskError


@contextmanager
def opened(path: Path, what: str = "a data file") -> Iterator[BinaryIO]:
    """Open a file; a folder, a device or a pipe is no file.

    Raises:
        FileNotFoundError: If there is no such file.
        DiskError: If the system does not let us read it.
    """
    with ExitStack() as stack:
        try:
            file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - closed below
            stack.callback(_close, file)
            mode = os.fstat(file.fileno()).st_mode
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
            raise _not_found(path, what) from error
        except OSError as error:
            raise cannot_read(path, error) from error
        if not stat.S_ISREG(mode):
            raise _not_found(path, what)
        yield file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise `DiskError` where the system fails to read an open file."""
    try:
        yield
    except OSError as error:
        raise cannot_read(path, error) from error


def cannot_read(path: Path, error: OSError) -> DiskError:
    """Return the error for a file that the system does not let us read."""
    return DiskError(
        f"{path} must be readable: got {error.strerror or error}. Check its permissions, its disk and how many files "
        "are open.",
        path=path,
    )


def _not_found(path: Path, what: str) -> FileNotFoundError:
    return FileNotFoundError(f"{path} must be {what}: got no such file.")


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # it was only read
        file.close()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for its writer
