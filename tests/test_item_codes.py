"""Items as packed codes: what they lose, what they find, whose they are."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from click.testing import CliRunner
from sklearn.exceptions import NotFittedError

import codeword as cw
from codeword.cli import main
from codeword.errors import CodeError, DataError, ModelFileError, ParameterError
from codeword.files.model_file import read_model_file, write_model_file
from codeword.recommenders import item_codes, ranking
from codeword.recommenders.item_codes import ItemCodes, learn_item_codes

NUM_USERS, NUM_ITEMS, NUM_GROUPS = 300, 80, 4
KINDS = [cw.Bits(128), cw.Choices(16), cw.Choices(10, size=20), cw.Scalars(16), cw.Scalars(3, (2, 9, 4)), cw.Floats(9)]


def likes(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gives users and items: users take items of their own group, the first of each group more often."""
    random = np.random.default_rng(seed)
    tastes = random.integers(0, NUM_GROUPS, NUM_USERS)
    appeal = 0.5 * (1 - np.arange(NUM_ITEMS) / NUM_ITEMS)
    same = np.arange(NUM_ITEMS) % NUM_GROUPS == tastes[:, None]
    return np.nonzero(random.random(same.shape) < appeal * np.where(same, 1, 0.1))


@pytest.fixture(scope="module")
def shop() -> cw.RatingAutoencoder:
    users, items = likes()
    kept = np.random.default_rng(1).random(len(users)) < 0.7
    return cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit((users[kept], items[kept]))


@pytest.fixture(scope="module")
def later() -> tuple[np.ndarray, np.ndarray]:
    users, items = likes()
    kept = np.random.default_rng(1).random(len(users)) < 0.7
    return users[~kept], items[~kept]


@pytest.fixture(scope="module")
def codes(shop: cw.RatingAutoencoder) -> ItemCodes:
    return shop.item_codes(cw.Bits(128))


def recall(rec: cw.RatingAutoencoder, later: tuple[np.ndarray, np.ndarray]) -> float:
    return rec.evaluate(later, by="ranking")["recall@10"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_codes_are_packed_and_mean_vectors(kind: cw.Bits, shop: cw.RatingAutoencoder) -> None:
    codes = shop.item_codes(kind)
    assert (codes.codes_.dtype, codes.codes_.shape) == (np.uint8, (len(shop.items_), kind.num_bytes))
    assert (codes.items_ == shop.items_).all()
    symbols = cw.packing.unpack(codes.codes_, kind)
    assert np.array_equal(cw.packing.pack(symbols, kind), codes.codes_)
    inputs, outputs = codes.decode(codes.codes_)
    assert inputs.shape == outputs.shape
    assert inputs.dtype == outputs.dtype == np.float32
    some = codes.decode(codes.codes_[[7, 3]])
    assert np.allclose(some[0], inputs[[7, 3]], atol=1e-5 * np.abs(inputs).max())
    assert np.allclose(some[1], outputs[[7, 3]], atol=1e-5 * np.abs(outputs).max())


def test_more_bytes_lose_less(shop: cw.RatingAutoencoder) -> None:
    scores = shop.ranking_.inputs @ shop.ranking_.outputs.T
    for kinds in (
        [cw.Bits(16), cw.Bits(128), cw.Bits(512)],
        [cw.Choices(2), cw.Choices(8), cw.Choices(64)],
        [cw.Scalars(2), cw.Scalars(16), cw.Scalars(128)],
        [cw.Floats(2), cw.Floats(16), cw.Floats(100)],
    ):
        errors = []
        for kind in kinds:
            codes = shop.item_codes(kind)
            inputs, outputs = codes.decode(codes.codes_)
            errors.append(np.linalg.norm(inputs @ outputs.T - scores) / np.linalg.norm(scores))
        assert errors[0] > 1.2 * errors[1]
        assert errors[1] > 1.2 * errors[2]
        assert errors[2] < 0.25


def test_as_many_floats_as_there_are_lose_nothing(shop: cw.RatingAutoencoder) -> None:
    codes = shop.item_codes(cw.Floats(2 * shop.ranking_.inputs.shape[1]))
    inputs, outputs = codes.decode(codes.codes_)
    scores = shop.ranking_.inputs @ shop.ranking_.outputs.T
    assert np.allclose(inputs @ outputs.T, scores, atol=2e-3 * np.abs(scores).max())


@pytest.mark.parametrize("kind", [cw.Bits(128), cw.Choices(16)], ids=str)
def test_what_is_recommended_from_codes_is_nearly_as_good(
    kind: cw.Bits, shop: cw.RatingAutoencoder, later: tuple[np.ndarray, np.ndarray]
) -> None:
    coded = shop.with_item_codes(shop.item_codes(kind))
    assert recall(coded, later) > 0.8 * recall(shop, later)
    assert recall(coded, later) > 1.3 * shop.evaluate(later)["recall@10_popularity"]
    assert coded.ranking_ is not shop.ranking_
    assert coded.recommend(3, k=5)[0].shape == (1, 5)


def test_a_recommender_of_codes_is_saved_like_any_other(
    shop: cw.RatingAutoencoder, codes: ItemCodes, tmp_path: Path
) -> None:
    coded = shop.with_item_codes(codes)
    coded.save(tmp_path / "shop.codeword")
    again = cw.load(tmp_path / "shop.codeword")
    assert np.array_equal(again.recommend([1, 2])[0], coded.recommend([1, 2])[0])


def test_near_codes_are_of_the_same_group(shop: cw.RatingAutoencoder, codes: ItemCodes, tmp_path: Path) -> None:
    index = cw.HammingIndex(codes.codes_, codes.items_)
    store = cw.CodeStore(tmp_path / "items.duckdb", model=codes)
    store.append(codes.items_, codes.codes_, {"group": (codes.items_ % NUM_GROUPS).astype(np.int64)})
    popular = codes.items_[:24]
    for found in (index.search(codes.codes_[:24], k=6), store.search(codes.codes_[:24], k=6)):
        distances, ids = found
        assert (ids[:, 0] == popular).all()
        assert (distances[:, 0] == 0).all()
        assert (ids[:, 1:] % NUM_GROUPS == popular[:, None] % NUM_GROUPS).mean() > 0.8


def test_a_store_refuses_codes_of_another_model(codes: ItemCodes, tmp_path: Path) -> None:
    store = cw.CodeStore(tmp_path / "items.duckdb", model=codes)
    store.append(codes.items_, codes.codes_)
    codes.save(tmp_path / "items.codeword")
    other = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(likes(seed=5)).item_codes(cw.Bits(128))
    assert other.fingerprint_ != codes.fingerprint_
    with pytest.raises(CodeError, match="must hold codes of model"):
        cw.CodeStore(tmp_path / "items.duckdb", model=other)
    assert len(cw.CodeStore(tmp_path / "items.duckdb", model=cw.load(tmp_path / "items.codeword"))) == len(codes.items_)


def test_a_store_holds_only_bits(shop: cw.RatingAutoencoder, tmp_path: Path) -> None:
    with pytest.raises(CodeError, match="A store holds codes of Bits"):
        cw.CodeStore(tmp_path / "items.duckdb", model=shop.item_codes(cw.Choices(4)))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_file_of_codes_is_the_same_codes(kind: cw.Bits, shop: cw.RatingAutoencoder, tmp_path: Path) -> None:
    codes = shop.item_codes(kind)
    assert codes.save(tmp_path / "items.codeword") == codes.fingerprint_
    loaded = cw.load(tmp_path / "items.codeword")
    assert (loaded.code_, loaded.fingerprint_) == (codes.code_, codes.fingerprint_)
    assert np.array_equal(loaded.items_, codes.items_)
    assert np.array_equal(loaded.codes_, codes.codes_)
    for one, other in zip(codes.decode(codes.codes_), loaded.decode(codes.codes_), strict=True):
        assert np.array_equal(one, other)
    recommended = [shop.with_item_codes(each).recommend([3, 4])[0] for each in (codes, loaded)]
    assert np.array_equal(*recommended)


def test_texts_are_ids_in_a_file_of_codes(tmp_path: Path) -> None:
    users, items = likes()
    rec = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit((users, [f"é {item}" for item in items]))
    rec.item_codes(cw.Bits(16)).save(tmp_path / "items.codeword")
    assert cw.load(tmp_path / "items.codeword").items_.tolist() == rec.items_.tolist()


DAMAGE = {
    "other entries": lambda config, arrays: config.update(parameters={}),
    "an unknown kind": lambda config, arrays: config["code"].update(kind="Nibbles"),
    "more bits": lambda config, arrays: config["code"].update(num_bits=100),
    "another kind": lambda config, arrays: config.update(code={"kind": "Choices", "num_choices": 16, "size": 256}),
    "no codes": lambda config, arrays: arrays.pop("codes"),
    "fewer codes": lambda config, arrays: arrays.update(codes=arrays["codes"][1:]),
    "descending ids": lambda config, arrays: arrays.update({"ids/items": arrays["ids/items"][::-1]}),
    "a mean of NaN": lambda config, arrays: arrays.update({"meaning/mean": arrays["meaning/mean"] * np.nan}),
    "an odd width": lambda config, arrays: arrays.update({"meaning/mean": arrays["meaning/mean"][1:]}),
    "a vast width": lambda config, arrays: arrays.update({"meaning/mean": np.zeros(2**14, np.float32)}),
    "a table of three axes": lambda config, arrays: arrays.update(
        {"meaning/table": arrays["meaning/table"][..., None]}
    ),
    "directions of one axis": lambda config, arrays: arrays.update({"meaning/directions": arrays["meaning/mean"]}),
    "more arrays": lambda config, arrays: arrays.update(more=np.zeros(1, np.float32)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_file_of_impossible_codes_is_refused(name: str, codes: ItemCodes, tmp_path: Path) -> None:
    path = tmp_path / "items.codeword"
    codes.save(path)
    config, arrays = read_model_file(path)
    DAMAGE[name](config, arrays)
    write_model_file(path, config, arrays)
    with pytest.raises(ModelFileError, match=r"items\.codeword: it holds no possible item codes"):
        cw.load(path)


def test_commands_say_that_item_codes_are_no_model(codes: ItemCodes, tmp_path: Path) -> None:
    codes.save(tmp_path / "items.codeword")
    np.save(tmp_path / "rows.npy", np.zeros((3, 4)))
    for words in (["recommend", "--user", "3"], ["evaluate", "rows.npy"], ["encode", "rows.npy", "codes.npy"]):
        command, *others = [str(tmp_path / word) if word.endswith(".npy") else word for word in words]
        result = CliRunner().invoke(main, [command, str(tmp_path / "items.codeword"), *others])
        assert result.exit_code == 1
        assert "got ItemCodes" in result.output


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_same_model_gives_the_same_codes(kind: cw.Bits, shop: cw.RatingAutoencoder, tmp_path: Path) -> None:
    codes = shop.item_codes(kind)
    shop.save(tmp_path / "shop.codeword")
    again = cw.load(tmp_path / "shop.codeword").item_codes(kind)
    assert np.array_equal(codes.codes_, again.codes_)
    assert codes.fingerprint_ == again.fingerprint_


def test_stars_have_codes_too(tmp_path: Path) -> None:
    users, items = likes()
    stars = np.random.default_rng(0).integers(3, 6, len(users))
    rec = cw.RatingAutoencoder(units=4, epochs=1, verbose=0).fit((users, [f"film {item}" for item in items], stars))
    codes = rec.item_codes(cw.Bits(60))
    assert codes.codes_.shape == (len(rec.items_), 8)
    coded = rec.with_item_codes(codes)
    assert np.array_equal(coded.predict(3, "film 2"), rec.predict(3, "film 2"))
    index = cw.HammingIndex(codes.codes_, codes.items_, num_bits=60)
    assert index.search(codes.codes_[:1], k=3)[1].shape == (1, 3)


def test_fewer_items_than_entries_to_choose_from() -> None:
    users, items = np.nonzero(np.random.default_rng(0).random((40, 12)) < 0.4)
    rec = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit((users, items))
    codes = rec.item_codes(cw.Choices(8))
    assert (rec.with_item_codes(codes).recommend([1, 2], k=3)[0] == rec.recommend([1, 2], k=3)[0]).all()


def test_an_item_that_nobody_took_has_a_code() -> None:
    taken = np.random.default_rng(0).random((40, 12)) < 0.4
    matrix = sp.csr_array((taken & (np.arange(12) != 5)).astype(np.float32))
    rec = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(matrix)
    coded = rec.with_item_codes(rec.item_codes(cw.Bits(32)))
    assert 5 not in coded.recommend(np.arange(40), k=12)[0]


@pytest.mark.parametrize("kind", ["bits:64", 64, None, cw.Interactions()], ids=str)
def test_only_code_kinds_are_kinds(kind: object, shop: cw.RatingAutoencoder) -> None:
    with pytest.raises(ParameterError, match=r"`kind` must be a code kind, such as cw.Bits\(512\): got"):
        shop.item_codes(kind)


@pytest.mark.parametrize("kind", [cw.Bits(2**20), cw.Floats(2_000), cw.Choices(5_000, 65_536)], ids=str)
def test_codes_larger_than_floats_are_refused(kind: cw.Bits, shop: cw.RatingAutoencoder) -> None:
    with pytest.raises(ParameterError, match="smaller than the vectors of an item"):
        shop.item_codes(kind)


def test_codes_of_other_items_are_refused(codes: ItemCodes) -> None:
    other = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(([1, 1, 2], [7, 8, 8]))
    with pytest.raises(DataError, match="of the 2 items of this model"):
        other.with_item_codes(codes)
    with pytest.raises(CodeError, match="16 columns"):
        codes.decode(np.zeros((3, 5), np.uint8))


@pytest.mark.parametrize("kind", [cw.Bits(2), cw.Choices(1), cw.Scalars(2), cw.Floats(1)], ids=str)
@pytest.mark.parametrize("given", [([1], [7]), ([1, 2], [7, 7]), ([1, 2], [7, 8]), ([1, 1], [7, 8])], ids=str)
def test_hardly_any_data_has_codes(given: tuple[list[int], list[int]], kind: cw.Bits) -> None:
    rec = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(given)
    codes = rec.item_codes(kind)
    assert len(codes.codes_) == len(rec.items_)
    assert all(np.isfinite(vectors).all() for vectors in codes.decode(codes.codes_))


def test_a_ranking_of_zeros_is_refused(shop: cw.RatingAutoencoder) -> None:
    nothing = replace(shop.ranking_, outputs=np.zeros_like(shop.ranking_.outputs))
    with pytest.raises(DataError, match="got a ranking of zeros"):
        learn_item_codes(nothing, shop.ratings_.matrix, shop.ratings_.items, cw.Bits(8))


def test_unfitted_has_no_codes() -> None:
    with pytest.raises(NotFittedError):
        cw.RatingAutoencoder().item_codes(cw.Bits(8))


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_learning_to_rank_and_item_codes_shows_how_far_it_is(verbose: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = []

    class Bar(contextlib.nullcontext[Any]):
        def __init__(self, *_: object, desc: str, disable: bool, **__: object) -> None:
            super().__init__(self)
            self.steps = 0
            if not disable:
                bars.append((desc, self))

        def update(self, n: float | None = 1) -> None:
            self.steps += n or 0

    for module in (ranking, item_codes):
        monkeypatch.setattr(module, "tqdm", Bar)
    rec = cw.RatingAutoencoder(data=cw.Interactions(), verbose=verbose).fit(likes())
    rec.item_codes(cw.Bits(16))
    rec.item_codes(cw.Choices(4))
    assert [desc for desc, _ in bars] == (["rank", "item codes", "item codes"] if verbose == 1 else [])
    assert all(bar.steps == bar.total > 1 for _, bar in bars)
