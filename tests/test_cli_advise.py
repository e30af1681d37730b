"""`codeword advise`, as a user runs it."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import codeword as cw
from codeword.advice.advise import advise
from codeword.cli import main
from codeword.data_kinds import Levels, Ratings, parse_data_kind
from codeword.files.output_table import write_array, write_columns

FOUR = np.repeat([[0.0, 0.25, 0.5], [0.75, 0.5, 0.0]], 20, axis=0)


def run(*words: object, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == exit_code, result.output
    return result


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_every_format_gets_the_advice_of_the_array(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"four levels.{suffix}"
    write_array(path, FOUR)
    command = f"codeword fit '{path}' --data levels:0,0.25,0.5,0.75 --code bits:64 --output 'four levels.codeword'"
    shown = run("advise", path).output
    assert shown.startswith(str(advise(FOUR)))
    assert shown.endswith(f"On the command line:\n\n    {command}\n")
    told = json.loads(run("advise", path, "--json").output)
    plain = json.loads(advise(FOUR).to_json())
    assert told == {**plain, "heads": [{**plain["heads"][0], "command": command}]}
    assert parse_data_kind(shlex.split(command)[4]) == Levels([0, 0.25, 0.5, 0.75])


def test_bytes_get_a_command_that_scales_them(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.arange(256, dtype=np.uint8).reshape(8, 8, 4))
    command = f"codeword fit {tmp_path / 'images.npy'} --data unit:255 --code bits:64 --output images.codeword"
    assert command in run("advise", tmp_path / "images.npy").output
    assert json.loads(run("advise", tmp_path / "images.npy", "--json").output)["heads"][0]["command"] == command


def test_data_that_must_be_mended_first_gets_no_command(tmp_path: Path) -> None:
    np.save(tmp_path / "holes.npy", np.where(np.arange(80).reshape(20, 4) == 7, np.nan, 0.5))
    assert "On the command line" not in run("advise", tmp_path / "holes.npy").output
    heads = json.loads(run("advise", tmp_path / "holes.npy", "--json").output)["heads"]
    assert [head["command"] for head in heads] == [None, None]
    assert heads[1]["prepare"] == ["x = x[~np.isnan(x).any(axis=1)]  # rows without NaN"]


@pytest.mark.parametrize("names", [("user", "item", "rating"), ("who", "what", "stars")])
def test_a_table_of_ratings_is_advised_as_such(tmp_path: Path, names: tuple[str, str, str]) -> None:
    columns = dict(zip(names, (np.array([1, 2, 2]), np.array(["a", "a", "b"]), np.array([0.5, 5.0, 3.0])), strict=True))
    write_columns(tmp_path / "films.csv", columns)
    options = [] if names[0] == "user" else ["--columns", ",".join(names)]
    told = json.loads(run("advise", tmp_path / "films.csv", *options, "--json").output)
    assert told["question"] is None
    assert [head["kind"] for head in told["heads"]] == [Ratings(0.5, 5).to_config()]
    assert told["heads"][0]["command"] == shlex.join(
        [
            "codeword",
            "fit",
            str(tmp_path / "films.csv"),
            "--data",
            "ratings:0.5-5",
            *options,
            "--output",
            "films.codeword",
        ]
    )
    assert f'x["{names[2]}"]' in told["heads"][0]["keras"]
    assert ("columns=" in told["heads"][0]["codeword"]) == bool(options)
    assert told["values"]["shape"] == [2, 2]


def test_columns_have_names_and_empty_cells_are_told(tmp_path: Path) -> None:
    lines = ["age,year,rating", *(f"{20 + row / 2},2024,{row % 3 + 1}" for row in range(30)), "33,,2"]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    shown = " ".join(run("advise", tmp_path / "table.csv").output.split())
    assert "1 of 3 columns never change ('year')" in shown
    assert "NaN: 1, the first at index (30, 1)." in shown
    assert "Unknown or a mistake?" in shown
    assert "A column is named like ratings." in shown


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.npy", "no such file"),
        ("table.zip", "must end in .npy, .parquet, .csv"),
        ("text.csv", "got text in column 'b'"),
        ("infinite.npy", "the first at index (0, 1)"),
        ("empty.npy", "got shape (0, 3)"),
        ("complex.npy", "must be a .npy file of numbers"),
    ],
)
def test_bad_data_ends_in_words_and_exit_code_1(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "text.csv").write_text("a,b\n1,x\n2,\n")
    np.save(tmp_path / "infinite.npy", [[1.0, np.inf]])
    np.save(tmp_path / "empty.npy", np.empty((0, 3)))
    np.save(tmp_path / "complex.npy", [1j])
    result = run("advise", tmp_path / name, exit_code=1)
    assert message in result.output
    assert "Traceback" not in result.output


def test_wrong_usage_has_exit_code_2(tmp_path: Path) -> None:
    run("advise", exit_code=2)
    run("advise", tmp_path / "x.csv", "--columns", "one,one", exit_code=2)


def test_it_loads_no_keras(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", FOUR)
    script = (
        "import sys; from codeword.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "assert not {'keras', 'jax', 'torch', 'tensorflow'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cw.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", script, "advise", str(tmp_path / "x.npy"), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["heads"][0]["kind"]["kind"] == "Levels"
