"""Asymmetric search and rescoring against plain NumPy, and what is refused."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import codeword as cw
from codeword.code_kinds.packing import pack_bits
from codeword.errors import CodeError, DataError, DataTypeError, ParameterError
from codeword.search import CodeStore, HammingIndex, KeptRows, Queries

RNG = np.random.default_rng(0)
NUM_BITS, COUNT = 20, 300
BITS = RNG.integers(0, 2, (40, NUM_BITS))[RNG.integers(0, 40, COUNT)]  # many equal codes
CODES = pack_bits(BITS)
IDS = RNG.permutation(1_000)[:COUNT]
QUERY_BITS = BITS[:7] ^ (RNG.random((7, NUM_BITS)) < 0.2)
MARGINS = RNG.random((7, NUM_BITS)).astype(np.float32)
ROWS, WANTED = RNG.normal(size=(COUNT, 2, 3)).astype(np.float32), RNG.normal(size=(7, 2, 3)).astype(np.float32)
QUERIES = Queries(pack_bits(QUERY_BITS), margins=MARGINS, rows=WANTED)


def nearest(distances: Any, ids: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and ids of the nearest, among equal distances the lower id first."""
    orders = np.array([np.lexsort((ids, row))[:k] for row in distances])
    return np.take_along_axis(distances, orders, axis=1), ids[orders]


def apart(rows: Any = ROWS) -> np.ndarray:
    return np.sqrt(((WANTED[:, None] - rows[None]) ** 2).sum(axis=(2, 3)))


@pytest.mark.parametrize("scale", [1, 1e-12, 1e12])
def test_asymmetric_distances_are_those_of_plain_numpy(scale: float) -> None:
    queries = Queries(QUERIES.codes, margins=MARGINS.astype(np.float64) * scale)
    weighted = ((QUERY_BITS[:, None] != BITS) * queries.margins[:, None]).sum(axis=2)
    distances, ids = nearest(weighted, IDS, 50)
    found, found_ids = HammingIndex(CODES, IDS, num_bits=NUM_BITS).search(queries, 50)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, distances, rtol=1e-5)
    np.testing.assert_array_equal(found_ids, ids)


def test_equal_margins_are_hamming_distance_with_its_ties() -> None:
    index = HammingIndex(CODES, IDS, num_bits=NUM_BITS)
    for margin in (1, 0.25):
        queries = Queries(QUERIES.codes, margins=np.full((7, NUM_BITS), margin))
        for found, plain in zip(index.search(queries, 60), index.search(QUERIES.codes, 60), strict=True):
            np.testing.assert_array_equal(found, plain if found.dtype == np.int64 else plain * margin)
    nothing = Queries(QUERIES.codes, margins=np.zeros((7, NUM_BITS)))
    assert (index.search(nothing, 60)[1] == index.ids[:60]).all()


def test_a_query_alone_is_answered_as_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    index = HammingIndex(CODES, num_bits=NUM_BITS)
    together = index.search(QUERIES, 9), index.search(QUERIES, 9, rescore=ROWS)
    monkeypatch.setattr("codeword.search.weighted_scan._MOST_CELLS", 1)
    monkeypatch.setattr("codeword.search.rescoring._MOST_CELLS", 1)
    for number in range(7):
        alone = QUERIES[number : number + 1]
        for found, expected in zip(
            (index.search(alone, 9), index.search(alone, 9, rescore=ROWS)), together, strict=True
        ):
            np.testing.assert_array_equal(found[0][0], expected[0][number])
            np.testing.assert_array_equal(found[1][0], expected[1][number])


@pytest.mark.parametrize("form", ["array", "float16", "named", "model", "memory map"])
def test_candidates_are_ordered_by_their_rows(form: str, tmp_path: Any) -> None:
    rows = np.asarray(ROWS, np.float16 if form == "float16" else np.float32)
    ids, rescore = np.arange(COUNT), rows
    if form == "named":
        ids = IDS
        order = RNG.permutation(COUNT)
        rescore = KeptRows(rows[order], IDS[order])
    elif form == "model":  # codes are row numbers here, each of another row
        rescore = SimpleNamespace(decode=lambda codes: rows[codes.astype(int) @ [256, 1]])
    elif form == "memory map":
        np.save(tmp_path / "rows.npy", rows)
        rescore = np.load(tmp_path / "rows.npy", mmap_mode="r")
    codes, queries = CODES, QUERIES
    if form == "model":
        codes = np.arange(COUNT, dtype=">u2").view(np.uint8).reshape(-1, 2)
        queries = Queries(codes[:7], rows=WANTED)
    index = HammingIndex(codes, ids, num_bits=16 if form == "model" else NUM_BITS)
    found, found_ids = index.search(queries, 5, rescore=rescore, candidates=COUNT)
    distances, expected = nearest(apart(rows.astype(np.float32)), ids, 5)
    np.testing.assert_allclose(found, distances, rtol=1e-5)
    np.testing.assert_array_equal(found_ids, expected)
    few, few_ids = index.search(queries, 5, rescore=rescore, candidates=30)
    first = index.search(queries, 30)[1]
    assert all(set(few_ids[number]) <= set(first[number]) for number in range(7))
    assert (few >= found - 1e-6).all()
    assert index.search(queries, 1_000, rescore=rescore, candidates=1)[1].shape == (7, COUNT)


def test_cosine_and_scales() -> None:
    index = HammingIndex(CODES, num_bits=NUM_BITS)
    rows, wanted = (part.reshape(len(part), -1).astype(np.float64) for part in (ROWS, WANTED))
    cosines = (wanted / np.linalg.norm(wanted, axis=1)[:, None]) @ (rows / np.linalg.norm(rows, axis=1)[:, None]).T
    distances, ids = nearest(1 - cosines, np.arange(COUNT), 5)
    settings: Any = {"k": 5, "candidates": COUNT, "metric": "cosine"}
    found, found_ids = index.search(QUERIES, rescore=ROWS, **settings)
    np.testing.assert_allclose(found, distances, atol=1e-6)
    np.testing.assert_array_equal(found_ids, ids)
    whole = np.rint(40 * ROWS).clip(-128, 127).astype(np.int8)
    assert (index.search(QUERIES, rescore=whole, **settings)[1] == ids).mean() > 0.9
    quantized = KeptRows.quantized(ROWS)
    assert quantized.values.dtype == np.int8
    for kept in (
        quantized,
        KeptRows(whole, scale=1 / 40),
        KeptRows(whole + 1, scale=np.full(6, 1 / 40), offset=-1 / 40),
    ):
        found, _ = index.search(QUERIES, 5, rescore=kept, candidates=COUNT)
        np.testing.assert_allclose(found, np.sort(apart(), axis=1)[:, :5], atol=0.05)


def test_longer_codes_rescore_their_first_bits() -> None:
    index = HammingIndex(CODES[:, :1])
    for queries in (QUERIES, Queries(QUERIES.codes, num_bits=NUM_BITS)):
        whole = HammingIndex(CODES, num_bits=NUM_BITS).search(queries, 8)
        for found, expected in zip(index.search(queries, 8, rescore=CODES, candidates=COUNT), whole, strict=True):
            np.testing.assert_array_equal(found, expected)
    first = QUERIES.prefix(13)
    assert (first.num_bits, first.margins.shape, first.codes[:, 1].max() & 7) == (13, (7, 13), 0)
    np.testing.assert_array_equal(first.codes, pack_bits(QUERY_BITS[:, :13]))
    with pytest.raises(CodeError, match="must lie between 1 and 20: got 21"):
        QUERIES.prefix(21)


ONE_ROW, WIDE = ROWS[:1], np.zeros((COUNT, 6))
WITH_NAN = np.where(np.arange(COUNT)[:, None] == 3, np.nan, WIDE)
TEXT_IDS = np.arange(COUNT).astype(str)


@pytest.mark.parametrize(
    ("error", "message", "ids", "rescore", "settings"),
    [
        (DataError, "one row per code, 300: got 299 rows", None, ROWS[1:], {}),
        (DataError, "6 numbers per row, like the rows of the queries: got 3", None, ROWS[:, 0], {}),
        (DataError, "did not come in the order of their ids", IDS, np.zeros((1_000, 6)), {}),
        (DataError, "for each id of the index, 5 to 304: got 300 rows", np.arange(5, 305), ROWS, {}),
        (DataTypeError, "as the index has strings, the first '0'", TEXT_IDS, ROWS, {}),
        (DataError, "none for 299 of them, the first 0", None, KeptRows(ONE_ROW, [9]), {}),
        (DataTypeError, "must be integers, like the ids of the index: got 'a'", None, KeptRows(ONE_ROW, ["a"]), {}),
        (DataError, "or NaN, in row 3", None, WITH_NAN, {}),
        (DataError, "got zeros in the id 0", None, WIDE, {"metric": "cosine"}),
        (ParameterError, "'cosine' for whole numbers whose scale is unknown", None, WIDE.astype(np.int8), {}),
        (DataError, r"3 bytes per row.* got shape \(300, 6\)", None, WIDE.astype(np.uint8), {}),
        (ParameterError, "`metric` must be", None, ROWS, {"metric": "dot"}),
        (ParameterError, "`candidates` must be", None, ROWS, {"candidates": 0}),
        (DataError, r"must have shape \(n, d\): got shape \(300,\)", None, WIDE[:, 0], {}),
    ],
    ids=range(14),
)
def test_rescoring_that_is_refused(error: Any, message: str, ids: Any, rescore: Any, settings: Any) -> None:
    index = HammingIndex(CODES, ids, num_bits=NUM_BITS)
    with pytest.raises(error, match=message):
        index.search(QUERIES, rescore=rescore, **{"candidates": COUNT, **settings})


@pytest.mark.parametrize(
    ("error", "message", "settings"),
    [
        (DataError, r"one number per bit, shape \(7, 24\): got shape \(7, 24, 1\)", {"margins": np.ones((7, 24, 1))}),
        (DataError, "at least 0: got -1. Pass their absolute values", {"margins": -np.ones((7, 24))}),
        (DataError, "`margins` must be finite|`margins` must", {"margins": np.full((7, 24), np.nan)}),
        (DataTypeError, "`rows` must hold numbers", {"rows": ["a"] * 7}),
        (DataError, "`rows` must lie between -1e18 and 1e18: got 1e[+]300", {"rows": np.full((7, 2), 1e300)}),
        (DataError, r"one row per code, 7: got shape \(6, 2\)", {"rows": np.zeros((6, 2))}),
        (CodeError, r"the bytes of Bits\(num_bits=20\)|other bits", {"margins": np.ones((7, 20))}),
    ],
    ids=range(7),
)
def test_queries_that_are_refused(error: Any, message: str, settings: Any) -> None:
    with pytest.raises(error, match=message):
        Queries(np.full((7, 3), 255, np.uint8), **settings)


def test_bits_that_nobody_counted_fit_by_their_bytes() -> None:
    expected = [found.tolist() for found in HammingIndex(CODES, num_bits=NUM_BITS).search(QUERIES, 9, rescore=ROWS)]
    for index in (HammingIndex(CODES), HammingIndex(CODES, num_bits=NUM_BITS)):
        assert [found.tolist() for found in index.search(QUERIES, 9, rescore=ROWS)] == expected
        assert index.search(Queries(QUERIES.codes), 9)[1].tolist() == index.search(QUERIES.codes, 9)[1].tolist()
    with pytest.raises(CodeError, match="a row with other bits there"):
        HammingIndex(CODES, num_bits=NUM_BITS).search(Queries(QUERIES.codes | 1))


def test_queries_of_other_codes_are_refused() -> None:
    index = HammingIndex(CODES, num_bits=NUM_BITS)
    for queries, message in (
        (QUERIES.prefix(17), "must have 20 bits, like the indexed codes: got 17"),
        (QUERIES.prefix(8), "must have 3 bytes per row, like the indexed codes: got 1"),
        (Queries(CODES, num_bits=20)[:0], "at least one query"),
    ):
        with pytest.raises(CodeError, match=message):
            index.search(queries)
    with pytest.raises(ParameterError, match="must be Queries with rows to rescore by rows"):
        index.search(CODES[:2], rescore=ROWS)


def test_a_store_searches_with_what_queries_know(tmp_path: Any) -> None:
    model = SimpleNamespace(fingerprint_="ab" * 32, code_=cw.Bits(NUM_BITS))
    store = CodeStore(tmp_path / "codes.duckdb", model=model)
    store.append(None, CODES, {"even": np.arange(COUNT) % 2 == 0})
    index = HammingIndex(CODES, num_bits=NUM_BITS)
    for settings in ({}, {"rescore": ROWS, "candidates": 40}):
        for found, expected in zip(
            store.search(QUERIES, 9, **settings), index.search(QUERIES, 9, **settings), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    found = store.search(QUERIES, 9, where={"even": True}, rescore=ROWS, candidates=COUNT)[1]
    np.testing.assert_array_equal(found, nearest(apart()[:, ::2], np.arange(0, COUNT, 2), 9)[1])
    assert store.search(QUERIES, 9, where="id < 4", rescore=ROWS)[1].shape == (7, 4)
    with pytest.raises(
        CodeError, match="must be of model abababababab, like the indexed codes: got codes of model cdcd"
    ):
        store.search(Queries(QUERIES.codes, margins=MARGINS, fingerprint="cd" * 32))


def test_the_model_makes_the_queries(untrained: None) -> None:
    rows = RNG.normal(size=(60, 5)).astype(np.float32)
    ae = cw.Autoencoder(data=cw.Real(), code=cw.Bits(12), hidden=(8,), epochs=1, verbose=0).fit(rows)
    queries = ae.queries(rows[:4])
    codes, margins = ae.encode(rows[:4], return_margin=True)
    np.testing.assert_array_equal(queries.codes, codes)
    np.testing.assert_array_equal(queries.margins, margins)
    np.testing.assert_array_equal(queries.rows, rows[:4])
    assert queries.fingerprint == ae.fingerprint_
    index = HammingIndex(ae.encode(rows), num_bits=12)
    assert index.search(queries, 1)[0].max() == 0
    assert index.search(queries, 1, rescore=rows)[1].ravel().tolist() == [0, 1, 2, 3]
    assert np.isfinite(index.search(queries, 3, rescore=ae)[0]).all()
    scalars = cw.Autoencoder(data=cw.Real(), code=cw.Scalars(3), hidden=(8,), epochs=1, verbose=0).fit(rows)
    with pytest.raises(CodeError, match="codes of Bits"):
        scalars.queries(rows)
