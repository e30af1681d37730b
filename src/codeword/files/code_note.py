"""The note of codes: which model made them, of what kind they are, and which bytes it speaks of (no Keras).

A Parquet file holds its note. Beside a .npy or .csv file it is a file of its own, which is replaced first and names the
SHA-256 of the codes: whatever is interrupted, a note is never taken for the note of other codes.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from codeword.code_kinds import CodeKind, code_kind_from_config
from codeword.errors import CodeError, OutputPathError, TableFileError
from codeword.files.input_file import opened, reading
from codeword.files.output_file import replaced_together, replaced_whole

MAX_NOTE_BYTES = 2**20
NOTE_ENTRIES = {"model", "code", "file"}


class Origin(NamedTuple):
    """The fingerprint of the model that made codes, and their kind."""

    fingerprint: str
    code: CodeKind


def note_path(path: Path) -> Path:
    """Return where the note of a file lies whose format cannot hold it."""
    return path.with_name(f"{path.name}.json")


def origin_beside(path: Path, file: BinaryIO) -> Origin | None:
    """Return the origin in the note beside an open file of codes, None without a note.

    Raises:
        CodeError: If the note speaks of other codes.
        TableFileError: If it cannot be read as a note.
    """
    beside = note_path(path)
    if not beside.is_file():
        return None
    with opened(beside, "a note") as note, reading(beside):
        text = note.read(MAX_NOTE_BYTES + 1)
    seal = _parsed(path, text).get("file")
    with reading(path):
        fits = seal is None or seal == _seal(file)  # without: a note of the first version
    if not fits:
        raise CodeError(
            f"{path} must hold the codes that its note {beside.name} describes: got others. One of the two files was "
            "replaced or edited. Encode the data again, or delete the note to use codes of unknown origin."
        )
    return origin_of(path, text)


def origin_of(path: Path, text: str | bytes) -> Origin:
    """Return the origin that the text of a note describes."""
    note = _parsed(path, text)
    try:
        return Origin(str(note["model"]), code_kind_from_config(note["code"]))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _unreadable(path, error) from error


@contextmanager
def replaced_with_note(path: Path, metadata: dict[str, Any] | None) -> Iterator[BinaryIO]:
    """Open a file like `replaced_whole`, together with its note; without metadata its old note is removed."""
    if metadata is None:
        with replaced_whole(path) as file:
            yield file
        _remove_note(path)
        return
    with replaced_together(note_path(path), path) as (note, file):
        yield file
        file.flush()
        note.write(json.dumps({**metadata, "file": _seal(file)}, indent=1).encode())


def _seal(file: BinaryIO) -> dict[str, Any]:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(2**20):
        digest.update(block)
    return {"sha256": digest.hexdigest(), "num_bytes": file.tell()}


def _parsed(path: Path, text: str | bytes) -> dict[str, Any]:
    try:
        if len(text) > MAX_NOTE_BYTES:
            raise ValueError(f"it is longer than {MAX_NOTE_BYTES} bytes")
        note = json.loads(text)
        if type(note) is not dict:
            raise TypeError(f"it is no object but {type(note).__name__}")
    except (ValueError, TypeError, RecursionError) as error:
        raise _unreadable(path, error) from error
    return note


def _unreadable(path: Path, error: Exception) -> TableFileError:
    return TableFileError(
        f"{path} must record which model made its codes: got a record that cannot be read ({error!r}). Encode the data "
        "again."
    )


def _remove_note(path: Path) -> None:
    """Remove the note of codes that are no longer there, if it is one of ours."""
    beside = note_path(path)
    try:
        with opened(beside, "a note") as file:
            text = file.read(MAX_NOTE_BYTES + 1)
        if {"model", "code"} <= set(_parsed(path, text)) <= NOTE_ENTRIES:
            beside.unlink()
    except (FileNotFoundError, TableFileError):
        return
    except OSError as error:
        raise OutputPathError(
            f"{beside} must be removable, as the codes that it describes are gone: got {error.strerror or error}. "
            f"{path} is written. Delete the note.",
            path=path,
            on_disk="new",
        ) from error
