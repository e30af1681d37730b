"""Calls in threads of this process, for programs that attack what threads share."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class HungError(Exception):
    """A thread or process that did not end."""


def in_threads(calls: Sequence[Callable[[], Any]], seconds: float) -> list[Any]:
    """Make all calls at once, each in a thread of its own; return their answers, or raise the first of their errors."""
    answers: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            answers[number] = calls[number]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    if any(thread.is_alive() for thread in threads):
        raise HungError("a thread has not ended")
    if errors:
        raise errors[0]
    return answers


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[None]:
    """Do some work in another thread, again and again, while the block runs; raise what it raised."""
    ended = threading.Event()
    errors: list[BaseException] = []

    def repeat() -> None:
        try:
            while not ended.is_set():
                work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if errors:
        raise errors[0]
