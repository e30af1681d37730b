"""Does a rating autoencoder predict stars and rank items better than what it would replace, on seven sets of ratings?

    CODEWORD_DATA=/folder python benchmarks/recommenders.py                    all parts, hours on one core
    CODEWORD_DATA=/folder python benchmarks/recommenders.py --part stars --only filmtrust
    python benchmarks/recommenders.py --smoke                                  seconds, on generated ratings

Each set is split at random three times: a tenth of the ratings is the test part. `stars` measures errors of
predictions, `ranking` lists of what users rate in the upper quarter of the scale, `folds_in` the protocol of Liang et
al. (2018) on MovieLens 1M, `large` time and memory of a generated catalog. Settings of ours are the defaults; those of
rivals are chosen on a twentieth of the training part. Surprise and implicit are left out where they are not installed.

Jester, FilmTrust and Flixster are files `NAME/NAME.npz` in the folder, with arrays `users`, `items` and `ratings`.
CiaoDVD (`ciaodvd/movie-ratings.txt`) and MovieTweetings (`movietweetings/ratings.dat`, the snapshot of 100,000) are as
published.
What was tried where stars lost: docs/decisions/0020-a-gaussian-model-beside-the-networks.md.
"""

import argparse
import importlib.util
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from ratings import in_fresh_process, print_table, rmse
from results_file import ResultsFile
from threadpoolctl import threadpool_limits

import codeword as cw
from codeword.datasets import RatingColumns, planted_ratings
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
RIDGES = (100.0, 300.0, 1000.0, 3000.0)
MOST_ITEMS_OF_EASE = 17_000  # whose matrices take 7 GB
Matrix = scipy.sparse.csr_array
Scorer = Callable[[Matrix, NDArray[np.intp] | None], NDArray[np.float32]]  # of rows; users' numbers if they are known

Fit = Callable[[Matrix, float], Scorer]


class Split(NamedTuple):
    """Ratings as matrices of one shape (users, items); those of the test part may be of cold users and items."""

    train: Matrix
    test: Matrix
    kind: cw.Ratings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--only", help="only results whose name contains this")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    arguments = parser.parse_args()
    for part in arguments.part or PARTS:
        results = ResultsFile(f"recommenders_{part}", smoke=arguments.smoke)
        for name, measure in experiments(part, smoke=arguments.smoke):
            if arguments.only and arguments.only not in name:
                continue
            for seed in range(1 if arguments.smoke or part == "large" else 3):
                if not results.has(name=name, seed=seed):
                    results.add({"name": name, "seed": seed, **measure(seed)})
        print_table(part, results.rows)


def experiments(part: str, *, smoke: bool) -> Iterator[tuple[str, Callable[[int], dict[str, Any]]]]:
    """Gives the experiments of a part: a name, and a function from seed to figures."""
    surprise, implicit = (importlib.util.find_spec(name) is not None for name in ("surprise", "implicit"))
    names = list(SETS)[:1] if smoke else list(SETS)
    if part == "stars":
        for name in names:
            yield f"{name}: ours", lambda seed, name=name: our_stars(split(name, seed, smoke))
            for rival in ("SVD", "SVDpp") if surprise and not (smoke or name == "jester") else ("SVD",) * surprise:
                yield f"{name}: Surprise {rival}", lambda seed, n=name, r=rival: their_stars(split(n, seed, smoke), r)
    elif part in ("ranking", "folds_in"):
        rivals: dict[str, Fit] = {"popularity": popular, "EASE": ease}
        rivals |= {"implicit ALS": als, "implicit BPR": bpr} if implicit else {}
        for name in names if part == "ranking" else ["movielens_1m"]:
            judged = ranked if part == "ranking" else folded_in
            data = name if part == "ranking" else "likes of movielens_1m"
            yield f"{data}: ours", lambda seed, name=name, judged=judged: judged(name, seed, smoke, None)
            for rival, fit in rivals.items():
                yield (
                    f"{data}: {rival}",
                    lambda seed, name=name, judged=judged, fit=fit: judged(name, seed, smoke, fit),
                )
    elif part == "large":
        yield "150,000 x 50,000, 20 million interactions", lambda seed: in_fresh_process(large, smoke)


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


def our_stars(data: Split) -> dict[str, Any]:
    """Gives our errors, the one that `fit` reports, and how far it may be from that of other ratings."""
    start = time.perf_counter()
    model = cw.RatingAutoencoder(data=data.kind, verbose=0).fit(data.train)
    seconds = time.perf_counter() - start
    found = model.evaluate(data.test, k=None)
    held_out = 0.05 * data.train.nnz
    return {
        "rmse": found["rmse"],
        "rmse_biases": found["rmse_biases"],
        "reported": model.validation_rmse_,
        "standard_error": found["rmse"]
        * np.sqrt(0.5 / held_out + 0.5 / data.test.nnz),  # of their difference, if normal
        "seconds": round(seconds, 2),
    }


def their_stars(data: Split, name: str) -> dict[str, Any]:
    """Gives Surprise's figures with its own default settings."""
    import pandas
    import surprise

    train, test = data.train.tocoo(), data.test.tocoo()
    reader = surprise.Reader(rating_scale=(data.kind.low, data.kind.high))
    columns = {"user": train.row, "item": train.col, "rating": train.data.astype(float)}
    trainset = surprise.Dataset.load_from_df(pandas.DataFrame(columns), reader).build_full_trainset()
    model = getattr(surprise, name)(random_state=0)
    start = time.perf_counter()
    model.fit(trainset)
    seconds = time.perf_counter() - start
    predicted = [model.predict(user, item).est for user, item in zip(test.row, test.col, strict=True)]
    return {"rmse": rmse(np.array(predicted), test.data), "seconds": round(seconds, 2)}


# Ranking


def popular(train: Matrix, _: float) -> Scorer:
    counts = popularity_of(train)
    return lambda taken, _: np.tile(counts, (taken.shape[0], 1))


def ease(train: Matrix, ridge: float) -> Scorer:
    """Gives Steck's EASE (2019)."""
    gram = (train.T @ train).toarray().astype(np.float32)
    np.fill_diagonal(gram, gram.diagonal() + ridge)
    weights = np.linalg.inv(gram)
    weights /= -weights.diagonal()
    np.fill_diagonal(weights, 0)
    return lambda taken, _: taken @ weights


def als(train: Matrix, ridge: float) -> Scorer:
    """Gives implicit's least squares; users' factors follow from what they took."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=64, regularization=ridge / 10, alpha=10, num_threads=1, random_state=0)
    counted = scipy.sparse.csr_matrix(train)
    model.fit(counted, show_progress=False)
    return lambda taken, _: (
        model.recalculate_user(np.arange(taken.shape[0]), scipy.sparse.csr_matrix(taken)) @ model.item_factors.T
    )


def bpr(train: Matrix, ridge: float) -> Scorer:
    """Gives implicit's BPR; new users are a sum of the factors of what they took, as it has none for them."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(
        factors=64, regularization=ridge / 1e4, num_threads=1, random_state=0, iterations=100
    )
    model.fit(scipy.sparse.csr_matrix(train), show_progress=False)
    return lambda taken, users: (
        (taken @ model.item_factors if users is None else model.user_factors[users]) @ model.item_factors.T
    )


def scored(scorer: Scorer, taken: Matrix, users: NDArray[np.intp] | None = None) -> Scored:
    for part in parts(taken.shape[0], taken.shape[1]):
        yield part, np.asarray(scorer(taken[part], None if users is None else users[part]), np.float32), taken[part]


def ones(matrix: Matrix, least: float = -np.inf) -> Matrix:
    likes = scipy.sparse.csr_array((matrix.data >= least, matrix.indices, matrix.indptr), shape=matrix.shape)
    likes = likes.astype(np.float32)
    likes.eliminate_zeros()
    return likes


def figures(taken: Matrix, relevant: Matrix, lists: Callable[[Judge], Scored], most: int = 5_000) -> dict[str, float]:
    found = {}
    for name, k in (("recall", 20), ("recall", 50), ("ndcg", 10), ("ndcg", 100)):
        judge = Judge(taken, relevant, k=k, most=most)
        found[f"{name}@{k}"] = judge.judge(lists(judge))[name]
    return found


def chosen(fit: Fit, train: Matrix, given: Matrix, relevant: Matrix, *, known: bool) -> float:
    """Gives the ridge with the best NDCG@100 on a validation part."""
    judge = Judge(given, relevant, k=100, most=2_000)
    ridges = RIDGES[:1] if fit is popular else RIDGES
    users = judge.users if known else None
    return max((judge.judge(scored(fit(train, ridge), judge.taken, users))["ndcg"], ridge) for ridge in ridges)[1]


@threadpool_limits.wrap(limits=1)
def ranked(name: str, seed: int, smoke: bool, fit: Fit | None) -> dict[str, Any]:
    """Judges lists by the test ratings that say that an item was liked, ours with all ratings to learn from."""
    data = split(name, seed, smoke)
    relevant, taken = ones(data.test, data.kind.low + 0.75 * (data.kind.high - data.kind.low)), ones(data.train)
    if fit is None:
        start = time.perf_counter()
        model = cw.RatingAutoencoder(data=data.kind, verbose=0).fit(data.train)
        seconds = time.perf_counter() - start
        found = figures(taken, relevant, lambda judge: model._scored(judge.users, model.recommends_by_))
        return {**found, "seconds": round(seconds, 2), "by": float(model.recommends_by_ == "ranking")}
    if fit is ease and data.train.shape[1] > MOST_ITEMS_OF_EASE:
        return {"recall@20": float("nan")}
    part = np.random.default_rng(seed).random(data.train.nnz) < 0.05
    entries = data.train.tocoo()
    inner, held = (
        scipy.sparse.csr_array((entries.data[which], (entries.row[which], entries.col[which])), shape=data.train.shape)
        for which in (~part, part)
    )
    liked = ones(held, data.kind.low + 0.75 * (data.kind.high - data.kind.low))
    ridge = chosen(fit, ones(inner), ones(inner), liked, known=True)
    start = time.perf_counter()
    scorer = fit(taken, ridge)
    seconds = time.perf_counter() - start
    found = figures(taken, relevant, lambda judge: scored(scorer, judge.taken, judge.users))
    return {**found, "seconds": round(seconds, 2), "ridge": ridge}


@threadpool_limits.wrap(limits=1)
def folded_in(name: str, seed: int, smoke: bool, fit: Fit | None) -> dict[str, Any]:
    """Judges 500 users never seen, from four fifths of their likes, by the others; 500 more choose the settings."""
    ratings = planted_ratings(300, 200, 9_000, seed=seed)[0] if smoke else load(name)
    likes = ones(scipy.sparse.csr_array((ratings.ratings, (ratings.users, ratings.items))), 4)
    likes = likes[np.diff(likes.indptr) >= 5]
    likes = likes[:, np.bincount(likes.indices, minlength=likes.shape[1]) > 0]
    random = np.random.default_rng(seed)
    order, held = random.permutation(likes.shape[0]), 50 if smoke else 500
    train = likes[order[2 * held :]]
    validation, test = (halves(likes[order[start : start + held]], random) for start in (held, 0))
    start = time.perf_counter()
    if fit is None:
        model = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(train)
        seconds = time.perf_counter() - start
        assert model.ranking_ is not None
        ranking = model.ranking_
        found = figures(*test, lambda judge: ranking.of_users(judge.taken))
        return {**found, "seconds": round(seconds, 2)}
    ridge = chosen(fit, train, *validation, known=False)
    start = time.perf_counter()
    scorer = fit(train, ridge)
    seconds = time.perf_counter() - start
    return {
        **figures(*test, lambda judge: scored(scorer, judge.taken)),
        "seconds": round(seconds, 2),
        "ridge": ridge,
    }


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
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(matrix)
    seconds = time.perf_counter() - start
    return {
        "interactions": int(matrix.nnz),
        "seconds": round(seconds, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "peak_gib_before_fit": round(before / 2**20, 3),
        "by_ranking": float(model.recommends_by_ == "ranking"),
    }


if __name__ == "__main__":
    main()
