"""What strangers could write in SQL: conditions for `where`, and the contents of their stores.

OUT stands for a folder of other people's files beside the store's folder: secret.txt, secret.csv and secret.parquet.
"""

from typing import Any

import numpy as np

FILES = [
    "(SELECT content FROM read_text('OUT/secret.txt')) LIKE 'S%'",
    "EXISTS (SELECT * FROM read_text('OUT/secret.txt'))",
    "EXISTS (FROM read_blob('OUT/secret.txt'))",
    "id IN (SELECT length(content) FROM read_text('OUT/secret.txt'))",
    "id < ANY (SELECT 9 FROM read_blob('OUT/*'))",
    "id > ALL (SELECT 0 FROM glob('OUT/*'))",
    "(SELECT count(*) FROM glob('/etc/*')) > 0",
    "(SELECT count(*) FROM glob('/*')) > 0",
    "(SELECT count(*) FROM read_csv('OUT/secret.csv')) > 0",
    "(SELECT count(*) FROM read_csv_auto('OUT/secret.csv')) > 0",
    "(SELECT count(*) FROM sniff_csv('OUT/secret.csv')) > 0",
    "(SELECT count(*) FROM read_parquet('OUT/secret.parquet')) > 0",
    "(SELECT count(*) FROM parquet_scan('OUT/secret.parquet')) > 0",
    "(SELECT count(*) FROM parquet_metadata('OUT/secret.parquet')) > 0",
    "(SELECT count(*) FROM parquet_schema('OUT/secret.parquet')) > 0",
    "(SELECT count(*) FROM parquet_kv_metadata('OUT/secret.parquet')) > 0",
    "(SELECT count(*) FROM parquet_bloom_probe('OUT/secret.parquet', 'a', 1)) > 0",
    "(SELECT count(*) FROM read_json('OUT/secret.txt')) >= 0",
    "(SELECT count(*) FROM read_json_auto('OUT/secret.txt')) >= 0",
    "(SELECT count(*) FROM read_ndjson_objects('OUT/secret.txt')) >= 0",
    "(SELECT count(*) FROM 'OUT/secret.csv') > 0",
    "(FROM 'OUT/secret.parquet' SELECT count(*)) > 0",
    "id IN (TABLE 'OUT/secret.csv')",
    'id = (SELECT a FROM "OUT/secret.csv" LIMIT 1)',
    "(SELECT count(*) FROM query('FROM read_text(''OUT/secret.txt'')')) > 0",
    "(SELECT count(*) FROM query_table('OUT/secret.csv')) > 0",
    "CASE WHEN (SELECT true FROM read_text('OUT/secret.txt')) THEN true ELSE false END",
    "coalesce((SELECT content FROM read_text('OUT/secret.txt')), '') = label",
    "list_contains([(SELECT content FROM read_text('OUT/secret.txt'))], label)",
    "list_filter([1], x -> (SELECT count(*) FROM read_text('OUT/secret.txt')) > 0) = [1]",
    "[c FOR c IN (SELECT list(content) FROM read_text('OUT/secret.txt'))] IS NOT NULL",
    "{'a': (SELECT content FROM read_text('OUT/secret.txt'))}.a IS NOT NULL",
    "(WITH t AS (FROM read_text('OUT/secret.txt')) SELECT count(*) FROM t) > 0",
    "id = 1 OR (VALUES ((SELECT content FROM read_text('OUT/secret.txt')))) IS NOT NULL",
    "label LIKE (SELECT content FROM read_text('OUT/secret.txt'))",
    "label IN (FROM read_text('OUT/secret.txt') SELECT content)",
    "id BETWEEN 0 AND (SELECT size FROM read_text('OUT/secret.txt'))",
    "(SELECT count(*) OVER () FROM read_text('OUT/secret.txt')) > 0",
    'id = 1 COLLATE "OUT/secret.txt"',
    "(SELECT content FROM read_text(['OUT/secret.txt', '/etc/hostname']) LIMIT 1) IS NOT NULL",
]
NETWORK = [
    "(SELECT count(*) FROM read_text('http://127.0.0.1:9/a')) > 0",
    "(SELECT count(*) FROM read_csv('https://127.0.0.1:9/a.csv')) > 0",
    "(SELECT count(*) FROM read_parquet('s3://bucket/a.parquet')) > 0",
    "(SELECT count(*) FROM 'hf://datasets/a/b.parquet') > 0",
    "(SELECT count(*) FROM read_parquet('gcs://bucket/a.parquet')) > 0",
    "(SELECT count(*) FROM postgres_scan('host=127.0.0.1 port=9', 'public', 'a')) > 0",
    "(SELECT count(*) FROM sqlite_scan('OUT/secret.txt', 'a')) > 0",
    "(SELECT count(*) FROM mysql_query('host=127.0.0.1', 'SELECT 1')) > 0",
    "(SELECT count(*) FROM iceberg_scan('OUT/a')) > 0",
    "(SELECT count(*) FROM delta_scan('OUT/a')) > 0",
    "(SELECT count(*) FROM read_xlsx('OUT/a.xlsx')) > 0",
    "(SELECT count(*) FROM st_read('OUT/a.shp')) > 0",
    "st_area(st_point(1, 2)) > 0",
    "http_get('http://127.0.0.1:9') IS NOT NULL",
    "icu_sort_key(label, 'de') IS NOT NULL",
    "label::INET IS NOT NULL",
]
STATEMENTS = [
    "1 = 1; COPY codes TO 'OUT/stolen.csv'",
    "1 = 1; ATTACH 'OUT/new.duckdb'",
    "1 = 1; INSTALL httpfs",
    "1 = 1; LOAD sqlite",
    "1 = 1; EXPORT DATABASE 'OUT/stolen'",
    "1 = 1; DROP TABLE codes",
    "1 = 1; SET enable_external_access = true",
    "1 = 1; PRAGMA database_list",
    "1 = 1) UNION ALL SELECT * FROM read_text('OUT/secret.txt') --",
    "1 = 1) TO 'OUT/stolen.csv' --",
    "1 = 1 --",
    "1 = 1 /*",
    "1 = 1) OR (1 = 1",
    "1 = 1 ORDER BY id",
    "1 = 1 LIMIT 1",
    "1 = 1 GROUP BY ALL",
    "1 = 1 QUALIFY row_number() OVER () = 1",
    "1 = 1 UNION SELECT 1",
    "SELECT 1",
    "COPY codes TO 'OUT/stolen.csv'",
    "id = ?",
    "id = $1",
    "id = $name",
    "",
    " ",
    "\0",
    "id = 1\0; DROP TABLE codes",
    "id = '\ud800'",
    "'",
    '"',
    "(",
    "no_such_column = 1",
    "no_such_function(id)",
    "label = 1 + 'x'",
    "*",
    "COLUMNS(*) IS NOT NULL",
    "codes.* IS NOT NULL",
]
FUNCTIONS = [
    "count(*) > 0",
    "sum(id) OVER () > 0",
    "unnest([true, false])",
    "nextval('a') > 0",
    "current_setting('home_directory') IS NOT NULL",
    "getenv('HOME') IS NOT NULL",
    "getvariable('a') IS NULL",
    "error('a' || label) IS NULL",
    "(SELECT count(*) FROM duckdb_settings()) > 0",
    "(SELECT count(*) FROM duckdb_secrets()) >= 0",
    "(SELECT count(*) FROM duckdb_tables()) > 0",
    "(SELECT count(*) FROM information_schema.tables) > 0",
    "(SELECT count(*) FROM codeword_store) > 0",
    "(SELECT count(*) FROM pragma_storage_info('codes')) > 0",
    "(SELECT count(*) FROM test_all_types()) > 0",
    "write_log('a') IS NULL",
    "txid_current() > 0",
    "in_search_path('main', 'main')",
]
TIME_AND_MEMORY = [
    "length(repeat('x', 1000000000)) > id",
    "length(repeat(repeat(label, 100000), 100000)) > 0",
    "length(lpad('x', 2000000000, 'y')) > id",
    "length(rpad(label, 2000000000, 'y')) > id",
    "length(format('{:>2000000000}', label)) > 0",
    "length(printf('%2000000000s', label)) > 0",
    "len(range(2000000000 + id)) > 0",
    "len(generate_series(0, 2000000000 + id)) > 0",
    "len(list_transform(range(300000000 + id), x -> x * x)) > 0",
    "list_sum(list_transform(range(30000 + id), x -> list_sum(range(100000)))) > 0",
    "list_reduce(range(1000000000 + id), (a, b) -> a + b) > 0",
    "len(list_resize([1], 2000000000 + id)) > 0",
    "levenshtein(repeat(label, 100000), repeat('b', 300000)) > 0",
    "damerau_levenshtein(repeat(label, 100000), repeat('b', 300000)) > 0",
    "bit_count(bitstring('1', 2000000000)) > id",
    "len(string_split(repeat(label, 100000000), 'a')) > 0",
    "regexp_matches(repeat(label, 100000000), '(a|aa)+$')",
    "md5(repeat(label, 1000000000)) > ''",
    "(SELECT count(*) FROM range(1000000000000)) > 0",
    "(SELECT count(*) FROM codes a, codes b, range(1000000000000)) > 0",
    "(WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM t) SELECT count(*) FROM t) > 0",
    "(SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b) > 0",
    "len(list_distinct(range(300000000 + id))) > 0",
    "factorial(2000000000 + id) > 0",
    "2 ** 2 ** 2 ** id > 0 AND len(repeat([label], 2000000000)) > 0",
    "(" * 5_000 + "id" + ")" * 5_000 + " = 1",
    " OR ".join(f"id = {number}" for number in range(20_000)),
    "NOT " * 20_000 + "id = 1",
    "id = " + "+".join(["1"] * 20_000),
    "id = 1 AND '" + "x" * 5_000_000 + "' = label",
]
NOT_STRINGS = [b"id = 1", 1, ["id = 1"], ("id", 1), 1.5, object]
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
CONDITIONS = [*FILES, *NETWORK, *STATEMENTS, *FUNCTIONS, *TIME_AND_MEMORY, *NOT_STRINGS]

NOTE = "INSERT INTO codeword_store VALUES ('format_version', '1'), ('num_bits', '8'), ('model', NULL)"
ROWS = "INSERT INTO codes VALUES (1, 15::UBIGINT << 56, 'cat'), (2, 1::UBIGINT << 56, 'dog'), (3, 3::UBIGINT << 56, '')"
TABLES = [
    "CREATE TABLE codes (id BIGINT NOT NULL, code_0 UBIGINT NOT NULL, label VARCHAR)",
    "CREATE TABLE codeword_store (name VARCHAR, value VARCHAR)",
]
GOOD = [*TABLES, NOTE, ROWS]  # a store as codeword writes it: three codes of 8 bits


def _instead(view: str) -> list[str]:
    return [TABLES[1], NOTE, f"CREATE VIEW codes AS {view}"]


def _of_kinds(what: str, kinds: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return stores of one row, in which ids, words or metadata have an SQL type that is not ours."""
    usual = {"ids": ("BIGINT", "1"), "words": ("UBIGINT", "0"), "metadata": ("VARCHAR", "'a'")}
    stores = {}
    for kind in kinds:
        (id_type, number), (word_type, word), (label_type, label) = (usual | {what: kind}).values()
        columns = f"id {id_type}, code_0 {word_type}, label {label_type}"
        stores[f"{what} of {kind[0]}"] = _columns(columns, f"VALUES ({number}, {word}, {label})")
    return stores


def _noted(name: str, value: str) -> list[str]:
    return [*GOOD, f"UPDATE codeword_store SET value = {value} WHERE name = '{name}'"]


def _columns(columns: str, values: str) -> list[str]:
    return [TABLES[1], NOTE, f"CREATE TABLE codes ({columns})", f"INSERT INTO codes {values}"]


_CODE = "1::BIGINT AS id, 0::UBIGINT AS code_0"
VIEWS = {
    "a view of read_text": _instead(f"SELECT {_CODE}, content AS label FROM read_text('OUT/secret.txt')"),
    "a view of read_blob": _instead(f"SELECT {_CODE}, content::VARCHAR AS label FROM read_blob('OUT/secret.txt')"),
    "a view of read_csv": _instead(f"SELECT {_CODE}, a::VARCHAR AS label FROM read_csv('OUT/secret.csv')"),
    "a view of a file's name": _instead(f"SELECT {_CODE}, a::VARCHAR AS label FROM 'OUT/secret.parquet'"),
    "a view of glob": _instead(f"SELECT {_CODE}, file AS label FROM glob('/etc/*') LIMIT 1"),
    "a view of settings": _instead(f"SELECT {_CODE}, value AS label FROM duckdb_settings() LIMIT 1"),
    "an endless view": _instead("SELECT range AS id, 0::UBIGINT AS code_0, '' AS label FROM range(1000000000000)"),
    "a view of one large text": _instead(f"SELECT {_CODE}, repeat('x', 1000000000) AS label"),
    "a view of another table": [*GOOD, "ALTER TABLE codes RENAME TO hidden", "CREATE VIEW codes AS FROM hidden"],
    "a note that is a view": [
        TABLES[0],
        ROWS,
        "CREATE VIEW codeword_store AS SELECT 'format_version' AS name, '1' AS value UNION ALL SELECT 'num_bits', '8' "
        "UNION ALL SELECT 'model', content FROM read_text('OUT/secret.txt')",
    ],
    "an endless note": [
        TABLES[0],
        ROWS,
        "CREATE VIEW codeword_store AS SELECT range::VARCHAR AS name, '1' AS value FROM range(1000000000000)",
    ],
}
# These hold the rows of GOOD: whoever answers must answer as for GOOD.
MACROS = {
    f"a macro {name}": [*GOOD, f"CREATE MACRO {name}({parameters}) AS {value}"]
    for name, parameters, value in [
        ("max", "x", "41"),
        ("count", "x", "41"),
        ("count_star", "", "41"),
        ("coalesce", "a, b", "41"),
        ("bit_count", "x", "0"),
        ("xor", "a, b", "0"),
        ("list", "x", "41"),
        ("sum", "x", "41"),
        ("min", "x", "41"),
        ("chr", "x", "41"),
    ]
} | {
    "a table macro of range": [*GOOD, "CREATE MACRO range(x) AS TABLE FROM read_text('OUT/secret.txt')"],
    "another schema": [*GOOD, "CREATE SCHEMA temp2", "CREATE TABLE temp2.codes AS SELECT 9 AS id"],
    "a schema named like the table": [*GOOD, "CREATE SCHEMA codes", "CREATE TABLE codes.id AS SELECT 9 AS id"],
    "a type of its own": [*GOOD, "CREATE TYPE BIGINT2 AS ENUM ('a')"],
    "a view named like a variable": [*GOOD, "CREATE VIEW batch AS FROM read_text('OUT/secret.txt')"],
    "a view named wanted": [*GOOD, "CREATE VIEW wanted AS FROM read_text('OUT/secret.txt')"],
    "a view named new_ids": [*GOOD, "CREATE VIEW new_ids AS FROM read_text('OUT/secret.txt')"],
    "a view named unwanted": [*GOOD, "CREATE VIEW unwanted AS FROM read_text('OUT/secret.txt')"],
    "a sequence": [*GOOD, "CREATE SEQUENCE counter"],
    "an index": [*GOOD, "CREATE INDEX by_label ON codes (label)"],
    "a view beside it": [*GOOD, "CREATE VIEW other AS FROM read_text('OUT/secret.txt')"],
}
_WIDTHS = ("100000000", "1" + "0" * 30, "0", "-8", "8.5", "8e0", " 8", "1_0", "٨", "9", "16", "", "eight", "0x8", "64")
NOTES = {
    "no rows in the note": [*TABLES, ROWS],
    "a repeated note": [*GOOD, NOTE],
    "a note of other columns": [TABLES[0], ROWS, "CREATE TABLE codeword_store (a INTEGER)"],
    "a note of lists": [TABLES[0], ROWS, "CREATE TABLE codeword_store AS SELECT ['num_bits'] AS name, ['8'] AS value"],
    "a note of 1,000,000 rows": [*GOOD, "INSERT INTO codeword_store SELECT range::VARCHAR, '' FROM range(1000000)"],
    "a quote in the fingerprint": _noted("model", "'a''b'"),
    "SQL in the fingerprint": _noted("model", "'x''}, FORMAT csv) --'"),
    "a fingerprint that reads": _noted("model", "'x'' || (SELECT content FROM read_text(''OUT/secret.txt'')) || '''"),
    "control characters in the fingerprint": _noted("model", "chr(27) || '[31m' || chr(7) || chr(10)"),
    "a fingerprint of 10 MB": _noted("model", "repeat('ab', 5000000)"),
    "a version of 10 MB": _noted("format_version", "repeat('ab', 5000000)"),
    **{f"num_bits {bits}": _noted("num_bits", f"'{bits}'") for bits in _WIDTHS},
    "num_bits NULL": _noted("num_bits", "NULL"),
    "num_bits of 10 MB": _noted("num_bits", "repeat('1', 10000000)"),
}
_IDS = [
    ("HUGEINT", "1"),
    ("UBIGINT", "1"),
    ("DOUBLE", "'nan'"),
    ("BLOB", "'a'"),
    ("BOOLEAN", "true"),
    ("INTEGER[]", "[1]"),
    ("TIMESTAMP", "'2020-01-01'"),
    ("DECIMAL(38, 9)", "1"),
    ("STRUCT(a INTEGER)", "{'a': 1}"),
    ("UUID", "uuid()"),
]
_WORDS = [
    ("BIGINT", "-1"),
    ("DOUBLE", "'inf'"),
    ("VARCHAR", "'x'"),
    ("UHUGEINT", "1"),
    ("BLOB", "'a'"),
    ("UBIGINT[]", "[0]"),
    ("UTINYINT", "1"),
    ("BIT", "'1'"),
]
_METADATA = [
    ("INTERVAL", "INTERVAL 1 DAY"),
    ("MAP(VARCHAR, INTEGER)", "MAP {'a': 1}"),
    ("UNION(a INTEGER)", "1"),
    ("BLOB", "'a'"),
    ("ENUM('a')", "'a'"),
    ("TIME WITH TIME ZONE", "'12:00:00+00'"),
    ("HUGEINT", "1"),
    ("DATE", "'infinity'"),
    ("VARCHAR[]", "['a']"),
]
COLUMNS = {
    "NULL words": _columns("id BIGINT, code_0 UBIGINT, label VARCHAR", "VALUES (1, NULL, 'a'), (2, 0, 'b')"),
    "NULL ids": _columns("id BIGINT, code_0 UBIGINT, label VARCHAR", "VALUES (NULL, 0, 'a'), (2, 0, 'b')"),
    "repeated ids": _columns("id BIGINT, code_0 UBIGINT, label VARCHAR", "VALUES (2, 0, 'a'), (2, 0, 'b')"),
    "bits beyond the width": _columns("id BIGINT, code_0 UBIGINT, label VARCHAR", "VALUES (1, 1, 'a')"),
    "no id": _columns("code_0 UBIGINT, label VARCHAR", "VALUES (1, 'a')"),
    "no words": _columns("id BIGINT, label VARCHAR", "VALUES (1, 'a')"),
    "two words": _columns("id BIGINT, code_0 UBIGINT, code_1 UBIGINT, label VARCHAR", "VALUES (1, 0, 0, 'a')"),
    "no rows": [*TABLES, NOTE],
    **_of_kinds("ids", _IDS),
    **_of_kinds("words", _WORDS),
    **_of_kinds("metadata", _METADATA),
    "a column that is computed": _columns(
        "id BIGINT, code_0 UBIGINT, label VARCHAR AS (repeat('x', 1000000000))", "(id, code_0) VALUES (1, 0)"
    ),
    "a default that is large": _columns(
        "id BIGINT, code_0 UBIGINT, label VARCHAR DEFAULT repeat('x', 1000000000)", "VALUES (1, 0, 'a')"
    ),
    "a check": _columns("id BIGINT, code_0 UBIGINT, label VARCHAR CHECK (length(label) < 9)", "VALUES (1, 0, 'a')"),
    "quotes in a name": _columns('id BIGINT, code_0 UBIGINT, "a""; DROP TABLE codes --" VARCHAR', "VALUES (1, 0, 'a')"),
    "control characters in a name": _columns('id BIGINT, code_0 UBIGINT, "\x1b[31m\n" VARCHAR', "VALUES (1, 0, 'a')"),
    "a name of 1 MB": _columns(f'id BIGINT, code_0 UBIGINT, "{"x" * 1_000_000}" VARCHAR', "VALUES (1, 0, 'a')"),
    "3,000 columns": _columns(
        "id BIGINT, code_0 UBIGINT, " + ", ".join(f"m{number} VARCHAR" for number in range(3_000)),
        "(id, code_0) VALUES (1, 0)",
    ),
    "one long id": _columns(
        "id VARCHAR, code_0 UBIGINT, label VARCHAR",
        "SELECT CASE range WHEN 7 THEN repeat('x', 100000) ELSE range::VARCHAR END, 0, '' FROM range(100000)",
    ),
    "one long text": _columns(
        "id BIGINT, code_0 UBIGINT, label VARCHAR",
        "SELECT range, 0, CASE range WHEN 7 THEN repeat('x', 1000000) ELSE '' END FROM range(100000)",
    ),
    "equal rows, compressed": _columns(
        "id BIGINT, code_0 UBIGINT, label VARCHAR", "SELECT 7, 0, repeat('x', 10000) FROM range(30000)"
    ),
}
MUST_BE_REFUSED = ("NULL words", "NULL ids", "repeated ids", "bits beyond the width")  # when they are searched
STORES = VIEWS | MACROS | NOTES | COLUMNS
