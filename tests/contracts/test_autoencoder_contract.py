"""What every autoencoder promises, on every backend, for every data kind and code kind."""

import numpy as np
import pytest

import codeword as cw
from codeword.autoencoders.networks import build_autoencoder
from codeword.training.recipe import seeded

LEVELS = [0, 0.25, 0.5, 0.75]
RANDOM = np.random.default_rng(0)
FOUR_LEVELS = RANDOM.integers(0, 4, size=(700, 4, 5)) / 4
CODES = [cw.Bits(10), cw.Scalars(3, steps=(256, 16, 5)), cw.Choices(3, size=7), cw.Residual(3, size=16), cw.Floats(2)]
DATA = [
    (cw.Levels(LEVELS, edges="floor"), FOUR_LEVELS),
    (cw.Levels(LEVELS, edges="floor", loss="ordinal"), FOUR_LEVELS),
    (cw.Levels(LEVELS, edges="floor", loss="bin_insensitive"), FOUR_LEVELS),
    (cw.Levels(LEVELS, edges="floor", loss="mse"), FOUR_LEVELS),
    (cw.Levels(LEVELS, edges="floor", loss="staircase"), FOUR_LEVELS),
    (cw.Binary(), (FOUR_LEVELS > 0.3).astype(int)),
    (cw.UnitInterval(), RANDOM.random((700, 6))),
    (cw.UnitInterval(loss="binary_crossentropy"), RANDOM.random((700, 6))),
    (cw.Real(), RANDOM.normal(size=(700, 6)) * [1, 10, 1e-3, 1e5, 1, 0] + 7),
    (cw.Real(loss="mae"), RANDOM.normal(size=(700, 6))),
]


def fitted(data, code, x, **settings):
    small = {"hidden": (12,), "epochs": 1, "batch_size": 64, "verbose": 0, **settings}
    return cw.Autoencoder(data=data, code=code, **small).fit(x)


@pytest.fixture(scope="module")
def bits():
    return fitted(DATA[0][0], CODES[0], FOUR_LEVELS)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_stored_is_trained_for_every_code_kind(code):
    model = fitted(DATA[0][0], code, FOUR_LEVELS)
    codes, margin = model.encode(FOUR_LEVELS, return_margin=True)
    assert codes.shape == (700, code.num_bytes)
    assert codes.dtype == np.uint8
    assert codes.flags.c_contiguous
    assert margin.shape == (700, code.num_symbols)
    assert (margin >= 0).all()
    clear = (margin > 5e-5).all(axis=1)
    assert clear.mean() > 0.9
    decoded = model.decode(codes)
    assert decoded.shape == FOUR_LEVELS.shape
    np.testing.assert_array_equal(decoded[clear], model.reconstruct(FOUR_LEVELS)[clear])
    np.testing.assert_array_equal(model.inverse_transform(model.transform(FOUR_LEVELS)), decoded)


@pytest.mark.parametrize(
    ("data", "x"), DATA, ids=lambda part: str(part) if isinstance(part, cw.data_kinds.DataKind) else ""
)
@pytest.mark.slow
def test_stored_is_trained_for_every_data_kind(data, x):
    model = fitted(data, cw.Bits(10), x)
    codes, margin = model.encode(x, return_margin=True)
    decoded, whole = model.decode(codes), model.reconstruct(x)
    clear = (margin > 5e-5).all(axis=1)
    assert decoded.shape == x.shape
    if isinstance(data, cw.Levels | cw.Binary):
        assert set(np.unique(decoded)) <= set(np.unique(x))
        np.testing.assert_array_equal(decoded[clear], whole[clear])
    else:
        np.testing.assert_allclose(decoded[clear], whole[clear], rtol=1e-5, atol=1e-5)
    assert np.isfinite(decoded).all()


def test_a_row_gives_the_same_code_alone_and_among_many(bits):
    many = bits.encode(FOUR_LEVELS)
    np.testing.assert_array_equal(np.concatenate([bits.encode(FOUR_LEVELS[i : i + 1]) for i in range(20)]), many[:20])
    np.testing.assert_array_equal(bits.encode(FOUR_LEVELS[300:307]), many[300:307])


def test_code_values_are_exact_and_every_weight_learns(bits):
    values = bits.encoder_.predict(FOUR_LEVELS.astype(np.float32), verbose=0)
    assert set(np.unique(values)) == {-1.0, 1.0}
    np.testing.assert_array_equal((values > 0).astype(np.uint8), bits.transform(FOUR_LEVELS))
    with seeded(bits.seed):
        fresh = build_autoencoder(bits.data_, bits.code_, (4, 5), hidden=(12,), noise=0.2)
    for before, after in zip(fresh.model.trainable_variables, bits.model_.trainable_variables, strict=True):
        assert (np.asarray(before) != np.asarray(after)).any(), after.path


def test_same_seed_gives_the_same_codes_and_leaves_the_users_random_numbers_alone():
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    first = fitted(DATA[0][0], cw.Bits(10), FOUR_LEVELS, seed=3)
    assert np.random.random() == expected
    second = fitted(DATA[0][0], cw.Bits(10), FOUR_LEVELS, seed=3)
    other = fitted(DATA[0][0], cw.Bits(10), FOUR_LEVELS, seed=4)
    np.testing.assert_array_equal(first.encode(FOUR_LEVELS), second.encode(FOUR_LEVELS))
    assert first.fingerprint_ == second.fingerprint_
    assert first.fingerprint_ != other.fingerprint_


def test_a_saved_model_is_the_same_model(bits, tmp_path):
    bits.save(tmp_path / "m.codeword")
    again = cw.load(tmp_path / "m.codeword")
    np.testing.assert_array_equal(again.encode(FOUR_LEVELS), bits.encode(FOUR_LEVELS))
    np.testing.assert_array_equal(again.reconstruct(FOUR_LEVELS), bits.reconstruct(FOUR_LEVELS))
    assert again.fingerprint_ == bits.fingerprint_


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.slow
def test_mixed_precision_keeps_codes_and_values_exact(policy):
    keras = cw.backend.keras
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        for code in (cw.Bits(10), cw.Scalars(4)):
            model = fitted(DATA[0][0], code, FOUR_LEVELS)
            assert model.encoder_.get_layer("encoder_1").compute_dtype == policy.removeprefix("mixed_")
            codes = model.encode(FOUR_LEVELS)
            decoded = model.decode(codes)
            np.testing.assert_array_equal(decoded, model.reconstruct(FOUR_LEVELS))
            assert set(np.unique(decoded)) <= set(LEVELS)
            values = np.unique(model.encoder_.predict(FOUR_LEVELS.astype(np.float32), verbose=0))
            assert set(values) <= set(code.to_network(np.arange(256)[:, None].repeat(4, axis=1)).ravel().tolist())
    finally:
        keras.config.set_dtype_policy(before)
