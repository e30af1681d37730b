"""How long do `import codeword` and `codeword --help` take?

    python benchmarks/import_time.py

Whole processes, in alternation with a bare Python, so that a slow machine shows.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from results_file import ResultsFile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true")
    smoke = parser.parse_args().smoke
    tool = shutil.which("codeword", path=str(Path(sys.executable).parent)) or "codeword"
    commands = {
        "bare python": [sys.executable, "-c", "pass"],
        "import codeword": [sys.executable, "-c", "import codeword"],
        "codeword --help": [tool, "--help"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(2 if smoke else 20):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    results = ResultsFile("import_time", smoke=smoke)
    results.rows.clear()
    for name, values in seconds.items():
        results.add({"name": name, "median_seconds": statistics.median(values), "max_seconds": max(values)})


if __name__ == "__main__":
    main()
