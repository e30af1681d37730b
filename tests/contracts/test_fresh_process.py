"""What is saved as `.keras` gives the same numbers in a process that never saw the model being made."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import codeword
from codeword import activations, layers, losses, metrics
from codeword.backend import keras

from .tensors import assert_same_bits

X = np.random.default_rng(17).normal(size=(256, 6)).astype(np.float32) * 2

LOAD_AND_PREDICT = """
import sys
import numpy as np
import codeword.activations
import keras

def predict(name):
    model = keras.models.load_model(sys.argv[1] + f"/{name}.keras")
    outputs = model.predict(np.load(sys.argv[1] + "/x.npy"), batch_size=64, verbose=0)
    outputs = np.concatenate([np.ravel(part) for part in outputs]) if isinstance(outputs, list) else outputs
    np.save(sys.argv[1] + f"/{name}.npy", outputs)

predict("staircase")
import codeword.layers
predict("quantizer")
predict("every_class")
"""


def model_with_a_staircase() -> Any:
    levels = activations.staircase([-1, -0.3, 0.1, 2], edges=[-0.5, 0.0, 1.0], slope="tanh", width=0.5)
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(5, activation=levels)]
    )


def model_with_a_quantizer() -> Any:
    quantizer = layers.ScalarQuantizer(steps=16, minimum=-1, maximum=1)
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), quantizer, keras.layers.Dense(6)])


def model_of_every_class() -> Any:
    """Make a compiled model with every layer, loss and metric of the library."""
    settings: dict[str, list[Any]] = {"LevelOneHot": [3], "Staircase": [3], "CodeNoise": [0.1]}
    settings |= {"ResidualQuantizer": [2, 8], "ResidualSteps": [2, 8]}
    given: dict[str, list[Any]] = {"Masked": ["mse"]}
    inputs = keras.Input((6,))
    outputs, chosen, measured = {}, {}, {}
    for name in exported(layers, keras.layers.Layer):
        x = keras.layers.Reshape((3, 2))(inputs) if name == "RandomAffine" else keras.layers.Dense(4)(inputs)
        outputs[name] = getattr(layers, name)(*settings.get(name, []), name=name)(x)
    for name in exported(losses, keras.losses.Loss):
        logits = keras.layers.Reshape((2, 3))(keras.layers.Dense(6)(inputs))
        levels = "Level" in name or name in ("OrdinalCrossentropy", "BinInsensitive")
        outputs[f"{name}_loss"] = keras.layers.Identity(name=f"{name}_loss")(logits)
        chosen[f"{name}_loss"] = getattr(losses, name)(*([3] if levels else given.get(name, [])))
    for name in exported(metrics, keras.metrics.Metric):
        outputs[f"{name}_metric"] = keras.layers.Dense(2, name=f"{name}_metric")(inputs)
        measured[f"{name}_metric"] = getattr(metrics, name)(*given.get(name, []))
    model = keras.Model(inputs, list(outputs.values()))
    model.compile("sgd", chosen, metrics=measured)
    return model


def exported(module: Any, base: type) -> list[str]:
    return [name for name, thing in vars(module).items() if isinstance(thing, type) and issubclass(thing, base)]


def test_saved_models_give_the_same_bits_in_a_fresh_process(tmp_path: Path) -> None:
    keras.utils.set_random_seed(18)
    models = {
        "staircase": model_with_a_staircase(),
        "quantizer": model_with_a_quantizer(),
        "every_class": model_of_every_class(),
    }
    before = {name: model.predict(X, batch_size=64, verbose=0) for name, model in models.items()}
    before["every_class"] = np.concatenate([np.ravel(part) for part in before["every_class"]])
    np.save(tmp_path / "x.npy", X)
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
        assert len(np.unique(before[name])) >= 4

    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = str(Path(codeword.__file__).parents[1])
    command = [sys.executable, "-c", LOAD_AND_PREDICT, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    for name, outputs in before.items():
        assert_same_bits(np.load(tmp_path / f"{name}.npy"), outputs, name)
