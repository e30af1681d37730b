"""A fitted gate as plain values and arrays, what its file and its fingerprint are made of; and back."""

import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.errors import ExpertError, ParameterError

PARAMETERS = ("cv", "hidden", "balance", "epochs", "batch_size", "learning_rate", "penalty", "seed")
NUM_PROBES = 16
LABELS = {  # the dtypes that labels may have, and what they are in JSON
    "U": str,
    "O": str,
    "bool": bool,
    **dict.fromkeys((f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), int),
    **dict.fromkeys(("float16", "float32", "float64"), float),
}


def gate_parts_of(gate: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Gives all that is needed to make a fitted gate again, but for its experts: plain values, and arrays by name."""
    plain = {name: _plain(getattr(gate, name)) for name in PARAMETERS}
    if hasattr(gate.cv, "split"):
        plain["cv"] = None  # a splitter that only training needs
    config = {
        "estimator": type(gate).__name__,
        "parameters": plain,
        "hidden": [int(units) for units in gate.hidden_],
        "input_shape": [gate.n_features_in_],
        "feature_names": [str(name) for name in getattr(gate, "feature_names_in_", [])],
        "num_experts": int(gate.num_experts_),
        "output_shape": None if gate.experts_ is not None else list(gate.output_shape_),
        "held_out": gate.held_out_,
        "classes": _classes_to_config(gate.classes_) if hasattr(gate, "classes_") else None,
    }
    arrays = {f"statistics/{name}": array for name, array in gate.statistics_.items()}
    arrays["usage"] = gate.usage_
    if hasattr(gate, "target_scale_"):
        arrays["target_scale"] = np.atleast_1d(gate.target_scale_)
    arrays |= {f"probe/{name}": array for name, array in gate.probe_.items()}
    for number, variable in enumerate(gate.model_.weights):
        arrays[f"gate/{number:03d}/{variable.name}"] = keras.ops.convert_to_numpy(variable.value)
    return config, arrays


def probe_of(gate: Any) -> dict[str, NDArray[Any]]:
    """Asks all experts for a few made-up rows, by which their files' readers know them again.

    Returns:
        "rows" and "answers", `(NUM_PROBES, num_experts, …)`: probabilities where all experts have them, which tell
        experts apart that mostly agree. Empty where the experts take no rows without column names, or do not answer to
        rows that never were.
    """
    if gate.experts_ is None:
        return {}
    spread = np.random.default_rng(0).normal(size=(NUM_PROBES, gate.n_features_in_))
    rows = gate.statistics_["mean"] + gate.statistics_["scale"] * spread
    for method in ("predict_proba", "predict") if hasattr(gate, "predict_proba") else ("predict",):
        with suppress(ExpertError):
            return {"rows": rows, "answers": answers_to(gate, rows, method)}
    return {}


def answers_to(gate: Any, rows: NDArray[np.float64], method: str) -> NDArray[Any]:
    """Gives what all experts answer to rows, `(n, num_experts, …)`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these rows have no column names
        answers = [gate._ask(expert, number, method, rows) for number, expert in enumerate(gate.experts_)]
    if len({answer.shape for answer in answers}) > 1:
        raise ExpertError(f"All experts must answer alike. Received: shapes {[answer.shape for answer in answers]}.")
    return np.stack(answers, axis=1)


def check_same_experts(gate: Any) -> None:
    """Refuses experts that answer otherwise than those with which the gate was fitted.

    Raises:
        ParameterError: With the numbers of those that do.
    """
    if not gate.probe_:
        return
    expected = gate.probe_["answers"]
    classifies = hasattr(gate, "classes_")
    given = answers_to(gate, gate.probe_["rows"], "predict_proba" if classifies and expected.ndim == 3 else "predict")
    same = np.zeros(gate.num_experts_, bool)
    if given.shape == expected.shape:
        # Machines round differently, the more so in half precision.
        scale = 1e-3 if classifies else 1e-5 * np.max(gate.target_scale_)
        near = np.isclose(given, expected, rtol=1e-5, atol=float(scale))
        same = near.reshape(len(near), gate.num_experts_, -1).all(axis=(0, 2))
    if not same.all():
        raise ParameterError(
            "`experts` must be those that the gate was fitted with, in the same order. Received: other answers from "
            f"{', '.join(f'expert {number}, {gate.experts_[number]!r}' for number in np.flatnonzero(~same))}."
        )


def classes_from_config(config: dict[str, Any]) -> NDArray[Any]:
    """Gives class labels as they were.

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


def _classes_to_config(classes: NDArray[Any]) -> dict[str, Any]:
    dtype = classes.dtype.kind if classes.dtype.kind in "UO" else classes.dtype.name
    if not all(isinstance(label, LABELS.get(dtype, type(None))) for label in classes.tolist()):
        raise ParameterError(
            f"Class labels must be text, numbers or booleans to be saved. Received: {classes[:5].tolist()}, {dtype}. "
            "Fit the experts and the gate to such labels."
        )
    return {"dtype": dtype, "values": classes.tolist()}


def _plain(value: Any) -> Any:
    """Gives a setting as JSON has it."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
