"""What the traps are given to: one call per public method, on the backend of this process.

    python -m reliability.fuzzing.trapped SIZE FIRST

Each case is announced by a line of JSON before it runs, so that the parent knows which one a crash or a hang belongs
to; failures follow as lines.
"""

import json
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from reliability.children import is_ours
from reliability.fuzzing.traps import TRAPS, OwnError

HANG_SECONDS = 60
LEVELS = (0.0, 0.25, 0.5, 0.75)


class Call(NamedTuple):
    """A method: its estimator, its name and argument, a right argument, and the call with another one."""

    estimator: str
    method: str
    right: NDArray[Any]
    call: Callable[[Any], Any]
    nan_is_missing: bool = False  # answers may hold NaN
    valid: Any = None  # the right argument where that is not the array itself


def calls(trains: bool) -> Iterator[Call]:
    random = np.random.default_rng(0)
    yield from _autoencoder(random, trains)
    yield from _gates(random, trains)
    yield from _ratings(random, trains)
    if os.environ.get("KERAS_BACKEND", "jax") == "jax":  # the same on all
        yield from _search(random)
        yield from _functions(random)


def _autoencoder(random: np.random.Generator, trains: bool) -> Iterator[Call]:
    import codeword as cw

    x = random.choice(LEVELS, (8, 6))
    small: dict[str, Any] = {"hidden": (4,), "epochs": 1, "verbose": 0}
    made = cw.Autoencoder(data=cw.Levels(LEVELS), code=cw.Bits(8), **small).fit(x)
    codes, symbols = made.encode(x), made.transform(x)
    for name in ("encode", "transform", "reconstruct", "score", "evaluate"):
        yield Call("Autoencoder", name, x, getattr(made, name))
    yield Call("Autoencoder", "encode_pieces", x, lambda value: np.concatenate(list(made.encode_pieces(value))))
    yield Call("Autoencoder", "decode", codes, made.decode)
    yield Call("Autoencoder", "decode_proba", codes, made.decode_proba)
    yield Call("Autoencoder", "inverse_transform", symbols, made.inverse_transform)
    real = cw.Autoencoder(data=cw.Real(), code=cw.Scalars(4), **small).fit(x)
    yield Call("Autoencoder of Real", "encode", x, real.encode)
    yield Call("Autoencoder of Real", "decode", real.encode(x), real.decode)
    unit = cw.Autoencoder(data=cw.UnitInterval(), code=cw.Floats(4), **small).fit(x)
    yield Call("Autoencoder of UnitInterval", "encode", x, unit.encode)
    yield Call("Autoencoder of UnitInterval", "decode", unit.encode(x), unit.decode)

    def fitted(value: Any, **more: Any) -> Any:
        return cw.Autoencoder(code=cw.Bits(8), **{**small, **more}).fit(value).encode(x)

    if trains:
        yield Call("Autoencoder", "fit", x, lambda value: fitted(value, data=cw.Levels(LEVELS)))
        yield Call("Autoencoder", "fit, inferred", x, fitted)

        def held_out(value: Any) -> Any:
            made = cw.Autoencoder(data=cw.Levels(LEVELS), code=cw.Bits(8), **small)
            return made.fit(x, validation_data=value).encode(x)

        yield Call("Autoencoder", "fit, validation_data", x, held_out)


def _gates(random: np.random.Generator, trains: bool) -> Iterator[Call]:
    import codeword as cw

    x = random.normal(size=(24, 3)).round(2)
    answers, numbers = random.integers(0, 2, 24), random.normal(size=24).round(2)
    votes, guesses = random.integers(0, 2, (24, 3)), random.normal(size=(24, 3)).round(2)
    small: dict[str, Any] = {"hidden": (4,), "epochs": 1, "penalty": 1e-3, "verbose": 0}
    for kind, right, outputs in (
        (cw.HardGateClassifier, answers, votes),
        (cw.HardGateRegressor, numbers, guesses),
    ):
        made, name = kind(**small).fit(x, right, outputs=outputs), kind.__name__
        yield Call(name, "choose", x, made.choose)
        yield Call(name, "predict", x, lambda value, made=made, outputs=outputs: made.predict(value, outputs=outputs))
        yield Call(name, "predict, outputs", outputs, lambda value, made=made: made.predict(x, outputs=value))
        if trains:

            def fitted(rows: Any, truth: Any, given: Any, kind: Any = kind) -> Any:
                return kind(**small).fit(rows, truth, outputs=given).choose(x)

            yield Call(name, "fit, X", x, lambda value, r=right, o=outputs, f=fitted: f(value, r, o))
            yield Call(name, "fit, y", right, lambda value, o=outputs, f=fitted: f(x, value, o))
            yield Call(name, "fit, outputs", outputs, lambda value, r=right, f=fitted: f(x, r, value))
    from sklearn.tree import DecisionTreeClassifier

    trees = [DecisionTreeClassifier(max_depth=depth, random_state=0).fit(x, answers) for depth in (1, 2)]
    made = cw.HardGateClassifier(trees, **small).fit(x, answers)
    yield Call("HardGateClassifier of experts", "predict", x, made.predict)
    yield Call("HardGateClassifier of experts", "predict_proba", x, made.predict_proba)


def _ratings(random: np.random.Generator, trains: bool) -> Iterator[Call]:
    import codeword as cw

    users, items = (part.ravel() for part in np.meshgrid(np.arange(6), np.arange(5), indexing="ij"))
    stars = random.integers(1, 6, 30).astype(float)
    small: dict[str, Any] = {"data": cw.Ratings(1, 5), "units": 4, "epochs": 1, "verbose": 0}
    name, made = "RatingAutoencoder", cw.RatingAutoencoder(**small).fit((users, items, stars))
    some = np.arange(4)
    dense = random.integers(1, 6, (6, 5)).astype(float)
    sparse = scipy.sparse.csr_array(dense)
    yield Call(name, "predict, users", some, lambda value: made.predict(value, 2))
    yield Call(name, "predict, items", some, lambda value: made.predict(2, value))
    yield Call(name, "predict_biases", some, lambda value: made.predict_biases(value, 2))
    yield Call(name, "recommend", some, lambda value: made.recommend(value, 2), nan_is_missing=True)
    yield Call(name, "recommend, k", some, lambda value: made.recommend([0], value), nan_is_missing=True, valid=2)
    yield Call(
        name, "recommend_new", dense, lambda value: made.recommend_new(value, 2), nan_is_missing=True, valid=sparse
    )
    yield Call(name, "predict_new", dense, made.predict_new, valid=sparse)
    yield Call(name, "predict_new, ids", some, lambda value: made.predict_new((value, some, some + 1.0)))
    yield Call(name, "predict_new, ratings", some + 1.0, lambda value: made.predict_new((some, some, value)))
    yield Call(name, "evaluate", dense, made.evaluate, valid=sparse)
    yield Call(name, "score", dense, made.score, valid=sparse)
    yield Call(name, "recommend, items", some, lambda value: made.recommend([0], 2, items=value), nan_is_missing=True)
    yield Call(
        name, "recommend, exclude", some, lambda value: made.recommend([0], 2, exclude=value), nan_is_missing=True
    )
    yield Call(name, "similar_items", some, lambda value: made.similar_items(value, 2), nan_is_missing=True)
    yield Call(name, "explain", some, lambda value: made.explain(value, 2), valid=2)
    shop = cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit((users, items))
    yield Call("RatingAutoencoder of Interactions", "recommend_new", dense, shop.recommend_new, True, sparse)
    yield Call("RatingAutoencoder of Interactions", "evaluate", dense, shop.evaluate, valid=sparse)
    yield Call("split_ratings", "ratings", stars, lambda value: cw.split_ratings((users, items, value)))
    yield Call("split_ratings", "users", users, lambda value: cw.split_users((value, items, stars)))
    if trains:

        def fitted(value: Any) -> Any:
            return cw.RatingAutoencoder(**small).fit(value).predict(users, items)

        yield Call(name, "fit", dense, fitted, valid=sparse)
        yield Call(name, "fit, users", users, lambda value: fitted((value, items, stars)))
        yield Call(name, "fit, items", items, lambda value: fitted((users, value, stars)))
        yield Call(name, "fit, ratings", stars, lambda value: fitted((users, items, value)))

        def updated(value: Any) -> Any:
            return cw.RatingAutoencoder(**small).fit((users, items, stars)).partial_fit(value).predict(users, items)

        yield Call(name, "partial_fit", dense, updated, valid=sparse)
        yield Call(name, "partial_fit, users", users, lambda value: updated((value, items, stars)))

        def counted(value: Any) -> Any:
            return cw.RatingAutoencoder(data=cw.Interactions(), verbose=0).fit(value).recommend(some)

        yield Call("RatingAutoencoder of Interactions", "fit", dense, counted, nan_is_missing=True, valid=sparse)
        yield Call(
            "RatingAutoencoder of Interactions", "fit, counts", stars, lambda x: counted((users, items, x)), True
        )


def _search(random: np.random.Generator) -> Iterator[Call]:
    import codeword as cw

    codes, ids = random.integers(0, 256, (9, 8), np.uint8), np.arange(9) * 3
    index = cw.HammingIndex(codes, ids)
    yield Call("HammingIndex", "codes", codes, lambda value: cw.HammingIndex(value).search(codes, 2))
    yield Call("HammingIndex", "ids", ids, lambda value: cw.HammingIndex(codes, value).search(codes, 2))
    yield Call("HammingIndex", "search", codes, lambda value: index.search(value, 2))
    yield Call("HammingIndex", "search, k", ids, lambda value: index.search(codes, value), valid=2)
    yield Call("HammingIndex", "within", codes, lambda value: _lists(index.within(value, 20)))
    yield Call("HammingIndex", "within, distance", ids, lambda value: _lists(index.within(codes, value)), valid=20)

    margins, rows = random.random((9, 64)), random.normal(size=(9, 5))
    queries, kept = cw.Queries(codes, margins=margins, rows=rows), cw.KeptRows(rows, ids)
    yield Call("Queries", "margins", margins, lambda value: index.search(cw.Queries(codes, margins=value), 2))
    yield Call("Queries", "rows", rows, lambda value: index.search(cw.Queries(codes, rows=value), 2, rescore=kept))
    yield Call("KeptRows", "values", rows, lambda value: index.search(queries, 2, rescore=cw.KeptRows(value, ids)))
    yield Call("KeptRows", "quantized", rows, lambda x: index.search(queries, 2, rescore=cw.KeptRows.quantized(x, ids)))
    yield Call("KeptRows", "ids", ids, lambda value: index.search(queries, 2, rescore=cw.KeptRows(rows, value)))

    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name)
    store = cw.CodeStore(path / "codes.duckdb")
    store.append(ids, codes, {"number": ids})

    def appended(ids: Any, codes: Any, metadata: Any) -> Any:
        (path / "new.duckdb").unlink(missing_ok=True)
        new = cw.CodeStore(path / "new.duckdb")
        new.append(ids, codes, metadata)
        stored = new.search(random.integers(0, 256, (1, 8), np.uint8) * 0 + 7, k=len(new))
        assert folder
        return [np.sort(part, axis=None).astype(str) for part in stored]

    yield Call("CodeStore", "append, codes", codes, lambda value: appended(None, value, None))
    yield Call("CodeStore", "append, ids", ids, lambda value: appended(value, codes, None))
    yield Call("CodeStore", "append, metadata", ids * 0.5, lambda value: appended(None, codes, {"a": value}))
    right = {"a": ids}
    yield Call("CodeStore", "append, frame", codes * 0.5, lambda value: appended(None, codes, value), valid=right)
    yield Call("CodeStore", "search", codes, lambda value: store.search(value, 2))
    yield Call("CodeStore", "search, where", codes, lambda value: store.search(codes, 2, where=value), valid="id > 0")
    for form, wrap in (
        ("value", lambda value: value),
        ("values", lambda value: [value]),
        ("range", lambda value: (value, None)),
    ):

        def found(value: Any, wrap: Any = wrap) -> Any:
            return store.search(codes, 1, where={"number": wrap(value)})

        yield Call("CodeStore", f"search, where, {form}", ids, found, valid=3)
    yield Call("CodeStore", "get", ids, lambda value: store.get(value).codes)
    yield Call("CodeStore", "delete", ids + 1000, store.delete)


def _lists(found: Any) -> Any:
    return [np.concatenate(part) for part in found]


def _functions(random: np.random.Generator) -> Iterator[Call]:
    import codeword as cw
    from codeword.code_kinds import packing
    from codeword.search import nearest_rows

    bits, x = random.integers(0, 2, (4, 16), np.uint8), random.normal(size=(8, 3)).round(2)
    yield Call("packing", "pack_bits", bits, packing.pack_bits)
    yield Call("packing", "pack", bits, lambda value: packing.pack(value, cw.Bits(16)))
    yield Call("packing", "unpack", packing.pack_bits(bits), lambda value: packing.unpack(value, cw.Bits(16)))
    yield Call("packing", "unpack_bits", packing.pack_bits(bits), lambda value: packing.unpack_bits(value, 16))
    yield Call("advise", "x", x, lambda value: str(cw.advise(value)).replace(">f8", "float64"))
    yield Call("infer_data_kind", "x", x, lambda value: str(cw.infer_data_kind(value)))
    yield Call("nearest_rows", "x", x, lambda value: nearest_rows(value, x, 1))
    yield Call("nearest_rows", "queries", x, lambda value: nearest_rows(x, value, 1))
    for kind in (cw.Binary(), cw.Levels(LEVELS), cw.UnitInterval(), cw.Real(), cw.Ratings(1, 5)):
        right = random.choice(LEVELS, (4, 3))
        right = right + 1 if kind == cw.Ratings(1, 5) else right > 0 if kind == cw.Binary() else right
        yield Call(type(kind).__name__, "check", right, kind.check)


def main(size: str, first: int) -> None:
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _too_long)
    answers: dict[int, Any] = {}
    number = 0
    for position, call in enumerate(calls(size == "full")):
        for trap in TRAPS[:: 25 if size == "smoke" else 1]:
            number += 1
            if number > first:
                if position not in answers:
                    answers[position] = _plain(call.call(call.right if call.valid is None else call.valid))
                _tell("case", call.estimator, number)
                _judged(call, trap, answers[position], number)
    _tell("end", "", number)


def _judged(call: Call, trap: Any, right: Any, number: int) -> None:
    where = f"{call.estimator}.{call.method}: {trap.name}"
    try:
        value = trap.make(call.right)
    except (ValueError, TypeError, OverflowError, IndexError, ImportError):
        return  # no such form of this argument, or no such library beside this backend
    signal.alarm(HANG_SECONDS)
    try:
        answer = _plain(call.call(value))
    except TimeoutError:
        _tell("hangs", call.estimator, where)
        return
    except BaseException as error:
        if not (is_ours(error) or isinstance(error, OwnError) or _is_of_the_protocol(error)):
            _tell(
                "foreign errors",
                call.estimator,
                f"{where}: {type(error).__name__}: {' '.join(str(error).split())[:150]}",
            )
        return
    finally:
        signal.alarm(0)
    if trap.same and call.valid is None and not _equal(answer, right):
        _tell("other answers", call.estimator, where)
    elif not call.nan_is_missing and not _is_finite(answer):
        _tell("other answers", call.estimator, f"{where}: accepted, and answered by NaN or infinity")


def _is_of_the_protocol(error: BaseException) -> bool:
    """Return whether an error is scikit-learn's own where its protocol asks for it: names of columns."""
    return isinstance(error, ValueError) and "feature names" in str(error).lower()


def _plain(answer: Any) -> Any:
    if isinstance(answer, dict):
        return [np.asarray(value) for value in answer.values()]
    return [np.asarray(part) for part in (answer if isinstance(answer, list | tuple) else [answer])]


def _equal(answer: Any, right: Any) -> bool:
    pairs = zip(answer, right, strict=False)
    return len(answer) == len(right) and all(
        np.array_equal(one, other, equal_nan=one.dtype.kind == "f") for one, other in pairs
    )


def _is_finite(answer: Any) -> bool:
    return all(part.dtype.kind != "f" or bool(np.isfinite(part).all()) for part in answer)


def _too_long(number: int, frame: Any) -> None:
    raise TimeoutError


def _tell(kind: str, estimator: str, words: Any) -> None:
    os.write(3, json.dumps([kind, estimator, words]).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
