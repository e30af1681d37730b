"""What data alone tells: kind, scaling, output layer, loss; and that the programs which say so run."""

import html
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

import codeword as cw
from codeword.advice import advise as advice_module
from codeword.advice import figures as advice_figures
from codeword.advice.advise import Advice, advise
from codeword.autoencoders import heads
from codeword.backend import keras
from codeword.data_kinds import Binary, DataKind, Interactions, Levels, Ratings, Real, UnitInterval, infer_data_kind
from codeword.errors import CodewordError, DataError, DataTypeError
from codeword.recommenders.rating_table import as_rating_table

FOUR = (0.0, 0.25, 0.5, 0.75)
rng = np.random.default_rng(0)
STARS = rng.integers(1, 6, (60, 12)) * (rng.random((60, 12)) < 0.3)
GREYS = rng.integers(0, 256, (40, 6, 5), dtype=np.uint8)
HOLES = np.where(rng.random((80, 6)) < 0.05, np.nan, rng.integers(1, 6, (80, 6)))
FEW_STARS = np.where(rng.random((60, 12)) < 0.7, np.nan, rng.integers(0, 6, (60, 12)))

# What comes, and for each head: its kind, its output layer, its loss.
FITS: dict[str, tuple[Any, list[tuple[DataKind, str, str]]]] = {
    "binary": (
        rng.integers(0, 2, (50, 7)),
        [(Binary(), "keras.layers.Dense(7)", "keras.losses.BinaryCrossentropy(from_logits=True)")],
    ),
    "levels": (
        rng.choice(FOUR, (50, 4, 3)),
        [(Levels(FOUR), "keras.layers.Dense(48)", "cw.losses.LevelCrossentropy(levels=[0, 0.25, 0.5, 0.75])")],
    ),
    "unit": (
        rng.random((50, 7), dtype=np.float32),
        [(UnitInterval(), 'keras.layers.Dense(7, activation="sigmoid")', "keras.losses.MeanSquaredError()")],
    ),
    "uint8 images": (
        GREYS,
        [
            (
                UnitInterval(maximum=255),
                'keras.layers.Dense(30, activation="sigmoid")',
                "keras.losses.MeanSquaredError()",
            )
        ],
    ),
    "real": (rng.normal(9, 3, (50, 7)), [(Real(), "keras.layers.Dense(7)", "keras.losses.MeanSquaredError()")]),
    "outliers": (
        rng.standard_cauchy((200, 7)),
        [(Real(), "keras.layers.Dense(7)", "keras.losses.MeanSquaredError()")],
    ),
    "counts in columns": (
        rng.integers(0, 90, (50, 4)),
        [
            (Real(), "keras.layers.Dense(4)", "keras.losses.MeanSquaredError()"),
            (
                UnitInterval(maximum=89),
                'keras.layers.Dense(4, activation="sigmoid")',
                "keras.losses.MeanSquaredError()",
            ),
        ],
    ),
    "ratings or counts": (
        STARS,
        [
            (Levels(6), "keras.layers.Dense(72)", "cw.losses.LevelCrossentropy(levels=[0, 1, 2, 3, 4, 5])"),
            (Ratings(1, 5), "keras.layers.Dense(12)", 'cw.losses.Masked(loss="mse", missing=0)'),
        ],
    ),
    "sparse ratings": (
        scipy.sparse.csr_array(STARS),
        [
            (Ratings(1, 5), "keras.layers.Dense(12)", 'cw.losses.Masked(loss="mse", missing=0)'),
            (Levels(6), "keras.layers.Dense(72)", "cw.losses.LevelCrossentropy(levels=[0, 1, 2, 3, 4, 5])"),
        ],
    ),
    "sparse ratings with a stored 0": (
        scipy.sparse.coo_array(([0.0, 5.0, 2.0, 4.0], ([0, 1, 2, 2], [0, 1, 1, 2])), shape=(3, 3)),
        [
            (Ratings(0, 5), "keras.layers.Dense(3)", 'cw.losses.Masked(loss="mse", missing=float("nan"))'),
            (Real(), "keras.layers.Dense(3)", "keras.losses.MeanSquaredError()"),
        ],
    ),
    "missing levels": (
        HOLES,
        [
            (
                Levels([1, 2, 3, 4, 5]),
                "keras.layers.Dense(30)",
                "cw.losses.Masked(cw.losses.LevelCrossentropy(levels=[1, 2, 3, 4, 5]), missing=np.nan)",
            ),
            (
                Levels([1, 2, 3, 4, 5]),
                "keras.layers.Dense(30)",
                "cw.losses.LevelCrossentropy(levels=[1, 2, 3, 4, 5])",
            ),
        ],
    ),
    "missing numbers": (
        np.where(rng.random((60, 8)) < 0.3, np.nan, rng.normal(size=(60, 8))),
        [
            (Real(), "keras.layers.Dense(8)", "cw.losses.Masked(keras.losses.MeanSquaredError(), missing=np.nan)"),
            (Real(), "keras.layers.Dense(8)", "keras.losses.MeanSquaredError()"),
        ],
    ),
    "missing yes or no in images": (
        np.where(rng.random((60, 4, 2)) < 0.01, np.nan, rng.integers(0, 2, (60, 4, 2))),
        [
            (
                Binary(),
                "keras.layers.Dense(8)",
                "cw.losses.Masked(keras.losses.BinaryCrossentropy(from_logits=True), missing=np.nan)",
            ),
            (Binary(), "keras.layers.Dense(8)", "keras.losses.BinaryCrossentropy(from_logits=True)"),
        ],
    ),
    "mostly missing": (
        FEW_STARS,
        [
            (Ratings(0, 5), "keras.layers.Dense(12)", 'cw.losses.Masked(loss="mse", missing=float("nan"))'),
            (Levels(6), "keras.layers.Dense(72)", "cw.losses.LevelCrossentropy(levels=[0, 1, 2, 3, 4, 5])"),
        ],
    ),
    "labels": (
        rng.permutation(np.arange(100) % 10),
        [
            (Levels(10), "keras.layers.Dense(10)", "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"),
            (
                Levels(10, loss="ordinal"),
                "keras.layers.Dense(9)",
                "cw.losses.OrdinalCrossentropy(levels=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])",
            ),
        ],
    ),
    "many labels": (
        rng.permutation(np.arange(300) % 100),
        [(Levels(100), "keras.layers.Dense(100)", "keras.losses.SparseCategoricalCrossentropy(from_logits=True)")],
    ),
    "yes or no": (
        rng.integers(0, 2, 50).astype(bool),
        [(Binary(), "keras.layers.Dense(1)", "keras.losses.BinaryCrossentropy(from_logits=True)")],
    ),
    "a number": (
        rng.normal(200, 30, (50, 1)),
        [(Real(), "keras.layers.Dense(1)", "keras.losses.MeanSquaredError()")],
    ),
    "a number that may be missing": (
        np.where(rng.random(50) < 0.2, np.nan, rng.normal(200, 30, 50)),
        [(Real(), "keras.layers.Dense(1)", "keras.losses.MeanSquaredError()")],
    ),
    "table of ratings": (
        pd.DataFrame({"user": ["b", "a", "b"], "item": [7, 7, 9], "rating": [4.5, 1.0, 2.0]}),
        [(Ratings(1, 4.5), "keras.layers.Dense(2)", 'cw.losses.Masked(loss="mse", missing=float("nan"))')],
    ),
    "table of ratings by other names": (
        pd.DataFrame({"movieId": [7, 7, 9], "Rating": [4, 1, 2], "userId": ["b", "a", "b"], "timestamp": [3, 1, 2]}),
        [(Ratings(1, 4), "keras.layers.Dense(2)", 'cw.losses.Masked(loss="mse", missing=float("nan"))')],
    ),
    "table of ratings and a number for not rated": (
        pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3], "score": [1, 2, 3, 99, 99, 4]}),
        [
            (Ratings(1, 4, missing=99), "keras.layers.Dense(3)", 'cw.losses.Masked(loss="mse", missing=float("nan"))'),
            (Ratings(1, 99), "keras.layers.Dense(3)", 'cw.losses.Masked(loss="mse", missing=float("nan"))'),
        ],
    ),
    "table of plays": (
        pd.DataFrame({"user": ["b", "a", "b"], "artist": [7, 7, 9], "plays": [1, 5, 2]}),
        [(Interactions(), "keras.layers.Dense(2)", "keras.losses.BinaryCrossentropy(from_logits=True)")],
    ),
    "table of likes": (
        pd.DataFrame({"user": ["b", "a", "b"], "item": [7, 7, 9], "rating": [5, 5, 5]}),
        [(Interactions(), "keras.layers.Dense(2)", "keras.losses.BinaryCrossentropy(from_logits=True)")],
    ),
    "sparse likes": (
        scipy.sparse.csr_array((STARS > 0).astype(np.uint8)),
        [
            (Interactions(), "keras.layers.Dense(12)", "keras.losses.BinaryCrossentropy(from_logits=True)"),
            (Binary(), "keras.layers.Dense(12)", "keras.losses.BinaryCrossentropy(from_logits=True)"),
        ],
    ),
}
EACH_HEAD = [(name, number) for name, (_, wanted) in FITS.items() for number in range(len(wanted))]


@pytest.fixture(scope="module")
def advices() -> dict[str, Advice]:
    return {name: advise(x) for name, (x, _) in FITS.items()}


@pytest.mark.parametrize("name", FITS)
def test_data_alone_tells_kind_output_and_loss(advices: dict[str, Advice], name: str) -> None:
    found = [(head.kind, head.output, head.losses[0].keras) for head in advices[name].heads]
    assert found == FITS[name][1]
    assert (advices[name].question is None) == (len(found) == 1)
    assert all((head.answer is None) == (len(found) == 1) for head in advices[name].heads)


@pytest.mark.parametrize(
    "name", [name for name in FITS if not name.startswith(("missing", "mostly missing", "a number that"))]
)
@pytest.mark.filterwarnings("ignore:.*ratings or counts", "ignore:.* stands for not rated")
def test_the_kind_is_that_which_infer_data_kind_tells(advices: dict[str, Advice], name: str) -> None:
    assert advices[name].kind == infer_data_kind(FITS[name][0])


# The programs


def run_keras(program: str, x: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"x": x}
    if "y: this data" in program:
        names = {"y": x, "x": rng.normal(size=(len(x), 3))}
    program = program.replace("epochs=10", "epochs=1, verbose=0").replace("predict(", "predict_on_batch(")
    exec(program, names)
    return names


@pytest.mark.parametrize(("name", "number"), EACH_HEAD)
@pytest.mark.slow
def test_the_keras_program_trains_and_has_the_head_of_the_kind(
    advices: dict[str, Advice], name: str, number: int
) -> None:
    x, head = FITS[name][0], advices[name].heads[number]
    names = run_keras(head.keras, x)
    model = names["model"]
    assert np.isfinite(model.history.history["loss"]).all()

    row_shape = () if "y" in names else tuple(model.input_shape[1:])
    wanted = head.kind.output_shape(row_shape)
    assert model.output_shape[1:] == (wanted if wanted else (1,))
    layer = next(layer for layer in reversed(model.layers) if isinstance(layer, keras.layers.Dense))
    assert layer.activation.__name__ == head.kind.activation
    loss = model.loss.loss if isinstance(model.loss, cw.losses.Masked) else model.loss
    own = heads.loss_of(head.kind)
    own = own.loss if isinstance(own, cw.losses.Masked) else own
    if not isinstance(loss, keras.losses.SparseCategoricalCrossentropy):  # of labels; compared below
        assert type(loss) is type(own)
        assert loss == own or loss.get_config() == own.get_config()

    values = next(names[key] for key in ("restored", "predicted", "scores") if key in names)
    if isinstance(head.kind, Interactions):
        assert values.shape == names["table"].shape
        assert (np.isneginf(values) == (names["table"] == 1)).all()
    elif isinstance(head.kind, Levels):
        assert set(np.unique(values)) <= set(head.kind.values)
    elif isinstance(head.kind, Binary):
        assert values.dtype == bool
    elif isinstance(head.kind, Ratings):
        assert values.min() >= head.kind.low
        assert values.max() <= head.kind.high
    elif isinstance(head.kind, UnitInterval):
        assert values.min() >= 0
        assert values.max() <= head.kind.maximum
    elif "y" not in names:
        assert np.abs(values.mean(axis=0) - np.nanmean(names["x"], axis=0)).max() < 5 * np.nanstd(names["x"])


def test_the_loss_of_labels_is_that_of_their_kind() -> None:
    labels, logits = np.array([2, 0, 1]), rng.normal(size=(3, 3)).astype("float32")
    ours = heads.loss_of(Levels(3))(labels, logits)
    assert float(ours) == pytest.approx(
        float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)), rel=1e-6
    )


def test_real_numbers_are_scaled_as_the_kind_does() -> None:
    x = np.concatenate([rng.normal(5, 2, (50, 3)), np.full((50, 1), 7.0)], axis=1)
    names = run_keras(advise(x).keras, x)
    np.testing.assert_allclose(names["scaled"], Real().to_network(x, Real().learn(x)), atol=1e-6)


@pytest.mark.parametrize(("name", "number"), EACH_HEAD)
@pytest.mark.filterwarnings("ignore:.* lies apart from the others")
def test_the_line_of_codeword_takes_the_data(
    advices: dict[str, Advice], monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    x, head = FITS[name][0], advices[name].heads[number]
    if head.codeword is None:
        assert advices[name].values["num_nan"] or "y: this data" in head.keras
        return
    # Checks what `fit` checks before it trains.
    monkeypatch.setattr(cw.Autoencoder, "fit", lambda ae, rows: ae.data.check(rows))
    monkeypatch.setattr(cw.RatingAutoencoder, "fit", lambda rec, given: as_rating_table(given, rec.data).matrix)
    names = {"x": x}
    exec(head.codeword, names)
    rows = names["ae"] if "ae" in names else names["rec"]
    assert rows.size > 0


@pytest.mark.parametrize("name", ["uint8 images", "sparse ratings"])
@pytest.mark.slow
def test_the_line_of_codeword_trains(advices: dict[str, Advice], name: str) -> None:
    small = "code=cw.Bits(8), hidden=(4,), objective=cw.objectives.Reconstruct(), epochs=1, verbose=0"
    program = str(advices[name].codeword).replace("code=cw.Bits(64)", small)
    names = {"x": FITS[name][0]}
    exec(program.replace("RatingAutoencoder(", "RatingAutoencoder(units=2, epochs=1, verbose=0, "), names)
    made: Any = names["ae"] if "ae" in names else names["rec"]
    assert made.data_ == advices[name].kind


# What is measured


def test_what_losses_can_reach_is_what_keras_measures() -> None:
    x = rng.random((200, 5)) ** 2
    for kind in (UnitInterval(), UnitInterval(loss="binary_crossentropy")):
        reach = advice_figures.reach_of(kind, x)
        loss, mean = heads.loss_of(kind), np.broadcast_to(x.mean(axis=0), x.shape)

        def logits(shares: np.ndarray, kind: DataKind = kind) -> np.ndarray:
            return np.log(shares / (1 - shares)) if kind.loss == "binary_crossentropy" else shares

        assert reach.perfect == pytest.approx(float(loss(x, logits(x))), abs=1e-6)
        assert reach.nothing_learnt == pytest.approx(float(loss(x, logits(mean))), rel=1e-5)


def test_the_floor_of_binary_cross_entropy_is_the_entropy_of_the_data() -> None:
    floor = -(0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    x = np.tile([0.3, 0.0, 1.0, 0.7], (50, 1)) + 1e-9 * np.arange(50)[:, None] * [1, 0, 0, 1]
    choice = advise(x).heads[0].losses[1]
    assert choice.name == "binary_crossentropy"
    assert choice.perfect == pytest.approx(floor / 2, rel=1e-6)
    assert f"but the minimum is {floor / 2:.4f} nats, not 0" in str(advise(x)).replace("\n  ", " ")


@pytest.mark.parametrize("loss", ["crossentropy", "ordinal"])
def test_levels_without_learning_cost_the_entropy_of_their_shares(loss: str) -> None:
    kind = Levels([0, 0.5, 2], loss=loss)
    x = np.repeat([[0.0, 2.0], [0.5, 2.0], [0.5, 2.0], [2.0, 0.0]], 10, axis=0)
    shares = np.array([[0.25, 0.5, 0.25], [0.25, 0.0, 0.75]])
    logits = np.log(np.maximum(shares, 1e-12))
    if loss == "ordinal":
        above = 1 - np.cumsum(shares, axis=1)[:, :-1]
        logits = np.log(above / (1 - above))
    keras_value = heads.loss_of(kind)(x, np.tile(logits, (40, 1, 1)).astype("float32"))
    assert advice_figures.reach_of(kind, x).nothing_learnt == pytest.approx(float(keras_value), rel=1e-5)


def test_real_numbers_without_learning_cost_one_and_constants_nothing() -> None:
    x = np.concatenate([rng.normal(5, 2, (500, 3)), np.full((500, 1), 7.0)], axis=1)
    mse, mae = (choice.nothing_learnt for choice in advise(x).heads[0].losses)
    assert mse == pytest.approx(0.75)
    assert mae == pytest.approx(0.75 * math.sqrt(2 / math.pi), rel=0.05)


def test_missing_cells_do_not_count_in_what_is_measured() -> None:
    x = rng.random((400, 3))
    holes = np.concatenate([x, np.full((400, 3), np.nan)])
    for kind in (UnitInterval(), UnitInterval(loss="binary_crossentropy"), Real(), Real(loss="mae")):
        assert advice_figures.reach_of(kind, holes) == pytest.approx(advice_figures.reach_of(kind, x))
    few = rng.integers(0, 3, (90, 2)).astype(float)
    holes = np.concatenate([few, np.full((90, 2), np.nan)])
    for loss in ("crossentropy", "ordinal"):
        kind = Levels(3, loss=loss)
        assert advice_figures.reach_of(kind, holes) == pytest.approx(advice_figures.reach_of(kind, few))
    assert advice_figures.reach_of(Real(), np.full((3, 2), np.nan)) == (None, None)


def test_outliers_are_cells_beyond_five_robust_spreads() -> None:
    column = np.concatenate([np.tile([-1.0, 0.0, 1.0], 100), [100.0, 100.0]])  # median 0, its distances' 1
    found = advice_figures.outliers_of(np.stack([column, np.full(302, 3.0)], axis=1))
    assert found is not None
    assert found.share == pytest.approx(2 / 302)
    assert found.share_of_squares == pytest.approx(20_000 / 20_200)
    assert advice_figures.outliers_of(np.full((9, 2), 3.0)) is None
    assert advice_figures.outliers_of(np.full((9, 2), np.nan)) is None


@pytest.mark.parametrize(
    ("x", "loss"),
    [
        (rng.normal(size=(2000, 3)), "mse"),
        (rng.uniform(-9, 9, (2000, 3)), "mse"),
        (np.where(rng.random((2000, 3)) < 0.01, 80, rng.normal(size=(2000, 3))), "mae"),
        (rng.lognormal(0, 2, (2000, 3)), "mae"),
    ],
)
def test_a_note_recommends_the_absolute_error_for_outliers(x: np.ndarray, loss: str) -> None:
    advice = advise(x)
    assert advice.kind == Real()
    assert [choice.name for choice in advice.heads[0].losses] == ["mse", "mae"]
    assert any('use Real(loss="mae")' in note for note in advice.notes) == (loss == "mae")
    assert any("mse suits" in note for note in advice.notes) == (loss == "mse")
    assert any("np.log1p" in note for note in advice.notes) == (loss == "mae" and x.min() >= 0)


def test_a_sample_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice_module, "SAMPLE_CELLS", 40)
    advice = advise(np.arange(1000.0).reshape(100, 10))
    assert advice.values["num_sampled_rows"] == 4
    assert "(of 4 rows)" in str(advice)
    shares = advise(np.linspace(0, 1, 1000).reshape(100, 10))
    assert any("nats (measured on 4 evenly spaced rows), not 0" in note for note in shares.notes)


# Questions


def test_mostly_zero_stars_are_asked_about_and_both_answers_are_there() -> None:
    advice = advise(STARS)
    assert advice.question is not None
    assert advice.question.startswith("Ratings or counts?")
    assert [head.answer for head in advice.heads] == [
        "0 is a count, a gray, or another value",
        "0 means not rated, not seen, unknown",
    ]
    assert any("counts that may grow beyond 5" in note for note in advice.notes)
    assert advise(STARS.reshape(60, 4, 3)).question is None  # images


@pytest.mark.parametrize(
    ("x", "white", "is_first", "is_sure"),
    [
        (GREYS, 255, True, True),
        (GREYS.reshape(40, 30), 255, True, True),
        ((GREYS // 4), 255, True, True),
        (GREYS // 10, 25, True, False),  # a byte that uses so little of its range holds something else
        (GREYS.astype(float) * (GREYS > 3), 255, True, True),
        (np.tile(np.arange(17), 90).reshape(90, 17), 16, False, False),
        (np.tile(np.arange(17.0), 160).reshape(85, 8, 4), 16, True, False),
        (np.minimum(GREYS, 200).astype(int).reshape(40, 30), 255, False, False),
        (np.maximum(GREYS.astype(int), 255 * (GREYS > 250)).reshape(40, 30), 255, True, False),
    ],
)
def test_whole_numbers_up_to_255_may_be_brightness(x: np.ndarray, white: int, is_first: bool, is_sure: bool) -> None:
    x.ravel()[0] = min(x.max(), x.flat[0])
    bright = UnitInterval(maximum=white)
    kinds = [bright] if is_sure else [bright, Real()] if is_first else [Real(), bright]
    advice = advise(x)
    assert [head.kind for head in advice.heads] == kinds
    assert advice.heads[kinds.index(bright)].scaling.startswith(f"x / {white}, the greatest possible value")
    answers = [head.answer for head in advice.heads]
    assert (
        answers == [None]
        if is_sure
        else f"brightness or shares: {white} is the greatest" in str(answers[kinds.index(bright)])
    )


@pytest.mark.parametrize("x", [GREYS.astype(int) - 1, GREYS.astype(int) + 1, GREYS + 0.5, GREYS.astype(int) * 300])
def test_other_numbers_are_no_brightness(x: np.ndarray) -> None:
    assert [head.kind for head in advise(x).heads] == [Real()]


@pytest.mark.parametrize(
    ("y", "num_classes"),
    [
        (np.tile([0, 1, 2], 2), 3),
        (np.tile([0, 1, 2], 2)[:, None], 3),
        (np.tile([0.0, 1, 2, np.nan], 2), 3),
        (np.arange(1000).repeat(2), 1000),
        (np.append(np.arange(65.0).repeat(2), np.nan), 65),
        (np.arange(3), None),  # each only once
        (np.tile([0, 2], 9), None),
        (np.tile([1, 2, 3], 9), None),
        (np.arange(1001).repeat(2), None),
        (np.delete(np.arange(100), 50).repeat(3), None),
    ],
)
def test_labels_are_whole_numbers_from_0_none_left_out(y: np.ndarray, num_classes: int | None) -> None:
    head = advise(y).heads[0]
    is_labels = "SparseCategorical" in head.keras
    assert is_labels == (num_classes is not None)
    if num_classes is not None:
        assert head.kind == Levels(num_classes)
        assert head.meaning == f"class labels, 0 to {num_classes - 1}"


@pytest.mark.parametrize("make", [list, pd.Series, pl.Series, lambda values: np.array(values)[:, None]])
def test_a_single_column_of_any_make_is_a_target(make: Any) -> None:
    assert advise(make([0.0, 1.0, 2.0] * 4)).kind == Levels(3)
    assert "y: this data" in advise(make([0.5, 1.25, 2.0] * 4)).keras
    assert "y: this data" not in advise(np.arange(20.0).reshape(20, 1, 1)).keras


def test_nan_is_told_with_its_place() -> None:
    x = np.ones((10, 3)) * [1, 2, 3] + np.arange(10)[:, None]
    x[4, 1] = x[5:, 2] = np.nan
    advice = advise(x)
    assert advice.values["num_nan"] == 6
    assert advice.values["first_nan"] == [4, 1]
    assert "NaN: 6, the first at index (4, 1)." in " ".join(str(advice).split())
    assert "2 of 3 columns have NaN, the first at index (4, 1); column 2 has the most, 50% of the rows." in (
        advice.notes
    )
    empty = np.where(np.arange(3) == 1, np.nan, np.arange(30.0).reshape(10, 3))
    assert any("1 of them have nothing else: drop those, the first is 1." in note for note in advise(empty).notes)


# Notes


def notes(x: Any, **names: Any) -> str:
    return " ".join(advise(x, **names).notes)


def test_columns_that_never_change_are_named() -> None:
    x = np.concatenate([rng.normal(size=(20, 2)), np.ones((20, 7))], axis=1)
    assert "7 of 9 columns never change (2, 3, 4, 5, 6, …)" in notes(x)
    assert "columns never change ('g2', 'g3'" in notes(x, columns=[f"g{number}" for number in range(9)])
    for frame in (pd.DataFrame, pl.DataFrame, pa.table):
        table = frame({"age": np.arange(20.0), "year": np.full(20, 2024.0)})
        assert "1 of 2 columns never change ('year')" in notes(table)
    images = np.concatenate([rng.normal(size=(20, 2, 2)), np.ones((20, 2, 1))], axis=2)
    assert "2 of 6 columns never change ((0, 2), (1, 2)); they teach nothing, and do no harm." in notes(images)


def test_other_notes_come_where_they_hold() -> None:
    assert "This is one row" in notes(np.arange(5.0)[None])
    assert "Every value is 3: there is nothing to learn." in notes(np.full((9, 4), 3.0))
    assert "Each row sums to 1 (one-hot classes)" in notes(np.eye(5)[rng.integers(0, 5, 40)])
    assert "Each row sums to 1 (distributions)" in notes(rng.dirichlet([1, 1, 1], 40))
    assert 'Real(spread="common")' in notes(rng.normal(size=(50, 20)))
    assert 'Real(spread="common")' not in notes(rng.normal(size=(50, 20)) * 2.0 ** np.arange(20))
    shown = notes(np.arange(6.0).reshape(2, 3), columns=["u", "i", "Stars"])
    assert "A column is named like ratings. If each row is one rating, this is a table for" in shown
    assert 'columns=("u", "i", "Stars"), on the command line --columns u,i,Stars.' in shown
    ids = np.stack([np.arange(90), np.arange(90) % 20, np.arange(90) % 5], axis=1)
    assert "If each row is a user, an item and a rating" in notes(ids, columns=["column0", "column1", "column2"])
    assert "If each row is a user" not in notes(ids, columns=["a", "b", "c"])
    table = pd.DataFrame({"user": [1, 1, 1], "item": [2, 2, 3], "rating": [5, 4, 1], "genre": ["a", "b", "c"]})
    assert "1 rows are of pairs that occur before. RatingAutoencoder takes the latest" in notes(table)
    assert "Columns: user = user, item = item, rating = rating; not read: genre." in notes(table)
    assert "Every value in 'rating' is 5" in notes(table.assign(rating=5))
    assert "sums to 1" not in notes(rng.random((40, 3)))
    assert "x == 255 is Binary()" in notes(255 * rng.integers(0, 2, (20, 4, 4), dtype=np.uint8))
    assert "x = frame.to_numpy()" in notes(pd.DataFrame({"a": rng.random(9), "b": rng.random(9)}))


# Errors, and how it is shown


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.empty((0, 3)), DataError, r"at least one row and one value: got shape \(0, 3\)"),
        (np.empty((3, 0)), DataError, r"got shape \(3, 0\)"),
        (3.0, DataError, r"got shape \(\)"),
        (np.array([["a", "b"]]), DataTypeError, r"must hold numbers: got dtype <U1"),
        (np.array([["a", 1]], object), DataTypeError, "got objects, some are text"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), DataTypeError, "got objects, some are text"),
        (np.ones((2, 2), complex), DataError, "got dtype complex128"),
        ([[1, 2], [3]], DataTypeError, "uneven rows"),
        (object(), DataTypeError, "got objects"),
        (np.ma.array([[1.0, 2.0]], mask=[[True, False]]), DataError, "got 1 of them"),
        (np.array([[1.0, np.inf]]), DataError, r"got 0 NaN and 1 infinity \(inf\), the first at index \(0, 1\)"),
        (np.full((2, 2), np.nan), DataError, r"at least one number: got shape \(2, 2\), all NaN"),
        (scipy.sparse.csr_array((3, 3)), DataError, r"got shape \(3, 3\), none stored"),
        (scipy.sparse.csr_array(np.array([[1.0, np.nan]])), DataError, "1 NaN and 0 infinity"),
        (scipy.sparse.coo_array(np.array([1.0, 2.0])), DataTypeError, "shape"),
        (np.array(["2020-01-01"], "M8[D]"), DataTypeError, "dtype datetime64"),
    ],
)
def test_what_is_no_data_is_refused_in_words(x: Any, error: type[CodewordError], message: str) -> None:
    with pytest.raises(error, match=message):
        advise(x)


@pytest.mark.parametrize("x", [[[1, 2], [3, 4]], np.array([[1.5], [2.5]], object), np.array([[3]], ">i2")])
def test_lists_objects_and_other_byte_orders_are_taken(x: Any) -> None:
    assert advise(x).heads


@pytest.mark.parametrize("name", FITS)
def test_it_is_shown_as_text_html_and_json(advices: dict[str, Advice], name: str) -> None:
    advice = advices[name]
    text, page, plain = str(advice), advice._repr_html_(), json.loads(advice.to_json())
    assert text.startswith("Data: ")
    assert (plain["question"] or "") in text.replace("\n", " ")
    assert len(plain["heads"]) == len(advice.heads)
    for head, told in zip(advice.heads, plain["heads"], strict=True):
        for line in filter(None, head.keras.splitlines()):
            assert line in text
            assert html.escape(line) in page
        assert told["keras"] == head.keras
        assert told["kind"] == head.kind.to_config()
        assert eval(told["kind_python"], {"cw": cw}) == head.kind
        assert [loss["name"] for loss in told["losses"]] == [head.kind.loss, *(c.name for c in head.losses[1:])]
    assert page.count("<table>") == page.count("</table>") == 2 * len(advice.heads)


def test_the_repr_is_one_short_line(advices: dict[str, Advice]) -> None:
    assert repr(advices["unit"]) == (
        'Advice(UnitInterval(), keras.layers.Dense(7, activation="sigmoid"), keras.losses.MeanSquaredError())'
    )
    assert repr(advices["labels"]).endswith("keras.losses.SparseCategoricalCrossentropy(...), question)")
    assert all(len(repr(advice)) < 160 for advice in advices.values())


def test_the_text_says_what_the_values_are() -> None:
    told = str(advise(np.repeat([[0.0, 0.25], [0.5, 0.75]], 20, axis=0))).splitlines()[0]
    assert told == (
        "Data: 40 rows of 2 values, float64. Only the values 0, 0.25, 0.5, 0.75, mean 0.375; 25.0% of them 0. No NaN."
    )
    assert str(advise(GREYS)).startswith(
        "Data: 40 rows of 6 x 5 values, uint8. More than 64 different values, 0 to 255"
    )
    sparse = str(advise(scipy.sparse.csr_array(np.array([[0, 4, 0, 0], [2, 0, 0, 0]]))))
    assert sparse.startswith("Data: 2 rows of 4 values, int64. 25.00% of the cells are stored. Only the values 2, 4")
    assert str(advise(np.arange(20) / 2)).startswith(
        "Data: 20 values in one column, float64. 20 different values, 0 to 9.5"
    )


def test_every_loss_of_every_kind_says_when_to_take_it() -> None:
    for kind in (Binary, Levels, Ratings, Real, UnitInterval):
        assert set(kind.when_to_take) == set(kind.losses)
        assert kind.meaning
        assert kind.scaling


def test_advising_loads_no_keras(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", STARS)
    script = (
        "import sys, numpy as np, scipy.sparse; from codeword.advice.advise import advise; "
        "x = np.load('x.npy', mmap_mode='r'); print(advise(x)); advise(scipy.sparse.csr_array(x)).to_json(); "
        "assert not {'keras', 'jax', 'torch', 'tensorflow'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cw.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Ratings or counts?" in done.stdout
