"""What a store takes: whose codes, of which width, with which ids and columns (no Keras)."""

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import Bits
from codeword.errors import CodeError, DataError, DataTypeError, ParameterError
from codeword.search.metadata_columns import NOTHING
from codeword.search.store_file import (
    StoreNote,
    columns_of,
    types_of,
)


def check_timeout(seconds: Any) -> None:
    """Refuses a time that is not a number from 0."""
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not float(seconds) >= 0:
        raise ParameterError(f"`timeout_seconds` must be a number from 0. Received: {seconds!r}.")


def identity_of(model: Any) -> tuple[str, Bits]:
    """Gives the fingerprint and code kind of a fitted model."""
    try:
        return str(model.fingerprint_), only_bits(model.code_)
    except AttributeError as error:
        raise ParameterError(
            f"`model` must be a fitted Autoencoder, which has fingerprint_ and code_. Received: {model!r}. Fit or load "
            "it first."
        ) from error


def only_bits(code: Any) -> Bits:
    """Refuses codes among which Hamming distance means nothing."""
    if not isinstance(code, Bits):
        raise CodeError(
            f"A store holds codes of Bits: Hamming distance means nothing among others. Received: {code}. Train with "
            "code=Bits(64), say, or keep these codes in a table: tables.write_codes."
        )
    return code


def of_stored_width(codes: Any, num_bits: int | None, path: Path) -> NDArray[Any]:
    """Refuses packed codes of another width than those in the store."""
    codes = np.asarray(codes)
    if num_bits is not None and codes.dtype == np.uint8 and codes.ndim == 2:
        num_bytes = Bits(num_bits).num_bytes
        if codes.shape[1] not in (num_bytes, num_bits):  # as many columns as bits: they are not packed
            raise CodeError(
                f"`codes` must have {num_bytes} bytes a row, as those of {path}. Received: {codes.shape[1]}. "
                "Encode with the model of the store."
            )
    return codes


def _has_texts(connection: duckdb.DuckDBPyConnection) -> bool:
    return types_of(connection)["id"] == "VARCHAR"


def of_stored_kind(connection: duckdb.DuckDBPyConnection, ids: NDArray[Any]) -> NDArray[Any]:
    """Refuses ids of another kind than those in the store; no ids at all are of either kind."""
    text = _has_texts(connection)
    if len(ids) == 0:
        return ids.astype(str if text else np.int64)
    if text != (ids.dtype.kind == "U"):
        raise DataTypeError(
            f"`ids` must be {'texts' if text else 'whole numbers'}, as those in the store. Received: "
            f"{ids[0].item()!r}. Convert them."
        )
    return ids


def for_duckdb(ids: NDArray[Any]) -> NDArray[Any]:
    """Gives texts as objects, which DuckDB reads twenty times as fast as NumPy's own texts."""
    return ids.astype(object) if ids.dtype.kind == "U" else ids


def new_ids(connection: duckdb.DuckDBPyConnection, count: int, path: Path) -> NDArray[np.int64]:
    """Gives the whole numbers that follow the greatest id."""
    if _has_texts(connection):
        raise DataTypeError(f"`ids` must be texts, as those in {path}. Received: None. Give each row a text.")
    greatest = connection.execute("SELECT coalesce(max(id), -1) FROM codes").fetchall()[0][0]
    if greatest + count >= 2**63:
        raise DataError(
            f"`ids` must be given: numbers after {greatest} have no 64 bits. Received: None. Give free ones."
        )
    return np.arange(greatest + 1, greatest + 1 + count)


def check_new_ids(connection: duckdb.DuckDBPyConnection, ids: NDArray[Any], path: Path) -> None:
    """Refuses ids that the store has already."""
    connection.register("new_ids", {"id": for_duckdb(ids)})
    known = connection.execute("SELECT id FROM new_ids SEMI JOIN codes USING (id) ORDER BY id").fetchnumpy()["id"]
    if len(known):
        raise DataError(
            f"`ids` must not be in {path} yet. Received: {len(known)} that are, the first {known[0]!s}. Delete those "
            "rows first, or give new ids; nothing was appended."
        )


def check_columns(connection: duckdb.DuckDBPyConnection, note: StoreNote, given: Mapping[str, str], path: Path) -> None:
    """Refuses metadata of other columns or types than those of the store."""
    there = columns_of(connection, note)
    wider = {"BIGINT": "DOUBLE"}  # whole numbers among others lose nothing that DOUBLE has not lost already
    fits = {
        name: kind in (NOTHING, there.get(name)) or wider.get(kind) == there.get(name) for name, kind in given.items()
    }
    if set(given) != set(there) or not all(fits.values()):
        raise DataError(
            f"`metadata` must have the columns of {path}: {_listed(there)}. Received: {_listed(given)}. "
            "Give the same names and types in every batch; nothing was appended."
        )


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items()) or "none"
