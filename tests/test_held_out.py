"""Held-out ratings: drawn evenly, and an expected error that depends little on which ones were drawn."""

import numpy as np
import pytest
import scipy.sparse as sp

from codeword.recommenders.biases import Biases
from codeword.recommenders.held_out import errors_of_biases, expected_square, split


def ratings(seed: int = 0) -> sp.csr_array:
    """Gives ratings from 0 to 4 of 200 users, some of whom are much harder to predict."""
    random = np.random.default_rng(seed)
    rows, columns = np.nonzero(random.random((200, 100)) < 0.15)
    noise = np.where(rows % 10 == 0, 2.0, 0.4) * random.normal(size=len(rows))
    return sp.csr_array((np.clip(2 + noise, 0, 4).astype(np.float32), (rows, columns)), shape=(200, 100))


def test_a_split_keeps_every_rating_once_and_stored_zeros() -> None:
    whole = ratings()
    assert (whole.data == 0).any()
    training, held_out = split(whole, 0.05, 3)
    assert held_out.nnz == int(0.05 * whole.nnz)
    entries = [matrix.tocoo() for matrix in (training, held_out)]
    triples = np.concatenate([np.column_stack([*part.coords, part.data]) for part in entries])
    expected = whole.tocoo()
    assert np.array_equal(triples[np.lexsort(triples.T[1::-1])], np.column_stack([*expected.coords, expected.data]))


def test_errors_of_biases_are_clipped_to_the_scale() -> None:
    given = sp.csr_array((np.array([4, 0, 1], np.float32), np.array([0, 1, 2]), np.array([0, 3])), shape=(1, 3))
    biases = Biases(2.0, np.array([1.0], np.float32), np.array([3.0, -4.0, -1.0], np.float32))
    assert errors_of_biases(biases, given).tolist() == [0.0, 0.0, 1.0]


def test_the_expected_error_hardly_depends_on_which_ratings_were_drawn() -> None:
    whole = ratings()
    plain, expected = [], []
    for seed in range(15):
        training, held_out = split(whole, 0.05, seed)
        of_biases = np.square(errors_of_biases(Biases.of(training), held_out))
        squares = 0.8 * of_biases * np.random.default_rng(seed).uniform(0.5, 1.5, len(of_biases))  # somewhat better
        plain.append(squares.mean())
        expected.append(expected_square(squares, of_biases, whole, np.random.default_rng(seed)))
    assert np.std(expected) < 0.4 * np.std(plain)
    assert np.mean(expected) == pytest.approx(np.mean(plain), abs=3 * np.std(plain) / np.sqrt(len(plain)))


@pytest.mark.parametrize("count", [1, 2])
def test_a_few_held_out_ratings_have_an_expected_error(count: int) -> None:
    whole = sp.csr_array(ratings()[:2])
    squares = np.arange(1.0, count + 1)
    assert 0 < expected_square(squares, squares, whole, np.random.default_rng(0)) < 4
    assert expected_square(squares, np.ones(count), whole, np.random.default_rng(0)) == squares.mean()
