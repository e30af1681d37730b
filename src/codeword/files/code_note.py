"""The note of codes: which model made them, of what kind they are, and which bytes it speaks of (no Keras).

Beside a .npy or .csv file it is a file of its own, which is replaced first, names the SHA-256 of the codes and keeps
the note of the codes before: whatever is interrupted, the codes have their own note. A Parquet file holds its note
(`parquet_seal`).
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from codeword.code_kinds import Bits, CodeKind, code_kind_from_config
from codeword.errors import CodeError, CodewordError, OutputPathError, TableFileError
from codeword.files import parquet_seal
from codeword.files.input_file import opened, reading
from codeword.files.output_file import replaced_together, replaced_whole

MAX_NOTE_BYTES = 2**20
METADATA_KEY = "codeword"  # of the note in a Parquet file
NOTE_ENTRIES = {"model", "code", "file", "before"}


class Origin(NamedTuple):
    """The fingerprint of the model that made codes, None if it is unknown, and their kind."""

    fingerprint: str | None
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
    note, own = _note_beside(path, file)
    if note is None:
        return None
    if own is None:
        raise CodeError(
            f"{path} must hold the codes that its note {note_path(path).name} describes: got others. One of the two "
            "files was replaced or edited. Encode the data again, or delete the note to use codes of unknown origin."
        )
    return None if own.keys() == {"file"} else _origin(path, own)


def origin_inside(path: Path, file: BinaryIO, text: str | bytes | None) -> Origin | None:
    """Return the origin in the note of an open Parquet file, None if it records none; `text` is the note.

    Another program may keep the note while it changes the file: then the length differs, and nothing is compared.

    Raises:
        TableFileError: If the file was damaged after it was written, or has a note that cannot be read.
    """
    with reading(path):
        damaged = parquet_seal.is_broken(file)
    if damaged:
        raise TableFileError(
            f"{path} must be as it was written: got a file whose SHA-256 differs from the one in its note. Restore it "
            "from a copy, or encode the data again."
        )
    note = {} if text is None else _parsed(path, text)
    return None if note.keys() <= {"file"} else _origin(path, note)


@contextmanager
def replaced_with_note(path: Path, metadata: dict[str, Any] | None) -> Iterator[BinaryIO]:
    """Open a file like `replaced_whole`, together with its note; without metadata its old note is removed."""
    if metadata is None:
        with replaced_whole(path) as file:
            yield file
        _remove_note(path)
        return
    before = _before(path)
    with replaced_together(note_path(path), path) as (note, file):
        yield file
        file.flush()
        note.write(json.dumps({**metadata, "file": _seal(file), **before}, indent=1).encode())


def note_of_bits(fingerprint: str | None, num_bits: int) -> dict[str, Any]:
    """Return the note for codes of `Bits`: nothing where neither a model is known nor the last byte has padding."""
    if fingerprint is None and num_bits % 8 == 0:
        return {}
    return {"model": fingerprint, "code": Bits(num_bits).to_config()}


def note_inside(metadata: dict[str, Any]) -> str:
    """Return the text of a note for a Parquet file, to be completed by `replaced_with_note_inside`."""
    entries = json.dumps(metadata)[1:-1]
    return f'{{{entries}{", " if entries else ""}"file": {parquet_seal.BLANK}}}'


@contextmanager
def replaced_with_note_inside(path: Path) -> Iterator[BinaryIO]:
    """Open a Parquet file like `replaced_whole`, into which the block writes what `note_inside` returns."""
    with replaced_whole(path) as file:
        yield file
        parquet_seal.fill_in(file)


def _before(path: Path) -> dict[str, Any]:
    """Return the entry `before` of a new note: what is known of the codes that are there now."""
    with contextlib.suppress(CodewordError, OSError), opened(path) as file:
        note, own = _note_beside(path, file)
        if note is None or own is not None:
            entries = {name: entry for name, entry in (own or {}).items() if name in ("model", "code")}
            return {"before": {**entries, "file": _seal(file)}}
    return {}


def _note_beside(path: Path, file: BinaryIO) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the note beside an open file, None without one, and the part of it that speaks of this very file.

    That is the note, or its entry `before` if the process that wrote it died before the codes were replaced.
    """
    beside = note_path(path)
    with reading(beside):
        if not beside.is_file():
            return None, None
    with opened(beside, "a note") as opened_note, reading(beside):
        note = _parsed(path, opened_note.read(MAX_NOTE_BYTES + 1))
    if "file" not in note:  # a note of the first version
        return note, note
    with reading(path):
        seal = _seal(file)
    before = note.get("before")
    parts = [note, *([before] if isinstance(before, dict) else [])]
    return note, next((part for part in parts if part.get("file") == seal), None)


def _origin(path: Path, note: dict[str, Any]) -> Origin:
    try:
        model = note["model"]
        return Origin(None if model is None else str(model), code_kind_from_config(note["code"]))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _unreadable(path, error) from error


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
