"""Checks at the public border of estimators: settings."""

from numbers import Integral, Real
from typing import Any

from codeword.code_kinds import Bits, CodeKind
from codeword.data_kinds import DataKind, Ratings
from codeword.errors import ParameterError
from codeword.settings import Setting, check_number

SIMILAR = ("groups", "neighbors", "nothing")
_checked_below = Setting("allowed", lambda value: True)
SETTINGS = dict.fromkeys(
    (
        *("data", "code", "hidden", "encoder", "decoder", "similar", "walk", "augment", "noise", "swap", "epochs"),
        *("batch_size", "learning_rate", "weight_decay", "patience", "seed", "verbose"),
    ),
    _checked_below,
)


def check_settings(model: Any) -> None:
    """Refuses settings of an `Autoencoder` that cannot work.

    Raises:
        ParameterError: With the setting's name and what came.
    """
    for name, kind in (("data", DataKind), ("code", CodeKind)):
        value = getattr(model, name)
        if value is not None and not isinstance(value, kind):
            raise ParameterError(
                f"`{name}` must be a {kind.__name__} or None. Received: {value!r}. "
                f"Write {'Levels([0, 1, 2])' if name == 'data' else 'Bits(64)'}, say."
            )
    if isinstance(model.data, Ratings):
        raise ParameterError(
            f"An Autoencoder needs every cell; most ratings are missing. Received: data={model.data!r}. Take "
            f"RatingAutoencoder(data=Ratings({model.data.low:g}, {model.data.high:g}))."
        )
    _check_similar(model)
    for name in ("epochs", "batch_size", "patience"):
        if getattr(model, name) is not None:
            check_number(name, getattr(model, name), Integral, 1)
    check_number("verbose", model.verbose, Integral, 0)
    check_number("seed", model.seed, Integral, 0, most=2**32 - 1)
    hidden = model.hidden
    if isinstance(hidden, str | int) or not hasattr(hidden, "__len__"):
        raise ParameterError(f"`hidden` must be a sequence of layer sizes. Received: {hidden!r}. Write ({hidden!r},).")
    for units in hidden:
        check_number("hidden", units, Integral, 1)
    if model.noise is not None:
        check_number("noise", model.noise, Real, 0, most=1)
    check_number("learning_rate", model.learning_rate, Real, 0)
    if model.swap is not None:
        check_number("swap", model.swap, Real, 0, most=1)
    check_number("weight_decay", model.weight_decay, Real, 0)


def _check_similar(model: Any) -> None:
    """Refuses what only bits can learn where the codes are not bits, and views of rows where nothing looks at them."""
    if model.similar is not None and model.similar not in SIMILAR:
        raise ParameterError(
            f"`similar` must be one of {', '.join(SIMILAR)}, or None. Received: {model.similar!r}. Choose one."
        )
    if model.similar not in (None, "nothing") and not isinstance(model.code, Bits | None):
        raise ParameterError(
            f"`similar` is for Bits, which have a Hamming distance. Received: code={model.code!r}. Leave it out, or "
            "take code=Bits(64)."
        )
    if model.walk is not None:
        if isinstance(model.walk, str) or not hasattr(model.walk, "__len__") or len(model.walk) != 2:
            raise ParameterError(
                f"`walk` must be a pair of integers, neighbors and steps. Received: {model.walk!r}. Write (10, 20)."
            )
        for number in model.walk:
            check_number("walk", number, Integral, 1)
    if model.augment is None:
        return
    if model.augment != "images" and (isinstance(model.augment, str) or not hasattr(model.augment, "get_config")):
        raise ParameterError(
            f'`augment` must be "images", a Keras layer from rows to rows, or None. Received: {model.augment!r}. '
            'Write augment="images", say.'
        )
    if model.similar == "nothing" or not isinstance(model.code, Bits | None):
        raise ParameterError(
            f"`augment` varies rows whose Bits shall stay the same. Received: augment={model.augment!r} with "
            f"{'similar=' + repr(model.similar) if model.similar else 'code=' + repr(model.code)}. Leave one out."
        )
