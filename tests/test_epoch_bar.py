"""Progress of a training: one bar, or one line per epoch."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codeword.backend import keras
from codeword.callbacks import EpochBar, EpochLines
from codeword.callbacks.progress import with_progress


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
    assert shown.err.count("\n") == 1  # one line, rewritten


def test_a_training_that_ends_early_leaves_a_closed_bar(capsys: pytest.CaptureFixture[str]) -> None:
    bar = EpochBar("learning")
    bar.set_params({"epochs": 5, "steps": 4})
    for epoch in (1, 2):
        bar.on_epoch_begin(epoch)
        bar.on_epoch_end(epoch, {"loss": np.float32(0.5), "accuracy": 1})
    shown = bar._bar
    bar.on_train_end()
    assert shown.disable
    assert shown.initial == 1
    text = capsys.readouterr().err
    assert "| 3/5 [" in text
    assert "loss=0.5000, accuracy=1.0000" in text


def test_the_bar_moves_within_long_epochs() -> None:
    bar = EpochBar()
    bar.set_params({"epochs": 5, "steps": 4})
    bar.on_epoch_begin(2)
    places = []
    for batch in (0, 2, 1, 3):  # a thread may be late
        bar.on_train_batch_end(batch, {"loss": 1.0})
        places.append(bar._bar.n)
    bar.on_train_end()
    assert places == [2.25, 2.75, 2.75, 3]


def test_epochs_without_a_known_number_of_steps_are_counted() -> None:
    bar = EpochBar()
    bar.set_params({"epochs": 2, "steps": None})
    bar.on_epoch_begin(0)
    bar.on_train_batch_end(7)
    assert bar._bar.n == 0
    bar.on_epoch_end(0)
    assert bar._bar.n == 1
    bar.on_train_end()


def test_verbose_chooses_bar_lines_or_silence() -> None:
    own = keras.callbacks.TerminateOnNaN()
    for verbose, shown in (
        (0, []),
        (False, []),
        (1, [EpochBar]),
        (True, [EpochBar]),
        ("auto", [EpochBar]),
        (2, [EpochLines]),
    ):
        assert [type(one) for one in with_progress(None, verbose)] == shown
        callbacks = with_progress([own], verbose)
        assert callbacks[0] is own
        assert [type(one) for one in callbacks[1:]] == shown
    given = keras.callbacks.CallbackList([own])
    assert with_progress(given, 1) is given


PROGRAM = """
import sys
import numpy as np
import codeword as cw
from codeword.backend import keras

x = np.random.default_rng(0).integers(0, 2, (64, 6)).astype("float32")
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6)])
model.compile("sgd", "mse")
bits = {"code": cw.Bits(4), "hidden": (), "epochs": 2}
for verbose in (1, 2):
    print("verbose", verbose, file=sys.stderr)
    cw.fit(model, x, x, epochs=2, verbose=verbose, validation_data=(x, x))
    cw.fit(model, ((x, x) for _ in range(9)), epochs=2, steps_per_epoch=2, verbose=verbose)
    cw.Autoencoder(data=cw.Binary(), verbose=verbose, **bits).fit(x, validation_data=x)
    cw.Autoencoder(data=cw.Real(), verbose=verbose, **bits).fit(x + np.arange(64)[:, None])
print("result")
"""


@pytest.mark.slow
def test_redirected_stdout_holds_results_only(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        command = [sys.executable, "-c", PROGRAM]
        subprocess.run(command, stdout=out, stderr=err, check=True, timeout=300)
    bars, lines = (tmp_path / "err").read_text().split("verbose ")[1:]
    assert (tmp_path / "out").read_text() == "result\n"
    for shown in (bars, lines):
        assert not re.search("[\x1b\x08]", shown)
        assert "2/2" in shown
    assert "epoch 2/2: loss=" not in bars
    assert "epoch 2/2: loss=" in lines
