"""Processes of the command's own: files of strangers are read in one, within limits of memory and time."""

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codeword.errors import ModelFileError

LOADING_SECONDS = 120
MEMORY_PER_BYTE = 10
SPARE_MEMORY = 200 << 20  # what compiling takes, whatever the size of the file
TRUST = "If you trust the file, add --trust."


def command_of(*words: object) -> list[str]:
    """Return a command that runs `codeword` in a fresh process, and no module of the current folder."""
    return [sys.executable, "-P", "-m", "codeword", *map(str, words)]


def check_archive(path: Path) -> None:
    """Refuse a file that is no `.keras` archive, or one that grows far beyond its size when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelFileError(f"{path} must be a model that Keras can load (.keras): got {error}.") from error
    size = path.stat().st_size
    if unpacked > MEMORY_PER_BYTE * size:
        raise ModelFileError(
            f"{path} must not grow more than tenfold when it is unpacked: got {size:,} bytes that become {unpacked:,}."
        )


def run_within_limits(path: Path, *words: object) -> int:
    """Run a command that loads `path` in a process of its own; return its exit code.

    Raises:
        ModelFileError: If the process dies, as it does when it needs too much memory or time.
    """
    code = subprocess.run(command_of(*words), check=False).returncode
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        most = f"{_memory_for(path) >> 20:,} MiB and {LOADING_SECONDS} seconds"
        raise ModelFileError(f"{path} must be loaded within {most}: got signal {name} instead. {TRUST}")
    return code


@contextmanager
def limits_of_loading(path: Path) -> Iterator[None]:
    """Limit the memory and time that loading a file may take. Afterwards the process may use half of the machine.

    Exceeding the time ends the process by SIGALRM. Exceeding the memory raises `MemoryError`, or ends it. On Windows
    there are no such resource.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, LOADING_SECONDS)
    _limit_memory(_memory_for(path))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _limit_memory(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def _memory_for(path: Path) -> int:
    return MEMORY_PER_BYTE * path.stat().st_size + SPARE_MEMORY


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has now."""
    import resource

    try:
        figures = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:  # not Linux, where the limit does not work, either
        return
    taken = int(figures[5]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = taken + more
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
