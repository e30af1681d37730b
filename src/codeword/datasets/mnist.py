"""MNIST and Fashion-MNIST in their original idx files."""

import gzip
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.errors import TableFileError

_IMAGES, _LABELS = 2051, 2049  # the magic numbers that open the files


class ImageSet(NamedTuple):
    """Images and labels, split as published.

    Attributes:
        x_train, x_test: uint8 images of shape `(n, 28, 28)`, 0 to 255.
        y_train, y_test: uint8 labels of shape `(n,)`, 0 to 9.
    """

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.uint8]


def load_mnist(folder: str | Path | None = None) -> ImageSet:
    """Loads MNIST: 60,000 training and 10,000 test images of handwritten digits.

    Args:
        folder: Holds the four idx files, plain or gzipped. None: `mnist` in the folder that the environment variable
            CODEWORD_DATA names; if that is not set, Keras downloads the data from its own home.

    Raises:
        FileNotFoundError: If a file is missing.
        TableFileError: If a file is damaged.

    Source:
        LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
    """
    return _load("mnist", folder)


def load_fashion_mnist(folder: str | Path | None = None) -> ImageSet:
    """Loads Fashion-MNIST: 60,000 training and 10,000 test images of clothes; like `load_mnist`.

    Source:
        Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017.
    """
    return _load("fashion-mnist", folder)


def _load(name: str, folder: str | Path | None) -> ImageSet:
    folder = data_folder(name, folder)
    if folder is None:
        return _download(name)
    return ImageSet(
        _read_idx(folder, "train-images-idx3-ubyte", _IMAGES),
        _read_idx(folder, "train-labels-idx1-ubyte", _LABELS),
        _read_idx(folder, "t10k-images-idx3-ubyte", _IMAGES),
        _read_idx(folder, "t10k-labels-idx1-ubyte", _LABELS),
    )


def _download(name: str) -> ImageSet:
    from codeword.backend import keras

    module = keras.datasets.mnist if name == "mnist" else keras.datasets.fashion_mnist
    try:
        (x_train, y_train), (x_test, y_test) = module.load_data()
    except Exception as error:  # Keras raises a bare Exception where the network does not answer
        raise FileNotFoundError(
            f"{name} must be in a folder or in reach of a download: got {error}. Set {FOLDER_VARIABLE} to a "
            f"folder that holds {name}/ with the four idx files."
        ) from error
    return ImageSet(x_train, y_train, x_test, y_test)


def _read_idx(folder: Path, name: str, magic: int) -> NDArray[np.uint8]:
    path = next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{folder} must hold {name} or {name}.gz: got no such file. Set {FOLDER_VARIABLE} to the folder "
            "above, or pass folder=."
        )
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found, *shape = struct.unpack_from(">II" if magic == _LABELS else ">IIII", content)
        data = np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise TableFileError(f"{path} must be an idx file: got {error}. Restore it from a copy.") from error
    if found != magic:
        raise TableFileError(f"{path} must begin with the number {magic}: got {found}. Restore it from a copy.")
    return data
