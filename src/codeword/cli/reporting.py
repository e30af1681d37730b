"""What commands share: options, checks, and the output of results and errors."""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from codeword.errors import CodewordError, ParameterError, plain

PATH = click.Path(path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as a JSON object.")


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
    metavar="NAMES",
    help="Names of the columns of users, items and ratings, in this order, such as user,item,rating.",
)


def errors_in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command print the message of an error and exit with code 1, instead of showing a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (CodewordError, FileNotFoundError) as error:
            raise click.ClickException(str(error)) from error

    return run


def report(result: dict[str, Any], *, as_json: bool) -> None:
    """Print a result as JSON, or one line per entry."""
    if as_json:
        click.echo(json.dumps(result))
        return
    width = max(map(len, result)) + 2
    for name, value in result.items():
        shown = f"{value:.4f}" if isinstance(value, float) else "none" if value is None else value
        click.echo(f"{name.replace('_', ' '):<{width}}{plain(str(shown))}")


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
            "Autoencoder": "Use it with `codeword recommend`.",
            "RatingAutoencoder": "Train one with `codeword fit ratings.csv --data ratings:1-5`.",
        }[wanted]
        raise ParameterError(f"{path} must hold a model of class {wanted}: got {type(model).__name__}. {remedy}")
    return model
