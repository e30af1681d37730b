"""Random projections and ITQ: what trained codes are compared with, and replaced by where they find less."""

import pickle

import numpy as np
import pytest

import codeword as cw
from codeword.autoencoders.plain_codes import neighbor_recall, plain_codes
from codeword.objectives.objective import Rows

X = np.random.default_rng(0).normal(size=(300, 12)) * np.linspace(1, 3, 12) + 5


@pytest.fixture(scope="module")
def untaught(tmp_path_factory):
    """Returns a model that training taught nothing, its file and what it printed."""
    model = cw.Autoencoder(data=cw.Real(), code=cw.Bits(24), hidden=(2,), epochs=2, learning_rate=1e-9, verbose=0)
    path = tmp_path_factory.mktemp("models") / "untaught.codeword"
    model.fit(X).save(path)
    return model, path


@pytest.mark.parametrize("num_bits", [5, 12, 20])
def test_plain_codes_are_balanced_bits_of_any_number(num_bits):
    for codes in plain_codes(X, num_bits, seed=0):
        bits = np.unpackbits(codes.encode(X), axis=1, count=num_bits)
        assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.15, codes.name
        assert len(np.unique(codes.matrix, axis=1).T) == num_bits


def test_columns_that_never_change_have_no_part_in_itq():
    rows = np.hstack([X, np.ones((300, 3))])
    _, itq = plain_codes(rows, 8, seed=0)
    assert np.abs(itq.matrix[12:]).max() < 1e-5
    assert np.isfinite(itq.encode(np.full((2, 15), 7.0))).all()


def test_recall_asks_with_the_first_queries_of_many_rows(monkeypatch):
    monkeypatch.setattr("codeword.autoencoders.plain_codes.MOST_SEARCHED", 100)
    seen = []
    ways = {"all": lambda rows: seen.append(len(rows)) or np.zeros((len(rows), 1), np.uint8)}
    recall = neighbor_recall(Rows(X, X), Rows(X[:7], X[:7]), ways, 8)
    assert seen == [100, 7]
    assert recall["all"] == pytest.approx(10 / 100)  # all codes are equal


def test_codes_that_find_less_than_plain_ones_are_replaced(untaught):
    model, _ = untaught
    assert model.is_linear_
    assert max(model.recall_, key=model.recall_.get) != "trained"
    assert set(model.recall_) == {"trained", "random projections", "ITQ"}
    found = neighbor_recall(Rows(X, X), Rows(X[:50] + 0.1, X[:50] + 0.1), {"codes": model.encode}, 24)
    assert found["codes"] > model.recall_["trained"]
    assert [layer.name for layer in model.encoder_.layers if layer.name.startswith("encoder_")] == ["encoder_flatten"]


def test_replaced_codes_are_stored_as_they_are(untaught):
    model, path = untaught
    codes = model.encode(X)
    np.testing.assert_allclose(model.decode(codes), model.reconstruct(X), rtol=1e-6)
    for again in (cw.load(path), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.encode(X), codes)
        np.testing.assert_array_equal(again.decode(codes), model.decode(codes))
        assert again.is_linear_
        assert again.fingerprint_ == model.fingerprint_


def test_the_user_is_told_whose_codes_they_are(capsys):
    cw.Autoencoder(data=cw.Real(), code=cw.Bits(8), hidden=(2,), epochs=1, learning_rate=1e-9, verbose=2).fit(X)
    said = capsys.readouterr().err
    assert "Share of the ten nearest found for 30 held-out rows: trained 0." in said
    assert "The codes are those of" in said


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({"objective": cw.objectives.KeepGroups()}, X),
        ({"objective": cw.objectives.Reconstruct()}, X),
        ({"code": cw.Scalars(4)}, X),
        ({}, X[:50]),  # too few to hold some out
    ],
    ids=["groups", "reconstruct", "scalars", "few"],
)
def test_other_codes_are_not_compared(settings, rows):
    model = cw.Autoencoder(
        **{"data": cw.Real(), "code": cw.Bits(8), "hidden": (2,), "epochs": 1, "verbose": 0, **settings}
    )
    assert model.fit(rows).recall_ is None
    assert not model.is_linear_
