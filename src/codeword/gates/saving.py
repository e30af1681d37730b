"""What the file of a gate holds: everything but its experts."""

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.errors import ParameterError
from codeword.files.saved_model import POSITIVE, Array, Arrays, SavedModel, texts
from codeword.settings import Setting, integer, layers, optional, sizes

NUM_PROBES = 16
MAX_CHARACTERS = 2**24  # of all class labels, each as long as the longest
FIGURES = {"gate", "best_expert", "best_possible"}
SHARES = Setting("shares that sum to 1", lambda array: array.min() >= 0 and bool(np.isclose(array.sum(), 1)))
PROBABILITIES = Setting("probabilities", lambda array: array.min() >= 0 and array.max() <= 1.001)
three_costs = Setting(
    f"an object of three costs, {sorted(FIGURES)}",
    lambda value: (
        type(value) is dict
        and set(value) == FIGURES
        and all(type(cost) is float and cost >= 0 for cost in value.values())
    ),
)
some_classes = Setting(
    "null, or an object of `dtype` and `values`",
    lambda value: value is None or (type(value) is dict and set(value) == {"dtype", "values"}),
)
LABELS = {  # the dtypes that labels may have, and what they are in JSON
    "U": str,
    "O": str,
    "bool": bool,
    **dict.fromkeys((f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), int),
    **dict.fromkeys(("float16", "float32", "float64"), float),
}


class SavedGate(SavedModel):
    """The half of a gate that its file is made from, and that is made from its file."""

    UNSAVED = frozenset({"experts", "verbose"})
    CONFIG: ClassVar = {
        "hidden": layers,
        "input_shape": sizes(length=1),
        "feature_names": texts,
        "num_experts": integer(2),
        "output_shape": optional(sizes()),
        "held_out": three_costs,
        "classes": some_classes,
    }
    PARTS = ("experts",)
    NETWORKS: ClassVar = {"gate": "model_"}

    def _parameters(self) -> dict[str, Any]:
        parameters = super()._parameters()
        return {**parameters, "cv": None} if hasattr(self.cv, "split") else parameters  # only training needs a splitter

    @classmethod
    def _arguments(cls, config: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in super()._arguments(config).items() if (name, value) != ("cv", None)}

    def _learned_config(self) -> dict[str, Any]:
        return {
            "hidden": [int(units) for units in self.hidden_],
            **self._rows_config(),
            "num_experts": int(self.num_experts_),
            "output_shape": None if self.experts_ is not None else list(self.output_shape_),
            "held_out": self.held_out_,
            "classes": classes_to_config(self.classes_) if hasattr(self, "classes_") else None,
        }

    def _learned_arrays(self) -> Arrays:
        arrays = {f"statistics/{name}": array for name, array in self.statistics_.items()}
        arrays["usage"] = self.usage_
        if hasattr(self, "target_scale_"):
            arrays["target_scale"] = np.atleast_1d(self.target_scale_)
        return arrays | {f"probe/{name}": array for name, array in self.probe_.items()}

    def _declared_arrays(self, config: dict[str, Any], arrays: Arrays) -> dict[str, Array]:
        (num_features,), num_experts, outputs = config["input_shape"], config["num_experts"], config["output_shape"]
        classifies = type(self).__name__ == "HardGateClassifier"
        if classifies != (config["classes"] is not None) or classifies == ("target_scale" in arrays):
            raise ParameterError("a classifier has classes, a regressor a scale of its targets")
        if classifies:  # `answer`: an expert's answer to one row
            wide = (len(classes_from_config(config["classes"])),)
            below = Setting(f"integers from 0 to {wide[0] - 1}", lambda x: x.min() >= 0 and x.max() < wide[0])
            answer = Array("int64", (), below)
        else:
            wide = (max(len(np.atleast_1d(arrays["target_scale"])), 1),)
            answer = Array("float64", wide if wide != (1,) else ())
        if outputs is not None and (outputs[:1] != [num_experts] or tuple(outputs[1:]) not in (answer.shape, wide)):
            raise ParameterError(f"outputs of shape {outputs} do not fit {num_experts} experts and the targets")
        declared = {
            "statistics/mean": Array("float64", (num_features,)),
            "statistics/scale": Array("float64", (num_features,), POSITIVE),
            "usage": Array("float64", (num_experts,), SHARES),
        }
        for layer, (before, after) in enumerate(pairwise([num_features, *config["hidden"], num_experts])):
            declared[f"gate/{2 * layer:03d}/kernel"] = Array("float32", (before, after))
            declared[f"gate/{2 * layer + 1:03d}/bias"] = Array("float32", (after,))
        if not classifies:
            declared["target_scale"] = Array("float64", wide, POSITIVE)
        if outputs is None and any(name.startswith("probe/") for name in arrays):
            if classifies and getattr(arrays.get("probe/answers"), "ndim", 0) == 3:
                answer = Array("float64", wide, PROBABILITIES)
            declared["probe/rows"] = Array("float64", (NUM_PROBES, num_features))
            declared["probe/answers"] = answer._replace(shape=(NUM_PROBES, num_experts, *answer.shape))
        return declared

    def _learn_from(self, config: dict[str, Any], arrays: Arrays) -> None:
        self._learn_rows(config)
        self.num_experts_, self.hidden_ = config["num_experts"], tuple(config["hidden"])
        self.held_out_ = config["held_out"]
        if config["classes"] is not None:
            self.classes_ = classes_from_config(config["classes"])
        if "target_scale" in arrays:
            scale = arrays["target_scale"]
            self.target_scale_ = scale if len(scale) > 1 else scale[0]
        self.statistics_ = {name: arrays[f"statistics/{name}"] for name in ("mean", "scale")}
        self.usage_ = arrays["usage"]
        self.probe_ = {name: arrays[f"probe/{name}"] for name in ("rows", "answers") if f"probe/{name}" in arrays}
        self.experts_: Any = []  # `load` gives them
        if config["output_shape"] is not None:
            self.experts_, self.output_shape_ = None, tuple(config["output_shape"])


def classes_from_config(config: dict[str, Any]) -> NDArray[Any]:
    """Return class labels from plain values, or refuse these."""
    values, dtype = config["values"], config["dtype"]
    if type(values) is not list or not values or not all(type(value) is LABELS[dtype] for value in values):
        raise ParameterError(f"the classes are no labels of {dtype!r}")
    _check_width(values)
    classes = np.array(values, dtype)
    if classes.tolist() != sorted(set(values)):
        raise ParameterError("the classes are not in ascending order")
    return classes


def classes_to_config(classes: NDArray[Any]) -> dict[str, Any]:
    """Return class labels as plain values, or refuse labels that a file cannot hold."""
    dtype = classes.dtype.kind if classes.dtype.kind in "UO" else classes.dtype.name
    if not all(isinstance(label, LABELS.get(dtype, type(None))) for label in classes.tolist()):
        raise ParameterError(
            f"Class labels must be text, numbers or booleans to be saved: got {classes[:5].tolist()}, dtype {dtype}. "
            "Fit the experts and the gate to such labels."
        )
    _check_width(classes.tolist())
    return {"dtype": dtype, "values": classes.tolist()}


def _check_width(labels: list[Any]) -> None:
    """Refuse labels of which NumPy's text array, as wide as the longest in every row, would take much memory."""
    longest = max((len(label) for label in labels if isinstance(label, str)), default=0)
    if len(labels) * longest > MAX_CHARACTERS:
        raise ParameterError(
            f"{len(labels)} class labels must have at most {MAX_CHARACTERS // len(labels)} characters: got {longest}."
        )
