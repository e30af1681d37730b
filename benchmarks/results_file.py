"""Results of benchmarks: one JSON file a program, with machine, versions and every raw value."""

import importlib.metadata
import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("keras", "jax", "numpy", "scipy", "scikit-learn", "faiss-cpu", "duckdb", "scikit-surprise")


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


def mean_and_spread(values: list[float]) -> str:
    """Gives "mean ± standard deviation" of one figure over seeds."""
    if len(values) < 2:
        return f"{values[0]:.4f}"
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def _short(value: Any) -> str:
    return f"{value:.5f}" if isinstance(value, float) else str(value)
