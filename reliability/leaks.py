"""Leaks.

Each public object is made, used and dropped again and again in a process of its own. After a warm-up, neither resident
memory nor the numbers of open files, threads, compiled programs and Python objects may grow by more than 2 %. Memory
is what the process has after the allocator has given back what it keeps for later.

    python -m reliability.leaks [--full]
"""

import ctypes
import gc
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import codeword as cw
from reliability.children import in_child
from reliability.results import Attack, Row, Size, run

LIMIT = 0.02
ROWS = np.random.default_rng(0).integers(0, 4, (200, 4, 4)) / 4
CODES = np.random.default_rng(1).integers(0, 256, (2_000, 8), np.uint8)
FIGURES = ("memory", "files", "threads", "programs", "objects")
JAX_KEEPS = "JAX keeps a trace of each argmax that it compiles, 67 objects, and at most 4,096 traces"
Use = Callable[[], Any]


def attacks(size: Size) -> Iterator[Row]:
    for name, make, counts in USES:
        cycles, warm_up = size.of(*counts), size.of(2, 10, 20)
        if cycles == 0:  # too long for a smoke test
            continue
        row = Row.of_kinds(f"{name}, {cycles:,} times", *FIGURES)
        row.known = JAX_KEEPS if make is fits else ""
        row.cases = 1
        with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
            outcome = in_child(measured, make, Path(folder), warm_up, cycles, seconds=3_600)
        if outcome.ending != "returned":
            row.fail("memory", outcome.error)
        else:
            first, last = outcome.value
            for figure in FIGURES:
                share = (last[figure] - first[figure]) / max(first[figure], 1)
                row.figures[f"{figure} after"] = f"{last[figure]:,} ({share:+.1%})"
                # Fewer cycles than these do not tell growth from the first pages that a process takes.
                if share > LIMIT and size.name != "smoke":
                    row.fail(figure, f"{first[figure]:,} to {last[figure]:,}")
        yield row


def measured(make: Callable[[Path], Use], folder: Path, warm_up: int, cycles: int) -> list[dict[str, int]]:
    """Return the figures of this process after the warm-up, and after all cycles."""
    use, found = make(folder), []
    for count in (max(warm_up, cycles // 10), cycles):
        for _ in range(count):
            use()
        found.append(figures())
    return found


def figures() -> dict[str, int]:
    gc.collect()
    with suppress(OSError, AttributeError):  # other allocators than glibc's
        ctypes.CDLL(None).malloc_trim(0)
    return {
        "memory": int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": max(threading.active_count(), len(os.listdir("/proc/self/task"))),
        "programs": programs(),
        "objects": len(gc.get_objects()),
    }


def programs() -> int:
    """Return the number of compiled programs that JAX holds."""
    jax = sys.modules.get("jax")
    return len(jax.devices()[0].client.live_executables()) if jax else 0


def fits(_: Path) -> Use:
    def use() -> None:
        kind = cw.Levels([0, 0.25, 0.5, 0.75])
        model = cw.Autoencoder(data=kind, code=cw.Bits(8), hidden=(8,), epochs=1, verbose=0).fit(ROWS)
        model.decode(model.encode(ROWS))

    return use


def saves(folder: Path) -> Use:
    kind = cw.Levels([0, 0.25, 0.5, 0.75])
    model = cw.Autoencoder(data=kind, code=cw.Bits(8), hidden=(8,), epochs=1, verbose=0).fit(ROWS)

    def use() -> None:
        model.save(folder / "m.codeword")
        cw.load(folder / "m.codeword").encode(ROWS)

    return use


def encodes(_: Path) -> Use:
    kind = cw.Levels([0, 0.25, 0.5, 0.75])
    model = cw.Autoencoder(data=kind, code=cw.Bits(8), hidden=(8,), epochs=1, verbose=0).fit(ROWS)
    return lambda: model.decode(model.encode(ROWS))


def recommenders(_: Path) -> Use:
    ratings, _truth = cw.datasets.planted_ratings()
    taken = tuple(np.asarray(column)[:2_000] for column in (ratings.users, ratings.items, ratings.ratings))

    def use() -> None:
        model = cw.RatingAutoencoder(data=cw.Ratings(1, 5), epochs=1, verbose=0).fit(taken)
        model.recommend(model.users_[:3], k=2)

    return use


def gates(_: Path) -> Use:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    outputs = np.stack([rows[:, 0], rows[:, 1]], axis=1)

    def use() -> None:
        cw.HardGateRegressor(epochs=1, verbose=0).fit(rows, rows[:, 0], outputs=outputs).choose(rows)

    return use


def searches(_: Path) -> Use:
    index = cw.HammingIndex(CODES)
    return lambda: index.search(CODES[:10], k=5)


def indexes(_: Path) -> Use:
    return lambda: cw.HammingIndex(CODES).search(CODES[:10], k=5)


def stores(folder: Path) -> Use:
    path = folder / "s.duckdb"
    cw.CodeStore(path).append(np.arange(len(CODES)), CODES)

    def use() -> None:
        store = cw.CodeStore(path)
        store.search(CODES[:2], k=3)
        store.get([1, 2])

    return use


USES = [
    Attack("an autoencoder is fitted, encodes and decodes", fits, (2, 30, 300)),
    Attack("a model is saved, loaded and used", saves, (2, 30, 300)),
    Attack("a model encodes and decodes", encodes, (5, 300, 1_000)),
    Attack("a recommender is fitted and used", recommenders, (2, 30, 300)),
    Attack("a gate is fitted and used", gates, (0, 10, 300)),
    Attack("an index is searched", searches, (10, 2_000, 10_000)),
    Attack("an index is made and searched", indexes, (10, 300, 1_000)),
    Attack("a store is opened, searched and read", stores, (5, 100, 1_000)),
]

if __name__ == "__main__":
    run(__file__, attacks)
