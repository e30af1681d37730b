"""Makes a gate again from its file, trusting nothing, and gives it its experts."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import CodewordError, ExpertError, ParameterError
from codeword.files.model_file import model_fingerprint, refused
from codeword.gates.answers import check_gate_settings
from codeword.gates.experts import are_fitted, check_experts, check_kinds
from codeword.gates.hard_gate_classifier import HardGateClassifier
from codeword.gates.hard_gate_regressor import HardGateRegressor
from codeword.gates.network import build_gate
from codeword.gates.saving import NUM_PROBES, PARAMETERS, check_same_experts, classes_from_config

_ENTRIES = {
    *("estimator", "parameters", "input_shape", "feature_names"),
    *("hidden", "num_experts", "output_shape", "held_out", "classes"),
}
GATES = {"HardGateClassifier": HardGateClassifier, "HardGateRegressor": HardGateRegressor}


def gate_from(path: str | Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]], *, experts: Any) -> Any:
    """Gives the fitted gate that a checked file's configuration and arrays describe.

    Raises:
        ModelFileError: If they fit no gate.
        ParameterError: If the experts are missing, or are others.
    """
    try:
        gate = _gate_of(config, arrays)
    except (CodewordError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise refused(path, f"the gate cannot be made ({error!r})") from error
    if gate.fingerprint_ != model_fingerprint(config, arrays):
        raise refused(path, "the arrays do not have the names, order and dtypes that `save` gives them")
    wanted = config["output_shape"] is None
    if wanted != (experts is not None):
        raise ParameterError(
            f"{path} is a gate of {config['num_experts']} {'experts' if wanted else 'columns of outputs'}. Received: "
            f"experts={experts!r}. Call load(path{', experts=[…])' if wanted else ')'}."
        )
    if experts is not None:
        _give_experts(gate, path, experts)
    return gate


def _give_experts(gate: Any, path: str | Path, experts: Any) -> None:
    check_experts(experts)
    check_kinds(experts, "classifier" if hasattr(gate, "classes_") else "regressor")
    if len(experts) != gate.num_experts_ or not are_fitted(experts):
        raise ParameterError(
            f"{path} is a gate of {gate.num_experts_} fitted experts. Received: {len(experts)}, "
            f"{'fitted' if are_fitted(experts) else 'not fitted'}. Give `experts_` of the gate that was saved."
        )
    gate.experts, gate.experts_ = experts, list(experts)
    try:
        check_same_experts(gate)
    except ExpertError as error:
        raise ParameterError(f"`experts` must be those that the gate was fitted with. {error}") from error


def _gate_of(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Any:
    if set(config) != _ENTRIES or not set(_typed(config["parameters"], dict)) <= set(PARAMETERS):
        raise ParameterError(f"it lacks or adds entries: {sorted(set(config) ^ _ENTRIES)}, {config.get('parameters')}")
    parameters = dict(config["parameters"])  # one that an older file lacks has its default
    for name in ("hidden", "penalty"):
        if type(parameters.get(name)) is list:
            parameters[name] = tuple(parameters[name])
    if parameters.get("cv", ...) is None:
        del parameters["cv"]
    gate: Any = GATES[config["estimator"]](**parameters)
    check_gate_settings(gate, outputs=())
    if type(gate.hidden) is not tuple:
        raise ParameterError(f"`hidden` is {gate.hidden!r}")
    _check_shapes(config)
    _check_held_out(config["held_out"])
    gate.hidden_, gate.held_out_ = tuple(config["hidden"]), config["held_out"]
    if config["classes"] is not None:
        gate.classes_ = classes_from_config(config["classes"])
    _check_arrays(gate, config, arrays)
    (gate.n_features_in_,), gate.num_experts_ = config["input_shape"], config["num_experts"]
    if config["feature_names"]:
        gate.feature_names_in_ = np.array(config["feature_names"], object)
    gate.statistics_ = {name: arrays[f"statistics/{name}"] for name in ("mean", "scale")}
    gate.usage_ = arrays["usage"]
    if "target_scale" in arrays:
        scale = arrays["target_scale"]
        gate.target_scale_ = scale if len(scale) > 1 else scale[0]
    gate.probe_ = {name: arrays[f"probe/{name}"] for name in ("rows", "answers") if f"probe/{name}" in arrays}
    gate.experts_ = None
    if config["output_shape"] is None:
        gate.experts_ = []  # `load` gives them
    else:
        gate.output_shape_ = tuple(config["output_shape"])
    gate.model_ = build_gate(gate.n_features_in_, gate.num_experts_, hidden=gate.hidden_)
    gate.model_.set_weights([arrays[name] for name in _weights(config)])
    return gate


def _check_shapes(config: dict[str, Any]) -> None:
    """Refuses sizes that no gate has, or that do not fit each other."""
    shape, num_experts, outputs = config["input_shape"], config["num_experts"], config["output_shape"]
    sizes = [num_experts]
    for some in (shape, config["hidden"], [] if outputs is None else outputs):
        sizes += _typed(some, list)
    if not all(type(size) is int and size > 0 for size in sizes) or len(shape) != 1 or num_experts < 2:
        raise ParameterError(f"the shapes are {shape}, {num_experts} and {outputs}")
    if outputs is not None and (len(outputs) not in (1, 2) or outputs[0] != num_experts):
        raise ParameterError(f"the outputs of {num_experts} experts have shape {outputs}")
    names = _typed(config["feature_names"], list)
    if not all(type(name) is str for name in names) or len(names) not in (0, shape[0]):
        raise ParameterError(f"`feature_names` are not the names of {shape[0]} columns")


def _check_held_out(figures: Any) -> None:
    """Refuses what are not the three mean costs on held-out rows."""
    if set(_typed(figures, dict)) != {"gate", "best_expert", "best_possible"}:
        raise ParameterError(f"`held_out` is {figures!r}")
    if not all(type(cost) is float and cost >= 0 for cost in figures.values()):
        raise ParameterError(f"`held_out` is {figures!r}")


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ParameterError(f"{value!r} is no {kind.__name__}")
    return value


def _weights(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Gives the names and shapes of the network's arrays, in its order."""
    weights: dict[str, tuple[int, ...]] = {}
    for before, after in pairwise([config["input_shape"][0], *config["hidden"], config["num_experts"]]):
        weights[f"gate/{len(weights):03d}/kernel"] = (before, after)
        weights[f"gate/{len(weights):03d}/bias"] = (after,)
    return weights


def _check_arrays(gate: Any, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Refuses arrays that are not exactly what the configuration needs, before any memory is taken."""
    num_features, num_experts, outputs = config["input_shape"][0], config["num_experts"], config["output_shape"]
    classifies = config["estimator"] == "HardGateClassifier"
    if classifies != hasattr(gate, "classes_") or classifies == ("target_scale" in arrays):
        raise ParameterError("a classifier has classes, a regressor a scale of its targets")
    num_targets = 1 if classifies else arrays["target_scale"].size
    answer = (num_targets,) if num_targets > 1 else ()  # the shape of an expert's answer to a row
    if outputs is not None:
        fitting = [(), (len(gate.classes_),)] if classifies else [answer, (num_targets,)]
        if tuple(outputs[1:]) not in fitting:
            raise ParameterError(f"outputs of shape {outputs} do not fit the targets")
    expected: dict[str, tuple[type, tuple[int, ...]]] = {
        "statistics/mean": (np.float64, (num_features,)),
        "statistics/scale": (np.float64, (num_features,)),
        "usage": (np.float64, (num_experts,)),
        **{name: (np.float32, shape) for name, shape in _weights(config).items()},
    }
    if not classifies:
        expected["target_scale"] = (np.float64, (max(num_targets, 1),))
    if outputs is None and any(name.startswith("probe/") for name in arrays):
        expected["probe/rows"] = (np.float64, (NUM_PROBES, num_features))
        kind: type = np.int64 if classifies else np.float64
        if classifies and arrays["probe/answers"].ndim == 3:
            kind, answer = np.float64, (len(gate.classes_),)
        expected["probe/answers"] = (kind, (NUM_PROBES, num_experts, *answer))
    if set(arrays) != set(expected):
        raise ParameterError(f"it lacks or adds arrays: {sorted(set(arrays) ^ set(expected))[:9]}")
    for name, (dtype, shape) in expected.items():
        array = arrays[name]
        if array.dtype != dtype or array.shape != shape:
            raise ParameterError(f"`{name}` must be {np.dtype(dtype)} {shape}; it is {array.dtype} {array.shape}")
        if not np.isfinite(array).all():
            raise ParameterError(f"`{name}` holds NaN or infinity")
    if not all((arrays[name] > 0).all() for name in ("statistics/scale", "target_scale") if name in arrays):
        raise ParameterError("a scale is not positive")
    if arrays["usage"].min() < 0 or not np.isclose(arrays["usage"].sum(), 1):
        raise ParameterError("`usage` holds no shares")
    if classifies and "probe/answers" in arrays:
        answers = arrays["probe/answers"]
        if answers.min() < 0 or answers.max() > (1.001 if answers.ndim == 3 else len(gate.classes_) - 1):
            raise ParameterError("`probe/answers` are no positions or probabilities of classes")
