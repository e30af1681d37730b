"""How far does the data of a call travel? A room is a folder of the package, or a module at its root.

    python benchmarks/trips.py            # all trips
    python benchmarks/trips.py --show     # with the rooms of each trip

Every call inside the package that is handed the data (an array with as many rows as the data, or an object that holds
one) is a station. A door is an ordered pair of rooms between which the data passes at least once; calls within a room
pass none. The fewer doors, the shorter the way that a reader has to follow.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import scipy.sparse

import codeword as cw

PACKAGE = Path(cw.__file__).parent
ROWS = 997  # so many that no other size of the program is the same


class Trip:
    """Record the rooms through which data passes while a function runs."""

    def __init__(self, is_data: Callable[[Any], bool]) -> None:
        self.rooms: list[str] = []
        self._is_data = is_data

    def run(self, function: Callable[[], Any]) -> list[str]:
        sys.setprofile(self._note)
        try:
            function()
        finally:
            sys.setprofile(None)
        return self.rooms

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or (room := room_of(frame)) is None:
            return
        if any(self._carries(value) for value in list(frame.f_locals.values())):
            caller = frame.f_back
            for stay in (room_of(caller) if caller else None, room):
                if stay is not None and (not self.rooms or self.rooms[-1] != stay):
                    self.rooms.append(stay)

    def _carries(self, value: Any) -> bool:
        if self._is_data(value):
            return True
        if isinstance(value, list | tuple):
            return any(map(self._is_data, value))
        held = getattr(value, "__dict__", None)
        is_own = type(value).__module__.startswith("codeword")
        return is_own and isinstance(held, dict) and any(map(self._is_data, list(held.values())))


def room_of(frame: FrameType) -> str | None:
    path = frame.f_code.co_filename
    if not path.startswith(str(PACKAGE)):
        return None
    parts = Path(path).relative_to(PACKAGE).parts
    return None if parts[-1] == "__init__.py" and len(parts) == 1 else parts[0].removesuffix(".py")


def is_rows(value: Any) -> bool:
    return isinstance(value, np.ndarray | scipy.sparse.sparray) and ROWS in value.shape


def trips() -> dict[str, Trip]:
    generator = np.random.default_rng(0)
    x = generator.integers(0, 4, (ROWS, 8)) / 4
    settings: dict[str, Any] = {"epochs": 1, "verbose": 0}
    ae = cw.Autoencoder(data=cw.Levels([0, 0.25, 0.5, 0.75]), code=cw.Bits(8), hidden=(4,), **settings)
    found = {"Autoencoder.fit": Trip(is_rows), "Autoencoder.encode": Trip(is_rows)}
    found["Autoencoder.fit"].run(lambda: ae.fit(x))
    found["Autoencoder.encode"].run(lambda: ae.encode(x))

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.codeword")
        ae.save(path)
        found["load"] = Trip(lambda value: value is path or (isinstance(value, dict) and "input_shape" in value))
        found["load"].run(lambda: cw.load(path))

    ratings = generator.integers(0, 60, ROWS), generator.permutation(ROWS), generator.integers(1, 6, ROWS) * 1.0
    rec = cw.RatingAutoencoder(units=4, **settings)
    found["RatingAutoencoder.fit"] = Trip(lambda value: is_rows(value) or getattr(value, "nnz", None) == ROWS)
    found["RatingAutoencoder.fit"].run(lambda: rec.fit(ratings))

    from sklearn.dummy import DummyClassifier

    plane, labels = generator.normal(size=(ROWS, 2)), generator.integers(0, 2, ROWS)
    experts = [DummyClassifier(strategy="constant", constant=label).fit(plane, labels) for label in (0, 1)]
    found["HardGateClassifier.fit"] = Trip(is_rows)
    found["HardGateClassifier.fit"].run(lambda: cw.HardGateClassifier(experts, **settings).fit(plane, labels))

    found["advise"] = Trip(is_rows)
    found["advise"].run(lambda: cw.advise(x))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the rooms of each trip")
    parser.add_argument("--smoke", action="store_true", help="the same: it takes seconds anyway")
    shown = parser.parse_args().show
    for name, trip in trips().items():
        doors = set(pairwise(trip.rooms))
        print(f"{name:<24}{len(set(trip.rooms)):>3} rooms, {len(doors):>3} doors")
        if shown:
            print("    " + " > ".join(trip.rooms))


if __name__ == "__main__":
    main()
