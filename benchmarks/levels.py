"""What do 8 bytes hold of an 8x8 image of four levels: as bits, scalars or choices, with which loss, beside FAISS?

    CODEWORD_DATA=/folder python benchmarks/levels.py            all parts, about an hour on two cores
    CODEWORD_DATA=/folder python benchmarks/levels.py --part codes --seeds 5
    python benchmarks/levels.py --smoke                          seconds, on the built-in digits

Settings were chosen on 5,000 held-out training images; here the network learns from all 60,000 and is measured on the
10,000 test images.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from results_file import ResultsFile, mean_and_spread, parser_of_parts

import codeword as cw
from codeword.backend import keras
from codeword.datasets.four_level_images import LEVELS
from codeword.evaluation.level_baselines import most_frequent_level, pca_rounded, uint8_steps
from codeword.evaluation.pictures import require_matplotlib

LOSSES = ("crossentropy", "ordinal", "bin_insensitive", "mse", "staircase")
FAISS_CODECS = ("PRQ2x4x8", "RQ8x8", "OPQ8,PQ8", "RQ2x8", "RQ4x8", "RQ6x8")
PARTS = ("codes", "rivals", "losses", "losses_digits", "after_training", "edges", "curve", "precision")
ON_DIGITS = ("losses_digits", "precision")
Result = tuple[str, Callable[[int], dict[str, Any]]]


def main() -> None:
    parser = parser_of_parts(__doc__, PARTS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draw", help="only draw the measured curve of bytes against exact rows into this file")
    arguments = parser.parse_args()
    if arguments.draw:
        draw_curve(arguments.draw)
        return
    for part in arguments.part or PARTS:
        results = ResultsFile(f"levels_{part}", smoke=arguments.smoke)
        data = digits() if arguments.smoke or part in ON_DIGITS else cw.datasets.four_level_mnist()
        for name, measure in experiments(part, data, smoke=arguments.smoke):
            if arguments.only and arguments.only not in name:
                continue
            for seed in range(1 if arguments.smoke or part == "rivals" else arguments.seeds):
                if not results.has(name=name, seed=seed):
                    start = time.perf_counter()
                    figures = measure(seed)
                    seconds = round(time.perf_counter() - start, 1)
                    results.add({"name": name, "seed": seed, "seconds": seconds, **figures})
        print_table(part, results.rows)


def digits() -> tuple[Any, Any]:
    images = cw.datasets.four_level_digits()
    order = np.random.default_rng(0).permutation(len(images))
    return images[order[360:]], images[order[:360]]


def experiments(part: str, data: tuple[Any, Any], *, smoke: bool) -> Iterator[Result]:
    """Gives the experiments of a part: a name, and a function from seed to figures."""

    def epochs(number: int) -> int:
        return 1 if smoke else number

    if part == "codes":
        yield "Bits(64)", trained(data, cw.Bits(64), epochs=epochs(40))
        yield "Scalars(8)", trained(data, cw.Scalars(8), epochs=epochs(20))
        yield "Floats(8)", floats_and_rounded(data, epochs=epochs(20))
        yield "Choices(8, size=256)", trained(data, cw.Choices(8, size=256), epochs=epochs(12))
    elif part == "rivals":
        yield "most frequent value", lambda seed: exact(data[1], most_frequent_level(data[0], len(data[1])), 0)
        yield "PCA, uint8", lambda seed: exact(data[1], pca_rounded(*data, cw.Levels(LEVELS), 8), 8)
        for codec in FAISS_CODECS[2:3] if smoke else FAISS_CODECS:
            yield f"FAISS {codec}", lambda seed, codec=codec: faiss_codec(data, codec)
    elif part in ("losses", "losses_digits"):
        for loss in LOSSES:
            yield loss, trained(data, cw.Bits(64), loss=loss, epochs=epochs(10 if part == "losses" else 60))
    elif part == "after_training":
        yield "tanh trained, signs stored", signs_after_training(data, epochs=epochs(20))
    elif part == "edges":
        for loss in LOSSES[2:]:
            yield f"{loss}, edges=midpoint", trained(data, cw.Bits(64), loss=loss, edges="midpoint", epochs=epochs(10))
    elif part == "curve":
        for num_bits in (16, 32, 48, 96):
            yield f"Bits({num_bits})", trained(data, cw.Bits(num_bits), epochs=epochs(10))
    elif part == "precision":
        for policy in ("float32", "mixed_bfloat16", "mixed_float16", "float16"):
            yield policy, in_precision(policy, trained(data, cw.Bits(64), epochs=epochs(60)))


def trained(
    data: tuple[Any, Any], code: Any, *, loss: str = "crossentropy", edges: str = "floor", epochs: int
) -> Callable[[int], dict[str, Any]]:
    """Trains with the code in the middle, stores, decodes, compares; and compares training mode with inference."""

    def measure(seed: int) -> dict[str, Any]:
        kind = cw.Levels(LEVELS, edges=edges, loss=loss)
        model = cw.Autoencoder(data=kind, code=code, epochs=epochs, seed=seed, verbose=0).fit(data[0])
        return {
            **exact(data[1], model.decode(model.encode(data[1])), code.num_bytes),
            "training_mode": model.training_gap_["training"],
            "inference_mode": model.training_gap_["inference"],
        }

    return measure


def in_precision(policy: str, measure: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """Measures under a Keras dtype policy; "float16" is what `set_floatx("float16")` makes of every new layer."""

    def measured(seed: int) -> dict[str, Any]:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return measure(seed)
        except cw.errors.DivergedError as error:
            return {"bytes": 8, "cells_exact": 0.0, "rows_exact": 0.0, "error": str(error)}
        finally:
            keras.config.set_dtype_policy(before)

    return measured


def floats_and_rounded(data: tuple[Any, Any], *, epochs: int) -> Callable[[int], dict[str, Any]]:
    """Trains with floats in the middle; measures them as they are, and rounded to uint8 after training."""

    def measure(seed: int) -> dict[str, Any]:
        kind = cw.Levels(LEVELS, edges="floor")
        model = cw.Autoencoder(data=kind, code=cw.Floats(8), epochs=epochs, seed=seed, verbose=0).fit(data[0])
        rounded = model.inverse_transform(uint8_steps(model.transform(data[1]), model.transform(data[0])))
        return {
            **exact(data[1], model.decode(model.encode(data[1])), 32),
            "rounded_after_training": exact(data[1], rounded, 8),
        }

    return measure


def signs_after_training(data: tuple[Any, Any], *, epochs: int) -> Callable[[int], dict[str, Any]]:
    """Trains with 64 tanh values in the middle and stores their signs afterwards."""

    def measure(seed: int) -> dict[str, Any]:
        decoder = keras.Sequential([keras.Input((64,)), keras.layers.Activation("tanh")])
        for _ in range(2):
            decoder.add(keras.layers.Dense(512, activation="gelu", kernel_initializer="he_normal"))
        kind = cw.Levels(LEVELS, edges="floor")
        settings = {"epochs": epochs, "seed": seed, "verbose": 0}
        model = cw.Autoencoder(data=kind, code=cw.Floats(64), decoder=decoder, **settings).fit(data[0])
        values = model.transform(data[1])
        # tanh(±20) is ±1 in float32
        signs = model.inverse_transform(np.where(values >= 0, 20, -20).astype(np.float32))
        return {**exact(data[1], signs, 8), "before_rounding": exact(data[1], model.inverse_transform(values), 256)}

    return measure


def faiss_codec(data: tuple[Any, Any], codec: str) -> dict[str, Any]:
    """Stores the images by one of FAISS' quantizers, 8 bytes each, and puts what comes back on the nearest level."""
    import faiss

    train, test = (x.reshape(len(x), -1).astype(np.float32) for x in data)
    index = faiss.index_factory(64, codec)
    index.train(train)
    codes = index.sa_encode(test)
    restored = cw.Levels(LEVELS).quantize(index.sa_decode(codes)).reshape(data[1].shape)
    return exact(data[1], restored, codes.shape[1])


def exact(truth: Any, restored: Any, num_bytes: int) -> dict[str, Any]:
    return {"bytes": num_bytes, **cw.Levels(LEVELS).metrics(truth, restored, {})}


def print_table(part: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{part}\n{'':<34}{'bytes':>6}  {'cells exact':<18}{'rows exact':<18}seconds")
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        cells, whole = (mean_and_spread([row[key] for row in mine]) for key in ("cells_exact", "rows_exact"))
        seconds = sum(row["seconds"] for row in mine) / len(mine)
        print(f"{name:<34}{mine[0]['bytes']:>6}  {cells:<18}{whole:<18}{seconds:.0f}")


def draw_curve(path: str) -> None:
    """Draws the share of exact rows against the bytes a row, codeword's bits beside FAISS' quantizers."""
    rows = {part: ResultsFile(f"levels_{part}", smoke=False).rows for part in ("curve", "losses", "codes", "rivals")}
    ten_epochs = rows["curve"] + [row for row in rows["losses"] if row["name"] == "crossentropy"]
    lines = {
        "codeword Bits, 10 epochs": ten_epochs,
        "codeword Bits(64), 40 epochs": [row for row in rows["codes"] if row["name"] == "Bits(64)"],
        "codeword Scalars(8)": [row for row in rows["codes"] if row["name"] == "Scalars(8)"],
        "FAISS PRQ, RQ, OPQ": [row for row in rows["rivals"] if row["name"].startswith("FAISS")],
        "PCA, uint8": [row for row in rows["rivals"] if row["name"].startswith("PCA")],
    }
    figure = require_matplotlib()(figsize=(6.4, 3.6), layout="constrained")
    axis = figure.subplots()
    for name, measured in lines.items():
        points = sorted((row["bytes"], row["rows_exact"]) for row in measured)
        style = "o-" if "10 epochs" in name else "o"
        axis.plot(*zip(*points, strict=True), style, label=name, markersize=4)
    axis.set(xlabel="bytes a row", ylabel="share of test rows that come back exactly", ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
