"""How exact, how fast and how large is a rating autoencoder: on MovieLens beside Surprise, and on generated catalogues?

    CODEWORD_DATA=/folder python benchmarks/ratings.py                       all parts, about an hour on two cores
    CODEWORD_DATA=/folder python benchmarks/ratings.py --part movielens_100k
    python benchmarks/ratings.py --smoke                                     seconds, on generated ratings

Settings were chosen on 5 % of the training parts; the test parts were looked at once, here. The parts beside Surprise
need `pip install scikit-surprise`.
"""

import importlib.util
import multiprocessing
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from results_file import Experiment, run_parts
from threadpoolctl import threadpool_limits

import codeword as cw
from codeword import split_ratings
from codeword.datasets import RatingColumns, planted_ratings
from codeword.recommenders.biases import Biases
from codeword.recommenders.row_network import RowNetwork, gradient
from codeword.recommenders.scores import SCORES_AT_A_TIME

PARTS = ("movielens_100k", "movielens_1m", "against_surprise", "new_people", "catalogue", "ten_million", "recommend")
PARTS += ("density",)
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "default, nothing held out": {"validation_fraction": 0.0},
    "by users": {"by": "users"},
    "both, 4 members, 350 units, 20 epochs, noise .6, nothing held out": {
        "by": "both",
        "members": 4,
        "units": 350,
        "epochs": 20,
        "noise": 0.6,
        "validation_fraction": 0.0,
    },
}


def main() -> None:
    run_parts("ratings", __doc__, PARTS, experiments)


def experiments(part: str, smoke: bool) -> Iterator[Experiment]:
    """Gives the experiments of a part; in a smoke test without Surprise those that need it are left out."""
    here = not smoke or importlib.util.find_spec("surprise") is not None
    for experiment in every_experiment(part, smoke):
        if here or not (experiment.name.startswith("Surprise") or part == "against_surprise"):
            yield experiment
        else:
            print(f"{experiment.name} is left out: Surprise is not installed")


def every_experiment(part: str, smoke: bool) -> Iterator[Experiment]:
    if part == "movielens_100k":
        for name, settings in VARIANTS.items():
            yield Experiment(name, lambda seed, settings=settings: fitted_figures(fold(seed, smoke), settings), 5)
        for name in ("SVD", "SVDpp"):
            yield Experiment(f"Surprise {name}", lambda seed, name=name: surprise_figures(fold(seed, smoke), name), 5)
        yield Experiment("biases", lambda seed: bias_figures(fold(seed, smoke)), 5)
    elif part == "movielens_1m":
        for name, settings in VARIANTS.items():
            yield Experiment(
                name, lambda seed, settings=settings: fitted_figures(random_split(seed, smoke), settings), 5
            )
        yield Experiment("biases", lambda seed: bias_figures(random_split(seed, smoke)), 5)
    elif part == "against_surprise":
        yield Experiment("fit, then SVD++, in turn", lambda seed: against_surprise(random_split(seed, smoke)), 3)
    elif part == "new_people":
        yield Experiment("a tenth of the people unseen", lambda seed: new_people(seed, smoke), 3)
    elif part == "catalogue":
        yield Experiment("the same ratings, 1 and 4 times the catalogue", lambda seed: catalogue(seed, smoke), 3)
    elif part == "ten_million":
        for by in ("items", "users"):
            yield Experiment(f"by {by}", lambda seed, by=by: ten_million(by, smoke), 1)
    elif part == "recommend":
        yield Experiment("beside matrix product and top 10", lambda seed: recommend(seed, smoke), 3)
    elif part == "density":
        for density in (0.003, 0.01, 0.03, 0.1, 0.2, 0.4):
            yield Experiment(
                f"{density:g} of the cells filled", lambda seed, d=density: density_figures(d, seed, smoke), 3
            )


def fold(seed: int, smoke: bool) -> tuple[RatingColumns, RatingColumns]:
    """Gives a published split of MovieLens 100K, u1 for seed 0."""
    return (
        split_ratings(planted_ratings(300, 200, 9_000, seed=seed)[0], seed=seed)
        if smoke
        else cw.datasets.load_movielens_100k(seed + 1)
    )


def random_split(seed: int, smoke: bool) -> tuple[RatingColumns, RatingColumns]:
    """Gives 90 % and 10 % of MovieLens 1M."""
    ratings = planted_ratings(300, 200, 9_000, seed=seed)[0] if smoke else cw.datasets.load_movielens_1m()
    return split_ratings(ratings, seed=seed)


def rmse(predicted: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.square(predicted - true, dtype=np.float64).mean()))


def fitted_figures(data: tuple[RatingColumns, RatingColumns], settings: dict[str, Any]) -> dict[str, Any]:
    train, test = data
    start = time.perf_counter()
    model = cw.RatingAutoencoder(verbose=0, **settings).fit(train)
    seconds = time.perf_counter() - start
    figures = model.evaluate(test)
    epochs = len(model.members_[0].history["mse"])
    return {"rmse": figures["rmse"], "mae": figures["mae"], "seconds": round(seconds, 2), "epochs": epochs}


def bias_figures(data: tuple[RatingColumns, RatingColumns]) -> dict[str, Any]:
    """Gives what the library's own biases alone reach."""
    train, test = data
    shape = (max(train.users.max(), test.users.max()) + 1, max(train.items.max(), test.items.max()) + 1)
    biases = Biases.of(scipy.sparse.csr_array((train.ratings, (train.users, train.items)), shape=shape))
    predicted = biases.mean + biases.users[test.users] + biases.items[test.items]
    return {"rmse": rmse(np.clip(predicted, 1, 5), test.ratings)}


def surprise_figures(data: tuple[RatingColumns, RatingColumns], name: str) -> dict[str, Any]:
    """Gives Surprise's figures with its own default settings, its fit timed without the loading of its tables."""
    import pandas
    import surprise

    train, test = data
    reader = surprise.Reader(rating_scale=(1, 5))
    columns = {"user": train.users, "item": train.items, "rating": train.ratings.astype(float)}
    trainset = surprise.Dataset.load_from_df(pandas.DataFrame(columns), reader).build_full_trainset()
    model = getattr(surprise, name)(random_state=0)
    start = time.perf_counter()
    model.fit(trainset)
    seconds = time.perf_counter() - start
    predicted = [model.predict(user, item).est for user, item in zip(test.users, test.items, strict=True)]
    return {"rmse": rmse(np.array(predicted), test.ratings), "seconds": round(seconds, 2)}


def against_surprise(data: tuple[RatingColumns, RatingColumns]) -> dict[str, Any]:
    ours, theirs = fitted_figures(data, {}), surprise_figures(data, "SVDpp")
    return {
        "seconds": ours["seconds"],
        "seconds_svdpp": theirs["seconds"],
        "times_faster": round(theirs["seconds"] / ours["seconds"], 1),
        "rmse": ours["rmse"],
        "rmse_svdpp": theirs["rmse"],
    }


def new_people(seed: int, smoke: bool) -> dict[str, Any]:
    """Measures people who were not there in training, from nine tenths of their ratings, on the last tenth."""
    ratings = planted_ratings(300, 200, 9_000, seed=seed)[0] if smoke else cw.datasets.load_movielens_1m()
    random = np.random.default_rng(seed)
    chosen = random.permutation(np.unique(ratings.users))
    unseen = np.isin(ratings.users, chosen[: len(chosen) // 10])
    asked = random.random(len(unseen)) < 0.1
    train, given, test, control = (
        ratings.rows(part) for part in (~unseen, unseen & ~asked, unseen & asked, ~(unseen & asked))
    )
    figures = {}
    for by in ("items", "users"):
        model = cw.RatingAutoencoder(by=by, verbose=0).fit(train)
        answers = model.predict_new(given)
        row, column = np.searchsorted(np.unique(given.users), test.users), np.searchsorted(model.items_, test.items)
        known = np.isin(test.users, given.users) & np.isin(test.items, model.items_)
        predicted = answers[row[known], column[known]]
        figures[f"rmse_unseen_by_{by}"] = rmse(predicted, test.ratings[known])
        there = cw.RatingAutoencoder(by=by, verbose=0).fit(control)
        figures[f"rmse_had_they_been_there_by_{by}"] = rmse(
            there.predict(test.users[known], test.items[known]), test.ratings[known]
        )
    return figures


def catalogue(seed: int, smoke: bool) -> dict[str, Any]:
    """Times an epoch on the same number of ratings of a catalogue, and of one four times as large."""
    users, items, count = (300, 250, 9_000) if smoke else (10_000, 5_000, 1_000_000)
    data = {factor: planted_ratings(users, factor * items, count, seed=seed)[0] for factor in (1, 4)}
    figures: dict[str, Any] = {}
    for by in ("items", "users"):
        seconds: dict[int, list[float]] = {1: [], 4: []}
        for _ in range(2):
            for factor, ratings in data.items():
                start = time.perf_counter()
                cw.RatingAutoencoder(by=by, epochs=3, validation_fraction=0, verbose=0).fit(ratings)
                three = time.perf_counter() - start
                start = time.perf_counter()
                cw.RatingAutoencoder(by=by, epochs=1, validation_fraction=0, verbose=0).fit(ratings)
                seconds[factor].append((three - (time.perf_counter() - start)) / 2)
        figures[f"seconds_an_epoch_by_{by}"] = round(min(seconds[1]), 2)
        figures[f"ratio_by_{by}"] = round(min(seconds[4]) / min(seconds[1]), 3)
    return figures


def ten_million(by: str, smoke: bool) -> dict[str, Any]:
    """Measures a fit in a process that does nothing but read the ratings, fit and predict."""
    users, items, count = (700, 100, 10_000) if smoke else (70_000, 10_000, 10_000_000)
    with tempfile.TemporaryDirectory() as folder:
        in_fresh_process(write_planted, folder, users, items, count)
        return in_fresh_process(fit_and_measure, folder, by)


def write_planted(folder: str, users: int, items: int, count: int) -> None:
    ratings, truth = planted_ratings(users, items, count, seed=0)
    held = count // 50
    train = ratings.rows(slice(held, None))
    matrix = scipy.sparse.csr_array((train.ratings, (train.users, train.items)), shape=(users, items))
    scipy.sparse.save_npz(f"{folder}/train.npz", matrix, compressed=False)
    np.savez(f"{folder}/test.npz", **ratings.rows(slice(0, held))._asdict(), truth=truth[:held].clip(1, 5))


def fit_and_measure(folder: str, by: str) -> dict[str, Any]:
    matrix, test = scipy.sparse.load_npz(f"{folder}/train.npz"), np.load(f"{folder}/test.npz")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model = cw.RatingAutoencoder(by=by, verbose=0, epochs=10).fit(matrix)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    predicted = model.predict(test["users"], test["items"])
    biases = model.predict_biases(test["users"], test["items"])
    return {
        "seconds": round(seconds, 1),
        "peak_gib": round(peak / 2**20, 3),
        "peak_gib_before_fit": round(before / 2**20, 3),
        "rmse": rmse(predicted, test["ratings"]),
        "rmse_biases": rmse(biases, test["ratings"]),
        "rmse_of_the_truth": rmse(test["truth"], test["ratings"]),
        "rmse_to_truth": rmse(predicted, test["truth"]),
        "rmse_biases_to_truth": rmse(biases, test["truth"]),
    }


def in_fresh_process(measure: Callable[..., Any], *arguments: Any) -> Any:
    """Runs a function where nothing else has taken memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def recommend(seed: int, smoke: bool) -> dict[str, Any]:
    """Times ten recommendations: for every user beside a bare product and top 10 of the same factors; for new users."""
    users, items, count = (500, 400, 9_000) if smoke else (100_000, 10_000, 4_000_000)
    model = cw.RatingAutoencoder(epochs=1, verbose=0, seed=seed).fit(planted_ratings(users, items, count, seed=seed)[0])
    asked, ranking = model.users_, model.ranking_
    factors, item_factors = ranking.weighted(model._taken[:-1]) @ ranking.inputs, ranking.outputs

    def plain() -> None:
        length = SCORES_AT_A_TIME // len(item_factors)
        for start in range(0, len(asked), length):
            scores = factors[start : start + length] @ item_factors.T
            best = np.argpartition(scores, -10, axis=1)[:, -10:]
            order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
            np.take_along_axis(best, order, axis=1)

    ours, bare = [], []
    for _ in range(1 if smoke else 2):
        for call, seconds in ((lambda: model.recommend(asked, k=10, by="ranking"), ours), (plain, bare)):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    model.recommend(asked[: max(1, len(asked) // 20)], k=10, by="ranking")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    new = planted_ratings(100 if smoke else 1_000, items, 9_000 if smoke else 40_000, seed=seed + 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.codeword")
        loaded = cw.load(f"{folder}/model.codeword")
    seconds_new = []
    for _ in range(2):
        start = time.perf_counter()
        found, _ = loaded.recommend_new(new, k=10, by="ranking")
        seconds_new.append(time.perf_counter() - start)
    return {
        "users": len(asked),
        "seconds": round(min(ours), 2),
        "seconds_plain": round(min(bare), 2),
        "ratio": round(min(ours) / min(bare), 3),
        "peak_mib_beyond_the_model": round(peak / 2**20, 1),
        "new_users": len(found),
        "milliseconds_a_new_user": round(1000 * min(seconds_new) / len(found), 4),
    }


@threadpool_limits.wrap(limits=1, user_api="blas")  # as in training
def density_figures(density: float, seed: int, smoke: bool) -> dict[str, Any]:
    """Times the gradient of one batch of 32,768 ratings by loops over entries and by dense products."""
    columns, entries, units = (300, 2_000, 16) if smoke else (6_000, 32_768, 250)
    rows = max(1, round(entries / density / columns))
    batch = scipy.sparse.random_array((rows, columns), density=density, format="csr", dtype=np.float32, rng=seed)
    network = RowNetwork.random(columns, units, np.random.default_rng(seed))
    targets = np.ones(batch.nnz, np.float32)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):
        for dense, times in seconds.items():
            start = time.perf_counter()
            gradient(network, batch, targets, dense=dense)
            times.append(time.perf_counter() - start)
    sparse, dense = min(seconds[False]), min(seconds[True])
    return {
        "rows": rows,
        "sparse_ms": round(1e3 * sparse, 1),
        "dense_ms": round(1e3 * dense, 1),
        "ratio": sparse / dense,
    }


if __name__ == "__main__":
    main()
