"""The command line: one file a command; it parses, calls and prints."""

import importlib

import click

from codeword import __version__

_COMMANDS = {
    "demo": "See 8x8 images become 8 bytes each and come back.",
    "fit": "Train an autoencoder, or a recommender, on a file and save it.",
    "encode": "Turn rows into codes.",
    "decode": "Turn codes into rows.",
    "search": "Find the codes in a store that are nearest to queries.",
    "recommend": "Find the items that people would rate highest.",
    "advise": "Tell from data alone which output layer and loss it needs.",
    "examine": "Say why a Keras model does not learn what is in the data.",
}


class _LoadedOnUse(click.Group):
    """Imports a command's file only when it runs, so that `codeword --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"codeword.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LoadedOnUse, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="codeword")
def main() -> None:
    """Train neural networks with discrete parts, and use their codes.

    Data is read from and written to .npy, .csv and .parquet files.
    Exit code: 0 fine, 1 bad data or findings, 2 wrong usage.

    \b
    Example:
      codeword advise images.npy
      codeword examine model.keras images.npy
      codeword fit images.npy --data levels:0,.25,.5,.75 --code bits:64 --output digits.codeword
      codeword encode digits.codeword images.npy codes.npy
      codeword decode digits.codeword codes.npy images-again.npy
      codeword encode digits.codeword images.npy --store codes.duckdb
      codeword search codes.duckdb --model digits.codeword query.npy -k 10
      codeword fit ratings.csv --data ratings:1-5 --output films.codeword
      codeword recommend films.codeword --user 42 -k 10
    """
