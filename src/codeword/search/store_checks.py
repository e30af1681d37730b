"""Checks of what a store accepts: models, code widths, ids and columns (no Keras)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds import Bits, CodeKind
from codeword.code_kinds.packing import check_bit_codes, unpack
from codeword.errors import CodeError, DataError, DataTypeError, ParameterError, StoreFileError
from codeword.search.code_words import from_words
from codeword.search.metadata_columns import NOTHING
from codeword.search.store_schema import CODES, FINGERPRINT, StoreNote, columns_of, types_of


def identity_of(model: Any) -> tuple[str, CodeKind]:
    """Return the fingerprint and code kind of a fitted model."""
    try:
        code = as_storable(model.code_)
        return checked_fingerprint(model.fingerprint_, "`model`"), code
    except AttributeError as error:
        raise ParameterError(
            f"`model` must be a fitted Autoencoder, or the item codes of a recommender: got {model!r}. Fit or load it "
            "first."
        ) from error


def checked_fingerprint(fingerprint: Any, source: Any) -> str:
    """Return a fingerprint, or raise if it is not the SHA-256 of a model."""
    if not isinstance(fingerprint, str) or not FINGERPRINT.fullmatch(fingerprint):
        raise CodeError(
            f"{source} must have the fingerprint of a model, 64 hexadecimal digits: got {str(fingerprint)[:70]!r}."
        )
    return fingerprint


def as_storable(code: CodeKind) -> CodeKind:
    """Return a code kind, or raise if a store cannot hold such codes."""
    return code if code.quantizes_rows else as_bits(code)


def check_same_kind(code: CodeKind, note: StoreNote, path: Path) -> None:
    """Check that a store holds codes of this kind."""
    if note.code != (None if code.has_hamming_distance else code):
        raise CodeError(f"{path} must hold codes of {code}: got codes of {note.code or Bits(note.num_bits)}.")


def check_searchable(note: StoreNote, path: Path) -> None:
    """Check that the codes of a store have a Hamming distance."""
    if note.code is not None:
        raise CodeError(
            f"{path} must hold codes of Bits to be searched by Hamming distance: got {note.code}. Decode the codes "
            "that `get` returns, and search the rows by `search.nearest_rows`."
        )


def check_stored_codes(codes: Any, wanted: StoreNote | None) -> tuple[NDArray[np.uint8], int]:
    """Return packed codes and the number of their bits, after checking that they are of the wanted kind."""
    codes, num_bits = check_bit_codes(codes, None if wanted is None else wanted.num_bits)
    if wanted is not None and wanted.code is not None:
        unpack(codes, wanted.code)  # raises for symbols that the kind does not have
    return codes, num_bits


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
        return ids.astype(object if text else np.int64)
    if text != (ids.dtype.kind != "i"):
        kind, (first, *_) = "strings" if text else "integers", ids[:1].tolist()
        raise DataTypeError(f"`ids` must be {kind}, like the ids in the store: got {first!r}.")
    return ids


def next_ids(connection: duckdb.DuckDBPyConnection, count: int, path: Path) -> NDArray[np.int64]:
    """Return the integers that follow the greatest id."""
    if _has_text_ids(connection):
        raise DataTypeError(f"`ids` must be strings, like the ids in {path}: got None.")
    greatest = connection.execute(f"SELECT coalesce(max(id), -1) FROM {CODES}").fetchall()[0][0]
    if greatest + count >= 2**63:
        raise DataError(f"`ids` must be passed, as no 64-bit integers follow {greatest}: got None.")
    return greatest + 1 + np.arange(count)  # a range up to 2**63 would be of floats


def check_new_ids(connection: duckdb.DuckDBPyConnection, ids: NDArray[Any], path: Path) -> None:
    """Check that the store does not contain any of the ids."""
    connection.register("new_ids", {"id": ids})
    known = connection.execute(f"SELECT id FROM new_ids SEMI JOIN {CODES} USING (id) ORDER BY id").fetchnumpy()["id"]
    if len(known):
        raise DataError(
            f"`ids` must not be in {path} yet: got {len(known)} that are, the first {known[0]!s}. Delete those rows "
            "first, or use new ids. Nothing was appended."
        )


def check_columns(connection: duckdb.DuckDBPyConnection, given: Mapping[str, str], path: Path) -> None:
    """Check that metadata has the columns and types of the store."""
    stored = columns_of(connection)
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


def ids_of(found: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return ids that were read from a store, or raise if some are missing or of another type."""
    if np.ma.is_masked(found) or found.dtype.kind not in "iO":
        raise _damaged(path, "ids", "missing or odd ones")
    return np.ma.getdata(found)


def codes_of(words: list[Any], note: StoreNote, path: Path) -> NDArray[np.uint8]:
    """Return packed codes for words that were read from a store, or raise if they cannot be codes."""
    if any(np.ma.is_masked(word) or word.dtype != np.uint64 for word in words):
        raise _damaged(path, "codes", "missing or odd ones")
    codes = from_words([np.ma.getdata(word) for word in words], 8 * len(words))
    if codes[:, note.num_bytes :].any():
        raise _damaged(path, "codes", f"bits beyond the {note.num_bits} of a code")
    codes = np.ascontiguousarray(codes[:, : note.num_bytes])
    try:
        return check_bit_codes(codes, note.num_bits)[0] if len(codes) else codes
    except CodeError as error:
        raise _damaged(path, "codes", f"bits beyond the {note.num_bits} of a code") from error


def _damaged(path: Path, what: str, found: str) -> StoreFileError:
    return StoreFileError(f"{path} must have {what} in all rows: got {found}. Restore it from a copy.")
