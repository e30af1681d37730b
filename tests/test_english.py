"""The package and its documents are written in plain American English, not in the dialect of their first version."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/codeword"

_COUNTED = "one|bytes?|bits?|cells?|lines?|numbers?|values?|rows?|ids?|steps?|times?|texts?|seconds?|ms|each"
_PER = "row|code|level|bit|item|user|layer|image|column|byte|symbol|cell|entry|query|file|epoch|step|batch|choice|query"
BANNED = {
    r"\bshall\b": "must, should or will",
    r"\b(told|tells)\b|^Tell\b": "software infers, reports or returns",
    r"\banew\b": "again",
    r"\bwhoever\b": "name the person or the thing",
    r"\bwhether\b[^.]*\bor not\b": "whether",
    rf"\b({_COUNTED}) an? ({_PER})\b": "one per row, bytes per image",
    rf"\ban? ({_PER}) each\b": "one row per ...",
    r"\bGive (one|as many|less|more|codes)\b|\bChoose one\.": "leave it out, or say exactly what to do",
    r"Received:": "`what must hold`: got `what came`",
    r"\bGives\b|^Give\b": "Return",
    r"\b(that|those) of (the|its|this|which)\b": "name the thing again",
    r"\blearnt\b": "learned",
    r"\bin words\b": "say what the message contains",
    r"\bare alike\b": "similar, or the same",
    r"\bcomes? back\b|\bcame back\b": "reconstruction, or is returned",
    r"\blikewise\b": "also",
    r"\bmost passes\b": "maximum number of epochs",
    r"\bnobody (said|says|is asked)\b": "unknown",
    r"\bsays? of itself\b": "report",
    r"(?<![\w%.)\]\"'/*-])\.\d": "a leading zero: 0.5",
}


def problems_in(text: str) -> list[str]:
    """Return what is banned in a text, quoted code and doctests apart."""
    text = re.sub(r"`[^`]*`", "`…`", text)
    text = "\n".join(line for line in text.split("\n") if not re.match(r"\s*(>>>|\.\.\. )", line))
    text = " ".join(text.split())
    found = []
    for pattern, instead in BANNED.items():
        flags = 0 if re.search("[A-Z]", pattern.replace(r"\B", "")) else re.IGNORECASE
        found += [f"{match[0]!r} -> {instead}" for match in re.finditer(pattern, text, flags)]
    return found


def texts_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string and each block of comments."""

    def visit(node: ast.AST) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{…}" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        else:
            for child in ast.iter_child_nodes(node):
                yield from visit(child)

    yield from visit(ast.parse(source))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def texts_of_markdown(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each paragraph and table row outside code blocks."""
    source = re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), source, flags=re.DOTALL)
    for paragraph in re.finditer(r"(?:[^\n]+\n?)+", source):
        yield source.count("\n", 0, paragraph.start()) + 1, paragraph[0]


def checked_files() -> list[Path]:
    return sorted([*SOURCE.rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])


@pytest.mark.parametrize("path", checked_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_text_is_plain_english(path: Path) -> None:
    texts = texts_of_python if path.suffix == ".py" else texts_of_markdown
    problems = [
        f"{path.relative_to(ROOT)}:{line}: {problem}"
        for line, text in texts(path.read_text(encoding="utf-8"))
        for problem in problems_in(text)
    ]
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize(
    "text",
    [
        "`ids` must be one a code. Received: 3.",
        "Rows that shall be kept",
        "The kind is told from the data.",
        "Gives the rows.",
        "Tell which rows fit.",
        "is trained anew",
        "Whoever reads it",
        "at most 8 bytes an image",
        "Give as many.",
        "as those of the store",
        "a share of .5 of the rows",
        "what is learnt",
    ],
)
def test_the_dialect_is_found(text: str) -> None:
    assert problems_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "`ids` must have one id per code: got 3 ids for 5 codes.",
        "Return `Gives`, a name in code.",
        "Files that end in .npy; version 3.15.1; 0.5 of them",
        "Show one example.\n\n    >>> told = .5",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert problems_in(text) == []


def test_a_problem_is_found_in_strings_comments_and_documents() -> None:
    python = 'def f():\n    """Return."""\n    # it shall\n    raise ValueError(f"{f} must not. Received: {f}.")\n'
    lines = [line for line, text in texts_of_python(python) if problems_in(text)]
    assert sorted(lines) == [3, 4]
    markdown = "# Title\n\n```\nit shall\n```\n\n| a | .5 |\n"
    assert [line for line, text in texts_of_markdown(markdown) if problems_in(text)] == [7]
