"""`codeword evaluate`: how well a model does on data that it was not trained on."""

from pathlib import Path

import click

from codeword.cli.reporting import PATH, columns_option, errors_in_words, json_option, print_columns, report


@click.command(
    epilog="""\b
Examples:
  codeword evaluate films.codeword test.csv
  codeword evaluate films.codeword test.csv -k 20 --relevant 4 --json
  codeword evaluate digits.codeword images.npy"""
)
@click.argument("model", type=PATH)
@click.argument("data", type=PATH)
@columns_option
@click.option(
    "--number",
    "-k",
    "k",
    default=10,
    show_default=True,
    type=click.IntRange(min=0),
    help="Recommenders: number of recommended items per user to judge; 0 judges predicted ratings alone.",
)
@click.option(
    "--relevant",
    type=float,
    help="Recommenders: least rating, or count, of an item that should be recommended.  [default: the upper quarter of "
    "the scale; every interaction]",
)
@click.option(
    "--by",
    type=click.Choice(["ranking", "rating", "popularity"]),
    help="Recommenders: order of the recommended items.  [default: what ranked held-out ratings best]",
)
@json_option
@errors_in_words
def evaluate(
    model: Path,
    data: Path,
    columns: tuple[str, ...] | None,
    k: int,
    relevant: float | None,
    by: str | None,
    as_json: bool,
) -> None:
    """Measure MODEL on the DATA that it was not trained on.

    For a recommender DATA is a table of other ratings or interactions of its users. The figures are the error of
    predicted ratings and of the biases alone, and the recall, NDCG, MAP and coverage of the lists of recommendations
    and of the most popular items. For an autoencoder DATA holds rows, and the figures say how well it restores them.
    """
    from codeword.errors import ParameterError
    from codeword.files.saved_model import load

    fitted = load(model)
    if not hasattr(fitted, "evaluate"):
        raise ParameterError(f"{model} must hold an autoencoder or a recommender: got {type(fitted).__name__}.")
    if type(fitted).__name__ != "RatingAutoencoder":
        from codeword.files.tables import read_array

        report({"model": str(model), **fitted.evaluate(read_array(data))}, as_json=as_json)
        return
    from codeword.recommenders.rating_table import as_rating_table

    options = {"columns": columns or fitted.columns, "repeated": fitted.repeated}
    table = as_rating_table(data, fitted.data_, like=fitted.ratings_, **options)
    print_columns(table.note)
    figures = fitted.evaluate(table, k=k or None, relevant=relevant, by=by)
    report({"model": str(model), **figures}, as_json=as_json)
