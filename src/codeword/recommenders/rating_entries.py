"""Ratings as they come, some of them for one pair, and the rule by which one of each pair counts (no Keras)."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.data_kinds import DataKind, Ratings
from codeword.data_kinds.sentinels import sentinel_in
from codeword.errors import DataError


@dataclass(frozen=True)
class Entries:
    """Ratings that may repeat pairs, float32 COO of shape (users, items); `times` are seconds, NaN where unknown."""

    matrix: Any
    times: NDArray[np.float64] | None
    users: Ids
    items: Ids
    name: str

    def one_per_pair(self, kind: DataKind | None, repeated: str) -> scipy.sparse.csr_array:
        """Return the ratings as sorted CSR with one entry per pair, or refuse them."""
        self._check_finite()
        if isinstance(kind, Ratings) and kind.missing is not None:
            return self._rows(self.matrix.data != np.float32(kind.missing)).one_per_pair(
                replace(kind, missing=None), repeated
            )
        if kind is not None and not kind.has_ratings and 0 in self.matrix.data and self.matrix.data.min() >= 0:
            return self._without_zeros().one_per_pair(kind, repeated)
        if kind is not None:
            kind.check(self.matrix.data)
            self._warn_of_sentinel(kind)
        rows = scipy.sparse.csr_array(self.matrix)  # sums repeated pairs, as is right for counts
        if rows.nnz < self.matrix.nnz and (kind is None or kind.has_ratings):
            rows = self._of_repeated(kind, repeated)
        rows.sort_indices()
        return rows

    def _rows(self, chosen: NDArray[np.bool_]) -> "Entries":
        matrix = self.matrix
        kept = scipy.sparse.coo_array(
            (matrix.data[chosen], (matrix.row[chosen], matrix.col[chosen])), shape=matrix.shape
        )
        return replace(self, matrix=kept, times=None if self.times is None else self.times[chosen])

    def _without_zeros(self) -> "Entries":
        taken = self.matrix.data != 0
        warnings.warn(
            f"`{self.name}` has the count 0 (or False) in {int((~taken).sum())} of {len(taken)} rows, which are left "
            "out: the user did not take the item.",
            UserWarning,
            stacklevel=6,
        )
        return self._rows(taken)

    def _check_finite(self) -> None:
        wrong = np.flatnonzero(~np.isfinite(self.matrix.data))
        if len(wrong):
            raise DataError(
                f"`{self.name}` must be finite: got {len(wrong)} NaN or infinite, the first for "
                f"{self._pair(wrong[0])}. Leave missing ratings out."
            )

    def _warn_of_sentinel(self, kind: DataKind) -> None:
        apart = sentinel_in(self.matrix.data) if isinstance(kind, Ratings) else None
        if apart is not None:
            scale = Ratings(apart.low, apart.high, missing=apart.value)
            warnings.warn(
                f"{apart.times / self.matrix.nnz:.1%} of `{self.name}` are {apart.value:g}, which lies apart from the "
                f"others, {apart.low:g} to {apart.high:g}. If it means not rated, use {scale.written()}.",
                UserWarning,
                stacklevel=6,
            )

    def _of_repeated(self, kind: DataKind | None, repeated: str) -> Any:
        """Return one rating of each pair by a rule, and tell how many there were."""
        matrix = self.matrix
        times = np.zeros(0) if self.times is None else np.where(np.isnan(self.times), -np.inf, self.times)
        order = np.lexsort((*([times] if len(times) else []), matrix.col, matrix.row))  # stable: the last stays last
        row, column, value = matrix.row[order], matrix.col[order], matrix.data[order]
        again = (np.diff(row) == 0) & (np.diff(column) == 0)
        differs = again & (np.diff(value) != 0)
        if differs.any():
            self._tell_repeated(order, differs, value, repeated)
        last = np.append(~again, True)
        if repeated == "mean":
            starts = np.flatnonzero(np.append(True, ~again))
            counts = np.diff(np.append(starts, len(value)))
            means = np.add.reduceat(value.astype(np.float64), starts) / counts
            value[last] = kind.quantize(means) if isinstance(kind, Ratings) and kind.step is not None else means
        return scipy.sparse.csr_array((value[last], (row[last], column[last])), shape=matrix.shape)

    def _tell_repeated(
        self, order: NDArray[np.intp], differs: NDArray[np.bool_], value: NDArray[np.float32], repeated: str
    ) -> None:
        first = int(np.argmax(differs))
        found = (
            f"{int(differs.sum())} more ratings of the same pairs, the first for {self._pair(order[first])}: "
            f"{value[first]:g} and {value[first + 1]:g}"
        )
        if repeated == "error":
            raise DataError(
                f"`{self.name}` must hold one rating per user and item: got {found}. Keep one rating of each pair, or "
                'set repeated="last" or "mean" (on the command line: --repeated).'
            )
        last = "the last in the table" if self.times is None else "the latest"
        rule = "their mean" if repeated == "mean" else last
        others = "" if repeated == "mean" else ' For their mean, set repeated="mean" (on the command line: --repeated).'
        warnings.warn(f"`{self.name}` has {found}. Of each pair, {rule} counts.{others}", UserWarning, stacklevel=7)

    def _pair(self, entry: np.intp) -> str:
        user, item = self.users.values[self.matrix.row[entry]], self.items.values[self.matrix.col[entry]]
        return f"user {user!s} and item {item!s}"
