"""How a data kind is written: as a configuration in files, and as a word on the command line."""

import re
from typing import Any

from codeword.data_kinds.binary import Binary
from codeword.data_kinds.interactions import Interactions
from codeword.data_kinds.kind import DataKind
from codeword.data_kinds.levels import Levels
from codeword.data_kinds.ratings import Ratings
from codeword.data_kinds.real import Real
from codeword.data_kinds.unit_interval import UnitInterval
from codeword.errors import ParameterError
from codeword.settings import one_of

_WORDS = {
    "binary": Binary(),
    "unit": UnitInterval(),
    "real": Real(),
    "real:each": Real(spread="each"),
    "real:common": Real(spread="common"),
    "interactions": Interactions(),
}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_SCALE = re.compile(rf"({_NUMBER})-({_NUMBER})(?:/({_NUMBER}))?(?:,missing=({_NUMBER}))?")


def data_kind_from_config(config: dict[str, Any]) -> DataKind:
    """Return the data kind that `to_config` described."""
    classes: dict[Any, Any] = {
        kind.__name__: kind for kind in (Binary, Interactions, Levels, Ratings, Real, UnitInterval)
    }
    settings = dict(config)
    name = settings.pop("kind", None)
    one_of(*sorted(classes)).check("kind", name)
    if name == "Real":
        settings.setdefault("spread", "each")  # as `to_config` leaves it out
    try:
        return classes[name](**settings)
    except TypeError as error:
        raise ParameterError(f"The settings of {name} do not fit: got {settings}. {error}.") from error


def parse_data_kind(text: str, *, edges: str = "midpoint") -> DataKind:
    """Return the data kind for a word of the command line.

    Args:
        text: `binary`, `unit`, `unit:255` (from 0 to 255), `real`, `real:each` or `real:common` (a spread for each
            column or one for all), `levels:4` (0 to 3), `levels:0,0.25,0.5,0.75`, `ratings:1-5` or, with a step,
            `ratings:0.5-5/0.5` or, with a number for "not rated", `ratings:1-10,missing=-1`; `interactions` (likes,
            clicks, purchases).
        edges: "midpoint" or "floor", for levels.

    Raises:
        ParameterError: If `text` is none of these.

    Example:
        >>> parse_data_kind("levels:0,.5,1").values
        (0.0, 0.5, 1.0)
    """
    text = text.strip().lower()
    if text in _WORDS:
        return _WORDS[text]
    name, _, numbers = text.partition(":")
    scale = _SCALE.fullmatch(numbers) if name == "ratings" else None
    if scale is not None:
        low, high, step, missing = (None if text is None else float(text) for text in scale.groups())
        return Ratings(low or 0.0, high or 0.0, step, missing)
    try:
        if name == "unit":
            return UnitInterval(maximum=float(numbers))
        if name != "levels":
            raise ValueError(name)
        values = int(numbers) if numbers.isdigit() else [float(number) for number in numbers.split(",")]
    except ValueError as error:
        raise ParameterError(
            "Data must be written as binary, unit, unit:255, real, real:each, real:common, levels:4, "
            f"levels:0,0.25,0.5,0.75, ratings:1-5, ratings:0.5-5/0.5 or interactions: got {text!r}."
        ) from error
    return Levels(values, edges=edges)


def data_kind_text(kind: DataKind) -> str | None:
    """Return a data kind as `parse_data_kind` reads it; None if the command line cannot express its settings.

    Example:
        >>> data_kind_text(Levels([0, .5, 1])), data_kind_text(Ratings(1, 5))
        ('levels:0,0.5,1', 'ratings:1-5')
    """
    try:
        return kind.word if parse_data_kind(kind.word) == kind else None
    except ParameterError:  # the command line cannot express 1e+20
        return None
