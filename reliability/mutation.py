"""Faults put into the library's core.

Small faults (mutants) are put into the library, one at a time; how many do its tests notice? A fault is one change of
the syntax tree: a comparison, an operator, a constant, a condition, a call of min, max, any or all, a statement left
out. Only the quickest tests that run the changed line are run. A mutant that no test notices is a missing test, or no
fault at all, such as another size of pieces: at most one in ten may be left.

    python -m reliability.mutation [--full]
"""

import ast
import builtins
import contextlib
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from reliability.results import Row, Size, run

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "codeword"
TIMEOUT_SECONDS = 60
SECONDS_OF_TESTS = 30.0  # for one mutant
LEAST_SCORE = 0.9
SEARCH_TESTS = ("test_store*.py", "test_hamming.py", "test_retrieval.py")
GROUPS = {
    "packing": (["code_kinds/packing.py"], ["tests/test_packing.py"]),
    "code_kinds": (
        ["code_kinds/kind.py", "code_kinds/kinds.py", "code_kinds/naming.py"],
        ["tests/test_code_kinds.py", "tests/test_packing.py"],
    ),
    "data_kinds": (
        sorted(f"data_kinds/{path.name}" for path in (SOURCE / "data_kinds").glob("*.py") if path.stem != "__init__"),
        ["tests/test_data_kinds.py", "tests/test_one_table.py"],
    ),
    "model_file": (["files/model_file.py"], ["tests/test_model_file.py", "tests/test_formats.py"]),
    "search": (
        sorted(f"search/{path.name}" for path in (SOURCE / "search").glob("*.py") if path.stem != "__init__"),
        sorted(f"tests/{path.name}" for name in SEARCH_TESTS for path in (ROOT / "tests").glob(name)),
    ),
    "losses/masked": (["losses/masked.py"], ["tests/test_masked.py", "tests/contracts/test_masked.py"]),
    "activations": (["activations.py"], ["tests/test_activations.py", "tests/contracts/test_activations_contract.py"]),
    "surrogates": (
        ["surrogates.py"],
        [
            *("tests/test_surrogates.py", "tests/test_activations.py"),
            *("tests/contracts/test_activations_contract.py", "tests/contracts/test_hardmax_draws.py"),
        ],
    ),
}
SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Break: ast.Continue,
    ast.Continue: ast.Break,
}
OTHER_CALL = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}


class Mutant(NamedTuple):
    """One fault: the file, the line, what is changed, and the changed tree."""

    file: str
    line: int
    what: str
    tree: ast.Module


def mutants_of(file: str) -> list[Mutant]:
    """Return every mutant of a source file."""
    tree = ast.parse((SOURCE / file).read_text())
    places = [place for place in _places(tree) if _changes(place)]
    found = []
    for number, place in enumerate(places):
        for change in range(len(_changes(place))):
            changed = copy.deepcopy(tree)
            node = [other for other in _places(changed) if _changes(other)][number]
            what, apply = _changes(node)[change]
            apply()
            found.append(Mutant(file, place.node.lineno, what, ast.fix_missing_locations(changed)))
    return found


class _Place(NamedTuple):
    node: Any
    parent: Any
    field: str
    index: int | None

    def put(self, new: ast.AST) -> None:
        ast.copy_location(new, self.node)
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new


def _places(tree: ast.AST) -> Iterator[_Place]:
    """Yield the nodes that may change: no annotations, decorators, docstrings, messages of errors or imports."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "type_params", "exc", "cause", "msg"):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom) or not isinstance(node, ast.AST):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            if hasattr(node, "lineno"):
                yield _Place(node, tree, field, index)
            yield from _places(node)


def _changes(place: _Place) -> list[tuple[str, Any]]:
    """Return what may be changed at a place: words for it, and the function that does it."""
    node: Any = place.node
    if isinstance(node, ast.Compare):
        return [
            (f"{_name(operator)} -> {_name(SWAPS[type(operator)]())}", lambda i=i: _swap(node.ops, i))
            for i, operator in enumerate(node.ops)
        ]
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPS:
        return [(f"{_name(node.op)} -> {_name(SWAPS[type(node.op)]())}", lambda: _swap(node, "op"))]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
        return [(f"without {_name(node.op)}", lambda: place.put(node.operand))]
    if isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
        new = not node.value if type(node.value) is bool else node.value + 1
        return [(f"{node.value} -> {new}", lambda: place.put(ast.Constant(new)))]
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.BoolOp):
        return [("condition -> not", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test)))]
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        field = "id" if isinstance(node.func, ast.Name) else "attr"
        if name in OTHER_CALL:
            return [(f"{name} -> {OTHER_CALL[name]}", lambda: setattr(node.func, field, OTHER_CALL[name]))]
    if isinstance(node, ast.Return) and node.value is not None:
        return [("return -> None", lambda: setattr(node, "value", ast.Constant(None)))]
    if isinstance(node, ast.Expr | ast.Raise | ast.AugAssign) or type(node) in (ast.Break, ast.Continue):
        return [("left out", lambda: place.put(ast.Pass()))]
    return []


def _name(operator: ast.AST) -> str:
    return type(operator).__name__


def _swap(owner: Any, key: Any) -> None:
    old = owner[key] if isinstance(owner, list) else getattr(owner, key)
    new = SWAPS[type(old)]()
    if isinstance(owner, list):
        owner[key] = new
    else:
        setattr(owner, key, new)


class _Changed(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Import one module from another tree."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        super().__init__(".".join(["codeword", *Path(file).with_suffix("").parts]), str(SOURCE / file))
        self.tree = tree

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, name: str) -> Any:
        return compile(self.tree, self.path, "exec", dont_inherit=True)


class _Marked(ast.NodeTransformer):
    """Put a call before each statement that says which line is run; a tracer would slow everything down."""

    def __init__(self, file: str) -> None:
        self.file = file

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef):
                setattr(node, field, [new for statement in block for new in (self._mark(statement), statement)])
        return node

    def _mark(self, statement: ast.stmt) -> ast.stmt:
        mark = ast.parse(f"__import__('builtins').codeword_line({self.file!r}, {statement.lineno})").body[0]
        return ast.copy_location(mark, statement)


class _Lines:
    """Which lines of some files each test runs, and how long it takes: a plugin of pytest."""

    def __init__(self, files: list[str]) -> None:
        self.lines: dict[str, dict[str, set[int]]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self.now: dict[str, set[int]] = {}
        builtins.codeword_line = lambda file, line: self.now.setdefault(file, set()).add(line)  # type: ignore[attr-defined]  # ours
        for file in files:
            tree = ast.fix_missing_locations(_Marked(file).visit(ast.parse((SOURCE / file).read_text())))
            sys.meta_path.insert(0, _Changed(file, tree))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.now = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
        self.lines[report.nodeid] = self.now
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration


def _in_child(work: Any, timeout: float) -> Any:
    """Return what a function returns in a forked process, or None if that dies or takes too long."""
    receiving, sending = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(receiving)
        with contextlib.suppress(BaseException):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            answer = json.dumps(work()).encode()
            with os.fdopen(sending, "wb") as pipe:
                pipe.write(answer)
        os._exit(0)
    os.close(sending)
    timer = threading.Timer(timeout, lambda: os.killpg(child, signal.SIGKILL))
    timer.start()
    with os.fdopen(receiving, "rb") as pipe:
        answer = pipe.read()
    timer.cancel()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(answer) if answer else None


def _tested(tests: list[str], mutant: Mutant | None, plugin: Any = None) -> int:
    import pytest

    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant.file, mutant.tree))
    options = ["-q", "-x", "-p", "no:cacheprovider", "--no-header"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(pytest.main([*options, *tests], plugins=[plugin] if plugin else []))


def _baseline(files: list[str], tests: list[str]) -> tuple[dict[str, dict[str, list[int]]], dict[str, float]]:
    def work() -> Any:
        plugin = _Lines(files)
        code = _tested(tests, None, plugin)
        lines = {name: {file: sorted(seen) for file, seen in found.items()} for name, found in plugin.lines.items()}
        return code, lines, plugin.seconds, plugin.failed

    code, lines, seconds, failed = _in_child(work, 1800) or (99, {}, {}, ["the run itself"])
    if code:
        raise SystemExit(f"The tests must pass without mutants: {failed} failed.")
    return lines, seconds


def _covering(mutant: Mutant, lines: dict[str, dict[str, list[int]]], seconds: dict[str, float]) -> list[str]:
    """Return the quickest tests that run the changed line, or of all tests if it runs only on import."""
    tree = ast.parse((SOURCE / mutant.file).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    inside = [node for node in functions if _first(node) <= mutant.line <= (node.end_lineno or 0)]
    found = [name for name, seen in lines.items() if _runs(mutant.line, inside, seen.get(mutant.file, []))]
    if not inside:
        found = list(lines)
    found.sort(key=lambda name: seconds[name])
    times = accumulate(seconds[name] for name in found)
    return [name for name, time in zip(found, times, strict=True) if time < SECONDS_OF_TESTS] or found[:1]


def _first(node: Any) -> int:
    body = node.body if isinstance(node.body, list) else [node.body]
    return int(body[0].lineno)


def _runs(line: int, inside: list[Any], seen: list[int]) -> bool:
    # A statement over several lines is seen at some of them only.
    if line in seen:
        return True
    inner = max(inside, key=_first, default=None)
    if inner is None or isinstance(inner, ast.Lambda):
        return any(_first(node) <= other <= node.end_lineno for node in inside for other in seen)
    statements = [node for node in ast.walk(inner) if isinstance(node, ast.stmt) and node is not inner]
    around = [node for node in statements if node.lineno <= line <= (node.end_lineno or 0)]
    smallest = min(around, key=lambda node: (node.end_lineno or 0) - node.lineno, default=inner)
    return any(smallest.lineno <= other <= (smallest.end_lineno or 0) for other in seen)


def examined(group: str, sample: int | None, seed: int = 0) -> Row:
    """Put faults into the files of a group."""
    files, tests = GROUPS[group]
    text = {file: (SOURCE / file).read_text().splitlines() for file in files}
    mutants = [mutant for file in files for mutant in mutants_of(file)]
    chosen = mutants if sample is None else Random(seed).sample(mutants, min(sample, len(mutants)))
    lines, seconds = _baseline(files, tests)
    row = Row.of_kinds(group, "unnoticed")
    for mutant in chosen:
        covering = _covering(mutant, lines, seconds)
        timeout = TIMEOUT_SECONDS + 4 * sum(seconds[name] for name in covering)
        code = _in_child(lambda names=covering, one=mutant: _tested(names, one), timeout) if covering else 0
        row.cases += 1
        if code == 0:
            row.failures["unnoticed"] += 1
            line = text[mutant.file][mutant.line - 1].strip()
            row.examples.append(f"{mutant.file}:{mutant.line}: {mutant.what}, {len(covering)} tests: {line}")
    score = 1 - row.failures["unnoticed"] / max(1, row.cases)
    row.figures = {"noticed": f"{score:.0%}", "of possible": f"{len(mutants):,}"}
    row.known = "a missing test, or no fault at all" if score >= LEAST_SCORE else ""
    return row


def _prepare() -> None:
    """Load what tests need before the processes fork, but nothing of the library."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1")
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", f"/tmp/codeword-mutation-{os.getuid()}")
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
    os.chdir(ROOT)
    sys.dont_write_bytecode = True
    for name in ("pytest", "numpy", "duckdb", "narwhals", "pandas", "hypothesis", "sklearn.datasets", "faiss", "keras"):
        importlib.import_module(name)


def attacks(size: Size) -> Iterator[Row]:
    _prepare()
    for group in size.of(smoke=["packing"], usual=GROUPS, full=GROUPS):
        yield examined(group, size.of(smoke=2, usual=10, full=None))


if __name__ == "__main__":
    run(__file__, attacks)
