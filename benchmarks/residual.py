"""What do the residual codebooks of `Residual` keep of a row, beside FAISS' quantizers of as many bytes?

    CODEWORD_DATA=/folder python benchmarks/residual.py [--part minilm glove levels]
    python benchmarks/residual.py --smoke                             seconds, on drawn rows and the built-in digits

`minilm` and `glove` store the rows as codes and ask with floats: the distance of a query to a row is that to the
decoded row. `recall_at_1` and `recall_at_10` are the shares of the exact nearest one and ten that are found first;
rows with equal codes are equally near, and count by their mean over all orders. `unit_recall_at_10` scales the decoded
rows to unit length, which helps every quantizer where the rows have it. The last queries have no part in training.
`new_mse` is the error of rows that no quantizer was trained on, over the variance. `levels` counts test images that
come back exactly. RaBitQ is searched by its own distances; its codes hold 8 bytes more than are named.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import faiss
import numpy as np
from data_sets.glove import load_glove
from data_sets.newsgroups import load_newsgroups_minilm
from numpy.typing import NDArray
from results_file import Experiment, run_parts
from sklearn.datasets import make_blobs

import codeword as cw
from codeword.datasets.four_level_images import LEVELS
from codeword.search import nearest_rows

PARTS = ("minilm", "glove", "levels")
NUM_QUERIES, K, SEEDS, BLOCK = 1_000, 10, 3, 100
Rows = NDArray[np.float32]
Codes = NDArray[np.uint8]
Decode = Callable[[Codes], Rows]


class Searched(NamedTuple):
    """Rows to store, rows to ask with, their exact nearest neighbors `(queries, 10)`, and rows that nobody learned."""

    x: Rows
    queries: Rows
    truth: NDArray[np.int64]
    new: Rows


class Quantizer(NamedTuple):
    """Functions from rows to codes and back, trained."""

    encode: Callable[[Rows], Codes]
    decode: Decode


Fit = Callable[[Any, int], Quantizer]


def main() -> None:
    run_parts("residual", __doc__, PARTS, experiments)


def experiments(part: str, smoke: bool) -> Iterator[Experiment]:
    if part == "levels":
        images = four_levels(smoke)
        for name, fit in contestants(8, images[0].shape[1], smoke, data=cw.Levels(LEVELS)):
            yield Experiment(name, partial(exact, images, fit), seeds_of(name))
        return
    searched = SETS[part](smoke)
    for num_bytes in (8, 16, 32) if part == "minilm" and not smoke else (8,):
        for name, fit in contestants(num_bytes, searched.x.shape[1], smoke, data=cw.Real()):
            yield Experiment(f"{num_bytes} bytes, {name}", partial(found, searched, fit), seeds_of(name))
        yield Experiment(f"{num_bytes} bytes, PCA, RaBitQ", partial(found_by_rabitq, searched, num_bytes), 1)


def contestants(num_bytes: int, num_columns: int, smoke: bool, *, data: Any) -> Iterator[tuple[str, Fit]]:
    yield "Residual", partial(fitted, data, cw.Residual(num_bytes, size=16 if smoke else 256), smoke)
    width = min(8, num_columns // num_bytes) * num_bytes
    bits = 4 if smoke else 8
    codecs = {
        "RQ": f"RQ{num_bytes}x{bits}",
        "PRQ": f"PRQ2x{num_bytes // 2}x{bits}",
        "OPQ, PQ": f"OPQ{num_bytes}_{width},PQ{num_bytes}x{bits}",
        "LSQ": f"LSQ{num_bytes}x{bits}",
    }
    for name, codec in list(codecs.items())[: 1 if smoke else None]:
        yield f"FAISS {name}", partial(trained, codec)


def seeds_of(name: str) -> int:
    return SEEDS if name == "Residual" else 1  # those of FAISS are fixed


def fitted(data: Any, code: Any, smoke: bool, x: Rows, seed: int) -> Quantizer:
    settings: dict[str, Any] = {"epochs": 1} if smoke else {}
    model = cw.Autoencoder(data=data, code=code, seed=seed, verbose=0, **settings).fit(x)
    return Quantizer(model.encode, model.decode)


def trained(codec: str, x: Rows, seed: int) -> Quantizer:
    index = faiss.index_factory(x.shape[1], codec)
    index.train(x)
    return Quantizer(index.sa_encode, index.sa_decode)


def found(searched: Searched, fit: Fit, seed: int) -> dict[str, Any]:
    """Measure what float queries find among the decoded rows."""
    x, queries, truth, new = searched
    start = time.perf_counter()
    encode, decode = fit(x, seed)
    fit_seconds = time.perf_counter() - start
    start = time.perf_counter()
    codes = encode(x)
    encode_seconds = time.perf_counter() - start
    stored, which = np.unique(codes, axis=0, return_inverse=True)
    decoded = decode(np.ascontiguousarray(stored))
    unit = decoded / np.linalg.norm(decoded, axis=1, keepdims=True)
    return {
        "recall_at_1": recall(decoded, which.ravel(), queries, truth, 1),
        "recall_at_10": recall(decoded, which.ravel(), queries, truth, K),
        "unit_recall_at_10": recall(unit, which.ravel(), queries, truth, K),
        "mse": relative_error(x, decoded[which.ravel()], x),
        "new_mse": relative_error(new, decode(encode(new)), x),
        "fit_seconds": fit_seconds,
        "encode_seconds": encode_seconds,
    }


def recall(decoded: Rows, which: NDArray[np.int64], queries: Rows, truth: NDArray[np.int64], k: int) -> float:
    """Return the share of the true k nearest among the k nearest decoded rows, ties by their mean over all orders.

    Args:
        decoded: Different decoded rows, `(m, d)`.
        which: Number of the decoded row of every row, `(n,)`.
        queries: Floats `(q, d)`.
        truth: Numbers of the nearest rows `(q, at least k)`, nearest first.
        k: How many count.
    """
    shares = []
    norms = np.square(decoded).sum(axis=1)
    for first in range(0, len(queries), BLOCK):
        distances = (norms - 2 * queries[first : first + BLOCK] @ decoded.T)[:, which]
        last = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
        nearer, level = (distances < last).sum(axis=1), (distances == last).sum(axis=1)
        true = np.take_along_axis(distances, truth[first : first + BLOCK, :k], axis=1)
        shares.append(((true < last).sum(axis=1) + (true == last).sum(axis=1) * (k - nearer) / level) / k)
    return float(np.concatenate(shares).mean())


def relative_error(rows: Rows, decoded: Rows, x: Rows) -> float:
    return float(np.square(rows - decoded).mean() / x.var(axis=0).mean())


def found_by_rabitq(searched: Searched, num_bytes: int, seed: int) -> dict[str, Any]:
    """Measure a quantizer that does not decode, by the distances that it estimates."""
    x, queries, truth, _ = searched
    start = time.perf_counter()
    index = faiss.index_factory(x.shape[1], f"PCA{min(8 * num_bytes, x.shape[1])},RaBitQ")
    index.train(x)
    index.add(x)
    seconds = time.perf_counter() - start
    numbers = index.search(queries, K)[1]
    shares = {k: np.mean([np.isin(a[:k], b[:k]).mean() for a, b in zip(numbers, truth, strict=True)]) for k in (1, K)}
    return {"recall_at_1": float(shares[1]), "recall_at_10": float(shares[K]), "fit_seconds": seconds}


def exact(images: tuple[Rows, Rows], fit: Fit, seed: int) -> dict[str, Any]:
    """Count the test images that come back with all cells right."""
    x, test = images
    start = time.perf_counter()
    encode, decode = fit(x, seed)
    seconds = time.perf_counter() - start
    levels = np.asarray(LEVELS, np.float32)
    decoded = decode(encode(test))
    rounded = levels[np.abs(decoded[:, :, None] - levels).argmin(axis=2)]
    cells = rounded == test
    return {"rows_exact": cells.all(axis=1).mean(), "cells_exact": cells.mean(), "fit_seconds": seconds}


def minilm(smoke: bool) -> Searched:
    if smoke:
        return drawn()
    sentences = load_newsgroups_minilm()
    order = np.random.default_rng(0).permutation(len(sentences.x_test))
    return searched_in(sentences.x_train, sentences.x_test[order])


def glove(smoke: bool) -> Searched:
    return drawn() if smoke else searched_in(*load_glove())


def drawn() -> Searched:
    rows = make_blobs(700, 16, centers=20, random_state=0)[0].astype(np.float32)
    return searched_in(rows[:600], rows[600:])


def searched_in(x: Rows, others: Rows) -> Searched:
    queries = np.ascontiguousarray(others[:NUM_QUERIES])
    return Searched(np.ascontiguousarray(x), queries, nearest_rows(x, queries, K), np.ascontiguousarray(others))


def four_levels(smoke: bool) -> tuple[Rows, Rows]:
    if smoke:
        images = cw.datasets.four_level_digits()
        parts = images[360:], images[:360]
    else:
        parts = cw.datasets.four_level_mnist()
    x, test = (np.ascontiguousarray(part.reshape(len(part), -1), np.float32) for part in parts)
    return x, test


SETS: dict[str, Callable[[bool], Searched]] = {"minilm": minilm, "glove": glove}


if __name__ == "__main__":
    main()
