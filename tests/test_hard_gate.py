"""Gates beyond their contract: known answers, whom they ask and what for, awkward and bad input, scikit-learn."""

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, RepeatedKFold, TimeSeriesSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from codeword import HardGateClassifier, HardGateRegressor
from codeword.backend import keras
from codeword.errors import CodewordError, DataError, DataTypeError, DivergedError, ExpertError, ParameterError
from codeword.gates import hard_gate
from codeword.gates.network import build_gate
from codeword.gates.training import TrainedGate

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 2))
Y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)
RIGHT_AND_WRONG = np.stack([Y, 1 - Y], axis=1)


def quick(experts: Any = None, *, kind: Any = HardGateClassifier, **settings: Any) -> Any:
    return kind(experts, **{"hidden": (4,), "epochs": 1, "verbose": 0, **settings})


def sectors(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gives rows on a plane, labels, three experts' answers, and the expert who knows: each does in its own third."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(num_rows, 2))
    y = random.integers(0, 2, num_rows)
    third = (np.arctan2(x[:, 1], x[:, 0]) // (2 * np.pi / 3)).astype(int) % 3
    answers = random.integers(0, 2, (num_rows, 3))
    answers[np.arange(num_rows), third] = y
    return x, y, answers, third


@pytest.fixture(scope="module")
def of_sectors() -> HardGateClassifier:
    x, y, answers, _ = sectors(900, seed=0)
    return HardGateClassifier(verbose=0).fit(x, y, outputs=answers)


class Seen:
    """What a gate that is not trained at all was given to learn from."""

    rows: np.ndarray
    costs: np.ndarray


@pytest.fixture
def by_first_column(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Replaces training: the first column alone decides, from the first expert at -1 spread to the last at +1."""
    seen = Seen()

    def untrained(rows: np.ndarray, costs: np.ndarray, num_features: int, recipe: Any) -> TrainedGate:
        seen.rows, seen.costs = rows, costs
        model = build_gate(num_features, costs.shape[1], hidden=())
        centers = np.linspace(-1, 1, costs.shape[1])
        kernel = np.zeros((rows.shape[1], costs.shape[1]))
        kernel[0] = 2 * centers
        model.set_weights([kernel, -(centers**2)])
        return TrainedGate(model=model, hidden=(), history={"loss": [0.0]}, held_out={})

    monkeypatch.setattr(hard_gate, "train_gate", untrained)
    return seen


def routed(experts: Any = None, **settings: Any) -> Any:
    return quick(experts, hidden=(), **settings)


class Says:
    """Gives one answer, or what a function of the rows gives; remembers what it was asked. Nothing to fit."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def predict(self, x: Any) -> Any:
        self.asked.append(x)
        return self.answer(x) if callable(self.answer) else np.full(len(x), self.answer)

    def rows(self) -> np.ndarray:
        return np.concatenate(self.asked) if self.asked else np.empty((0, 2))


class Remembers(ClassifierMixin, BaseEstimator):
    """Answers 1 to rows that it was fitted to, and 0 to others."""

    def fit(self, x: Any, y: Any) -> "Remembers":
        self.classes_ = np.unique(y)
        self.rows_ = {row.tobytes() for row in x}
        return self

    def predict(self, x: Any) -> Any:
        return np.array([int(row.tobytes() in self.rows_) for row in x])


class Wants(ClassifierMixin, BaseEstimator):
    """Answers the first class; writes down what kind of thing its rows are."""

    kinds: list[str] = []  # noqa: RUF012  # clones write on one list

    def fit(self, x: Any, y: Any) -> "Wants":
        self.classes_ = np.unique(y)
        self.kinds.append(f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}")
        return self

    def predict(self, x: Any) -> Any:
        self.kinds.append(f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}")
        return np.full(len(x), self.classes_[0])


class Sensitive(ClassifierMixin, BaseEstimator):
    """Raises in `fit` or `predict`, or for some rows only."""

    def __init__(self, at: str = "predict") -> None:
        self.at = at

    def fit(self, x: Any, y: Any) -> "Sensitive":
        if self.at == "fit":
            raise RuntimeError("no license")
        self.classes_ = np.unique(y)
        return self

    def predict(self, x: Any) -> Any:
        if self.at == "predict" or (self.at == "far rows" and np.abs(x).max() > 50):
            raise RuntimeError("no license")
        return np.full(len(x), self.classes_[0])


def two() -> list[Any]:
    return [LogisticRegression(), DecisionTreeClassifier(max_depth=2, random_state=0)]


def fitted_two(y: Any = Y) -> list[Any]:
    return [expert.fit(X, y) for expert in two()]


# Known answers


@pytest.mark.slow
def test_it_learns_whom_to_ask_in_three_sectors(of_sectors: HardGateClassifier) -> None:
    x, y, answers, third = sectors(2000, seed=1)
    chosen = of_sectors.choose(x)
    assert chosen.dtype == np.int64
    assert (chosen == third).mean() > 0.93
    assert (of_sectors.predict(x, outputs=answers) == y).mean() > 0.95
    np.testing.assert_allclose(of_sectors.usage_, 1 / 3, atol=0.08)
    assert of_sectors.usage_.sum() == pytest.approx(1)
    held_out = of_sectors.held_out_
    assert held_out["best_possible"] == 0
    assert held_out["gate"] < 0.1 < 0.25 < held_out["best_expert"]


def test_it_learns_which_of_two_experts_knows_a_half_of_the_plane() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(600, 2)), random.integers(0, 2, 600)
    hint = np.where(y, 1.0, -1.0) * random.random(600)  # what an expert sees, right in its own half
    rows = np.column_stack([x, np.where(x[:, 0] > 0, hint, -hint)])
    experts = [Says(lambda x: (x[:, 2] > 0).astype(int)), Says(lambda x: (x[:, 2] < 0).astype(int))]
    gate = quick(experts, epochs=30).fit(rows[:400], y[:400])
    assert (gate.choose(rows[400:]) == (rows[400:, 0] < 0)).mean() > 0.9
    assert gate.score(rows[400:], y[400:]) > 0.9


@pytest.mark.parametrize("num_targets", [None, 2])
def test_regressors_with_a_known_split(num_targets: int | None) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 1))
    slopes = np.array([1.0, 100.0])[:num_targets]  # each target counts by its own spread
    y = np.abs(x) * slopes if num_targets else np.abs(x[:, 0])
    outputs = np.stack([x * slopes, -x * slopes], axis=1) if num_targets else np.column_stack([x, -x])
    gate = quick(kind=HardGateRegressor, epochs=60).fit(x[:300], y[:300], outputs=outputs[:300])
    chosen = gate.choose(x[300:])
    clear = np.abs(x[300:, 0]) > 0.1
    np.testing.assert_array_equal(chosen[clear], (x[300:, 0] < 0)[clear])
    answers = gate.predict(x[300:], outputs=outputs[300:])
    assert answers.dtype == np.float64
    np.testing.assert_array_equal(answers, outputs[300:][np.arange(100), chosen])
    np.testing.assert_allclose(answers[clear], y[300:][clear])


def test_a_gate_that_can_learn_nothing_is_hardly_worse_than_the_best_expert() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(900, 3)), random.integers(0, 3, 900)
    wrong = random.random((900, 3)) < [0.4, 0.2, 0.4]  # the same everywhere
    outputs = np.where(wrong, (y[:, None] + 1) % 3, y[:, None])
    gate = quick(epochs=5, hidden=(16,)).fit(x[:300], y[:300], outputs=outputs[:300])
    right = gate.predict(x[300:], outputs=outputs[300:]) == y[300:]
    assert right.mean() > (outputs[300:, 1] == y[300:]).mean() - 0.03


def test_balance_spreads_the_usage() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(300, 2)), random.integers(0, 2, 300)
    outputs = np.where(random.random((300, 2)) < [0.1, 0.3], 1 - y[:, None], y[:, None])
    assert quick(epochs=20).fit(x, y, outputs=outputs).usage_[0] > 0.9
    assert quick(epochs=20, balance=1.0).fit(x, y, outputs=outputs).usage_.min() > 0.25


def test_huge_and_constant_columns_do_not_matter() -> None:
    random = np.random.default_rng(0)
    sign = random.choice([-1.0, 1.0], 300)
    x = np.column_stack([1.7e9 + sign, np.full(300, 0.1), np.full(300, -3e8), random.normal(size=300) * 1e-12])
    y = random.integers(0, 2, 300)
    outputs = np.where((sign[:, None] > 0) == [True, False], y[:, None], 1 - y[:, None])
    gate = quick(epochs=40).fit(x, y, outputs=outputs)
    np.testing.assert_array_equal(gate.choose(x), (sign < 0).astype(int))


# Whom it asks, and for what


def test_every_expert_sees_exactly_its_rows_and_once(by_first_column: Seen) -> None:
    experts = [Says(0), Says(1), Says(0)]
    gate = routed(experts).fit(X, Y)
    for expert in experts:
        expert.asked.clear()
    chosen = gate.choose(X)
    assert not any(expert.asked for expert in experts)
    assert np.unique(chosen).tolist() == [0, 1, 2]
    answers = gate.predict(X)
    np.testing.assert_array_equal(answers, np.array([0, 1, 0])[chosen])
    for number, expert in enumerate(experts):
        assert len(expert.asked) == 1
        np.testing.assert_array_equal(expert.rows(), X[chosen == number])


def test_an_expert_without_rows_is_not_asked(by_first_column: Seen) -> None:
    experts = [Says(0), Says(1)]
    gate = routed(experts).fit(X, Y)
    for expert in experts:
        expert.asked.clear()
    gate.predict(X[X[:, 0] < -0.5])
    assert len(experts[0].asked) == 1
    assert experts[1].asked == []


def test_choices_are_those_of_the_network(by_first_column: Seen) -> None:
    gate = routed().fit(X, Y, outputs=RIGHT_AND_WRONG)
    np.testing.assert_array_equal(gate.choose(X), X[:, 0] > X[:, 0].mean())
    np.testing.assert_array_equal(by_first_column.costs, np.stack([np.zeros(60), np.ones(60)], axis=1))
    np.testing.assert_allclose(by_first_column.rows, (X - X.mean(axis=0)) / X.std(axis=0), rtol=1e-5, atol=1e-6)


def test_fitted_experts_stay_the_same_objects_and_unchanged(by_first_column: Seen) -> None:
    experts = fitted_two()
    before = pickle.dumps(experts)
    gate = routed(experts).fit(X[:30], 1 - Y[:30])
    assert gate.experts_[0] is experts[0]
    assert gate.experts_[1] is experts[1]
    gate.predict(X)
    assert pickle.dumps(experts) == before


def test_unfitted_experts_are_cloned_and_the_users_stay_unfitted(by_first_column: Seen) -> None:
    experts = two()
    gate = routed(experts).fit(X, Y)
    for expert, fitted, own in zip(experts, gate.experts_, fitted_two(), strict=True):
        assert fitted is not expert
        assert not hasattr(expert, "classes_")
        np.testing.assert_array_equal(fitted.predict_proba(X), own.predict_proba(X))  # fitted to all rows


def test_predictions_are_the_chosen_experts_own(by_first_column: Seen) -> None:
    experts = fitted_two()
    gate = routed(experts).fit(X, Y)
    chosen = gate.choose(X)
    assert 0 < chosen.mean() < 1
    for method in ("predict", "predict_proba"):
        own = np.stack([getattr(expert, method)(X) for expert in experts])
        np.testing.assert_array_equal(getattr(gate, method)(X), own[chosen, np.arange(60)])


def test_a_classifier_costs_1_where_it_errs_however_sure_it_is(by_first_column: Seen) -> None:
    experts = fitted_two()
    routed(experts).fit(X, Y)
    errors = np.stack([expert.predict(X) != Y for expert in experts], axis=1)
    np.testing.assert_array_equal(by_first_column.costs, errors)
    probabilities = np.stack([expert.predict_proba(X) for expert in experts], axis=1)
    gate = routed().fit(X, Y, outputs=probabilities)
    np.testing.assert_array_equal(by_first_column.costs, errors)
    own = probabilities[np.arange(60), gate.choose(X)]
    np.testing.assert_array_equal(gate.predict_proba(X, outputs=probabilities), own)
    np.testing.assert_array_equal(gate.predict(X, outputs=probabilities), own.argmax(axis=1))


def test_a_regressor_costs_its_squared_error_in_spreads_of_the_answers(by_first_column: Seen) -> None:
    y = np.column_stack([X[:, 0] * 10, X[:, 1]])
    routed([Says(lambda x: y * 0), Says(lambda x: y[:, ::-1])], kind=HardGateRegressor).fit(X, y)
    errors = np.stack([y, y - y[:, ::-1]], axis=1) / y.std(axis=0)
    np.testing.assert_allclose(by_first_column.costs, np.square(errors).mean(axis=2))


def test_unfitted_experts_are_judged_on_rows_that_they_have_not_seen(by_first_column: Seen) -> None:
    for cv in (2, 5, KFold(3)):
        routed([Remembers(), Remembers()], cv=cv).fit(X, Y)
        np.testing.assert_array_equal(by_first_column.costs, np.stack([Y, Y], axis=1))


def test_rows_that_no_fold_holds_out_teach_nothing(by_first_column: Seen) -> None:
    gate = routed([Remembers(), Remembers()], cv=TimeSeriesSplit(3)).fit(X, Y)
    np.testing.assert_array_equal(by_first_column.costs, np.stack([Y[15:], Y[15:]], axis=1))
    assert gate.usage_.sum() == pytest.approx(1)
    assert gate.experts_[0].predict(X[:15]).all()  # but the experts learn from them


def test_rows_held_out_several_times_cost_their_mean(by_first_column: Seen) -> None:
    several = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    experts = [DecisionTreeClassifier(max_depth=1, random_state=0), GaussianNB()]
    routed(experts, cv=several).fit(X, Y)
    costs = np.zeros((60, 2))
    for seen, unseen in several.split(X):
        for number, expert in enumerate(experts):
            costs[unseen, number] += (clone(expert).fit(X[seen], Y[seen]).predict(X[unseen]) != Y[unseen]) / 2
    np.testing.assert_allclose(by_first_column.costs, costs, atol=1e-12)


def test_an_expert_that_knows_its_rows_by_heart_fools_no_gate() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 2))
    y = np.where(random.random(500) < 0.3, x[:, 0] < 0, x[:, 0] > 0)
    gate = quick([KNeighborsClassifier(1), LinearSVC()], epochs=5).fit(x[:250], y[:250])
    assert gate.experts_[0].score(x[:250], y[:250]) == 1
    assert gate.usage_[1] > 0.9
    assert gate.score(x[250:], y[250:]) > gate.experts_[1].score(x[250:], y[250:]) - 0.03


# Labels


LABELS: dict[str, Callable[[np.ndarray], Any]] = {
    "integers": lambda y: y * 7 - 3,
    "text": lambda y: np.array(["nö", "yes"])[y],
    "text as objects": lambda y: np.array(["no", "yes"], object)[y],
    "booleans": lambda y: y == 1,
    "floats": lambda y: y.astype(float),
    "bytes of numbers": lambda y: y.astype(np.uint8),
    "a list": lambda y: np.array(["no", "yes"])[y].tolist(),
}


@pytest.mark.parametrize("change", LABELS.values(), ids=LABELS)
def test_labels_of_every_kind_come_back(change: Callable[[np.ndarray], Any], by_first_column: Seen) -> None:
    y = change(Y)
    expected = np.asarray(y)
    unfitted, fitted = routed(two()).fit(X, y), routed(fitted_two(y)).fit(X, y)
    of_outputs = routed().fit(X, y, outputs=np.stack([expected, expected[::-1]], axis=1))
    for gate, more in ((unfitted, {}), (fitted, {}), (of_outputs, {"outputs": np.stack([expected] * 2, axis=1)})):
        assert gate.classes_.tolist() == np.unique(expected).tolist()
        answers = gate.predict(X, **more)
        assert answers.dtype == expected.dtype
        assert gate.score(X, y) > 0.9 if not more else (answers == expected).all()


@pytest.mark.parametrize(("of_experts", "of_gate"), [("text", "text as objects"), ("text as objects", "text")])
def test_text_and_text_as_objects_are_one_kind(of_experts: str, of_gate: str, by_first_column: Seen) -> None:
    change = LABELS[of_experts] if of_experts != "text" else lambda y: np.array(["no", "yes"])[y]
    y = np.array(["no", "yes"], object if "objects" in of_gate else None)[Y]
    gate = routed(fitted_two(change(Y))).fit(X, y)
    assert gate.predict(X).dtype == y.dtype
    assert gate.score(X, y) > 0.9


def test_experts_may_know_different_classes(by_first_column: Seen) -> None:
    third = np.where(X[:, 1] > 0.5, 2, Y)
    y = np.array(["a", "b", "c"])[third]
    first = GaussianNB().fit(X[third < 2], y[third < 2])
    second = GaussianNB().fit(X[third > 0], y[third > 0])
    gate = routed([first, second]).fit(X, y)
    assert gate.classes_.tolist() == ["a", "b", "c"]
    probabilities, chosen = gate.predict_proba(X), gate.choose(X)
    np.testing.assert_array_equal(probabilities[chosen == 0, :2], first.predict_proba(X[chosen == 0]))
    np.testing.assert_array_equal(probabilities[chosen == 1, 1:], second.predict_proba(X[chosen == 1]))
    assert not probabilities[chosen == 0, 2].any()
    assert not probabilities[chosen == 1, 0].any()
    np.testing.assert_array_equal(by_first_column.costs[third == 2, 0], 1)  # it cannot be right there


def test_experts_may_know_classes_that_the_rows_lack(by_first_column: Seen) -> None:
    few = Y == 0
    gate = routed(fitted_two()).fit(X[few], Y[few])
    assert gate.classes_.tolist() == [0, 1]
    assert set(gate.predict(X)) == {0, 1}


def test_classes_of_an_expert_need_no_order(by_first_column: Seen) -> None:
    class Reversed(Says):
        classes_ = np.array([1, 0])

        def predict_proba(self, x: Any) -> Any:
            return np.tile([0.9, 0.1], (len(x), 1))

    gate = routed([Reversed(1), Reversed(1)]).fit(X, Y)
    np.testing.assert_array_equal(gate.predict_proba(X[:2]), [[0.1, 0.9]] * 2)


def test_a_rare_class_may_be_missing_in_a_fold(by_first_column: Seen) -> None:
    y = np.where(np.arange(60) == 7, 2, Y)
    gate = routed(two()).fit(X, y)
    assert gate.classes_.tolist() == [0, 1, 2]
    assert by_first_column.costs[7].min() == 1  # whoever has not seen it gives it no probability


def test_probabilities_are_there_only_where_all_experts_have_them(by_first_column: Seen) -> None:
    for experts in ([SVC(), GaussianNB()], [LinearSVC().fit(X, Y), GaussianNB().fit(X, Y)]):
        assert not hasattr(routed(experts), "predict_proba")
        assert not hasattr(routed(experts).fit(X, Y), "predict_proba")
    assert hasattr(routed(two()), "predict_proba")
    assert not hasattr(routed().fit(X, Y, outputs=RIGHT_AND_WRONG), "predict_proba")
    assert hasattr(routed().fit(X, Y, outputs=np.eye(2)[RIGHT_AND_WRONG]), "predict_proba")
    assert not hasattr(HardGateRegressor(), "predict_proba")


def test_one_class_alone(by_first_column: Seen) -> None:
    gate = routed([DecisionTreeClassifier(), GaussianNB()]).fit(X, Y * 0 + 3)
    assert (gate.predict(X) == 3).all()
    np.testing.assert_array_equal(gate.predict_proba(X), np.ones((60, 1)))


# Rows


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_reach_the_experts_as_frames(library: str, by_first_column: Seen) -> None:
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    if library == "pandas":
        frame.index = np.arange(60)[::-1] * 3 - 7  # rows are told by place, not by name
    Wants.kinds.clear()
    gate = routed([Wants(), Wants()]).fit(frame, Y)
    assert Wants.kinds[:22] == [f"{library}.DataFrame"] * 22  # five folds and the end; the rest are made-up rows
    Wants.kinds.clear()
    gate.predict(frame)
    assert Wants.kinds == [f"{library}.DataFrame"] * 2
    assert gate.feature_names_in_.tolist() == ["a", "b"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's, that these rows have no names
        np.testing.assert_array_equal(gate.choose(frame), gate.choose(X))


def test_frames_and_arrays_give_the_same_answers(by_first_column: Seen) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b"], index=np.arange(60)[::-1])
    y = pd.Series(Y, index=np.arange(60) + 99)
    of_frame, of_array = routed(two()).fit(frame, y), routed(two()).fit(X, Y)
    # The experts read a frame's columns and an array's rows in another order: the last digit may differ.
    np.testing.assert_allclose(of_frame.predict_proba(frame), of_array.predict_proba(X), rtol=1e-12)
    with pytest.raises(ValueError, match="feature names"):
        of_frame.predict(frame[["b", "a"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        of_frame.choose(X)


def test_experts_may_take_columns_by_name(by_first_column: Seen) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b"])
    experts = [Says(lambda x: (x["a"] > 0).astype(int)), Says(lambda x: (x["b"] > 0).astype(int))]
    gate = routed(experts).fit(frame, Y)
    chosen = gate.choose(frame)
    np.testing.assert_array_equal(gate.predict(frame), (X > 0)[np.arange(60), chosen])


def test_lists_reach_the_experts_as_arrays(by_first_column: Seen) -> None:
    Wants.kinds.clear()
    gate = routed([Wants(), Wants()]).fit(X.tolist(), Y.tolist())
    np.testing.assert_array_equal(gate.choose(X.tolist()), gate.choose(X))
    gate.predict(X.tolist())
    assert set(Wants.kinds) == {"numpy.ndarray"}


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda x: x.astype(">f8"), lambda x: np.repeat(x, 2, axis=0)[::2], lambda x: x.astype("f4")],
    ids=["fortran", "big-endian", "strided", "float32"],
)
def test_memory_layout_and_dtype_do_not_matter(of_sectors: HardGateClassifier, change: Any) -> None:
    x = sectors(100, seed=3)[0].astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(of_sectors.choose(change(x)), of_sectors.choose(x))


def test_a_row_alone_gets_the_choice_that_it_has_among_ten_thousand(of_sectors: HardGateClassifier) -> None:
    x = sectors(10_000, seed=2)[0]
    many = of_sectors.choose(x)
    assert [int(of_sectors.choose(x[row : row + 1])[0]) for row in range(0, 10_000, 500)] == many[::500].tolist()
    np.testing.assert_array_equal(of_sectors.choose(x[300:307]), many[300:307])


def test_rows_far_off_choose_like_those_at_the_edge(of_sectors: HardGateClassifier) -> None:
    angles = np.array([0.5, 1.0, 1.5]) * 2 * np.pi / 3 + 0.1
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    far = of_sectors.choose(directions * 1e6)
    np.testing.assert_array_equal(of_sectors.choose(directions * 3e38), far)


def test_read_only_input_is_not_changed(by_first_column: Seen) -> None:
    x, y = X.copy(), Y.copy()
    x.flags.writeable = y.flags.writeable = False
    routed(two()).fit(x, y).predict(x)
    np.testing.assert_array_equal(x, X)


def test_one_feature_few_rows_and_one_row() -> None:
    assert quick(two(), cv=4).fit(X[:4, :1], [0, 1, 0, 1]).predict(X[:, :1]).shape == (60,)
    assert quick().fit(X[:1], ["a"], outputs=[["a", "a"]]).predict(X[:1], outputs=[["a", "a"]]) == ["a"]


def test_experts_that_are_all_alike() -> None:
    for outputs in (np.stack([Y, Y, Y], axis=1), np.stack([1 - Y, 1 - Y, 1 - Y], axis=1)):
        gate = quick(epochs=2).fit(X, Y, outputs=outputs)
        np.testing.assert_array_equal(gate.predict(X, outputs=outputs), outputs[:, 0])
        assert gate.usage_.sum() == pytest.approx(1)


# What experts may be


def test_a_keras_model_may_be_an_expert(by_first_column: Seen) -> None:
    def expert(slope: float) -> Any:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        model.set_weights([np.array([[slope], [0.0]])])
        model.predict = model.predict_on_batch  # its own shows a bar
        return model

    gate = routed([expert(1.0), expert(-1.0)], kind=HardGateRegressor).fit(X, np.abs(X[:, 0]))
    expected = np.where(gate.choose(X) == 0, X[:, 0], -X[:, 0])
    np.testing.assert_allclose(gate.predict(X), expected, rtol=1e-6)


def test_an_estimator_that_is_not_of_scikit_learn(by_first_column: Seen) -> None:
    class Alike:
        """Has what `clone` needs, and nothing else of scikit-learn."""

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return {}

        def fit(self, x: Any, y: Any) -> "Alike":
            self.most_ = np.bincount(y).argmax()
            return self

        def predict(self, x: Any) -> Any:
            return np.full(len(x), self.most_)

    users = [Alike(), Alike()]
    gate = routed(users).fit(X, Y)
    assert not hasattr(users[0], "most_")
    assert (gate.predict(X) == np.bincount(Y).argmax()).all()
    fitted = [Alike().fit(X, Y), Alike().fit(X, Y)]
    assert routed(fitted).fit(X, Y).experts_[0] is fitted[0]


def test_pipelines_may_be_experts(by_first_column: Seen) -> None:
    experts = [make_pipeline(StandardScaler(), expert) for expert in two()]
    gate = routed(experts).fit(X, Y)
    assert gate.score(X, Y) > 0.9
    assert gate.experts_[0] is not experts[0]


# scikit-learn


def test_cross_validation_and_search_and_pipelines_work(by_first_column: Seen) -> None:
    assert cross_val_score(routed(two()), X, Y, cv=2).mean() > 0.7
    search = GridSearchCV(routed(two()), {"cv": [2, 3]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.7
    pipeline = make_pipeline(StandardScaler(), routed([LinearRegression(), LinearRegression()], kind=HardGateRegressor))
    np.testing.assert_allclose(pipeline.fit(X, X[:, 0] * 3).predict(X), X[:, 0] * 3)


def test_a_clone_has_unfitted_experts_unless_they_are_frozen(by_first_column: Seen) -> None:
    experts = fitted_two()
    assert not hasattr(clone(routed(experts)).experts[0], "classes_")
    frozen = [FrozenEstimator(expert) for expert in experts]
    gate = clone(routed(frozen)).fit(X[:20], Y[:20])
    assert [expert.estimator for expert in gate.experts_] == experts
    assert cross_val_score(routed(frozen), X, Y, cv=2).mean() > 0.9


def test_pickles_and_copies_are_the_same_gate(of_sectors: HardGateClassifier) -> None:
    x = sectors(500, seed=4)[0]
    for again in (pickle.loads(pickle.dumps(of_sectors)), copy.deepcopy(of_sectors)):
        np.testing.assert_array_equal(again.choose(x), of_sectors.choose(x))
        assert again.fingerprint_ == of_sectors.fingerprint_
        assert again.held_out_ == of_sectors.held_out_
    assert not hasattr(clone(of_sectors), "model_")
    assert not hasattr(pickle.loads(pickle.dumps(HardGateClassifier())), "model_")


def test_settings_changed_after_fit_do_not_change_the_gate(by_first_column: Seen) -> None:
    gate = routed().fit(X, Y, outputs=RIGHT_AND_WRONG)
    gate.set_params(hidden=(9, 9), balance=1.0)  # for a next fit; this one is done
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(gate)).choose(X), gate.choose(X))


def test_settings_of_numpy_work_and_nothing_is_shown_without_verbose(capfd: pytest.CaptureFixture[str]) -> None:
    settings = {"cv": np.int64(3), "balance": np.float32(0.1), "seed": np.uint32(3), "epochs": np.int64(1)}
    settings |= {"batch_size": np.int64(8), "learning_rate": np.float64(0.01), "penalty": np.array([0.1, 0.2])}
    settings |= {"hidden": np.array([4])}
    assert quick(two(), **settings).fit(X, Y).score(X, Y) > 0.8
    assert capfd.readouterr() == ("", "")


def test_verbose_shows_progress(capfd: pytest.CaptureFixture[str]) -> None:
    quick(epochs=2, verbose=1).fit(X, Y, outputs=RIGHT_AND_WRONG)
    shown = capfd.readouterr()
    assert "fit: 100%" in shown.err
    assert "2/2" in shown.err
    assert shown.out == ""
    quick(epochs=2, verbose=2).fit(X, Y, outputs=RIGHT_AND_WRONG)
    assert "epoch 2/2: loss=" in capfd.readouterr().err


# Bad input: a clear error before anything is trained


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if a gate is trained all the same."""

    def trained(*_: Any) -> None:
        pytest.fail("the gate was trained")

    monkeypatch.setattr(hard_gate, "train_gate", trained)


EXPERTS: dict[str, tuple[Any, str]] = {
    "a set": ({1, 2}, "`experts` must be a list.* got {1, 2}"),
    "text": ("svc", "`experts` must be a list.* got 'svc'"),
    "a dictionary": ({"a": SVC()}, "`experts` must be a list.* got {'a'"),
    "an estimator": (SVC(), r"`experts` must be a list.* got SVC\(\)"),
    "none": ([], "at least 2.* got 0"),
    "one": ([SVC()], "at least 2.* got 1"),
    "a class": ([SVC(), SVC], "must have `predict`: got <class .* as expert 1. Make an object"),
    "no estimator": ([SVC(), "svc"], "must have `predict`: got 'svc' as expert 1"),
    "some fitted": ([SVC(), SVC().fit(X, Y)], r"all be fitted, or none.* got 1 of 2 fitted; not expert 0, SVC\(\)"),
    "a regressor": ([SVC(), LinearRegression()], r"must be classifiers: got LinearRegression\(\) as expert 1"),
}


@pytest.mark.parametrize("name", EXPERTS)
def test_experts_that_are_none_are_refused(name: str, untouched: None) -> None:
    experts, message = EXPERTS[name]
    with pytest.raises(ParameterError, match=message):
        quick(experts).fit(X, Y)


def test_a_classifier_among_regressors_is_refused(untouched: None) -> None:
    with pytest.raises(ParameterError, match=r"must be regressors: got SVC\(\) as expert 1. Use HardGateClass"):
        quick([LinearRegression(), SVC()], kind=HardGateRegressor).fit(X, X[:, 0])


def test_a_kind_that_is_neither_is_refused_by_its_answers() -> None:
    with pytest.raises(ExpertError, match=r"got \[5.*\] from expert 0, KMeans"):
        quick([KMeans(6).fit(X), KMeans(6).fit(X)]).fit(X, np.minimum(KMeans(6).fit(X).predict(X), 4))


def test_experts_or_outputs_must_be_given_and_not_both(untouched: None) -> None:
    with pytest.raises(ParameterError, match="got neither"):
        quick().fit(X, Y)
    with pytest.raises(ParameterError, match="got both"):
        quick(two()).fit(X, Y, outputs=RIGHT_AND_WRONG)


BAD_ROWS: dict[str, tuple[Any, str]] = {
    "NaN": (np.where(X > 1, np.nan, X), "got .*NaN"),
    "infinity": (np.where(X > 1, np.inf, X), "got .*infinity"),
    "beyond float32": (X * 1e300, "got "),
    "one axis": (X[:, 0], r"got shape \(60,\)"),
    "three axes": (X[:, :, None], r"got shape \(60, 2, 1\)"),
    "no rows": (X[:0], r"got shape \(0, 2\)"),
    "no columns": (X[:, :0], r"0 feature\(s\)"),
    "sparse": (sp.csr_array(X), "got sparse csr_array"),
    "text": (X.astype(str), "got dtype <U"),
    "complex": (X.astype(complex), "got dtype complex128"),
    "uneven": ([[1, 2], [1]], "got list of uneven rows"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_are_refused_before_training(name: str, untouched: None) -> None:
    rows, message = BAD_ROWS[name]
    gate = quick(two())
    with pytest.raises(CodewordError, match=message):
        gate.fit(rows, Y)
    with pytest.raises(NotFittedError):
        gate.predict(X)


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_are_refused_before_choosing(name: str, of_sectors: HardGateClassifier) -> None:
    with pytest.raises(CodewordError, match=BAD_ROWS[name][1] if name != "no columns" else "X has 0 features"):
        of_sectors.choose(BAD_ROWS[name][0])


def test_another_number_of_features_is_refused(of_sectors: HardGateClassifier) -> None:
    with pytest.raises(DataError, match=r"X has 3 features, but HardGateClassifier is expecting 2 features"):
        of_sectors.choose(np.zeros((4, 3)))


BAD_LABELS: dict[str, tuple[Any, str]] = {
    "none": (None, "Call fit"),
    "too few": (Y[:-1], "got 59 answers for 60 rows"),
    "NaN": (np.where(Y, np.nan, 1.0), "got NaN or infinity"),
    "None": (np.array(["a", None] * 30, object), "got NoneType, str"),
    "mixed": (np.array(["a", 1] * 30, object), "got int, str"),
    "numbers": (X[:, 0], "must be class labels: Unknown label type: continuous.* Use HardGateRegressor"),
    "two columns": (np.stack([Y, Y], axis=1), r"got shape \(60, 2\)"),
    "no axis": (3, r"got shape \(\)"),
    "sparse": (sp.csr_array(Y[:, None]), "got a sparse csr_array"),
    "masked": (np.ma.masked_equal(Y, 0), "no masked entries"),
    "bytes": (np.array([b"a", b"b"] * 30), "got bytes"),
    "dates": (np.array(["2020-01-01", "2021-01-01"] * 30, "M8[D]"), "got date"),
    "uneven": ([[1], [1, 2]] * 30, "got rows of different lengths"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_bad_labels_are_refused_before_training(name: str, untouched: None) -> None:
    y, message = BAD_LABELS[name]
    with pytest.raises((DataError, DataTypeError), match=message):
        quick(two()).fit(X, y)


BAD_NUMBERS: dict[str, tuple[Any, str]] = {
    "none": (None, "Call fit"),
    "too few": (X[:-1, 0], "got 59 answers for 60 rows"),
    "NaN": (np.where(Y, np.nan, 1.0), "`y`.* got .*NaN"),
    "infinity": (np.where(Y, np.inf, 1.0), "`y`.* got .*infinity"),
    "text": (np.array(["a"] * 60), "`y`.* got dtype <U1"),
    "complex": (X[:, 0] * 1j, "`y`.* got dtype complex128"),
    "three axes": (X[:, :, None], r"`y`.* got shape \(60, 2, 1\)"),
    "no columns": (X[:, :0], r"`y`.* got shape \(60, 0\)"),
    "no rows": (Y[:0], r"`y`.* got shape \(0,\)"),
    "sparse": (sp.csr_array(X), "`y`.* got sparse csr_array"),
}


@pytest.mark.parametrize("name", BAD_NUMBERS)
def test_bad_numbers_are_refused_before_training(name: str, untouched: None) -> None:
    y, message = BAD_NUMBERS[name]
    with pytest.raises((DataError, DataTypeError), match=message):
        quick([LinearRegression(), LinearRegression()], kind=HardGateRegressor).fit(X, y)


def test_a_column_of_answers_is_taken_and_told(by_first_column: Seen) -> None:
    with pytest.warns(DataConversionWarning):
        assert routed(two()).fit(X, Y[:, None]).predict(X).shape == (60,)
    regressor = routed(kind=HardGateRegressor)
    with pytest.warns(DataConversionWarning):
        regressor.fit(X, X[:, :1], outputs=np.stack([X[:, :1], -X[:, :1]], axis=1))
    assert regressor.predict(X, outputs=np.stack([X[:, :1], -X[:, :1]], axis=1)).shape == (60,)


BAD_OUTPUTS: dict[str, tuple[Any, str]] = {
    "one axis": (Y, r"got shape \(60,\)"),
    "one column": (Y[:, None], r"got shape \(60, 1\)"),
    "four axes": (np.zeros((60, 2, 2, 2)), r"got shape \(60, 2, 2, 2\)"),
    "too few": (RIGHT_AND_WRONG[:-1], "got 59 rows for 60"),
    "NaN": (np.where(RIGHT_AND_WRONG, np.nan, 0.0), r"got NaN or infinity in 60 rows, first in row 0 of"),
    "unknown labels": (RIGHT_AND_WRONG + 1, r"got \[2\] from `outputs`"),
    "text": (RIGHT_AND_WRONG.astype(str), "got dtype <U21, such as .* from `outputs`"),
    "None": (np.array([[None, 1]] * 60, object), r"got dtype object, such as \[None, 1"),
    "no probabilities": (np.full((60, 2, 2), -0.5), "got -0.5 to -0.5. Pass predict_proba's"),
    "probabilities of others": (np.full((60, 2, 3), 0.3), r"each of the 2 classes.* got shape \(60, 2, 3\)"),
    "uneven": ([[1, 0], [1]] * 30, "got rows of different lengths"),
    "sparse": (sp.csr_array(RIGHT_AND_WRONG), "got a sparse csr_array"),
}


@pytest.mark.parametrize("name", BAD_OUTPUTS)
def test_bad_outputs_are_refused_before_training(name: str, untouched: None) -> None:
    outputs, message = BAD_OUTPUTS[name]
    with pytest.raises((DataError, DataTypeError), match=message):
        quick().fit(X, Y, outputs=outputs)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.array([["a", "b"]] * 60), "got dtype <U1"),
        (np.zeros((60, 2, 2)), r"the shape of `y`, \(60,\): got shape \(60, 2\) from expert 0"),
        (np.full((60, 2), np.inf), "got NaN or infinity in 60 rows"),
    ],
    ids=["text", "targets too many", "infinity"],
)
def test_bad_outputs_of_regressors_are_refused(outputs: Any, message: str, untouched: None) -> None:
    with pytest.raises(DataError, match=message):
        quick(kind=HardGateRegressor).fit(X, X[:, 0], outputs=outputs)


def test_outputs_are_asked_for_again_at_prediction(by_first_column: Seen) -> None:
    gate = routed().fit(X, Y, outputs=RIGHT_AND_WRONG)
    assert gate.choose(X).shape == (60,)
    with pytest.raises(ParameterError, match=r"got none, and the gate was fitted with outputs"):
        gate.predict(X)
    with pytest.raises(DataError, match=r"rows of shape \(2,\), as in training: got shape \(60, 3\)"):
        gate.predict(X, outputs=np.zeros((60, 3), int))
    with pytest.raises(DataError, match="got 60 rows for 5"):
        gate.predict(X[:5], outputs=RIGHT_AND_WRONG)
    with pytest.raises(DataError, match=r"got \[7\] from `outputs`"):
        gate.predict(X, outputs=RIGHT_AND_WRONG * 7)
    with pytest.raises(ParameterError, match=r"got some, and the gate was fitted with experts"):
        routed(two()).fit(X, Y).predict(X, outputs=RIGHT_AND_WRONG)


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"hidden": 8}, "`hidden` must be a sequence of integers.*: got 8"),
    ({"hidden": "ab"}, "got 'ab'"),
    ({"hidden": (0,)}, r"`hidden` must be a sequence of integers of at least 1.*: got \(0,\)"),
    ({"hidden": (4, 2.5)}, r"got \(4, 2.5\)"),
    ({"hidden": None}, "got None"),
    ({"balance": -0.1}, "`balance` must be a number of at least 0: got -0.1"),
    ({"balance": float("nan")}, "got nan"),
    ({"balance": "much"}, "got 'much'"),
    ({"cv": 1}, "`cv` must be an integer of at least 2, or a splitter: got 1"),
    ({"cv": "5"}, "got '5'"),
    ({"cv": KFold}, "got <class"),
    ({"cv": None}, "got None"),
    ({"cv": 61}, r"at least as many rows as folds, 61: got 60 sample\(s\)"),
    ({"epochs": 0}, "`epochs` must be an integer of at least 1, or None: got 0"),
    ({"epochs": 1.5}, "got 1.5"),
    ({"batch_size": 0}, "`batch_size` must be .* got 0"),
    ({"batch_size": True}, "got True"),
    ({"learning_rate": -1}, "`learning_rate` must be .* got -1"),
    ({"learning_rate": float("inf")}, "got inf"),
    ({"learning_rate": "slow"}, "got 'slow'"),
    ({"penalty": -0.1}, "`penalty` must be a number of at least 0.*: got -0.1"),
    ({"penalty": (0.1, float("nan"))}, r"got \(0.1, nan\)"),
    ({"penalty": ()}, "`penalty` must be .* got "),
    ({"penalty": "0.1"}, "got '0.1'"),
    ({"penalty": None}, "got None"),
    ({"seed": -1}, "`seed` must be .* got -1"),
    ({"seed": 2**32}, "got 4294967296"),
    ({"seed": None}, "got None"),
    ({"verbose": -1}, "`verbose` must be .* got -1"),
    ({"verbose": "on"}, "got 'on'"),
]


@pytest.mark.parametrize(("settings", "message"), SETTINGS, ids=lambda part: str(part) if type(part) is dict else "")
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str, untouched: None) -> None:
    with pytest.raises((ParameterError, DataError), match=message):
        quick(two(), **settings).fit(X, Y)


def test_a_splitter_that_holds_nothing_out_is_refused(untouched: None) -> None:
    class Nothing:
        def split(self, x: Any, y: Any = None) -> Iterator[Any]:
            return iter(())

    with pytest.raises(DataError, match=r"`cv` must hold out rows.* got none from <"):
        quick(two(), cv=Nothing()).fit(X, Y)


def test_labels_of_another_kind_than_the_experts_are_refused(untouched: None) -> None:
    of_text = fitted_two(np.array(["0", "1"])[Y])
    with pytest.raises(DataError, match=r"of one type.* got int64 in `y` and <U1, <U1 from the experts"):
        quick(of_text).fit(X, Y)
    with pytest.raises(DataError, match=r"of one type.* got <U1 in `y` and int64, int64 from the experts"):
        quick(fitted_two()).fit(X, np.array(["0", "1"])[Y])


def test_classes_that_no_expert_knows_are_refused(untouched: None) -> None:
    with pytest.raises(DataError, match=r"known to an expert: got \[2\], unknown to all"):
        quick(fitted_two()).fit(X, np.where(X[:, 1] > 1, 2, Y))


ANSWERS: dict[str, tuple[Any, str]] = {
    "too few": (lambda x: np.zeros(len(x) - 1, int), r"one answer per row: got shape \(59,\) from expert 1"),
    "none": (lambda x: None, r"one answer per row: got shape \(\)"),
    "several a row": (
        lambda x: np.zeros((len(x), 2), int),
        r"one label per row: got shape \(60, 2\) from expert 1",
    ),
    "three axes": (lambda x: np.zeros((len(x), 1, 1)), r"got shape \(60, 1, 1\)"),
    "NaN": (lambda x: np.where(x[:, 0] > 0, np.nan, 0.0), r"got NaN or infinity in \d+ of 60 rows from expert 1"),
    "unknown": (lambda x: np.full(len(x), 9), r"labels of \[0, 1\]. got \[9\] from expert 1"),
    "text": (lambda x: np.full(len(x), "1"), "got dtype <U1, such as .* from expert 1"),
    "None": (lambda x: np.full(len(x), None), r"got dtype object, such as \[None"),
    "probabilities": (lambda x: np.full(len(x), 0.3), r"got \[0.3\] from expert 1"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_are_none_are_refused(name: str, untouched: None) -> None:
    answer, message = ANSWERS[name]
    with pytest.raises(ExpertError, match=message):
        quick([Says(0), Says(answer)]).fit(X, Y)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x, r"the shape of `y`, \(60,\): got shape \(60, 2\) from expert 1"),
        (lambda x: x[:, 0].astype(str), r"must be numbers. got dtype <U\d+ from expert 1"),
        (lambda x: x[:, 0] * 1j, "must be numbers. got dtype complex128 from expert 1"),
        (lambda x: x[:, 0] / 0, "got NaN or infinity in 60 of 60 rows from expert 1"),
    ],
    ids=["several a row", "text", "complex", "infinity"],
)
def test_answers_of_regressors_that_are_none_are_refused(answer: Any, message: str, untouched: None) -> None:
    experts = [Says(0.0), Says(answer)]
    with np.errstate(all="ignore"), pytest.raises((ExpertError, DataError), match=message):
        quick(experts, kind=HardGateRegressor).fit(X, X[:, 0])


def test_probabilities_without_classes_or_of_another_width_are_refused(by_first_column: Seen) -> None:
    class Unsure(Says):
        def predict_proba(self, x: Any) -> Any:
            return np.full((len(x), 3), 1 / 3)

    with pytest.raises(ExpertError, match=r"must have `classes_`.* got none from expert 0"):
        routed([Unsure(0), Unsure(0)]).fit(X, Y).predict_proba(X)
    experts = [Unsure(0), Unsure(0)]
    for expert in experts:
        expert.classes_ = np.array([0, 1])
    with pytest.raises(ExpertError, match=r"one number per class, 2: got shape \(\d+, 3\), dtype float64, from"):
        routed(experts).fit(X, Y).predict_proba(X)


def test_an_expert_that_raises_is_named_with_what_it_said() -> None:
    with pytest.raises(ExpertError, match=r"got RuntimeError from expert 1, Sensitive\(at='fit'\), on 48 rows: no"):
        quick([Sensitive("never"), Sensitive("fit")]).fit(X, Y)
    with pytest.raises(ExpertError, match=r"answer `predict`. got RuntimeError from expert 1.* on 12 rows: no lic"):
        quick([Sensitive("never"), Sensitive("predict")]).fit(X, Y)


def test_an_expert_that_raises_for_some_rows_only(by_first_column: Seen) -> None:
    gate = routed([Sensitive("never"), Sensitive("far rows")]).fit(X, Y)
    gate.predict(X)
    far = np.array([[99.0, 0.0], [-99.0, 0.0], [99.0, 1.0]])
    with pytest.raises(ExpertError, match=r"from expert 1, Sensitive\(at='far rows'\), on 2 rows: no license"):
        gate.predict(far)
    assert gate.choose(far).tolist() == [1, 0, 1]


def test_experts_whose_answers_have_other_shapes_are_refused_at_prediction(by_first_column: Seen) -> None:
    experts = [Says(0.0), Says(0.0)]
    gate = routed(experts, kind=HardGateRegressor).fit(X, X[:, 0])
    experts[1].answer = lambda x: x
    with pytest.raises(ExpertError, match=r"one shape. got \(60,\) and, from expert 1, \(60, 2\)"):
        gate.predict(X)


def test_a_gate_that_is_not_fitted_says_so() -> None:
    gate = quick(two())
    for call in (gate.choose, gate.predict, gate.predict_proba):
        with pytest.raises(NotFittedError):
            call(X)
    with pytest.raises(NotFittedError):
        gate.save("never.codeword")
    with pytest.raises(NotFittedError):
        _ = gate.fingerprint_


# Nothing is lost


def diverge(*_: Any) -> None:
    raise DivergedError("The loss must stay finite.")


def test_a_fit_that_fails_leaves_the_gate_as_it_was(
    of_sectors: HardGateClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = copy.deepcopy(of_sectors)
    x, _, answers, _ = sectors(50, seed=5)
    expected, fingerprint = gate.predict(x, outputs=answers), gate.fingerprint_

    def unchanged() -> None:
        np.testing.assert_array_equal(gate.predict(x, outputs=answers), expected)
        assert gate.fingerprint_ == fingerprint

    with pytest.raises(DataError):
        gate.fit(X[:, :1], np.array(["a", "b"])[Y], outputs=np.zeros((60, 2)))
    unchanged()
    with pytest.raises(ExpertError):
        gate.set_params(experts=[Sensitive("never"), Sensitive("fit")]).fit(X[:, :1], Y)
    unchanged()
    monkeypatch.setattr(hard_gate, "train_gate", diverge)
    with pytest.raises(DivergedError):
        gate.set_params(experts=None).fit(X * 1e9, Y, outputs=RIGHT_AND_WRONG)
    unchanged()


def test_a_training_that_diverges_leaves_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hard_gate, "train_gate", diverge)
    for gate, more in ((quick(two()), {}), (quick(), {"outputs": RIGHT_AND_WRONG})):
        with pytest.raises(DivergedError):
            gate.fit(X, Y, **more)
        with pytest.raises(NotFittedError):
            gate.choose(X)


def test_answers_that_are_far_off_are_too_dear_and_nothing_else() -> None:
    answers = np.column_stack([X[:, 0], X[:, 0]])
    answers[:3, 0] = [1e25, -1e200, 1e300]
    gate = quick(kind=HardGateRegressor).fit(X, X[:, 0], outputs=answers)
    assert gate.usage_[1] == 1


def test_answers_that_hardly_vary_are_measured_by_one(by_first_column: Seen) -> None:
    y = np.full(60, 0.1)  # whose spread is a rounding error
    routed(kind=HardGateRegressor).fit(X, y, outputs=np.column_stack([y, y + 1]))
    np.testing.assert_allclose(by_first_column.costs, [[0.0, 1.0]] * 60)


# Conventions, which do not depend on what was learnt

CHEAP = {"epochs": 1, "hidden": (), "cv": 2, "verbose": 0}


@parametrize_with_checks(
    [
        HardGateClassifier([DecisionTreeClassifier(max_depth=2, random_state=0), GaussianNB()], **CHEAP),
        HardGateRegressor([LinearRegression(), DecisionTreeRegressor(max_depth=2, random_state=0)], **CHEAP),
    ]
)
def test_scikit_learn_conventions(estimator: Any, check: Any, by_first_column: Seen) -> None:
    check(estimator)


def test_training_takes_as_many_steps_as_are_promised_however_few_the_rows() -> None:
    x, y, outputs, _ = sectors(300, 0)
    gate = HardGateClassifier(hidden=(4,), penalty=0.001, verbose=0).fit(x, y, outputs=outputs)
    assert len(gate.history_["loss"]) == 750  # of two batches


def test_fewer_than_twenty_rows_say_nothing_of_a_gate() -> None:
    x, y, outputs, _ = sectors(19, 0)
    gate = HardGateClassifier(hidden=(4,), epochs=1, verbose=0).fit(x, y, outputs=outputs)
    assert gate.usage_.max() == 1
    assert gate.held_out_["gate"] == gate.held_out_["best_expert"]
