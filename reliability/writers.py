"""What writes files in codeword: each writer with the state before and after it, for the programs that disturb it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import codeword as cw
import codeword.recommenders.rating_autoencoder
from codeword.code_kinds import Bits
from codeword.errors import CodeError
from codeword.files.codes import read_codes
from codeword.files.table_pieces import write_code_pieces
from codeword.search import CodeStore
from reliability.children import in_child
from reliability.golden import GOLDEN

OLD, NEW = (SimpleNamespace(fingerprint_=letters * 32, code_=Bits(64)) for letters in ("0d", "1e"))
ROWS = 500
OLD_CODES, NEW_CODES = (np.random.default_rng(seed).integers(0, 256, (ROWS, 8), np.uint8) for seed in (0, 1))
LABELS = {"label": np.array(["cat", "dog"], object)[np.arange(ROWS) % 2]}


@dataclass
class Writer:
    """One call that writes: `prepare` makes the old state in a folder, `write` the new one.

    `state` returns "old", "new", "wrong note" or "half", or raises if nothing can be read. `again` writes once more
    from that state; then the state must be "new".
    """

    name: str
    prepare: Callable[[Path], Any]
    write: Callable[[Path], Any]
    state: Callable[[Path], str]
    again: Callable[[Path, str], Any]

    def remains(self, folder: Path) -> list[str]:
        """Return the files in a folder that no one needs, names of lock files and of DuckDB's log excepted."""
        needed = {"model.codeword", "codes.npy", "codes.npy.json", "codes.csv", "codes.csv.json", "codes.parquet"}
        needed |= {"s.duckdb", "s.duckdb.wal", ".s.duckdb.room", ".s.duckdb.turn", "given.parquet"}
        return sorted(path.name for path in folder.iterdir() if path.name not in needed)


@contextmanager
def case_folder(template: Path) -> Iterator[Path]:
    """Copy a prepared folder for one case. Temporary files of the case must go there, too: see `use_for_all`."""
    with tempfile.TemporaryDirectory(prefix="attack-") as parent:
        shutil.copytree(template, folder := Path(parent) / "case")
        yield folder


def use_for_all(folder: Path) -> None:
    """Let this process, a child, put its temporary files into a folder, so that what it leaves is seen."""
    tempfile.tempdir = str(folder)


def _model(epochs: int) -> Any:
    model = cw.load(GOLDEN / "ratings.codeword")
    model.epochs = epochs  # changes the file, not the fingerprint
    return model


def _save(folder: Path, epochs: int = 9) -> None:
    _model(epochs).save(folder / "model.codeword")


def _model_state(folder: Path) -> str:
    path = folder / "model.codeword"
    return {3: "old", 9: "new"}[cw.load(path).epochs] if path.exists() else "old"


def _nothing(folder: Path) -> None:
    """Leave the folder empty."""


def _encode(name: str, model: Any = NEW, codes: Any = NEW_CODES) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        pieces = [codes[:200], codes[200:]]
        note = {"fingerprint": model.fingerprint_, "kind": model.code_}
        write_code_pieces(folder / name, iter(pieces), num_rows=ROWS, **note)

    return write


def _codes_state(name: str, has_old: bool) -> Callable[[Path], str]:
    def accepted(path: Path, model: Any) -> Any:
        try:
            return read_codes(path, fingerprint=model.fingerprint_)[0]
        except CodeError:
            return None

    def state(folder: Path) -> str:
        if not has_old and not (folder / name).exists():
            return "old"
        by_old, by_new = accepted(folder / name, OLD), accepted(folder / name, NEW)
        if by_old is not None and by_new is None and np.array_equal(by_old, OLD_CODES):
            return "old"
        if by_new is not None and by_old is None and np.array_equal(by_new, NEW_CODES):
            return "new"
        return "wrong note" if by_old is not None or by_new is not None else "half"

    return state


@cache
def _kept_store(folder: Path) -> CodeStore:
    """Return one store for all calls of a process that are not under attack, as opening one reads the file."""
    return _store(folder)


def _store(folder: Path) -> CodeStore:
    return CodeStore(folder / "s.duckdb", timeout_seconds=10)


def _append(folder: Path) -> None:
    _store(folder).append(np.arange(ROWS) + ROWS, NEW_CODES, LABELS)


def _old_store(folder: Path) -> None:
    _store(folder).append(np.arange(ROWS), OLD_CODES, LABELS)


def _encode_to_store(folder: Path) -> None:
    CodeStore(folder / "s.duckdb", model=NEW, timeout_seconds=10).append(np.arange(ROWS) + ROWS, NEW_CODES, LABELS)


def _old_and_given(folder: Path) -> None:
    """Put a store there, and a file to import that continues it."""
    _append(folder)
    _store(folder).export_parquet(folder / "given.parquet")
    (folder / "s.duckdb").unlink()
    _old_store(folder)


def _delete(folder: Path) -> None:
    _store(folder).delete(np.arange(ROWS, 2 * ROWS))


def _both(folder: Path) -> None:
    _old_store(folder)
    _append(folder)


def _distances(*parts: int) -> dict[int, int]:
    """Return the distance of each code of these parts to the first new code, by id."""
    numbers = np.concatenate([np.zeros(0, int), *(np.arange(ROWS * part, ROWS * (part + 1)) for part in parts)])
    codes = np.concatenate([OLD_CODES, NEW_CODES])[numbers]
    return dict(zip(numbers.tolist(), np.bitwise_count(codes ^ NEW_CODES[0]).sum(1).tolist(), strict=True))


def _store_state(old: tuple[int, ...], new: tuple[int, ...]) -> Callable[[Path], str]:
    def state(folder: Path) -> str:
        found: dict[int, int] = {}
        if (folder / "s.duckdb").exists():
            index = _kept_store(folder).index()
            distances, ids = index.search(NEW_CODES[:1], len(index))
            found = dict(zip(ids[0].tolist(), distances[0].tolist(), strict=True))
        if found == _distances(*old):
            return "old"
        return "new" if found == _distances(*new) else "half"

    return state


def _after_deleting(write: Callable[[Path], Any]) -> Callable[[Path, str], None]:
    """Return a call that writes into a store again: rows that are there already are deleted first."""

    def again(folder: Path, state: str) -> None:
        if state != "old":
            _kept_store(folder).delete(np.arange(ROWS, 2 * ROWS))
        write(folder)

    return again


def _same(write: Callable[[Path], Any]) -> Callable[[Path, str], None]:
    return lambda folder, state: write(folder)


def _export(folder: Path) -> None:
    _store(folder).export_parquet(folder / "codes.parquet")


def _export_state(folder: Path) -> str:
    path = folder / "codes.parquet"
    rows = len(read_codes(path)[0])
    return {ROWS: "old", 2 * ROWS: "new"}.get(rows, "half")


def _exported_before(folder: Path) -> None:
    _old_store(folder)
    _export(folder)
    _append(folder)


def _import(folder: Path) -> None:
    _store(folder).import_parquet(folder / "given.parquet")


def _given(folder: Path) -> None:
    _old_and_given(folder)
    (folder / "s.duckdb").unlink()


def writers() -> list[Writer]:
    """Return all writers, with first files and replaced ones."""
    first, more = _store_state((), (1,)), _store_state((0,), (0, 1))
    found = [
        Writer("save a first model", _nothing, _save, _model_state, _same(_save)),
        Writer("save over a model", lambda folder: _save(folder, 3), _save, _model_state, _same(_save)),
    ]
    for suffix in ("npy", "csv", "parquet"):
        name = f"codes.{suffix}"
        write, old = _encode(name), _encode(name, OLD, OLD_CODES)
        found.append(Writer(f"encode to a first .{suffix}", _nothing, write, _codes_state(name, False), _same(write)))
        found.append(Writer(f"encode over a .{suffix}", old, write, _codes_state(name, True), _same(write)))
    return [
        *found,
        Writer("first append", _nothing, _append, first, _after_deleting(_append)),
        Writer("append", _old_store, _append, more, _after_deleting(_append)),
        Writer("encode to a first store", _nothing, _encode_to_store, first, _after_deleting(_encode_to_store)),
        Writer("delete", _both, _delete, _store_state((0, 1), (0,)), _same(_delete)),
        Writer("export over a .parquet", _exported_before, _export, _export_state, _same(_export)),
        Writer("import into a first store", _given, _import, first, _after_deleting(_import)),
        Writer("import", _old_and_given, _import, more, _after_deleting(_import)),
    ]


def prepared_folders() -> Iterator[tuple[Writer, Path]]:
    """Yield each writer with a folder in its old state, to be copied for each case."""
    for writer in writers():
        with tempfile.TemporaryDirectory(prefix="attack-") as parent:
            template = Path(parent) / "template"
            template.mkdir()
            outcome = in_child(_prepared, writer, template)
            assert outcome.ending == "returned", outcome
            yield writer, template


def _prepared(writer: Writer, folder: Path) -> None:
    writer.prepare(folder)


def afterwards(writer: Writer, folder: Path) -> tuple[str, str, list[str]]:
    """Return the state that was left, what stopped the next call, and what files are left after it."""
    use_for_all(folder)
    try:
        state = writer.state(folder)
    except Exception as error:
        state = f"{type(error).__name__}: {error}"
    try:
        writer.again(folder, state)
        then = writer.state(folder)
        again = "" if then == "new" else f"the state afterwards is {then}"
    except Exception as error:
        again = f"{type(error).__name__}: {error}"
    return state, again, writer.remains(folder)
