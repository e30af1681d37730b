"""Loaders: the embedded digits, idx files plain and gzipped, and the four levels made of them."""

import gzip
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codeword import datasets, split_ratings
from codeword.errors import ParameterError, TableFileError

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
        (x_train, y_train), (x_test, y_test) = load(folder)
        for x in (x_train, x_test):
            assert x.dtype == np.uint8
            np.testing.assert_array_equal(x, images)
        assert y_train.tolist() == y_test.tolist() == [7, 3]


def test_the_folder_is_found_by_the_environment_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEWORD_DATA", str(folder.parent))
    assert datasets.load_mnist()[0][1].tolist() == [7, 3]
    with pytest.raises(FileNotFoundError, match="fashion-mnist must contain train-images-idx3-ubyte"):
        datasets.load_fashion_mnist()


def test_a_download_is_checked_and_read(folder: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def retrieve(url: str, known_hash: str, fname: str, path: Path, **_: object) -> str:
        asked.append((url, known_hash, path.parent.name, path.name))
        packed = folder / fname
        packed.write_bytes(gzip.compress((folder / fname.removesuffix(".gz")).read_bytes()))
        return str(packed)

    monkeypatch.delenv("CODEWORD_DATA", raising=False)
    monkeypatch.setattr("pooch.retrieve", retrieve)
    for name, load in (("mnist", datasets.load_mnist), ("fashion-mnist", datasets.load_fashion_mnist)):
        asked.clear()
        (x_train, _), (_, y_test) = load()
        np.testing.assert_array_equal(x_train, images)
        assert y_test.tolist() == [7, 3]
        assert len({url for url, *_ in asked}) == len({known_hash for _, known_hash, *_ in asked}) == 4
        assert all(known_hash.startswith("md5:") and len(known_hash) == 36 for _, known_hash, *_ in asked)
        assert {place for _, _, *place in asked for place in [tuple(place)]} == {("codeword", name)}

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("pooch.retrieve", unreachable)
    with pytest.raises(FileNotFoundError, match=r"mnist could not be downloaded: no network. Set CODEWORD_DATA"):
        datasets.load_mnist()


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"must contain t10k-labels-idx1-ubyte or .*got no such file"):
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
    with pytest.raises(TableFileError, match=rf"{TRAIN_IMAGES} must .*got .*{received}"):
        datasets.load_mnist(folder)


def test_a_damaged_gzip_file_is_refused(folder: Path) -> None:
    whole = gzip.compress((folder / TRAIN_IMAGES).read_bytes(), mtime=0)
    packed = folder / f"{TRAIN_IMAGES}.gz"
    magic, block, checksum = (whole[:at] + b"\xff" + whole[at + 1 :] for at in (0, 10, len(whole) - 5))
    for damaged in (magic, block, checksum, whole[: len(whole) // 2], b""):
        packed.write_bytes(damaged)
        with pytest.raises(TableFileError, match=rf"{TRAIN_IMAGES}\.gz must be an idx file: got "):
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
    (x_train, y_train), (x_test, y_test) = datasets.load_mnist()
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)  # the mean that the field normalizes by
    (_, y_train), (_, y_test) = datasets.load_fashion_mnist()
    assert y_train[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert np.bincount(y_test).tolist() == [1000] * 10


@needs_data
@pytest.mark.data
def test_four_level_mnist_of_the_published_files() -> None:
    train, test = datasets.four_level_mnist()
    assert (train.shape, test.shape) == ((60_000, 8, 8), (10_000, 8, 8))
    assert [int((train == level).sum()) for level in LEVELS] == [3_197_754, 322_192, 240_927, 79_127]
    assert [int((test == level).sum()) for level in LEVELS] == [532_196, 52_905, 40_802, 14_097]


def test_movielens_is_read_from_the_published_zips(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as archive:
        archive.writestr("ml-100k/u2.base", "1\t3\t4\t0\n1\t4\t3\t0\n")
        archive.writestr("ml-100k/u2.test", "1\t1\t5\t0\n2\t1\t2\t0\n")
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        archive.writestr("ml-1m/ratings.dat", "1::1193::5::978300760\n1::661::3::978302109\n7::661::1::9\n")
    train, test = datasets.load_movielens_100k(2, tmp_path)
    assert (train.items.tolist(), test.ratings.tolist()) == ([3, 4], [5, 2])
    assert [column.dtype for column in train] == [np.int64, np.int64, np.float32]
    million = datasets.load_movielens_1m(tmp_path)
    assert [column.tolist() for column in million] == [[1, 7, 1], [661, 661, 1193], [3, 1, 5]]


def test_movielens_that_is_missing_or_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        datasets.load_movielens_100k(folder=tmp_path)
    for name, load in (("ml-100k.zip", datasets.load_movielens_100k), ("ml-1m.zip", datasets.load_movielens_1m)):
        (tmp_path / name).write_bytes(b"no zip")
        with pytest.raises(TableFileError, match=r"got a file that is not \(File is not a zip file\)"):
            load(folder=tmp_path)
    (tmp_path / "movielens_1m.mat").write_bytes(b"no matrix" * 99)
    with pytest.raises(TableFileError, match="must be a MATLAB file with a matrix X"):
        datasets.load_movielens_1m(tmp_path)
    with pytest.raises(ParameterError, match="`fold` must be an integer from 1 to 5: got 6"):
        datasets.load_movielens_100k(6, tmp_path)


def test_movielens_out_of_reach_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv("CODEWORD_DATA", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(
        FileNotFoundError, match=r"no network. Set CODEWORD_DATA to a folder that contains movielens-1m/"
    ):
        datasets.load_movielens_1m()


@needs_data
@pytest.mark.data
def test_movielens_has_its_published_size() -> None:
    million = datasets.load_movielens_1m()
    assert [len(np.unique(column)) for column in million] == [6040, 3706, 5]
    assert len(million.ratings) == 1_000_209
    train, test = datasets.load_movielens_100k(1)
    assert (len(train.users), len(test.users)) == (80_000, 20_000)


def test_planted_ratings_are_stars_around_their_truth() -> None:
    ratings, truth = datasets.planted_ratings(200, 100, 4_000, seed=3)
    again, _ = datasets.planted_ratings(200, 100, 4_000, seed=3)
    assert all((one == other).all() for one, other in zip(ratings, again, strict=True))
    assert sorted(set(ratings.ratings.tolist())) == [1, 2, 3, 4, 5]
    assert len(set(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))) == 4_000
    inner = (truth > 2) & (truth < 4)  # where the ends do not cut the noise: .7, and 1/12 of rounding
    assert abs(np.std((ratings.ratings - truth)[inner]) - np.sqrt(0.49 + 1 / 12)) < 0.03
    train, test = split_ratings(ratings, seed=1)
    assert (len(train.users), len(test.users)) == (3_600, 400)
    both = np.concatenate([train.users * 1_000 + train.items, test.users * 1_000 + test.items])
    assert sorted(both) == sorted(ratings.users * 1_000 + ratings.items)
