"""`codeword recommend`: the items that users may want next, from a model of ratings or interactions."""

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
    print_columns,
    report,
)
from codeword.errors import plain

WIDEST = 60  # characters of a column


class Recommendations(NamedTuple):
    """Lists of items for users.

    Attributes:
        users: Ids, `(n,)`.
        known: Whether the model knows them, `(n,)`.
        items: Ids, `(n, k)`.
        scores: Of the items, `(n, k)`, NaN where none is left.
        by: The order, "ranking", "rating" or "popularity".
    """

    users: Any
    known: Any
    items: Any
    scores: Any
    by: str

    @property
    def name(self) -> str:
        """What the scores are."""
        return "rating" if self.by == "rating" else "score"


@click.command(
    epilog="""\b
Examples:
  codeword recommend films.codeword --user 42 --user 43 -k 10
  codeword recommend films.codeword --user 42 --by rating
  codeword recommend films.codeword --all --output best.parquet
  codeword recommend films.codeword --new ratings.csv --output best.parquet"""
)
@click.argument("model", type=PATH)
@click.option("--user", "-u", "users", multiple=True, help="Id of a user in the training data. May be repeated.")
@click.option(
    "--new",
    type=PATH,
    help="Table (.csv, .tsv, .dat, .parquet) of what users have rated or taken whom the model has not seen. Nothing is "
    "trained.",
)
@click.option("--all", "everyone", is_flag=True, help="All users in the training data.")
@columns_option
@click.option(
    "--by",
    type=click.Choice(["ranking", "rating", "popularity"]),
    help="Order: what the user is most likely to choose and like (ranking), would rate highest (rating), or what most "
    "users have chosen (popularity).  [default: what ranked held-out ratings best]",
)
@click.option("--include-seen", is_flag=True, help="Also recommend what the user has rated or taken before.")
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
    everyone: bool,
    columns: tuple[str, ...] | None,
    by: str | None,
    include_seen: bool,
    k: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Recommend items that users of MODEL, or new users, have not rated or taken, best first.

    Scores are predicted ratings with --by rating, and otherwise numbers to compare for one user. Users who have not
    rated or taken any known item get the same items as anyone, with a remark.
    """
    if bool(users) + (new is not None) + everyone != 1:
        raise click.UsageError("Pass one of --user (once or several times), --all, or --new with a table.")
    if columns is not None and new is None:
        raise click.UsageError("--columns names the columns of the table of --new: got no --new.")
    if output is not None:
        check_table_path(output)

    recommender = load_model(model, "RatingAutoencoder")
    k = min(k, len(recommender.items_))
    by = recommender.recommends_by_ if by is None else by
    options = {"k": k, "by": by, "include_seen": include_seen, "return_known": True}
    if new is not None:
        found = _for_new(recommender, new, columns or recommender.columns, options)
    else:
        ids = recommender.users_ if everyone else _ids(users, recommender.users_.dtype.kind)
        items, scores, known = recommender.recommend(ids, **options)
        found = Recommendations(ids, known, items, scores, by)
    if output is not None:
        report(_write(output, found), as_json=as_json)
    elif as_json:
        report({"by": by, "recommendations": _records(found)}, as_json=True)
    else:
        _print(_records(found), found.name)


def _for_new(model: Any, path: Path, columns: Any, options: dict[str, Any]) -> Recommendations:
    from codeword.recommenders.rating_table import as_rating_table

    table = as_rating_table(
        path, model.data_, columns=columns, repeated=model.repeated, empty=True, like=model.ratings_
    )
    print_columns(table.note)
    items, scores, known = model.recommend_new(table, **options)
    return Recommendations(table.users.values, known, items, scores, options["by"])


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

    left = ~np.isnan(found.scores)
    return [
        {"user": user, "known": known, "items": items[some].tolist(), f"{found.name}s": scores[some].tolist()}
        for user, known, items, scores, some in zip(
            found.users.tolist(), found.known.tolist(), found.items, found.scores, left, strict=True
        )
    ]


def _write(path: Path, found: Recommendations) -> dict[str, Any]:
    import numpy as np

    from codeword.files.output_table import write_columns

    left = ~np.isnan(found.scores)
    users = np.repeat(found.users, left.sum(axis=1))
    write_columns(path, {"user": users, "item": found.items[left], found.name: found.scores[left]})
    return {
        "users": len(found.users),
        "unknown_users": found.users[~found.known].tolist(),
        "rows": len(users),
        "by": found.by,
        "written_to": str(path),
    }


def _print(records: list[dict[str, Any]], name: str) -> None:
    """Print one line per recommendation, and then a remark for each user who got none, or only general ones."""
    records = [{**record, "user": plain(str(record["user"]))} for record in records]
    lines = [
        (record["user"], plain(str(item)), f"{score:.3f}" if name == "rating" else f"{score:.4g}")
        for record in records
        for item, score in zip(record["items"], record[f"{name}s"], strict=True)
    ]
    header = ("user", "item", name)
    widths = [min(max(map(len, column)), WIDEST) for column in zip(header, *lines, strict=True)]
    for user, item, score in [header, *lines]:
        click.echo(f"{user:<{widths[0]}}  {item:<{widths[1]}}  {score:>{widths[2]}}")
    remarks = [
        f"User {record['user']} has had every item, so nothing is left to recommend."
        if not record["items"]
        else f"User {record['user']} has no ratings in the model: these items are the best for everyone."
        for record in records
        if not (record["items"] and record["known"])
    ]
    if remarks:
        click.echo("\n" + "\n".join(remarks))
