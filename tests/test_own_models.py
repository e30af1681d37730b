"""Encoders and decoders as people write them: taken with what they compute, or refused before anything is trained."""

import numpy as np
import pytest

import codeword as cw
from codeword.autoencoders.networks import build_autoencoder
from codeword.backend import keras
from codeword.errors import ParameterError

L, ops = keras.layers, keras.ops
FOUR = cw.Levels([0, 0.25, 0.5, 0.75])
SIGNS = np.random.default_rng(0).choice([-1.0, 1.0], (5, 6)).astype(np.float32)
ROWS = np.random.default_rng(1).random((5, 4, 4), np.float32)


def chain(*layers):
    return keras.Sequential(list(layers))


def decoder(*last, units=16):
    return chain(keras.Input((6,)), L.Dense(units), *last)


def networks(kind=None, shape=(4, 4), code=None, **own):
    return build_autoencoder(kind or cw.UnitInterval(), code or cw.Bits(6), shape, hidden=(3,), noise=0.0, **own)


def output(model, x=SIGNS):
    return ops.convert_to_numpy(model(x, training=False))


class Encoder(keras.Model):
    """The encoder of TensorFlow's tutorial."""

    def __init__(self, units=3, activation="relu"):
        super().__init__()
        self.inner = chain(L.Flatten(), L.Dense(units, activation=activation))

    def call(self, x):
        return self.inner(x)


class Decoder(L.Layer):
    """The decoder of Keras' guide to subclassing."""

    def __init__(self, units=16, name="decoder"):
        super().__init__(name=name)
        self.last = L.Dense(units, activation="sigmoid")

    def call(self, x):
        return self.last(x)


class Held(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


class Sampling(L.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, mean):
        return mean + keras.random.normal(ops.shape(mean), seed=self.seeds)


def called(model, x):
    model(x)
    return model


def functional(call, shape=(6,)):
    given = keras.Input(shape)
    return keras.Model(given, call(given))


def twice():
    return chain(keras.Input((6,)), L.Dense(4), chain(keras.Input((4,)), L.Dense(16, "sigmoid"), L.Reshape((4, 4))))


# Decoders


@pytest.mark.parametrize(
    "own",
    [
        lambda: decoder(L.Activation("sigmoid"), L.Reshape((4, 4))),
        lambda: decoder(L.Activation("sigmoid")),
        lambda: decoder(L.Reshape((4, 4, 1)), L.Activation("sigmoid")),
        lambda: chain(keras.Input((6, 1)), L.Flatten(), L.Dense(16, "sigmoid"), L.Reshape((4, 4))),
        twice,
        lambda: functional(lambda x: ops.sigmoid(L.Reshape((4, 4))(L.Dense(16)(x)))),
        lambda: called(Decoder(), SIGNS),
        lambda: decoder(L.Activation(lambda x: 1 / (1 + ops.exp(-x))), L.Reshape((4, 4))),
    ],
    ids=["activation", "flat", "channel", "shaped codes", "nested", "operation", "layer of a guide", "lambda"],
)
def test_a_sigmoid_is_not_put_on_a_sigmoid(own):
    own = own()
    made = networks(decoder=own).decoder
    given = SIGNS[..., None] if own.built and getattr(own, "input_shape", (0,))[1:] == (6, 1) else SIGNS
    np.testing.assert_allclose(output(made), output(own, given).reshape(5, 4, 4), atol=1e-6)
    assert made.count_params() == own.count_params()


def test_an_output_without_activation_gets_the_heads():
    own = decoder(L.Reshape((4, 4)))
    np.testing.assert_allclose(output(networks(decoder=own).decoder), 1 / (1 + np.exp(-output(own))), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "last", "units"),
    [
        (cw.Binary(), [L.Activation("sigmoid"), L.Reshape((4, 4))], 16),
        (cw.UnitInterval("binary_crossentropy"), [L.Reshape((4, 4, 1)), L.Activation("sigmoid")], 16),
        (FOUR, [L.Reshape((4, 4, 4)), L.Softmax()], 64),
        (cw.Levels([0, 1], loss="ordinal"), [L.Activation("sigmoid")], 16),
    ],
    ids=["binary", "shares", "levels", "ordinal"],
)
def test_probabilities_become_the_logits_that_made_them(kind, last, units):
    own = decoder(*last, units=units)
    logits = output(chain(*own.layers[:1]))
    found = output(networks(kind, decoder=own).decoder)
    if kind is FOUR:  # a softmax forgets what all logits have in common
        logits = logits.reshape(found.shape)
        found, logits = (values - values.mean(axis=-1, keepdims=True) for values in (found, logits))
    np.testing.assert_allclose(found, logits.reshape(found.shape), atol=1e-4)


def test_a_saturated_probability_gives_finite_logits():
    own = decoder(L.Activation("sigmoid"), L.Reshape((4, 4)))
    own.set_weights([100 * weights for weights in own.get_weights()])
    found = output(networks(cw.Binary(), decoder=own).decoder)
    assert 10 < np.abs(found).max() < 20


@pytest.mark.parametrize(
    ("kind", "last", "message"),
    [
        (cw.UnitInterval(), ["relu"], "in a sigmoid or without an activation for UnitInterval.*: got relu"),
        (cw.UnitInterval(), ["tanh"], "got tanh, with values from -1 to 1"),
        (cw.UnitInterval(), [L.Reshape((16,)), "softmax", L.Reshape((4, 4))], "got softmax"),
        (cw.UnitInterval(), ["sigmoid", "sigmoid"], "got two activations in a row, sigmoid and sigmoid"),
        (cw.UnitInterval(maximum=255), ["sigmoid", L.Rescaling(255)], "with values from 0 to 255"),
        (cw.Real(), ["sigmoid"], "without an activation for Real.*: got sigmoid"),
        (cw.Levels([0, 1], loss="mse"), ["sigmoid"], "got sigmoid"),
        (cw.Levels([0, 1], loss="ordinal"), ["relu"], "in a sigmoid or without an activation for Levels"),
    ],
)
def test_another_activation_is_refused(kind, last, message):
    layers = [L.Activation(one) if isinstance(one, str) else one for one in last]
    with pytest.raises(ParameterError, match=message):
        networks(kind, decoder=decoder(L.Reshape((4, 4, 1)), *layers))


def test_other_outputs_are_features():
    for own in (decoder(L.Activation("relu"), units=7), decoder(L.Activation("relu"))):
        assert networks(decoder=own).decoder.count_params() > own.count_params()


# Encoders


@pytest.mark.parametrize(
    "own",
    [
        lambda: chain(keras.Input((16,)), L.Dense(3)),
        lambda: chain(keras.Input((4, 4, 1)), L.Conv2D(2, 3), L.Flatten(), L.Dense(3)),
        lambda: called(Encoder(), ROWS),
        lambda: called(chain(L.Flatten(), L.Dense(3)), ROWS),
        lambda: functional(lambda x: [L.Dense(3)(L.Flatten()(L.Lambda(lambda v: v * 2)(x)))], (4, 4)),
        lambda: functional(lambda x: {"z": L.Dense(3)(L.Flatten()(x))}, (4, 4)),
    ],
    ids=["flat", "channel", "subclassed", "called", "Lambda", "a dictionary of one"],
)
def test_encoders_are_copied_with_their_weights(own):
    own = own()
    made = networks(encoder=own).encoder.get_layer("own_encoder")
    shape = made.input_shape[1:]
    found = keras.tree.flatten(own(ROWS.reshape(5, *shape)))[0]
    np.testing.assert_allclose(output(made, ROWS.reshape(5, *shape)), ops.convert_to_numpy(found), atol=1e-6)
    made.set_weights([0 * weights for weights in made.get_weights()])
    assert np.abs(own.get_weights()[0]).max() > 0


def test_unbuilt_models_get_weights():
    made = networks(encoder=chain(L.Flatten(), L.Dense(5)), decoder=chain(L.Dense(16, "sigmoid"), L.Reshape((4, 4))))
    assert made.model.count_params() == 16 * 5 + 5 + 5 * 6 + 2 * 6 + 6 * 16 + 16


def vae(shape=(4, 4)):
    given = keras.Input(shape)
    mean = L.Dense(3, name="z_mean")(L.Flatten()(given))
    return given, mean, Sampling()(mean)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (lambda: keras.Model((v := vae())[0], v[1:]), r"got 2 \(z_mean, sampl"),
        (lambda: keras.Model((v := vae())[0], v[2]), r"same output for the same row.*return its mean"),
        (lambda: called(Held(chain(L.Flatten(), L.Dense(3))), ROWS), "that Keras can copy.*Define `get_config`"),
        (lambda: called(Encoder(3, "tanh"), ROWS), r"the copy of .* returns other values\. .* by name"),
        (Encoder, "must be built if its class is your own"),
        (lambda: called(Encoder(), ROWS[:, :2]), r"must have weights for rows of shape \(4, 4\)"),
        (lambda: chain(keras.Input((5,)), L.Dense(3)), r"rows of shape \(4, 4\): got a model that takes \(5,\)"),
        (lambda: chain(keras.Input((4, 4), dtype="uint8"), L.Flatten()), "must take floats: got .* uint8"),
        (lambda: chain(L.Conv2D(2, 3), L.Flatten()), r"rows of shape \(4, 4\): .* failed"),
        (lambda: "conv", "must be a Keras model or layer: got 'conv'"),
    ],
    ids=[
        "outputs",
        "sampling",
        "no configuration",
        "by position",
        "not built",
        "weights",
        "shape",
        "bytes",
        "no channel",
        "a string",
    ],
)
def test_encoders_that_cannot_be_taken_are_refused(own, message):
    with pytest.raises(ParameterError, match=message) as caught:
        networks(encoder=own())
    assert len(str(caught.value)) < 700


def test_levels_enter_as_one_hot_and_the_error_says_so():
    with pytest.raises(ParameterError, match=r"one-hot, on a last axis of 4\. Start it with keras.Input\(\(4, 4, 4\)"):
        networks(FOUR, encoder=chain(keras.Input((4, 4, 1)), L.Conv2D(2, 3)))


def test_an_encoder_that_rescales_what_is_scaled_is_refused_before_training():
    own = chain(keras.Input((4, 4)), L.Reshape((4, 4, 1)), L.Rescaling(1 / 255), L.Flatten())
    model = cw.Autoencoder(data=cw.UnitInterval(maximum=255), encoder=own, verbose=0)
    with pytest.raises(ParameterError, match=r"begins with Rescaling\(0.003922\)"):
        model.fit((255 * ROWS).astype(np.uint8))
    assert not hasattr(model, "model_")


# Files


def test_a_file_from_when_a_second_sigmoid_followed_is_refused(tmp_path, monkeypatch):
    settings = {"data": cw.UnitInterval(), "code": cw.Bits(6), "hidden": (3,), "epochs": 1, "verbose": 0}
    own = decoder(L.Activation("sigmoid"), L.Reshape((4, 4)))
    model = cw.Autoencoder(decoder=own, objective=cw.objectives.Reconstruct(), **settings).fit(ROWS)
    model.save(tmp_path / "m.codeword")
    again = cw.load(tmp_path / "m.codeword", decoder=own)
    np.testing.assert_array_equal(again.decode(again.encode(ROWS)), model.reconstruct(ROWS))
    monkeypatch.setattr(type(model), "_keeps_own_output", lambda self: False)
    model.save(tmp_path / "old.codeword")
    monkeypatch.undo()
    with pytest.raises(ParameterError, match=r"put a second one behind it.*Train the model again"):
        cw.load(tmp_path / "old.codeword", decoder=own)
