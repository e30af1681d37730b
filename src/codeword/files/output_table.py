"""Numbers, columns and codes written to .npy, .csv and .parquet files (no Keras)."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.errors import TableFileError
from codeword.files.code_note import METADATA_KEY, note_inside, replaced_with_note, replaced_with_note_inside
from codeword.files.data_path import check_suffix
from codeword.files.locked_duckdb import literal, locked_duckdb
from codeword.files.output_file import replaced_whole
from codeword.files.sql_tables import copy_to, disk_errors, numbered_columns


def write_array(path: str | Path, array: NDArray[Any]) -> None:
    """Write numbers to a file, completely or not at all; tables have a column c0, c1, … for each number of a row.

    Raises:
        TableFileError: If the path has another suffix than .npy, .csv and .parquet.
        OutputPathError: If the file cannot be written.
    """
    _write(Path(path), array, metadata=None)


def write_columns(path: str | Path, columns: dict[str, NDArray[Any]], *, note: dict[str, Any] | None = None) -> None:
    """Write columns of numbers or strings to a .csv or .parquet file; raise `OutputPathError` as `write_array` does.

    A Parquet file of codes takes a note, in which its SHA-256 is recorded.
    """
    path = Path(path)
    with replaced_table(path, note) as file:
        _copy_columns(columns, file.name, copy_options(path.suffix, note))


def check_parquet(path: str | Path) -> None:
    """Check that a path ends in .parquet."""
    if Path(path).suffix != ".parquet":
        raise TableFileError(f"{path} must end in .parquet: got {Path(path).suffix!r}.")


def write_codes(path: str | Path, codes: NDArray[np.uint8], *, fingerprint: str, kind: CodeKind) -> None:
    """Write codes with the fingerprint and code kind of their model; raise as `write_array` does."""
    _write(Path(path), codes, metadata={"model": fingerprint, "code": kind.to_config()})


def _write(path: Path, array: NDArray[Any], *, metadata: dict[str, Any] | None) -> None:
    with replaced_table(path, metadata) as file:
        if path.suffix == ".npy":
            np.save(file, array, allow_pickle=False)
        else:
            _copy_columns(numbered_columns(array), file.name, copy_options(path.suffix, metadata))


def replaced_table(path: Path, metadata: dict[str, Any] | None) -> AbstractContextManager[BinaryIO]:
    """Open a file like `replaced_whole`, together with its note if the note of its format lies beside it."""
    check_suffix(path)
    if path.suffix == ".parquet":
        return replaced_whole(path) if metadata is None else replaced_with_note_inside(path)
    return replaced_with_note(path, metadata)


def copy_options(suffix: str, metadata: dict[str, Any] | None) -> str:
    """Return DuckDB's options for writing a file with this suffix."""
    if suffix == ".csv":
        return "FORMAT csv, HEADER"
    if metadata is None:
        return "FORMAT parquet"
    return f"FORMAT parquet, KV_METADATA {{{METADATA_KEY}: {literal(note_inside(metadata))}}}"


def _copy_columns(columns: dict[str, NDArray[Any]], target: str, options: str) -> None:
    # DuckDB takes the type of objects from the first of them; those of codeword are texts.
    typed = {
        name: column.astype("U1") if column.dtype == object and not len(column) else column
        for name, column in columns.items()
    }
    with disk_errors(), locked_duckdb(target) as connection:
        connection.register("columns", typed)
        copy_to(connection, "columns", target, options)
