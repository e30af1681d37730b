"""The command line: one file per command, which parses, calls and prints."""

import difflib
import importlib

import click

from codeword import __version__

_COMMANDS = {
    "demo": "Compress 8x8 images to 8 bytes each and decode them.",
    "fit": "Train an autoencoder or a recommender on a file and save it.",
    "encode": "Encode rows as codes.",
    "decode": "Decode codes to rows.",
    "search": "Find the codes in a store that are nearest to queries.",
    "recommend": "Recommend items to users.",
    "evaluate": "Measure a model on data that it was not trained on.",
    "advise": "Find out which output layer and loss fit your data.",
    "examine": "Find out why a Keras model does not learn.",
}


class _LoadedOnUse(click.Group):
    """Group that imports a command's file only when the command runs, so that `codeword --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"codeword.cli.{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        close = difflib.get_close_matches(args[0], _COMMANDS) if args else []
        if close and args[0] not in _COMMANDS:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, close))}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LoadedOnUse,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  codeword advise images.npy
  codeword examine model.keras images.npy
  codeword fit images.npy --code bits:64 --output digits.codeword
  codeword encode digits.codeword images.npy codes.npy
  codeword decode digits.codeword codes.npy images-again.npy
  codeword encode digits.codeword images.npy --store codes.duckdb
  codeword search codes.duckdb --model digits.codeword query.npy -k 10
  codeword fit ratings.csv --data ratings:1-5 --output films.codeword
  codeword recommend films.codeword --user 42 -k 10
  codeword evaluate films.codeword test-ratings.csv""",
)
@click.version_option(__version__, prog_name="codeword")
def main() -> None:
    """Train neural networks with discrete parts, and use what they produce.

    Commands read and write .npy, .csv and .parquet files, and read .tsv, .txt, .dat and these with .gz. Results go to
    stdout, progress to stderr.
    `codeword COMMAND --help` explains a command.

    Exit codes: 0 success, 1 bad data or findings, 2 wrong usage.
    """
