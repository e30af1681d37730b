"""What docs/formats.md says is what the files hold: its Python runs, its tables name every entry."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codeword as cw
from codeword.code_kinds import Bits, Floats, Scalars
from codeword.code_kinds.packing import pack
from codeword.files.codes import read_codes

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests" / "golden" / ".".join(cw.__version__.split(".")[:2])


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Runs the document's Python from top to bottom beside copies of the golden files; gives what it defined."""
    folder = tmp_path_factory.mktemp("formats")
    for name in ("codes.npy", "codes.parquet", "model.codeword"):
        shutil.copy(GOLDEN / name, folder)
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL):
            exec(compile(block, "docs/formats.md", "exec"), names)
    return names


def test_codes_are_read_without_codeword(names: dict[str, Any]) -> None:
    symbols = np.load(GOLDEN / "symbols.npy")
    codes, kind = read_codes(GOLDEN / "codes.npy")
    np.testing.assert_array_equal(names["bits"], symbols)
    np.testing.assert_array_equal(names["unpack"](codes, kind.symbol_sizes), symbols)
    np.testing.assert_array_equal(names["codes_of_parquet"], codes)
    assert names["note"]["code"] == kind.to_config()
    query = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(names["distances"], (symbols != query).sum(axis=1))


@settings(deadline=None)
@given(st.lists(st.sampled_from([2, 3, 201, 256, 300, 65_536]), min_size=1, max_size=9), st.data())
def test_the_documented_unpacking_undoes_packing(names: dict[str, Any], sizes: list[int], data: st.DataObject) -> None:
    symbols = np.array([[data.draw(st.integers(0, size - 1)) for size in sizes]])
    assert names["unpack"](pack(symbols, Scalars(len(sizes), steps=sizes)), sizes).tolist() == symbols.tolist()


def test_the_bytes_in_the_table_are_the_packed_ones() -> None:
    kinds = {"Bits": Bits, "Scalars": Scalars, "Floats": Floats}
    rows = re.findall(r"^\| `(\w+)\((.*?)\)` \| ([\d. ]+) \| (?:.*= )?([\d ]+) \|$", DOCUMENT, re.MULTILINE)
    assert [row[0] for row in rows] == ["Bits", "Scalars", "Scalars", "Floats"]
    for name, arguments, symbols, codes in rows:
        number, _, steps = arguments.partition(", steps=")
        kind = kinds[name](int(number), **({"steps": int(steps)} if steps else {}))
        row = np.array([symbols.split()], np.float32).astype(kind.symbol_dtype)
        assert pack(row, kind).tolist() == [[int(byte) for byte in codes.split()]]


def test_the_model_is_read_without_codeword(names: dict[str, Any]) -> None:
    model = cw.load(GOLDEN / "model.codeword")
    config, arrays = model._parts()
    written = names["config"]
    # Parameters that came later have their defaults.
    assert {**config, "parameters": {**config["parameters"], **written["parameters"]}} == config
    assert {**written, "parameters": config["parameters"]} == config
    assert set(names["arrays"]) == set(arrays)
    assert names["digest"].hexdigest() == model.fingerprint_


def test_every_entry_of_the_configuration_is_documented(names: dict[str, Any]) -> None:
    config = cw.load(GOLDEN / "model.codeword")._parts()[0]
    for entry in (*config, *config["parameters"], *config["data"], *config["code"], *names["manifest"]):
        assert f"`{entry}`" in DOCUMENT
    entries, parameters = DOCUMENT[DOCUMENT.index("**`config.json`**") :].split("`parameters` holds")[:2]
    assert documented_in(entries) == {*config, *cw.Autoencoder.ADDED_CONFIG}
    written_if_set = {*cw.Autoencoder.ADDED, "groups"}
    assert documented_in(parameters.partition("A setting that a file lacks")[0]) == {
        *config["parameters"],
        *written_if_set,
    }


def documented_in(tables: str) -> set[str]:
    """Return the names in the first columns."""
    return set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", tables, re.MULTILINE))))


def test_an_answer_of_a_model_of_ratings_is_worked_out_without_codeword(names: dict[str, Any]) -> None:
    ratings, _ = cw.datasets.planted_ratings(30, 25, 250)
    model = cw.RatingAutoencoder(data=cw.Ratings(0, 6), by="both", units=5, epochs=2, verbose=0).fit(ratings)
    config, arrays = model._parts()
    for user, item in ((0, 0), (3, 7), (11, 2), (len(model.users_) - 1, len(model.items_) - 1)):
        expected = model.predict(model.users_[[user]], model.items_[[item]])[0]
        assert names["answer"](config, arrays, user, item) == pytest.approx(expected, abs=1e-4)
    section = DOCUMENT[DOCUMENT.index("## 4.") : DOCUMENT.index("## 5.")]
    for entry in (*config, *config["parameters"], *config["data"]):
        assert f"`{entry}`" in section, entry
    for name in arrays:
        documented = re.sub(r"/\d{3}/.*", "/<number>", name)
        assert documented in section, name


def test_a_choice_of_a_gate_is_worked_out_without_codeword(names: dict[str, Any]) -> None:
    gate = cw.load(GOLDEN / "gate.codeword")
    config, arrays = gate._parts()
    rows = np.random.default_rng(0).normal(size=(50, gate.n_features_in_)) * 3
    assert [names["choice"](config, arrays, row) for row in rows] == gate.choose(rows).tolist()
    section = DOCUMENT[DOCUMENT.index("## 5.") : DOCUMENT.index("## 6.")]
    for entry in (*config, *config["parameters"], *config["classes"]):
        assert f"`{entry}`" in section, entry
    for name in (*arrays, "target_scale", "probe/rows", "probe/answers"):
        assert re.sub(r"/\d{3}/", "/<number>/", name) in section, name
