"""Does a recommender find what people go on to like, and predict their stars, better than plain rivals do?

    CODEWORD_DATA=/folder python benchmarks/recommenders.py                   all parts, half an hour on one core
    CODEWORD_DATA=/folder python benchmarks/recommenders.py --part jester
    python benchmarks/recommenders.py --smoke                                 seconds, on generated ratings

Lists: a fifth of the ratings is held out; the ones in the upper quarter of the scale are to be found among all
items that the user has not rated in training. `movielens_1m_likes` is the protocol of Liang et al., "Variational
Autoencoders for Collaborative Filtering", 2018: likes of 4 and 5 stars, 500 users held out for the choice of settings
and 500 for the test, four fifths of each given; recall counts at most k likes.
Stars: root mean squared error on a tenth held out.

EASE is Steck's (2019), its penalty chosen on a tenth of the training part (or the 500 users); ALS and BPR are those of
`implicit` with 128 factors and else its defaults; SVD and SVD++ are Surprise's defaults. Rivals that are not installed
are left out: `pip install implicit scikit-surprise`. RatingAutoencoder has its defaults everywhere.
"""

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from ratings import rmse
from results_file import ResultsFile, mean_and_spread
from threadpoolctl import threadpool_limits

import codeword as cw
from codeword.recommenders.judge import Judge
from codeword.recommenders.scores import top_items

SEEDS = 3
SETS = {
    "movielens_100k": cw.Ratings(1, 5),
    "movielens_1m": cw.Ratings(1, 5),
    "jester": cw.Ratings(-10, 10),
    "filmtrust": cw.Ratings(0.5, 4, step=0.5),
    "flixster": cw.Ratings(0.5, 5, step=0.5),
}
LIKES = "movielens_1m_likes"
PENALTIES = (25, 50, 100, 200, 400, 800, 1600)
MOST_ITEMS_OF_EASE = 10_000  # its inverse takes 8 bytes for each pair, and seconds times their number to the power 1.5
HELD_OUT_USERS = 500
Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
Scores = Callable[[NDArray[np.intp]], NDArray[np.floating]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=(*SETS, LIKES), action="append", help="only this part; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    arguments = parser.parse_args()
    parts = ["movielens_100k", LIKES] if arguments.smoke else arguments.part or [*SETS, LIKES]
    with threadpool_limits(limits=1):
        for part in parts:
            results = ResultsFile(f"recommenders_{part}", smoke=arguments.smoke)
            for seed in range(1 if arguments.smoke else SEEDS):
                for row in likes(seed, arguments.smoke) if part == LIKES else rated(part, seed, arguments.smoke):
                    if not results.has(name=row["name"], seed=seed):
                        results.add({**row, "seed": seed})
            print_table(part, results.rows)


def ratings_of(name: str, smoke: bool) -> Columns:
    if smoke:
        return tuple(cw.datasets.planted_ratings(150, 80, 3_000, selection=2)[0])
    if name == "movielens_100k":
        return tuple(np.concatenate(both) for both in zip(*cw.datasets.load_movielens_100k(1), strict=True))
    if name == "movielens_1m":
        return tuple(cw.datasets.load_movielens_1m())
    table = np.load(Path(os.environ["CODEWORD_DATA"]) / name / f"{name}.npz")
    return table["users"], table["items"], table["ratings"].astype(np.float32)


# Ratings


class Known(NamedTuple):
    """Training interactions as ones, `(users, items)`, and what was liked in the held-out part."""

    taken: scipy.sparse.csr_array
    liked: scipy.sparse.csr_array


def rated(name: str, seed: int, smoke: bool) -> Iterator[dict[str, Any]]:
    ratings = ratings_of(name, smoke)
    places = [np.unique(ids, return_inverse=True)[1] for ids in ratings[:2]]
    shape = tuple(int(ids.max()) + 1 for ids in places)
    train, test = cw.split_ratings((*places, ratings[2]), test_share=0.2, seed=seed)
    known = known_of(train, test, SETS[name], shape)
    # Of the training part, a tenth chooses the settings of the rivals.
    chosen = known_of(*cw.split_ratings(train, seed=seed), SETS[name], shape)

    start = time.perf_counter()
    model = cw.RatingAutoencoder(data=SETS[name], verbose=0).fit(train)
    seconds = time.perf_counter() - start

    def ours(rows: NDArray[np.intp]) -> NDArray[np.floating]:
        scores = np.full((len(rows), shape[1]), -np.inf, np.float32)
        items, found = model.recommend(rows, k=100)
        is_there = ~np.isnan(found)
        scores[np.nonzero(is_there)[0], items[is_there]] = -np.broadcast_to(np.arange(items.shape[1]), items.shape)[
            is_there
        ]
        return scores

    yield {"name": "RatingAutoencoder: lists", **judged(known, ours), "seconds": seconds, "by": model.recommends_by_}
    for rival, fit in rivals(known, chosen):
        start = time.perf_counter()
        scores = fit()
        seconds = time.perf_counter() - start
        yield {"name": f"{rival}: lists", **judged(known, scores), "seconds": seconds}

    train, test = cw.split_ratings((*places, ratings[2]), test_share=0.1, seed=seed)
    start = time.perf_counter()
    model = cw.RatingAutoencoder(data=SETS[name], verbose=0).fit(train)
    seconds = time.perf_counter() - start
    figures = model.evaluate(test, k=None)
    reported = {"reported": model.validation_rmse_, "standard_error": standard_error(model, test)}
    yield {"name": "RatingAutoencoder: stars", "rmse": figures["rmse"], "seconds": seconds, **reported}
    yield {"name": "biases: stars", "rmse": figures["rmse_biases"]}
    if importlib.util.find_spec("surprise"):
        for rival in ("SVD", "SVDpp") if len(train[0]) < 50_000 else ("SVD",):
            yield {"name": f"Surprise {rival}: stars", **surprise_figures(rival, train, test, SETS[name])}


def known_of(train: Columns, later: Columns, kind: cw.Ratings, shape: tuple[int, int]) -> Known:
    is_liked = later[2] >= kind.liked_from
    return Known(ones(train[0], train[1], shape), ones(later[0][is_liked], later[1][is_liked], shape))


def ones(users: NDArray[Any], items: NDArray[Any], shape: tuple[int, int]) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array((np.ones(len(users), np.float32), (users, items)), shape=shape)


def judged(known: Known, scores: Scores) -> dict[str, float]:
    """Gives recall of 20 places and NDCG of 10."""
    figures = {}
    for name, k in (("recall", 20), ("ndcg", 10)):
        judge = Judge(known.taken, known.liked, k=k)
        # Whole users at a time, so that no array gets large.
        groups = np.array_split(np.arange(len(judge.users)), max(1, len(judge.users) * known.taken.shape[1] // 2**24))
        batches = (
            (slice(group[0], group[-1] + 1), np.array(scores(judge.users[group])), judge.taken[group])
            for group in groups
            if len(group)
        )
        figures[f"{name}@{k}"] = judge.judge(batches)[name]
    return figures


def standard_error(model: cw.RatingAutoencoder, test: Columns) -> float:
    """Gives the standard error of the held-out error, from the spread of squared errors on the test part."""
    squares = np.square(model.predict(test[0], test[1]) - test[2], dtype=np.float64)
    held_out = model.validation_fraction * model.num_ratings_
    return float(squares.std() / np.sqrt(held_out) / (2 * np.sqrt(squares.mean())))


def surprise_figures(name: str, train: Columns, test: Columns, kind: cw.Ratings) -> dict[str, float]:
    import pandas
    import surprise

    reader = surprise.Reader(rating_scale=(kind.low, kind.high))
    columns = dict(zip(("user", "item", "rating"), (*train[:2], train[2].astype(float)), strict=True))
    trainset = surprise.Dataset.load_from_df(pandas.DataFrame(columns), reader).build_full_trainset()
    model = getattr(surprise, name)(random_state=0)
    start = time.perf_counter()
    model.fit(trainset)
    seconds = time.perf_counter() - start
    predicted = [model.predict(user, item).est for user, item in zip(*test[:2], strict=True)]
    return {"rmse": rmse(np.array(predicted), test[2]), "seconds": seconds}


# Rivals of the lists


def rivals(known: Known, chosen: Known) -> Iterator[tuple[str, Callable[[], Scores]]]:
    """Gives each rival's name and a function that fits it and returns the scores of users by number."""
    yield "popularity", lambda: popularity(known.taken)
    if known.taken.shape[1] <= MOST_ITEMS_OF_EASE:
        yield "EASE", lambda: ease(known.taken, best_penalty(chosen))
    if importlib.util.find_spec("implicit"):
        yield "implicit ALS", lambda: implicit_scores("AlternatingLeastSquares", known.taken)
        yield "implicit BPR", lambda: implicit_scores("BayesianPersonalizedRanking", known.taken)


def popularity(taken: scipy.sparse.csr_array) -> Scores:
    counts = np.bincount(taken.indices, minlength=taken.shape[1]).astype(np.float32)
    return lambda rows: np.tile(counts, (len(rows), 1))


def ease_weights(taken: scipy.sparse.csr_array, penalty: float) -> NDArray[np.float64]:
    gram = (taken.T @ taken).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += penalty
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def ease(taken: scipy.sparse.csr_array, penalty: float) -> Scores:
    weights = ease_weights(taken, penalty)
    return lambda rows: (taken[rows] @ weights).astype(np.float32)


def best_penalty(chosen: Known) -> float:
    return max(PENALTIES, key=lambda penalty: judged(chosen, ease(chosen.taken, penalty))["recall@20"])


def implicit_scores(name: str, taken: scipy.sparse.csr_array) -> Scores:
    model = implicit_model(name, taken)
    return lambda rows: model.user_factors[rows] @ model.item_factors.T


def implicit_model(name: str, taken: scipy.sparse.csr_array) -> Any:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking

    classes = {
        "AlternatingLeastSquares": AlternatingLeastSquares,
        "BayesianPersonalizedRanking": BayesianPersonalizedRanking,
    }
    model = classes[name](factors=128, random_state=0, num_threads=1)
    model.fit(scipy.sparse.csr_matrix(taken), show_progress=False)
    return model


# Likes of users whom training has not seen


def likes(seed: int, smoke: bool) -> Iterator[dict[str, Any]]:
    users, items, stars = ratings_of("movielens_1m", smoke)
    users, items = users[stars >= 4], items[stars >= 4]
    items = np.unique(items, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    everyone = random.permutation(np.unique(users))
    count = min(HELD_OUT_USERS, len(everyone) // 5)
    held_out = {"validation": everyone[:count], "test": everyone[count : 2 * count]}
    training = ~np.isin(users, everyone[: 2 * count])
    width = int(items.max()) + 1
    rows = np.unique(users[training], return_inverse=True)[1]
    taken = ones(rows, items[training], (int(rows.max()) + 1, width))
    parts = {}
    for name, people in held_out.items():
        some = np.isin(users, people)
        # Everyone in this part is a test user.
        _, given, rest = cw.split_users((users[some], items[some]), test_share=0.999_999, seed=seed)
        places = [np.searchsorted(np.sort(people), part[0]) for part in (given, rest)]
        parts[name] = tuple(
            ones(place, part[1], (count, width)) for place, part in zip(places, (given, rest), strict=True)
        )
    given, rest = parts["test"]

    start = time.perf_counter()
    model = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(taken)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    listed, _ = model.recommend_new(given, k=100)
    a_person = 1e3 * (time.perf_counter() - start) / count
    yield {"name": "RatingAutoencoder", **of_lists(listed, rest), "seconds": seconds, "ms_a_person": a_person}

    def lists(scores: NDArray[np.floating], given: scipy.sparse.csr_array = given) -> NDArray[np.intp]:
        return top_items(np.array(scores, np.float32), given, min(100, width))[0]

    yield {"name": "popularity", **of_lists(lists(popularity(taken)(np.arange(count))), rest)}
    start = time.perf_counter()
    before, after = parts["validation"]
    penalty = max(
        PENALTIES,
        key=lambda penalty: of_lists(lists(before @ ease_weights(taken, penalty), before), after)["ndcg@100"],
    )
    weights = ease_weights(taken, penalty)
    seconds = time.perf_counter() - start
    yield {"name": "EASE", **of_lists(lists(given @ weights), rest), "seconds": seconds, "penalty": penalty}
    if importlib.util.find_spec("implicit"):
        start = time.perf_counter()
        model = implicit_model("AlternatingLeastSquares", taken)
        seconds = time.perf_counter() - start
        factors = np.array([model.recalculate_user(0, scipy.sparse.csr_matrix(given[[row]])) for row in range(count)])
        scores = factors.reshape(count, -1) @ model.item_factors.T
        yield {"name": "implicit ALS", **of_lists(lists(scores), rest), "seconds": seconds}


def of_lists(listed: NDArray[np.intp], rest: scipy.sparse.csr_array) -> dict[str, float]:
    """Gives the figures of Liang et al.: NDCG of 100 places, recall of 20 and 50, each over at most k likes."""
    wanted = rest.toarray() > 0
    counts = wanted.sum(axis=1)
    hits = np.take_along_axis(wanted, np.maximum(listed, 0), axis=1) & (listed >= 0)
    gains = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    some = counts > 0
    ideal = np.cumsum(gains)[np.minimum(counts[some], len(gains)) - 1]
    figures = {"ndcg@100": float((hits[some] @ gains / ideal).mean())}
    for k in (20, 50):
        figures[f"recall@{k}"] = float((hits[some, :k].sum(axis=1) / np.minimum(counts[some], k)).mean())
    return figures


def print_table(part: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{part}")
    for name in dict.fromkeys(row["name"] for row in rows):
        found = [row for row in rows if row["name"] == name]
        figures = [key for key, value in found[0].items() if isinstance(value, float)]
        print(f"  {name}: " + ", ".join(f"{key} {mean_and_spread([row[key] for row in found])}" for key in figures))


if __name__ == "__main__":
    main()
