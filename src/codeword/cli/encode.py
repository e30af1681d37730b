"""`codeword encode`: turn rows into codes."""

from pathlib import Path

import click

from codeword.cli.reporting import errors_in_words, json_option, progress_level, report


@click.command(
    epilog="""\b
Examples:
  codeword encode digits.codeword images.npy codes.npy
  codeword encode digits.codeword images.parquet codes.parquet --json"""
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("input", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@json_option
@errors_in_words
def encode(model: Path, input: Path, output: Path, quiet: bool, as_json: bool) -> None:
    """Encode the rows of INPUT with MODEL and write their codes, uint8, to OUTPUT.

    The codes carry the model's fingerprint: inside a .parquet file, beside .npy and .csv in OUTPUT.json.
    """
    from codeword.output_file import check_writable
    from codeword.tables import check_suffix, read_array, write_codes

    check_suffix(output)
    check_writable(output)
    x = read_array(input)

    from codeword.cli.models import load_autoencoder

    autoencoder = load_autoencoder(model)
    autoencoder.verbose = progress_level(quiet, as_json)
    codes = autoencoder.encode(x)
    fingerprint = autoencoder.fingerprint_
    write_codes(output, codes, fingerprint=fingerprint, kind=autoencoder.code_)
    report(
        {
            "codes": str(output),
            "rows": len(codes),
            "bytes_a_row": codes.shape[1],
            "code": str(autoencoder.code_),
            "model_fingerprint": fingerprint,
        },
        as_json=as_json,
    )
