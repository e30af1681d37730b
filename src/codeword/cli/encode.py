"""`codeword encode`: encode rows as codes."""

from pathlib import Path
from typing import Any

import click

from codeword.cli.reporting import PATH, errors_in_words, json_option, load_model, progress_level, quiet_option, report


@click.command(
    epilog="""\b
Examples:
  codeword encode digits.codeword images.npy codes.npy
  codeword encode digits.codeword images.parquet codes.parquet --json
  codeword encode digits.codeword images.npy --store codes.duckdb \\
    --metadata labels.csv"""
)
@click.argument("model", type=PATH)
@click.argument("input", type=PATH)
@click.argument("output", type=PATH, required=False)
@click.option("--store", type=PATH, help="Append the codes to this DuckDB file, for `codeword search`.")
@click.option(
    "--metadata",
    type=PATH,
    help="Table (.csv, .parquet) with one row for each row of INPUT, to be kept with the codes in --store. Its column "
    "id, if there is one, holds the ids. Otherwise the rows are numbered.",
)
@quiet_option
@json_option
@errors_in_words
def encode(
    model: Path, input: Path, output: Path | None, store: Path | None, metadata: Path | None, quiet: bool, as_json: bool
) -> None:
    """Encode the rows of INPUT with MODEL and write their codes to OUTPUT, or append them to a store.

    The model's fingerprint is recorded: inside a .parquet file or a store, and in OUTPUT.json for .npy and .csv.
    """
    if (output is None) == (store is None):
        raise click.UsageError("Pass either OUTPUT, a file of codes, or --store with a DuckDB file.")
    if metadata is not None and store is None:
        raise click.UsageError("--metadata is kept in a store. Pass --store, too.")

    from codeword.errors import DataError
    from codeword.files.data_path import check_suffix
    from codeword.files.output_file import check_writable
    from codeword.files.table_pieces import open_rows, write_code_pieces
    from codeword.files.tables import read_columns

    if output is not None:
        check_suffix(output)
        check_writable(output)
    if store is not None:
        check_writable(store)
    with open_rows(input) as x:
        beside = {} if metadata is None else read_columns(metadata)
        for name, values in beside.items():
            if len(values) != len(x):
                raise DataError(
                    f"{metadata} must have one row per row of {input}: got {len(values)} in column {name} for "
                    f"{len(x)} rows."
                )

        autoencoder = load_model(model, "Autoencoder")
        autoencoder.verbose = progress_level(quiet, as_json)
        if output is not None:
            origin = {"fingerprint": autoencoder.fingerprint_, "kind": autoencoder.code_}
            write_code_pieces(output, autoencoder.encode_pieces(x), num_rows=len(x), **origin)
            result: dict[str, Any] = {"codes": str(output), "rows": len(x)}
        else:
            assert store is not None, "one of the two is given"
            result = _append(store, autoencoder, x, beside)
    result |= {"bytes_per_row": autoencoder.code_.num_bytes, "code": str(autoencoder.code_)}
    report({**result, "model_fingerprint": autoencoder.fingerprint_}, as_json=as_json)


def _append(path: Path, autoencoder: Any, x: Any, beside: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from codeword.search import CodeStore

    store = CodeStore(path, model=autoencoder)  # raises before the work if the store has another model
    ids = beside.pop("id", None)
    codes = np.concatenate(list(autoencoder.encode_pieces(x)))  # all in one transaction
    total = store.append(ids, codes, beside or None)
    return {"store": str(path), "rows": len(x), "rows_in_store": total}
