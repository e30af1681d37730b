"""How networks are weighed by held-out ratings: what helps counts, luck does not, and the reported error is honest."""

import numpy as np
import pytest

from codeword.recommenders.weighing import EXPLAINED_BY_CHANCE, HeldOut

SEEDS = range(40)


def held_out(seed: int, number: int = 900, *, helps: float = 0.0, networks: int = 1) -> HeldOut:
    """Gives targets of variance 1 and predictions of variance 1/16, of which a share says something of the targets."""
    random = np.random.default_rng(seed)
    known = 0.25 * random.normal(size=number)
    guesses = 0.25 * random.normal(size=(networks + 1, number))
    predictions = np.sqrt(helps) * known + np.sqrt(1 - helps) * guesses
    targets = known + np.sqrt(1 - 1 / 16) * random.normal(size=number)
    kinds = ["items", "users", "items", "users"][:networks]
    return HeldOut(kinds, *(part.astype(np.float32) for part in (predictions[:-1], predictions[-1], targets)))


def mean_square(errors: np.ndarray) -> float:
    return float(np.square(errors).mean())


def test_what_helps_counts_nearly_as_by_least_squares() -> None:
    given = held_out(0, 100_000, helps=1.0)
    weights = given.weights()
    assert weights.networks.sum() + weights.gaussian == pytest.approx(1, abs=0.02)
    alone = given._replace(gaussian=np.zeros_like(given.gaussian))
    explained, noise = alone.networks[0] @ alone.targets, mean_square(alone.networks[0] - alone.targets)
    least_squares = explained / (alone.networks[0] @ alone.networks[0])
    lost = EXPLAINED_BY_CHANCE * noise / explained
    assert alone.weights().networks[0] == pytest.approx(least_squares, rel=float(2 * lost))


def test_luck_counts_little() -> None:
    """Weights of predictions that say nothing, found on some ratings, do no harm to others on average."""
    harm, is_used = [], []
    for seed in SEEDS:
        found, others = held_out(seed).weights(), held_out(1000 + seed, 20_000)
        is_used.append(found.gaussian + found.networks.sum() > 0)
        harm.append(mean_square(others.combined(found) - others.targets) / mean_square(others.targets) - 1)
    assert np.mean(is_used) < 0.15
    assert np.mean(harm) < 1e-4


def test_the_error_by_weights_of_the_others_is_that_on_new_ratings() -> None:
    reported, fitted, true = [], [], []
    for seed in SEEDS:
        given, others = held_out(seed, helps=0.5, networks=2), held_out(1000 + seed, 20_000, helps=0.5, networks=2)
        weights = given.weights()
        level = mean_square(given.targets)
        reported.append(mean_square(given.cross_fitted(np.random.default_rng(seed)) - given.targets) / level)
        fitted.append(mean_square(given.combined(weights) - given.targets) / level)
        true.append(mean_square(others.combined(weights) - others.targets) / mean_square(others.targets))
    spread = np.std(np.subtract(reported, true)) / np.sqrt(len(SEEDS))
    assert abs(np.mean(reported) - np.mean(true)) < 3 * spread
    assert np.mean(fitted) < np.mean(reported)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7])
def test_few_held_out_ratings(number: int) -> None:
    given = held_out(0, number, helps=1.0, networks=2)
    weights = given.weights()
    predictions = given.cross_fitted(np.random.default_rng(0))
    assert predictions.shape == (number,)
    assert np.isfinite(predictions).all()
    if number == 0:
        assert weights.networks.tolist() == pytest.approx([0.8, 0.2])  # nothing to choose by
    elif number < 3:  # as many factors as ratings explain everything, and nothing
        assert (weights.networks.sum(), weights.gaussian, predictions.any()) == (0, 0, False)


def test_predictions_of_nothing_get_no_weight() -> None:
    given = held_out(0, helps=1.0)
    weights = given._replace(networks=np.zeros_like(given.networks), gaussian=np.zeros_like(given.gaussian)).weights()
    assert (weights.networks.tolist(), weights.gaussian) == ([0.0], 0.0)
