"""Atomic writes: a locked temporary file, fsync, rename.

The reasons are in `docs/decisions/0016-files-and-the-machine.md`.
"""

import contextlib
import errno
import importlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from codeword.errors import OutputPathError

# On Windows temporary files of a killed process stay behind.
fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
_TEMPORARY = re.compile(r"(\.codeword-[0-9a-f]{16}\.tmp)(\.work)?")
_NO_SUCH_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # from file systems that cannot sync a folder


@contextmanager
def replaced_whole(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces `path` only when all of it is on disk.

    An old file at `path` survives any error, including a crash of the process or the machine. Its permissions are
    kept, and a link to it stays a link. A new file has the permissions that the process gives to new files (its umask).

    Raises:
        OutputPathError: If the system does not let us write. `on_disk` says what `path` holds then.
    """
    with replaced_together(path) as (file,):
        yield file


@contextmanager
def replaced_together(*paths: str | Path) -> Iterator[list[BinaryIO]]:
    """Open files that replace these paths, in this order, when all of them are complete.

    An error or a crash may leave the first paths new and the last one old, so they must be right for both.
    """
    current = Path(paths[0])
    try:
        with ExitStack() as stack:
            drafts = []
            for path in paths:
                current = Path(path)
                remove_leftovers(_target(current).parent)
            for path in paths:
                current = Path(path)
                drafts.append(stack.enter_context(_draft(current)))
            yield [draft.file for draft in drafts]
            for draft in drafts:
                current = draft.path
                draft.finish()
            _move_all(drafts)
    except OSError as error:
        if isinstance(error, OutputPathError):
            raise
        raise cannot_write(current, error) from error


class _Draft:
    """A temporary file next to its target, locked while its process lives."""

    def __init__(self, path: Path, folder: int | None) -> None:
        self.path, self.target, self.folder = path, _target(path), folder
        self.old = _existing(self.target)
        self.temporary, self.file = _locked_file(self.target.parent, 0o666 if self.old is None else self.old.st_mode)

    def finish(self) -> None:
        """Bring the content to the disk, with the permissions of the old file."""
        self.file.flush()
        if self.old is not None:
            _take_permissions(self.file.fileno(), self.old)
        os.fsync(self.file.fileno())
        self._made = os.fstat(self.file.fileno())
        if fcntl is None:
            self.file.close()  # Windows cannot move an open file

    def is_at_target(self) -> bool:
        """Return whether the finished file was moved although the system says otherwise, as over a network."""
        try:
            return os.path.samestat(os.lstat(self.target), self._made)
        except OSError:
            return False

    def discard(self) -> None:
        """Remove what is left of the temporary file."""
        _remove_scratch(self.temporary)
        with contextlib.suppress(OSError):
            self.temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # synced, or not wanted
            self.file.close()


@contextmanager
def _draft(path: Path) -> Iterator[_Draft]:
    folder = _open_folder(_target(path).parent)  # now: later there may be too many open files
    try:
        draft = _Draft(path, folder)
        try:
            yield draft
        finally:
            draft.discard()
    finally:
        _close(folder)


def _move_all(drafts: list[_Draft]) -> None:
    moved = []
    try:
        for draft in drafts:
            current = draft
            os.replace(draft.temporary, draft.target)
            moved.append(draft)
    except BaseException as error:
        if isinstance(error, OSError) and current.is_at_target():
            raise perhaps_lost(current.path, error) from error
        for draft in moved:
            if draft.old is None:
                with contextlib.suppress(OSError):
                    draft.target.unlink()
        if isinstance(error, OSError):
            raise cannot_write(current.path, error) from error
        raise
    for draft in drafts:
        try:
            _sync_folder(draft.folder)
        except OSError as error:
            raise perhaps_lost(draft.path, error) from error


def _sync_folder(folder: int | None) -> None:
    """Make a rename in an open folder survive a power failure, where the system can."""
    try:
        if folder is not None:
            os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SUCH_SYNC:
            raise


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files whose processes have died: nobody holds their lock."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found = {match[1] for entry in entries if (match := _TEMPORARY.fullmatch(entry.name))}
        for name in found:
            _remove_if_dead(folder / name)


def _remove_if_dead(temporary: Path) -> None:
    with contextlib.suppress(OSError), ExitStack() as stack:
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
        except FileNotFoundError:
            _remove_scratch(temporary)
            return
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_scratch(temporary)
            temporary.unlink()


def _remove_scratch(temporary: Path) -> None:
    with contextlib.suppress(OSError):  # `ignore_errors` does not cover closing a folder
        shutil.rmtree(f"{temporary}.work", ignore_errors=True)


def scratch_folder(temporary: str | Path) -> Path:
    """Make a folder for what is needed to write a temporary file; it is removed with that file."""
    folder = Path(f"{temporary}.work")
    folder.mkdir(mode=0o700)
    return folder


def _locked_file(folder: Path, mode: int) -> tuple[Path, BinaryIO]:
    """Create a file of our name that others can see to be in use; the system takes the umask off its mode."""

    def create(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_CREAT | os.O_EXCL, mode & 0o666)

    while True:
        temporary = folder / f".codeword-{secrets.token_hex(8)}.tmp"
        file = open(str(temporary), "w+b", opener=create)  # noqa: SIM115 - `discard` closes it
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks: nobody removes it, either
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_nlink == 0:  # taken for a leftover before it was locked
                file.close()
                continue
        return temporary, file


def _target(path: Path) -> Path:
    """Return where a path leads, through links, as `open` would write there."""
    try:
        target = Path(os.path.realpath(path))
    except ValueError as error:  # NUL, or characters that the file system does not have
        raise OSError(errno.EINVAL, f"a name that no file can have ({error})") from error
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _existing(target: Path) -> os.stat_result | None:
    """Return the state of a file to replace, None if there is none; refuse folders, devices and pipes."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a device or a pipe")
    return found


def _take_permissions(descriptor: int, old: os.stat_result) -> None:
    if not hasattr(os, "fchmod"):
        return
    mode, new = old.st_mode & 0o777, os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:
            mode &= 0o707  # another group must not get what the old one could read
    if mode != new.st_mode & 0o777:
        os.fchmod(descriptor, mode)


def _open_folder(folder: Path) -> int | None:
    if os.name != "posix":
        return None
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # a folder that may be written, but not listed
        return None


def _close(folder: int | None) -> None:
    """Close a folder; it was only read, so that an error means nothing."""
    if folder is not None:
        with contextlib.suppress(OSError):
            os.close(folder)


def move_into_place(temporary: Path, path: Path) -> None:
    """Move a finished file within its file system, so that after a crash it is there completely or not at all.

    Raises:
        OSError: As the system raises it. If the file was moved, only the sync of the folder has failed.
    """
    folder = _open_folder(path.parent)
    try:
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(folder)
    finally:
        _close(folder)


def check_writable(path: str | Path) -> None:
    """Check that `replaced_whole` can write to a path, before hours of work end in an error."""
    path = Path(path)
    if os.path.isdir(path):  # unlike `Path.is_dir`, it accepts any name
        raise OutputPathError(f"{path} must be a file: got a folder. Add a file name.", path=path)
    try:
        target = _target(path)
        _existing(target)
        temporary, file = _locked_file(target.parent, 0o600)
        file.close()
        temporary.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> OutputPathError:
    """Return the error for a path that the system does not let us write to, and that is as it was before."""
    return OutputPathError(
        f"{path} must be in an existing, writable folder with free space: got {_words(error)}. Nothing was written.",
        path=path,
        on_disk="old",
    )


def perhaps_lost(path: Path, error: OSError) -> OutputPathError:
    """Return the error for a path that was written, but whose folder the system does not sync."""
    return OutputPathError(
        f"{path} must be on a disk that keeps what is written: got {_words(error)}. The new file is there, but "
        "could be lost if the power fails. Check the disk, then write it again.",
        path=path,
        on_disk="new",
    )


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
