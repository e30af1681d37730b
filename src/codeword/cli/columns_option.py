"""`--columns`: how a table names its users, items and ratings."""

import click


def _three_names(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 3 or len(set(names)) < 3 or not all(names):
        raise click.BadParameter(
            "It must name three columns, those of users, items and ratings. "
            f"Received: {text!r}. Write user,item,rating, in this order."
        )
    return names


columns_option = click.option(
    "--columns", callback=_three_names, help="A table's columns of users, items and ratings, such as user,item,rating."
)
