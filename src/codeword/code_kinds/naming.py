"""Read a code kind from a saved configuration and from the command line."""

from typing import Any

from codeword.code_kinds.kind import CodeKind
from codeword.code_kinds.kinds import Bits, Choices, Floats, Residual, Scalars
from codeword.errors import ParameterError

_KINDS = {kind.__name__: kind for kind in (Bits, Scalars, Choices, Residual, Floats)}


def code_kind_from_config(config: dict[str, Any]) -> CodeKind:
    """Make the code kind that `to_config` described.

    Raises:
        ParameterError: If `config` names no code kind or does not fit it.
    """
    settings = dict(config)
    name = settings.pop("kind", None)
    if not isinstance(name, str) or name not in _KINDS:
        raise ParameterError(f"A code kind must be one of {', '.join(_KINDS)}: got {name!r}.")
    try:
        return _KINDS[name](**settings)
    except TypeError as error:
        raise ParameterError(f"The configuration must hold the settings of {name}: got {settings}. {error}.") from error


def parse_code_kind(text: str) -> CodeKind:
    """Read a code kind as the command line writes it.

    Args:
        text: `bits:64`, `scalars:8`, `scalars:8x16` (16 steps), `choices:8x256`, `residual:8` or `floats:8`.

    Raises:
        ParameterError: If `text` has another form.

    Example:
        >>> parse_code_kind("scalars:8x16")
        Scalars(num_scalars=8, steps=16)
    """
    kinds = {name.lower(): kind for name, kind in _KINDS.items()}
    name, _, numbers = text.strip().lower().partition(":")
    try:
        return kinds[name](*(int(number) for number in numbers.split("x")))
    except ParameterError:
        raise
    except (KeyError, ValueError, TypeError) as error:
        raise ParameterError(
            "A code must look like bits:64, scalars:8, scalars:8x16, choices:8x256, residual:8 or floats:8: got "
            f"{text!r}."
        ) from error
