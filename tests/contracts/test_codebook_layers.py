"""What every layer of codebooks promises, asked of all that `codeword.layers` exports."""

import functools
from typing import Any

import numpy as np
import pytest

from codeword import layers
from codeword.backend import keras
from codeword.errors import CodeError, ParameterError

from .gradients import gradient
from .tensors import DTYPES, assert_same_bits, quick, to_array, to_tensor

MANY, SIZE, WIDTH, NUM_ROWS = 3, 5, 4, 512
EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("ResidualQuantizer", {"seed": 3}),
    ("ResidualSteps", {"beams": 1}),
    ("ResidualSteps", {"beams": 4}),
    ("ResidualSteps", {"hidden": (6, 7), "beams": 2}),
    ("ResidualSteps", {"hidden": (6,), "beams": 3, "directions": 3}),
]
every_layer = pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=str)


def assert_same(actual: Any, expected: np.ndarray, number: int, message: str = "") -> None:
    """Compares every bit, or nearly so where networks compute, whose products round as the batch and compiler like."""
    if EXAMPLES[number][0] == "ResidualSteps" and expected.dtype == np.float32:
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6, err_msg=message)
    else:
        assert_same_bits(actual, expected, message)


def inputs(dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(NUM_ROWS, WIDTH)).astype(dtype)


@functools.cache
def built(number: int, dtype: str = "float32") -> Any:
    """Makes a layer whose weights are as after some training."""
    name, settings = EXAMPLES[number]
    layer = getattr(layers, name)(MANY, SIZE, **settings, dtype=dtype)
    layer.build((None, WIDTH))
    rng = np.random.default_rng(number)
    if name == "ResidualQuantizer":
        layer.codebooks.assign(rng.normal(size=(MANY, SIZE, WIDTH)) * 0.5)
        return layer
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    layer.spread.assign([0.7])
    layer.sphere.assign(np.zeros(WIDTH + 1))
    if settings.get("hidden"):  # the networks adjust entries a little
        layer.preselecting.assign(layer.codebooks.numpy())
        layer.kernels[-1].assign(0.1 * layer.kernels[-1].numpy())
    if settings.get("directions"):
        layer.basis.assign(np.eye(WIDTH)[:, : settings["directions"]])
    return layer


@functools.cache
def answers(number: int, dtype: str = "float32") -> Any:
    layer = built(number, dtype)

    def all_of_them(x: Any) -> list[Any]:
        symbols, margin = layer(x, returns="choices")
        return [layer(x), symbols, margin, layer.prefixes(symbols), layer.decode(symbols)]

    compiled = quick(all_of_them)
    return lambda x: [to_array(answer) for answer in compiled(to_tensor(x))]


def test_every_layer_has_an_example() -> None:
    exported = {name for name, thing in vars(layers).items() if hasattr(thing, "prefixes")}
    assert exported == {name for name, _ in EXAMPLES}


@every_layer
def test_what_is_decoded_is_what_the_layer_returns(number: int) -> None:
    for dtype in DTYPES:
        outputs, symbols, margin, prefixes, decoded = answers(number, dtype)(inputs(DTYPES[dtype]))
        assert (symbols.dtype, symbols.shape, margin.shape) == (np.int32, (NUM_ROWS, MANY), (NUM_ROWS, MANY))
        assert symbols.min() >= 0
        assert symbols.max() < SIZE
        assert (margin >= 0).all()
        assert_same(decoded, outputs, number, dtype)
        assert_same(prefixes[:, -1], outputs, number, dtype)
        assert len(np.unique(symbols, axis=0)) > 10


@every_layer
def test_no_single_entry_would_be_nearer(number: int) -> None:
    x = inputs()
    _, symbols, margin, prefixes, decoded = answers(number)(x)
    error = np.linalg.norm(x - decoded, axis=1)
    layer = built(number)
    for entry in range(SIZE):  # the last choice is the best of its step, or the preselection left it out
        other = symbols.copy()
        other[:, -1] = entry
        errors = np.linalg.norm(x - to_array(layer.decode(to_tensor(other))), axis=1)
        assert (errors >= error - 1e-5).mean() > 0.85
    assert (np.diff(np.linalg.norm(x[:, None] - prefixes, axis=2).mean(axis=0)) < 0).all()
    moved = x + (0.9 * margin.min(axis=1) / 2)[:, None].astype(np.float32)  # half of the margin: WIDTH columns move
    far = margin.min(axis=1) > 1e-4
    assert far.mean() > 0.9
    if EXAMPLES[number][1].get("beams") == 1:  # the preselection may change, too
        np.testing.assert_array_equal(answers(number)(moved)[1][far], symbols[far])


@every_layer
def test_a_row_with_nan_disturbs_no_other(number: int) -> None:
    x = inputs()
    expected = answers(number)(x)[0]
    x[0] = np.nan
    outputs = answers(number)(x)[0]
    assert np.isnan(outputs[0]).all()
    assert_same(outputs[1:], expected[1:], number)


@every_layer
def test_more_axes_and_no_rows_at_all(number: int) -> None:
    x = inputs()
    for split, flat in zip(answers(number)(x.reshape(8, -1, WIDTH)), answers(number)(x), strict=True):
        assert split.shape[:2] == (8, NUM_ROWS // 8)
        np.testing.assert_allclose(split.reshape(flat.shape), flat, atol=1e-6)
    assert [len(answer) for answer in answers(number)(x[:0])] == [0] * 5


@every_layer
def test_a_model_of_it_survives_saving(number: int, tmp_path: Any) -> None:
    layer, rows = built(number), keras.Input((WIDTH,))
    symbols = layer.symbols(rows)
    model = keras.Model(rows, {"q": layer(rows), "s": symbols, "d": layer.decode(symbols), "m": layer.margin(rows)})
    codes = keras.Input((MANY,))
    decoder = keras.Model(codes, layer.decode(codes))
    expected = model.predict(inputs(), batch_size=NUM_ROWS, verbose=0)
    decoded = decoder.predict(expected["s"].astype(np.float32), batch_size=NUM_ROWS, verbose=0)
    assert_same(decoded, expected["q"], number)
    for part, given in ((model, inputs()), (decoder, expected["s"].astype(np.float32))):
        part.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras").predict(given, batch_size=NUM_ROWS, verbose=0)
        for name, found in again.items() if isinstance(again, dict) else [("q", again)]:
            assert_same(found, expected[name], number, name)


@every_layer
def test_symbols_out_of_range_are_refused(number: int) -> None:
    layer = built(number)
    for wrong in (SIZE, -1, 0.5):
        symbols = np.zeros((2, MANY), np.float32)
        symbols[1, 1] = wrong
        with pytest.raises(CodeError, match=rf"from 0 to {SIZE - 1}: got {wrong}"):
            layer.decode(symbols)
    with pytest.raises(CodeError, match=r"one symbol per codebook: got shape \(2, 2\)"):
        layer.decode(np.zeros((2, 2), np.int32))


@every_layer
def test_the_gradient_passes_straight_through(number: int) -> None:
    weights = np.random.default_rng(0).normal(size=(NUM_ROWS, WIDTH)).astype(np.float32)
    np.testing.assert_array_equal(gradient(built(number), inputs(), weights), weights)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"num_codebooks": 0}, "num_codebooks"), ({"size": 1}, "size"), ({"size": 65_537}, "size")],
    ids=str,
)
def test_impossible_settings_are_refused(settings: dict[str, int], message: str) -> None:
    for name in {name for name, _ in EXAMPLES}:
        with pytest.raises(ParameterError, match=rf"`{message}` must be an integer"):
            getattr(layers, name)(**{"num_codebooks": 2, **settings})


# ResidualQuantizer


def blobs(num_rows: int = 1024) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(32, WIDTH))[rng.integers(0, 32, num_rows)] * 3 + rng.normal(size=(num_rows, WIDTH))
    ).astype(np.float32)


def test_codebooks_follow_moving_averages_of_what_chose_their_entries() -> None:
    layer = layers.ResidualQuantizer(1, size=2, decay=0.75)
    layer.build((None, 2))
    before = np.array([[[1.0, 0.0], [0.0, 1.0]]], np.float32)
    layer.codebooks.assign(before)
    layer.counts.assign([[4.0, 4.0]])
    layer.totals.assign(4 * before)
    x = np.array([[2.0, 0.0], [0.0, 3.0], [3.0, 1.0], [0.0, 0.0]], np.float32)  # the last is as near to both
    quantized = to_array(layer(to_tensor(x), training=True))
    np.testing.assert_array_equal(quantized, before[0, [0, 1, 0, 0]])
    counts = 0.75 * 4 + 0.25 * np.array([3, 1])
    totals = 0.75 * 4 * before[0] + 0.25 * np.array([[5.0, 1.0], [0.0, 3.0]])
    np.testing.assert_allclose(layer.counts.numpy()[0], counts, rtol=1e-6)
    np.testing.assert_allclose(layer.codebooks.numpy()[0], totals / counts[:, None], rtol=1e-6)


def test_the_added_loss_pulls_vectors_to_every_prefix() -> None:
    layer = layers.ResidualQuantizer(2, size=3, commitment=0.5)
    layer.build((None, 2))
    rng = np.random.default_rng(0)
    layer.codebooks.assign(rng.normal(size=(2, 3, 2)))
    layer.trainable = False
    x = rng.normal(size=(6, 2)).astype(np.float32)
    prefixes = to_array(layer.prefixes(layer.symbols(to_tensor(x))))
    layer(to_tensor(x), training=True)
    expected = 0.5 * np.square(x[:, None] - prefixes).mean(axis=(0, 2)).sum()
    np.testing.assert_allclose(to_array(layer.losses[0]), expected, rtol=1e-5)


def test_it_learns_from_the_first_batch_on_and_uses_every_entry() -> None:
    keras.utils.set_random_seed(0)
    x = blobs()
    inputs = keras.Input((WIDTH,))
    layer = layers.ResidualQuantizer(2, size=16, decay=0.9, seed=1)
    dense = keras.layers.Dense(WIDTH, kernel_initializer="identity")
    model = keras.Model(inputs, dense(layer(inputs)))
    model.compile(keras.optimizers.SGD(1e-4), loss="mse")
    model.fit(x, x, batch_size=256, epochs=20, verbose=0)
    symbols = to_array(layer.symbols(to_tensor(x)))
    assert [len(np.unique(column)) for column in symbols.T] == [16, 16]
    quantized = model.predict(x, verbose=0)
    assert np.square(x - quantized).mean() < 0.15 * x.var()
    weights = layer.get_weights()
    model.predict(x, verbose=0)
    layer.trainable = False
    model.compile(keras.optimizers.SGD(1e-4), loss="mse")
    model.fit(x, x, batch_size=256, epochs=1, verbose=0)
    for before, after in zip(weights[:3], layer.get_weights()[:3], strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_under_mixed_precision_distances_and_codebooks_are_float32(policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layer = layers.ResidualQuantizer(2, size=8, seed=0)
        x = to_tensor(blobs() + 1000)  # half precision would see few different vectors
        layer(x, training=True)
        assert layer.codebooks.dtype == "float32"
        assert_same_bits(layer.decode(layer.symbols(x)), to_array(layer(x)))
        assert np.square(to_array(layer(x)) - to_array(x)).mean() < 4
    finally:
        keras.config.set_dtype_policy(before)
