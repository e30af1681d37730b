"""What the file of an autoencoder holds."""

import re
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self

from codeword.autoencoders.heads import OWN_OUTPUT
from codeword.backend import keras
from codeword.code_kinds import CodeKind, code_kind_from_config
from codeword.data_kinds import DataKind, data_kind_from_config
from codeword.errors import ParameterError
from codeword.files.saved_model import (
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    Array,
    Arrays,
    SavedModel,
    an_object,
    in_order,
    texts,
)
from codeword.objectives import Objective
from codeword.objectives.naming import CONFIG_NAMES, objective_from_config, objective_to_config
from codeword.settings import TRAINING, Setting, as_plain, boolean, instance_of, layers, optional, sizes

Weights = list[tuple[str, str, tuple[int, ...]]]  # name, dtype and shape, in the network's order


class SavedAutoencoder(SavedModel):
    """The half of `Autoencoder` that its file is made from, and that is made from its file."""

    SETTINGS: ClassVar = {
        **TRAINING,
        "data": optional(instance_of(DataKind, such_as="Levels([0, 1, 2])")),
        "code": optional(instance_of(CodeKind, such_as="Bits(64)")),
        "objective": optional(instance_of(Objective, such_as="Reconstruct()")),
        "hidden": optional(layers),
    }
    UNSAVED = frozenset({"data", "code", "objective", "encoder", "decoder", "verbose"})
    ADDED: ClassVar = {"validation_fraction": 0.0}
    REQUIRED = ("hidden",)
    CONFIG: ClassVar = {
        "own_encoder": boolean,
        "own_decoder": boolean,
        "own_output": boolean,
        "data": an_object,
        "code": an_object,
        "input_shape": Setting("a list of positive integers", lambda value: sizes().holds(value) and len(value) > 0),
        "feature_names": texts,
        "linear": Setting("true", lambda value: value is True),
    }
    ADDED_CONFIG = ("own_output", "linear")
    PARTS = ("encoder", "decoder")
    NETWORKS: ClassVar = {"encoder": "encoder_", "decoder": "decoder_"}
    num_directions_: int | None = None
    DERIVED = ("model_", "_symbolizer", "_own_training")

    @classmethod
    def _parameter_names(cls) -> set[str]:
        return super()._parameter_names() | set(CONFIG_NAMES)

    def _parameters(self) -> dict[str, Any]:
        return objective_to_config(self.objective) | super()._parameters() | {"hidden": as_plain(self._hidden)}

    @property
    def _hidden(self) -> tuple[int, ...]:
        """Units of the hidden layers in use."""
        return self.objective_.hidden_for(self.code_) if self.hidden is None else tuple(self.hidden)

    @classmethod
    def _arguments(cls, config: dict[str, Any]) -> dict[str, Any]:
        data, code = data_kind_from_config(config["data"]), code_kind_from_config(config["code"])
        arguments = {name: value for name, value in super()._arguments(config).items() if name not in CONFIG_NAMES}
        objective = objective_from_config(config["parameters"], data, code)
        return {**arguments, "data": data, "code": code, "objective": objective}

    def _learned_config(self) -> dict[str, Any]:
        return {
            "own_encoder": self.encoder is not None,
            "own_decoder": self.decoder is not None,
            **({"own_output": True} if self._keeps_own_output() else {}),
            "data": self.data_.to_config(),
            "code": self.code_.to_config(),
            **self._rows_config(),
            **({"linear": True} if self.is_linear_ else {}),
        }

    def _keeps_own_output(self) -> bool:
        """Return whether the activation at the end of an own decoder is the output's."""
        layers_made = self.decoder_.layers if self.decoder is not None and hasattr(self, "decoder_") else ()
        return any(layer.name == OWN_OUTPUT for layer in layers_made)

    @classmethod
    def _from_parts(cls, path: str | Path, config: dict[str, Any], arrays: Arrays, given: dict[str, Any]) -> Self:
        model = super()._from_parts(path, config, arrays, given)
        if model._keeps_own_output() != config.get("own_output", False):
            raise ParameterError(
                f"{path} was saved with a decoder that ended in another activation, or by a version of codeword that "
                "put a second one behind it: got a decoder whose output would be another. Train the model again."
            )
        return model

    def _learned_arrays(self) -> Arrays:
        return {f"statistics/{name}": array for name, array in self.statistics_.items()}

    def _declared_arrays(self, config: dict[str, Any], arrays: Arrays) -> dict[str, Array]:
        shape, data, width = tuple(config["input_shape"]), self.data, self.code.width
        hidden = [int(units) for units in config["parameters"]["hidden"]]
        declared = {
            f"statistics/{name}": Array("float64", shape, POSITIVE if name == "scale" else FINITE)
            for name in data.statistic_names
        }
        if self.code.quantizes_rows:
            if config["own_encoder"] or config["own_decoder"]:
                raise ParameterError(f"{self.code} has no own encoder or decoder")
            return declared | _declared("encoder", _codebooks(self.code, prod(shape), hidden, _directions_in(arrays)))
        entering = [prod(shape) * data.num_channels, *([] if config.get("linear") else hidden)]
        into_code: Weights = [
            ("kernel", "float32", (entering[-1], width)),
            ("moving_mean", "float32", (width,)),
            ("moving_variance", "float32", (width,)),
        ]
        *inner, head = pairwise([width, *reversed(hidden), prod(shape) * data.num_outputs])
        for part, before, last in (
            ("encoder", _dense(pairwise(entering)), into_code),
            ("decoder", [*_dense(inner), *_dense([head], "float32")], []),
        ):
            own = config[f"own_{part}"]
            declared |= _declared_own(part, arrays, last) if own else _declared(part, [*before, *last])
        return declared

    def _learn_from(self, config: dict[str, Any], arrays: Arrays) -> None:
        self.data_, self.code_, self.input_shape_ = self.data, self.code, tuple(config["input_shape"])
        self.is_linear_ = "linear" in config
        self._learn_rows(config)
        self.num_directions_ = _directions_in(arrays) if self.code.quantizes_rows else None
        self.statistics_ = {name: arrays[f"statistics/{name}"] for name in self.data_.statistic_names}

    def _take_parts(self, path: str | Path, config: dict[str, Any], given: dict[str, Any]) -> None:
        for name, own in given.items():
            if config[f"own_{name}"] != (own is not None):
                has, call = ("an", f", {name}=your_{name}_model") if own is None else ("no", "")
                raise ParameterError(
                    f"{path} was saved with {has} own {name}: got {name}={own!r}. Call load(path{call})."
                )
            setattr(self, name, own)


def _dense(sizes: Any, dtype: str | None = None) -> Weights:
    """Return the weights of dense layers, which have the dtype of the policy in force unless they say otherwise."""
    dtype = dtype or keras.config.dtype_policy().variable_dtype
    return [
        weight for before, after in sizes for weight in (("kernel", dtype, (before, after)), ("bias", dtype, (after,)))
    ]


def _codebooks(code: CodeKind, width: int, hidden: Sequence[int], directions: int | None) -> Weights:
    """Return the weights of `layers.ResidualSteps`, which the decoder has, too, and the file has once."""
    many, size, inner = code.num_symbols, code.symbol_sizes[0], directions or width
    shapes: list[tuple[str, tuple[int, ...]]] = [("codebooks", (many, size, inner))]
    if hidden:
        shapes.append(("codebooks_preselecting", (many, size, inner)))
        shapes += [(f"kernel_of_{side}", (many, inner, hidden[0])) for side in ("entry", "sum")]
        shapes += [("kernel", (many, units, more)) for units, more in pairwise(hidden)]
        shapes.append(("kernel_of_output", (many, hidden[-1], inner)))
        shapes += [("bias", (many, units)) for units in hidden]
    shapes += [("center", (width,)), ("spread", (1,)), ("sphere", (width + 1,))]
    shapes += [("directions", (width, inner))] if directions else []
    return [(name, "float32", shape) for name, shape in shapes]


def _directions_in(arrays: Arrays) -> int | None:
    """Return the number of directions of the codebooks in a file, None if there are all."""
    found = [array for name, array in arrays.items() if re.fullmatch(r"encoder/\d{3,}/directions", name)]
    return int(found[0].shape[-1]) if found and found[0].ndim == 2 else None


def _declared(part: str, weights: Weights, start: int = 0) -> dict[str, Array]:
    numbered = enumerate(weights, start)
    return {
        f"{part}/{number:03d}/{name}": Array(dtype, shape, values_of(name)) for number, (name, dtype, shape) in numbered
    }


def values_of(name: str) -> Setting:
    """Return what the values of weights of this name must be."""
    if name == "spread":
        return POSITIVE
    return NOT_NEGATIVE if name.endswith("moving_variance") else FINITE


def _declared_own(part: str, arrays: Arrays, last: Weights) -> dict[str, Array]:
    """Declare weights of the user's own model, with any names and shapes, and of the library's layers behind it."""
    own = {name: int(name.split("/")[1]) for name in arrays if re.fullmatch(rf"{part}/\d{{3,}}/.+", name)}
    start = len(own) - len(last)
    if sorted(own.values()) != list(range(len(own))) or start < 0:
        raise ParameterError(f"the weights of the {part} are not numbered from 0")
    free = {
        name: Array(arrays[name].dtype.name, arrays[name].shape, values_of(name))
        for name, number in own.items()
        if number < start
    }
    if any(arrays[name].dtype.kind != "f" for name in free):
        raise ParameterError(f"the weights of the {part} must be floats")
    behind = in_order(arrays, part)[start:]
    # Only the first of them knows how wide the user's model is.
    fitted = [
        (name, dtype, (*behind[0].shape[:-1], *shape[1:]) if name == "kernel" else shape) for name, dtype, shape in last
    ]
    return free | _declared(part, fitted, start)
