"""The autoencoder beyond its contract: learning, bad input, awkward input, own models, scikit-learn."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import codeword as cw
from codeword.arrays import finite_numbers
from codeword.backend import keras
from codeword.data_kinds import binary, inference, levels, real, unit_interval

# Where the number of rows does not matter it is 64 or fills whole batches: a rest is compiled as a step of its own, and
# what another test has compiled for 64 rows is there already.
LEVELS = [0, 0.25, 0.5, 0.75]
KIND = cw.Levels(LEVELS, edges="floor")
IMAGES = cw.datasets.four_level_digits()


def tiny(**settings):
    return cw.Autoencoder(**{"data": KIND, "code": cw.Bits(12), "hidden": (8,), "epochs": 1, "verbose": 0, **settings})


@pytest.fixture(scope="module")
def model():
    return tiny().fit(IMAGES[:64])


@pytest.mark.slow
def test_it_learns_the_digits_better_than_the_most_frequent_value_and_rounded_pca():
    from codeword.evaluation.level_baselines import most_frequent_level, pca_rounded

    train, test = IMAGES[:1408], IMAGES[1408:]
    exact = cw.Autoencoder(data=KIND, hidden=(128,), epochs=15, verbose=0).fit(train).evaluate(test)["cells_exact"]
    assert exact > (most_frequent_level(train, len(test)) == test).mean() + 0.05
    assert exact > (pca_rounded(train, test, KIND, 8) == test).mean() + 0.05


@pytest.mark.slow
def test_it_learns_a_code_that_is_there_to_be_found():
    # Six bits decide all 18 cells; twelve bits in the middle can hold them.
    secret = np.random.default_rng(0).integers(0, 2, size=(3000, 6))
    x = np.concatenate([secret, 1 - secret, secret[:, ::-1]], axis=1)
    settings = {"data": cw.Binary(), "code": cw.Bits(12), "hidden": (64,), "epochs": 20, "batch_size": 32}
    objective = cw.objectives.Reconstruct(swap=0)
    model = cw.Autoencoder(**settings, objective=objective, verbose=0).fit(x[:2496])
    assert model.evaluate(x[2496:])["rows_exact"] > 0.95


@pytest.mark.slow
def test_validation_keeps_the_best_weights_and_stops_early(capsys):
    settings = {"hidden": (64,), "code": cw.Bits(32), "epochs": 60, "patience": 2, "batch_size": 16}
    model = tiny(**settings, objective=cw.objectives.Reconstruct(swap=0)).fit(
        IMAGES[:80], validation_data=IMAGES[100:200]
    )
    losses = model.history_["val_loss"]
    assert len(losses) < 60
    model.model_.compile(loss=cw.losses.LevelCrossentropy(LEVELS))
    held_out = IMAGES[100:200].astype(np.float32)
    assert model.model_.evaluate(held_out, held_out, verbose=0)[0] == pytest.approx(min(losses), rel=1e-5)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_gap_between_training_and_inference_is_measured(model):
    assert set(model.training_gap_) == {"training", "inference"}
    assert model.training_gap_["inference"] == model.data_.metrics(IMAGES[:64], model.reconstruct(IMAGES[:64]), {})


def test_verbose_shows_progress_and_the_gap(capsys):
    tiny(verbose=1).fit(IMAGES[:64])
    shown = "".join(capsys.readouterr())
    assert "cells_exact" in shown
    assert "On 64 training rows: cells_exact " in shown


def test_callbacks_are_called():
    seen = []
    tiny(epochs=2).fit(
        IMAGES[:64], callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.append(e))]
    )
    assert seen == [0, 1]


@pytest.mark.parametrize("loss", ["crossentropy", "ordinal"])
@pytest.mark.slow
def test_probabilities_of_levels(loss):
    model = tiny(data=cw.Levels(LEVELS, loss=loss), epochs=3).fit(IMAGES[:256])
    codes = model.encode(IMAGES[:50])
    probabilities = model.decode_proba(codes)
    assert probabilities.shape == (50, 8, 8, 4)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
    if loss == "crossentropy":
        np.testing.assert_array_equal(np.array(LEVELS)[probabilities.argmax(axis=-1)], model.decode(codes))


def test_probabilities_need_a_head_that_has_them():
    with pytest.raises(cw.errors.ParameterError, match="got 'mse'"):
        tiny(data=cw.Levels(LEVELS, loss="mse")).fit(IMAGES[:64]).decode_proba(np.zeros((1, 2), np.uint8))


# Held-out rows


@pytest.mark.slow
def test_a_share_of_the_rows_is_held_out_by_the_seed():
    fitted = [tiny(validation_fraction=0.25, seed=seed, epochs=2).fit(IMAGES[:64]) for seed in (0, 0, 1)]
    assert "val_loss" in fitted[0].history_
    np.testing.assert_array_equal(fitted[0].encode(IMAGES[:64]), fitted[1].encode(IMAGES[:64]))
    first, again, other = (model._split(np.arange(64)) for model in fitted)
    assert (len(first[0]), len(first[1])) == (48, 16)
    assert sorted([*first[0], *first[1]]) == list(range(64))
    np.testing.assert_array_equal(first[1], again[1])
    assert set(first[1]) != set(other[1])


@pytest.mark.slow
def test_held_out_rows_teach_nothing():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    model = tiny(data=cw.Real(), validation_fraction=0.1)
    training, held_out = model._split(rows)
    assert len(held_out) == 2
    model.fit(rows)
    np.testing.assert_allclose(model.statistics_["mean"], training.mean(axis=0))
    expected = tiny(data=cw.Real()).fit(training, validation_data=held_out)
    np.testing.assert_array_equal(model.encode(rows), expected.encode(rows))
    assert model.history_ == expected.history_


@pytest.mark.slow
def test_given_validation_data_replaces_the_share():
    model = tiny(validation_fraction=0.5).fit(IMAGES[:64], validation_data=IMAGES[64:80])
    expected = tiny().fit(IMAGES[:64], validation_data=IMAGES[64:80])
    assert model.history_ == expected.history_


def test_one_row_of_two_is_held_out_but_not_the_only_one():
    model = tiny(validation_fraction=0.01)
    assert [len(part) for part in model._split(IMAGES[:2])] == [1, 1]
    with pytest.raises(cw.errors.DataError, match=r"at least 2 rows to hold some out: got 1 sample"):
        model.fit(IMAGES[:1])


def test_the_share_is_saved_only_if_it_is_not_zero(model, tmp_path):
    held_out = tiny(validation_fraction=0.25).fit(IMAGES[:64])
    for fitted, share in ((model, 0.0), (held_out, 0.25)):
        fitted.save(tmp_path / "m.codeword")
        assert cw.load(tmp_path / "m.codeword").validation_fraction == share


# Looks at the data


NAN_DATA = {
    "Levels": (KIND, IMAGES[:64]),
    "integer Levels": (cw.Levels([0, 1, 2, 3]), (IMAGES[:64] * 4).astype(int)),
    "Binary": (cw.Binary(), (IMAGES[:64] > 0) * 1.0),
    "UnitInterval": (cw.UnitInterval(), np.random.default_rng(0).random((64, 6))),
    "Real": (cw.Real(), np.random.default_rng(0).normal(size=(64, 6))),
    "float32 Real": (cw.Real(), np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)),
}


@pytest.mark.parametrize("name", NAN_DATA)
@pytest.mark.parametrize("inferred", [False, True], ids=["given", "inferred"])
def test_training_rows_are_searched_for_nan_once(monkeypatch, name, inferred, untrained):
    kind, x = NAN_DATA[name]
    looks = []

    def count(module, function, looks_at_all):
        original = getattr(module, function)

        def counting(values, *args, **kwargs):
            if looks_at_all(values):
                looks.append(function)
            return original(values, *args, **kwargs)

        monkeypatch.setattr(module, function, counting)

    count(np, "isfinite", lambda values: np.size(values) >= x.size)
    count(unit_interval, "all_within_unit_interval", lambda values: np.size(values) >= x.size)
    count(finite_numbers, "as_finite_numbers", lambda values: np.asarray(values).dtype.kind != "f")
    count(inference, "scan_values", lambda values: True)
    for module in (binary, levels, real, unit_interval):
        monkeypatch.setattr(module, "as_finite_numbers", finite_numbers.as_finite_numbers)
    fitted = tiny(data=None if inferred else kind, hidden=()).fit(x)
    assert type(fitted.data_) is type(kind)
    assert len(looks) == 1, looks


def test_an_inferred_kind_refuses_what_a_given_one_does():
    for bad, message in ((np.nan, "NaN"), (np.inf, "infinity"), (1e39, "float32")):
        x = np.random.default_rng(0).normal(size=(64, 6))
        x[5, 3] = bad
        for kind in (None, cw.Real()):
            with pytest.raises(cw.errors.DataError, match=message):
                tiny(data=kind).fit(x)


# Awkward input that works


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda x: x.astype(">f8"),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.astype(np.float16),
        lambda x: (x * 4).astype(np.int8),
        lambda x: (x * 4).astype(">i4"),
        lambda x: x.tolist(),
    ],
    ids=["fortran", "big-endian", "strided", "float16", "class numbers", "big-endian integers", "lists"],
)
def test_memory_layout_and_dtype_do_not_matter(model, change):
    np.testing.assert_array_equal(model.encode(change(IMAGES[:50])), model.encode(IMAGES[:50]))


def test_read_only_input_works_and_is_not_changed(model):
    x = IMAGES[:64].copy()
    x.flags.writeable = False
    model.encode(x)
    tiny().fit(x)
    np.testing.assert_array_equal(x, IMAGES[:64])


@pytest.mark.slow
def test_one_row_and_constant_cells_work():
    one = tiny().fit(IMAGES[:1])
    assert one.decode(one.encode(IMAGES[:1])).shape == (1, 8, 8)
    constant = tiny(epochs=30, batch_size=16).fit(np.full((64, 8, 8), 0.5))
    assert constant.evaluate(np.full((3, 8, 8), 0.5))["rows_exact"] == 1.0


def test_frames_work_and_remember_their_columns():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = IMAGES[:60].reshape(60, -1)[:, 10:16]
    columns = [f"cell{number}" for number in range(6)]
    model = tiny().fit(pd.DataFrame(table, columns=columns))
    np.testing.assert_array_equal(
        model.encode(pl.DataFrame(table, schema=columns)), model.encode(pd.DataFrame(table, columns=columns))
    )
    with pytest.raises(ValueError, match="feature names"):
        model.encode(pd.DataFrame(table, columns=columns[::-1]))


# Bad input: a clear error, nothing trained


BAD_DATA = {
    "NaN": (np.where(IMAGES[:9] == 0.5, np.nan, IMAGES[:9]), "got .* NaN"),
    "infinity": (np.where(IMAGES[:9] == 0.5, np.inf, IMAGES[:9]), "infinity"),
    "no level": (IMAGES[:9] + 0.1, "got 576 other values, the first 0.1 at index"),
    "class number": ((IMAGES[:9] * 4 + 1).astype(int), "class numbers from 0 to 3: got"),
    "no rows": (IMAGES[:0], r"got shape \(0, 8, 8\)"),
    "no cells": (np.zeros((5, 0)), r"0 feature\(s\)"),
    "one axis": (np.zeros(5), r"got shape \(5,\)"),
    "strings": (np.array([["a", "b"]]), "got dtype <U1"),
    "complex": (np.ones((3, 2), complex), "got dtype complex128"),
    "objects": (np.array([[object()]]), "got objects"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_refused_before_training(name):
    x, message = BAD_DATA[name]
    model = tiny()
    with pytest.raises(cw.errors.CodewordError, match=message):
        model.fit(x)
    assert not hasattr(model, "model_")


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_refused_before_encoding(model, name):
    with pytest.raises(cw.errors.CodewordError):
        model.encode(BAD_DATA[name][0])


def test_other_shapes_are_refused(model):
    with pytest.raises(cw.errors.DataError, match=r"rows of shape \(8, 8\).* got shape \(5, 64\)"):
        model.encode(IMAGES[:5].reshape(5, 64))
    with pytest.raises(cw.errors.DataError, match="X has 3 features, but Autoencoder is expecting 4 features"):
        tiny(data=None).fit(np.random.default_rng(0).normal(size=(9, 4))).encode(np.zeros((2, 3)))
    with pytest.raises(cw.errors.DataError, match=r"`validation_data` must have rows of shape \(8, 8\)"):
        tiny().fit(IMAGES[:9], validation_data=IMAGES[:9, :4])


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((3, 12), bool), "got shape .3, 12., dtype bool. Pack them with `packing.pack_bits` first"),
        (np.zeros((3, 3), np.uint8), "got shape .3, 3., dtype uint8"),
        (np.zeros((3, 2)), "dtype float64"),
        (np.full((3, 2), 255, np.uint8), "padding"),
        (np.zeros(2, np.uint8), r"got shape \(2,\)"),
    ],
)
def test_codes_that_cannot_be_this_models_are_refused(model, codes, message):
    with pytest.raises(cw.errors.CodeError, match=message):
        model.decode(codes)


def test_no_codes_give_no_rows(model):
    assert model.decode(np.zeros((0, 2), np.uint8)).shape == (0, 8, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": (0,)}, r"`hidden` must be a sequence of integers of at least 1, .*: got \(0,\)"),
        ({"hidden": 8}, r"such as \(16, 16\), or None: got 8"),
        ({"epochs": 0}, "`epochs` must be an integer of at least 1, or None: got 0"),
        ({"epochs": 1.5}, "got 1.5"),
        ({"batch_size": True}, "got True"),
        ({"validation_fraction": 1}, "`validation_fraction` must be a number of at least 0 and below 1: got 1"),
        ({"objective": "groups"}, r"`objective` must be an Objective, such as Reconstruct\(\), or None: got 'groups'"),
        ({"learning_rate": float("nan")}, "got nan"),
        ({"data": "levels"}, "got 'levels'"),
        ({"data": cw.Ratings(1, 5)}, r"`data` must be a kind without missing cells: got Ratings\(.*RatingAutoencoder"),
        ({"code": 64}, "got 64"),
        ({"seed": -1}, "got -1"),
        ({"verbose": "no"}, "`verbose` must be True or False, or an integer of at least 0: got 'no'"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(cw.errors.ParameterError, match=message):
        tiny(**settings).fit(IMAGES[:9])


@pytest.mark.slow
def test_a_training_that_diverges_is_told_instead_of_saved(capsys):
    model = tiny(learning_rate=1e18, epochs=3, batch_size=64)
    with pytest.raises(cw.errors.DivergedError, match=r"got (nan|inf) in epoch \d at learning_rate=1e\+18"):
        model.fit(IMAGES[:192])
    with pytest.raises(NotFittedError):
        model.encode(IMAGES[:2])
    model.set_params(learning_rate=1e-3, epochs=1).fit(IMAGES[:192])
    before = model.encode(IMAGES[:20])
    with pytest.raises(cw.errors.DivergedError):
        model.set_params(learning_rate=1e18, epochs=3).fit(IMAGES[:192])
    np.testing.assert_array_equal(model.encode(IMAGES[:20]), before)  # the old model is still there


def test_a_model_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        tiny().encode(IMAGES[:2])
    with pytest.raises(NotFittedError):
        tiny().save("never.codeword")


# Own models


def own_models():
    encoder = keras.Sequential(
        [keras.Input((8, 8, 4)), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Flatten()]
    )
    decoder = keras.Sequential([keras.Input((12,)), keras.layers.Dense(32, activation="relu")])
    return encoder, decoder


@pytest.mark.slow
def test_own_models_are_copied_trained_saved_and_loaded(tmp_path):
    encoder, decoder = own_models()
    before = [weights.copy() for weights in encoder.get_weights()]
    model = tiny(encoder=encoder, decoder=decoder).fit(IMAGES[:100])
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "own.codeword")
    again = cw.load(tmp_path / "own.codeword", encoder=own_models()[0], decoder=own_models()[1])
    np.testing.assert_array_equal(again.encode(IMAGES), model.encode(IMAGES))
    np.testing.assert_array_equal(again.reconstruct(IMAGES), model.reconstruct(IMAGES))
    with pytest.raises(cw.errors.ParameterError, match=r"was saved with an own encoder: got encoder=None"):
        cw.load(tmp_path / "own.codeword")


# Other processes, pickles, scikit-learn


@pytest.mark.slow
def test_a_fresh_process_decodes_to_the_same_values(model, tmp_path):
    model.save(tmp_path / "m.codeword")
    np.save(tmp_path / "x.npy", IMAGES[:300])
    program = (
        "import numpy as np, codeword as cw\n"
        "model, x = cw.load('m.codeword'), np.load('x.npy')\n"
        "codes = model.encode(x)\n"
        "np.savez('out.npz', codes=codes, decoded=model.decode(codes), whole=model.reconstruct(x))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["codes"], model.encode(IMAGES[:300]))
        np.testing.assert_array_equal(out["decoded"], model.reconstruct(IMAGES[:300]))
        np.testing.assert_array_equal(out["whole"], out["decoded"])


def test_pickle_keeps_the_fitted_model(model):
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.encode(IMAGES), model.encode(IMAGES))
    assert again.fingerprint_ == model.fingerprint_


@pytest.mark.slow
def test_it_works_in_a_pipeline():
    pipeline = make_pipeline(FunctionTransformer(lambda x: np.round(x * 4).astype(int)), tiny())
    assert pipeline.fit_transform(IMAGES[:64]).shape == (64, 12)
    assert list(tiny().fit(IMAGES[:64]).get_feature_names_out())[:2] == ["autoencoder0", "autoencoder1"]


@parametrize_with_checks([cw.Autoencoder(hidden=(), epochs=1, code=cw.Bits(4), verbose=0)])
def test_scikit_learn_conventions(estimator, check, untrained):
    check(estimator)
