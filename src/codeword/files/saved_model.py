"""Saved models: what every estimator's file holds, one check of it, and `codeword.load`.

An estimator declares the entries of `config.json` and the arrays of its file, each with type or dtype and shape.
`SavedModel` writes it, reads it, and refuses a file that differs from the declaration before a network is built.
"""

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from codeword.errors import CodewordError, ParameterError
from codeword.files.model_file import IDENTITY, model_fingerprint, read_model_file, refused, write_model_file
from codeword.settings import Setting, as_plain, check_settings

Arrays = dict[str, NDArray[Any]]
_MODULES = {
    "Autoencoder": "codeword.autoencoders.autoencoder",
    "RatingAutoencoder": "codeword.recommenders.rating_autoencoder",
    "HardGateClassifier": "codeword.gates.hard_gate_classifier",
    "HardGateRegressor": "codeword.gates.hard_gate_regressor",
    "ItemCodes": "codeword.recommenders.item_codes",
}
ERRORS = (CodewordError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError)

FINITE = Setting("finite", lambda array: bool(np.isfinite(array).all()))
POSITIVE = Setting("finite and positive", lambda array: bool(np.isfinite(array).all() and (array > 0).all()))
NOT_NEGATIVE = Setting("finite and not negative", lambda array: bool(np.isfinite(array).all() and (array >= 0).all()))
ASCENDING = Setting(
    "ascending, without repetition", lambda array: array.size > 0 and bool((array[1:] > array[:-1]).all())
)

an_object = Setting("an object", lambda value: type(value) is dict)
texts = Setting("a list of strings", lambda value: type(value) is list and all(type(text) is str for text in value))


class Array(NamedTuple):
    """What an array of a file must be."""

    dtype: str
    shape: tuple[int, ...]
    values: Setting = FINITE


class SavedModel(BaseEstimator):
    """An estimator with one file: `save`, `fingerprint_`, `codeword.load`, pickling and copying.

    A subclass declares its file in class attributes and four methods: `_learned_config` returns the entries of
    `CONFIG`; `_learned_arrays` the arrays beside the weights of `NETWORKS`; `_declared_arrays` what every array must
    be, from the configuration and the lengths of a few arrays; `_learn_from` takes from checked parts what `fit` would
    have learned, but for the networks, which `_build_networks` makes with fresh weights.

    Attributes:
        SETTINGS: The constructor's settings by name.
        UNSAVED: Settings that are not among the `parameters` of the file.
        ADDED: Settings newer than the first files, with the value that files without them mean. They are written only
            if they differ from it, so that an unchanged model has an unchanged file.
        REQUIRED: Parameters that every file has. An older file may lack any other, which then has its default.
        CONFIG: The entries of the configuration beside `estimator` and `parameters`.
        ADDED_CONFIG: Those of them that older files lack.
        PARTS: Arguments of `load` that belong to this estimator.
        NETWORKS: Attributes that hold Keras models, by the prefix of their weights in the file.
        DERIVED: Attributes with Keras models that are made from the same weights.
    """

    SETTINGS: ClassVar[Mapping[str, Setting]]
    UNSAVED: ClassVar[frozenset[str]] = frozenset({"verbose"})
    ADDED: ClassVar[Mapping[str, Any]] = {}
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    CONFIG: ClassVar[Mapping[str, Setting]]
    ADDED_CONFIG: ClassVar[tuple[str, ...]] = ()
    PARTS: ClassVar[tuple[str, ...]] = ()
    NETWORKS: ClassVar[Mapping[str, str]] = {}
    DERIVED: ClassVar[tuple[str, ...]] = ()

    def save(self, path: str | Path) -> str:
        """Write the model to one `.codeword` file, completely or not at all.

        Your own Keras models are saved by their weights, and the experts of a gate not at all: pass them to
        `codeword.load` again.

        Args:
            path: The file. An existing one is replaced once the new one is complete.

        Returns:
            The model's fingerprint.
        """
        config, arrays = self._parts()
        write_model_file(path, config, arrays)
        return model_fingerprint(config, arrays)

    @property
    def fingerprint_(self) -> str:
        """64 hexadecimal digits that identify what the model answers: a hash of its kinds and weights."""
        return model_fingerprint(*self._parts())

    @classmethod
    def _parameter_names(cls) -> set[str]:
        """Return the names that `parameters` of a file may have."""
        return set(cls.SETTINGS) - cls.UNSAVED

    def _parameters(self) -> dict[str, Any]:
        """Return the constructor's settings as the file has them."""
        plain = {name: as_plain(getattr(self, name)) for name in self.SETTINGS if name not in self.UNSAVED}
        return {name: value for name, value in plain.items() if name not in self.ADDED or value != self.ADDED[name]}

    @classmethod
    def _arguments(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Return the constructor's arguments that a configuration describes."""
        given = config["parameters"].items()
        return {name: tuple(value) if isinstance(value, list) else value for name, value in given}

    def _check_settings(self) -> None:
        check_settings(self, self.SETTINGS)

    def _take_parts(self, path: str | Path, config: dict[str, Any], given: dict[str, Any]) -> None:
        """Take the user's own models or experts.

        Raises:
            ParameterError: If they are missing or do not fit the file.
        """

    def _rows_config(self) -> dict[str, Any]:
        """Return the entries that describe a row of the training data."""
        names = [str(name) for name in getattr(self, "feature_names_in_", [])]
        shape = getattr(self, "input_shape_", None) or (self.n_features_in_,)
        return {"input_shape": list(shape), "feature_names": names}

    def _learn_rows(self, config: dict[str, Any]) -> None:
        if len(config["input_shape"]) == 1:
            (self.n_features_in_,) = config["input_shape"]
        if config["feature_names"]:
            self.feature_names_in_ = np.array(config["feature_names"], object)

    def _parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return all that makes the fitted model: plain values, and arrays by name."""
        check_is_fitted(self)
        config = {"estimator": type(self).__name__, "parameters": self._parameters(), **self._learned_config()}
        arrays = self._learned_arrays()
        for prefix, variables in self._variables().items():
            for number, variable in enumerate(variables):
                arrays[f"{prefix}/{number:03d}/{variable.name}"] = variable.numpy()
        return config, arrays

    def _variables(self) -> dict[str, list[Any]]:
        """Return the variables of `NETWORKS` by prefix; one that several networks share counts for the first."""
        variables, seen = {}, set()
        for prefix, attribute in self.NETWORKS.items():
            own = [variable for variable in getattr(self, attribute).weights if id(variable) not in seen]
            variables[prefix] = own
            seen |= {id(variable) for variable in own}
        return variables

    @classmethod
    def _from_parts(cls, path: str | Path, config: dict[str, Any], arrays: Arrays, given: dict[str, Any]) -> Self:
        """Return the fitted model of a file; see `load`."""
        try:
            model = cls._of_config(config)
            check_arrays(model._declared_arrays(config, arrays), arrays)
            model._learn_from(config, arrays)
            model._check_identity(config)
        except ERRORS as error:
            raise refused(path, f"it describes no possible {cls.__name__} ({error})") from error
        model._take_parts(path, config, given)
        if cls.NETWORKS:
            try:
                model._build_with({part: in_order(arrays, part) for part in cls.NETWORKS})
            except CodewordError:
                raise  # by the user's own model
            except ERRORS as error:
                raise refused(path, f"the weights do not fit the network ({error})") from error
        return model

    @classmethod
    def _of_config(cls, config: dict[str, Any]) -> Self:
        """Return the unfitted estimator that a configuration describes, once the configuration is checked."""
        entries = {"estimator", "parameters", *cls.CONFIG} - (set(cls.ADDED_CONFIG) - set(config))
        if set(config) != entries:
            raise ParameterError(f"the configuration lacks or adds entries: {sorted(set(config) ^ entries)}")
        for name, setting in {"parameters": an_object, **cls.CONFIG}.items():
            if name in entries:
                setting.check(name, config[name])
        parameters = set(config["parameters"])
        if not set(cls.REQUIRED) <= parameters <= cls._parameter_names():
            wrong = (set(cls.REQUIRED) - parameters) | (parameters - cls._parameter_names())
            raise ParameterError(f"`parameters` lack or add entries: {sorted(wrong)}")
        names = config.get("feature_names")
        if names and len(names) != config["input_shape"][0]:
            raise ParameterError(f"`feature_names` names {len(names)} columns of {config['input_shape'][0]}")
        model = cls(**cls._arguments(config))
        model._check_settings()
        return model

    def _check_identity(self, config: dict[str, Any]) -> None:
        """Refuse a file whose fingerprint is not the fingerprint of the model that it makes."""
        made = {**config, **self._learned_config()}
        for name in set(IDENTITY) & set(config):
            if json.dumps(config[name], sort_keys=True) != json.dumps(made[name], sort_keys=True):
                raise ParameterError(f"`{name}` is not as `save` writes it")

    def _build_with(self, weights: dict[str, list[NDArray[Any]]]) -> None:
        self._build_networks()
        for part, variables in self._variables().items():
            for variable, values in zip(variables, weights[part], strict=True):
                variable.assign(values)

    def __getstate__(self) -> dict[str, Any]:
        # Keras models can be pickled only where their classes are registered: keep the weights alone.
        made = {*self.NETWORKS.values(), *self.DERIVED}
        state = {name: value for name, value in super().__getstate__().items() if name not in made}
        weights = self._variables() if made & set(vars(self)) else {}
        return {**state, "_weights": {part: [one.numpy() for one in own] for part, own in weights.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({name: value for name, value in state.items() if name != "_weights"})
        if state["_weights"]:
            self._build_with(state["_weights"])


def load(path: str | Path, *, encoder: Any = None, decoder: Any = None, experts: Sequence[Any] | None = None) -> Any:
    """Load a model that `save` wrote. No code of the file is run.

    Args:
        path: A `.codeword` file.
        encoder: The Keras model that an autoencoder was given as its encoder; its weights are taken from the file.
        decoder: The Keras model that an autoencoder was given as its decoder.
        experts: The fitted experts of a gate, in the same order; the file does not hold them.

    Returns:
        The fitted estimator: an `Autoencoder`, `RatingAutoencoder`, `HardGateClassifier` or `HardGateRegressor`; or the
        `ItemCodes` of a recommender.

    Raises:
        FileNotFoundError: If there is no such file.
        ModelFileError: If the file is damaged, foreign, hostile or of a newer format.
        ParameterError: If own models or experts are missing or do not fit.
    """
    config, arrays = read_model_file(path)
    name = config.get("estimator")
    if not isinstance(name, str) or name not in _MODULES:
        raise refused(path, f"no model of this library is called {name!r}")
    # Imported here: recommenders answer without Keras.
    estimator = getattr(importlib.import_module(_MODULES[name]), name)
    given = {"encoder": encoder, "decoder": decoder, "experts": experts}
    for part, value in given.items():
        if value is not None and part not in estimator.PARTS:
            raise ParameterError(f"A model of {name} has no `{part}`: got {part}={value!r} for {path}. Leave it out.")
    return estimator._from_parts(path, config, arrays, {part: given[part] for part in estimator.PARTS})


def check_arrays(declared: Mapping[str, Array], arrays: Arrays) -> None:
    """Refuse arrays that differ from what is declared in names, dtypes, shapes or values."""
    if set(arrays) != set(declared):
        raise ParameterError(f"it lacks or adds arrays: {sorted(set(arrays) ^ set(declared))[:9]}")
    for name, (dtype, shape, values) in declared.items():
        array = arrays[name]
        if array.dtype != dtype or array.shape != shape:
            raise ParameterError(f"`{name}` must be {dtype} {shape}: got {array.dtype} {array.shape}")
        if not values.holds(array):
            raise ParameterError(f"`{name}` must be {values.words}")


def length_of(arrays: Arrays, name: str) -> int:
    """Return the length of an array of one axis, or refuse a file without it."""
    if name not in arrays or arrays[name].ndim != 1:
        raise ParameterError(f"`{name}` must be an array of one axis")
    return len(arrays[name])


def in_order(arrays: Arrays, prefix: str) -> list[NDArray[Any]]:
    """Return the weights of a network in the order of the numbers in their names."""
    names = [name for name in arrays if name.startswith(f"{prefix}/")]
    return [arrays[name] for name in sorted(names, key=lambda name: int(name.split("/")[1]))]
