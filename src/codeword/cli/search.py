"""`codeword search`: find the codes in a store that are nearest to queries."""

from pathlib import Path
from typing import Any

import click

from codeword.cli.reporting import (
    PATH,
    check_table_path,
    errors_in_words,
    json_option,
    load_model,
    progress_level,
    quiet_option,
    report,
)
from codeword.errors import plain

SHOWN_QUERIES = 20


@click.command(
    epilog="""\b
Examples:
  codeword search codes.duckdb --codes query-codes.npy -k 10
  codeword search codes.duckdb --model digits.codeword queries.npy \\
    --where "label = 7 AND year > 2020"
  codeword search codes.duckdb --codes query-codes.npy --within 3 \\
    --output found.parquet
  codeword search codes.duckdb --model digits.codeword queries.npy \\
    --rescore rows.npy"""
)
@click.argument("store", type=PATH)
@click.argument("queries", type=PATH, required=False)
@click.option("--codes", type=PATH, help="File of the codes of the queries, written by `codeword encode`.")
@click.option("--model", type=PATH, help="Model that encodes the rows in QUERIES.")
@click.option("--number", "-k", "k", type=click.IntRange(min=1), help="Number of codes per query.  [default: 10]")
@click.option(
    "--within", type=click.IntRange(min=0), help="Instead of -k: find all codes within this distance, in bits."
)
@click.option("--asymmetric", is_flag=True, help="Weigh each bit by how sure the query is of it; needs --model.")
@click.option(
    "--rescore",
    type=PATH,
    help="Rows of all codes, in the order of the ids 0, 1, …: order the first candidates by their distance to the "
    "queries; needs --model.",
)
@click.option("--candidates", type=click.IntRange(min=1), help="Number of codes per query to rescore.  [default: 100]")
@click.option(
    "--metric", type=click.Choice(["euclidean", "cosine"]), help="Distance of --rescore.  [default: euclidean]"
)
@click.option("--where", help="Which codes to search: an SQL condition on id and the columns of metadata.")
@click.option("--output", "-o", type=PATH, help="Write the result to this .csv or .parquet table.")
@quiet_option
@json_option
@errors_in_words
def search(
    store: Path,
    queries: Path | None,
    codes: Path | None,
    model: Path | None,
    k: int | None,
    within: int | None,
    asymmetric: bool,
    rescore: Path | None,
    candidates: int | None,
    metric: str | None,
    where: str | None,
    output: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Search STORE for the codes nearest to the queries by Hamming distance.

    STORE is a store or a .parquet file of codes. Queries are either codes (--codes, which does not load Keras) or rows
    in the file QUERIES, which --model encodes. The search is exact. Among equal distances the lower id comes first.
    """
    if (codes is None) == (queries is None) or (queries is None) != (model is None):
        raise click.UsageError("Pass either --codes with the codes of queries, or --model and a file QUERIES of rows.")
    if k is not None and within is not None:
        raise click.UsageError("Pass either -k or --within, not both.")
    knowing = asymmetric or rescore is not None
    if knowing and (model is None or within is not None):
        raise click.UsageError("--asymmetric and --rescore need --model and QUERIES, and no --within.")
    settings: dict[str, Any] = {
        name: value for name, value in {"candidates": candidates, "metric": metric}.items() if value
    }
    if settings and rescore is None:
        raise click.UsageError("--candidates and --metric need --rescore.")

    if output is not None:
        check_table_path(output)

    verbose = progress_level(quiet, as_json)
    if model is None:
        index, wanted = _with_codes(store, codes, where)
    else:
        index, wanted = _with_model(store, queries, model, where, verbose=verbose, knowing=knowing)
    if rescore is not None:
        from codeword.files.tables import read_array

        settings["rescore"] = read_array(rescore)
    if within is not None:
        pair: Any = index.within(wanted, within)
    else:
        pair = index.search(wanted, 10 if k is None else k, verbose=verbose, **settings)
    found = list(zip(*pair, strict=True))
    if output is not None:
        report(_write(output, found), as_json=as_json)
    elif as_json:
        report({"results": [_record(number, *pair) for number, pair in enumerate(found)]}, as_json=True)
    else:
        _print(found, in_bits=not knowing)


def _index_of(path: Path, where: str | None, model: Any = None) -> Any:
    """Return the codes to search, of a store or of a table file."""
    from codeword.search import CodeStore, HammingIndex

    if path.suffix != ".parquet":
        return CodeStore(path, model=model).index(where)
    if where is not None:
        raise click.UsageError("--where needs a store. Import the file into one.")
    return HammingIndex.load(path)


def _with_codes(path: Path, codes: Any, where: str | None) -> tuple[Any, Any]:
    """Return the index and the codes of the queries in a file."""
    from codeword.code_kinds import Bits
    from codeword.errors import CodeError
    from codeword.files.codes import read_codes

    index = _index_of(path, where)
    wanted, kind = read_codes(codes, fingerprint=index.fingerprint)
    if kind is not None and not isinstance(kind, Bits):
        raise CodeError(f"{codes} must hold codes of Bits: got {kind}. Encode with the model of the store.")
    return index, wanted


def _with_model(
    path: Path, queries: Any, model: Path, where: str | None, *, verbose: int, knowing: bool
) -> tuple[Any, Any]:
    """Return the index and the queries that the model encodes, with what they know beyond their codes if asked."""
    from codeword.files.tables import read_array

    rows = read_array(queries)

    autoencoder = load_model(model, "Autoencoder")
    autoencoder.verbose = verbose
    index = _index_of(path, where, autoencoder)
    return index, autoencoder.queries(rows) if knowing else autoencoder.encode(rows)


def _record(query: int, distances: Any, ids: Any) -> dict[str, Any]:
    return {"query": query, "ids": ids.tolist(), "distances": distances.tolist()}


def _write(path: Path, found: list[tuple[Any, Any]]) -> dict[str, Any]:
    import numpy as np

    from codeword.files.output_table import write_columns

    numbers = np.repeat(np.arange(len(found)), [len(ids) for _, ids in found])
    distances, ids = (np.concatenate(parts) for parts in zip(*found, strict=True))
    write_columns(path, {"query": numbers, "id": ids, "distance": distances})
    return {"queries": len(found), "rows": len(ids), "written_to": str(path)}


def _print(found: list[tuple[Any, Any]], *, in_bits: bool) -> None:
    """Print one line per query: the nearest ids, each with its distance."""
    click.echo(f"query  id (distance{' in bits' * in_bits})")
    for number, (distances, ids) in enumerate(found[:SHOWN_QUERIES]):
        pairs = [
            f"{plain(str(name))} ({distance:.4g})"
            for name, distance in zip(ids.tolist(), distances.tolist(), strict=True)
        ]
        click.echo(f"{number:>5}  {', '.join(pairs) or 'none'}")
    if len(found) > SHOWN_QUERIES:
        click.echo(f"… and {len(found) - SHOWN_QUERIES} more queries: use --output to write all of them to a table.")
