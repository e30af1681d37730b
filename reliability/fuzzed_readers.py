"""Readers fed with damaged files.

Every reader of the library gets files that are damaged where it hurts: headers of any dtype, shape and length, columns
of any type, notes and configurations with odd values, weights with valid seals over nonsense, tables and views of
strangers in a store, and changed bytes anywhere. A case is one file given to one reader. It may be accepted, or refused
by an error that codeword documents; what is accepted is used, too.

Failures are errors of other libraries, code that was run, crashes, more than 5 seconds of the processor's time, and
more memory than 10 times the file and 200 MB.

    python -m reliability.fuzzed_readers [--full]
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from reliability.children import in_child
from reliability.fuzzing import model_files, npy_files, store_files, table_files
from reliability.fuzzing.batches import Case, load_libraries, memory_folder, run_batch
from reliability.golden import GOLDEN, golden
from reliability.results import Row, Size, run

KINDS = ("foreign errors", "code run", "crashes", "hangs", "memory")
SEED = 20_261


class Target(NamedTuple):
    """A family of readers: what makes its cases, how many files at each size, and files per child."""

    name: str
    case: Callable[[Path], Case]
    counts: tuple[int, int, int]  # smoke, usual, full
    batch: int


def attacks(size: Size) -> Iterator[Row]:
    load_libraries()
    for target in TARGETS:
        with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory_folder()) as folder:
            yield fuzzed(target, size.of(*target.counts), Path(folder))


def fuzzed(target: Target, count: int, folder: Path) -> Row:
    row = Row.of_kinds(target.name, *KINDS)
    made, started = target.case(folder), time.monotonic()
    inputs = folder / "inputs"
    accepted, seen = 0, set()

    def on_failure(kind: str, words: str) -> None:
        row.failures[kind] += 1
        sign = (kind, words.partition(": ")[2][:70])
        if sign not in seen and len(seen) < 40:
            seen.add(sign)
            row.examples.append(f"{kind}: {' '.join(words.split())[:300]}")

    for start in range(0, count, target.batch):
        inputs.mkdir(exist_ok=True)
        accepted += run_batch(made, SEED, start, min(count, start + target.batch), inputs, on_failure)
        for path in inputs.iterdir():
            if path.is_file():
                path.unlink()
    row.cases = count
    row.figures = {"accepted": f"{accepted:,}", "per second": f"{count / (time.monotonic() - started):,.0f}"}
    return row


class Files(NamedTuple):
    """A format of data files: what damages one, whole ones, and what reads them."""

    damaged: Callable[[Random, list[bytes]], bytes]
    whole: list[bytes]
    readers: Callable[[], list[Callable[[Path], Any]]]


def _files(suffix: str) -> Callable[[Path], Case]:
    damaged, whole, readers = FILES[suffix]

    def made(folder: Path) -> Case:
        def write(random: Random, inputs: Path, number: int) -> Callable[[], Any]:
            path = inputs / f"x{suffix}"
            path.write_bytes(damaged(random, whole))
            return lambda: random.choice(readers())(path)

        return Case(write)

    return made


def _notes(folder: Path) -> Case:
    def write(random: Random, inputs: Path, number: int) -> Callable[[], Any]:
        from codeword.files.codes import read_codes

        path = inputs / "x.npy"
        if not path.exists():
            np.save(path, np.zeros((3, 8), np.uint8))
        path.with_name("x.npy.json").write_bytes(table_files.note_file(random))
        return lambda: read_codes(path)

    return Case(write)


def _models(*names: str) -> Callable[[Path], Case]:
    whole = golden(*(f"{name}.codeword" for name in names))

    def made(folder: Path) -> Case:
        def write(random: Random, inputs: Path, number: int) -> Callable[[], Any]:
            path = inputs / "x.codeword"
            path.write_bytes(model_files.model_file_of(random, whole))
            return lambda: model_files.use(path)

        return Case(write, lambda: [model_files.use(GOLDEN / f"{name}.codeword") for name in names])

    return made


def _stores(folder: Path) -> Case:
    whole = in_child(store_files.template, folder).value

    def write(random: Random, inputs: Path, number: int) -> Callable[[], Any]:
        path = inputs / "x.duckdb"
        store_files.write_store(random, path, [whole])
        return lambda: store_files.use(path, folder)

    def warm() -> None:
        path = folder / "warm.duckdb"
        path.write_bytes(whole)
        store_files.use(path, folder)

    return Case(write, warm)


def _commands(folder: Path) -> Case:
    models = {name: str(GOLDEN / f"{name}.codeword") for name in ("model", "ratings")}
    store = folder / "good.duckdb"
    in_child(lambda: store.write_bytes(store_files.template(folder)))

    def write(random: Random, inputs: Path, number: int) -> Callable[[], Any]:
        from codeword.cli import main

        suffix = random.choice(list(FILES))
        path, output = inputs / f"y{suffix}", str(folder / f"output{random.choice(list(FILES))}")
        path.write_bytes(FILES[suffix].damaged(random, FILES[suffix].whole))
        line = random.choice((
            ["advise", str(path)],
            ["encode", models["model"], str(path), output],
            ["decode", models["model"], str(path), output],
            ["search", str(store), "--codes", str(path), "-k", "3"],
            ["recommend", models["ratings"], "--new", str(path)],
        ))  # fmt: skip
        return lambda: _called(main, [*line, "--json"])

    def warm() -> None:
        from codeword.cli import main

        _called(main, ["decode", models["model"], str(GOLDEN / "codes.parquet"), str(folder / "output.csv")])
        _called(main, ["encode", models["model"], str(GOLDEN / "rows.npy"), str(folder / "output.npy")])

    return Case(write, warm)


def _called(main: Any, line: list[str]) -> None:
    """Call the command; what it says itself, with an exit code, is documented."""
    import click

    try:
        main(line, standalone_mode=False)
    except (click.ClickException, click.Abort, SystemExit):
        return


def _array_readers() -> list[Callable[[Path], Any]]:
    from codeword.files import codes, table_pieces, tables

    return [
        lambda path: _touched(tables.read_array(path)),
        codes.read_codes,
        lambda path: _first(table_pieces.open_rows(path)),
        lambda path: _first(table_pieces.open_codes(path)),
        tables.column_names,
    ]


def _table_readers() -> list[Callable[[Path], Any]]:
    from codeword.files import codes, id_tables, table_pieces, tables
    from codeword.recommenders.rating_table import as_rating_table

    return [
        tables.read_array,
        lambda path: tables.read_array(path, empty_as_nan=True),
        tables.read_columns,
        codes.read_code_table,
        tables.column_names,
        lambda path: id_tables.read_id_file(path, ("user", "item"), counted=True),
        lambda path: id_tables.read_id_file(path, counted=None),
        lambda path: as_rating_table(path, None),
        lambda path: as_rating_table(path, None, columns=("column0", "column1", "column2"), empty=True),
        lambda path: _first(table_pieces.open_rows(path)),
        lambda path: _first(table_pieces.open_codes(path)),
    ]


def _first(opened: Any) -> None:
    with opened as found:
        _touched(found[0] if isinstance(found, tuple) else found)


def _touched(rows: Any) -> None:
    """Read some rows of an array, which may be mapped, or of a table."""
    if rows.shape:
        np.asarray(rows[0:2]).ravel().tolist()


FILES = {
    ".npy": Files(npy_files.npy_file, npy_files.templates(), _array_readers),
    ".csv": Files(table_files.csv_file, golden("codes.csv", "ratings.csv"), _table_readers),
    ".parquet": Files(table_files.parquet_file, golden("codes.parquet"), _table_readers),
}
TARGETS = (
    Target(".npy arrays and codes", _files(".npy"), (300, 20_000, 800_000), 5_000),
    Target("notes beside codes", _notes, (300, 10_000, 150_000), 5_000),
    Target("models of ratings", _models("ratings"), (100, 5_000, 90_000), 2_500),
    Target(".csv tables", _files(".csv"), (40, 500, 3_000), 250),
    Target(".parquet tables", _files(".parquet"), (40, 500, 3_000), 250),
    Target("stores", _stores, (20, 200, 1_500), 100),
    Target("commands", _commands, (10, 150, 1_500), 150),
    Target("models with networks", _models("model", "gate"), (20, 200, 3_000), 400),
)

if __name__ == "__main__":
    run(__file__, attacks)
