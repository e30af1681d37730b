"""`codeword recommend`: the items that users may want next, from a model of ratings or interactions."""

import re
from pathlib import Path
from typing import Any

import click

from codeword.cli.recommendations import MOST_REASONS, ItemLists, print_lists, reasons_for, records, write_lists
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

INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


@click.command(
    epilog="""\b
Examples:
  codeword recommend films.codeword --user 42 --user 43 -k 10
  codeword recommend films.codeword --user 42 --by rating
  codeword recommend films.codeword --user 42 --explain \\
    --items in-stock.csv --exclude returned.txt
  codeword recommend films.codeword --similar-to 242
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
@click.option(
    "--similar-to",
    "-s",
    "similar_to",
    multiple=True,
    help="Instead of users: id of an item, for items that the same people take. May be repeated.",
)
@columns_option
@click.option(
    "--by",
    type=click.Choice(["ranking", "rating", "popularity"]),
    help="Order: what the user is most likely to choose and like (ranking), would rate highest (rating), or what most "
    "users have chosen (popularity).  [default: what ranked held-out ratings best]",
)
@click.option(
    "--items",
    type=PATH,
    help="Recommend only these: a text with an id per line, or a table with a column such as item or movieId.",
)
@click.option("--exclude", type=PATH, help="Never recommend these: a file as for --items.")
@click.option("--include-seen", is_flag=True, help="Also recommend what the user has rated or taken before.")
@click.option(
    "--explain",
    is_flag=True,
    help=f"Add which of the user's items argue for a recommended one, at most {MOST_REASONS}.",
)
@click.option(
    "--number", "-k", "k", default=10, show_default=True, type=click.IntRange(min=1), help="Length of a list."
)
@click.option("--output", "-o", type=PATH, help="Write the result to this .csv or .parquet table.")
@json_option
@errors_in_words
def recommend(
    model: Path,
    users: tuple[str, ...],
    new: Path | None,
    everyone: bool,
    similar_to: tuple[str, ...],
    columns: tuple[str, ...] | None,
    by: str | None,
    items: Path | None,
    exclude: Path | None,
    include_seen: bool,
    explain: bool,
    k: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Recommend items that users of MODEL, or new users, have not rated or taken, best first; or similar items.

    Scores are predicted ratings with --by rating, and otherwise numbers to compare for one user. Users who have not
    rated or taken any known item get the same items as anyone, with a remark.
    """
    if bool(users) + (new is not None) + everyone + bool(similar_to) != 1:
        raise click.UsageError(
            "Pass one of --user (once or several times), --all, --new with a table, or --similar-to with an item."
        )
    if columns is not None and new is None:
        raise click.UsageError("--columns names the columns of the table of --new: got no --new.")
    if explain and (new is not None or by not in (None, "ranking")):
        raise click.UsageError("--explain needs --by ranking, and --user or --all.")
    if similar_to and (by or items or exclude or include_seen or explain):
        raise click.UsageError("--similar-to takes only -k, --output and --json.")
    if output is not None:
        check_table_path(output)

    recommender = load_model(model, "RatingAutoencoder")
    k, what = min(k, len(recommender.items_)), {}
    if similar_to:
        found = _similar(recommender, similar_to, k)
    else:
        by = "ranking" if explain else recommender.recommends_by_ if by is None else by
        what = {"by": by}
        options = {"k": k, "by": by, "include_seen": include_seen, "return_known": True}
        options |= {name: _listed(path, recommender) for name, path in (("items", items), ("exclude", exclude)) if path}
        if new is not None:
            found = _for_new(recommender, new, columns or recommender.columns, options)
        else:
            ids = recommender.users_ if everyone else _ids(users, recommender.users_.dtype.kind, "--user")
            found = _for_known(recommender, ids, options, explain=explain)
    if output is not None:
        report({**write_lists(output, found), **what}, as_json=as_json)
    elif as_json:
        report({**what, "similar_items" if similar_to else "recommendations": records(found)}, as_json=True)
    else:
        print_lists(found)


def _names(by: str) -> tuple[str, str, str]:
    return ("user", "item", "rating" if by == "rating" else "score")


def _for_known(model: Any, users: Any, options: dict[str, Any], *, explain: bool) -> ItemLists:
    items, scores, known = model.recommend(users, **options)
    reasons = reasons_for(model, users, items, scores) if explain else None
    return ItemLists(_names(options["by"]), users, known, items, scores, reasons)


def _for_new(model: Any, path: Path, columns: Any, options: dict[str, Any]) -> ItemLists:
    from codeword.recommenders.rating_table import as_rating_table

    table = as_rating_table(
        path, model.data_, columns=columns, repeated=model.repeated, empty=True, like=model.ratings_
    )
    print_columns(table.note)
    items, scores, known = model.recommend_new(table, **options)
    return ItemLists(_names(options["by"]), table.users.values, known, items, scores)


def _similar(model: Any, texts: tuple[str, ...], k: int) -> ItemLists:
    ids = _ids(texts, model.items_.dtype.kind, "--similar-to")
    items, similarities = model.similar_items(ids, k)
    known = model.ratings_.items.positions(ids, "items") >= 0
    return ItemLists(("item", "similar", "similarity"), ids, known, items, similarities)


def _listed(path: Path, model: Any) -> Any:
    """Return the ids of items in a file, without a name above them if ids are integers."""
    from codeword.files.id_lists import read_item_ids

    texts, kind = read_item_ids(path), model.items_.dtype.kind
    if kind == "i" and texts and not INTEGER.fullmatch(texts[0]):
        texts = texts[1:]
    return _ids(tuple(texts), kind, str(path))


def _ids(texts: tuple[str, ...], dtype_kind: str, name: str) -> Any:
    """Return ids as the model has them, integers or text."""
    import numpy as np

    from codeword.errors import ParameterError, shown

    if dtype_kind != "i":
        return np.array(texts, object)
    for text in texts:
        if not INTEGER.fullmatch(text) or abs(int(text)) >= 2**63:
            raise ParameterError(f"`{name}` must have integers, like the ids in the training data: got {shown(text)}.")
    return np.array([int(text) for text in texts], np.int64)
