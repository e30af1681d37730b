"""Check of the path to which a command writes a table."""

from pathlib import Path


def check_table_path(path: Path) -> None:
    """Check that `write_columns` can write to a path.

    Raises:
        TableFileError: If the path does not end in .csv or .parquet.
        OutputPathError: If the file cannot be written.
    """
    from codeword.errors import TableFileError
    from codeword.files.output_file import check_writable

    if path.suffix not in (".csv", ".parquet"):
        raise TableFileError(f"{path} must end in .csv or .parquet: got {path.suffix!r}.")
    check_writable(path)
