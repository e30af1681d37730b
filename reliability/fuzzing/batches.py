"""Batches of inputs in forked children: a crash, a hang or a full memory costs one input, and the batch goes on.

The child writes the number of each input into shared memory before it reads it, so that the parent knows which one
ended it. What Python announces to audit hooks (processes, sockets, libraries, pickles) tells whether code was run.
"""

import contextlib
import json
import mmap
import os
import random
import resource
import select
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from reliability.children import is_ours


class ChangedError(Exception):
    """An answer that a damaged file has changed, without a word."""


class Case(NamedTuple):
    """`write` writes one input to a folder and returns what reads it; `warm` runs once in each child before."""

    write: Callable[[random.Random, Path, int], Callable[[], Any]]
    warm: Callable[[], Any] = lambda: None


HANG_SECONDS = 5.0  # CPU time
LOST_SECONDS = 60.0  # wall-clock time
WARM_SECONDS = 600.0
MEMORY_FACTOR, MEMORY_BYTES = 10, 200 * 2**20
ADDRESS_BYTES = 6 * 2**30
SIGNS_OF_CODE = (
    "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "socket.getaddrinfo",
    "pickle.find_class", "pty.spawn", "webbrowser.open", "urllib.Request",
)  # fmt: skip


def load_libraries() -> None:
    """Load what readers need before the processes fork, and use nothing of it: threads do not survive a fork."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import duckdb
    import pyarrow.parquet
    import sklearn.svm

    import codeword
    from codeword.backend import keras
    from codeword.cli import main

    assert all((duckdb, pyarrow.parquet, sklearn.svm, keras, main))
    for name in codeword.__all__:
        getattr(codeword, name)


def memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run_batch(
    case: Case, seed: int, start: int, stop: int, folder: Path, on_failure: Callable[[str, str], None]
) -> int:
    """Read inputs `start` to `stop`, each from its own seed; return how many were accepted."""
    accepted = 0
    while start < stop:
        start, found = _in_child(case, seed, start, stop, folder, on_failure)
        accepted += found
    return accepted


def _in_child(
    case: Case, seed: int, start: int, stop: int, folder: Path, on_failure: Callable[[str, str], None]
) -> tuple[int, int]:
    shared = mmap.mmap(-1, 17)  # the number of the input, how many were accepted, and whether the child is warm
    shared[:16] = struct.pack("<QQ", start, 0)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(case, seed, start, stop, folder, shared, writing)
    os.close(writing)
    ended = _followed(reading, shared, child, on_failure)
    _, status = os.waitpid(child, 0)
    number, accepted = struct.unpack("<QQ", shared[:16])
    code = os.waitstatus_to_exitcode(status)
    if ended == "lost":
        on_failure("hangs", f"input {number}: no answer within {LOST_SECONDS:g} s")
    elif code < 0:
        on_failure("crashes", f"input {number}: {signal.Signals(-code).name}")
    return number + 1, accepted


def _followed(reading: int, shared: mmap.mmap, child: int, on_failure: Callable[[str, str], None]) -> str:
    waiting, since, before = b"", time.monotonic(), b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            if select.select([pipe], [], [], 0.5)[0]:
                piece = pipe.read(1 << 16)
                if not piece:
                    return "ended"
                *lines, waiting = (waiting + piece).split(b"\n")
                for kind, words in map(json.loads, lines):
                    if kind == "fuzzer":
                        raise RuntimeError(f"The program itself failed: {words}")
                    on_failure(kind, words)
            place = shared[:8] + shared[16:]
            if place != before:
                since, before = time.monotonic(), place
            if time.monotonic() - since > (LOST_SECONDS if shared[16] else WARM_SECONDS):
                os.kill(child, signal.SIGKILL)
                return "lost"


def _work(case: Case, seed: int, start: int, stop: int, folder: Path, shared: mmap.mmap, writing: int) -> None:
    """Read inputs in the child, write what fails to the pipe, and end the child."""

    def tell(kind: str, words: str) -> None:
        os.write(writing, json.dumps([kind, words[:600]]).encode() + b"\n")

    def tell_of(number: int, kind: str, words: str) -> None:
        tell(kind, f"input {number}: {words}")

    try:
        _be_quiet_and_limited()
        case.warm()
        shared[16] = 1
        code_run = _code_run_from_now_on()
        number = accepted = 0
        for number in range(start, stop):
            shared[:16] = struct.pack("<QQ", number, accepted)
            read = case.write(random.Random(f"{seed} {number}"), folder, number)
            code_run.clear()
            size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
            resident, peak = _resident(), _peak()
            accepted += _is_accepted(read, partial(tell_of, number))
            if code_run:
                tell_of(number, "code run", f"{sorted(set(code_run))}")
            grown = _peak() - resident
            if _peak() > peak and grown > MEMORY_FACTOR * size + MEMORY_BYTES:
                tell_of(number, "memory", f"{grown / 2**20:.0f} MiB for a file of {size} bytes")
                break  # the peak would hide what comes
        shared[:16] = struct.pack("<QQ", number, accepted)
    except BaseException as error:
        tell("fuzzer", f"{error!r} {_where(error)}")
        shared[:16] = struct.pack("<QQ", stop - 1, 0)
    finally:
        os._exit(0)


def _be_quiet_and_limited() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + ADDRESS_BYTES,) * 2)


def _code_run_from_now_on() -> list[str]:
    """Return a list to which Python adds each event of this process that is a sign of code."""
    events: list[str] = []
    own = os.getpid()

    def listen(event: str, arguments: Any) -> None:
        if event in SIGNS_OF_CODE and os.getpid() == own:
            events.append(event)

    sys.addaudithook(listen)
    return events


def _is_accepted(read: Callable[[], Any], tell: Callable[[str, str], None]) -> bool:
    """Read one input; tell errors that are not ours and reads that take long."""
    begun, accepted = time.process_time(), False
    try:
        with contextlib.suppress(SystemExit):
            read()
        accepted = True
    except ChangedError as error:
        tell("changed unnoticed", str(error))
    except BaseException as error:
        if not is_ours(error):
            tell("foreign errors", f"{type(error).__module__}.{type(error).__name__}: {error} {_where(error)}")
    if time.process_time() - begun > HANG_SECONDS:
        tell("hangs", f"{time.process_time() - begun:.1f} s of the processor")
    return accepted


def _where(error: BaseException) -> str:
    """Return the last place of the library in a traceback."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/codeword/" in file:
            place = f"[{file.partition('/codeword/')[2]}:{trace.tb_lineno}]"
        trace = trace.tb_next
    return place


def _resident() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * 4096


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * 4096


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
