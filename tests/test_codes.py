"""Codes in files know their model and kind, and nothing else is taken for codes."""

import hashlib
import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet
import pytest

from codeword.code_kinds import Bits, Choices, CodeKind, Floats, Scalars
from codeword.errors import CodeError, TableFileError
from codeword.files.codes import read_codes
from codeword.files.output_table import write_array, write_codes

SUFFIXES = (".npy", ".csv", ".parquet")
MODEL = "0123456789abcdef" * 4
CODES = np.array([[160, 64], [0, 192]], np.uint8)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", [Bits(16), Scalars(2), Scalars(3, steps=(4, 16, 300)), Choices(2), Floats(2)], ids=str)
def test_codes_come_back_with_the_kind_of_their_model(tmp_path: Path, suffix: str, kind: CodeKind) -> None:
    path = tmp_path / f"codes{suffix}"
    codes = np.arange(3 * kind.num_bytes, dtype=np.uint8).reshape(3, kind.num_bytes)
    write_codes(path, codes, fingerprint=MODEL, kind=kind)
    for expected_model in (MODEL, None):
        back, back_kind = read_codes(path, fingerprint=expected_model)
        assert (back.dtype, back.tolist(), back_kind) == (np.uint8, codes.tolist(), kind)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_codes_of_another_model_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"codes{suffix}"
    write_codes(path, CODES, fingerprint=MODEL, kind=Bits(10))
    other = MODEL[:-1] + "0"
    with pytest.raises(CodeError, match=r"of model 0123456789ab: got codes of model 0123456789ab"):
        read_codes(path, fingerprint=other)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bare_codes_are_accepted_without_a_kind(tmp_path: Path, suffix: str) -> None:
    write_array(tmp_path / f"bare{suffix}", CODES)
    codes, kind = read_codes(tmp_path / f"bare{suffix}", fingerprint=MODEL)
    assert (codes.dtype, codes.tolist(), kind) == (np.uint8, CODES.tolist(), None)


def test_the_note_is_where_the_document_says(tmp_path: Path) -> None:
    note = {"model": MODEL, "code": {"kind": "Bits", "num_bits": 10}}
    for suffix in SUFFIXES:
        write_codes(tmp_path / f"codes{suffix}", CODES, fingerprint=MODEL, kind=Bits(10))
    for name in ("codes.npy", "codes.csv"):
        content = (tmp_path / name).read_bytes()
        seal = {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content)}
        assert json.loads((tmp_path / f"{name}.json").read_text()) == {**note, "file": seal}
    assert not (tmp_path / "codes.parquet.json").exists()
    metadata = pyarrow.parquet.read_schema(tmp_path / "codes.parquet").metadata
    content = (tmp_path / "codes.parquet").read_bytes()
    inside = json.loads(metadata[b"codeword"])
    unsealed = content.replace(inside["file"]["sha256"].encode(), b"0" * 64)
    seal = {"sha256": hashlib.sha256(unsealed).hexdigest(), "num_bytes": len(content)}
    assert inside == {**note, "file": seal}


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"model": "0"}',
        b'{"code": {"kind": "Bits", "num_bits": 10}}',
        b'{"model": "0", "code": 3}',
        b'{"model": "0", "code": {"kind": "Trits"}}',
        b'{"model": "0", "code": {"kind": "Bits", "num_bits": 0}}',
    ],
)
def test_a_damaged_note_is_refused(tmp_path: Path, note: bytes) -> None:
    write_codes(tmp_path / "codes.npy", CODES, fingerprint="0", kind=Bits(10))
    (tmp_path / "codes.npy.json").write_bytes(note)
    with pytest.raises(TableFileError, match="got a record that cannot be read"):
        read_codes(tmp_path / "codes.npy", fingerprint="0")


def test_a_foreign_note_in_parquet_is_refused(tmp_path: Path) -> None:
    duckdb.execute(
        f"COPY (SELECT 1::UTINYINT AS c0) TO '{tmp_path}/x.parquet' (FORMAT parquet, KV_METADATA {{codeword: 'x'}})"
    )
    with pytest.raises(TableFileError, match="got a record that cannot be read"):
        read_codes(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("name", "array", "received"),
    [
        ("x.npy", np.zeros((2, 3)), r"shape \(2, 3\), dtype float64"),
        ("x.npy", np.zeros((2, 3), np.int64), r"shape \(2, 3\), dtype int64"),
        ("x.npy", np.zeros((2, 3, 1), np.uint8), r"shape \(2, 3, 1\), dtype uint8"),
        ("x.npy", np.zeros(2, np.uint8), r"shape \(2,\), dtype uint8"),
        ("x.parquet", np.zeros((2, 3), np.int32), r"shape \(2, 3\), dtype int32"),
        ("x.csv", np.array([[0, 256]]), r"shape \(1, 2\), dtype int64"),
        ("x.csv", np.array([[0, -1]]), r"shape \(1, 2\), dtype int64"),
        ("x.csv", np.array([[0, 0.5]]), r"shape \(1, 2\), dtype float64"),
    ],
)
def test_numbers_that_are_no_bytes_are_no_codes(tmp_path: Path, name: str, array: np.ndarray, received: str) -> None:
    write_array(tmp_path / name, array)
    with pytest.raises(CodeError, match=f"got {received}"):
        read_codes(tmp_path / name)
