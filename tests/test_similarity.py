"""The autoencoder whose codes are alike where rows are: `similar` and `augment`."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

import codeword as cw
from codeword.autoencoders.networks import build_autoencoder, similarity_model
from codeword.autoencoders.training import SIMILARITY_STEPS, WALKS, Settings, settings_of
from codeword.backend import keras
from codeword.evaluation import code_usage

DIGITS = load_digits()
IMAGES = (DIGITS.images / 16).astype(np.float32)
LEVELS = np.floor(IMAGES * 3.99) / 4
REAL = np.random.default_rng(0).normal(size=(100, 5)) * [1, 2, 3, 4, 0] + 7


def tiny(**settings):
    small = {"code": cw.Bits(8), "hidden": (8,), "epochs": 1, "similar": "groups", "verbose": 0}
    return cw.Autoencoder(**{**small, **settings})


def planted(num_rows=400):
    """Gives rows around four places that lie apart, and which place each belongs to."""
    random = np.random.default_rng(0)
    places = np.arange(num_rows) % 4
    return 6 * random.normal(size=(4, 10))[places] + random.normal(size=(num_rows, 10)), places


def distances(codes):
    bits = np.unpackbits(codes, axis=1).astype(int)
    return (bits[:, None] != bits[None]).sum(axis=-1)


def same_and_other(codes, labels):
    """Gives the mean distance of codes of one label, and of two."""
    found, same = distances(codes), labels[:, None] == labels[None]
    return found[same & ~np.eye(len(codes), dtype=bool)].mean(), found[~same].mean()


@pytest.fixture(scope="module")
def plain():
    return tiny(similar=None).fit(IMAGES[:60])


# What is filled in


def with_kinds(data=None, **settings):
    model = cw.Autoencoder(**settings)
    model.data_, model.code_ = data or cw.UnitInterval(), settings.get("code", cw.Bits(8))
    return model


@pytest.mark.parametrize(
    ("data", "code", "similar"),
    [
        (cw.UnitInterval(), cw.Bits(8), "groups"),
        (cw.Real(), cw.Bits(8), "groups"),
        (cw.Levels([0, 0.25, 0.5, 0.75]), cw.Bits(8), "nothing"),
        (cw.Binary(), cw.Bits(8), "nothing"),
        (cw.Real(), cw.Scalars(4), "nothing"),
        (cw.UnitInterval(), cw.Choices(4, size=4), "nothing"),
        (cw.Real(), cw.Floats(4), "nothing"),
    ],
)
def test_bits_of_real_numbers_are_for_search(data, code, similar):
    assert settings_of(with_kinds(data, code=code), 40).similar == similar


def test_history_names_both_losses(plain):
    assert set(plain.history_) == {"loss", "rows_loss", "codes_loss"}


@pytest.mark.parametrize(
    ("settings", "num_rows", "expected"),
    [
        ({"similar": "nothing"}, 1_000, Settings("nothing", 0.15, (0, 0), 40, 128)),
        ({"similar": "nothing", "code": cw.Scalars(4)}, 1_000, Settings("nothing", 0.0, (0, 0), 40, 128)),
        ({"similar": "nothing", "code": cw.Choices(4, size=4)}, 9, Settings("nothing", 0.15, (0, 0), 40, 128)),
        ({"similar": "nothing", "noise": 0, "swap": 0}, 9, Settings("nothing", 0, (0, 0), 40, 128)),
        (
            {"similar": "neighbors", "walk": (7, 3), "noise": 0.1, "swap": 0.3},
            80_000,
            Settings("neighbors", 0.3, (7, 3), 10, 512),
        ),
        ({"epochs": 3, "batch_size": 7}, 1_000, Settings("groups", 0.0, WALKS["groups"], 3, 7)),
    ],
)
def test_settings_that_are_left_out_are_filled_in(settings, num_rows, expected):
    assert settings_of(with_kinds(**settings), num_rows) == expected


@pytest.mark.parametrize(("num_rows", "batch_size"), [(1, 2), (9, 2), (800, 100), (4_096, 512), (60_000, 512)])
def test_search_takes_an_eighth_of_few_rows_and_about_as_many_steps(num_rows, batch_size):
    settings = settings_of(with_kinds(), num_rows)
    assert settings.batch_size == batch_size
    steps_an_epoch = -(-num_rows // batch_size)
    steps = settings.epochs * steps_an_epoch
    assert settings.epochs >= 10
    assert SIMILARITY_STEPS <= steps < max(SIMILARITY_STEPS + steps_an_epoch, 10 * steps_an_epoch + 1)
    given = settings_of(with_kinds(batch_size=64), num_rows)
    assert given.epochs == max(10, -(-SIMILARITY_STEPS // -(-num_rows // 64)))


# What it learns


@pytest.mark.parametrize("similar", ["groups", "neighbors"])
def test_rows_of_a_planted_cluster_are_nearest_by_their_codes_wherever_it_lies(similar):
    x, places = planted()
    x = x / 10 + 1.7e9  # as float32, the numbers there are 128 apart
    model = tiny(similar=similar, code=cw.Bits(16), hidden=(32,), epochs=15, learning_rate=1e-2).fit(x[:300])
    codes = model.encode(x[300:])
    assert code_usage(codes).entropy.min() > 0.3
    near, far = same_and_other(codes, places[300:])
    assert far - near > 4
    found = distances(codes) + 99 * np.eye(100, dtype=int)
    assert (places[300:][found.argmin(axis=1)] == places[300:]).mean() > 0.95


def test_the_10_bit_code_of_images_has_no_dead_bits_and_finds_digits():
    model = tiny(code=cw.Bits(10), hidden=(250,), epochs=12).fit(IMAGES[:1500])
    codes, labels = model.encode(IMAGES[1500:]), DIGITS.target[1500:]
    assert code_usage(model.encode(IMAGES[:1500]), num_bits=10).dead_bits == ()
    assert code_usage(codes, num_bits=10).entropy.min() > 0.5
    near, far = same_and_other(codes, labels)
    assert far - near > 1.5


def test_codes_that_need_not_be_alike_give_rows_back_better():
    def error(similar):
        x = IMAGES[:600].reshape(600, 64)
        model = tiny(similar=similar, code=cw.Bits(32), hidden=(32,), epochs=8, batch_size=40, learning_rate=1e-2)
        return model.fit(x).evaluate(x)["mse"]

    assert error("nothing") < 0.9 * error("groups")


def test_validation_keeps_the_best_weights_by_both_losses():
    model = tiny(epochs=5, patience=2, hidden=(32,), batch_size=10).fit(IMAGES[:40], validation_data=IMAGES[40:140])
    assert set(model.history_) == {
        *("loss", "rows_loss", "codes_loss"),
        *("val_loss", "val_rows_loss", "val_codes_loss"),
    }
    lengths = {len(values) for values in model.history_.values()}
    assert len(lengths) == 1
    for prefix in ("", "val_"):
        parts = np.add(model.history_[f"{prefix}rows_loss"], model.history_[f"{prefix}codes_loss"])
        np.testing.assert_allclose(model.history_[f"{prefix}loss"], parts, rtol=1e-3)


def test_the_decoder_learns_but_does_not_pull_at_the_codes():
    parts = build_autoencoder(cw.UnitInterval(), cw.Bits(8), (8, 8), hidden=(8,), noise=0.0)
    network = similarity_model(parts.encoder, parts.decoder)
    assert network(IMAGES[:40])["rows"].shape == (20, 8, 8)
    network.compile(keras.optimizers.SGD(0.1), loss={"rows": "mse"})
    before = [model.get_weights()[:1] for model in (parts.encoder, parts.decoder)]
    network.train_on_batch(IMAGES[:40], {"rows": IMAGES[:20]})  # 20 rows, then their partners, which it leaves out
    np.testing.assert_array_equal(parts.encoder.get_weights()[0], before[0][0])
    assert (parts.decoder.get_weights()[0] != before[1][0]).any()


# Awkward rows


@pytest.mark.parametrize(
    ("similar", "x"),
    [("groups", REAL[:1]), ("neighbors", REAL[:2]), ("groups", np.ones((30, 1)))],
    ids=["one", "two", "equal"],
)
def test_few_and_equal_rows_work(similar, x):
    model = tiny(similar=similar, data=cw.Real(), epochs=2).fit(x, validation_data=x[:1])
    decoded = model.decode(model.encode(x))
    assert decoded.shape == x.shape
    assert np.isfinite(decoded).all()
    assert np.isfinite([*model.history_["loss"], *model.history_["val_loss"]]).all()


# Varied rows


def test_images_are_varied_and_the_same_seed_gives_the_same_codes(plain):
    model, channels = (tiny(augment="images").fit(x[:60]) for x in (IMAGES, IMAGES[..., None]))
    np.testing.assert_array_equal(channels.encode(IMAGES[..., None]), model.encode(IMAGES))
    assert model.history_["codes_loss"] == channels.history_["codes_loss"] != plain.history_["codes_loss"]
    assert channels.decode(channels.encode(IMAGES[:9, ..., None])).shape == (9, 8, 8, 1)


def test_codes_learn_to_stay_the_same_under_what_varies_rows():
    # Rows of noise, and in the last 5 columns what `augment` replaces by other noise.
    random = np.random.default_rng(0)
    x = np.concatenate([planted()[0] / 5, 3 * random.normal(size=(400, 5))], axis=1).astype(np.float32)
    other = x.copy()
    other[:, 10:] = 3 * random.normal(size=(400, 5))

    def changed(augment):
        model = tiny(data=cw.Real(), hidden=(32,), epochs=12, augment=augment, learning_rate=1e-2).fit(x)
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
    model = tiny(encoder=encoder, decoder=decoder, augment=augment).fit(IMAGES[:60])
    for old, new in zip(before, variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(new), old)
    np.testing.assert_allclose(model.decode(model.encode(IMAGES)), model.reconstruct(IMAGES), atol=1e-5)
    assert model.augment is augment
    assert model._parts()[0]["parameters"]["augment"] is None  # a file goes without: only training needs it


# Settings that cannot work


SCALARS = cw.Scalars(4)


@pytest.mark.parametrize(
    ("settings", "x", "message"),
    [
        ({"similar": "all"}, IMAGES, "`similar` must be one of groups, neighbors, nothing.*Received: 'all'"),
        ({"similar": True}, IMAGES, "Received: True"),
        ({"code": SCALARS}, IMAGES, r"`similar` is for Bits.* Received: code=Scalars\(.*Leave it out"),
        (
            {"code": SCALARS, "similar": None, "augment": "images"},
            IMAGES,
            r"Received: augment='images' with code=Scalars",
        ),
        ({"similar": "nothing", "augment": "images"}, IMAGES, "Received: augment='images' with similar='nothing'"),
        ({"similar": None, "augment": "images", "data": cw.Levels([0, 0.25, 0.5, 0.75])}, LEVELS, "similar=None"),
        ({"similar": None, "augment": "images"}, LEVELS > 0, 'for Binary data and .* "nothing". Leave it out'),
        ({"similar": None, "walk": (3, 1)}, LEVELS > 0, r"`walk` works only with .*Received: walk=\(3, 1\)"),
        ({"similar": "groups", "swap": 0.2}, IMAGES, r"`swap` works without .*Received: swap=0\.2"),
        ({"walk": "far"}, IMAGES, "`walk` must be a pair of integers.* Received: 'far'"),
        ({"walk": (10, 0)}, IMAGES, "`walk` must be .* Received: 0"),
        ({"walk": (1, 2, 3)}, IMAGES, r"Received: \(1, 2, 3\)"),
        ({"augment": "pictures"}, IMAGES, "`augment` must be \"images\".* Received: 'pictures'"),
        ({"augment": 3}, IMAGES, "`augment` must be .* Received: 3"),
        ({"augment": "images"}, IMAGES.reshape(-1, 64), r"varies images.* Received: shape \(.*64\)"),
        ({"augment": keras.layers.Flatten()}, IMAGES, r"rows of shape \(8, 8\) again. Received: \(64,\)"),
        ({"augment": keras.layers.Reshape((8, 9))}, IMAGES, r"rows of shape \(8, 8\). Received: <Reshape"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, x, message):
    with pytest.raises(cw.errors.CodewordError, match=message):
        tiny(**settings).fit(x[:20])


# Copies, files, own models


def test_parameters_survive_clone_pickle_and_file(tmp_path):
    settings = {
        "similar": "neighbors",
        "augment": "images",
        "epochs": 1,
        "batch_size": 16,
        "noise": 0.1,
        "walk": (5, 2),
    }
    model = tiny(**settings).fit(IMAGES[:60])
    assert {name: clone(model).get_params()[name] for name in settings} == settings
    model.save(tmp_path / "m.codeword")
    for again in (pickle.loads(pickle.dumps(model)), cw.load(tmp_path / "m.codeword")):
        given = {name: again.get_params()[name] for name in settings}
        assert given == settings
        np.testing.assert_array_equal(again.encode(IMAGES), model.encode(IMAGES))
        assert again.fingerprint_ == model.fingerprint_


def test_what_is_left_out_stays_left_out_in_the_file(plain, tmp_path):
    plain.save(tmp_path / "m.codeword")
    again = cw.load(tmp_path / "m.codeword")
    names = ("similar", "augment", "noise", "swap", "batch_size")
    assert [getattr(again, name) for name in names] == [None] * 5
