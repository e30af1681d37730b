"""A fitted rating autoencoder as plain values and arrays, what its file and its fingerprint are made of; and back."""

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.data_kinds import data_kind_from_config
from codeword.recommenders.biases import Biases
from codeword.recommenders.ensemble_member import EnsembleMember
from codeword.recommenders.rating_table import RatingTable
from codeword.recommenders.row_network import RowNetwork

WEIGHTS = ("kernel_in", "bias_in", "kernel_out", "common_out")
PARAMETERS = (
    "by",
    "members",
    "units",
    "noise",
    "weight_decay",
    "epochs",
    "batch_size",
    "learning_rate",
    "validation_fraction",
    "patience",
    "seed",
)


def rating_parts_of(model: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Gives all that is needed to make a fitted model again: plain values, and arrays by name."""
    values = {name: getattr(model, name) for name in PARAMETERS}
    config = {
        "estimator": type(model).__name__,
        "parameters": {
            **{name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()},
            "columns": list(model.columns),
        },
        "data": model.data_.to_config(),
        "members": [{"by": member.by, "ridge": member.ridge} for member in model.members_],
    }
    matrix = model.ratings_.matrix
    arrays: dict[str, NDArray[Any]] = {
        "biases/mean": np.array([model.biases_.mean]),
        "biases/users": model.biases_.users,
        "biases/items": model.biases_.items,
        "ratings/values": matrix.data,
        "ratings/items": matrix.indices.astype(np.int64),
        "ratings/starts": matrix.indptr.astype(np.int64),
        "members/weights": model.member_weights_,
        "validation_rmse": np.array([model.validation_rmse_]),
        **_ids_to_arrays("users", model.ratings_.users),
        **_ids_to_arrays("items", model.ratings_.items),
    }
    for number, member in enumerate(model.members_):
        for name in WEIGHTS:
            arrays[f"members/{number:03d}/{name}"] = getattr(member.network, name)
    return config, arrays


def unfitted_from(config: dict[str, Any], estimator: type) -> Any:
    """Makes the estimator that a configuration describes, before it has learned anything."""
    kind: Any = data_kind_from_config(config["data"])
    parameters = {**config["parameters"], "columns": tuple(config["parameters"]["columns"])}
    return estimator(data=kind, **parameters)


def fit_by_parts(model: Any, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Gives an unfitted estimator all that `fit` would have learned.

    Raises:
        ValueError, KeyError, IndexError: If the arrays do not fit each other.
    """
    model.data_ = data_kind_from_config(config["data"])
    users, items = _ids_from_arrays("users", arrays), _ids_from_arrays("items", arrays)
    indices = arrays["ratings/items"]
    matrix = scipy.sparse.csr_array(
        (arrays["ratings/values"], indices, arrays["ratings/starts"]), shape=(len(users), len(items))
    )
    matrix.check_format(full_check=True)
    if not matrix.has_canonical_format:
        raise ValueError("the ratings are not sorted, or twice there")
    model.data_.check(matrix.data)
    model.ratings_ = RatingTable(matrix, users, items)
    model.biases_ = Biases(float(arrays["biases/mean"][0]), arrays["biases/users"], arrays["biases/items"])
    model.members_ = []
    for number, member in enumerate(config["members"]):
        parts = (arrays[f"members/{number:03d}/{name}"] for name in WEIGHTS)
        model.members_.append(EnsembleMember(member["by"], RowNetwork(*parts), float(member["ridge"])))
    model.member_weights_ = arrays["members/weights"]
    model.validation_rmse_ = float(arrays["validation_rmse"][0])
    model._prepare()


def expected_shapes(
    config: dict[str, Any], arrays: dict[str, NDArray[Any]], num_users: int, num_items: int
) -> dict[str, tuple[int, ...]]:
    """Gives the shape that every array must have, the ratings' and ids' own excepted."""
    shapes: dict[str, tuple[int, ...]] = {
        "biases/mean": (1,),
        "biases/users": (num_users,),
        "biases/items": (num_items,),
        "members/weights": (len(config["members"]),),
        "validation_rmse": (1,),
        "ratings/starts": (num_users + 1,),
    }
    for number, member in enumerate(config["members"]):
        units = arrays[f"members/{number:03d}/bias_in"].shape
        columns = num_users if member["by"] == "items" else num_items
        for name in WEIGHTS:
            shapes[f"members/{number:03d}/{name}"] = (columns, *units) if name.startswith("kernel") else units
    return shapes


def _ids_to_arrays(name: str, ids: Ids) -> dict[str, NDArray[Any]]:
    """Writes ids as numbers, or as the bytes of their text and where each ends."""
    if ids.values.dtype.kind == "i":
        return {f"ids/{name}": ids.values}
    encoded = [text.encode() for text in ids.values.tolist()]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {f"ids/{name}/text": np.frombuffer(b"".join(encoded), np.uint8), f"ids/{name}/ends": ends}


def _ids_from_arrays(name: str, arrays: dict[str, NDArray[Any]]) -> Ids:
    if f"ids/{name}" in arrays:
        values = arrays[f"ids/{name}"]
    else:
        text, ends = arrays[f"ids/{name}/text"].tobytes(), arrays[f"ids/{name}/ends"].tolist()
        if ends != sorted(ends) or (ends[-1] if ends else 0) != len(text):
            raise ValueError(f"the ids of {name} do not fit their text")
        values = np.array([text[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)], str)
    if len(values) == 0 or (values[1:] <= values[:-1]).any():
        raise ValueError(f"the ids of {name} are not in ascending order")
    return Ids(values)
