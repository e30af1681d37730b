"""`codeword recommend`: the items that users would rate highest, from a model of ratings."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import click

from codeword.cli.reporting import (
    PATH,
    check_table_path,
    columns_option,
    errors_in_words,
    json_option,
    load_model,
    report,
)
from codeword.errors import plain

HEADER = ("user", "item", "rating")
WIDEST = 60  # characters of a column


class Recommendations(NamedTuple):
    """Ids of users `(n,)`, whether the model knows them `(n,)`, items and ratings `(n, k)`, NaN where none is left."""

    users: Any
    known: Any
    items: Any
    ratings: Any


@click.command(
    epilog="""\b
Examples:
  codeword recommend films.codeword --user 42 --user 43 -k 10
  codeword recommend films.codeword --new ratings.csv --output best.parquet"""
)
@click.argument("model", type=PATH)
@click.option("--user", "-u", "users", multiple=True, help="Id of a user in the training data. May be repeated.")
@click.option(
    "--new",
    type=PATH,
    help="Table of ratings (.csv, .parquet) by users that the model has not seen. Nothing is trained.",
)
@columns_option
@click.option(
    "--number", "-k", "k", default=10, show_default=True, type=click.IntRange(min=1), help="Number of items per user."
)
@click.option("--output", "-o", type=PATH, help="Write the result to this .csv or .parquet table.")
@json_option
@errors_in_words
def recommend(
    model: Path,
    users: tuple[str, ...],
    new: Path | None,
    columns: tuple[str, ...] | None,
    k: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Recommend items that users of MODEL, or new users, have not rated, best first.

    Items are ranked by predicted rating. Users who have not rated any known item get the items that are rated
    highest in general, with a remark.
    """
    if bool(users) == (new is not None):
        raise click.UsageError("Pass either --user, once or several times, or --new with a table of ratings.")
    if columns is not None and new is None:
        raise click.UsageError("--columns names the columns of the table of --new: got no --new.")
    if output is not None:
        check_table_path(output)

    recommender = load_model(model, "RatingAutoencoder")
    k = min(k, len(recommender.items_))
    if new is None:
        found = _for_users(recommender, users, k)
    else:
        found = _for_new(recommender, new, columns or recommender.columns, k)
    if output is not None:
        report(_write(output, found), as_json=as_json)
    elif as_json:
        report({"recommendations": _records(found)}, as_json=True)
    else:
        _print(_records(found))


def _for_users(model: Any, texts: tuple[str, ...], k: int) -> Recommendations:
    users = _ids(texts, model.users_.dtype.kind)
    items, ratings, known = model.recommend(users, k, return_known=True)
    return Recommendations(users, known, items, ratings)


def _for_new(model: Any, path: Path, columns: Any, k: int) -> Recommendations:
    from codeword.recommenders.rating_table import as_rating_table

    table = as_rating_table(path, None, columns=columns, empty=True, like=model.ratings_)
    items, ratings, known = model.recommend_new(table, k, return_known=True)
    return Recommendations(table.users.values, known, items, ratings)


def _ids(texts: tuple[str, ...], dtype_kind: str) -> Any:
    """Return ids as the model has them, integers or text."""
    import numpy as np

    from codeword.errors import ParameterError

    if dtype_kind != "i":
        return np.array(texts, object)
    for text in texts:
        if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or abs(int(text)) >= 2**63:
            raise ParameterError(
                f"`--user` must be an integer, like the ids of users in the training data: got {text!r}."
            )
    return np.array([int(text) for text in texts], np.int64)


def _records(found: Recommendations) -> list[dict[str, Any]]:
    import numpy as np

    left = ~np.isnan(found.ratings)
    return [
        {"user": user, "known": known, "items": items[some].tolist(), "ratings": ratings[some].tolist()}
        for user, known, items, ratings, some in zip(
            found.users.tolist(), found.known.tolist(), found.items, found.ratings, left, strict=True
        )
    ]


def _write(path: Path, found: Recommendations) -> dict[str, Any]:
    import numpy as np

    from codeword.files.output_table import write_columns

    left = ~np.isnan(found.ratings)
    users = np.repeat(found.users, left.sum(axis=1))
    write_columns(path, {"user": users, "item": found.items[left], "rating": found.ratings[left]})
    return {
        "users": len(found.users),
        "unknown_users": found.users[~found.known].tolist(),
        "rows": len(users),
        "written_to": str(path),
    }


def _print(records: list[dict[str, Any]]) -> None:
    """Print one line per recommendation, and then a remark for each user who got none, or only general ones."""
    records = [{**record, "user": plain(str(record["user"]))} for record in records]
    lines = [
        (record["user"], plain(str(item)), f"{rating:.3f}")
        for record in records
        for item, rating in zip(record["items"], record["ratings"], strict=True)
    ]
    widths = [min(max(map(len, column)), WIDEST) for column in zip(HEADER, *lines, strict=True)]
    for user, item, rating in [HEADER, *lines]:
        click.echo(f"{user:<{widths[0]}}  {item:<{widths[1]}}  {rating:>{widths[2]}}")
    remarks = [
        f"User {record['user']} has rated every item, so nothing is left to recommend."
        if not record["items"]
        else f"User {record['user']} has not rated any known item: these are the items rated highest in general."
        for record in records
        if not (record["items"] and record["known"])
    ]
    if remarks:
        click.echo("\n" + "\n".join(remarks))
