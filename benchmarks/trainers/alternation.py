"""Contestants in processes of their own, asked in turn; their speeds and the ratios of these."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student
from trainers.contestants import Contestant, Group

ROOT = Path(__file__).parents[2]
TOLERANCE = 0.1  # of the loss, between contestants that train the same network with other orders of the rows


class Worker:
    """A process that trains when asked."""

    def __init__(self, environment: str) -> None:
        variables = {**os.environ, "KERAS_BACKEND": environment, "TF_CPP_MIN_LOG_LEVEL": "2"}
        program = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [python_of(environment), str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )

    def send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)

    def receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The worker ended with status {self._process.wait()}; its message stands above.")
        return json.loads(line)

    def close(self) -> None:
        self._process.communicate()


class Workers:
    """One worker a contestant; in a smoke test one an environment, which spares most of the imports."""

    def __init__(self, *, smoke: bool) -> None:
        self._smoke = smoke
        self._workers: dict[str, Worker] = {}

    def of(self, name: str, environment: str) -> Worker:
        key = environment if self._smoke else name
        if key not in self._workers:
            self._workers[key] = Worker(environment)
        return self._workers[key]

    def close(self) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


def python_of(environment: str) -> str:
    """Gives the Python that runs an environment: this one for JAX, those of the Makefile for the others."""
    return sys.executable if environment == "jax" else str(ROOT / f".venv-{environment}" / "bin" / "python")


def present(contestant: Contestant) -> bool:
    python = python_of(contestant.environment)
    if not Path(python).exists():
        return False
    if contestant.needs is None:
        return True
    test = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({contestant.needs!r}) is None)"
    return subprocess.run([python, "-c", test], check=False).returncode == 0


def alternate(
    group: Group, contestants: dict[str, Contestant], workers: Workers, *, rounds: int, seconds: float, smoke: bool
) -> tuple[dict[str, dict[str, Any]], dict[str, list[tuple[int, float]]]]:
    """Starts all contestants, then asks each in turn, every other round backwards.

    Returns:
        By name what a contestant said of itself, and epochs and seconds of each round.
    """
    requests = {
        name: {
            "module": contestant.module,
            "options": contestant.options,
            "network": group.network,
            "smoke": smoke,
            "middle": group.middle,
        }
        for name, contestant in contestants.items()
    }
    hired = {name: workers.of(name, contestant.environment) for name, contestant in contestants.items()}
    for name, worker in hired.items():  # all compile at once
        worker.send(requests[name])
    started = {name: worker.receive() for name, worker in hired.items()}
    _check_losses(group, started)
    turns: dict[str, list[tuple[int, float]]] = {name: [] for name in hired}
    for number in range(0 if smoke else -1, rounds):  # round -1 finds out how many epochs fill the time
        for name in list(hired)[:: 1 if number % 2 else -1]:
            hired[name].send({**requests[name], "seconds": seconds})
            answer = hired[name].receive()
            if number >= 0:
                turns[name].append((answer["epochs"], answer["seconds"]))
    return started, turns


def _check_losses(group: Group, started: dict[str, dict[str, Any]]) -> None:
    """Sees that everyone learns, and that those who train the same learn the same."""
    expected = next(iter(started.values()))["losses"][1]
    for name, answer in started.items():
        first, second = answer["losses"]
        if not second < first:
            raise RuntimeError(f"{name} on network {group.network} must learn: got losses {first}, {second}.")
        if group.alike and abs(second - expected) > TOLERANCE * expected:
            raise RuntimeError(f"{name} on network {group.network} must have loss {expected}: got {second}.")


def compared(over: list[float], under: list[float]) -> dict[str, Any]:
    """Summarizes the ratios of two contestants' figures, round by round."""
    ratios = np.array(over) / np.array(under)
    return {
        "ratio": float(np.median(ratios)),
        "quartiles": np.quantile(ratios, [0.25, 0.75]).tolist(),
        "extremes": [float(ratios.min()), float(ratios.max())],
        "interval_95": mean_interval(ratios),
        "ratios": ratios.tolist(),
    }


def mean_interval(ratios: Any) -> list[float] | None:
    """Gives Student's interval of the geometric mean."""
    if len(ratios) < 2:
        return None
    logarithms = np.log(ratios)
    width = student.ppf(0.975, len(ratios) - 1) * logarithms.std(ddof=1) / np.sqrt(len(ratios))
    return np.exp([logarithms.mean() - width, logarithms.mean() + width]).tolist()
