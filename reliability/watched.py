"""What strace sees of a case: sockets, and files opened or changed outside of where the case has business."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import codeword

CALLS = (
    "open,openat,creat,truncate,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink,"
    "symlinkat,chmod,fchmodat,chown,lchown,fchownat,utimensat,execve,socket,connect,bind"
)
_LINE = re.compile(r"\d+ +(\w+)\((.*)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RESULT = re.compile(r"= \d+<([^>]*)>")
_MARK = "/no-such-folder/case "
LIBRARIES = [
    *map(str, (sys.prefix, sys.base_prefix, Path(codeword.__file__).parent)),
    *(str(Path(place).resolve()) for place in sys.path),  # where Python looks for modules
    *(
        "/usr/lib",
        "/usr/local/lib",
        "/lib",
        "/etc/ld.so.cache",
        "/etc/ld.so.preload",
        "/etc/localtime",
        "/usr/share/zoneinfo",
    ),
    *("/proc", "/sys", "/dev/null", "/dev/urandom", "/dev/shm"),
]


def can_watch() -> bool:
    """Return whether strace is there and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", os.devnull, "true"], check=False, capture_output=True).returncode == 0


def watching(log: Path) -> list[str]:
    """Return the beginning of a command whose processes are watched."""
    return ["strace", "-f", "-y", "--seccomp-bpf", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log)]


def mark(number: int | None) -> None:
    """Begin a case in the log of this process, or end it with None. Cases are run one after the other."""
    with contextlib.suppress(FileNotFoundError):
        os.close(os.open(f"{_MARK}{'' if number is None else number}", os.O_RDONLY))


def seen(log: Path) -> dict[int, list[tuple[str, str]]]:
    """Return for each case its calls and the paths they named; for opened links, what they lead to."""
    cases: dict[int, list[tuple[str, str]]] = {}
    case: int | None = None
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = _LINE.match(line)
            if match is None:
                continue
            call, rest = match.groups()
            paths = [text.encode("latin-1", "replace").decode("unicode_escape") for text in _TEXT.findall(rest)]
            if paths and paths[0].startswith(_MARK):
                number = paths[0].removeprefix(_MARK)
                case = int(number) if number else None
            elif case is not None and call in ("socket", "connect", "bind"):
                cases.setdefault(case, []).append(("socket", rest))
            elif case is not None:
                cases.setdefault(case, []).extend((call, path) for path in [*paths, *_RESULT.findall(rest)])
    return cases


def sockets(calls: Iterable[tuple[str, str]]) -> list[str]:
    return [text for call, text in calls if call == "socket"]


def outside(calls: Iterable[tuple[str, str]], folder: Path) -> list[str]:
    """Return the calls on files that are neither below the case's folder nor among the libraries."""
    found = []
    for call, path in calls:
        whole = os.path.normpath(folder / path)
        is_library = any(whole == place or whole.startswith(f"{place}/") for place in (str(folder), *LIBRARIES))
        if call != "socket" and not is_library:
            found.append(f"{call} {whole}")
    return found
