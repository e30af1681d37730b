"""Does a rating autoencoder predict stars and rank items better than what it would replace, on seven sets of ratings?

    CODEWORD_DATA=/folder python benchmarks/recommenders.py                    all parts, hours on one core
    CODEWORD_DATA=/folder python benchmarks/recommenders.py --part stars --only filmtrust
    python benchmarks/recommenders.py --smoke                                  seconds, on generated ratings

Each set is split at random three times: a tenth of the ratings is the test part. `stars` measures errors of
predictions, `ranking` lists of what users rate in the upper quarter of the scale, `folds_in` the protocol of Liang et
al. (2018) on MovieLens 1M, `large` time and memory of a generated catalog. Settings of ours are the defaults, and so
are Surprise's. Those of other rivals are searched on a validation part of the first split. They learn once from all
ratings and once "of likes", from what was liked alone. Seconds are of the processor, one core with `OMP_NUM_THREADS=1`.
Surprise and implicit are left out where they are not installed.

Jester, FilmTrust and Flixster are files `NAME/NAME.npz` in the folder, with arrays `users`, `items` and `ratings`.
CiaoDVD (`ciaodvd/movie-ratings.txt`) and MovieTweetings (`movietweetings/ratings.dat`, the snapshot of 100,000) are as
published.
What was tried where stars lost: docs/decisions/0020-a-gaussian-model-beside-the-networks.md.
"""

import importlib.util
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from ratings import in_fresh_process, rmse
from results_file import Experiment, run_parts
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

import codeword as cw
from codeword.datasets import RatingColumns, planted_ratings
from codeword.recommenders.held_out import MOST_REFITTED
from codeword.recommenders.judge import Judge
from codeword.recommenders.ranking import popularity_of
from codeword.recommenders.scores import Scored, parts

PARTS = ("stars", "ranking", "folds_in", "large")
SETS = {
    "movielens_100k": cw.Ratings(1, 5),
    "movielens_1m": cw.Ratings(1, 5),
    "jester": cw.Ratings(-10, 10),
    "filmtrust": cw.Ratings(0.5, 4, step=0.5),
    "flixster": cw.Ratings(0.5, 5, step=0.5),
    "ciaodvd": cw.Ratings(1, 5),
    "movietweetings": cw.Ratings(0, 10),
}
STEP = 3.0  # between neighboring settings of a rival
SLOW_FOR_SVDPP = ("movielens_1m", "jester")  # SVD++ on MovieLens 1M: benchmarks/ratings.py --part against_surprise
LEAST_GAIN = 1.002  # below which a move to a neighbor is noise
MOST_FACTORS = 256  # twice as many take eight times as long for each user
MOST_ITEMS_OF_EASE = 17_000  # whose matrices take 3 GB
Matrix = scipy.sparse.csr_array
Scorer = Callable[[Matrix, NDArray[np.intp]], NDArray[np.float32]]  # of what users took, and of their numbers
Settings = dict[str, float]


class Rival(NamedTuple):
    """A way to rank items: a fit to interactions, the settings from which its search starts, and whom it can score."""

    fit: Callable[..., Scorer]
    settings: Settings
    knows_new_users: bool = True


class Split(NamedTuple):
    """Ratings as matrices of one shape (users, items); those of the test part may be of cold users and items."""

    train: Matrix
    test: Matrix
    kind: cw.Ratings


def main() -> None:
    run_parts("recommenders", __doc__, PARTS, experiments)


def experiments(part: str, smoke: bool) -> Iterator[Experiment]:
    surprise, implicit = (importlib.util.find_spec(name) is not None for name in ("surprise", "implicit"))
    ways = ["ours", *(way for way in RIVALS if implicit or not way.startswith("implicit"))]
    names = list(SETS)[:1] if smoke else list(SETS)
    if part == "stars":
        for name in names:
            yield Experiment(f"{name}: ours", partial(our_stars, name, smoke=smoke), 3)
            for way in ("SVD", "SVDpp") if surprise else ():
                if way == "SVD" or name not in SLOW_FOR_SVDPP:
                    measure = partial(their_stars, name, smoke=smoke, way=way)
                    yield Experiment(f"{name}: Surprise {way}", measure, 3)
    elif part == "ranking":
        for name in names:
            for way in ways:
                yield Experiment(f"{name}: {way}", partial(ranked, name, smoke=smoke, way=way), 3)
                if way != "ours":
                    measure = partial(ranked, name, smoke=smoke, way=way, only_likes=True)
                    yield Experiment(f"{name}: {way} of likes", measure, 3)
    elif part == "folds_in":
        for way in ways:
            yield Experiment(
                f"likes of movielens_1m: {way}", partial(folded_in, "movielens_1m", smoke=smoke, way=way), 3
            )
    elif part == "large":
        name = "150,000 x 50,000, 20 million interactions"
        yield Experiment(name, lambda _: in_fresh_process(large, smoke), 1)
        name = "200,000 x 20,000, 400,000 ratings"
        yield Experiment(name, lambda _: in_fresh_process(many_people, smoke), 1)


# Data


def split(name: str, seed: int, smoke: bool) -> Split:
    """Gives nine tenths of the ratings of a set, and the others."""
    ratings = planted_ratings(300, 200, 9_000, seed=seed)[0] if smoke else load(name)
    users, items = (np.unique(column, return_inverse=True)[1] for column in (ratings.users, ratings.items))
    pairs = users.astype(np.int64) * (items.max() + 1) + items
    last = len(pairs) - 1 - np.unique(pairs[::-1], return_index=True)[1]  # of each pair
    order = last[np.random.default_rng(seed).permutation(len(last))]
    shape, test = (users.max() + 1, items.max() + 1), len(order) // 10
    matrices = (
        scipy.sparse.csr_array((ratings.ratings[part].astype(np.float32), (users[part], items[part])), shape=shape)
        for part in (order[test:], order[:test])
    )
    return Split(*matrices, SETS[name])


def load(name: str) -> RatingColumns:
    folder = Path(os.environ["CODEWORD_DATA"])
    if name == "movielens_100k":
        return RatingColumns(*map(np.concatenate, zip(*cw.datasets.load_movielens_100k(1), strict=True)))
    if name == "movielens_1m":
        return cw.datasets.load_movielens_1m()
    if name == "ciaodvd":
        columns = np.loadtxt(folder / name / "movie-ratings.txt", delimiter=",", usecols=(0, 1, 4)).T
    elif name == "movietweetings":
        lines = (folder / name / "ratings.dat").read_text().split()
        columns = np.array([line.split("::")[:3] for line in lines], float).T
    else:
        arrays = np.load(folder / name / f"{name}.npz")
        columns = [arrays[field] for field in ("users", "items", "ratings")]
    return RatingColumns(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.float32))


# Stars


def our_stars(name: str, seed: int, smoke: bool) -> dict[str, Any]:
    """Gives our errors, the one that `fit` reports, and how far the two are apart by chance."""
    data, (model, seconds) = split(name, seed, smoke), our_model(name, seed, smoke)
    test = data.test.tocoo()
    of_biases = model.predict_biases(test.row, test.col) - test.data
    squares = np.square(model.predict(test.row, test.col) - test.data, dtype=np.float64)
    error, held_out = float(np.sqrt(squares.mean())), model.validation_fraction * data.train.nnz
    # `fit` compares how hard the held-out ratings are for the biases with other parts of the same size, and leaves out
    # what that explains of their chance; the other parts have their own.
    explained = np.corrcoef(squares, np.square(of_biases))[0, 1] ** 2
    left = 1 - explained + explained / max(1, min(data.train.nnz // int(held_out), MOST_REFITTED // data.train.nnz))
    of_difference = squares.std() * np.sqrt(left / held_out + 1 / len(squares)) / (2 * error)
    return {
        "rmse": error,
        "rmse_biases": float(np.sqrt(np.mean(np.square(of_biases)))),
        "reported": model.validation_rmse_,
        "standard_error": float(of_difference),
        "seconds": round(seconds, 2),
    }


@lru_cache(maxsize=1)
def our_model(name: str, seed: int, smoke: bool) -> tuple[cw.RatingAutoencoder, float]:
    """Gives a model of the training part, and how many seconds of the processor its fit took."""
    data = split(name, seed, smoke)
    start = time.process_time()
    return cw.RatingAutoencoder(data=data.kind, verbose=0).fit(data.train), time.process_time() - start


def their_stars(name: str, seed: int, smoke: bool, way: str) -> dict[str, Any]:
    """Gives Surprise's figures with its own default settings."""
    import pandas
    import surprise

    data = split(name, seed, smoke)
    train, test = data.train.tocoo(), data.test.tocoo()
    reader = surprise.Reader(rating_scale=(data.kind.low, data.kind.high))
    columns = {"user": train.row, "item": train.col, "rating": train.data.astype(float)}
    trainset = surprise.Dataset.load_from_df(pandas.DataFrame(columns), reader).build_full_trainset()
    model = getattr(surprise, way)(random_state=0)
    start = time.process_time()
    model.fit(trainset)
    seconds = time.process_time() - start
    predicted = [model.predict(user, item).est for user, item in zip(test.row, test.col, strict=True)]
    return {"rmse": rmse(np.array(predicted), test.data), "seconds": round(seconds, 2)}


# Ranking


def popular(train: Matrix) -> Scorer:
    counts = popularity_of(train)
    return lambda taken, _: np.tile(counts, (taken.shape[0], 1))


def ease(train: Matrix, ridge: float) -> Scorer:
    """Gives Steck's EASE (2019), its inverse by Cholesky's decomposition in place."""
    gram = (train.T @ train).toarray(order="F")
    np.fill_diagonal(gram, gram.diagonal() + ridge)
    factor, _ = lapack.spotrf(gram, lower=True, overwrite_a=True)
    weights, _ = lapack.spotri(factor, lower=True, overwrite_c=True)  # the lower half of the inverse
    for column in range(len(weights)):
        weights[column, column:] = weights[column:, column]
    weights /= -weights.diagonal()
    np.fill_diagonal(weights, 0)
    return lambda taken, _: taken @ weights


def als(train: Matrix, factors: float, penalty: float, alpha: float) -> Scorer:
    """Gives implicit's least squares; users' factors follow from what they took.

    Observed cells weigh `alpha` and others 1. The regularization is searched relative to `alpha`, as in Rendle et al.
    (2022), where the others' weight is what varies: the best values then lie close together.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=max(1, int(factors)), regularization=penalty * alpha, alpha=alpha, num_threads=1, random_state=0
    )
    model.fit(scipy.sparse.csr_matrix(train), show_progress=False)
    return lambda taken, _: (
        model.recalculate_user(np.arange(taken.shape[0]), scipy.sparse.csr_matrix(taken)) @ model.item_factors.T
    )


def bpr(train: Matrix, factors: float, learning_rate: float, regularization: float) -> Scorer:
    """Gives implicit's BPR."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from implicit.recommender_base import ModelFitError

    model = BayesianPersonalizedRanking(
        factors=max(1, int(factors)),
        learning_rate=learning_rate,
        regularization=regularization,
        num_threads=1,
        random_state=0,
    )
    try:
        model.fit(scipy.sparse.csr_matrix(train), show_progress=False)
    except ModelFitError:  # the learning rate is too high
        return lambda taken, _: np.zeros(taken.shape, np.float32)
    return lambda _, users: model.user_factors[users] @ model.item_factors.T


RIVALS = {
    "popularity": Rival(popular, {}),
    "EASE": Rival(ease, {"ridge": 300}),
    "implicit ALS": Rival(als, {"penalty": 3, "alpha": 3, "factors": 64}),
    "implicit BPR": Rival(bpr, {"learning_rate": 0.01, "regularization": 0.03, "factors": 64}, knows_new_users=False),
}


def chosen(settings: Settings, quality: Callable[[Settings], float]) -> Settings:
    """Climbs from settings to neighbors, one setting at a time and as far as it helps, until no neighbor is better."""

    @cache
    def tried(*places: int) -> float:
        return quality(at(places)) if at(places).get("factors", 0) <= MOST_FACTORS else 0

    def at(places: Sequence[int]) -> Settings:
        steps = (2.0 if name == "factors" else STEP for name in settings)
        pairs = zip(settings.items(), steps, places, strict=True)
        return {name: float(f"{value * step**place:.3g}") for (name, value), step, place in pairs}

    def moved_by(places: tuple[int, ...], number: int, way: int) -> tuple[int, ...]:
        return (*places[:number], places[number] + way, *places[number + 1 :])

    best: tuple[int, ...] = (0,) * len(settings)
    while settings:
        before = best
        for number in range(len(settings)):
            for way in (1, -1):
                while tried(*(moved := moved_by(best, number, way))) > LEAST_GAIN * tried(*best):
                    best = moved
        if best == before:
            break
    return at(best)


def scored(scorer: Scorer, judge: Judge, known: Matrix) -> Scored:
    """Yields scores of the judged users from what is known of all users; popularity where nothing is known of one."""
    popularity = popularity_of(known)
    for part in parts(*judge.taken.shape):
        users = judge.users[part]
        scores = np.array(scorer(known[users], users), np.float32)
        scores[np.diff(known.indptr)[users] == 0] = popularity
        yield part, scores, judge.taken[part]


def ones(matrix: Matrix, least: float = -np.inf) -> Matrix:
    likes = scipy.sparse.csr_array((matrix.data >= least, matrix.indices, matrix.indptr), shape=matrix.shape)
    likes = likes.astype(np.float32)
    likes.eliminate_zeros()
    return likes


def figures(
    taken: Matrix, relevant: Matrix, lists: Callable[[Judge], Scored], *, capped: bool = False
) -> dict[str, float]:
    """Gives the quality of lists; `capped` recall is a share of at most k hits, as in Liang et al. (2018)."""
    found, counts = {}, np.diff(relevant.indptr)
    for name, k in (("recall", 20), ("recall", 50), ("ndcg", 10), ("ndcg", 100)):
        above = np.maximum(counts - k, 0) if capped else np.zeros_like(counts)
        judge = Judge(taken, relevant, num_unknown=-above, k=k, most=5_000)
        found[f"{name}@{k}"] = judge.judge(lists(judge))[name]
    return found


@threadpool_limits.wrap(limits=1)
def ranked(name: str, seed: int, smoke: bool, way: str, only_likes: bool = False) -> dict[str, Any]:
    """Judges lists by the test ratings that say that an item was liked, ours with all ratings to learn from."""
    data = split(name, seed, smoke)
    relevant, taken = likes_of(data.test, data.kind), ones(data.train)
    if way == "ours":
        model, seconds = our_model(name, seed, smoke)
        found = figures(taken, relevant, lambda judge: model._scored(judge.users, model.recommends_by_))
        return {**found, "seconds": round(seconds, 2), "by": model.recommends_by_}
    if way == "EASE" and taken.shape[1] > MOST_ITEMS_OF_EASE:
        return {"left out": f"{taken.shape[1]} items"}
    settings = settings_for_ranking(name, smoke, way, only_likes)
    known = likes_of(data.train, data.kind) if only_likes else taken
    start = time.process_time()
    scorer = RIVALS[way].fit(known, **settings)
    seconds = time.process_time() - start
    found = figures(taken, relevant, lambda judge: scored(scorer, judge, known))
    return {**found, "seconds": round(seconds, 2), **settings}


@cache
def settings_for_ranking(name: str, smoke: bool, way: str, only_likes: bool) -> Settings:
    """Gives the settings with the best NDCG@20 on a twentieth of the training part of the first split."""
    train, kind = split(name, 0, smoke).train, SETS[name]
    is_held = np.random.default_rng(0).random(train.nnz) < 0.05
    entries = train.tocoo()
    inner, held = (
        scipy.sparse.csr_array((entries.data[which], (entries.row[which], entries.col[which])), shape=train.shape)
        for which in (~is_held, is_held)
    )
    judge = Judge(ones(inner), likes_of(held, kind), k=20, most=2_000)
    known, rival = likes_of(inner, kind) if only_likes else ones(inner), RIVALS[way]

    def quality(settings: Settings) -> float:
        return judge.judge(scored(rival.fit(known, **settings), judge, known))["ndcg"]

    return chosen(rival.settings, quality)


def likes_of(ratings: Matrix, kind: cw.Ratings) -> Matrix:
    return ones(ratings, kind.low + 0.75 * (kind.high - kind.low))


@threadpool_limits.wrap(limits=1)
def folded_in(name: str, seed: int, smoke: bool, way: str) -> dict[str, Any]:
    """Judges 500 users never seen, from four fifths of their likes, by the others."""
    train, _, test = folds(name, seed, smoke)
    if way == "ours":
        start = time.process_time()
        model = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(train)
        seconds = time.process_time() - start
        ranking = model.ranking_
        assert ranking is not None
        found = figures(*test, lambda judge: ranking.of_users(judge.taken), capped=True)
        return {**found, "seconds": round(seconds, 2)}
    settings = settings_for_folds(name, smoke, way)
    start = time.process_time()
    scorer = fitted_for(test[0], train, RIVALS[way], settings)
    seconds = time.process_time() - start
    found = figures(*test, lambda judge: scored(scorer, judge, test[0]), capped=True)
    return {**found, "seconds": round(seconds, 2), **settings}


@cache
def settings_for_folds(name: str, smoke: bool, way: str) -> Settings:
    """Gives the settings with the best NDCG@100 for the validation users of the first split."""
    train, (given, relevant), _ = folds(name, 0, smoke)
    judge, rival = Judge(given, relevant, k=100), RIVALS[way]

    def quality(settings: Settings) -> float:
        return judge.judge(scored(fitted_for(given, train, rival, settings), judge, given))["ndcg"]

    return chosen(rival.settings, quality)


def fitted_for(given: Matrix, train: Matrix, rival: Rival, settings: Settings) -> Scorer:
    """Fits a rival; one that can score only users that it was fitted to learns from what is given of the new ones."""
    if rival.knows_new_users:
        return rival.fit(train, **settings)
    scorer = rival.fit(scipy.sparse.vstack([train, given], format="csr"), **settings)
    return lambda taken, users: scorer(taken, train.shape[0] + users)


def folds(name: str, seed: int, smoke: bool) -> tuple[Matrix, tuple[Matrix, Matrix], tuple[Matrix, Matrix]]:
    """Gives the likes of most users, and those of 500 validation and 500 test users, each in two parts."""
    ratings = planted_ratings(300, 200, 9_000, seed=seed)[0] if smoke else load(name)
    likes = ones(scipy.sparse.csr_array((ratings.ratings, (ratings.users, ratings.items))), 4)
    likes = likes[np.diff(likes.indptr) >= 5]
    likes = likes[:, np.bincount(likes.indices, minlength=likes.shape[1]) > 0]
    random = np.random.default_rng(seed)
    order, held = random.permutation(likes.shape[0]), 50 if smoke else 500
    validation, test = (halves(likes[order[start : start + held]], random) for start in (held, 0))
    return likes[order[2 * held :]], validation, test


def halves(likes: Matrix, random: np.random.Generator) -> tuple[Matrix, Matrix]:
    """Gives four fifths of each row, and the others."""
    entries = likes.tocoo()
    given = np.zeros(likes.nnz, bool)
    for start, end in zip(likes.indptr[:-1], likes.indptr[1:], strict=True):
        given[start + random.permutation(end - start)[(end - start) // 5 :]] = True
    one, other = (
        scipy.sparse.csr_array((entries.data[which], (entries.row[which], entries.col[which])), shape=likes.shape)
        for which in (given, ~given)
    )
    return one, other


# Size


def large(smoke: bool) -> dict[str, Any]:
    """Measures a fit of many interactions around a planted truth, in a process that does little else."""
    users, items, count = (500, 300, 9_000) if smoke else (150_000, 50_000, 20_000_000)
    random = np.random.default_rng(0)
    groups = 20
    rows = np.sort(random.integers(0, users, count))
    own = random.random(count) < 0.5  # half of what users take is of their own group of items
    columns = (items * random.random(count) ** 3).astype(np.int64)
    columns = np.where(own, (columns // groups * groups + rows % groups).clip(max=items - 1), columns)
    matrix = scipy.sparse.csr_array((np.ones(count, np.float32), (rows, columns)), shape=(users, items))
    matrix.data[:] = 1
    del rows, columns, own
    return fit_and_size(matrix, cw.Interactions())


def many_people(smoke: bool) -> dict[str, Any]:
    """Measures a fit where people outnumber items and have two ratings each."""
    users, items = (1_000, 100) if smoke else (200_000, 20_000)
    random = np.random.default_rng(0)
    rows = np.concatenate([np.arange(users), random.integers(0, users, users)])
    pairs = np.unique(rows * items + (items * random.random(2 * users) ** 2).astype(np.int64))
    stars = random.integers(1, 6, len(pairs)).astype(np.float32)
    return fit_and_size(
        scipy.sparse.csr_array((stars, np.divmod(pairs, items)), shape=(users, items)), cw.Ratings(1, 5)
    )


def fit_and_size(matrix: Matrix, kind: cw.Ratings | cw.Interactions) -> dict[str, Any]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model = cw.RatingAutoencoder(data=kind, verbose=0).fit(matrix)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.codeword"
        model.save(file)
        megabytes = file.stat().st_size / 1e6
    return {
        "interactions": int(matrix.nnz),
        "seconds": round(seconds, 1),
        "peak_gib": round(peak / 2**20, 3),
        "peak_gib_before_fit": round(before / 2**20, 3),
        "model_mb": round(megabytes, 1),
    }


if __name__ == "__main__":
    main()
