"""`--columns`: the names of the columns of users, items and ratings."""

import click


def _three_names(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 3 or len(set(names)) < 3 or not all(names):
        raise click.BadParameter(f"must be three different names, in the order user,item,rating: got {text!r}.")
    return names


columns_option = click.option(
    "--columns",
    callback=_three_names,
    help="Names of the columns of users, items and ratings, such as user,item,rating.",
)
