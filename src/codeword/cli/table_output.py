"""Where a command may write a table."""

from pathlib import Path


def check_table_path(path: Path) -> None:
    """Refuses a place where `write_columns` would fail.

    Raises:
        TableFileError: If the suffix is no table's.
        OutputPathError: If the place cannot be written to.
    """
    from codeword.errors import TableFileError
    from codeword.files.output_file import check_writable

    if path.suffix not in (".csv", ".parquet"):
        raise TableFileError(f"{path} must end in .csv or .parquet, a table: got {path.suffix!r}. Rename it.")
    check_writable(path)
