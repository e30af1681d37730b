"""Images turned, scaled and shifted: against SciPy and by hand."""

import json

import numpy as np
import pytest
import scipy.ndimage

from codeword.backend import keras
from codeword.errors import DataError, ParameterError
from codeword.layers import RandomAffine

from .contracts.tensors import to_array

IMAGES = np.random.default_rng(0).random((5, 9, 12)).astype(np.float32) + 0.5


def varied(images=IMAGES, **settings):
    layer = RandomAffine(**{"seed": 3, **settings})
    return np.asarray(keras.ops.convert_to_numpy(layer(images, training=True)), np.float32)


def transforms(count=2_000, height=9, width=12, **settings):
    return np.asarray(RandomAffine(**{"seed": 3, **settings})._transforms(count, height, width))


def resampled(image, transform):
    """Gives what SciPy makes of the same transform: (y, x) instead of (x, y), with zeros around the image."""
    a, b, c, d, e, f = transform[:6].astype(np.float64)
    matrix = np.array([[e, d], [b, a]])
    margin = np.array([30, 30])
    padded = np.pad(image.astype(np.float64), 30)
    result = scipy.ndimage.affine_transform(padded, matrix, np.array([f, c]) + margin - matrix @ margin, order=1)
    return result[30:-30, 30:-30]


def test_images_pass_unchanged_in_inference():
    for training in (False, None):
        given = RandomAffine(180, 0.9, 1.0)(IMAGES, training=training)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(given), IMAGES)


def test_without_variation_images_stay_as_they_are():
    np.testing.assert_allclose(varied(rotation=0, zoom=0, shift=0), IMAGES, atol=1e-6)


def test_every_image_is_resampled_as_by_scipy():
    given = transforms(count=5)
    for image, transform, result in zip(IMAGES, given, varied(), strict=True):
        np.testing.assert_allclose(result, resampled(image, transform), atol=1e-4)
    assert len(np.unique(given, axis=0)) == 5  # each image in its own way


def test_a_shift_by_whole_pixels_moves_the_image_and_zeros_come_in(monkeypatch):
    layer = RandomAffine()
    # An output pixel (x, y) takes the input pixel (x + 2, y - 1).
    monkeypatch.setattr(layer, "_transforms", lambda *_: np.array([[1, 0, 2, 0, 1, -1, 0, 0]] * 5, np.float32))
    moved = np.asarray(layer(IMAGES, training=True))
    expected = np.zeros_like(IMAGES)
    expected[:, 1:, :-2] = IMAGES[:, :-1, 2:]
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_a_quarter_turn_is_about_the_center(monkeypatch):
    square = IMAGES[:, :9, :9]
    monkeypatch.setattr(keras.random, "uniform", lambda shape, low, high, seed: keras.ops.full(shape, high))
    turned = np.asarray(RandomAffine(rotation=90, zoom=0, shift=0)(square, training=True))
    # By the largest angle, 90 degrees, x_in = 8 - y and y_in = x.
    for image, result in zip(square, turned, strict=True):
        np.testing.assert_allclose(result, [[image[x, 8 - y] for x in range(9)] for y in range(9)], atol=1e-4)


def test_each_setting_bounds_its_own_change():
    center = np.array([5.5, 4.0, 1.0])

    def moved_center(made):
        rows = made[:, :6].reshape(-1, 2, 3)
        return rows @ center - center[:2]

    turned = transforms(rotation=30, zoom=0, shift=0)
    angles = np.degrees(np.arctan2(turned[:, 3], turned[:, 4]))
    assert 29 < np.abs(angles).max() <= 30.001
    assert abs(angles.mean()) < 2
    np.testing.assert_allclose(turned[:, 0] ** 2 + turned[:, 1] ** 2, 1, atol=1e-5)
    scaled = transforms(rotation=0, zoom=0.2, shift=0)
    for column in (0, 4):
        assert 0.195 < np.abs(scaled[:, column] - 1).max() <= 0.2001
    assert abs(np.corrcoef(scaled[:, 0], scaled[:, 4])[0, 1]) < 0.1  # height and width each for itself
    for centered in (turned, scaled):
        np.testing.assert_allclose(moved_center(centered), 0, atol=1e-4)
    moved = moved_center(transforms(rotation=0, zoom=0, shift=0.25))
    assert 2.9 < np.abs(moved[:, 0]).max() <= 3.001  # a quarter of the width, 12
    assert 2.2 < np.abs(moved[:, 1]).max() <= 2.251  # a quarter of the height, 9


def test_channels_are_moved_together():
    given = np.stack([IMAGES, 2 * IMAGES, -IMAGES], axis=-1)
    result = varied(given)
    assert result.shape == (5, 9, 12, 3)
    for channel, factor in enumerate((1, 2, -1)):
        np.testing.assert_allclose(result[..., channel], factor * varied(), atol=1e-4)
    np.testing.assert_allclose(varied(IMAGES[..., None])[..., 0], varied(), atol=1e-6)


def test_same_seed_varies_alike_and_each_call_anew():
    layer, again = RandomAffine(seed=5), RandomAffine(seed=5)
    first, second = (np.asarray(layer(IMAGES, training=True)) for _ in range(2))
    np.testing.assert_array_equal(again(IMAGES, training=True), first)
    assert (first != second).any()
    assert (varied(seed=6) != first).any()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_gives_its_own_dtype(policy):
    layer = RandomAffine(seed=3, dtype=policy)
    result = layer(IMAGES, training=True)
    assert keras.backend.standardize_dtype(result.dtype) == policy.removeprefix("mixed_")
    np.testing.assert_allclose(to_array(result).astype(np.float32), varied(), atol=0.1)


def test_the_config_makes_the_same_layer_again():
    layer = RandomAffine(10, 0.2, shift=0.05, seed=4, name="mine")
    again = RandomAffine.from_config(json.loads(json.dumps(layer.get_config())))
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    for copy in (again, restored):
        assert copy.get_config() == layer.get_config()
        assert (copy.rotation, copy.zoom, copy.shift, copy.seed, copy.name) == (10, 0.2, 0.05, 4, "mine")
    np.testing.assert_array_equal(again(IMAGES, training=True), layer(IMAGES, training=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rotation": -1}, "`rotation` must be a number from 0 to 180: got -1"),
        ({"rotation": "17"}, "got '17'"),
        ({"zoom": 1.0}, "`zoom` must be a number from 0 to 0.99: got 1.0"),
        ({"shift": float("nan")}, "`shift` must be .*: got nan"),
        ({"shift": True}, "got True"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        RandomAffine(**settings)


@pytest.mark.parametrize("shape", [(5, 8), (2, 3, 4, 5, 6)])
def test_what_are_no_images_is_refused(shape):
    with pytest.raises(DataError, match=r"`inputs` must be images.*: got shape \(\d, .*Reshape"):
        RandomAffine()(np.zeros(shape, np.float32))
