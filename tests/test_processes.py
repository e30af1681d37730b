"""What the command runs in processes of its own: limits of memory and time, and no module of the current folder."""

import os
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner

from codeword.cli import main, processes
from codeword.cli.examine import examine
from codeword.errors import ModelFileError

IN_LIMITS = """
import sys, time
from pathlib import Path
from codeword.cli import processes
if sys.argv[2] == "time":
    processes.LOADING_SECONDS = 0.2
with processes.limits_of_loading(Path(sys.argv[1])):
    if sys.argv[2] == "memory":
        try:
            bytearray(300 << 20)
        except MemoryError:
            print("refused")
            bytearray(100 << 20)
    elif sys.argv[2] == "time":
        time.sleep(20)
bytearray(300 << 20)
print("done")
"""


def archive(path, content=b"{}", method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr("config.json", content)
    return path


def fresh(path, what):
    return subprocess.run(
        [sys.executable, "-c", IN_LIMITS, str(path), what], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux only")
def test_loading_a_small_file_may_not_take_much_memory(tmp_path):
    done = fresh(archive(tmp_path / "model.keras"), "memory")
    assert done.stdout.split() == ["refused", "done"], done.stderr


@pytest.mark.skipif(os.name == "nt", reason="time is not limited on Windows")
def test_loading_may_not_take_long(tmp_path):
    assert fresh(archive(tmp_path / "model.keras"), "time").returncode == -14


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path):
    bomb = archive(tmp_path / "bomb.keras", b" " * 1_000_000, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match=r"more than tenfold .*: got 1,\d\d\d bytes that become 1,000,000\."):
        processes.check_archive(bomb)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(60)])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "bad.keras").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"must be a model that Keras can load \(\.keras\)"):
        processes.check_archive(tmp_path / "bad.keras")


def child(monkeypatch, program):
    """Let the command run a program instead of itself, and return the words that the command would get."""
    seen = []

    def command_of(*words):
        seen.extend(words)
        return [sys.executable, "-c", program]

    monkeypatch.setattr(processes, "command_of", command_of)
    return seen


def test_a_model_is_loaded_in_a_process_of_its_own_with_all_options(monkeypatch, tmp_path):
    model = archive(tmp_path / "-model.keras")
    words = child(monkeypatch, "import sys; sys.exit(1)")
    given = ["--seed", "3", "--code-layer", "c", "--validation", "a", "b", "-q", "--json", "--", str(model), "x", "y"]
    assert CliRunner().invoke(main, ["examine", *given]).exit_code == 1
    assert words[0] == "examine"
    params = examine.make_context("examine", [str(word) for word in words[1:]]).params
    assert params.pop("within_limits")
    assert {name: str(value) for name, value in params.items() if name != "validation"} == {
        "model": str(model),
        "data": "x",
        "targets": "y",
        "code_layer": "c",
        "seed": "3",
        "quiet": "True",
        "trust": "False",
        "as_json": "True",
    }
    assert [str(path) for path in params["validation"]] == ["a", "b"]


def test_a_process_that_died_is_an_error_in_words(monkeypatch, tmp_path):
    child(monkeypatch, "import os; os.abort()")
    shown = CliRunner().invoke(main, ["examine", str(archive(tmp_path / "model.keras")), "x.npy"])
    assert shown.exit_code == 1
    assert "must be loaded within 200 MiB and 120 seconds: got signal SIGABRT" in shown.output
    assert "add --trust" in shown.output


@pytest.mark.parametrize("safe", [True, False])
def test_modules_of_the_current_folder_are_not_run(tmp_path, safe):
    (tmp_path / "click.py").write_text("print('a stranger runs')")
    command = processes.command_of("--version") if safe else [sys.executable, "-m", "codeword", "--version"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("codeword, version")
