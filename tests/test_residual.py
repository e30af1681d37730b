"""Codes of residual codebooks: what they begin with, what they learn, bad input, semantic IDs."""

import numpy as np
import pytest

import codeword as cw
from codeword.autoencoders.residual import _sphere_of, best_directions
from codeword.backend import keras

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(256, 6)).astype(np.float32)


def tiny(**settings):
    given = {"data": cw.Real(spread="common"), "code": cw.Residual(3, size=16), "hidden": (), "epochs": 1, "verbose": 0}
    return cw.Autoencoder(**{**given, **settings})


@pytest.fixture(scope="module")
def model():
    return tiny().fit(ROWS)


def test_a_code_is_the_sum_of_the_entries_that_it_names(model):
    symbols, codebooks = model.transform(ROWS), model.encoder_.get_layer("code").codebooks.numpy()
    assert (symbols.dtype, symbols.shape, model.encode(ROWS).shape) == (np.uint8, (256, 3), (256, 2))
    summed = codebooks[np.arange(3), symbols].sum(axis=1)
    spread = np.sqrt(np.square(ROWS - ROWS.mean(axis=0)).mean())
    np.testing.assert_allclose(model.inverse_transform(symbols), summed * spread + ROWS.mean(axis=0), atol=1e-5)


def test_every_symbol_makes_the_reconstruction_better(model):
    prefixes = keras.ops.convert_to_numpy(model.encoder_.get_layer("code").prefixes(model.transform(ROWS)))
    entered = model.data_.to_network(ROWS, model.statistics_)
    errors = np.square(prefixes - entered[:, None]).mean(axis=(0, 2))
    assert (errors[1:] < 0.8 * errors[:-1]).all(), errors


def test_all_entries_are_in_use(model):
    assert [len(np.unique(column)) for column in model.transform(ROWS).T] == [16, 16, 16]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (ROWS[:9], r"as many different rows as a codebook has entries, 16: got 9\. Use .* Residual\(3, size=2\)"),
        (ROWS[:1], r"entries, 16: got 1\."),
        (np.repeat(ROWS[:4], 50, axis=0), r"entries, 16: got 4\."),
        (np.zeros((40, 6)), r"entries, 16: got 1\."),
    ],
    ids=["few", "one", "repeated", "zeros"],
)
def test_too_few_different_rows_are_refused(x, message):
    with pytest.raises(cw.errors.DataError, match=message):
        tiny().fit(x)


def test_constant_columns_and_a_row_of_zeros_do_no_harm():
    x = ROWS.copy()
    x[:, 2], x[5] = 7, 0
    decoded = tiny(data=cw.Real()).fit(x)
    assert np.isfinite(decoded.decode(decoded.encode(x))).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])}, "`encoder` and `decoder` must be"),
        ({"objective": cw.objectives.Reconstruct(noise=0.1)}, "`noise` must be 0"),
        ({"objective": cw.objectives.KeepNeighbors()}, "`code` must have a Hamming distance"),
    ],
    ids=["encoder", "noise", "objective"],
)
def test_what_such_codes_cannot_use_is_refused(settings, message):
    with pytest.raises(cw.errors.ParameterError, match=message):
        tiny(**settings).fit(ROWS)


def test_noise_beside_a_few_main_directions_is_left_out():
    few = RANDOM.normal(size=(2000, 16)) @ RANDOM.normal(size=(16, 64)) + 3 * RANDOM.normal(size=(2000, 64))
    assert best_directions(few.astype(np.float32), cw.Residual(4, size=64), 0) in (32, 48)
    assert best_directions(few[:, :20].astype(np.float32), cw.Residual(4, size=64), 0) is None
    assert best_directions(few[:100].astype(np.float32), cw.Residual(4, size=64), 0) is None


def test_a_sphere_is_found_wherever_it_lies():
    x = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    middle = np.arange(6, dtype=np.float32)
    np.testing.assert_allclose(_sphere_of(3 * x + middle), [*middle, 3], atol=1e-4)
    assert _sphere_of(ROWS) is None
    decoded = tiny().fit(x)
    np.testing.assert_allclose(np.linalg.norm(decoded.decode(decoded.encode(x)), axis=1), 1, atol=1e-5)


def test_of_the_best_sums_the_one_with_the_fewest_wrong_levels_wins():
    levels = RANDOM.integers(0, 4, size=(300, 12)) / 4
    kind = cw.Levels([0, 0.25, 0.5, 0.75])
    by_levels = tiny(data=kind).fit(levels)
    layer = by_levels.encoder_.get_layer("code")
    assert layer.levels == [0, 0.25, 0.5, 0.75]
    exact = by_levels.evaluate(levels)["cells_exact"]
    by_distance = type(layer).from_config({**layer.get_config(), "levels": None})
    by_distance.build((None, 12))
    by_distance.set_weights(layer.get_weights())
    nearest = keras.ops.convert_to_numpy(by_distance.symbols(levels.astype(np.float32)))
    assert exact > (by_levels.inverse_transform(nearest) == levels).mean() + 0.01


@pytest.mark.slow
def test_networks_reconstruct_held_out_rows_better_than_plain_codebooks():
    turns = RANDOM.uniform(0, 6.28, size=(3000, 2))
    x = np.concatenate([np.cos(turns), np.sin(turns), np.cos(turns * 2), np.cos(turns * 3)], axis=1)
    settings = {"code": cw.Residual(3, size=16), "batch_size": 128, "learning_rate": 5e-3}
    plain = tiny(**settings).fit(x[:2500]).evaluate(x[2500:])["mse"]
    learned = tiny(**settings, hidden=(64,), epochs=20).fit(x[:2500]).evaluate(x[2500:])["mse"]
    assert learned < 0.8 * plain


# Semantic IDs


def test_semantic_ids_are_unique_and_do_not_depend_on_the_order_of_rows(model):
    x = np.concatenate([ROWS, ROWS[:40] + 1e-4, ROWS[:3]])
    ids = model.semantic_ids(x)
    assert (ids.dtype, ids.shape, ids.flags.c_contiguous) == (np.int32, (len(x), 4), True)
    assert len(np.unique(ids, axis=0)) == len(x)
    np.testing.assert_array_equal(ids[:, :-1], model.transform(x))
    order = np.random.default_rng(1).permutation(296)  # all rows but those that are there twice
    np.testing.assert_array_equal(model.semantic_ids(x[:296][order]), model.semantic_ids(x[:296])[order])


def test_new_rows_get_ids_that_nobody_has_and_leave_those_as_they_are(model, tmp_path):
    first = model.semantic_ids(ROWS[:200])
    model.save(tmp_path / "m.codeword")
    later = cw.load(tmp_path / "m.codeword").semantic_ids(np.concatenate([ROWS[200:], ROWS[:5]]), taken=first)
    both = np.concatenate([first, later])
    assert len(np.unique(both, axis=0)) == len(both)
    np.testing.assert_array_equal(later[-5:, :-1], first[:5, :-1])
    assert (later[-5:, -1] > first[:5, -1]).all()


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        (np.zeros((2, 3), int), r"integers of shape \(m, 4\): got shape \(2, 3\)"),
        (np.zeros((1, 4)), "dtype float64"),
        (np.full((1, 4), -1), "integers of shape"),
        (np.zeros((2, 4), int), "each semantic ID once"),
    ],
    ids=["shape", "floats", "negative", "twice"],
)
def test_ids_that_this_model_never_gave_are_refused(model, taken, message):
    with pytest.raises(cw.errors.DataError, match=message):
        model.semantic_ids(ROWS[:2], taken=taken)


def test_usage_of_symbols_is_measured_per_codebook(model):
    codes, margin = model.encode(ROWS, return_margin=True)
    usage = cw.evaluation.code_usage(codes, kind=model.code_, margin=margin)
    symbols = model.transform(ROWS)
    shares = np.bincount(symbols[:, 1], minlength=16) / 256
    np.testing.assert_allclose(usage.entropy[1], -(shares * np.log2(shares)).sum())
    np.testing.assert_allclose(usage.perplexity, 2**usage.entropy)
    assert usage.usage.tolist() == [1, 1, 1]
    assert usage.distinct == len(np.unique(symbols, axis=0)) / 256
    assert usage.near_threshold < 0.2
    known = cw.evaluation.code_usage(np.array([[1, 0], [1, 0], [1, 3]], np.uint8), kind=cw.Residual(2))
    assert (known.collisions, known.largest_group, known.entropy[0]) == (2 / 3, 2, 0)
    assert "perplexity" in str(known)


def test_a_store_keeps_such_codes_and_refuses_to_search_them_by_bits(model, tmp_path):
    codes = model.encode(ROWS)
    store = cw.CodeStore(tmp_path / "codes.duckdb", model=model)
    store.append(None, codes)
    again = cw.CodeStore(tmp_path / "codes.duckdb")
    assert again.append(None, codes[:5]) == 261
    np.testing.assert_array_equal(again.get([3, 260]).codes, codes[[3, 4]])
    with pytest.raises(
        cw.errors.CodeError, match=r"searched by Hamming distance: got Residual\(num_codebooks=3, size=16"
    ):
        again.search(codes[:1])
    again.export_parquet(tmp_path / "codes.parquet")
    copy = cw.CodeStore(tmp_path / "copy.duckdb")
    assert copy.import_parquet(tmp_path / "codes.parquet") == 261
    np.testing.assert_array_equal(copy.get([3]).codes, codes[[3]])
    padded = codes[:1].copy()
    padded[:, -1] |= 1  # the last four bits of three symbols of four bits are padding
    with pytest.raises(cw.errors.CodeError, match="padding bits"):
        again.append([999], padded)
