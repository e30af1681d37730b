"""`codeword decode`: decode codes to rows."""

from pathlib import Path

import click

from codeword.cli.reporting import PATH, errors_in_words, json_option, load_model, progress_level, quiet_option, report


@click.command(
    epilog="""\b
Examples:
  codeword decode digits.codeword codes.npy images.npy
  codeword decode digits.codeword codes.parquet images.csv --json"""
)
@click.argument("model", type=PATH)
@click.argument("codes", type=PATH)
@click.argument("output", type=PATH)
@quiet_option
@json_option
@errors_in_words
def decode(model: Path, codes: Path, output: Path, quiet: bool, as_json: bool) -> None:
    """Decode the rows of CODES with MODEL and write them to OUTPUT.

    A .npy file keeps the shape of the rows; .csv and .parquet files have one column per number. The codes must come
    from the same model.
    """
    from codeword.files.data_path import check_suffix
    from codeword.files.output_file import check_writable
    from codeword.files.table_pieces import open_codes, write_array_pieces

    check_suffix(output)
    check_writable(output)

    autoencoder = load_model(model, "Autoencoder")
    autoencoder.verbose = progress_level(quiet, as_json)
    with open_codes(codes, fingerprint=autoencoder.fingerprint_) as (packed, _):
        shape = write_array_pieces(output, autoencoder.decode_pieces(packed), num_rows=len(packed))
    report({"rows": len(packed), "shape": list(shape), "written_to": str(output)}, as_json=as_json)
