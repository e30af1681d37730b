"""Text tables as people have them give the same numbers as the plain .csv, or an error that names the true cause."""

import contextlib
import errno
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from codeword.errors import DiskError, TableFileError
from codeword.files import text_table
from codeword.files.codes import read_codes
from codeword.files.table_pieces import open_rows
from codeword.files.tables import column_names, read_array, read_columns
from codeword.files.text_table import delimiter_of, first_lines, form_of

ROWS = np.stack([np.arange(60), np.arange(60) % 7, 1 + np.arange(60) % 5], axis=1)
NAMES = "user,item,rating\n"
LINES = "".join(f"{a},{b},{c}\n" for a, b, c in ROWS.tolist())
PLAIN = NAMES + LINES
HALF = len(LINES) // 2 + LINES[len(LINES) // 2 :].index("\n") + 1


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FORMS: dict[str, str | bytes] = {
    "table.CSV": PLAIN,
    "table.tsv": PLAIN.replace(",", "\t"),
    "table.TXT": PLAIN.replace(",", ";"),
    "table.data": PLAIN.replace(",", "|"),
    "colons.dat": PLAIN.replace(",", "::"),
    "spaces.txt": PLAIN.replace(",", " "),
    "blanks.csv": PLAIN.replace(",", ", "),
    "table.csv.gz": gzip.compress(PLAIN.encode()),
    "table.dat.GZ": gzip.compress(PLAIN.replace(",", "::").encode()),
    "compressed.csv": gzip.compress(PLAIN.encode()),
    "plain.csv.gz": PLAIN,
    "utf_16.txt": PLAIN.replace(",", "\t").encode("utf-16"),
    "marked.csv": b"\xef\xbb\xbf" + PLAIN.encode(),
    "windows.csv": PLAIN.replace("\n", "\r\n"),
    "old_mac.csv": PLAIN.replace("\n", "\r"),
    "mixed.csv": NAMES + LINES[:HALF] + LINES[HALF:].replace("\n", "\r\n"),
    "mixed_first.csv": NAMES.replace("\n", "\r\n") + LINES,
    "mixed_colons.dat": (NAMES + LINES[:HALF] + LINES[HALF:].replace("\n", "\r\n")).replace(",", "::"),
    "no_last_end.csv": PLAIN.rstrip("\n"),
    "empty_lines.csv": f"{NAMES}\n\n{LINES}\n\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_the_same_numbers_come_from_every_form(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, FORMS[name])
    np.testing.assert_array_equal(read_array(path), ROWS)
    assert column_names(path) == ["user", "item", "rating"]
    with open_rows(path) as rows:
        np.testing.assert_array_equal(rows[3:9], ROWS[3:9])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["colons.dat", "spaces.txt", "table.csv.gz", "mixed.csv"])
def test_a_file_without_names_keeps_its_first_line(tmp_path: Path, name: str) -> None:
    content = FORMS[name]
    text = gzip.decompress(content).decode() if isinstance(content, bytes) else content
    without = text[text.index("\n") + 1 :]
    path = written(tmp_path / name, gzip.compress(without.encode()) if name.endswith(".gz") else without)
    np.testing.assert_array_equal(read_array(path), ROWS)


def test_codes_are_read_from_other_texts(tmp_path: Path) -> None:
    path = written(tmp_path / "codes.tsv", "1\t2\n255\t0\n")
    assert read_codes(path)[0].tolist() == [[1, 2], [255, 0]]


@pytest.mark.parametrize(
    ("encoding", "text", "told"),
    [("cp1252", "José ‘O’", "Windows-1252"), ("latin-1", "Jos\xe9 \x81", "Latin-1")],
)
def test_another_encoding_is_read_and_told(tmp_path: Path, encoding: str, text: str, told: str) -> None:
    path = written(tmp_path / "names.csv", f"name,stars\n{text},4\n".encode(encoding))
    with pytest.warns(UserWarning, match=rf"names\.csv is not UTF-8, and was read as {told}\. If ids look wrong"):
        columns = read_columns(path)
    assert columns["name"].tolist() == [text]
    assert columns["stars"].tolist() == [4]


def test_quoted_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "texts.csv", 'name,stars\r\n"one\ntwo",4\r\n"a",5\r\n')
    assert read_columns(path)["name"].tolist() == ["one\ntwo", "a"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (PLAIN + "1,2,3,4\n", r"\(line 62 has 4 columns instead of 3\)\. Correct it; quote what holds"),
        (PLAIN + "1,2\n", r"\(line 62 has 2 columns instead of 3\)\. Correct it"),
        (f"{PLAIN}é,3,4\n1,2\n".encode("latin-1"), r"\(line 63 has 2 columns instead of 3\)"),
        (b"PK\x03\x04" + bytes(50), r"got a zip archive or a workbook\. Unpack it, or save the sheet as \.csv\.$"),
        (b"PAR1" + bytes(50), r"got a Parquet file\. Rename it to \.parquet\.$"),
        (b"BZh91" + bytes(50), r"compressed with bzip2\. Unpack it, or compress it with gzip\.$"),
        (b"\xff\x00\x80" * 50, r"\(binary data\)"),
        (gzip.compress(PLAIN.encode())[:-9], r"compressed as a whole: got a damaged file \(.*\)\. Compress or copy"),
        (gzip.compress(PLAIN.encode())[:30] + bytes(60), r"compressed as a whole: got a damaged file \(.*\)\."),
        ("\ufeffa,b\n1".encode("utf-16")[:-1], r"cannot be read as one \(.*truncated data"),
    ],
    ids=range(10),
)
@pytest.mark.filterwarnings("ignore:.* is not UTF-8")
def test_the_true_cause_is_told(tmp_path: Path, content: str | bytes, told: str) -> None:
    path = written(tmp_path / "table.csv", content)
    for read in (read_array, read_columns):
        with pytest.raises(TableFileError, match=f"table.csv must .*{told}") as refused:
            read(path)
        assert len(str(refused.value)) < 300
        assert "strict_mode" not in str(refused.value)


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "table.csv.gz", gzip.compress(b"1,2\n" * 100_000))
    assert len(read_array(path)) == 100_000
    monkeypatch.setattr(text_table, "MAX_UNPACKED_BYTES", 0)
    with pytest.raises(TableFileError, match=r"must unpack to at most .* got more. If you trust it,"):
        read_array(path)


def test_a_long_first_line_of_numbers_is_no_header(tmp_path: Path) -> None:
    rows = np.arange(3 * 20_000).reshape(3, 20_000) / 7
    path = written(tmp_path / "wide.csv", "\n".join(",".join(map(str, row)) for row in rows.tolist()))
    with path.open("rb") as file:
        assert len(first_lines(file)[0]) > 300_000
        assert delimiter_of(file) == ","


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("1::2::3\n4::5::6\n", "::"),
        ("1::Toy Story|a::b c\n2::Jumanji::d,e\n", "::"),
        ("1 2 3\n4 5 6\n", " "),
        ("1 2,3\n4 5,6\n", None),
        ("1,2\n4,6\n", ","),
        ("1,5;2\n4,6;1\n", None),
        ("1,2;2\n4,6\n", None),
        ('"1, 2"\t2\n"3"\t4\n', None),
        ("1 2 3\n4 5\n", None),
        ("one\ntwo\n", None),
        ("a::b,c\nd,e\n", ","),
        ("", None),
        ("1 2\n" * 40_000 + "1 2 3\n", " "),
    ],
    ids=range(13),
)
def test_a_delimiter_is_known_where_there_is_only_one(tmp_path: Path, text: str, delimiter: str | None) -> None:
    with written(tmp_path / "x.txt", text).open("rb") as file:
        assert delimiter_of(file) == delimiter


def test_the_form_is_that_of_the_whole_file_not_of_its_beginning(tmp_path: Path) -> None:
    start = b"1,2\n" * 300_000
    for end, found in (
        (b"", ("utf-8", False)),
        (b"\xe9,2\n", ("cp1252", False)),
        (b"1,2\r\n", ("utf-8", True)),
        (b"1,\xc3", ("cp1252", False)),
    ):
        path = written(tmp_path / "x.csv", start + end)
        with path.open("rb") as file:
            assert form_of(path, file)[1:] == found


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(text_table, "temporary_file", lambda name: contextlib.nullcontext(Full()))
    path = written(tmp_path / "table.csv.gz", gzip.compress(PLAIN.encode()))
    with pytest.raises(DiskError, match=r"room for the text of .*table\.csv\.gz: got No space left on device\."):
        read_array(path)


@pytest.mark.parametrize(
    ("end", "encoding"), [(b"\xa9\n", "utf-8"), (b"a\n", "cp1252"), (b"", "cp1252"), (b"\x81\n", "utf-8")]
)
def test_a_character_may_lie_on_the_border_of_two_pieces(tmp_path: Path, end: bytes, encoding: str) -> None:
    path = written(tmp_path / "x.csv", b"a" * (text_table.PIECE_BYTES - 1) + b"\xc3" + end)
    with path.open("rb") as file:
        assert form_of(path, file).encoding == encoding


def test_a_line_end_may_lie_on_the_border_of_two_pieces(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", b"a" * (text_table.PIECE_BYTES - 1) + b"\r\na\r\n")
    with path.open("rb") as file:
        assert not form_of(path, file).has_mixed_ends
