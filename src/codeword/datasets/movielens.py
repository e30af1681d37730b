"""MovieLens 100K and 1M: ratings of films in whole stars from 1 to 5."""

import io
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse
from numpy.typing import NDArray

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.datasets.rating_columns import RatingColumns
from codeword.errors import TableFileError
from codeword.settings import integer

_HOME = "https://files.grouplens.org/datasets/movielens/"
_TIMEOUT_SECONDS = 60


def load_movielens_100k(fold: int = 1, folder: str | Path | None = None) -> tuple[RatingColumns, RatingColumns]:
    """Load MovieLens 100K, 100,000 ratings of 1,682 films by 943 people, in one of its five published splits.

    Args:
        fold: Number of the split, 1 to 5, for u1 to u5. The five test parts together are the whole set.
        folder: Folder that holds `ml-100k.zip`. None: `movielens-100k` in the folder that the environment variable
            CODEWORD_DATA names or, if that is not set, a download from GroupLens.

    Returns:
        The training ratings and the test ratings.

    Raises:
        FileNotFoundError: If the file is missing or cannot be downloaded.
        TableFileError: If the file is damaged.
        ParameterError: If there is no such fold.

    References:
        Harper and Konstan, "The MovieLens Datasets: History and Context", 2015. Its terms forbid redistribution.
    """
    integer(1, 5).check("fold", fold)
    path = data_folder("movielens-100k", folder)
    names = [f"ml-100k/u{fold}.{part}" for part in ("base", "test")]
    train, test = (_columns_of(table) for table in _tables(path, "movielens-100k", "ml-100k.zip", names, b"\t"))
    return train, test


def load_movielens_1m(folder: str | Path | None = None) -> RatingColumns:
    """Load MovieLens 1M: 1,000,209 ratings of 3,706 films by 6,040 people.

    The set has no published split; `split_ratings` makes one. The ratings are ordered by film and then by person,
    whichever file they come from, so that a seed always gives the same split.

    Args:
        folder: Folder that holds `movielens_1m.mat` or the published `ml-1m.zip`. None: `movielens-1m` in the folder
            that the environment variable CODEWORD_DATA names or, if that is not set, a download from GroupLens.

    Raises:
        FileNotFoundError, TableFileError: As for `load_movielens_100k`.
    """
    path = data_folder("movielens-1m", folder)
    if path is not None and (path / "movielens_1m.mat").is_file():
        try:
            matrix = scipy.sparse.coo_array(scipy.io.loadmat(path / "movielens_1m.mat")["X"])
        except (ValueError, KeyError, TypeError, NotImplementedError) as error:  # the last for a MATLAB 7.3 file
            raise TableFileError(f"{path}/movielens_1m.mat must be a MATLAB file with a matrix X: {error}.") from error
        return _columns_of(np.column_stack([matrix.row + 1, matrix.col + 1, matrix.data]))
    (table,) = _tables(path, "movielens-1m", "ml-1m.zip", ["ml-1m/ratings.dat"], b"::")
    return _columns_of(table[np.lexsort((table[:, 0], table[:, 1]))])


def _columns_of(table: NDArray[np.generic]) -> RatingColumns:
    users, items = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return RatingColumns(users, items, table[:, 2].astype(np.float32))


def _tables(
    folder: Path | None, data_set: str, name: str, members: list[str], separator: bytes
) -> list[NDArray[np.int64]]:
    """Read members of a published zip as tables of integers."""
    try:
        with zipfile.ZipFile(_opened(folder, data_set, name)) as archive:
            texts = [archive.read(member).replace(separator, b" ") for member in members]
        return [np.loadtxt(io.BytesIO(text), np.int64) for text in texts]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise TableFileError(f"{name} must be the published zip: got a file that is not ({error}).") from error


def _opened(folder: Path | None, data_set: str, name: str) -> io.BytesIO:
    if folder is not None:
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} must contain {name}: got no such file. Set {FOLDER_VARIABLE} to the folder that contains "
                f"{data_set}/{name}, or pass `folder`."
            )
        return io.BytesIO((folder / name).read_bytes())
    try:
        with urllib.request.urlopen(_HOME + name, timeout=_TIMEOUT_SECONDS) as response:
            return io.BytesIO(response.read())
    except OSError as error:
        raise FileNotFoundError(
            f"{name} could not be downloaded: {error}. Set {FOLDER_VARIABLE} to a folder that contains "
            f"{data_set}/{name}."
        ) from error
