"""Results of benchmarks: one JSON file a program or part, with machine, versions and every raw value."""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("keras", "jax", "numpy", "scipy", "scikit-learn", "faiss-cpu", "duckdb", "scikit-surprise", "implicit")


class Experiment(NamedTuple):
    """What is measured: a name, a function from seed to figures, and how many seeds there are."""

    name: str
    measure: Callable[[int], dict[str, Any]]
    seeds: int


def parser_of_parts(description: str | None, parts: Sequence[str]) -> argparse.ArgumentParser:
    """Gives a parser of the options that benchmarks in parts have: `--part`, `--only` and `--smoke`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=parts, action="append", help="only this part; may be repeated")
    parser.add_argument("--only", help="only results whose name contains this")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    return parser


def run_parts(
    program: str,
    description: str | None,
    parts: Sequence[str],
    experiments: Callable[[str, bool], Iterator[Experiment]],
) -> None:
    """Measures what the command line asks for and is not in the results yet, and prints a table of each part.

    Args:
        program: Name of the program, with which its files of results begin.
        description: Text for `--help`.
        parts: Names of its parts.
        experiments: Gives those of a part; the second argument says whether this is a smoke test.
    """
    arguments = parser_of_parts(description, parts).parse_args()
    for part in arguments.part or parts:
        results = ResultsFile(f"{program}_{part}", smoke=arguments.smoke)
        for name, measure, seeds in experiments(part, arguments.smoke):
            if arguments.only and arguments.only not in name:
                continue
            for seed in range(1 if arguments.smoke else seeds):
                if not results.has(name=name, seed=seed):
                    results.add({"name": name, "seed": seed, **measure(seed)})
        print_table(part, results.rows)


class ResultsFile:
    """Rows of measurements that are kept on disk as they come, so that an interrupted program goes on where it was."""

    def __init__(self, name: str, *, smoke: bool) -> None:
        self._path = None if smoke else FOLDER / f"{name}.json"
        self.rows: list[dict[str, Any]] = []
        if self._path is not None and self._path.exists():
            self.rows = json.loads(self._path.read_text())["rows"]

    def has(self, **keys: Any) -> bool:
        return any(all(row.get(name) == value for name, value in keys.items()) for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        print("  ".join(f"{name}={_short(value)}" for name, value in row.items()), flush=True)
        self.rows.append(row)
        if self._path is not None:
            self._path.parent.mkdir(exist_ok=True)
            content = {"machine": machine(), "rows": self.rows}
            self._path.write_text(json.dumps(content, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Gives what a reader needs to judge the figures."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "backend": os.environ.get("KERAS_BACKEND"),
        **versions,
    }


def print_table(part: str, rows: list[dict[str, Any]]) -> None:
    """Prints the mean and the spread over seeds of each figure."""
    print(f"\n{part}")
    for name in dict.fromkeys(row["name"] for row in rows):
        found = [row for row in rows if row["name"] == name]
        figures = [key for key, value in found[0].items() if key != "seed" and isinstance(value, int | float)]
        print(f"  {name}: " + ", ".join(f"{key} {mean_and_spread([row[key] for row in found])}" for key in figures))


def mean_and_spread(values: list[float]) -> str:
    """Gives "mean ± standard deviation" of one figure over seeds."""
    if len(values) < 2:
        return f"{values[0]:.4f}"
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def _short(value: Any) -> str:
    return f"{value:.5f}" if isinstance(value, float) else str(value)
