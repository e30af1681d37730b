"""`codeword examine`: what is wrong with a Keras model on its data."""

import importlib
import warnings
from pathlib import Path
from typing import Any

import click

from codeword.cli.reporting import errors_in_words, json_option


@click.command(
    epilog="""\b
Examples:
  codeword examine model.keras images.npy
  codeword examine classifier.keras rows.parquet labels.npy --json
  codeword examine autoencoder.keras images.npy --bits code_layer"""
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path), required=False)
@click.option(
    "--validation",
    nargs=2,
    type=click.Path(path_type=Path),
    help="Inputs and targets held out; of an autoencoder the same file twice.",
)
@click.option("--bits", "code", help="Name of the layer whose values are, or will be, rounded to bits.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the sample of rows.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@json_option
@errors_in_words
def examine(
    model: Path,
    data: Path,
    targets: Path | None,
    validation: tuple[Path, Path] | None,
    code: str | None,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say why the Keras model in MODEL (.keras) does not learn what is in DATA (.npy, .csv, .parquet).

    Without TARGETS the data is its own target, as of an autoencoder. Nothing is written or changed.
    Exit code: 0 nothing wrong (notes may be there), 1 errors or warnings.
    """
    from codeword.files.tables import read_array

    x = read_array(data, empty_as_nan=True)
    y = None if targets is None else read_array(targets, empty_as_nan=True)
    held_out = None if validation is None else _held_out(*validation)

    from codeword.doctor.examine import examine as examine_model

    network = _loaded(model)
    verbose = not (quiet or as_json)
    report = examine_model(network, x, y, validation_data=held_out, code=code, seed=seed, verbose=verbose)
    click.echo(report.to_json() if as_json else str(report))
    if report.errors or report.warnings:
        raise click.exceptions.Exit(1)


def _held_out(inputs: Path, targets: Path) -> tuple[Any, Any]:
    from codeword.files.tables import read_array

    x = read_array(inputs)
    return x, x if targets == inputs else read_array(targets)


def _loaded(path: Path) -> Any:
    """Loads a Keras model; codeword's own layers, losses and activations are known to Keras."""
    from codeword.backend import keras
    from codeword.errors import ModelFileError

    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a Keras model. Received: no such file. Check the path.")
    for room in ("activations", "layers", "losses", "metrics"):
        importlib.import_module(f"codeword.{room}")  # which tells Keras their names
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an optimizer which has not trained yet has no state
            return keras.models.load_model(path)
    except Exception as error:  # whatever a damaged or foreign file makes Keras raise
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise ModelFileError(
            f"{path} must be a model that Keras can load (.keras). Received: {type(error).__name__}: {said} "
            "A model with classes or functions of your own is examined in Python: print(codeword.examine(model, x))."
        ) from error
