"""Codes on disk, in a DuckDB file that any DuckDB client can read (no Keras)."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import checked_ids
from codeword.code_kinds import Bits
from codeword.code_kinds.packing import check_bit_codes
from codeword.errors import CodeError, DataError, OutputPathError, ParameterError, TableFileError
from codeword.files.output_file import replaced_whole
from codeword.files.sql_tables import quoted_name
from codeword.files.tables import CODE_COLUMN, METADATA_KEY, read_codes, read_columns, read_origin
from codeword.search.code_words import bytes_in_sql, from_words, to_words, word_names
from codeword.search.hamming import HammingIndex, check_different
from codeword.search.metadata_columns import NOTHING, metadata_columns
from codeword.search.store_checks import (
    check_columns,
    check_new_ids,
    check_timeout,
    for_duckdb,
    identity_of,
    new_ids,
    of_stored_kind,
    of_stored_width,
    only_bits,
)
from codeword.search.store_file import (
    NewStore,
    StoreFile,
    StoreNote,
    columns_of,
    count_of,
    first_line,
)


class StoredRows(NamedTuple):
    """Rows of a store: ids `(n,)`, packed codes `(n, num_bytes)`, and by name the columns of metadata `(n,)`."""

    ids: NDArray[Any]
    codes: NDArray[np.uint8]
    metadata: dict[str, NDArray[Any]]


class CodeStore:
    """Keeps codes of `Bits` with ids and metadata in one DuckDB file, and searches them by Hamming distance.

    Each call opens the file, does its work as one transaction, and closes it: a crash loses nothing that a call
    returned from, and leaves no half of a batch. Any number of processes may share a store; one writes, or many read,
    and the others wait. The file appears with the first `append`.

    Args:
        path: Of the DuckDB file.
        model: The fitted `Autoencoder` whose codes these are: the store keeps its fingerprint, and refuses to be opened
            with another model. None: nobody is asked.
        timeout_seconds: How long a call waits for other processes.

    Raises:
        CodeError: If the model's codes are not `Bits`, among which Hamming distance means nothing, or the store holds
            codes of another model.
        StoreFileError: If the file is damaged or no store.

    Example:
        >>> store = CodeStore(folder / "codes.duckdb")
        >>> codes = np.array([[0b1111], [0b0001], [0b0011]], np.uint8)
        >>> store.append(["x", "y", "z"], codes, {"label": ["cat", "dog", "cat"]})
        3
        >>> distances, ids = store.search(np.array([[0]], np.uint8), k=1, where="label = 'cat'")
        >>> distances.tolist(), ids.tolist()
        ([[2]], [['z']])
    """

    def __init__(self, path: str | Path, *, model: Any = None, timeout_seconds: float = 60.0) -> None:
        self._file = StoreFile(Path(path), timeout_seconds)
        self._fingerprint: str | None = None
        self._code: Bits | None = None
        self._kept: tuple[Any, HammingIndex] | None = None
        check_timeout(timeout_seconds)
        if model is not None:
            self._fingerprint, self._code = identity_of(model)
        if self.path.exists():
            with self._file.reading() as (_, note):
                self._check_model(note)

    @property
    def path(self) -> Path:
        """Where the store lies."""
        return self._file.path

    @property
    def fingerprint(self) -> str | None:
        """Of the model whose codes these are; None if nobody said."""
        if not self.path.exists():
            return self._fingerprint
        with self._file.reading() as (_, note):
            return note.fingerprint

    @property
    def num_bits(self) -> int:
        """Bits of a code."""
        with self._file.reading() as (_, note):
            return note.num_bits

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of metadata."""
        with self._file.reading() as (connection, note):
            return tuple(columns_of(connection, note))

    def __len__(self) -> int:
        if not self.path.exists():
            return 0
        with self._file.reading() as (connection, _):
            return count_of(connection)

    def append(self, ids: Any, codes: Any, metadata: Any = None) -> int:
        """Adds rows, all or none; when it returns, they are on the disk.

        Args:
            ids: Different whole numbers or texts that the store does not have yet; None: the whole numbers that
                follow its greatest.
            codes: Packed codes, uint8 of shape `(n, num_bytes)`.
            metadata: Frame, or arrays by name, one value a row: numbers, text, booleans or times. The first batch
                decides the columns.

        Returns:
            How many rows the store has now.

        Raises:
            CodeError: If the codes are not packed, or of another width than those in the store.
            DataError, DataTypeError: If ids repeat, or ids or metadata do not fit.
            StoreBusyError: If others hold the store for longer than `timeout_seconds`.
            OutputPathError: If the file cannot be written, or the disk is full; the store is as before.
        """
        if self._code is not None:
            known_bits: int | None = self._code.num_bits
        else:  # where the width is known, a batch of nothing but 0 and 1 may be codes
            known_bits = self.num_bits if self.path.exists() else None
        codes = of_stored_width(codes, known_bits, self.path)
        codes, num_bits = check_bit_codes(codes, known_bits)
        if ids is not None:
            ids = checked_ids(ids, "ids")
            check_different(ids, len(codes))
        columns = metadata_columns(metadata, len(codes))
        types = {name: column.sql_type for name, column in columns.items()}
        id_type = "BIGINT" if ids is None or ids.dtype.kind == "i" else "VARCHAR"
        fields = {name: "VARCHAR" if sql_type == NOTHING else sql_type for name, sql_type in types.items()}
        new = NewStore(StoreNote(num_bits, self._fingerprint), id_type, fields)
        with self._file.writing(new) as (connection, note):
            self._check_model(note)
            check_bit_codes(of_stored_width(codes, note.num_bits, self.path), note.num_bits)
            ids = new_ids(connection, len(codes), self.path) if ids is None else of_stored_kind(connection, ids)
            check_new_ids(connection, ids, self.path)
            check_columns(connection, note, types, self.path)
            names = ["id", *word_names(note.num_bits), *columns]
            values = [for_duckdb(ids), *to_words(codes), *(column.values for column in columns.values())]
            connection.register("batch", {f"v{number}": value for number, value in enumerate(values)})
            targets = ", ".join(quoted_name(name) for name in names)
            connection.execute(f"INSERT INTO codes ({targets}) SELECT * FROM batch")
            return count_of(connection)

    def search(
        self, codes: Any, k: int = 10, *, where: str | None = None, verbose: int = 0
    ) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Finds the `k` nearest codes of each query, exactly.

        The codes are read into a `HammingIndex`; without `where` it is kept until the file changes, so that later
        searches only search.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
            k: From 1 to the number of codes searched in.
            where: SQL condition on `id` and the metadata, such as `"label = 'cat' AND year > 2020"`; None: all.
            verbose: 1 for a progress bar where there are many queries.

        Returns:
            Distances in bits, int32, and ids, both of shape `(q, k)`: nearest first, of equal ones the lower id.

        Raises:
            CodeError: If the queries are not packed or of another width, or there is no code to search in.
            ParameterError: If `k` or `where` does not fit.
            FileNotFoundError, StoreFileError, StoreBusyError: If the store cannot be read.
        """
        index = self.index(where)
        return index.search(codes, k, verbose=verbose)

    def index(self, where: str | None = None) -> HammingIndex:
        """Loads the codes, or those that fit a condition, into memory for many searches; errors like `search`."""
        if where is not None:
            if not isinstance(where, str):
                raise ParameterError(f"`where` must be an SQL condition, a text. Received: {where!r}. Write one.")
            return self._load(where)[1]
        if self._kept is None or self._kept[0] != self._file.state():
            self._kept = self._load(None)
        return self._kept[1]

    def get(self, ids: Any) -> StoredRows:
        """Gives rows by their ids, in this order.

        Raises:
            DataError: If the store lacks one of them.
            FileNotFoundError, StoreFileError, StoreBusyError: If the store cannot be read.
        """
        ids = checked_ids(ids, "ids")
        with self._file.reading() as (connection, note):
            ids = of_stored_kind(connection, ids)
            connection.register("wanted", {"id": for_duckdb(ids), "position": np.arange(len(ids))})
            found = connection.execute(
                "SELECT codes.* FROM wanted JOIN codes ON wanted.id = codes.id ORDER BY wanted.position"
            ).fetchnumpy()
            names = columns_of(connection, note)
        if len(found["id"]) < len(ids):
            missing = ids[~np.isin(ids, found["id"].astype(ids.dtype))]
            raise DataError(
                f"`ids` must be in {self.path}. Received: {len(missing)} that are not, the first "
                f"{missing[0].item()!r}. Append them first."
            )
        codes = from_words([found[name] for name in word_names(note.num_bits)], note.num_bytes)
        return StoredRows(ids, codes, {name: found[name] for name in names})

    def delete(self, ids: Any) -> int:
        """Removes rows by their ids, all or none; ids that the store lacks are passed over.

        Returns:
            How many rows were removed.

        Raises:
            StoreBusyError, OutputPathError: Like `append`.
        """
        ids = checked_ids(ids, "ids")
        self._file.require()
        with self._file.writing() as (connection, note):
            self._check_model(note)
            ids = of_stored_kind(connection, ids)
            before = count_of(connection)
            connection.register("unwanted", {"id": for_duckdb(np.unique(ids))})
            connection.execute("DELETE FROM codes WHERE id IN (SELECT id FROM unwanted)")
            return before - count_of(connection)

    def export_parquet(self, path: str | Path) -> None:
        """Writes everything to a Parquet file, whole or not at all: `id`, the bytes `c0`, `c1`, …, the metadata.

        The file says whose codes they are; `codeword decode` and `import_parquet` read it.

        Raises:
            TableFileError: If the path does not end in `.parquet`.
            OutputPathError: If the place cannot be written to.
        """
        if Path(path).suffix != ".parquet":
            raise TableFileError(f"{path} must end in .parquet. Received: {Path(path).suffix!r}. Rename it.")
        with self._file.reading() as (connection, note):
            note_text = json.dumps({"model": note.fingerprint, "code": Bits(note.num_bits).to_config()})
            columns = ["id", *bytes_in_sql(note.num_bits)]
            columns += [quoted_name(name) for name in columns_of(connection, note)]
            options = "FORMAT parquet, USE_TMP_FILE false"
            if note.fingerprint is not None:
                options += f", KV_METADATA {{{METADATA_KEY}: '{note_text}'}}"
            with replaced_whole(path) as file:
                target = file.name.replace("'", "''")
                try:
                    connection.execute(f"COPY (SELECT {', '.join(columns)} FROM codes) TO '{target}' ({options})")
                except duckdb.IOException as error:
                    raise OutputPathError(f"{path} must be a place with room. Received: {error}. Free some.") from error

    def import_parquet(self, path: str | Path) -> int:
        """Appends the rows of a Parquet file that `export_parquet` or `codeword encode` wrote.

        Returns:
            How many rows the store has now.

        Raises:
            CodeError: If another model made the codes, or they are not `Bits`.
            FileNotFoundError, TableFileError: If the file cannot be read.
            DataError, DataTypeError, StoreBusyError, OutputPathError: Like `append`.
        """
        codes, _ = read_codes(path, fingerprint=self.fingerprint)
        origin = read_origin(path)
        if origin is not None:
            only_bits(origin.code)
            if self.fingerprint is None and self.path.exists():
                raise CodeError(
                    f"{path} holds codes of model {origin.fingerprint[:12]}; {self.path} does not say whose codes "
                    "it holds, so they may not be comparable. Import into a new store."
                )
        columns = read_columns(path)
        ids = columns.pop("id", None)
        metadata = {name: values for name, values in columns.items() if not CODE_COLUMN.fullmatch(name)}
        before = self._fingerprint, self._code
        if origin is not None:  # a new store is of the model that the file names
            self._fingerprint, self._code = origin.fingerprint, only_bits(origin.code)
        try:
            return self.append(ids, codes, metadata or None)
        except BaseException:
            self._fingerprint, self._code = before
            raise

    def _load(self, where: str | None) -> tuple[Any, HammingIndex]:
        with self._file.reading() as (connection, note):
            state = self._file.state()
            rows = connection.table("codes")
            names = word_names(note.num_bits)
            try:
                rows = rows if where is None else rows.filter(where)
                found = rows.select(", ".join(["id", *names])).fetchnumpy()
            except (duckdb.ProgrammingError, duckdb.DataError) as error:
                columns = ", ".join(["id", *columns_of(connection, note)])
                raise ParameterError(
                    f"`where` must be an SQL condition on {columns}. Received: {where!r} ({first_line(error)}). "
                    "Put names in double quotes and texts in single ones."
                ) from error
        if len(found["id"]) == 0:
            chosen = "" if where is None else f" where {where}"
            raise CodeError(f"{self.path} must have codes to search in. Received: none{chosen}. Append some.")
        codes = from_words([found[name] for name in names], note.num_bytes)
        ids = found["id"]
        return state, HammingIndex(codes, ids if ids.dtype.kind == "i" else ids.astype(str), num_bits=note.num_bits)

    def _check_model(self, note: StoreNote) -> None:
        if self._fingerprint is not None and note.fingerprint != self._fingerprint:
            held = (
                "codes of an unknown model" if note.fingerprint is None else f"codes of model {note.fingerprint[:12]}"
            )
            raise CodeError(
                f"{self.path} must hold codes of this model, {self._fingerprint[:12]}. Received: {held}. Give the "
                "model that made them, or another path."
            )
