"""The recommender: answers against a plain formula, what it promises of cold ids, scales and lists, awkward data."""

import copy
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from codeword import Binary, RatingAutoencoder, Ratings
from codeword.backend import keras
from codeword.errors import DataError, DataTypeError, DivergedError, ParameterError
from codeword.recommenders import row_fitting
from codeword.recommenders import scores as rating_scores
from codeword.recommenders.ensemble_member import INPUT_LENGTH, INPUT_OFFSET, ridge_regression
from codeword.recommenders.rating_table import as_rating_table
from codeword.recommenders.scores import top_items
from codeword.recommenders.settings import SETTINGS
from codeword.settings import TRAINING

NUM_USERS, NUM_ITEMS = 60, 40
COLD_USER, COLD_ITEM = 17, 23  # in the matrix, without a rating


def rated(seed: int = 0) -> sp.csr_array:
    """Gives half stars from 1 to 5 of a truth of rank 2; one user and one item have none."""
    random = np.random.default_rng(seed)
    truth = 3 + 0.5 * random.normal(size=(NUM_USERS, 1)) + 0.5 * random.normal(size=(1, NUM_ITEMS))
    truth += random.normal(size=(NUM_USERS, 2)) @ random.normal(size=(2, NUM_ITEMS))
    kept = random.random(truth.shape) < 0.3
    kept[COLD_USER], kept[:, COLD_ITEM] = False, False
    row, column = np.nonzero(kept)
    return sp.csr_array((np.clip(np.round(2 * truth[row, column]) / 2, 1, 5), (row, column)), shape=truth.shape)


RATINGS = rated()
ROW, COLUMN = RATINGS.tocoo().coords
EVERY_PAIR = tuple(part.ravel() for part in np.meshgrid(np.arange(NUM_USERS), np.arange(NUM_ITEMS), indexing="ij"))
MODELS: dict[str, dict[str, Any]] = {
    "items": {"by": "items", "validation_fraction": 0},
    "users": {"by": "users", "validation_fraction": 0.1},
    "both": {"by": "both", "members": 2, "validation_fraction": 0.2, "data": Ratings(1, 5, step=0.5)},
}


def small(**settings: Any) -> RatingAutoencoder:
    return RatingAutoencoder(**{"units": 8, "epochs": 3, "verbose": 0, **settings})


@pytest.fixture(scope="module")
def fitted() -> dict[str, RatingAutoencoder]:
    return {name: small(**settings).fit(RATINGS) for name, settings in MODELS.items()}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, fitted: dict[str, RatingAutoencoder]) -> RatingAutoencoder:
    return fitted[request.param]


def dense_residuals(model: RatingAutoencoder, ratings: sp.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gives what biases leave of each rating on a scale 4 wide, (users, items), which cells are rated, and biases."""
    low, high = model.data_.low, model.data_.high
    mask = np.zeros(ratings.shape, bool)
    mask[ratings.tocoo().coords] = True
    biases = model.biases_.mean + model.biases_.users.astype(np.float64)[:, None] + model.biases_.items
    return np.where(mask, (ratings.toarray() - low) * 4 / (high - low) - biases, 0), mask, biases


def plain_answers(model: RatingAutoencoder, ratings: sp.csr_array = RATINGS) -> tuple[np.ndarray, np.ndarray]:
    """Gives predictions of all pairs, and those of the biases alone, by dense float64 arrays."""
    low, high = model.data_.low, model.data_.high
    residuals, mask, biases = dense_residuals(model, ratings)
    both_rated = mask.any(axis=1)[:, None] & mask.any(axis=0)
    scores = biases.copy()
    for weight, member in zip(model.member_weights_, model.members_, strict=True):
        rows = np.where(mask, residuals + INPUT_OFFSET, 0)
        rows = rows.T if member.by == "items" else rows
        lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
        rows = INPUT_LENGTH * rows / np.where(lengths > 0, lengths, 1)
        network = member.network
        hidden = 1 / (1 + np.exp(-(rows @ network.kernel_in.astype(np.float64) + network.bias_in)))
        output = hidden @ (network.kernel_out + network.common_out).T.astype(np.float64)
        scores += weight * np.where(both_rated, output.T if member.by == "items" else output, 0)
    if model.gaussian_:
        means, variances = (part.astype(np.float64) for part in (model.gaussian_.means, model.gaussian_.variances))
        for user in range(len(mask)):
            own, noise = mask[user], model.gaussian_.noise
            precision = np.eye(means.shape[1]) + (means[own].T @ means[own] + np.diag(variances[own].sum(0))) / noise
            factors = np.linalg.solve(precision, residuals[user, own] @ means[own] / noise)
            scores[user] += model.gaussian_.weight * means @ factors
    return tuple(np.clip(low + part * (high - low) / 4, low, high) for part in (scores, biases))


def root_mean_square(errors: Any) -> float:
    return float(np.sqrt(np.square(np.asarray(errors, np.float64)).mean()))


# Values


def test_predictions_are_the_plain_formula(model: RatingAutoencoder) -> None:
    answers = model.predict(*EVERY_PAIR)
    assert (answers.shape, answers.dtype) == ((NUM_USERS * NUM_ITEMS,), np.float32)
    expected, biases = plain_answers(model)
    np.testing.assert_allclose(answers.reshape(expected.shape), expected, atol=1e-4)
    assert np.abs(expected - biases).max() > 0.05  # the networks say something
    assert answers.min() >= 1
    assert answers.max() <= 5


def test_weights_of_the_networks_sum_to_1_or_less(model: RatingAutoencoder) -> None:
    expected = {"items": ["items"], "users": ["users"], "both": ["items", "items", "users", "users"]}[model.by]
    assert [member.by for member in model.members_] == expected
    total = model.member_weights_.sum() + (model.gaussian_.weight if model.gaussian_ else 0)
    assert 0 < total <= 1 + 1e-6
    assert (model.member_weights_ >= 0).all()
    assert np.unique(np.round(model.member_weights_, 6)).size <= 2  # networks of one kind weigh alike


def test_pairs_in_any_order_and_number_are_the_same(model: RatingAutoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    users, items = EVERY_PAIR
    expected = model.predict(users, items)
    order = np.random.default_rng(0).permutation(len(users))
    monkeypatch.setattr(rating_scores, "SCORES_AT_A_TIME", 99)
    np.testing.assert_allclose(model.predict(users[order], items[order]), expected[order], atol=1e-5)
    repeated = model.predict([3, 3, 3, 9], [5, 5, 6, 5])
    np.testing.assert_allclose(repeated, expected.reshape(NUM_USERS, NUM_ITEMS)[[3, 3, 3, 9], [5, 5, 6, 5]], atol=1e-5)
    assert model.predict(3, 5).shape == (1,)
    assert model.predict([], []).shape == (0,)
    np.testing.assert_allclose(model.predict(3, [5, 6, 7]), model.predict([3, 3, 3], [5, 6, 7]), atol=1e-6)
    with pytest.raises(DataError, match=r"got 2 users and 3 items"):
        model.predict([3, 4], [1, 2, 3])


def test_cold_and_unknown_ids_are_answered_from_biases_and_marked(model: RatingAutoencoder) -> None:
    mean, users, items = model.biases_.mean, model.biases_.users, model.biases_.items
    unknown, negative = 10**6, -1
    pairs = {
        (2, COLD_ITEM): mean + users[2],
        (COLD_USER, 4): mean + items[4],
        (COLD_USER, COLD_ITEM): mean,
        (2, unknown): mean + users[2],
        (negative, 4): mean + items[4],
        (unknown, negative): mean,
    }
    answers, known = model.predict(*zip(*pairs, strict=True), return_known=True)
    np.testing.assert_allclose(answers, np.clip([1 + score for score in pairs.values()], 1, 5), atol=1e-5)
    assert known.tolist() == [False] * 6
    answers, known = model.predict(*EVERY_PAIR, return_known=True)
    cold = (EVERY_PAIR[0] == COLD_USER) | (EVERY_PAIR[1] == COLD_ITEM)
    np.testing.assert_array_equal(known, ~cold)
    np.testing.assert_array_equal(answers, model.predict(*EVERY_PAIR))
    np.testing.assert_allclose(answers[cold], plain_answers(model)[1].ravel()[cold], atol=1e-5)


@pytest.mark.parametrize("by", ["items", "users"])
def test_users_and_items_whose_only_ratings_were_held_out_have_biases_all_the_same(by: str) -> None:
    single = np.arange(100, 300)
    users, items = np.concatenate([ROW, single]), np.concatenate([COLUMN, single % 20])
    values = np.concatenate([RATINGS.data, np.full(200, 1.0)])
    rec = small(by=by, validation_fraction=0.9, units=8).fit((users, items, values))
    assert rec.history_["val_rmse"]
    assert (rec.biases_.users[rec.users_ >= 100] < 0).all()  # they said 1 of everything
    swapped = small(by=by, validation_fraction=0.9, units=8).fit((items, users, values))
    assert (swapped.biases_.items[swapped.items_ >= 100] < 0).all()


@pytest.mark.parametrize(("factor", "shift"), [(2.0, -7.0), (0.25, 0.0), (20.0, 100.0)])
@pytest.mark.parametrize("name", MODELS)
def test_the_unit_of_the_scale_changes_nothing(
    name: str, factor: float, shift: float, fitted: dict[str, RatingAutoencoder]
) -> None:
    step = None if MODELS[name].get("data") is None else MODELS[name]["data"].step * factor
    settings = {**MODELS[name], "data": Ratings(factor + shift, 5 * factor + shift, step)}
    ratings = sp.csr_array((RATINGS.data * factor + shift, (ROW, COLUMN)), shape=RATINGS.shape)
    model = small(**settings).fit(ratings)
    expected = fitted[name].predict(*EVERY_PAIR) * factor + shift
    np.testing.assert_allclose(model.predict(*EVERY_PAIR), expected, atol=2e-3 * factor)
    if fitted[name].validation_rmse_ == fitted[name].validation_rmse_:
        assert model.validation_rmse_ == pytest.approx(factor * fitted[name].validation_rmse_, rel=1e-3)
    history, expected_history = (rec.members_[0].history["mse"] for rec in (model, fitted[name]))
    assert history == pytest.approx([factor**2 * mse for mse in expected_history], rel=1e-2)


def test_zero_negative_and_fractional_ratings_are_ratings() -> None:
    values = np.resize([-0.75, 0.0, 0.25], len(ROW))
    rec = small(data=Ratings(-0.75, 0.25, step=0.25)).fit(sp.coo_array((values, (ROW, COLUMN)), shape=RATINGS.shape))
    assert rec.ratings_.matrix.nnz == len(ROW)  # also the zeros
    answers = rec.predict(*EVERY_PAIR)
    assert answers.min() >= -0.75
    assert answers.max() <= 0.25
    assert set(np.unique(rec.predict(*EVERY_PAIR, rounded=True))) <= {-0.75, -0.5, -0.25, 0.0, 0.25}
    with pytest.warns(UserWarning, match=rf"^All {len(ROW)} ratings are 0, so there is nothing to learn"):
        zeros = small(data=Ratings(0, 1)).fit(sp.coo_array((np.zeros(len(ROW)), (ROW, COLUMN)), shape=RATINGS.shape))
    assert zeros.biases_.mean == 0
    assert zeros.evaluate((ROW, COLUMN, np.zeros(len(ROW))))["known"] == 1


def test_rounded_answers_are_the_scales_own_steps(fitted: dict[str, RatingAutoencoder]) -> None:
    free, rounded = (fitted["both"].predict(*EVERY_PAIR, rounded=rounded) for rounded in (False, True))
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(rounded * 2, np.round(rounded * 2))
    assert np.abs(rounded - free).max() <= 0.25 + 1e-6
    rows = fitted["both"].predict_new(RATINGS[:5], rounded=True)
    np.testing.assert_array_equal(rows * 2, np.round(rows * 2))
    for call in (fitted["items"].predict, lambda *_, **options: fitted["items"].predict_new(RATINGS, **options)):
        with pytest.raises(ParameterError, match=r"got Ratings\(low=1\.0, high=5\.0, step=None"):
            call([0], [0], rounded=True)


# Learning


@pytest.mark.parametrize("by", ["items", "users", "both"])
def test_it_learns_a_planted_truth_that_biases_cannot_say(by: str) -> None:
    random = np.random.default_rng(2)
    truth = 3 + 0.2 * random.normal(size=(150, 1)) + 0.8 * random.normal(size=(150, 2)) @ random.normal(size=(2, 100))
    truth = np.clip(truth, 1, 5)
    seen = random.random(truth.shape) < 0.3
    row, column = np.nonzero(seen)
    rec = small(by=by, units=32, epochs=40, weight_decay=10.0, patience=40)
    rec.fit(sp.csr_array((truth[row, column], (row, column)), shape=truth.shape))
    unseen = np.nonzero(~seen)
    biases = 1 + rec.biases_.mean + rec.biases_.users[unseen[0]] + rec.biases_.items[unseen[1]]
    error = root_mean_square(rec.predict(*unseen) - truth[unseen])
    assert error < 0.75 * root_mean_square(np.clip(biases, 1, 5) - truth[unseen])
    # And what it learned is no taste of the users in the training alone.
    of_new = rec.predict_new(sp.csr_array((truth[row, column], (row, column)), shape=truth.shape))
    assert root_mean_square(of_new[unseen] - truth[unseen]) < 0.8 * root_mean_square(biases - truth[unseen])


def test_same_seed_same_predictions_whatever_the_random_state() -> None:
    keras.utils.set_random_seed(1)
    first = small(by="both", seed=3).fit(RATINGS)
    keras.utils.set_random_seed(2)
    again, other = small(by="both", seed=3).fit(RATINGS), small(by="both", seed=4).fit(RATINGS)
    np.testing.assert_array_equal(first.predict(*EVERY_PAIR), again.predict(*EVERY_PAIR))
    assert first.fingerprint_ == again.fingerprint_ != other.fingerprint_
    assert (first.predict(*EVERY_PAIR) != other.predict(*EVERY_PAIR)).any()


@pytest.mark.parametrize("part", ["answers", "Keras models"])
def test_the_users_random_numbers_stay_untouched(part: str, fitted: dict[str, RatingAutoencoder]) -> None:
    def draw() -> tuple[float, float, list[float]]:
        return random.random(), np.random.random(), keras.ops.convert_to_numpy(keras.random.normal((3,))).tolist()

    keras.utils.set_random_seed(7)
    expected = draw()
    keras.utils.set_random_seed(7)
    if part == "answers":
        rec = small(by="both").fit(RATINGS)
        rec.predict([1], [2])
        rec.predict_new(RATINGS[:2])
        rec.recommend([1])
    else:
        assert all((fitted["items"].model_, fitted["items"].encoder_, fitted["items"].decoder_))
    assert draw() == expected


@pytest.mark.parametrize("by", ["items", "users"])
def test_fit_leaves_the_users_matrix_alone(by: str) -> None:
    matrix = sp.csr_array(RATINGS.astype(np.float32))
    before = [part.copy() for part in (matrix.data, matrix.indices, matrix.indptr)]
    rec = small(by=by).fit(matrix)
    expected = rec.predict(*EVERY_PAIR)
    for part, old in zip((matrix.data, matrix.indices, matrix.indptr), before, strict=True):
        np.testing.assert_array_equal(part, old)
    matrix.data[:] = 1  # nor does the model look at it again
    np.testing.assert_array_equal(rec.predict(*EVERY_PAIR), expected)


def test_every_origin_of_the_same_ratings_gives_the_same_model() -> None:
    expected = small().fit(RATINGS).predict(ROW, COLUMN)
    order = np.random.default_rng(0).permutation(len(ROW))
    frame = pd.DataFrame({"who": ROW[order], "what": COLUMN[order], "stars": RATINGS.data[order]})
    for given_ratings, options in (
        (sp.lil_matrix(RATINGS), {}),
        (RATINGS.tocsc(), {}),
        (frame, {"columns": ("who", "what", "stars")}),
    ):
        rec = small(**options).fit(given_ratings)
        if given_ratings is not frame:  # a table has no row for who has no rating, and so other weights to begin with
            np.testing.assert_array_equal(rec.predict(ROW, COLUMN), expected)
        else:
            tuples = small().fit((ROW, COLUMN, RATINGS.data))
            np.testing.assert_array_equal(rec.predict(ROW, COLUMN), tuples.predict(ROW, COLUMN))
            assert COLD_USER not in rec.users_


def test_without_held_out_ratings_there_is_no_validation_error(fitted: dict[str, RatingAutoencoder]) -> None:
    assert np.isnan(fitted["items"].validation_rmse_)
    assert list(fitted["items"].members_[0].history) == ["mse"]
    assert len(fitted["items"].members_[0].history["mse"]) == 3
    assert fitted["both"].validation_rmse_ > 0


@pytest.mark.parametrize("by", ["items", "both"])
def test_the_weights_of_the_best_epoch_are_kept_and_training_stops(by: str) -> None:
    held_out = np.random.default_rng(0).random(len(ROW)) < 0.2
    train = sp.csr_array((RATINGS.data[~held_out], (ROW[~held_out], COLUMN[~held_out])), shape=RATINGS.shape)
    other = ROW[held_out], COLUMN[held_out], RATINGS.data[held_out]
    # No noise, no decay and a high rate: it soon learns by heart.
    rec = small(by=by, epochs=60, patience=2, noise=0, weight_decay=0, learning_rate=0.05, units=32)
    rec.fit(train, validation_data=other)
    for member in rec.members_:
        errors = member.history["val_rmse"]
        assert len(errors) == len(member.history["mse"]) == 31  # not before the rate has begun to fall
        assert np.argmin(errors) + 2 < len(errors)
    # Each is predicted with weights that the other held-out ratings gave.
    assert rec.validation_rmse_ == pytest.approx(rec.evaluate(other)["rmse"], rel=0.01)
    # Weighed with the biases and the Gaussian model, a network that learns by heart does no harm.
    assert rec.validation_rmse_ <= min(rec.members_[0].history["val_rmse"]) + 1e-5


def test_validation_data_of_unknown_ids_only_is_refused_or_measures_nothing() -> None:
    known, unknown = ([0, 1], [1, 2], [3.0, 4.0]), ([0, 900, 1], [800, 1, 2], [3.0, 4.0, 4.0])
    rec = small().fit(RATINGS, validation_data=unknown)  # one of the three is known
    assert rec.validation_rmse_ == pytest.approx(abs(float(rec.predict([1], [2])[0]) - 4), rel=1e-4)
    assert np.isfinite(small().fit(RATINGS, validation_data=known).validation_rmse_)
    with pytest.raises(DataError, match=r"got 9 to 9, 1 of 1 outside"):
        small().fit(RATINGS, validation_data=([0], [1], [9.0]))
    with pytest.raises(DataTypeError, match=r"`validation_data` must be integers"):
        small().fit(RATINGS, validation_data=(["a"], ["b"], [3.0]))


# Lists


def brute_force(model: RatingAutoencoder, user: int, k: int, done: set[int]) -> tuple[list[int], list[float]]:
    items = [item for item in range(NUM_ITEMS) if item not in done and item != COLD_ITEM]
    answers = dict(zip(items, model.predict([user] * len(items), items).tolist(), strict=True))
    best = sorted(items, key=lambda item: -answers[item])[:k]
    return best, [answers[item] for item in best]


def rated_by(user: int) -> set[int]:
    return set(COLUMN[user == ROW].tolist())


def test_recommendations_are_the_best_items_not_rated(
    model: RatingAutoencoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rating_scores, "SCORES_AT_A_TIME", 3 * NUM_ITEMS)  # three users at a time
    users = [5, 0, COLD_USER, 59, 5, 10**6, 31]
    items, answers = model.recommend(users, k=6, by="rating")
    assert items.shape == answers.shape == (7, 6)
    assert (items.dtype, answers.dtype) == (np.int64, np.float32)
    for row, user in enumerate(users):
        _, expected = brute_force(model, user, 6, rated_by(user))
        np.testing.assert_allclose(answers[row], expected, atol=1e-5)
        np.testing.assert_allclose(model.predict([user] * 6, items[row]), answers[row], atol=1e-5)
        assert len(set(items[row])) == 6
        assert not set(items[row]) & rated_by(user)
        assert COLD_ITEM not in items[row]
    np.testing.assert_array_equal(items[0], items[4])


def test_nothing_rated_is_recommended_even_if_nothing_else_is_left(model: RatingAutoencoder) -> None:
    items, answers = model.recommend(np.arange(NUM_USERS), k=NUM_ITEMS + 5)
    for user in range(NUM_USERS):
        left = NUM_ITEMS - 1 - len(rated_by(user))
        assert set(items[user, :left]) == set(range(NUM_ITEMS)) - rated_by(user) - {COLD_ITEM}
        assert (np.diff(answers[user, :left]) <= 1e-6).all()
        assert (items[user, left:] == -1).all()
        assert np.isnan(answers[user, left:]).all()


def test_recommendations_of_text_ids() -> None:
    names = np.array([f"é{number}" for number in range(NUM_USERS)])
    rec = small().fit((names[ROW], names[COLUMN], RATINGS.data))
    items, answers = rec.recommend(["é5", "nobody"], k=NUM_ITEMS + 2)
    left = NUM_ITEMS - 1 - len(rated_by(5))
    assert set(items[0, :left]) == set(names[:NUM_ITEMS]) - set(names[list(rated_by(5))]) - {names[COLD_ITEM]}
    assert set(items[0, left:]) == {""}
    assert np.isnan(answers[0, left:]).all()
    assert (items[1] != "").sum() == NUM_ITEMS - 1
    assert rec.recommend([], k=3)[0].shape == (0, 3)
    for call in (lambda: rec.recommend([5]), lambda: rec.predict(["é5"], [5]), lambda: rec.predict([5], ["é5"])):
        with pytest.raises(DataTypeError, match=r"must be text, as in training: got integers"):
            call()
    with pytest.raises(DataTypeError, match=r"must be text, as"):
        rec.predict_new(([1], [2], [3.0]))


def test_recommendations_of_no_user_and_of_other_numbers(fitted: dict[str, RatingAutoencoder]) -> None:
    items, answers = fitted["items"].recommend([], k=4)
    assert items.shape == answers.shape == (0, 4)
    for k in (0, -1, 2.0, None, True):
        with pytest.raises(ParameterError, match=r"`k` must be an integer of at least 1: got "):
            fitted["items"].recommend([1], k=k)
    with pytest.raises(DataTypeError, match=r"`users` must be integers"):
        fitted["items"].recommend(["5"])


@settings(deadline=None, max_examples=80)
@given(
    hnp.arrays(np.float32, (4, 9), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])),
    hnp.arrays(bool, (4, 9)),
    st.integers(1, 9),
)
def test_top_items_are_those_of_a_full_sort(scores: np.ndarray, left_out: np.ndarray, k: int) -> None:
    columns, found = top_items(scores.copy(), sp.csr_array(left_out.astype(np.float32)), k)
    for row in range(4):
        allowed = [column for column in range(9) if not left_out[row, column] and scores[row, column] > -np.inf]
        best = sorted(allowed, key=lambda column: (-scores[row, column], column))[:k]
        np.testing.assert_array_equal(found[row], [*scores[row, best], *[np.nan] * (k - len(best))])
        chosen = columns[row][: len(best)].tolist()
        assert set(chosen) <= set(allowed)
        np.testing.assert_array_equal(scores[row, chosen], found[row][: len(best)])
        assert chosen == sorted(set(chosen), key=lambda column: (-scores[row, column], column))  # of equals the lower
        assert columns[row][len(best) :].tolist() == [-1] * (k - len(best))


# People never seen


def test_rows_of_new_people_do_not_depend_on_each_other_and_are_repeatable(model: RatingAutoencoder) -> None:
    answers = model.predict_new(RATINGS)
    assert (answers.shape, answers.dtype) == (RATINGS.shape, np.float32)
    assert answers.min() >= 1
    assert answers.max() <= 5
    np.testing.assert_array_equal(model.predict_new(RATINGS), answers)
    order = np.random.default_rng(0).permutation(NUM_USERS)
    np.testing.assert_allclose(model.predict_new(RATINGS[order]), answers[order], atol=1e-5)
    np.testing.assert_allclose(model.predict_new(RATINGS[7:8]), answers[7:8], atol=1e-5)


def test_rows_of_who_was_there_in_training_are_answered_about_as_then(fitted: dict[str, RatingAutoencoder]) -> None:
    by_users = small(by="users", validation_fraction=0).fit(RATINGS)
    known = by_users.predict(*EVERY_PAIR).reshape(RATINGS.shape)
    np.testing.assert_allclose(by_users.predict_new(RATINGS), known, atol=1e-4)  # the network reads them the same
    for rec in fitted.values():
        known = rec.predict(*EVERY_PAIR).reshape(RATINGS.shape)
        assert root_mean_square(rec.predict_new(RATINGS) - known) < 0.6 * known.std()


def test_new_people_by_items_have_the_weights_of_ridge_regression(fitted: dict[str, RatingAutoencoder]) -> None:
    rec, member = fitted["items"], fitted["items"].members_[0]
    residuals, mask, biases = dense_residuals(rec, RATINGS)  # no rating was held out: users' biases are the same
    rows = np.where(mask, residuals + INPUT_OFFSET, 0).T
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    rows = INPUT_LENGTH * rows / np.where(lengths > 0, lengths, 1)
    codes = 1 / (1 + np.exp(-(rows @ member.network.kernel_in.astype(np.float64) + member.network.bias_in)))
    for user in (3, 40):
        own = codes[mask[user]]
        square = own.T @ own + rec.weight_decay * np.eye(8)
        shared = member.network.common_out  # what all columns have
        weights = shared + np.linalg.solve(square, own.T @ (residuals[user, mask[user]] - own @ shared))
        expected = np.clip(1 + biases[user] + np.where(mask.any(axis=0), codes @ weights, 0), 1, 5)
        np.testing.assert_allclose(rec.predict_new(RATINGS[[user]])[0], expected, atol=1e-3)


@pytest.mark.parametrize(("num_rows", "num_columns"), [(3, 8), (8, 3), (5, 5), (1, 4)])
def test_ridge_regression_in_both_forms(num_rows: int, num_columns: int) -> None:
    random = np.random.default_rng(0)
    codes, targets = random.random((num_rows, num_columns)), random.normal(size=num_rows)
    expected = np.linalg.solve(codes.T @ codes + 0.3 * np.eye(num_columns), codes.T @ targets)
    np.testing.assert_allclose(ridge_regression(codes, targets, 0.3), expected, atol=1e-10)


def test_rows_as_a_table_leave_out_unknown_items(model: RatingAutoencoder) -> None:
    expected = model.predict_new(RATINGS[[3, 8]])
    rows = np.isin(ROW, [3, 8])
    users = np.where(ROW[rows] == 3, "b", "c")
    table = (
        np.concatenate([users, ["a", "b"]]),
        np.concatenate([COLUMN[rows], [999, 999]]),
        np.concatenate([RATINGS.data[rows], [5, 1]]),
    )
    answers = model.predict_new(table)  # a, b, c
    np.testing.assert_allclose(answers[1:], expected, atol=1e-5)
    biases = np.clip(1 + model.biases_.mean + model.biases_.items, 1, 5)
    np.testing.assert_allclose(answers[0], biases, atol=1e-5)
    np.testing.assert_allclose(model.predict_new(sp.csr_array((2, NUM_ITEMS))), [biases, biases], atol=1e-5)
    assert model.predict_new(sp.csr_array((0, NUM_ITEMS))).shape == (0, NUM_ITEMS)


def test_new_users_come_in_every_form_that_fit_takes(model: RatingAutoencoder, tmp_path: Path) -> None:
    chosen = np.isin(ROW, [3, 8])
    columns = {"user": ROW[chosen], "item": COLUMN[chosen], "rating": RATINGS.data[chosen]}
    frame = pd.DataFrame(columns)
    frame.to_csv(tmp_path / "new.csv", index=False)
    frame.to_parquet(tmp_path / "new.parquet")
    forms = (
        tuple(columns.values()),
        frame,
        tmp_path / "new.csv",
        str(tmp_path / "new.parquet"),
        as_rating_table(frame, None),
    )
    expected = model.predict_new(RATINGS[[3, 8]])
    items, ratings = model.recommend_new(RATINGS[[3, 8]], k=4)
    for form in forms:
        np.testing.assert_array_equal(model.predict_new(form), expected)
        for found, right in zip(model.recommend_new(form, k=4), (items, ratings), strict=True):
            np.testing.assert_array_equal(found, right)


def test_rows_of_another_width_or_scale_are_refused(fitted: dict[str, RatingAutoencoder]) -> None:
    for call in (fitted["items"].predict_new, fitted["items"].recommend_new):
        with pytest.raises(DataError, match=r"the model's 40 items as columns: got shape \(60, 39\)"):
            call(RATINGS[:, :39])
        with pytest.raises(DataError, match=r"got 6 to 6, 1 of 1 outside"):
            call(([0], [0], [6.0]))
        with pytest.raises(DataTypeError, match=r"got ndarray of shape \(60, 40\)"):
            call(RATINGS.toarray())


def test_recommendations_to_new_people_are_their_best_items_not_rated(
    model: RatingAutoencoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = model.predict_new(RATINGS)
    monkeypatch.setattr(rating_scores, "SCORES_AT_A_TIME", 7 * NUM_ITEMS)
    items, answers = model.recommend_new(RATINGS, k=NUM_ITEMS, by="rating")
    for user in range(NUM_USERS):
        left = NUM_ITEMS - 1 - len(rated_by(user))
        assert set(items[user, :left]) == set(range(NUM_ITEMS)) - rated_by(user) - {COLD_ITEM}
        np.testing.assert_allclose(answers[user, :left], expected[user, items[user, :left]], atol=1e-5)
        assert (np.diff(answers[user, :left]) <= 0).all()
        assert np.isnan(answers[user, left:]).all()


@pytest.mark.parametrize("by", ["items", "users"])
def test_new_people_without_weight_decay_who_rated_what_nobody_had(by: str) -> None:
    rec = small(by=by, weight_decay=0, units=16).fit(RATINGS)
    new = sp.csr_array(([3.0, 4.0, 2.0], ([0, 0, 0], [1, 2, COLD_ITEM])), shape=(1, NUM_ITEMS))
    answers = rec.predict_new(new)
    assert np.isfinite(answers).all()


# As a scikit-learn estimator


def test_evaluate_and_score(model: RatingAutoencoder) -> None:
    users, items, ratings = [0, 5, COLD_USER, 9], [2, 7, 3, 10**6], [1.0, 5.0, 3.0, 4.0]
    figures = model.evaluate((users, items, ratings))
    errors = model.predict(users, items).astype(np.float64) - ratings
    assert figures["rmse"] == pytest.approx(root_mean_square(errors))
    assert figures["mae"] == pytest.approx(np.abs(errors).mean())
    assert figures["known"] == 0.5
    assert model.score((users, items, ratings)) == -figures["rmse"]
    whole = model.evaluate(RATINGS)
    assert (whole["known"], whole["in_training"]) == (1, 1)
    assert figures["in_training"] == np.mean([RATINGS[0, 2] > 0, RATINGS[5, 7] > 0, False, False])
    with pytest.raises(DataError, match=r"got none for 60 users x 40 items"):
        model.evaluate(sp.csr_array(RATINGS.shape))
    with pytest.raises(DataError, match=r"1 of 1 outside"):
        model.evaluate(([0], [0], [5.5]))


def test_parameters_and_clones(model: RatingAutoencoder) -> None:
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not hasattr(copied, "members_")
    assert set(model.get_params()) == set(RatingAutoencoder().get_params())
    np.testing.assert_array_equal(copied.fit(RATINGS).predict(*EVERY_PAIR), model.predict(*EVERY_PAIR))


def test_every_parameter_has_a_setting_and_few_are_its_own() -> None:
    assert set(SETTINGS) == set(RatingAutoencoder().get_params())
    assert len(set(SETTINGS) - set(TRAINING)) <= 8


def test_nothing_is_answered_before_fit() -> None:
    rec = small()
    for call in (
        lambda: rec.predict([1], [1]),
        lambda: rec.predict_new(RATINGS),
        lambda: rec.recommend([1]),
        lambda: rec.recommend_new(RATINGS),
        lambda: rec.evaluate(RATINGS),
        lambda: rec.score(RATINGS),
        lambda: rec.save("nowhere.codeword"),
        lambda: rec.fingerprint_,
        lambda: rec.model_,
    ):
        with pytest.raises(NotFittedError):
            call()


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_answer_the_same(way: Any, model: RatingAutoencoder) -> None:
    copied = way(model)
    np.testing.assert_array_equal(copied.predict(*EVERY_PAIR), model.predict(*EVERY_PAIR))
    np.testing.assert_array_equal(copied.predict_new(RATINGS), model.predict_new(RATINGS))
    np.testing.assert_array_equal(copied.recommend([1, 2])[0], model.recommend([1, 2])[0])
    assert copied.fingerprint_ == model.fingerprint_


def test_a_second_fit_forgets_the_first() -> None:
    rec = small(by="both").fit((["a", "b"], ["x", "y"], [1.0, 5.0]))
    rec.fit(RATINGS)
    np.testing.assert_array_equal(rec.predict(*EVERY_PAIR), small(by="both").fit(RATINGS).predict(*EVERY_PAIR))
    before = rec.fingerprint_
    with pytest.raises(DataError):
        rec.fit(([1], [1], [9.0]))
    assert rec.fingerprint_ == before  # a fit that fails changes nothing


@pytest.mark.parametrize(
    ("settings", "received"),
    [
        ({"data": 5}, "5"),
        ({"data": None}, "None"),
        ({"data": (1, 5)}, r"\(1, 5\)"),
        ({"data": Binary()}, r"Binary\("),
        ({"by": "rows"}, "'rows'"),
        ({"by": ["items"]}, r"\['items'\]"),
        ({"members": 0}, "0"),
        ({"units": 2.0}, "2.0"),
        ({"epochs": 0}, "0"),
        ({"patience": 0}, "0"),
        ({"batch_size": 0}, "0"),
        ({"noise": 1}, "1"),
        ({"noise": -0.1}, "-0.1"),
        ({"noise": float("nan")}, "nan"),
        ({"weight_decay": -1}, "-1"),
        ({"learning_rate": "fast"}, "'fast'"),
        ({"validation_fraction": 1.0}, "1"),
        ({"seed": None}, "None"),
        ({"seed": -1}, "-1"),
        ({"verbose": -1}, "-1"),
        ({"verbose": "yes"}, "'yes'"),
        ({"columns": ("user",)}, r"\('user',\)"),
        ({"columns": ("user", "item", "item")}, r"\('user', 'item', 'item'\)"),
        ({"columns": ("a", "b", "c", "d", "e")}, r"\('a', 'b', 'c', 'd', 'e'\)"),
        ({"repeated": "first"}, "'first'"),
        ({"columns": "abc"}, "'abc'"),
        ({"columns": (1, 2, 3)}, r"\(1, 2, 3\)"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], received: str) -> None:
    name = next(iter(settings))
    with pytest.raises(ParameterError, match=rf"`{name}` must be .*: got {received}"):
        small(**settings).fit(RATINGS)


# Awkward data


ALL_EQUAL = "ignore:All .* ratings are [45], so there is nothing to learn:UserWarning"


def grid(users: Any, items: Any, ratings: Any) -> Any:
    return np.asarray(users), np.asarray(items), np.asarray(ratings, float)


AWKWARD = {
    "all ratings equal": grid(ROW, COLUMN, np.full(len(ROW), 4.0)),
    "all at the end of the scale": grid(ROW, COLUMN, np.full(len(ROW), 5.0)),
    "one user": grid(np.zeros(30, int), np.arange(30), np.arange(30) % 5 + 1),
    "one item": grid(np.arange(30), np.zeros(30, int), np.arange(30) % 5 + 1),
    "a single rating": grid([3], [8], [2]),
    "two ratings": grid([3, 4], [8, 9], [2, 5]),
    "one rating a user": grid(np.arange(50), np.arange(50) % 7, np.arange(50) % 5 + 1),
    "one rating an item": grid(np.arange(50) % 7, np.arange(50), np.arange(50) % 5 + 1),
    "one rating each": grid(np.arange(50), np.arange(50), np.arange(50) % 5 + 1),
    "all cells": grid(*EVERY_PAIR, (EVERY_PAIR[0] * 7 + EVERY_PAIR[1] * 3) % 5 + 1),
    "far apart": grid(*EVERY_PAIR, np.where((EVERY_PAIR[0] + EVERY_PAIR[1]) % 2, 1, 5)),
    "huge ids": grid(ROW - 2**62, COLUMN + 2**62, RATINGS.data),
}


@pytest.mark.filterwarnings(ALL_EQUAL)
@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("settings", [{"by": "both"}, {"validation_fraction": 0.9}, {"by": "both", "batch_size": 1}])
def test_awkward_ratings(name: str, settings: dict[str, Any]) -> None:
    users, items, ratings = AWKWARD[name]
    if settings.get("batch_size") == 1 and len(ratings) > 100:
        settings = {**settings, "batch_size": 5, "epochs": 1}
    rec = small(**settings).fit((users, items, ratings))
    for answers in (rec.predict(users, items), rec.predict_new((users, items, ratings)), rec.predict([-9], [-9])):
        assert np.isfinite(answers).all()
        assert ((answers >= 1) & (answers <= 5)).all()
    chosen, answers = rec.recommend(rec.users_[:3], k=2)
    np.testing.assert_array_equal(np.isnan(answers), chosen == -1)
    assert rec.evaluate((users, items, ratings))["known"] == 1


@pytest.mark.filterwarnings(ALL_EQUAL)
def test_what_is_alike_for_all_is_learned_exactly_enough() -> None:
    rec = small(by="both", epochs=20).fit(AWKWARD["all ratings equal"])
    np.testing.assert_allclose(rec.predict(*EVERY_PAIR), 4, atol=0.2)


@pytest.mark.parametrize(
    "settings", [{"noise": 0}, {"noise": 0.99}, {"epochs": 1}, {"batch_size": 10**9}, {"units": 1}]
)
def test_settings_at_their_ends_work(settings: dict[str, Any]) -> None:
    assert np.isfinite(small(by="both", **settings).fit(RATINGS).predict(*EVERY_PAIR)).all()


def test_a_training_that_diverges_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = row_fitting.gradient
    monkeypatch.setattr(row_fitting, "gradient", lambda *given: (plain(*given)[0], float("nan")))
    rec = small(learning_rate=0.25)
    with pytest.raises(DivergedError, match=r"got nan in epoch 1\. Lower `learning_rate`, now 0\.25"):
        rec.fit(RATINGS)
    assert not hasattr(rec, "members_")


@pytest.mark.parametrize(("verbose", "is_shown"), [(True, True), (1, True), (False, False), (0, False)])
def test_verbose_is_a_boolean_or_a_number(verbose: Any, is_shown: bool, capsys: pytest.CaptureFixture[str]) -> None:
    small(verbose=verbose).fit(RATINGS)
    printed = capsys.readouterr()
    assert (printed.out, "fit" in printed.err) == ("", is_shown)


@pytest.mark.parametrize("patience", [3, None])
def test_without_patience_training_never_stops_early(patience: int | None) -> None:
    rec = small(epochs=30, patience=patience, learning_rate=0.2, noise=0, weight_decay=0).fit(RATINGS)
    assert (len(rec.history_["mse"]) == 30) == (patience is None)
    assert rec.validation_rmse_ <= min(rec.history_["val_rmse"])  # the best weights, clipped, beside the Gaussian model


def test_ratings_of_pure_chance_are_left_to_the_biases() -> None:
    random = np.random.default_rng(0)
    row, column = np.nonzero(random.random((300, 200)) < 0.02)
    rec = small(validation_fraction=0.3).fit((row, column, random.integers(1, 6, len(row))))
    assert (rec.member_weights_.tolist(), rec.gaussian_) == ([0.0], None)
    np.testing.assert_array_equal(rec.predict(row, column), rec.predict_biases(row, column))
    assert rec.predict_new(([0, 0], column[:2], [1, 5])).shape == (1, 200)


def test_verbose_says_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    small(verbose=2, epochs=2).fit(RATINGS)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 2
    assert "held-out rmse" in printed.err
    small().fit(RATINGS)
    assert capsys.readouterr() == ("", "")


# Keras


@pytest.mark.parametrize("by", ["items", "users"])
def test_keras_models_give_what_the_network_gives(by: str) -> None:
    rec = small(by=by, validation_fraction=0).fit(RATINGS)
    residuals, mask, biases = dense_residuals(rec, RATINGS)
    rows = np.where(mask, residuals + INPUT_OFFSET, 0).astype(np.float32)
    rows = rows.T if by == "items" else rows
    output, code = (keras.ops.convert_to_numpy(part(rows)) for part in (rec.model_, rec.encoder_))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(rec.decoder_(code)), output, atol=1e-5)
    assert code.shape == (len(rows), 8)
    scores = biases + (output.T if by == "items" else output)
    both_rated = mask.any(axis=1)[:, None] & mask.any(axis=0)
    expected = np.clip(1 + scores, 1, 5)[both_rated]
    np.testing.assert_allclose(rec.predict(*np.nonzero(both_rated)), expected, atol=1e-4)


def test_keras_models_are_copies_built_once_per_fit() -> None:
    rec = small().fit(RATINGS)
    expected = rec.predict(*EVERY_PAIR)
    model, encoder, decoder = rec.model_, rec.encoder_, rec.decoder_
    assert (rec.model_ is model, rec.encoder_ is encoder, rec.decoder_ is decoder) == (True, True, True)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    np.testing.assert_array_equal(rec.predict(*EVERY_PAIR), expected)
    for copied in (pickle.loads(pickle.dumps(rec)), copy.deepcopy(rec), rec.fit(RATINGS)):
        assert copied.model_ is not model
        assert all(np.abs(weight).max() > 0 for weight in copied.model_.get_weights() if weight.ndim == 2)


def test_recommendations_say_who_gets_an_answer_of_their_own(model: RatingAutoencoder) -> None:
    users = [int(model.users_[0]), 10**9]
    items, _, known = model.recommend(users, k=3, return_known=True)
    assert known.tolist() == [True, False]
    np.testing.assert_array_equal(items, model.recommend(users, k=3)[0])
    new = sp.csr_array(([4.0], ([1], [0])), shape=(2, len(model.items_)))
    assert model.recommend_new(new, k=3, return_known=True)[2].tolist() == [False, True]


def test_a_matrix_is_only_compared_where_its_numbers_are_the_ids(model: RatingAutoencoder) -> None:
    table = (ROW + 1, COLUMN + 1, RATINGS.data)  # ids from 1
    of_table = small().fit(table)
    assert of_table.evaluate(table)["known"] == 1
    with pytest.raises(DataError, match=r"with the ids of the training data: got a matrix of shape .*`predict_new`"):
        of_table.evaluate(RATINGS)
    with pytest.raises(DataError, match=r"or a matrix of shape \(60, 40\): got a matrix of shape \(10, 40\)"):
        small().fit(RATINGS).score(RATINGS[:10])


def test_validation_on_what_is_learnt_is_refused() -> None:
    with pytest.raises(DataError, match=rf"got {RATINGS.nnz} of {RATINGS.nnz} that are in both"):
        small().fit(RATINGS, validation_data=RATINGS)


def test_what_is_learned_is_refused_before_fit() -> None:
    for name in ("users_", "items_", "num_ratings_", "history_", "rows_", "model_"):
        with pytest.raises(NotFittedError):
            getattr(small(), name)
