"""Reports in blocks: each part is written once and shown as text or as HTML (no Keras)."""

import html
import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

WIDTH = 110


class Block(NamedTuple):
    """One part of a report, as text and as HTML."""

    text: str
    html: str


class InBlocks:
    """A report that `print` shows as text and a notebook as HTML, from the same blocks."""

    def _blocks(self) -> Iterable[Block]:
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n\n".join(block.text for block in self._blocks())

    def _repr_html_(self) -> str:
        return "".join(block.html for block in self._blocks())


def paragraph(text: str, *, label: str = "") -> Block:
    """Return a paragraph, with a bold label before it in HTML."""
    bold = f"<b>{html.escape(label)}</b> " if label else ""
    return Block(wrapped(f"{label} {text}".lstrip()), f"<p>{bold}{html.escape(text)}</p>")


def program(code: str, *, label: str = "") -> Block:
    """Return lines of code: indented in text, preformatted in HTML."""
    shown = textwrap.indent(code, "    ")
    return Block(f"{label}:\n\n{shown}" if label else shown, f"<pre>{html.escape(code)}</pre>")


def html_table(rows: Iterable[Sequence[str]], *, header: Sequence[str] = ()) -> str:
    """Return an HTML table whose cells are escaped."""

    def row(cells: Sequence[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    head = row(header, "th") if header else ""
    return f"<table>{head}{''.join(row(cells, 'td') for cells in rows)}</table>"


def wrapped(text: str, indent: str = "", *, first: str = "") -> str:
    """Return text wrapped to the width of a report; long words, such as pieces of Python, stay whole."""
    width = max(WIDTH, len(indent) + 40)
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=indent, **options)


def as_json(content: Any) -> str:
    """Return content as JSON; NaN and infinity become null."""
    return json.dumps(_finite(content), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
