"""`codeword fit`: train an autoencoder, or a recommender, on a file and save it."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from codeword.cli.columns_option import columns_option
from codeword.cli.reporting import errors_in_words, json_option, progress_level, report

ONLY_FOR_ROWS = ("similar", "augment", "walk", "edges", "code", "hidden")
ONLY_FOR_RATINGS = ("by", "members", "columns")


@click.command(
    epilog="""\b
Examples:
  codeword fit images.npy --data levels:0,.25,.5,.75 --edges floor --code bits:64 --output digits.codeword
  codeword fit table.csv --code scalars:8 --hidden 128,64 --epochs 100 --output table.codeword --json
  codeword fit ratings.csv --data ratings:.5-5/.5 --by both --output films.codeword"""
)
@click.argument("input", type=click.Path(path_type=Path))
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="The .codeword file to write.")
@click.option(
    "--data",
    "data_text",
    help="binary, unit, real, real:common (columns of one kind: embeddings), levels:4, levels:0,.25,.5,.75, "
    "ratings:1-5 or, in steps, ratings:.5-5/.5  "
    "[default: told from the data, never ratings]",
)
@click.option(
    "--edges", default="midpoint", type=click.Choice(["midpoint", "floor"]), help="Bins of levels.", show_default=True
)
@click.option(
    "--code", default="bits:64", show_default=True, help="bits:64, scalars:8, scalars:8x16, choices:8x256 or floats:8"
)
@click.option("--hidden", help="Units of the hidden layers, such as 512,512.  [default: those of Autoencoder]")
@click.option(
    "--similar",
    type=click.Choice(["groups", "neighbors", "nothing"]),
    help="Bits. Rows that get similar codes, to be found by `codeword search`; nothing: codes give rows back best.  "
    "[default: groups where data is unit or real]",
)
@click.option("--augment", type=click.Choice(["images"]), help="Bits. Images keep their code when turned or shifted.")
@click.option(
    "--walk",
    nargs=2,
    type=click.IntRange(min=1),
    help="Bits. Neighbors and steps of a walk to a like row; texts: 100 1.",
)
@click.option(
    "--by",
    type=click.Choice(["items", "users", "both"]),
    help="Ratings. items: most exact; users: smaller; both: mixed.  [default: items]",
)
@click.option("--members", type=click.IntRange(min=1), help="Ratings: networks, averaged.  [default: 1]")
@columns_option
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the data.  [default: those of the estimator]")
@click.option(
    "--validation", type=click.Path(path_type=Path), help="A file of held-out data: the best weights on it are kept."
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
    code: str,
    hidden: str | None,
    similar: str | None,
    augment: str | None,
    walk: tuple[int, int] | None,
    by: str | None,
    members: int | None,
    columns: tuple[str, ...] | None,
    epochs: int | None,
    validation: Path | None,
    patience: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train an autoencoder on the rows of INPUT (.npy, .csv, .parquet) and save it.

    With --data ratings:1-5 a recommender is trained instead, on a table (.csv, .parquet) with a row for each rating.
    """
    from codeword.code_kinds import parse_code_kind
    from codeword.data_kinds import Ratings, parse_data_kind
    from codeword.errors import ParameterError
    from codeword.files.output_file import check_writable

    try:
        data = None if data_text is None else parse_data_kind(data_text, edges=edges)
        code_kind = parse_code_kind(code)
        sizes = None if hidden is None else _layer_sizes(hidden)
    except ParameterError as error:
        raise click.UsageError(str(error)) from error
    _refuse_options_of_the_other(data, data_text)
    check_writable(output)

    chosen: dict[str, Any] = {
        "hidden": sizes,
        "similar": similar,
        "augment": augment,
        "walk": walk or None,
        "by": by,
        "members": members,
        "columns": columns,
    }
    chosen |= {"epochs": epochs, "patience": patience}
    settings = {name: value for name, value in chosen.items() if value is not None}
    settings |= {"data": data, "seed": seed, "verbose": progress_level(quiet, as_json)}
    if isinstance(data, Ratings):
        from codeword.cli.fit_ratings import fit_ratings

        result = fit_ratings(input, output, validation=validation, **settings)
    else:
        result = _fit_rows(input, output, validation=validation, code=code_kind, **settings)
    report(result, as_json=as_json)


def _refuse_options_of_the_other(data: Any, data_text: str | None) -> None:
    from codeword.data_kinds import Ratings

    given = "no --data" if data_text is None else f"--data {data_text}"
    is_ratings = isinstance(data, Ratings)
    where = "without --data ratings" if is_ratings else "with --data ratings:1-5 or another scale"
    for name in ONLY_FOR_ROWS if is_ratings else ONLY_FOR_RATINGS:
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} works only {where}. Received: {given}. Change one of the two.")


def _fit_rows(input: Path, output: Path, *, validation: Path | None, **settings: Any) -> dict[str, Any]:
    """Trains an `Autoencoder` on rows, saves it and tells what it made."""
    from codeword.files.tables import column_names, read_array

    x = read_array(input)
    if settings["data"] is None and {name.lower() for name in column_names(input)} & {"rating", "ratings", "stars"}:
        click.echo("If each row is one rating, train a recommender instead: --data ratings:1-5", err=True)
    held_out = None if validation is None else read_array(validation)

    from codeword.autoencoders.autoencoder import Autoencoder
    from codeword.autoencoders.training import similar_of

    model = Autoencoder(**settings)
    model.fit(x, validation_data=held_out)
    fingerprint = model.save(output)
    return {
        "model": str(output),
        "fingerprint": fingerprint,
        "rows": len(x),
        "data": str(model.data_),
        "code": str(model.code_),
        "similar": similar_of(model),
        "bytes_a_row": model.code_.num_bytes,
        "epochs": len(model.history_["loss"]),
        "measured_on": "training" if held_out is None else "validation",
        **model.evaluate(x if held_out is None else held_out),
    }


def _layer_sizes(text: str) -> tuple[int, ...]:
    from codeword.errors import ParameterError

    try:
        return tuple(int(units) for units in text.split(",") if units.strip())
    except ValueError as error:
        raise ParameterError(f"`--hidden` must be written as 512,512. Received: {text!r}.") from error
