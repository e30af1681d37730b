"""One table of heads: `advise`, `infer_data_kind`, `examine` and `remedied` give the same answer for the same array."""

import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import codeword as cw
from codeword.arrays.value_scan import scan_values
from codeword.backend import keras
from codeword.data_kinds import Binary, DataKind, Levels, Ratings, Real, UnitInterval, infer_data_kind
from codeword.data_kinds.heads import GivenOutput, choose_head, sums_to_one

rng = np.random.default_rng(0)
FOUR = (0, 0.25, 0.5, 0.75)
BYTES = rng.integers(0, 256, (64, 12))
BYTES[0, 0], BYTES[0, 1] = 0, 255
NORMAL = rng.normal(size=(64, 12))
COLUMNS = "columns"


class Right(NamedTuple):
    """An array and its right answer.

    Attributes:
        x: The array.
        kind: Its data kind.
        factor: What its values are divided by; COLUMNS for the mean and spread of each column.
        activation: Activation of the output.
        loss: The loss, as Python.
    """

    x: np.ndarray
    kind: DataKind
    factor: float | str
    activation: str
    loss: str

    @property
    def has_holes(self) -> bool:
        return bool(np.isnan(self.x.astype(np.float64)).any())

    @property
    def scaled(self) -> np.ndarray:
        wide = self.x.astype(np.float64)
        if self.factor != COLUMNS:
            return wide / self.factor
        spread = np.nanstd(wide, axis=0)
        return (wide - np.nanmean(wide, axis=0)) / np.where(spread < 1e-12, 1, spread)


def with_holes(x: np.ndarray) -> np.ndarray:
    x[5, 1] = x[40, 3] = np.nan
    return x


def numbers(x: np.ndarray, loss: str = '"mse"') -> Right:
    return Right(x, Real(), COLUMNS, "linear", loss)


def shares(x: np.ndarray, maximum: float = 1, loss: str = '"mse"') -> Right:
    return Right(x, UnitInterval(maximum=maximum), maximum, "sigmoid", loss)


def yes_or_no(x: np.ndarray) -> Right:
    return Right(x, Binary(), 1, "linear", "keras.losses.BinaryCrossentropy(from_logits=True)")


def levels(x: np.ndarray, values: Any, factor: float = 1) -> Right:
    """With one number per cell, as the autoencoder has: a staircase. `advise` uses one logit per level."""
    return Right(x, Levels(values), factor, "staircase", '"mse"')


MASKED = 'cw.losses.Masked(loss="mse", missing=float("nan"))'
ARRAYS: dict[str, Right] = {
    "bytes": shares(BYTES.astype(np.uint8), 255),
    "dark bytes": shares((BYTES // 4).astype(np.uint8), 255),
    "bytes as floats": shares(BYTES.astype(np.float32), 255),
    "images of bytes": shares(BYTES.reshape(64, 4, 3).astype(np.uint8), 255),
    "images of bytes with channels": shares(BYTES.reshape(64, 2, 3, 2), 255),
    "images from 0 to 100": shares(np.arange(64 * 12).reshape(64, 4, 3) % 101, 100),
    "images from 0 to 16": shares(np.arange(64 * 12).reshape(64, 4, 3) % 17, 16),
    "images with channels from 0 to 1": shares(rng.random((64, 2, 3, 2))),
    "shares": shares(rng.random((64, 12), dtype=np.float32)),
    "shares in half precision": shares(rng.random((64, 12)).astype(np.float16)),
    "shares that sum to 1": shares(rng.dirichlet(np.ones(12), 64)),
    "one column of shares": shares(rng.random((64, 1))),
    "missing shares": shares(with_holes(rng.random((64, 12))), loss=MASKED),
    "whole numbers from 0 to 100": numbers(np.arange(64 * 12).reshape(64, 12) % 101),
    "whole numbers from 0 to 16": numbers(np.arange(64 * 12).reshape(64, 12) % 17),
    "small counts in unsigned bytes": numbers((BYTES % 20).astype(np.uint8)),
    "counts": numbers(rng.poisson(40, (64, 12))),
    "counts beyond bytes": numbers(rng.poisson(900, (64, 12))),
    "numbers between -1 and 1": numbers(rng.uniform(-1, 1, (64, 12))),
    "standardized columns": numbers((NORMAL - NORMAL.mean(axis=0)) / NORMAL.std(axis=0)),
    "embeddings of unit length": numbers(NORMAL / np.linalg.norm(NORMAL, axis=1)[:, None]),
    "prices": numbers(rng.lognormal(5, 1, (64, 12))),
    "years": numbers(rng.integers(1950, 2020, (64, 12))),
    "tiny numbers": numbers(1e-6 * NORMAL),
    "one large column": numbers(NORMAL * np.where(np.arange(12) == 3, 1e4, 1)),
    "constant columns": numbers(np.where(np.arange(12) < 3, 7.0, NORMAL)),
    "one value": numbers(np.full((64, 12), 3.5)),
    "16-bit integers": numbers(rng.integers(-30_000, 30_000, (64, 12)).astype(np.int16)),
    "another byte order": numbers(NORMAL.astype(">f4")),
    "one column of numbers": numbers(rng.normal(20, 5, (64, 1))),
    "missing numbers": numbers(with_holes(rng.normal(9, 2, (64, 12))), loss=MASKED),
    "yes and no": yes_or_no(rng.integers(0, 2, (64, 12))),
    "booleans": yes_or_no(rng.random((64, 12)) < 0.5),
    "one-hot rows": yes_or_no(np.eye(12)[rng.integers(0, 12, 64)]),
    "four levels": levels(rng.choice(FOUR, (64, 12)), FOUR),
    "images of four levels": levels(rng.choice(FOUR, (64, 4, 3)), FOUR),
    "four gray bytes": levels(rng.choice([0, 85, 170, 255], (64, 12)), [0, 85, 170, 255], 255),
    "-1 and 1": levels(rng.choice([-1.0, 1.0], (64, 12)), [-1, 1]),
    "stars": levels(rng.integers(1, 6, (64, 12)), [1, 2, 3, 4, 5]),
    "ratings with zeros": levels(rng.integers(1, 6, (64, 12)) * (rng.random((64, 12)) < 0.3), 6),
}


def linear_autoencoder(row_shape: tuple[int, ...]) -> Any:
    units = int(np.prod(row_shape))
    parts = [keras.Input(row_shape), keras.layers.Flatten(), keras.layers.Dense(4), keras.layers.Dense(units)]
    model = keras.Sequential([*parts, keras.layers.Reshape(row_shape)])
    model.compile("sgd", loss="mse")
    return model


def python_of(loss: Any) -> str:
    """Return a compiled loss as Python."""
    if isinstance(loss, cw.losses.Masked):
        return f'cw.losses.Masked(loss="{loss.get_config()["loss"]}", missing=float("{loss.missing}"))'
    if isinstance(loss, keras.losses.BinaryCrossentropy):
        return f"keras.losses.BinaryCrossentropy(from_logits={loss.from_logits})"
    return f'"{loss}"'


@pytest.mark.parametrize("name", ARRAYS)
def test_all_four_give_the_right_answer(name: str) -> None:
    right = ARRAYS[name]
    x, kind = right.x, right.kind

    # What the data alone says.
    if right.has_holes:
        with pytest.raises(cw.errors.DataError, match="must be finite"):
            infer_data_kind(x)
        assert infer_data_kind(x[~np.isnan(x).any(axis=1)]) == kind
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*ratings or counts")
            assert infer_data_kind(x) == kind
    advised = cw.advise(x).heads[0]
    assert advised.kind == kind
    names: dict[str, Any] = {"x": x, "np": np}
    exec("\n".join(advised.kind.entry_code("x")), names)
    if kind.entry_levels:  # enter as one-hot
        assert advised.scaling.startswith("None")
        assert kind.activation == "linear"
        assert "cw.activations.staircase" in "".join(choice.output for choice in advised.losses)
    else:
        np.testing.assert_allclose(names.get("scaled", x), right.scaled, rtol=1e-3, atol=1e-6)
        assert advised.scaling == kind.scaling
        assert kind.activation == right.activation
        assert (f'activation="{right.activation}"' in advised.output) == (right.activation != "linear")
        wanted = "keras.losses.MeanSquaredError()" if "mse" in right.loss else right.loss
        assert wanted in advised.losses[0].keras
        assert ("Masked" in advised.losses[0].keras) == right.has_holes

    # What an examined model needs, and what it gets.
    report = cw.examine(linear_autoencoder(x.shape[1:]), x, verbose=False)
    (head,) = report.heads
    assert head is not None
    assert getattr(head.kind, "values", head.kind) == getattr(kind, "values", kind)
    assert (head.activation, head.loss_code) == (right.activation, right.loss)
    np.testing.assert_allclose(head.scaling(x), right.scaled, rtol=1e-3, atol=1e-6)

    model, scaling = report.remedied()
    activation = model.layers[-2].activation
    assert getattr(activation, "__name__", "staircase") == right.activation
    if right.activation == "staircase":
        assert activation.levels == pytest.approx([value / right.factor for value in kind.entry_levels])
    assert python_of(model.loss) == right.loss
    np.testing.assert_allclose(scaling(x), right.scaled, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(scaling.inverse(scaling(x)), x.astype(np.float64), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("num_classes", [3, 10, 40])
def test_labels_ask_for_one_logit_per_class(num_classes: int) -> None:
    y = np.arange(120) % num_classes
    advice = cw.advise(y)
    assert advice.kind == infer_data_kind(y) == Levels(num_classes)
    assert advice.heads[0].losses[0].keras == "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(num_classes)])
    model.compile("sgd", loss="mse")
    report = cw.examine(model, rng.normal(size=(120, 3)), y[:, None], verbose=False)
    (head,) = report.heads
    assert head is not None
    assert head.kind == Levels(num_classes)
    assert (head.activation, head.loss_code) == ("linear", advice.heads[0].losses[0].keras)
    mended, scaling = report.remedied()
    assert isinstance(mended.loss, keras.losses.SparseCategoricalCrossentropy)
    assert mended.loss.from_logits
    assert scaling.targets.is_identity


STARS = scan_values(ARRAYS["ratings with zeros"].x)
SHARES = scan_values(ARRAYS["shares"].x)
SUMS = scan_values(ARRAYS["shares that sum to 1"].x)
REALS = scan_values(ARRAYS["years"].x)
BITS = scan_values(ARRAYS["yes and no"].x)
TARGETS = partial(GivenOutput, is_reconstruction=False)


@pytest.mark.parametrize(
    ("scan", "given", "activation", "loss"),
    [
        (SHARES, GivenOutput("sigmoid", True, "binary_crossentropy", "binary"), "sigmoid", '"binary_crossentropy"'),
        (SHARES, GivenOutput("relu", False, "mean_absolute_error", "distance"), "sigmoid", '"mae"'),
        (SHARES, GivenOutput("linear", False, "binary_crossentropy", "binary"), "linear", "from_logits=True"),
        (SHARES, GivenOutput("tanh", False, None, "own"), "sigmoid", "model.loss"),
        (SUMS, GivenOutput("softmax", True, "mean_squared_error", "distance"), "softmax", '"categorical_crossentropy"'),
        (REALS, GivenOutput("sigmoid", True, "binary_crossentropy", "binary"), "linear", '"mse"'),
        (REALS, GivenOutput("relu", False, "huber", "distance"), "linear", '"huber"'),
        (STARS, GivenOutput(missing=0.0), "linear", 'cw.losses.Masked(loss="mse", missing=0)'),
        (STARS, GivenOutput("relu", False, "mean_absolute_error", "distance", 0.0), "linear", 'Masked(loss="mae", '),
        (STARS, GivenOutput("relu", False, "poisson", "own", 0.0), "linear", 'Masked(loss="mse", missing=0)'),
        (SUMS, GivenOutput("linear", False, "mean_squared_error", "distance"), "sigmoid", '"mse"'),
        (SUMS, GivenOutput("linear", False, "c", "categorical"), "linear", "CategoricalCrossentropy(from_logits=True)"),
        (SUMS, TARGETS("linear", loss_kind="distance"), "linear", "CategoricalCrossentropy(from_logits=True)"),
        (SUMS, TARGETS("softmax", is_probability=True, loss_kind="binary"), "softmax", '"categorical_crossentropy"'),
        (SUMS, TARGETS("sigmoid", is_probability=True, loss_kind="binary"), "sigmoid", '"binary_crossentropy"'),
        (SUMS, TARGETS("linear", loss_kind="binary"), "linear", "BinaryCrossentropy(from_logits=True)"),
        (BITS, GivenOutput("relu", False, "mean_squared_error", "distance"), "linear", "from_logits=True"),
        (BITS, GivenOutput("sigmoid", True, "mean_squared_error", "distance"), "sigmoid", '"binary_crossentropy"'),
        (BITS, GivenOutput("tanh", False, "binary_crossentropy", "binary"), "sigmoid", '"binary_crossentropy"'),
        (REALS, GivenOutput(num_classes=70), "linear", "SparseCategoricalCrossentropy(from_logits=True)"),
        (REALS, GivenOutput("softmax", True, loss_kind="sparse"), "softmax", '"sparse_categorical_crossentropy"'),
    ],
)
def test_what_the_data_allows_stays(scan: Any, given: GivenOutput, activation: str, loss: str) -> None:
    head = choose_head(scan, given)
    assert head.activation == activation
    assert loss in head.loss_code


def test_the_kind_and_the_levels_of_a_head() -> None:
    assert choose_head(REALS, GivenOutput(num_classes=70)).kind == Levels(70)
    assert choose_head(REALS, GivenOutput(loss_kind="sparse")).kind == Real()
    stars, holes = choose_head(STARS, GivenOutput(missing=0.0)), np.full((9, 9), np.nan)
    assert (stars.kind, stars.missing, stars.levels) == (Ratings(1, 5), 0, [])
    holes[:3] = np.resize([1, 2, 5], (3, 9))
    assert choose_head(scan_values(holes), GivenOutput(missing=np.nan)).kind == Ratings(1, 5)
    assert choose_head(REALS, GivenOutput(missing=-1.0)).kind == Real()
    head = choose_head(scan_values(ARRAYS["four gray bytes"].x), GivenOutput())
    assert (head.missing, head.levels) == (None, [0, 85 / 255, 170 / 255, 1])


@pytest.mark.parametrize(("num_right", "is_distribution"), [(99, False), (100, True)])
def test_distributions_sum_to_one_nearly_everywhere(num_right: int, is_distribution: bool) -> None:
    x = np.full((100, 4), 0.25)
    x[num_right:] = 0.5
    assert sums_to_one(scan_values(x)) is is_distribution
    assert sums_to_one(scan_values(x[:, :2] * 2)) is is_distribution
    assert not sums_to_one(scan_values(np.ones((100, 1))))
    assert not sums_to_one(scan_values(np.ones(100)))


def test_only_the_user_knows_whether_0_means_missing() -> None:
    x = ARRAYS["ratings with zeros"].x
    report = cw.examine(linear_autoencoder((12,)), x, verbose=False)
    assert "zeros-as-missing" in {finding.code for finding in report.warnings}
    model, scaling = report.remedied(missing=0)
    assert model.layers[-2].activation is keras.activations.linear
    assert isinstance(model.loss, cw.losses.Masked)
    assert model.loss.missing == 0
    np.testing.assert_array_equal(scaling(x), x)
