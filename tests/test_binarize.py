"""Codes from a trained encoder: each rule against plain NumPy, awkward encoders, and what is made of them."""

import numpy as np
import pytest

import codeword as cw
from codeword.backend import keras
from codeword.errors import CodewordError, DataError, ModelFileError, ParameterError

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal([0, 1, 0, -2, 0, 3], size=(400, 6))


def linear(kernel, bias=0.0, activation="linear"):
    """Gives an encoder of one dense layer with known weights."""
    kernel = np.asarray(kernel, np.float32)
    encoder = keras.Sequential([keras.Input((len(kernel),)), keras.layers.Dense(kernel.shape[1], activation)])
    encoder.set_weights([kernel, np.zeros(kernel.shape[1], np.float32) + np.float32(bias)])
    return encoder


def binarized(encoder, x=ROWS, **settings):
    return cw.binarize(encoder, x, **{"verbose": 0, **settings})


KERNEL = RANDOM.normal(size=(6, 4))
ENCODER = linear(KERNEL)
NEW = RANDOM.normal(size=(300, 6)) * 2


# The rules


def test_zero_is_the_sign_of_each_unit():
    model = binarized(ENCODER, rule="zero")
    for x in (ROWS, NEW):
        np.testing.assert_array_equal(model.transform(x), x @ KERNEL > 0)


def test_zero_cuts_at_zero_however_few_or_far_the_rows_are():
    model = binarized(linear(np.eye(4, 3)), np.array([[5.0, -1.0, 9.0, 0], [7.0, -3.0, -9.0, 0]]), rule="zero")
    near_zero = np.array([[0.01] * 4, [0.0] * 4, [-0.01] * 4])
    assert model.transform(near_zero).tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_median_halves_each_unit():
    model = binarized(ENCODER, rule="median")
    np.testing.assert_array_equal(model.transform(ROWS).mean(axis=0), 0.5)
    cuts = np.median(ROWS @ KERNEL, axis=0)
    clear = (np.abs(NEW @ KERNEL - cuts) > 0.05).all(axis=1)
    np.testing.assert_array_equal(model.transform(NEW)[clear], (cuts < NEW @ KERNEL)[clear])


@pytest.mark.parametrize("rule", ["median", "zero"])
def test_a_unit_that_is_zero_for_most_rows_tells_the_others(rule):
    rows = np.array([[-1.0, 2.0, 0.0]] * 6 + [[-2.0, 3.0, 0.0]] * 2 + [[4.0, 5.0, 0.0], [8.0, 1.0, 0.0]])
    model = binarized(linear(np.eye(3, 2), activation="relu"), rows, rule=rule)
    assert model.transform(rows)[:, 0].tolist() == [0] * 8 + [1, 1]


@pytest.mark.parametrize("bits", [4, 3, 1])
def test_rotation_is_orthogonal_on_the_principal_components(bits):
    model = binarized(ENCODER, bits=bits)
    activations = ROWS @ KERNEL
    matrix = model.encoder_.get_layer("code_projection").get_weights()[0]
    mean, variance = model.encoder_.get_layer("code_normalization").get_weights()
    matrix = matrix / np.linalg.norm(matrix, axis=0)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(bits), atol=1e-4)
    assert (mean != 0).any()
    np.testing.assert_allclose(variance, 1, atol=2e-3)
    np.testing.assert_array_equal(model.transform(ROWS), (activations - activations.mean(axis=0)) @ matrix > 0)


def test_rotation_finds_the_cube_that_the_activations_lie_on():
    # Corners of a cube in three dimensions, hidden in six: every corner gets a code of its own, a bit an axis.
    corners = RANDOM.choice([-1, 1], size=(500, 3))
    turned = np.linalg.qr(RANDOM.normal(size=(6, 6)))[0][:3]
    rows = corners * [1.0, 1.1, 0.9] @ turned + 0.05 * RANDOM.normal(size=(500, 6)) + 7
    codes = binarized(linear(np.eye(6)), rows, bits=3).transform(rows)
    for axis in range(3):
        agreement = (codes == (corners[:, [axis]] > 0)).mean(axis=0)
        assert np.abs(agreement - 0.5).max() == 0.5


@pytest.mark.parametrize("rule", ["rotation", "median", "zero"])
@pytest.mark.slow
def test_near_rows_get_near_codes(rule):
    random = np.random.default_rng(1)
    x = random.normal(size=(300, 2)) @ random.normal(size=(2, 32)) + 0.1 * random.normal(size=(300, 32))
    truth = np.linalg.norm(x[:, None] - x[None], axis=-1)[np.triu_indices(300, 1)]

    bits = binarized(linear(np.eye(32, 31)), x, rule=rule).transform(x).astype(int)
    distances = (bits[:, None] != bits[None]).sum(axis=-1)[np.triu_indices(300, 1)]
    assert np.corrcoef(truth, distances)[0, 1] > 0.5


# What comes of it


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_margins_are_in_units_of_the_spread(scale):
    model = binarized(linear(KERNEL * scale), rule="zero")
    activations = ROWS @ KERNEL
    _, margin = model.encode(ROWS, return_margin=True)
    np.testing.assert_allclose(margin, np.abs(activations) / activations.std(axis=0), rtol=1e-3, atol=1e-3)


def test_the_decoder_is_the_linear_map_with_the_least_squared_error():
    model = binarized(ENCODER)
    signs = model.transform(ROWS) * 2.0 - 1
    design = np.column_stack([signs, np.ones(len(signs))])
    best = design @ np.linalg.lstsq(design, ROWS, rcond=None)[0]
    decoded = model.decode(model.encode(ROWS))
    np.testing.assert_allclose(decoded, best, atol=0.02)
    assert np.square(decoded - ROWS).mean() < np.square(best - ROWS).mean() * 1.001
    assert model.evaluate(ROWS)["mse"] == pytest.approx(np.square(decoded - ROWS).mean())
    assert model.training_gap_["inference"] == model.evaluate(ROWS)
    np.testing.assert_allclose(model.reconstruct(ROWS), decoded, atol=1e-5)


def test_there_may_be_as_many_bits_as_columns():
    model = binarized(linear(np.eye(6)))
    assert model.decode(model.encode(ROWS)).shape == ROWS.shape


def test_images_of_a_convolution_work():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 4, strides=2)])
    images = cw.datasets.four_level_digits()[:200]
    model = binarized(encoder, images, bits=8)
    assert model.encode(images).shape == (200, 1)
    assert model.decode(model.encode(images)).shape == (200, 8, 8)


def test_rows_enter_the_encoder_unscaled():
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Rescaling(1 / 255), keras.layers.Dense(4)])
    encoder.set_weights(ENCODER.get_weights())
    bytes_ = np.round(255 * np.abs(ROWS) / np.abs(ROWS).max())
    np.testing.assert_array_equal(binarized(encoder, bytes_, rule="zero").transform(bytes_), bytes_ @ KERNEL > 0)


def test_the_encoder_is_not_changed():
    before = [weights.copy() for weights in ENCODER.get_weights()]
    model = binarized(ENCODER)
    for old, new in zip(before, ENCODER.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    codes = model.encode(ROWS)
    other = linear(KERNEL)
    model = binarized(other)
    other.set_weights([np.zeros((6, 4)), np.zeros(4)])
    np.testing.assert_array_equal(model.encode(ROWS), codes)  # it has a copy


def test_same_seed_gives_the_same_codes():
    first, second, other = (binarized(linear(KERNEL), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.encode(ROWS), second.encode(ROWS))
    assert first.fingerprint_ == second.fingerprint_ != other.fingerprint_


def test_it_is_saved_and_loaded_and_names_its_codes(tmp_path):
    model = binarized(ENCODER, bits=3)
    model.save(tmp_path / "m.codeword")
    again = cw.load(tmp_path / "m.codeword", encoder=linear(np.zeros((6, 4))))
    np.testing.assert_array_equal(again.encode(NEW), model.encode(NEW))
    np.testing.assert_array_equal(again.decode(again.encode(NEW)), model.decode(model.encode(NEW)))
    assert again.fingerprint_ == model.fingerprint_
    with pytest.raises(ParameterError, match="with an own encoder"):
        cw.load(tmp_path / "m.codeword")
    with pytest.raises(ModelFileError):
        cw.load(tmp_path / "m.codeword", encoder=linear(np.zeros((6, 5))))
    store = cw.CodeStore(tmp_path / "codes.duckdb", model=again)
    store.append(None, model.encode(ROWS))
    assert store.search(model.encode(ROWS[:3]), k=1)[0].tolist() == [[0], [0], [0]]


def test_frames_keep_their_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(ROWS, columns=list("abcdef"))
    model = binarized(ENCODER, frame)
    np.testing.assert_array_equal(model.encode(frame), binarized(ENCODER).encode(ROWS))
    assert list(model.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        model.encode(frame[list("fedcba")])


# Activations instead of an encoder

ACTIVATIONS = ENCODER.predict(ROWS, verbose=0)


@pytest.mark.parametrize("rule", ["rotation", "median", "zero"])
def test_activations_give_the_codes_that_their_encoder_gives(rule):
    model, encoded = cw.binarize(ACTIVATIONS, rule=rule, verbose=0), binarized(ENCODER, rule=rule)
    np.testing.assert_array_equal(model.encode(ACTIVATIONS), encoded.encode(ROWS))
    np.testing.assert_array_equal(model.encode(ENCODER.predict(NEW, verbose=0)), encoded.encode(NEW))
    np.testing.assert_array_equal(binarized(None, ACTIVATIONS, rule=rule).encode(ACTIVATIONS), encoded.encode(ROWS))


def test_activations_decode_save_and_load(tmp_path):
    model = cw.binarize(ACTIVATIONS.reshape(400, 2, 2).astype(np.float16), bits=3, verbose=0)
    codes = model.encode(ACTIVATIONS.reshape(400, 2, 2))
    model.save(tmp_path / "m.codeword")
    again = cw.load(tmp_path / "m.codeword")
    np.testing.assert_array_equal(again.encode(ACTIVATIONS.reshape(400, 2, 2)), codes)
    assert again.decode(codes).shape == (400, 2, 2)


def test_fewer_activations_than_bits_and_columns_that_never_change():
    few = np.column_stack([RANDOM.normal(size=(5, 8)), np.ones(5)])
    with pytest.warns(UserWarning, match=r"1 of the 9 columns of the activations are dead, .* 5 rows: 8 \(always 1\)"):
        model = cw.binarize(few, verbose=0)
    cw.binarize(few, bits=8, verbose=0)  # a warning would be an error
    assert len(np.unique(model.encode(few), axis=0)) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ACTIVATIONS, None, 5), "`bits` must be at most 4, the number of columns of the activations: got 5"),
        ((np.where(ACTIVATIONS > 2, np.nan, ACTIVATIONS),), "NaN"),
        ((np.ones((9, 3)),), "The activations must separate rows: got 3 columns that are the same for all 9 rows"),
        ((ENCODER,), "`x` must be rows for the encoder: got None"),
        ((ACTIVATIONS[0],), r"got shape \(4,\)"),
    ],
    ids=["bits", "NaN", "equal", "no rows", "one axis"],
)
def test_activations_that_cannot_work_are_refused(arguments, message):
    encoder, x, bits = (*arguments, None, None)[:3]
    with pytest.raises(CodewordError, match=message):
        binarized(encoder, x, bits=bits)


# Awkward encoders and settings


# pytest.warns gives other warnings on without the module, by which pyproject.toml ignores this one.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_dead_units_are_named():
    kernel = np.eye(6)
    kernel[:, [1, 4]] = 0
    encoder = linear(kernel, bias=[0, 0.5, 0, 0, 0, 0])  # gives the columns 0, 2, 3 and 5
    with pytest.warns(
        UserWarning, match=r"2 of the 6 units of the encoder are dead, .* 400 rows: 1 \(always 0.5\), 4 \(always 0\)"
    ):
        model = binarized(encoder, bits=4)
    assert model.transform(ROWS).std(axis=0).min() > 0
    wider = linear(np.column_stack([KERNEL[:, :2], np.zeros(6)]), bias=[0, 0, 9])
    for rule in ("median", "zero"):
        with pytest.warns(UserWarning, match=r"1 of the 3 units of the encoder are dead, .*: 2 \(always 9\)"):
            model = binarized(wider, rule=rule)
        assert model.transform(ROWS).mean(axis=0)[2] == (rule == "zero")
        assert np.isfinite(model.decode(model.encode(ROWS))).all()


@pytest.mark.parametrize("rule", ["rotation", "median", "zero"])
def test_two_rows_are_told_apart(rule):
    model = binarized(ENCODER, np.array([[-1.0] * 6, [1.0] * 6]), rule=rule)
    codes = model.transform(np.array([[-1.0] * 6, [1.0] * 6]))
    assert codes.shape == (2, 4)
    assert (codes[0] != codes[1]).any()


@pytest.mark.parametrize("x", [np.ones((9, 6)), ROWS[:1]], ids=["equal", "one"])
def test_rows_that_the_encoder_does_not_tell_apart_are_refused(x):
    with pytest.raises(DataError, match=rf"got 4 units that are the same for all {len(x)} rows"):
        binarized(ENCODER, x)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_encoder_that_gives_no_finite_numbers_is_refused(bad):
    with pytest.raises(DataError, match="got NaN or infinity"):
        binarized(linear(KERNEL, bias=[0, bad, 0, 0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": "mean"}, '`rule` must be "rotation", "median" or "zero": got \'mean\''),
        ({"bits": 5}, "`bits` must be at most 4, the number of units of the encoder: got 5"),
        ({"bits": 3, "rule": "median"}, "`bits` must be 4 with rule='median'.* got 3"),
        ({"bits": 5, "rule": "zero"}, "`bits` must be 4 with rule='zero'.* got 5"),
        ({"bits": 0}, "got 0"),
        ({"bits": 2.5}, "got 2.5"),
        ({"seed": -1}, "`seed` must be .* got -1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        binarized(ENCODER, **settings)


def test_rows_that_the_encoder_does_not_take_are_refused():
    with pytest.raises(ParameterError, match=r"rows of shape \(5,\): got a model that takes \(6,\)"):
        binarized(ENCODER, ROWS[:, :5])
    with pytest.raises(DataError, match="NaN"):
        binarized(ENCODER, np.where(ROWS > 2, np.nan, ROWS))
    with pytest.raises(ParameterError, match="`encoder` must be a Keras model or layer: got 4"):
        binarized(4)
