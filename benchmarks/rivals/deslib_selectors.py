"""Other selectors of experts, DESlib's, on the rows and expert answers that gate.py wrote down.

DESlib 0.3.7 runs on scikit-learn 1.6 only, so it needs an environment of its own:

    python -m venv deslib && deslib/bin/pip install scikit-learn==1.6.1 deslib==0.3.7
    python benchmarks/gate.py --deslib-python deslib/bin/python

gate.py starts this program by itself, in that environment: deslib_selectors.py FOLDER reads every `*.npz` in FOLDER and
writes the accuracies to FOLDER/rivals.json. The experts are not fitted again: what they answer was written down, too.
All settings are DESlib's defaults, 7 neighbors.
"""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from deslib.dcs import LCA, MCB, OLA
from deslib.des import KNORAE, KNORAU, METADES
from numpy.typing import NDArray

METHODS = {"OLA": OLA, "LCA": LCA, "MCB": MCB, "KNORA-E": KNORAE, "KNORA-U": KNORAU, "META-DES": METADES}


class Remembered:
    """An expert that was asked before: first about the rows to learn competence from, then about the test rows."""

    def __init__(self, classes: NDArray[Any], votes: NDArray[Any], shares: NDArray[Any]) -> None:
        self.classes_ = classes
        self.remember(votes, shares)

    def remember(self, votes: NDArray[Any], shares: NDArray[Any]) -> None:
        self._votes, self._shares = votes, shares

    def fit(self, rows: NDArray[Any], labels: NDArray[Any]) -> "Remembered":
        return self

    def predict(self, rows: NDArray[Any]) -> NDArray[Any]:
        assert len(rows) == len(self._votes)
        return self._votes

    def predict_proba(self, rows: NDArray[Any]) -> NDArray[Any]:
        assert len(rows) == len(self._shares)
        return self._shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore", FutureWarning)  # scikit-learn 1.6 announces what breaks DESlib in 1.7
    found = {path.stem: accuracies(dict(np.load(path))) for path in sorted(folder.glob("*.npz"))}
    (folder / "rivals.json").write_text(json.dumps(found, indent=1))


def accuracies(split: dict[str, NDArray[Any]]) -> dict[str, float]:
    """Gives the accuracy of every method in both customs: with a third of the rows kept back, and out of fold."""
    return {
        f"{name}, {custom}": accuracy(method, split, custom)
        for custom in ("third", "folds")
        for name, method in METHODS.items()
    }


def accuracy(method: Any, split: dict[str, NDArray[Any]], custom: str) -> float:
    of = {name.removesuffix(f"_{custom}"): array for name, array in split.items()}
    classes, num_experts = np.arange(of["shares"].shape[2]), of["votes"].shape[1]
    experts = [Remembered(classes, of["votes"][:, number], of["shares"][:, number]) for number in range(num_experts)]
    selector = method(pool_classifiers=experts, random_state=0).fit(of["rows"], of["labels"])
    for number, expert in enumerate(experts):
        expert.remember(of["test_votes"][:, number], of["test_shares"][:, number])
    return float((selector.predict(split["test_rows"]) == split["test_labels"]).mean())


if __name__ == "__main__":
    main()
