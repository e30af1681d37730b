"""What every gate promises, on every backend."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor

import codeword as cw
from codeword.backend import keras

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(700, 2))
Y = RANDOM.integers(0, 2, 700)
LEFT = X[:, 0] < 0
OUTPUTS = np.where(LEFT[:, None] == [True, False], Y[:, None], 1 - Y[:, None])  # the first knows the left half
SMALL: dict[str, Any] = {"hidden": (4,), "epochs": 1, "verbose": 0}
LEARNING = {**SMALL, "epochs": 30}


@pytest.fixture(scope="module")
def gate() -> cw.HardGateClassifier:
    return cw.HardGateClassifier(**LEARNING).fit(X[:400], Y[:400], outputs=OUTPUTS[:400])


def test_it_learns_whom_to_ask(gate: cw.HardGateClassifier) -> None:
    clear = np.abs(X[:, 0]) > 0.2
    assert (gate.choose(X) == ~LEFT)[clear].mean() > 0.98
    assert (gate.predict(X, outputs=OUTPUTS) == Y)[clear].mean() > 0.98
    assert gate.history_["loss"][-1] < gate.history_["loss"][0]
    assert gate.held_out_["gate"] < 0.1


def test_its_network_gives_one_hots_of_the_scores_maxima(gate: cw.HardGateClassifier) -> None:
    entered = ((X - gate.statistics_["mean"]) / gate.statistics_["scale"]).astype(np.float32)
    one_hots = gate.model_.predict(entered, verbose=0)
    scores = keras.Model(gate.model_.inputs, gate.model_.get_layer("scores").output).predict(entered, verbose=0)
    np.testing.assert_array_equal(one_hots, np.eye(2)[scores.argmax(axis=1)])


def test_a_row_gets_the_same_choice_alone_and_among_many(gate: cw.HardGateClassifier) -> None:
    many = gate.choose(X)
    np.testing.assert_array_equal(np.concatenate([gate.choose(X[row : row + 1]) for row in range(20)]), many[:20])
    np.testing.assert_array_equal(gate.choose(X[300:307]), many[300:307])


def test_same_seed_gives_the_same_gate_and_leaves_the_users_random_numbers_alone(gate: cw.HardGateClassifier) -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    again = cw.HardGateClassifier(**LEARNING).fit(X[:400], Y[:400], outputs=OUTPUTS[:400])
    assert np.random.random() == expected
    assert again.fingerprint_ == gate.fingerprint_
    np.testing.assert_array_equal(again.choose(X), gate.choose(X))


def test_saved_pickled_and_copied_gates_are_the_same_gate(gate: cw.HardGateClassifier, tmp_path: Any) -> None:
    gate.save(tmp_path / "g.codeword")
    for again in (cw.load(tmp_path / "g.codeword"), pickle.loads(pickle.dumps(gate)), copy.deepcopy(gate)):
        np.testing.assert_array_equal(again.choose(X), gate.choose(X))
        assert again.fingerprint_ == gate.fingerprint_


def test_a_gate_of_classifiers(tmp_path: Any) -> None:
    y = np.where(Y, np.where(LEFT, "a", "b"), "c")
    gate = cw.HardGateClassifier([LogisticRegression(), GaussianNB()], **SMALL).fit(X, y)
    chosen, own = gate.choose(X), np.stack([expert.predict_proba(X) for expert in gate.experts_])
    np.testing.assert_array_equal(gate.predict_proba(X), own[chosen, np.arange(700)])
    gate.save(tmp_path / "g.codeword")
    again = cw.load(tmp_path / "g.codeword", experts=gate.experts_)
    np.testing.assert_array_equal(again.predict(X), gate.predict(X))
    with pytest.raises(cw.errors.ParameterError, match="got other answers from expert 0"):
        cw.load(tmp_path / "g.codeword", experts=gate.experts_[::-1])


def test_a_gate_of_regressors_with_two_targets(tmp_path: Any) -> None:
    y = np.column_stack([X[:, 0] * 5, np.abs(X[:, 1])])
    gate = cw.HardGateRegressor([LinearRegression(), DecisionTreeRegressor(max_depth=3)], **SMALL).fit(X, y)
    assert gate.score(X, y) > 0.5
    gate.save(tmp_path / "g.codeword")
    again = cw.load(tmp_path / "g.codeword", experts=gate.experts_)
    np.testing.assert_array_equal(again.predict(X), gate.predict(X))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_policy_of_mixed_precision_changes_no_choice(gate: cw.HardGateClassifier, policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        again = pickle.loads(pickle.dumps(gate))
        np.testing.assert_array_equal(again.choose(X), gate.choose(X))
    finally:
        keras.config.set_dtype_policy(before)
