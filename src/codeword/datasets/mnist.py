"""MNIST and Fashion-MNIST from their original idx files."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.errors import TableFileError

Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]

_IMAGES, _LABELS = 2051, 2049  # the magic numbers at the start of the files
_FILES = {
    "train-images-idx3-ubyte": _IMAGES,
    "train-labels-idx1-ubyte": _LABELS,
    "t10k-images-idx3-ubyte": _IMAGES,
    "t10k-labels-idx1-ubyte": _LABELS,
}
# Download sites, and the published MD5 sums of the gzipped files in the order above.
_SITES = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
}


def load_mnist(folder: str | Path | None = None) -> tuple[Part, Part]:
    """Load MNIST: 60,000 training and 10,000 test images of handwritten digits.

    Args:
        folder: Folder with the four idx files, plain or gzipped. Default: `mnist` in the folder that the environment
            variable CODEWORD_DATA names or, if that is not set, a download that is checked and kept.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, as in Keras: uint8 images of shape `(n, 28, 28)`, 0 to 255, and uint8
        labels of shape `(n,)`, 0 to 9.

    Raises:
        FileNotFoundError: If a file is missing or cannot be downloaded.
        TableFileError: If a file is damaged.

    References:
        LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
    """
    return _load("mnist", folder)


def load_fashion_mnist(folder: str | Path | None = None) -> tuple[Part, Part]:
    """Load Fashion-MNIST: 60,000 training and 10,000 test images of clothes.

    Args:
        folder: As for `load_mnist`, but `fashion-mnist` in the folder that CODEWORD_DATA names.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, as by `load_mnist`.

    Raises:
        FileNotFoundError, TableFileError: As for `load_mnist`.

    References:
        Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017.
    """
    return _load("fashion-mnist", folder)


def _load(name: str, folder: str | Path | None) -> tuple[Part, Part]:
    folder = data_folder(name, folder)
    paths = _downloaded(name) if folder is None else [_path_in(folder, file) for file in _FILES]
    parts = [_read_idx(path, magic) for path, magic in zip(paths, _FILES.values(), strict=True)]
    return (parts[0], parts[1]), (parts[2], parts[3])


def _downloaded(name: str) -> list[Path]:
    import pooch

    site, sums = _SITES[name]
    cache = pooch.os_cache("codeword") / name
    try:
        return [
            Path(pooch.retrieve(f"{site}{file}.gz", f"md5:{md5}", f"{file}.gz", cache, progressbar=True))
            for file, md5 in zip(_FILES, sums, strict=True)
        ]
    except (OSError, ValueError) as error:  # no connection; a file with another sum
        raise FileNotFoundError(
            f"{name} could not be downloaded: {error}. Set {FOLDER_VARIABLE} to a folder that contains {name}/ with "
            "the four idx files."
        ) from error


def _path_in(folder: Path, name: str) -> Path:
    path = next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{folder} must contain {name} or {name}.gz: got no such file. Set {FOLDER_VARIABLE} to the folder that "
            f"contains {folder.name}/, or pass `folder`."
        )
    return path


def _read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found, *shape = struct.unpack_from(">II" if magic == _LABELS else ">IIII", content)
        data = np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise TableFileError(f"{path} must be an idx file: got a file that is not ({error}).") from error
    if found != magic:
        raise TableFileError(f"{path} must begin with the number {magic}: got {found}.")
    return data
