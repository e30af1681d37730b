"""Rows for `codeword fit`: what an autoencoder is trained for, and how."""

from pathlib import Path
from typing import Any

import click

from codeword.cli.reporting import pointing_to_columns

PAIRS = ("neighbors", "steps", "augment", "noise")
OF_OBJECTIVES = (*PAIRS, "swap")
OBJECTIVES = {
    "reconstruct": ("Reconstruct", ("swap", "noise")),
    "groups": ("KeepGroups", PAIRS),
    "neighbors": ("KeepNeighbors", PAIRS),
}


def fit_rows(input: Path, output: Path, *, validation: Path | None, **settings: Any) -> dict[str, Any]:
    """Train an `Autoencoder` on rows, save it and return what to report."""
    from codeword.arrays.id_columns import has_ratings
    from codeword.files.tables import column_names, read_array

    with pointing_to_columns(input):
        x = read_array(input)
    if settings["data"] is None and has_ratings(column_names(input)):
        click.echo("If each row is one rating, train a recommender instead, with --data ratings:1-5.", err=True)
    held_out = None if validation is None else read_array(validation)

    from codeword.autoencoders.autoencoder import Autoencoder

    model = Autoencoder(**settings)
    model.fit(x, validation_data=held_out)
    fingerprint = model.save(output)
    return {
        "model": str(output),
        "fingerprint": fingerprint,
        "rows": len(x),
        "data": str(model.data_),
        "code": str(model.code_),
        "objective": str(model.objective_),
        "bytes_per_row": model.code_.num_bytes,
        "epochs": len(model.history_["loss"]),
        "measured_on": "training" if held_out is None else "validation",
        **model.evaluate(x if held_out is None else held_out),
    }


def objective_of(name: str | None, options: dict[str, Any], code: Any) -> Any:
    """Return the objective that the options describe, or None if they describe none."""
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        fitting = [other for other, (_, taken) in OBJECTIVES.items() if option in taken]
        if name not in fitting:
            got = "none" if name is None else f"--objective {name}"
            raise click.UsageError(f"--{option} needs --objective {' or '.join(fitting)}: got {got}.")
    if name is None:
        return None
    from codeword import objectives

    objective = getattr(objectives, OBJECTIVES[name][0])(**given)
    objective.check_code(code)
    return objective


def layer_sizes(text: str) -> tuple[int, ...]:
    """Return the numbers of units that a text such as 512,256 names."""
    from codeword.errors import ParameterError

    try:
        return tuple(int(units) for units in text.split(",") if units.strip())
    except ValueError as error:
        raise ParameterError(f"`--hidden` must look like 512,512: got {text!r}.") from error
