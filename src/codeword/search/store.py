"""Codes on disk, in a DuckDB file that any DuckDB client can read (no Keras)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import checked_ids
from codeword.code_kinds import CodeKind
from codeword.code_kinds.packing import as_code_array
from codeword.errors import CodeError, DataError, StoreFileError
from codeword.files.code_note import note_of_bits, replaced_with_note_inside
from codeword.files.codes import CODE_COLUMN, read_code_table
from codeword.files.output_table import check_parquet, copy_options
from codeword.files.sql_tables import copy_to, first_line, quoted_name
from codeword.search.code_words import bytes_in_sql, to_words, word_names
from codeword.search.conditions import checked_query, condition_of, not_a_condition
from codeword.search.hamming import HammingIndex
from codeword.search.held_codes import as_objects, check_distinct, check_width
from codeword.search.metadata_columns import NOTHING, metadata_columns
from codeword.search.store_checks import (
    as_storable,
    as_stored_kind,
    check_columns,
    check_new_ids,
    check_same_kind,
    check_same_model,
    check_searchable,
    check_stored_codes,
    checked_fingerprint,
    codes_of,
    identity_of,
    ids_of,
    next_ids,
)
from codeword.search.store_file import StoreFile
from codeword.search.store_schema import (
    CODES,
    StoreNote,
    check_size,
    columns_of,
    count_of,
    create_tables,
    note_of,
    types_of,
)
from codeword.settings import number

_BYTES_OF_ID = {"BIGINT": 8, "VARCHAR": 64}  # in memory, of a string beside its characters


class StoredRows(NamedTuple):
    """Rows of a store: ids `(n,)`, packed codes `(n, num_bytes)`, and metadata columns `(n,)` by name."""

    ids: NDArray[Any]
    codes: NDArray[np.uint8]
    metadata: dict[str, NDArray[Any]]


class CodeStore:
    """Codes of `Bits` or `Residual` with ids and metadata in one DuckDB file; bits are searched by Hamming distance.

    Each call opens the file, works in one transaction and closes the file: after a crash every call that returned has
    its rows on disk, and no batch is there in part. Any number of processes may share a store. One process writes or
    many read, and the others wait. The first `append` creates the file.

    A store may come from a stranger: nothing in it is run, DuckDB opens no file but the store and its log, and a file
    with anything else than the tables of a store in their place is refused.

    Args:
        path: Path of the DuckDB file.
        model: Fitted `Autoencoder` that makes the codes, or the `item_codes` of a recommender. The store keeps its
            fingerprint and cannot be opened with another model. Default: no check.
        timeout_seconds: Maximum time that a call waits for other processes, and then for `where`, at least a second.

    Raises:
        CodeError: If the model's codes are neither `Bits` nor `Residual`, or the store holds codes of another model.
        StoreFileError: If the file is damaged or not a store.

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
        number(0).check("timeout_seconds", timeout_seconds)
        self._file = StoreFile(path, timeout_seconds)
        self._fingerprint: str | None = None
        self._code: CodeKind | None = None
        if model is not None:
            self._fingerprint, self._code = identity_of(model)
        self._kept: tuple[Any, HammingIndex] | None = None
        if self._file.exists():
            with self._file.reading() as (_, note):
                check_same_model(self._fingerprint, note, self.path)

    @property
    def path(self) -> Path:
        """Path of the DuckDB file."""
        return self._file.path

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the model that made the codes; None if it is unknown."""
        return self._file.note().fingerprint if self._file.exists() else self._fingerprint

    @property
    def num_bits(self) -> int:
        """Number of bits per code."""
        return self._file.note().num_bits

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the metadata columns."""
        with self._file.reading() as (connection, _):
            return tuple(columns_of(connection))

    def __len__(self) -> int:
        if not self._file.exists():
            return 0
        with self._file.reading() as (connection, _):
            return count_of(connection)

    def __repr__(self) -> str:
        if not self._file.exists():
            return f"<CodeStore {self.path}: no file yet>"
        try:
            with self._file.reading() as (connection, note):
                model = "of an unknown model" if note.fingerprint is None else f"of model {note.fingerprint[:12]}"
                return f"<CodeStore {self.path}: {count_of(connection):,} codes of {note.num_bits} bits, {model}>"
        except (OSError, ValueError):  # damaged, or busy for too long
            return f"<CodeStore {self.path}: cannot be read>"

    def append(self, ids: Any, codes: Any, metadata: Any = None) -> int:
        """Append rows, all or none; they are on disk when the call returns.

        Args:
            ids: Distinct integers or strings that are not in the store yet. None: the integers that follow the greatest
                id in the store.
            codes: Packed codes, uint8 of shape `(n, num_bytes)`.
            metadata: Data frame, or mapping from names to arrays, with one value per row: numbers, strings, booleans or
                times. The first batch determines the columns.

        Returns:
            The number of rows in the store.

        Raises:
            CodeError: If the codes are not packed, or have another width than the codes in the store.
            DataError: If ids repeat, or ids or metadata do not fit the store.
            DataTypeError: If ids or metadata have a type that a store cannot keep.
            StoreBusyError: If other processes hold the store for longer than `timeout_seconds`.
            OutputPathError: If the file cannot be written, or the disk is full. The store is not changed, unless
                `on_disk` says otherwise.
        """
        return self._append(ids, codes, metadata, self._fingerprint, self._code)

    def _append(self, ids: Any, codes: Any, metadata: Any, fingerprint: str | None, code: CodeKind | None) -> int:
        codes = as_code_array(codes)
        count = len(codes) if codes.ndim else 0
        if ids is not None:
            ids = as_objects(checked_ids(ids, "ids"))
            check_distinct(ids, count)
        columns = metadata_columns(metadata, count)
        types = {name: column.sql_type for name, column in columns.items()}
        with self._file.writing(create=True) as (connection, stored):
            if stored is not None:
                check_same_model(fingerprint, stored, self.path)
            known = stored or (None if code is None else note_of(code, fingerprint))
            if stored is not None and code is not None:
                check_same_kind(code, stored, self.path)
            if known is not None:
                check_width(codes, known.num_bits, f"the codes in {self.path}", "Encode with the model of the store.")
            # Where the width is known, rows of nothing but 0 and 1 may be packed.
            codes, num_bits = check_stored_codes(codes, known)
            note = known or StoreNote(num_bits, fingerprint)
            if stored is None:
                id_type = "BIGINT" if ids is None or ids.dtype.kind == "i" else "VARCHAR"
                fields = {name: "VARCHAR" if sql_type == NOTHING else sql_type for name, sql_type in types.items()}
                create_tables(connection, note, id_type, fields)
            ids = next_ids(connection, count, self.path) if ids is None else as_stored_kind(connection, ids)
            check_new_ids(connection, ids, self.path)
            check_columns(connection, types, self.path)
            names = ["id", *word_names(note.num_bits), *columns]
            values = [ids, *to_words(codes), *(column.values for column in columns.values())]
            connection.register("batch", {f"v{number}": value for number, value in enumerate(values)})
            targets = ", ".join(quoted_name(name) for name in names)
            connection.execute(f"INSERT INTO {CODES} ({targets}) SELECT * FROM batch")
            return count_of(connection)

    def search(
        self,
        codes: Any,
        k: int = 10,
        *,
        where: str | Mapping[str, Any] | None = None,
        rescore: Any = None,
        candidates: int = 100,
        metric: str = "euclidean",
        verbose: bool | int = 0,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Find the `k` nearest codes of each query, exactly.

        The codes are loaded into a `HammingIndex`. Without `where` the index is kept in memory until the file changes.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`, or `Queries`.
            k: Maximum number of codes per query.
            where: Which codes to search. A mapping from columns to a value, a list of values, a range as a tuple, or
                None for missing, such as `{"label": ["cat", "dog"], "year": (2000, 2010)}`; no part of it is read as
                SQL. Or an SQL condition on `id` and the metadata, such as `"label = 'cat' AND year > 2020"`. It may
                compare columns and use simple functions, and reaches nothing else. Default: search all codes.
            rescore: What the first `candidates` are ordered by in the end, as in `HammingIndex.search`: rows or longer
                codes of the whole store, also with `where`.
            candidates: Number of codes per query to rescore, at least `k`.
            metric: Distance between rows in rescoring: "euclidean" or "cosine".
            verbose: Show a progress bar if there are many queries.

        Returns:
            Distances and ids as by `HammingIndex.search`, with fewer than `k` columns if fewer codes fulfill the
            condition.

        Raises:
            CodeError: If the queries are not packed or have another width or model, or the store is empty.
            DataError: If the rows for rescoring do not fit.
            ParameterError: If `k` is below 1 or `where` is not a valid condition.
            FileNotFoundError, StoreFileError, StoreBusyError: If the store cannot be read, or `where` takes too long.
        """
        index = self.index(where)
        return index.search(codes, k, rescore=rescore, candidates=candidates, metric=metric, verbose=verbose)

    def index(self, where: str | Mapping[str, Any] | None = None) -> HammingIndex:
        """Load the codes that fulfill a condition into memory for many searches.

        Args:
            where: Condition as in `search`. Default: load all codes.

        Raises:
            CodeError, ParameterError, FileNotFoundError, StoreFileError, StoreBusyError: As for `search`.
        """
        if where is not None:
            return self._load(where)[1]
        kept = self._kept  # read once: another thread may replace it
        if kept is None or kept[0] != self._file.state():
            self._kept = kept = self._load(None)
        return kept[1]

    def get(self, ids: Any) -> StoredRows:
        """Return rows by their ids, in the order of the ids.

        Args:
            ids: Ids of the rows; they may repeat.

        Raises:
            DataError: If one of them is not in the store.
            FileNotFoundError, StoreFileError, StoreBusyError: If the store cannot be read.
        """
        ids = as_objects(checked_ids(ids, "ids"))
        with self._file.reading() as (connection, note):
            ids = as_stored_kind(connection, ids)
            connection.register("wanted", {"id": ids, "position": np.arange(len(ids))})
            found = connection.execute(
                f"SELECT codes.* FROM wanted JOIN {CODES} AS codes ON wanted.id = codes.id ORDER BY wanted.position"
            ).fetchnumpy()
            names = columns_of(connection)
        stored = ids_of(found["id"], self.path)
        if len(stored) < len(ids):
            known = set(stored.tolist())
            missing = [name for name in ids.tolist() if name not in known]
            raise DataError(f"`ids` must be in {self.path}: got {len(missing)} that are not, the first {missing[0]!r}.")
        if stored.tolist() != ids.tolist():
            raise StoreFileError(
                f"{self.path} must have different ids in all rows: got some that repeat. Restore it from a copy."
            )
        codes = codes_of([found[name] for name in word_names(note.num_bits)], note, self.path)
        return StoredRows(ids, codes, {name: found[name] for name in names})

    def delete(self, ids: Any) -> int:
        """Delete rows by their ids, all or none; ids that are not in the store are ignored.

        Args:
            ids: Ids of the rows.

        Returns:
            The number of rows deleted.

        Raises:
            StoreBusyError, OutputPathError: As for `append`.
        """
        ids = as_objects(checked_ids(ids, "ids"))
        with self._file.writing() as (connection, note):
            assert note is not None  # the file exists
            check_same_model(self._fingerprint, note, self.path)
            ids = as_stored_kind(connection, ids)
            before = count_of(connection)
            connection.register("unwanted", {"id": np.unique(ids)})
            connection.execute(f"DELETE FROM {CODES} WHERE id IN (SELECT id FROM unwanted)")
            return before - count_of(connection)

    def export_parquet(self, path: str | Path) -> None:
        """Write all rows to a Parquet file, completely or not at all.

        The columns are `id`, the bytes `c0`, `c1`, … and the metadata. The file records the fingerprint of the model,
        and its own SHA-256. `codeword decode` and `import_parquet` read it.

        Args:
            path: Path of the new file, which ends in `.parquet`.

        Raises:
            TableFileError: If the path does not end in `.parquet`.
            OutputPathError: If the file cannot be written.
        """
        check_parquet(path)
        self._file.require()
        with replaced_with_note_inside(Path(path)) as file, self._file.reading(file.name) as (connection, note):
            columns = ["id", *bytes_in_sql(note.num_bits), *map(quoted_name, columns_of(connection))]
            origin = note_of_bits(note.fingerprint, note.num_bits)
            if note.code is not None:
                origin = {"model": note.fingerprint, "code": note.code.to_config()}
            query = f"(SELECT {', '.join(columns)} FROM {CODES})"
            copy_to(connection, query, file.name, copy_options(".parquet", origin))

    def import_parquet(self, path: str | Path) -> int:
        """Append the rows of a Parquet file that `export_parquet` or `codeword encode` has written.

        Args:
            path: Path of the file.

        Returns:
            The number of rows in the store.

        Raises:
            CodeError: If another model made the codes, or they are neither `Bits` nor `Residual`.
            FileNotFoundError, TableFileError: If the file cannot be read.
            DataError, DataTypeError, StoreBusyError, OutputPathError: As for `append`.
        """
        table = read_code_table(path, fingerprint=self._fingerprint)
        ids = table.others.pop("id", None)
        metadata = {name: values for name, values in table.others.items() if not CODE_COLUMN.fullmatch(name)} or None
        if table.origin is None:
            return self.append(ids, table.codes, metadata)
        fingerprint = table.origin.fingerprint
        fingerprint = self._fingerprint if fingerprint is None else checked_fingerprint(fingerprint, path)
        return self._append(ids, table.codes, metadata, fingerprint, as_storable(table.origin.code))

    def _load(self, where: str | Mapping[str, Any] | None) -> tuple[Any, HammingIndex]:
        with self._file.reading() as (connection, note):
            check_searchable(note, self.path)
            state = self._file.state()
            types, names = types_of(connection), word_names(note.num_bits)
            check_size(count_of(connection) * (note.num_bytes + _BYTES_OF_ID[types["id"]]), self.path)

            def query(condition: str) -> str:
                return f"SELECT {', '.join(['id', *names])} FROM {CODES} WHERE ({condition}\n)"

            if where is None:
                found = connection.execute(query("TRUE")).fetchnumpy()
            else:
                found = self._chosen(connection, query, where, types)
        ids = ids_of(found["id"], self.path)
        if len(ids) == 0 and where is None:
            raise CodeError(f"{self.path} must have codes to search: got none.")
        codes = codes_of([found[name] for name in names], note, self.path)
        return state, HammingIndex._of_store(codes, ids, note, self.path, is_whole=where is None)

    def _chosen(
        self,
        connection: duckdb.DuckDBPyConnection,
        query: Callable[[str], str],
        where: str | Mapping[str, Any],
        types: Mapping[str, str],
    ) -> dict[str, Any]:
        """Return the columns of the rows that fulfill a condition."""
        columns = {"id": types["id"], **columns_of(connection)}
        condition = condition_of(where, columns)
        with self._file.limited(connection):
            try:
                if isinstance(where, str):
                    checked = checked_query(connection, query, where, {**columns, **types})
                    return connection.execute("SELECT * FROM json_execute_serialized_sql(?)", [checked]).fetchnumpy()
                for name, values in condition.lists.items():
                    connection.register(name, {"value": values})
                return connection.execute(query(condition.sql), condition.values).fetchnumpy()
            except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
                raise not_a_condition(where, columns, first_line(error)) from error
