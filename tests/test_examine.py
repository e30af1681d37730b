"""`examine`: nothing changes in the model, odd models and data get an answer, reports can be printed and sent."""

import importlib
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from click.testing import CliRunner

import codeword as cw
from codeword.backend import keras
from codeword.cli import main
from codeword.doctor.finding import TITLES, explanation_of
from codeword.errors import DataError, DataTypeError, ParameterError

ROOT = Path(__file__).parent.parent

x = np.random.default_rng(0).random((120, 8)).astype("float32")


def autoencoder(activation="sigmoid", loss="mse", *, units=8):
    drawn = {"kernel_initializer": keras.initializers.GlorotUniform(seed=0)}
    hidden = keras.layers.Dense(4, activation="tanh", **drawn)
    model = keras.Sequential([keras.Input((8,)), hidden, keras.layers.Dense(units, activation=activation, **drawn)])
    if loss is not None:
        model.compile("adam", loss=loss)
    return model


def codes(report):
    return {finding.code for finding in report.findings}


# --- nothing changes -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_weights_optimizer_metrics_and_chance_stay_as_they_are():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(6, activation="relu", activity_regularizer="l1"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.4),
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(8, activation="softmax"),
        ]
    )
    model.compile("adam", loss="binary_crossentropy", metrics=["mse"])
    model.fit(255 * x, 255 * x, epochs=1, verbose=0)
    np.random.seed(3)
    random.seed(3)
    keras.random.normal((1,))  # Keras' own stream exists from here on

    def state():
        variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
        stream = keras.src.random.seed_generator.global_seed_generator().state
        return [np.array(keras.ops.convert_to_numpy(one)) for one in (*variables, stream)]

    before, streams = state(), (random.getstate(), np.random.get_state()[1].copy())
    attributes = [sorted(vars(layer)) for layer in model.layers]
    report = cw.examine(model, 255 * x)
    assert {"targets-not-distributions", "cross-entropy-targets", "not-scaled"} <= codes(report)
    for old, new in zip(before, state(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert random.getstate() == streams[0]
    np.testing.assert_array_equal(np.random.get_state()[1], streams[1])
    assert [sorted(vars(layer)) for layer in model.layers] == attributes
    report.remedied()
    assert model.layers[-1].activation is keras.activations.softmax
    for old, new in zip(before[:-1], state(), strict=False):
        np.testing.assert_array_equal(old, new)


def test_training_goes_on_as_if_nobody_had_looked():
    def trained(look):
        keras.utils.set_random_seed(0)
        model = autoencoder()
        model.fit(x, x, epochs=1, verbose=0)
        if look:
            cw.examine(model, x)
        return model.fit(x, x, epochs=2, verbose=0).history["loss"]

    assert trained(look=True) == trained(look=False)


def test_the_same_seed_gives_the_same_report():
    model = autoencoder(loss="binary_crossentropy")
    assert cw.examine(model, x).to_json() == cw.examine(model, x).to_json()


# --- odd models ------------------------------------------------------------------------------------------------------


def test_a_model_that_is_not_compiled_is_examined_without_its_loss():
    report = cw.examine(autoencoder("relu", loss=None), x - 9)
    assert {"not-compiled", "output-out-of-reach", "not-scaled"} <= codes(report)
    assert report.notes[0].severity == "note"


@pytest.mark.slow
def test_findings_name_the_output_they_are_about():
    left, right = keras.Input((8,), name="left"), keras.Input((3,), name="right")
    both = keras.layers.Concatenate()([left, right])
    kind = keras.layers.Dense(2, activation="softmax", name="kind")(both)
    copy = keras.layers.Dense(8, activation="sigmoid", name="copy")(both)
    model = keras.Model([left, right], [kind, copy])
    model.compile("adam", loss=["sparse_categorical_crossentropy", "mse"])
    labels = np.arange(120) % 2
    (error,) = cw.examine(model, [x, x[:, :3]], [labels, 9 * x]).errors
    assert error.code == "output-out-of-reach"
    assert error.evidence.startswith("Output `copy`: the sigmoid returns values from 0 to 1, but `y[1]` ranges")
    assert "y[1] / " in error.remedy or "y[1] - mean" in error.remedy
    by_name = keras.Model({"left": left, "right": right}, {"kind": kind, "copy": copy})
    by_name.compile("adam", loss={"kind": "sparse_categorical_crossentropy", "copy": "mse"})
    inputs = {"right": x[:, :3], "left": x}
    assert codes(cw.examine(by_name, inputs, {"kind": labels, "copy": 9 * x})) == {"output-out-of-reach"}
    assert codes(cw.examine(by_name, inputs, {"kind": labels, "copy": x})) == set()


class Halves(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(8, activation="relu")

    def call(self, inputs):
        return self.second(self.first(inputs))


def test_a_subclassed_model_is_examined_but_not_rebuilt():
    model = Halves()
    model.compile("adam", loss="mse")
    report = cw.examine(model, x - 0.5)
    assert "output-out-of-reach" in codes(report)
    with pytest.raises(ParameterError, match="got Halves, a custom class"):
        report.remedied()


def test_an_unbuilt_model_is_built():
    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(8, activation="sigmoid")])
    model.compile("adam", loss="mse")
    assert [finding.code for finding in cw.examine(model, 255 * x).errors] == ["output-out-of-reach"]


def test_a_custom_training_step_is_reported():
    class Own(Halves):
        def train_step(self, data):
            return {}

    model = Own()
    model.compile("adam")
    assert "custom train_step" in cw.examine(model, x).notes[0].evidence


def test_a_rule_that_stops_leaves_the_others(monkeypatch):
    examining = importlib.import_module("codeword.doctor.examine")

    def stopped_findings(case):
        yield from ()
        raise KeyError("a layer like no other")

    monkeypatch.setattr(examining, "_RULES", (stopped_findings, *examining._RULES))
    report = cw.examine(autoencoder(), 255 * x)
    assert {"not-examined", "output-out-of-reach"} <= codes(report)
    (note,) = (finding for finding in report.notes if finding.code == "not-examined")
    assert "The stopped checks stopped with KeyError: 'a layer like no other'" in note.evidence


def test_a_model_that_fails_shows_its_own_error_and_the_shapes():
    (error,) = cw.examine(autoencoder(), x[:, :5]).errors
    assert error.code == "model-fails"
    assert "ValueError" in error.evidence
    assert "x (120, 5) float32" in error.evidence
    assert "\x1b" not in error.evidence

    def fails(y_true, y_pred):
        raise RuntimeError("my loss has no time")

    (error,) = cw.examine(autoencoder(loss=fails), x).errors
    assert "RuntimeError: my loss has no time." in error.evidence
    (error,) = cw.examine(autoencoder(), x, x[:, :3]).errors
    assert "y (120, 3) float32" in error.evidence
    with pytest.raises(ParameterError, match="this one did not run"):
        cw.examine(autoencoder(), x[:, :5]).remedied()


# --- odd data --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [scipy.sparse.csr_matrix(x), x.tolist(), x.astype(">f4"), x.astype("float16"), x[:1], np.asfortranarray(x)],
    ids=["sparse", "list", "big-endian", "half", "one row", "columns first"],
)
def test_all_that_holds_numbers_is_read(rows):
    assert cw.examine(autoencoder(), rows).errors == ()


def test_frames_are_read():
    pandas = pytest.importorskip("pandas")
    assert cw.examine(autoencoder(), pandas.DataFrame(x)).errors == ()


def test_ranges_come_from_all_rows_though_the_model_runs_on_a_sample():
    many = np.tile(x, (40, 1))
    many[4321, 5] = -3
    report = cw.examine(autoencoder(), many)
    assert "ran on 2,048 of them" in report.subject
    (warning,) = (finding for finding in report.warnings if finding.code == "output-out-of-reach")
    assert warning.numbers["share"] == pytest.approx(1 / many.size)


def test_rows_that_are_not_finite_are_reported_and_left_out_of_the_run():
    rows = x.copy()
    rows[3, 2], rows[5, 1] = np.nan, np.inf
    (error,) = cw.examine(autoencoder(), rows).errors
    assert error.code == "not-finite"
    assert (error.numbers["num_nan"], error.numbers["num_infinite"], error.numbers["rows"]) == (1, 1, 2)
    assert "(3, 2)" in error.evidence
    report = cw.examine(autoencoder(), np.full_like(x, np.nan))
    assert codes(report) == {"not-finite", "not-examined"}


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        (3.0, DataError, r"got shape \(\)"),
        (x[:0], DataError, r"got shape \(0, 8\)"),
        ([], DataError, r"got shape \(0,\)"),
        ({}, DataError, "at least one array"),
        (np.array([["a"] * 8]), DataTypeError, "`x` must hold numbers: got dtype <U1"),
        (x + 1j, DataError, "Complex data not supported"),
        (None, DataTypeError, "got NoneType"),
        ("images.npy", DataTypeError, "got str"),
        ((row for row in x), DataTypeError, "got generator"),
        ({"a": x, "b": "c"}, DataTypeError, r"`x\[\"b\"\]`"),
        ({"a": x, "b": x[:3]}, DataError, "the same number of rows"),
    ],
    ids=[
        "number",
        "no rows",
        "nothing",
        "no arrays",
        "text",
        "complex",
        "None",
        "path",
        "generator",
        "text in it",
        "uneven",
    ],
)
def test_what_is_no_data_is_refused(rows, error, match):
    with pytest.raises(error, match=match):
        cw.examine(autoencoder(), rows)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataTypeError, match="must be a Keras model: got int"):
        cw.examine(3, x)
    with pytest.raises(DataTypeError, match=r"got Autoencoder\. Pass its `model_`"):
        cw.examine(cw.Autoencoder(epochs=1, hidden=(4,), verbose=0).fit(x), x)
    with pytest.raises(DataError, match=r"`y` must have 120 rows, as many as `x`: got 7 in `y`\."):
        cw.examine(autoencoder(), x, x[:7])
    with pytest.raises(DataTypeError, match=r"`validation_data` must be a pair of inputs and targets: got ndarray"):
        cw.examine(autoencoder(), x, validation_data=x)
    with pytest.raises(
        ParameterError,
        match=r"a layer that the model calls: got 'middle'\. The layers are dense",
    ):
        cw.examine(autoencoder(), x, code_layer="middle")


# --- what comes along in practice ------------------------------------------------------------------------------------


def compiled(*parts, loss="mse", **more):
    model = keras.Sequential(list(parts), **more)
    model.compile("adam", loss=loss)
    return model


def test_numbers_that_are_looked_up_are_not_scaled():
    ids = np.random.default_rng(0).integers(0, 500, (120, 12))
    pooling = keras.layers.GlobalAveragePooling1D()
    model = compiled(keras.Input((12,)), keras.layers.Embedding(500, 8), pooling, keras.layers.Dense(4, "sigmoid"))
    report = cw.examine(model, ids, 3 * np.random.default_rng(1).random((120, 4)))
    assert codes(report) == {"output-out-of-reach"}
    assert "x = " not in report.errors[0].remedy
    _, scaling = report.remedied()
    np.testing.assert_array_equal(scaling(ids), ids)


def test_a_softmax_of_likelihoods_leaves_nothing_out():
    y = np.eye(4, dtype="float32")[np.arange(120) % 4]

    def own(y_true, y_pred):
        return -keras.ops.mean(keras.ops.sum(y_true * keras.ops.log(y_pred + 1e-7), axis=-1))

    for loss in ("kl_divergence", own):
        report = cw.examine(compiled(keras.Input((8,)), keras.layers.Dense(4, "softmax"), loss=loss), x, y)
        assert not report.errors, report


@pytest.mark.slow
def test_masks_of_keras_count_in_the_loss():
    rows = np.tile(x[:, :, None], (1, 1, 2))
    rows[:, 4:] = -1
    model = compiled(keras.Input((8, 2)), keras.layers.Masking(-1), keras.layers.Dense(3, "sigmoid"))
    y = np.full((120, 8, 3), 0.25, "float32")
    y[:, 4:] = 0.9
    (note,) = cw.examine(_with_loss(model, "binary_crossentropy"), rows, y).notes
    shown = float(note.evidence.split("The model is at ")[1].split()[0])
    assert shown == pytest.approx(model.evaluate(rows, y, verbose=0), abs=1e-4)


def _with_loss(model, loss):
    model.compile("adam", loss=loss)
    return model


def test_only_the_layer_of_the_output_changes_though_another_has_its_name():
    encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, "tanh", name="out")], name="encoder")
    decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "sigmoid", name="out")], name="decoder")
    model = compiled(keras.Input((8,)), encoder, decoder)
    report = cw.examine(model, x - 0.5)
    assert 'get_layer("decoder").get_layer("out")' in report.errors[0].remedy
    mended, _ = report.remedied()
    activations = [mended.get_layer(name).get_layer("out").activation for name in ("encoder", "decoder")]
    assert activations == [keras.activations.tanh, keras.activations.linear]


def test_targets_of_some_outputs_only_go_to_these():
    inputs = keras.Input((8,))
    code = keras.layers.Dense(8, "relu", name="code")(inputs)
    copy = keras.layers.Dense(8, "sigmoid", name="recon")(code)
    model = keras.Model(inputs, {"code": code, "recon": copy})
    model.compile("adam", loss={"recon": "mse"})
    (error,) = cw.examine(model, x, {"recon": 3 * x}).errors
    assert error.evidence.startswith("Output `recon`: the sigmoid returns values from 0 to 1")


def test_a_layer_called_twice_is_looked_at():
    shared = keras.layers.Dense(2, name="shared")
    inputs = keras.Input((6, 4))
    summary = shared(keras.layers.GlobalAveragePooling1D()(inputs))
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(shared(inputs)), summary])
    model = keras.Model(inputs, keras.layers.Reshape((6, 4))(keras.layers.Dense(24)(joined)))
    model.compile("adam", loss="mse")
    assert cw.examine(model, np.random.default_rng(0).random((100, 6, 4))).errors == ()


def test_one_and_a_rounding_is_one():
    rows = x.astype("float64")
    rows[0, 0] = 1.0000000000000002
    for loss in ("binary_crossentropy", "mse"):
        assert not cw.examine(autoencoder(loss=loss), rows).errors


@pytest.mark.slow
def test_a_recurrent_output_can_be_mended():
    rows = np.random.default_rng(0).random((64, 5, 4)).astype("float32")
    report = cw.examine(compiled(keras.Input((5, 4)), keras.layers.LSTM(4, return_sequences=True)), rows)
    if report.warnings:
        mended, scaling = report.remedied()
        mended.fit(scaling(rows), scaling(rows), verbose=0)


def test_what_is_right_is_kept_when_a_model_is_rebuilt():
    def own(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    inputs = keras.Input((8,))
    normalization = keras.layers.Normalization()
    normalization.adapt(255 * x)
    frozen = keras.layers.Dense(6, "relu", trainable=False, name="frozen")
    model = keras.Model(inputs, keras.layers.Dense(8, "sigmoid")(frozen(normalization(inputs))))
    model.compile("adam", loss=own)
    mended, scaling = cw.examine(model, 255 * x, x - 0.5).remedied()
    assert mended.loss is own
    assert mended.layers[-1].activation is keras.activations.linear
    np.testing.assert_array_equal(mended.get_layer("frozen").kernel, frozen.kernel)
    np.testing.assert_allclose(mended.layers[1].mean, normalization.mean)
    np.testing.assert_array_equal(scaling(255 * x), 255 * x)  # it is normalized inside
    plain, _ = cw.examine(autoencoder("relu", loss=None), x - 0.5).remedied()
    assert plain.layers[-1].activation is keras.activations.linear


def test_levels_are_scaled_with_the_data():
    rows = np.random.default_rng(0).choice([0, 85, 170, 255], (120, 8)).astype("float32")
    mended, scaling = cw.examine(autoencoder("sigmoid"), rows).remedied()
    assert mended.layers[-1].activation.levels == pytest.approx((0, 1 / 3, 2 / 3, 1))
    assert set(np.unique(scaling.inverse(mended.predict(scaling(rows), verbose=0))).round()) <= {0, 85, 170, 255}


def test_held_out_ratings_of_the_same_people_are_no_copies():
    rng = np.random.default_rng(0)
    ratings = (rng.integers(1, 6, (100, 40)) * (rng.random((100, 40)) < 0.2)).astype("float32")
    asked = (ratings != 0) & (rng.random(ratings.shape) < 0.3)
    model = compiled(keras.Input((40,)), keras.layers.Dense(40), loss=cw.losses.Masked("mse", missing=0))
    shown = np.where(asked, 0, ratings)
    held_out = (shown, np.where(asked, ratings, 0))
    assert "validation-copies" not in codes(cw.examine(model, shown, validation_data=held_out))
    assert "validation-copies" in codes(cw.examine(model, shown, validation_data=(ratings, ratings)))


# --- reports ---------------------------------------------------------------------------------------------------------


def test_a_report_can_be_printed_shown_and_sent():
    report = cw.examine(autoencoder("softmax", "binary_crossentropy"), 255 * x)
    shown = str(report)
    assert shown.startswith("Model `sequential")
    assert "ERROR  softmax over targets that are not distributions  [targets-not-distributions]" in shown
    assert "2 errors, 2 warnings." in shown
    assert max(map(len, shown.splitlines())) <= 130
    assert "<pre>x = (x / 255)" not in report._repr_html_()  # not whole numbers: by column
    assert "&lt;" not in shown
    assert "<b>softmax over targets" in report._repr_html_()
    sent = json.loads(report.to_json())
    assert (sent["errors"], sent["warnings"], sent["notes"]) == (2, 2, 0)
    assert set(sent["findings"][0]) == {"code", "severity", "title", "evidence", "remedy", "numbers", "explain"}
    fine = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])
    fine.compile("adam", loss="mse")
    assert str(cw.examine(fine, x)).endswith("Nothing found.")
    assert repr(cw.examine(fine, x)) == "Report(nothing found)"
    errors = "targets-not-distributions, cross-entropy-targets"
    assert repr(report) == f"Report(2 errors, 2 warnings: {errors}, not-scaled, saturated)"
    assert repr(report.errors[1]) == (
        "Finding('cross-entropy-targets', severity='error', title='cross-entropy on targets outside 0 to 1')"
    )


# --- explanations ----------------------------------------------------------------------------------------------------


def test_every_finding_has_an_explanation_that_says_what_to_do():
    for code in TITLES:
        text = explanation_of(code)
        assert text.startswith(("**Error", "**Note", "**Warning")), code
        assert "**What to do.**" in text, code
        assert "](" not in text, code  # no link: an installed package has no pages
    with pytest.raises(ParameterError, match="got 'not-a-code'"):
        explanation_of("not-a-code")


def test_the_page_ends_with_the_explanations_of_the_package():
    page = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    packaged = (ROOT / "src/codeword/doctor/findings.md").read_text(encoding="utf-8")
    assert page.endswith("\n" + packaged)


@pytest.mark.slow
def test_the_programs_of_the_page_run():
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/findings.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(programs) > 8
    for program in programs:
        parts = [keras.layers.Dense(2, name="middle"), keras.layers.Dense(8, activation="tanh", name="last")]
        model = keras.Sequential([keras.Input((8,)), *parts])
        model.compile("adam", loss="mse")
        report = cw.examine(model, x, x.copy()) if "report.remedied()" in program else None
        namespace = {"model": model, "x": x, "y": x, "np": np, "keras": keras, "cw": cw, "report": report}
        exec(re.sub(r"(model\.fit\(.*)\)", r"\1, verbose=0)", program), namespace)


# --- the command line ------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(main, ["examine", "--trust", *map(str, arguments)])


def test_the_command_tells_by_its_exit_code(tmp_path):
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "bright.npy", np.round(255 * x))
    autoencoder("sigmoid", "binary_crossentropy").save(tmp_path / "fine.keras")
    fine = run(tmp_path / "fine.keras", tmp_path / "x.npy")
    assert fine.exit_code == 0, fine.output
    assert "[cross-entropy-floor]" in fine.output
    wrong = run(tmp_path / "fine.keras", tmp_path / "bright.npy", "--json")
    assert wrong.exit_code == 1
    found = [finding["code"] for finding in json.loads(wrong.stdout)["findings"]]
    assert found[0] == "cross-entropy-targets"
    held_out = run(tmp_path / "fine.keras", tmp_path / "x.npy", "--validation", *[tmp_path / "x.npy"] * 2)
    assert "[validation-copies]" in held_out.output
    targets = run(tmp_path / "fine.keras", tmp_path / "x.npy", tmp_path / "bright.npy")
    assert "`y` ranges from" in targets.output


@pytest.mark.slow
def test_the_command_loads_layers_of_codeword(tmp_path):
    np.save(tmp_path / "x.npy", np.tile(x, (3, 1)))
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(4, name="scores"),
            keras.layers.BatchNormalization(center=False, scale=False),
            cw.layers.SignBits(name="bits"),
            keras.layers.Dense(8, activation="sigmoid"),
        ]
    )
    model.compile("adam", loss=cw.losses.Masked("mse", missing=0))
    model.save(tmp_path / "model.keras")
    shown = run(tmp_path / "model.keras", tmp_path / "x.npy", "--code-layer", "bits", "--quiet")
    assert "mean_squared_error of the observed entries" in shown.output.replace("\n", " ")


def test_the_command_refuses_in_words(tmp_path):
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "bad.keras").write_bytes(b"no zip")
    assert "there is no such file" in run(tmp_path / "none.keras", tmp_path / "x.npy").output
    bad = run(tmp_path / "bad.keras", tmp_path / "x.npy")
    assert bad.exit_code == 1
    assert "must be a model that Keras can load" in bad.output
    assert run(tmp_path / "bad.keras").exit_code == 2


def test_the_command_explains_a_finding():
    shown = run("--explain", "logits-twice")
    assert shown.exit_code == 0
    assert shown.output == f"logits-twice: {TITLES['logits-twice']}\n\n{explanation_of('logits-twice')}\n"
    mistyped = run("--explain", "logits-twise")
    assert mistyped.exit_code == 2
    assert "Did you mean logits-twice?" in mistyped.output
    assert "The codes are model-fails, " in run("--explain", "?").output
