"""Ratings and interactions for `codeword fit`: their kind, and the recommender that is trained on them."""

import math
from pathlib import Path
from typing import Any

import click


def inferred_kind(path: Path, columns: tuple[str, ...] | None) -> Any:
    """Return the kind of a table of ids, and print it; refuse a table of two kinds."""
    from codeword.arrays.id_columns import is_count
    from codeword.data_kinds.inference import kinds_of_observed
    from codeword.errors import DataError
    from codeword.recommenders.given_ratings import finite_numbers_of, given_ratings

    given = given_ratings(path, columns, counted=None)
    are_rated = given.values is not None and not is_count(given.columns.value)
    kind, *others = kinds_of_observed(finite_numbers_of(given) if are_rated else None)
    if others:
        words = " or ".join(f"--data {one.word}" for one in (kind, *others))
        missing = kind.to_config()["missing"]
        raise DataError(f"{path} may hold {missing:g} for not rated. Choose {words}.")
    order = "" if columns is None else f" ({given.columns.described([])})"
    click.echo(
        f"{path} is a table of ids{order}: training a recommender with --data {kind.word}. For an autoencoder of rows, "
        "pass another kind, such as --data real.",
        err=True,
    )
    return kind


def fit_ratings(input: Path, output: Path, *, data: Any, validation: Path | None, **settings: Any) -> dict[str, Any]:
    """Train a `RatingAutoencoder` on a table, save it and return what to report."""
    from codeword.recommenders.rating_autoencoder import RatingAutoencoder

    model = RatingAutoencoder(data=data, **settings)
    model.fit(input, validation_data=validation)
    fingerprint = model.save(output)
    if validation is not None:  # the whole file, also users and items without a training rating
        errors = {"measured_on": "validation", **model.evaluate(validation, k=None if data.has_ratings else 10)}
    elif not data.has_ratings or math.isnan(model.validation_rmse_):  # no rating, as happens with very few of them
        errors = {"measured_on": None, **({"rmse": None} if data.has_ratings else {})}
    else:
        errors = {"measured_on": "held-out ratings", "rmse": model.validation_rmse_}
    counts = {"users": len(model.users_), "items": len(model.items_), "columns": model.ratings_.note}
    made = {"model": str(output), "fingerprint": fingerprint}
    if not data.has_ratings:
        return {**made, "interactions": model.num_ratings_, **counts, "recommends_by": model.recommends_by_, **errors}
    return {
        **made,
        "ratings": model.num_ratings_,
        **counts,
        "scale": [data.low, data.high],
        "step": data.step,
        "networks": len(model.members_),
        "epochs": max(len(member.history["mse"]) for member in model.members_),
        "recommends_by": model.recommends_by_,
        **errors,
    }
