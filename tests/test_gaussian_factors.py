"""Does the Gaussian model beside the networks learn what ratings share, and nothing where they share nothing?"""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import codeword as cw
from codeword.recommenders.gaussian_factors import SMALLEST_NOISE, GaussianFactors, fit_gaussian, renewed_items
from codeword.recommenders.training import chosen_rows

NUM_USERS, NUM_ITEMS, NOISE = 400, 30, 0.3
random = np.random.default_rng(0)
TRUTH = random.normal(size=(NUM_USERS, 3)) @ random.normal(size=(3, NUM_ITEMS))
GIVEN = random.random(TRUTH.shape) < 0.7
GIVEN[:, 7] = GIVEN[5] = False  # an item and a user without ratings


def sparse(values: np.ndarray, given: np.ndarray) -> sp.csr_array:
    rows, columns = np.nonzero(given)
    return sp.csr_array((values[given].astype(np.float32), (rows, columns)), shape=values.shape)


@pytest.fixture(scope="module")
def residuals() -> sp.csr_array:
    return sparse(TRUTH + NOISE * random.normal(size=TRUTH.shape), GIVEN)


@pytest.fixture(scope="module")
def model(residuals: sp.csr_array) -> GaussianFactors:
    return fit_gaussian(residuals, np.random.default_rng(0))


def test_planted_factors_and_their_noise_are_found(model: GaussianFactors, residuals: sp.csr_array) -> None:
    missing = ~GIVEN
    missing[:, 7] = missing[5] = False
    errors = (model.of_users(residuals) @ model.means.T - TRUTH)[missing]
    assert np.sqrt(np.square(errors).mean()) < 0.8 * NOISE
    assert model.noise == pytest.approx(NOISE**2, rel=0.15)


def test_without_ratings_nothing_is_added(model: GaussianFactors, residuals: sp.csr_array) -> None:
    assert not model.means[7].any()
    assert not model.of_users(residuals)[5].any()


def test_factors_of_users_are_the_conditional_mean(model: GaussianFactors, residuals: sp.csr_array) -> None:
    own, means = GIVEN[0], model.means.astype(np.float64)
    precision = np.eye(means.shape[1]) * model.noise
    precision += means[own].T @ means[own] + np.diag(model.variances[own].sum(axis=0))
    expected = np.linalg.solve(precision, residuals.toarray()[0, own] @ means[own])
    np.testing.assert_allclose(model.of_users(residuals)[0], expected, atol=1e-4)


def test_noise_alone_teaches_nothing() -> None:
    noise = sparse(random.normal(size=TRUTH.shape), GIVEN & (random.random(TRUTH.shape) < 0.2))
    learned = fit_gaussian(noise, np.random.default_rng(0))
    predicted = learned.of_users(noise) @ learned.means.T
    assert np.sqrt(np.square(predicted).mean()) < 0.25  # beside ratings that spread by 1


def test_residuals_of_zero_and_exact_ones_stay_finite() -> None:
    for values in (np.zeros(TRUTH.shape), TRUTH):
        learned = fit_gaussian(sparse(values, GIVEN), np.random.default_rng(0))
        assert learned.noise >= SMALLEST_NOISE
        assert np.isfinite(learned.of_users(sparse(values, GIVEN))).all()


def test_new_ratings_of_an_item_give_it_factors_without_learning_the_others_again(
    model: GaussianFactors, residuals: sp.csr_array
) -> None:
    changed = np.zeros(NUM_ITEMS, bool)
    changed[3] = True
    forgotten = replace(model, means=np.where(changed[:, None], 0, model.means).astype(np.float32))
    renewed = renewed_items(forgotten, residuals, changed)
    predicted = renewed.of_users(residuals) @ renewed.means[3]
    assert np.corrcoef(predicted, TRUTH[:, 3])[0, 1] > 0.95
    np.testing.assert_array_equal(renewed.means[~changed], model.means[~changed])


def test_few_items_and_many_ratings_are_predicted_with_it() -> None:
    stars = np.clip(3 + 0.6 * TRUTH + NOISE * random.normal(size=TRUTH.shape), 1, 5)
    held_out = GIVEN & (random.random(TRUTH.shape) < 0.1)
    train = sparse(stars, GIVEN & ~held_out)
    rec = cw.RatingAutoencoder(units=8, epochs=2, verbose=0, validation_fraction=0.1).fit(train)
    found = rec.evaluate(sparse(stars, held_out), k=None)
    assert rec.gaussian_.weight > 0.5
    assert found["rmse"] < 0.7 * found["rmse_biases"]
    some_user = sp.csr_array(train[[11]])
    np.testing.assert_allclose(rec.predict_new(some_user)[0], rec.predict(11, rec.items_), atol=0.3)


@pytest.mark.parametrize(
    ("users", "items", "each", "expected"),
    [(400, 300, 30, "items"), (300, 400, 2, "items"), (400, 300, 2, "users"), (300, 100, 30, "users")],
)
def test_the_network_reads_users_where_they_are_many_and_say_little(
    users: int, items: int, each: int, expected: str
) -> None:
    generator = np.random.default_rng(0)
    rows = np.repeat(np.arange(users), each)
    columns = np.concatenate([generator.permutation(items)[:each] for _ in range(users)])
    columns[:items] = np.arange(items)
    assert chosen_rows(sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(users, items))) == expected
