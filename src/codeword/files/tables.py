"""Frames and files in and out: .npy, .csv and .parquet (no Keras).

Codes carry the fingerprint and code kind of their model with them: in the metadata of a Parquet file, and beside a
.npy or .csv file in a small `.json` file of the same name.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import CodeKind, code_kind_from_config
from codeword.errors import CodeError, DataError, DataTypeError, OutputPathError, TableFileError
from codeword.files.output_file import replaced_whole
from codeword.files.sql_tables import answer, columns_of, copy_to, pattern, quoted_name

SUFFIXES = (".npy", ".csv", ".parquet")
METADATA_KEY = "codeword"
CODE_COLUMN = re.compile(r"c(0|[1-9]\d*)")


class Origin(NamedTuple):
    """Where codes come from: the fingerprint of their model, and their kind."""

    fingerprint: str
    code: CodeKind


def as_array(x: Any) -> Any:
    """Turns a data frame (pandas, Polars, Arrow) into an array; gives anything else back as it is."""
    frame = nw.from_native(x, eager_only=True, pass_through=True)
    return frame.to_numpy() if isinstance(frame, nw.DataFrame) else x


def read_array(path: str | Path, *, empty_as_nan: bool = False) -> NDArray[Any]:
    """Reads numbers from a file.

    Args:
        path: `.npy` of any shape; `.csv` with or without a header, or `.parquet`: one column a number.
        empty_as_nan: Whether an empty cell of a table is read as NaN; else it is refused.

    Returns:
        The array; for tables of shape `(rows, columns)`. A `.npy` file is memory-mapped, read-only.

    Raises:
        FileNotFoundError: If there is no such file.
        TableFileError: If the file is damaged, or no file of these kinds.
        DataError: If a column holds no numbers, a cell is empty, or there is no row.
    """
    path = _existing(path)
    if path.suffix == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
                raise ValueError(f"it holds {getattr(array, 'dtype', 'several arrays')}")
            return array
        except (ValueError, EOFError, OSError) as error:
            raise TableFileError(
                f"{path} must be a .npy file of numbers. Received: one that is not ({error}). "
                "Save it with np.save, without objects."
            ) from error
    return as_numbers_table(path, answer(path, "SELECT *"), empty_as_nan=empty_as_nan)


def as_numbers_table(
    path: Path, columns: dict[str, Any], *, empty_as_nan: bool = False, first_row: int = 0
) -> NDArray[Any]:
    """Puts a table's columns of numbers side by side, or refuses them as `read_array` does.

    Args:
        path: Of the table, for messages.
        columns: By name, masked where cells are empty.
        empty_as_nan: Whether an empty cell becomes NaN; else it is refused.
        first_row: Where the columns are a piece of the table, the number of their first row.

    Returns:
        Array of shape `(rows, columns)`.
    """
    for name, values in columns.items():
        if len(values) == 0:
            raise DataError(f"{path} must have at least one row of numbers. Received: none. Write the file again.")
        if np.ma.is_masked(values) and not empty_as_nan:
            row = first_row + int(np.argmax(np.ma.getmaskarray(values)))
            raise DataError(f"{path} must have no empty cell. Received: one in column {name!r}, row {row}. Fill it in.")
        if values.dtype.kind not in "fiub":
            raise DataError(f"{path} must hold numbers only. Received: text in column {name!r}. Drop the column.")
        if np.ma.is_masked(values):
            columns[name] = np.ma.filled(values.astype(np.float64), np.nan)
    return np.column_stack([np.asarray(values) for values in columns.values()])


def read_columns(
    path: str | Path, names: Sequence[str] | None = None, *, numbers: Sequence[str] = (), header: bool | None = None
) -> dict[str, Any]:
    """Read the columns of a table by name; a .csv file without a header has column0, column1, ….

    Args:
        path: `.csv` or `.parquet`.
        names: Columns to read. None: all, and their types are inferred. Named columns of a .csv file are read as text,
            exactly as they are written, in one pass over the file.
        numbers: Those of `names` that are read as numbers.
        header: Whether a .csv file has a line of names. None: unless its first line holds only numbers.

    Returns:
        Arrays by name, masked where cells are empty; text as objects.

    Raises:
        FileNotFoundError: If there is no such file.
        TableFileError: If the file is damaged, or no table.
        DataTypeError: If one of `numbers` holds text.
    """
    path = as_table_path(path)
    if names is None:
        return answer(path, "SELECT *", header=header)
    selected = [quoted_name(name) for name in names]
    if path.suffix == ".csv":
        casts = {name: f"TRY_CAST({quoted_name(name)} AS DOUBLE)" for name in numbers}
        selected = [f"{casts.get(name, quoted_name(name))} AS {quoted_name(name)}" for name in names]
        selected += [f"CASE WHEN {cast} IS NULL THEN {quoted_name(name)} END" for name, cast in casts.items()]
    columns = list(answer(path, f"SELECT {', '.join(selected)}", header=header, as_text=True).values())
    for name, texts in zip(numbers, columns[len(names) :], strict=False):
        text = np.ma.compressed(texts)
        if len(text):
            raise DataTypeError(f"{path} must have numbers in column {name!r}: got text, the first {text[0]!r}.")
    return dict(zip(names, columns, strict=False))


def column_names(path: str | Path, *, header: bool | None = None) -> list[str]:
    """Return the names of a table's columns, none for a .npy file, by reading only its beginning.

    Args:
        path: `.npy`, `.csv` or `.parquet`.
        header: As for `read_columns`.
    """
    path = _existing(path)
    if path.suffix == ".npy":
        return []
    return answer(path, "DESCRIBE SELECT *", header=header, as_text=True)["column_name"].tolist()


def as_table_path(path: str | Path) -> Path:
    """Return the path of an existing table, `.csv` or `.parquet`, or refuse it.

    Raises:
        FileNotFoundError: If there is no such file.
        TableFileError: If it is a .npy file, or none of these.
    """
    path = _existing(path)
    if path.suffix == ".npy":
        raise TableFileError(f"{path} must be a table, .csv or .parquet: got a .npy file.")
    return path


def write_array(path: str | Path, array: NDArray[Any]) -> None:
    """Writes numbers to a file, whole or not at all; tables get one column a number, named c0, c1, ….

    Raises:
        TableFileError: If the suffix is unknown.
        OutputPathError: If the place cannot be written to.
    """
    _write(Path(path), array, metadata=None)


def write_columns(path: str | Path, columns: dict[str, NDArray[Any]]) -> None:
    """Writes a table, whole or not at all.

    Args:
        path: `.csv` or `.parquet`.
        columns: By name arrays of one length, numbers or text.

    Raises:
        OutputPathError: If the place cannot be written to.
    """
    with replaced_whole(path) as file:
        _copy_columns(columns, file.name, "FORMAT parquet" if Path(path).suffix == ".parquet" else "FORMAT csv, HEADER")


def read_codes(path: str | Path, *, fingerprint: str | None = None) -> tuple[NDArray[np.uint8], CodeKind | None]:
    """Reads codes, and refuses those of another model.

    Args:
        path: What `write_codes` wrote; or bare codes, whose origin nobody can tell.
        fingerprint: The model that shall decode them; None to accept any.

    Returns:
        Codes, uint8 of shape `(n, num_bytes)`, and their code kind; None where the file does not say it.

    Raises:
        CodeError: If another model made them, or they are not bytes.
        FileNotFoundError, TableFileError: If the file cannot be read.
    """
    path = _existing(path)
    if path.suffix == ".npy":
        codes = read_array(path)
    else:
        columns = ", ".join(quoted_name(name) for name in code_columns(path))
        codes = as_numbers_table(path, answer(path, f"SELECT {columns}"))
    codes = as_codes(path, codes)
    return codes, check_origin(path, fingerprint)


def code_columns(path: str | Path) -> list[str]:
    """Gives the names of a table's columns that hold codes: all, but of a store's export those of the bytes."""
    columns = column_names(path)
    if "id" not in columns:
        return columns
    names = sorted((name for name in columns if CODE_COLUMN.fullmatch(name)), key=lambda name: int(name[1:]))
    if not names:
        raise CodeError(f"{path} must hold codes in columns c0, c1, …. Received: {', '.join(columns)}. Encode rows.")
    return names


def as_codes(path: Path, codes: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns what a file holds as codes, or refuses what is not bytes."""
    if path.suffix == ".csv" and codes.dtype.kind in "iu" and codes.size and codes.min() >= 0 and codes.max() <= 255:
        codes = codes.astype(np.uint8)  # text has no dtype
    if codes.dtype != np.uint8 or codes.ndim != 2:
        raise CodeError(
            f"{path} must hold codes: uint8, one row a sample. Received: shape {codes.shape}, dtype {codes.dtype}. "
            "Write it with `codeword encode`."
        )
    return codes


def check_origin(path: str | Path, fingerprint: str | None) -> CodeKind | None:
    """Gives the kind of a file's codes, if it says so; refuses those of another model than `fingerprint`."""
    origin = read_origin(path)
    if origin is None:
        return None
    if fingerprint is not None and origin.fingerprint != fingerprint:
        raise CodeError(
            f"{path} must hold codes of this model, {fingerprint[:12]}. Received: codes of model "
            f"{origin.fingerprint[:12]}. Use them with the model that made them."
        )
    return origin.code


def read_origin(path: str | Path) -> Origin | None:
    """Gives what a file of codes says of their model; None if it says nothing.

    Raises:
        FileNotFoundError: If there is no such file.
        TableFileError: If what it says cannot be read.
    """
    path = _existing(path)
    if path.suffix == ".parquet":
        with duckdb.connect() as connection:
            query = f"SELECT value FROM parquet_kv_metadata('{pattern(path)}') WHERE key = '{METADATA_KEY}'"
            found = connection.execute(query).fetchone()
        text = found[0] if found else None
    else:
        text = _sidecar(path).read_bytes() if _sidecar(path).is_file() else None
    if text is None:
        return None
    try:
        note = json.loads(text)
        return Origin(str(note["model"]), code_kind_from_config(note["code"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TableFileError(
            f"{path} must say which model made its codes. Received: a note that cannot be read ({error!r}). "
            "Encode the data again."
        ) from error


def write_codes(path: str | Path, codes: NDArray[np.uint8], *, fingerprint: str, kind: CodeKind) -> None:
    """Writes codes with the fingerprint and kind of their model, whole or not at all.

    Raises:
        TableFileError: If the suffix is unknown.
        OutputPathError: If the place cannot be written to.
    """
    _write(Path(path), codes, metadata={"model": fingerprint, "code": kind.to_config()})


def check_suffix(path: str | Path) -> None:
    """Refuses a file name that is neither .npy, .csv nor .parquet."""
    if Path(path).suffix not in SUFFIXES:
        raise TableFileError(f"{path} must end in {', '.join(SUFFIXES)}. Received: {Path(path).suffix!r}.")


def _write(path: Path, array: NDArray[Any], *, metadata: dict[str, Any] | None) -> None:
    check_suffix(path)
    if path.suffix == ".npy":
        with replaced_whole(path) as file:
            np.save(file, array, allow_pickle=False)
    else:
        with replaced_whole(path) as file:
            _copy_columns(columns_of(array), file.name, copy_options(path.suffix, metadata))
    write_sidecar(path, metadata)


def write_sidecar(path: Path, metadata: dict[str, Any] | None) -> None:
    """Writes what is known of codes beside a file that has no place for it in itself."""
    if metadata is not None and path.suffix != ".parquet":
        with replaced_whole(_sidecar(path)) as file:
            file.write(json.dumps(metadata, indent=1).encode())


def copy_options(suffix: str, metadata: dict[str, Any] | None) -> str:
    """Gives DuckDB's options for a file of this suffix."""
    if suffix == ".csv":
        return "FORMAT csv, HEADER"
    text = json.dumps(metadata).replace("'", "''")
    return "FORMAT parquet" + (f", KV_METADATA {{{METADATA_KEY}: '{text}'}}" if metadata else "")


def _copy_columns(columns: dict[str, NDArray[Any]], target: str, options: str) -> None:
    try:
        with duckdb.connect() as connection:
            connection.register("columns", columns)
            copy_to(connection, "columns", target, options)
    except duckdb.IOException as error:
        raise OutputPathError(f"{target} must be a place with room. Received: {error}. Free some.") from error


def _existing(path: str | Path) -> Path:
    path = Path(path)
    check_suffix(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a data file. Received: no such file. Check the path.")
    return path


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")
