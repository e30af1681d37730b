"""The command line, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import codeword as cw
from codeword.cli import main
from codeword.files.codes import read_codes
from codeword.files.tables import read_array

IMAGES = cw.datasets.four_level_digits()[:60]
ROOT = Path(__file__).parent.parent
FIT = ["--data", "levels:0,.25,.5,.75", "--edges", "floor", "--code", "bits:12", "--hidden", "8", "--epochs", "1"]


def run(*words, exit_code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == exit_code, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    np.save(folder / "images.npy", IMAGES)
    run("fit", folder / "images.npy", "--output", folder / "m.codeword", *FIT, "--json")
    return folder


def commands():
    return [main.get_command(click.Context(main), name) for name in main.list_commands(click.Context(main))]


@pytest.mark.slow
def test_fit_tells_what_it_made(folder):
    shown = run("fit", folder / "images.npy", "-o", folder / "again.codeword", *FIT, "--quiet").output
    assert "Bits(num_bits=12)" in shown
    assert "cells exact" in shown
    result = json.loads(run("fit", folder / "images.npy", "-o", folder / "again.codeword", *FIT, "--json").output)
    assert result["bytes_per_row"] == 2
    assert result["rows"] == 60
    assert result["fingerprint"] == cw.load(folder / "m.codeword").fingerprint_


@pytest.mark.slow
def test_fit_measures_on_validation_rows_if_given(folder):
    words = ["fit", folder / "images.npy", "-o", folder / "v.codeword", "--validation", folder / "images.npy"]
    assert json.loads(run(*words, *FIT, "--json").output)["measured_on"] == "validation"


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_encode_and_decode_in_every_format(folder, suffix):
    model = cw.load(folder / "m.codeword")
    codes, decoded = folder / f"codes.{suffix}", folder / f"decoded.{suffix}"
    told = json.loads(run("encode", folder / "m.codeword", folder / "images.npy", codes, "--json").output)
    assert told["rows"] == 60
    np.testing.assert_array_equal(read_codes(codes)[0], model.encode(IMAGES))
    run("decode", folder / "m.codeword", codes, decoded)
    np.testing.assert_array_equal(read_array(decoded).reshape(IMAGES.shape), model.decode(model.encode(IMAGES)))


def test_codes_of_another_model_are_refused(folder):
    run("fit", folder / "images.npy", "-o", folder / "other.codeword", *FIT, "--seed", 1, "--json")
    run("encode", folder / "other.codeword", folder / "images.npy", folder / "other.npy", "--quiet")
    result = run("decode", folder / "m.codeword", folder / "other.npy", folder / "never.npy", exit_code=1)
    assert "got codes of model" in result.output
    assert not (folder / "never.npy").exists()


def test_a_place_that_cannot_be_written_is_refused_before_training(folder):
    result = run("fit", folder / "images.npy", "-o", folder / "missing" / "m.codeword", *FIT, exit_code=1)
    assert "got No such file or directory" in result.output
    assert "Nothing was written" in result.output


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["fit", "nowhere.npy", "-o", "m.codeword"], 1, "no such file"),
        (["fit", "images.zip", "-o", "m.codeword"], 1, "must end in .npy, .parquet, .csv"),
        (["fit", "images.npy", "-o", "m.codeword", "--code", "bytes:8"], 2, "'bytes:8'"),
        (["fit", "images.npy", "-o", "m.codeword", "--data", "levels"], 2, "'levels'"),
        (["fit", "images.npy", "-o", "m.codeword", "--hidden", "a,b"], 2, "'a,b'"),
        (["fit", "images.npy"], 2, "--output"),
        (["encode", "nowhere.codeword", "images.npy", "never.npy"], 1, "no such file"),
        (["dance"], 2, "No such command"),
    ],
)
def test_mistakes_are_told_with_the_right_exit_code(folder, monkeypatch, words, exit_code, message):
    monkeypatch.chdir(folder)
    assert message in run(*words, exit_code=exit_code).output
    assert not (folder / "never.npy").exists()


def test_bad_data_is_told_in_words_not_as_a_traceback(folder):
    np.save(folder / "bad.npy", np.where(IMAGES == 0.5, np.nan, IMAGES))
    result = run("encode", folder / "m.codeword", folder / "bad.npy", folder / "never.npy", exit_code=1)
    assert "Error: `x` must be finite" in result.output
    assert not (folder / "never.npy").exists()


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_every_command_has_help_an_example_and_json(command):
    shown = run(command.name, "--help").output
    assert "Example" in shown
    assert f"codeword {command.name}" in shown
    assert "--json" in shown
    overview = run("--help").output
    assert command.name in overview
    assert max(map(len, [*shown.splitlines(), *overview.splitlines()])) <= 80


def test_every_command_and_option_is_documented():
    root = Path(__file__).parent.parent
    pages = "\n".join(page.read_text() for page in [root / "README.md", *(root / "docs").glob("*.md")])
    for command in commands():
        assert f"codeword {command.name}" in pages, command.name
        assert command.help
        assert all(option.help for option in command.params if isinstance(option, click.Option)), command.name


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["encod"], "No such command 'encod'. Did you mean 'encode'"),
        (["recomend"], "No such command 'recomend'. Did you mean 'recommend'"),
        (["xyz"], "No such command 'xyz'."),
        (["decode", "--quit"], "--quiet"),
    ],
)
def test_a_mistyped_command_or_option_gets_a_suggestion(words, expected):
    assert expected in run(*words, exit_code=2).output


def test_help_and_import_do_not_load_keras():
    program = "import sys, codeword, codeword.cli; print([m for m in ('keras', 'jax', 'sklearn') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


@pytest.mark.optimized
@pytest.mark.slow
def test_the_demo_beats_the_plain_ways_and_decodes_what_it_stored(tmp_path):
    result = json.loads(run("demo", "--output", tmp_path / "demo", "--json").output)
    assert result["differing_cells"] == 0
    exact = {row["code"]: row["cells exact"] for row in result["table"]}
    mine = exact.pop("64 bits, trained as bits")
    assert all(mine > other for other in exact.values())
    assert len(exact) == 4
    assert np.load(tmp_path / "demo" / "codes.npy").shape == (360, 8)
    assert (tmp_path / "demo" / "digits.png").stat().st_size > 10_000
