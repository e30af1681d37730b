"""Programs of attacks: their page is what their results say, and they notice what they look for."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codeword.errors import CodeError
from reliability import report, system_calls, watched
from reliability.children import in_child
from reliability.kills import judge
from reliability.results import Row

ROOT = Path(__file__).parent.parent


def test_the_page_is_what_the_results_say():
    assert (ROOT / "docs/reliability.md").read_text(encoding="utf-8") == report.page()


def test_every_program_has_a_title_and_a_text():
    assert "kills" in report.programs()
    for name in report.programs():
        title, text = report.text_of(name)
        assert 0 < len(title) < 80
        assert text, name


def test_a_miss_is_shown_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "HERE", tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "shots.py").write_text('"""Shots.\n\nAt all.\n\n    python -m reliability.shots\n"""\n')
    row = {
        "attack": "one",
        "cases": 2000,
        "failures": {"hit": 3},
        "figures": {"s": "5"},
        "known": "slow",
        "skipped": "",
    }
    (tmp_path / "results/shots.json").write_text(json.dumps({"rows": [row]}))
    shown = report.section("shots")
    assert shown.startswith("## Shots\n\nAt all.\n\n`python -m reliability.shots`")
    assert "| attack | cases | hit | s |" in shown
    assert "| one | 2,000 | **3** | 5 |" in shown
    assert shown.endswith("- one: slow")


def leave():
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(error):
    raise error


@pytest.mark.parametrize(
    ("call", "arguments", "ending", "documented"),
    [
        (len, ("four",), "returned", True),
        (refuse, (CodeError("no"),), "raised", True),
        (refuse, (FileNotFoundError("a must be a file"),), "raised", True),
        (refuse, (FileNotFoundError(2, "No such file"),), "raised", False),
        (refuse, (KeyError("a"),), "raised", False),
        (leave, (), "died", False),
        (time.sleep, (9,), "hung", False),
    ],
)
def test_how_children_end(call, arguments, ending, documented):
    outcome = in_child(call, *arguments, seconds=0.2 if ending == "hung" else 20)
    assert (outcome.ending, outcome.is_documented) == (ending, documented)
    assert outcome.seconds < 20
    assert outcome.value == (4 if ending == "returned" else None)


def test_what_a_kill_left_is_judged():
    row, ended = Row.of_kinds("append", "unreadable", "half", "next call fails", "leftovers"), {"old": 0, "new": 0}
    judge(row, in_child(lambda: ("old", "", [])), ended)
    assert not any(row.failures.values())
    judge(row, in_child(lambda: ("half", "", [".a.tmp"])), ended)
    judge(row, in_child(lambda: ("StoreFileError: gone", "StoreFileError: gone", [".a.tmp"])), ended)
    judge(row, in_child(leave), ended)
    assert row.failures == {"unreadable": 2, "half": 1, "next call fails": 1, "leftovers": 1}
    assert ended == {"old": 1, "new": 0}


def test_what_a_failed_call_left_is_judged():
    row = Row.of_kinds("append", *system_calls.KINDS)
    for error, is_ours, on_disk, after in [
        ("", True, "", ("new", "", [])),
        ("OutputPathError: Nothing was written.", True, "old", ("old", "", [])),
        ("OutputPathError: Nothing was written.", True, "", ("new", "", [])),
        ("OutputPathError: It is there.", True, "new", ("old", "", [])),
        ("OutputPathError: No one knows.", True, "unknown", ("new", "", [])),
        ("OSError: [Errno 5]", False, "", ("new", "DataError: ids", [])),
        ("", True, "", ("old", "", [".a.tmp"])),
        ("", True, "", ("wrong note", "", [])),
        ("", True, "", ("StoreFileError: damaged", "", [])),
    ]:
        system_calls.judge(row, in_child(lambda *answer: answer, error, is_ours, on_disk, after), "write a")
    system_calls.judge(row, in_child(leave), "write a")
    expected = {"error not of ours": 1, "says otherwise": 3, "wrong note": 1, "lost": 1, "hangs": 1, "leftovers": 1}
    assert row.failures == {"half": 0, "next call fails": 1, **expected}


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
def test_the_library_fails_one_call_below_the_folder(tmp_path):
    program = """
import ctypes, os, sys
library = ctypes.CDLL(sys.argv[1])
folder = sys.argv[2]
library.attack_arm(os.fsencode(folder), 1, 28, 0)
for name in ("a", "b", "c"):
    try:
        os.mkdir(os.path.join(folder, name))
    except OSError as error:
        print(name, error.errno)
os.stat("/")
print(library.attack_seen(), library.attack_failed())
"""
    library = system_calls.compiled(tmp_path)
    command = [sys.executable, "-c", program, library, str(tmp_path)]
    done = subprocess.run(
        command, env={**os.environ, "LD_PRELOAD": library}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["b", "28", "3", "1"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["a", "c"]


def test_strace_shows_what_is_outside(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        '7 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3</etc/hosts>\n'
        '7 openat(AT_FDCWD, "/no-such-folder/case 0", O_RDONLY) = -1 ENOENT (No such file or directory)\n'
        '7 openat(AT_FDCWD, "/usr/lib/libm.so.6", O_RDONLY|O_CLOEXEC <unfinished ...>\n'
        '8 openat(AT_FDCWD, "s.duckdb", O_RDONLY) = 3</home/ada/s.duckdb>\n'
        '8 openat(AT_FDCWD, "/home/ada/link", O_RDWR|O_CREAT, 0666) = 4</home/bob/notes>\n'
        "8 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5<socket:[1]>\n"
        '7 openat(AT_FDCWD, "/no-such-folder/case ", O_RDONLY) = -1 ENOENT (No such file or directory)\n'
        '7 unlink("/home/bob/notes") = 0\n'
    )
    calls = watched.seen(log)
    assert calls.keys() == {0}
    assert watched.outside(calls[0], Path("/home/ada")) == ["openat /home/bob/notes"]
    assert len(watched.sockets(calls[0])) == 1
