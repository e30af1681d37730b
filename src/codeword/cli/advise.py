"""`codeword advise`: from data alone, its kind, its scaling, the output layer and the loss."""

from pathlib import Path
from typing import Any

import click

from codeword.cli.reporting import (
    PATH,
    columns_option,
    errors_in_words,
    json_option,
    pointing_to_columns,
    progress_level,
    quiet_option,
)


@click.command(
    epilog="""\b
Examples:
  codeword advise images.npy
  codeword advise table.parquet --json
  codeword advise ratings.csv --columns user,item,rating"""
)
@click.argument("input", type=PATH)
@columns_option
@quiet_option
@json_option
@errors_in_words
def advise(input: Path, columns: tuple[str, ...] | None, quiet: bool, as_json: bool) -> None:
    """Recommend a data kind, a scaling, an output layer and a loss for the values of INPUT.

    Nothing is trained, and Keras is not loaded. A table of ids (.csv, .tsv, .dat, .parquet) is read as ratings or
    interactions: one with columns such as userId, movieId and rating, or with those that --columns names. Empty cells
    of other tables count as NaN.
    """
    import json

    found, columns = _advice(input, columns, verbose=bool(progress_level(quiet, as_json)))
    commands = [_command(input, head, columns) for head in found.heads]
    if as_json:
        content = json.loads(found.to_json())
        for head, command in zip(content["heads"], commands, strict=True):
            head["command"] = command
        click.echo(json.dumps(content))
        return
    click.echo(str(found))
    for command in filter(None, commands):
        click.echo(f"\nOn the command line:\n\n    {command}")


def _advice(path: Path, columns: tuple[str, ...] | None, *, verbose: bool) -> tuple[Any, Any]:
    """Return the advice, and the columns to name, if any."""
    from codeword.advice.advise import advise as advise_on
    from codeword.advice.advise import advise_on_ids
    from codeword.files.id_tables import id_columns_in
    from codeword.files.tables import column_names, read_array
    from codeword.recommenders.given_ratings import given_ratings

    found = id_columns_in(path) if columns is None else columns
    if found is not None:
        given = given_ratings(path, found or None, counted=None)
        if found and columns is None:
            given = given._replace(note=given.columns.described([]))
        return advise_on_ids(given, are_named=bool(found), path=str(path)), found
    with pointing_to_columns(path):
        x = read_array(path, empty_as_nan=True)
    return advise_on(x, columns=column_names(path), verbose=verbose), None


def _command(path: Path, head: Any, columns: tuple[str, ...] | None) -> str | None:
    """Return the command that trains a network of codeword on the file; None if the file must be changed first."""
    import shlex

    from codeword.data_kinds import data_kind_text

    text = data_kind_text(head.kind)
    is_dense = head.source.path is None
    if text is None or head.codeword is None or head.prepare or (head.source.is_ratings and is_dense):
        return None
    options = ["--data", text]
    if head.source.is_ratings:
        options += ["--columns", ",".join(columns)] if columns else []
    else:
        options += ["--code", "bits:64"]
    return shlex.join(
        ["codeword", "fit", str(path), *options, "--output", f"{path.name.partition('.')[0] or 'model'}.codeword"]
    )
