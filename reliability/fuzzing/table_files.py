"""Damaged `.csv` and `.parquet` files, and the notes beside codes."""

import decimal
import io
import json
import random
from datetime import date, datetime, time, timedelta
from typing import Any

from reliability.fuzzing.damage import changed_bytes, changed_json, json_bytes

CELLS = (
    "", "0", "1", "7", "255", "256", "-1", "3.5", "1e5", "1e999", "nan", "inf", "-Infinity", "NULL", "None", "true",
    "2020-01-01", "2020-01-01 10:00:00", "12:30", "a", "é", "\0", "\x1b[31m", '"', '""', "'", "\\", "\\N", "#", "//",
    "9223372036854775807", "9223372036854775808", "1" * 400, "0x1F", "1_000", "1,5", "  1 ", "\t", "=1+1", "x" * 3000,
    "{'a': 1}", "[1,2]", "user 1", "\ufeff", "\u202e", "😀", "5", "4", "3",
)  # fmt: skip
NOTE = {"model": "0" * 64, "code": {"kind": "Bits", "num_bits": 64}}
NAMES = (
    "user",
    "item",
    "rating",
    "c0",
    "c1",
    "id",
    "label",
    "",
    "a",
    "A",
    "é",
    "c0 ",
    '"',
    "column0",
    "rowid",
    "c00",
    "\0",
)


def csv_file(random: random.Random, templates: list[bytes]) -> bytes:
    """Return one file that may be damaged anywhere."""
    if random.random() < 0.3:
        return changed_bytes(random, random.choice(templates))
    delimiter = random.choice((",", ",", ",", ";", "\t", "|", " ", "::"))
    columns, ending = random.choice((1, 2, 3, 3, 8, 300)), random.choice(("\n", "\n", "\r\n", "\r", "\n\n"))
    favored = [random.choice(CELLS) for _ in range(3)] if random.random() < 0.5 else CELLS
    lines = []
    if random.random() < 0.7:
        lines.append([random.choice((*NAMES, *NAMES, f"c{number}")) for number in range(columns)])
    for _ in range(random.choice((0, 1, 2, 10, 40))):
        width = columns if random.random() < 0.95 else random.choice((0, 1, columns + 1, 2 * columns))
        lines.append([random.choice(favored) for _ in range(width)])
    quote = random.choice(("", "", "", '"', "'"))
    text = ending.join(delimiter.join(f"{quote}{cell}{quote}" for cell in line) for line in lines)
    text += random.choice((ending, "", "\0", '"', "\x1a"))
    content = text.encode(random.choice(("utf-8",) * 8 + ("latin-1", "utf-16", "utf-8-sig", "utf-16-le")), "replace")
    return changed_bytes(random, content) if random.random() < 0.2 else content


def note_file(random: random.Random) -> bytes:
    """Return a note that names the model of codes, and may be damaged anywhere."""
    return json_bytes(random, changed_json(random, NOTE))


def parquet_file(random: random.Random, templates: list[bytes]) -> bytes:
    """Return one file that may be damaged anywhere: pages, footer, types, or its note."""
    way = random.random()
    if way < 0.3:
        return changed_bytes(random, random.choice(templates))
    content = _table(random) if way < 0.85 or not templates else random.choice(templates)
    if way < 0.7 or len(content) < 12:
        return content
    # The footer is what a reader believes; its length stays right.
    length = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - length
    footer = changed_bytes(random, content[start:-8])
    size = len(footer) if random.random() < 0.9 else random.choice((0, 1, 2**31 - 1, 2**32 - 1, length + 1))
    return content[:start] + footer + size.to_bytes(4, "little") + b"PAR1"


def _table(random: random.Random) -> bytes:
    import pyarrow
    import pyarrow.parquet

    count = random.choice((0, 1, 3, 30))
    fields, names = [], []
    for number in range(random.choice((1, 2, 3, 8, 60))):
        kind, values = random.choice(_columns())
        fields.append(pyarrow.array([random.choice((*values, *values, None)) for _ in range(count)], kind))
        names.append(random.choice((f"c{number}", random.choice(NAMES))))
    table = pyarrow.Table.from_arrays(fields, names=names)
    note = json_bytes(random, changed_json(random, NOTE)) if random.random() < 0.8 else json.dumps(NOTE).encode()
    if random.random() < 0.5:
        table = table.replace_schema_metadata({b"codeword": note})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        table,
        buffer,
        compression=random.choice(("none", "snappy", "gzip", "zstd")),
        use_dictionary=random.random() < 0.5,
        row_group_size=random.choice((1, 2, 100)),
        store_schema=random.random() < 0.5,
    )
    return buffer.getvalue()


def _columns() -> list[tuple[Any, list[Any]]]:
    import pyarrow as pa

    return [
        *[(pa.uint8(), [0, 1, 255] * 20)] * 6,
        (pa.int64(), [0, -1, 2**63 - 1, -(2**63)]),
        (pa.uint64(), [0, 2**64 - 1]),
        (pa.float64(), [0.5, float("nan"), float("inf"), 1e308]),
        (pa.float16(), [0.5, 65504.0]),
        (pa.bool_(), [True, False]),
        (pa.string(), ["a", "", "é", "\0", "x" * 5000]),
        (pa.binary(), [b"\0\xff", b""]),
        (pa.date32(), [date(1, 1, 1), date(9999, 12, 31)]),
        (pa.timestamp("us"), [datetime(1970, 1, 1), datetime(9999, 12, 31)]),
        (pa.timestamp("ns", "Europe/Berlin"), [datetime(2020, 1, 1)]),
        (pa.time64("us"), [time(23, 59)]),
        (pa.duration("s"), [timedelta(10**5)]),
        (pa.decimal128(38, 10), [decimal.Decimal("1.5")]),
        (pa.list_(pa.int8()), [[1, 2], [], [None]]),
        (pa.struct([("a", pa.int8())]), [{"a": 1}, None]),
        (pa.map_(pa.string(), pa.int8()), [[("k", 1)], []]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", "b"]),
        (pa.null(), [None]),
        (pa.string(), [None]),
    ]
