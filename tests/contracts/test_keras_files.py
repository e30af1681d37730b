"""The networks of every estimator load from `.keras` files in a process that only imports `codeword.layers`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codeword as cw
from codeword.backend import keras

RANDOM = np.random.default_rng(0)
SMALL: dict[str, Any] = {"hidden": (4,), "epochs": 1, "batch_size": 16, "verbose": 0}
REAL = RANDOM.normal(size=(32, 6)).astype(np.float32)
LEVELS = RANDOM.integers(0, 4, (32, 3, 2)) / 4
BINARY = RANDOM.integers(0, 2, (32, 6))
RATINGS = (np.arange(60) % 12, np.arange(60) // 6, 1.0 + np.arange(60) % 5)
GROUPS = cw.objectives.KeepGroups(augment="images")
IMAGES = RANDOM.random((32, 6, 5)).astype(np.float32)

LOAD_AND_PREDICT = """
import pathlib, sys
import codeword.layers, keras
import numpy as np

for path in sorted(pathlib.Path(".").glob("*.keras")):
    rows = np.load(path.with_suffix(".rows.npy"))
    np.save(path.with_suffix(".loaded.npy"), keras.models.load_model(path).predict(rows, batch_size=64, verbose=0))
"""


def estimators() -> dict[str, tuple[Any, np.ndarray]]:
    """Return fitted estimators of every code kind, data kind and objective, each with rows for its network."""
    staircase = cw.Levels([0, 0.25, 0.5, 0.75], edges="floor", loss="staircase")
    ordinal = cw.Levels([0, 0.25, 0.5, 0.75], loss="ordinal")
    rows: dict[str, tuple[Any, np.ndarray]] = {
        "bits": (cw.Autoencoder(data=cw.Levels([0, 0.25, 0.5, 0.75]), code=cw.Bits(6), **SMALL), LEVELS),
        "staircase": (cw.Autoencoder(data=staircase, code=cw.Bits(6), **SMALL), LEVELS),
        "scalars": (cw.Autoencoder(data=ordinal, code=cw.Scalars(3, steps=(4, 5, 6)), **SMALL), LEVELS),
        "choices": (cw.Autoencoder(data=cw.Binary(), code=cw.Choices(2, size=5), **SMALL), BINARY),
        "residual": (cw.Autoencoder(data=cw.Real(), code=cw.Residual(3, size=8), **SMALL), REAL),
        "floats": (cw.Autoencoder(data=cw.Real(), code=cw.Floats(3), **SMALL), REAL),
        "groups": (cw.Autoencoder(data=cw.UnitInterval(), code=cw.Bits(6), objective=GROUPS, **SMALL), IMAGES),
        "neighbors": (
            cw.Autoencoder(data=cw.Real(), code=cw.Bits(6), objective=cw.objectives.KeepNeighbors(), **SMALL),
            REAL,
        ),
    }
    fitted = {name: (estimator.fit(values), values) for name, (estimator, values) in rows.items()}
    labels = (REAL[:, 0] > 0).astype(int)
    gate = {"hidden": (4,), "epochs": 1, "verbose": 0}
    answers = np.column_stack([labels, 1 - labels])
    fitted["classifier"] = cw.HardGateClassifier(**gate).fit(REAL, labels, outputs=answers), REAL
    fitted["regressor"] = cw.HardGateRegressor(**gate).fit(REAL, REAL[:, 0], outputs=REAL[:, :2]), REAL
    for by in ("items", "users"):
        model = cw.RatingAutoencoder(by=by, units=3, epochs=1, verbose=0).fit(RATINGS)
        fitted[f"ratings by {by}"] = model, model.rows_.toarray()
    return fitted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every network, rows for it, and its outputs."""
    folder = tmp_path_factory.mktemp("networks")
    for name, (estimator, values) in estimators().items():
        entering = values
        if hasattr(estimator, "data_") and hasattr(estimator, "statistics_"):
            entering = estimator.data_.to_network(values, estimator.statistics_)
        networks = {"model": estimator.model_}
        if hasattr(estimator, "encoder_"):
            networks |= {"encoder": estimator.encoder_, "decoder": estimator.decoder_}
        for part, network in networks.items():
            rows = estimator.encoder_.predict(entering, verbose=0) if part == "decoder" else entering
            np.save(folder / f"{name} {part}.rows.npy", rows)
            np.save(folder / f"{name} {part}.expected.npy", network.predict(rows, batch_size=64, verbose=0))
            network.save(folder / f"{name} {part}.keras")
    return folder


def run_in_fresh_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = str(Path(cw.__file__).parents[1])
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_every_network_gives_the_same_outputs_in_a_fresh_process(folder: Path) -> None:
    done = run_in_fresh_process("-c", LOAD_AND_PREDICT, folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    paths = sorted(folder.glob("*.keras"))
    assert len(paths) == 3 * 10 + 2
    for path in paths:
        loaded, expected = (np.load(path.with_suffix(f".{end}.npy")) for end in ("loaded", "expected"))
        np.testing.assert_array_equal(loaded, expected, err_msg=path.name)
        assert np.isfinite(expected).all()


@pytest.mark.slow
def test_the_tool_examines_an_estimators_network(folder: Path) -> None:
    arguments = ("-m", "codeword", "examine", "staircase model.keras", "staircase model.rows.npy", "--json")
    done = run_in_fresh_process(*arguments, folder=folder)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    assert '"findings"' in done.stdout
