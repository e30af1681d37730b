"""What strangers could put into a store: views, macros, odd notes and odd columns, as SQL that makes the file.

OUT stands for a folder of other people's files beside the store's folder: secret.txt, secret.csv and secret.parquet.
"""

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
# These hold the rows of GOOD, so that each answer must be the same.
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
