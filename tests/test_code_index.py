"""Codes without a Hamming distance, searched by the rows that a model decodes from them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import codeword as cw
from codeword.code_kinds import packing
from codeword.errors import CodeError, DataError, ParameterError
from codeword.search import CodeIndex, KeptRows, Queries, nearest_rows
from codeword.search.additive_tables import AdditiveScan, additive_tables

RNG = np.random.default_rng(0)
TABLES = RNG.normal(size=(3, 5, 6)).astype(np.float32) * [[[4]], [[2]], [[1]]]
SYMBOLS = RNG.integers(0, 5, (400, 3))
KIND = cw.Choices(3, size=5)  # nine bits: symbols that cross bytes
CODES = packing.pack(SYMBOLS, KIND)
QUERIES = RNG.normal(size=(9, 2, 3)).astype(np.float32)


def rows_of(codes: Any) -> np.ndarray:
    """A decoder that is nearly a sum over the symbols."""
    symbols = packing.unpack(codes, KIND)
    rows = TABLES[np.arange(3), symbols].sum(axis=1)
    return (rows + 0.1 * np.sin(rows)).astype(np.float32).reshape(-1, 2, 3)


MODEL = SimpleNamespace(code_=KIND, decode=rows_of)


def test_tables_find_the_sums() -> None:
    rows = TABLES[np.arange(3), SYMBOLS].sum(axis=1, dtype=np.float32)
    tables = additive_tables(SYMBOLS.astype(np.uint8), rows, 5)
    np.testing.assert_allclose(tables[np.arange(3), SYMBOLS].sum(axis=1), rows, atol=0.02)
    scan = AdditiveScan(SYMBOLS.astype(np.uint8), np.square(rows).sum(axis=1), tables)
    queries = QUERIES.reshape(9, 6)
    apart = ((queries[:, None] - rows) ** 2).sum(axis=2)
    found = np.take_along_axis(apart, scan.nearest(queries, 20), axis=1)
    np.testing.assert_allclose(found, np.sort(apart, axis=1)[:, :20], atol=0.05)


@pytest.mark.parametrize("ids", [None, RNG.permutation(1_000)[:400], [f"r{n:03}" for n in RNG.permutation(400)]])
def test_the_nearest_decoded_rows_are_found(ids: Any) -> None:
    index = CodeIndex(CODES, ids, model=MODEL)
    rows, names = rows_of(CODES), np.arange(400) if ids is None else np.array(ids)
    apart = np.sqrt(((QUERIES[:, None] - rows) ** 2).sum(axis=(2, 3)))
    orders = [np.lexsort((names, row))[:10] for row in apart]  # equal codes in the order of their ids
    distances, found = index.search(QUERIES, 10)
    np.testing.assert_allclose(distances, np.take_along_axis(apart, np.array(orders), axis=1), rtol=1e-5)
    np.testing.assert_array_equal(found, names[np.array(orders)])
    alone = index.search(QUERIES[3:4], 10)
    assert (alone[1][0].tolist(), index.search(QUERIES, 10**6)[1].shape) == (found[3].tolist(), (9, 400))


def test_candidates_are_ordered_by_kept_rows() -> None:
    index, rows = CodeIndex(CODES, model=MODEL), RNG.normal(size=(400, 6)).astype(np.float32)
    expected = nearest_rows(rows, QUERIES.reshape(9, 6), 5)
    for rescore in (rows, KeptRows(rows[::-1], np.arange(400)[::-1])):
        assert index.search(QUERIES, 5, rescore=rescore, candidates=400)[1].tolist() == expected.tolist()


def test_what_is_refused() -> None:
    index = CodeIndex(CODES, model=MODEL)
    for error, message, call in (
        (DataError, "6 numbers per row, like the decoded rows: got 3", lambda: index.search(QUERIES[:, 0])),
        (DataError, r"at least one query, shape \(q, ...\): got shape \(0, 2, 3\)", lambda: index.search(QUERIES[:0])),
        (ParameterError, "got Queries of codes alone", lambda: index.search(Queries(CODES[:2]))),
        (ParameterError, "`metric` must be", lambda: index.search(QUERIES, metric="dot")),
        (DataError, "one row per code, 400: got 399", lambda: index.search(QUERIES, rescore=np.zeros((399, 6)))),
        (CodeError, r"the bytes of Choices", lambda: CodeIndex(CODES[:, :1], model=MODEL)),
        (CodeError, "must lie between 0 and 4", lambda: CodeIndex(np.array([[224, 0]], np.uint8), model=MODEL)),
        (CodeError, "at least one row", lambda: CodeIndex(CODES[:0], model=MODEL)),
        (ParameterError, "at most 256 values", lambda: CodeIndex(CODES, model=cw.Autoencoder())),
        (DataError, "399 ids for 400", lambda: CodeIndex(CODES, np.arange(399), model=MODEL)),
    ):
        with pytest.raises(error, match=message):
            call()


def test_a_model_of_residual_codebooks(untrained: None) -> None:
    rows = RNG.normal(size=(300, 4)).astype(np.float32)
    ae = cw.Autoencoder(data=cw.Real(), code=cw.Residual(2, size=8), epochs=1, verbose=0).fit(rows)
    codes = ae.encode(rows)
    found = CodeIndex(codes, model=ae).search(rows[:5], 3)[0]
    apart = np.sqrt(((rows[:5, None] - ae.decode(codes)) ** 2).sum(axis=2))
    np.testing.assert_allclose(found, np.sort(apart, axis=1)[:, :3], rtol=1e-4)
