"""Files of rows and codes in pieces: the same as read and written whole, in order, and nothing left after an error."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from codeword.code_kinds import Bits
from codeword.errors import CodeError, DataError, OutputPathError, TableFileError
from codeword.files import table_pieces
from codeword.files.codes import read_codes
from codeword.files.output_table import write_array, write_codes
from codeword.files.table_pieces import open_codes, open_rows, write_array_pieces, write_code_pieces
from codeword.files.tables import read_array

SUFFIXES = (".npy", ".csv", ".parquet")
MODEL = "0123456789abcdef" * 4
ROWS = np.arange(60.0).reshape(20, 3)


@pytest.fixture(autouse=True)
def chunks_of_four_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_pieces, "CELLS_PER_CHUNK", 12)


def cut(array: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    yield from (array[start : start + rows] for start in range(0, max(len(array), 1), rows))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["u1", "<f4", ">i2", "f8", "?"])
def test_slices_are_those_of_the_whole(tmp_path: Path, suffix: str, dtype: str) -> None:
    path = tmp_path / f"x{suffix}"
    write_array(path, ROWS.astype(dtype))
    whole = read_array(path)
    with open_rows(path) as rows:
        assert (len(rows), rows.shape) == (20, (20, 3))
        for part in (slice(0, 1), slice(0, 3), slice(2, 9), slice(3, 4), slice(17, 25), slice(0, 20), slice(20, 24)):
            found = rows[part]
            np.testing.assert_array_equal(found, whole[part])
            assert found.dtype == whole.dtype


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("num_rows", [1, 3, 4, 5, 20])
@pytest.mark.parametrize("dtype", ["u1", "f4", ">f8", "?"])
def test_pieces_make_the_file_that_the_whole_makes(tmp_path: Path, suffix: str, num_rows: int, dtype: str) -> None:
    array = ROWS.astype(dtype)
    write_array(tmp_path / f"whole{suffix}", array)
    shape = write_array_pieces(tmp_path / f"pieces{suffix}", cut(array, num_rows), num_rows=20)
    whole, pieces = (read_array(tmp_path / f"{name}{suffix}") for name in ("whole", "pieces"))
    assert shape == (20, 3)
    assert pieces.dtype == whole.dtype
    np.testing.assert_array_equal(pieces, whole)
    if suffix != ".parquet":
        assert (tmp_path / f"pieces{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_of_any_shape_and_no_rows_can_be_written(tmp_path: Path, suffix: str) -> None:
    images = np.arange(24.0).reshape(4, 2, 3)[:, ::-1]
    assert write_array_pieces(tmp_path / f"x{suffix}", cut(images, 3), num_rows=4) == (4, 2, 3)
    np.testing.assert_array_equal(read_array(tmp_path / f"x{suffix}").reshape(images.shape), images)
    assert write_array_pieces(tmp_path / f"none{suffix}", cut(images[:0], 3), num_rows=0) == (0, 2, 3)


def test_many_row_groups_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_pieces, "CELLS_PER_CHUNK", 50_000)
    path = tmp_path / "x.parquet"
    duckdb.sql("SELECT (i * 7919) % 100003 AS a, i AS b FROM range(100000) t(i)").write_parquet(
        str(path), row_group_size=2048
    )
    numbers = np.arange(100_000)
    with open_rows(path) as rows:
        found = np.concatenate([rows[start : start + 3_000] for start in range(0, 100_000, 3_000)])
    np.testing.assert_array_equal(found, np.column_stack([numbers * 7919 % 100_003, numbers]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_codes_in_pieces_know_their_model(tmp_path: Path, suffix: str) -> None:
    codes = np.arange(40, dtype=np.uint8).reshape(20, 2)
    path = tmp_path / f"codes{suffix}"
    write_code_pieces(path, cut(codes, 3), num_rows=20, fingerprint=MODEL, kind=Bits(16))
    back, kind = read_codes(path, fingerprint=MODEL)
    assert (back.tolist(), kind) == (codes.tolist(), Bits(16))
    with open_codes(path, fingerprint=MODEL) as (pieces, kind):
        assert kind == Bits(16)
        assert pieces[5:13].dtype == np.uint8
        np.testing.assert_array_equal(pieces[5:13], codes[5:13])
    with pytest.raises(CodeError, match="got codes of model"), open_codes(path, fingerprint="0" * 64):
        pass


def test_codes_of_a_stores_export_are_the_columns_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "export.parquet"
    duckdb.sql("SELECT 'x' AS id, 2::UTINYINT AS c1, 1::UTINYINT AS c0, 'label' AS kind").write_parquet(str(path))
    with open_codes(path) as (codes, kind):
        assert (codes[0:1].tolist(), kind) == ([[1, 2]], None)


# What is refused


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_empty_cell_in_a_late_chunk_is_told_with_its_row(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    select = "SELECT i AS a, CASE WHEN i = 13 THEN NULL ELSE i END AS b FROM range(20) t(i)"
    duckdb.sql(f"COPY ({select}) TO '{path}'")
    with open_rows(path) as rows:
        rows[0:4]
        with pytest.raises(DataError, match="one in column 'b', row 13"):
            rows[12:16]


@pytest.mark.parametrize(
    ("text", "error", "received"),
    [
        ("a,b\n1,x\n", DataError, "text in column 'b'"),
        ("a,b\n", DataError, "none"),
        ("", DataError, "none"),
        (b"\xff\x00\x80" * 50, TableFileError, r"a file that cannot be read as one \(binary data\)"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused_at_once(
    tmp_path: Path, text: str | bytes, error: type[Exception], received: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(error, match=f"x.csv must.*got {received}"), open_rows(path):
        pass


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_error_in_a_late_piece_leaves_nothing_and_keeps_the_old_file(tmp_path: Path, suffix: str) -> None:
    def pieces() -> Iterator[np.ndarray]:
        yield from cut(ROWS[:12], 4)
        raise DataError("late")

    path = tmp_path / f"x{suffix}"
    path.write_text("old")
    with pytest.raises(DataError, match="late"):
        write_code_pieces(path, pieces(), num_rows=20, fingerprint=MODEL, kind=Bits(24))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_suffixes_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match="must end in"):
        write_array_pieces(tmp_path / "x.txt", cut(ROWS, 4), num_rows=20)
    with pytest.raises(OutputPathError, match="No such file or directory"):
        write_array_pieces(tmp_path / "missing" / "x.npy", cut(ROWS, 4), num_rows=20)
    with pytest.raises(FileNotFoundError), open_rows(tmp_path / "x.parquet"):
        pass
    write_codes(tmp_path / "c.npy", ROWS, fingerprint=MODEL, kind=Bits(24))
    with pytest.raises(CodeError, match="got shape"), open_codes(tmp_path / "c.npy"):
        pass
