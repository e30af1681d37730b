"""The turns of a store's readers and writers, and what may lie in the place of the lock files."""

import errno
import io
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import portalocker
import pytest

from codeword.errors import OutputPathError, StoreBusyError, StoreFileError
from codeword.search import store_lock
from codeword.search.store_lock import Patience, check_own_file, held

fcntl = pytest.importorskip("fcntl", reason="locks of another kind")

ME = os.geteuid()


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now, self.pauses = 100.0, list[float]()
        self.at_each_pause: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1e9 + self.now

    def sleep(self, seconds: float) -> None:
        self.at_each_pause()
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(store_lock, "time", clock)
    return clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.duckdb"


def lock_of(path: Path, suffix: str) -> Path:
    return path.with_name(f".s.duckdb{suffix}")


def is_free(lock: Path, how: Any = fcntl.LOCK_EX) -> bool:
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


# Patience


def test_patience_ends_with_the_time_and_warns_once_after_a_second(
    clock: Clock, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_lock, "_RANDOM", SimpleNamespace(uniform=lambda low, high: (low + high) / 2))
    patience = Patience(path, 4.0)
    patience.pause("others", 0.5)
    assert clock.pauses == [0.55 * 0.5]
    clock.now = 101.0
    patience.pause("others", 0.1)
    assert caplog.records == []  # not before a second is over
    clock.now = 101.5
    for _ in range(2):
        patience.pause("others", 0.1)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == [f"{path}: waiting for others; giving up in 2 s"]
    clock.now = 103.999
    patience.pause("others", 0.0001)
    clock.now = 104.0
    with pytest.raises(StoreBusyError, match=r"within 4 s: got others for all that time"):
        patience.pause("others", 0.1)
    assert len(caplog.records) == 1


# Turns


def test_readers_share_the_room_and_a_writer_has_it_alone(clock: Clock, path: Path) -> None:
    with held(path, exclusive=True, timeout_seconds=1):
        pass
    with held(path, exclusive=False, timeout_seconds=0), held(path, exclusive=False, timeout_seconds=0) as patience:
        assert isinstance(patience, Patience)
        assert is_free(lock_of(path, ".turn"))
        assert is_free(lock_of(path, ".room"), fcntl.LOCK_SH)
        assert not is_free(lock_of(path, ".room"))
        with (
            pytest.raises(StoreBusyError, match="got other processes, which read"),
            held(path, exclusive=True, timeout_seconds=1),
        ):
            pass
    with held(path, exclusive=True, timeout_seconds=0):
        assert is_free(lock_of(path, ".turn"))
        assert not is_free(lock_of(path, ".room"), fcntl.LOCK_SH)
        clock.now += 7
        for exclusive in (False, True):
            with (
                pytest.raises(StoreBusyError, match=f"got process {os.getpid()}, which has been writing for [89] s"),
                held(path, exclusive=exclusive, timeout_seconds=1),
            ):
                pass
    assert is_free(lock_of(path, ".turn"))
    assert is_free(lock_of(path, ".room"))


def test_a_writer_that_waits_for_readers_keeps_the_turn(clock: Clock, path: Path) -> None:
    turn, seen = lock_of(path, ".turn"), []
    with held(path, exclusive=True, timeout_seconds=1):
        pass
    clock.at_each_pause = lambda: seen.append(is_free(turn, fcntl.LOCK_SH))
    with held(path, exclusive=False, timeout_seconds=0):
        with pytest.raises(StoreBusyError), held(path, exclusive=True, timeout_seconds=0.01):
            pass
        assert set(seen) == {False}
        assert 0 < max(clock.pauses) <= 0.004
    clock.pauses.clear()
    seen.clear()
    with turn.open("rb") as next_one:
        fcntl.flock(next_one, fcntl.LOCK_EX)
        for exclusive in (False, True):
            with pytest.raises(StoreBusyError), held(path, exclusive=exclusive, timeout_seconds=0.1):
                pass
    assert 0.004 < max(clock.pauses) <= 0.02


def test_readers_make_no_lock_files_and_do_with_what_is_there(path: Path) -> None:
    for lock in ((), (".turn",), (".room",)):
        for suffix in (".turn", ".room"):
            lock_of(path, suffix).unlink(missing_ok=True)
        for suffix in lock:
            lock_of(path, suffix).touch()
        with held(path, exclusive=False, timeout_seconds=0):
            assert len(list(path.parent.iterdir())) == len(lock)


def test_a_writer_signs_the_room_and_clears_it(clock: Clock, path: Path) -> None:
    room = lock_of(path, ".room")
    umask = os.umask(0o022)
    try:
        for left in (b"", b'{"process": 999999999, "since": 12345.678901234567890}', b'{"proc'):
            room.write_bytes(left) if left else None
            with held(path, exclusive=True, timeout_seconds=0):
                assert json.loads(room.read_bytes()) == {"process": os.getpid(), "since": clock.time()}
            assert room.read_bytes() == b""
            assert {stat.S_IMODE(lock_of(path, suffix).stat().st_mode) for suffix in (".turn", ".room")} == {0o644}
    finally:
        os.umask(umask)


@pytest.mark.parametrize("content", [b"notes", b'{"process"; 1', b' {"process": 1}'])
def test_a_file_with_other_content_is_not_signed(path: Path, content: bytes) -> None:
    room = lock_of(path, ".room")
    room.write_bytes(content)
    with (
        pytest.raises(StoreFileError, match=r"\.s\.duckdb\.room next to .* got another file"),
        held(path, exclusive=True, timeout_seconds=0),
    ):
        pass
    assert room.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"process": 1, "since": 2.5}', (1, 2.5)),
        (f'{{"process": {2**31 - 1}, "since": 2}}', (2**31 - 1, 2.0)),
        (f'{{"process": {2**31}, "since": 2}}', None),
        ('{"process": 0, "since": 2}', None),
        ('{"process": -1, "since": 2}', None),
        ('{"process": true, "since": 2}', None),
        ('{"process": 7.0, "since": 2}', None),
        ('{"process": 7, "since": "x"}', None),
        ('{"process": 7}', None),
        ("[7, 2]", None),
        ("7", None),
        ("", None),
        ("[" * 200, None),
        ('{"process": 7, "since": 2}' + " " * 174, (7, 2.0)),
        ('{"process": 7, "since":' + " " * 177 + "2}", None),  # only the first 200 bytes are read
    ],
)
def test_the_note_of_a_writer(text: str, expected: Any) -> None:
    room = io.BytesIO(text.encode())
    room.seek(3)
    assert store_lock._note(room) == expected


def test_notes_are_read_no_further_than_they_can_be_long() -> None:
    assert store_lock._content(io.BytesIO(bytes(300))) == bytes(200)


def test_a_process_lives_unless_the_system_knows_that_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def kill(process: int, signal: int) -> None:
        asked.append((process, signal))
        if process == 5:
            raise ProcessLookupError(errno.ESRCH, "No such process")
        if process == 6:
            raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "kill", kill)
    assert [store_lock._is_alive(process) for process in (5, 6, 7)] == [False, True, True]
    assert asked == [(5, 0), (6, 0), (7, 0)]
    note = io.BytesIO(b'{"process": 5, "since": 1}')
    assert store_lock._holder(note) == "other processes, which read"
    monkeypatch.setattr(os, "name", "nt")
    assert store_lock._is_alive(5) is True


# Files in the place of the lock files


def found(mode: int = stat.S_IFREG, links: int = 1, user: int = ME) -> Any:
    return SimpleNamespace(st_mode=mode, st_nlink=links, st_uid=user)


@pytest.mark.parametrize(
    ("given", "received"),
    [
        (found(stat.S_IFLNK), "a link"),
        (found(stat.S_IFIFO), "a folder, a pipe or a device"),
        (found(links=2), "a file with a second name elsewhere"),
    ],
)
def test_only_plain_files_are_opened(path: Path, given: Any, received: str) -> None:
    lock = lock_of(path, ".turn")
    lock.touch()
    check_own_file(lock, path)
    check_own_file(lock, path, found())
    with pytest.raises(StoreFileError, match=rf"{lock.name} next to .*: got {received}\. Remove it\. Nothing"):
        check_own_file(lock, path, given)  # what was opened counts, not what lies there by now
    with pytest.raises(StoreFileError, match="Copy it"):
        check_own_file(path.with_name("s.duckdb.wal"), path, given)


def test_where_everybody_may_write_files_belong_to_the_user_or_to_owners(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = os.stat
    owners = {str(path.parent): 11, str(path): 12}

    def owned(file: Any, **settings: Any) -> Any:
        result = stats(file, **settings)
        return SimpleNamespace(st_mode=result.st_mode, st_uid=owners.get(str(file), 13), st_nlink=1)

    monkeypatch.setattr(os, "stat", owned)
    monkeypatch.setattr(os, "geteuid", lambda: 10)
    lock = lock_of(path, ".turn")
    path.parent.chmod(0o755)
    check_own_file(lock, path, found(user=99))
    path.parent.chmod(0o777)
    for user in (10, 11):
        check_own_file(lock, path, found(user=user))
    for user in (0, 1, 12, 99):  # there is no store yet
        with pytest.raises(StoreFileError, match="got a file of another user"):
            check_own_file(lock, path, found(user=user))
    path.touch()
    for user in (10, 11, 12):
        check_own_file(lock, path, found(user=user))
    with pytest.raises(StoreFileError, match="got a file of another user"):
        check_own_file(lock, path, found(user=99))
    monkeypatch.setattr(os, "name", "nt")
    assert store_lock._owners(path, os.stat(path.parent)) == {0, 11, 12}


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_link_is_refused_by_readers_and_writers(path: Path, exclusive: bool) -> None:
    lock_of(path, ".turn").symlink_to(path.parent / "elsewhere")
    with pytest.raises(StoreFileError, match="got a link"), held(path, exclusive=exclusive, timeout_seconds=0):
        pass
    assert not (path.parent / "elsewhere").exists()


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_file_that_is_exchanged_while_it_is_opened_is_refused(
    path: Path, exclusive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = path.parent / "other"
    other.write_text("precious")
    os.link(other, path.parent / "second name")
    for suffix in (".turn", ".room"):
        lock_of(path, suffix).touch()
    opened = os.open
    monkeypatch.setattr(os, "open", lambda file, *rest: opened(other, *rest))
    with (
        pytest.raises(StoreFileError, match="a second name elsewhere"),
        held(path, exclusive=exclusive, timeout_seconds=0),
    ):
        pass
    assert other.read_text() == "precious"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Collects the flags by which files are opened; the system lets this process read only."""
    flags: list[int] = []
    plain = os.open

    def read_only(file: Any, how: int, *mode: int) -> int:
        flags.append(how)
        if how & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return plain(file, how, *mode)

    monkeypatch.setattr(os, "open", read_only)
    yield flags
    monkeypatch.undo()


def test_lock_files_that_may_only_be_read_are_enough_for_readers(path: Path, opened: list[int]) -> None:
    for suffix in (".turn", ".room"):
        lock_of(path, suffix).touch()
    opened.clear()
    with held(path, exclusive=False, timeout_seconds=0):
        assert [how & os.O_ACCMODE for how in opened] == [os.O_RDWR, os.O_RDONLY] * 2
        assert not is_free(lock_of(path, ".room"))
    always = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    assert {how & ~os.O_ACCMODE for how in opened[:4]} == {always}
    opened.clear()
    with pytest.raises(OutputPathError, match="got Permission denied"), held(path, exclusive=True, timeout_seconds=0):
        pass
    assert [how & ~always for how in opened] == [os.O_RDWR | os.O_CREAT]


def test_a_writer_without_a_folder_for_its_locks_fails(path: Path) -> None:
    nowhere = path.parent / "no folder" / "s.duckdb"
    with pytest.raises(OutputPathError, match="got No such file"), held(nowhere, exclusive=True, timeout_seconds=0):
        pass
    with held(nowhere, exclusive=False, timeout_seconds=0):
        pass


def test_lock_files_are_closed_and_errors_of_closing_are_nobodys(path: Path) -> None:
    with ExitStack() as files:
        file = store_lock._opened(path, ".turn", True, files)
        assert file is not None
        os.close(file.fileno())
    assert file.closed


# File systems


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EAGAIN, errno.EACCES, None])
def test_a_file_system_without_locks(
    path: Path, clock: Clock, code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(path, exclusive=True, timeout_seconds=0):
        pass
    asked = []

    def fails(file: Any, flags: Any) -> None:
        asked.append(flags)
        raise portalocker.LockException(*([OSError(code, "No locks")] if code else ["taken"]))

    monkeypatch.setattr(portalocker, "lock", fails)
    error = OutputPathError if code == errno.ENOLCK else StoreBusyError
    with pytest.raises(error), held(path, exclusive=True, timeout_seconds=1):
        pass
    flags = portalocker.LockFlags
    assert set(asked) == {flags.EXCLUSIVE | flags.NON_BLOCKING}
    asked.clear()
    if code == errno.ENOLCK:
        with held(path, exclusive=False, timeout_seconds=1):  # DuckDB has a lock of its own
            pass
    else:
        with pytest.raises(StoreBusyError), held(path, exclusive=False, timeout_seconds=1):
            pass
    assert set(asked) == {flags.SHARED | flags.NON_BLOCKING}


def test_a_note_that_cannot_be_written_is_no_reason_to_fail(path: Path) -> None:
    class Full(io.BytesIO):
        def truncate(self, size: Any = None) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    store_lock._sign(Full(), path)
    store_lock._clear(Full())
