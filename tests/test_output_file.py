"""Files are replaced whole or not at all, keep their permissions and links, and leave nothing behind."""

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codeword.errors import DiskError, OutputPathError
from codeword.files import output_file
from codeword.files.output_file import check_writable, replaced_together, replaced_whole, scratch_folder


def write(path: Path, content: bytes = b"new") -> None:
    with replaced_whole(path) as file:
        file.write(content)


def write_both(*paths: Path) -> None:
    with replaced_together(*paths) as files:
        for file in files:
            file.write(b"new")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int, *, call: int = 1) -> None:
    """Make the given call of a function of `os` fail, as if the system did."""
    plain, calls = getattr(os, name), []

    def fails(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == call:
            raise OSError(number, os.strerror(number))
        return plain(*args, **kwargs)

    monkeypatch.setattr(output_file.os, name, fails)


# Permissions and links


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(mode)
    write(path)
    assert (path.read_bytes(), mode_of(path)) == (b"new", mode)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "x")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "x") == 0o666 & ~umask


def test_the_umask_of_the_process_is_never_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("called"))
    write(tmp_path / "x")


def test_what_is_being_written_is_no_more_open_than_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o600)
    with replaced_whole(path) as file:
        assert mode_of(Path(file.name)) == 0o600


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link, other = tmp_path / "there" / "x", tmp_path / "link", tmp_path / "other"
    target.write_text("old")
    link.symlink_to(target)
    other.symlink_to("link")
    write(other)
    assert link.is_symlink()
    assert other.is_symlink()
    assert target.read_bytes() == b"new"
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "there", target, link, other])


def test_a_link_to_nothing_makes_the_file_and_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x")
    write(tmp_path / "link")
    assert (tmp_path / "x").read_bytes() == b"new"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OutputPathError, match="Too many levels of symbolic links"):
        write(tmp_path / "circle")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
@pytest.mark.parametrize("call", [write, check_writable])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, make: Callable[..., None], call: Callable[..., None]) -> None:
    make(tmp_path / "x")
    with pytest.raises(OutputPathError, match=r"x must be .*: got (a device or a pipe|Is a directory|a folder)"):
        call(tmp_path / "x")
    assert not (tmp_path / "x").is_file()


@pytest.mark.parametrize("name", ["a\0b", "\udc80\ud800", "n" * 300])
def test_names_that_no_file_can_have_are_refused_in_words(tmp_path: Path, name: str) -> None:
    for call in (write, check_writable):
        with pytest.raises(OutputPathError, match="must be in an existing, writable folder"):
            call(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 255))
    assert (tmp_path / ("n" * 255)).read_bytes() == b"new"


# Failures of the machine


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_failure_before_the_end_leaves_the_old_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    failing(monkeypatch, call, number, call=2 if call == "open" and number == errno.EACCES else 1)
    with pytest.raises(
        OutputPathError, match=rf"x must be .*: got {os.strerror(number)}. Nothing was written"
    ) as caught:
        write(path)
    assert (caught.value.path, caught.value.on_disk) == (path, "old")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    assert isinstance(caught.value, DiskError)
    assert isinstance(caught.value, OSError)


def test_a_folder_that_cannot_be_synced_leaves_the_new_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "fsync", errno.EIO, call=2)
    with pytest.raises(OutputPathError, match="The new file is there, but could be lost") as caught:
        write(tmp_path / "x")
    assert caught.value.on_disk == "new"
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_rename_that_was_made_though_it_failed_leaves_the_new_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.replace

    def fails(source: Path, target: Path) -> None:
        plain(source, target)
        if target.name == "codes":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(output_file.os, "replace", fails)
    with pytest.raises(OutputPathError, match=r"codes must be .* The new file is there") as caught:
        write_both(tmp_path / "note", tmp_path / "codes")
    assert caught.value.on_disk == "new"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new", b"new"]


def test_a_file_system_that_cannot_sync_folders_is_none_the_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "fsync", errno.EINVAL, call=2)
    write(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"new"


def test_of_two_files_the_last_is_old_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = tmp_path / "note", tmp_path / "codes"
    for old in (True, False):
        for call in (1, 2):
            for path in paths:
                path.unlink(missing_ok=True)
                if old:
                    path.write_text("old")
            with monkeypatch.context() as patch:
                failing(patch, "replace", errno.EPERM, call=call)
                with pytest.raises(OutputPathError, match=f"{paths[call - 1].name} must be .*Nothing was written"):
                    write_both(*paths)
            first = "old" if call == 1 else "new"
            assert [path.read_text() for path in paths if path.exists()] == [first, "old"] * old
            assert len(list(tmp_path.iterdir())) == 2 * old
    write_both(*paths)
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["new", "new"]


@pytest.mark.skipif(os.name != "posix", reason="no folders are opened")
def test_a_folder_that_cannot_be_closed_is_none_the_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "close", errno.EIO)
    write(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"new"


# Leftovers

KILLED = """
import os, signal, sys
from codeword.files.output_file import replaced_whole, scratch_folder
with replaced_whole(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    (scratch_folder(file.name) / "rows").write_text("much")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3
    write(tmp_path / "other")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "other", path]


def test_files_in_use_and_files_of_others_stay(tmp_path: Path) -> None:
    foreign = [tmp_path / ".codeword-x.tmp", tmp_path / ".x.tmp", tmp_path / "codeword-0123456789abcdef.tmp"]
    for path in foreign:
        path.write_text("mine")
    (tmp_path / f".codeword-{'0' * 16}.tmp").symlink_to(foreign[0])
    with replaced_whole(tmp_path / "x") as file:
        work = scratch_folder(file.name)
        write(tmp_path / "y")
        assert Path(file.name).exists()
        assert work.exists()
        file.write(b"slow")
    assert (tmp_path / "x").read_bytes() == b"slow"
    assert all(path.read_text() == "mine" for path in foreign)
    assert len(list(tmp_path.iterdir())) == 6


def test_a_temporary_file_that_somebody_removes_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def write() -> None:
        with replaced_whole(path) as file:
            Path(file.name).unlink()

    with pytest.raises(OutputPathError, match="Nothing was written") as raised:
        write()
    assert (raised.value.on_disk, path.read_bytes()) == ("old", b"old")


def test_a_work_folder_without_its_file_is_removed(tmp_path: Path) -> None:
    name = f".codeword-{'a' * 16}.tmp"
    (tmp_path / f"{name}.work").mkdir()
    write(tmp_path / "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]
