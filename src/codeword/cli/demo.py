"""`codeword demo`: 8x8 images of four levels to 8 bytes each and back, from built-in data."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from codeword.cli.reporting import errors_in_words, json_option, report

NUM_TEST = 360
COLUMNS = ("code", "bytes an image", "cells exact", "rows exact")


@click.command(
    epilog="""\b
Example:
  codeword demo --output my-demo"""
)
@click.option(
    "--output",
    "-o",
    default="demo-output",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the model, the codes, the decoded images and the picture.",
)
@json_option
@errors_in_words
def demo(output: Path, as_json: bool) -> None:
    """Train on scikit-learn's 8x8 digits, store 8 bytes an image, decode them in a fresh process, compare.

    Takes under a minute, downloads nothing.
    """
    import numpy as np

    from codeword.datasets import four_level_digits
    from codeword.errors import OutputPathError
    from codeword.files.tables import write_array, write_codes

    start = time.perf_counter()
    say = (lambda *_: None) if as_json else click.echo
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputPathError(f"{output} must be a folder that can be made: got {error.strerror}.") from error

    images = four_level_digits()
    order = np.random.default_rng(0).permutation(len(images))
    test, train = images[order[:NUM_TEST]], images[order[NUM_TEST:]]
    say(f"Data: {len(train)} images of 8x8 cells to train, {len(test)} held out; each cell is 0, .25, .5 or .75.")
    say("Training: 64 bits in the middle, so that an image becomes 8 bytes. A step has no slope; the network")
    say("learns through a surrogate slope, and what it learns is exactly what is stored.\n")

    model = _train("bits", train)
    model_path, codes_path, decoded_path = (output / name for name in ("digits.codeword", "codes.npy", "decoded.npy"))
    fingerprint = model.save(model_path)
    write_array(output / "images.npy", test)
    write_codes(codes_path, model.encode(test), fingerprint=fingerprint, kind=model.code_)
    say(f"Stored {codes_path}: {len(test)} x {model.code_.num_bytes} bytes. Decoding them in a fresh process ...")
    decode = [sys.executable, "-m", "codeword", "decode", model_path, codes_path, decoded_path, "--quiet", "--json"]
    subprocess.run([str(part) for part in decode], check=True, stdout=subprocess.DEVNULL)
    decoded = np.load(decoded_path)
    differing = int((decoded != model.reconstruct(test)).sum())
    say(f"Cells where the fresh process and the trained network in one piece differ: {differing} of {test.size}.\n")

    table = _compare(model, decoded, train, test)
    picture = _draw(output / "digits.png", test, decoded, table[0])
    if as_json:
        result = {"differing_cells": differing, "table": [dict(zip(COLUMNS, row, strict=True)) for row in table]}
        report({**result, "seconds": time.perf_counter() - start, "picture": picture}, as_json=True)
        return
    _print_table(table)
    say(f"\nPicture: {picture}")
    say(f"Done in {time.perf_counter() - start:.0f} s. With 1,437 images any network overfits; next, try:")
    say("  more data      CODEWORD_DATA=/folder/with/mnist python examples/levels.py")
    say(f"  your own       codeword fit images.npy --data levels:0,.25,.5,.75 --output {output}/mine.codeword")
    say("  fewer bytes    codeword fit images.npy --code bits:32 ...      and read docs/levels.md")


def _train(code: str, train: Any) -> Any:
    from codeword.autoencoders.autoencoder import Autoencoder
    from codeword.code_kinds import Bits, Floats
    from codeword.data_kinds import Levels
    from codeword.datasets.four_level_images import LEVELS

    kind = Bits(64) if code == "bits" else Floats(8)
    data = Levels(LEVELS, edges="floor")
    return Autoencoder(data=data, code=kind, epochs=60, weight_decay=0.5, verbose=0).fit(train)


def _compare(model: Any, decoded: Any, train: Any, test: Any) -> list[tuple[str, int, float, float]]:
    """Measures the stored codes beside the plain ways, on the held-out images."""
    from codeword.evaluation.level_baselines import most_frequent_level, pca_rounded, uint8_steps

    floats = _train("floats", train)
    rounded = floats.inverse_transform(uint8_steps(floats.transform(test), floats.transform(train)))
    restored = [
        ("64 bits, trained as bits", 8, decoded),
        ("most frequent value of each cell", 0, most_frequent_level(train, len(test))),
        ("PCA, 8 components rounded to uint8", 8, pca_rounded(train, test, model.data_, 8)),
        ("8 x float32, not rounded", 32, floats.decode(floats.encode(test))),
        ("8 x uint8, rounded after training", 8, rounded),
    ]
    rows = []
    for name, num_bytes, values in restored:
        exact = model.data_.metrics(test, values, {})
        rows.append((name, num_bytes, exact["cells_exact"], exact["rows_exact"]))
    return rows


def _print_table(table: list[tuple[str, int, float, float]]) -> None:
    click.echo(f"{COLUMNS[0]:<38}{COLUMNS[1]:>14}{COLUMNS[2]:>13}{COLUMNS[3]:>12}   (held-out images)")
    for name, num_bytes, cells, rows in table:
        click.echo(f"{name:<38}{num_bytes:>14}{cells:>13.3f}{rows:>12.3f}")


def _draw(path: Path, test: Any, decoded: Any, row: tuple[str, int, float, float]) -> str:
    """Draws originals above what came back from 8 bytes; says what is missing where matplotlib is."""
    from codeword.errors import MissingExtraError
    from codeword.evaluation.pictures import save_image_rows

    title = f"held-out images: {row[2]:.1%} of the cells come back exactly (red: those that do not)"
    try:
        save_image_rows(path, {"original": test[:12], f"from {row[1]} bytes": decoded[:12]}, title=title)
    except MissingExtraError as error:
        return str(error)
    return str(path)
