"""Damage that fits any format: bytes changed, moved and cut, and odd values in JSON."""

import json
import random
from collections.abc import Callable
from typing import Any

ODD_SIZES = (0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 256, 1000, 10**5, 10**9, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1)
ODD_INTEGERS = (*ODD_SIZES, 2**63, 2**64, 10**30, -1, -2, -(2**31), -(2**63), -(2**63) - 1)
ODD_FLOATS = (0.0, -0.0, 0.5, 1.0, -1.5, 1e-320, 1e38, 3.5e38, 1e308, -1e308)
ODD_TEXTS = (
    "",
    "a",
    "0",
    "None",
    "\0",
    "\x1b[31m",
    "é",
    "\ud800",
    "../../etc/passwd",
    "'; --",
    '"',
    "x" * 10_000,
    "{}",
    "C",
)


def odd_value(random: random.Random, depth: int = 0) -> Any:
    """Return a value of JSON that a reader may not expect."""
    kinds: list[Callable[[], Any]] = [
        lambda: random.choice(ODD_INTEGERS),
        lambda: random.choice(ODD_FLOATS),
        lambda: random.choice(ODD_TEXTS),
        lambda: random.choice([None, True, False, [], {}, [[]], [None], {"": ""}]),
        lambda: random.choice(ODD_SIZES) % 70,
    ]
    if depth < 3:
        kinds += [
            lambda: [odd_value(random, depth + 1) for _ in range(random.choice((1, 2, 3, 20)))],
            lambda: {random.choice(ODD_TEXTS): odd_value(random, depth + 1) for _ in range(random.choice((1, 2, 5)))},
            lambda: [random.choice(ODD_INTEGERS)] * random.choice((1, 2, 1000)),
        ]
    return random.choice(kinds)()


def changed_json(random: random.Random, value: Any) -> Any:
    """Return a JSON value with one place changed: replaced, removed, repeated, or taken from another place."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    if not places or random.random() < 0.02:
        return odd_value(random)
    owner, key = random.choice(places)
    action = random.random()
    if action < 0.55:
        owner[key] = odd_value(random)
    elif action < 0.7:
        del owner[key]
    elif action < 0.8:
        other, place = random.choice(places)
        owner[key] = json.loads(json.dumps(other[place])) if place in _keys(other) else None
    elif isinstance(owner, dict):
        owner[random.choice(ODD_TEXTS)] = odd_value(random)
    else:
        owner[key:key] = [owner[key]] * random.choice((1, 2, 100))
    return value


def json_bytes(random: random.Random, value: Any) -> bytes:
    """Return a JSON value as bytes, now and then in a form that `json.dumps` does not write."""
    text = json.dumps(value)
    way = random.random()
    if way < 0.85:
        return text.encode("utf-8", "surrogatepass")
    if way < 0.88:
        return b"[" * random.choice((10, 1000, 200_000)) + text.encode() + b"]" * 5
    if way < 0.90:
        return text.replace(":", f":{'9' * random.choice((20, 5000))},", 1).encode()
    if way < 0.92:
        return text.replace("0", random.choice(("NaN", "Infinity", "1e999", "-Infinity", "0x1")), 1).encode()
    if way < 0.94:
        return text.encode(random.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1")), "replace")
    return changed_bytes(random, text.encode())


def changed_bytes(random: random.Random, content: bytes) -> bytes:
    """Return bytes with one to eight changes at any place."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        if not changed:
            return bytes(random.randbytes(random.choice((0, 1, 100))))
        start = random.randrange(len(changed))
        length = min(random.choice((1, 1, 2, 4, 8, 64, 1000)), len(changed) - start)
        way = random.randrange(8)
        if way < 2:
            changed[start] ^= 1 << random.randrange(8)
        elif way == 2:
            changed[start] = random.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x22, 0x2C))
        elif way == 3:
            changed[start : start + length] = random.randbytes(length)
        elif way == 4:
            del changed[start : start + length]
        elif way == 5:
            changed[start:start] = changed[start : start + length] * random.choice((1, 2, 50))
        elif way == 6:
            changed[start : start + length] = random.choice((b"\0", b"\xff", b"9")) * length
        else:
            del changed[start:]
    return bytes(changed)


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in _keys(value):
            yield value, key
            yield from _places(value[key])


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
