"""One progress bar for a whole training."""

import numpy as np
import pytest

from codeword.backend import keras
from codeword.callbacks.epoch_bar import EpochBar


def test_one_bar_shows_epochs_and_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 1), np.float32)
    history = model.fit(x, x, epochs=3, verbose=0, callbacks=[EpochBar("learning")]).history
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "learning: 100%" in shown.err
    assert "3/3" in shown.err
    assert f"loss={history['loss'][-1]:.4f}" in shown.err
    assert shown.err.count("\n") == 1  # one line, written anew


def test_a_training_that_ends_early_leaves_a_closed_bar(capsys: pytest.CaptureFixture[str]) -> None:
    bar = EpochBar("learning")
    bar.set_params({"epochs": 5})
    bar.on_train_begin()
    bar.on_epoch_end(0)
    bar.on_epoch_end(1, {"loss": np.float32(0.5), "accuracy": 1})
    bar.on_train_end()
    shown = capsys.readouterr().err
    assert "2/5" in shown
    assert "loss=0.5000" in shown
    assert "accuracy=1.0000" in shown
    assert bar._bar.disable
