"""Lists of items with scores, as `codeword recommend` prints and writes them."""

from pathlib import Path
from typing import Any, NamedTuple

import click

from codeword.errors import plain

WIDEST = 60  # characters of a column
MOST_REASONS = 3


class ItemLists(NamedTuple):
    """A list of items for each of some ids.

    Attributes:
        names: What the ids, the items and the scores are, such as user, item, rating.
        ids: Of those who get a list, `(n,)`.
        known: Whether the model knows them, `(n,)`.
        items: Ids, `(n, k)`.
        scores: Of the items, `(n, k)`, NaN where none is left.
        reasons: For each item, ids of items that argue for it, strongest first; None if not asked for.
    """

    names: tuple[str, str, str]
    ids: Any
    known: Any
    items: Any
    scores: Any
    reasons: list[list[list[Any]]] | None = None


def reasons_for(recommender: Any, users: Any, items: Any, scores: Any) -> list[list[list[Any]]]:
    """Return which of each user's items argue for a recommended one, at most three, strongest first."""
    import numpy as np

    def arguments(user: Any, item: Any) -> list[Any]:
        found, added = recommender.explain(user, item, MOST_REASONS)
        return list(found[added > 0].tolist())

    known = recommender.ratings_.users.positions(users, "users") >= 0
    return [
        [arguments(user, item) if is_known else [] for item in listed[~np.isnan(found)].tolist()]
        for user, is_known, listed, found in zip(users.tolist(), known, items, scores, strict=True)
    ]


def records(found: ItemLists) -> list[dict[str, Any]]:
    """Return a dictionary for each list, for JSON."""
    import numpy as np

    left, name = ~np.isnan(found.scores), found.names[0]
    listed = [
        {name: one, "known": known, "items": items[some].tolist(), _scores_of(found): scores[some].tolist()}
        for one, known, items, scores, some in zip(
            found.ids.tolist(), found.known.tolist(), found.items, found.scores, left, strict=True
        )
    ]
    for record, reasons in zip(listed, found.reasons or (), strict=False):
        record["because"] = reasons
    return listed


def _scores_of(found: ItemLists) -> str:
    return "similarities" if found.names[2] == "similarity" else f"{found.names[2]}s"


def write_lists(path: Path, found: ItemLists) -> dict[str, Any]:
    """Write one row per item to a table, and return what to report."""
    import numpy as np

    from codeword.files.output_table import write_columns

    left, (name, item, score) = ~np.isnan(found.scores), found.names
    columns = {name: np.repeat(found.ids, left.sum(axis=1)), item: found.items[left], score: found.scores[left]}
    if found.reasons is not None:
        because = [", ".join(map(str, reasons)) for listed in found.reasons for reasons in listed]
        columns["because"] = np.array(because, object)
    write_columns(path, columns)
    return {
        f"{name}s": len(found.ids),
        f"unknown_{name}s": found.ids[~found.known].tolist(),
        "rows": len(columns[item]),
        "written_to": str(path),
    }


def print_lists(found: ItemLists) -> None:
    """Print one line per item, and then a remark for each id that got none, or only general ones."""
    name, item, score = found.names
    lines = []
    for record in records(found):
        items, scores = record["items"], record[_scores_of(found)]
        reasons = record.get("because", [None] * len(items))
        for listed, number, because in zip(items, scores, reasons, strict=True):
            shown = f"{number:.3f}" if score == "rating" else f"{number:.4g}"
            more = [] if because is None else [plain(", ".join(map(str, because)))]
            lines.append([plain(str(record[name])), plain(str(listed)), shown, *more])
    header = [name, item, score, *([] if found.reasons is None else ["because of"])]
    widths = [min(max(map(len, column)), WIDEST) for column in zip(header, *lines, strict=True)]
    for first, second, number, *more in [header, *lines]:
        row = [f"{first:<{widths[0]}}", f"{second:<{widths[1]}}", f"{number:>{widths[2]}}", *more]
        click.echo("  ".join(row).rstrip())
    remarks = [_remark(record, name) for record in records(found) if not (record["items"] and record["known"])]
    if remarks:
        click.echo("\n" + "\n".join(remarks))


def _remark(record: dict[str, Any], name: str) -> str:
    shown = plain(str(record[name]))
    if name == "item":
        return f"The model knows no item that is similar to {shown}."
    if not record["items"]:
        return f"User {shown} has had every item, so nothing is left to recommend."
    return f"User {shown} has no ratings in the model: these items are the best for everyone."
