"""How commands print results and errors."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from codeword.errors import CodewordError

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")


def errors_in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Ends a command with exit code 1 and the error's message where the data is bad, instead of a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (CodewordError, FileNotFoundError) as error:
            raise click.ClickException(str(error)) from error

    return run


def report(result: dict[str, Any], *, as_json: bool) -> None:
    """Prints a result: as JSON, or a line for each entry."""
    if as_json:
        click.echo(json.dumps(result))
        return
    width = max(map(len, result)) + 2
    for name, value in result.items():
        shown = f"{value:.4f}" if isinstance(value, float) else "none" if value is None else value
        click.echo(f"{name.replace('_', ' '):<{width}}{shown}")


def progress_level(quiet: bool, as_json: bool) -> int:
    """Gives the `verbose` of estimators: bars, unless the output shall be quiet or read by a program."""
    return 0 if quiet or as_json else 1
