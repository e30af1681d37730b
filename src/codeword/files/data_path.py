"""Paths of data files: .npy, .csv and .parquet (no Keras)."""

from pathlib import Path

from codeword.errors import TableFileError
from codeword.files.input_file import reading

SUFFIXES = (".npy", ".csv", ".parquet")


def check_suffix(path: str | Path) -> None:
    """Check that a file name ends in .npy, .csv or .parquet; raise `TableFileError` otherwise."""
    if Path(path).suffix not in SUFFIXES:
        raise TableFileError(f"{path} must end in {', '.join(SUFFIXES)}: got {Path(path).suffix!r}.")


def existing_file(path: str | Path) -> Path:
    """Return the path of a data file.

    Raises:
        TableFileError: If it has another suffix.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    check_suffix(path)
    with reading(path):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{path} must be a data file: got no such file.")
