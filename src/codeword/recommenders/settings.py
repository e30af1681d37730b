"""Checks of a rating autoencoder's settings."""

from numbers import Integral, Real
from typing import Any

from codeword.data_kinds import Ratings
from codeword.errors import ParameterError
from codeword.settings import check_number

KINDS_BY = {"items": ("items",), "users": ("users",), "both": ("items", "users")}


def check_settings(model: Any) -> Ratings:
    """Refuses settings of a `RatingAutoencoder` that cannot work; gives its scale.

    Raises:
        ParameterError: With the setting's name and what came.
    """
    try:
        low, high = model.scale
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"`scale` must be the lowest and the highest rating. Received: {model.scale!r}. Write (1, 5)."
        ) from error
    kind = Ratings(low, high, model.step)
    if not isinstance(model.by, str) or model.by not in KINDS_BY:
        raise ParameterError(f'`by` must be "items", "users" or "both". Received: {model.by!r}.')
    for name in ("members", "units", "epochs", "patience"):
        check_number(name, getattr(model, name), Integral, 1)
    if model.batch_size is not None:
        check_number("batch_size", model.batch_size, Integral, 1)
    for name in ("verbose", "seed"):
        check_number(name, getattr(model, name), Integral, 0, most=2**32 - 1)
    for name in ("learning_rate", "weight_decay"):
        check_number(name, getattr(model, name), Real, 0)
    for name in ("noise", "validation_fraction"):
        check_number(name, getattr(model, name), Real, 0, most=1)
        if getattr(model, name) == 1:
            raise ParameterError(f"`{name}` must be less than 1. Received: 1: nothing would be left to learn from.")
    names = model.columns
    three = isinstance(names, tuple | list) and len(names) == 3 and all(isinstance(name, str) for name in names)
    if not three or len(set(names)) != 3:
        raise ParameterError(
            f"`columns` must name the three columns of users, items and ratings. Received: {names!r}. "
            'Write ("user", "item", "rating").'
        )
    return kind
