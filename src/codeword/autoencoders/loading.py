"""Makes an autoencoder again from its file, trusting nothing."""

from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.autoencoders.autoencoder import Autoencoder
from codeword.autoencoders.saving import PARAMETERS, fit_by_parts, unfitted_from
from codeword.autoencoders.settings import check_settings
from codeword.data_kinds import Levels
from codeword.errors import CodewordError, ParameterError
from codeword.files.model_file import model_fingerprint, refused

_TYPES = {
    "estimator": str,
    "parameters": dict,
    "own_encoder": bool,
    "own_decoder": bool,
    "data": dict,
    "code": dict,
    "input_shape": list,
    "feature_names": list,
}


def autoencoder_from(
    path: str | Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]], *, encoder: Any, decoder: Any
) -> Autoencoder:
    """Gives the fitted model that a checked file's configuration and arrays describe.

    Raises:
        ModelFileError: If they fit no model.
        ParameterError: If own models are missing or do not fit.
    """
    _check_config(path, config)
    for name, own in (("encoder", encoder), ("decoder", decoder)):
        if config[f"own_{name}"] != (own is not None):
            given = "has an own" if config[f"own_{name}"] else "has no own"
            raise ParameterError(
                f"{path} {given} {name}. Received: {name}={own!r}. "
                f"Call load(path{f', {name}=your_{name}_model' if config[f'own_{name}'] else ''})."
            )
    try:
        model: Autoencoder = unfitted_from(config, Autoencoder, encoder=encoder, decoder=decoder)
        check_settings(model)
        _check_sizes(model, config["input_shape"], arrays)
    except (ParameterError, TypeError) as error:
        raise refused(path, str(error)) from error
    try:
        fit_by_parts(model, config, arrays)
    except CodewordError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise refused(path, f"the weights do not fit the network ({error})") from error
    # Renamed, swapped or cast arrays may still fit; own models name theirs as they like.
    if encoder is decoder is None and model.fingerprint_ != model_fingerprint(config, arrays):
        raise refused(path, "the arrays do not have the names, order and dtypes that `save` gives them")
    return model


def _check_config(path: str | Path, config: dict[str, Any]) -> None:
    wrong = [name for name, kind in _TYPES.items() if not isinstance(config.get(name), kind)]
    if wrong or set(config) != set(_TYPES):
        raise refused(path, f"the configuration lacks or adds entries: {sorted(set(config) ^ set(_TYPES)) or wrong}")
    if config["estimator"] != "Autoencoder":
        raise refused(path, f"no model of this library is called {config['estimator']!r}")
    # An older file may lack a parameter of today, which then has its default; an unknown one is refused.
    if not {"hidden"} <= set(config["parameters"]) <= {*PARAMETERS, "hidden"}:
        raise refused(path, f"the configuration has other parameters than an Autoencoder: {set(config['parameters'])}")
    shape = config["input_shape"]
    if not shape or not all(type(size) is int and size > 0 for size in shape):
        raise refused(path, f"`input_shape` is {shape}")
    if not all(isinstance(name, str) for name in config["feature_names"]):
        raise refused(path, "`feature_names` are no strings")


def _check_sizes(model: Any, shape: list[int], arrays: dict[str, NDArray[Any]]) -> None:
    """Refuses a configuration whose network is not exactly as large as its weights, before any memory is taken."""
    for name, array in arrays.items():
        if name.partition("/")[0] not in ("encoder", "decoder", "statistics") or array.dtype.kind != "f":
            raise ParameterError(f"`{name}`, {array.dtype}, is no array of this model")
        if not np.isfinite(array).all():
            raise ParameterError(f"`{name}` holds NaN or infinity")
    data, code, hidden, cells = model.data, model.code, model.hidden, prod(shape)
    statistics = {name: array.shape for name, array in arrays.items() if name.startswith("statistics/")}
    expected = {f"statistics/{name}": tuple(shape) for name in data.statistic_names}
    if statistics != expected:
        raise ParameterError(f"the statistics {statistics} do not fit; {expected} would")
    width = code.width
    outputs = cells * (data.num_outputs if isinstance(data, Levels) else 1)
    sizes = {
        # the code's projection has no bias; its normalization keeps two numbers a value
        "encoder": _dense([cells * data.num_channels, *hidden])
        + ([cells * data.num_channels, *hidden])[-1] * width
        + 2 * width,
        "decoder": _dense([width, *reversed(hidden), outputs]),
    }
    for part, expected_size in sizes.items():
        size = sum(array.size for name, array in arrays.items() if name.startswith(f"{part}/"))
        if getattr(model, part) is None and size != expected_size:
            raise ParameterError(f"the {part} needs {expected_size} weights; the file has {size}")


def _dense(sizes: list[int]) -> int:
    return sum((before + 1) * after for before, after in pairwise(sizes))
