"""A fitted model as plain values and arrays, what its file and its fingerprint are made of; and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.code_kinds import code_kind_from_config
from codeword.data_kinds import data_kind_from_config

PARAMETERS = (
    "similar",
    "walk",
    "augment",
    "noise",
    "swap",
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "patience",
    "seed",
)


def parts_of(model: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Gives all that is needed to make a fitted model again: plain values, and arrays by name."""
    values = {name: getattr(model, name) for name in PARAMETERS}
    if not isinstance(model.augment, str):
        values["augment"] = None  # a layer that only training needs
    values["walk"] = None if model.walk is None else [int(number) for number in model.walk]
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    config = {
        "estimator": type(model).__name__,
        "parameters": {**plain, "hidden": [int(units) for units in model.hidden]},
        "own_encoder": model.encoder is not None,
        "own_decoder": model.decoder is not None,
        "data": model.data_.to_config(),
        "code": model.code_.to_config(),
        "input_shape": list(model.input_shape_),
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", [])],
    }
    arrays = {f"statistics/{name}": array for name, array in model.statistics_.items()}
    for part, network in (("encoder", model.encoder_), ("decoder", model.decoder_)):
        for number, variable in enumerate(network.weights):
            arrays[f"{part}/{number:03d}/{variable.name}"] = keras.ops.convert_to_numpy(variable.value)
    return config, arrays


def unfitted_from(config: dict[str, Any], estimator: type, *, encoder: Any = None, decoder: Any = None) -> Any:
    """Makes the estimator that a configuration describes, before it has weights."""
    parameters = {**config["parameters"], "hidden": tuple(config["parameters"]["hidden"])}
    if parameters.get("walk") is not None:
        parameters["walk"] = tuple(parameters["walk"])
    data, code = data_kind_from_config(config["data"]), code_kind_from_config(config["code"])
    return estimator(data=data, code=code, encoder=encoder, decoder=decoder, **parameters)


def fit_by_parts(model: Any, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Gives an unfitted estimator all that `fit` would have learned.

    Raises:
        ValueError, KeyError: If the arrays do not fit the network.
    """
    model.data_, model.code_ = model.data, model.code
    model.input_shape_ = tuple(config["input_shape"])
    if len(model.input_shape_) == 1:
        model.n_features_in_ = model.input_shape_[0]
    if config["feature_names"]:
        model.feature_names_in_ = np.array(config["feature_names"], object)
    model.statistics_ = {name: arrays[f"statistics/{name}"] for name in model.data_.statistic_names}
    model._build_networks()
    model.encoder_.set_weights(_in_order(arrays, "encoder"))
    model.decoder_.set_weights(_in_order(arrays, "decoder"))


def _in_order(arrays: dict[str, NDArray[Any]], part: str) -> list[NDArray[Any]]:
    """Gives a part's weights in the order of the numbers in their names."""
    names = [name for name in arrays if name.startswith(f"{part}/")]
    return [arrays[name] for name in sorted(names, key=lambda name: int(name.split("/")[1]))]
