"""`codeword fit` and its options for an objective, as a user runs it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_digits

import codeword as cw
from codeword.cli import main
from codeword.objectives import KeepGroups, KeepNeighbors, Reconstruct

FIT = ["--code", "bits:12", "--hidden", "8", "--epochs", "1"]


def run(*words: Any, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == exit_code, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-fit-bits")
    images = load_digits().images[:60] / 16
    np.save(folder / "images.npy", images)
    np.save(folder / "rows.npy", images.reshape(60, 64))
    np.save(folder / "levels.npy", np.floor(images * 3.99) / 4)
    return folder


def fitted(folder: Path, *words: Any) -> Any:
    return json.loads(run("fit", folder / "images.npy", "-o", folder / "m.codeword", *FIT, *words, "--json").output)


@pytest.mark.parametrize(
    ("words", "objective"),
    [
        (["--objective", "neighbors", "--augment", "images"], KeepNeighbors(augment="images")),
        (
            ["--objective", "groups", "--neighbors", 100, "--steps", 1, "--noise", 0.1],
            KeepGroups(neighbors=100, steps=1, noise=0.1),
        ),
        (["--objective", "reconstruct", "--swap", 0.3, "--noise", 0], Reconstruct(swap=0.3, noise=0.0)),
        ([], None),
    ],
    ids=["neighbors", "groups", "reconstruct", "default"],
)
@pytest.mark.slow
def test_an_objective_reaches_the_model_and_its_file(folder: Path, words: list[Any], objective: Any) -> None:
    result = fitted(folder, *words, "--validation", folder / "images.npy")
    assert result["data"].startswith("UnitInterval")
    assert result["measured_on"] == "validation"
    assert 0 < result["mse"] < 1
    model = cw.load(folder / "m.codeword")
    assert (model.objective, model.code_) == (objective, cw.Bits(12))
    assert result["objective"] == str(objective or KeepNeighbors())
    assert result["fingerprint"] == model.fingerprint_


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["images.npy", "--objective", "all"], 2, "'all' is not one of 'reconstruct', 'groups', 'neighbors'"),
        (["images.npy", "--objective", "groups", "--augment", "texts"], 2, "'texts' is not"),
        (["images.npy", "--objective", "groups", "--neighbors", "0"], 2, "0 is not in the range x>=1"),
        (["images.npy", "--objective", "reconstruct", "--swap", "2"], 2, "2.0 is not in the range 0<=x<=1"),
        (["images.npy", "--augment", "images"], 2, "--augment needs --objective groups or neighbors: got none."),
        (
            ["images.npy", "--noise", "0.1"],
            2,
            "--noise needs --objective reconstruct or groups or neighbors: got none",
        ),
        (
            ["images.npy", "--objective", "groups", "--swap", "0.1"],
            2,
            "--swap needs --objective reconstruct: got --objective groups.",
        ),
        (
            ["images.npy", "--objective", "reconstruct", "--steps", "3"],
            2,
            "--steps needs --objective groups or neighbors: got --objective reconstruct.",
        ),
        (
            ["images.npy", "--objective", "groups", "--code", "scalars:4"],
            2,
            "`code` must have a Hamming distance for KeepGroups, such as Bits(64): got Scalars",
        ),
        (["rows.npy", "--objective", "groups", "--augment", "images"], 1, "Reshape the rows to images"),
        (
            ["rows.npy", "--data", "ratings:1-5", "--objective", "groups"],
            2,
            "--objective needs other data than",
        ),
        (["rows.npy", "--data", "ratings:1-5", "--augment", "images"], 2, "--augment needs other data than ratings"),
    ],
)
def test_mistakes_are_refused_and_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], exit_code: int, message: str
) -> None:
    monkeypatch.chdir(folder)
    result = run("fit", words[0], "-o", "never.codeword", "-q", *FIT, *words[1:], exit_code=exit_code)
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (folder / "never.codeword").exists()
