"""Settings written as Python."""

import inspect
import json
from typing import Any

import numpy as np


def python_literal(value: Any) -> str:
    """Return Python that makes a plain value: numbers as short as possible, tuples as lists.

    Example:
        >>> python_literal((0.0, 0.25, float("nan")))
        '[0, 0.25, float("nan")]'
    """
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(python_literal, value))}]"
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return f'float("{value}")'
        return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
    return repr(value)


def python_call(made: Any) -> str:
    """Return Python that makes an object: the call of its class, without arguments that equal their defaults.

    The object must store each argument under its name.

    Example:
        >>> python_call(Levels([0, 1, 2])), python_call(Levels([0, .25, .5, .75], edges="floor"))
        ('Levels(3)', 'Levels([0, 0.25, 0.5, 0.75], edges="floor")')
    """
    arguments = []
    for name, parameter in inspect.signature(type(made)).parameters.items():
        value = getattr(made, name)
        if name == "values" and list(value) == list(range(len(value))):
            value = len(value)  # levels may be given as their count
        if parameter.default is inspect.Parameter.empty:
            arguments.append(python_literal(value))
        elif value != parameter.default:
            arguments.append(f"{name}={python_literal(value)}")
    return f"{type(made).__name__}({', '.join(arguments)})"
