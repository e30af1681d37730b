"""Inference in fixed batches: every row once, one compiled program a model, rows asked for in pieces."""

import gc
import weakref

import numpy as np
import pytest

from codeword.backend import keras
from codeword.inference import compiled_inference, fixed_batches
from codeword.inference.fixed_batches import BATCH_ROWS, in_fixed_batches


@pytest.fixture
def one_batch_a_piece(monkeypatch):
    monkeypatch.setattr(fixed_batches, "CELLS_PER_PIECE", 0)


def dense(units=3):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])


def outputs(model, x, **settings):
    return np.concatenate([output for _, output in in_fixed_batches(model, x, description="test", **settings)])


@pytest.mark.parametrize("num_rows", [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 3 * BATCH_ROWS + 7])
@pytest.mark.parametrize("batches_a_piece", [1, 2])
def test_every_row_comes_once_in_pieces_of_whole_batches(monkeypatch, num_rows, batches_a_piece):
    monkeypatch.setattr(fixed_batches, "CELLS_PER_PIECE", 2 * BATCH_ROWS * batches_a_piece)
    double = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(2.0)])
    x = np.arange(2 * num_rows, dtype=np.float32).reshape(num_rows, 2)
    found = list(in_fixed_batches(double, x, description="double"))
    piece = BATCH_ROWS * batches_a_piece
    starts = range(0, max(num_rows, 1), piece)
    assert [part for part, _ in found] == [slice(start, min(start + piece, num_rows)) for start in starts]
    np.testing.assert_array_equal(np.concatenate([output for _, output in found]), 2 * x)


def test_rows_are_asked_for_in_pieces_and_the_next_before_the_last_is_given(one_batch_a_piece):
    asked = []

    class Lazy:
        def __len__(self):
            return 3 * BATCH_ROWS

        def __getitem__(self, rows):
            asked.append(rows.start)
            return np.zeros((rows.stop - rows.start, 4), np.float32)

    given = in_fixed_batches(dense(), Lazy(), description="lazy")
    next(given)
    assert asked == [0, BATCH_ROWS]
    next(given)
    assert asked == [0, BATCH_ROWS, 2 * BATCH_ROWS]


def test_taking_some_outputs_gives_the_same_numbers():
    row = keras.Input((4,))
    hidden = keras.layers.Dense(3)(row)
    model = keras.Model(row, [hidden, keras.ops.abs(hidden)])
    x = np.random.default_rng(0).random((300, 4), np.float32)
    ((_, both),) = in_fixed_batches(model, x, description="both")
    ((_, first),) = in_fixed_batches(model, x, take=lambda outputs: outputs[:1], description="first")
    np.testing.assert_array_equal(first[0], both[0])
    np.testing.assert_array_equal(both[1], np.abs(both[0]))


def test_changed_weights_count_at_once():
    model, x = dense(), np.random.default_rng(0).random((5, 4), np.float32)
    for scale in (1.0, 2.0):
        model.set_weights([np.full((4, 3), scale), np.zeros(3)])
        np.testing.assert_allclose(outputs(model, x), scale * x.sum(axis=1, keepdims=True) * np.ones(3), rtol=1e-6)


def test_a_model_is_compiled_once_and_its_program_dies_with_it():
    model, x = dense(), np.zeros((2 * BATCH_ROWS + 1, 4), np.float32)
    outputs(model, x)
    outputs(model, x[:1])
    model.set_weights([np.ones((4, 3)), np.zeros(3)])
    outputs(model, x)
    (program,) = [program for known, program in compiled_inference._PROGRAMS.items() if known is model]
    assert program._cache_size() == 1
    known = weakref.ref(model)
    del model, program
    gc.collect()
    assert known() is None


def test_inference_changes_no_variable():
    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)])
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    x = np.random.default_rng(0).random((5, 4), np.float32)
    np.testing.assert_allclose(outputs(model, x), x / np.sqrt(1.001), rtol=1e-5)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(variable))


def test_what_keras_does_not_compile_runs_as_it_is():
    model, x = dense(), np.ones((3, 4), np.float32)
    expected = outputs(model, x)
    model.compile(run_eagerly=True)
    np.testing.assert_allclose(outputs(model, x), expected, rtol=1e-6)
