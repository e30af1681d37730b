"""`cw.RatingAutoencoder` on the ratings of network C: sparse rows in NumPy, another algorithm for the same data."""

import time
from typing import Any

import numpy as np
import scipy.sparse
from networks import Network, Rows

import codeword as cw


def make(network: Network, rows: Rows) -> Any:
    matrix = scipy.sparse.csr_array(rows)
    settings = {
        "by": "users",
        "units": network.hidden,
        "batch_size": matrix.nnz * network.batch // network.num_rows,
        "validation_fraction": 0,
        "verbose": 0,
    }

    def fit(epochs: int) -> tuple[list[float], float]:
        start = time.perf_counter()
        model = cw.RatingAutoencoder(epochs=epochs, **settings).fit(matrix)
        return model.history_["mse"], time.perf_counter() - start

    def train(epochs: int) -> tuple[list[float], float]:
        """Counts what further epochs cost; what comes before and behind the first is not training."""
        shorter = np.median([fit(1)[1] for _ in range(3)])
        losses, seconds = fit(epochs + 1)
        return losses[:2], max(seconds - float(shorter), seconds / 10)

    return train
