"""Batches, inference in fixed batches, and seeds."""

import itertools
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import codeword
from codeword import backend
from codeword.backend import keras
from codeword.inference.compiled_inference import compiled_inference
from codeword.inference.fixed_batches import BATCH_ROWS, in_fixed_batches
from codeword.keras_internals import draw_from_own_generators, global_seed_generator, set_global_seed_generator
from codeword.objectives.swapped_rows import SwappedRows
from codeword.training import recipe
from codeword.training.interrupts import delayed_interrupts
from codeword.training.keras_loop import KerasBatches
from codeword.training.recipe import seeded


def batches_of(batches):
    made = KerasBatches(batches)
    return [keras.tree.map_structure(keras.ops.convert_to_numpy, made[number]) for number in range(len(made))]


def epoch(batches):
    return np.concatenate([inputs for inputs, _ in batches_of(batches)])


def test_an_epoch_has_every_row_in_batches_of_one_size():
    x = np.arange(10, dtype=np.float32).reshape(10, 1)
    batches = SwappedRows(x, batch_size=4, share=0.0, seed=0)
    assert [len(inputs) for inputs, _ in batches_of(batches)] == [4, 4, 4]
    first = epoch(batches)
    assert set(first.ravel()) == set(range(10))
    assert (epoch(batches) != first).any()


def test_fewer_rows_than_a_batch_are_one_batch():
    batches = SwappedRows(np.ones((3, 2), np.float32), batch_size=128, share=0.5, seed=0)
    assert len(batches) == 1
    assert batches_of(batches)[0][0].shape == (3, 2)


def test_swapped_cells_come_from_the_same_column_and_input_equals_target():
    rows, columns = np.arange(512), np.arange(48).reshape(6, 8)
    x = (rows[:, None, None] + 1000 * columns).astype(np.float32)
    [(inputs, targets)] = batches_of(SwappedRows(x, batch_size=512, share=0.3, seed=1))
    np.testing.assert_array_equal(inputs, targets)
    np.testing.assert_array_equal(inputs // 1000, np.broadcast_to(columns, x.shape))
    sources = (inputs % 1000).reshape(512, 48).astype(int)  # the row that each cell comes from
    own = np.array([np.bincount(row).argmax() for row in sources])
    assert sorted(own) == list(rows)  # most cells stay where they are
    swapped = sources != own[:, None]
    assert swapped.mean() == pytest.approx(0.3, abs=0.02)
    assert swapped.mean(axis=0) == pytest.approx(np.full(48, 0.3), abs=0.08)
    assert max(len(set(row)) for row in sources) == 5  # itself and four others


def test_each_step_swaps_other_cells():
    x = np.arange(64, dtype=np.float32)[:, None] + np.zeros(50, np.float32)
    swapped = [
        (inputs != np.median(inputs, axis=1, keepdims=True))
        for inputs, _ in batches_of(SwappedRows(x, batch_size=16, share=0.3, seed=0))
    ]
    agreement = [(one == other).mean() for one, other in itertools.pairwise(swapped)]
    assert agreement == pytest.approx([0.3**2 + 0.7**2] * 3, abs=0.06)  # as of independent draws


def test_swapping_does_not_change_the_data():
    x = np.random.default_rng(0).random((64, 5)).astype(np.float32)
    before = x.copy()
    epoch(SwappedRows(x, batch_size=16, share=1.0, seed=0))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("num_rows", [1, BATCH_ROWS, BATCH_ROWS + 1])
def test_fixed_batches_give_every_row_once(num_rows):
    double = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(2.0)])
    x = np.arange(2 * num_rows, dtype=np.float32).reshape(num_rows, 2)
    restored = np.empty_like(x)
    for rows, output in in_fixed_batches(double, x, description="double"):
        restored[rows] = output
    np.testing.assert_array_equal(restored, 2 * x)


def test_the_learning_rate_rises_then_falls_to_zero():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    batches = SwappedRows(np.ones((100, 1), np.float32), batch_size=1, share=0.0, seed=0)
    recipe.fit(model, batches, loss="mse", epochs=2, learning_rate=0.1)
    schedule = keras.optimizers.schedules.deserialize(model.optimizer.get_config()["learning_rate"])
    rates = [float(schedule(step)) for step in range(201)]
    assert max(rates) == pytest.approx(0.1, rel=1e-3)
    assert rates.index(max(rates)) == 6  # 3 % of 200 steps
    assert rates[0] == 0
    assert rates[103] == pytest.approx(0.05, rel=1e-2)  # half way down the cosine
    assert rates[200] == pytest.approx(0, abs=1e-6)


def streams():
    """Return the state of all streams that belong to the process."""
    generator = global_seed_generator() or keras.random.SeedGenerator(0)
    set_global_seed_generator(generator)
    known = [random.getstate(), np.random.get_state()[1].tolist(), keras.ops.convert_to_numpy(generator.state).tolist()]
    if keras.backend.backend() == "torch":
        import torch

        known.append(torch.get_rng_state().tolist())
    return known


def drawn():
    """Draw what a network with dropout draws when it is built."""
    dense, dropout = keras.layers.Dense(2), keras.layers.Dropout(0.5)
    dense.build((None, 3))
    state = keras.ops.convert_to_numpy(dropout.seed_generator.state)
    return np.concatenate([part.ravel() for part in (dense.get_weights()[0], state)])


def test_seeded_layers_are_the_same_again():
    with seeded(7):
        first, second = drawn(), drawn()
    with seeded(7):
        np.testing.assert_array_equal(drawn(), first)
        with seeded(8):
            assert (drawn() != first).any()
        np.testing.assert_array_equal(drawn(), second)


def test_seeded_layers_are_the_same_whatever_other_threads_draw():
    with seeded(7):
        alone = drawn(), drawn()
    with ThreadPoolExecutor(1) as other, seeded(7):
        first = drawn()
        with seeded(9):
            between = drawn()
        assert (other.submit(drawn).result() != first).any()  # it is not seeded
        random.seed(3)
        np.random.seed(3)
        np.testing.assert_array_equal([first, drawn()], alone)
    with seeded(9):
        np.testing.assert_array_equal(drawn(), between)


def test_a_fit_leaves_the_streams_of_the_process_alone():
    random.seed(1)
    np.random.seed(1)
    rows, own = (
        np.ones((16, 3), np.float32),
        keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)]),
    )
    before = streams()
    with seeded(7):
        model = keras.models.clone_model(own)
        draw_from_own_generators(model)
        batches = SwappedRows(rows, batch_size=4, share=0.5, seed=0)
        recipe.fit(model, batches, loss="mse", epochs=1, learning_rate=0.1, validation=batches)
    assert streams() == before


def test_a_keras_without_the_private_name_seeds_python_and_puts_it_back(monkeypatch):
    with seeded(7):
        expected = drawn()
    name = keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR
    monkeypatch.setattr(keras.src.random, "seed_generator", SimpleNamespace(GLOBAL_SEED_GENERATOR=name))
    before = random.getstate()
    with seeded(7):
        np.testing.assert_array_equal(drawn(), expected)
    assert random.getstate() == before


def test_shuffled_batches_come_in_an_order_of_the_seed():
    def orders():
        with seeded(5):
            data = KerasBatches(SwappedRows(np.arange(9.0)[:, None], batch_size=1, share=0.0, seed=0), shuffle=True)
        return [[float(keras.ops.convert_to_numpy(data[i][0])[0, 0]) for i in range(9)] for _ in range(3)]

    first = orders()
    assert orders() == first
    assert sorted(first[2]) == sorted(first[1]) == list(range(9))
    assert first[1] != first[2]


def test_an_interrupt_waits_for_the_end_of_the_block():
    done = []

    def interrupt():
        with delayed_interrupts():
            signal.raise_signal(signal.SIGINT)
            done.append("the rest")

    for number in range(1, 3):
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        assert done == ["the rest"] * number
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_other_threads_and_ignored_interrupts_are_left_alone():
    def twice():
        with delayed_interrupts():
            return 2

    with ThreadPoolExecutor(1) as other:
        assert other.submit(twice).result() == 2
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert twice() == 2
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, handler)


def interrupted(function):
    """Return the function with a Ctrl-C as soon as it has returned."""

    def call(*given):
        result = function(*given)
        signal.raise_signal(signal.SIGINT)
        return result

    return call


@pytest.mark.skipif(backend.keras.backend.backend() != "jax", reason="only JAX trains in a compiled loop")
def test_convolutions_run_outside_of_loops_on_a_processor(monkeypatch):
    # XLA computes them 15 to 24 times as slowly inside.
    import jax

    looped = []
    monkeypatch.setattr(
        jax.lax, "fori_loop", lambda start, stop, body, carried: looped.append(1) or body(start, carried)
    )
    x, y = np.random.default_rng(0).random((12, 5, 5, 1), np.float32), np.zeros((12, 1), np.float32)
    for layer, loops in ((keras.layers.Conv2D(2, 3), False), (keras.layers.Dense(2), True)):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((5, 5, 1)), layer, keras.layers.Flatten(), keras.layers.Dense(1)])
        model.compile("sgd", "mse", jit_compile=True)
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        copy.compile("sgd", "mse")
        looped.clear()
        settings = {"batch_size": 4, "epochs": 2, "shuffle": False, "validation_data": (x[:5], y[:5]), "verbose": 0}
        found = codeword.fit(model, x, y, **settings).history
        assert bool(looped) == loops
        if not loops:
            for name, values in copy.fit(x, y, **settings).history.items():
                np.testing.assert_allclose(found[name], values, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="Keras trains on the other backends")
def test_a_model_works_after_an_interrupted_training(monkeypatch):
    from codeword.training import jax_loop

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    rows, steps = np.ones((8, 3), np.float32), jax_loop.compiled_steps
    before = model.get_weights()[0]
    monkeypatch.setattr(jax_loop, "compiled_steps", lambda *given: interrupted(steps(*given)))
    with pytest.raises(KeyboardInterrupt):
        codeword.fit(model, rows, rows, verbose=0)
    monkeypatch.undo()
    assert (model.get_weights()[0] != before).any()  # the steps that were done are kept
    assert np.isfinite(codeword.fit(model, rows, rows, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("call", [seeded(0).__enter__, lambda: compiled_inference(None), lambda: codeword.fit(None)])
def test_keras_refuses_a_fork_of_a_process_in_which_it_has_computed(monkeypatch, call):
    monkeypatch.setattr(backend, "_COMPUTED_IN", [1])
    with pytest.raises(codeword.errors.ForkedProcessError, match="got a fork of process 1"):
        call()
