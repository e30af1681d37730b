"""What the file of a gate holds: everything but its experts."""

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from codeword.errors import ParameterError
from codeword.files.saved_model import FINITE, POSITIVE, Array, Arrays, SavedModel, texts
from codeword.gates.class_labels import classes_from_config, classes_to_config
from codeword.settings import Setting, integer, optional, sizes

NUM_PROBES = 16
FIGURES = {"gate", "best_expert", "best_possible"}
SHARES = Setting("shares that sum to 1", lambda array: array.min() >= 0 and bool(np.isclose(array.sum(), 1)))
PROBABILITIES = Setting("probabilities", lambda array: array.min() >= 0 and array.max() <= 1.001)


def positions_below(number: int) -> Setting:
    """Allow arrays of integers from 0 to below `number`."""
    return Setting(f"integers from 0 to {number - 1}", lambda array: array.min() >= 0 and array.max() < number)


class SavedGate(SavedModel):
    """The half of a gate that its file is made from, and that is made from its file."""

    UNSAVED = frozenset({"experts", "verbose"})
    CONFIG: ClassVar = {
        "hidden": sizes(),
        "input_shape": sizes(length=1),
        "feature_names": texts,
        "num_experts": integer(2),
        "output_shape": optional(sizes()),
        "held_out": Setting(
            f"an object of three costs, {sorted(FIGURES)}",
            lambda value: (
                type(value) is dict
                and set(value) == FIGURES
                and all(type(cost) is float and cost >= 0 for cost in value.values())
            ),
        ),
        "classes": Setting(
            "null, or an object of `dtype` and `values`",
            lambda value: value is None or (type(value) is dict and set(value) == {"dtype", "values"}),
        ),
    }
    PARTS = ("experts",)
    NETWORKS: ClassVar = {"gate": "model_"}

    def _parameters(self) -> dict[str, Any]:
        parameters = super()._parameters()
        if hasattr(self.cv, "split"):
            parameters["cv"] = None  # a splitter that only training needs
        return parameters

    @classmethod
    def _arguments(cls, config: dict[str, Any]) -> dict[str, Any]:
        arguments = super()._arguments(config)
        return {name: value for name, value in arguments.items() if name != "cv" or value is not None}

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
        answer: tuple[int, ...]  # the shape of an expert's answer to one row
        if classifies:
            num_classes = len(classes_from_config(config["classes"]))
            answer, wide = (), (num_classes,)
        else:
            wide = (max(len(np.atleast_1d(arrays["target_scale"])), 1),)
            answer = wide if wide != (1,) else ()
        if outputs is not None and (outputs[:1] != [num_experts] or tuple(outputs[1:]) not in (answer, wide)):
            raise ParameterError(f"outputs of shape {outputs} do not fit {num_experts} experts and the targets")
        declared = {
            "statistics/mean": Array("float64", (num_features,)),
            "statistics/scale": Array("float64", (num_features,), POSITIVE),
            "usage": Array("float64", (num_experts,), SHARES),
        }
        for before, after in pairwise([num_features, *config["hidden"], num_experts]):
            number = len(declared) - 3
            declared[f"gate/{number:03d}/kernel"] = Array("float32", (before, after))
            declared[f"gate/{number + 1:03d}/bias"] = Array("float32", (after,))
        if not classifies:
            declared["target_scale"] = Array("float64", wide, POSITIVE)
        if outputs is None and any(name.startswith("probe/") for name in arrays):
            declared["probe/rows"] = Array("float64", (NUM_PROBES, num_features))
            dtype, values = ("int64", positions_below(wide[0])) if classifies else ("float64", FINITE)
            if classifies and "probe/answers" in arrays and arrays["probe/answers"].ndim == 3:
                dtype, answer, values = "float64", wide, PROBABILITIES
            declared["probe/answers"] = Array(dtype, (NUM_PROBES, num_experts, *answer), values)
        return declared

    def _learn_from(self, config: dict[str, Any], arrays: Arrays) -> None:
        self._learn_rows(config)
        self.num_experts_, self.hidden_, self.held_out_ = (
            config["num_experts"],
            tuple(config["hidden"]),
            config["held_out"],
        )
        if config["classes"] is not None:
            self.classes_ = classes_from_config(config["classes"])
        if "target_scale" in arrays:
            scale = arrays["target_scale"]
            self.target_scale_ = scale if len(scale) > 1 else scale[0]
        self.statistics_ = {name: arrays[f"statistics/{name}"] for name in ("mean", "scale")}
        self.usage_ = arrays["usage"]
        self.probe_ = {name: arrays[f"probe/{name}"] for name in ("rows", "answers") if f"probe/{name}" in arrays}
        self.experts_: Any = None if config["output_shape"] is not None else []  # `load` gives them
        if config["output_shape"] is not None:
            self.output_shape_ = tuple(config["output_shape"])
