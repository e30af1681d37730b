"""What is saved as `.keras` gives the same numbers in a process that never saw the model being made."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import codeword
from codeword import activations, layers
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
    np.save(sys.argv[1] + f"/{name}.npy", model.predict(np.load(sys.argv[1] + "/x.npy"), batch_size=64, verbose=0))

predict("staircase")
import codeword.layers
predict("quantizer")
"""


def model_with_a_staircase() -> Any:
    levels = activations.staircase([-1, -0.3, 0.1, 2], edges=[-0.5, 0.0, 1.0], slope="tanh", width=0.5)
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(5, activation=levels)]
    )


def model_with_a_quantizer() -> Any:
    quantizer = layers.ScalarQuantizer(steps=16, minimum=-1, maximum=1)
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), quantizer, keras.layers.Dense(6)])


def test_saved_models_give_the_same_bits_in_a_fresh_process(tmp_path: Path) -> None:
    keras.utils.set_random_seed(18)
    models = {"staircase": model_with_a_staircase(), "quantizer": model_with_a_quantizer()}
    before = {name: model.predict(X, batch_size=64, verbose=0) for name, model in models.items()}
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
