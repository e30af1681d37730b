"""Loaders: the embedded digits, idx files plain and gzipped, and the four levels made of them."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from codeword import datasets
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
    with pytest.raises(FileNotFoundError, match=r"must hold t10k-labels-idx1-ubyte or .*got no such file"):
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
    train, test = datasets.split_ratings(ratings, seed=1)
    assert (len(train.users), len(test.users)) == (3_600, 400)
    both = np.concatenate([train.users * 1_000 + train.items, test.users * 1_000 + test.items])
    assert sorted(both) == sorted(ratings.users * 1_000 + ratings.items)


# Texts and their embeddings


def packed(members: dict[str, str]) -> bytes:
    """Gives a .tar.gz of files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode("latin-1"))
            archive.addfile(info, io.BytesIO(text.encode("latin-1")))
    return content.getvalue()


NEWS = {
    "20news-bydate-test/sci.space/3": "to the moon",
    "20news-bydate-train/sci.space/1": "Subject: orbit\n\nna\xefve",
    "20news-bydate-train/alt.atheism/2": "why",
}


def article(number: int, split: str, topics: str, text: str, *, attribute: str = "YES") -> str:
    listed = "".join(f"<D>{topic}</D>" for topic in topics.split())
    return (
        f'<REUTERS TOPICS="{attribute}" LEWISSPLIT="{split}" NEWID="{number}">\n<TOPICS>{listed}</TOPICS>\n'
        f'<PLACES><D>usa</D></PLACES>\n<TEXT TYPE="NORM">&#2;\n<TITLE>{text}</TITLE>\n<BODY>a &lt;b></BODY></TEXT>\n'
        "</REUTERS>\n"
    )


REUTERS = {
    "README.txt": article(0, "TRAIN", "never", "no .sgm"),
    "reut2-000.sgm": "<!DOCTYPE lewis>\n"
    + article(1, "TRAIN", "earn", "first")
    + article(2, "TRAIN", "acq", "second")
    + article(3, "TRAIN", "earn", "third")
    + article(4, "TRAIN", "earn acq", "two topics")
    + article(5, "TRAIN", "", "no topic"),
    "reut2-001.sgm": article(6, "TEST", "acq", "sixth")
    + article(7, "TEST", "wheat", "a topic that is not in training")
    + article(8, "NOT-USED", "earn", "not used")
    + article(9, "TEST", "earn", "not ModApte", attribute="NO"),
}


def test_newsgroups_are_read_from_the_archive(tmp_path: Path) -> None:
    (tmp_path / "20news-bydate.tar.gz").write_bytes(packed(NEWS))
    data = datasets.load_newsgroups(tmp_path)
    assert data.names == ("alt.atheism", "sci.space")
    assert data.x_train == ["Subject: orbit\n\nna\xefve", "why"]
    assert (data.y_train.tolist(), data.y_test.tolist(), data.x_test) == ([1, 0], [1], ["to the moon"])
    assert data.y_train.dtype == np.int64


def test_reuters_keeps_articles_of_one_topic(tmp_path: Path) -> None:
    (tmp_path / "reuters21578.tar.gz").write_bytes(packed(REUTERS))
    data = datasets.load_reuters(tmp_path)
    assert data.names == ("earn", "acq")  # the largest first
    assert [text.split() for text in data.x_train] == [[word, "a", "<b>"] for word in ("first", "second", "third")]
    assert (data.y_train.tolist(), data.y_test.tolist(), len(data.x_test)) == ([0, 1, 0], [1], 1)
    largest = datasets.load_reuters(tmp_path, num_topics=1)
    assert (largest.names, largest.y_train.tolist(), largest.x_test) == (("earn",), [0, 0], [])


ARCHIVES: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "20news-bydate.tar.gz": (datasets.load_newsgroups, NEWS),
    "reuters21578.tar.gz": (datasets.load_reuters, REUTERS),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_missing_or_damaged_archive_of_texts_is_refused(tmp_path: Path, name: str) -> None:
    load, members = ARCHIVES[name]
    with pytest.raises(FileNotFoundError, match=rf"must hold {name}: got no such file"):
        load(tmp_path)
    whole = packed({**members, "more": ""})
    turned = [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(12, len(whole), 7)]
    for damaged in (b"", b"junk" * 99, whole[: len(whole) // 2], whole[:-1], *turned, gzip.compress(b"no archive")):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(TableFileError, match=rf"{name} must .* got "):
            load(tmp_path)
    half = {path: text for path, text in members.items() if "test" not in path and "001" not in path}
    for members in ({}, half):
        (tmp_path / name).write_bytes(packed(members))
        with pytest.raises(TableFileError, match=r"to train and to test: got none"):
            load(tmp_path)


def test_an_archive_of_other_texts_is_refused(tmp_path: Path) -> None:
    for name in ("20news-bydate-test/sci.other/3", "20news-bydate-some/sci.space/3", "flat"):
        (tmp_path / "20news-bydate.tar.gz").write_bytes(packed({**NEWS, name: "text"}))
        with pytest.raises(TableFileError, match="must be the published archive"):
            datasets.load_newsgroups(tmp_path)


def test_texts_out_of_reach_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv("CODEWORD_DATA", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("sklearn.datasets.fetch_20newsgroups", unreachable)
    with pytest.raises(FileNotFoundError, match=r"no network. Set CODEWORD_DATA to a folder that holds reuters21578/"):
        datasets.load_reuters()
    with pytest.raises(FileNotFoundError, match=r"no network. Set CODEWORD_DATA to a folder that holds 20newsgroups/"):
        datasets.load_newsgroups()
    with pytest.raises(FileNotFoundError, match=r"A folder must hold ng_train_minilm.npy"):
        datasets.load_newsgroups_minilm()


def test_embeddings_are_read_and_missing_or_damaged_ones_refused(tmp_path: Path) -> None:
    for part, num_rows in (("train", 3), ("test", 2)):
        np.save(tmp_path / f"ng_{part}_minilm.npy", np.full((num_rows, 4), 0.5, np.float16))
        np.save(tmp_path / f"ng_{part}_y.npy", np.arange(num_rows, dtype=np.uint8))
    data = datasets.load_newsgroups_minilm(tmp_path)
    assert (data.x_train.shape, data.x_train.dtype, data.x_test.dtype) == ((3, 4), np.float32, np.float32)
    assert (data.y_train.tolist(), data.y_test.tolist()) == ([0, 1, 2], [0, 1])
    path = tmp_path / "ng_test_y.npy"
    whole = path.read_bytes()
    for damaged in (b"", whole[:20], whole[:-1], b"junk" * 9):
        path.write_bytes(damaged)
        with pytest.raises(TableFileError, match=r"must hold .npy files of numbers: got "):
            datasets.load_newsgroups_minilm(tmp_path)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(TableFileError, match="allow_pickle=False"):
        datasets.load_newsgroups_minilm(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold ng_test_y\.npy: got no such file"):
        datasets.load_newsgroups_minilm(tmp_path)


# USPS


def test_usps_is_read_and_a_missing_or_damaged_file_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"USPS.mat must be there: got no such file"):
        datasets.load_usps(tmp_path)
    pixels = np.zeros((256, 11_000), np.uint8)
    pixels[17] = np.arange(11_000) % 251  # the second row's second column
    labels = np.arange(11_000)[None] % 10 + 1
    scipy.io.savemat(tmp_path / "USPS.mat", {"fea": pixels, "gnd": labels.astype(float)}, do_compression=True)
    digits = datasets.load_usps(tmp_path)
    assert (digits.x.shape, digits.x.dtype, digits.y.dtype) == ((11_000, 16, 16), np.uint8, np.uint8)
    np.testing.assert_array_equal(digits.x[:, 1, 1], pixels[17])
    assert digits.x.sum() == pixels.sum(dtype=int)
    assert digits.y[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]  # 0 is labelled 10
    path = tmp_path / "USPS.mat"
    whole = path.read_bytes()
    turned = [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(126, len(whole), 1_001)]
    for damaged in (b"", b"junk" * 99, *(whole[:at] for at in (50, 127, 140, 1_000)), *turned):
        path.write_bytes(damaged)
        with pytest.raises(TableFileError, match=r"USPS.mat must hold 256 x 11000 pixels and labels: got "):
            datasets.load_usps(tmp_path)
    scipy.io.savemat(path, {"fea": pixels[:255], "gnd": labels})
    with pytest.raises(TableFileError, match="StopIteration"):
        datasets.load_usps(tmp_path)


@needs_data
@pytest.mark.data
def test_the_published_texts_and_digits() -> None:
    news = datasets.load_newsgroups()
    assert (len(news.x_train), len(news.x_test), len(news.names)) == (11_314, 7_532, 20)
    assert np.bincount(news.y_train)[[0, 15, 19]].tolist() == [480, 599, 377]
    assert news.names[0] == "alt.atheism"
    embedded = datasets.load_newsgroups_minilm()
    assert (embedded.x_train.shape, embedded.x_test.shape) == ((11_314, 384), (7_532, 384))
    np.testing.assert_allclose(np.linalg.norm(embedded.x_test, axis=1), 1, atol=2e-3)
    for labels, other in ((news.y_train, embedded.y_train), (news.y_test, embedded.y_test)):
        np.testing.assert_array_equal(np.bincount(labels), np.bincount(other))
    reuters = datasets.load_reuters()
    assert reuters.names[:3] == ("earn", "acq", "crude")
    assert len(reuters.names) == 20
    assert np.bincount(reuters.y_train)[:2].tolist() == [2_840, 1_596]
    assert np.bincount(reuters.y_test)[:2].tolist() == [1_083, 696]
    usps = datasets.load_usps()
    assert np.bincount(usps.y).tolist() == [1_100] * 10
    assert usps.x.max() == 255
