"""Trains contestants on request, in the environment and on the backend that training.py started it with.

One JSON object a line comes in: `module`, `options`, `network`, `smoke`, `middle` say who trains, `seconds` for about
how long. One goes out: `epochs` and `seconds` of that training; to the first request of a contestant, without
`seconds`, its mean loss in each of its first two epochs, and the versions of the packages here.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from networks import network_of, rows_of

PACKAGES = ("keras", "jax", "torch", "tensorflow", "tensorflow-cpu", "vector-quantize-pytorch", "numpy")
MAX_GROWTH = 20

# Trains so many epochs to the last computed number; gives their losses, and the seconds if they are not all it took.
Train = Callable[[int], tuple[list[float], float | None]]


def main() -> None:
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    trainers: dict[str, Trainer] = {}
    for line in sys.stdin:
        request = json.loads(line)
        seconds = request.pop("seconds", None)
        key = json.dumps(request)
        if seconds is None:
            trainers[key] = Trainer(**request)
        answer = trainers[key].start() if seconds is None else trainers[key].run(seconds)
        print(json.dumps(answer), file=answers, flush=True)


class Trainer:
    """One contestant with its network, and the number of epochs that it trains in a second."""

    def __init__(self, module: str, options: dict[str, Any], network: str, smoke: bool, middle: int | None) -> None:
        self.network = network_of(network, smoke=smoke, middle=middle)
        self.train: Train = importlib.import_module(module).make(self.network, rows_of(self.network), **options)
        self.epochs, self.rate = 2, 0.0

    def start(self) -> dict[str, Any]:
        """Compiles, and shows what the first two epochs learn."""
        start = time.perf_counter()
        losses, _ = self.train(self.epochs)
        self.rate = self.epochs / (time.perf_counter() - start)
        return {"losses": losses, "steps_an_epoch": self.network.num_steps, "versions": versions()}

    def run(self, seconds: float) -> dict[str, float]:
        """Trains for about so many seconds; more than once, if it is not known yet how many epochs those are."""
        while True:
            self.epochs = min(max(1, round(self.rate * seconds)), MAX_GROWTH * self.epochs)
            took = self._seconds_of(self.epochs)
            self.rate = self.epochs / took
            if took > seconds / 3:
                return {"epochs": self.epochs, "seconds": took}

    def _seconds_of(self, epochs: int) -> float:
        start = time.perf_counter()
        _, seconds = self.train(epochs)
        return time.perf_counter() - start if seconds is None else seconds


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
