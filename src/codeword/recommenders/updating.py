"""New ratings, users and items for a fitted recommender, without training."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.recommenders.biases import Biases
from codeword.recommenders.ensemble_member import EnsembleMember, column_weights
from codeword.recommenders.gaussian_factors import GaussianFactors, renewed_items
from codeword.recommenders.rating_table import RatingTable
from codeword.recommenders.row_network import Float32Array, RowNetwork, shortened


class Merged(NamedTuple):
    """Old and new ratings together.

    Attributes:
        table: All of them; a new rating of a pair takes the place of the old one, a new count is added to it.
        users: The position in it of each old user.
        items: The position in it of each old item.
        changed_users: Whether each user has a new rating.
        changed_items: Whether each item has one.
    """

    table: RatingTable
    users: NDArray[np.intp]
    items: NDArray[np.intp]
    changed_users: NDArray[np.bool_]
    changed_items: NDArray[np.bool_]


def merged(old: RatingTable, new: RatingTable, *, counts: bool) -> Merged:
    """Put new ratings, or `counts`, beside old ones."""
    users, rows = _union(old.users, new.users, "users")
    items, columns = _union(old.items, new.items, "items")
    shape = (len(users), len(items))
    before, after = (_moved(table.matrix, rows[side], columns[side], shape) for side, table in enumerate((old, new)))
    if not counts:
        entries, is_new = before.tocoo(), after.astype(bool)
        is_new.data[:] = True  # of a stored zero, too
        keep = ~np.asarray(is_new[entries.row, entries.col]).ravel()
        kept = (entries.data[keep], (entries.row[keep], entries.col[keep]))
        before = scipy.sparse.csr_array(kept, shape=shape)
    together = _sum(before, after)
    changed_users = np.diff(after.indptr) > 0
    changed_items = np.bincount(after.indices, minlength=shape[1]) > 0
    return Merged(RatingTable(together, users, items, old.is_bare), rows[0], columns[0], changed_users, changed_items)


def _union(old: Ids, new: Ids, name: str) -> tuple[Ids, tuple[NDArray[np.intp], NDArray[np.intp]]]:
    old.positions(new.values, name)  # refuses text among integers, and the reverse
    union, places = Ids.of(np.concatenate([old.values, new.values]), name)
    return union, (places[: len(old)], places[len(old) :])


def _moved(
    matrix: scipy.sparse.csr_array, rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, int]
) -> scipy.sparse.csr_array:
    entries = matrix.tocoo()
    moved = scipy.sparse.csr_array((entries.data, (rows[entries.row], columns[entries.col])), shape=shape)
    moved.sort_indices()
    return moved


def _sum(one: scipy.sparse.csr_array, other: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Add two matrices, and keep stored zeros, which are ratings."""
    left, right = one.tocoo(), other.tocoo()
    entries = tuple(np.concatenate(pair) for pair in ((left.row, right.row), (left.col, right.col)))
    total = scipy.sparse.csr_array((np.concatenate([left.data, right.data]), entries), shape=one.shape)
    total.sum_duplicates()
    return total


def updated_biases(old: Biases, ratings: scipy.sparse.csr_array, to: Merged) -> Biases:
    """Return the biases of all, with those of items and users with new ratings solved again, on the networks' scale."""
    users, items = np.zeros(ratings.shape[0], np.float32), np.zeros(ratings.shape[1], np.float32)
    users[to.users], items[to.items] = old.users, old.items
    return Biases(old.mean, users, items).renewed(ratings, to.changed_users, to.changed_items)


def updated_member(member: EnsembleMember, residuals: scipy.sparse.csr_array, to: Merged) -> EnsembleMember:
    """Return a network with weights for each user or item with new ratings, by ridge regression."""
    columns, places, changed = residuals, to.users, to.changed_users
    if member.by == "users":
        columns, places, changed = residuals.T.tocsr(), to.items, to.changed_items
    old = member.network
    network = RowNetwork(
        _spread(old.kernel_in, places, len(changed)),
        old.bias_in,
        _spread(old.kernel_out, places, len(changed)),
        old.common_out,
    )
    renewed = EnsembleMember(member.by, network, member.ridge, member.history)
    codes = renewed.row_codes(residuals)
    network.kernel_out[changed] = shortened(column_weights(codes, columns[changed], old.common_out, member.ridge))
    return renewed


def updated_gaussian(old: GaussianFactors, residuals: scipy.sparse.csr_array, to: Merged) -> GaussianFactors:
    """Return a Gaussian model with factors for each item with new ratings."""
    means, variances = (_spread(part, to.items, residuals.shape[1]) for part in (old.means, old.variances))
    return renewed_items(replace(old, means=means, variances=variances), residuals, to.changed_items)


def _spread(weights: Float32Array, places: NDArray[np.intp], number: int) -> Float32Array:
    spread = np.zeros((number, weights.shape[1]), np.float32)
    spread[places] = weights
    return spread
