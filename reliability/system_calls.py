"""System calls that fail.

Each system call of each writer on a file below the folder fails once: no space, no permission, too many open files, a
disk error, no lock. A full disk fails all later writes, too, and a broken one all later changes. Before each call that
changes something, a process is also killed. Then the same process, or the next, reads the files, which must hold all of
the old state or all of the new one, and writes once more, after which no other file may be left. An error must be one
of codeword's, and what it says of the files must be true.

    python -m reliability.system_calls [--full]
"""

import ctypes
import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from reliability.children import Outcome, in_child, is_ours
from reliability.results import Row, Size, run
from reliability.writers import Writer, afterwards, case_folder, prepared_folders, use_for_all

LIBRARY = "CODEWORD_FAILING_CALLS"  # the path of the compiled library, in the environment of the process that it is in
SOURCE = Path(__file__).parent / "failing_calls.c"
KINDS = ("lost", "wrong note", "half", "error not of ours", "says otherwise", "hangs", "next call fails", "leftovers")
ERRORS = {
    "access": "EACCES",
    "allocate": "ENOSPC",
    "chmod": "EPERM",
    "chown": "EPERM",
    "close": "EIO",
    "create": "ENOSPC EACCES EMFILE",
    "fsync": "EIO ENOSPC",
    "link": "EPERM ENOSPC",
    "list": "EACCES EMFILE",
    "lock": "ENOLCK",
    "map": "ENOMEM",
    "mkdir": "ENOSPC EACCES",
    "open": "EACCES EMFILE EIO",
    "pwrite": "ENOSPC EIO",
    "read": "EIO",
    "rename": "EACCES ENOSPC EIO",
    "rmdir": "EACCES EIO",
    "seek": "EIO",
    "stat": "EACCES EIO",
    "truncate": "EIO ENOSPC",
    "unlink": "EACCES EIO",
    "write": "ENOSPC EIO",
}
DUCKDB_CREATES = "DuckDB takes a store whose `stat` fails for a missing one, and creates a new one over it"
KILL = "SIGKILL"  # instead of an error
CHANGES = ("allocate", "chmod", "close", "create", "fsync", "link", "lock", "mkdir", "pwrite", "rename", "rmdir")
CHANGES += ("truncate", "unlink", "write")


class Fault(NamedTuple):
    """The call that fails, counted from 0, with which error or `KILL`, and whether later calls fail, too.

    After "ENOSPC" these are all calls that need space, after "EIO" all that change something.
    """

    number: int
    error: str
    from_then_on: bool


def attacks(size: Size) -> Iterator[Row]:
    most = size.of(smoke=2, usual=24, full=None)
    for writer, template in prepared_folders():
        with case_folder(template) as folder:
            calls = in_child(_calls, writer, folder).value
        faults = [fault for number, call in enumerate(calls) for fault in _faults(number, call.split()[0])]
        chosen = faults if most is None else random.Random(writer.name).sample(faults, min(most, len(faults)))
        row, failing = Row.of_kinds(f"{writer.name}, {len(calls)} calls", *KINDS), set()
        for fault in chosen:
            with case_folder(template) as folder:
                row.cases += 1
                before = sum(row.failures.values())
                judge(row, _outcome(writer, folder, fault), f"{calls[fault.number]} {fault[1:]}")
                if sum(row.failures.values()) > before:
                    failing.add(calls[fault.number])
        row.known = DUCKDB_CREATES if failing == {"stat s.duckdb"} else ""
        yield row


def _faults(number: int, call: str) -> list[Fault]:
    errors = [Fault(number, error, False) for error in ERRORS[call].split()]
    lasting = [Fault(number, error, True) for error in ("ENOSPC", "EIO") if error in ERRORS[call] and call in CHANGES]
    return [*errors, *lasting, *([Fault(number, KILL, False)] if call in CHANGES else [])]


def _outcome(writer: Writer, folder: Path, fault: Fault) -> Outcome:
    outcome = in_child(_failed, writer, folder, fault, seconds=60)
    if outcome.error != KILL:
        return outcome
    outcome = in_child(afterwards, writer, folder, seconds=60)
    return outcome._replace(value=("killed", True, "", outcome.value)) if outcome.ending == "returned" else outcome


def judge(row: Row, outcome: Outcome, fault: str) -> None:
    """Count what was wrong in one case."""
    if outcome.ending != "returned":
        row.fail("hangs", f"{fault}: {outcome.error}")
        return
    error, error_is_ours, on_disk, (state, again, left) = outcome.value
    if not error_is_ours:
        row.fail("error not of ours", f"{fault}: {error}")
    if state not in ("old", "new"):
        row.fail(state if state in row.failures else "lost", f"{fault}: {state}, after {error or 'success'}")
    elif is_false(error, on_disk, state):
        row.fail("says otherwise", f"{fault}: the state is {state}, after {error or 'success'}")
    if again:
        row.fail("next call fails", f"{fault}: {again}, after {error or 'success'}")
    elif left:
        row.fail("leftovers", f"{fault}: {', '.join(left)}, after {error or 'success'}")


def is_false(error: str, on_disk: str, state: str) -> bool:
    """Return whether an error, empty after success, says something else of the files than what is there."""
    if not error:
        return state == "old"
    if on_disk in ("old", "new"):
        return state != on_disk
    return state == "new" and ("Nothing was" in error or "not changed" in error)


def _calls(writer: Writer, folder: Path) -> list[str]:
    """Return the calls of an undisturbed writer: what is called, and for which file."""
    use_for_all(folder)
    library = _library(folder, Fault(-1, "EIO", False))
    writer.write(folder)
    library.attack_disarm()
    library.attack_name.restype = ctypes.c_char_p
    return [library.attack_name(number).decode() for number in range(library.attack_seen())]


def _failed(writer: Writer, folder: Path, fault: Fault) -> tuple[str, bool, str, tuple[str, str, list[str]]]:
    """Return the error of a writer, whether it is ours, its `on_disk`, and what was found afterwards."""
    use_for_all(folder)
    library = _library(folder, fault)
    error, error_is_ours, on_disk = "", True, ""
    try:
        writer.write(folder)
    except BaseException as raised:
        error, error_is_ours = f"{type(raised).__name__}: {raised}", is_ours(raised)
        on_disk = getattr(raised, "on_disk", "")
    library.attack_disarm()
    return error, error_is_ours, on_disk, afterwards(writer, folder)


def _library(folder: Path, fault: Fault) -> Any:
    library = ctypes.CDLL(os.environ[LIBRARY])  # loaded already
    number = 0 if fault.error == KILL else getattr(errno, fault.error)
    library.attack_arm(os.fsencode(folder), fault.number, number, fault.from_then_on)
    return library


def compiled(folder: str | Path) -> str:
    """Compile the library into a folder and return its path."""
    library = str(Path(folder) / "failing_calls.so")
    command = [str(shutil.which("cc") or "gcc"), "-shared", "-fPIC", "-O1", "-w", "-o", library, str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def _again_with_library() -> int:
    """Run this program once more in a process with the library, and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(folder)
        command = [sys.executable, "-m", "reliability.system_calls", *sys.argv[1:]]
        environment = {**os.environ, "LD_PRELOAD": library, LIBRARY: library}
        return subprocess.run(command, check=False, env=environment).returncode


def _skipped(_: Size) -> Iterator[Row]:
    yield Row("each call of each writer", skipped="it needs Linux and a C compiler")


if __name__ == "__main__":
    if LIBRARY in os.environ:
        run(__file__, attacks)
    elif sys.platform == "linux" and (shutil.which("cc") or shutil.which("gcc")):
        sys.exit(_again_with_library())
    run(__file__, _skipped)
