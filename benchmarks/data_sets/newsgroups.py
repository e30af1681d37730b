"""20 Newsgroups, split by date: the texts, and their sentence embeddings."""

import gzip
import tarfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.errors import TableFileError
from data_sets.text_set import TextSet


class EmbeddingSet(NamedTuple):
    """Embeddings of unit length and their labels.

    Attributes:
        x_train, x_test: float32 of shape `(n, 384)`.
        y_train, y_test: uint8 labels, groups in sorted order.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.uint8]


def load_newsgroups(folder: str | Path | None = None) -> TextSet:
    """Loads the texts of 20 Newsgroups with their headers: 11,314 to train and 7,532 later ones to test.

    Args:
        folder: Holds `20news-bydate.tar.gz`. None: `20newsgroups` in the folder that the environment variable
            CODEWORD_DATA names; if that is not set, scikit-learn downloads the data.

    Raises:
        FileNotFoundError: If the file is missing, or the download out of reach.
        TableFileError: If the file is damaged.

    Source:
        Lang, "NewsWeeder: Learning to Filter Netnews", 1995; the split by date is Jason Rennie's.
    """
    path = data_folder("20newsgroups", folder)
    if path is None:
        return _download()
    path = path / "20news-bydate.tar.gz"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} must hold {path.name}: got no such file. Set {FOLDER_VARIABLE} to the folder above, "
            "or pass folder=."
        )
    texts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    try:
        # Decompressed first: a damaged archive fails its checksum, where tarfile would just end early.
        with tarfile.open(fileobj=BytesIO(gzip.decompress(path.read_bytes()))) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    part, group, _ = member.name.split("/")[-3:]
                    texts[part.removeprefix("20news-bydate-")].append((group, file.read().decode("latin-1")))
        names = tuple(sorted({group for group, _ in texts["train"]}))
        labels = {part: np.array([names.index(group) for group, _ in found], np.int64) for part, found in texts.items()}
    except (tarfile.TarError, zlib.error, OSError, EOFError, KeyError, ValueError) as error:
        raise TableFileError(f"{path} must be the published archive: got {error}. Fetch it again.") from error
    if not all(texts.values()):
        raise TableFileError(f"{path} must hold texts to train and to test: got none. Fetch it again.")
    bodies = {part: [text for _, text in found] for part, found in texts.items()}
    return TextSet(bodies["train"], labels["train"], bodies["test"], labels["test"], names)


def load_newsgroups_minilm(folder: str | Path | None = None) -> EmbeddingSet:
    """Loads embeddings of the same texts without headers and quotes, by the sentence encoder MiniLM-L6-v2.

    Args:
        folder: Holds `ng_train_minilm.npy` and `ng_test_minilm.npy`, float16, and the labels `ng_train_y.npy` and
            `ng_test_y.npy`. None: `20newsgroups-minilm` in the folder that CODEWORD_DATA names.

    Raises:
        FileNotFoundError: If a file is missing; they have no home on the web.
        TableFileError: If a file is damaged.
    """
    path = data_folder("20newsgroups-minilm", folder)
    names = ("ng_train_minilm", "ng_train_y", "ng_test_minilm", "ng_test_y")
    missing = [name for name in names if path is None or not (path / f"{name}.npy").is_file()]
    if missing or path is None:
        raise FileNotFoundError(
            f"{path or 'A folder'} must hold {missing[0]}.npy: got no such file. Encode the texts of "
            f"load_newsgroups with MiniLM-L6-v2, and set {FOLDER_VARIABLE} or pass folder=."
        )
    try:
        x_train, y_train, x_test, y_test = (np.load(path / f"{name}.npy", allow_pickle=False) for name in names)
    except (ValueError, EOFError, OSError) as error:
        raise TableFileError(f"{path} must hold .npy files of numbers: got {error}. Write them again.") from error
    return EmbeddingSet(x_train.astype(np.float32), y_train, x_test.astype(np.float32), y_test)


def _download() -> TextSet:
    from sklearn.datasets import fetch_20newsgroups

    try:
        train, test = (fetch_20newsgroups(subset=part, shuffle=False) for part in ("train", "test"))
    except OSError as error:
        raise FileNotFoundError(
            f"20 Newsgroups must be in a folder or in reach of a download: got {error}. Set {FOLDER_VARIABLE} to "
            "a folder that holds 20newsgroups/20news-bydate.tar.gz."
        ) from error
    return TextSet(train.data, train.target, test.data, test.target, tuple(train.target_names))
