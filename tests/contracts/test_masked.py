"""`losses.Masked` and `metrics.Masked`: what is missing costs nothing and teaches nothing, on every backend."""

from typing import Any

import numpy as np
import pytest

from codeword import losses, metrics
from codeword.backend import keras

from .gradients import value_and_gradient
from .tensors import to_array, to_tensor

ops = keras.ops

ELEMENTWISE = ["mse", "mae", "mape", "msle", "huber", "log_cosh", "poisson", "hinge", "squared_hinge"]
ELEMENTWISE += ["binary_crossentropy", "binary_focal_crossentropy"]
both_averages = pytest.mark.parametrize("average", ["row", "entry"])
rng = np.random.default_rng


def ratings(shape: tuple[int, ...] = (8, 6), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gives stars from 1 to 5, 0 where missing, and predictions; row 0 has none, and nobody rated the last two."""
    stars = rng(seed).integers(1, 6, shape) * (rng(seed + 1).random(shape) < 0.6)
    stars[0], stars[..., -2:] = 0, 0
    return stars.astype(np.float32), rng(seed + 2).normal(3, 1, shape).astype(np.float32)


def weigh(mask: np.ndarray, rows: np.ndarray, average: str) -> np.ndarray:
    """Gives each entry's share in the loss, in plain NumPy."""
    spread = rows.reshape(-1, *[1] * (mask.ndim - 1)).astype(np.float64)
    axes = tuple(range(1, mask.ndim)) if average == "row" else None
    weights = mask * (1 if average == "row" else spread)
    total = weights.sum(axis=axes, keepdims=True, dtype=np.float64)
    return weights / np.where(total == 0, 1, total) * (spread / len(mask) if average == "row" else 1)


def of_loss(loss: Any, y_true: Any, y_pred: np.ndarray, *weights: Any) -> tuple[np.ndarray, np.ndarray]:
    return value_and_gradient(lambda at: loss(to_tensor(y_true), at, *weights), y_pred)


@both_averages
@pytest.mark.parametrize("shape", [(8, 6), (8, 3, 2, 4)])
@pytest.mark.parametrize("weighing", ["nothing", "entries", "rows", "first axes"])
def test_value_and_gradient_are_those_of_the_formula(average: str, shape: tuple[int, ...], weighing: str) -> None:
    stars, y_pred = ratings(shape)
    given = {
        "nothing": None,
        "entries": rng(5).choice([0, 1, 2.5], shape),
        "rows": rng(5).choice([0, 1, 2.5], 8),
        "first axes": rng(5).choice([0, 1, 2.5], shape[:-1]),
    }[weighing]
    mask, rows = (stars != 0).astype(np.float64), np.ones(8)
    if weighing == "rows" or (weighing == "first axes" and len(shape) == 2):
        rows, mask = given, mask * (given.reshape(-1, *[1] * (len(shape) - 1)) != 0)
    elif given is not None:
        mask = mask * given.reshape(*given.shape, *[1] * (len(shape) - given.ndim))
    share = weigh(mask, rows, average)
    value, slope = of_loss(losses.Masked("mse", average=average), stars, y_pred, given)
    np.testing.assert_allclose(value, (share * np.square(y_pred - stars)).sum(), rtol=1e-5)
    np.testing.assert_allclose(slope, share * 2 * (y_pred - stars), rtol=1e-5)
    assert not slope[share == 0].any()
    if given is not None and weighing == "rows":
        as_column = losses.Masked("mse", average=average)(stars, y_pred, given[:, None])
        np.testing.assert_allclose(float(as_column), value, rtol=1e-6)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_loss_is_that_of_the_observed_entries(name: str) -> None:
    y_true = rng(1).integers(0, 2, (8, 6)).astype(np.float32)
    y_pred = rng(2).uniform(0.05, 0.95, (8, 6)).astype(np.float32)
    mask = rng(3).random((8, 6)) < 0.5
    single = keras.losses.get(name)(y_true[mask][:, None], y_pred[mask][:, None])
    for broken in (np.nan, np.inf, -np.inf):
        hidden, broken_pred = np.where(mask, y_true, np.nan), np.where(mask, y_pred, np.float32(broken))
        value, slope = of_loss(losses.Masked(name, np.nan, average="entry"), hidden, broken_pred)
        np.testing.assert_allclose(value, to_array(single).mean(), rtol=2e-5)
        assert not slope[~mask].any()
        assert np.isfinite(slope).all()
        assert slope[mask].any()


def test_losses_of_classes_take_one_axis_more() -> None:
    classes, y_pred = rng(1).integers(0, 4, (8, 6)), rng(2).normal(size=(8, 6, 4)).astype(np.float32)
    mask = rng(3).random((8, 6)) < 0.5
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for loss, numbers in ((sparse, 4), (losses.LevelCrossentropy(4), 4), (losses.OrdinalCrossentropy(4), 3)):
        broken = np.where(mask[..., None], y_pred, np.float32(np.nan))[..., :numbers]
        single = float(loss(classes[mask], y_pred[mask][:, :numbers]))
        value, slope = of_loss(losses.Masked(loss, -1, average="entry"), np.where(mask, classes, -1), broken)
        np.testing.assert_allclose(value, single, rtol=1e-5)
        assert not slope[~mask].any()
        assert np.isfinite(slope).all()
    ignoring = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2)
    chosen = mask & (classes != 2)
    value = losses.Masked(ignoring, None, average="entry")(classes, y_pred, mask)
    np.testing.assert_allclose(float(value), float(sparse(classes[chosen], y_pred[chosen])), rtol=1e-5)


def test_bins_cost_nothing_inside_and_nothing_where_missing() -> None:
    loss = losses.Masked(losses.BinInsensitive([1, 2, 3, 4, 5]), average="entry")
    value, slope = of_loss(loss, np.array([[0, 3, 3, 5]]), np.float32([[9, 3.25, 4, 4]]))
    np.testing.assert_allclose([value, *slope[0]], [1 / 3, 0, 0, 1 / 3, -1 / 3], rtol=1e-6)


def test_every_way_to_say_missing_says_the_same() -> None:
    stars, y_pred = ratings()
    mask = stars != 0
    expected = float(losses.Masked("mse")(stars, y_pred))
    ways = [
        (0, np.where(mask, stars, -0.0), None),
        (-0.0, stars.astype(np.uint8), None),
        (255, np.where(mask, stars, 255).astype(np.uint8), None),
        (0.1, np.where(mask, stars, np.float32(0.1)), None),
        (np.nan, np.where(mask, stars, np.nan), None),
        (np.inf, np.where(mask, stars, np.inf), None),
        (None, stars, mask),
        (None, np.where(mask, stars, np.nan), mask.astype(np.uint8)),
    ]
    for missing, y_true, weight in ways:
        value = losses.Masked("mse", missing)(y_true, y_pred, weight)
        np.testing.assert_allclose(float(value), expected, rtol=1e-6, err_msg=str(missing))
    both = losses.Masked("mse", 3)(stars, y_pred, mask)
    without_threes = losses.Masked("mse", 0)(np.where(stars == 3, 0, stars), y_pred)
    np.testing.assert_allclose(float(both), float(without_threes), rtol=1e-6)
    plain = float(keras.losses.MeanSquaredError()(stars, y_pred))
    np.testing.assert_allclose(float(losses.Masked("mse", None)(stars, y_pred)), plain, rtol=1e-6)


@both_averages
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"])
def test_nothing_observed_costs_nothing_and_teaches_nothing(average: str, reduction: str) -> None:
    y_pred = np.full((4, 3), np.nan, np.float32)
    for name in ("mse", "binary_crossentropy"):
        loss = losses.Masked(name, average=average, reduction=reduction)
        value, slope = value_and_gradient(lambda at, loss=loss: ops.sum(loss(np.zeros((4, 3)), at)), y_pred)
        assert value == 0
        assert not slope.any()


@both_averages
def test_a_broken_network_does_not_look_perfect(average: str) -> None:
    stars, y_pred = ratings()
    y_pred[tuple(np.argwhere(stars != 0)[0])] = np.nan
    assert np.isnan(float(losses.Masked("mse", average=average)(stars, y_pred)))
    assert np.isnan(float(metrics.Masked("rmse", average=average)(stars, y_pred)))


def test_reductions_are_those_of_the_docstring() -> None:
    stars, y_pred = ratings()
    mask, rows = stars != 0, np.array([1, 0, 2, 1, 1, 0.5, 1, 3])
    errors = np.square(y_pred - stars) * mask
    each = errors.sum(axis=1) / np.maximum(mask.sum(axis=1), 1) * rows
    observed = rows[mask.any(axis=1)].sum()
    expected = {"none": each, None: each, "sum": each.sum(), "mean": each.mean(), "sum_over_batch_size": each.mean()}
    for reduction, value in {**expected, "mean_with_sample_weight": each.sum() / observed}.items():
        got = losses.Masked("mse", average="row", reduction=reduction)(stars, y_pred, rows)
        np.testing.assert_allclose(to_array(got), value, rtol=1e-5, err_msg=str(reduction))
    weighed = errors * rows[:, None]
    mean = weighed.sum() / (mask * rows[:, None]).sum()
    expected = {"none": weighed, "sum": weighed.sum(), "mean": mean, "mean_with_sample_weight": mean}
    for reduction, value in expected.items():
        got = losses.Masked("mse", average="entry", reduction=reduction)(stars, y_pred, rows)
        np.testing.assert_allclose(to_array(got), value, rtol=1e-5, err_msg=reduction)


@both_averages
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_loses_no_count(average: str, dtype: str) -> None:
    for shape in ((1, 4001), (4001, 1), (4001, 2)):
        loss = losses.Masked("mse", average=average, dtype=dtype)
        value, slope = of_loss(loss, np.ones(shape), np.full(shape, 5, np.float32))
        assert value == 16
        assert keras.backend.standardize_dtype(loss(np.ones((2, 2)), np.ones((2, 2))).dtype) == dtype
        np.testing.assert_allclose(slope, 8 / np.prod(shape), rtol=1e-2)


def test_a_keras_mask_hides_whole_steps() -> None:
    x = rng(1).normal(size=(4, 3, 2)).astype(np.float32)
    x[1, 1:], x[2] = 0, 0
    steps, y = (x != 0).any(axis=-1), rng(2).normal(size=(4, 3, 5)).astype(np.float32)
    y[0, 0, 0] = 0
    model = keras.Sequential([keras.layers.Masking(), keras.layers.Dense(5)])
    model.compile("sgd", losses.Masked("mse", average="row"), metrics=[metrics.Masked("mse")])
    got = model.evaluate(x, y, verbose=0, return_dict=True)
    mask, errors = steps[..., None] * (y != 0), np.square(model.predict(x, verbose=0) - y)
    each = (errors * mask).sum(axis=(1, 2)) / np.maximum(mask.sum(axis=(1, 2)), 1)
    np.testing.assert_allclose([got["loss"], got["mse"]], [each.mean(), errors[mask].mean()], rtol=1e-5)


@both_averages
def test_metric_is_that_of_the_formula_over_several_batches(average: str) -> None:
    stars, y_pred = ratings((20, 6))
    y_pred = np.where(stars == 0, np.float32(np.nan), y_pred)
    rows = rng(4).choice([0.0, 1.0, 2.0], 20)
    for given in (None, rows, rng(5).choice([0.0, 1.0, 2.0], (20, 6))):
        mask = (stars != 0) * (1 if given is None else given.reshape(20, -1))
        share = mask.astype(np.float64)
        if average == "row":
            counted = (stars != 0) if given is rows else mask
            share = mask / np.maximum(counted.sum(axis=1, keepdims=True), 1e-9)
        errors = np.where(stars == 0, 0, y_pred - stars)
        metric = metrics.Masked("rmse", average=average)
        for _ in range(2):
            for part in (slice(0, 5), slice(5, 20), slice(0, 0)):
                metric.update_state(stars[part], y_pred[part], None if given is None else given[part])
            expected = np.sqrt((share * errors**2).sum() / share.sum())
            np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-5)
            metric.reset_state()
            assert float(metric.result()) == 0
        metric.update_state(np.zeros((2, 3)), np.full((2, 3), np.nan))
        assert float(metric.result()) == 0
        assert len(metric.variables) == 2


def test_metrics_of_every_kind_take_masks() -> None:
    classes, logits = rng(1).integers(0, 4, (8, 6)), rng(2).normal(size=(8, 6, 4)).astype(np.float32)
    mask = rng(3).random((8, 6)) < 0.5
    right = (logits.argmax(axis=-1) == classes)[mask].mean()
    hidden, broken = np.where(mask, classes, -1), np.where(mask[..., None], logits, np.float32(np.nan))
    for inner in (metrics.ExactMatch(levels=4, outputs="logits"), "sparse_categorical_accuracy"):
        np.testing.assert_allclose(float(metrics.Masked(inner, -1)(hidden, broken)), right, rtol=1e-6)
    values = np.where(mask, classes, np.nan)
    rounded = np.round(logits[..., 0])
    same = (rounded == classes)[mask].mean()
    np.testing.assert_allclose(float(metrics.Masked(metrics.ExactMatch(), np.nan)(values, rounded)), same, rtol=1e-6)
    mae = np.abs(logits[..., 0] - classes)[mask].mean()
    for inner in ("mae", keras.losses.mean_absolute_error, keras.metrics.MeanAbsoluteError()):
        np.testing.assert_allclose(float(metrics.Masked(inner, np.nan)(values, logits[..., 0])), mae, rtol=1e-5)


def test_the_program_that_was_asked_about_runs_as_it_stands() -> None:
    Masked = losses.Masked
    x = ratings((40, 30))[0]
    model = keras.Sequential([keras.layers.Dense(128), keras.layers.LeakyReLU(), keras.layers.Dense(30)])
    model.compile(optimizer="adam", loss=Masked("mse", missing=0), metrics=[metrics.Masked("rmse", missing=0)])
    history = model.fit(x, x, epochs=1, verbose=0).history
    assert set(history) == {"loss", "rmse"}
    got = model.evaluate(x, x, batch_size=40, verbose=0, return_dict=True)
    errors = np.where(x == 0, 0, np.square(model.predict(x, verbose=0) - x))
    mean = errors.sum() / (x != 0).sum()
    np.testing.assert_allclose([got["loss"], got["rmse"]], [mean, np.sqrt(mean)], rtol=1e-5)


@pytest.mark.slow
def test_fit_takes_zeros_masks_and_weights_and_the_model_survives_saving(tmp_path: Any) -> None:
    x = ratings((40, 30))[0]
    mask = x != 0
    runs = {}
    for name, missing, weights in (("zeros", 0, {}), ("mask", None, {"sample_weight": mask})):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Dense(128), keras.layers.LeakyReLU(), keras.layers.Dense(30)])
        rmse = [metrics.Masked("rmse", missing=missing)]
        model.compile(optimizer="adam", loss=losses.Masked("mse", missing=missing), weighted_metrics=rmse)
        # In batches of 16, 16 and 8 rows.
        runs[name] = model.fit(x, x, batch_size=16, epochs=2, shuffle=False, verbose=0, **weights).history
        assert set(runs[name]) == {"loss", "rmse"}
    for key, values in runs["zeros"].items():
        assert values[1] < values[0]
        np.testing.assert_allclose(runs["mask"][key], values, rtol=1e-5)
    before = model.evaluate(x, x, sample_weight=mask, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert (type(again.loss), again.loss.missing) == (losses.Masked, None)
    np.testing.assert_allclose(again.evaluate(x, x, sample_weight=mask, verbose=0), before, rtol=1e-6)


# What a missing rating does to the weights of a network that takes ratings in and gives them back.


def network(*before: Any, activation: str = "linear", regularizer: Any = None) -> Any:
    keras.utils.set_random_seed(1)
    first = keras.layers.Dense(5, name="first")
    last = keras.layers.Dense(6, activation=activation, kernel_regularizer=regularizer, name="last")
    return keras.Sequential([keras.Input((6,)), *before, first, keras.layers.LeakyReLU(), last])


def weight_slopes(model: Any, x: np.ndarray, stars: np.ndarray) -> dict[str, np.ndarray]:
    """Gives the gradient of the masked loss by every weight of the model, in training."""
    start = [to_array(variable.value) for variable in model.trainable_variables]
    ends = np.cumsum([array.size for array in start])
    fixed = [variable.value for variable in model.non_trainable_variables]

    def cost(flat: Any) -> Any:
        parts = zip(ends, start, strict=True)
        weights = [ops.reshape(flat[end - array.size : end], array.shape) for end, array in parts]
        return losses.Masked("mse")(stars, model.stateless_call(weights, fixed, to_tensor(x), training=True)[0])

    flat = np.concatenate([array.ravel() for array in start])
    slopes = np.split(value_and_gradient(cost, flat)[1], ends[:-1])
    names = ["/".join(variable.path.split("/")[-2:]) for variable in model.trainable_variables]
    return {name: slope.reshape(array.shape) for name, slope, array in zip(names, slopes, start, strict=True)}


def test_items_that_nobody_rated_teach_a_linear_output_exactly_nothing() -> None:
    stars = ratings()[0]
    slopes = weight_slopes(network(), stars, stars)
    unrated = ~stars.any(axis=0)
    assert unrated.tolist() == [False] * 4 + [True] * 2
    for untouched in (slopes["last/kernel"][:, unrated], slopes["last/bias"][unrated], slopes["first/kernel"][unrated]):
        assert (untouched == 0).all()
    for touched in (slopes["last/kernel"][:, ~unrated], slopes["last/bias"][~unrated], slopes["first/kernel"]):
        assert touched[:4].any(axis=-1).all()
    assert slopes["first/bias"].all()


def test_unmasked_every_missing_rating_pulls_towards_zero() -> None:
    stars, y_pred = ratings()
    _, slope = of_loss(keras.losses.MeanSquaredError(), stars, y_pred)
    assert slope[stars == 0].all()


def test_softmax_ties_unrated_items_to_the_rated_ones() -> None:
    stars = ratings()[0]
    slopes = weight_slopes(network(activation="softmax"), stars, stars)
    assert slopes["last/kernel"][:, -2:].any(axis=0).all()
    assert slopes["last/bias"][-2:].all()


def test_softmax_cannot_reach_three_stars() -> None:
    logits = rng(1).normal(scale=100, size=(1000, 6)).astype(np.float32)
    shares = to_array(ops.softmax(to_tensor(logits)))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert float(losses.Masked("mse")(np.full((1000, 6), 3), shares)) >= 2**2


def test_centred_inputs_are_not_zero_where_missing_and_teach_the_first_layer() -> None:
    stars = ratings()[0]
    slopes = weight_slopes(network(), stars - stars.mean(), stars)
    assert slopes["first/kernel"][-2:].any(axis=1).all()
    assert (slopes["last/kernel"][:, -2:] == 0).all()  # the output side stays as it was


def test_batch_normalization_teaches_the_first_layer_as_soon_as_it_shifts() -> None:
    stars = ratings()[0]
    model = network(keras.layers.BatchNormalization(name="norm"))
    slopes = weight_slopes(model, stars, stars)
    assert (slopes["first/kernel"][-2:] == 0).all()  # its shift, beta, begins at 0, and 0 normalizes to 0
    assert slopes["norm/beta"][-2:].all()  # and is learned, for missing inputs too
    model.compile(keras.optimizers.SGD(0.01), losses.Masked("mse"))
    model.train_on_batch(stars, stars)
    assert weight_slopes(model, stars, stars)["first/kernel"][-2:].any(axis=1).all()


@pytest.mark.parametrize(
    ("optimizer", "regularizer", "moves"), [("sgd", None, False), ("adam", None, True), ("sgd", "l2", True)]
)
def test_a_weight_without_gradient_moves_by_momentum_and_regularizer_only(
    optimizer: str, regularizer: str | None, moves: bool
) -> None:
    unrated = ratings()[0]
    rated = unrated.copy()
    rated[:, -2:] = 3
    model = network(regularizer=regularizer)
    model.compile(optimizer, losses.Masked("mse"))
    steps = []
    for batch in (rated, unrated):
        model.train_on_batch(batch, batch)
        steps.append(to_array(model.get_layer("last").kernel.value)[:, -2:].copy())
    assert (steps[1] != steps[0]).all() == moves
    assert (steps[1] != steps[0]).any() == moves
    assert not weight_slopes(model, unrated, unrated)["last/kernel"][:, -2:].any()
