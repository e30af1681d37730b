"""Class labels as plain values, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import ParameterError

LABELS = {  # the dtypes that labels may have, and what they are in JSON
    "U": str,
    "O": str,
    "bool": bool,
    **dict.fromkeys((f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), int),
    **dict.fromkeys(("float16", "float32", "float64"), float),
}


def classes_from_config(config: dict[str, Any]) -> NDArray[Any]:
    """Return class labels as they were.

    Raises:
        ParameterError: If the configuration describes none.
    """
    values, dtype = config["values"], config["dtype"]
    if type(values) is not list or not values or not all(type(value) is LABELS[dtype] for value in values):
        raise ParameterError(f"the classes are no labels of {dtype!r}")
    classes = np.array(values, dtype)
    if classes.tolist() != sorted(set(values)):
        raise ParameterError("the classes are not in ascending order")
    return classes


def classes_to_config(classes: NDArray[Any]) -> dict[str, Any]:
    """Return class labels as plain values.

    Raises:
        ParameterError: If a file cannot hold them.
    """
    dtype = classes.dtype.kind if classes.dtype.kind in "UO" else classes.dtype.name
    if not all(isinstance(label, LABELS.get(dtype, type(None))) for label in classes.tolist()):
        raise ParameterError(
            f"Class labels must be text, numbers or booleans to be saved: got {classes[:5].tolist()}, dtype {dtype}. "
            "Fit the experts and the gate to such labels."
        )
    return {"dtype": dtype, "values": classes.tolist()}
