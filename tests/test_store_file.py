"""The file of a store: damage, full disks, crashes and other processes leave whole batches or an error in words."""

import errno
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pytest

import codeword
from codeword.errors import DataError, DiskError, OutputPathError, StoreBusyError, StoreFileError
from codeword.files import locked_duckdb, output_file
from codeword.search import CodeStore, store_file, store_lock
from codeword.search.store_file import StoreFile
from codeword.search.store_lock import Patience

CODES = np.array([[0b1111], [0b0001], [0b0011]], np.uint8)
ZERO = np.array([[0]], np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    store = CodeStore(tmp_path / "codes.duckdb", timeout_seconds=20)
    store.append(["x", "y", "z"], CODES, {"label": ["cat", "dog", None], "year": [2019, 2020, 2021]})
    return store


def everything(store: CodeStore) -> Any:
    """Reads the file by DuckDB alone."""
    with duckdb.connect(str(store.path), read_only=True) as connection:
        return connection.execute("SELECT * FROM codes ORDER BY id").fetchall()


def test_a_store_is_opened_for_its_note_only_where_it_has_changed(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CodeStore(store.path)
    monkeypatch.setattr(store_file, "locked_duckdb", lambda *files: pytest.fail("opened"))
    assert (other.num_bits, other.fingerprint) == (8, None)
    monkeypatch.undo()
    store.path.unlink()
    CodeStore(store.path).append(None, np.zeros((1, 2), np.uint8))
    assert other.num_bits == 16


# Files that are no stores, places that cannot be written to


def test_files_that_are_no_stores(tmp_path: Path) -> None:
    texts, foreign, newer, bare = (tmp_path / name for name in ("a.txt", "foreign", "newer", "block"))
    texts.write_text("hello" * 1_000)
    for path, note in ((foreign, None), (newer, "'format_version', '2'"), (bare, "'num_bits', '8'")):
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE codes (id BIGINT)")
            if note is not None:
                connection.execute("CREATE TABLE codeword_store (name VARCHAR, value VARCHAR)")
                connection.execute(f"INSERT INTO codeword_store VALUES ({note})")
    for path, received in (
        (texts, "not a valid DuckDB database"),
        (foreign, "a DuckDB file without a valid table codeword_store"),
        (bare, "a DuckDB file without a valid table codeword_store"),
        (newer, "2. Upgrade codeword"),
    ):
        before = path.read_bytes()
        with pytest.raises(StoreFileError, match=f"got .*{received}"):
            CodeStore(path)
        assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError, match="got a folder"):
        CodeStore(tmp_path)
    missing = CodeStore(tmp_path / "missing.duckdb")
    for call in (
        lambda: missing.search(ZERO),
        lambda: missing.delete([1]),
        lambda: missing.get([1]),
        lambda: missing.num_bits,
    ):
        with pytest.raises(FileNotFoundError, match="got no such file"):
            call()
    (tmp_path / "missing.duckdb.wal").write_bytes(b"left")
    with pytest.raises(StoreFileError, match=r"got a leftover missing.duckdb.wal"):
        missing.append(None, CODES)
    assert (tmp_path / "missing.duckdb.wal").read_bytes() == b"left"


def test_a_column_of_a_stranger_that_hides_the_row_numbers_of_duckdb(store: CodeStore) -> None:
    with duckdb.connect(str(store.path)) as connection:
        connection.execute('ALTER TABLE codes RENAME year TO "RowID"')
    with pytest.raises(StoreFileError, match="must be a store of codes: got a column 'RowID' of type BIGINT"):
        CodeStore(store.path)


def test_places_that_cannot_be_written_to(tmp_path: Path, store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputPathError, match="got No such file"):
        CodeStore(tmp_path / "no" / "codes.duckdb").append(None, CODES)

    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store_lock, "_opened", refuse)  # root may write everywhere
    assert store.search(ZERO, 1)[1].tolist() == [["y"]]
    for call in (lambda: store.append(["w"], CODES[:1]), lambda: store.delete(["x"])):
        with pytest.raises(OutputPathError, match="got Permission denied"):
            call()


def test_a_first_batch_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")

    def fail(_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("codeword.search.store.count_of", fail)  # after the rows were inserted
        with pytest.raises(KeyboardInterrupt):
            store.append(None, CODES, {"label": [1, 2, 3]})
    assert not store.path.exists()
    store.append(None, CODES, {"other": ["a", "b", "c"]})
    monkeypatch.setattr("codeword.search.store.count_of", fail)
    with pytest.raises(KeyboardInterrupt):
        store.append(None, CODES, {"other": ["a", "b", "c"]})
    monkeypatch.undo()
    assert len(store) == 3


def test_ctrl_c_leaves_the_old_rows(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(store)

    def interrupted(_: Any) -> int:
        raise RuntimeError("Query interrupted")  # as DuckDB says it

    monkeypatch.setattr("codeword.search.store.count_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append(["w"], CODES[:1], {"label": ["a"], "year": [1]})
    monkeypatch.undo()
    assert everything(store) == before
    assert store.append(["w"], CODES[:1], {"label": ["a"], "year": [1]}) == 4


class FailingCommit:
    """A connection whose `commit` fails, after it has added some bytes to the log that it does not take back."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, log: Path, kept: bytes) -> None:
        self.connection, self.log, self.kept = connection, log, kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def commit(self) -> None:
        if self.kept:
            self.log.write_bytes(self.kept)
        raise duckdb.TransactionException("Failed to commit: the disk says no")


@pytest.mark.parametrize(("kept", "on_disk"), [(b"", "old"), (b"some rows", "unknown")])
def test_a_commit_that_fails_says_what_is_known(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch, kept: bytes, on_disk: str
) -> None:
    plain, log = store_file.locked_duckdb, store.path.with_name("codes.duckdb.wal")
    monkeypatch.setattr(store_file, "locked_duckdb", lambda *files: FailingCommit(plain(*files), log, kept))
    with pytest.raises(OutputPathError, match=r"Failed to commit: the disk says no\b.*[Ss]tore") as caught:
        store.delete(["x"])
    assert (caught.value.path, caught.value.on_disk) == (store.path, on_disk)


@pytest.mark.parametrize(("failing", "on_disk"), [(("fsync",), "old"), (("fsync", "unlink"), "new")])
def test_a_new_store_that_could_be_lost_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...], on_disk: str
) -> None:
    path, syncs = tmp_path / "new.duckdb", []

    def sync(descriptor: int) -> None:
        syncs.append(descriptor)
        if len(syncs) == 2:  # of the folder, after that of the file
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def unlink(file: Path, **_: Any) -> None:
        if file == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(output_file.os, "fsync", sync)
    if "unlink" in failing:
        monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(OutputPathError, match=r"got Input/output error\.") as caught:
        CodeStore(path).append(None, CODES)
    monkeypatch.undo()
    assert (caught.value.path, caught.value.on_disk) == (path, on_disk)
    assert path.exists() == (on_disk == "new")


def test_errors_of_the_system_are_ours(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "is_file", fail)
    for call in (lambda: store.get(["x"]), store.index, lambda: len(store)):
        with pytest.raises(DiskError, match="must be readable: got Input/output error") as caught:
            call()
        assert (caught.value.path, caught.value.on_disk) == (store.path, "old")


def run(script: str, *words: Any) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(Path(codeword.__file__).parents[1])}
    command = [sys.executable, "-c", script, *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def told(process: "subprocess.Popen[str]") -> Any:
    """Waits for a script; gives the JSON it printed."""
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return json.loads(output)


DAMAGE = """
import json, sys
from pathlib import Path
import numpy as np
from codeword.errors import DiskError, StoreFileError
from codeword.search import CodeStore
good, bad, tally = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), {"error": 0, "right": 0}
codes = np.arange(80, dtype=np.uint8).reshape(8, 10)
rng = np.random.default_rng(0)
used = np.flatnonzero(np.frombuffer(good, np.uint8))
spots = [0, 8, 9, 16, 4096, 4104, 8192, 8200, 8208, 12288, *rng.choice(used[used > 12288], 30).tolist()]
cuts = [0, 1, 5000, 12288, len(good) // 2, len(good) - 1]
damaged = [(good[:spot] + bytes([good[spot] ^ 1 << spot % 8]) + good[spot + 1 :]) for spot in spots]
for content in damaged + [good[:cut] for cut in cuts]:
    bad.write_bytes(content)
    try:
        store = CodeStore(bad, timeout_seconds=0)
        rows = store.get([f"row {number}" for number in range(8)])
        ids = store.search(codes, 1)[1]
    except StoreFileError as error:
        assert "got a" in str(error), error
        tally["error"] += 1
    else:
        np.testing.assert_array_equal(rows.codes, codes)
        assert rows.metadata["label"].tolist() == list("abcdefgh")
        assert ids.ravel().tolist() == rows.ids.tolist()
        tally["right"] += 1
print(json.dumps(tally))
"""


@pytest.mark.slow
def test_damage_ends_in_an_error_or_the_right_answer(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "good.duckdb")
    ids = [f"row {number}" for number in range(8)]
    store.append(ids, np.arange(80, dtype=np.uint8).reshape(8, 10), {"label": list("abcdefgh")})
    tally = told(run(DAMAGE, store.path, tmp_path / "damaged.duckdb"))
    assert tally["error"] + tally["right"] == 46
    assert tally["error"] >= 30


FULL_DISK = """
import json, os, resource, signal, sys
import numpy as np
from codeword.errors import DiskError, OutputPathError
from codeword.search import CodeStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, new, parquet = sys.argv[1:]
many = np.random.default_rng(0).integers(0, 256, (200_000, 8), dtype=np.uint8)

def failing(size, call):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        call()
    except OutputPathError as error:
        return str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

store = CodeStore(path)
size = os.path.getsize(path)
messages = [failing(size + extra, lambda: store.append(None, many)) for extra in (0, 50_000)]
messages += [failing(size, lambda: CodeStore(new).append(None, many)) for size in (1_000, 300_000, 800_000)]
messages += [failing(10, lambda: store.export_parquet(parquet))]
rows = len(store)
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
store.append(None, many[:10])  # fits into the log beside the file
print(json.dumps([messages, rows, len(store), len(CodeStore(path).index())]))
"""


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "codes.duckdb")
    store.append(None, np.full((5, 8), 9, np.uint8))
    new, parquet = tmp_path / "new.duckdb", tmp_path / "codes.parquet"
    messages, *counts = told(run(FULL_DISK, store.path, new, parquet))
    for message in messages:
        assert "got " in message
        assert "File too large" in message
    assert counts == [5, 15, 15]
    assert not new.exists()
    assert not parquet.exists()
    assert len(store) == 15


# Several at once


HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_waiting_for_others(store: CodeStore, caplog: pytest.LogCaptureFixture) -> None:
    process = run(HOLD, store.path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(StoreBusyError, match=r"within 0.2 s.* got another DuckDB client"):
        CodeStore(store.path, timeout_seconds=0.2)
    caplog.clear()
    timer = threading.Timer(1.5, process.communicate)
    timer.start()
    assert store.append(["w"], CODES[:1], {"label": ["new"], "year": [1]}) == 4
    timer.join()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "waiting for another DuckDB client" in caplog.text
    with duckdb.connect(str(store.path)), pytest.raises(StoreBusyError, match="another DuckDB client"):
        CodeStore(store.path, timeout_seconds=0.1)


def test_a_writer_that_is_busy_is_named(store: CodeStore) -> None:
    with store._file.writing(), pytest.raises(StoreBusyError, match=f"got process {os.getpid()}, which has been"):
        CodeStore(store.path, timeout_seconds=0.1)
    with store._file.reading(), pytest.raises(StoreBusyError, match="got other processes, which read"):
        CodeStore(store.path, timeout_seconds=0.1).delete(["x"])
    assert len(store) == 3


WRITE = """
import sys
import numpy as np
from codeword.search import CodeStore
store, first, batches = CodeStore(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for batch in range(first, first + batches):
    store.append(np.arange(7) + 7 * batch, np.full((7, 9), batch % 251, np.uint8) | 2, {"batch": np.full(7, batch)})
    print(batch, flush=True)
"""
READ = """
import json, sys, time
import numpy as np
from codeword.search import CodeStore
store, all_rows, seen, end = CodeStore(sys.argv[1]), int(sys.argv[2]), [], time.monotonic() + 100
while seen[-1:] != [all_rows] and time.monotonic() < end:
    index = store.index()
    batches = store.get(index.within(np.zeros((1, 9), np.uint8), 72)[1][0]).metadata["batch"]
    assert set(np.unique(batches, return_counts=True)[1].tolist()) == {7}, batches
    seen.append(len(index))
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_several_processes_write_and_read_whole_batches(tmp_path: Path) -> None:
    path = tmp_path / "codes.duckdb"
    CodeStore(path).append(np.arange(7), np.full((7, 9), 2, np.uint8), {"batch": np.zeros(7, int)})
    writers = [run(WRITE, path, first, 8) for first in (1, 9)]
    readers = [run(READ, path, 17 * 7) for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    for reader in readers:
        seen = told(reader)
        assert seen[-1] == 17 * 7
        assert all(before <= after for before, after in pairwise(seen))
    assert len(CodeStore(path)) == 17 * 7


@pytest.mark.slow
def test_a_killed_writer_leaves_whole_batches(tmp_path: Path) -> None:
    path, first = tmp_path / "codes.duckdb", 0
    for wait_for in (1, 5, 3):
        process = run(WRITE, path, first, 1_000)
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(wait_for)]
        process.kill()
        process.communicate(timeout=60)
        batches, counts = np.unique([row[-1] for row in everything(CodeStore(path))], return_counts=True)
        assert set(counts.tolist()) == {7}
        assert batches.tolist() == list(range(len(batches)))
        assert len(batches) > acknowledged[-1]
        first = len(batches)


def test_what_others_append_is_found(store: CodeStore) -> None:
    assert store.search(ZERO, 1)[1].tolist() == [["y"]]
    kept = store.index()
    assert store.index() is kept
    CodeStore(store.path).append(["w"], ZERO, {"label": ["new"], "year": [1]})
    assert store.search(ZERO, 1)[1].tolist() == [["w"]]
    CodeStore(store.path).delete(["w"])
    assert store.search(ZERO, 1)[1].tolist() == [["y"]]
    assert len(kept) == 3


def test_threads(store: CodeStore) -> None:
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(3):
                ids = [f"{number}-{step}-{row}" for row in range(5)]
                store.append(ids, np.full((5, 1), 255, np.uint8), {"label": ids, "year": [number] * 5})
                assert (store.search(ZERO, 1)[1], len(store.get(ids).ids), len(store) % 5) == ([["y"]], 5, 3)
        except BaseException as error:  # a thread's own error would be lost
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(store) == 3 + 4 * 3 * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_fork_waits_for_a_connection_in_another_thread(store: CodeStore) -> None:
    with locked_duckdb._CONNECTING:  # as if this thread connected
        process = multiprocessing.get_context("fork").Process(target=store.__len__)
        thread = threading.Thread(target=process.start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forks and threads, from Python 3.12 on
            thread.start()
            thread.join(0.2)
        assert thread.is_alive()
    thread.join(20)
    process.join(20)
    assert process.exitcode == 0


@pytest.mark.skipif(os.name != "posix", reason="locks of another kind")
def test_locks_that_cannot_be_let_go_are_none_of_the_callers_business(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> None:
        raise store_lock.portalocker.LockException(OSError(37, "No locks available"))

    monkeypatch.setattr(store_lock.portalocker, "unlock", fails)
    assert store.append(["w"], CODES[:1], {"label": ["new"], "year": [1]}) == 4
    assert len(store) == 4


def test_a_file_whose_state_the_system_does_not_tell(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, calls, failing = Path.stat, [], 0

    def fails(self: Path, **settings: Any) -> os.stat_result:
        calls.append(self)
        if len(calls) == failing:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return plain(self, **settings)

    for failing in range(1, 8):  # whichever call it is
        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", fails)
            calls.clear()
            with suppress(DiskError):
                assert store.search(ZERO, 1)[1].tolist() == [["y"]]
            calls.clear()
            with suppress(DiskError):
                store.export_parquet(store.path.with_name("codes.parquet"))
            calls.clear()
            with suppress(DiskError):
                assert store.append([f"w{failing}"], CODES[:1], {"label": ["new"], "year": [1]}) > 3


# What the file does with errors, times and states


@pytest.mark.parametrize(
    ("error", "read_only", "expected"),
    [
        *((duckdb.IOException(f"X {sign} y"), False, OutputPathError) for sign in store_file._SIGNS_OF_FAILED_WRITES),
        (duckdb.IOException("no space left"), True, StoreFileError),
        (duckdb.IOException("Permission denied"), True, DiskError),
        (duckdb.IOException("Too many open files"), False, DiskError),
        (duckdb.IOException("Out of Memory"), True, DiskError),
        (duckdb.OutOfMemoryException("limit"), False, DiskError),
        (duckdb.ConversionException("a text"), False, DataError),
        (duckdb.OutOfRangeException("a number"), False, DataError),
        (duckdb.IOException("nonsense"), False, StoreFileError),
    ],
    ids=str,
)
def test_errors_of_duckdb_become_ours(
    tmp_path: Path, error: duckdb.Error, read_only: bool, expected: type[Exception]
) -> None:
    file = StoreFile(tmp_path / "fsync, no space left" / "s.duckdb", 1)
    translated = file._translated(error, read_only)
    assert type(translated) is expected
    assert str(file.path) in str(translated)
    assert file._translated(duckdb.IOException(f"nonsense in {file.path.parent}"), False).__class__ is StoreFileError


def test_errors_of_the_system_are_translated_once(store: CodeStore) -> None:
    file = store._file
    for opened, expected in ((file.reading, DiskError), (file.writing, OutputPathError)):
        with pytest.raises(expected, match="got Input/output error") as caught, opened():
            raise OSError(5, "Input/output error")
        assert caught.type is expected
        for error in (FileNotFoundError("in words"), RuntimeError("mine"), StoreFileError("ours")):
            with pytest.raises(type(error), match=f"^{error}$"), opened():
                raise error
        with pytest.raises(StoreFileError, match="cannot be read as one"), opened():
            raise duckdb.IOException("nonsense")


def test_a_reader_cannot_write_and_connections_are_closed(store: CodeStore) -> None:
    with store._file.reading() as (connection, _), pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("DELETE FROM store.main.codes")
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("SELECT 1")


@pytest.mark.parametrize(("wanted", "given"), [(0, 1.0), (1.5, 1.5), (1e300, threading.TIMEOUT_MAX)])
def test_queries_are_limited_to_the_time_of_a_call_but_at_least_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: float, given: float
) -> None:
    calls: list[Any] = []

    class Timer:
        daemon = False

        def __init__(self, seconds: float, work: Any) -> None:
            calls.append((seconds, work))

        def start(self) -> None:
            calls.append(("start", self.daemon))

        def cancel(self) -> None:
            calls.append("cancel")

        def join(self) -> None:
            calls.append("join")

    monkeypatch.setattr(threading, "Timer", Timer)
    connection: Any = SimpleNamespace(interrupt=print)
    with StoreFile(tmp_path / "s", wanted).limited(connection):
        pass
    assert calls == [(given, print), ("start", True), "cancel", "join"]


def test_the_note_is_read_again_only_when_the_file_has_changed(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    plain = store_file.read_note
    monkeypatch.setattr(store_file, "read_note", lambda *given: (reads.append(given[1]), plain(*given))[1])
    other = CodeStore(store.path)
    assert len(reads) == 1
    assert (len(other), other.num_bits) == (3, 8)
    assert len(reads) == 1
    CodeStore(store.path).append(["w"], ZERO, {"label": ["new"], "year": [1]})
    reads.clear()
    assert (len(other), other.num_bits) == (4, 8)
    assert len(reads) == 1
    other.delete(["w"])
    assert (len(other), len(reads)) == (3, 1)  # it has left the file as it is


def test_other_clients_are_waited_for(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, attempts, pauses = store_file.attach, [], []
    signs = iter(store_file._SIGNS_OF_OTHER_CLIENTS)

    def attach(*given: Any, **settings: Any) -> None:
        attempts.append(given)
        if (sign := next(signs, None)) is not None:
            raise duckdb.IOException(f"IO Error: {sign} on it")
        plain(*given, **settings)

    monkeypatch.setattr(store_file, "attach", attach)
    monkeypatch.setattr(Patience, "pause", lambda self, who, *_: pauses.append(who))
    assert len(store) == 3
    assert (len(attempts), pauses) == (4, ["another DuckDB client, which has the file open"] * 3)


@pytest.mark.parametrize(
    ("before", "after", "on_disk"),
    [
        (None, None, "old"),
        (None, 0, "old"),
        (4, 4, "old"),
        (None, 4, "unknown"),
        (4, 5, "unknown"),
        (4, None, "unknown"),
    ],
)
def test_a_commit_that_fails_says_what_is_on_the_disk(
    tmp_path: Path, before: int | None, after: int | None, on_disk: str
) -> None:
    file = StoreFile(tmp_path / "s.duckdb", 1)

    def log_of(size: int | None) -> None:
        file._log.unlink(missing_ok=True)
        if size is not None:
            file._log.write_bytes(bytes(size))

    log_of(before)
    with pytest.raises(OutputPathError) as caught, file._reaching_the_disk():  # noqa: PT012 - it is what fails
        log_of(after)
        raise duckdb.IOException("failed")
    assert (caught.value.path, caught.value.on_disk) == (file.path, on_disk)


def test_a_state_that_the_system_does_not_tell_is_like_no_other(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = store._file.state()
    assert store._file.state() == state
    assert state[1] is None  # there is no log
    assert store._file._log_size() == 0
    os.utime(store.path, ns=(1, 1))
    assert store._file.state() != state

    def fail(self: Path) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", fail)
    assert store._file.state() != store._file.state()
    assert store._file._log_size() is None


def test_a_new_store_is_made_in_a_folder_of_the_user_alone(tmp_path: Path) -> None:
    file, umask = StoreFile(tmp_path / "s.duckdb", 1), os.umask(0)
    try:
        with suppress(KeyboardInterrupt), file.writing(create=True) as (_, note):
            assert note is None
            assert stat.S_IMODE((tmp_path / ".s.duckdb.new").stat().st_mode) == 0o700
            raise KeyboardInterrupt
    finally:
        os.umask(umask)
    assert not file.exists()
    assert not (tmp_path / ".s.duckdb.new").exists()


def test_calls_on_a_store_that_is_missing_leave_nothing(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "s.duckdb")
    for call in (
        lambda: store.delete([1]),
        lambda: store.get([1]),
        lambda: store.export_parquet(tmp_path / "s.parquet"),
        lambda: store._file.writing().__enter__(),
    ):
        with pytest.raises(FileNotFoundError, match="got no such file"):
            call()
        assert list(tmp_path.iterdir()) == []
    store.path.mkdir()
    with pytest.raises(FileNotFoundError, match="got a folder"):
        store.append(None, CODES)


def test_what_lies_in_the_place_of_a_draft_is_refused(store: CodeStore) -> None:
    draft = store.path.with_name(".codes.duckdb.new")
    draft.write_text("mine")
    with pytest.raises(StoreFileError, match=r"\.codes\.duckdb\.new next to .* must be a folder that codeword made"):
        store.delete(["x"])
    assert (draft.read_text(), len(store)) == ("mine", 3)
