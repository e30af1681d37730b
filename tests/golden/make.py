"""Writes the golden files of this version: python tests/golden/make.py [codes|ratings|gate]

Run it before a release, never after: what a version has written, all later ones must read.
"""

import sys
from pathlib import Path

import numpy as np

import codeword as cw
from codeword.backend import keras
from codeword.datasets import four_level_digits
from codeword.files.output_table import write_array, write_codes, write_columns

NUM_ROWS = 64


def main() -> None:
    folder = Path(__file__).parent / ".".join(cw.__version__.split(".")[:2])
    folder.mkdir(exist_ok=True)
    for part in sys.argv[1:] or ("codes", "ratings", "gate"):
        {"codes": write_codes_of_digits, "ratings": write_ratings, "gate": write_gate}[part](folder)


def write_gate(folder: Path) -> None:
    random = np.random.default_rng(0)
    plane = random.normal(size=(800, 2))
    rings = np.digitize(np.linalg.norm(plane, axis=1), [0.8, 1.5])
    rows = np.column_stack([plane * [1.0, 50.0] + [0.0, 1e6], np.full(800, 7.0)])
    right = random.integers(0, 2, 800)
    outputs = random.integers(0, 2, (800, 3))
    outputs[np.arange(800), rings] = right  # each expert knows one ring, so that the gate needs a hidden layer
    kinds = np.array(["né", "oui"])
    model = cw.HardGateClassifier(hidden=(16,), seed=0, verbose=0).fit(rows, kinds[right], outputs=kinds[outputs])
    model.save(folder / "gate.codeword")
    # Only rows whose choice is clear, so that rounding on another backend changes none.
    entered = np.clip((rows - model.statistics_["mean"]) / model.statistics_["scale"], -5, 5).astype(np.float32)
    scores = keras.Model(model.model_.inputs, model.model_.get_layer("scores").output).predict(entered, verbose=0)
    best_two = np.sort(scores, axis=1)[:, -2:]
    clear = best_two[:, 1] - best_two[:, 0] > 1e-2
    rows, outputs = rows[clear][:NUM_ROWS], outputs[clear][:NUM_ROWS]
    chosen = model.choose(rows)
    np.savez(
        folder / "gate.npz", rows=rows, choices=chosen, outputs=outputs, answers=outputs[np.arange(NUM_ROWS), chosen]
    )
    print(f"{folder}: {NUM_ROWS} of {clear.sum()} clear rows, choices {np.bincount(chosen)}, gate {model.hidden_}")


def write_ratings(folder: Path) -> None:
    ratings, _ = cw.datasets.planted_ratings(40, 30, 400)
    users = np.array([f"user é {number}" for number in range(40)])[ratings.users]
    model = cw.RatingAutoencoder(by="both", units=4, epochs=3, seed=0, verbose=0)
    model.fit((users, ratings.items, ratings.ratings))
    model.save(folder / "ratings.codeword")
    asked, items = np.repeat(model.users_[:8], 5), np.tile(model.items_[:5], 8)
    write_columns(folder / "ratings.csv", {"user": asked, "item": items, "predicted": model.predict(asked, items)})


def write_codes_of_digits(folder: Path) -> None:
    digits = four_level_digits()
    model = cw.Autoencoder(
        data=cw.Levels([0, 0.25, 0.5, 0.75]), code=cw.Bits(10), hidden=(8,), epochs=5, seed=0, verbose=0
    )
    model.fit(digits)
    codes = model.encode(digits)
    # Only rows whose every cell is decided clearly, so that the decoder's rounding on another backend changes none.
    best_two = np.sort(model.decode_proba(codes), axis=-1)[..., -2:]
    clear = (best_two[..., 1] - best_two[..., 0] > 1e-3).all(axis=(1, 2))
    rows, codes = digits[clear][:NUM_ROWS].astype(np.float32), codes[clear][:NUM_ROWS]

    fingerprint = model.save(folder / "model.codeword")
    write_array(folder / "rows.npy", rows)
    write_array(folder / "symbols.npy", model.transform(rows))
    write_array(folder / "decoded.npy", model.decode(codes))
    for suffix in (".npy", ".csv", ".parquet"):
        write_codes(folder / f"codes{suffix}", codes, fingerprint=fingerprint, kind=model.code_)
    print(f"{folder}: {len(rows)} of {clear.sum()} clear rows, {len(np.unique(codes, axis=0))} different codes")


if __name__ == "__main__":
    main()
