"""Codes that need no training: random projections and ITQ, which trained codes are compared with."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from codeword.code_kinds.packing import pack_bits
from codeword.evaluation import recall_at_k
from codeword.objectives.objective import Rows
from codeword.search import nearest_rows

NEAREST = 10  # rows that a query should find
MOST_QUERIES = 1_000
MOST_SEARCHED = 20_000
_ITQ_ROWS = 20_000  # that the rotation is learned from


class PlainCodes(NamedTuple):
    """Bits that are 1 where a linear map of a row, flattened, lies above a threshold.

    Attributes:
        name: The method's name.
        matrix: float64 array of shape `(columns, num_bits)`.
        thresholds: float64 array of shape `(num_bits,)`: the means of what the matrix makes of the rows.
        spread: float64 array of shape `(num_bits,)`: their positive standard deviations.
    """

    name: str
    matrix: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    spread: NDArray[np.float64]

    def encode(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the packed codes of rows of shape `(n, ...)`."""
        return pack_bits(flat(rows) @ self.matrix >= self.thresholds)

    def enter(self, encoder: Any) -> None:
        """Set the weights of a Keras encoder without hidden layers, so that it returns these codes."""
        encoder.get_layer("code_projection").set_weights([self.matrix / self.spread])
        normalization = encoder.get_layer("code_normalization")
        variance = np.full_like(self.spread, 1 - normalization.epsilon)
        normalization.set_weights([self.thresholds / self.spread, variance])


def plain_codes(rows: NDArray[Any], num_bits: int, seed: int) -> list[PlainCodes]:
    """Return random projections and ITQ for rows of shape `(n, ...)`."""
    points = flat(rows)
    random = np.random.default_rng(seed).normal(size=(points.shape[1], num_bits))
    rotated = rotation(points[:: -(-len(points) // _ITQ_ROWS)], min(num_bits, points.shape[1]), seed)
    # There are no more principal components than columns: random projections fill up the bits.
    itq = np.hstack([rotated, random[:, : num_bits - rotated.shape[1]]])
    return [cut_at_mean(name, points, matrix) for name, matrix in (("random projections", random), ("ITQ", itq))]


def cut_at_mean(name: str, points: NDArray[Any], matrix: NDArray[np.float64]) -> PlainCodes:
    """Return the codes of a linear map, cut at the mean of what it makes of the points."""
    scores = points @ matrix
    spread = scores.std(axis=0)
    spread[np.ptp(scores, axis=0) == 0] = 1
    return PlainCodes(name, matrix, scores.mean(axis=0), spread)


def rotation(points: NDArray[np.float64], num_bits: int, seed: int) -> NDArray[np.float64]:
    """Return the matrix of shape `(columns, num_bits)` that brings points near the corners of a cube (ITQ).

    References:
        Gong et al., "Iterative Quantization: A Procrustean Approach to Learning Binary Codes", 2013.
    """
    itq = faiss.ITQTransform(points.shape[1], num_bits, True)
    itq.itq.seed = (seed + 123) % 2**31  # FAISS' own default is 123
    # FAISS needs as many rows as bits; repeated rows change neither the mean nor the principal components.
    enough = np.tile(points, (-(-num_bits // len(points)), 1))
    itq.train(np.ascontiguousarray(enough, np.float32))
    matrix = faiss.vector_to_array(itq.pca_then_itq.A).reshape(num_bits, points.shape[1])
    return matrix.T.astype(np.float64)


def neighbor_recall(
    rows: Rows, queries: Rows, encoders: Mapping[str, Callable[[NDArray[Any]], NDArray[np.uint8]]], num_bits: int
) -> dict[str, float]:
    """Return what share of the ten nearest rows of the queries each encoder finds, by its name.

    Many rows are represented by some of them, many queries by the first. Encoders take rows as they enter the network.
    """
    some = slice(None, None, -(-len(rows.values) // MOST_SEARCHED))
    asked = slice(MOST_QUERIES)
    k = min(NEAREST, len(rows.values[some]))
    truth = nearest_rows(rows.values[some], queries.values[asked], k)
    return {
        name: recall_at_k(encode(rows.entered[some]), encode(queries.entered[asked]), truth, k, num_bits=num_bits)
        for name, encode in encoders.items()
    }


def recall_line(recall: Mapping[str, float], is_plain: bool, num_queries: int) -> str:
    """Return what the user reads of a comparison."""
    shares = ", ".join(f"{name} {share:.3f}" for name, share in recall.items())
    found = f"Share of the ten nearest found for {num_queries:,} held-out rows: {shares}."
    if not is_plain:
        return found
    best = max(recall, key=lambda name: recall[name])
    return f"{found} The codes are those of {best}: training made no better ones."


def flat(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return rows as float64 of shape `(n, columns)`."""
    return rows.reshape(len(rows), -1).astype(np.float64)
