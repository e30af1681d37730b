"""`codeword.fit` on every backend: what Keras' own fit gives, and what compiles once stays compiled."""

import numpy as np
import scipy.sparse

import codeword as cw
from codeword.backend import keras

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(203, 5)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True)


def network():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    return model


def test_results_are_those_of_keras():
    expected, model = network(), network()
    settings = {"batch_size": 4, "epochs": 2, "shuffle": False, "validation_data": (X[:30], Y[:30]), "verbose": 0}
    told = expected.fit(X, Y, sample_weight=Y[:, 0] ** 2, **settings).history
    history = cw.fit(model, X, Y, sample_weight=Y[:, 0] ** 2, **settings).history
    assert list(history) == list(told)
    for name, values in told.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert model.steps_per_execution == 1
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), expected.evaluate(X, Y, verbose=0), rtol=1e-3)


def test_sparse_rows_are_targets_too():
    thin = scipy.sparse.csr_array(np.where(X > 0.5, X, 0))
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(5)])
    model.compile("sgd", cw.losses.Masked("mse", missing=0))
    assert cw.fit(model, thin.toarray(), thin, verbose=0).history["loss"][0] > 0


def test_a_callback_hears_of_each_batch_and_others_are_told_the_same():
    class Batches(keras.callbacks.Callback):
        heard = 0

        def on_train_batch_end(self, batch, logs=None):
            Batches.heard += 1

    model = network()
    cw.fit(model, X, Y, batch_size=20, verbose=0, callbacks=[Batches()])
    assert Batches.heard == 11
    first = cw.fit(model, X, Y, batch_size=20, verbose=0).history["loss"]
    assert cw.fit(model, X, Y, batch_size=20, verbose=0, epochs=3).history["loss"][-1] < first[0]
    model.compile("sgd", "mae")
    assert np.isfinite(cw.fit(model, X, Y, verbose=0).history["loss"][0])
