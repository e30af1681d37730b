"""The file of a gate: it comes back the same with its experts, and nothing damaged, foreign or hostile comes back."""

import copy
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import codeword as cw
from codeword import HardGateClassifier, HardGateRegressor
from codeword.errors import ModelFileError, ParameterError
from codeword.files.model_file import read_model_file, write_model_file

Parts = tuple[dict[str, Any], dict[str, np.ndarray]]

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 2))
Y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)
RIGHT_AND_WRONG = np.where((X[:, 1:] > 0) == [True, False], Y[:, None], 1 - Y[:, None])
TWO_TARGETS = np.column_stack([X[:, 0] * 10, X[:, 1]])
MANY = np.random.default_rng(1).normal(size=(700, 2)) * 3
SMALL = {"hidden": (4,), "epochs": 3, "penalty": (0.001, 0.01), "verbose": 0}


def classifiers(y: Any = Y) -> list[Any]:
    return [LogisticRegression().fit(X, y), DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)]


def regressors(y: Any) -> list[Any]:
    return [LinearRegression().fit(X, y), DecisionTreeRegressor(max_depth=2, random_state=0).fit(X, y)]


@pytest.fixture(scope="module")
def of_classifiers() -> HardGateClassifier:
    return HardGateClassifier(classifiers(np.array(["nö", "yes"])[Y]), **SMALL).fit(X, np.array(["nö", "yes"])[Y])


@pytest.fixture(scope="module")
def of_labels() -> HardGateClassifier:
    return HardGateClassifier(**SMALL).fit(X, Y, outputs=RIGHT_AND_WRONG)


@pytest.fixture(scope="module")
def of_regressors() -> HardGateRegressor:
    return HardGateRegressor(regressors(TWO_TARGETS), **SMALL).fit(X, TWO_TARGETS)


@pytest.fixture(scope="module")
def of_numbers() -> HardGateRegressor:
    return HardGateRegressor(**SMALL).fit(X, np.abs(X[:, 0]), outputs=np.column_stack([X[:, 0], -X[:, 0]]))


GATES = ("of_classifiers", "of_labels", "of_regressors", "of_numbers")


@pytest.fixture(params=GATES)
def gate(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def outputs_for(gate: Any, rows: np.ndarray) -> dict[str, Any]:
    if gate.experts_ is not None:
        return {}
    return {"outputs": np.random.default_rng(2).integers(0, 2, (len(rows), *gate.output_shape_))}


def assert_same_answers(loaded: Any, gate: Any) -> None:
    np.testing.assert_array_equal(loaded.choose(MANY), gate.choose(MANY))
    more = outputs_for(gate, MANY)
    answers, expected = loaded.predict(MANY, **more), gate.predict(MANY, **more)
    assert answers.dtype == expected.dtype
    np.testing.assert_array_equal(answers, expected)
    assert hasattr(loaded, "predict_proba") == hasattr(gate, "predict_proba")
    if hasattr(gate, "predict_proba"):
        np.testing.assert_array_equal(loaded.predict_proba(MANY, **more), gate.predict_proba(MANY, **more))


def parts_of(gate: Any, folder: Path) -> Parts:
    gate.save(folder / "g.codeword")
    return read_model_file(folder / "g.codeword")


# What comes back


def test_a_loaded_gate_is_the_same_gate(gate: Any, tmp_path: Path) -> None:
    fingerprint = gate.save(tmp_path / "g.codeword")
    loaded = cw.load(tmp_path / "g.codeword", experts=gate.experts_)
    assert type(loaded) is type(gate)
    assert loaded.fingerprint_ == gate.fingerprint_ == fingerprint
    assert len(fingerprint) == 64
    assert_same_answers(loaded, gate)
    assert (loaded.num_experts_, loaded.n_features_in_) == (gate.num_experts_, gate.n_features_in_)
    np.testing.assert_array_equal(loaded.usage_, gate.usage_)
    assert loaded.held_out_ == gate.held_out_
    assert loaded.get_params() == {**gate.get_params(), "experts": gate.experts_, "verbose": loaded.verbose}
    if gate.experts_ is not None:
        assert all(mine is own for mine, own in zip(loaded.experts_, gate.experts_, strict=True))


def test_a_loaded_gate_fits_again(of_labels: HardGateClassifier, tmp_path: Path) -> None:
    of_labels.save(tmp_path / "g.codeword")
    again = cw.load(tmp_path / "g.codeword").set_params(verbose=0).fit(X, Y, outputs=RIGHT_AND_WRONG)
    assert again.fingerprint_ == of_labels.fingerprint_


LABELS: dict[str, np.ndarray] = {
    "integers": np.array([-3, 2**62]),
    "small integers": np.array([200, 255], np.uint8),
    "text": np.array(["", "日本 nö"]),
    "text as objects": np.array(["no", "yes"], object),
    "booleans": np.array([False, True]),
    "floats": np.array([-1.0, 3e15]),
    "half floats": np.array([0.0, 2.0], np.float16),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_every_kind_come_back(labels: np.ndarray, of_labels: HardGateClassifier, tmp_path: Path) -> None:
    gate = copy.copy(of_labels)
    gate.classes_ = labels
    gate.save(tmp_path / "g.codeword")
    loaded = cw.load(tmp_path / "g.codeword")
    assert loaded.classes_.dtype == labels.dtype
    assert loaded.classes_.tolist() == labels.tolist()
    assert loaded.fingerprint_ == gate.fingerprint_


def test_labels_that_a_file_cannot_hold_are_refused(of_labels: HardGateClassifier, tmp_path: Path) -> None:
    for labels in (np.array(["2020", "2021"], "M8[Y]"), np.array([b"a", b"b"]), np.array([(1,), (2,)], object)):
        gate = copy.copy(of_labels)
        gate.classes_ = labels
        with pytest.raises(ParameterError, match=r"must be text, numbers or booleans to be saved: got "):
            gate.save(tmp_path / "g.codeword")
    assert not list(tmp_path.iterdir())


def test_column_names_come_back(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["länge", "b"])
    experts = [LogisticRegression().fit(frame, Y), GaussianNB().fit(frame, Y)]
    gate = HardGateClassifier(experts, **SMALL).fit(frame, Y)
    gate.save(tmp_path / "g.codeword")
    loaded = cw.load(tmp_path / "g.codeword", experts=experts).set_params(verbose=0)
    assert loaded.feature_names_in_.tolist() == ["länge", "b"]
    np.testing.assert_array_equal(loaded.predict_proba(frame), gate.predict_proba(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.choose(frame[["b", "länge"]])
    with pytest.raises(ParameterError, match="got other answers from expert 0, GaussianNB"):  # asked for arrays
        cw.load(tmp_path / "g.codeword", experts=experts[::-1])


def test_a_fresh_process_chooses_the_same(of_labels: HardGateClassifier, tmp_path: Path) -> None:
    of_labels.save(tmp_path / "g.codeword")
    np.save(tmp_path / "x.npy", MANY)
    program = "import numpy as np, codeword as cw\nnp.save('out.npy', cw.load('g.codeword').choose(np.load('x.npy')))\n"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), of_labels.choose(MANY))


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden": (9, 9)},
        {"cv": KFold(3)},
        {"cv": np.int64(4), "balance": np.float32(0.5), "seed": np.uint32(7), "hidden": np.array([3])},
        {"penalty": np.array([0.5])},
        {"penalty": 0.25, "epochs": np.int64(2), "batch_size": 7},
    ],
    ids=str,
)
def test_settings_changed_after_fit_change_no_saved_gate(
    changed: dict[str, Any], of_labels: HardGateClassifier, tmp_path: Path
) -> None:
    gate = copy.copy(of_labels).set_params(**changed)  # for a next fit; this one is done
    assert gate.save(tmp_path / "g.codeword") == of_labels.fingerprint_
    assert_same_answers(cw.load(tmp_path / "g.codeword"), of_labels)


def test_the_fingerprint_tells_gates_apart(of_labels: HardGateClassifier) -> None:
    others = []
    for change in (
        lambda gate: setattr(gate, "classes_", np.array([0, 2])),
        lambda gate: setattr(gate, "classes_", np.array([False, True])),
        lambda gate: setattr(gate, "statistics_", {**gate.statistics_, "mean": gate.statistics_["mean"] + 1e-9}),
    ):
        gate = copy.copy(of_labels)
        change(gate)
        others.append(gate.fingerprint_)
    assert len({of_labels.fingerprint_, *others}) == 4


# Experts


def test_experts_that_are_missing_too_many_or_others_are_refused(
    of_classifiers: HardGateClassifier, tmp_path: Path
) -> None:
    path, own = tmp_path / "g.codeword", of_classifiers.experts_
    of_classifiers.save(path)
    y = np.array(["nö", "yes"])[Y]
    for experts, message in (
        (None, r"is a gate of 2 experts. got experts=None. Call load\(path, experts="),
        ([*own, own[0]], "is a gate of 2 fitted experts: got 3, fitted"),
        ([], "at least 2.* got 0"),
        ("ab", "`experts` must be a list.* got 'ab'"),
        ([LogisticRegression(), GaussianNB()], "got 2, not fitted. Pass the `experts_`"),
        ([own[0], GaussianNB()], "be fitted, or none of them: got 1 of 2 fitted"),
        (own[::-1], "in the same order: got other answers from expert 0, DecisionTree.*, expert 1, Logistic"),
        ([own[0], GaussianNB().fit(X, y)], r"got other answers from expert 1, GaussianNB\(\)"),
        (classifiers(), r"those that the gate was fitted with. .*got dtype int64.* from expert 0"),
        (classifiers(np.where(X[:, 1] > 1, "else", y)), "fitted with. .*|got other answers from expert"),
        ([own[0], LinearSVC().fit(X[:, :1], y)], "fitted with. .*got AttributeError from expert 1, LinearSVC"),
        (regressors(X[:, 0]), "must be classifiers: got LinearRegression"),
    ):
        with pytest.raises(ParameterError, match=message):
            cw.load(path, experts=experts)


def test_regressors_that_are_others_are_refused(of_regressors: HardGateRegressor, tmp_path: Path) -> None:
    path, own = tmp_path / "g.codeword", of_regressors.experts_
    of_regressors.save(path)
    for experts, message in (
        (own[::-1], "in the same order: got other answers from expert 0, DecisionTree.*, expert 1, LinearReg"),
        (regressors(TWO_TARGETS * 1.01), "got other answers from expert 0"),
        (regressors(X[:, 0]), "got other answers from expert 0"),
        ([own[0], regressors(X[:, 0])[1]], "got shapes"),
        (classifiers(), "must be regressors: got LogisticRegression"),
    ):
        with pytest.raises(ParameterError, match=message):
            cw.load(path, experts=experts)


def test_experts_without_probabilities_are_known_by_their_labels(of_classifiers: Any, tmp_path: Path) -> None:
    config_values, arrays = parts_of(of_classifiers, tmp_path)
    arrays["probe/answers"] = arrays["probe/answers"].argmax(axis=2)  # as if one of them had none
    write_model_file(tmp_path / "g.codeword", config_values, arrays)
    own = of_classifiers.experts_
    assert_same_answers(cw.load(tmp_path / "g.codeword", experts=own), of_classifiers)
    opposite = LinearSVC().fit(-X, np.array(["nö", "yes"])[Y])
    with pytest.raises(ParameterError, match="got other answers from expert 1, LinearSVC"):
        cw.load(tmp_path / "g.codeword", experts=[own[0], opposite])


def test_experts_that_do_not_answer_to_made_up_rows_are_taken_on_trust(tmp_path: Path) -> None:
    class OnlyKnown:
        def predict(self, x: Any) -> Any:
            if not np.isin(x, X).all():
                raise ValueError("never seen")
            return (x[:, 0] > 0).astype(int)

    experts = [OnlyKnown(), OnlyKnown()]
    gate = HardGateClassifier(experts, **SMALL).fit(X, Y)
    gate.save(tmp_path / "g.codeword")
    loaded = cw.load(tmp_path / "g.codeword", experts=experts)
    np.testing.assert_array_equal(loaded.predict(X), gate.predict(X))


# Damage


# What is refused: files that are whole, their checksums right, but no gate that `save` would write


def array(name: str, change: Callable[[np.ndarray], Any]) -> Callable[[Parts], Any]:
    def changed(parts: Parts) -> None:
        parts[1][name] = np.asarray(change(parts[1][name]))

    return changed


def put(name: str, index: Any, value: Any) -> Callable[[Parts], Any]:
    def changed(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[index] = value
        return values

    return array(name, changed)


def config(*names: str, value: Any) -> Callable[[Parts], Any]:
    def changed(parts: Parts) -> None:
        place = parts[0]
        for name in names[:-1]:
            place = place[name]
        place[names[-1]] = value

    return changed


def without(name: str) -> Callable[[Parts], Any]:
    return lambda parts: parts[0].pop(name)


KERNEL = "gate/000/kernel"
HUGE = 10**12
HOSTILE: dict[str, Callable[[Parts], Any]] = {
    "kernel of another number": lambda parts: parts[1].update({"gate/0/kernel": parts[1].pop(KERNEL)}),
    "kernel without a number": lambda parts: parts[1].update({"gate/x/kernel": parts[1].pop(KERNEL)}),
    "usage negative": array("usage", lambda a: np.array([2.0, -1.0])),
    "usage of no shares": array("usage", lambda a: a * 2),
    "an array more among the statistics": lambda parts: parts[1].update({"statistics/extra": np.zeros(2)}),
    "an array more among the probes": lambda parts: parts[1].update({"probe/extra": np.zeros(2)}),
    "a parameter more": config("parameters", "verbose", value=0),
    "experts among the parameters": config("parameters", "experts", value=[1, 2]),
    "hidden setting 0": config("parameters", "hidden", value=[0]),
    "hidden setting text": config("parameters", "hidden", value="ab"),
    "hidden setting an object": config("parameters", "hidden", value={}),
    "hidden setting true": config("parameters", "hidden", value=[True]),
    "hidden setting null": config("parameters", "hidden", value=None),
    "cv 1": config("parameters", "cv", value=1),
    "cv text": config("parameters", "cv", value="split"),
    "cv an object": config("parameters", "cv", value={"split": 3}),
    "balance negative": config("parameters", "balance", value=-1),
    "balance a list": config("parameters", "balance", value=[1]),
    "epochs 0": config("parameters", "epochs", value=0),
    "epochs huge": config("parameters", "epochs", value=10**40),
    "batch size a fraction": config("parameters", "batch_size", value=1.5),
    "learning rate text": config("parameters", "learning_rate", value="0.1"),
    "weight decay text": config("parameters", "penalty", value="0.1"),
    "weight decay of texts": config("parameters", "penalty", value=["0.1"]),
    "weight decay none": config("parameters", "penalty", value=[]),
    "weight decay negative": config("parameters", "penalty", value=[0.1, -0.1]),
    "seed negative": config("parameters", "seed", value=-1),
    "seed null": config("parameters", "seed", value=None),
    "features fewer": config("input_shape", value=[1]),
    "features huge": config("input_shape", value=[HUGE]),
    "features none": config("input_shape", value=[]),
    "features 0": config("input_shape", value=[0]),
    "features a fraction": config("input_shape", value=[2.0]),
    "features of two axes": config("input_shape", value=[2, 1]),
    "hidden other": config("hidden", value=[3]),
    "hidden huge": config("hidden", value=[HUGE]),
    "hidden many": config("hidden", value=[1] * 10_000),
    "hidden more": lambda parts: parts[0]["hidden"].append(4),
    "hidden 0": lambda parts: parts[0]["hidden"].append(0),
    "hidden negative": config("hidden", value=[-4]),
    "experts fewer": config("num_experts", value=1),
    "experts more": config("num_experts", value=3),
    "experts huge": config("num_experts", value=HUGE),
    "experts a fraction": config("num_experts", value=2.0),
    "names too few": config("feature_names", value=["a"]),
    "names too many": config("feature_names", value=["a", "b", "c"]),
    "names no texts": config("feature_names", value=[1, 2]),
    "outputs of other experts": config("output_shape", value=[7]),
    "outputs of no axis": config("output_shape", value=[]),
    "outputs of three axes": config("output_shape", value=[2, 2, 2]),
    "outputs 0": config("output_shape", value=0),
    "outputs of wrong width": config("output_shape", value=[2, 9]),
    "outputs huge": config("output_shape", value=[2, HUGE]),
    "outputs true": config("output_shape", value=[2, True]),
}
OF_CLASSES: dict[str, Callable[[Parts], Any]] = {
    "classes null": config("classes", value=None),
    "classes a list": config("classes", value=["a", "b"]),
    "classes none": config("classes", "values", value=[]),
    "classes other": config("classes", "values", value=[0.5, 1]),
    "classes mixed": config("classes", "values", value=["a", 1]),
    "classes twice": config("classes", "values", value=[1, 1]),
    "classes descending": config("classes", "values", value=[1, 0]),
    "classes true": config("classes", "values", value=[False, True]),
    "classes a text": config("classes", "values", value="ab"),
    "classes nested": config("classes", "values", value=[[0, 1]]),
    "classes null inside": config("classes", "values", value=[None, 1]),
    "classes too large": config("classes", "values", value=[0, 10**30]),
    "kind unknown": config("classes", "dtype", value="datetime64[s]"),
    "kind of records": config("classes", "dtype", value="i4,i4"),
    "kind null": config("classes", "dtype", value=None),
    "kind a list": config("classes", "dtype", value=["int64"]),
    "kind of a gigabyte": config("classes", "dtype", value="U1000000000"),
    "kind by another name": config("classes", "dtype", value="<i8"),
    "kind text": config("classes", "dtype", value="U"),
    "kind missing": lambda parts: parts[0]["classes"].pop("dtype"),
    "values missing": lambda parts: parts[0]["classes"].pop("values"),
    "an entry more in the classes": config("classes", "more", value=1),
    "a regressor": config("estimator", value="HardGateRegressor"),
    "a scale of targets": lambda parts: parts[1].update({"target_scale": np.ones(1)}),
}
OF_NUMBERS: dict[str, Callable[[Parts], Any]] = {
    "a classifier": config("estimator", value="HardGateClassifier"),
    "classes": config("classes", value={"dtype": "int64", "values": [0, 1]}),
    "scale empty": array("target_scale", lambda a: a[:0]),
    "scale of no axis": array("target_scale", lambda a: a[0]),
    "scale longer": array("target_scale", lambda a: np.repeat(a, 2)),
}
OF_PROBES: dict[str, Callable[[Parts], Any]] = {
    "rows fewer": array("probe/rows", lambda a: a[:-1]),
    "rows narrower": array("probe/rows", lambda a: a[:, :1]),
    "both empty": lambda parts: parts[1].update({"probe/rows": np.zeros((0, 2)), "probe/answers": np.zeros((0, 2, 2))}),
    "answers of fewer experts": array("probe/answers", lambda a: a[:, :1]),
    "answers of fewer classes": array("probe/answers", lambda a: a[:, :, :1]),
    "answers beyond 1": put("probe/answers", (0, 0), 2.0),
    "answers negative": put("probe/answers", (0, 0, 0), -0.1),
    "answers of four axes": array("probe/answers", lambda a: a[..., None]),
    "labels of float64": array("probe/answers", lambda a: a.argmax(axis=2).astype(np.float64)),
    "labels of int32": array("probe/answers", lambda a: a.argmax(axis=2).astype(np.int32)),
    "labels beyond the last": array("probe/answers", lambda a: a.argmax(axis=2) + 2),
    "labels negative": array("probe/answers", lambda a: -1 - a.argmax(axis=2)),
    "no experts": config("output_shape", value=[2]),
}


@pytest.fixture(scope="module")
def parts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Parts, list[Any] | None]]:
    made: dict[str, tuple[Parts, list[Any] | None]] = {}

    def parts_of_gate(name: str) -> tuple[Parts, list[Any] | None]:
        if name not in made:
            gate = request.getfixturevalue(name)
            made[name] = parts_of(gate, tmp_path_factory.mktemp(name)), gate.experts_
        return made[name]

    return parts_of_gate


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *(pytest.param("of_labels", change, id=name) for name, change in HOSTILE.items()),
        *(pytest.param("of_labels", change, id=name) for name, change in OF_CLASSES.items()),
        *(pytest.param("of_numbers", change, id=f"regressor, {name}") for name, change in OF_NUMBERS.items()),
        *(pytest.param("of_classifiers", change, id=f"experts, {name}") for name, change in OF_PROBES.items()),
        pytest.param("of_regressors", array("target_scale", lambda a: a[:1]), id="regressors, scale shorter"),
        pytest.param("of_regressors", array("probe/answers", lambda a: a[..., 0]), id="regressors, answers flat"),
    ],
)
def test_what_save_would_not_write_is_refused(
    name: str, change: Callable[[Parts], Any], parts: Any, tmp_path: Path
) -> None:
    (config_values, arrays), experts = copy.deepcopy(parts(name))
    change((config_values, arrays))
    write_model_file(tmp_path / "g.codeword", config_values, arrays)
    with pytest.raises(ModelFileError, match=r"g\.codeword: "):
        cw.load(tmp_path / "g.codeword", experts=experts)


@pytest.mark.parametrize("name", GATES)
def test_the_way_there_is_sound(name: str, parts: Any, tmp_path: Path) -> None:
    (config_values, arrays), experts = copy.deepcopy(parts(name))
    write_model_file(tmp_path / "g.codeword", config_values, arrays)
    cw.load(tmp_path / "g.codeword", experts=experts)  # what is refused above is the change alone


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70) | st.sampled_from([0.5, 2.0, 1e300, 10**30, "", "U", "split"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_the_configuration_no_other_error_comes(
    data: st.DataObject, parts: Any, tmp_path: Path
) -> None:
    (config_values, arrays), _ = copy.deepcopy(parts("of_labels"))
    place, names = config_values, list(config_values)
    deeper = data.draw(st.sampled_from([None, "parameters", "classes"]))
    if deeper:
        place, names = config_values[deeper], list(config_values[deeper])
    place[data.draw(st.sampled_from(names))] = data.draw(JSON)
    write_model_file(tmp_path / "g.codeword", config_values, arrays)
    if config_values["output_shape"] is None:  # a gate of experts, then
        with pytest.raises(ParameterError, match="is a gate of 2 experts"):
            cw.load(tmp_path / "g.codeword")
        return
    try:
        loaded = cw.load(tmp_path / "g.codeword")
    except ModelFileError:
        return
    assert loaded.set_params(verbose=0).choose(X).shape == (60,)  # another setting, that decides nothing


@pytest.mark.parametrize(
    "change",
    [
        config("input_shape", value=[2**40]),
        config("num_experts", value=2**40),
        config("hidden", value=[2**40]),
        config("hidden", value=[2**20, 2**20]),
        config("hidden", value=[1] * 2000),
        config("classes", "dtype", value="U500000000"),
    ],
    ids=["features", "experts", "units", "layers", "many layers", "labels"],
)
def test_a_small_file_cannot_ask_for_much_memory(change: Any, parts: Any, tmp_path: Path) -> None:
    (config_values, arrays), _ = copy.deepcopy(parts("of_labels"))
    change((config_values, arrays))
    write_model_file(tmp_path / "g.codeword", config_values, arrays)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            cw.load(tmp_path / "g.codeword")
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="got no such file"):
        cw.load(tmp_path / "none.codeword", experts=[1, 2])
