"""Shuffled batches of one size."""

import numpy as np
import pytest

from codeword.backend import keras
from codeword.training.batches import ShuffledBatches
from codeword.training.keras_loop import KerasBatches


def batches(num_rows: int = 10, *, batch_size: int = 4, seed: int = 0) -> KerasBatches:
    rows = np.arange(num_rows * 6, dtype=np.float32).reshape(num_rows, 2, 3)
    targets = np.arange(num_rows, dtype=np.int32) * 10
    return KerasBatches(ShuffledBatches((rows, targets), batch_size=batch_size, seed=seed))


def epoch(made: KerasBatches) -> list[np.ndarray]:
    """Gives the row numbers of every batch."""
    return [(arrays(made[number])[0][:, 0, 0] / 6).astype(int) for number in range(len(made))]


def arrays(batch: tuple) -> tuple:
    return keras.tree.map_structure(keras.ops.convert_to_numpy, batch)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 9, 10, 99])
def test_an_epoch_has_every_row_in_batches_of_one_size(batch_size: int) -> None:
    made = batches(batch_size=batch_size)
    rows = epoch(made)
    assert {len(part) for part in rows} == {min(batch_size, 10)}
    assert len(made) == len(rows) == -(-10 // min(batch_size, 10))
    together = np.concatenate(rows)
    assert sorted(together[:10]) == list(range(10))
    np.testing.assert_array_equal(together[10:], together[: len(together) - 10])  # filled up from the first


def test_rows_and_targets_stay_together() -> None:
    made = batches()
    for number in range(len(made)):
        x, y = arrays(made[number])
        assert x.shape == (4, 2, 3)
        assert x.dtype == np.float32
        np.testing.assert_array_equal(y * 0.6, x[:, 0, 0])


def test_each_epoch_has_another_order_that_the_seed_decides() -> None:
    made, again, other = batches(100), batches(100), batches(100, seed=1)
    first = np.concatenate(epoch(made))
    np.testing.assert_array_equal(np.concatenate(epoch(again)), first)
    assert (np.concatenate(epoch(other)) != first).any()
    for shuffled in (made, again):
        shuffled.on_epoch_end()
    second = np.concatenate(epoch(made))
    assert (second != first).any()
    np.testing.assert_array_equal(np.concatenate(epoch(again)), second)


def test_the_users_random_numbers_and_data_are_left_alone() -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    x = np.arange(10.0)
    x.flags.writeable = False
    made = KerasBatches(ShuffledBatches((x, x), batch_size=3, seed=0))
    made[0]
    made.on_epoch_end()
    assert np.random.random() == expected
