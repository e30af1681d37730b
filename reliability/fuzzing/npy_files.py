"""Damaged `.npy` files: headers of any dtype, shape and length, archives and pickles."""

import io
import pickle
import random
import struct
from typing import Any

import numpy as np

from reliability.fuzzing.damage import ODD_FLOATS, ODD_INTEGERS, ODD_SIZES, ODD_TEXTS, changed_bytes

DTYPES = (
    "|u1", "|i1", "|b1", "<f4", "<f8", ">f8", ">i4", "<f2", "<f16", "<c8", "<c16", "<i8", "<u8", "=f8", "|f4",
    "|S0", "|S1", "<U0", "<U1", "<U9", "|V0", "|V8", "|O", "O", "<M8[ns]", "<m8[s]", "<M8[x]", "M8", "|u0", "<f3",
    "<i16", "f", "?", "float64", "object", "", "|", "<", "(2,3)<f8", "<f8,<i4", "|S99999999999", "<U2147483647", "\0",
)  # fmt: skip
ODD_LITERALS = (
    "None", "True", "1", "-1", "()", "(1)", "[1]", "{}", "''", "1.5", "1e400", "nan", "(1,)*9", "x", "1j", "b'a'",
    "(None,)", "('a',)", "(1.0,)", "(True,)", "...", "{1: 2}", "set()", "[[]]", "'" + "x" * 999 + "'", "f'{1}'",
    "(" * 90 + "1" + ")" * 90, "(" * 2000 + ")" * 2000, "-" * 3000 + "1", "[" * 60, "9" * 5000, "1_000", "0x10",
    "__import__('os').system('true')", "1 if 1 else 2", "lambda: 0",
)  # fmt: skip


class _Command:
    def __reduce__(self) -> Any:
        import os

        return os.system, ("true",)


def npy_file(random: random.Random, templates: list[bytes]) -> bytes:
    """Return one file that may be damaged anywhere."""
    way = random.random()
    if way < 0.25:
        return changed_bytes(random, random.choice(templates))
    if way < 0.28:
        return pickle.dumps(_Command(), random.randrange(6))
    if way < 0.31:
        return _archive(random)
    header = _header(random)
    if random.random() < 0.15:
        header = changed_bytes(random, header)
    return _with_header(random, header) + _content(random)


def _header(random: random.Random) -> bytes:
    entries = {"descr": _dtype(random), "fortran_order": "False", "shape": _shape(random)}
    way = random.random()
    if way < 0.2:
        entries[random.choice(list(entries))] = random.choice(ODD_LITERALS)
    elif way < 0.25:
        del entries[random.choice(list(entries))]
    elif way < 0.3:
        entries[random.choice(ODD_TEXTS[:9])] = random.choice(ODD_LITERALS)
    elif way < 0.4:
        entries["fortran_order"] = random.choice(("True", "1", "0", "None", "'C'"))
    if random.random() < 0.02:
        return random.choice(ODD_LITERALS).encode("latin-1", "replace")
    text = "{" + ", ".join(f"{name!r}: {value}" for name, value in entries.items()) + random.choice((", }", "}", ""))
    return text.encode("latin-1", "replace")


def _dtype(random: random.Random) -> str:
    way = random.random()
    if way < 0.3:
        return repr(random.choice(("|u1", "<f4", "<f8", "<i8")))
    if way < 0.75:
        return repr(random.choice(DTYPES))
    fields = [
        (
            random.choice(("a", "b", "", "é", "a b", ("title", "a"))),
            random.choice(DTYPES),
            *random.choice(((), ((2,),), ((10**9,),))),
        )
        for _ in range(random.choice((0, 1, 2, 300)))
    ]
    return repr(fields) if way < 0.95 else repr([("a", fields)])


def _shape(random: random.Random) -> str:
    way = random.random()
    if way < 0.4:
        return repr(random.choice(((2, 8), (3,), (0, 8), (1, 1), (4, 4, 4), (), (16,), (2, 0))))
    if way < 0.8:
        return repr(tuple(random.choice(ODD_INTEGERS) for _ in range(random.choice((1, 2, 3, 5)))))
    if way < 0.9:
        return repr((1,) * random.choice((31, 32, 33, 64, 65, 1000)))
    return repr(random.choice([random.choice(ODD_FLOATS), [2, 8], (2, "8"), (2, None), (True, 8), ((2,), 8), {}]))


def _with_header(random: random.Random, header: bytes) -> bytes:
    version = random.choice(((1, 0),) * 6 + ((2, 0), (3, 0), (0, 0), (1, 1), (4, 0), (255, 255)))
    if random.random() < 0.9:
        header += b" " * (-(len(header) + 11) % 64) + b"\n"
    length = len(header) if random.random() < 0.9 else random.choice(ODD_SIZES) % 2**32
    packed = struct.pack("<H", length % 65_536) if version[0] == 1 else struct.pack("<I", length)
    return b"\x93NUMPY" + bytes(version) + packed + header


def _content(random: random.Random) -> bytes:
    way = random.random()
    if way < 0.2:
        return pickle.dumps(_Command())
    return random.randbytes(random.choice((0, 1, 7, 15, 16, 17, 64, 128, 1000)))


def _archive(random: random.Random) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{random.choice(("arr_0", "../x", "a")): np.arange(random.choice((0, 3)))})
    return buffer.getvalue() if random.random() < 0.3 else changed_bytes(random, buffer.getvalue())


def templates() -> list[bytes]:
    """Return whole files of numbers, codes and booleans."""
    found = []
    for array in (
        np.arange(16, dtype=np.uint8).reshape(2, 8),
        np.eye(3),
        np.zeros((2, 3), bool),
        np.ones((2, 2, 2), ">f4"),
    ):
        buffer = io.BytesIO()
        np.save(buffer, array)
        found.append(buffer.getvalue())
    return found
