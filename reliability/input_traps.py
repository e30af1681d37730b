"""Inputs that are no data, or data in an odd form.

Each public method gets more than a hundred inputs: NaN, objects, ragged lists, sparse matrices, frames of equal
columns, iterators, None and so on. It must answer, or refuse the input by an error that codeword documents; the names
of columns are checked by scikit-learn, whose error counts, too. The same numbers in another memory layout must give the
same answer, and no answer may be NaN where that does not mean missing.

    python -m reliability.input_traps [--full]
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from reliability.results import Row, Size, run

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("foreign errors", "other answers", "hangs", "crashes")
# What is tried are the inputs, not the compiler.
HASTE = {
    "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
PYTHONS = {
    "jax": sys.executable,
    "torch": ROOT / ".venv-torch/bin/python",
    "tensorflow": ROOT / ".venv-tensorflow/bin/python",
}


def attacks(size: Size) -> Iterator[Row]:
    for backend in size.of(smoke=["jax"], usual=["jax"], full=PYTHONS):
        python = PYTHONS[backend]
        if not Path(python).exists():
            yield Row(f"{backend}: all", skipped=f"there is no {python}")
            continue
        yield from trapped(backend, str(python), size)


def trapped(backend: str, python: str, size: Size) -> list[Row]:
    """Run all cases in a process of their own, and go on after the case that ended it."""
    rows: dict[str, Row] = {}
    done, ended = 0, False
    while not ended:
        before = done
        for kind, estimator, words in _lines(backend, python, size, done):
            if kind == "end":
                ended = True
                continue
            row = rows.setdefault(estimator, Row.of_kinds(f"{backend}: {estimator}", *KINDS))
            if kind == "case":
                done, row.cases, last = words, row.cases + 1, row
            else:
                row.failures[kind] += 1
                row.examples.append(f"{kind}: {words}")
        if not ended and done == before:
            raise RuntimeError("The program of the cases dies before its first case.")
        if not ended:
            last.fail("crashes", f"case {done} ended the process")
    return list(rows.values())


def _lines(backend: str, python: str, size: Size, first: int) -> Iterator[list]:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    script = f'exec 3>&{writing}; exec "$0" -m reliability.fuzzing.trapped {size.name} {first}'
    environment = {**os.environ, "KERAS_BACKEND": backend, **HASTE}
    process = subprocess.Popen(
        ["bash", "-c", script, python], cwd=ROOT, env=environment, pass_fds=[writing], stdout=subprocess.DEVNULL
    )
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        for line in pipe:
            yield json.loads(line)
    if process.wait() > 0:
        raise RuntimeError("The program of the cases failed itself.")


if __name__ == "__main__":
    run(__file__, attacks)
