"""`codeword fit`: train an autoencoder or a recommender on a file, and save it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from codeword.cli.fit_ratings import fit_ratings, inferred_kind
from codeword.cli.fit_rows import OBJECTIVES, OF_OBJECTIVES, fit_rows, layer_sizes, objective_of
from codeword.cli.reporting import (
    PATH,
    columns_option,
    errors_in_words,
    json_option,
    progress_level,
    quiet_option,
    repeated_option,
    report,
)

ONLY_FOR_ROWS = ("objective", *OF_OBJECTIVES, "edges", "code", "hidden")
ONLY_FOR_RATINGS = ("by", "members", "columns", "repeated")


@click.command(
    epilog="""\b
Examples:
  codeword fit images.npy --output digits.codeword --code bits:64 \\
    --data levels:0,0.25,0.5,0.75 --edges floor
  codeword fit photos.npy --output photos.codeword --code bits:32 \\
    --data unit --objective groups --augment images
  codeword fit table.csv --output table.codeword --code scalars:8 \\
    --hidden 128,64 --epochs 100 --json
  codeword fit ratings.csv --output films.codeword \\
    --data ratings:0.5-5/0.5 --by both
  codeword fit plays.tsv.gz --output songs.codeword --data interactions \\
    --columns listener,song"""
)
@click.argument("input", type=PATH)
@click.option("--output", "-o", required=True, type=PATH, help="The .codeword file to write.")
@click.option(
    "--data",
    "data_text",
    metavar="KIND",
    help="Which values the data takes: binary; unit (from 0 to 1); real, or for columns of different units real:each, "
    "on one scale real:common; levels:4 (0 to 3) or levels:0,0.25,0.5,0.75; ratings:1-5 or, with their step, "
    "ratings:0.5-5/0.5, or, with a number for not rated, ratings:1-10,missing=-1; interactions (likes, clicks, "
    "purchases, counts).  "
    "[default: inferred from the data]",
)
@click.option(
    "--edges",
    default="midpoint",
    type=click.Choice(["midpoint", "floor"]),
    help="Levels: an output changes to the next level halfway (midpoint), or when it reaches it (floor).",
    show_default=True,
)
@click.option(
    "--code",
    metavar="KIND",
    default="bits:64",
    show_default=True,
    help="What a code consists of: bits:64; scalars:8 or, of 16 steps each, scalars:8x16; choices:8x256; "
    "residual:8 (learned codebooks of 256 entries); floats:8.",
)
@click.option(
    "--hidden",
    metavar="UNITS",
    help="Units of the hidden layers of the encoder, such as 512,256.  [default: 512,512]",
)
@click.option(
    "--objective",
    type=click.Choice(list(OBJECTIVES)),
    help="What the codes are for. reconstruct: getting rows back; groups: finding all rows of a kind; neighbors: "
    "finding the nearest rows. The last two need bits.  [default: groups for bits of unit and real data, else "
    "reconstruct]",
)
@click.option(
    "--neighbors",
    type=click.IntRange(min=1),
    help="Groups, neighbors: number of nearest rows to draw from.  [default: 10]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Groups, neighbors: steps of the random walk to a similar row. For embeddings of text use --objective "
    "groups --neighbors 100 --steps 1.  [default: 20 for groups, 1 for neighbors]",
)
@click.option(
    "--augment", type=click.Choice(["images"]), help="Groups, neighbors: images keep their code when turned or shifted."
)
@click.option(
    "--swap",
    type=click.FloatRange(0, 1),
    help="Reconstruct: share of the cells that are swapped with other rows during training.  [default: 0.15 "
    "for bits and choices]",
)
@click.option(
    "--noise",
    type=click.FloatRange(0, 1),
    help="With --objective: noise added before the code during training.  [default: 0.2 for "
    "reconstructing bits, else 0]",
)
@click.option(
    "--by",
    type=click.Choice(["auto", "items", "users", "both"]),
    help="Ratings: a row of the network holds the ratings of an item (most accurate) or of a user (smaller). both: "
    "networks of both kinds, averaged. auto: users where they are many and have few ratings.  [default: auto]",
)
@click.option("--members", type=click.IntRange(min=1), help="Ratings: number of networks to average.  [default: 1]")
@columns_option
@repeated_option
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Maximum number of epochs.  [default: 40 for reconstruct, 14 for ratings, else 1,200 steps]",
)
@click.option(
    "--validation",
    type=PATH,
    help="File of held-out data. The weights that fit it best are kept; of ratings, it weighs the networks.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Number of epochs without a better validation loss after which training stops.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the training.")
@quiet_option
@json_option
@errors_in_words
def fit(
    input: Path,
    output: Path,
    data_text: str | None,
    edges: str,
    code: str,
    hidden: str | None,
    objective: str | None,
    validation: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an autoencoder on the rows of INPUT (.npy, .csv, .parquet), and save the model.

    With --data ratings:1-5, --data interactions, or a table of ids such as userId, movieId, rating, this trains a
    recommender instead, on one row per rating or interaction. Tables may be text of any kind (.csv, .tsv, .txt, .dat;
    with .gz) or .parquet. Options that begin with Levels, Groups, Ratings and so on are only for these.
    """
    from codeword.code_kinds import parse_code_kind
    from codeword.data_kinds import parse_data_kind
    from codeword.files.output_file import check_writable

    of_objective = {name: options.pop(name) for name in OF_OBJECTIVES}
    with usage_errors():
        data = None if data_text is None else parse_data_kind(data_text, edges=edges)
        code_kind = parse_code_kind(code)
        sizes = None if hidden is None else layer_sizes(hidden)
        columns = _columns_of_ids(input, options["columns"]) if data is None else options["columns"]
        is_ratings = columns is not None if data is None else data.has_missing
        _refuse_options_of_the_other(is_ratings, data_text)
        objective_kind = objective_of(objective, of_objective, code_kind)
        chosen = {"objective": objective_kind, "hidden": sizes, **options, "columns": columns or None}
    check_writable(output)
    settings = {name: value for name, value in chosen.items() if value is not None}
    settings |= {"data": data, "verbose": progress_level(quiet, as_json)}
    if is_ratings:
        settings["data"] = data or inferred_kind(input, columns or None)
        result = fit_ratings(input, output, validation=validation, **settings)
    else:
        result = fit_rows(input, output, validation=validation, code=code_kind, **settings)
    report(result, as_json=as_json)


@contextmanager
def usage_errors() -> Iterator[None]:
    """End the command with exit code 2 where an option cannot work."""
    from codeword.errors import ParameterError

    try:
        yield
    except ParameterError as error:
        raise click.UsageError(str(error)) from error


def _columns_of_ids(path: Path, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the columns of a table of ids of which --data says nothing, none where the order is usual; else None."""
    from codeword.files.id_tables import id_columns_in

    asked = click.get_current_context().get_parameter_source
    if any(asked(name) is ParameterSource.COMMANDLINE for name in ONLY_FOR_ROWS):
        return None
    return id_columns_in(path) if columns is None else columns


def _refuse_options_of_the_other(is_ratings: bool, data_text: str | None) -> None:
    given = "no --data" if data_text is None else f"--data {data_text}"
    for name in ONLY_FOR_ROWS if is_ratings else ONLY_FOR_RATINGS:
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
            needed = "other data than ratings" if is_ratings else "--data ratings:1-5, another scale, or interactions"
            raise click.UsageError(f"--{name} needs {needed}: got {given}.")
