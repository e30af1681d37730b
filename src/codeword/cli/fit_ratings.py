"""Train what `codeword fit --data ratings:1-5` asks for: a recommender, from a table of ratings."""

import math
from pathlib import Path
from typing import Any

from codeword.data_kinds import Ratings


def fit_ratings(
    input: Path, output: Path, *, data: Ratings, validation: Path | None, **settings: Any
) -> dict[str, Any]:
    """Train a `RatingAutoencoder` on a table and save it.

    Args:
        input: A `.csv` or `.parquet` table with one row per rating.
        output: The `.codeword` file to write.
        data: The scale of the ratings.
        validation: A table of held-out ratings. None: a random part of `input`.
        **settings: Settings of the estimator.

    Returns:
        Results to report. "rmse" is None if no rating was held out, as happens with very few ratings.
    """
    from codeword.recommenders.rating_autoencoder import RatingAutoencoder

    model = RatingAutoencoder(data=data, **settings)
    model.fit(input, validation_data=validation)
    fingerprint = model.save(output)
    return {
        "model": str(output),
        "fingerprint": fingerprint,
        "ratings": model.num_ratings_,
        "users": len(model.users_),
        "items": len(model.items_),
        "scale": [data.low, data.high],
        "step": data.step,
        "networks": len(model.members_),
        "epochs": max(len(member.history["mse"]) for member in model.members_),
        **_errors(model, validation),
    }


def _errors(model: Any, validation: Path | None) -> dict[str, Any]:
    if validation is not None:  # the whole file, also users and items without a training rating
        return {"measured_on": "validation", **model.evaluate(validation)}
    if math.isnan(model.validation_rmse_):
        return {"measured_on": None, "rmse": None}
    return {"measured_on": "held-out ratings", "rmse": model.validation_rmse_}
