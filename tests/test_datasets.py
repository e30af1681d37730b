"""Loaders: the embedded digits, idx files plain and gzipped, and the four levels made of them."""

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codeword import datasets
from codeword.errors import TableFileError

needs_data = pytest.mark.skipif(
    not os.environ.get("CODEWORD_DATA"), reason="CODEWORD_DATA does not name the folder of data sets"
)
LEVELS = (0, 0.25, 0.5, 0.75)
TRAIN_IMAGES = "train-images-idx3-ubyte"


def idx_files(images: np.ndarray, labels: np.ndarray) -> dict[str, bytes]:
    """The four files as published: big-endian magic number and sizes, then bytes."""
    image_file = struct.pack(">iiii", 2051, *images.shape) + images.tobytes()
    label_file = struct.pack(">ii", 2049, len(labels)) + labels.tobytes()
    return {
        "train-images-idx3-ubyte": image_file,
        "train-labels-idx1-ubyte": label_file,
        "t10k-images-idx3-ubyte": image_file,
        "t10k-labels-idx1-ubyte": label_file,
    }


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, images: np.ndarray) -> Path:
    (tmp_path / "mnist").mkdir()
    for name, content in idx_files(images, np.array([7, 3], np.uint8)).items():
        (tmp_path / "mnist" / name).write_bytes(content)
    return tmp_path / "mnist"


def test_the_digits_take_four_values() -> None:
    digits = datasets.four_level_digits()
    assert (digits.shape, digits.dtype) == ((1797, 8, 8), np.float64)
    values, counts = np.unique(digits, return_counts=True)
    assert values.tolist() == [0, 0.25, 0.5, 0.75]
    assert counts.tolist() == [69_868, 11_453, 11_809, 21_878]
    # the first digit is a 0; its third row as scikit-learn has it: 0 3 15 2 0 11 8 0
    assert digits[0, 2].tolist() == [0, 0, 0.75, 0, 0, 0.5, 0.25, 0]


def test_idx_files_are_read_plain_and_gzipped(folder: Path, images: np.ndarray) -> None:
    plain = folder / TRAIN_IMAGES
    (folder / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    for load in (datasets.load_mnist, datasets.load_fashion_mnist):
        data = load(folder)
        for x in (data.x_train, data.x_test):
            assert x.dtype == np.uint8
            np.testing.assert_array_equal(x, images)
        assert data.y_train.tolist() == data.y_test.tolist() == [7, 3]


def test_the_folder_is_found_by_the_environment_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEWORD_DATA", str(folder.parent))
    assert datasets.load_mnist().y_train.tolist() == [7, 3]
    with pytest.raises(FileNotFoundError, match="fashion-mnist must hold train-images-idx3-ubyte"):
        datasets.load_fashion_mnist()


def test_a_missing_file_is_told(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold t10k-labels-idx1-ubyte or .*Received: no such file"):
        datasets.load_mnist(folder)


@pytest.mark.parametrize(
    ("damage", "received"),
    [
        (lambda whole: b"", "requires a buffer"),
        (lambda whole: whole[:10], "requires a buffer"),
        (lambda whole: whole[:-1], "cannot reshape"),
        (lambda whole: whole + b"\0", "cannot reshape"),
        (lambda whole: whole[:4] + b"\xff" * 4 + whole[8:], "cannot reshape"),
        (lambda whole: b"\xff" * 16 + whole[16:], "cannot reshape"),
        (lambda whole: struct.pack(">i", 2052) + whole[4:], "2052"),
        (lambda whole: whole[::-1], ""),
    ],
)
def test_a_damaged_idx_file_is_refused(folder: Path, damage: Callable[[bytes], bytes], received: str) -> None:
    path = folder / TRAIN_IMAGES
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TableFileError, match=rf"{TRAIN_IMAGES} must .*Received: .*{received}"):
        datasets.load_mnist(folder)


def test_a_damaged_gzip_file_is_refused(folder: Path) -> None:
    whole = gzip.compress((folder / TRAIN_IMAGES).read_bytes(), mtime=0)
    packed = folder / f"{TRAIN_IMAGES}.gz"
    magic, block, checksum = (whole[:at] + b"\xff" + whole[at + 1 :] for at in (0, 10, len(whole) - 5))
    for damaged in (magic, block, checksum, whole[: len(whole) // 2], b""):
        packed.write_bytes(damaged)
        with pytest.raises(TableFileError, match=rf"{TRAIN_IMAGES}\.gz must be an idx file. Received: "):
            datasets.load_mnist(folder)


def shrunk_slowly(image: np.ndarray) -> list[list[float]]:
    """Padded by 2 to 32x32; for each 4x4 block floor(4 mean / 255) / 4, but at most .75, in whole numbers."""
    rows = []
    for top in range(0, 32, 4):
        row = []
        for left in range(0, 32, 4):
            total = 0
            for y in range(top - 2, top + 2):
                for x in range(left - 2, left + 2):
                    if 0 <= y < 28 and 0 <= x < 28:
                        total += int(image[y, x])
            row.append(min(4 * total // (16 * 255), 3) / 4)
        rows.append(row)
    return rows


def test_shrinking_follows_its_formula(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = np.stack([rng.integers(0, 256, (28, 28)), np.full((28, 28), 255)]).astype(np.uint8)
    images[0, :14] //= 3  # all levels, also the lower ones
    images[0, 2:6, 2:6] = 255
    for name, content in idx_files(images, np.zeros(2, np.uint8)).items():
        (tmp_path / name).write_bytes(content)
    for small in datasets.four_level_mnist(tmp_path):
        assert (small.shape, small.dtype) == ((2, 8, 8), np.float64)
        assert small.tolist() == [shrunk_slowly(image) for image in images]
    assert set(small[0].ravel()) == set(LEVELS)


@needs_data
@pytest.mark.data
def test_the_published_files() -> None:
    digits = datasets.load_mnist()
    assert (digits.x_train.shape, digits.x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert digits.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(digits.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert digits.x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)  # the mean that the field normalizes by
    clothes = datasets.load_fashion_mnist()
    assert clothes.y_train[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert np.bincount(clothes.y_test).tolist() == [1000] * 10


@needs_data
@pytest.mark.data
def test_four_level_mnist_of_the_published_files() -> None:
    train, test = datasets.four_level_mnist()
    assert (train.shape, test.shape) == ((60_000, 8, 8), (10_000, 8, 8))
    assert [int((train == level).sum()) for level in LEVELS] == [3_197_754, 322_192, 240_927, 79_127]
    assert [int((test == level).sum()) for level in LEVELS] == [532_196, 52_905, 40_802, 14_097]
