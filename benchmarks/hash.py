"""How well do binary codes search? Against FAISS' ITQ and random projections, on images, embeddings and texts.

    CODEWORD_DATA=/folder/with/data python benchmarks/hash.py [--part mnist fashion asker embeddings texts]

No label of a reported set was used to train or to choose a setting: settings of images and texts were chosen on USPS
and Reuters, those of embeddings on training rows held out as queries (docs/decisions/0007-similar-codes.md).
Database: the training rows; queries: 1,000 of the test rows, the same for all; the precision on training rows asks with
the first 1,000, each of which finds itself, too. Every figure counts ties by their mean over all orders. Seeds 0, 1 and
2. Results go to benchmarks/results/hash_<part>.json as they come; what is there is not done again.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import faiss
import numpy as np
from data_sets.newsgroups import load_newsgroups, load_newsgroups_minilm
from data_sets.text_set import TextSet
from numpy.typing import NDArray
from results_file import ResultsFile, mean_and_spread
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

import codeword as cw
from codeword.backend import keras
from codeword.evaluation import code_usage, mean_average_precision, precision_at_k, recall_at_k

SEEDS = (0, 1, 2)
NUM_QUERIES = 1_000
EMBEDDINGS = cw.Real(spread="common")  # columns of one kind
KINDS = cw.objectives.KeepGroups()
VARIED = cw.objectives.KeepGroups(augment="images")
RECONSTRUCT = {"way": "similar=nothing epochs=15", "objective": cw.objectives.Reconstruct(), "epochs": 15}
Measure = Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
Encode = Callable[[NDArray[Any]], NDArray[np.uint8]]


class Searched(NamedTuple):
    """Rows to search in and to ask with, and the measure of two sets of codes."""

    x: NDArray[Any]
    queries: NDArray[Any]
    measure: Measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--part", nargs="+", choices=list(PARTS), default=["mnist", "fashion", "asker", "embeddings", "texts"]
    )
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    for part in arguments.part:
        results = ResultsFile(f"hash_{part}", smoke=arguments.smoke)
        PARTS[part](results, arguments.smoke)
        summarize(results)


def mnist(results: ResultsFile, smoke: bool) -> None:
    digits, unit = images("mnist", smoke), cw.UnitInterval()
    for seed in SEEDS:
        for bits in (16, 32, 64):
            rivals(results, digits, bits, seed, set="mnist")
            ours(results, digits, bits, seed, set="mnist", data=unit, objective=KINDS, smoke=smoke)
    for seed in SEEDS:
        ours(results, digits, 32, seed, set="mnist", data=unit, way="augment=images", objective=VARIED, smoke=smoke)
    for seed in SEEDS:
        ours(results, digits, 32, seed, set="mnist", data=unit, **RECONSTRUCT, smoke=smoke)
    for seed in SEEDS:
        twice = {"way": "augment=images epochs=20", "objective": VARIED, "epochs": 20}
        ours(results, digits, 32, seed, set="mnist", data=unit, **twice, smoke=smoke)


def fashion(results: ResultsFile, smoke: bool) -> None:
    clothes = images("fashion", smoke)
    for seed in SEEDS:
        rivals(results, clothes, 32, seed, set="fashion")
        ours(results, clothes, 32, seed, set="fashion", data=cw.UnitInterval(), objective=KINDS, smoke=smoke)
        varied = {"way": "augment=images", "objective": VARIED}
        ours(results, clothes, 32, seed, set="fashion", data=cw.UnitInterval(), **varied, smoke=smoke)


def asker(results: ResultsFile, smoke: bool) -> None:
    """The network 784-250-10-250-784 with ReLU: binarized after training, trained on, and trained as bits at once."""
    digits = images("mnist", smoke)
    labels = digits.labels
    for seed in SEEDS:
        for bits in (10, 32):
            if results.has(bits=bits, seed=seed, way="ReLU units that are dead"):
                continue
            encoder = relu_encoder(digits.x, bits, seed, smoke)
            ways = {}
            for rule in ("zero", "median", "rotation"):
                ways[f"binarize, {rule}"] = cw.binarize(encoder, digits.x, rule=rule, seed=seed, verbose=0)
            settings = {"code": cw.Bits(bits), "hidden": (250,), "seed": seed, "verbose": 0, **quick(smoke)}
            settings |= {"data": cw.UnitInterval(), "objective": KINDS}
            ways["trained on as bits"] = cw.Autoencoder(encoder=encoder, **settings).fit(digits.x)
            ways["trained as bits"] = cw.Autoencoder(**settings).fit(digits.x)
            giving_back = {"epochs": 15, **settings, "objective": cw.objectives.Reconstruct()}
            ways["trained as bits, for giving back"] = cw.Autoencoder(**giving_back).fit(digits.x)
            for way, model in ways.items():
                if results.has(bits=bits, seed=seed, way=way):
                    continue
                codes, queries = model.encode(digits.x), model.encode(digits.queries)
                usage = code_usage(codes, num_bits=bits).to_dict()
                results.add(
                    {
                        "way": way,
                        "bits": bits,
                        "seed": seed,
                        "test_map": digits.measure(codes, queries),
                        "train_map": mean_average_precision(codes, labels, codes[:NUM_QUERIES], labels[:NUM_QUERIES]),
                        "test_mse": float(np.square(model.decode(queries) - digits.queries).mean()),
                        "dead_bits": len(usage["dead_bits"]),
                        "least_entropy": usage["least_entropy"],
                    }
                )
            dead = int((np.ptp(encoder.predict(digits.x, verbose=0), axis=0) == 0).sum())
            results.add({"way": "ReLU units that are dead", "bits": bits, "seed": seed, "dead_units": dead})
            rivals(results, digits, bits, seed, set="mnist")


def embeddings(results: ResultsFile, smoke: bool) -> None:
    """Recall of the exact ten nearest by cosine."""
    sentences = minilm(smoke)
    for seed in SEEDS:
        for bits in (64, 128, 256):
            rivals(results, sentences, bits, seed, set="minilm")
            settings = {"objective": cw.objectives.KeepNeighbors(), "hidden": (2048,)}
            settings["way"] = "similar=neighbors hidden=(2048,)"
            ours(results, sentences, bits, seed, set="minilm", data=EMBEDDINGS, smoke=smoke, **settings)


def texts(results: ResultsFile, smoke: bool) -> None:
    """Precision at 100 of texts as tf-idf, with headers and without."""
    for headers in (True, False):
        news = newsgroups(headers, smoke)
        name = "newsgroups" if headers else "newsgroups without headers"
        for seed in SEEDS:
            rivals(results, news, 32, seed, set=name)
            direct = {"way": "walk=(100, 1)", "objective": cw.objectives.KeepGroups(neighbors=100, steps=1)}
            ours(results, news, 32, seed, set=name, data=EMBEDDINGS, **direct, smoke=smoke)


def ours(
    results: ResultsFile,
    searched: Any,
    bits: int,
    seed: int,
    *,
    set: str,
    smoke: bool,
    way: str = "",
    **settings: Any,
) -> None:
    way = f"codeword {way}".strip()
    if results.has(set=set, way=way, bits=bits, seed=seed):
        return
    start = time.perf_counter()
    settings = {**settings, **quick(smoke)}
    model = cw.Autoencoder(code=cw.Bits(bits), seed=seed, verbose=0, **settings).fit(searched.x)
    seconds = time.perf_counter() - start
    codes, queries = model.encode(searched.x), model.encode(searched.queries)
    usage = code_usage(codes).to_dict()
    results.add(
        {
            "set": set,
            "way": way,
            "bits": bits,
            "seed": seed,
            "value": searched.measure(codes, queries),
            "fit_seconds": seconds,
            **model.evaluate(searched.queries),
            "dead_bits": len(usage["dead_bits"]),
            "least_entropy": usage["least_entropy"],
            "mean_correlation": usage["mean_correlation"],
            "distinct": usage["distinct"],
        }
    )


def rivals(results: ResultsFile, searched: Any, bits: int, seed: int, *, set: str) -> None:
    for way, make in (("FAISS ITQ", itq), ("random projections", random_projections)):
        if not results.has(set=set, way=way, bits=bits, seed=seed):
            start = time.perf_counter()
            encode = make(searched.x.reshape(len(searched.x), -1), bits, seed)
            seconds = time.perf_counter() - start
            codes, queries = encode(searched.x), encode(searched.queries)
            row = {"set": set, "way": way, "bits": bits, "seed": seed, "value": searched.measure(codes, queries)}
            results.add({**row, "fit_seconds": seconds})


def itq(x: NDArray[Any], bits: int, seed: int) -> Encode:
    transform = faiss.ITQTransform(x.shape[1], bits, True)
    transform.itq.seed = 123 + seed
    transform.train(np.ascontiguousarray(x, np.float32))
    return lambda rows: np.packbits(
        transform.apply(np.ascontiguousarray(rows.reshape(len(rows), -1), np.float32)) >= 0, axis=1
    )


def random_projections(x: NDArray[Any], bits: int, seed: int) -> Encode:
    center, planes = x.mean(axis=0), np.random.default_rng(seed).normal(size=(x.shape[1], bits))
    return lambda rows: np.packbits((rows.reshape(len(rows), -1) - center) @ planes >= 0, axis=1)


def relu_encoder(x: NDArray[Any], units: int, seed: int, smoke: bool) -> Any:
    """Trains the asker's autoencoder in plain Keras; gives its encoder."""
    keras.utils.set_random_seed(seed)
    cells = int(np.prod(x.shape[1:]))
    encoder = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Flatten()])
    encoder.add(keras.layers.Dense(250, "relu"))
    encoder.add(keras.layers.Dense(units, "relu"))
    decoder = keras.Sequential([keras.layers.Dense(250, "relu"), keras.layers.Dense(cells, "sigmoid")])
    model = keras.Sequential([encoder, decoder])
    model.compile("adam", "mse")
    model.fit(x, x.reshape(len(x), -1), batch_size=128, epochs=1 if smoke else 20, verbose=0)
    return encoder


class Labelled(NamedTuple):
    """Like `Searched`, with the labels of the rows."""

    x: NDArray[Any]
    queries: NDArray[Any]
    labels: NDArray[Any]
    measure: Measure


def images(name: str, smoke: bool) -> Labelled:
    if smoke:
        x, y = load_digits(return_X_y=True)
        x, y, test, test_labels = x[:1500] / 16, y[:1500], x[1500:] / 16, y[1500:]
        shape = (8, 8)
    else:
        load = cw.datasets.load_mnist if name == "mnist" else cw.datasets.load_fashion_mnist
        (x, y), (test, test_labels) = load()
        chosen = np.random.default_rng(0).permutation(len(test))[:NUM_QUERIES]
        x, test, test_labels = x / 255, test[chosen] / 255, test_labels[chosen]
        shape = (28, 28)
    x, test = (part.astype(np.float32).reshape(-1, *shape) for part in (x, test))
    return Labelled(x, test, y, lambda codes, queries: mean_average_precision(codes, y, queries, test_labels))


def minilm(smoke: bool) -> Searched:
    if smoke:
        x = np.random.default_rng(0).normal(size=(1100, 300)).astype(np.float32)
        x, queries = x[:1000], x[1000:]
    else:
        found = load_newsgroups_minilm()
        x = found.x_train
        queries = found.x_test[np.random.default_rng(0).permutation(len(found.x_test))[:NUM_QUERIES]]
    truth = cw.search.nearest_rows(x, queries, 10)
    return Searched(x, queries, lambda codes, query_codes: recall_at_k(codes, query_codes, truth, 10))


def newsgroups(headers: bool, smoke: bool) -> Searched:
    if smoke:
        topics = np.random.default_rng(0).integers(0, 4, 400)
        words = np.random.default_rng(1).integers(0, 50, (400, 30))
        bodies = [
            "From: nobody\n\n" + " ".join(f"word{topic}{word}" for word in row)
            for topic, row in zip(topics, words, strict=True)
        ]
        found = TextSet(bodies[:300], topics[:300], bodies[300:], topics[300:], ("a",) * 4)
    else:
        found = load_newsgroups()
    return text_features(found, headers=headers, k=100)


def text_features(found: Any, *, headers: bool, k: int) -> Searched:
    """Gives texts as tf-idf, its leading directions, of unit length."""
    bodies = [found.x_train, found.x_test]
    if not headers:
        bodies = [[without_header(text) for text in part] for part in bodies]
    words = TfidfVectorizer(max_features=10_000, sublinear_tf=True, stop_words="english", max_df=0.5)
    train, test = words.fit_transform(bodies[0]), words.transform(bodies[1])
    directions = TruncatedSVD(min(512, train.shape[1] - 1), random_state=0)
    x, queries = (
        normalize(part).astype(np.float32) for part in (directions.fit_transform(train), directions.transform(test))
    )
    chosen = np.random.default_rng(0).permutation(len(queries))[:NUM_QUERIES]
    wanted = found.y_test[chosen]
    return Searched(
        x, queries[chosen], lambda codes, query_codes: precision_at_k(codes, found.y_train, query_codes, wanted, k)
    )


def without_header(text: str) -> str:
    """Drops the header, and lines that quote somebody."""
    body = text.partition("\n\n")[2]
    return "\n".join(line for line in body.splitlines() if not line.lstrip().startswith((">", "|", ":")))


def quick(smoke: bool) -> dict[str, Any]:
    return {"epochs": 1} if smoke else {}


def summarize(results: ResultsFile) -> None:
    """Prints mean and spread over the seeds."""
    found: dict[tuple[Any, ...], list[float]] = {}
    for row in results.rows:
        for name in ("value", "test_map", "train_map", "test_mse", "mse", "fit_seconds", "dead_units"):
            if name in row:
                key = (row.get("set", ""), row["bits"], row["way"], name)
                found.setdefault(key, []).append(float(row[name]))
    for key, values in sorted(found.items(), key=lambda pair: [str(part) for part in pair[0]]):
        print(f"{key[0]:<28}{key[1]:>4}  {key[2]:<44}{key[3]:<12}{mean_and_spread(values)}")


PARTS: dict[str, Callable[[ResultsFile, bool], None]] = {
    "mnist": mnist,
    "fashion": fashion,
    "asker": asker,
    "embeddings": embeddings,
    "texts": texts,
}


if __name__ == "__main__":
    main()
