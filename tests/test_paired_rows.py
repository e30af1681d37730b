"""Batches of rows and their partners."""

import numpy as np
import pytest

from codeword.backend import keras
from codeword.objectives.paired_rows import PairedRows
from codeword.training.keras_loop import KerasBatches


class ArrayBatches(KerasBatches):
    """Gives batches as NumPy arrays."""

    def __getitem__(self, index):
        return keras.tree.map_structure(keras.ops.convert_to_numpy, super().__getitem__(index))


def batches(num_rows=10, *, pairs=4, seed=0, points=None, partners=(lambda rows: (rows + 1) % 10,)):
    x = np.arange(num_rows * 6, dtype=np.float32).reshape(num_rows, 2, 3)
    names = ("rows", "groups") if points is None else ("rows", "codes", "groups")
    return ArrayBatches(PairedRows(x, partners=partners, pairs=pairs, seed=seed, names=names, points=points))


def numbers(rows):
    """Gives the row numbers of rows that `batches` made."""
    return (rows[:, 0, 0] / 6).astype(int)


def epoch(made):
    return [made[number] for number in range(len(made))]


def test_a_batch_is_rows_then_their_partners_and_targets_by_name():
    inputs, targets = batches()[0]
    assert inputs.shape == (8, 2, 3)
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(numbers(inputs)[4:], (numbers(inputs)[:4] + 1) % 10)
    assert list(targets) == ["rows", "groups"]
    np.testing.assert_array_equal(targets["rows"], inputs[:4])
    assert targets["groups"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_of_two_partners_the_last_shares_the_number_of_its_row():
    inputs, targets = batches(partners=(lambda rows: (rows + 1) % 10, lambda rows: (rows + 5) % 10))[0]
    found = numbers(inputs).reshape(3, 4)
    np.testing.assert_array_equal(found[1:], (found[0] + [[1], [5]]) % 10)
    np.testing.assert_array_equal(targets["rows"], inputs[:4])
    assert targets["groups"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]


def test_points_are_the_target_of_the_codes():
    points = np.random.default_rng(0).random((10, 7)).astype(np.float32)
    inputs, targets = batches(points=points)[0]
    np.testing.assert_array_equal(targets["codes"], points[numbers(inputs)])
    np.testing.assert_array_equal(targets["rows"], inputs[:4])


@pytest.mark.parametrize("pairs", [1, 3, 4, 10, 99])
def test_an_epoch_has_every_row_in_batches_of_one_size(pairs):
    made = batches(pairs=pairs)
    sizes = {len(inputs) for inputs, _ in epoch(made)}
    assert sizes == {2 * min(pairs, 10)}
    assert len(made) == -(-10 // min(pairs, 10))
    first = np.concatenate([numbers(inputs)[: len(inputs) // 2] for inputs, _ in epoch(made)])
    assert sorted(first[:10]) == list(range(10))
    np.testing.assert_array_equal(first[10:], first[: len(first) - 10])  # filled up from the first of the epoch


def test_no_batch_has_a_row_twice_before_partners_come():
    for pairs in (3, 4, 6, 7, 9):
        for inputs, _ in epoch(batches(pairs=pairs)):
            assert len(set(numbers(inputs)[:pairs])) == pairs


def test_each_epoch_has_another_order_and_other_partners():
    random = np.random.default_rng(0)
    made = batches(num_rows=100, pairs=100, partners=[lambda rows: random.integers(0, 100, len(rows))])
    first = made[0][0]
    made.on_epoch_end()
    second = made[0][0]
    assert (second[:100] != first[:100]).any()
    partner_of = [dict(zip(numbers(x)[:100], numbers(x)[100:], strict=True)) for x in (first, second)]
    assert partner_of[0] != partner_of[1]
    assert sorted(numbers(second)[:100]) == list(range(100))


def test_one_row_is_its_own_partner():
    inputs, targets = batches(num_rows=1, partners=[lambda rows: rows])[0]
    assert inputs.shape == (2, 2, 3)
    assert targets["groups"].tolist() == [0, 0]


def test_same_seed_gives_the_same_batches():
    for (one, _), (other, _) in zip(epoch(batches(seed=5)), epoch(batches(seed=5)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one[0] != other[0]).any() for one, other in zip(epoch(batches()), epoch(batches(seed=5)), strict=True))
