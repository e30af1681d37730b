"""Private Keras names: in one file, and each may be missing without changing a result."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codeword as cw
from codeword import keras_internals
from codeword.backend import keras

layers, ops = keras.layers, keras.ops
PACKAGE = Path(cw.__file__).parent
X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
ROWS = np.random.default_rng(1).integers(0, 2, (50, 6)).astype(np.float32)
ON_JAX = keras.backend.backend() == "jax"

TRAINING_NAMES = [*keras_internals.NEEDED_TO_TRAIN, "jax_state_sync", "train_function", "_flatten_layers"]


class Hidden:
    """An attribute of Keras models that Keras sees and codeword does not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.own = getattr(keras.Model, name, None)

    def __get__(self, model: Any, owner: Any = None) -> Any:
        if sys._getframe(1).f_globals["__name__"].startswith("codeword"):
            raise AttributeError(self.name)
        if model is None or self.name in vars(model):
            return self.own if model is None else vars(model)[self.name]
        return self.own.__get__(model, owner) if callable(self.own) else self.own

    def __set__(self, model: Any, value: Any) -> None:
        vars(model)[self.name] = value


class WithoutAdapter:
    """Keras' module of the array adapter as codeword would see it if the adapter had another name."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        if name == "ArrayDataAdapter":
            raise AttributeError(name)
        return getattr(self.module, name)


def take_away(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "ArrayDataAdapter":  # Keras itself has imported it by name
        adapters = keras.src.trainers.data_adapters
        monkeypatch.setattr(adapters, "array_data_adapter", WithoutAdapter(adapters.array_data_adapter))
        return
    if name != "jax_state_sync":
        monkeypatch.setattr(keras.Model, name, Hidden(name), raising=False)
        return
    for holder in keras.Model.__mro__:  # callbacks of Keras look for it
        if name in vars(holder):
            monkeypatch.delattr(holder, name)


def train_both() -> list[np.ndarray]:
    """Train by `codeword.fit` and as an estimator; return weights, also those that callbacks see, and losses."""
    seen: list[np.ndarray] = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(self.model.get_weights()[0])

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(self.model.get_weights()[0] if batch == 1 else np.array(logs["loss"]))

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(4)])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    stop = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    given = {"batch_size": 16, "verbose": 0, "validation_data": (X[:20], X[:20]), "callbacks": [Look(), stop]}
    history = cw.fit(model, X, X, epochs=2, **given).history
    estimator = cw.Autoencoder(data=cw.Binary(), code=cw.Bits(4), hidden=(), epochs=3, batch_size=16, verbose=0)
    estimator.fit(ROWS, validation_data=ROWS[:20])
    losses = [np.array(values) for logs in (history, estimator.history_) for values in logs.values()]
    return [*seen, *model.get_weights(), *estimator.model_.get_weights(), *losses]


@pytest.fixture(scope="module")
def expected() -> list[np.ndarray]:
    return train_both()


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_the_installed_keras_has_every_name() -> None:
    on_jax_only = [] if ON_JAX else ["jax_state_sync"]
    assert keras_internals.missing() == on_jax_only


@pytest.mark.parametrize("name", TRAINING_NAMES)
@pytest.mark.slow
def test_training_gives_the_same_weights_without(
    name: str, expected: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(name, monkeypatch)
    assert name in keras_internals.missing()
    assert_same(train_both(), expected)


@pytest.mark.skipif(not ON_JAX, reason="only JAX compiles the loop")
@pytest.mark.parametrize("name", keras_internals.NEEDED_TO_TRAIN)
def test_one_line_says_why_keras_trains(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    model.compile("sgd", "mse")
    take_away(name, monkeypatch)
    cw.fit(model, X, X, verbose=2)
    line = f"codeword: the installed Keras has no `{name}`, so Keras' own fit trains this model."
    assert capsys.readouterr().err.splitlines()[0] == line


class ScannedSteps:
    """A training function of another protocol, as of a Keras that scans over many batches in one call."""

    __slots__ = ()

    def __call__(self, *given: Any, **settings: Any) -> Any:
        raise AssertionError("the loop must not call Keras' own training function")


@pytest.mark.skipif(not ON_JAX, reason="only JAX compiles the loop")
@pytest.mark.parametrize("steps", [1, 3])
def test_the_loop_does_not_depend_on_how_keras_runs_many_steps(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def train() -> list[np.ndarray]:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
        model.compile("adam", "mse", steps_per_execution=steps)
        seen = []
        look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append([batch, logs["loss"]]))
        for _ in range(2):
            cw.fit(model, X, X, batch_size=8, epochs=2, verbose=0, validation_data=(X, X), callbacks=[look])
        return [*model.get_weights(), np.array(seen)]

    expected = train()

    def make(self: Any, force: bool = False) -> None:
        if self.train_function is None or force:
            self.train_function = ScannedSteps()

    trainer = next(holder for holder in keras.Model.__mro__ if "make_train_function" in vars(holder))
    monkeypatch.setattr(trainer, "make_train_function", make)
    for name in ("_make_function", "_get_jax_state", "_purge_model_variables", "train_on_batch"):
        monkeypatch.delattr(trainer, name)
    for found, one in zip(train(), expected, strict=True):
        np.testing.assert_array_equal(found, one)


def nested() -> Any:
    class Holder(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.parts = {"first": [layers.Dense(2)]}
            self.last = layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return self.last(self.parts["first"][0](inputs))

    inner = keras.Sequential([keras.Input((2, 4)), layers.TimeDistributed(layers.Dense(4)), Holder()])
    return keras.Sequential([keras.Input((2, 4)), inner, layers.Flatten()])


def test_layers_are_found_without_the_private_name(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nested()
    flat, inner = keras_internals.flat_layers(model), keras_internals.inner_layers(model)
    monkeypatch.setattr(layers.Layer, "_flatten_layers", Hidden("_flatten_layers"))
    found = {id(layer): layer for layer in keras_internals.flat_layers(model)}
    assert len(flat) == 10
    assert set(map(id, flat)) <= set(found)
    # A `Sequential` also holds the functional model that it builds.
    assert {type(found[number]).__name__ for number in set(found) - set(map(id, flat))} == {"Functional"}
    assert set(map(id, inner)) <= set(map(id, keras_internals.inner_layers(model)))


@pytest.mark.parametrize("takes", [True, False])
def test_the_signature_shows_whether_a_model_takes_training(takes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    model = nested() if takes else Plain()
    assert keras_internals.takes_training(model) == takes
    monkeypatch.setattr(keras.Model, "_call_has_training_arg", Hidden("_call_has_training_arg"), raising=False)
    assert keras_internals.takes_training(model) == takes


def test_masks_are_read_and_set_without_keras_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = ops.ones((2, 3))
    assert keras_internals.mask_of(tensor) is None
    mask = ops.convert_to_tensor(np.array([True, False]))
    keras_internals.set_mask(tensor, mask)
    assert keras_internals.mask_of(tensor) is mask
    own, other = keras.src.backend.get_keras_mask, ops.ones((2,))
    monkeypatch.setattr(keras.src, "backend", object())
    assert {"get_keras_mask", "set_keras_mask"} <= set(keras_internals.missing())
    assert keras_internals.mask_of(tensor) is mask
    keras_internals.set_mask(other, mask)
    assert own(other) is mask


def test_what_has_no_substitute_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        pass

    bare, metric = Bare(), Bare()
    assert keras_internals.added_losses(bare) == []
    assert keras_internals.declared_shape(bare) is None
    assert keras_internals.function_of(bare) is None
    keras_internals.take_direction(metric, bare)
    assert vars(metric) == {}
    monkeypatch.delattr(keras.src.random.seed_generator, "GLOBAL_SEED_GENERATOR")
    assert "GLOBAL_SEED_GENERATOR" in keras_internals.missing()
    assert keras_internals.global_seed_generator() is None
    keras_internals.set_global_seed_generator(None)


# Private names of others than Keras: of named tuples, and of scikit-learn's older estimators.
NOT_OF_KERAS = {"_replace", "_asdict", "_fields", "_make", "_estimator_type"}


def private_names_of_keras() -> set[str]:
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    things = [model, model.optimizer, model.weights[0], keras.KerasTensor((1,)), keras.losses.MeanSquaredError(),
              keras.metrics.MeanSquaredError(), keras.callbacks.CallbackList(), layers.Lambda(abs)]  # fmt: skip
    names = {name for thing in things for name in dir(thing) if name.startswith("_")}
    if keras.backend.backend() == "torch":  # where a Keras layer is also a module of PyTorch
        import torch

        names -= {*dir(torch.nn.Module())}
    return names | {*keras_internals.NAMES}


def uses_of_private_names(source: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line, name, and whether it is asked of an object other than `self` or `cls`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr, getattr(node.value, "id", None) not in ("self", "cls")
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in ("getattr", "hasattr", "setattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant):
                yield node.lineno, name.value, True


def test_no_other_file_uses_a_private_name_of_keras() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    del sources[PACKAGE / "keras_internals.py"]
    defined = set(re.findall(r"(?:def |class |self\.|cls\.)(_\w+)|^ *(_\w+)\b.*=", "\n".join(sources.values()), re.M))
    own = {name for pair in defined for name in pair} | NOT_OF_KERAS
    of_keras = private_names_of_keras()
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path, source in sources.items()
        for line, name, of_other in uses_of_private_names(source)
        if name == "src" or (name.startswith("_") and not name.startswith("__"))
        if name == "src" or name not in own or (of_other and name in of_keras)
    ]
    assert found == []


def test_a_private_name_of_keras_would_be_found() -> None:
    uses = list(
        uses_of_private_names("self._x\nmodel._symbolic_build()\nhasattr(layer, '_losses')\nkeras.src.backend\n")
    )
    assert ("_symbolic_build", True) in [use[1:] for use in uses]
    assert ("_losses", True) in [use[1:] for use in uses]
    assert ("src", True) in [use[1:] for use in uses]
    assert {"_symbolic_build", "_losses", "_flatten_layers", "_compile_loss"} <= private_names_of_keras()
