"""How fast, small and safe is search among codes: in memory beside bare FAISS, on disk under kills and crowds?

    python benchmarks/search.py                       all parts, about half an hour on two cores
    python benchmarks/search.py --part durability
    python benchmarks/search.py --smoke               seconds, small

Asked: at most 1.15 times the time of bare FAISS, and 2.5 times the bytes of the codes; no store unreadable, no row lost
that was acknowledged, no half batch.
"""

import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import faiss
import numpy as np
from numpy.typing import NDArray
from results_file import ResultsFile, parser_of_parts

from codeword.errors import StoreBusyError
from codeword.search import CodeStore, HammingIndex

PARTS = ("index", "store", "durability", "concurrency")
KILLS = {"first append, 10 rows": 10, "10 rows": 10, "10,000 rows": 10_000, "300,000 rows": 300_000}
KILLS_OF_A_STORE = 5  # then a new one, as checks read all of it
LIMIT_SECONDS = 900
PROCESSES = multiprocessing.get_context("spawn")
Measured = dict[str, Any]


def main() -> None:
    arguments = parser_of_parts(__doc__, PARTS).parse_args()
    for part in arguments.part or PARTS:
        results = ResultsFile(f"search_{part}", smoke=arguments.smoke)
        for name, measure in experiments(part, smoke=arguments.smoke):
            if (not arguments.only or arguments.only in name) and not results.has(name=name):
                for figures in list(measure()):  # whole or not at all, so that the next run knows what is done
                    results.add({"name": name, **figures})
        print_summary(part, results.rows)


def experiments(part: str, *, smoke: bool) -> Iterator[tuple[str, Callable[[], Iterator[Measured]]]]:
    """Gives the experiments of a part: a name, and a function that measures one row after the other."""
    if part == "index":
        count = 20_000 if smoke else 1_000_000
        for num_bits in (64, 256):
            for threads in sorted({1, faiss.omp_get_max_threads()}):
                name = f"{count:,} codes of {num_bits} bits, {threads} thread{'s' * (threads > 1)}"
                yield name, lambda b=num_bits, t=threads: beside_faiss(count, b, t, smoke)
    elif part == "store":
        count, batches = (1_000, 2) if smoke else (1_000_000, 10)
        for num_bits, kind in ((64, "counted"), (64, "random"), (64, "text"), (256, "counted")):
            yield (
                f"size of {count:,} codes of {num_bits} bits, {kind} ids",
                lambda b=num_bits, i=kind: size(count, b, i),
            )
        for what in ("nothing else", "labels"):
            yield (
                f"{batches} batches of {count:,} codes of 64 bits and {what}",
                lambda w=what: large_store(count, batches, w),
            )
    elif part == "durability":
        for name, rows in KILLS.items():
            yield f"killed, {name}", lambda n=name, r=rows: kills(r, 2 if smoke else 25, fresh=n.startswith("first"))
    elif part == "concurrency":
        commits = 10 if smoke else 1_000
        for writers, readers in ((1, 8), (2, 0)):
            yield (
                f"{writers} writer{'s' * (writers > 1)}, {readers} readers",
                lambda w=writers, r=readers: crowd(w, r, commits),
            )


def random_codes(count: int, num_bits: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, num_bits // 8), np.uint8)


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


# In memory


def beside_faiss(count: int, num_bits: int, threads: int, smoke: bool) -> Iterator[Measured]:
    """Times the same searches by turns: bare FAISS, and indexes without ids, with numbers and with texts."""
    codes, k = random_codes(count, num_bits), 10
    ids = np.random.default_rng(1).permutation(count)
    bare = faiss.IndexBinaryFlat(num_bits)
    bare.add(codes)
    indexes = {
        "rows": HammingIndex(codes),
        "numbers": HammingIndex(codes, ids),
        "texts": HammingIndex(codes, ids.astype(str)),
    }
    calls = {"faiss": bare.search, **{name: index.search for name, index in indexes.items()}}
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        for queries, repeats in ((1, 101), (100, 11), (1_000, 5)):
            wanted = random_codes(queries, num_bits, seed=2)
            for ours, theirs in zip(indexes["rows"].search(wanted, k), bare.search(wanted, k), strict=True):
                np.testing.assert_array_equal(ours, theirs)
            seconds = by_turns(
                {name: lambda f=f, q=wanted: f(q, k) for name, f in calls.items()}, 3 if smoke else repeats
            )
            yield {"queries": queries, **ratios(seconds, "faiss"), "seconds": seconds}
        wanted = random_codes(1, num_bits, seed=2)
        seconds = by_turns({"numpy": lambda: by_numpy(codes, wanted[0], k)}, 3 if smoke else 11)
        yield {"queries": 1, "numpy_ms": round(1e3 * statistics.median(seconds["numpy"]), 3), "seconds": seconds}
    finally:
        faiss.omp_set_num_threads(before)


def by_turns(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Times each call so many times, in an order that turns with every round."""
    names = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats + 1):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            seconds[name].append(seconds_of(calls[name]))
    return {name: [round(value, 7) for value in values[1:]] for name, values in seconds.items()}


def ratios(seconds: dict[str, list[float]], base: str) -> Measured:
    """Gives the base in ms, median and fastest, and of each other the ratios: of medians, of the fastest, quartiles."""
    figures: Measured = {f"{base}_ms": [round(1e3 * of(seconds[base]), 3) for of in (statistics.median, min)]}
    for name in [name for name in seconds if name != base]:
        middle, fastest = (of(seconds[name]) / of(seconds[base]) for of in (statistics.median, min))
        low, _, high = statistics.quantiles(np.divide(seconds[name], seconds[base]).tolist(), n=4)
        figures[f"ratio_{name}"] = [round(value, 3) for value in (middle, fastest, low, high)]
    return figures


def by_numpy(codes: NDArray[np.uint8], query: NDArray[np.uint8], k: int) -> NDArray[np.intp]:
    different = np.bitwise_count(codes.view(np.uint64) ^ query.view(np.uint64)).sum(axis=1, dtype=np.int32)
    nearest = np.argpartition(different, k)[:k]
    return nearest[np.lexsort((nearest, different[nearest]))]


# On disk


def size(count: int, num_bits: int, kind: str) -> Iterator[Measured]:
    """Measures the file of one batch."""
    numbers = np.random.default_rng(0).integers(0, 2**62, count)
    ids = {"counted": None, "random": numbers, "text": np.array([f"image-{n:08d}.png" for n in range(count)])}[kind]
    codes = random_codes(count, num_bits)
    with tempfile.TemporaryDirectory() as folder:
        store = CodeStore(Path(folder) / "codes.duckdb")
        seconds = seconds_of(lambda: store.append(ids, codes))
        yield {"seconds": round(seconds, 3), **size_of(store.path, codes.nbytes)}


def size_of(path: Path, code_bytes: int) -> Measured:
    """Measures all that a store leaves on the disk."""
    stored = sum(file.stat().st_size for file in path.parent.iterdir())
    return {"bytes": stored, "bytes_of_codes": code_bytes, "ratio": round(stored / code_bytes, 3)}


def large_store(count: int, batches: int, what: str) -> Iterator[Measured]:
    """Measures a store of many batches: appending, loading, searching, and one more small batch."""
    with tempfile.TemporaryDirectory() as folder:
        store = CodeStore(Path(folder) / "codes.duckdb")

        def append(rows: int, seed: int) -> float:
            codes = random_codes(rows, 64, seed)
            labels = np.array(["cat", "dog", "bird", "fish"])[codes[:, 0] % 4]
            return seconds_of(lambda: store.append(None, codes, {"label": labels} if what == "labels" else None))

        for batch in range(batches):
            yield {"step": "append", "batch": batch, "seconds": round(append(count, batch), 3)}
        yield {"step": "size", **size_of(store.path, 8 * count * batches)}
        queries = random_codes(100, 64, seed=10_000)
        sql = "SELECT id, bit_count(xor(code_0, 81985529216486895)) FROM codes ORDER BY 2, 1 LIMIT 10"

        def plain_sql() -> None:
            with duckdb.connect(str(store.path), read_only=True) as connection:
                connection.execute(sql).fetchall()

        steps: dict[str, Callable[[], Any]] = {
            "load": lambda: CodeStore(store.path).index(),
            "first search": lambda: store.search(queries[:1]),
            "search again, 1 query": lambda: store.search(queries[:1]),
            "search again, 100 queries": lambda: store.search(queries),
            "search where id % 4 = 0": lambda: store.search(queries[:1], where="id % 4 = 0"),
            "search where id < 1000": lambda: store.search(queries[:1], where="id < 1000"),
            "get 100 ids": lambda: store.get(np.arange(100)),
            "count": lambda: len(store),
            "plain SQL": plain_sql,
        }
        if what == "labels":
            steps["search where label = 'cat'"] = lambda: store.search(queries[:1], where="label = 'cat'")
        for name, step in steps.items():
            yield {"step": name, "seconds": [round(seconds_of(step), 5) for _ in range(3)]}
        yield {"step": "append 10 rows", "seconds": [round(append(10, 20_000 + turn), 5) for turn in range(5)]}


# Killed writers


def batch_of(batch: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Gives ids and codes that follow from the number of the batch."""
    ids = np.arange(batch * rows, (batch + 1) * rows)
    words = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return ids, words.astype(">u8").view(np.uint8).reshape(-1, 8)


def write_until_killed(path: str, rows: int, batch: int, answers: Connection) -> None:
    store = CodeStore(path)
    answers.send(-1)
    while True:
        ids, codes = batch_of(batch, rows)
        store.append(ids, codes, {"batch": np.full(rows, batch)})
        answers.send(batch)
        batch += 1


def kills(rows: int, times: int, *, fresh: bool) -> Iterator[Measured]:
    """Kills a writer at random moments, and looks at what it leaves; the next one goes on with the same store."""
    moments = random.Random(rows)
    with tempfile.TemporaryDirectory() as scratch:
        longest = 1.3 * seconds_of(lambda: timed_appends(Path(scratch), rows, 1 if fresh else 3))
    folder = tempfile.TemporaryDirectory()
    acknowledged: list[int] = []
    following = 0
    for kill in range(times):
        if fresh or kill % KILLS_OF_A_STORE == 0:
            folder.cleanup()
            folder, acknowledged, following = tempfile.TemporaryDirectory(), [], 0
        path = Path(folder.name) / "codes.duckdb"
        after = moments.uniform(0, longest)
        acknowledged += killed_writer(path, rows, following, after)
        figures = what_is_left(path, rows, acknowledged)
        following = 1 + max([*acknowledged, *figures.pop("batches")], default=-1)
        yield {"kill": kill, "after_seconds": round(after, 4), "acknowledged": len(acknowledged), **figures}
    folder.cleanup()


def timed_appends(folder: Path, rows: int, count: int) -> None:
    store = CodeStore(folder / "codes.duckdb")
    for batch in range(count):
        ids, codes = batch_of(batch, rows)
        store.append(ids, codes, {"batch": np.full(rows, batch)})


def killed_writer(path: Path, rows: int, batch: int, after_seconds: float) -> list[int]:
    """Gives the batches that a writer acknowledged before it was killed."""
    ours, its = PROCESSES.Pipe(duplex=False)
    writer = PROCESSES.Process(target=write_until_killed, args=(str(path), rows, batch, its))
    writer.start()
    its.close()
    ours.recv()
    time.sleep(after_seconds)
    writer.kill()
    writer.join()
    acknowledged = []
    try:
        while True:
            acknowledged.append(ours.recv())
    except EOFError:
        return acknowledged


def what_is_left(path: Path, rows: int, acknowledged: list[int]) -> Measured:
    """Compares a store with what its writers acknowledged, before anybody has mended it."""
    log = path.with_name(f"{path.name}.wal")
    figures: Measured = {"there": path.exists(), "log_bytes": log.stat().st_size if log.exists() else 0}
    figures |= {
        "unreadable": 0,
        "lost_rows": rows * len(acknowledged),
        "half_batches": 0,
        "wrong_rows": 0,
        "batches": [],
    }
    if not path.exists():
        return figures
    try:
        index = CodeStore(path).index() if len(CodeStore(path)) else None
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute("SELECT id, code_0, batch FROM codes ORDER BY id").fetchnumpy()
    except Exception as error:  # whatever it is, it counts
        return {**figures, "unreadable": 1, "error": str(error).replace(str(path.parent), "")}
    batches, counts = np.unique(found["batch"], return_counts=True)
    there = np.isin(acknowledged, batches)
    expected = [np.concatenate(parts) for parts in zip(*(batch_of(int(b), rows) for b in batches), strict=True)]
    right = len(batches) == 0 or (
        (counts == rows).all()
        and np.array_equal(found["id"], expected[0])
        and np.array_equal(found["code_0"], expected[1].view(">u8").ravel())
        and index is not None
        and len(index) == len(found["id"])
    )
    return figures | {
        "lost_rows": rows * int((~there).sum()),
        "half_batches": int((counts != rows).sum()),
        "wrong_rows": 0 if right else len(found["id"]),
        "whole_unacknowledged": len(set(batches.tolist()) - set(acknowledged)),
        "batches": batches.tolist(),
    }


# Crowds


def crowd(writers: int, readers: int, commits: int, rows: int = 10) -> Iterator[Measured]:
    """Lets writers and readers at one store as fast as they can, and looks at what each of them saw."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.duckdb"
        CodeStore(path).append(*batch_of(0, rows))
        done, start = PROCESSES.Event(), PROCESSES.Barrier(writers + readers + 1)
        acknowledged, answers = PROCESSES.Value("q", 1), PROCESSES.Queue()
        shares = [range(1 + number, 1 + commits, writers) for number in range(writers)]
        crowd = [
            PROCESSES.Process(target=write_share, args=(path, rows, s, start, acknowledged, answers)) for s in shares
        ]
        crowd += [
            PROCESSES.Process(target=read_until, args=(path, rows, done, start, acknowledged, answers))
            for _ in range(readers)
        ]
        for process in crowd:
            process.start()
        start.wait()
        began = time.perf_counter()
        reports = [answers.get() for _ in range(writers)]
        seconds = time.perf_counter() - began
        done.set()
        reports += [answers.get() for _ in range(readers)]
        for process in crowd:
            process.join()
        left = what_is_left_of_crowd(path, rows, 1 + sum(len(report["committed"]) for report in reports))
    yield {
        "seconds": round(seconds, 2),
        **{side: calls_of([r for r in reports if r["side"] == side], seconds) for side in ("writers", "readers")},
        "busy_errors": sum(report["busy"] for report in reports),
        "half_batches_seen": sum(report["half"] for report in reports),
        "acknowledged_unseen": sum(report["unseen"] for report in reports),
        **left,
        "seconds_of_calls": {f"{r['side']} {n}": r["calls"] for n, r in enumerate(reports)},
    }


def calls_of(reports: list[Measured], seconds: float) -> Measured:
    """Sums up one side: calls a second, and how long a call took, waiting and all."""
    calls = [value for report in reports for value in report["calls"]]
    if not calls:
        return {}
    return {
        "calls": len(calls),
        "calls_a_second": round(len(calls) / seconds, 1),
        "calls_of_each": [len(report["calls"]) for report in reports],
        "median_ms": round(1e3 * statistics.median(calls), 1),
        "p99_ms": round(1e3 * float(np.quantile(calls, 0.99)), 1),
        "longest_ms": round(1e3 * max(calls), 1),
    }


def write_share(path: Path, rows: int, share: range, start: Any, acknowledged: Any, answers: Any) -> None:
    store = CodeStore(path)
    report: Measured = {"side": "writers", "calls": [], "committed": [], "busy": 0, "half": 0, "unseen": 0}
    start.wait()
    until = time.monotonic() + LIMIT_SECONDS
    for batch in share:
        began = time.perf_counter()
        try:
            store.append(*batch_of(batch, rows))
        except StoreBusyError:
            report["busy"] += 1
        else:
            report["committed"].append(batch)
            with acknowledged.get_lock():
                acknowledged.value += 1
        report["calls"].append(round(time.perf_counter() - began, 5))
        if time.monotonic() > until:
            break
    answers.put(report)


def read_until(path: Path, rows: int, done: Any, start: Any, acknowledged: Any, answers: Any) -> None:
    store = CodeStore(path)
    report: Measured = {"side": "readers", "calls": [], "committed": [], "busy": 0, "half": 0, "unseen": 0}
    query = np.zeros((1, 8), np.uint8)
    start.wait()
    while not done.is_set():
        at_least = acknowledged.value
        began = time.perf_counter()
        try:
            index = store.index("id >= 0")  # a condition loads each time
        except StoreBusyError:
            report["busy"] += 1
            continue
        finally:
            report["calls"].append(round(time.perf_counter() - began, 5))
        batches, counts = np.unique(index.search(query, k=len(index))[1] // rows, return_counts=True)
        report["half"] += int((counts != rows).sum())
        report["unseen"] += max(0, at_least - len(batches))
    answers.put(report)


def what_is_left_of_crowd(path: Path, rows: int, acknowledged: int) -> Measured:
    with duckdb.connect(str(path), read_only=True) as connection:
        ids = connection.execute("SELECT id FROM codes").fetchnumpy()["id"]
    batches, counts = np.unique(ids // rows, return_counts=True)
    return {
        "commits": acknowledged,
        "lost_commits": acknowledged - len(batches),
        "half_batches": int((counts != rows).sum()),
    }


# Words


def print_summary(part: str, rows: list[Measured]) -> None:
    print(f"\n{part}")
    for name in dict.fromkeys(row["name"] for row in rows):
        found = [row for row in rows if row["name"] == name]
        if part == "durability":
            sums = ("unreadable", "lost_rows", "half_batches", "wrong_rows")
            print(
                f"  {name}: {len(found)} times, " + ", ".join(f"{key} {sum(row[key] for row in found)}" for key in sums)
            )
            continue
        for row in found:
            print(
                f"  {name}: "
                + ", ".join(f"{key} {row[key]}" for key in row if not key.startswith(("name", "seconds_of")))
            )


if __name__ == "__main__":
    main()
