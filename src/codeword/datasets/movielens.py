"""MovieLens 100K and 1M: ratings of films, whole stars from 1 to 5."""

import io
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.datasets.rating_columns import RatingColumns
from codeword.errors import ParameterError, TableFileError

_HOME = "https://files.grouplens.org/datasets/movielens/"
_TIMEOUT_SECONDS = 60


def load_movielens_100k(
    fold: int | None = None, folder: str | Path | None = None
) -> RatingColumns | tuple[RatingColumns, RatingColumns]:
    """Loads MovieLens 100K: 100,000 ratings of 1,682 films by 943 people.

    Args:
        fold: 1 to 5 for the published split of that number, u1 to u5; None for all ratings.
        folder: Holds `ml-100k.zip`. None: `movielens-100k` in the folder that the environment variable CODEWORD_DATA
            names; if that is not set, the zip is read from GroupLens, its home.

    Returns:
        All ratings; with a `fold` the pair of its training and test ratings.

    Raises:
        FileNotFoundError: If the file is missing or GroupLens out of reach.
        TableFileError: If the file is damaged.
        ParameterError: If there is no such fold.

    Source:
        Harper and Konstan, "The MovieLens Datasets: History and Context", 2015. Its terms forbid redistribution.
    """
    if fold is not None and fold not in range(1, 6):
        raise ParameterError(f"`fold` must be 1 to 5, or None for all ratings. Received: {fold!r}.")
    path = data_folder("movielens-100k", folder)
    names = ["u.data"] if fold is None else [f"u{fold}.base", f"u{fold}.test"]
    try:
        with zipfile.ZipFile(_opened(path, "ml-100k.zip")) as archive:
            parts = [np.loadtxt(io.BytesIO(archive.read(f"ml-100k/{name}")), np.int64) for name in names]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise TableFileError(f"ml-100k.zip must be the published zip. Received: {error}. Fetch it again.") from error
    columns = [RatingColumns(part[:, 0], part[:, 1], part[:, 2].astype(np.float32)) for part in parts]
    return columns[0] if fold is None else (columns[0], columns[1])


def load_movielens_1m(folder: str | Path | None = None) -> RatingColumns:
    """Loads MovieLens 1M: 1,000,209 ratings of 3,706 films by 6,040 people.

    The order is that of `movielens_1m.mat`, by film and then by person, so that a split by permutation is the same
    wherever it came from.

    Args:
        folder: Holds `movielens_1m.mat`, or the published `ml-1m.zip`. None: `movielens-1m` in the folder that the
            environment variable CODEWORD_DATA names; if that is not set, the zip is read from GroupLens, its home.

    Raises:
        FileNotFoundError, TableFileError: Like `load_movielens_100k`.
    """
    path = data_folder("movielens-1m", folder)
    if path is not None and (path / "movielens_1m.mat").is_file():
        try:
            matrix = scipy.sparse.coo_array(scipy.io.loadmat(path / "movielens_1m.mat")["X"])
        except (ValueError, KeyError, TypeError, NotImplementedError) as error:  # the last of a MATLAB 7.3 file
            raise TableFileError(f"{path}/movielens_1m.mat cannot be read: {error}. Fetch it again.") from error
        return RatingColumns(
            matrix.row.astype(np.int64) + 1, matrix.col.astype(np.int64) + 1, matrix.data.astype(np.float32)
        )
    try:
        with zipfile.ZipFile(_opened(path, "ml-1m.zip")) as archive:
            text = archive.read("ml-1m/ratings.dat").replace(b"::", b" ")
        table = np.loadtxt(io.BytesIO(text), np.int64)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise TableFileError(f"ml-1m.zip must be the published zip. Received: {error}. Fetch it again.") from error
    table = table[np.lexsort((table[:, 0], table[:, 1]))]
    return RatingColumns(table[:, 0], table[:, 1], table[:, 2].astype(np.float32))


def _opened(folder: Path | None, name: str) -> io.BytesIO:
    if folder is not None:
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} must hold {name}. Received: no such file. Set {FOLDER_VARIABLE} to the folder above, or "
                "pass folder=."
            )
        return io.BytesIO((folder / name).read_bytes())
    try:
        with urllib.request.urlopen(_HOME + name, timeout=_TIMEOUT_SECONDS) as answer:
            return io.BytesIO(answer.read())
    except OSError as error:
        raise FileNotFoundError(
            f"{name} must be in a folder or in reach of a download. Received: {error}. Set {FOLDER_VARIABLE} to a "
            f"folder that holds {'movielens-100k' if '100k' in name else 'movielens-1m'}/{name}."
        ) from error
