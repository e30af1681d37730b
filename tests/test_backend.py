"""Every question is asked in a process of its own, because a backend is chosen once and for all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import codeword
from codeword import backend

SOURCE = str(Path(codeword.__file__).parents[1])

# Hides packages from the import system, whichever of them this machine has.
HIDING = """
import json, os, sys

class Hiding:
    names = set()

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in Hiding.names else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
"""
HIDE_ALL = HIDING + 'Hiding.names = {"jax", "torch", "tensorflow"}\n'
TELL_ERROR = """
def error_of(action):
    try:
        action()
    except Exception as error:
        return [type(error).__name__, isinstance(error, ImportError), str(error)]
"""


def answer_of(code: str, **variables: str | None) -> Any:
    """Runs code in a new process and gives what it prints as JSON; a variable of None is not set."""
    changed = {"PYTHONPATH": SOURCE, "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    environment = {**os.environ, **changed}
    environment = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def packages(tmp_path: Path) -> str:
    """A folder with a package by the name of each backend, so that all count as installed."""
    for name in backend.PREFERENCE:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    return os.pathsep.join([str(tmp_path), SOURCE])


def test_first_installed_of_jax_torch_and_tensorflow_is_chosen(packages: str) -> None:
    code = """
from codeword import backend
answers = {}
for installed in ("jax torch tensorflow", "torch tensorflow", "jax tensorflow", "tensorflow", ""):
    os.environ.pop("KERAS_BACKEND", None)
    Hiding.names = {"jax", "torch", "tensorflow"} - set(installed.split())
    answers[installed] = [backend.choose_backend(), os.environ.get("KERAS_BACKEND")]
print(json.dumps(answers))
"""
    assert answer_of(HIDING + code, PYTHONPATH=packages, KERAS_BACKEND=None) == {
        "jax torch tensorflow": ["jax", "jax"],
        "torch tensorflow": ["torch", "torch"],
        "jax tensorflow": ["jax", "jax"],
        "tensorflow": ["tensorflow", "tensorflow"],
        "": [None, None],
    }


@pytest.mark.parametrize("chosen", ["tensorflow", "torch", "jax", "not_a_backend"])
def test_choice_of_the_user_is_never_overridden(packages: str, chosen: str) -> None:
    code = 'import codeword, json, os; print(json.dumps([codeword.choose_backend(), os.environ["KERAS_BACKEND"]]))'
    assert answer_of(code, PYTHONPATH=packages, KERAS_BACKEND=chosen) == [chosen, chosen]


def test_empty_choice_is_none_as_it_is_for_keras(packages: str) -> None:
    code = 'import codeword, json, os; print(json.dumps([codeword.choose_backend(), os.environ["KERAS_BACKEND"]]))'
    assert answer_of(code, PYTHONPATH=packages, KERAS_BACKEND="") == ["jax", "jax"]


def test_folder_without_a_package_is_no_backend(tmp_path: Path) -> None:
    for name in ("jax", "torch"):
        (tmp_path / name).mkdir()
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").touch()
    # Without site-packages, where the real ones would be found.
    code = f"""
import json, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + [{str(tmp_path)!r}, {SOURCE!r}]
from codeword import backend
print(json.dumps(backend.choose_backend()))
"""
    assert answer_of(code, PYTHONPATH=str(tmp_path), KERAS_BACKEND=None) == "tensorflow"


@pytest.mark.slow
def test_keras_that_is_already_loaded_keeps_its_backend() -> None:
    code = """
import os, json, keras
del os.environ["KERAS_BACKEND"]
import codeword
print(json.dumps([codeword.choose_backend(), keras.backend.backend(), os.environ.get("KERAS_BACKEND")]))
"""
    current = backend.keras.backend.backend()
    assert answer_of(code, KERAS_BACKEND=current) == [current, current, None]


@pytest.mark.slow
def test_chosen_backend_is_what_keras_takes() -> None:
    code = """
import json, codeword, importlib.util
first = next(name for name in ("jax", "torch", "tensorflow") if importlib.util.find_spec(name))
import keras
print(json.dumps([codeword.choose_backend(), keras.backend.backend()] + [first]))
"""
    chosen, taken, first = answer_of(code, KERAS_BACKEND=None)
    assert chosen == taken == first


@pytest.mark.slow
def test_codes_work_without_a_backend_and_layers_say_what_to_install() -> None:
    code = """
import importlib
import numpy as np
import codeword
bits = np.array([[1, 0, 1, 1, 0, 0, 0, 0, 1, 1]], np.uint8)
packed = codeword.packing.pack_bits(bits)
modules = ["layers", "activations", "losses", "metrics", "surrogates", "layers"]
errors = [error_of(lambda: importlib.import_module("codeword." + name)) for name in modules]
errors.append(error_of(lambda: codeword.layers.SignBits))
errors.append(error_of(lambda: codeword.Autoencoder))
same = codeword.packing.unpack_bits(packed, 10).tolist() == bits.tolist()
print(json.dumps([same, codeword.Bits(10).num_bytes, errors, "keras" in sys.modules]))
"""
    same, num_bytes, errors, keras_is_loaded = answer_of(HIDE_ALL + TELL_ERROR + code, KERAS_BACKEND=None)
    assert same
    assert num_bytes == 2
    assert not keras_is_loaded
    for name, is_import_error, message in errors:
        assert name == "MissingExtraError"
        assert is_import_error
        assert 'got none of them. Install one with pip install "codeword[jax]"' in message


@pytest.mark.parametrize("chosen", backend.PREFERENCE)
def test_chosen_backend_that_is_missing_is_named(chosen: str) -> None:
    code = """
import codeword
print(json.dumps([error_of(lambda: codeword.layers) for _ in range(2)]))
"""
    for name, is_import_error, message in answer_of(HIDE_ALL + TELL_ERROR + code, KERAS_BACKEND=chosen):
        assert name == "MissingExtraError"
        assert is_import_error
        assert f"got KERAS_BACKEND='{chosen}' and the error" in message
        assert f'pip install "codeword[{chosen}]", or set KERAS_BACKEND to one that is installed' in message


def test_unknown_backend_is_named() -> None:
    code = "import codeword; print(json.dumps(error_of(lambda: codeword.layers)))"
    _, _, message = answer_of("import json" + TELL_ERROR + code, KERAS_BACKEND="not_a_backend")
    assert "not_a_backend" in message


def test_tables_and_files_never_load_keras() -> None:
    code = """
import json, sys
answers = {}
for name in ["codeword"] + ["codeword." + name for name in
        ("errors", "backend", "code_kinds.packing", "data_kinds", "code_kinds", "files.model_file", "files.tables",
        "files.codes", "files.output_table", "search")]:
    __import__(name)
    answers[name] = sorted({"keras", "jax", "torch", "tensorflow"} & set(sys.modules))
import codeword
codeword.Levels([0, .5, 1]), codeword.Bits(8), codeword.infer_data_kind([[0., 1.]])
answers["used"] = sorted({"keras", "jax", "torch", "tensorflow"} & set(sys.modules))
print(json.dumps(answers))
"""
    answers = answer_of(code)
    assert len(answers) == 12
    assert not any(answers.values()), answers


def test_backend_hands_out_keras_and_nothing_else() -> None:
    assert backend.keras.__name__ == "keras"
    with pytest.raises(AttributeError, match="has no attribute 'jax'"):
        backend.jax  # noqa: B018
