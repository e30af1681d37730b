"""Measures of retrieval: the closed formulas against the mean over every order of the ties, and refusals."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score

from codeword import evaluation
from codeword.code_kinds.packing import pack_bits
from codeword.errors import CodeError, DataError, ParameterError
from codeword.evaluation import mean_average_precision, precision_at_k, recall_at_k
from codeword.search import nearest_rows

CODES = np.array([[0b0], [0b1], [0b11], [0b111], [0b1111], [0b11111]], np.uint8)  # 0 to 5 bits from the first
LABELS = [0, 1, 0, 1, 0, 1]

databases = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.uint8, (n, 2), elements=st.sampled_from([0, 1, 3, 128])),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        hnp.arrays(np.uint8, (3, 2), elements=st.sampled_from([0, 1, 255])),
        st.lists(st.integers(0, 2), min_size=3, max_size=3),
    )
)


def distances_to(codes: np.ndarray, query: np.ndarray) -> np.ndarray:
    return np.unpackbits(codes ^ query, axis=1).sum(axis=1, dtype=int)


def rankings(codes: np.ndarray, query: np.ndarray) -> list[tuple[int, ...]]:
    """Gives every order of the rows in which the distance never falls."""
    distances = distances_to(codes, query)
    return [order for order in permutations(range(len(codes))) if (np.diff(distances[list(order)]) >= 0).all()]


def average_precision(relevant: np.ndarray) -> float:
    ranks = np.flatnonzero(relevant) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


@settings(max_examples=60, deadline=None)
@given(databases)
def test_average_precision_is_the_mean_over_all_orders_of_the_ties(case: Any) -> None:
    codes, labels, queries, wanted = case
    means = []
    for query, label in zip(queries, wanted, strict=True):
        if label in labels:
            relevant = np.array(labels) == label
            means.append(np.mean([average_precision(relevant[list(order)]) for order in rankings(codes, query)]))
    if means:
        assert mean_average_precision(codes, labels, queries, wanted) == pytest.approx(np.mean(means), abs=1e-12)
    else:
        with pytest.raises(DataError, match="got none"):
            mean_average_precision(codes, labels, queries, wanted)


@settings(max_examples=60, deadline=None)
@given(databases, st.data())
def test_precision_and_recall_are_the_means_over_all_orders_of_the_ties(case: Any, data: st.DataObject) -> None:
    codes, labels, queries, wanted = case
    k = data.draw(st.integers(1, len(codes)))
    neighbors = data.draw(st.permutations(range(len(codes))))[: data.draw(st.integers(1, len(codes)))]
    orders = [rankings(codes, query) for query in queries]
    relevant = [np.array(labels) == label for label in wanted]
    precisions = [
        np.mean([right[list(order[:k])].mean() for order in some]) for right, some in zip(relevant, orders, strict=True)
    ]
    recalls = [np.mean([np.isin(neighbors, order[:k]).mean() for order in some]) for some in orders]
    assert precision_at_k(codes, labels, queries, wanted, k) == pytest.approx(np.mean(precisions), abs=1e-12)
    assert recall_at_k(codes, queries, [neighbors] * 3, k) == pytest.approx(np.mean(recalls), abs=1e-12)


def test_without_ties_it_is_the_plain_formula() -> None:
    rng = np.random.default_rng(1)
    codes = pack_bits(np.tri(40, 40, -1, dtype=int))  # 0 to 39 ones: all distances to the first differ
    order = rng.permutation(40)
    labels = rng.integers(0, 3, 40)
    expected = average_precision_score(labels == 1, -np.arange(40))
    assert mean_average_precision(codes[order], labels[order], codes[:1], [1]) == pytest.approx(expected)
    assert precision_at_k(codes[order], labels[order], codes[:1], [1], 7) == pytest.approx((labels[:7] == 1).mean())
    rows = np.argsort(order)  # where the row of each distance went
    assert recall_at_k(codes[order], codes[:1], [rows[[0, 6, 7, 20]]], 7) == 0.5


def test_worked_out_by_hand() -> None:
    codes = np.array([[0], [0], [255]], np.uint8)
    # Ranked 1, 0, 1 or 0, 1, 1.
    assert mean_average_precision(codes, [7, 8, 7], codes[:1], [7]) == pytest.approx(
        ((1 + 2 / 3) + (1 / 2 + 2 / 3)) / 4
    )
    assert precision_at_k(codes, [7, 8, 7], codes[:1], [7], 1) == 0.5
    assert precision_at_k(codes, [7, 8, 7], codes[:1], [7], 3) == pytest.approx(2 / 3)
    assert recall_at_k(codes, codes[:1], [[0, 2]], 1) == 0.25
    assert recall_at_k(codes, codes[:1], [[0, 2]], 3) == 1


def test_shuffling_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    codes, labels = rng.integers(0, 4, (500, 9), dtype=np.uint8), rng.integers(0, 5, 500)
    queries, wanted = codes[:30], labels[:30]
    neighbors = nearest_rows(rng.normal(size=(500, 4)), rng.normal(size=(30, 4)), 10)
    order, turned = rng.permutation(500), rng.permutation(30)
    rows = np.argsort(order)[neighbors]
    before = (
        mean_average_precision(codes, labels, queries, wanted),
        precision_at_k(codes, labels, queries, wanted, 20),
        recall_at_k(codes, queries, neighbors, 20),
    )
    monkeypatch.setattr(evaluation.retrieval, "_BLOCK_CELLS", 3_500)  # blocks of seven queries
    after = (
        mean_average_precision(codes[order], labels[order], queries[turned], wanted[turned]),
        precision_at_k(codes[order], labels[order], queries[turned], wanted[turned], 20),
        recall_at_k(codes[order], queries[turned], rows[turned], 20),
    )
    np.testing.assert_allclose(after, before, rtol=1e-12)


def test_queries_of_which_the_database_has_no_label_are_left_out() -> None:
    alone = mean_average_precision(CODES, LABELS, CODES[:1], [0])
    assert alone == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert mean_average_precision(CODES, LABELS, CODES[[0, 0]], [0, 9]) == pytest.approx(alone)
    assert precision_at_k(CODES, LABELS, CODES[[0, 0]], [0, 9], 1) == 0.5  # there it counts: nothing was found
    with pytest.raises(DataError, match=r"must contain a label of the database: got none"):
        mean_average_precision(CODES, LABELS, CODES[:1], [9])


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (["b", "a"] * 3, ["b"]),
        (np.array(["b", "a"] * 3, object), ["b"]),
        (["b", "a"] * 3, np.array(["b"], object)),
        ([True, False] * 3, [1]),
        ([2.0, 1.0] * 3, np.array([2], np.uint8)),
        (np.ma.array([2, 1] * 3), [2]),
    ],
    ids=range(6),
)
def test_kinds_of_labels(labels: Any, wanted: Any) -> None:
    assert precision_at_k(CODES, labels, CODES[:1], wanted, 3) == pytest.approx(2 / 3)


def test_padding_bits_add_nothing() -> None:
    bits = np.random.default_rng(3).integers(0, 2, (50, 10))
    labels = np.arange(50) % 3
    wide = pack_bits(np.pad(bits, ((0, 0), (0, 22))))
    padded = pack_bits(bits)
    assert padded.shape == (50, 2)
    assert mean_average_precision(padded, labels, padded, labels) == mean_average_precision(wide, labels, wide, labels)
    ten = np.unpackbits(padded, axis=1, count=10)
    expected = [(labels[np.abs(ten - row).sum(1) == 0] == label).mean() for row, label in zip(ten, labels, strict=True)]
    alike = [int((np.abs(ten - row).sum(1) == 0).sum()) for row in ten]
    only = np.argmax(alike)
    found = precision_at_k(padded, labels, padded[[only]], labels[[only]], alike[only])
    assert found == pytest.approx(expected[only])


def test_one_query_of_zeros_and_ones_is_a_code_if_it_is_as_wide_as_codes() -> None:
    codes = np.full((2, 8), 255, np.uint8)
    assert precision_at_k(codes, [0, 1], np.zeros((1, 8), np.uint8), [0], 1) == 0.5


BAD = [
    (CodeError, "8 columns of only 0 and 1", {"codes": np.eye(8, dtype=np.uint8)[:6]}),
    (
        CodeError,
        "`query_codes` must be packed.* 8 columns of only 0 and 1",
        {"query_codes": np.eye(8, dtype=np.uint8)[:1]},
    ),
    (CodeError, r"got shape \(6, 1\), dtype int64", {"codes": CODES.astype(int)}),
    (CodeError, r"`query_codes` must be packed.* got shape \(1,\), dtype uint8", {"query_codes": CODES[0]}),
    (CodeError, r"must have 1 columns, like `codes`: got 2", {"query_codes": np.full((1, 2), 9, np.uint8)}),
    (CodeError, "`codes` must have at least one row: got none", {"codes": CODES[:0], "labels": []}),
    (CodeError, "`query_codes` must have at least one row", {"query_codes": CODES[:0], "query_labels": []}),
    (DataError, r"`labels` must have shape \(6,\).* got shape \(5,\)", {"labels": [0] * 5}),
    (DataError, r"`query_labels` must have shape \(1,\).* got shape \(1, 1\)", {"query_labels": [[0]]}),
    (DataError, "`labels` must not be missing: got 2 NaN", {"labels": [0, 1, 2, 3, np.nan, np.nan]}),
    (DataError, "got 1 masked", {"labels": np.ma.array(LABELS, mask=[1, 0, 0, 0, 0, 0])}),
    (DataError, "got NoneType, str", {"labels": np.array(["a", None] * 3, object), "query_labels": ["a"]}),
    (DataError, "got bytes", {"labels": [b"a"] * 6, "query_labels": [b"a"]}),
    (DataError, "`query_labels` must be strings, like `labels`: got dtype int64", {"labels": ["a"] * 6}),
    (DataError, "`query_labels` must be numbers, like `labels`: got dtype <U1", {"query_labels": ["0"]}),
]


@pytest.mark.parametrize(("error", "received", "change"), BAD, ids=range(len(BAD)))
def test_what_is_refused(error: type[Exception], received: str, change: dict[str, Any]) -> None:
    right = {"codes": CODES, "labels": LABELS, "query_codes": CODES[:1], "query_labels": [0]}
    with pytest.raises(error, match=received):
        mean_average_precision(**right | change)
    with pytest.raises(error, match=received):
        precision_at_k(**right | change, k=1)


@pytest.mark.parametrize("k", [0, 7, -1, 1.0, True, "1", None])
def test_k_must_fit(k: Any) -> None:
    with pytest.raises(ParameterError, match=rf"from 1 to 6: got {k!r}"):
        precision_at_k(CODES, LABELS, CODES[:1], [0], k)
    with pytest.raises(ParameterError, match=rf"from 1 to 6: got {k!r}"):
        recall_at_k(CODES, CODES[:1], [[0]], k)


@pytest.mark.parametrize(
    ("neighbors", "received"),
    [
        ([[0.5]], r"shape \(1, 1\), dtype float64"),
        ([[True]], r"shape \(1, 1\), dtype bool"),
        ([0], r"shape \(1,\)"),
        ([[0], [1]], r"shape \(2, 1\)"),
        ([[0, 6]], "0 to 6"),
        ([[-1, 5]], "-1 to 5"),
        (np.zeros((1, 0), int), "none"),
    ],
    ids=range(7),
)
def test_neighbors_must_be_rows_of_the_database(neighbors: Any, received: str) -> None:
    with pytest.raises(DataError, match=f"got {received}"):
        recall_at_k(CODES, CODES[:1], neighbors, 1)
    with pytest.raises(CodeError, match="got 2"):
        recall_at_k(CODES, np.full((1, 2), 9, np.uint8), [[0]], 1)
