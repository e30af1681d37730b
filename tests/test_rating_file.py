"""The file of a recommender: it comes back the same, and nothing damaged, foreign or hostile comes back at all."""

import copy
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import codeword as cw
from codeword import RatingAutoencoder, Ratings
from codeword.errors import ModelFileError
from codeword.files.model_file import read_model_file, write_model_file

Parts = tuple[dict[str, Any], dict[str, np.ndarray]]

RANDOM = np.random.default_rng(0)
ROW, COLUMN = np.nonzero(RANDOM.random((30, 20)) < 0.4)
STARS = RANDOM.integers(1, 11, len(ROW)) / 2
PAIRS = tuple(part.ravel() for part in np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
NAMES = np.array(
    ["-", " ", "10", "9", "Zoë", "a b", "naïve", "日本", "😀", "\n", "é", "e\u0301", *(f"u{n}" for n in range(18))]
)


def small(**settings: Any) -> RatingAutoencoder:
    return RatingAutoencoder(**{"data": Ratings(0, 5, step=0.5), "units": 4, "epochs": 2, "verbose": 0, **settings})


@pytest.fixture(scope="module")
def numbered() -> RatingAutoencoder:
    return small(by="both", members=2, validation_fraction=0.1).fit((ROW * 3 - 7, COLUMN, STARS))


@pytest.fixture(scope="module")
def named() -> RatingAutoencoder:
    return small(by="items", columns=("who", "what", "stars")).fit((NAMES[ROW], NAMES[COLUMN], STARS))


@pytest.fixture(scope="module")
def of_a_matrix() -> RatingAutoencoder:
    return small(by="users").fit(sp.coo_array((STARS, (ROW, COLUMN)), shape=(31, 22)))  # with cold rows and columns


@pytest.fixture(params=["numbered", "named", "of_a_matrix"])
def model(request: pytest.FixtureRequest) -> RatingAutoencoder:
    return request.getfixturevalue(request.param)


def pairs_of(model: RatingAutoencoder) -> tuple[Any, Any]:
    users, items = np.meshgrid(model.users_, model.items_, indexing="ij")
    return users.ravel(), items.ravel()


def assert_same_answers(loaded: RatingAutoencoder, model: RatingAutoencoder) -> None:
    np.testing.assert_array_equal(loaded.predict(*pairs_of(model)), model.predict(*pairs_of(model)))
    for answers, expected in (
        (loaded.predict(*pairs_of(model), return_known=True)[1], model.predict(*pairs_of(model), return_known=True)[1]),
        (loaded.predict(*pairs_of(model), rounded=True), model.predict(*pairs_of(model), rounded=True)),
        (loaded.recommend(model.users_, k=25)[0], model.recommend(model.users_, k=25)[0]),
        (loaded.recommend(model.users_, k=25)[1], model.recommend(model.users_, k=25)[1]),
    ):
        np.testing.assert_array_equal(answers, expected)


# What comes back


def test_a_loaded_model_is_the_same_model(model: RatingAutoencoder, tmp_path: Path) -> None:
    fingerprint = model.save(tmp_path / "m.codeword")
    loaded = cw.load(tmp_path / "m.codeword")
    assert isinstance(loaded, RatingAutoencoder)
    assert loaded.fingerprint_ == model.fingerprint_ == fingerprint
    assert_same_answers(loaded, model)
    for name in ("users_", "items_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
        assert getattr(loaded, name).dtype.kind == getattr(model, name).dtype.kind
    assert loaded.data_ == model.data_
    np.testing.assert_equal(loaded.validation_rmse_, model.validation_rmse_)
    expected = {**model.get_params(), "verbose": loaded.verbose}
    assert loaded.get_params() == expected


def test_a_loaded_model_reads_new_people(model: RatingAutoencoder, tmp_path: Path) -> None:
    model.save(tmp_path / "m.codeword")
    loaded = cw.load(tmp_path / "m.codeword")
    table = ([1, 1, 2], model.items_[[3, 0, 5]], [0.0, 5.0, 2.5])
    matrix = sp.coo_array(([0.0, 4.5], ([0, 0], [2, 7])), shape=(2, len(model.items_)))
    for ratings in (table, matrix):
        np.testing.assert_array_equal(loaded.predict_new(ratings), model.predict_new(ratings))
        for answers, expected in zip(loaded.recommend_new(ratings), model.recommend_new(ratings), strict=True):
            np.testing.assert_array_equal(answers, expected)


def test_a_loaded_model_saves_the_same_file_and_fits_again(model: RatingAutoencoder, tmp_path: Path) -> None:
    model.save(tmp_path / "first.codeword")
    loaded = cw.load(tmp_path / "first.codeword")
    loaded.save(tmp_path / "second.codeword")
    assert (tmp_path / "first.codeword").read_bytes() == (tmp_path / "second.codeword").read_bytes()
    ratings = model.ratings_.matrix
    again = loaded.set_params(verbose=0).fit(ratings)
    np.testing.assert_array_equal(again.predict(*PAIRS), small(**model.get_params()).fit(ratings).predict(*PAIRS))


def test_the_only_id_may_be_a_blank(tmp_path: Path) -> None:
    rec = small().fit(([" "], [" "], [3.0]))
    rec.save(tmp_path / "m.codeword")
    loaded = cw.load(tmp_path / "m.codeword")
    assert loaded.users_.tolist() == [" "]
    np.testing.assert_array_equal(loaded.predict([" "], [" "]), rec.predict([" "], [" "]))


def test_settings_as_numpy_numbers_can_be_saved(tmp_path: Path) -> None:
    settings = {
        "units": np.int64(4),
        "noise": np.float32(0.5),
        "seed": np.uint32(3),
        "columns": ["user", "item", "stars"],
    }
    rec = small(**settings).fit((ROW, COLUMN, STARS))
    rec.save(tmp_path / "m.codeword")
    np.testing.assert_array_equal(cw.load(tmp_path / "m.codeword").predict(*PAIRS), rec.predict(*PAIRS))


@pytest.mark.parametrize(
    "changed", [{"units": 99}, {"by": "users"}, {"members": 3}, {"weight_decay": 0.5}, {"data": Ratings(0, 9)}], ids=str
)
def test_settings_changed_after_fit_change_no_saved_model(changed: dict[str, Any], tmp_path: Path) -> None:
    rec = small().fit((ROW, COLUMN, STARS))
    fingerprint, answers, rows = rec.fingerprint_, rec.predict(*PAIRS), rec.predict_new(rec.ratings_.matrix)
    rec.set_params(**changed)  # for a next fit; this one is done
    assert rec.save(tmp_path / "m.codeword") == fingerprint
    loaded = cw.load(tmp_path / "m.codeword")
    np.testing.assert_array_equal(loaded.predict(*PAIRS), answers)
    np.testing.assert_array_equal(loaded.predict_new(rec.ratings_.matrix), rows)


def test_the_fingerprint_tells_models_apart() -> None:
    ratings = (ROW, COLUMN, STARS)
    rec = small().fit(ratings)
    assert rec.fingerprint_ == small().fit(ratings).fingerprint_
    assert len(rec.fingerprint_) == 64
    others = [
        small(seed=1).fit(ratings),
        small(data=Ratings(0, 5)).fit(ratings),
        small(data=Ratings(0, 6)).fit(ratings),
        small().fit((ROW + 1, COLUMN, STARS)),
        small().fit((ROW.astype(str), COLUMN, STARS)),
    ]
    assert len({rec.fingerprint_, *(other.fingerprint_ for other in others)}) == 6


# What is refused: files that are whole, their checksums right, but no model that `save` would write


def array(name: str, change: Callable[[np.ndarray], Any]) -> Callable[[Parts], None]:
    def changed(parts: Parts) -> None:
        parts[1][name] = np.asarray(change(parts[1][name]))

    return changed


def put(name: str, index: Any, value: Any) -> Callable[[Parts], None]:
    def changed(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[index] = value
        return values

    return array(name, changed)


def config(*names: str, value: Any) -> Callable[[Parts], None]:
    def changed(parts: Parts) -> None:
        place = parts[0]
        for name in names[:-1]:
            place = place[name]
        place[names[-1]] = value

    return changed


def without(*names: str) -> Callable[[Parts], None]:
    def changed(parts: Parts) -> None:
        place: Any = parts[0]
        for name in names[:-1]:
            place = place[name]
        del place[names[-1]]

    return changed


def several(*changes: Callable[[Parts], None]) -> Callable[[Parts], None]:
    def changed(parts: Parts) -> None:
        for change in changes:
            change(parts)

    return changed


def swap_neighbours(parts: Parts) -> None:
    items = parts[1]["ratings/items"].copy()
    items[:2] = items[1::-1]
    parts[1]["ratings/items"] = items


KERNEL = "members/000/kernel_in"
HOSTILE: dict[str, Callable[[Parts], None]] = {
    "kernel of other rows": array(KERNEL, lambda a: a[:-1]),
    "kernel of other units": array(KERNEL, lambda a: a[:, :-1]),
    "kernel turned round": array(KERNEL, lambda a: a.T),
    "biases too few": array("biases/items", lambda a: a[:-1]),
    "weights of members too few": array("members/weights", lambda a: a[:-1]),
    "ids not ascending": array("ids/users", lambda a: a[::-1]),
    "ids twice": array("ids/users", lambda a: np.repeat(a[:1], len(a))),
    "ids too few": array("ids/users", lambda a: a[:-1]),
    "ids too many": array("ids/items", lambda a: np.append(a, a[-1] + 1)),
    "ids in both forms": lambda parts: parts[1].update({"ids/users/ends": parts[1]["ids/users"]}),
    "items beyond the last": put("ratings/items", 0, 20),
    "items negative": put("ratings/items", 0, -1),
    "items huge": put("ratings/items", 0, 2**62),
    "items not ascending": swap_neighbours,
    "items twice": put("ratings/items", slice(0, 2), 3),
    "items too few": array("ratings/items", lambda a: a[:-1]),
    "starts decreasing": put("ratings/starts", 2, 0),
    "starts beyond the end": put("ratings/starts", -1, 10**6),
    "starts huge": put("ratings/starts", 5, 2**62),
    "starts negative": put("ratings/starts", 1, -5),
    "starts not from 0": put("ratings/starts", 0, 1),
    "starts that end early": put("ratings/starts", slice(-1, None), 5),
    "starts too few": array("ratings/starts", lambda a: a[:-1]),
    "values outside the scale": put("ratings/values", 0, 5.5),
    "values between the steps": put("ratings/values", 0, 1.25),
    "values too few": array("ratings/values", lambda a: a[:-1]),
    "values too many": array("ratings/values", lambda a: np.append(a, a[:1])),
    "an array more among the ratings": lambda parts: parts[1].update({"ratings/extra": np.zeros(3, np.float32)}),
    "an array more among the ids": lambda parts: parts[1].update({"ids/others": np.zeros(3, np.int64)}),
    "an array more among the members": lambda parts: parts[1].update({"members/004/kernel_in": parts[1][KERNEL]}),
    "members fewer": config("members", value=["items"]),
    "members in another order": config("members", value=["users", "users", "items", "items"]),
    "members of another name": config("members", value=["items", "items", "users", "rows"]),
    "number of members a fraction": config("parameters", "members", value=2.0),
    "by no way": config("parameters", "by", value="rows"),
    "units negative": config("parameters", "units", value=-4),
    "units text": config("parameters", "units", value="4"),
    "columns one": config("parameters", "columns", value=["user"]),
    "repeated otherwise": config("parameters", "repeated", value="first"),
    "columns no texts": config("parameters", "columns", value=[1, 2, 3]),
    "a parameter more": config("parameters", "verbose", value=2),
    "noise 1": config("parameters", "noise", value=1),
    "weight decay text": config("parameters", "weight_decay", value="60"),
    "weight decay a list": config("parameters", "weight_decay", value=[60]),
    "another kind of data": config("data", value={"kind": "Binary"}),
    "unknown kind of data": config("data", value={"kind": "Nonsense"}),
    "no kind of data": config("data", value={}),
    "scale upside down": several(config("data", "low", value=5.0), config("data", "high", value=0.0)),
    "scale of text": config("data", "low", value="0"),
    "scale too narrow for the ratings": config("data", "high", value=4.0),
    "step that does not fit": config("data", "step", value=0.3),
}


@pytest.fixture(scope="module")
def numbered_parts(numbered: RatingAutoencoder, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    path = tmp_path_factory.mktemp("model") / "m.codeword"
    numbered.save(path)
    return read_model_file(path)


@pytest.fixture(scope="module")
def named_parts(named: RatingAutoencoder, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    path = tmp_path_factory.mktemp("model") / "m.codeword"
    named.save(path)
    return read_model_file(path)


def refuse(parts: Parts, change: Callable[[Parts], Any], path: Path) -> None:
    config_values, arrays = copy.deepcopy(parts[0]), dict(parts[1])
    write_model_file(path, config_values, arrays)
    cw.load(path)  # the way there is sound: what is refused below is the change alone
    change((config_values, arrays))
    write_model_file(path, config_values, arrays)
    with pytest.raises(ModelFileError, match=r"m\.codeword: "):
        cw.load(path)


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_what_save_would_not_write_is_refused(
    change: Callable[[Parts], Any], numbered_parts: Parts, tmp_path: Path
) -> None:
    refuse(numbered_parts, change, tmp_path / "m.codeword")


HOSTILE_TEXTS: dict[str, Callable[[Parts], Any]] = {
    "no UTF-8": put("ids/users/text", -1, 255),
    "text cut off": array("ids/users/text", lambda a: a[:-1]),
    "text longer": array("ids/users/text", lambda a: np.append(a, np.uint8(65))),
    "text of int64": array("ids/users/text", lambda a: a.astype(np.int64)),
    "text missing": lambda parts: parts[1].pop("ids/users/text"),
    "text of two axes": array("ids/users/text", lambda a: a[:, None]),
    "ends decreasing": put("ids/users/ends", 3, 0),
    "ends negative": put("ids/users/ends", 0, -1),
    "ends that end early": array("ids/users/ends", lambda a: np.minimum(a, a[-1] - 1)),
    "ends all 0": array("ids/users/ends", np.zeros_like),
    "ends too few": array("ids/users/ends", lambda a: a[1:]),
    "ends of int32": array("ids/users/ends", lambda a: a.astype(np.int32)),
    "ends missing": lambda parts: parts[1].pop("ids/users/ends"),
    "not ascending": array("ids/users/text", lambda a: a[::-1]),
    "numbers as well": lambda parts: parts[1].update({"ids/users": np.arange(30)}),
}


@pytest.mark.parametrize("change", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_ids_that_are_no_ascending_texts_are_refused(
    change: Callable[[Parts], Any], named_parts: Parts, tmp_path: Path
) -> None:
    refuse(named_parts, change, tmp_path / "m.codeword")


def test_a_small_file_cannot_ask_for_much_memory(numbered_parts: Parts, tmp_path: Path) -> None:
    config_values, arrays = copy.deepcopy(numbered_parts[0]), numbered_parts[1]
    config_values["members"] = config_values["members"][:1] * 10**4
    write_model_file(tmp_path / "m.codeword", config_values, arrays)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            cw.load(tmp_path / "m.codeword")
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_a_file_holds_what_is_learned_in_half_the_bytes_and_exactly(named: RatingAutoencoder, tmp_path: Path) -> None:
    path = tmp_path / "model.codeword"
    named.save(path)
    _, arrays = read_model_file(path)
    for name in ("kernel_in", "kernel_out"):
        assert arrays[f"members/000/{name}"].dtype == np.float16
        assert np.array_equal(arrays[f"members/000/{name}"], getattr(named.members_[0].network, name))
    for name in ("inputs", "outputs"):
        assert arrays[f"ranking/{name}"].dtype == np.float16
        assert np.array_equal(arrays[f"ranking/{name}"], getattr(named.ranking_, name))


def test_weights_that_half_the_bytes_do_not_hold_are_kept_whole(named: RatingAutoencoder, tmp_path: Path) -> None:
    model, path = copy.deepcopy(named), tmp_path / "model.codeword"
    model.members_[0].network.kernel_in[0, 0] = np.float32(1 / 3)
    model.members_[0].network.kernel_out[0, 0] = 1e30
    model.save(path)
    _, arrays = read_model_file(path)
    assert [arrays[f"members/000/{name}"].dtype for name in ("kernel_in", "kernel_out")] == [np.float32] * 2
    network = cw.load(path).members_[0].network
    assert (network.kernel_in[0, 0], network.kernel_out[0, 0]) == (np.float32(1 / 3), np.float32(1e30))


def test_new_ratings_leave_a_file_of_half_the_bytes(named: RatingAutoencoder, tmp_path: Path) -> None:
    model, path = copy.deepcopy(named), tmp_path / "model.codeword"
    model.partial_fit((["new one", "new one"], ["new item", model.items_[0]], [3.0, 4.0])).save(path)
    _, arrays = read_model_file(path)
    assert arrays["members/000/kernel_out"].dtype == arrays["ranking/outputs"].dtype == np.float16
    assert_same_answers(cw.load(path), model)
