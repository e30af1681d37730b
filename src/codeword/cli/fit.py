"""`codeword fit`: train an autoencoder on a file and save it."""

from pathlib import Path
from typing import Any

import click

from codeword.cli.reporting import errors_in_words, json_option, progress_level, report


@click.command(
    epilog="""\b
Examples:
  codeword fit images.npy --data levels:0,.25,.5,.75 --edges floor --code bits:64 --output digits.codeword
  codeword fit table.csv --code scalars:8 --hidden 128,64 --epochs 100 --output table.codeword --json"""
)
@click.argument("input", type=click.Path(path_type=Path))
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="The .codeword file to write.")
@click.option(
    "--data", "data_text", help="binary, unit, real, levels:4 or levels:0,.25,.5,.75 [default: told from the data]"
)
@click.option(
    "--edges", default="midpoint", type=click.Choice(["midpoint", "floor"]), help="Bins of levels.", show_default=True
)
@click.option(
    "--code",
    "code_text",
    default="bits:64",
    show_default=True,
    help="bits:64, scalars:8, scalars:8x16, choices:8x256 or floats:8",
)
@click.option("--hidden", help="Units of the hidden layers, such as 512,512.  [default: those of Autoencoder]")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the data.  [default: those of Autoencoder]")
@click.option(
    "--validation", type=click.Path(path_type=Path), help="A file of held-out rows: the best weights on them are kept."
)
@click.option("--patience", type=click.IntRange(min=1), help="Epochs without a better validation loss before it stops.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--quiet", "-q", is_flag=True, help="No progress bars.")
@json_option
@errors_in_words
def fit(
    input: Path,
    output: Path,
    data_text: str | None,
    edges: str,
    code_text: str,
    hidden: str | None,
    epochs: int | None,
    validation: Path | None,
    patience: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train an autoencoder on the rows of INPUT (.npy, .csv, .parquet) and save it."""
    from codeword.code_kinds import parse_code_kind
    from codeword.data_kinds import parse_data_kind
    from codeword.errors import ParameterError
    from codeword.output_file import check_writable
    from codeword.tables import read_array

    try:
        data = None if data_text is None else parse_data_kind(data_text, edges=edges)
        code = parse_code_kind(code_text)
        sizes = None if hidden is None else _layer_sizes(hidden)
    except ParameterError as error:
        raise click.UsageError(str(error)) from error
    check_writable(output)
    x = read_array(input)
    held_out = None if validation is None else read_array(validation)

    from codeword.estimators.autoencoder import Autoencoder

    settings: dict[str, Any] = {"hidden": sizes, "epochs": epochs, "patience": patience}
    chosen = {name: value for name, value in settings.items() if value is not None}
    model = Autoencoder(data=data, code=code, seed=seed, verbose=progress_level(quiet, as_json), **chosen)
    model.fit(x, validation_data=held_out)
    fingerprint = model.save(output)
    metrics = model.evaluate(x if held_out is None else held_out)
    report(
        {
            "model": str(output),
            "fingerprint": fingerprint,
            "rows": len(x),
            "data": str(model.data_),
            "code": str(model.code_),
            "bytes_a_row": model.code_.num_bytes,
            "epochs": len(model.history_["loss"]),
            "measured_on": "training" if held_out is None else "validation",
            **metrics,
        },
        as_json=as_json,
    )


def _layer_sizes(text: str) -> tuple[int, ...]:
    from codeword.errors import ParameterError

    try:
        return tuple(int(units) for units in text.split(",") if units.strip())
    except ValueError as error:
        raise ParameterError(f"`--hidden` must be written as 512,512. Received: {text!r}.") from error
