"""Paths of data files: .npy, .csv and .parquet (no Keras)."""

from pathlib import Path

from codeword.errors import TableFileError
from codeword.files.input_file import cannot_read

SUFFIXES = (".npy", ".csv", ".parquet")


def check_suffix(path: str | Path) -> None:
    """Check that a file name ends in .npy, .csv or .parquet."""
    if Path(path).suffix not in SUFFIXES:
        raise TableFileError(f"{path} must end in {', '.join(SUFFIXES)}: got {Path(path).suffix!r}.")


def existing_file(path: str | Path) -> Path:
    """Return the path of a data file, or raise if there is no such file."""
    path = Path(path)
    check_suffix(path)
    try:
        if not path.is_file():
            raise FileNotFoundError(f"{path} must be a data file: got no such file.")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise cannot_read(path, error) from error
    return path
