"""Files of every estimator: each reads back as the same model, and a file that differs from the schema is refused."""

import copy
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import codeword as cw
from codeword.backend import keras
from codeword.errors import ModelFileError, ParameterError
from codeword.files.model_file import model_fingerprint, read_model_file, write_model_file

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(1e3, 5, (64, 6))
LEVELS = RANDOM.integers(0, 3, (64, 2, 3)) / 2
PLANE = RANDOM.normal(size=(60, 2))
LABELS = np.array(["nö", "yes"])[(PLANE[:, 0] > 0).astype(int)]
TARGETS = np.column_stack([PLANE[:, 0] * 10, PLANE[:, 1]])
USERS, ITEMS = np.nonzero(RANDOM.random((15, 10)) < 0.4)
STARS = RANDOM.integers(1, 6, len(USERS)).astype(float)
SMALL: dict[str, Any] = {"hidden": (4,), "epochs": 1, "verbose": 0}
FEW: dict[str, Any] = {"units": 3, "epochs": 1, "verbose": 0}
HUGE = 10**12


class Case(NamedTuple):
    """A fitted model, what `load` needs beside its file, and the content of the file."""

    model: Any
    given: dict[str, Any]
    config: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def edited(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return copy.deepcopy(self.config), dict(self.arrays)


def own_encoder() -> Any:
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(3)])


def fitted(name: str) -> tuple[Any, dict[str, Any]]:
    """Fit a model of this name; return it with the arguments of `load`."""
    if name == "autoencoder of real numbers":
        return cw.Autoencoder(data=cw.Real(), code=cw.Bits(8), **SMALL).fit(ROWS), {}
    if name == "autoencoder of levels":
        levels = cw.Levels([0, 0.5, 1], edges="floor")
        return cw.Autoencoder(data=levels, code=cw.Choices(2, size=5), **SMALL).fit(LEVELS), {}
    if name == "autoencoder of codebooks":
        return cw.Autoencoder(data=cw.Real(), code=cw.Residual(2, size=4), **SMALL).fit(ROWS), {}
    if name == "autoencoder with an own encoder":
        own = {"encoder": own_encoder()}
        return cw.Autoencoder(data=cw.Real(), code=cw.Scalars(3, steps=(4, 5, 6)), **own, **SMALL).fit(ROWS), own
    if name == "ratings of numbered users":
        return cw.RatingAutoencoder(by="both", **FEW).fit((USERS * 3 - 7, ITEMS, STARS)), {}
    if name == "ratings of named users":
        return cw.RatingAutoencoder(**FEW).fit((np.array([f"ü{user}" for user in USERS]), ITEMS, STARS)), {}
    if name == "gate of classifiers":
        some = [model.fit(PLANE, LABELS) for model in (LogisticRegression(), DecisionTreeClassifier(max_depth=2))]
        return cw.HardGateClassifier(some, **SMALL).fit(PLANE, LABELS), {"experts": some}
    if name == "gate of regressors":
        some = [model.fit(PLANE, TARGETS) for model in (LinearRegression(), DecisionTreeRegressor(max_depth=2))]
        return cw.HardGateRegressor(some, **SMALL).fit(PLANE, TARGETS), {"experts": some}
    assert name == "gate of outputs"
    return cw.HardGateRegressor(**SMALL).fit(PLANE, PLANE[:, 0], outputs=PLANE), {}


CASES = (
    *("autoencoder of real numbers", "autoencoder of levels", "autoencoder of codebooks"),
    "autoencoder with an own encoder",
    *("ratings of numbered users", "ratings of named users"),
    *("gate of classifiers", "gate of regressors", "gate of outputs"),
)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    model, given = fitted(request.param)
    path = tmp_path_factory.mktemp("model") / "m.codeword"
    assert model.save(path) == model.fingerprint_
    return Case(model, given, *read_model_file(path))


def answers_of(model: Any) -> list[np.ndarray]:
    if isinstance(model, cw.RatingAutoencoder):
        return [model.predict(np.repeat(model.users_, 3), np.tile(model.items_[:3], len(model.users_)))]
    if isinstance(model, cw.Autoencoder):
        rows = ROWS if model.input_shape_ == (6,) else LEVELS
        return [model.encode(rows), model.decode(model.encode(rows))]
    return [model.choose(PLANE), model.predict(PLANE, outputs=None if model.experts_ is not None else PLANE)]


# What is the same


def test_a_loaded_pickled_or_copied_model_is_the_same_model(case: Case, tmp_path: Path) -> None:
    case.model.save(tmp_path / "m.codeword")
    loaded = cw.load(tmp_path / "m.codeword", **case.given).set_params(verbose=0)
    stream = io.BytesIO()
    joblib.dump(case.model, stream)
    same = [loaded, copy.deepcopy(loaded), pickle.loads(pickle.dumps(case.model)), joblib.load(stream)]
    for number, model in enumerate(same):
        assert model.fingerprint_ == case.model.fingerprint_ == model_fingerprint(case.config, case.arrays)
        model.save(tmp_path / f"{number}.codeword")
        assert (tmp_path / f"{number}.codeword").read_bytes() == (tmp_path / "m.codeword").read_bytes()
        for answer, expected in zip(answers_of(model), answers_of(case.model), strict=True):
            np.testing.assert_array_equal(answer, expected)


def test_an_unfitted_model_can_be_pickled_and_says_that_it_cannot_be_saved(case: Case, tmp_path: Path) -> None:
    unfitted = pickle.loads(pickle.dumps(type(case.model)()))
    with pytest.raises(ValueError, match="not fitted yet"):
        unfitted.save(tmp_path / "m.codeword")
    assert not list(tmp_path.iterdir())


def test_a_parameter_that_an_older_file_lacks_has_its_default(case: Case, tmp_path: Path) -> None:
    for name in set(case.config["parameters"]) - set(case.model.REQUIRED):
        config, arrays = case.edited()
        del config["parameters"][name]
        loaded = load(config, arrays, case, tmp_path)
        assert loaded.fingerprint_ == case.model.fingerprint_
        if name in loaded.get_params():
            assert loaded.get_params()[name] == type(loaded)().get_params()[name]


# What is refused


def load(config: Any, arrays: dict[str, np.ndarray], case: Case, folder: Path) -> Any:
    write_model_file(folder / "m.codeword", config, arrays)
    return cw.load(folder / "m.codeword", **case.given)


def assert_refused(config: Any, arrays: dict[str, np.ndarray], case: Case, folder: Path) -> None:
    with pytest.raises(ModelFileError, match=r"m\.codeword: "):
        load(config, arrays, case, folder)


def other_names(name: str) -> Iterator[str]:
    yield f"{name}x"
    yield f"x/{name}"
    yield name.partition("/")[0] + "/900/kernel"


def test_the_way_there_is_sound(case: Case, tmp_path: Path) -> None:
    assert load(*case.edited(), case, tmp_path).fingerprint_ == case.model.fingerprint_


def test_arrays_that_are_dropped_renamed_added_or_exchanged_are_refused(case: Case, tmp_path: Path) -> None:
    own = any(case.config.get(f"own_{part}") for part in ("encoder", "decoder"))
    for name, array in case.arrays.items():
        config, arrays = case.edited()
        del arrays[name]
        assert_refused(config, arrays, case, tmp_path)
        for other in other_names(name):
            if own and other == f"{name}x" and name < "encoder/004":
                continue  # the user's own model names its weights as it likes
            assert_refused(config, {**arrays, other: array}, case, tmp_path)
            assert_refused(config, {**case.arrays, other: array}, case, tmp_path)
    assert_refused(case.config, {}, case, tmp_path)
    assert_refused(case.config, {**case.arrays, "extra": np.zeros(0, np.float32)}, case, tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64"])
def test_arrays_of_another_dtype_are_refused(case: Case, dtype: str, tmp_path: Path) -> None:
    for name, array in case.arrays.items():
        of_any_float = case.given.get("encoder") and dtype.startswith("f") and name < "encoder/004"
        as_older_files_have_it = array.dtype == np.float16 and dtype == "float32"
        if array.dtype != dtype and not of_any_float and not as_older_files_have_it:
            config, arrays = case.edited()
            with np.errstate(all="ignore"):
                arrays[name] = array.astype(dtype)
            assert_refused(config, arrays, case, tmp_path)


def test_arrays_of_another_shape_are_refused(case: Case, tmp_path: Path) -> None:
    for name, array in case.arrays.items():
        shapes = [array[None], array[..., None], array[:-1], np.concatenate([array, array[-1:]]), array[:0]]
        if case.given.get("encoder") and name < "encoder/004":
            shapes = shapes[3:4]  # refused when the user's model takes it, which is slower
        elif array.ndim > 1:
            shapes += [array.ravel(), array[:, :-1], np.moveaxis(array, 0, -1)]
        for other in shapes:
            if other.shape != array.shape:
                config, arrays = case.edited()
                assert_refused(config, {**arrays, name: other}, case, tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(case: Case, value: float, tmp_path: Path) -> None:
    for name, array in case.arrays.items():
        if array.dtype.kind == "f" and not (name == "validation_rmse" and np.isnan(value)):
            config, arrays = case.edited()
            arrays[name] = array.copy()
            arrays[name].flat[-1] = value
            assert_refused(config, arrays, case, tmp_path)


def test_a_spread_that_is_not_positive_is_refused(case: Case, tmp_path: Path) -> None:
    for name in {"statistics/scale", "target_scale"} & set(case.arrays):
        for value in (0.0, -1.0):
            config, arrays = case.edited()
            arrays[name] = arrays[name].copy()
            arrays[name].flat[0] = value
            assert_refused(config, arrays, case, tmp_path)


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every entry of nested objects."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, *path, key)


def at(config: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        config = config[key]
    return config


def test_entries_that_are_dropped_or_added_are_refused(case: Case, tmp_path: Path) -> None:
    for path in places(case.config):
        config, arrays = case.edited()
        holder, key = at(config, path[:-1]), path[-1]
        if isinstance(holder, dict):
            del holder[key]
            as_older_files = path in [("ranking", "extra_count"), ("data", "spread")]
            if not as_older_files and (path[0] != "parameters" or len(path) == 1 or key in case.model.REQUIRED):
                assert_refused(config, arrays, case, tmp_path)
        if isinstance(at(case.config, path), dict):
            config, arrays = case.edited()
            at(config, path)["extra"] = 1
            assert_refused(config, arrays, case, tmp_path)
    assert_refused({**case.config, "extra": 1}, case.arrays, case, tmp_path)
    for name in ("verbose", "experts", "encoder", "data"):
        config, arrays = case.edited()
        config["parameters"][name] = 0
        assert_refused(config, arrays, case, tmp_path)


WRONG: list[Any] = [None, True, "x", [], ["x"], [HUGE], {}, -1, 1.5, 10**400]


def may_be(path: tuple[Any, ...], value: Any, case: Case) -> bool:
    """Return whether another value makes another possible model, or changes a setting that no answer depends on."""
    if path[0] == "parameters":
        return len(path) > 1 or (value == {} and not case.model.REQUIRED)
    number = type(value) in (int, float) and abs(value) < 10**300
    if path[0] == "held_out":
        return len(path) == 2 and type(value) is float and value >= 0
    if path[0] == "data":  # a wider scale of ratings, or other levels
        return (path[1:] in (("low",), ("high",)) or path[1] == "values") and number
    if path[0] == "members":
        return path[2:] == ("ridge",) and number and value >= 0
    if path[0] == "ranking":
        if path[1:] in (("strength",), ("extra_count",)):
            return number and value > 0
        return path[1:] in (("reads_ratings",), ("predicts_likes",)) and type(value) is bool
    if path[0] == "feature_names":
        return value == [] or (len(path) == 2 and isinstance(value, str))
    if path[0] == "classes":  # another label of the same kind, still in ascending order
        return path[1:2] == ("values",) and len(path) == 3 and isinstance(value, str)
    return path[0] == "own_decoder" or (path[0] == "own_encoder" and not case.given)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: repr(value)[:20])
def test_entries_of_a_wrong_type_or_out_of_range_are_refused(case: Case, wrong: Any, tmp_path: Path) -> None:
    for path in places(case.config):
        config, arrays = case.edited()
        at(config, path[:-1])[path[-1]] = wrong
        if config == case.config and repr(config) == repr(case.config):
            continue
        try:
            loaded = load(config, arrays, case, tmp_path)
        except ModelFileError:
            continue
        except ParameterError:  # now the file asks for an own model, or no longer does, or for experts
            assert path[0] in ("own_encoder", "own_decoder", "output_shape", "classes")
            continue
        assert may_be(path, wrong, case), (path, wrong)
        if path[0] in ("parameters", "held_out", "feature_names"):
            assert loaded.fingerprint_ == case.model.fingerprint_


def test_a_file_of_another_class_is_refused(case: Case, tmp_path: Path) -> None:
    others = {"Autoencoder", "RatingAutoencoder", "HardGateClassifier", "HardGateRegressor"} - {
        case.config["estimator"]
    }
    for other in (*others, "SomethingElse", "os.system"):
        write_model_file(tmp_path / "m.codeword", {**case.config, "estimator": other}, case.arrays)
        with pytest.raises(ModelFileError, match=r"m\.codeword: "):
            cw.load(tmp_path / "m.codeword")


def test_a_file_cut_off_or_with_a_changed_bit_is_refused(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "m.codeword"
    write_model_file(path, case.config, case.arrays)
    content = path.read_bytes()
    cuts = [content[: len(content) * number // 12] for number in range(12)]
    changed = [
        content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]
        for place in range(0, len(content), len(content) // 50)
    ]
    for damaged in (*cuts, content[:-1], content + b"\0", *changed):
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"m\.codeword: "):
            cw.load(path, **case.given)


def test_an_old_file_survives_a_failed_save(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.codeword"
    write_model_file(path, {"old": True}, {})

    def broken(members: Any) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("codeword.files.model_file._archive", broken)
        with pytest.raises(MemoryError):
            case.model.save(path)
    assert read_model_file(path) == ({"old": True}, {})
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("part", ["encoder", "decoder", "experts"])
def test_parts_that_the_model_does_not_have_are_refused(case: Case, part: str, tmp_path: Path) -> None:
    if part in case.given:
        match, given = f"got {part}=None", {}
    else:
        name = type(case.model).__name__
        match = rf"A model of {name} has no `{part}`: got|with no own {part}: got|columns of outputs: got {part}=\["
        given = {**case.given, part: [object()]}
    write_model_file(tmp_path / "m.codeword", case.config, case.arrays)
    with pytest.raises(ParameterError, match=match):
        cw.load(tmp_path / "m.codeword", **given)


def test_an_own_encoder_of_another_shape_is_refused(tmp_path: Path) -> None:
    model, _ = fitted("autoencoder with an own encoder")
    model.save(tmp_path / "m.codeword")
    other = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    with pytest.raises(ModelFileError, match="the weights do not fit the network"):
        cw.load(tmp_path / "m.codeword", encoder=other)
    with pytest.raises(ParameterError, match="`encoder` must"):
        cw.load(tmp_path / "m.codeword", encoder=object())
