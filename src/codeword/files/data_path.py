"""Paths of data files: .npy, .parquet, and text tables such as .csv (no Keras)."""

from pathlib import Path

from codeword.errors import TableFileError
from codeword.files.input_file import reading

SUFFIXES = (".npy", ".csv", ".parquet")  # of files that are written
TEXT_SUFFIXES = (
    ".csv",
    ".tsv",
    ".tab",
    ".txt",
    ".dat",
    ".data",
    ".base",
    ".test",
    ".inter",
    ".rating",
)  # of text tables that are read
_FORMATS = {".npy": ".npy", ".parquet": ".parquet", **dict.fromkeys(TEXT_SUFFIXES, ".csv")}


def check_suffix(path: str | Path) -> None:
    """Check that the name of a file to write ends in .npy, .csv or .parquet; raise `TableFileError` otherwise."""
    if Path(path).suffix not in SUFFIXES:
        raise TableFileError(f"{path} must end in {', '.join(SUFFIXES)}: got {Path(path).suffix!r}.")


def format_of(path: str | Path) -> str:
    """Return how a file is read: ".npy", ".parquet", ".csv" for a text table, or "" if its suffix is another.

    Example:
        >>> [format_of(name) for name in ("x.NPY", "ratings.dat", "ratings.tsv.gz", "x.zip")]
        ['.npy', '.csv', '.csv', '']
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = Path(path.stem).suffix.lower()
        return ".csv" if suffix in TEXT_SUFFIXES else ""
    return _FORMATS.get(suffix, "")


def existing_file(path: str | Path) -> Path:
    """Return the path of a data file.

    Raises:
        TableFileError: If it has another suffix.
        FileNotFoundError: If there is no such file.
    """
    address = " It is an address: download the file first." if "://" in str(path) else ""
    path = Path(path)
    if not format_of(path):
        raise TableFileError(
            f"{path} must end in .npy, .parquet, {', '.join(TEXT_SUFFIXES[:5])}, or one of these texts and .gz: "
            f"got {path.suffix!r}. {_cure(path.suffix.lower())}"
        )
    with reading(path):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{path} must be a data file: got no such file.{address}")


def _cure(suffix: str) -> str:
    if suffix in (".json", ".jsonl", ".ndjson"):
        return "Read lines of JSON in Python: pandas.read_json(path, lines=True). Write that as .csv or .parquet."
    if suffix in (".zip", ".tar", ".tgz", ".rar", ".bz2", ".xz", ".zst"):
        return "Unpack it."
    if suffix in (".xlsx", ".xls", ".ods"):
        return "Save the sheet as .csv."
    return "Rename it if it is one of them; write other formats as .csv or .parquet."
