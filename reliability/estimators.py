"""Threads, processes, seeds and interrupts of estimators.

The same seed gives the same codes, whatever other threads draw or fit, in fresh processes under any `PYTHONHASHSEED`
and on 1 to 4 threads. One fitted model answers 16 threads at once, and workers of joblib and `spawn`. A fork of a
process that has computed gets an error instead of hanging. Ctrl-C at a random moment leaves the old model.

    python -m reliability.estimators [--full]
"""

import functools
import hashlib
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import joblib
import numpy as np

import codeword as cw
from codeword.errors import ForkedProcessError
from reliability.children import in_child
from reliability.results import Attack, Row, Size, run
from reliability.threads import in_threads, meanwhile

KINDS = ("other answer", "error not of ours", "hangs or crashes")
ROWS = np.random.default_rng(0).integers(0, 4, (300, 4, 4)) / 4
MAX_SECONDS = 600.0


def attacks(size: Size) -> Iterator[Row]:
    for attack in ATTACKS:
        row = Row.of_kinds(attack.name, *KINDS)
        for number in range(size.of(*attack.counts)):
            row.cases += 1
            outcome = in_child(attack.call, number, seconds=MAX_SECONDS)
            if outcome.ending in ("hung", "died"):
                row.fail("hangs or crashes", outcome.error)
            elif outcome.ending == "raised":
                row.fail(KINDS[0] if outcome.error.startswith("AssertionError") else KINDS[1], outcome.error)
        yield row


def autoencoder(seed: int = 0, **settings: Any) -> Any:
    given: dict[str, Any] = {"code": cw.Bits(16), "hidden": (32,), "epochs": 2, "verbose": 0, **settings}
    return cw.Autoencoder(data=cw.Levels([0, 0.25, 0.5, 0.75]), seed=seed, **given)


def own_encoder() -> Any:
    import keras

    parts = [keras.layers.Flatten(), keras.layers.Dense(16, kernel_initializer="ones"), keras.layers.Dropout(0.3)]
    return keras.Sequential([keras.Input((4, 4, 4)), *parts])


def recommender() -> Any:
    ratings, _ = cw.datasets.planted_ratings()
    taken = tuple(np.asarray(column)[:2_000] for column in (ratings.users, ratings.items, ratings.ratings))
    return cw.RatingAutoencoder(data=cw.Ratings(1, 5), epochs=1, verbose=0).fit(taken)


def gate() -> Any:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    return cw.HardGateRegressor(epochs=1, verbose=0).fit(rows, rows[:, 0], outputs=rows[:, :2])


def digest(*arrays: Any) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


def fitted(seed: int, encoder: Any = None) -> str:
    return digest(autoencoder(seed, encoder=encoder).fit(ROWS).encode(ROWS))


def fits_beside_fits(number: int) -> None:
    encoder = own_encoder()
    calls = [functools.partial(fitted, number), functools.partial(fitted, number + 1, encoder)]
    alone = [call() for call in calls]

    def draw() -> None:
        random.seed(3)
        np.random.seed(random.randrange(9))
        time.sleep(0.0005)

    with meanwhile(draw):
        assert in_threads(calls * 2, MAX_SECONDS) == alone * 2
    streams = random.getstate(), np.random.get_state()[1].tolist()
    calls[1]()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == streams


def sixteen_threads(number: int) -> None:
    model, stars, choice = autoencoder().fit(ROWS), recommender(), gate()
    model, stars, choice = pickle.loads(pickle.dumps((model, stars, choice)))  # nothing is compiled yet
    codes = autoencoder().fit(ROWS).encode(ROWS)

    def answers() -> str:
        found = model.encode(ROWS), model.decode(codes), model.transform(ROWS), model.reconstruct(ROWS)
        users = stars.users_[:20]
        items, scores = stars.recommend(users, k=3)
        rated = stars.predict(users, stars.items_[:20])
        return digest(*found, items, scores, rated, choice.choose(np.linspace(-1, 1, 90).reshape(30, 3)))

    assert len(set(in_threads([answers] * 16, MAX_SECONDS))) == 1


def fresh_processes(number: int) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC", "PJRT_NPROC")
    changed = {"PYTHONHASHSEED": str(number), **dict.fromkeys(names, str(1 + number % 4))}
    command = [sys.executable, "-P", "-c", "from reliability import estimators as e; print(e.fitted(1))"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **changed}
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == fitted(1), changed


def encoded(model: Any) -> str:
    return digest(model.encode(ROWS), model.decode(model.encode(ROWS)))


def workers(number: int) -> None:
    model = autoencoder().fit(ROWS)
    expected = encoded(model)
    for backend in ("threading", "loky"):
        assert set(joblib.Parallel(2, backend=backend)(joblib.delayed(encoded)(model) for _ in range(4))) == {expected}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert set(pool.map(encoded, [model] * 4)) == {expected}
        assert pool.map(fitted, [1, 2]) == [fitted(1), fitted(2)]


def forks(number: int) -> None:
    model = autoencoder().fit(ROWS)
    calls = [lambda: model.encode(ROWS), lambda: fitted(1), lambda: pickle.loads(pickle.dumps(model))]
    outcome = in_child(calls[number % 3], seconds=60)
    assert outcome.error.startswith(ForkedProcessError.__name__), outcome
    encoded(model)


def interrupts(number: int) -> None:
    model, network = autoencoder(epochs=20).fit(ROWS), own_network()
    expected, moments = encoded(model), random.Random(number)
    rows = ROWS.reshape(len(ROWS), -1)
    calls: list[tuple[float, Callable[[], Any]]] = [
        (4.0, lambda: model.fit(ROWS)),
        (0.3, lambda: [encoded(model) for _ in range(20)]),
        (1.0, lambda: cw.fit(network, rows, rows, epochs=500, verbose=0)),
    ]
    for longest, call in calls:
        interrupted(call, longest * moments.random())
        assert encoded(model) == expected
        assert np.isfinite(cw.fit(network, rows, rows, verbose=0).history["loss"]).all()


def own_network() -> Any:
    import keras

    network = keras.Sequential([keras.Input((16,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(16)])
    network.compile("adam", "mse")
    return network


def interrupted(call: Callable[[], Any], seconds: float) -> None:
    """Call, with Ctrl-C after some seconds, which may be too late."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start programs deaf to it
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    with suppress(KeyboardInterrupt):
        timer.start()
        call()
        timer.join()
        time.sleep(1.0)  # until Python notices the signal


ATTACKS = [
    Attack("two fits beside two others and a thread that reseeds", fits_beside_fits, (0, 2, 10)),
    Attack("three models in 16 threads", sixteen_threads, (0, 2, 10)),
    Attack("fresh processes: `PYTHONHASHSEED`, 1 to 4 threads", fresh_processes, (0, 4, 16)),
    Attack("workers of joblib and `spawn`", workers, (0, 1, 3)),
    Attack("a fork of a process that has computed", forks, (1, 3, 9)),
    Attack("Ctrl-C in `fit`, `codeword.fit` and `encode`", interrupts, (0, 4, 40)),
]

if __name__ == "__main__":
    run(__file__, attacks)
