"""README and docs: their programs run, their links lead somewhere, every public name is documented."""

import importlib
import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import codeword as cw
from codeword import layers
from codeword.backend import keras
from codeword.doctor.finding import TITLES

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks/README.md"]


@pytest.mark.parametrize("number", [0, 1, 2, pytest.param(3, marks=pytest.mark.optimized), 4, 5])
@pytest.mark.slow
def test_the_programs_of_the_readme_run(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[number]
    namespace = {}
    exec(program.replace("epochs=20", "epochs=2, hidden=(32,)"), namespace)
    if number == 0:
        assert "of the cells are exact" in capsys.readouterr().out
        assert set(namespace["restored"].ravel()) <= {0, 0.25, 0.5, 0.75}
    elif number == 1:
        assert namespace["items"].shape == namespace["scores"].shape == (1, 10)
        assert namespace["rec"].evaluate(namespace["test"])["rmse"] < 0.87
    elif number == 2:
        assert namespace["ids"].shape == namespace["distances"].shape == (3, 10)
        assert namespace["distances"][0, 0] >= 0
        assert len(namespace["store"]) == 1797
    elif number == 3:
        gate, x, y = namespace["gate"], namespace["x"][1200:], namespace["y"][1200:]
        assert gate.score(x, y) > 0.8
        assert max(expert.score(x, y) for expert in gate.experts_) < 0.6
        left_is_dark = (x.reshape(-1, 8, 8)[:, :, :4] == 0).all(axis=(1, 2))
        assert (gate.choose(x) == left_is_dark).mean() > 0.95  # different experts on different rows
    elif number == 4:
        shown = capsys.readouterr().out
        assert "[targets-not-distributions]" in shown
        assert "2 errors" in shown
        assert 'activation="sigmoid"' in shown  # of advise
        assert namespace["model"].layers[-1].activation is keras.activations.sigmoid
    else:
        assert namespace["model"].output_shape == (None, 64)


@pytest.mark.slow
def test_the_programs_of_the_ratings_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    zeros, estimator, interactions, serving, codes, folds, own_network = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/recommenders.md").read_text(), re.DOTALL
    )
    namespace = {}
    exec(zeros, namespace)
    assert namespace["rec"].num_ratings_ == np.count_nonzero(namespace["x"])
    exec(estimator, namespace)
    assert namespace["items"].shape == namespace["scores"].shape == (2, 10)
    exec(interactions, namespace)
    assert namespace["shop"].recommends_by_ == "ranking"
    exec(serving, namespace)
    assert namespace["items"].shape == namespace["scores"].shape == (2, 10)
    assert namespace["all_stars"].shape == (2, len(np.unique(namespace["train"].items)))
    assert namespace["reasons"].shape == namespace["shares"].shape
    assert {901} < set(namespace["rec"].items_)
    exec(codes, namespace)
    assert namespace["similar"][0, 0] == namespace["codes"].items_[0]
    exec(folds, namespace)
    assert len(namespace["figures"]["test_rmse"]) == 5
    rated = np.random.default_rng(0).integers(0, 6, (6, 4000)).astype("float32")
    first = np.arange(4000) % 2 == 0
    namespace = {"ratings": rated * first, "held_out": rated * ~first}
    exec(own_network, namespace)
    assert np.isfinite(namespace["model"].history.history["val_rmse"]).all()


@pytest.mark.slow
def test_the_programs_of_levels_run(tmp_path, monkeypatch):
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/levels.md").read_text(), re.DOTALL)
    training, output, symbols, own = programs
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(training.replace("Bits(64)", "Bits(64), hidden=(16,), epochs=1"), namespace)
    assert namespace["codes"].shape == (1797, 8)
    assert set(np.unique(namespace["restored"])) <= {0, 0.25, 0.5, 0.75}
    exec(output, namespace)
    assert set(np.unique(namespace["output"](np.linspace(-9, 9, 64)[None]))) <= {0, 0.25, 0.5, 0.75}
    exec(symbols, namespace)
    assert namespace["codes"].shape == (1797, 8)
    np.testing.assert_allclose(namespace["decoded"], namespace["model"].predict(namespace["x"], verbose=0), atol=1e-5)
    exec(
        own.replace("code=cw.Bits(64)", "code=cw.Bits(64), epochs=1").replace("fit(images)", "fit(images[:64])"),
        namespace,
    )
    model, few = namespace["own"], namespace["images"][:9]
    np.testing.assert_array_equal(model.decode(model.encode(few)), model.reconstruct(few))


@pytest.mark.slow
def test_the_programs_of_hash_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/hash.md").read_text(), re.DOTALL)
    namespace = {}
    for text in programs:
        program = text.replace("epochs=40", "epochs=8").replace("binarize(trained_encoder, x)", "binarize(relu, flat)")
        program = program.replace("binarize(activations, bits=64)", "binarize(flat, bits=32)")
        if "binarize" in program:  # `trained_encoder` is the reader's own
            relu = [keras.Input((64,)), keras.layers.Dense(20, activation="sigmoid")]
            namespace |= {"relu": keras.Sequential(relu), "flat": namespace["x"].reshape(1500, 64)}
            own = program.replace("encode(x)", "encode(flat)").replace("encode(activations)", "encode(flat)")
            exec(own, dict(namespace))
        else:
            exec(program, namespace)
    shown = capsys.readouterr().out
    assert int(re.search(r"(\d+)% are of the query's kind", shown)[1]) > 70
    assert "dead bits             []" in shown
    assert namespace["ids"].shape == (297, 10)


@pytest.mark.slow
def test_the_programs_of_search_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/search.md").read_text(), re.DOTALL)
    namespace = {}
    for program in programs:
        exec(program.replace("epochs=40", "epochs=2"), namespace)
        distances, ids = namespace["distances"], namespace["ids"]
        assert distances.shape == ids.shape
        assert (np.diff(distances) >= 0).all()
    distances, _ = namespace["store"].search(namespace["codes"][7:8], k=10)
    assert [row[2] for row in namespace["nearest"]] == distances[0].tolist()


@pytest.mark.slow
def test_the_programs_of_residual_run(capsys):
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/residual.md").read_text(), re.DOTALL)
    namespace = {}
    for program in programs:
        exec(program.replace("cw.Residual(8))", "cw.Residual(8), epochs=1, verbose=0)"), namespace)
    assert namespace["nearest"].shape == (297, 10)
    assert "perplexity" in capsys.readouterr().out
    assert namespace["ids"].shape == (1500, 9)
    assert namespace["more"].shape == (297, 9)
    assert namespace["codes"].shape == (1500, 3)
    assert namespace["vectors"].shape == (1500, 16)


@pytest.mark.slow
def test_the_programs_of_heads_run(capsys):
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/heads.md").read_text(), re.DOTALL)
    x = np.random.default_rng(0).integers(0, 256, (300, 784)).astype("float32")
    x[0, 0] = 0
    namespace = {"x": x}
    keras.utils.set_random_seed(0)  # with some initial weights, a whole layer dies
    for program in programs:
        exec(program, namespace)
    shown = capsys.readouterr().out
    assert [finding.code for finding in namespace["report"].errors] == [
        "targets-not-distributions",
        "cross-entropy-targets",
    ]
    assert "ERROR  softmax over targets that are not distributions" in shown
    assert namespace["model"].loss == "binary_crossentropy"
    assert namespace["restored"].shape == x.shape
    assert 1 < namespace["restored"].max() <= 255


def test_every_finding_is_explained():
    headings = re.findall(r"^## (\S+)$", (ROOT / "docs/findings.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(TITLES)


@pytest.mark.optimized
@pytest.mark.slow
def test_the_programs_of_gate_run(capsys):
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/gate.md").read_text(), re.DOTALL)
    namespace = {}
    exec(programs[0], namespace)
    assert float(re.search(r"right: ([\d.]+)", capsys.readouterr().out)[1]) > 0.95
    exec(programs[1], namespace)
    assert set(np.unique(namespace["choices"])) == {0, 1}
    assert (namespace["choices"].sum(axis=1) == 1).all()
    for program in programs[2:]:
        exec(program, namespace)
    assert namespace["gated"].output_shape == (None, 1)
    assert namespace["gate"].score(namespace["x_test"], namespace["y_test"]) > 0.97
    assert namespace["own"].predict(namespace["x_test"], verbose=0).sum() == len(namespace["x_test"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_the_table_of_slopes_is_the_measured_one_and_the_defaults_follow_it(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    slopes = importlib.import_module("slopes")
    results = json.loads((ROOT / "benchmarks/results/slopes.json").read_text())
    shown = re.search(
        r"<!-- the table begins.*?-->(.*?)<!-- the table ends", (ROOT / "docs/slopes.md").read_text(), re.S
    )
    assert shown[1].strip() == slopes.table(results)

    ranked = {part: slopes.ranked(results["rows"], part) for part in slopes.PARTS}
    defaults = {
        "sign": (layers.SignBits().slope, layers.SignBits().width),
        "hardmax": (layers.Hardmax().slope, layers.Hardmax().temperature),
        "gate": (layers.Hardmax().slope, layers.Hardmax().temperature),
        "scalars": (layers.ScalarQuantizer(4).slope, 2 * slopes.SCALAR_LIMIT / 12),
    }
    for part, (slope, setting) in defaults.items():
        (row,) = [row for row in ranked[part] if row["slope"] == f'"{slope}"' and row["setting"] == setting]
        assert row["tied"], part
    assert layers.Staircase(slopes.LEVELS).width is None  # which is a twelfth of the range, the best of each slope
    for slope in ("tanh", "window"):
        best = next(row for row in ranked["staircase"] if row["slope"] == f'"{slope}"')
        assert best["setting"] == (slopes.LEVELS[-1] - slopes.LEVELS[0]) / 12


def test_every_public_name_exists_and_is_documented():
    for name in cw.__all__:
        assert getattr(cw, name) is not None
        if name != "__version__":
            assert getattr(cw, name).__doc__, name


def run_example(monkeypatch, folder, name, *arguments):
    """Runs an example in an empty folder, without any data set, as its command line would."""
    monkeypatch.delenv("CODEWORD_DATA", raising=False)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "epochs", "lines"),
    [
        ("levels", 1, ["360 images as 2880 bytes: 8 each", "cells where stored differs from trained: 0"]),
        ("ratings", 2, ["of the biases alone", "Ada, never seen before"]),
        ("recommender", 2, ["recommends by ranking", "because of", "who has just come"]),
    ],
)
def test_the_example_runs_without_any_data_set(name, epochs, lines, tmp_path, monkeypatch, capsys):
    run_example(monkeypatch, tmp_path, f"{name}.py", "--epochs", str(epochs), "--picture", "picture.png")
    shown = capsys.readouterr().out
    assert [line for line in lines if line not in shown] == []
    assert (tmp_path / "picture.png").exists()


@pytest.mark.optimized
@pytest.mark.slow
def test_the_example_of_gate_runs(tmp_path, monkeypatch, capsys):
    run_example(monkeypatch, tmp_path, "gate.py")
    shown = capsys.readouterr().out
    assert float(re.findall(r"the gate +([\d.]+)", shown)[1]) > 0.55  # no expert alone is right in more than .34
    assert "10,000 rows: " in shown
    assert (tmp_path / "gate.png").exists()


@pytest.mark.slow
def test_the_example_of_heads_runs_without_any_data_set(tmp_path, monkeypatch, capsys):
    run_example(monkeypatch, tmp_path, "heads.py", "--epochs", "20")
    shown = capsys.readouterr().out
    assert "2 errors" in shown
    error = {
        name: float(re.search(rf"{name} +([.\d]+)", shown)[1]) for name in ("as posted", "data scaled", "put right")
    }
    assert 2 * error["put right"] < error["as posted"]
    assert 2 * error["put right"] < error["data scaled"]
    assert (tmp_path / "heads.png").exists()


@pytest.mark.slow
def test_the_example_of_hash_runs_without_any_data_set(tmp_path, monkeypatch, capsys):
    run_example(monkeypatch, tmp_path, "hash.py", "--epochs", "2")
    shown = capsys.readouterr().out
    assert "1500 images, 4 bytes each" in shown
    assert "are of the query's kind" in shown
    assert (tmp_path / "hash.png").exists()
    assert (tmp_path / "codes.duckdb").exists()


def test_the_page_of_performance_is_what_the_results_say():
    report = runpy.run_path(str(ROOT / "benchmarks/report.py"))
    assert (ROOT / "docs/performance.md").read_text(encoding="utf-8") == report["performance"]()
