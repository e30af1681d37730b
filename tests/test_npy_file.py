"""`.npy` files: the header is read by our own code, and nothing is mapped that it does not fully describe."""

import contextlib
import io
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeword.errors import DiskError, TableFileError
from codeword.files import npy_file
from codeword.files.tables import read_array

MAGIC = b"\x93NUMPY\x01\x00"


def with_header(header: str | bytes, content: bytes = b"", *, magic: bytes = MAGIC) -> bytes:
    header = header.encode("latin-1") if isinstance(header, str) else header
    width = 2 if magic[6] == 1 else 4
    return magic + len(header).to_bytes(width, "little") + header + content


def described(descr: str = "'<f8'", shape: str = "(2,)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}          \n"


def read(tmp_path: Path, content: bytes) -> np.ndarray:
    (tmp_path / "x.npy").write_bytes(content)
    return read_array(tmp_path / "x.npy")


@pytest.mark.parametrize("dtype", ["?", "b1", "u1", ">u2", "<i4", "=i8", "|u1", "<f2", ">f4", "<f8", "<f16"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 0, 2), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read(tmp_path: Path, dtype: str, shape: tuple[int, ...], order: Any) -> None:
    array = np.asarray(np.random.default_rng(0).integers(0, 2, shape), dtype, order=order)
    np.save(tmp_path / "x.npy", array)
    found = read_array(tmp_path / "x.npy")
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header_is_read(tmp_path: Path, version: tuple[int, int]) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, np.arange(3), version)
    assert read_array(tmp_path / "x.npy").tolist() == [0, 1, 2]


def test_headers_of_other_writers_are_read(tmp_path: Path) -> None:
    content = np.arange(2.0).tobytes()
    for header in (
        "{'shape': (2L,), 'fortran_order': False, 'descr': '<f8'}",
        "{'descr':'<f8','fortran_order':False,'shape':(2,)}",
        "  {'descr': '<f8' , 'fortran_order': True, 'shape': (1, 2)}\n\n",
    ):
        assert read(tmp_path, with_header(header, content)).ravel().tolist() == [0, 1]


@pytest.mark.parametrize(
    "content",
    [
        with_header(described("'|S0'", "(-1,)")),
        with_header(described("'<U0'", "(5,)")),
        with_header(described("'|V0'", "(5,)")),
        with_header(described(shape="(-2,)"), bytes(16)),
        with_header(described(shape="(1,)"), bytes(16)),
        with_header(described(shape="(3,)"), bytes(16)),
        with_header(described(shape=f"({2**62}, 4)"), bytes(16)),
        with_header(described(shape=f"({'9' * 5000},)"), bytes(16)),
        with_header(described(shape=f"({2**63}, {2**63}, 0)")),
        with_header(described(shape="(" + "1, " * 40 + "2)"), bytes(16)),
        with_header(described(shape="True"), bytes(16)),
        with_header(described(order="'<f8'"), bytes(16)),
        with_header(described("'f1'"), bytes(2)),
        with_header(described("'i3'"), bytes(6)),
        with_header(described("'|O'"), bytes(16)),
        with_header(described("[('a', '<f8')]"), bytes(16)),
        with_header(described("'<M8[ns]'"), bytes(16)),
        with_header(described("'c16'"), bytes(32)),
        with_header(described("__import__('os')"), bytes(16)),
        with_header("(" * 9_000),
        with_header("-" * 9_000 + "1"),
        with_header("{'descr': " * 900),
        with_header("{" + "'descr': '<f8', " * 500),
        with_header("{'descr': '<f8'}", bytes(16)),
        with_header("[1, 2]"),
        with_header("{"),
        with_header(""),
        with_header(b"\xff\x00" * 30),
        with_header("'" * 5_001),
        with_header(" " * 9_000 + "x"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100),
        b"\x93NUMPY\x01\x00\xff\xff" + bytes(70_000),
        b"\x93NUMPY\x04\x00" + bytes(100),
        b"\x93NUMPY",
        b"",
    ],
)
def test_what_is_not_exactly_an_array_of_numbers_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TableFileError, match=r"x\.npy must be a \.npy file of numbers: got one that is not") as caught:
        read(tmp_path, content)
    assert len(str(caught.value)) < 600


def test_any_damage_of_a_header_is_refused_or_harmless(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(12, dtype=np.int16).reshape(3, 4))
    whole, rng = buffer.getvalue(), random.Random(0)
    for _ in range(1_500):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(128)] = rng.randrange(256)
        with contextlib.suppress(TableFileError):
            assert read(tmp_path, bytes(damaged)).nbytes == 24
    for length in range(len(whole)):
        with pytest.raises(TableFileError):
            read(tmp_path, whole[:length])


def test_a_hole_of_a_terabyte_is_not_loaded(tmp_path: Path) -> None:
    content = with_header(described("'|u1'", f"({2**40},)"))
    with (tmp_path / "x.npy").open("wb") as file:
        file.write(content)
        file.truncate(len(content) + 2**40)
    found = read_array(tmp_path / "x.npy")
    assert (found.shape, int(found[-1])) == ((2**40,), 0)


def test_too_many_open_files_and_no_permission_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", np.arange(3))

    def fails(*_: Any) -> None:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(npy_file.np, "memmap", fails)
    with pytest.raises(DiskError, match=r"x\.npy must be readable: got Too many open files"):
        read_array(tmp_path / "x.npy")
    monkeypatch.setattr("codeword.files.input_file.os.open", fails)
    with pytest.raises(DiskError, match=r"x\.npy must be readable: got Too many open files"):
        read_array(tmp_path / "x.npy")


def test_a_pipe_is_no_file_and_nobody_waits_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(FileNotFoundError, match="got no such file"):
        read_array(tmp_path / "x.npy")
