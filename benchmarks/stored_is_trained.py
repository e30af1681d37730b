"""Does the stored code give what was trained: across batches, processes and backends?

    make test-backends                                            once: makes the environments of the other backends
    CODEWORD_DATA=/folder python benchmarks/stored_is_trained.py
    python benchmarks/stored_is_trained.py --smoke                seconds, on the built-in digits, this backend only

Trains one model a code kind here, saves it, and lets a fresh process of every backend encode, decode and reconstruct
the same rows. Counts cells and symbols that differ, and how near to their threshold those symbols lie.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from results_file import ResultsFile

import codeword as cw
from codeword.datasets.four_level_images import LEVELS

ROOT = Path(__file__).parent.parent
# In spreads of the value before the threshold. A scalar has 255 thresholds, so its margin must be narrower.
MARGINS = {cw.Bits(64): 5e-5, cw.Scalars(8): 5e-6, cw.Choices(8, size=256): 5e-5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--torch", type=Path, default=ROOT / ".venv-torch/bin/python", help="Python with PyTorch")
    parser.add_argument("--tensorflow", type=Path, default=ROOT / ".venv-tensorflow/bin/python", help="with TensorFlow")
    parser.add_argument("--worker", nargs=3, metavar=("MODEL", "ROWS", "OUTPUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(*arguments.worker)
        return
    pythons = {"jax": Path(sys.executable)}
    if not arguments.smoke:
        pythons |= {"torch": arguments.torch, "tensorflow": arguments.tensorflow}
    results = ResultsFile("stored_is_trained", smoke=arguments.smoke)
    rows = cw.datasets.four_level_digits() if arguments.smoke else cw.datasets.four_level_mnist()[0]
    for code in MARGINS:
        if not results.has(code=str(code)):
            compare(code, rows, pythons, results, epochs=1 if arguments.smoke else 3)


def compare(code: Any, rows: Any, pythons: dict[str, Path], results: ResultsFile, *, epochs: int) -> None:
    """Trains with one code kind and measures it in a fresh process of each backend."""
    model = cw.Autoencoder(data=cw.Levels(LEVELS, edges="floor"), code=code, epochs=epochs, verbose=0).fit(rows)
    symbols, whole = model.transform(rows), model.reconstruct(rows)
    alone = np.concatenate([model.transform(rows[i : i + 1]) for i in range(100)])
    seven, many = model.transform(rows[:7]), model.transform(rows[:10_000])
    results.add(
        {
            "code": str(code),
            "check": "alone, among 7, among 10,000, among all",
            "differing_symbols": int(
                (alone != symbols[:100]).sum() + (seven != symbols[:7]).sum() + (many != symbols[:10_000]).sum()
            ),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        model.save(path / "m.codeword")
        np.save(path / "rows.npy", rows)
        for backend, python in pythons.items():
            program = [python, __file__, "--worker", path / "m.codeword", path / "rows.npy", path / "out.npz"]
            environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT / "src")}
            subprocess.run([str(part) for part in program], env=environment, check=True)
            with np.load(path / "out.npz") as out:
                results.add(
                    {
                        "code": str(code),
                        "check": f"fresh process, {backend}",
                        **differences(dict(out), symbols, whole, MARGINS[code]),
                    }
                )


def worker(model_path: str, rows_path: str, output_path: str) -> None:
    """Runs in the fresh process."""
    model, rows = cw.load(model_path), np.load(rows_path)
    model.verbose = 0
    codes, margin = model.encode(rows, return_margin=True)
    decoded, whole = model.decode(codes), model.reconstruct(rows)
    np.savez(output_path, symbols=cw.packing.unpack(codes, model.code_), margin=margin, decoded=decoded, whole=whole)


def differences(out: dict[str, Any], symbols: Any, whole: Any, margin: float) -> dict[str, Any]:
    """Counts what differs within the process, and between it and the one that trained."""
    clear = (out["margin"] > margin).all(axis=1)
    other = out["symbols"] != symbols
    return {
        "rows": len(symbols),
        "margin": margin,
        "symbols": symbols.size,
        "rows_with_a_value_inside_the_margin": int((~clear).sum()),
        "share_of_symbols_inside_the_margin": float((out["margin"] <= margin).mean()),
        "cells_where_decoded_differs_from_whole": int((out["decoded"] != out["whole"])[clear].sum()),
        "symbols_that_differ_from_the_training_process": int(other.sum()),
        "their_greatest_margin": float(out["margin"][other].max(initial=0)),
        "cells_that_differ_from_the_training_process": int((out["whole"] != whole)[clear].sum()),
        "cells_that_are_no_level": int((~np.isin(out["decoded"], LEVELS)).sum()),
    }


if __name__ == "__main__":
    main()
