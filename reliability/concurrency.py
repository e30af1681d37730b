"""Threads, forks and processes.

One index and one store in 16 threads; searches in a process that was forked after one, or during one in another thread;
`spawn` and `joblib`; processes that append to one store while others read it; lock files and stores that vanish or
stop while they are in use. Answers must be right, every batch whole, and nothing may hang.

    python -m reliability.concurrency [--full]
"""

import copy
import json
import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from codeword.errors import StoreBusyError
from codeword.search import CodeStore, HammingIndex
from reliability.children import in_child
from reliability.results import Attack, Row, Size, run
from reliability.threads import HungError, in_threads, meanwhile

CASES = "CODEWORD_CASES"  # in the environment of the process that runs them
KINDS = ("wrong answer", "error not of ours", "hangs or crashes")
CODES = np.random.default_rng(0).integers(0, 256, (5_000, 8), np.uint8)
QUERIES = CODES[::50] ^ np.uint8(1)
MAX_SECONDS = 20.0  # on a busy machine; a hang lasts for ever
MAX_HANGS = 3  # then it is known that it hangs


def attacks(size: Size) -> Iterator[Row]:
    cases = [(row, number) for row, attack in enumerate(ATTACKS) for number in range(size.of(*attack.counts))]
    rows = [Row.of_kinds(attack.name, *KINDS) for attack in ATTACKS]
    while cases:
        answered = 0
        for (row, _), error in zip(cases, _errors_of(cases), strict=False):
            rows[row].cases += 1
            answered += 1
            if error:
                kind, _, words = error.partition(": ")
                named = {"AssertionError": "wrong answer", "HungError": "hangs or crashes"}
                rows[row].fail(named.get(kind, "error not of ours"), words if kind in named else error)
        cases = cases[answered:]
        if cases:
            row = cases[0][0]
            rows[row].cases += 1
            rows[row].fail("hangs or crashes", "the process")
            cases = [case for case in cases[1:] if case[0] != row or rows[row].failures["hangs or crashes"] < MAX_HANGS]
    yield from rows


def _errors_of(cases: list[tuple[int, int]]) -> Iterator[str]:
    """Yield the error of each case, empty if there was none, until all are done or the process hangs or dies.

    It is a fresh process, not a fork of this one: what it does after it has searched, and forked, is under attack.
    """
    command = [sys.executable, "-m", "reliability.concurrency"]
    environment = {**os.environ, CASES: json.dumps(cases)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True)
    assert process.stdout is not None
    try:
        for _ in cases:
            if not select.select([process.stdout], [], [], 4 * MAX_SECONDS)[0]:
                return
            line = process.stdout.readline()
            if not line:
                return
            yield json.loads(line)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _answer(cases: list[tuple[int, int]]) -> None:
    """Run cases and print the error of each as a line of JSON."""
    for row, number in cases:
        error = ""
        with tempfile.TemporaryDirectory(prefix="attack-") as folder:
            try:
                ATTACKS[row].call(Path(folder), number)
            except BaseException as raised:
                error = f"{type(raised).__name__}: {raised}"
        print(json.dumps(error), flush=True)


def nearest(queries: Any, k: int = 3) -> list[list[int]]:
    """Return the right ids, by NumPy alone."""
    distances = np.bitwise_count(queries[:, None] ^ CODES).sum(2, dtype=np.int64)
    return np.argsort(distances * len(CODES) + np.arange(len(CODES)), axis=1)[:, :k].tolist()


RIGHT = nearest(QUERIES)


def search(index: Any, count: int = len(QUERIES)) -> None:
    """Search and compare with the right ids."""
    assert index.search(QUERIES[:count], 3)[1].tolist() == RIGHT[:count]


def at_once(count: int, call: Callable[[int], Any]) -> None:
    """Call with 0, 1, 2, … in as many threads."""
    in_threads([partial(call, number) for number in range(count)], 3 * MAX_SECONDS)


def in_fork(call: Callable[[], Any]) -> None:
    """Call in a fork of this process, which may have threads, and raise what it raised."""
    outcome = in_child(call, seconds=MAX_SECONDS)
    if outcome.ending in ("hung", "died"):
        raise HungError(f"the child: {outcome.error}")
    assert outcome.ending == "returned", outcome.error


@contextmanager
def raised(kind: type[Exception]) -> Iterator[list[str]]:
    """Check that the block raises an error, and yield a list that its message is added to."""
    said: list[str] = []
    try:
        yield said
    except kind as error:
        said.append(str(error))
    else:
        raise AssertionError(f"no {kind.__name__}")


def made(folder: Path) -> CodeStore:
    store = CodeStore(folder / "s.duckdb", timeout_seconds=2 * MAX_SECONDS)
    store.append(np.arange(len(CODES)), CODES, {"part": np.arange(len(CODES)) // 1_000})
    return store


def index_in_threads(_: Path, __: int) -> None:
    index = HammingIndex(CODES)
    at_once(16, lambda number: [search(index, 1 + 6 * number) for _ in range(20)])


def store_in_threads(folder: Path, _: int) -> None:
    store = made(folder)

    def work(number: int) -> None:
        if number % 4 == 0:
            new = np.arange(7) + 10_000 + 10 * number
            store.append(new, np.full((7, 8), 255, np.uint8), {"part": np.full(7, 10 + number)})
            assert len(store.get(new).ids) == 7
        elif number % 4 == 1:
            assert store.get([3, 1, 2]).codes.tolist() == CODES[[3, 1, 2]].tolist()
        elif number % 4 == 2:
            _, ids = store.search(CODES[4_000:4_002], 1, where="part = 4")
            assert ids.tolist() == [[4_000], [4_001]]
        else:
            assert store.search(QUERIES, 3)[1].tolist() == RIGHT

    at_once(16, work)
    assert len(store) == len(CODES) + 28


def search_then_fork(_: Path, __: int) -> None:
    index = HammingIndex(CODES)
    search(index)
    in_fork(lambda: search(index))
    search(index)


def search_while_forked(_: Path, __: int) -> None:
    index = HammingIndex(CODES)
    with meanwhile(lambda: search(index)):
        in_fork(lambda: search(index))


def store_then_fork(folder: Path, _: int) -> None:
    store = made(folder)
    search(store)

    def child() -> None:
        search(store)
        assert store.get([7]).codes.tolist() == CODES[[7]].tolist()

    in_fork(child)
    search(store)


def store_while_forked(folder: Path, number: int) -> None:
    """Fork while another thread opens and closes the file."""
    store = made(folder)
    with meanwhile(lambda: len(store)):
        for _ in range(3):
            time.sleep(0.01 * (number % 7))
            in_fork(lambda: len(store))


def within_then_fork(_: Path, __: int) -> None:
    index = HammingIndex(CODES)
    expected = [found.tolist() for found in index.within(QUERIES, 9)[1]]

    def child() -> None:
        assert [found.tolist() for found in index.within(QUERIES, 9)[1]] == expected

    in_fork(child)


def _in_pool(folder: Path, method: str) -> None:
    index, store = HammingIndex(CODES), made(folder)
    search(index)
    with multiprocessing.get_context(method).Pool(2) as pool:
        calls = [pool.apply_async(search, (given,)) for given in (index, store, index, store)]
        for call in calls:
            try:
                call.get(3 * MAX_SECONDS)
            except multiprocessing.TimeoutError:
                raise HungError("a worker") from None


def pool_of_forks(folder: Path, _: int) -> None:
    _in_pool(folder, "fork")


def pool_of_spawned(folder: Path, _: int) -> None:
    _in_pool(folder, "spawn")


def workers_of_joblib(_: Path, __: int) -> None:
    index = HammingIndex(CODES)
    search(index)
    for backend in ("threading", "loky"):
        joblib.Parallel(2, backend=backend)(joblib.delayed(search)(index) for _ in range(4))


def copies(folder: Path, _: int) -> None:
    index = HammingIndex(CODES)
    store = made(folder)
    search(store)
    for original in (index, store):
        for copied in (copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
            search(copied)
            assert len(copied) == len(CODES)


def _append_batches(store: CodeStore, first: int) -> None:
    for batch in range(first, first + 5):
        store.append(np.arange(7) + 7 * batch, np.full((7, 8), batch + 2, np.uint8), {"batch": np.full(7, batch)})


def _whole(store: CodeStore) -> int:
    index = store.index()
    ids = index.search(CODES[:1], len(index))[1][0]
    assert len(ids) % 7 == 0
    return len(ids)


def processes_append(folder: Path, _: int) -> None:
    """Three processes write, the first append included, and two read; nobody loses a batch."""
    store = CodeStore(folder / "s.duckdb", timeout_seconds=3 * MAX_SECONDS)

    def read() -> None:
        end = time.monotonic() + 2 * MAX_SECONDS
        while time.monotonic() < end:
            with suppress(FileNotFoundError):
                if _whole(store) == 3 * 5 * 7:
                    return
        raise HungError("a reader that never sees all rows")

    calls = [*(lambda first=first: _append_batches(store, first) for first in (0, 5, 10)), read, read]
    at_once(5, lambda number: in_fork(calls[number]))
    assert _whole(store) == 3 * 5 * 7


def lock_files_vanish(folder: Path, _: int) -> None:
    """Someone removes the lock files all the time."""
    store = made(folder)

    def remove() -> None:
        for suffix in (".room", ".turn", ".lock"):
            (folder / f".s.duckdb{suffix}").unlink(missing_ok=True)
        time.sleep(0.001)

    def write(number: int) -> None:
        for step in range(2):
            store.append([100_000 + 10 * number + step], CODES[:1], {"part": [0]})

    with meanwhile(remove):
        at_once(3, lambda number: in_fork(lambda: write(number)))
    assert len(store) == len(CODES) + 6


def holder_stops(folder: Path, _: int) -> None:
    """A writer is stopped while it holds the store: others are told so in time, and go on when it is gone."""
    store = made(folder)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        with store._file.writing():
            os.write(writing, b"!")
            time.sleep(600)
        os._exit(0)
    os.read(reading, 1)
    os.kill(process, signal.SIGSTOP)
    try:
        start = time.monotonic()
        with raised(StoreBusyError) as said:
            CodeStore(store.path, timeout_seconds=0.5).append(None, CODES[:1], {"part": [0]})
        assert str(process) in said[0]
        assert time.monotonic() - start < MAX_SECONDS
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    assert store.append(None, CODES[:1], {"part": [0]}) == len(CODES) + 1


def store_vanishes(folder: Path, number: int) -> None:
    """The file is removed, or replaced by another store, between calls: calls see what is there."""
    store = made(folder)
    search(store)
    other = CodeStore(folder / "other.duckdb")
    other.append([5], CODES[:1])
    if number % 2:
        store.path.unlink()
        with raised(FileNotFoundError) as said:
            store.search(QUERIES, 1)
        assert "no such file" in said[0]
    other.path.replace(store.path)
    assert store.search(QUERIES, 1)[1].tolist() == [[5]] * len(QUERIES)


ATTACKS = [
    Attack("one index in 16 threads", index_in_threads, (1, 10, 50)),
    Attack("one store in 16 threads, which read and append", store_in_threads, (1, 5, 25)),
    Attack("a search, then one in a fork", search_then_fork, (3, 20, 100)),
    Attack("`within`, then one in a fork", within_then_fork, (1, 10, 50)),
    Attack("a fork while another thread searches", search_while_forked, (3, 20, 100)),
    Attack("a store that was searched, in a fork", store_then_fork, (1, 10, 50)),
    Attack("a fork while another thread opens the store", store_while_forked, (1, 20, 50)),
    Attack("a pool of forked processes after a search", pool_of_forks, (1, 5, 20)),
    Attack("a pool of spawned processes", pool_of_spawned, (0, 1, 5)),
    Attack("joblib, threads and processes", workers_of_joblib, (0, 1, 5)),
    Attack("copies and pickles of an index and a store", copies, (1, 1, 3)),
    Attack("three processes append, two read", processes_append, (1, 5, 25)),
    Attack("lock files are removed all the time", lock_files_vanish, (1, 10, 50)),
    Attack("a writer that is stopped", holder_stops, (1, 3, 10)),
    Attack("a store that is removed or replaced", store_vanishes, (2, 4, 20)),
]

if __name__ == "__main__":
    if CASES in os.environ:
        _answer(json.loads(os.environ.pop(CASES)))
    else:
        run(__file__, attacks)
