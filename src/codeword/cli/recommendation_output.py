"""Print recommendations as a table."""

from typing import Any

import click

HEADER = ("user", "item", "rating")


def print_table(records: list[dict[str, Any]]) -> None:
    """Print one line per recommendation, and then a remark for each user who got none, or only general ones."""
    lines = [
        (str(record["user"]), str(item), f"{rating:.3f}")
        for record in records
        for item, rating in zip(record["items"], record["ratings"], strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(HEADER, *lines, strict=True)]
    for user, item, rating in [HEADER, *lines]:
        click.echo(f"{user:<{widths[0]}}  {item:<{widths[1]}}  {rating:>{widths[2]}}")
    remarks = [remark for record in records for remark in _remarks(record)]
    if remarks:
        click.echo("\n" + "\n".join(remarks))


def _remarks(record: dict[str, Any]) -> list[str]:
    if not record["items"]:
        return [f"User {record['user']} has rated every item, so nothing is left to recommend."]
    if not record["known"]:
        return [f"User {record['user']} has not rated any known item: these are the items rated highest in general."]
    return []
