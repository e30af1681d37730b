"""Recommendations printed as a table."""

from typing import Any

import click

HEADER = ("user", "item", "rating")


def print_table(records: list[dict[str, Any]]) -> None:
    """Prints a line for each recommendation, and below a remark on who got none, or not their own."""
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
        return [f"User {record['user']} has rated every item: nothing is left."]
    if not record["known"]:
        return [f"User {record['user']} has no rating that the model knows: these items are rated highest in general."]
    return []
