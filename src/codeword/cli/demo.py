"""`codeword demo`: compress 8x8 images with four levels to 8 bytes each and decode them, on built-in data."""

import subprocess
import time
from pathlib import Path
from typing import Any

import click

from codeword.cli.processes import command_of
from codeword.cli.reporting import errors_in_words, json_option, report

NUM_TEST = 360
COLUMNS = ("code", "bytes per image", "cells exact", "rows exact")


@click.command(
    epilog="""\b
Examples:
  codeword demo --output my-demo
  codeword demo --mnist"""
)
@click.option(
    "--output",
    "-o",
    default="demo-output",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the model, the codes, the decoded images and the picture.",
)
@click.option("--mnist", is_flag=True, help="Train on the 60,000 images of MNIST, which takes several minutes.")
@json_option
@errors_in_words
def demo(output: Path, mnist: bool, as_json: bool) -> None:
    """Train on 8x8 images of digits, store 8 bytes per image, decode them in a fresh process, and compare.

    By default the images are the 1,797 digits of scikit-learn: this takes less than a minute and downloads nothing.
    With --mnist they are read from $CODEWORD_DATA/mnist or downloaded.
    """
    import numpy as np

    from codeword.errors import OutputPathError
    from codeword.files.output_table import write_array, write_codes

    start = time.perf_counter()

    def say(text: str) -> None:
        if not as_json:
            click.echo(text, err=True)

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputPathError(f"{output} must be a folder that can be created: got {error.strerror}.") from error

    train, test = _images(mnist)
    name = "MNIST" if mnist else "scikit-learn's digits"
    say(f"Data: {name}, {len(train):,} images for training and {len(test):,} held out. Each of the 8x8 cells is 0,")
    say("0.25, 0.5 or 0.75.")
    say("Training: the code in the middle is 64 bits, so each image becomes 8 bytes. A sign has no slope. The network")
    say("learns through a surrogate slope, and the bits that it trains are the bits that are stored.\n")

    model = _train("bits", train, mnist=mnist)
    model_path, codes_path, decoded_path = (output / file for file in ("digits.codeword", "codes.npy", "decoded.npy"))
    fingerprint = model.save(model_path)
    write_array(output / "images.npy", test)
    write_codes(codes_path, model.encode(test), fingerprint=fingerprint, kind=model.code_)
    say(f"Stored {codes_path}: {len(test):,} x {model.code_.num_bytes} bytes. Decoding in a fresh process ...")
    decode = command_of("decode", model_path, codes_path, decoded_path, "--quiet", "--json")
    subprocess.run(decode, check=True, stdout=subprocess.DEVNULL)
    decoded = np.load(decoded_path)
    differing = int((decoded != model.reconstruct(test)).sum())
    say(f"Cells that differ between the fresh process and the trained network: {differing} of {test.size:,}.\n")

    table = _compare(model, decoded, train, test, mnist=mnist)
    picture = _draw(output / "digits.png", name, test, decoded, table[0])
    if as_json:
        result = {"differing_cells": differing, "table": [dict(zip(COLUMNS, row, strict=True)) for row in table]}
        report({**result, "seconds": time.perf_counter() - start, "picture": picture}, as_json=True)
        return
    click.echo(f"{COLUMNS[0]:<38}{COLUMNS[1]:>15}{COLUMNS[2]:>13}{COLUMNS[3]:>12}   (held-out images)")
    for row in table:
        click.echo("{:<38}{:>15}{:>13.3f}{:>12.3f}".format(*row))
    click.echo(f"\nPicture: {picture}")
    say(f"Done in {time.perf_counter() - start:.0f} s.")
    if not mnist:
        say(f"With {len(train):,} images any network overfits. Next, try:")
        say("  more data      codeword demo --mnist")
    say(f"  your own data  codeword fit images.npy --data levels:0,0.25,0.5,0.75 --output {output}/mine.codeword")
    say("  fewer bytes    codeword fit images.npy --code bits:32 ...      and read docs/levels.md")


def _images(mnist: bool) -> tuple[Any, Any]:
    import numpy as np

    from codeword.datasets import four_level_digits, four_level_mnist

    if mnist:
        return four_level_mnist()
    images = four_level_digits()
    order = np.random.default_rng(0).permutation(len(images))
    return images[order[NUM_TEST:]], images[order[:NUM_TEST]]


def _train(code: str, train: Any, *, mnist: bool) -> Any:
    from codeword.autoencoders.autoencoder import Autoencoder
    from codeword.code_kinds import Bits, Floats
    from codeword.data_kinds import Levels
    from codeword.datasets.four_level_images import LEVELS

    kind = Bits(64) if code == "bits" else Floats(8)
    few_rows: dict[str, Any] = {} if mnist else {"epochs": 60, "weight_decay": 0.5}
    data = Levels(LEVELS, edges="floor")
    return Autoencoder(data=data, code=kind, verbose=int(mnist), **few_rows).fit(train)


def _compare(model: Any, decoded: Any, train: Any, test: Any, *, mnist: bool) -> list[tuple[str, int, float, float]]:
    """Measure the stored codes and the simple alternatives on the held-out images."""
    from codeword.evaluation.level_baselines import most_frequent_level, pca_rounded, uint8_steps

    floats = _train("floats", train, mnist=mnist)
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


def _draw(path: Path, data: str, test: Any, decoded: Any, row: tuple[str, int, float, float]) -> str:
    """Draw originals above their reconstructions; return the path, or a message if matplotlib is missing."""
    from codeword.errors import MissingExtraError
    from codeword.evaluation.pictures import save_image_rows

    share = f"{row[3]:.1%} of the images" if row[3] > 0.5 else f"{row[2]:.1%} of the cells"
    title = f"{data}, {len(test):,} held-out images: {share} are exact (wrong cells have a red frame)"
    try:
        save_image_rows(path, {"original": test[:12], f"from {row[1]} bytes": decoded[:12]}, title=title)
    except MissingExtraError as error:
        return str(error)
    return str(path)
