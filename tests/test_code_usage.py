"""How codes use their bits: values against plain NumPy, and refusals."""

import json
from typing import Any

import numpy as np
import pytest

from codeword.code_kinds.packing import pack_bits
from codeword.errors import CodeError, DataError
from codeword.evaluation import code_usage


def test_values_are_those_of_plain_numpy() -> None:
    rng = np.random.default_rng(0)
    bits = (rng.random((300, 10)) < np.linspace(0.1, 0.9, 10)).astype(np.uint8)
    bits[:, 3], bits[:, 7] = 0, 1
    bits[100:] = bits[rng.integers(0, 100, 200)]
    margin = rng.uniform(0, 2e-4, bits.shape).astype(np.float32)
    usage = code_usage(pack_bits(bits), num_bits=10, margin=margin)
    shares = bits.mean(axis=0)
    living = [0, 1, 2, 4, 5, 6, 8, 9]
    entropy = np.zeros(10)
    entropy[living] = [-p * np.log2(p) - (1 - p) * np.log2(1 - p) for p in shares[living]]
    pairs = [
        abs(np.mean((bits[:, a] - shares[a]) * (bits[:, b] - shares[b])) / bits[:, a].std() / bits[:, b].std())
        for a in living
        for b in living
        if a < b
    ]
    assert usage.num_codes == 300
    np.testing.assert_allclose(usage.ones, shares)
    np.testing.assert_allclose(usage.entropy, entropy)
    assert usage.dead_bits == (3, 7)
    assert usage.correlation == pytest.approx((max(pairs), np.mean(pairs)))
    assert usage.distinct == len({tuple(row) for row in bits.tolist()}) / 300
    assert usage.near_threshold == pytest.approx((margin < 5e-5).mean())
    assert 0.2 < usage.near_threshold < 0.3


def test_all_bits_of_the_bytes_count_unless_told_otherwise() -> None:
    codes = np.array([[0b10000000], [0b01000000]], np.uint8)
    assert code_usage(codes).dead_bits == (2, 3, 4, 5, 6, 7)
    two = code_usage(codes, num_bits=2)
    assert (two.dead_bits, two.ones.tolist(), two.entropy.tolist()) == ((), [0.5, 0.5], [1.0, 1.0])
    assert two.correlation == pytest.approx((1, 1))  # each is the other, turned round


def test_one_row_has_dead_bits_only() -> None:
    usage = code_usage(np.array([[0b10100000]], np.uint8), num_bits=3)
    assert usage.dead_bits == (0, 1, 2)
    assert (usage.ones.tolist(), usage.entropy.tolist()) == ([1, 0, 1], [0, 0, 0])
    assert (usage.correlation, usage.distinct, usage.near_threshold) == ((0, 0), 1, None)


def test_equal_rows_are_not_distinct_and_one_living_bit_has_no_partner() -> None:
    usage = code_usage(np.array([[0], [0], [1], [0]], np.uint8))
    assert (usage.distinct, usage.dead_bits) == (0.5, tuple(range(7)))
    assert usage.correlation == (0, 0)


def test_bytes_of_zero_and_one_are_codes_if_their_bits_are_counted() -> None:
    assert code_usage(np.eye(8, dtype=np.uint8), num_bits=64).distinct == 1


def test_a_margin_at_the_threshold_is_not_near() -> None:
    codes = np.array([[0b11000000]], np.uint8)
    assert code_usage(codes, num_bits=2, margin=np.array([[5e-5, 0.0]])).near_threshold == 0.5


def test_the_report() -> None:
    codes = np.array([[0b00], [0b01], [0b11], [0b01]], np.uint8)
    usage = code_usage(codes, margin=np.ones((4, 8)))
    expected = {
        "codes": 4,
        "bits": 8,
        "dead_bits": [0, 1, 2, 3, 4, 5],
        "least_entropy": 0.0,
        "mean_entropy": pytest.approx((0.811278 * 2) / 8),
        "largest_imbalance": 0.5,
        "largest_correlation": pytest.approx(1 / 3),
        "mean_correlation": pytest.approx(1 / 3),
        "distinct": 0.75,
        "near_threshold": 0.0,
    }
    assert usage.to_dict() == expected
    assert json.loads(json.dumps(usage.to_dict())) == expected
    lines = str(usage).splitlines()
    assert len(lines) == 10
    assert lines[2].split(maxsplit=2) == ["dead", "bits", "[0, 1, 2, 3, 4, 5]"]
    assert "distinct              0.7500" in lines


@pytest.mark.parametrize(
    ("codes", "num_bits", "received"),
    [
        (np.eye(8, dtype=np.uint8), None, "8 columns of only 0 and 1"),
        (np.zeros((0, 2), np.uint8), None, "none"),
        (np.ones((2, 2)), None, r"shape \(2, 2\), dtype float64"),
        (np.ones(2, np.uint8), None, r"shape \(2,\), dtype uint8"),
        (np.ones((2, 2), np.uint8), 10, "a row with other bits there"),
        (np.ones((2, 10), np.uint8), 10, r"shape \(2, 10\), dtype uint8. Pack them with"),
    ],
    ids=range(6),
)
def test_codes_that_are_refused(codes: Any, num_bits: int | None, received: str) -> None:
    with pytest.raises(CodeError, match=f"got {received}"):
        code_usage(codes, num_bits=num_bits)


@pytest.mark.parametrize(
    ("margin", "received"),
    [
        (np.ones((2, 9)), r"shape \(2, 9\), dtype float64"),
        (np.ones((2, 8), bool), r"shape \(2, 8\), dtype bool"),
        ([["far"] * 8] * 2, r"shape \(2, 8\), dtype <U3"),
        (0.5, r"shape \(\)"),
    ],
    ids=range(4),
)
def test_margins_that_are_refused(margin: Any, received: str) -> None:
    with pytest.raises(DataError, match=f"got {received}.*return_margin=True"):
        code_usage(np.array([[2], [9]], np.uint8), margin=margin)
