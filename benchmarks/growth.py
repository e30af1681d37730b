"""How do time and memory grow: with rows, columns, bits, hidden units, ratings, and codes to search?

    python benchmarks/growth.py [--part rows|columns|bits|hidden|ratings|codes] [--smoke]

One measurement a process, so that its peak of memory is its own. Training is `Autoencoder.fit` without swapped cells,
64 bits, batches of 256; seconds are those of an epoch, between the first, which compiles, and the last.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from results_file import ResultsFile

SIZES = {
    "rows": [10_000, 30_000, 100_000, 300_000, 1_000_000],
    "columns": [64, 256, 1_024, 4_096, 16_384],
    "bits": [16, 64, 256, 1_024],
    "hidden": [64, 256, 1_024, 4_096],
    "ratings": [100_000, 300_000, 1_000_000, 3_000_000],
    "codes": [10_000, 100_000, 1_000_000, 10_000_000],
}
SMOKE = {"rows": 600, "columns": 32, "bits": 16, "hidden": 32, "ratings": 5_000, "codes": 5_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--part", choices=SIZES)
    parser.add_argument("--size", type=int, help="measure one size here and print it, as a child process does")
    given = parser.parse_args()
    if given.size is not None:
        print(json.dumps(measured(given.part, given.size, smoke=given.smoke)))
        return
    for part in [given.part] if given.part else SIZES:
        results = ResultsFile(f"growth_{part}", smoke=given.smoke)
        for size in [SMOKE[part]] if given.smoke else SIZES[part]:
            if not results.has(size=size):
                results.add({"size": size, **in_a_process(part, size, smoke=given.smoke)})


def in_a_process(part: str, size: int, *, smoke: bool) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__)), "--part", part, "--size", str(size)]
    done = subprocess.run([*command, *(["--smoke"] if smoke else [])], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(part: str, size: int, *, smoke: bool) -> dict[str, Any]:
    """Gives seconds and megabytes: those of the process before the data, of the data, and at its peak."""
    measures: dict[str, Callable[[int, bool], dict[str, float]]] = {
        "rows": lambda rows, smoke: training(rows, 64, 64, 256, smoke=smoke),
        "columns": lambda columns, smoke: training(500 if smoke else 10_000, columns, 64, 256, smoke=smoke),
        "bits": lambda bits, smoke: training(500 if smoke else 30_000, 256, bits, 256, smoke=smoke),
        "hidden": lambda hidden, smoke: training(500 if smoke else 10_000, 256, 64, hidden, smoke=smoke),
        "ratings": lambda ratings, smoke: rating_training(ratings),
        "codes": lambda codes, smoke: searching(codes),
    }
    return {**measures[part](size, smoke), "peak_mb": peak_mb()}


def training(rows: int, columns: int, bits: int, hidden: int, *, smoke: bool) -> dict[str, float]:
    import codeword as cw

    # Rows of few causes, so that there is something to learn.
    generator = np.random.default_rng(0)
    causes = generator.integers(0, 256, (16, columns), np.uint8)
    x = causes[generator.integers(0, 16, rows)] ^ generator.integers(0, 8, (rows, columns), np.uint8)
    x = x.astype(np.float32)
    x /= 255
    marks = Marks()
    model = cw.Autoencoder(
        data=cw.UnitInterval(),
        code=cw.Bits(bits),
        hidden=(hidden,),
        objective=cw.objectives.Reconstruct(swap=0.0),
        epochs=3 if rows * columns > 10_000_000 else 6,
        batch_size=256,
        verbose=0,
    )
    before = peak_mb()
    model.fit(x, callbacks=[marks.callback()])
    start = time.perf_counter()
    codes = model.encode(x)
    return {
        "fit_seconds_an_epoch": marks.seconds_an_epoch(),
        "encode_seconds": time.perf_counter() - start,
        "data_mb": x.nbytes / 1e6,
        "code_mb": codes.nbytes / 1e6,
        "before_fit_mb": before,
    }


class Marks:
    """Notes when epochs end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def callback(self) -> Any:
        from codeword.backend import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.times.append(time.perf_counter()))

    def seconds_an_epoch(self) -> float:
        return float(np.median(np.diff(self.times)))


def rating_training(ratings: int) -> dict[str, float]:
    import codeword as cw
    from codeword.datasets.planted_ratings import planted_ratings

    users = max(200, ratings // 100)
    given, _ = planted_ratings(users, max(200, users // 5), ratings)
    parts = given.users, given.items, given.ratings
    settings = {"units": 64, "verbose": 0}
    cw.RatingAutoencoder(epochs=1, **settings).fit(tuple(part[:2_000] for part in parts))  # loads what it needs
    before = peak_mb()
    seconds = []
    for epochs in (2, 8):
        start = time.perf_counter()
        cw.RatingAutoencoder(epochs=epochs, **settings).fit(parts)
        seconds.append(time.perf_counter() - start)
    data = sum(np.asarray(part).nbytes for part in parts)
    return {
        "fit_seconds_an_epoch": (seconds[1] - seconds[0]) / 6,
        "users": users,
        "data_mb": data / 1e6,
        "before_fit_mb": before,
    }


def searching(number: int) -> dict[str, float]:
    import codeword as cw

    codes = np.random.default_rng(0).integers(0, 256, (number, 8), np.uint8)
    before = peak_mb()
    start = time.perf_counter()
    index = cw.HammingIndex(codes)
    built = time.perf_counter() - start
    index.search(codes[:1], k=10)
    queries = codes[:20]
    start = time.perf_counter()
    for query in queries:
        index.search(query[None], k=10)
    return {
        "build_seconds": built,
        "query_seconds": (time.perf_counter() - start) / len(queries),
        "data_mb": codes.nbytes / 1e6,
        "before_fit_mb": before,
    }


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
