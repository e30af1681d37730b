"""Objectives: their settings, defaults and files, and what autoencoders learn by each."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import codeword as cw
from codeword.autoencoders.networks import build_autoencoder
from codeword.backend import keras
from codeword.evaluation import code_usage
from codeword.objectives import KeepGroups, KeepNeighbors, Reconstruct
from codeword.objectives.naming import default_objective, objective_from_config, objective_to_config
from codeword.objectives.similar_codes import STEPS, similarity_network
from codeword.objectives.swapped_rows import SwappedRows

DIGITS = load_digits()
IMAGES = (DIGITS.images / 16).astype(np.float32)
LEVELS = np.floor(IMAGES * 3.99) / 4
ROWS = IMAGES.reshape(-1, 64)
REAL = np.random.default_rng(0).normal(size=(100, 5)) * [1, 2, 3, 4, 0] + 7


def tiny(**settings):
    small = {"code": cw.Bits(8), "hidden": (8,), "epochs": 1, "objective": KeepGroups(), "verbose": 0}
    return cw.Autoencoder(**{**small, **settings})


def planted(num_rows=400):
    """Return rows around four places that lie apart, and which place each belongs to."""
    random = np.random.default_rng(0)
    places = np.arange(num_rows) % 4
    return 6 * random.normal(size=(4, 10))[places] + random.normal(size=(num_rows, 10)), places


def distances(codes):
    bits = np.unpackbits(codes, axis=1).astype(int)
    return (bits[:, None] != bits[None]).sum(axis=-1)


def same_and_other(codes, labels):
    """Return the mean distance of codes of one label, and of two."""
    found, same = distances(codes), labels[:, None] == labels[None]
    return found[same & ~np.eye(len(codes), dtype=bool)].mean(), found[~same].mean()


@pytest.fixture(scope="module")
def plain():
    return tiny(objective=None).fit(IMAGES[:60])


# Settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Reconstruct(swap=2), "`swap` must be a number from 0 to 1, or None: got 2"),
        (lambda: Reconstruct(noise=-0.1), "`noise` must be .*: got -0.1"),
        (lambda: Reconstruct(swap=float("nan")), "got nan"),
        (lambda: Reconstruct(swap=True), "got True"),
        (lambda: KeepGroups(neighbors=0), "`neighbors` must be an integer of at least 1: got 0"),
        (lambda: KeepGroups(steps=1.5), "`steps` must be an integer of at least 1: got 1.5"),
        (lambda: KeepNeighbors(neighbors="far"), "got 'far'"),
        (lambda: KeepNeighbors(noise=None), "`noise` must be .*: got None"),
        (
            lambda: KeepGroups(augment="pictures"),
            "`augment` must be \"images\", a Keras layer.*: got 'pictures'",
        ),
        (lambda: KeepGroups(augment=3), "`augment` must be .*: got 3"),
    ],
)
def test_impossible_settings_are_refused_at_once(make, message):
    with pytest.raises(cw.errors.ParameterError, match=message):
        make()


@pytest.mark.parametrize(
    "objective",
    [
        Reconstruct(),
        Reconstruct(swap=0.2, noise=0),
        KeepGroups(neighbors=3, augment="images"),
        KeepNeighbors(noise=0.5),
    ],
)
def test_an_objective_is_a_value(objective):
    assert eval(repr(objective)) == objective
    assert type(objective)(**objective.get_params()) == objective
    assert hash(objective) == hash(pickle.loads(pickle.dumps(objective)))
    assert clone(objective, safe=False) == objective
    with pytest.raises(AttributeError):
        objective.noise = 0.3


def test_objectives_of_different_classes_differ():
    assert KeepGroups(steps=1) != KeepNeighbors(steps=1)


@pytest.mark.parametrize(
    ("data", "code", "expected"),
    [
        (cw.UnitInterval(), cw.Bits(8), KeepNeighbors()),
        (cw.Real(), cw.Bits(8), KeepNeighbors()),
        (cw.Levels([0, 0.25, 0.5, 0.75]), cw.Bits(8), Reconstruct()),
        (cw.Binary(), cw.Bits(8), Reconstruct()),
        (cw.Real(), cw.Scalars(4), Reconstruct()),
        (cw.UnitInterval(), cw.Choices(4, size=4), Reconstruct()),
        (cw.Real(), cw.Floats(4), Reconstruct()),
    ],
)
def test_bits_of_real_numbers_are_for_search_by_default(data, code, expected):
    assert default_objective(data, code) == expected


def test_the_default_is_used_and_announced_but_a_choice_is_not(capsys):
    assert tiny(objective=None, verbose=2).fit(IMAGES[:30]).objective_ == KeepNeighbors()
    assert "objective=KeepNeighbors(neighbors=10, steps=1" in capsys.readouterr().err
    assert tiny(objective=KeepGroups(), verbose=2).fit(IMAGES[:30]).objective_ == KeepGroups()
    assert tiny(objective=None, verbose=2).fit(LEVELS[:30]).objective_ == Reconstruct()
    assert "objective=" not in "".join(capsys.readouterr())


def test_history_names_all_losses(plain):
    assert set(plain.history_) == {"loss", "rows_loss", "codes_loss", "groups_loss", "places_loss"}
    alone = tiny(objective=KeepNeighbors(groups=0)).fit(IMAGES[:60])
    assert set(alone.history_) == {"loss", "rows_loss", "codes_loss"}


@pytest.mark.parametrize(
    ("objective", "code", "noise"),
    [
        (Reconstruct(), cw.Bits(4), 0.2),
        (Reconstruct(), cw.Scalars(4), 0.0),
        (Reconstruct(), cw.Choices(4, size=4), 0.0),
        (Reconstruct(noise=0), cw.Bits(4), 0.0),
        (Reconstruct(noise=0.3), cw.Floats(4), 0.3),
        (KeepGroups(), cw.Bits(4), 0.0),
        (KeepNeighbors(noise=0.1), cw.Bits(4), 0.1),
    ],
)
def test_noise_defaults_to_what_measured_best(objective, code, noise):
    assert objective.noise_for(code) == noise
    model = tiny(objective=objective, code=code).fit(IMAGES[:20])
    noisy = [layer for layer in model.encoder_.layers if layer.name == "code_noise"]
    assert [layer.stddev for layer in noisy] == [noise] * (noise > 0)


@pytest.mark.parametrize(
    ("code", "swap", "expected"),
    [(cw.Bits(4), None, 0.15), (cw.Choices(4, size=4), None, 0.15), (cw.Scalars(4), None, 0), (cw.Floats(4), 0.3, 0.3)],
)
@pytest.mark.parametrize("kind", [cw.UnitInterval(), cw.Real(), cw.Levels([0, 0.25, 0.5, 0.75])], ids=str)
def test_cells_are_swapped_for_every_data_kind(monkeypatch, kind, code, swap, expected):
    shares = []
    monkeypatch.setattr(
        "codeword.objectives.reconstruct.SwappedRows",
        lambda *args, share, **kwargs: shares.append(share) or SwappedRows(*args, share=share, **kwargs),
    )
    tiny(data=kind, code=code, objective=Reconstruct(swap=swap)).fit(LEVELS[:20])
    assert shares == [expected]


@pytest.mark.parametrize(("num_rows", "batch_size"), [(1, 2), (9, 2), (800, 100), (4_096, 512), (60_000, 512)])
def test_search_takes_an_eighth_of_few_rows_and_about_as_many_steps(num_rows, batch_size):
    assert KeepGroups().batch_size_for(num_rows) == batch_size
    steps_per_epoch = -(-num_rows // batch_size)
    epochs = KeepGroups().epochs_for(steps_per_epoch)
    assert epochs >= 10
    assert STEPS <= epochs * steps_per_epoch < max(STEPS + steps_per_epoch, 10 * steps_per_epoch + 1)


def test_the_number_of_epochs_follows_a_given_batch_size():
    model = tiny(epochs=None, batch_size=4, objective=KeepNeighbors()).fit(ROWS[:80])  # 20 steps per epoch
    assert len(model.history_["loss"]) == 60
    model = tiny(epochs=None, objective=Reconstruct(), hidden=()).fit(ROWS[:20])
    assert len(model.history_["loss"]) == 40


# Grid search


@pytest.mark.slow
def test_a_grid_search_reaches_kinds_and_objectives():
    model = tiny(objective=Reconstruct(noise=0.1))
    grid = {"code__num_bits": [8, 16], "objective__swap": [0, 0.2], "hidden": [(8,)]}
    search = GridSearchCV(model, grid, cv=2, refit=True, error_score="raise").fit(ROWS[:40])
    tried = [(params["code__num_bits"], params["objective__swap"]) for params in search.cv_results_["params"]]
    assert tried == [(8, 0), (8, 0.2), (16, 0), (16, 0.2)]
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    best = search.best_estimator_
    assert best.code == best.code_ == cw.Bits(search.best_params_["code__num_bits"])
    assert best.objective == best.objective_ == Reconstruct(swap=search.best_params_["objective__swap"], noise=0.1)
    assert (model.code, model.objective) == (cw.Bits(8), Reconstruct(noise=0.1))


def test_set_params_replaces_kinds_and_leaves_those_of_others_alone():
    code = cw.Bits(8)
    first, second = tiny(code=code), tiny(code=code)
    assert first.set_params(code__num_bits=12, objective=KeepNeighbors(), objective__steps=3, epochs=2) is first
    assert (first.code, first.objective, first.epochs) == (cw.Bits(12), KeepNeighbors(steps=3), 2)
    assert second.code is code
    assert first.get_params()["objective__steps"] == 3
    with pytest.raises(ValueError, match="`swap` is no setting of KeepNeighbors"):
        first.set_params(objective__swap=0.1)
    with pytest.raises(ValueError, match="Invalid parameter 'swap' for estimator Autoencoder"):
        first.set_params(swap=0.1)


# What it learns


@pytest.mark.parametrize("objective", [KeepGroups(), KeepNeighbors()])
def test_rows_of_a_planted_cluster_are_nearest_by_their_codes_wherever_it_lies(objective):
    x, places = planted()
    x = x / 10 + 1.7e9  # as float32, the numbers there are 128 apart
    model = tiny(objective=objective, code=cw.Bits(16), hidden=(32,), epochs=15, learning_rate=1e-2).fit(x[:300])
    codes = model.encode(x[300:])
    assert code_usage(codes).entropy.min() > 0.3
    near, far = same_and_other(codes, places[300:])
    assert far - near > 4
    found = distances(codes) + 99 * np.eye(100, dtype=int)
    assert (places[300:][found.argmin(axis=1)] == places[300:]).mean() > 0.95


@pytest.mark.slow
def test_the_10_bit_code_of_images_has_no_dead_bits_and_finds_digits():
    model = tiny(code=cw.Bits(10), hidden=(250,), epochs=12).fit(IMAGES[:1500])
    codes, labels = model.encode(IMAGES[1500:]), DIGITS.target[1500:]
    assert code_usage(model.encode(IMAGES[:1500]), num_bits=10).dead_bits == ()
    assert code_usage(codes, num_bits=10).entropy.min() > 0.5
    near, far = same_and_other(codes, labels)
    assert far - near > 1.5


@pytest.mark.slow
def test_codes_for_reconstruction_reconstruct_better():
    def error(objective):
        x = IMAGES[:600].reshape(600, 64)
        model = tiny(objective=objective, code=cw.Bits(32), hidden=(32,), epochs=8, batch_size=40, learning_rate=1e-2)
        return model.fit(x).evaluate(x)["mse"]

    assert error(Reconstruct()) < 0.9 * error(KeepGroups())


def test_validation_keeps_the_best_weights_by_both_losses():
    model = tiny(epochs=5, patience=2, hidden=(32,), batch_size=10).fit(IMAGES[:40], validation_data=IMAGES[40:140])
    assert set(model.history_) == {
        *("loss", "rows_loss", "groups_loss"),
        *("val_loss", "val_rows_loss", "val_groups_loss"),
    }
    lengths = {len(values) for values in model.history_.values()}
    assert len(lengths) == 1
    for prefix in ("", "val_"):
        parts = np.add(model.history_[f"{prefix}rows_loss"], model.history_[f"{prefix}groups_loss"])
        np.testing.assert_allclose(model.history_[f"{prefix}loss"], parts, rtol=1e-3)


def test_the_decoder_learns_but_does_not_pull_at_the_codes():
    parts = build_autoencoder(cw.UnitInterval(), cw.Bits(8), (8, 8), hidden=(8,), noise=0.0)
    network = similarity_network(parts.encoder, parts.decoder)
    assert network(IMAGES[:40])["rows"].shape == (20, 8, 8)
    network.compile(keras.optimizers.SGD(0.1), loss={"rows": "mse"})
    before = [model.get_weights()[:1] for model in (parts.encoder, parts.decoder)]
    network.train_on_batch(IMAGES[:40], {"rows": IMAGES[:20]})  # 20 rows, then their partners, which it leaves out
    np.testing.assert_array_equal(parts.encoder.get_weights()[0], before[0][0])
    assert (parts.decoder.get_weights()[0] != before[1][0]).any()


# Awkward rows


@pytest.mark.parametrize(
    ("objective", "x"),
    [(KeepGroups(), REAL[:1]), (KeepNeighbors(), REAL[:2]), (KeepGroups(), np.ones((30, 1)))],
    ids=["one", "two", "equal"],
)
@pytest.mark.slow
def test_few_and_equal_rows_work(objective, x):
    model = tiny(objective=objective, data=cw.Real(), epochs=2).fit(x, validation_data=x[:1])
    decoded = model.decode(model.encode(x))
    assert decoded.shape == x.shape
    assert np.isfinite(decoded).all()
    assert np.isfinite([*model.history_["loss"], *model.history_["val_loss"]]).all()


# Varied rows


@pytest.mark.slow
def test_images_are_varied_and_the_same_seed_gives_the_same_codes(plain):
    model, channels = (tiny(objective=KeepGroups(augment="images")).fit(x[:60]) for x in (IMAGES, IMAGES[..., None]))
    np.testing.assert_array_equal(channels.encode(IMAGES[..., None]), model.encode(IMAGES))
    assert model.history_["groups_loss"] == channels.history_["groups_loss"] != plain.history_["groups_loss"]
    assert channels.decode(channels.encode(IMAGES[:9, ..., None])).shape == (9, 8, 8, 1)


def test_codes_learn_to_stay_the_same_under_what_varies_rows():
    # Rows of noise, and in the last 5 columns what `augment` replaces by other noise.
    random = np.random.default_rng(0)
    x = np.concatenate([planted()[0] / 5, 3 * random.normal(size=(400, 5))], axis=1).astype(np.float32)
    other = x.copy()
    other[:, 10:] = 3 * random.normal(size=(400, 5))

    def changed(augment):
        model = tiny(
            data=cw.Real(spread="each"),
            hidden=(32,),
            epochs=12,
            objective=KeepGroups(augment=augment),
            learning_rate=1e-2,
        ).fit(x)
        return (np.unpackbits(model.encode(x) ^ model.encode(other), axis=1)).sum(axis=1).mean()

    noise = keras.Sequential([keras.Input((15,)), LastColumnsReplaced()])
    assert changed(noise) < 0.9 * changed(None)


@keras.saving.register_keras_serializable(package="tests")
class LastColumnsReplaced(keras.layers.Layer):
    """Replaces all columns from the tenth on by noise, in training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs, training=None):
        if not training:
            return inputs
        noise = keras.random.normal(keras.ops.shape(inputs[:, 10:]), seed=self.seed_generator)
        return keras.ops.concatenate([inputs[:, :10], noise], axis=1)


def own_augment():
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.RandomRotation(0.1, fill_mode="constant", seed=7),
            keras.layers.Reshape((8, 8)),
        ]
    )


def test_models_and_layers_of_the_user_are_copied_and_not_changed():
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Flatten()]
    )
    decoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, activation="relu")])
    augment = own_augment()
    variables = [*encoder.variables, *decoder.variables, *augment.variables]
    before = [np.copy(keras.ops.convert_to_numpy(variable)) for variable in variables]
    model = tiny(encoder=encoder, decoder=decoder, objective=KeepGroups(augment=augment)).fit(IMAGES[:60])
    for old, new in zip(before, variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(new), old)
    np.testing.assert_allclose(model.decode(model.encode(IMAGES)), model.reconstruct(IMAGES), atol=1e-5)
    assert model.objective.augment is augment
    assert objective_to_config(model.objective)["augment"] is None  # a file goes without: only training needs it


# What does not fit


@pytest.mark.parametrize("objective", [KeepGroups(), KeepNeighbors()])
@pytest.mark.parametrize("code", [cw.Scalars(4), cw.Choices(2, size=4), cw.Floats(3)], ids=str)
def test_search_needs_bits_and_says_so_before_anything_is_read(objective, code):
    message = rf"must have a Hamming distance for {type(objective).__name__}, such .*: got {type(code).__name__}"
    with pytest.raises(cw.errors.ParameterError, match=message):
        tiny(objective=objective, code=code).fit("not even data")


@pytest.mark.parametrize(
    ("augment", "x", "message"),
    [
        ("images", ROWS, r"`augment` must take rows of shape \(64,\): .* got shape \(None, 64\)\. Reshape the rows"),
        (keras.layers.Flatten(), IMAGES, r"`augment` must return rows of shape \(8, 8\): got \(64,\)"),
        (keras.layers.Reshape((8, 9)), IMAGES, r"`augment` must take rows of shape \(8, 8\): <Reshape"),
    ],
)
def test_an_augmentation_must_fit_the_rows(augment, x, message):
    with pytest.raises(cw.errors.CodewordError, match=message):
        tiny(objective=KeepGroups(augment=augment)).fit(x[:20])


# Copies, files, own models


@pytest.mark.parametrize(
    "objective",
    [
        None,
        Reconstruct(),
        Reconstruct(swap=0.3, noise=0.1),
        KeepGroups(),
        KeepGroups(neighbors=100, steps=1, noise=0.1),
        KeepNeighbors(neighbors=5, steps=2, augment="images"),
    ],
    ids=str,
)
def test_objectives_survive_clone_pickle_and_file(objective, tmp_path):
    model = tiny(objective=objective, batch_size=16).fit(IMAGES[:60])
    assert clone(model).objective == objective
    model.save(tmp_path / "m.codeword")
    for again in (pickle.loads(pickle.dumps(model)), cw.load(tmp_path / "m.codeword")):
        assert (again.objective, again.objective_) == (objective, model.objective_)
        np.testing.assert_array_equal(again.encode(IMAGES), model.encode(IMAGES))
        assert again.fingerprint_ == model.fingerprint_


OLD = dict.fromkeys(("similar", "walk", "augment", "noise", "swap"))


@pytest.mark.parametrize(
    ("parameters", "data", "expected"),
    [
        ({}, cw.Real(), None),
        (OLD, cw.Real(), None),
        (OLD | {"similar": "nothing", "swap": 0.1}, cw.Real(), Reconstruct(swap=0.1)),
        (OLD | {"swap": 0.1, "noise": 0}, cw.Binary(), Reconstruct(swap=0.1, noise=0)),
        (OLD | {"noise": 0.1}, cw.Real(), KeepGroups(noise=0.1)),
        (OLD | {"walk": [100, 1]}, cw.Real(), KeepGroups(neighbors=100, steps=1)),
        (OLD | {"similar": "groups", "augment": "images"}, cw.Binary(), KeepGroups(augment="images")),
        (OLD | {"similar": "neighbors", "walk": [5, 2]}, cw.Real(), KeepNeighbors(neighbors=5, steps=2)),
    ],
)
def test_files_of_before_are_read(parameters, data, expected):
    assert objective_from_config({"epochs": 3, **parameters}, data, cw.Bits(8)) == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"similar": "all"}, "`similar` must be one of groups, neighbors, nothing: got 'all'"),
        ({"similar": ["groups"]}, "got .'groups'."),
        ({"similar": "groups", "swap": 0.1}, "KeepGroups has the settings neighbors, steps, augment, noise: got swap"),
        ({"similar": "nothing", "walk": [10, 1]}, "Reconstruct has the settings swap, noise: got neighbors, steps"),
        ({"similar": "groups", "walk": [10]}, r"`walk` must be two integers: got \[10\]"),
        ({"similar": "groups", "walk": [10, "x"]}, "`steps` must be an integer of at least 1: got 'x'"),
        ({"similar": "groups", "walk": "ab"}, "`walk` must be two integers: got 'ab'"),
        ({"swap": [1]}, r"`swap` must be .* got \[1\]"),
    ],
)
def test_parameters_of_a_file_that_fit_no_objective_are_refused(parameters, message):
    with pytest.raises(cw.errors.ParameterError, match=message):
        objective_from_config(parameters, cw.Binary(), cw.Bits(8))


def test_what_is_left_out_stays_left_out_in_the_file(plain):
    assert objective_to_config(plain.objective) == OLD
    assert objective_to_config(KeepGroups()) == OLD | {"similar": "groups"}
    assert objective_to_config(KeepGroups(steps=np.int64(3))) == OLD | {"similar": "groups", "walk": [10, 3]}
    assert objective_to_config(Reconstruct(swap=np.float32(0.5))) == OLD | {"similar": "nothing", "swap": 0.5}
