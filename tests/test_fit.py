"""`codeword.fit` beside `keras.Model.fit`: the same results, callback by callback."""

import numpy as np
import pytest
import scipy.sparse

import codeword as cw
from codeword.arrays.rows import as_array
from codeword.backend import keras
from codeword.training import user_data
from codeword.training.user_data import RowBatches, is_array

layers, ops = keras.layers, keras.ops
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(103, 6)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 1)
Y = np.eye(3, dtype=np.float32)[CLASSES]
WEIGHTS = RANDOM.random(103)


def classifier(*, optimizer=None, metrics=("accuracy",), **settings):
    """Return a network with everything that has a state: dropout, batch statistics, moments, metrics."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer or keras.optimizers.Adam(0.02), "categorical_crossentropy", metrics=metrics, **settings)
    return model


class TwoSteps(keras.Model):
    """Has a training step of its own, which reports what no metric knows."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs, training=False):
        return self.dense(inputs) * (2.0 if training else 1.0)

    def train_step(self, state, data):
        logs, state = super().train_step(state, data)
        return {**logs, "first_weight": state[0][0][0, 0]}, state


def two_steps():
    keras.utils.set_random_seed(1)
    model = TwoSteps()
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def many_ends():
    """Has inputs and outputs by name, of several kinds, and a mask."""
    keras.utils.set_random_seed(1)
    numbers, words = keras.Input((6,), name="numbers"), keras.Input((4,), dtype="int32", name="words")
    meaning = layers.GlobalAveragePooling1D()(layers.Embedding(5, 3, mask_zero=True)(words))
    both = layers.Concatenate()([numbers, meaning])
    outputs = {
        "sum": layers.Dense(1, name="sum")(both),
        "kind": layers.Dense(3, activation="softmax", name="kind")(both),
    }
    model = keras.Model({"numbers": numbers, "words": words}, outputs)
    model.compile("adam", {"sum": "mse", "kind": "sparse_categorical_crossentropy"}, metrics={"kind": ["accuracy"]})
    return model


MANY = {
    "x": {"numbers": X.astype(np.float64), "words": RANDOM.integers(0, 5, (103, 4))},
    "y": {"sum": X.sum(axis=1), "kind": CLASSES},
}


def falling(epoch, rate):
    return rate * 0.5


def scheduled():
    rates = keras.optimizers.schedules.CosineDecay(0.05, 30)
    return classifier(optimizer=keras.optimizers.AdamW(rates, use_ema=True, ema_overwrite_frequency=5, clipnorm=1.0))


def watching():
    return [
        keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=0, min_delta=1.0),
        keras.callbacks.EarlyStopping(patience=1, min_delta=0.2, restore_best_weights=True),
    ]


# What trains, and with which arguments; `callbacks` makes fresh ones.
CASES = {
    "validation, weights, callbacks": (
        classifier,
        {"x": X, "y": Y, "sample_weight": WEIGHTS, "validation_data": (X[:40], Y[:40], WEIGHTS[:40]), "epochs": 6},
        watching,
    ),
    "schedule, averaged weights, split": (scheduled, {"x": X, "y": Y, "validation_split": 0.3, "epochs": 2}, list),
    "whole batches, in order": (classifier, {"x": X[:96], "y": Y[:96], "shuffle": False}, list),
    "shuffled batches, fewer validations": (
        classifier,
        {"x": X, "y": Y, "shuffle": "batch", "epochs": 3, "validation_data": (X, Y), "validation_freq": 2},
        lambda: [keras.callbacks.LearningRateScheduler(falling)],
    ),
    "a step of its own, unbuilt": (two_steps, {"x": X, "y": Y, "epochs": 2, "validation_data": (X, Y)}, list),
    "many ends": (many_ends, {**MANY, "epochs": 2, "initial_epoch": 1, "sample_weight": WEIGHTS}, list),
    "one batch, weights of classes": (
        lambda: classifier(optimizer="sgd"),
        {"x": X, "y": Y, "batch_size": 500, "class_weight": {0: 1.0, 2: 3.0}},
        list,
    ),
}


def by_keras(model, *given, **settings):
    return model.fit(*given, **settings)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow
def test_everything_is_as_keras_leaves_it(case):
    make, arguments, callbacks = CASES[case]
    arguments = {"batch_size": 16, "verbose": 0, **arguments}
    expected, model = make(), make()
    histories, streams = [], []
    for train, one in ((by_keras, expected), (cw.fit, model)):
        keras.utils.set_random_seed(3)
        histories.append(train(one, callbacks=callbacks(), **arguments))
        streams.append(np.random.random())
    told, history = histories
    assert history.epoch == told.epoch
    assert list(history.history) == list(told.history)
    for name, values in told.history.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    assert model.history is history
    assert streams[0] == streams[1]
    variables = [[*one.variables, *one.optimizer.variables] for one in (model, expected)]
    for one, other in zip(*variables, strict=True):
        np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-4, atol=1e-5, err_msg=one.path)
    x = arguments["x"]
    answers = [keras.tree.flatten(one.predict(x, verbose=0)) for one in (model, expected)]
    for one, other in zip(*answers, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def numbers(variable):
    return ops.convert_to_numpy(variable.value)


def linear(loss="mse", **settings):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6)])
    model.compile(keras.optimizers.Adam(0.1), loss, **settings)
    return model


def test_training_goes_on_where_it_was():
    once, twice = linear(), linear()
    cw.fit(once, X, X, epochs=4, shuffle=False, verbose=0)
    for _ in range(2):
        cw.fit(twice, X, X, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(once.get_weights()[0], twice.get_weights()[0])


@pytest.mark.parametrize("max_bytes", [1, 3000, 1e9])
@pytest.mark.slow
def test_pieces_and_sparse_rows_change_nothing(max_bytes):
    thin = np.where(X > 0.5, X, 0).astype(np.float64)
    whole, pieces, sparse = linear(), linear(), linear()
    given = {"epochs": 2, "batch_size": 8, "verbose": 0, "validation_data": (thin, X)}
    keras.utils.set_random_seed(3)
    expected = cw.fit(whole, thin, X, **given).history
    for model, x in ((pieces, thin), (sparse, scipy.sparse.coo_array(thin))):
        keras.utils.set_random_seed(3)
        history = cw.fit(model, x, X, max_bytes=max_bytes, **given).history
        for name in ("loss", "val_loss"):
            assert history[name] == pytest.approx(expected[name], rel=1e-6)
        np.testing.assert_allclose(model.get_weights()[0], whole.get_weights()[0], rtol=1e-5)


def test_sparse_rows_may_be_their_own_target():
    thin = scipy.sparse.random(50, 6, density=0.3, random_state=0)
    history = cw.fit(linear(cw.losses.Masked("mse", missing=0)), thin, thin, epochs=20, verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]


def test_integers_stay_integers_and_one_array_is_held_once():
    images = RANDOM.integers(0, 256, (20, 6), np.uint8)
    batches = RowBatches(images, images, None, batch_size=4, shuffle=False, most_bytes=1e9)
    assert [(array.dtype, array.shape) for array in batches.arrays] == [(np.uint8, (20, 6))]


def test_text_is_left_to_keras():
    assert not is_array(np.array(["a", "b"]))
    assert not is_array(np.array([{}, None]))
    assert not is_array(3.0)
    assert is_array(np.array([True, False]))
    assert is_array(ops.ones((2, 2)))


def test_frames_are_rows_and_converted_once(monkeypatch):
    import pandas as pd

    converted = []
    monkeypatch.setattr(user_data, "as_array", lambda value: converted.append(type(value)) or as_array(value))
    frame = pd.DataFrame(X)
    histories = []
    for x in (frame, X):
        given = {"validation_data": (x, x), "shuffle": False, "verbose": 0}
        histories.append(cw.fit(linear(), x, x, **given).history)
    assert histories[0] == histories[1]
    assert converted.count(pd.DataFrame) == 1  # input, target and held-out rows are one frame


class Counted(layers.Layer):
    """Counts how often it is traced."""

    traced = 0

    def call(self, inputs):
        Counted.traced += 1
        return inputs


def test_training_and_validation_keep_what_each_has_compiled():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6), Counted()])
    model.compile("sgd", "mse")
    weighted = {"sample_weight": WEIGHTS, "validation_data": (X, X), "verbose": 0}  # two structures of batches
    cw.fit(model, X, X, **weighted)
    traced = Counted.traced
    cw.fit(model, X, X, **weighted)
    assert Counted.traced == traced


def test_averaged_weights_train_on():
    optimizer = keras.optimizers.Adam(0.1, use_ema=True)  # whose averages overwrite the weights after each training
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6)])
    model.compile(optimizer, "mse")
    losses = [cw.fit(model, X, X, epochs=5, verbose=0).history["loss"][-1] for _ in range(3)]
    assert losses[2] < losses[1] < losses[0]


def test_what_is_compiled_is_kept_until_the_next_compile():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6), Counted()])
    model.compile("sgd", "mse")
    cw.fit(model, X[:96], X[:96], verbose=0)
    traced = Counted.traced
    cw.fit(model, X[:96] + 1, X[:96], epochs=3, verbose=0)
    cw.fit(model, X[:64], X[:64], verbose=0)
    assert Counted.traced == traced + 1  # another number of rows is another shape; the same one is not
    model.compile("adam", "mae")
    assert cw.fit(model, X[:96], 0 * X[:96], verbose=0).history["loss"][0] < np.abs(X).mean() * 3
    assert Counted.traced > traced + 1


class Watcher(keras.callbacks.Callback):
    """Record what it hears, and a weight that it sees."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.told, self.stop_after = [], stop_after

    def on_train_batch_begin(self, batch, logs=None):
        self.told.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        weight = numbers(self.model.weights[0])[0, 0]
        self.told.append((batch, round(logs["loss"], 4), round(float(weight), 4)))
        self.model.stop_training = len(self.told) == self.stop_after

    def on_test_begin(self, logs=None):
        self.told.append("test")

    def on_test_end(self, logs=None):
        self.told.append(round(logs["loss"], 4))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("stop_after", [None, 6])
def test_a_callback_that_looks_at_batches_hears_of_each(steps, stop_after):
    told = []
    for train in (by_keras, cw.fit):
        watcher = Watcher(stop_after)
        train(linear(steps_per_execution=steps), X[:96], X[:96], batch_size=16, epochs=2, shuffle=False, verbose=0,
              validation_data=(X, X), callbacks=[watcher])  # fmt: skip
        told.append(watcher.told)
    assert told[0] == told[1]


def test_a_callback_that_only_reads_logs_hears_of_every_epoch_in_order():
    class Listener(keras.callbacks.Callback):
        looks_at_model = False
        heard = ()

        def on_epoch_begin(self, epoch, logs=None):
            self.heard = (*self.heard, f"begin {epoch}")

        def on_epoch_end(self, epoch, logs=None):
            self.heard = (*self.heard, logs["loss"])

    told, expected, model = Listener(), linear(), linear()
    losses = expected.fit(X, X, epochs=9, shuffle=False, verbose=0).history["loss"]
    history = cw.fit(model, X, X, epochs=9, shuffle=False, verbose=0, callbacks=[told]).history
    assert history["loss"] == pytest.approx(losses, rel=1e-5)
    assert told.heard == tuple(part for epoch in range(9) for part in (f"begin {epoch}", history["loss"][epoch]))
    np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=1e-5, atol=1e-6)


def test_an_error_in_a_callback_leaves_a_trained_model():
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("no room on the disk")

    model, whole = linear(), linear()
    with pytest.raises(RuntimeError, match="no room"):
        cw.fit(model, X, X, epochs=5, shuffle=False, verbose=0, callbacks=[Failing()])
    cw.fit(whole, X, X, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], whole.get_weights()[0])
    assert model.evaluate(X, X, verbose=0) == pytest.approx(whole.evaluate(X, X, verbose=0))


def test_a_loss_of_nan_ends_the_training():
    history = cw.fit(linear(), X * np.float32(np.nan), X, epochs=9, verbose=0,
                     callbacks=[keras.callbacks.TerminateOnNaN()])  # fmt: skip
    assert len(history.epoch) == 1


@pytest.mark.parametrize("verbose", ["auto", 1, True])
def test_one_bar_shows_all_epochs_on_stderr(verbose, capsys):
    history = cw.fit(linear(), X, X, batch_size=10, epochs=2, verbose=verbose, validation_data=(X, X)).history
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "| 2/2 [" in shown.err
    assert f"val_loss={history['val_loss'][-1]:.4f}" in shown.err
    assert shown.err.count("\n") == 1


def test_verbose_2_is_a_line_per_epoch_on_stderr(capsys):
    history = cw.fit(linear(), X, X, epochs=3, initial_epoch=1, verbose=2).history
    lines = [f"epoch {epoch}/3: loss={loss:.4f}" for epoch, loss in zip((2, 3), history["loss"], strict=True)]
    shown = capsys.readouterr()
    assert (shown.out, shown.err.splitlines()) == ("", lines)


class Numbered(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[:5], X[:5]


class OwnFit(keras.Sequential):
    def fit(self, *given, **settings):
        return super().fit(*given, **settings)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"x": Numbered()}, "the data comes as Numbered, not as arrays of numbers"),
        ({"x": X, "y": X, "steps_per_epoch": 2}, "the number of steps is set"),
        ({"x": X, "y": X, "validation_data": Numbered()}, "the data comes as Numbered"),
    ],
)
def test_keras_trains_what_cannot_be_compiled_and_says_why(given, why, capsys):
    history = cw.fit(linear(), **given, verbose=2)
    assert len(history.history["loss"]) == 1
    shown = capsys.readouterr()
    assert f"codeword: {why}" in shown.err
    assert shown.out == ""
    cw.fit(linear(), **given, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_models_that_train_themselves_are_left_to_it(capsys):
    own = OwnFit([keras.Input((6,)), layers.Dense(6)])
    own.compile("sgd", "mse")
    cw.fit(own, X, X, verbose=2)
    assert "the model has its own method `fit`" in capsys.readouterr().err
    cw.fit(linear(run_eagerly=True), X[:8], X[:8], verbose=2)
    assert "set not to be compiled" in capsys.readouterr().err


def test_bad_input_is_refused_before_anything_is_trained():
    model = linear()
    before = model.get_weights()
    for given, received in (
        ({"x": X, "y": X[:5]}, "103, 5 rows"),
        ({"x": X[:0], "y": X[:0]}, "0, 0 rows"),
        ({"x": X, "y": X, "sample_weight": np.ones(3)}, "103, 103, 3 rows"),
        ({"x": X, "y": X, "validation_split": 0.999}, "0.999 of 103 rows"),
        ({"x": X, "y": X, "validation_data": (X, X[:4])}, "103, 4 rows"),
    ):
        with pytest.raises(cw.errors.DataError, match=f"got {received}"):
            cw.fit(model, **given, verbose=0)
    with pytest.raises(cw.errors.ParameterError, match="an integer of at least 1, or None: got -3"):
        cw.fit(model, X, X, batch_size=-3, verbose=0)
    with pytest.raises(cw.errors.ParameterError, match="got both"):
        cw.fit(model, X, CLASSES, class_weight={0: 2.0}, sample_weight=WEIGHTS, verbose=0)
    with pytest.raises(cw.errors.ParameterError, match="one array of classes as `y`: got dict"):
        cw.fit(many_ends(), MANY["x"], MANY["y"], class_weight={0: 2.0}, verbose=0)
    with pytest.raises(cw.errors.ParameterError, match="must be compiled: got"):
        cw.fit(keras.Sequential([keras.Input((6,)), layers.Dense(6)]), X, X)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_the_users_random_numbers_decide_the_order():
    histories = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        model = linear()
        np.random.seed(7)
        histories.append(cw.fit(model, X, X, batch_size=8, verbose=0).history["loss"])
    np.random.seed(8)
    assert histories[0] == histories[1] != cw.fit(linear(), X, X, batch_size=8, verbose=0).history["loss"]
