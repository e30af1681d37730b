"""Bring numbers to about unit size, and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import ValueScan

TYPICAL_SIZE = 5.0  # weights are drawn for inputs of size 1
COLUMN_SIZE = 20.0
SMALLEST_SIZE = 1e-3


@dataclass(frozen=True)
class Scaling:
    """Bring numbers to about unit size by `(x - shift) / factor`, each a number or an array of a row's shape."""

    shift: Any = 0.0
    factor: Any = 1.0

    def __call__(self, x: Any) -> Any:
        """Return scaled rows, shape `(n, ...)`, as float32; several arrays in a list or dictionary stay as they are."""
        if self.is_identity and not hasattr(x, "shape") and any(hasattr(one, "shape") for one in _parts(x)):
            return x
        wide = np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float64)
        return ((wide - self.shift) / self.factor).astype(np.float32)

    def inverse(self, x: Any) -> NDArray[np.float64]:
        """Return scaled rows in their own units, as float64."""
        return np.asarray(x, np.float64) * self.factor + self.shift

    @property
    def is_identity(self) -> bool:
        return self.is_common and (self.shift, self.factor) == (0, 1)

    @property
    def is_common(self) -> bool:
        """Whether all columns have the same scaling."""
        return np.ndim(self.shift) == np.ndim(self.factor) == 0

    def lines(self, name: str) -> list[str]:
        """Return Python that scales the array of that name."""
        if self.is_identity:
            return []
        if self.is_common:
            shifted = name if self.shift == 0 else f"({name} - {self.shift:g})"
            return [f'{name} = ({shifted} / {self.factor:g}).astype("float32")']
        return [
            f"mean, spread = {name}.mean(axis=0), {name}.std(axis=0)",
            f'{name} = (({name} - mean) / np.where(spread > 0, spread, 1)).astype("float32")',
        ]


def standardization(scan: ValueScan) -> Scaling:
    """Return the scaling of each column by its mean and spread; a constant column has spread 1."""
    shape = scan.shape[1:]
    mean = np.nan_to_num(scan.column_mean)  # of a column without a finite value
    spread = np.where(scan.column_std > 0, scan.column_std, 1.0)
    return Scaling(mean.reshape(shape), spread.reshape(shape))


def is_unscaled(scan: ValueScan) -> bool:
    """Return whether values are far from unit size: as a whole, or in single columns."""
    return is_far_from_unit_size(scan.rms, float(np.nanmax(np.hypot(scan.column_mean, scan.column_std))))


def is_far_from_unit_size(rms: float, largest_column: float) -> bool:
    """Return whether a root mean square, over all values and of the largest column, is far from 1."""
    return bool(rms > TYPICAL_SIZE or largest_column > COLUMN_SIZE or 0 < rms < SMALLEST_SIZE)


def _parts(x: Any) -> Any:
    return x.values() if isinstance(x, dict) else x if isinstance(x, list | tuple) else ()
