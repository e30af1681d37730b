"""USPS: 11,000 scanned digits of 16 x 16 pixels."""

import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.io.matlab import MatReadError

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.errors import TableFileError


class Digits(NamedTuple):
    """All images, in no order, and their labels; there is no published split.

    Attributes:
        x: uint8 of shape `(11000, 16, 16)`, 0 to 255.
        y: uint8 of shape `(11000,)`, the digit.
    """

    x: NDArray[np.uint8]
    y: NDArray[np.uint8]


def load_usps(folder: str | Path | None = None) -> Digits:
    """Loads USPS.

    Args:
        folder: Holds `USPS.mat`. None: `usps` in the folder that the environment variable CODEWORD_DATA names.

    Raises:
        FileNotFoundError: If the file is missing.
        TableFileError: If it is damaged.

    Source:
        Hull, "A Database for Handwritten Text Recognition Research", 1994; the file of 1,100 images a digit by Saul
        and Roweis.
    """
    path = (data_folder("usps", folder) or Path()) / "USPS.mat"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} must be there: got no such file. Set {FOLDER_VARIABLE} to the folder above its folder, or "
            "pass folder=."
        )
    try:
        arrays = [value for value in scipy.io.loadmat(path).values() if isinstance(value, np.ndarray)]
        images = next(array for array in arrays if array.shape == (256, 11000))
        labels = next(array for array in arrays if array.size == 11000)
    except (
        *(ValueError, TypeError, LookupError, StopIteration, NotImplementedError, OSError),
        *(MatReadError, zlib.error),
    ) as error:
        raise TableFileError(f"{path} must hold 256 x 11000 pixels and labels: got {error!r}.") from error
    # One column an image; the digit 0 is labelled 10.
    return Digits(np.ascontiguousarray(images.T).reshape(-1, 16, 16), (labels.ravel() % 10).astype(np.uint8))
