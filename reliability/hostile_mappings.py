"""What strangers could pass as `where` without SQL: mappings, and what is none."""

from typing import Any

import numpy as np

_MILLION = list(range(1_000_000))
_TEXTS = [f"label {number}" for number in _MILLION]
_NESTED: list[Any] = []
for _ in range(100_000):
    _NESTED = [_NESTED]
_ITSELF: dict[str, Any] = {}
_ITSELF["id"] = _ITSELF


class _Faulty:
    """An object that no message can show."""

    def __repr__(self) -> str:
        raise RuntimeError("a fault")


# Mappings, and the id of the row nearest to 0 that they choose; None where they are refused or choose nothing. The
# columns are id and label: 1 cat, 2 dog and 3 with an empty label, of which 2 is the nearest, then 3.
MAPPINGS: dict[str, tuple[Any, int | None]] = {
    "SQL as a value": ({"label": "cat' OR 1 = 1 --"}, None),
    "SQL as one of the values": ({"label": ["cat'); DROP TABLE codes --", None]}, None),
    "SQL as a name": ({'label" = label OR "label': "cat"}, None),
    "a function as a name": ({"read_text('OUT/secret.txt')": "x"}, None),
    "a file as a name": ({"OUT/secret.csv": "x"}, None),
    "a file as a value": ({"label": "OUT/secret.txt"}, None),
    "a table as a name": ({"codeword_store": 1}, None),
    "words of codes as a name": ({"code_0": 0}, None),
    "rowid as a name": ({"rowid": 0}, None),
    "a list of ours as a name": ({"list0": 0}, None),
    "a star as a name": ({"*": 1}, None),
    "an empty name": ({"": 1}, None),
    "a name with NUL": ({"label\0": "cat"}, None),
    "a name of half a letter": ({"\ud800": "cat"}, None),
    "a long name": ({"x" * 10_000_000: 1}, None),
    "a name in other letters": ({"LABEL": "cat"}, None),
    "a number as a name": ({1: 1}, None),
    "None as a name": ({None: 1}, None),
    "a tuple as a name": ({("label",): "cat"}, None),
    "a million names": (dict.fromkeys(_TEXTS, 1), None),
    "a mapping as a value": ({"label": {"label": "cat"}}, None),
    "itself as a value": (_ITSELF, None),
    "lists 100,000 deep": ({"id": _NESTED}, None),
    "lists 100,000 deep in a range": ({"id": (_NESTED, 1)}, None),
    "a list of lists": ({"id": [[1], [2]]}, None),
    "an object with faults": ({"id": _Faulty()}, None),
    "objects with faults": ({"id": [_Faulty(), 2]}, None),
    "no mapping, with faults": (_Faulty(), None),
    "no mapping, 100,000 deep": (_NESTED, None),
    "no mapping, a million": (_MILLION, None),
    "a function": ({"id": len}, None),
    "a type": ({"id": int}, None),
    "an endless iterator": ({"id": iter(int, 1)}, None),
    "a range of Python": ({"id": range(10**9)}, None),
    "bytes": ({"label": b"cat"}, None),
    "a list of bytes": ({"label": [b"cat"]}, None),
    "text for integers": ({"id": ["1", 2]}, None),
    "integers for text": ({"label": 1}, None),
    "a float for integers": ({"id": 2.0}, None),
    "a boolean for integers": ({"id": True}, None),
    "NaN": ({"id": float("nan")}, None),
    "a list with NaN": ({"id": [2, float("nan")]}, None),
    "infinity": ({"id": (0, float("inf"))}, None),
    "complex": ({"id": 2j}, None),
    "an integer beyond 64 bits": ({"id": (0, 2**70)}, None),
    "an integer of 10,000 digits": ({"id": 10**10_000}, None),
    "a list with an integer beyond 64 bits": ({"id": [2, 2**63]}, None),
    "an unsigned integer beyond 63 bits": ({"id": np.uint64(2**63)}, None),
    "NumPy's NaT": ({"id": np.datetime64("NaT")}, None),
    "NumPy's time difference": ({"id": np.timedelta64(2, "ns")}, None),
    "NumPy's bytes": ({"label": np.bytes_(b"cat")}, None),
    "NumPy's void": ({"label": np.void(b"cat")}, None),
    "NumPy's masked": ({"id": np.ma.masked}, None),
    "a table of NumPy": ({"id": np.ones((2, 2), np.int64)}, None),
    "NumPy's objects": ({"id": np.array([2, "x"], object)}, None),
    "half a letter": ({"label": "\ud800"}, None),
    "a list with half a letter": ({"label": ["cat", "\ud800"]}, None),
    "NUL": ({"label": "\0"}, None),
    "ten million letters": ({"label": "x" * 10_000_000}, None),
    "a range of one": ({"id": (1,)}, None),
    "a range of a million": ({"id": tuple(_MILLION)}, None),
    "a range without ends": ({"id": (None, None)}, None),
    "a range that ends before it begins": ({"id": (3, 1)}, None),
    "an empty list": ({"id": []}, None),
    "None": ({"label": None}, None),
    "no condition": ({}, 2),
    "an empty text": ({"label": ""}, 3),
    "NumPy's integer": ({"id": np.int8(2)}, 2),
    "NumPy's text": ({"label": np.str_("cat")}, 1),
    "an array": ({"id": np.array([1, 3])}, 3),
    "a list with None": ({"label": [None, "cat"]}, 1),
    "a range without an end": ({"id": (3, None)}, 3),
    "a million integers": ({"id": _MILLION}, 2),
    "a million integers as a set": ({"id": set(_MILLION)}, 2),
    "a million integers of NumPy": ({"id": np.arange(1_000_000)}, 2),
    "a million texts": ({"label": [*_TEXTS, "cat"]}, 1),
    "a million equal texts": ({"label": ["cat"] * 1_000_000}, 1),
    "a million times None": ({"label": [None] * 1_000_000}, None),
    "a million integers, the last of them text": ({"id": [*_MILLION, "x"]}, None),
    "two lists of a million": ({"id": _MILLION, "label": [*_TEXTS, "cat"]}, 1),
}
