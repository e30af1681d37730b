"""Makes a rating autoencoder again from its file, trusting nothing."""

from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import CodewordError, ParameterError
from codeword.files.model_file import model_fingerprint, refused
from codeword.recommenders.rating_autoencoder import RatingAutoencoder
from codeword.recommenders.saving import PARAMETERS, expected_shapes, fit_by_parts, unfitted_from
from codeword.recommenders.settings import SETTINGS
from codeword.settings import check_number, check_settings

_TYPES = {"estimator": str, "parameters": dict, "data": dict, "members": list}
_DTYPES = {"biases/mean": "float64", "validation_rmse": "float64"}


def rating_autoencoder_from(
    path: str | Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> RatingAutoencoder:
    """Gives the fitted model that a checked file's configuration and arrays describe.

    Raises:
        ModelFileError: If they fit no model.
    """
    wrong = [name for name, kind in _TYPES.items() if not isinstance(config.get(name), kind)]
    if wrong or set(config) != set(_TYPES):
        raise refused(path, f"the configuration lacks or adds entries: {sorted(set(config) ^ set(_TYPES)) or wrong}")
    if not {"columns", "by", "members", "units"} <= set(config["parameters"]) <= {*PARAMETERS, "columns"}:
        raise refused(path, f"the configuration has other parameters than a RatingAutoencoder: {config['parameters']}")
    try:
        model: RatingAutoencoder = unfitted_from(config, RatingAutoencoder)
        check_settings(model, SETTINGS)
        _check_arrays(config, arrays)
        fit_by_parts(model, config, arrays)
    except (CodewordError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise refused(path, f"the model cannot be made ({error!r})") from error
    if model.fingerprint_ != model_fingerprint(config, arrays):
        raise refused(path, "the arrays do not have the names and dtypes that `save` gives them")
    return model


def _check_arrays(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Refuses arrays that are not exactly what the configuration needs, before anything is computed."""
    members = config["members"]
    if not 0 < len(members) <= len(arrays):
        raise ParameterError(f"there are {len(members)} networks")
    for member in members:
        if set(member) != {"by", "ridge"} or member["by"] not in ("items", "users"):
            raise ParameterError(f"a network is described as {member}")
        check_number("ridge", member["ridge"], Real, 0)
    num_users, num_items = len(arrays["biases/users"]), len(arrays["biases/items"])
    shapes = expected_shapes(config, arrays, num_users, num_items)
    if any(len(arrays[f"members/{number:03d}/bias_in"].shape) != 1 for number in range(len(members))):
        raise ParameterError("hidden biases must have one axis")
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ParameterError(f"`{name}` must have shape {shape}; it has {arrays[name].shape}")
    for name, array in arrays.items():
        if name not in shapes and not name.startswith(("ids/", "ratings/")):
            raise ParameterError(f"`{name}` is no array of this model")
        if name.startswith("ids/"):
            wanted = "uint8" if name.endswith("/text") else "int64"
        elif name in ("ratings/items", "ratings/starts"):
            wanted = "int64"
        else:
            wanted = _DTYPES.get(name, "float32")
        if array.dtype != wanted:
            raise ParameterError(f"`{name}` must be {wanted}; it is {array.dtype}")
        if array.dtype.kind == "f" and name != "validation_rmse" and not np.isfinite(array).all():
            raise ParameterError(f"`{name}` holds NaN or infinity")
    for name, number in (("users", num_users), ("items", num_items)):
        ids = arrays.get(f"ids/{name}", arrays.get(f"ids/{name}/ends"))
        if ids is None or ids.shape != (number,):
            raise ParameterError(f"there must be {number} ids of {name}")
