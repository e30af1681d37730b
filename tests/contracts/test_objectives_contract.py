"""What codes for search promise on every backend."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import codeword as cw
from codeword.backend import keras
from codeword.layers.random_affine import RandomAffine

from .tensors import to_array

DIGITS = load_digits()
IMAGES = (DIGITS.images[:400] / 16).astype(np.float32)
LABELS = DIGITS.target[:400]


def fitted(**settings):
    small = {"code": cw.Bits(8), "hidden": (32,)}
    small |= {"epochs": 6, "batch_size": 100, "learning_rate": 0.01, "verbose": 0, **settings}
    return cw.Autoencoder(**small).fit(IMAGES)


def assert_codes_and_rows_are_consistent(model, path):
    """Stored codes decode to what the whole network gives; a row's code is its own; a saved model is the same."""
    codes, margin = model.encode(IMAGES, return_margin=True)
    clear = (margin > 5e-5).all(axis=1)
    assert clear.mean() > 0.9
    np.testing.assert_allclose(model.decode(codes)[clear], model.reconstruct(IMAGES)[clear], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.concatenate([model.encode(IMAGES[i : i + 1]) for i in range(9)]), codes[:9])
    model.save(path)
    again = cw.load(path)
    np.testing.assert_array_equal(again.encode(IMAGES), codes)
    assert again.fingerprint_ == model.fingerprint_
    return codes


def mean_distances(codes):
    """Return the mean Hamming distance of rows of one label, and of different labels."""
    bits = np.unpackbits(codes, axis=1).astype(int)
    distances = (bits[:, None] != bits[None]).sum(axis=-1)
    same = LABELS[:, None] == LABELS[None]
    return distances[same & ~np.eye(len(codes), dtype=bool)].mean(), distances[~same].mean()


@pytest.mark.parametrize("objective", [cw.objectives.KeepGroups, cw.objectives.KeepNeighbors])
@pytest.mark.slow
def test_rows_of_a_kind_get_codes_of_a_kind_on_varied_images(objective, tmp_path):
    model = fitted(objective=objective(augment="images"))
    of_codes = "groups_loss" if objective is cw.objectives.KeepGroups else "codes_loss"
    for losses in (model.history_[of_codes], model.history_["rows_loss"]):
        assert losses[-1] < 0.97 * losses[0]
    codes = assert_codes_and_rows_are_consistent(model, tmp_path / "m.codeword")
    near, far = mean_distances(codes)
    assert near < far - 0.5


@pytest.mark.slow
def test_four_levels_can_be_varied_as_images(tmp_path):
    levels = np.floor(IMAGES * 3.99) / 4
    settings = {"data": cw.Levels([0, 0.25, 0.5, 0.75]), "objective": cw.objectives.KeepGroups(augment="images")}
    model = cw.Autoencoder(code=cw.Bits(8), hidden=(16,), epochs=2, verbose=0, **settings).fit(levels)
    np.testing.assert_array_equal(model.decode(model.encode(levels)), model.reconstruct(levels))


def test_a_trained_encoder_gets_bits(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(12, "tanh")])
    model = cw.binarize(encoder, IMAGES, bits=8, verbose=0)
    codes, margin = model.encode(IMAGES, return_margin=True)
    near, far = mean_distances(codes)
    assert near < far - 0.5
    assert margin.mean() == pytest.approx(0.8, abs=0.15)  # in units of a spread; of a Gaussian it is .8
    np.testing.assert_allclose(model.decode(codes), model.reconstruct(IMAGES), rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "m.codeword")
    np.testing.assert_array_equal(cw.load(tmp_path / "m.codeword", encoder=encoder).encode(IMAGES), codes)


def test_images_are_varied_in_training_only():
    layer = RandomAffine(seed=3)
    for images in (IMAGES[:5], IMAGES[:5, ..., None]):
        varied = to_array(layer(images, training=True))
        assert (varied.shape, varied.dtype) == (images.shape, np.float32)
        assert np.abs(varied - images).mean() > 0.01
        np.testing.assert_array_equal(to_array(layer(images, training=False)), images)
    still = to_array(RandomAffine(0, 0, 0)(IMAGES[:5], training=True))
    np.testing.assert_allclose(still, IMAGES[:5], atol=1e-5)


def test_a_shift_moves_the_image_and_zeros_come_in(monkeypatch):
    layer = RandomAffine()
    transforms = np.array([[1, 0, 2, 0, 1, -1, 0, 0]] * 5, np.float32)  # an output pixel (x, y) takes (x + 2, y - 1)
    monkeypatch.setattr(layer, "_transforms", lambda *_: keras.ops.convert_to_tensor(transforms))
    expected = np.zeros_like(IMAGES[:5])
    expected[:, 1:, :-2] = IMAGES[:5, :-1, 2:]
    np.testing.assert_allclose(to_array(layer(IMAGES[:5], training=True)), expected, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.slow
def test_mixed_precision_keeps_the_dtype(policy):
    result = RandomAffine(0, 0, 0, dtype=policy)(IMAGES[:5], training=True)
    assert keras.backend.standardize_dtype(result.dtype) == policy.removeprefix("mixed_")
    np.testing.assert_allclose(to_array(result).astype(np.float32), IMAGES[:5], atol=0.02)
