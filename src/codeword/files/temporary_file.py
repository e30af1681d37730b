"""Temporary files, and the names under which DuckDB opens files that have none (no Keras)."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OWN_DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def temporary_file(name: str) -> Iterator[BinaryIO]:
    """Make a temporary file, which a killed process does not leave behind where that works."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / name
        with path.open("w+b") as file:
            if OWN_DESCRIPTORS.is_dir():
                path.unlink()
                path.parent.rmdir()
            yield file


def name_of(path: Path, file: BinaryIO) -> str:
    """Return the name of an open file for DuckDB, which looks for wildcards in it."""
    if OWN_DESCRIPTORS.is_dir():
        return str(OWN_DESCRIPTORS / str(file.fileno()))
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path.absolute()))
