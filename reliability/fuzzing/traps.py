"""Inputs that programs meet: the same numbers in another form, and what is no data at all."""

import array
import datetime
import decimal
import fractions
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Make = Callable[[NDArray[Any]], Any]


class Trap(NamedTuple):
    """`make` turns a right argument into the trap. `same` says that its numbers are the right ones, in another form."""

    name: str
    make: Make
    same: bool = False


class _Protocol:
    """Numbers behind NumPy's protocol."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.array(self.values, dtype)


class OwnError(Exception):
    """What an input itself raises; readers may let it pass."""


class _Broken(_Protocol):
    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        raise OwnError


class _Endless:
    """A sequence that ends only by its length, which is wrong."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> float:
        if place > 10_000:
            raise IndexError(place)
        return 0.5


class _Subclass(np.ndarray):
    pass


def _put(value: Any, dtype: Any = None) -> Make:
    """Return a function that puts a value into the middle of an array."""

    def make(x: NDArray[Any]) -> NDArray[Any]:
        changed = x.astype(dtype or np.result_type(x.dtype, np.float64))
        changed.reshape(-1)[x.size // 2] = value
        return changed

    return make


def _objects(value: Any) -> Make:
    def make(x: NDArray[Any]) -> NDArray[Any]:
        changed = x.astype(object)
        changed.reshape(-1)[x.size // 2] = value
        return changed

    return make


def _mapped(x: NDArray[Any]) -> NDArray[Any]:
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, x.dtype, "w+", shape=x.shape)
        mapped[...] = x
        return mapped


def _pandas(x: NDArray[Any], **settings: Any) -> Any:
    import pandas

    names = settings.pop("names", [f"x{number}" for number in range(x.shape[-1] if x.ndim > 1 else 1)])
    if x.ndim > 2:
        return pandas.DataFrame(x.reshape(len(x), -1))
    return pandas.DataFrame(x, columns=names, **settings)


def _series(x: NDArray[Any], **settings: Any) -> Any:
    import pandas

    return pandas.Series(x.reshape(-1), **settings)


def _polars(x: NDArray[Any]) -> Any:
    import polars

    return polars.DataFrame(x.reshape(len(x), -1))


def _arrow(x: NDArray[Any]) -> Any:
    import pyarrow

    flat = x.reshape(len(x), -1)
    return pyarrow.table({f"x{number}": np.ascontiguousarray(flat[:, number]) for number in range(flat.shape[1])})


def _spread(x: NDArray[Any]) -> NDArray[Any]:
    wide = np.zeros([2 * size for size in x.shape], x.dtype)
    every_second = tuple(slice(None, None, 2) for _ in x.shape)
    wide[every_second] = x
    return wide[every_second]


def _read_only(x: NDArray[Any]) -> NDArray[Any]:
    locked = x.copy()
    locked.flags.writeable = False
    return locked


def _backwards(x: NDArray[Any]) -> NDArray[Any]:
    turned = tuple(slice(None, None, -1) for _ in x.shape)
    return x[turned].copy()[turned]


def _unaligned(x: NDArray[Any]) -> NDArray[Any]:
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    shifted = buffer[1:].view(x.dtype).reshape(x.shape)
    shifted[...] = x
    return shifted


def _flat(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), -1)


FORMS = [
    Trap("Fortran order", np.asfortranarray, True),
    Trap("every second cell", _spread, True),
    Trap("negative strides", _backwards, True),
    Trap("read-only", _read_only, True),
    Trap("not aligned", _unaligned, True),
    Trap("other byte order", lambda x: x.astype(x.dtype.newbyteorder(">")), True),
    Trap("memory map", _mapped, True),
    Trap("subclass of ndarray", lambda x: x.view(_Subclass), True),
    Trap("masked array without mask", np.ma.array, True),
    Trap("NumPy's protocol", _Protocol, True),
    Trap("memoryview", lambda x: memoryview(np.ascontiguousarray(x)), True),
    Trap("list", lambda x: x.tolist()),
    Trap("tuple", lambda x: tuple(map(tuple, x.tolist())) if x.ndim > 1 else tuple(x.tolist())),
    Trap("list of arrays", list),
    Trap("objects", lambda x: x.astype(object)),
    Trap("long doubles", lambda x: x.astype(np.longdouble)),
    Trap("float32", lambda x: x.astype(np.float32)),
    Trap("float16", lambda x: x.astype(np.float16)),
    Trap("int8", lambda x: x.astype(np.int8)),
    Trap("uint64", lambda x: x.astype(np.uint64)),
    Trap("bool", lambda x: x.astype(bool)),
    Trap("matrix", lambda x: np.asmatrix(_flat(x))),
    Trap("one row", lambda x: x[:1]),
    Trap("repeated by strides of 0", lambda x: np.broadcast_to(x[:1], (5, *x.shape[1:]))),
    Trap("pandas frame", _pandas),
    Trap("pandas frame of an odd index", lambda x: _pandas(x, index=[7] * len(x))),
    Trap("pandas frame of Float64", lambda x: _pandas(x.astype(float)).convert_dtypes()),
    Trap("pandas frame with gaps", lambda x: _pandas(_put(np.nan)(x)).convert_dtypes()),
    Trap("pandas frame of sparse columns", lambda x: _pandas(x).astype("Sparse[float64]")),
    Trap("pandas frame of categories", lambda x: _pandas(x).astype("category")),
    Trap("pandas frame of text", lambda x: _pandas(x).astype(str)),
    Trap("pandas frame of equal columns", lambda x: _pandas(x, names=["a"] * (x.shape[-1] if x.ndim > 1 else 1))),
    Trap("pandas frame of numbered columns", lambda x: _pandas(x, names=None)),
    Trap("pandas frame without rows", lambda x: _pandas(x)[:0]),
    Trap("pandas series", _series),
    Trap("pandas series of an odd index", lambda x: _series(x, index=range(x.size, 0, -1))),
    Trap("polars frame", _polars),
    Trap("polars lazy frame", lambda x: _polars(x).lazy()),
    Trap("polars series", lambda x: _polars(x)[:, 0]),
    Trap("Arrow table", _arrow),
    Trap("sparse CSR", lambda x: scipy.sparse.csr_array(_flat(x))),
    Trap("sparse CSC matrix", lambda x: scipy.sparse.csc_matrix(_flat(x))),
    Trap("sparse COO", lambda x: scipy.sparse.coo_array(_flat(x))),
    Trap("sparse of one axis", lambda x: scipy.sparse.coo_array(x.reshape(-1))),
    Trap("sparse without entries", lambda x: scipy.sparse.csr_array(_flat(x).shape)),
]
WRONG = [
    Trap("NaN", _put(np.nan)),
    Trap("only NaN", lambda x: np.full(x.shape, np.nan)),
    Trap("infinity", _put(np.inf)),
    Trap("minus infinity", _put(-np.inf)),
    Trap("1e300", _put(1e300)),
    Trap("1e-310", _put(1e-310)),
    Trap("minus zero", _put(-0.0)),
    Trap("float16 at its end", lambda x: _put(65504.0)(x).astype(np.float16)),
    Trap("2**63 - 1", _put(2**63 - 1, np.int64)),
    Trap("-2**63", _put(-(2**63), np.int64)),
    Trap("2**64 - 1", lambda x: _put(2**64 - 1, np.uint64)(np.abs(x))),
    Trap("10**30", _objects(10**30)),
    Trap("10**400", _objects(10**400)),
    Trap("complex", lambda x: x + 1j),
    Trap("text", lambda x: x.astype(str)),
    Trap("bytes", lambda x: x.astype("S")),
    Trap("dates", lambda x: x.astype(np.int64).astype("M8[s]")),
    Trap("time spans", lambda x: x.astype(np.int64).astype("m8[ns]")),
    Trap("not a time", lambda x: np.full(x.shape, "NaT", "M8[s]")),
    Trap("objects with None", _objects(None)),
    Trap("objects with text", _objects("a")),
    Trap("objects with a list", _objects([1, 2])),
    Trap("objects with a date", _objects(datetime.date(2020, 1, 1))),
    Trap("decimals", _objects(decimal.Decimal("0.5"))),
    Trap("decimal NaN", _objects(decimal.Decimal("sNaN"))),
    Trap("fractions", _objects(fractions.Fraction(1, 2))),
    Trap("structured", lambda x: np.zeros(len(x), [("a", float), ("b", int)])),
    Trap("void", lambda x: np.zeros(x.shape, "V8")),
    Trap("masked array", lambda x: np.ma.array(x, mask=np.arange(x.size).reshape(x.shape) == 1)),
    Trap("all masked", lambda x: np.ma.masked_all(x.shape)),
    Trap("masked", lambda x: np.ma.masked),
    Trap("no rows", lambda x: x[:0]),
    Trap("no columns", lambda x: np.zeros((len(x), 0))),
    Trap("nothing", lambda x: np.zeros(0)),
    Trap("one number", lambda x: x.reshape(-1)[0]),
    Trap("no axis", lambda x: np.array(x.reshape(-1)[0])),
    Trap("one axis", lambda x: x.reshape(-1)),
    Trap("one more axis", lambda x: x[..., None]),
    Trap("33 axes", lambda x: np.zeros((1,) * 33)),
    Trap("a column more", lambda x: np.concatenate([x, x[..., :1]], axis=-1)),
    Trap("a column less", lambda x: x[..., :-1]),
    Trap("transposed", lambda x: x.T),
    Trap("ragged", lambda x: [[0.0], [0.0, 0.25]]),
    Trap("list with None", lambda x: [*x.tolist()[:-1], None]),
    Trap("list of mixed types", lambda x: [1, "a", 2.5, None]),
    Trap("list of nothing", lambda x: [[]]),
    Trap("empty list", lambda x: []),
    Trap("deep list", lambda x: [[[[[[0.5]]]]]]),
    Trap("generator", lambda x: (row for row in x)),
    Trap("iterator", lambda x: iter(x.tolist())),
    Trap("range", lambda x: range(len(x))),
    Trap("map", lambda x: map(float, range(3))),
    Trap("set", lambda x: {0.0, 0.5}),
    Trap("dictionary", lambda x: {"a": 1}),
    Trap("dictionary of columns", lambda x: {"a": [0.5, 0.25]}),
    Trap("array.array", lambda x: array.array("d", [0.0, 0.5])),
    Trap("None", lambda x: None),
    Trap("a string", lambda x: "abc"),
    Trap("a path", lambda x: pathlib.Path("no-such-file.csv")),
    Trap("a path of nothing", lambda x: ""),
    Trap("some bytes", lambda x: b"\x00\x01"),
    Trap("True", lambda x: True),
    Trap("-1", lambda x: -1),
    Trap("2**70", lambda x: 2**70),
    Trap("a NaN", lambda x: float("nan")),
    Trap("a function", lambda x: len),
    Trap("a class", lambda x: np.ndarray),
    Trap("a module", lambda x: np),
    Trap("Ellipsis", lambda x: ...),
    Trap("an object", lambda x: object()),
    Trap("a broken protocol", _Broken),
    Trap("a wrong length", lambda x: _Endless()),
]
TRAPS = FORMS + WRONG
