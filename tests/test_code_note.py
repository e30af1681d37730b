"""A note belongs to its codes: whatever is interrupted, replaced or edited, other codes are never decoded with it."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from codeword import CodeStore
from codeword.code_kinds import Bits
from codeword.errors import CodeError, OutputPathError, TableFileError
from codeword.files import code_note, output_file, parquet_seal
from codeword.files.codes import read_codes, read_origin
from codeword.files.output_table import write_array, write_codes, write_columns
from codeword.files.table_pieces import open_codes, write_code_pieces

OLD, NEW = np.zeros((3, 2), np.uint8), np.ones((3, 2), np.uint8)
OLD_MODEL, NEW_MODEL = "0" * 64, "1" * 64
suffixes = pytest.mark.parametrize("suffix", [".npy", ".csv"])


def write(path: Path, codes: np.ndarray, model: str) -> None:
    write_codes(path, codes, fingerprint=model, kind=Bits(16))


def assert_holds(path: Path, codes: np.ndarray, model: str) -> None:
    found, kind = read_codes(path, fingerprint=model)
    assert (found.tolist(), kind) == (codes.tolist(), Bits(16))


@suffixes
@pytest.mark.parametrize("before", ["a note", "a note without a hash", "no note", "no codes"])
def test_a_crash_between_the_renames_leaves_the_old_codes_with_their_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, before: str
) -> None:
    path = tmp_path / f"codes{suffix}"
    if before != "no codes":
        write(path, OLD, OLD_MODEL)
    if before == "a note without a hash":
        old_note(path)
    if before == "no note":
        code_note.note_path(path).unlink()
    plain, kept = os.replace, {}

    def then_crash(source: Path, target: Path) -> None:
        plain(source, target)
        kept.update({file: file.read_bytes() for file in tmp_path.iterdir() if not file.name.startswith(".")})
        monkeypatch.setattr(output_file.os, "replace", plain)

    for _ in range(2):  # a second crash after the first
        kept.clear()
        monkeypatch.setattr(output_file.os, "replace", then_crash)
        write(path, NEW, NEW_MODEL)
        assert_holds(path, NEW, NEW_MODEL)
        path.unlink()
        for file, content in kept.items():  # what the disk held after the first rename
            file.write_bytes(content)
        if before == "no codes":
            assert not path.exists()
        elif before == "no note":
            assert (read_codes(path)[0].tolist(), read_origin(path)) == (OLD.tolist(), None)
        else:
            assert_holds(path, OLD, OLD_MODEL)
            with pytest.raises(CodeError, match="must hold codes of model"):
                read_codes(path, fingerprint=NEW_MODEL)
    write(path, NEW, NEW_MODEL)
    assert_holds(path, NEW, NEW_MODEL)


def old_note(path: Path) -> None:
    """Take the hash out of a note, as the first version wrote it."""
    beside = code_note.note_path(path)
    note = json.loads(beside.read_text())
    del note["file"]
    beside.write_text(json.dumps(note))


@suffixes
@pytest.mark.parametrize("call", [1, 2])
def test_a_failed_rename_leaves_the_old_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, call: int
) -> None:
    path = tmp_path / f"codes{suffix}"
    write(path, OLD, OLD_MODEL)
    plain, calls = os.replace, []

    def fails(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == call:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        plain(source, target)

    monkeypatch.setattr(output_file.os, "replace", fails)
    with pytest.raises(OutputPathError, match="Nothing was written"):
        write_code_pieces(path, iter([NEW]), num_rows=3, fingerprint=NEW_MODEL, kind=Bits(16))
    assert_holds(path, OLD, OLD_MODEL)
    assert len(list(tmp_path.iterdir())) == 2


@suffixes
def test_other_codes_under_a_note_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"codes{suffix}"
    write(path, OLD, OLD_MODEL)
    write_array(tmp_path / f"other{suffix}", NEW)
    os.replace(tmp_path / f"other{suffix}", path)
    with pytest.raises(CodeError, match="One of the two files was replaced or edited"):
        read_codes(path)
    code_note.note_path(path).unlink()
    assert read_codes(path)[1] is None


@suffixes
def test_a_note_of_the_first_version_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"codes{suffix}"
    write(path, OLD, OLD_MODEL)
    old_note(path)
    assert_holds(path, OLD, OLD_MODEL)


@suffixes
def test_numbers_in_place_of_codes_take_the_note_with_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    write(path, OLD, OLD_MODEL)
    write_array(path, NEW)
    assert list(tmp_path.iterdir()) == [path]
    assert read_codes(path)[1] is None
    for foreign in (b"{}", b'{"model": 1, "code": 2, "more": 3}', b"[" * 9_999, b"x" * (code_note.MAX_NOTE_BYTES + 1)):
        code_note.note_path(path).write_bytes(foreign)
        write_array(path, NEW)
        assert code_note.note_path(path).read_bytes() == foreign


def test_columns_in_place_of_codes_take_the_note_with_them(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write(path, OLD, OLD_MODEL)
    write_columns(path, {"id": np.arange(3), "c0": np.arange(3)})
    assert list(tmp_path.iterdir()) == [path]
    assert read_codes(path)[0].tolist() == [[0], [1], [2]]


def test_a_note_that_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npy"
    write(path, OLD, OLD_MODEL)

    def fails(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(code_note.Path, "unlink", fails)
    with pytest.raises(OutputPathError, match=r"x\.npy is written. Delete the note") as caught:
        write_array(path, NEW)
    assert caught.value.on_disk == "new"


@pytest.mark.parametrize("seal", [3, {}, [], {"sha256": "0" * 64, "num_bytes": 134}, {"num_bytes": 134}])
def test_a_note_with_another_hash_is_refused(tmp_path: Path, seal: object) -> None:
    path = tmp_path / "x.npy"
    write(path, OLD, OLD_MODEL)
    note = json.loads(code_note.note_path(path).read_text())
    code_note.note_path(path).write_text(json.dumps({**note, "file": seal}))
    with pytest.raises(CodeError, match="describes: got others"):
        read_codes(path)


def test_a_huge_note_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    write(tmp_path / "x.npy", OLD, OLD_MODEL)
    with code_note.note_path(tmp_path / "x.npy").open("wb") as file:
        file.truncate(2**40)  # takes no place
    with pytest.raises(TableFileError, match="longer than"):
        read_codes(tmp_path / "x.npy")


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
@pytest.mark.parametrize(
    ("num_bits", "received"), [(17, "must have 3 bytes per row"), (8, "must have 1 bytes per row"), (9, "padding bits")]
)
def test_a_note_whose_kind_does_not_fit_the_codes_is_refused(
    tmp_path: Path, suffix: str, num_bits: int, received: str
) -> None:
    path = tmp_path / f"codes{suffix}"
    write_codes(path, NEW, fingerprint=NEW_MODEL, kind=Bits(num_bits))
    with pytest.raises(CodeError, match=f"codes{suffix}.* {received}"):
        read_codes(path)
    with pytest.raises(CodeError, match=f"codes{suffix}.* {received}"), open_codes(path) as (rows, _):
        rows[0:1]


def test_a_changed_byte_of_a_parquet_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    write_codes(path, np.arange(6, dtype=np.uint8).reshape(3, 2), fingerprint=NEW_MODEL, kind=Bits(16))
    right, content = read_codes(path), path.read_bytes()
    changed = 0
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            codes, kind = read_codes(path)
        except (TableFileError, CodeError) as error:
            changed += "SHA-256" in str(error)
        else:
            assert (codes.tolist(), kind) == (right[0].tolist(), right[1])
    assert changed > 20


def test_an_export_without_a_model_is_sealed(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    CodeStore(tmp_path / "s.duckdb").append(None, OLD, {"label": ["one", "two", "three"]})
    CodeStore(tmp_path / "s.duckdb").export_parquet(path)
    assert read_origin(path) is None
    path.write_bytes(path.read_bytes().replace(b"three", b"other"))
    with pytest.raises(TableFileError, match=r"codes\.parquet must be as it was written"):
        CodeStore(tmp_path / "new.duckdb").import_parquet(path)


def test_a_parquet_file_that_another_program_has_changed_keeps_its_model(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    write(path, OLD, OLD_MODEL)
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.append_column("id", [[7, 8, 9]]), path)  # it keeps the metadata
    assert read_origin(path) == code_note.Origin(OLD_MODEL, Bits(16))
    store = CodeStore(tmp_path / "s.duckdb")
    store.import_parquet(path)
    assert store.get([9]).codes.tolist() == OLD[:1].tolist()


def test_the_seal_is_found_though_a_column_is_called_like_one(tmp_path: Path) -> None:
    path, store = tmp_path / "codes.parquet", CodeStore(tmp_path / "s.duckdb")
    store.append(None, OLD, {parquet_seal.BLANK: [1, 2, 3]})
    store.export_parquet(path)
    assert CodeStore(tmp_path / "new.duckdb").import_parquet(path) == 3
