"""`codeword examine`: what is wrong with a Keras model on its data."""

import difflib
import importlib
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from codeword.cli.processes import TRUST, check_archive, limits_of_loading, run_within_limits
from codeword.cli.reporting import PATH, errors_in_words, json_option, quiet_option
from codeword.errors import ModelFileError, plain


def _print_explanation(context: click.Context, _: click.Parameter, code: str | None) -> None:
    """Print what a finding means and end the command, before it asks for its files."""
    if code is None or context.resilient_parsing:
        return
    from codeword.doctor.finding import TITLES, explanation_of

    if code not in TITLES:
        close = difflib.get_close_matches(code, TITLES, 1)
        hint = f"Did you mean {close[0]}?" if close else f"The codes are {', '.join(TITLES)}."
        raise click.BadParameter(f"there is no finding {code!r}. {hint}")
    click.echo(f"{code}: {TITLES[code]}\n\n{explanation_of(code)}")
    context.exit()


@click.command(
    epilog="""\b
Examples:
  codeword examine model.keras images.npy
  codeword examine classifier.keras rows.parquet labels.npy --json
  codeword examine autoencoder.keras images.npy --code-layer middle
  codeword examine --explain targets-not-distributions"""
)
@click.argument("model", type=PATH)
@click.argument("data", type=PATH)
@click.argument("targets", type=PATH, required=False)
@click.option(
    "--validation",
    nargs=2,
    type=PATH,
    metavar="DATA TARGETS",
    help="Files of held-out inputs and targets; for an autoencoder the same file twice.",
)
@click.option("--code-layer", help="Name of the layer whose values are, or will be, rounded to bits.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the row sample.")
@quiet_option
@click.option("--trust", is_flag=True, help="Load MODEL without limits of memory and time.")
@click.option("--within-limits", is_flag=True, hidden=True, help="Load MODEL here, within the limits.")
@click.option(
    "--explain",
    metavar="CODE",
    is_eager=True,
    expose_value=False,
    callback=_print_explanation,
    help="Print what the finding CODE means and what to do, then exit.",
)
@json_option
@errors_in_words
def examine(
    model: Path,
    data: Path,
    targets: Path | None,
    validation: tuple[Path, Path] | None,
    code_layer: str | None,
    seed: int,
    quiet: bool,
    trust: bool,
    within_limits: bool,
    as_json: bool,
) -> None:
    """Report why the Keras model in MODEL (.keras) does not learn the data in DATA (.npy, .csv, .parquet).

    Without TARGETS the data is its own target, as for an autoencoder. No file is written or changed.

    MODEL may come from a stranger: it is loaded in a process of its own, within limits of memory and time, and runs no
    code. Limits need Linux; --trust removes them.

    Exit codes: 0 if there are at most notes, 1 if there are errors or warnings.
    """
    if not model.is_file():
        raise FileNotFoundError(f"{model} must be a Keras model: there is no such file.")
    check_archive(model)
    if not trust and not within_limits:
        options = ["--seed", seed, *(["--validation", *validation] if validation else [])]
        options += ["--code-layer", code_layer] if code_layer else []
        options += ["--quiet"] * quiet + ["--json"] * as_json + ["--within-limits", "--"]
        words = ("examine", *options, model, data, *([targets] if targets else []))
        raise click.exceptions.Exit(run_within_limits(model, *words))
    from codeword.files.tables import read_array

    x = read_array(data, empty_as_nan=True)
    y = None if targets is None else read_array(targets, empty_as_nan=True)
    held_out = None
    if validation is not None:
        inputs = read_array(validation[0])
        held_out = inputs, inputs if validation[1] == validation[0] else read_array(validation[1])

    from codeword.doctor.examine import examine as examine_model

    network = _loaded(model, limited=within_limits)
    verbose = not (quiet or as_json)
    report = examine_model(network, x, y, validation_data=held_out, code_layer=code_layer, seed=seed, verbose=verbose)
    # Names of layers come from the file: a terminal must not obey them.
    click.echo(report.to_json() if as_json else "\n".join(map(plain, str(report).split("\n"))))
    if report.errors or report.warnings:
        raise click.exceptions.Exit(1)


def _loaded(path: Path, *, limited: bool) -> Any:
    """Load a Keras model, which may hold layers, losses, metrics and activations of codeword."""
    from codeword.backend import keras

    for room in ("activations", "layers", "losses", "metrics"):
        importlib.import_module(f"codeword.{room}")  # registers their classes with Keras
    keras.ops.zeros(1)  # starts the backend, which takes memory of its own
    try:
        with warnings.catch_warnings(), limits_of_loading(path) if limited else nullcontext():
            warnings.simplefilter("ignore")  # an optimizer that has not trained yet has no state
            return keras.models.load_model(path, safe_mode=True)
    except Exception as error:  # whatever a damaged or foreign file makes Keras raise
        if isinstance(error, MemoryError):
            raise ModelFileError(f"{path} must need no more memory than its size justifies. {TRUST}") from error
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise ModelFileError(
            f"{path} must be a model that Keras can load (.keras): got {type(error).__name__}: {reason} "
            "If the model has custom classes or functions, examine it in Python: print(codeword.examine(model, x))."
        ) from error
