"""Cases in children of this process: a crash, a hang or a full memory ends only the child.

The parent imports codeword once and never uses DuckDB, FAISS or a backend itself, so that a fork of it is as good as a
fresh process, and a thousand times faster.
"""

import os
import pickle
import select
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from codeword.errors import CodewordError


class Outcome(NamedTuple):
    """How a case ended: it "returned" a value, "raised", "died" of a signal, or "hung" and was killed.

    `value` is what it returned; for others `error` is the type and message, or the signal. `is_ours` says whether the
    error is one that codeword documents. `peak_mib` is the greatest resident memory of the child.
    """

    ending: str
    value: Any
    error: str
    is_ours: bool
    seconds: float
    peak_mib: float

    @property
    def is_documented(self) -> bool:
        """Whether it returned, or raised an error of codeword's."""
        return self.ending == "returned" or self.is_ours


def in_child(call: Callable[..., Any], *arguments: Any, seconds: float = 30.0) -> Outcome:
    """Run a call in a fork of this process; its result is pickled."""
    reading, writing = os.pipe()
    start = time.monotonic()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _answer(writing, call, arguments)
    os.close(writing)
    content = _read(reading, start + seconds)
    os.close(reading)
    if content is None:
        os.kill(process, signal.SIGKILL)
    _, status, used = os.wait4(process, 0)
    measured = (time.monotonic() - start, used.ru_maxrss / 1024)
    if content is None:
        return Outcome("hung", None, f"no answer within {seconds:g} s", False, *measured)
    if not content:
        code = os.waitstatus_to_exitcode(status)
        return Outcome("died", None, signal.Signals(-code).name if code < 0 else f"exit {code}", False, *measured)
    return Outcome(*pickle.loads(content), *measured)


def is_ours(error: BaseException) -> bool:
    """Return whether codeword documents an error: one of its own, or a missing file in its own words."""
    return isinstance(error, CodewordError) or (isinstance(error, FileNotFoundError) and error.errno is None)


def _answer(writing: int, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Run the call in the child, write what came of it, and end the child without any cleanup."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            answer = pickle.dumps(("returned", call(*arguments), "", True))
        except BaseException as error:
            answer = pickle.dumps(("raised", None, f"{type(error).__name__}: {error}", is_ours(error)))
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


def _read(reading: int, end: float) -> bytes | None:
    """Return what comes through a pipe until it is closed, None if that takes too long."""
    content = b""
    while select.select([reading], [], [], max(end - time.monotonic(), 0))[0]:
        piece = os.read(reading, 1 << 16)
        if not piece:
            return content
        content += piece
    return None
