"""The exact index against plain NumPy: distances, ties ordered by id, refusals; and what it does not load."""

import copy
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codeword
from codeword.code_kinds import Bits, Scalars
from codeword.code_kinds.packing import pack_bits
from codeword.errors import CodeError, DataError, DataTypeError, ParameterError, StoreFileError, TableFileError
from codeword.files.output_table import write_codes
from codeword.search import CodeStore, HammingIndex, KeptRows, faiss_threads, nearest_rows
from codeword.search.store_schema import StoreNote

CODES = np.array([[0b1111], [0b0001], [0b0011], [0b0001]], np.uint8)
ZERO = np.array([[0]], np.uint8)


def expected(codes: np.ndarray, ids: Any, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gives all distances and ids, nearest first, of equal ones the lower id."""
    distances = np.unpackbits(queries[:, None] ^ codes, axis=2).sum(axis=2, dtype=int)
    ids = np.asarray(ids)
    orders = [np.lexsort((ids, row)) for row in distances]
    return np.take_along_axis(distances, np.array(orders), axis=1), ids[np.array(orders)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Any, np.ndarray]:
    """Draws few different codes many times over, so that most distances are ties, and queries beside them."""
    num_bytes, count = draw(st.integers(1, 40)), draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    few = rng.integers(0, 256, (3, num_bytes), dtype=np.uint8) | 2  # no bytes of nothing but 0 and 1
    ids = draw(
        st.one_of(
            st.none(),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count, unique=True),
            st.lists(
                st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
                min_size=count,
                max_size=count,
                unique=True,
            ),
        )
    )
    codes = few[rng.integers(0, 3, count)]
    queries = rng.integers(0, 256, (2, num_bytes), dtype=np.uint8)
    return codes, ids, np.concatenate([few[:1], queries])


@settings(max_examples=60, deadline=None)
@given(cases(), st.data())
def test_the_nearest_are_exact_and_ties_are_in_the_order_of_the_ids(case: Any, data: st.DataObject) -> None:
    codes, ids, queries = case
    index = HammingIndex(codes, ids)
    distances, names = expected(codes, np.arange(len(codes)) if ids is None else ids, queries)
    k = data.draw(st.integers(1, len(codes)))
    found, found_ids = index.search(queries, k)
    assert (len(index), index.num_bits) == (len(codes), 8 * codes.shape[1])
    assert (found.dtype, found.shape, found_ids.shape) == (np.int32, (3, k), (3, k))
    np.testing.assert_array_equal(found, distances[:, :k])
    np.testing.assert_array_equal(found_ids, names[:, :k])

    limit = data.draw(st.integers(0, index.num_bits + 3))
    near, near_ids = index.within(queries, limit)
    assert len(near) == len(near_ids) == 3
    for query in range(3):
        chosen = distances[query] <= limit
        assert near[query].dtype == np.int32
        np.testing.assert_array_equal(near[query], distances[query, chosen])
        np.testing.assert_array_equal(near_ids[query], names[query, chosen])


def test_many_ties_among_many_codes() -> None:
    rng = np.random.default_rng(0)
    codes, queries = rng.integers(0, 4, (2_000, 4), dtype=np.uint8), rng.integers(0, 4, (60, 4), dtype=np.uint8)
    ids = rng.permutation(5_000)[:2_000] - 1_000
    distances, names = expected(codes, ids, queries)
    for k in (1, 7, 500, 2_000):
        found, found_ids = HammingIndex(codes, ids).search(queries, k)
        np.testing.assert_array_equal(found, distances[:, :k])
        np.testing.assert_array_equal(found_ids, names[:, :k])
    near, near_ids = HammingIndex(codes, ids).within(queries, 3)
    for query in range(60):
        count = int((distances[query] <= 3).sum())
        np.testing.assert_array_equal(near[query], distances[query, :count])
        np.testing.assert_array_equal(near_ids[query], names[query, :count])


@pytest.mark.parametrize("verbose", [0, 1])
def test_more_queries_than_a_block(capsys: pytest.CaptureFixture[str], verbose: int) -> None:
    rng = np.random.default_rng(1)
    codes, queries = rng.integers(0, 256, (20, 2), dtype=np.uint8), rng.integers(0, 256, (4_099, 2), dtype=np.uint8)
    ids = [f"r{number:02}" for number in rng.permutation(20)]
    distances, names = expected(codes, ids, queries)
    found, found_ids = HammingIndex(codes, ids).search(queries, 5, verbose=verbose)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, distances[:, :5])
    np.testing.assert_array_equal(found_ids, names[:, :5])
    assert ("search: 100%" in capsys.readouterr().err) == bool(verbose)


def test_within_takes_what_lies_at_the_distance() -> None:
    index = HammingIndex(CODES, ["d", "c", "b", "a"])
    by_limit = {0: [], 1: ["a", "c"], 2: ["a", "c", "b"], 3: ["a", "c", "b"], 4: ["a", "c", "b", "d"]}
    for limit, ids in {**by_limit, 8: by_limit[4], 2**62: by_limit[4]}.items():
        (distances,), (found,) = index.within(ZERO, limit)
        assert found.tolist() == ids
        assert distances.tolist() == [1, 1, 2, 4][: len(ids)]
    (none, same), (no_id, ids) = index.within(np.array([[0], [3]], np.uint8), 0)
    assert (none.tolist(), no_id.tolist(), same.tolist(), ids.tolist()) == ([], [], [0], ["b"])


def test_one_code() -> None:
    index = HammingIndex(CODES[:1])
    assert [array.tolist() for array in index.search(ZERO, 1)] == [[[4]], [[0]]]
    assert [array[0].tolist() for array in index.within(ZERO, 4)] == [[4], [0]]


def test_padding_adds_nothing() -> None:
    bits = np.random.default_rng(2).integers(0, 2, (40, 10))
    codes = pack_bits(bits)
    index = HammingIndex(codes, num_bits=10)
    assert index.num_bits == 10
    distances, ids = index.search(codes[:5], 40)
    differing = np.abs(bits[:5, None] - bits).sum(axis=2)
    np.testing.assert_array_equal(distances, np.sort(differing, axis=1))
    np.testing.assert_array_equal(ids, np.argsort(differing, axis=1, kind="stable"))
    assert len(index.within(codes[:1], 10)[0][0]) == 40


def test_codes_are_copied_and_may_lie_anyhow_in_memory() -> None:
    codes = np.asfortranarray(np.arange(2, 26, dtype=np.uint8).reshape(8, 3))
    index = HammingIndex(codes)
    queries = codes[::-2].copy(order="F")
    codes[:] = 0
    distances, ids = index.search(queries, 1)
    assert (distances.ravel().tolist(), ids.ravel().tolist()) == ([0] * 4, [7, 5, 3, 1])
    zeros = np.zeros((1, 8), np.uint8)  # one query of nothing but 0 is a code here
    assert HammingIndex(zeros + 255).search(zeros, 1)[0].tolist() == [[64]]


@pytest.mark.parametrize(
    ("error", "received", "codes", "ids", "num_bits"),
    [
        (CodeError, r"shape \(2, 1\), dtype int64", [[1], [2]], None, None),
        (CodeError, r"shape \(4,\), dtype uint8", CODES[:, 0], None, None),
        (CodeError, "8 columns of only 0 and 1.*num_bits=64", np.eye(8, dtype=np.uint8), None, None),
        (CodeError, "a row with other bits there", CODES, None, 5),
        (CodeError, r"shape \(4, 1\)", CODES, None, 16),
        (ParameterError, "0", CODES, None, 0),
        (CodeError, "none\\.", CODES[:0], None, None),
        (DataError, "3 ids for 4 codes", CODES, [1, 2, 3], None),
        (DataError, "1 that occur more than once, the first 3", CODES, [3, 1, 3, 3], None),
        (DataError, "2 that occur more than once, the first 'a'", CODES, ["b", "a", "a", "b"], None),
        (DataTypeError, "int, str", CODES, [1, "a", 2, 3], None),
        (DataTypeError, "dtype float64", CODES, [0.5, 1, 2, 3], None),
        (DataError, r"1 missing, the first in row 0, counted from 0 \(NaN\)", CODES, [np.nan, 1, 2, 3], None),
    ],
    ids=range(13),
)
def test_what_no_index_can_be_made_of(error: Any, received: str, codes: Any, ids: Any, num_bits: Any) -> None:
    with pytest.raises(error, match=f"got {received}"):
        HammingIndex(codes, ids, num_bits=num_bits)


@pytest.mark.parametrize(
    ("received", "queries", "num_bits"),
    [
        ("2. Encode the queries with the same model", np.full((1, 2), 2, np.uint8), None),
        (r"shape \(1, 8\), dtype uint8. Pack them with", np.zeros((1, 8), np.uint8), None),
        (r"shape \(1, 1\), dtype int64", [[0]], None),
        (r"shape \(1,\)", ZERO[0], None),
        ("none\\.", ZERO[:0], None),
        ("a row with other bits there", np.array([[1]], np.uint8), 4),
    ],
    ids=range(6),
)
def test_queries_that_are_refused(received: str, queries: Any, num_bits: int | None) -> None:
    index = HammingIndex(CODES << 4, num_bits=num_bits)
    with pytest.raises(CodeError, match=f"got {received}"):
        index.search(queries, 1)
    with pytest.raises(CodeError, match=f"got {received}"):
        index.within(queries, 1)


def test_k_is_at_most_what_there_is() -> None:
    distances, ids = HammingIndex(CODES).search(ZERO, 10**9)
    assert (distances.shape, sorted(ids[0].tolist())) == ((1, len(CODES)), list(range(len(CODES))))


@pytest.mark.parametrize("number", [-1, 1.0, True, "1", None])
def test_numbers_that_are_refused(number: Any) -> None:
    index = HammingIndex(CODES)
    with pytest.raises(ParameterError, match=rf"an integer of at least 1: got {number!r}"):
        index.search(ZERO, number)
    with pytest.raises(ParameterError, match=rf"an integer of at least 0: got {number!r}"):
        index.within(ZERO, number)
    with pytest.raises(ParameterError, match="got 0"):
        index.search(ZERO, 0)
    assert index.search(ZERO, np.int64(1))[0].tolist() == [[1]]


def test_nearest_rows_are_those_of_plain_numpy() -> None:
    rng = np.random.default_rng(3)
    x, queries = rng.normal(size=(50, 3, 2)), rng.normal(size=(4, 3, 2))
    apart = ((queries[:, None] - x) ** 2).sum(axis=(2, 3))
    np.testing.assert_array_equal(nearest_rows(x, queries, 50), np.argsort(apart, axis=1))
    for refused, received in ((queries[:0], r"shape \(0, 6\)"), (queries[:, :2], r"shape \(4, 4\)")):
        with pytest.raises(DataError, match=f"got {received}"):
            nearest_rows(x, refused, 1)
    with pytest.raises(DataError, match=r"got shape \(3,\)"):
        nearest_rows(x, [1.0, 2.0, 3.0], 1)
    with pytest.raises(ParameterError, match=r"from 1 to 50.* got 51"):
        nearest_rows(x, queries, 51)


SEARCH = """
import sys
import numpy as np
from codeword import CodeStore, HammingIndex
codes = np.array([[15], [1], [3]], np.uint8)
assert HammingIndex(codes).search(codes, 1)[1].tolist() == [[0], [1], [2]]
store = CodeStore(sys.argv[1])
store.append(None, codes, {"label": ["a", "b", "c"]})
assert store.search(codes, 1, where="label > 'a'")[1].tolist() == [[2], [1], [2]]
assert not {"keras", "jax", "torch", "tensorflow", "narwhals", "tqdm"} & set(sys.modules)
"""


def test_searching_loads_no_keras(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(codeword.__file__).parents[1])}
    command = [sys.executable, "-c", SEARCH, tmp_path / "codes.duckdb"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_index_pickles_and_copies() -> None:
    for ids in (None, [7, 3, 5, 1], ["x", "y", "a" * 1_000, "b"]):
        index = HammingIndex(CODES << 4, ids, num_bits=4)
        for again in (pickle.loads(pickle.dumps(index)), copy.copy(index), copy.deepcopy(index)):
            assert (len(again), again.num_bits) == (4, 4)
            for found, wanted in zip(again.search(ZERO, 4), index.search(ZERO, 4), strict=True):
                assert found.tolist() == wanted.tolist()
            assert [part.tolist() for part in again.within(ZERO, 1)[1]] == [index.within(ZERO, 1)[1][0].tolist()]


def test_long_ids_take_what_they_take() -> None:
    ids = ["a" * 5_000_000, *(f"{number}" for number in range(2_000))]  # 40 GB as an array of NumPy's text type
    index = HammingIndex._of_store(
        np.zeros((2_001, 1), np.uint8), np.array(ids, object), StoreNote(8, None), Path("s.duckdb")
    )
    assert index.search(ZERO, 2)[1].tolist() == [["0", "1"]]


FORKED = """
import os, sys, threading
import numpy as np
from codeword.search import HammingIndex, nearest_rows
codes = np.random.default_rng(0).integers(0, 256, (20_000, 8), dtype=np.uint8)
index = HammingIndex(codes)
expected = index.search(codes[:500], 3)[1].tolist()
nearest_rows(codes[:500], codes[:50], 3)

def work():
    assert index.search(codes[:500], 3)[1].tolist() == expected
    assert len(index.within(codes[:50], 2)[1]) == 50
    assert HammingIndex(codes).search(codes[:500], 3)[1].tolist() == expected

for thread in (False, True):
    child = os.fork()
    if child == 0:
        if thread:
            other = threading.Thread(target=work)
            other.start()
            other.join()
        else:
            work()
            nearest_rows(codes[:500], codes[:50], 3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_searches_after_a_search_in_its_parent() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(codeword.__file__).parents[1]), "OMP_NUM_THREADS": "4"}
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_one_query_takes_one_thread_and_so_does_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(faiss_threads.faiss, "omp_get_max_threads", lambda: 4)
    monkeypatch.setattr(faiss_threads.faiss, "omp_set_num_threads", given.append)
    for process, expected in ((os.getpid(), [1, 4, 4, 4]), (-1, [1, 1, 1, 1])):
        monkeypatch.setattr(faiss_threads, "_PROCESS", process)
        given.clear()
        for num_queries in (1, 5):
            with suppress(KeyboardInterrupt), faiss_threads.threads_for(num_queries):
                raise KeyboardInterrupt
        assert given == expected


def test_progress_is_shown_for_more_than_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    HammingIndex(CODES).search(np.zeros((4_096, 1), np.uint8), 1, verbose=1)
    assert capsys.readouterr().err == ""
    assert repr(HammingIndex(CODES, num_bits=8)) == "<HammingIndex: 4 codes of 8 bits>"


def test_ids_of_a_store_must_differ() -> None:
    for ids in ([1, 2, 2, 3], [2, 1, 3, 2]):
        with pytest.raises(StoreFileError, match=r"s\.duckdb must have different ids in all rows"):
            HammingIndex._of_store(CODES, np.array(ids), StoreNote(8, None), Path("s.duckdb"))
        with pytest.raises(DataError, match="got 1 that occur more than once, the first 2"):
            HammingIndex(CODES, ids)
    assert HammingIndex._of_store(CODES, np.array([4, 3, 2, 1]), StoreNote(8, None), Path("s")).search(ZERO, 1)[
        1
    ].tolist() == [[1]]


def test_rows_far_from_zero_have_the_neighbors_that_they_have() -> None:
    rng = np.random.default_rng(4)
    x = 1e4 + rng.normal(size=(200, 20))
    apart = ((x[:9, None] - x) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest_rows(x, x[:9], 10), np.argsort(apart, axis=1)[:, :10])


def test_codes_come_and_go() -> None:
    index = HammingIndex(CODES, [7, 3, 5, 1])
    assert index.add(np.array([[0], [1]], np.uint8)) == 6  # under the ids 8 and 9
    assert [found.tolist() for found in index.search(ZERO, 9)] == [[[0, 1, 1, 1, 2, 4]], [[8, 1, 3, 9, 5, 7]]]
    assert index.remove([8, 3, 8, 1_000]) == 2
    assert index.ids.tolist() == [1, 5, 7, 9]
    assert index.add(CODES[:1], [-4]) == 5
    assert index.search(ZERO + 15, 2)[1].tolist() == [[-4, 7]]
    assert index.remove(index.ids) == 5
    assert index.search(ZERO, 3)[1].shape == (1, 0)
    assert index.add(CODES, ["d", "c", "b", "a"]) == 4  # an empty index takes ids of any type
    assert index.search(ZERO, 2)[1].tolist() == [["a", "c"]]


@pytest.mark.parametrize(
    ("error", "received", "codes", "ids"),
    [
        (DataError, "2 that are, the first 3. Remove them first", CODES[:3] << 4, [9, 3, 5]),
        (DataError, "1 that occur more than once", CODES[:2] << 4, [9, 9]),
        (DataError, "1 ids for 2 codes", CODES[:2] << 4, [9]),
        (DataTypeError, "'a'", CODES[:1] << 4, ["a"]),
        (CodeError, "2. Encode with the same model", CODES[:2].reshape(1, 2), [9]),
        (CodeError, "a row with other bits there", (CODES[:1] << 4) | 1, [9]),
    ],
    ids=range(6),
)
def test_codes_that_cannot_be_added_change_nothing(error: Any, received: str, codes: Any, ids: Any) -> None:
    index = HammingIndex(CODES << 4, [7, 3, 5, 1], num_bits=4)
    with pytest.raises(error, match=f"got {received}"):
        index.add(codes, ids)
    assert index.ids.tolist() == [1, 3, 5, 7]


def test_ids_that_cannot_follow() -> None:
    for ids, received in (([2**63 - 1], "None"), (["a"], "None")):
        with pytest.raises((DataError, DataTypeError), match=f"got {received}"):
            HammingIndex(CODES[:1], ids).add(CODES[:1])
    with pytest.raises(DataTypeError, match="`ids` must be integers, like the ids in the index: got 'a'"):
        HammingIndex(CODES).remove(["a"])


@pytest.mark.parametrize("num_bits", [8, 4])
@pytest.mark.parametrize("ids", [None, [7, 3, 5, 1], ["ä", "x", "b", ""]])
def test_a_saved_index_is_the_same_and_so_is_a_store_of_it(tmp_path: Path, ids: Any, num_bits: int) -> None:
    codes = CODES << 4
    index = HammingIndex(codes, ids, num_bits=num_bits)
    index.save(tmp_path / "index.parquet")
    store = CodeStore(tmp_path / "codes.duckdb")
    store.import_parquet(tmp_path / "index.parquet")
    store.export_parquet(tmp_path / "again.parquet")
    wanted = [found.tolist() for found in index.search(ZERO, 4)]
    loaded = HammingIndex.load(tmp_path / "index.parquet")
    for again in (loaded, store.index(), HammingIndex.load(tmp_path / "again.parquet")):
        assert again.num_bits == num_bits
        assert [found.tolist() for found in again.search(ZERO, 4)] == wanted


def test_an_index_of_a_file_of_codes_keeps_the_model(tmp_path: Path) -> None:
    write_codes(tmp_path / "codes.npy", CODES << 4, fingerprint="ab" * 32, kind=Bits(4))
    index = HammingIndex.load(tmp_path / "codes.npy")
    assert (index.num_bits, index.ids.tolist()) == (4, [0, 1, 2, 3])
    index.save(tmp_path / "index.parquet")
    model = SimpleNamespace(fingerprint_="cd" * 32, code_=Bits(4))
    with pytest.raises(CodeError, match="got codes of model abababababab"):
        CodeStore(tmp_path / "codes.duckdb", model=model).import_parquet(tmp_path / "index.parquet")
    write_codes(tmp_path / "scalars.npy", CODES, fingerprint="ab" * 32, kind=Scalars(1))
    with pytest.raises(CodeError, match="got Scalars"):
        HammingIndex.load(tmp_path / "scalars.npy")
    with pytest.raises(TableFileError, match=r"must end in \.parquet: got '\.npy'"):
        index.save(tmp_path / "index.npy")


@pytest.mark.parametrize(
    ("hash_codes", "hint"),
    [
        (np.array([5, 6], np.uint64), r"""view\(np.uint8\)"""),
        (np.array([[5], [6]], np.int64), r"""astype\(">u8"\)"""),
        (np.zeros((2, 8), np.int8), r"codes.view\(np.uint8\) \^ 128"),
        (["00ff", "1234"], "bytes.fromhex"),
        (np.ones((2, 8), bool), r"packing\.pack_bits"),
        (np.zeros((2, 8), np.float32), r"np.packbits\(codes > 0, axis=1\)"),
    ],
    ids=range(6),
)
def test_hashes_of_other_tools_are_refused_with_the_way_in(hash_codes: Any, hint: str) -> None:
    with pytest.raises(CodeError, match=hint):
        HammingIndex(hash_codes)


def test_the_ways_in_of_other_hashes_keep_their_distances() -> None:
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, (30, 64), dtype=np.uint8)
    numbers = [int("".join(map(str, row)), 2) for row in bits]
    packed = np.packbits(bits, axis=1)
    forms = {
        "integers": np.asarray(numbers, np.uint64).astype(">u8").view(np.uint8).reshape(-1, 8),
        "text": np.array([list(bytes.fromhex(f"{number:016x}")) for number in numbers], np.uint8),
        "signed bytes": (packed.astype(np.int16) - 128).astype(np.int8).view(np.uint8) ^ 128,
        "signs": np.packbits(bits - 0.5 > 0, axis=1),
    }
    for name, codes in forms.items():
        np.testing.assert_array_equal(codes, packed, err_msg=name)
    distances, ids = HammingIndex(forms["integers"]).search(packed[:3], 30)
    assert distances[1].tolist() == [(numbers[1] ^ numbers[other]).bit_count() for other in ids[1]]
    values = rng.normal(size=(40, 6))  # as sentence-transformers quantizes them to int8, by the range of each column
    starts, steps = values.min(axis=0), (values.max(axis=0) - values.min(axis=0)) / 255
    kept = KeptRows(((values - starts) / steps - 128).astype(np.int8), scale=steps, offset=starts + 128 * steps)
    assert (np.abs(kept.at(np.arange(40)) - values) <= steps * 1.01).all()
