"""The ratings' network: its gradient by hand is the backend's own, and it comes out as Keras models."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

import codeword as cw
from codeword import losses
from codeword.backend import keras
from codeword.recommenders.ensemble_member import network_input
from codeword.recommenders.row_network import RowNetwork
from codeword.recommenders.row_network import gradient as gradient_by_hand

from .gradients import value_and_gradient
from .tensors import to_array, to_tensor

ops = keras.ops


def example() -> tuple[RowNetwork, scipy.sparse.csr_array, np.ndarray]:
    random = np.random.default_rng(0)
    kept = random.random((6, 9)) < 0.5
    kept[:, 4], kept[2] = False, False  # nobody rated column 4, row 2 rated nothing
    rows = scipy.sparse.csr_array(np.where(kept, random.normal(2.5, 1, kept.shape), 0).astype(np.float32))
    network = RowNetwork.random(9, 5, random)
    network.bias_in[:], network.common_out[:] = random.normal(size=(2, 5))
    return network, rows, random.normal(size=rows.nnz).astype(np.float32)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("name", ["kernel_in", "bias_in", "kernel_out", "common_out"])
def test_the_gradient_by_hand_is_that_of_a_masked_loss(name: str, dense: bool) -> None:
    network, rows, targets = example()
    by_hand, squares = gradient_by_hand(network, rows, targets, dense=dense)
    aims = np.full(rows.shape, np.nan, np.float32)
    aims[rows.tocoo().coords] = targets
    loss = losses.Masked("mse", missing=float("nan"), average="entry", reduction="sum")

    def cost(weight: Any) -> Any:
        weights = {key: to_tensor(value) for key, value in vars(network).items()} | {name: weight}
        hidden = ops.sigmoid(ops.matmul(to_tensor(rows.toarray()), weights["kernel_in"]) + weights["bias_in"])
        output = ops.matmul(hidden, ops.transpose(weights["kernel_out"] + weights["common_out"]))
        return 0.5 * loss(to_tensor(aims), output)

    value, slope = value_and_gradient(cost, getattr(network, name))
    assert squares / 2 == pytest.approx(float(value), rel=1e-5)
    np.testing.assert_allclose(getattr(by_hand, name), slope, rtol=1e-4, atol=1e-5)
    if name.startswith("kernel"):
        assert not getattr(by_hand, name)[4].any()
        assert not slope[4].any()


@pytest.mark.parametrize("by", ["items", "users"])
@pytest.mark.slow
def test_a_fitted_network_comes_out_as_keras_models(by: str) -> None:
    ratings, _ = cw.datasets.planted_ratings(40, 30, 500)
    rec = cw.RatingAutoencoder(by=by, units=6, epochs=1, verbose=0).fit(ratings)
    network = rec.members_[0].network
    hidden = network.hidden(network_input(rec._scores.rows(by)))
    dense = to_tensor(rec.rows_.toarray())
    code, output = to_array(rec.encoder_(dense)), to_array(rec.model_(dense))
    np.testing.assert_allclose(code, hidden, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output, hidden @ (network.kernel_out + network.common_out).T, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(to_array(rec.decoder_(to_tensor(hidden))), output, rtol=1e-3, atol=1e-4)


def test_weights_of_what_nobody_rated_do_not_move_by_a_bit() -> None:
    """A fit of one step, decay and momentum included, beside the same network before it."""
    rows = np.repeat(np.arange(12), 4)
    items = np.concatenate([np.random.default_rng(user).choice(10, 4, replace=False) for user in range(12)])
    stars = 1.0 + (rows + items) % 5
    matrix = scipy.sparse.csr_array((stars, (rows, items)), shape=(12, 14))  # nobody rated items 10 to 13
    settings: dict[str, Any] = {"by": "users", "units": 5, "validation_fraction": 0, "verbose": 0}
    settings |= {"batch_size": 1_000, "epochs": 1}
    before = cw.RatingAutoencoder(**settings, learning_rate=0.0).fit(matrix).members_[0].network
    after = cw.RatingAutoencoder(**settings).fit(matrix).members_[0].network
    for name in ("kernel_in", "kernel_out"):
        old, new = getattr(before, name), getattr(after, name)
        assert (old[10:].view(np.uint32) == new[10:].view(np.uint32)).all()
        assert (old[:10] != new[:10]).all()
