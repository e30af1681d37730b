"""Checks of what a store accepts: models, code widths, ids and columns (no Keras)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import Bits
from codeword.errors import CodeError, DataError, DataTypeError, ParameterError
from codeword.search.metadata_columns import NOTHING
from codeword.search.store_file import StoreNote, columns_of, types_of


def identity_of(model: Any) -> tuple[str, Bits]:
    """Return the fingerprint and code kind of a fitted model."""
    try:
        return str(model.fingerprint_), as_bits(model.code_)
    except AttributeError as error:
        raise ParameterError(f"`model` must be a fitted Autoencoder: got {model!r}. Fit or load it first.") from error


def as_bits(code: Any) -> Bits:
    """Return a code kind, or raise if Hamming distance has no meaning for it."""
    if not isinstance(code, Bits):
        raise CodeError(
            f"A store holds codes of Bits, as Hamming distance has no meaning for others: got {code}. Train with "
            "code=Bits(64), or write these codes to a table file."
        )
    return code


def check_same_model(fingerprint: str | None, note: StoreNote, path: Path) -> None:
    """Check that a store holds codes of the expected model, if one is expected."""
    if fingerprint is not None and note.fingerprint != fingerprint:
        found = "an unknown model" if note.fingerprint is None else f"model {note.fingerprint[:12]}"
        raise CodeError(
            f"{path} must hold codes of model {fingerprint[:12]}: got codes of {found}. Use the model that made "
            "them, or another path."
        )


def _has_text_ids(connection: duckdb.DuckDBPyConnection) -> bool:
    return types_of(connection)["id"] == "VARCHAR"


def as_stored_kind(connection: duckdb.DuckDBPyConnection, ids: NDArray[Any]) -> NDArray[Any]:
    """Return ids, or raise if they are not of the kind in the store; an empty array fits either kind."""
    text = _has_text_ids(connection)
    if len(ids) == 0:
        return ids.astype(str if text else np.int64)
    if text != (ids.dtype.kind == "U"):
        raise DataTypeError(
            f"`ids` must be {'strings' if text else 'integers'}, like the ids in the store: got {ids[0].item()!r}."
        )
    return ids


def for_duckdb(ids: NDArray[Any]) -> NDArray[Any]:
    """Return strings as objects, which DuckDB reads 20 times as fast as NumPy's strings."""
    return ids.astype(object) if ids.dtype.kind == "U" else ids


def next_ids(connection: duckdb.DuckDBPyConnection, count: int, path: Path) -> NDArray[np.int64]:
    """Return the integers that follow the greatest id."""
    if _has_text_ids(connection):
        raise DataTypeError(f"`ids` must be strings, like the ids in {path}: got None.")
    greatest = connection.execute("SELECT coalesce(max(id), -1) FROM codes").fetchall()[0][0]
    if greatest + count >= 2**63:
        raise DataError(f"`ids` must be passed, as no 64-bit integers follow {greatest}: got None.")
    return np.arange(greatest + 1, greatest + 1 + count)


def check_new_ids(connection: duckdb.DuckDBPyConnection, ids: NDArray[Any], path: Path) -> None:
    """Check that the store does not contain any of the ids."""
    connection.register("new_ids", {"id": for_duckdb(ids)})
    known = connection.execute("SELECT id FROM new_ids SEMI JOIN codes USING (id) ORDER BY id").fetchnumpy()["id"]
    if len(known):
        raise DataError(
            f"`ids` must not be in {path} yet: got {len(known)} that are, the first {known[0]!s}. Delete those rows "
            "first, or use new ids. Nothing was appended."
        )


def check_columns(connection: duckdb.DuckDBPyConnection, note: StoreNote, given: Mapping[str, str], path: Path) -> None:
    """Check that metadata has the columns and types of the store."""
    stored = columns_of(connection, note)
    wider = {"BIGINT": "DOUBLE"}  # integers may go into a column of floats, which loses nothing new
    fits = {
        name: kind in (NOTHING, stored.get(name)) or wider.get(kind) == stored.get(name) for name, kind in given.items()
    }
    if set(given) != set(stored) or not all(fits.values()):
        raise DataError(
            f"`metadata` must have the columns of {path}, {_listed(stored)}: got {_listed(given)}. Use the same names "
            "and types in every batch. Nothing was appended."
        )


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items()) or "none"
