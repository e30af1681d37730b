"""What a setting may be: one vocabulary for estimators, layers and kinds.

A table stands beside each constructor, and everything that must know the settings reads it:

    SETTINGS = {**TRAINING, "units": integer(1), "noise": number(0, below=1), "columns": optional(sizes(length=3))}
    check_settings(self, SETTINGS)
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Self

import numpy as np

from codeword.errors import ParameterError, shown

MAX_SHOWN = 500  # characters of a value in a message


@dataclass(frozen=True)
class Setting:
    """Words that follow "must be", and a function that returns whether a value is allowed, and never raises."""

    words: str
    holds: Callable[[Any], bool]

    def check(self, name: str, value: Any) -> None:
        """Raise `ParameterError` for a value that is not allowed."""
        if not self.holds(value):
            raise ParameterError(f"`{name}` must be {self.words}: got {shown(value, MAX_SHOWN)}.")


def check_settings(owner: Any, table: Mapping[str, Setting]) -> None:
    """Check the attributes of an object that a table names."""
    for name, setting in table.items():
        setting.check(name, getattr(owner, name))


def integer(least: int | None = 0, most: int | None = None) -> Setting:
    """Allow Python and NumPy integers within a range, any with `integer(None)`; booleans are not integers."""
    low, high = -math.inf if least is None else least, 2**63 - 1 if most is None else most
    limits = "" if least is None else f" of at least {least}" if most is None else f" from {least} to {most}"
    return Setting(f"an integer{limits}", lambda value: _is_a(Integral, value) and low <= value <= high)


def number(
    least: float | None = None, most: float | None = None, *, above: float | None = None, below: float | None = None
) -> Setting:
    """Allow finite real numbers within a range; `above` and `below` exclude the limit itself.

    Example:
        >>> number(0, 1).words, number(0, below=1).words, number(above=0).words
        ('a number from 0 to 1', 'a number of at least 0 and below 1', 'a number above 0')
    """
    bounds = [(least, "of at least"), (most, "of at most"), (above, "above"), (below, "below")]
    limits = " and ".join(f"{words} {bound:g}" for bound, words in bounds if bound is not None)
    if least is not None and most is not None:
        limits = f"from {least:g} to {most:g}"
    low, high = -math.inf if least is None else least, math.inf if most is None else most
    more_than, less_than = -math.inf if above is None else above, math.inf if below is None else below
    return Setting(
        f"a number {limits}" if limits else "a finite number",
        lambda value: _is_a(Real, value) and low <= value <= high and more_than < value < less_than,
    )


def one_of(*choices: str) -> Setting:
    """Allow a few words."""
    *some, last = [f'"{choice}"' for choice in choices]
    words = f"{', '.join(some)} or {last}" if some else last
    return Setting(words, lambda value: isinstance(value, str) and value in choices)


MAX_LAYERS = 64  # Keras needs seconds for so many already


def sizes(least: int = 1, *, length: int | None = None, longest: int | None = None) -> Setting:
    """Allow a sequence of integers, such as the units of layers."""
    one = integer(least)
    count = "a sequence of integers" if length is None else f"{length} integers"
    limit = "" if longest is None else f", at most {longest} of them"
    return Setting(
        f"{count} of at least {least}{limit}, such as ({', '.join(['16'] * (length or 2))})",
        lambda value: (
            isinstance(value, list | tuple | np.ndarray)
            and length in (None, len(value))
            and (longest is None or len(value) <= longest)
            and all(one.holds(each) for each in value)
        ),
    )


def instance_of(kind: type, *, such_as: str) -> Setting:
    """Allow objects of a class; `such_as` is an example in Python."""
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    return Setting(f"{article} {kind.__name__}, such as {such_as}", lambda value: isinstance(value, kind))


def either(*settings: Setting) -> Setting:
    """Allow what any of these settings allows."""
    words = ", or ".join(setting.words for setting in settings)
    return Setting(words, lambda value: any(setting.holds(value) for setting in settings))


def optional(setting: Setting) -> Setting:
    """Allow None, too."""
    return Setting(f"{setting.words}, or None", lambda value: value is None or setting.holds(value))


layers = sizes(longest=MAX_LAYERS)  # the units of hidden layers
boolean = Setting("True or False", lambda value: isinstance(value, bool | np.bool_))

TRAINING = {
    "epochs": optional(integer(1)),
    "batch_size": optional(integer(1)),
    "learning_rate": number(0),
    "weight_decay": number(0),
    "patience": optional(integer(1)),
    "validation_fraction": number(0, below=1),
    "seed": integer(0, 2**32 - 1),
    "verbose": either(boolean, integer(0)),
}
"""What all estimators share. A class whose setting may be less overrides its entry."""


def as_plain(value: Any) -> Any:
    """Return a setting as JSON has it: NumPy numbers as Python's, tuples and arrays as lists."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return [as_plain(each) for each in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class SettingsObject:
    """A frozen dataclass that is itself a setting of an estimator, such as a data kind or an objective.

    scikit-learn reads its settings, so that a grid search names them `code__num_bits`. `replace_nested` sets them: the
    object itself never changes.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings by name, as scikit-learn asks for them."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}

    def __sklearn_clone__(self) -> Self:
        return self  # frozen: a copy could not differ


def replace_nested(current: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Turn parameters such as `code__num_bits=8` into whole settings, for an estimator's `set_params`."""
    whole = {path: value for path, value in params.items() if "__" not in path}
    owners: dict[str, SettingsObject] = {}
    changes: dict[str, dict[str, Any]] = {}
    for path in params.keys() - whole.keys():
        name, _, setting = path.partition("__")
        owner = whole.get(name, current.get(name))
        if owner is None and name in current:
            raise ParameterError(f"`{path}` needs a `{name}` to change: got {name}=None. Set `{name}` first.")
        if not isinstance(owner, SettingsObject):
            whole[path] = params[path]
            continue
        if setting not in owner.get_params():
            raise ParameterError(f"`{setting}` is no setting of {owner}: choose from {', '.join(owner.get_params())}.")
        owners[name] = owner
        changes.setdefault(name, {})[setting] = params[path]
    return whole | {name: replace(owner, **changes[name]) for name, owner in owners.items()}


def _is_a(kind: type, value: Any) -> bool:
    if not isinstance(value, kind) or isinstance(value, bool | np.bool_):
        return False
    try:
        # A `Real` or `Integral` by the test above, which mypy cannot see.
        return math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond every float
        return False
