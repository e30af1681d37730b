"""Loaders of the benchmarks' data sets: published archives, embeddings and the digits of USPS."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from data_sets.newsgroups import load_newsgroups, load_newsgroups_minilm
from data_sets.reuters import load_reuters
from data_sets.usps import load_usps

from codeword.errors import TableFileError

needs_data = pytest.mark.skipif(
    not os.environ.get("CODEWORD_DATA"), reason="CODEWORD_DATA does not name the folder of data sets"
)


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
    data = load_newsgroups(tmp_path)
    assert data.names == ("alt.atheism", "sci.space")
    assert data.x_train == ["Subject: orbit\n\nna\xefve", "why"]
    assert (data.y_train.tolist(), data.y_test.tolist(), data.x_test) == ([1, 0], [1], ["to the moon"])
    assert data.y_train.dtype == np.int64


def test_reuters_keeps_articles_of_one_topic(tmp_path: Path) -> None:
    (tmp_path / "reuters21578.tar.gz").write_bytes(packed(REUTERS))
    data = load_reuters(tmp_path)
    assert data.names == ("earn", "acq")  # the largest first
    assert [text.split() for text in data.x_train] == [[word, "a", "<b>"] for word in ("first", "second", "third")]
    assert (data.y_train.tolist(), data.y_test.tolist(), len(data.x_test)) == ([0, 1, 0], [1], 1)
    largest = load_reuters(tmp_path, num_topics=1)
    assert (largest.names, largest.y_train.tolist(), largest.x_test) == (("earn",), [0, 0], [])


ARCHIVES: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "20news-bydate.tar.gz": (load_newsgroups, NEWS),
    "reuters21578.tar.gz": (load_reuters, REUTERS),
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
            load_newsgroups(tmp_path)


def test_texts_out_of_reach_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv("CODEWORD_DATA", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("sklearn.datasets.fetch_20newsgroups", unreachable)
    with pytest.raises(FileNotFoundError, match=r"no network. Set CODEWORD_DATA to a folder that holds reuters21578/"):
        load_reuters()
    with pytest.raises(FileNotFoundError, match=r"no network. Set CODEWORD_DATA to a folder that holds 20newsgroups/"):
        load_newsgroups()
    with pytest.raises(FileNotFoundError, match=r"A folder must hold ng_train_minilm.npy"):
        load_newsgroups_minilm()


def test_embeddings_are_read_and_missing_or_damaged_ones_refused(tmp_path: Path) -> None:
    for part, num_rows in (("train", 3), ("test", 2)):
        np.save(tmp_path / f"ng_{part}_minilm.npy", np.full((num_rows, 4), 0.5, np.float16))
        np.save(tmp_path / f"ng_{part}_y.npy", np.arange(num_rows, dtype=np.uint8))
    data = load_newsgroups_minilm(tmp_path)
    assert (data.x_train.shape, data.x_train.dtype, data.x_test.dtype) == ((3, 4), np.float32, np.float32)
    assert (data.y_train.tolist(), data.y_test.tolist()) == ([0, 1, 2], [0, 1])
    path = tmp_path / "ng_test_y.npy"
    whole = path.read_bytes()
    for damaged in (b"", whole[:20], whole[:-1], b"junk" * 9):
        path.write_bytes(damaged)
        with pytest.raises(TableFileError, match=r"must hold .npy files of numbers: got "):
            load_newsgroups_minilm(tmp_path)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(TableFileError, match="allow_pickle=False"):
        load_newsgroups_minilm(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold ng_test_y\.npy: got no such file"):
        load_newsgroups_minilm(tmp_path)


# USPS


def test_usps_is_read_and_a_missing_or_damaged_file_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"USPS.mat must be there: got no such file"):
        load_usps(tmp_path)
    pixels = np.zeros((256, 11_000), np.uint8)
    pixels[17] = np.arange(11_000) % 251  # the second row's second column
    labels = np.arange(11_000)[None] % 10 + 1
    scipy.io.savemat(tmp_path / "USPS.mat", {"fea": pixels, "gnd": labels.astype(float)}, do_compression=True)
    digits = load_usps(tmp_path)
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
            load_usps(tmp_path)
    scipy.io.savemat(path, {"fea": pixels[:255], "gnd": labels})
    with pytest.raises(TableFileError, match="StopIteration"):
        load_usps(tmp_path)


@needs_data
@pytest.mark.data
def test_the_published_texts_and_digits() -> None:
    news = load_newsgroups()
    assert (len(news.x_train), len(news.x_test), len(news.names)) == (11_314, 7_532, 20)
    assert np.bincount(news.y_train)[[0, 15, 19]].tolist() == [480, 599, 377]
    assert news.names[0] == "alt.atheism"
    embedded = load_newsgroups_minilm()
    assert (embedded.x_train.shape, embedded.x_test.shape) == ((11_314, 384), (7_532, 384))
    np.testing.assert_allclose(np.linalg.norm(embedded.x_test, axis=1), 1, atol=2e-3)
    for labels, other in ((news.y_train, embedded.y_train), (news.y_test, embedded.y_test)):
        np.testing.assert_array_equal(np.bincount(labels), np.bincount(other))
    reuters = load_reuters()
    assert reuters.names[:3] == ("earn", "acq", "crude")
    assert len(reuters.names) == 20
    assert np.bincount(reuters.y_train)[:2].tolist() == [2_840, 1_596]
    assert np.bincount(reuters.y_test)[:2].tolist() == [1_083, 696]
    usps = load_usps()
    assert np.bincount(usps.y).tolist() == [1_100] * 10
    assert usps.x.max() == 255
