"""`codeword fit`: train an autoencoder or a recommender on a file, and save it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from codeword.cli.reporting import (
    PATH,
    columns_option,
    errors_in_words,
    json_option,
    pointing_to_columns,
    progress_level,
    repeated_option,
    report,
)

PAIRS = ("neighbors", "steps", "augment", "noise")
OBJECTIVES = {
    "reconstruct": ("Reconstruct", ("swap", "noise")),
    "groups": ("KeepGroups", PAIRS),
    "neighbors": ("KeepNeighbors", PAIRS),
}
ONLY_FOR_ROWS = ("objective", *PAIRS, "swap", "edges", "code", "hidden")
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
    help="Which values the data takes: binary; unit (from 0 to 1); real; real:common (all columns on one scale, as in "
    "embeddings); levels:4 (0 to 3) or levels:0,0.25,0.5,0.75; ratings:1-5 or, with their step, ratings:0.5-5/0.5, or, "
    "with a number for not rated, ratings:1-10,missing=-1; interactions (likes, clicks, purchases, counts).  "
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
    help="What a code consists of: bits:64; scalars:8 or, of 16 steps each, scalars:8x16; choices:8x256; floats:8.",
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
@click.option("--validation", type=PATH, help="File of held-out data. The weights that fit it best are kept.")
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Number of epochs without a better validation loss after which training stops.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the training.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress bar.")
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

    of_objective = {name: options.pop(name) for name in ("neighbors", "steps", "augment", "swap", "noise")}
    with usage_errors():
        data = None if data_text is None else parse_data_kind(data_text, edges=edges)
        code_kind = parse_code_kind(code)
        sizes = None if hidden is None else _layer_sizes(hidden)
        is_ratings = _is_id_table(input, options["columns"]) if data is None else data.has_missing
        _refuse_options_of_the_other(is_ratings, data_text)
        chosen = {"objective": _objective(objective, of_objective, code_kind), "hidden": sizes, **options}
    check_writable(output)
    settings = {name: value for name, value in chosen.items() if value is not None}
    settings |= {"data": data, "verbose": progress_level(quiet, as_json)}
    if is_ratings:
        settings["data"] = data or _inferred_kind(input, options["columns"])
        result = _fit_ratings(input, output, validation=validation, **settings)
    else:
        result = _fit_rows(input, output, validation=validation, code=code_kind, **settings)
    report(result, as_json=as_json)


@contextmanager
def usage_errors() -> Iterator[None]:
    """End the command with exit code 2 where an option cannot work."""
    from codeword.errors import ParameterError

    try:
        yield
    except ParameterError as error:
        raise click.UsageError(str(error)) from error


def _is_id_table(path: Path, columns: tuple[str, ...] | None) -> bool:
    """Return whether to train a recommender on a file of which --data says nothing."""
    from codeword.files.id_tables import is_id_file

    asked = click.get_current_context().get_parameter_source
    if any(asked(name) is ParameterSource.COMMANDLINE for name in ONLY_FOR_ROWS):
        return False
    return columns is not None or is_id_file(path)


def _inferred_kind(path: Path, columns: tuple[str, ...] | None) -> Any:
    """Return the kind of a table of ids, and print it; refuse a table of two kinds."""
    from codeword.arrays.id_columns import is_count
    from codeword.data_kinds.inference import kinds_of_observed
    from codeword.errors import DataError
    from codeword.recommenders.given_ratings import given_ratings, numbers_of

    given = given_ratings(path, columns, counted=None)
    are_rated = given.values is not None and not is_count(given.columns.value)
    kind, *others = kinds_of_observed(numbers_of(given) if are_rated else None)
    if others:
        words = " or ".join(f"--data {one.word}" for one in (kind, *others))
        missing = kind.to_config()["missing"]
        raise DataError(f"{path} may hold {missing:g} for not rated. Choose {words}.")
    click.echo(
        f"{path} is a table of ids: training a recommender with --data {kind.word}. For an autoencoder of rows, pass "
        "another kind, such as --data real.",
        err=True,
    )
    return kind


def _refuse_options_of_the_other(is_ratings: bool, data_text: str | None) -> None:
    given = "no --data" if data_text is None else f"--data {data_text}"
    for name in ONLY_FOR_ROWS if is_ratings else ONLY_FOR_RATINGS:
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
            needed = "other data than ratings" if is_ratings else "--data ratings:1-5, another scale, or interactions"
            raise click.UsageError(f"--{name} needs {needed}: got {given}.")


def _objective(name: str | None, options: dict[str, Any], code: Any) -> Any:
    """Return the objective that the options describe, or None if they describe none."""
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        fitting = [other for other, (_, taken) in OBJECTIVES.items() if option in taken]
        if name not in fitting:
            got = "none" if name is None else f"--objective {name}"
            raise click.UsageError(f"--{option} needs --objective {' or '.join(fitting)}: got {got}.")
    if name is None:
        return None
    from codeword import objectives

    objective = getattr(objectives, OBJECTIVES[name][0])(**given)
    objective.check_code(code)
    return objective


def _fit_rows(input: Path, output: Path, *, validation: Path | None, **settings: Any) -> dict[str, Any]:
    """Train an `Autoencoder` on rows, save it and return what to report."""
    from codeword.arrays.id_columns import has_ratings
    from codeword.files.tables import column_names, read_array

    with pointing_to_columns():
        x = read_array(input)
    if settings["data"] is None and has_ratings(column_names(input)):
        click.echo("If each row is one rating, train a recommender instead, with --data ratings:1-5.", err=True)
    held_out = None if validation is None else read_array(validation)

    from codeword.autoencoders.autoencoder import Autoencoder

    model = Autoencoder(**settings)
    model.fit(x, validation_data=held_out)
    fingerprint = model.save(output)
    return {
        "model": str(output),
        "fingerprint": fingerprint,
        "rows": len(x),
        "data": str(model.data_),
        "code": str(model.code_),
        "objective": str(model.objective_),
        "bytes_per_row": model.code_.num_bytes,
        "epochs": len(model.history_["loss"]),
        "measured_on": "training" if held_out is None else "validation",
        **model.evaluate(x if held_out is None else held_out),
    }


def _fit_ratings(input: Path, output: Path, *, data: Any, validation: Path | None, **settings: Any) -> dict[str, Any]:
    """Train a `RatingAutoencoder` on a table, save it and return what to report."""
    from codeword.recommenders.rating_autoencoder import RatingAutoencoder

    model = RatingAutoencoder(data=data, **settings)
    model.fit(input, validation_data=validation)
    fingerprint = model.save(output)
    if validation is not None:  # the whole file, also users and items without a training rating
        errors = {"measured_on": "validation", **model.evaluate(validation, k=None if data.has_ratings else 10)}
    elif not data.has_ratings or math.isnan(model.validation_rmse_):  # no rating, as happens with very few of them
        errors = {"measured_on": None, **({"rmse": None} if data.has_ratings else {})}
    else:
        errors = {"measured_on": "held-out ratings", "rmse": model.validation_rmse_}
    counts = {"users": len(model.users_), "items": len(model.items_), "columns": model.ratings_.note}
    made = {"model": str(output), "fingerprint": fingerprint}
    if not data.has_ratings:
        return {**made, "interactions": model.num_ratings_, **counts, "recommends_by": model.recommends_by_, **errors}
    return {
        **made,
        "ratings": model.num_ratings_,
        **counts,
        "scale": [data.low, data.high],
        "step": data.step,
        "networks": len(model.members_),
        "epochs": max(len(member.history["mse"]) for member in model.members_),
        "recommends_by": model.recommends_by_,
        **errors,
    }


def _layer_sizes(text: str) -> tuple[int, ...]:
    from codeword.errors import ParameterError

    try:
        return tuple(int(units) for units in text.split(",") if units.strip())
    except ValueError as error:
        raise ParameterError(f"`--hidden` must look like 512,512: got {text!r}.") from error
