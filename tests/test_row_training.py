"""The network over sparse rows: its gradient against formulas, and training that leaves alone what a batch lacks."""

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from codeword import losses
from codeword.backend import keras
from codeword.recommenders import row_adam, row_fitting
from codeword.recommenders.biases import SHRINKAGE, Biases
from codeword.recommenders.row_adam import RowAdam
from codeword.recommenders.row_fitting import fit_rows
from codeword.recommenders.row_network import RowNetwork, gradient, sigmoid

from .contracts.gradients import gradient as backend_gradient

ops = keras.ops
WEIGHTS = tuple(field.name for field in dataclasses.fields(RowNetwork))


def example(num_rows: int = 7, num_columns: int = 9, units: int = 4, density: float = 0.4) -> tuple[Any, Any, Any]:
    """Gives a network with a bias, rows of which one is empty and some entries are 0 as noise leaves them, targets."""
    random = np.random.default_rng(5)
    kept = random.random((num_rows, num_columns)) < density
    kept[num_rows // 2] = False
    row, column = np.nonzero(kept)
    values = random.normal(size=len(row)).astype(np.float32)
    values[::4] = 0
    rows = sp.csr_array((values, (row, column)), shape=kept.shape)
    assert rows.nnz == kept.sum()
    network = RowNetwork.random(num_columns, units, random)
    for name in WEIGHTS:
        if getattr(network, name).ndim == 1:
            getattr(network, name)[:] = random.normal(size=units)
    return network, rows, random.normal(size=rows.nnz).astype(np.float32)


def in_float64(network: RowNetwork) -> dict[str, np.ndarray]:
    return {name: getattr(network, name).astype(np.float64) for name in WEIGHTS}


def plain_output(weights: dict[str, Any], rows: Any) -> tuple[Any, Any, Any]:
    """Gives hidden values, the outputs of all columns, and what the columns' output weights are in all."""
    hidden = 1 / (1 + np.exp(-(rows @ weights["kernel_in"] + weights["bias_in"])))
    kernel_out = weights["kernel_out"] + weights["common_out"]
    return hidden, hidden @ kernel_out.T, kernel_out


def plain_cost(weights: dict[str, np.ndarray], rows: sp.csr_array, targets: np.ndarray) -> float:
    """The cost by dense float64 arrays and a mask."""
    output = plain_output(weights, rows.toarray().astype(np.float64))[1]
    return 0.5 * float(np.square(output[rows.tocoo().coords] - targets).sum())


def plain_gradient(weights: dict[str, np.ndarray], rows: sp.csr_array, targets: np.ndarray) -> dict[str, np.ndarray]:
    dense, stored = rows.toarray().astype(np.float64), rows.tocoo().coords
    hidden, output, kernel_out = plain_output(weights, dense)
    errors = np.zeros(dense.shape)
    errors[stored] = output[stored] - targets
    to_hidden = (errors @ kernel_out) * hidden * (1 - hidden)
    slopes = {"kernel_in": dense.T @ to_hidden, "bias_in": to_hidden.sum(axis=0), "kernel_out": errors.T @ hidden}
    return {**slopes, "common_out": (errors.T @ hidden).sum(axis=0)}


# The network and its gradient


def test_sigmoid_is_the_formula_and_never_overflows() -> None:
    x = np.linspace(-20, 20, 101).astype(np.float32)
    np.testing.assert_allclose(sigmoid(x.copy()), 1 / (1 + np.exp(-x.astype(np.float64))), atol=1e-7)
    extremes = np.array([-3e38, -1e3, 0, 1e3, 3e38, -np.inf, np.inf], np.float32)
    assert sigmoid(extremes).tolist() == [0, 0, 0.5, 1, 1, 0, 1]


def test_hidden_is_the_formula_also_for_an_empty_row() -> None:
    network, rows, _ = example()
    dense = rows.toarray().astype(np.float64)
    expected = 1 / (1 + np.exp(-(dense @ network.kernel_in + network.bias_in)))
    np.testing.assert_allclose(network.hidden(rows), expected, rtol=1e-5)
    assert network.hidden(rows).dtype == np.float32


@pytest.mark.parametrize("dense", [True, False, None])
@pytest.mark.parametrize("shape", [(7, 9, 4), (1, 9, 4), (7, 1, 4), (30, 40, 1)])
def test_gradient_is_the_plain_formula(dense: bool | None, shape: tuple[int, int, int]) -> None:
    network, rows, targets = example(*shape, density=1.0 if 1 in shape[:2] else 0.4)
    if shape[0] == 1:  # its only row is the empty one
        rows = sp.csr_array(np.ones(shape[:2], np.float32))
        targets = np.linspace(-1, 1, 9).astype(np.float32)
    before = copy.deepcopy(network)
    slope, squares = gradient(network, rows, targets, dense=dense)
    plain = plain_gradient(in_float64(network), rows, targets)
    for name in WEIGHTS:
        given, expected = getattr(slope, name), plain[name]
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(getattr(network, name), getattr(before, name))
    assert squares == pytest.approx(2 * plain_cost(in_float64(network), rows, targets), rel=1e-5)


@pytest.mark.parametrize("dense", [True, False])
def test_gradient_is_the_slope_of_the_cost(dense: bool) -> None:
    network, rows, targets = example()
    slope, _ = gradient(network, rows, targets, dense=dense)
    for name in WEIGHTS:
        for index in np.ndindex(getattr(network, name).shape):
            costs = []
            for move in (1e-5, -1e-5):
                weights = in_float64(network)
                weights[name][index] += move
                costs.append(plain_cost(weights, rows, targets))
            assert getattr(slope, name)[index] == pytest.approx((costs[0] - costs[1]) / 2e-5, rel=1e-3, abs=1e-5)


def test_gradient_is_the_backends_own_through_the_masked_loss() -> None:
    network, rows, targets = example()
    entering, aims = rows.toarray(), np.full(rows.shape, np.nan, np.float32)
    aims[rows.tocoo().coords] = targets
    loss = losses.Masked("mse", missing=np.nan, average="entry", reduction="sum")
    slope, squares = gradient(network, rows, targets)
    for name in WEIGHTS:

        def cost(weight: Any, name: str = name) -> Any:
            weights = {other: ops.convert_to_tensor(getattr(network, other)) for other in WEIGHTS} | {name: weight}
            hidden = ops.sigmoid(ops.convert_to_tensor(entering) @ weights["kernel_in"] + weights["bias_in"])
            return loss(aims, hidden @ ops.transpose(weights["kernel_out"] + weights["common_out"]))

        expected = 0.5 * backend_gradient(cost, getattr(network, name))
        np.testing.assert_allclose(getattr(slope, name), expected, rtol=1e-4, atol=1e-5, err_msg=name)
        assert float(cost(ops.convert_to_tensor(getattr(network, name)))) == pytest.approx(squares, rel=1e-5)


def test_dense_and_sparse_give_the_same() -> None:
    network, rows, targets = example(50, 60, 8, density=0.1)
    dense, sparse = (gradient(network, rows, targets, dense=dense) for dense in (True, False))
    for name in WEIGHTS:
        np.testing.assert_allclose(getattr(dense[0], name), getattr(sparse[0], name), rtol=1e-4, atol=1e-5)
    assert dense[1] == pytest.approx(sparse[1], rel=1e-5)


@pytest.mark.parametrize("dense", [True, False])
def test_an_entry_that_noise_dropped_is_a_target_but_enters_nothing(dense: bool) -> None:
    network = example()[0]
    alone = sp.csr_array((np.zeros(1, np.float32), np.array([3]), np.array([0, 1])), shape=(1, 9))
    slope, squares = gradient(network, alone, np.array([2.0], np.float32), dense=dense)
    hidden = 1 / (1 + np.exp(-network.bias_in.astype(np.float64)))
    error = hidden @ plain_output(in_float64(network), np.zeros((1, 9)))[2][3] - 2
    assert squares == pytest.approx(error**2, rel=1e-5)
    np.testing.assert_allclose(slope.kernel_out[3], error * hidden, rtol=1e-5)
    assert not slope.kernel_in.any()
    assert not np.delete(slope.kernel_out, 3, axis=0).any()


def test_columns_without_an_entry_have_no_gradient() -> None:
    network, rows, targets = example()
    empty = np.bincount(rows.indices, minlength=9) == 0
    if not empty.any():
        rows = sp.csr_array(rows[:2])
        targets, empty = targets[: rows.nnz], np.bincount(rows.indices, minlength=9) == 0
    assert empty.any()
    for dense in (True, False):
        slope, _ = gradient(network, rows, targets, dense=dense)
        assert not slope.kernel_in[empty].any()
        assert not slope.kernel_out[empty].any()


# Adam over rows


def test_adam_moves_a_row_of_one_gradient_by_the_rate_in_every_step() -> None:
    table = np.zeros((3, 4), np.float32)
    signs = np.array([[1, -1, 1, 1], [-1, -1, 1, -1]], np.float32)
    optimizer = RowAdam(table)
    for step in range(1, 6):
        optimizer.update(np.array([2, 0]), signs * np.array([[1e-3], [1e3]], np.float32), rate=0.1)
        np.testing.assert_allclose(table[[2, 0]], -0.1 * step * signs, rtol=1e-3)
    assert not table[1].any()


def test_adam_finds_the_minimum() -> None:
    aim = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    table = np.zeros_like(aim)
    optimizer = RowAdam(table)
    for step in range(300):
        optimizer.update(None, table - aim, rate=0.1 * (1 - step / 300))
    np.testing.assert_allclose(table, aim, atol=1e-3)
    for step in range(300):
        optimizer.update(None, table - aim, rate=0.1 * (1 - step / 300), decay=1.0)
    np.testing.assert_allclose(table, aim / 2, atol=1e-3)


@pytest.mark.parametrize("shape", [(50, 7), (50,)])
def test_rows_in_any_order_all_rows_and_blocks_of_any_length_are_the_same(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    results = []
    for block, order in ((2**15, None), (2**15, np.arange(50)), (20, None), (20, np.arange(50)[::-1]), (1, None)):
        monkeypatch.setattr(row_adam, "BLOCK", block)
        table, gradients = start.copy(), np.random.default_rng(2)
        optimizer = RowAdam(table)
        for _ in range(5):
            slope = gradients.normal(size=shape).astype(np.float32)
            optimizer.update(order, slope if order is None else slope[order], rate=0.1, decay=0.01)
        results.append(table)
    assert (results[0] != start).any()
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_rows_that_are_not_named_keep_every_bit_also_after_they_have_moved() -> None:
    table = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    optimizer = RowAdam(table)
    optimizer.update(None, np.ones((10, 3), np.float32), rate=0.1)  # all have momentum now
    rest = np.array([0, 2, 4, 6, 8])
    kept = [state[rest].tobytes() for state in (table, optimizer._mean, optimizer._square)]
    before = table.copy()
    for _ in range(4):
        optimizer.update(np.array([1, 9]), np.ones((2, 3), np.float32), rate=0.1, decay=5.0)
    assert [state[rest].tobytes() for state in (table, optimizer._mean, optimizer._square)] == kept
    assert (table[[1, 9]] != before[[1, 9]]).all()


# Fitting


class Recorder:
    """Watches `fit_rows`: every batch, every rate, and that no optimizer moved what its batch lacks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[tuple[sp.csr_array, np.ndarray]] = []
        self.rates: list[float] = []
        self.left_alone = 0
        recorder, plain = self, row_fitting.gradient

        def recorded_gradient(network: Any, inputs: Any, targets: Any) -> Any:
            recorder.batches.append((inputs.copy(), targets.copy()))
            return plain(network, inputs, targets)

        class RecordedAdam(RowAdam):
            def update(self, rows: Any, gradient: Any, *, rate: float, decay: float = 0.0) -> None:
                states = (self._table, self._mean, self._square)
                others = np.setdiff1d(
                    np.arange(len(self._table)), np.arange(len(self._table)) if rows is None else rows
                )
                before = [state[others].tobytes() for state in states]
                super().update(rows, gradient, rate=rate, decay=decay)
                assert [state[others].tobytes() for state in states] == before
                recorder.left_alone += len(others)
                recorder.rates.append(rate)

        monkeypatch.setattr(row_fitting, "gradient", recorded_gradient)
        monkeypatch.setattr(row_fitting, "RowAdam", RecordedAdam)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


def counted(lengths: list[int], num_columns: int) -> sp.csr_array:
    """Gives rows of these lengths at random columns, whose values count all entries."""
    random = np.random.default_rng(3)
    columns = [np.sort(random.choice(num_columns, length, replace=False)) for length in lengths]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    values = np.arange(1, indptr[-1] + 1, dtype=np.float32)
    return sp.csr_array((values, np.concatenate(columns), indptr), shape=(len(lengths), num_columns))


def run(rows: sp.csr_array, targets: np.ndarray | None = None, **settings: Any) -> tuple[RowNetwork, list[float]]:
    history: list[float] = []
    stop = settings.pop("stop", None)
    generator = np.random.default_rng(settings.pop("seed", 0))
    network = RowNetwork.random(rows.shape[1], 4, np.random.default_rng(9))

    def after_epoch(epoch: int, mse: float) -> bool:
        history.append(mse)
        assert epoch == len(history)
        return epoch == stop

    settings = {
        "epochs": 3, "steps_per_epoch": 4, "learning_rate": 0.05, "weight_decay": 1.0, "noise": 0.5, **settings,
    }  # fmt: skip
    targets = np.sin(rows.data) if targets is None else targets
    fit_rows(network, rows, targets, generator=generator, after_epoch=after_epoch, **settings)
    return network, history


@pytest.mark.parametrize("lengths", [[3] * 12, [1, 9, 2, 0, 5, 5, 0, 1], [20, 1, 1, 1, 1], [0, 0, 4]])
def test_an_epoch_has_every_row_once(lengths: list[int], recorder: Recorder) -> None:
    rows = counted(lengths, 20)
    run(rows, rows.data.copy(), epochs=3, noise=0.0)
    seen, epoch_ends = [], 0
    for inputs, targets in recorder.batches:
        np.testing.assert_array_equal(inputs.data, targets)  # an entry goes with its own target
        # Rows stay whole: their entries follow each other.
        for start, end in zip(inputs.indptr[:-1], inputs.indptr[1:], strict=True):
            assert (np.diff(inputs.data[start:end]) == 1).all()
        seen.extend(targets.tolist())
        if len(seen) == rows.nnz:
            assert sorted(seen) == rows.data.tolist()
            seen, epoch_ends = [], epoch_ends + 1
    assert (seen, epoch_ends) == ([], 3)


def test_an_epoch_has_the_steps_asked_for_of_about_one_size(recorder: Recorder) -> None:
    run(counted([5] * 12, 20), epochs=1, steps_per_epoch=4)
    sizes = [inputs.nnz for inputs, _ in recorder.batches]
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) <= 5  # a row
    recorder.batches.clear()
    run(counted([5] * 12, 20), epochs=1, steps_per_epoch=12)
    assert [inputs.nnz for inputs, _ in recorder.batches] == [5] * 12


def test_the_order_of_rows_is_another_in_every_epoch(recorder: Recorder) -> None:
    rows = counted([2] * 30, 20)
    run(rows, rows.data.copy(), epochs=2, steps_per_epoch=1)
    first, second = (targets.tolist() for _, targets in recorder.batches)
    assert sorted(first) == sorted(second)
    assert first != second


@pytest.mark.parametrize("lengths", [[5] * 40, [5] * 4, [30, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 30]])
def test_the_rate_rises_and_ends_at_0(lengths: list[int], recorder: Recorder) -> None:
    run(counted(lengths, 40), epochs=5, learning_rate=0.05)
    rates = recorder.rates[:: len(WEIGHTS)]
    top = int(np.argmax(rates))
    assert 0.04 < max(rates) <= 0.05
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert rates[-1] < 0.02 * 0.05


def test_steps_leave_every_column_without_an_entry_alone_to_the_last_bit(recorder: Recorder) -> None:
    halves = [np.arange(0, 4), np.arange(4, 8)]  # columns 8 and 9 have no entry at all
    columns = np.concatenate([halves[row % 2] for row in range(20)])
    rows = sp.csr_array((np.ones(80, np.float32), columns, np.arange(0, 81, 4)), shape=(20, 10))
    before = RowNetwork.random(10, 4, np.random.default_rng(9))
    network, _ = run(rows, np.linspace(-1, 1, 80).astype(np.float32), epochs=4, steps_per_epoch=20, weight_decay=50.0)
    assert recorder.left_alone >= 2 * 4 * 15 * 2  # the recorder compared all of them, bit by bit
    for name in ("kernel_in", "kernel_out"):
        assert getattr(network, name)[8:].tobytes() == getattr(before, name)[8:].tobytes()
        assert (getattr(network, name)[:8] != getattr(before, name)[:8]).all()


def test_noise_drops_its_share_from_the_inputs_and_none_from_the_targets(recorder: Recorder) -> None:
    rows = counted([50] * 40, 100)
    run(rows, rows.data.copy(), epochs=2, steps_per_epoch=2, noise=0.75)
    dropped = []
    for inputs, targets in recorder.batches:
        assert len(targets) == inputs.nnz
        kept = inputs.data != 0
        np.testing.assert_allclose(inputs.data[kept], 4 * targets[kept])
        dropped.append(1 - kept.mean())
    assert np.mean(dropped) == pytest.approx(0.75, abs=0.03)
    at = [dict(zip(targets.tolist(), inputs.data.tolist(), strict=True)) for inputs, targets in recorder.batches]
    first, second = {**at[0], **at[1]}, {**at[2], **at[3]}
    assert first.keys() == second.keys()
    assert first != second  # drawn anew
    assert rows.data.all()  # the user's rows stay as they are


def test_same_seed_same_weights() -> None:
    rows = counted([5, 3, 8, 1, 9, 9, 2], 15)
    first, again, other = (run(rows, seed=seed) for seed in (1, 1, 2))
    for name in WEIGHTS:
        assert getattr(first[0], name).tobytes() == getattr(again[0], name).tobytes()
        assert (getattr(first[0], name) != getattr(other[0], name)).any()
    assert first[1] == again[1]


def test_after_epoch_hears_the_mean_squared_error_and_can_stop() -> None:
    rows = counted([5, 3, 8, 0, 9], 15)
    rows.data /= 10
    start = RowNetwork.random(15, 4, np.random.default_rng(9))
    network, history = run(rows, learning_rate=0.0, noise=0.0)
    for name in WEIGHTS:
        np.testing.assert_array_equal(getattr(network, name), getattr(start, name))
    expected = 2 * plain_cost(in_float64(start), rows, np.sin(rows.data)) / rows.nnz
    assert history == pytest.approx([expected] * 3, rel=1e-4)
    assert len(run(rows, epochs=9, stop=2)[1]) == 2


def test_it_learns_what_depends_on_the_row() -> None:
    random = np.random.default_rng(0)
    signs = np.where(random.random(80) < 0.5, -1, 1)
    kept = random.random((80, 30)) < 0.4
    row, column = np.nonzero(kept)
    rows = sp.csr_array((signs[row].astype(np.float32), (row, column)), shape=kept.shape)
    targets = rows.data.copy()  # each row is all 1 or all -1: no column alone can tell
    _, history = run(rows, targets, epochs=30, weight_decay=0.0, noise=0.3)
    assert history[0] > 0.5
    assert history[-1] < 0.1


@pytest.mark.parametrize("lengths", [[5], [1], [1] * 6, [1, 0, 0]])
@pytest.mark.parametrize("num_columns", [1, 8])
def test_one_row_one_column_one_entry(lengths: list[int], num_columns: int) -> None:
    rows = counted([min(length, num_columns) for length in lengths], num_columns)
    rows.data[:] = 1
    network, history = run(rows, np.ones(rows.nnz, np.float32), epochs=60, noise=0.0, weight_decay=0.0)
    assert history[-1] < 0.02
    assert all(np.isfinite(getattr(network, name)).all() for name in WEIGHTS)


def test_training_of_one_step_learns_something() -> None:
    rows = counted([4], 6)
    start = RowNetwork.random(6, 4, np.random.default_rng(9))
    network, _ = run(rows, epochs=1, steps_per_epoch=1)
    assert (network.kernel_out != start.kernel_out).any()


# Biases


def some_ratings() -> sp.csr_array:
    random = np.random.default_rng(4)
    kept = random.random((30, 20)) < 0.3
    kept[7], kept[:, 3] = False, False
    row, column = np.nonzero(kept)
    values = 2 + 0.5 * np.sin(row) + 0.7 * np.cos(column) + 0.1 * random.normal(size=len(row))
    return sp.csr_array((values.astype(np.float32), (row, column)), shape=kept.shape)


def test_biases_are_those_of_ridge_regression() -> None:
    ratings = some_ratings()
    row, column = ratings.tocoo().coords
    design = np.zeros((ratings.nnz, 50))
    design[np.arange(ratings.nnz), row] = 1
    design[np.arange(ratings.nnz), 30 + column] = 1
    mean = ratings.data.astype(np.float64).mean()
    expected = np.linalg.solve(design.T @ design + SHRINKAGE * np.eye(50), design.T @ (ratings.data - mean))
    biases = Biases.of(ratings)
    assert biases.mean == pytest.approx(mean)
    np.testing.assert_allclose(biases.users, expected[:30], atol=5e-3)
    np.testing.assert_allclose(biases.items, expected[30:], atol=5e-3)
    assert biases.users[7] == 0
    assert biases.items[3] == 0


def test_biases_of_the_same_users_from_their_ratings_are_their_own() -> None:
    ratings = some_ratings()
    biases = Biases.of(ratings)
    np.testing.assert_allclose(biases.users_of(ratings), biases.users, atol=1e-6)


def test_residuals_and_biases_add_up_to_the_ratings() -> None:
    ratings = some_ratings()
    before = ratings.data.copy()
    biases = Biases.of(ratings)
    rest = biases.residuals(ratings, biases.users)
    row, column = ratings.tocoo().coords
    np.testing.assert_allclose(rest.data + biases.mean + biases.users[row] + biases.items[column], before, atol=1e-5)
    np.testing.assert_array_equal(rest.tocoo().coords, (row, column))
    np.testing.assert_array_equal(ratings.data, before)
