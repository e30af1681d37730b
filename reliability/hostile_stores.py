"""Stores of strangers.

Stores whose tables are views, whose notes are SQL, or whose rows are nonsense; files and paths that are no stores;
conditions that read files, reach the network or never end; and links in the place of a store's helper files. strace
watches which files outside the store's folder are opened or changed, and whether a socket is. A case fails if it gets
to anything but the store, if its answer is wrong, if it takes more than 5 seconds, or more memory than 200 MB and ten
times the file, or if it ends in an error that is not codeword's.

    python -m reliability.hostile_stores [--full]
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

from codeword.search import CodeStore
from reliability import watched
from reliability.children import Outcome, in_child, is_ours
from reliability.hostile_conditions import CONDITIONS
from reliability.hostile_files import HELPERS, PATHS
from reliability.hostile_mappings import MAPPINGS
from reliability.hostile_tables import GOOD, MACROS, MUST_BE_REFUSED, STORES
from reliability.results import Row, Size, run

BASE = "CODEWORD_WATCHED"  # the folder of the prepared cases, in the environment of the process that strace watches
SECRET = "Secret-of-another-folder"
KINDS = (
    *("secret in an answer", "opened outside", "changed outside", "sockets", "wrong answer", "error not of ours"),
    *("over 5 s", "too much memory"),
)
MAX_SECONDS, MAX_MIB = 5.0, 200.0
CODE = np.array([[0]], np.uint8)


class Case(NamedTuple):
    group: str
    name: str

    @property
    def condition(self) -> Any:
        return MAPPINGS[self.name][0] if self.group == "mappings" else CONDITIONS[int(self.name.split()[0])]


class Call(NamedTuple):
    """One call of a case: what it returned or raised, and the seconds it took, of the processor and in all."""

    name: str
    answer: str
    error: str
    is_ours: bool
    processor_seconds: float
    seconds: float


GROUPS = {
    "stores": "stores of strangers",
    "paths": "paths and files that are no stores",
    "conditions": "hostile `where`",
    "mappings": "hostile `where` as a mapping",
    "helpers": "links and files in the place of helper files",
}


def attacks(size: Size) -> Iterator[Row]:
    if not watched.can_watch():
        yield Row("stores of strangers", skipped="it needs strace, which must be allowed to trace")
        return
    conditions = [f"{number} {str(text)[:60]}" for number, text in enumerate(CONDITIONS)]
    names = {"stores": [*STORES], "paths": [*PATHS], "conditions": conditions}
    names |= {"mappings": [*MAPPINGS], "helpers": [*HELPERS]}
    step = size.of(smoke=16, usual=1, full=1)
    cases = [Case(group, name) for group in GROUPS for name in names[group][::step]]
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        base = Path(folder).resolve()
        (base / "cases.json").write_text(json.dumps(cases))
        built = in_child(_build, base, cases, seconds=600)
        assert built.ending == "returned", built
        yield from _rows(base, cases, _answers(base), built.value)


def _rows(base: Path, cases: list[Case], answers: list[Any], before: list[str]) -> Iterator[Row]:
    """Judge the answers of the watched process, group by group."""
    good, *answers = answers
    right = {call.name: call.answer for call in good[0]}
    calls = watched.seen(base / "log")
    rows = {group: Row.of_kinds(title, *KINDS) for group, title in GROUPS.items()}
    for number, case in enumerate(cases):
        row, folder = rows[case.group], base / str(number) / "s"
        row.cases += 1
        made, outcome = answers[number]
        judge(row, case, made, outcome, right)
        size = sum(path.stat().st_size for path in [folder / "s.duckdb"] if path.is_file())
        if outcome.peak_mib - good[1].peak_mib > MAX_MIB + 10 * size / 2**20:
            row.fail("too much memory", f"{case.name}: {outcome.peak_mib - good[1].peak_mib:.0f} MiB more")
        if reached := watched.outside(calls.get(number, []), folder):
            row.fail("opened outside", f"{case.name}: {reached[0]}")
        if opened := watched.sockets(calls.get(number, [])):
            row.fail("sockets", f"{case.name}: {opened[0]}")
        if _state(base / str(number) / "out") != before[number]:
            row.fail("changed outside", case.name)
    yield from rows.values()


def judge(row: Row, case: Case, calls: list[Call], outcome: Outcome, right: dict[str, str]) -> None:
    """Count what was wrong with the calls of one case, at most once for each kind."""
    if outcome.ending != "returned":
        after = calls[-1].name if calls else "nothing"
        row.fail(
            "over 5 s" if outcome.ending == "hung" else "error not of ours",
            f"{case.name}: {outcome.error} after {after}",
        )
    wrong = {}
    for call in calls:
        shown = f"{case.name}: {call.name}: {call.error or call.answer}"
        if SECRET in call.answer + call.error:
            wrong["secret in an answer"] = shown
        if not call.is_ours:
            wrong.setdefault("error not of ours", shown)
        if call.seconds > MAX_SECONDS and (call.processor_seconds > MAX_SECONDS or call.seconds > 3 * MAX_SECONDS):
            wrong["over 5 s"] = f"{shown[:100]}: {call.seconds:.1f} s"
        must_be_right = case.group == "helpers" or case.name in MACROS
        if not call.error and must_be_right and call.answer != right[call.name]:
            wrong.setdefault("wrong answer", shown)
        if not call.error and call.name == "search" and case.name in MUST_BE_REFUSED:
            wrong["wrong answer"] = shown
        if case.group == "mappings" and call.name == "search where" and not _is_chosen(case, call):
            wrong["wrong answer"] = shown
    for kind, shown in wrong.items():
        row.fail(kind, shown)


def _is_chosen(case: Case, call: Call) -> bool:
    """Return whether a mapping has chosen the row that it means, or nothing if it is refused or means none."""
    expected = MAPPINGS[case.name][1]
    if expected is None:
        return bool(call.error) or call.answer == "[[[]], [[]]]"
    return call.answer.endswith(f", [[{expected}]]]")


def _build(base: Path, cases: list[Case]) -> list[str]:
    """Make the folders of all cases; return the state of what is outside of each store."""
    _make(base / "good.duckdb", GOOD, base)
    states = []
    for number, case in enumerate(cases):
        folder, out = base / str(number) / "s", base / str(number) / "out"
        folder.mkdir(parents=True)
        out.mkdir()
        (out / "secret.txt").write_text(SECRET)
        (out / "secret.csv").write_text(f"a\n{SECRET}\n")
        shutil.copy(base / "secret.parquet", out)
        if case.group == "stores":
            _make(folder / "s.duckdb", STORES[case.name], out)
        elif case.group == "paths":
            make = PATHS[case.name][1]
            if make is not None:
                make(folder)
        else:
            shutil.copy(base / "good.duckdb", folder / "s.duckdb")
            if case.group == "helpers":
                HELPERS[case.name](folder)
        states.append(_state(out))
    return states


def _make(path: Path, statements: list[str], out: Path) -> None:
    offline = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    with duckdb.connect(path, config=offline) as connection:
        if not (out / "secret.parquet").exists():
            connection.execute(f"COPY (SELECT '{SECRET}' AS a) TO '{out / 'secret.parquet'}'")
        for statement in statements:
            connection.execute(statement.replace("OUT", str(out)))


def _state(out: Path) -> str:
    """Return a hash of the names, contents and modes below a folder."""
    digest = hashlib.sha256()
    for path in sorted(out.rglob("*")):
        digest.update(f"{path.name} {path.lstat().st_mode} ".encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def _answers(base: Path) -> list[Any]:
    """Run the cases in a process that strace watches, and return the calls and the outcome of each."""
    command = [*watched.watching(base / "log"), sys.executable, "-m", "reliability.hostile_stores"]
    subprocess.run(command, check=True, env={**os.environ, BASE: str(base)})
    answers = json.loads((base / "answers.json").read_text())
    return [([Call(*call) for call in calls], Outcome(*outcome)) for calls, outcome in answers]


def _watched(base: Path) -> None:
    """Run the cases, and before them a store as it should be."""
    answers = [_run(base, Case("stores", "good"), base / "good.duckdb")]
    for number, case in enumerate(Case(*case) for case in json.loads((base / "cases.json").read_text())):
        path = PATHS[case.name][0] if case.group == "paths" else "s.duckdb"
        folder = base / str(number) / "s"
        answers.append(_run(base, case, Path(path) if case.group == "paths" else folder / path, number, folder))
    (base / "answers.json").write_text(json.dumps(answers))


def _run(base: Path, case: Case, path: Path, number: int | None = None, folder: Path | None = None) -> Any:
    told = base / "calls"
    with told.open("w") as file:
        watched.mark(number)
        outcome = in_child(_calls, case, path, folder or base, file, seconds=25)
        watched.mark(None)
    return [json.loads(line) for line in told.read_text().splitlines()], outcome


def _calls(case: Case, path: Path, folder: Path, file: Any) -> None:
    """Make the calls of a case and write what came of each to a file, as the process may not live to return them."""
    os.chdir(folder)
    tempfile.tempdir = str(folder)
    for name, call in _calls_of(case, path, folder).items():
        made = _made(name, call)
        file.write(json.dumps(made) + "\n")
        file.flush()
        if name == "open" and made.error:
            return


def _calls_of(case: Case, path: Path, folder: Path) -> dict[str, Callable[[], Any]]:
    store: Any = None

    def opened() -> str:
        nonlocal store
        store = CodeStore(path, timeout_seconds=3)
        return ""

    def exported() -> str:
        store.export_parquet(folder / "exported.parquet")
        content = (folder / "exported.parquet").read_bytes()
        return SECRET if SECRET.encode() in content else ""

    if case.group in ("conditions", "mappings"):
        return {"open": opened, "search where": lambda: _filtered(store, case.condition, folder)}
    return {
        "open": opened,
        "len": lambda: len(store),
        "repr": lambda: repr(store).replace(str(path), ""),
        "columns": lambda: store.columns,
        "fingerprint": lambda: store.fingerprint,
        "search": lambda: [found.tolist() for found in store.search(CODE, 3)],
        "search where": lambda: [found.tolist() for found in store.search(CODE, 1, where="label = 'cat'")],
        "get": lambda: [store.get([1]).codes.tolist(), store.get([1]).metadata["label"].tolist()],
        "export": exported,
        "append": lambda: store.append(None, CODE, {"label": ["new"]}),
        "search again": lambda: sorted(store.search(CODE, 4)[1][0].tolist()),
        "delete": lambda: store.delete([1]),
    }


def _made(name: str, call: Callable[[], Any]) -> Call:
    answer, error, ours = "", "", True
    processor, start = time.process_time(), time.monotonic()
    try:
        answer = str(call())
    except BaseException as raised:
        error, ours = f"{type(raised).__name__}: {raised}", is_ours(raised)
    seconds = (time.process_time() - processor, time.monotonic() - start)
    shown = SECRET if SECRET in answer + error else ""
    return Call(name, answer[:500] + shown, error[:500], ours, *seconds)


def _filtered(store: CodeStore, condition: Any, folder: Path) -> Any:
    if isinstance(condition, str):
        condition = condition.replace("OUT", str(folder.parent / "out"))
    return [found.tolist() for found in store.search(CODE, 1, where=condition)]


if __name__ == "__main__":
    if BASE in os.environ:
        _watched(Path(os.environ[BASE]))
    else:
        run(__file__, attacks)
