"""`codeword fit` for codes to search: --similar and --augment, as a user runs it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_digits

import codeword as cw
from codeword.cli import main

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


def test_similar_and_augment_reach_the_model_and_its_file(folder: Path) -> None:
    told = fitted(folder, "--similar", "neighbors", "--augment", "images", "--validation", folder / "images.npy")
    assert told["data"].startswith("UnitInterval")
    assert told["measured_on"] == "validation"
    assert 0 < told["mse"] < 1
    model = cw.load(folder / "m.codeword")
    assert (model.similar, model.augment, model.code_) == ("neighbors", "images", cw.Bits(12))
    assert told["fingerprint"] == model.fingerprint_


def test_what_is_left_out_is_left_to_the_autoencoder(folder: Path) -> None:
    fitted(folder)
    model = cw.load(folder / "m.codeword")
    assert (model.similar, model.augment) == (None, None)


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["images.npy", "--similar", "all"], 2, "'all' is not one of 'groups', 'neighbors', 'nothing'"),
        (["images.npy", "--augment", "texts"], 2, "'texts' is not"),
        (["images.npy", "--similar", "groups", "--code", "scalars:4"], 1, "`similar` is for Bits"),
        (["images.npy", "--augment", "images", "--code", "floats:4"], 1, "Received: augment='images' with code=Floats"),
        (["images.npy", "--augment", "images", "--similar", "nothing"], 1, "with similar='nothing'"),
        (["levels.npy", "--augment", "images", "--data", "levels:0,.25,.5,.75"], 1, 'only with similar="groups"'),
        (["rows.npy", "--augment", "images"], 1, "Reshape the rows to images"),
        (["rows.npy", "--data", "ratings:1-5", "--similar", "groups"], 2, "--similar works only without --data rating"),
        (["rows.npy", "--data", "ratings:1-5", "--augment", "images"], 2, "--augment works only without --data rating"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], exit_code: int, message: str
) -> None:
    monkeypatch.chdir(folder)
    result = run("fit", words[0], "-o", "never.codeword", "-q", *FIT, *words[1:], exit_code=exit_code)
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (folder / "never.codeword").exists()
