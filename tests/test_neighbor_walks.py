"""Walks along neighbors: small cases by hand, planted clusters, many rows, and rows that are awkward."""

import numpy as np
import pytest

from codeword.objectives import neighbor_walks
from codeword.objectives.neighbor_walks import NeighborWalks


def walks(rows, *, num_neighbors=2, num_steps=1, mutual=True, seed=0):
    rows = np.asarray(rows, np.float32)
    rows = rows[:, None] if rows.ndim == 1 else rows
    return NeighborWalks(rows, num_neighbors=num_neighbors, num_steps=num_steps, mutual=mutual, seed=seed)


def reached(walk, start, times=200):
    """Gives the set of rows in which walks from `start` end."""
    return set(walk.ends(np.full(times, start)).tolist())


def clusters(num_rows=300, columns=5, seed=0):
    random = np.random.default_rng(seed)
    groups = np.arange(num_rows) % 3
    return (20 * np.eye(3, columns)[groups] + random.normal(size=(num_rows, columns))).astype(np.float32), groups


# By hand: rows on a line, 0 1 2 . . . 10


def test_a_step_goes_to_the_nearest_rows():
    walk = walks([0.0, 1.0, 2.5, 10.0], mutual=False)
    assert [reached(walk, row) for row in range(4)] == [{1, 2}, {0, 2}, {0, 1}, {1, 2}]


def test_a_mutual_step_needs_both_rows_to_agree():
    # The two nearest of row 3 are 1 and 2, but it is among the nearest of none: it stays.
    walk = walks([0.0, 1.0, 2.5, 10.0])
    assert [reached(walk, row) for row in range(4)] == [{1, 2}, {0, 2}, {0, 1}, {3}]


def test_a_row_may_keep_some_of_its_neighbors_only():
    # Nearest two: 0 -> 1 2, 1 -> 0 2, 2 -> 1 3, 3 -> 2 4, 4 -> 3 2. Both ways: 0-1, 1-2, 2-3, 3-4.
    walk = walks([0.0, 1.0, 2.0, 3.6, 5.9])
    assert [reached(walk, row) for row in range(5)] == [{1}, {0, 2}, {1, 3}, {2, 4}, {3}]


def test_steps_follow_each_other_and_neighbors_are_equally_likely():
    chain = [0.0, 1.0, 2.1, 3.3, 4.6]  # nearest one: 0-1, 2 -> 1, 3 -> 2, 4 -> 3
    assert reached(walks(chain, num_neighbors=1, num_steps=3, mutual=False), 4) == {1}
    assert reached(walks(chain, num_neighbors=1, num_steps=4, mutual=False), 4) == {0}
    ends = walks([0.0, 1.0, 2.5, 10.0], mutual=False).ends(np.zeros(4_000, np.intp))
    assert (ends == 1).mean() == pytest.approx(0.5, abs=0.03)


def test_reach_is_the_mean_distance_to_the_last_neighbor():
    # To the second neighbor: 2.5, 1.5, 2.5 and 9.
    for mutual in (True, False):
        assert walks([0.0, 1.0, 2.5, 10.0], mutual=mutual).reach == pytest.approx((2.5 + 1.5 + 2.5 + 9) / 4)
    assert walks([[0.0, 0.0], [3.0, 4.0]]).reach == pytest.approx(5.0)


# Few or equal rows


@pytest.mark.parametrize("mutual", [True, False])
def test_one_row_stays(mutual):
    walk = walks([7.0], num_steps=10, mutual=mutual)
    assert walk.reach == 1.0
    assert reached(walk, 0) == {0}


@pytest.mark.parametrize("mutual", [True, False])
def test_two_rows_go_to_each_other(mutual):
    walk = walks([7.0, 8.0], num_neighbors=10, mutual=mutual)
    assert [reached(walk, row) for row in (0, 1)] == [{1}, {0}]


@pytest.mark.parametrize("mutual", [True, False])
@pytest.mark.parametrize("num_rows", [3, 40])
def test_equal_rows_lead_to_equal_rows(num_rows, mutual):
    walk = walks(np.full(num_rows, 0.3), num_neighbors=5, mutual=mutual)
    assert walk.reach == 1.0
    ends = walk.ends(np.arange(num_rows))
    assert ((ends >= 0) & (ends < num_rows)).all()


def test_more_neighbors_than_rows_are_all_other_rows():
    walk = walks([0.0, 1.0, 5.0], num_neighbors=99, mutual=False)
    assert [reached(walk, row) for row in range(3)] == [{1, 2}, {0, 2}, {0, 1}]


def test_without_mutual_no_row_is_its_own_neighbor_even_among_copies():
    rows = np.repeat(clusters(30)[0], 20, axis=0)  # more copies than neighbors drive the row itself out of the list
    walk = walks(rows, num_neighbors=5, mutual=False)
    starts = np.repeat(np.arange(len(rows)), 5)
    ends = walk.ends(starts)
    assert (ends != starts).all()
    np.testing.assert_array_equal(rows[ends], rows[starts])


# Walks as they are used


@pytest.mark.parametrize("mutual", [True, False])
def test_walks_stay_in_clusters_that_lie_apart_and_reach_far_in_them(mutual):
    rows, groups = clusters()
    walk = walks(rows, num_neighbors=10, num_steps=10, mutual=mutual)
    np.testing.assert_array_equal(groups[walk.ends(np.arange(300))], groups)
    assert len(reached(walk, 0, times=2_000)) > 50  # of 100


def test_same_seed_gives_the_same_walks():
    rows = clusters()[0]

    def ends(seed):
        walk = walks(rows, num_neighbors=10, num_steps=3, seed=seed)
        return np.concatenate([walk.ends(np.arange(300)), walk.ends(np.arange(300))])

    np.testing.assert_array_equal(ends(1), ends(1))
    assert (ends(1) != ends(2)).mean() > 0.5
    assert (ends(1)[:300] != ends(1)[300:]).mean() > 0.5  # each call walks anew


def test_the_starts_are_not_changed():
    starts = np.arange(300)
    walks(clusters()[0], num_steps=4).ends(starts)
    np.testing.assert_array_equal(starts, np.arange(300))


# Many rows: the neighbors are looked for in the nearest cells only


@pytest.fixture
def many(monkeypatch):
    """Rows of 80 columns that lie on 6; more than are searched exactly."""
    random = np.random.default_rng(0)
    rows = (random.normal(size=(4_000, 6)) @ random.normal(size=(6, 80))).astype(np.float32)
    rows += 0.01 * random.normal(size=rows.shape).astype(np.float32)
    exact = neighbor_walks._nearest(rows, 10)
    monkeypatch.setattr(neighbor_walks, "_EXACT_ROWS", 500)
    return rows, exact


def test_many_rows_find_nearly_the_exact_neighbors(many):
    rows, exact = many
    found = neighbor_walks._nearest(rows, 10)
    assert found.shape == exact.shape == (4_000, 10)
    assert np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True)]) > 9
    assert (found != np.arange(4_000)[:, None]).all()
    for row in found:
        assert len(set(row)) == 10


def test_many_rows_of_few_columns_need_no_principal_components(many):
    rows = many[0][:, :3]
    found = neighbor_walks._nearest(rows, 5)
    assert (found != np.arange(4_000)[:, None]).all()


def test_a_row_fills_up_what_is_not_found(many, monkeypatch):
    # 64 cells of 63 rows on average, one probed: fewer than 1,000 are found.
    monkeypatch.setattr(neighbor_walks, "_PROBED_CELLS", 1)
    found = neighbor_walks._nearest(many[0], 1_000)
    own = found == np.arange(4_000)[:, None]
    assert found.min() >= 0
    assert own.sum(axis=1).min() > 500
    assert not own[:, 0].all()
    walk = walks(many[0], num_neighbors=1_000, num_steps=2)
    assert ((walk.ends(np.arange(4_000)) >= 0) & (walk.ends(np.arange(4_000)) < 4_000)).all()
