"""How near to bare matrix products do encoding and decoding come, and how much memory do twenty million rows take?

    python benchmarks/encoding.py                     all parts, minutes
    python benchmarks/encoding.py --part memory       writes a file of 1.3 GB into the folder for temporary files
    python benchmarks/encoding.py --smoke             seconds, small

Asked: `encode` at .85 times the rows a second of the bare products of its weights, .95 aimed at; under 1 GiB for a
memory map of twenty million rows of 64 bytes, at rows a second within 10 % of those for one million.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results_file import ResultsFile

import codeword as cw
from codeword.inference import fixed_batches

PARTS = ("speed", "memory", "pieces")
NETWORKS = {"784-250-10": (784, 250, 10), "64-32-8": (64, 32, 8)}
PROCESSES = multiprocessing.get_context("spawn")
Measured = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    arguments = parser.parse_args()
    for part in arguments.part or PARTS:
        results = ResultsFile(f"encoding_{part}", smoke=arguments.smoke)
        for name, measure in experiments(part, smoke=arguments.smoke):
            if not results.has(name=name):
                results.add({"name": name, **measure()})


def experiments(part: str, *, smoke: bool) -> Iterator[tuple[str, Callable[[], Measured]]]:
    """Gives the experiments of a part: a name, and a function that measures."""
    rounds, count = (2, 1_000) if smoke else (15, 60_000)
    if part == "speed":
        for name in NETWORKS:
            yield f"encode {name}, {count:,} rows", lambda n=name: encode_beside_products(n, count, rounds)
            yield f"decode {name}, {count:,} rows", lambda n=name: decode_beside_products(n, count, rounds)
            yield f"encode {name}, one row", lambda n=name: one_row(n, rounds)
    elif part == "memory":
        for number in (10_000, 20_000) if smoke else (1_000_000, 20_000_000):
            yield f"memory map of {number:,} rows of 64 levels", lambda n=number: mapped_rows(n)
    elif part == "pieces":
        for name in NETWORKS:
            yield f"batches of {name}", lambda n=name: batch_sizes(n, count, rounds)
            yield f"pieces of {name}", lambda n=name: piece_sizes(n, count, rounds)


def random_rows(count: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((count, columns), np.float32)


def network(name: str) -> Any:
    """Gives an autoencoder that has hardly been trained: what its weights are does not change the time."""
    columns, hidden, bits = NETWORKS[name]
    model = cw.Autoencoder(
        data=cw.UnitInterval(),
        code=cw.Bits(bits),
        objective=cw.objectives.Reconstruct(),
        hidden=(hidden,),
        epochs=1,
        verbose=0,
    )
    return model.fit(random_rows(512, columns))


# Beside matrix products


def encode_beside_products(name: str, count: int, rounds: int) -> Measured:
    model, x = network(name), random_rows(count, NETWORKS[name][0])
    weights = [w for w in model.encoder_.get_weights() if w.ndim == 2]
    calls = {"ours": lambda: model.encode(x), "jax": jax_products(x, weights), "numpy": numpy_products(x, weights)}
    return {"rows": count, **compared(calls, rounds)}


def decode_beside_products(name: str, count: int, rounds: int) -> Measured:
    model = network(name)
    codes = model.encode(random_rows(count, NETWORKS[name][0]))
    signs = model.code_.to_network(cw.packing.unpack(codes, model.code_))
    weights = [w for w in model.decoder_.get_weights() if w.ndim == 2]
    calls = {
        "ours": lambda: model.decode(codes),
        "jax": jax_products(signs, weights),
        "numpy": numpy_products(signs, weights),
    }
    return {"rows": count, **compared(calls, rounds)}


def one_row(name: str, rounds: int) -> Measured:
    """Times one row at a time: it takes a whole batch of which one row is wanted."""
    model, x = network(name), random_rows(1, NETWORKS[name][0])
    calls = {"ours": lambda: [model.encode(x) for _ in range(20)]}
    seconds = [value / 20 for value in by_turns(calls, rounds)["ours"]]
    return {"milliseconds": 1e3 * statistics.median(seconds), "seconds": seconds}


def batches_of(x: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    size = fixed_batches.BATCH_ROWS
    filled = np.concatenate([x[-(len(x) % size) :], np.zeros((-len(x) % size, x.shape[1]), x.dtype)])
    for start in range(0, len(x), size):
        part = slice(start, min(start + size, len(x)))
        yield part, x[part] if part.stop - start == size else filled


def jax_products(x: NDArray[np.float32], weights: list[NDArray[np.float32]]) -> Callable[[], NDArray[np.float32]]:
    """Gives the least that a network of two layers can do on JAX: its products, one after the other."""
    import jax

    product = jax.jit(lambda batch, first, second: (batch @ first) @ second)
    first, second = (jax.numpy.asarray(w) for w in weights)

    def run() -> NDArray[np.float32]:
        found = np.empty((len(x), second.shape[1]), np.float32)
        waiting = None
        for part, batch in batches_of(x):
            output = product(batch, first, second)
            if waiting is not None:
                found[waiting[0]] = np.asarray(waiting[1])
            waiting = part, output
        found[waiting[0]] = np.asarray(waiting[1])[: waiting[0].stop - waiting[0].start]
        return found

    return run


def numpy_products(x: NDArray[np.float32], weights: list[NDArray[np.float32]]) -> Callable[[], NDArray[np.float32]]:
    first, second = weights

    def run() -> NDArray[np.float32]:
        found = np.empty((len(x), second.shape[1]), np.float32)
        for part, batch in batches_of(x):
            found[part] = ((batch @ first) @ second)[: part.stop - part.start]
        return found

    return run


def by_turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Times each call so many times, in an order that turns with every round; the first round does not count."""
    names = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            start = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: values[1:] for name, values in seconds.items()}


def compared(calls: dict[str, Callable[[], Any]], rounds: int) -> Measured:
    """Gives our rows a second in shares of each other's: median over the rounds, quartiles; medians in ms."""
    seconds = by_turns(calls, rounds)
    figures: Measured = {f"{name}_ms": 1e3 * statistics.median(values) for name, values in seconds.items()}
    for name in [name for name in seconds if name != "ours"]:
        shares = np.divide(seconds[name], seconds["ours"]).tolist()
        low, middle, high = statistics.quantiles(shares, n=4)
        figures[f"share_of_{name}"] = [round(value, 3) for value in (middle, low, high)]
    return {**figures, "seconds": seconds}


# Memory


def mapped_rows(count: int) -> Measured:
    """Encodes a memory-mapped file in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, 64))
        random_numbers = np.random.default_rng(0)
        for start in range(0, count, 100_000):
            part = mapped[start : start + 100_000]
            part[:] = random_numbers.integers(0, 4, part.shape, np.uint8)
        mapped.flush()
        del mapped, part
        here, there = PROCESSES.Pipe()
        process = PROCESSES.Process(target=encode_mapped, args=(path, there))
        process.start()
        figures: Measured = here.recv()
        process.join()
    return figures


def encode_mapped(path: Path, answer: Any) -> None:
    x = np.load(path, mmap_mode="r")
    settings: dict[str, Any] = {"data": cw.Levels([0, 0.25, 0.5, 0.75]), "code": cw.Bits(64), "hidden": (32,)}
    model = cw.Autoencoder(**settings, epochs=1, verbose=0).fit(np.array(x[:1_000]))
    model.encode(np.array(x[:20_000]))  # compiled
    before, seconds, peak = memory_mib(), [], {}
    done = threading.Event()
    watcher = threading.Thread(target=watch, args=(done, peak))
    watcher.start()
    for _ in range(max(1, min(9, 2_000_000 // len(x)))):
        start = time.perf_counter()
        codes = model.encode(x)
        seconds.append(time.perf_counter() - start)
    done.set()
    watcher.join()
    answer.send(
        {
            "rows": len(x),
            "rows_a_second": len(x) / statistics.median(seconds),
            "codes_mib": codes.nbytes / 2**20,
            "before_mib": before,
            "peak_mib": peak,
            "seconds": seconds,
        }
    )


def watch(done: threading.Event, peak: dict[str, float]) -> None:
    while not done.wait(0.02):
        for name, value in memory_mib().items():
            peak[name] = max(value, peak.get(name, 0.0))


def memory_mib() -> dict[str, float]:
    """Gives what is resident: the process' own, and of mapped files, which the system can take back."""
    # VmHWM is the peak of both; `getrusage` would give that of the process which started this one, if it was larger.
    wanted = {"RssAnon": "own", "RssFile": "mapped", "VmHWM": "most_so_far"}
    found = {}
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in wanted:
            found[wanted[name]] = int(value.split()[0]) / 2**10
    return found


# How many rows at a time


def batch_sizes(name: str, count: int, rounds: int) -> Measured:
    model, x = network(name), random_rows(count, NETWORKS[name][0])
    calls = {}
    for size in (128, 256, 512, 1024):
        calls[f"{size}, all rows"] = changed("BATCH_ROWS", size, lambda: model.encode(x))
        calls[f"{size}, one row"] = changed("BATCH_ROWS", size, lambda: model.encode(x[:1]))
    return in_milliseconds(calls, rounds)


def piece_sizes(name: str, count: int, rounds: int) -> Measured:
    model, x = network(name), random_rows(count, NETWORKS[name][0])
    sizes = [1 << power for power in (16, 17, 18, 19, 20, 22)]
    calls = {f"{size:,} cells": changed("CELLS_PER_PIECE", size, lambda: model.encode(x)) for size in sizes}
    return in_milliseconds(calls, rounds)


def changed(constant: str, value: int, call: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        before = getattr(fixed_batches, constant)
        setattr(fixed_batches, constant, value)
        try:
            return call()
        finally:
            setattr(fixed_batches, constant, before)

    return run


def in_milliseconds(calls: dict[str, Callable[[], Any]], rounds: int) -> Measured:
    seconds = by_turns(calls, rounds)
    medians = {name: round(1e3 * statistics.median(values), 3) for name, values in seconds.items()}
    return {"milliseconds": medians, "seconds": seconds}


if __name__ == "__main__":
    main()
