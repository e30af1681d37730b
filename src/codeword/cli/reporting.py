"""What commands share: options, checks, and the output of results and errors."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from codeword.errors import CodewordError, ParameterError, plain

PATH = click.Path(path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as a JSON object.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress bar.")


def _names(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not 2 <= len(names) <= 4 or len(set(names)) < len(names) or not all(names):
        raise click.BadParameter(
            f"must be two to four different names, in the order user,item,rating,time: got {text!r}."
        )
    return names


columns_option = click.option(
    "--columns",
    callback=_names,
    metavar="NAMES",
    help="Names of the columns of users, items, ratings (or counts) and times, in this order, such as "
    "user,item,rating. Interactions need the first two. In a text without names: column0,column1,column2.  [default: "
    "found by common names, such as userId,movieId,rating,timestamp, or by position]",
)
repeated_option = click.option(
    "--repeated",
    type=click.Choice(["last", "mean", "error"]),
    help="Ratings: what counts of several ratings of one pair: the last (the latest if there are times), or their "
    "mean; or an error.  [default: last]",
)


def errors_in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command print the message of an error and exit with code 1, instead of showing a traceback.

    Warnings are printed without the line of Python that they come from.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with warnings.catch_warnings():
                plain_warning = warnings.showwarning
                warnings.showwarning = partial(_show_warning, plain_warning)
                command(*args, **kwargs)
        except (CodewordError, FileNotFoundError) as error:
            raise click.ClickException(str(error)) from error

    return run


def _show_warning(otherwise: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any) -> None:
    if category is UserWarning:
        click.echo(f"Warning: {plain(str(message))}", err=True)
    else:
        otherwise(message, category, *where)


def report(result: dict[str, Any], *, as_json: bool) -> None:
    """Print a result as JSON, or one line per entry."""
    if as_json:
        click.echo(json.dumps(result))
        return
    width = max(map(len, result)) + 2
    for name, value in result.items():
        shown = f"{value:.4f}" if isinstance(value, float) else "none" if value is None else value
        click.echo(f"{name.replace('_', ' '):<{width}}{plain(str(shown))}")


@contextmanager
def pointing_to_columns(path: Path) -> Iterator[None]:
    """Add how to train a recommender to the message about a table that no autoencoder takes, but may hold ids."""
    from codeword.arrays.id_columns import named_columns
    from codeword.errors import DataError
    from codeword.files.tables import column_names

    try:
        yield
    except DataError as error:
        if "empty cells" in str(error):
            raise DataError(
                f"{error} If each column is an item, and an empty cell means not rated, melt it into rows first, such "
                'as in pandas: frame.melt(id_vars="user").dropna().'
            ) from error
        if "got text in column" not in str(error):
            raise
        found = named_columns(column_names(path), counted=True)
        advice = (
            "name the columns: --columns USER,ITEM,RATING, in a text without names by position: --columns "
            "column0,column1,column2."
            if found is None
            else f"train a recommender: --data interactions reads {found.described([], 'count')}."
        )
        rows = "ratings of items by users" if found is None else "of users and items"
        raise DataError(f"{error} If rows are {rows}, {advice}") from error


def print_columns(note: str | None) -> None:
    """Print which columns of a table were found, on stderr."""
    if note is not None:
        click.echo(f"Columns: {plain(note)}.", err=True)


def progress_level(quiet: bool, as_json: bool) -> int:
    """Return `verbose` for estimators: progress bars, unless the output is meant to be quiet or machine-readable."""
    return 0 if quiet or as_json else 1


def check_table_path(path: Path) -> None:
    """Check that `write_columns` can write to a path."""
    from codeword.errors import TableFileError
    from codeword.files.output_file import check_writable

    if path.suffix not in (".csv", ".parquet"):
        raise TableFileError(f"{path} must end in .csv or .parquet: got {path.suffix!r}.")
    check_writable(path)


def load_model(path: Path, wanted: str) -> Any:
    """Load a model of the class that a command needs, or name the command that takes it."""
    from codeword.files.saved_model import load

    model = load(path)
    if type(model).__name__ != wanted:
        remedy = {
            "Autoencoder": "Use it with `codeword encode`.",
            "RatingAutoencoder": "Use it with `codeword recommend`.",
            "ItemCodes": "Use it in Python, with codeword.load.",
        }.get(type(model).__name__, "Use it in Python.")
        if wanted == "RatingAutoencoder":
            remedy = "Train one with `codeword fit ratings.csv --data ratings:1-5`."
        raise ParameterError(f"{path} must hold a model of class {wanted}: got {type(model).__name__}. {remedy}")
    return model
