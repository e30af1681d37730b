"""What `losses.Masked` and `metrics.Masked` refuse and store; their numbers stand in tests/contracts."""

import json
from typing import Any

import numpy as np
import pytest

from codeword import losses, metrics
from codeword.backend import keras
from codeword.errors import DataError, ParameterError

COUPLED = ["categorical_crossentropy", "kl_divergence", "cosine_similarity", "CategoricalHinge", "dice", "ctc"]


@keras.saving.register_keras_serializable(package="tests")
def cubed(y_true: Any, y_pred: Any) -> Any:
    return keras.ops.mean(keras.ops.abs(y_pred - y_true) ** 3, axis=-1)


@pytest.mark.parametrize("name", COUPLED)
def test_losses_that_couple_the_entries_of_a_row_are_refused(name: str) -> None:
    for loss in (name, keras.losses.get(name)):
        with pytest.raises(ParameterError, match=r"(?s)`loss` must have a value for each entry.*: got .*Pass one"):
            losses.Masked(loss)


def test_coupled_losses_without_a_name_are_refused() -> None:
    for loss in (keras.losses.CategoricalGeneralizedCrossEntropy(), keras.losses.Circle(), keras.losses.Tversky()):
        with pytest.raises(ParameterError, match=r": got <"):
            losses.Masked(loss)


def test_metrics_that_couple_the_entries_of_a_row_are_refused() -> None:
    for metric in ("CosineSimilarity", "categorical_accuracy", keras.metrics.F1Score(), keras.losses.kl_divergence):
        with pytest.raises(ParameterError, match=r"(?s)`metric` must have a value for each entry.*: got .*Pass one"):
            metrics.Masked(metric)
    with pytest.raises(ParameterError, match=r'got ExactMatch\(by="row"\)'):
        metrics.Masked(metrics.ExactMatch(by="row"))


def test_bad_settings_are_refused() -> None:
    for missing in ("0", True, [0], 1j):
        for wrapper, name in ((losses.Masked, "mse"), (metrics.Masked, "rmse")):
            with pytest.raises(ParameterError, match=r"`missing` must be the number .*: got "):
                wrapper(name, missing)
    for wrapper, name in ((losses.Masked, "mse"), (metrics.Masked, "rmse")):
        with pytest.raises(ParameterError, match=r'`average` must be "entry" or "row": got \'item\'\.$'):
            wrapper(name, average="item")
        for unknown in ("mean square", None, wrapper(name)):
            with pytest.raises(ParameterError, match=r"`(loss|metric)` must be .*: got "):
                wrapper(unknown)


def test_shapes_that_do_not_fit_are_refused() -> None:
    stars = np.ones((4, 3))
    for of_what in (losses.Masked("mse"), losses.Masked(losses.BinInsensitive(3)), metrics.Masked("rmse")):
        for y_pred in (np.ones((4, 4)), np.ones((4, 3, 2)), np.ones(4)):
            with pytest.raises(DataError, match=r"`y_true` must have one value .*: got shape \(4, 3\)"):
                of_what(stars, y_pred)
        with pytest.raises(DataError, match=r"`y_true` must have one value .*: got shape \(4,( 1)?\)"):
            of_what(stars[:, :1], stars)
        for shape in ((3,), (4, 2), (3, 4), (4, 3, 2), (1, 3)):
            with pytest.raises(DataError, match=rf"`sample_weight` must weigh .*: got shape \({shape[0]},"):
                of_what(stars, stars, np.ones(shape))
    with pytest.raises(DataError, match=r"`loss` must return one value per entry.*: got shape \(\)"):
        losses.Masked(lambda y_true, y_pred: keras.ops.mean(y_pred - y_true))(stars, stars)


@pytest.mark.parametrize("missing", [0, -1.5, float("nan"), np.float32("nan"), None, np.int64(9)])
def test_config_survives_json_whatever_is_wrapped(missing: Any) -> None:
    y_true, y_pred = np.array([[1, 0, 1]]), np.array([[0.9, 0.4, 0.2]], np.float32)
    wrapped = ("mse", cubed, keras.losses.BinaryCrossentropy(label_smoothing=0.1), losses.BinInsensitive(5))
    several = [losses.Masked(loss, missing, average="entry", reduction="sum") for loss in wrapped]
    several += [metrics.Masked(metric, missing, average="row") for metric in ("rmse", cubed, metrics.ExactMatch())]
    for original in several:
        config = original.get_config()
        again = type(original).from_config(json.loads(json.dumps(config)))
        restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(original))
        for copy in (again, restored):
            assert type(copy) is type(original)
            assert copy.get_config() == config
            assert float(copy(y_true, y_pred)) == float(original(y_true, y_pred))


def test_loss_and_metric_have_the_same_default() -> None:
    loss, metric = losses.Masked("mse").get_config(), metrics.Masked("mse").get_config()
    assert (loss["average"], loss["missing"]) == (metric["average"], metric["missing"]) == ("entry", 0)
    stars, y_pred = np.array([[5, 0, 3], [0, 0, 1]]), np.array([[4, 9, 3], [9, 9, 3]], np.float32)
    assert float(losses.Masked("mse")(stars, y_pred)) == pytest.approx(float(metrics.Masked("mse")(stars, y_pred)))


def test_names_are_those_that_a_history_should_show() -> None:
    assert [losses.Masked(loss).name for loss in ("mse", cubed, keras.losses.Huber())] == [
        "masked_mse",
        "masked_cubed",
        "masked_huber_loss",
    ]
    named = ("rmse", "mae", keras.losses.mean_squared_error, metrics.ExactMatch())
    assert [metrics.Masked(metric).name for metric in named] == ["rmse", "mae", "mean_squared_error", "cells_exact"]
    assert metrics.Masked("rmse", name="mine").name == "mine"


def test_callbacks_know_that_less_is_better() -> None:
    x = np.ones((4, 3), np.float32)
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile("sgd", losses.Masked("mse"), metrics=[metrics.Masked("rmse"), metrics.Masked("mae")])
    stop = keras.callbacks.EarlyStopping(monitor="rmse", patience=1)
    assert len(model.fit(x, x, epochs=3, verbose=0, callbacks=[stop]).history["rmse"]) == 3
    assert stop.monitor_op(1, 2)
