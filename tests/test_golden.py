"""What every released version has written is read for ever, on every backend."""

import json
from pathlib import Path

import numpy as np
import pytest

import codeword as cw
from codeword.code_kinds import packing
from codeword.files.codes import read_codes
from codeword.files.tables import read_array, read_columns

MARGIN = 5e-5  # within it another backend may give another symbol
FOLDERS = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if (path / "model.codeword").is_file())


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def model(folder: Path) -> cw.Autoencoder:
    return cw.load(folder / "model.codeword").set_params(verbose=0)


def test_this_version_has_its_files() -> None:
    assert ".".join(cw.__version__.split(".")[:2]) in [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_codes_are_read_and_unpack_to_the_same_symbols(folder: Path, suffix: str) -> None:
    model = json.loads((folder / "codes.npy.json").read_text())["model"]
    codes, kind = read_codes(folder / f"codes{suffix}", fingerprint=model)
    assert kind == cw.Bits(10)
    symbols = read_array(folder / "symbols.npy")
    assert len(np.unique(symbols, axis=0)) > 1
    np.testing.assert_array_equal(packing.unpack(codes, kind), symbols)
    np.testing.assert_array_equal(packing.pack(symbols, kind), codes)


def test_the_model_is_the_one_that_made_the_codes(folder: Path, model: cw.Autoencoder) -> None:
    codes, _ = read_codes(folder / "codes.npy", fingerprint=cw.load(folder / "model.codeword").fingerprint_)
    assert codes.shape == (len(read_array(folder / "rows.npy")), model.code_.num_bytes)
    assert model.data_ == cw.Levels([0, 0.25, 0.5, 0.75])


def test_codes_decode_to_the_same_values(folder: Path, model: cw.Autoencoder) -> None:
    codes, _ = read_codes(folder / "codes.npy")
    np.testing.assert_array_equal(model.decode(codes), read_array(folder / "decoded.npy"))


def test_rows_encode_to_the_same_codes_outside_the_margin(folder: Path, model: cw.Autoencoder) -> None:
    codes, margin = model.encode(read_array(folder / "rows.npy"), return_margin=True)
    stored = read_array(folder / "symbols.npy")
    clear = margin >= MARGIN
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(packing.unpack(codes, model.code_)[clear], stored[clear])


def test_a_model_of_ratings_gives_the_same_answers(folder: Path) -> None:
    stored = read_columns(folder / "ratings.csv")
    model = cw.load(folder / "ratings.codeword")
    np.testing.assert_allclose(model.predict(stored["user"], stored["item"]), stored["predicted"], atol=1e-5)
    assert len(np.unique(stored["predicted"])) > 30


def test_a_gate_chooses_the_same_experts(folder: Path) -> None:
    gate = cw.load(folder / "gate.codeword").set_params(verbose=0)
    with np.load(folder / "gate.npz") as stored:
        assert len(np.unique(stored["choices"])) == gate.num_experts_
        np.testing.assert_array_equal(gate.choose(stored["rows"]), stored["choices"])
        answers = gate.predict(stored["rows"], outputs=gate.classes_[stored["outputs"]])
        np.testing.assert_array_equal(answers, gate.classes_[stored["answers"]])
