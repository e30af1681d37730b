"""How long do `import codeword`, `codeword --help` and `codeword search` take?

    python benchmarks/start_up.py

Whole processes, in alternation with a bare Python, so that a slow machine shows. The search is for five codes in a
store of a million codes of 64 bits; it fails if it has loaded Keras.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from results_file import ResultsFile

import codeword as cw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true")
    smoke = parser.parse_args().smoke
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), smoke=smoke)


def measure(folder: Path, *, smoke: bool) -> None:
    num_codes = 1_000 if smoke else 1_000_000
    codes = np.random.default_rng(0).integers(0, 256, (num_codes, 8), np.uint8)
    cw.CodeStore(folder / "codes.duckdb").append(None, codes)
    np.save(folder / "queries.npy", codes[:5])
    search = ["search", str(folder / "codes.duckdb"), "--codes", str(folder / "queries.npy")]
    refuse_keras(search)
    tool = shutil.which("codeword", path=str(Path(sys.executable).parent)) or "codeword"
    commands = {
        "bare python": [sys.executable, "-c", "pass"],
        "import codeword": [sys.executable, "-c", "import codeword"],
        "codeword --help": [tool, "--help"],
        f"codeword search, {num_codes:,} codes": [tool, *search],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(2 if smoke else 20):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    results = ResultsFile("start_up", smoke=smoke)
    results.rows.clear()
    for name, values in seconds.items():
        results.add({"name": name, "median_seconds": statistics.median(values), "max_seconds": max(values)})


def refuse_keras(arguments: list[str]) -> None:
    """Fails if a command loads Keras."""
    program = "import sys, runpy\ntry: runpy.run_module('codeword')\nfinally: assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
