"""Numbers from files and into them: exact, with or without a header, and damage in words."""

import tracemalloc
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from codeword.code_kinds import Bits
from codeword.errors import DataError, OutputPathError, TableFileError
from codeword.files import sql_tables
from codeword.files.codes import read_codes
from codeword.files.data_path import check_suffix
from codeword.files.output_table import write_array, write_codes
from codeword.files.table_pieces import open_codes
from codeword.files.tables import read_array, read_columns

SUFFIXES = (".npy", ".csv", ".parquet")
MODEL = "0123456789abcdef" * 4
CODES = np.array([[160, 64], [0, 192]], np.uint8)

finite = {"allow_nan": False, "allow_infinity": False}


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# Arrays


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(SUFFIXES),
    st.one_of(
        hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=st.floats(**finite)),
        hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=st.floats(width=32, **finite)),
        hnp.arrays(
            st.sampled_from(["u1", "i1", ">i2", "<i4", "i8", ">f4"]),
            st.tuples(st.integers(1, 5), st.integers(1, 4)),
            elements=st.integers(0, 127),
        ),
        hnp.arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(1, 4))),
    ),
)
def test_numbers_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, suffix: str, array: np.ndarray) -> None:
    path = tmp_path_factory.getbasetemp() / f"numbers{suffix}"
    write_array(path, array)
    back = read_array(path)
    assert back.shape == array.shape
    np.testing.assert_array_equal(back.astype(array.dtype), array)
    if suffix != ".csv":  # text has no dtype
        assert back.dtype == (array.dtype if suffix == ".npy" else array.dtype.newbyteorder("="))


def test_npy_keeps_any_shape_and_tables_have_a_column_a_number(tmp_path: Path) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for suffix, shape in ((".npy", (2, 3, 4)), (".csv", (2, 12)), (".parquet", (2, 12))):
        write_array(tmp_path / f"x{suffix}", array)
        np.testing.assert_array_equal(read_array(tmp_path / f"x{suffix}"), array.reshape(shape))
    assert (tmp_path / "x.csv").read_text().splitlines()[0] == ",".join(f"c{number}" for number in range(12))


def test_npy_is_mapped_not_loaded(tmp_path: Path) -> None:
    write_array(tmp_path / "x.npy", np.zeros((3, 2)))
    back = read_array(tmp_path / "x.npy")
    assert isinstance(back, np.memmap)
    assert not back.flags.writeable


@pytest.mark.parametrize("read", [read_array, read_codes])
def test_text_in_the_place_of_numbers_is_refused_before_it_is_in_memory(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "a.parquet"
    query = "SELECT 1::UTINYINT AS c0, repeat(chr(65 + (range % 26)::INT), 1000) AS text FROM range(20_000)"
    duckdb.execute(f"COPY ({query}) TO '{path}'")
    tracemalloc.start()
    with pytest.raises(DataError, match="must hold only numbers: got text in column 'text'"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20  # of 20 MB


@pytest.mark.parametrize("name", ["it's", "a b", "d[1]", "q*", "what?", "Jürgen", "year=2020/x"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_character_of_a_path_has_a_meaning(tmp_path: Path, name: str, suffix: str) -> None:
    (tmp_path / "year=2020").mkdir()
    for decoy in ("d1", "qq", "whata"):
        write_array(tmp_path / f"{decoy}{suffix}", np.array([[9, 9]]))
    path = tmp_path / f"{name}{suffix}"
    write_codes(path, CODES, fingerprint=MODEL, kind=Bits(10))
    codes, kind = read_codes(path)
    np.testing.assert_array_equal(codes, CODES)
    assert kind == Bits(10)


# CSV of others


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1,2\n", [[1, 2]]),
        ("1\n2\n", [[1], [2]]),
        ("\ufeff1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1;2\n3;4\n5;6\n", [[1, 2], [3, 4], [5, 6]]),
        ("1\t2\n3\t4\n5\t6\n", [[1, 2], [3, 4], [5, 6]]),
        ("a;b\n1;2\n3;4\n", [[1, 2], [3, 4]]),
        ('"1","2"\r\n"3","4"\r\n', [[1, 2], [3, 4]]),
        ('"a, b",c\n1,2\n', [[1, 2]]),
        ("#1,2\n3,4\n", [[3, 4]]),
        ("true,false\nfalse,true\n", [[1, 0], [0, 1]]),
        ("x,y\ntrue,1\nfalse,0.5\n", [[1, 1], [0, 0.5]]),
        (" 1, -2e-3\n.5, 4\n", [[1, -0.002], [0.5, 4]]),
        ("1,2\n" * 30_000 + "0.5,3\n", [[1, 2]] * 30_000 + [[0.5, 3]]),
    ],
    ids=range(15),
)
def test_csv_with_or_without_a_header(tmp_path: Path, text: str, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(read_array(written(tmp_path / "x.csv", text)), expected)


@pytest.mark.parametrize(
    ("text", "error", "received"),
    [
        ("a,b\n1,\n3,4\n", DataError, "one in column 'b', row 0"),
        ("a,b\n1,2\n,4\n", DataError, "one in column 'a', row 1"),
        ("1\n\n3\n", DataError, "one in column 'column0', row 1"),
        ("a,b\n1,x\n3,4\n", DataError, "text in column 'b'"),
        ("a,b\n1,2\n#3,4\n", DataError, "text in column 'a'"),
        ("2020-01-01,1\n2020-01-02,3\n", DataError, "text in column '2020-01-01'"),
        ("1,2,3\n4,5\n6,7\n", DataError, "text in column"),
        ('1,2\n"3,4\n', DataError, "text in column"),
        ("", DataError, "none"),
        ("\n", DataError, "none"),
        ("a,b\n", DataError, "none"),
        (b"\xff\x00\x80" * 50, TableFileError, r"a file that cannot be read as one \(binary data\)"),
    ],
)
def test_csv_that_is_no_full_table_of_numbers_is_refused(
    tmp_path: Path, text: str | bytes, error: type, received: str
) -> None:
    with pytest.raises(error, match=f"got {received}"):
        read_array(written(tmp_path / "x.csv", text))


# Other damage


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_a_file_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    write_array(path, np.arange(20.0).reshape(5, 4))
    whole = path.read_bytes()
    for length in {0, 1, 5, 50, len(whole) // 2, len(whole) - 1}:
        with pytest.raises(TableFileError, match=f"{path} must be a .*got "):
            read_array(written(path, whole[:length]))


def test_a_damaged_parquet_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_array(path, np.random.default_rng(0).normal(size=(1000, 2)))
    whole = bytearray(path.read_bytes())
    whole[4:400] = bytes(396)
    with pytest.raises(TableFileError, match=r"x\.parquet must be a parquet table: got a file that cannot"):
        read_array(written(path, bytes(whole)))


@pytest.mark.parametrize(
    ("array", "received"),
    [(np.array([{}], object), "objects"), (np.array(["a"]), "<U1"), (np.array([1j]), "complex")],
)
def test_npy_of_no_numbers_is_refused(tmp_path: Path, array: np.ndarray, received: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(TableFileError, match=f"got one that is not .*{received}"):
        read_array(tmp_path / "x.npy")


def test_npz_is_no_npy(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.savez(file, a=np.ones(2))
    with pytest.raises(TableFileError, match=r"got one that is not \(it holds several arrays\)"):
        read_array(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("query", "received"),
    [
        ("SELECT 'a' AS t, 1 AS n", "text in column 't'"),
        ("SELECT [1, 2] AS t", r"INTEGER\[\] in column 't'"),
        ("SELECT {'a': 1} AS t", r"STRUCT\(a INTEGER\) in column 't'"),
        ("SELECT DATE '2020-01-01' AS t", "text in column 't'"),
    ],
)
def test_parquet_of_no_numbers_is_refused(tmp_path: Path, query: str, received: str) -> None:
    duckdb.sql(query).write_parquet(str(tmp_path / "x.parquet"))
    with pytest.raises(DataError, match=f"got {received}"):
        read_array(tmp_path / "x.parquet")


def test_parquet_of_others_with_an_empty_cell_or_no_row_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.0, None]}).to_parquet(tmp_path / "null.parquet")
    with pytest.raises(DataError, match="got one in column 'a', row 1"):
        read_array(tmp_path / "null.parquet")
    pd.DataFrame({"a": np.empty(0)}).to_parquet(tmp_path / "no_rows.parquet")
    with pytest.raises(DataError, match=r"at least one row of numbers: got none"):
        read_array(tmp_path / "no_rows.parquet")


@pytest.mark.parametrize("column", ["repeat('x', 1000)", "0", "repeat('x', 1000)::BLOB"])
def test_a_parquet_that_unpacks_to_far_more_than_its_size_is_refused_before_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    query = f"COPY (SELECT {column} AS t FROM range(300000)) TO '{tmp_path}/x.parquet' (FORMAT parquet)"
    duckdb.execute(f"{query[:-1]}, ROW_GROUP_SIZE 300000)")
    monkeypatch.setattr(sql_tables, "MAX_UNPACKED_BYTES", 0)
    tracemalloc.start()
    try:
        for read in (read_array, read_columns, read_codes):
            with pytest.raises(TableFileError, match=r"must unpack to at most 2,000 times its .* got 300,000 rows"):
                read(tmp_path / "x.parquet")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["a\\?b", "q*\\", "[a]?", "{a,b}", "**", "x\n", '"', "s?\\b/y", "http:/x", "s3:/b"])
def test_names_of_any_kind_are_only_names(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"{name}{suffix}"
    path.parent.mkdir(exist_ok=True)
    write_codes(path, CODES, fingerprint=MODEL, kind=Bits(10))
    assert read_codes(path)[0].tolist() == CODES.tolist()
    with open_codes(path) as (codes, _):
        assert codes[0:2].tolist() == CODES.tolist()


@pytest.mark.parametrize("name", ["https://localhost:1/x.csv", "s3://bucket/x.parquet", "md:x.csv", "gcs://b/x.csv"])
def test_addresses_are_names_of_files_that_are_not_there(tmp_path: Path, name: str) -> None:
    for read in (read_array, read_columns, read_codes):
        with pytest.raises(FileNotFoundError, match="got no such file"):
            read(name)


@pytest.mark.parametrize("name", ["x.txt", "x", "x.NPY", "x.npz", "x.csv.gz"])
def test_other_suffixes_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    for call in (
        check_suffix,
        lambda path: write_array(path, CODES),
        lambda path: write_codes(path, CODES, fingerprint=MODEL, kind=Bits(10)),
    ):
        with pytest.raises(TableFileError, match=f"must end in .npy, .csv, .parquet: got '{Path(name).suffix}'"):
            call(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x", "x.npz", "x.zip", "x.json", "x.gz", "x.parquet.gz", "x.npy.gz", "csv"])
def test_other_suffixes_are_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    for read in (read_array, read_codes, read_columns):
        with pytest.raises(TableFileError, match=f"must end in .npy, .parquet, .csv, .* got '{Path(name).suffix}'"):
            read(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_and_a_place_that_cannot_be_written_are_told(tmp_path: Path, suffix: str) -> None:
    for read in (read_array, read_codes):
        with pytest.raises(FileNotFoundError, match="got no such file"):
            read(tmp_path / f"x{suffix}")
    with pytest.raises(OutputPathError, match="got No such file or directory"):
        write_array(tmp_path / "missing" / f"x{suffix}", CODES)
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(OutputPathError, match="got Is a directory"):
        write_array(tmp_path / f"folder{suffix}", CODES)
    assert list(tmp_path.rglob("*")) == [tmp_path / f"folder{suffix}"]
