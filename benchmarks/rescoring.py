"""What does search by codes find when the query's margins and the rows themselves order the candidates, and how fast?

    CODEWORD_DATA=/folder/with/data python benchmarks/rescoring.py [--part recall curve large] [--picture search.png]

recall: of the exact ten nearest of 1,000 test texts of 20 Newsgroups among the training texts (MiniLM embeddings, 384
numbers), the share among the first ten: by Hamming distance (ties by their mean over all orders), by the asymmetric
distance, and after rescoring candidates by int8 rows; beside plain signs, random projections, ITQ, and OPQ + PQ with
FAISS' IndexRefine. curve: the same against the time of one query on one thread. large: the time among a million random
rows. Asked of 100 candidates: recall 0.75 with 64 bits and 0.95 with 256.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from hash import EMBEDDINGS, itq, minilm, random_projections
from numpy.typing import NDArray
from results_file import ResultsFile, print_table

import codeword as cw
from codeword.evaluation.pictures import require_matplotlib

PARTS = ("recall", "curve", "large")
SEEDS = (0, 1, 2)
CANDIDATES = (20, 40, 100, 200, 400)
K = 10
Search = Callable[[slice], NDArray[np.int64]]  # gives the ids for some of the queries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    parser.add_argument("--picture", type=Path, help="draw the curve from its results, and measure nothing")
    arguments = parser.parse_args()
    if arguments.picture:
        draw(arguments.picture)
        return
    faiss.omp_set_num_threads(1)
    for part in arguments.part:
        results = ResultsFile(f"rescoring_{part}", smoke=arguments.smoke)
        {"recall": recall, "curve": curve, "large": large}[part](results, arguments.smoke)
        print_table(part, results.rows)


def recall(results: ResultsFile, smoke: bool) -> None:
    texts = minilm(smoke)
    truth = cw.search.nearest_rows(texts.x, texts.queries, K)
    for seed in SEEDS[: 1 if smoke else None]:
        for name, make in coders(texts.x, seed, smoke):
            if results.has(name=name, seed=seed):
                continue
            codes, queries = make(texts.x, texts.queries)
            row = {"name": name, "seed": seed, "bytes": codes.shape[1], "hamming": texts.measure(codes, queries.codes)}
            for way, search in searches(codes, queries, texts.x):
                row[way] = found(search(slice(None)), truth)
            results.add(row)
    for name, factory in (("OPQ + PQ, 8 bytes", "OPQ8_64,PQ8"), ("OPQ + PQ, 32 bytes", "OPQ32_384,PQ32x8")):
        if not smoke and not results.has(name=name, seed=0):
            results.add({"name": name, "seed": 0, **refined(factory, texts.x, texts.queries, truth)})


def curve(results: ResultsFile, smoke: bool) -> None:
    texts = minilm(smoke)
    truth = cw.search.nearest_rows(texts.x, texts.queries, K)
    exact = faiss.IndexFlatIP(texts.x.shape[1])
    exact.add(texts.x)
    if not results.has(name="exact floats"):
        seconds = fast_seconds(lambda part: exact.search(texts.queries[part], K)[1], smoke)
        results.add({"name": "exact floats", "ms": 1e3 * seconds, "recall": 1.0})
    for name, make in coders(texts.x, 0, smoke):
        if name.startswith(("random", "ITQ")) or results.has(name=name):
            continue
        codes, queries = make(texts.x, texts.queries)
        for way, search in searches(codes, queries, texts.x):
            row = {"name": name, "way": way, "recall": found(search(slice(None)), truth)}
            results.add({**row, "ms": 1e3 * fast_seconds(search, smoke)})


def large(results: ResultsFile, smoke: bool) -> None:
    """Time among rows that are not worth finding: random ones."""
    rng, count = np.random.default_rng(0), 2_000 if smoke else 1_000_000
    rows = rng.integers(-127, 128, (count, 384), np.int8)
    exact = faiss.IndexFlatIP(384)
    for start in range(0, count, 10_000):
        exact.add(rows[start : start + 10_000].astype(np.float32))
    wanted = rng.normal(size=(100, 384)).astype(np.float32)
    seconds = fast_seconds(lambda part: exact.search(wanted[part], K)[1], smoke)
    results.add({"name": "exact floats", "ms": 1e3 * seconds})
    exact.reset()
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "rows.npy", rows)
        kept = {"memory": cw.KeptRows(rows), "disk": cw.KeptRows(np.load(Path(folder) / "rows.npy", mmap_mode="r"))}
        for num_bits in (64, 256):
            index = cw.HammingIndex(rng.integers(0, 256, (count, num_bits // 8), np.uint8))
            codes, margins = rng.integers(0, 256, (100, num_bits // 8), np.uint8), rng.random((100, num_bits))
            known = cw.Queries(codes, margins=margins, rows=wanted)
            ways: dict[str, Search] = {
                "hamming": lambda part, i=index, c=codes: i.search(c[part], K)[1],
                "asymmetric": lambda part, i=index, q=known: i.search(q[part], K)[1],
            }
            for place, values in kept.items():
                ways[f"asymmetric, 100 int8 rows from {place}"] = lambda part, i=index, q=known, v=values: i.search(
                    q[part], K, rescore=v, metric="cosine"
                )[1]
            for way, search in ways.items():
                results.add({"name": f"{num_bits} bits, {way}", "ms": 1e3 * fast_seconds(search, smoke)})


def coders(
    x: NDArray[Any], seed: int, smoke: bool
) -> Iterator[tuple[str, Callable[[NDArray[Any], NDArray[Any]], tuple[NDArray[np.uint8], cw.Queries]]]]:
    """Gives names, and functions from rows and queries to codes and to queries with margins."""
    for bits in (16,) if smoke else (64, 256):
        yield f"Bits({bits})", lambda rows, queries, b=bits: by_codeword(rows, queries, b, seed, smoke)
        for name, make in (("ITQ", itq), ("random projections", random_projections)):
            yield f"{name}, {bits} bits", lambda rows, queries, m=make, b=bits: bare(m(x, b, seed), rows, queries)
    if seed == 0:
        yield "signs of the 384 numbers", signs


def by_codeword(rows: Any, queries: Any, bits: int, seed: int, smoke: bool) -> tuple[NDArray[np.uint8], cw.Queries]:
    model = fitted(rows, bits, seed, smoke)
    return model.encode(rows), model.queries(queries)


def fitted(rows: Any, bits: int, seed: int, smoke: bool) -> cw.Autoencoder:
    model = cw.Autoencoder(
        data=EMBEDDINGS, code=cw.Bits(bits), objective=cw.objectives.KeepNeighbors(), seed=seed, verbose=0
    )
    return model.set_params(epochs=1 if smoke else None).fit(rows)


def bare(encode: Any, rows: Any, queries: Any) -> tuple[NDArray[np.uint8], cw.Queries]:
    """Codes of rivals, whose queries have no margins here."""
    return encode(rows), cw.Queries(encode(queries), rows=queries)


def signs(rows: Any, queries: Any) -> tuple[NDArray[np.uint8], cw.Queries]:
    codes = np.packbits(queries > 0, axis=1)
    return np.packbits(rows > 0, axis=1), cw.Queries(codes, margins=np.abs(queries), rows=queries)


def searches(codes: NDArray[np.uint8], queries: cw.Queries, rows: NDArray[Any]) -> Iterator[tuple[str, Search]]:
    """Gives ways to search by name: with each kind of candidates, and without rescoring."""
    index, kept = cw.HammingIndex(codes, num_bits=queries.num_bits), cw.KeptRows.quantized(rows)
    kinds = {"hamming": cw.Queries(queries.codes, rows=queries.rows)}
    if queries.margins is not None:
        kinds["asymmetric"] = queries
        yield "asymmetric", lambda part: index.search(queries[part], K)[1]
    for kind, known in kinds.items():
        for count in CANDIDATES:
            yield (
                f"{kind}, {count} rescored",
                lambda part, q=known, c=count: index.search(q[part], K, rescore=kept, candidates=c)[1],
            )


def refined(factory: str, rows: NDArray[Any], queries: NDArray[Any], truth: NDArray[Any]) -> dict[str, Any]:
    """Gives the recall of a product quantizer, alone and refined by int8 rows."""
    index = faiss.IndexRefine(faiss.index_factory(rows.shape[1], factory), faiss.index_factory(rows.shape[1], "SQ8"))
    index.train(rows)
    index.add(rows)
    row = {"asymmetric": found(index.base_index.search(queries, K)[1], truth)}
    for count in CANDIDATES:
        index.k_factor = count / K
        row[f"asymmetric, {count} rescored"] = found(index.search(queries, K)[1], truth)
    return row


def found(ids: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Gives the share of the true ids that are among the ids."""
    return float((ids[:, :, None] == truth[:, None]).any(axis=1).mean())


def fast_seconds(search: Search, smoke: bool) -> float:
    """Times queries one by one; of 100 times the tenth, which other work on the machine hardly changes."""
    seconds = []
    for number in range(5 if smoke else 100):
        start = time.perf_counter()
        search(slice(number, number + 1))
        seconds.append(time.perf_counter() - start)
    return statistics.quantiles(seconds, n=10)[0]


def draw(path: Path) -> None:
    rows = ResultsFile("rescoring_curve", smoke=False).rows
    figure = require_matplotlib()(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    for name in dict.fromkeys(row["name"] for row in rows if "way" in row):
        for kind, style in (("hamming", "o:"), ("asymmetric", "o-")):
            points = [row for row in rows if row["name"] == name and f"{kind}, " in row.get("way", "")]
            times = [row["ms"] for row in points]
            color = axis.lines[-1].get_color() if kind == "asymmetric" else None
            axis.plot(
                times, [row["recall"] for row in points], style, label=f"{name}, {kind}", color=color, markersize=4
            )
    exact = next(row for row in rows if row["name"] == "exact floats")
    axis.plot(exact["ms"], 1, "k*", label="exact floats", markersize=9)
    axis.set(
        xlabel="milliseconds per query, one thread",
        ylabel="share of the true ten nearest",
        xscale="log",
        ylim=(0.4, 1.02),
    )
    axis.grid(alpha=0.3)
    axis.legend(fontsize="x-small")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
