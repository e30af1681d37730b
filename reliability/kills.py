"""Writers killed at random moments.

Each writer is killed by SIGKILL at a random moment of its call. Then a fresh process reads the files, which must hold
all of the old state or all of the new one, and writes once more, after which no other file may be left.

    python -m reliability.kills [--full]
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from reliability.children import Outcome, in_child
from reliability.results import Row, Size, run
from reliability.writers import Writer, afterwards, case_folder, prepared_folders, use_for_all

KINDS = ("unreadable", "wrong note", "half", "next call fails", "leftovers")


def attacks(size: Size) -> Iterator[Row]:
    count = size.of(smoke=2, usual=20, full=300)
    for writer, template in prepared_folders():
        yield killed_at_random(writer, template, count)


def killed_at_random(writer: Writer, template: Path, count: int) -> Row:
    row, ended = Row.of_kinds(writer.name, *KINDS), dict.fromkeys(("old", "new"), 0)
    with case_folder(template) as folder:
        latest = _kill_after(writer, folder, 60)
    moments = random.Random(writer.name)
    for _ in range(count):
        with case_folder(template) as folder:
            _kill_after(writer, folder, moments.uniform(0, latest))
            row.cases += 1
            before = ended["new"]
            judge(row, in_child(afterwards, writer, folder), ended)
            latest *= 0.9 if ended["new"] > before else 1.05  # about two thirds of the kills come before the end
    row.figures = {"old state": str(ended["old"]), "new state": str(ended["new"])}
    return row


def judge(row: Row, outcome: Outcome, ended: dict[str, int]) -> None:
    """Count what was wrong after one case."""
    if outcome.ending != "returned":
        row.fail("unreadable", outcome.error)
        return
    state, again, left = outcome.value
    if state in ended:
        ended[state] += 1
    else:
        row.fail(state if state in row.failures else "unreadable", state)
    if again:
        row.fail("next call fails", again)
    elif left:
        row.fail("leftovers", ", ".join(left))


def _kill_after(writer: Writer, folder: Path, seconds: float) -> float:
    """Let a child write, and kill it after some seconds; return how long it lived."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            use_for_all(folder)
            os.write(writing, b"!")
            writer.write(folder)
        finally:
            os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    start = time.monotonic()
    while os.waitpid(process, os.WNOHANG)[0] == 0:
        if time.monotonic() - start > seconds:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            break
        time.sleep(0.0002)
    os.close(reading)
    return time.monotonic() - start


if __name__ == "__main__":
    run(__file__, attacks)
