"""Faults put into the library's core.

Small faults (mutants) are put into the library, one at a time; how many do its tests notice? A fault is one change of
the syntax tree: a comparison, an operator, a constant, a condition, a call of min, max, any or all, a statement left
out. What an error says is not changed. A mutant is given to the tests that run the changed line for twenty seconds: to
the tests of the same file first, then to the quickest. It is noticed if one fails, hangs or dies. Tests marked slow are
left out: most start processes, which do not see the mutant.

At most one mutant in ten may be left. Those that are left are missing tests, or no faults at all: a shortcut that only
saves time and is taken more or less often, or a limit that is checked once more behind it.

    python -m reliability.mutation [--full]
"""

import ast
import builtins
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import io
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from reliability.results import Row, Size, run

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "codeword"
SECONDS_OF_GROUP = 36_000.0
SECONDS_WITHOUT_MUTANTS = 1_800.0
SECONDS_TO_START = 20.0
SECONDS_OF_TESTS = 20.0  # for one mutant
LEAST_SCORE = 0.9
SEARCH_TESTS = ("test_store*.py", "test_hamming.py", "test_retrieval.py", "test_metadata_columns.py")
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
    "model_file": (
        ["files/model_file.py"],
        ["tests/test_model_file.py", "tests/test_formats.py", "tests/test_hostile_models.py"],
    ),
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
    """One fault: the file, the line, what is changed, and which change at which place of the tree it is."""

    file: str
    line: int
    what: str
    place: int
    change: int

    @property
    def tree(self) -> ast.Module:
        """The changed tree."""
        tree = ast.parse((SOURCE / self.file).read_text())
        _, apply = _changes(_changeable(tree)[self.place])[self.change]
        apply()
        return ast.fix_missing_locations(tree)


def mutants_of(file: str) -> list[Mutant]:
    """Return every mutant of a source file."""
    return [
        Mutant(file, place.node.lineno, what, number, change)
        for number, place in enumerate(_changeable(ast.parse((SOURCE / file).read_text())))
        for change, (what, _) in enumerate(_changes(place))
    ]


def _changeable(tree: ast.Module) -> list["_Place"]:
    return [place for place in _places(tree) if _changes(place)]


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
        more = node.value * 2 if node.value == node.value + 1 else node.value + 1
        new = not node.value if type(node.value) is bool else more
        return [(f"{node.value} -> {new}", lambda: place.put(ast.Constant(new)))]
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.BoolOp):
        return [("condition -> not", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test)))]
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        field = "id" if isinstance(node.func, ast.Name) else "attr"
        if name in OTHER_CALL:
            return [(f"{name} -> {OTHER_CALL[name]}", lambda: setattr(node.func, field, OTHER_CALL[name]))]
    if isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
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
        super().__init__(_module_name(file), str(SOURCE / file))
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
        is_run = isinstance(node, ast.stmt | ast.excepthandler | ast.match_case) and not isinstance(node, ast.ClassDef)
        for field in ("body", "orelse", "finalbody") if is_run else ():
            block = getattr(node, field, [])
            setattr(node, field, [new for statement in block for new in self._marked(statement)])
        return node

    def _marked(self, statement: ast.stmt) -> list[ast.stmt]:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            return [statement]  # a docstring is one only in the first place
        mark = ast.parse(f"__import__('builtins').codeword_line({self.file!r}, {statement.lineno})").body[0]
        return [ast.copy_location(mark, statement), statement]


class _Lines:
    """Which lines of the library each test runs, and how long its parts take: a plugin of pytest."""

    def __init__(self) -> None:
        self.lines: dict[str, dict[str, set[int]]] = {}
        self.seconds: dict[str, dict[str, float]] = {}
        self.failed: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        now = self.lines.setdefault(nodeid, {})
        builtins.codeword_line = lambda file, line: now.setdefault(file, set()).add(line)  # type: ignore[attr-defined]  # ours

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
        self.seconds.setdefault(report.nodeid, {})[report.when] = report.duration


class Tests(NamedTuple):
    """Which lines of which files each test runs, how long it takes, and those that fail and are left out."""

    lines: dict[str, dict[str, list[int]]]
    seconds: dict[str, float]
    failed: list[str]


class _Group:
    """Run the tests without mutants, and then with each, in forks of a process that has collected them: a plugin.

    The code of a function is exchanged where it is. To import the library and its tests again takes forty times as
    long.
    """

    def __init__(self, files: list[str], codes: dict[Mutant, CodeType]) -> None:
        self.codes = codes
        self.tests: Tests | None = None
        self.passed: list[bool] = []
        builtins.codeword_line = lambda file, line: None  # type: ignore[attr-defined]  # ours
        for file in files:
            sys.meta_path.insert(0, _Changed(file, ast.fix_missing_locations(_Marked(file).visit(_tree(file)))))

    def pytest_runtestloop(self, session: Any) -> bool:
        answer = _in_child(partial(_seen, session), SECONDS_WITHOUT_MUTANTS)
        if answer is None:
            return True
        self.tests = Tests(*answer)
        items = {item.nodeid: item for item in session.items}
        for mutant, code in self.codes.items():
            chosen = _covering(mutant, self.tests)
            function = _function_of(mutant.file, code)
            work = partial(_passes, session, [items[name] for name in chosen], function, code)
            self.passed.append(bool(_in_child(work, _timeout(chosen, self.tests))))
        return True


def _seen(session: Any) -> tuple[Any, ...]:
    plugin = _Lines()
    session.config.pluginmanager.register(plugin)
    _run(session, session.items)
    lines = {name: {file: sorted(seen) for file, seen in found.items()} for name, found in plugin.lines.items()}
    kept = {name: seen for name, seen in lines.items() if name not in plugin.failed}
    return kept, _costs(session.items, plugin.seconds), plugin.failed


def _costs(items: list[Any], seconds: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return how long each test takes alone: also what it shares with others, and only the first of them waited for."""
    names = [item.nodeid for item in items if item.nodeid in seconds]
    shared = {item.nodeid: (item.path, *item.fixturenames) for item in items}
    first: dict[Any, float] = {}
    for name in names:
        first[shared[name]] = max(seconds[name]["setup"], first.get(shared[name], 0))
    return {name: sum(seconds[name].values()) - seconds[name]["setup"] + first[shared[name]] for name in names}


def _passes(session: Any, tests: list[Any], function: FunctionType, code: CodeType) -> bool:
    function.__code__ = code
    _run(session, tests, until_one_fails=True)
    return not session.testsfailed


def _run(session: Any, tests: list[Any], *, until_one_fails: bool = False) -> None:
    for test, following in pairwise([*tests, None]):
        session.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
        if until_one_fails and session.testsfailed:
            return


def _function_of(file: str, code: CodeType) -> FunctionType:
    """Return the function of an imported module that a new code is for."""
    module = sys.modules[_module_name(file)]
    place = (str(SOURCE / file), code.co_qualname, code.co_firstlineno)
    codes = ((one, one.__code__) for one in _functions(module))
    found = {id(one): one for one, old in codes if (old.co_filename, old.co_qualname, old.co_firstlineno) == place}
    [function] = found.values()
    return function


def _functions(owner: Any) -> Iterator[FunctionType]:
    """Yield the functions that a module and its classes hold."""
    for value in vars(owner).values():
        if isinstance(value, type) and value.__module__ == getattr(owner, "__module__", owner.__name__):
            yield from _functions(value)
        parts = (value, *(getattr(value, name, None) for name in ("fget", "func", "__func__", "__wrapped__")))
        yield from (part for part in parts if isinstance(part, FunctionType))


def _changed_function(mutant: Mutant) -> CodeType | None:
    """Return the new code of the one function that differs, None if the module or a class itself does."""
    old, new = (compile(tree, mutant.file, "exec", dont_inherit=True) for tree in (_tree(mutant.file), mutant.tree))
    while not new.co_flags & inspect.CO_OPTIMIZED:
        if old.replace(co_consts=new.co_consts) != new:
            return None
        pairs = list(zip(old.co_consts, new.co_consts, strict=True))
        changed = [pair for pair in pairs if (type(pair[0]), pair[0]) != (type(pair[1]), pair[1])]
        if len(changed) != 1 or not isinstance(changed[0][1], CodeType):
            return None
        old, new = changed[0]
    return None if new.co_name == "<lambda>" else new


def _tree(file: str) -> ast.Module:
    return ast.parse((SOURCE / file).read_text())


def _module_name(file: str) -> str:
    return ".".join(["codeword", *Path(file).with_suffix("").parts])


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
    try:
        with os.fdopen(receiving, "rb") as pipe:
            answer = pipe.read()
    finally:  # also after Ctrl-C, which the child does not get
        timer.cancel()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return json.loads(answer) if answer else None


def _pytest(tests: list[str], plugin: Any = None) -> int:
    import pytest

    folder = f"--basetemp={tempfile.gettempdir()}/codeword-mutation-{os.getuid()}"
    options = ["-q", "-x", "-p", "no:cacheprovider", "--tb=no", "--assert=plain", "-m", "not slow", folder]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(pytest.main([*options, *tests], plugins=[plugin] if plugin else []))


def _passes_anew(tests: list[str], mutant: Mutant) -> bool:
    """Return whether tests pass with a mutant of what runs on import; nothing must be imported yet."""
    sys.meta_path.insert(0, _Changed(mutant.file, mutant.tree))
    return _pytest(tests) == 0


def _timeout(names: list[str], tests: Tests) -> float:
    return SECONDS_TO_START + 4 * sum(tests.seconds[name] for name in names)


def _covering(mutant: Mutant, tests: Tests) -> list[str]:
    """Return the tests for a mutant: those that run the changed line, or what uses it, and any others on import."""
    tree = _tree(mutant.file)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    lines = [(line, _inside(functions, line)) for line in _lines_of(mutant.line, tree, functions)]
    seen = {name: found.get(mutant.file, []) for name, found in tests.lines.items()}
    found = [name for name in seen if any(_runs(line, inside, seen[name]) for line, inside in lines)]
    first = _first_of(found, mutant, tests)
    return (
        first if _inside(functions, mutant.line) else list(dict.fromkeys([*first, *_first_of([*seen], mutant, tests)]))
    )


def _first_of(names: list[str], mutant: Mutant, tests: Tests) -> list[str]:
    """Return those of the file's own test file and the quickest, as many as there is time for."""
    own = f"/test_{Path(mutant.file).stem}.py"
    ordered = sorted(names, key=lambda name: (own not in name, tests.seconds[name]))
    times = accumulate(tests.seconds[name] for name in ordered)
    return [name for name, time in zip(ordered, times, strict=True) if time < SECONDS_OF_TESTS] or ordered[:1]


def _lines_of(line: int, tree: ast.Module, functions: list[Any]) -> list[int]:
    """Return the lines in functions that a line decides on: itself, or those below a default or with a constant."""
    if _inside(functions, line):
        return [line]
    below = [_first(node) for node in functions if node.lineno <= line < _first(node)]
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    constants = {node.id for node in nodes if isinstance(node.ctx, ast.Store) and not _inside(functions, node.lineno)}
    names = {node.id for node in nodes if node.lineno == line} & constants
    return below or sorted({node.lineno for node in nodes if node.id in names and _inside(functions, node.lineno)})


def _inside(functions: list[Any], line: int) -> list[Any]:
    return [node for node in functions if _first(node) <= line <= (node.end_lineno or 0)]


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
    mutants = [mutant for file in files for mutant in mutants_of(file)]
    chosen = mutants if sample is None else Random(seed).sample(mutants, min(sample, len(mutants)))
    known, passed = _tried(chosen, files, [*tests, *(f"src/codeword/{file}" for file in files)])
    row = Row.of_kinds(group, "unnoticed")
    row.cases = len(chosen)
    for mutant in (one for one in chosen if passed[one]):
        row.failures["unnoticed"] += 1
        line = (SOURCE / mutant.file).read_text().splitlines()[mutant.line - 1].strip()
        row.examples.append(f"{mutant.file}:{mutant.line}: {mutant.what}: {line}")
    score = 1 - row.failures["unnoticed"] / max(1, row.cases)
    row.figures = {"noticed": f"{score:.0%}", "of possible": f"{len(mutants):,}", "tests": f"{len(known.lines):,}"}
    row.known = "a missing test, or no fault at all" if score >= LEAST_SCORE else ""
    for name in known.failed:
        print(f"left out, as it fails without faults: {name}", file=sys.stderr)
    return row


def _tried(mutants: list[Mutant], files: list[str], tests: list[str]) -> tuple[Tests, dict[Mutant, bool]]:
    """Return the tests, and whether they pass with each mutant."""
    codes = {mutant: code for mutant in mutants if (code := _changed_function(mutant)) is not None}

    def work() -> Any:
        plugin = _Group(files, codes)
        _pytest(tests, plugin)
        return plugin.tests, plugin.passed

    answer = _in_child(work, SECONDS_OF_GROUP)
    if answer is None or answer[0] is None:
        raise SystemExit("The tests must be collected and must end without mutants.")
    known, passed = Tests(*answer[0]), dict(zip(codes, answer[1], strict=True))
    for mutant in (one for one in mutants if one not in passed):
        names = _covering(mutant, known)
        passed[mutant] = bool(_in_child(partial(_passes_anew, names, mutant), _timeout(names, known)))
    return known, passed


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
        yield examined(group, size.of(smoke=2, usual=20, full=None))


if __name__ == "__main__":
    run(__file__, attacks)
