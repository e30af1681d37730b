"""What the file of a rating autoencoder holds."""

from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.data_kinds import data_kind_from_config
from codeword.errors import ParameterError
from codeword.files.saved_model import ASCENDING, NOT_NEGATIVE, Array, Arrays, SavedModel, an_object, length_of
from codeword.recommenders.biases import Biases
from codeword.recommenders.ensemble_member import EnsembleMember
from codeword.recommenders.gaussian_factors import SMALLEST_NOISE, GaussianFactors
from codeword.recommenders.ranking import ItemRanking, Recipe, popularity_of
from codeword.recommenders.rating_table import RatingTable
from codeword.recommenders.row_network import Float32Array, RowNetwork, short
from codeword.recommenders.settings import SETTINGS
from codeword.settings import Setting, number

# What a network computes of each item is not in the file, and may be far larger if there are few users.
MAX_FACTOR_BYTES, MAX_FACTOR_RATIO = 2**30, 100
ORDERS = ("ranking", "rating", "popularity")
RANKING = ("inputs", "outputs")
MAX_GAUSSIAN_RANK = 64  # the square of which prediction takes for each user
GAUSSIAN = ("means", "variances")
WEIGHTS = ("kernel_in", "bias_in", "kernel_out", "common_out")
NOT_NEGATIVE_OR_NAN = Setting("at least 0, or NaN", lambda array: not (np.isinf(array) | (array < 0)).any())
a_network = Setting(
    "an object of `by` and `ridge`",
    lambda value: (
        type(value) is dict
        and set(value) == {"by", "ridge"}
        and value["by"] in ("items", "users")
        and number(0).holds(value["ridge"])
    ),
)


class SavedRatings(SavedModel):
    """The half of `RatingAutoencoder` that its file is made from, and that is made from its file."""

    SETTINGS = SETTINGS
    UNSAVED = frozenset({"data", "verbose"})
    DERIVED = ("_keras_models",)
    REQUIRED = ("columns", "by", "members", "units")
    CONFIG: ClassVar = {
        "data": an_object,
        "members": Setting(
            "a list of networks",
            lambda value: type(value) is list and all(map(a_network.holds, value)),
        ),
        "ranking": Setting(
            "an object of `by`, `reads_ratings`, `predicts_likes`, `strength` and perhaps `extra_count`",
            lambda value: (
                type(value) is dict
                and {"extra_count", *value} == {"by", *Recipe._fields}
                and value["by"] in ORDERS
                and all(type(value[name]) is bool for name in ("reads_ratings", "predicts_likes"))
                and all(number(above=0).holds(value.get(name, 1.0)) for name in ("strength", "extra_count"))
            ),
        ),
        "gaussian": Setting(
            "an object of `noise` and `weight`",
            lambda value: (
                type(value) is dict
                and set(value) == {"noise", "weight"}
                and number(SMALLEST_NOISE).holds(value["noise"])
                and number(0, 1).holds(value["weight"])
            ),
        ),
    }
    ADDED_CONFIG = ("ranking", "gaussian")

    @classmethod
    def _arguments(cls, config: dict[str, Any]) -> dict[str, Any]:
        return {**super()._arguments(config), "data": data_kind_from_config(config["data"])}

    def _learned_config(self) -> dict[str, Any]:
        members = [{"by": member.by, "ridge": member.ridge} for member in self.members_]
        learned = {"data": self.data_.to_config(), "members": members}
        if self.ranking_ is not None:
            learned["ranking"] = {"by": self.recommends_by_, **self.ranking_.recipe.to_config()}
        if self.gaussian_ is not None:
            learned["gaussian"] = {"noise": self.gaussian_.noise, "weight": self.gaussian_.weight}
        return learned

    def _learned_arrays(self) -> Arrays:
        matrix = self.ratings_.matrix
        return {
            "biases/mean": np.array([self.biases_.mean]),
            "biases/users": self.biases_.users,
            "biases/items": self.biases_.items,
            "ratings/values": matrix.data,
            "ratings/items": matrix.indices.astype(np.int64),
            "ratings/starts": matrix.indptr.astype(np.int64),
            "members/weights": self.member_weights_,
            "validation_rmse": np.array([self.validation_rmse_]),
            **{
                f"ranking/{name}": _compact(getattr(self.ranking_, name))
                for name in RANKING
                if self.ranking_ is not None
            },
            **{f"gaussian/{name}": getattr(self.gaussian_, name) for name in GAUSSIAN if self.gaussian_ is not None},
            **{f"ids/users{part}": array for part, array in self.ratings_.users.to_arrays().items()},
            **{f"ids/items{part}": array for part, array in self.ratings_.items.to_arrays().items()},
            **{
                f"members/{position:03d}/{name}": _compact(weights) if weights.ndim > 1 else weights
                for position, member in enumerate(self.members_)
                for name, weights in vars(member.network).items()
            },
        }

    def _declared_arrays(self, config: dict[str, Any], arrays: Arrays) -> dict[str, Array]:
        if len(config["members"]) > len(arrays):
            raise ParameterError(f"it lacks arrays of {len(config['members'])} networks")
        counts = {side: length_of(arrays, f"biases/{side}") for side in ("users", "items")}
        num_ratings = length_of(arrays, "ratings/values")
        declared = {
            "biases/mean": Array("float64", (1,)),
            "biases/users": Array("float32", (counts["users"],)),
            "biases/items": Array("float32", (counts["items"],)),
            "ratings/values": Array("float32", (num_ratings,)),
            "ratings/items": Array("int64", (num_ratings,)),
            "ratings/starts": Array("int64", (counts["users"] + 1,)),
            "members/weights": Array("float32", (len(config["members"]),)),
            "validation_rmse": Array("float64", (1,), NOT_NEGATIVE_OR_NAN),
        }
        for side, count in counts.items():
            if f"ids/{side}" in arrays:
                declared[f"ids/{side}"] = Array("int64", (count,), ASCENDING)
            else:
                declared[f"ids/{side}/text"] = Array("uint8", (length_of(arrays, f"ids/{side}/text"),))
                declared[f"ids/{side}/ends"] = Array("int64", (count,))
        if "ranking" in config:
            rank = arrays["ranking/inputs"].shape[-1]
            for name in RANKING:
                declared[f"ranking/{name}"] = _short_or_long(arrays, f"ranking/{name}", (counts["items"], rank))
        if "gaussian" in config:
            rank = arrays["gaussian/means"].shape[-1]
            if rank > MAX_GAUSSIAN_RANK:
                raise ParameterError(f"its Gaussian model has {rank} factors, more than {MAX_GAUSSIAN_RANK}")
            declared["gaussian/means"] = Array("float32", (counts["items"], rank))
            declared["gaussian/variances"] = Array("float32", (counts["items"], rank), NOT_NEGATIVE)
        num_factors = 0
        for position, member in enumerate(config["members"]):
            units = length_of(arrays, f"members/{position:03d}/bias_in")
            num_factors += units * counts["items"]
            columns = counts["users" if member["by"] == "items" else "items"]
            for name in WEIGHTS:
                entry = f"members/{position:03d}/{name}"
                is_kernel = name.startswith("kernel")
                declared[entry] = (
                    _short_or_long(arrays, entry, (columns, units)) if is_kernel else Array("float32", (units,))
                )
        in_memory, in_file = 4 * num_factors, sum(array.nbytes for array in arrays.values())
        if in_memory > MAX_FACTOR_BYTES + MAX_FACTOR_RATIO * in_file:
            raise ParameterError(f"its {in_file:,} bytes would take {in_memory:,} in memory")
        return declared

    def _learn_from(self, config: dict[str, Any], arrays: Arrays) -> None:
        users, items = Ids.from_arrays(arrays, "ids/users"), Ids.from_arrays(arrays, "ids/items")
        entries = (arrays[f"ratings/{name}"] for name in ("values", "items", "starts"))
        matrix = scipy.sparse.csr_array(tuple(entries), shape=(len(users), len(items)))
        matrix.check_format(full_check=True)
        if not matrix.has_canonical_format:
            raise ParameterError("the ratings are not sorted, or repeated")
        self.data.check(matrix.data)
        self.data_, self.ratings_ = self.data, RatingTable(matrix, users, items)
        self.biases_ = Biases(float(arrays["biases/mean"][0]), arrays["biases/users"], arrays["biases/items"])
        self.members_ = []
        for position, member in enumerate(config["members"]):
            network = RowNetwork(*(_long(arrays[f"members/{position:03d}/{name}"]) for name in WEIGHTS))
            self.members_.append(EnsembleMember(member["by"], network, float(member["ridge"])))
        self.ranking_: ItemRanking | None = None
        self.recommends_by_ = "rating"
        if "ranking" in config:
            inputs, outputs = (_long(arrays[f"ranking/{name}"]) for name in RANKING)
            recipe = Recipe(**{name: value for name, value in config["ranking"].items() if name != "by"})
            self.ranking_ = ItemRanking(inputs, outputs, recipe, popularity_of(matrix))
            self.recommends_by_ = config["ranking"]["by"]
        self.gaussian_: GaussianFactors | None = None
        if "gaussian" in config:
            means, variances = (arrays[f"gaussian/{name}"] for name in GAUSSIAN)
            self.gaussian_ = GaussianFactors(means, variances, **config["gaussian"])
        self.member_weights_ = arrays["members/weights"]
        self.validation_rmse_ = float(arrays["validation_rmse"][0])
        self._prepare()


def _compact(weights: Float32Array) -> NDArray[np.floating]:
    """Return weights in half the bytes if that changes none of them, as of those that this version learns."""
    in_half = short(weights)
    return in_half if np.array_equal(in_half, weights) else weights


def _long(weights: NDArray[np.floating]) -> Float32Array:
    return weights.astype(np.float32, copy=False)


def _short_or_long(arrays: Arrays, name: str, shape: tuple[int, ...]) -> Array:
    is_short = name in arrays and arrays[name].dtype == np.float16
    return Array("float16" if is_short else "float32", shape)
