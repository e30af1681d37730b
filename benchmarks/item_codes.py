"""What do items lose as packed codes: recommended from 32 to 256 bytes instead of floats, and found by their bits?

    CODEWORD_DATA=/folder python benchmarks/item_codes.py                    both parts, half an hour on one busy core
    CODEWORD_DATA=/folder python benchmarks/item_codes.py --part lost
    python benchmarks/item_codes.py --smoke                                  seconds, on generated ratings

MovieLens 1M: ratings of at least 4 as likes, a tenth of them for validation and a tenth for the test. MovieLens 100K:
stars, the published splits u1 to u3, 4 and 5 as relevant, and a tenth of each training part for validation. "settings"
shows on the validation parts what the constants of `recommenders/item_codes.py` were chosen by; "lost" is measured on
the test parts. Each share is of the recall@20 of the same model with floats, in percent.

The rival is FAISS' product quantizer on the two vectors of each item as they are, with 32 bytes for each. Fewer floats,
and numbers rounded to a byte, are kinds of our own.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any
from unittest import mock

import faiss
import numpy as np
from numpy.typing import NDArray
from results_file import ResultsFile, mean_and_spread

import codeword as cw
from codeword.datasets import planted_ratings
from codeword.recommenders import item_codes

PARTS = ("settings", "lost")
DATA_SETS = ("MovieLens 100K", "MovieLens 1M")
KINDS = (
    *(cw.Bits(8 * size) for size in (32, 64, 128, 256)),
    *(cw.Choices(size) for size in (32, 64, 128, 256)),
    *(cw.Scalars(size) for size in (64, 128)),
    *(cw.Floats(size // 4) for size in (64, 256)),
)
SETTINGS: dict[str, dict[str, float]] = {
    "as they are": {},
    **{f"{bits} bits a direction": {"BITS_PER_DIRECTION": bits} for bits in (2, 8)},
    **{f"{sweeps} sweeps": {"SWEEPS": sweeps} for sweeps in (0, 1, 4)},
    "25 rounds of clustering": {"CLUSTERING_ROUNDS": 25},
}
LENGTH = 20  # of the lists
NEIGHBORS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    arguments = parser.parse_args()
    for part in arguments.part or PARTS:
        results = ResultsFile(f"item_codes_{part}", smoke=arguments.smoke)
        for data_set in DATA_SETS[: 1 if arguments.smoke else None]:
            for seed in range(1 if arguments.smoke else 3):
                for name, measure in experiments(part, smoke=arguments.smoke):
                    if not results.has(name=name, data=data_set, seed=seed):
                        figures = measure(*fitted(data_set, seed, part, arguments.smoke))
                        results.add({"name": name, "data": data_set, "seed": seed, **figures})
        print_table(part, results.rows)


def experiments(part: str, *, smoke: bool) -> Iterator[tuple[str, Callable[..., dict[str, Any]]]]:
    """Gives the experiments of a part: a name, and a function from a model, its recall and test ratings to figures."""
    if part == "settings":
        for name, constants in SETTINGS.items():
            for kind in (cw.Bits(64), cw.Choices(8)) if smoke else (cw.Bits(512), cw.Choices(64)):
                if (name.endswith("sweeps") and "Choices" in str(kind)) or ("clust" in name and "Bits" in str(kind)):
                    continue
                yield f"{kind}, {name}", lambda *given, k=kind, c=constants: with_constants(*given, k, c)
    else:
        for kind in (cw.Bits(64), cw.Choices(8), cw.Scalars(8), cw.Floats(2)) if smoke else KINDS:
            yield str(kind), lambda *given, kind=kind: ours(*given, kind)
        yield "FAISS PQ", lambda *given: of_faiss(*given, 8 if smoke else 64)


@lru_cache(maxsize=1)
def fitted(data_set: str, seed: int, part: str, smoke: bool) -> tuple[cw.RatingAutoencoder, float, Any]:
    """Gives a model, its recall, and the ratings that it is measured on."""
    kind: Any = cw.Ratings(1, 5)
    if smoke:
        ratings, _ = planted_ratings(300, 200, 9_000, seed=seed)
        train, test = cw.split_ratings(tuple(ratings), test_share=0.2, seed=seed)
    elif data_set == "MovieLens 100K":
        train, test = map(tuple, cw.datasets.load_movielens_100k(seed + 1))
        train, validation = cw.split_ratings(train, seed=seed)
    else:
        kind, ratings = cw.Interactions(), cw.datasets.load_movielens_1m()
        likes = ratings.users[ratings.ratings >= 4], ratings.items[ratings.ratings >= 4]
        train, test = cw.split_ratings(likes, seed=seed)
        train, validation = cw.split_ratings(train, test_share=1 / 9, seed=seed)
    held_out = validation if part == "settings" and not smoke else test
    model = cw.RatingAutoencoder(data=kind, verbose=0, seed=seed).fit(train)
    return model, recall(model, held_out), held_out


def recall(model: cw.RatingAutoencoder, held_out: Any) -> float:
    return model.evaluate(held_out, k=LENGTH, by="ranking")[f"recall@{LENGTH}"]


def with_constants(
    model: cw.RatingAutoencoder, full: float, held_out: Any, kind: cw.Bits, constants: dict[str, float]
) -> dict[str, Any]:
    with mock.patch.dict(vars(item_codes), constants):
        return ours(model, full, held_out, kind)


def ours(model: cw.RatingAutoencoder, full: float, held_out: Any, kind: cw.Bits) -> dict[str, Any]:
    start = time.perf_counter()
    codes = model.item_codes(kind)
    seconds = time.perf_counter() - start
    figures = lost(model.with_item_codes(codes), full, held_out, kind.num_bytes)
    near = neighbors_kept(model, codes) if kind.has_hamming_distance else None
    return {**figures, "seconds": round(seconds, 2), "near_kept": near}


def of_faiss(model: cw.RatingAutoencoder, full: float, held_out: Any, size: int) -> dict[str, Any]:
    """Measures the vectors as FAISS codes and decodes them, half of the bytes for what an item says, half for where."""
    start = time.perf_counter()
    ranking = model.ranking_
    changed = {side: by_faiss(getattr(ranking, side), size // 2) for side in ("inputs", "outputs")}
    seconds = time.perf_counter() - start
    coded = model.with_item_codes(model.item_codes(cw.Floats(1)))  # a copy, to be given other vectors
    coded.ranking_ = replace(ranking, **changed)
    return {**lost(coded, full, held_out, size), "seconds": round(seconds, 2), "near_kept": None}


def by_faiss(vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    width = -(-vectors.shape[1] // size) * size
    padded = np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, width - vectors.shape[1]))))
    quantizer = faiss.ProductQuantizer(width, size, 8 if len(vectors) >= 256 else 4)
    quantizer.cp.min_points_per_centroid = 1
    quantizer.train(padded)
    return quantizer.decode(quantizer.compute_codes(padded))[:, : vectors.shape[1]]


def lost(coded: cw.RatingAutoencoder, full: float, held_out: Any, num_bytes: int) -> dict[str, Any]:
    found = recall(coded, held_out)
    return {"bytes": num_bytes, "recall_floats": full, "recall": found, "lost_percent": 100 * (1 - found / full)}


def neighbors_kept(model: cw.RatingAutoencoder, codes: item_codes.ItemCodes) -> float:
    """Gives the share of the ten most similar items that are among the ten nearest by bits, and taken, too."""
    taken = np.bincount(model.ratings_.matrix.indices, minlength=len(model.items_)) > 0
    index = cw.HammingIndex(codes.codes_[taken], codes.items_[taken], num_bits=codes.code_.num_bits)
    near = index.search(codes.codes_[taken], k=NEIGHBORS + 1)[1]
    similar = model.similar_items(codes.items_[taken], k=NEIGHBORS)[0]
    return float(np.mean([len(set(a) & set(b)) / NEIGHBORS for a, b in zip(near, similar, strict=True)]))


def print_table(part: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{part}")
    for data, name in dict.fromkeys((row["data"], row["name"]) for row in rows):
        found = [row for row in rows if (row["data"], row["name"]) == (data, name)]
        figures = [key for key in ("lost_percent", "near_kept", "seconds") if found[0][key] is not None]
        shown = ", ".join(f"{key} {mean_and_spread([row[key] for row in found])}" for key in figures)
        print(f"  {data}, {name}, {found[0]['bytes']} bytes: {shown}")


if __name__ == "__main__":
    main()
