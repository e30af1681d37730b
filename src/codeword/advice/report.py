"""An advice: what it holds, and how it is shown (no Keras)."""

import html
import json
import textwrap
from dataclasses import dataclass
from typing import Any

from codeword.advice.heads import AdvisedHead, LossChoice
from codeword.data_kinds import DataKind
from codeword.data_kinds.python_text import python_call, python_literal

WIDTH = 110
NAMES = ("Data kind", "Scaling", "Output layer", "Loss")
COLUMNS = ("loss", "perfect", "nothing learnt", "when to take it")
LEGEND = (
    "perfect: the mean loss of outputs that give every value back; nothing learnt: of the best that are the same for "
    "every row"
)
MAX_SHOWN_VALUES = 8


@dataclass(frozen=True)
class Advice:
    """What `advise` found out.

    Attributes:
        values: Facts of the data: shape, dtype, range, distinct values, zeros, NaN, constant columns.
        question: What the values alone cannot tell; None if they tell all.
        heads: A head for each answer, the likeliest first; one if there is no question.
        notes: What else to know.
    """

    values: dict[str, Any]
    question: str | None
    heads: tuple[AdvisedHead, ...]
    notes: tuple[str, ...]

    @property
    def kind(self) -> DataKind:
        """The data kind of the first head."""
        return self.heads[0].kind

    @property
    def keras(self) -> str:
        """The first head's program with plain Keras."""
        return self.heads[0].keras

    @property
    def codeword(self) -> str | None:
        """The first head's program with codeword's own estimator; None where there is none."""
        return self.heads[0].codeword

    def to_json(self) -> str:
        """Gives all of it as JSON."""
        heads = [_plain_head(head) for head in self.heads]
        content = {"values": self.values, "question": self.question, "heads": heads, "notes": list(self.notes)}
        return json.dumps(content, allow_nan=False)

    def __str__(self) -> str:
        parts = [_wrapped(f"Data: {told(self.values)}")]
        if self.question:
            parts += [_wrapped(f"Question: {self.question}")]
        parts += ["\n\n".join(_head_parts(head, _legend(self.values))) for head in self.heads]
        parts += ["\n".join(_wrapped(f"- {note}", "  ") for note in self.notes)] if self.notes else []
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>Data:</b> {html.escape(told(self.values))}</p>"]
        if self.question:
            parts += [f"<p><b>Question:</b> {html.escape(self.question)}</p>"]
        parts += [_html_of(head) for head in self.heads]
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return "".join(parts) + (f"<ul>{notes}</ul>" if notes else "")


def told(values: dict[str, Any]) -> str:
    """Tells the facts of the data in a few sentences."""
    shape, distinct = values["shape"], values["distinct"]
    rows = f"{shape[0]:,} row{'s' if shape[0] > 1 else ''}"
    size = " x ".join(f"{size:,}" for size in shape[1:])
    text = f"{rows} of {size} values" if len(shape) > 1 else f"{shape[0]:,} values in one column"
    text += f", {values['dtype']}. "
    observed = values["share_observed"]
    if observed < 1 and values["num_nan"] == 0:
        text += f"{observed:.2%} of the cells are stored. "
    if distinct is None:
        text += f"More than 64 different values, {values['minimum']:.4g} to {values['maximum']:.4g}"
    elif len(distinct) > MAX_SHOWN_VALUES:
        text += f"{len(distinct)} different values, {python_literal(distinct[0])} to {python_literal(distinct[-1])}"
    else:
        text += f"Only the value{'s' if len(distinct) > 1 else ''} {python_literal(distinct)[1:-1]}"
    text += f", mean {values['mean']:.4g}; "
    text += f"{values['share_zero']:.1%} of them 0. " if values["share_zero"] else "none of them 0. "
    text += (
        f"NaN: {values['num_nan']:,}, the first at index {tuple(values['first_nan'])}."
        if values["num_nan"]
        else "No NaN."
    )
    return text


def table_of(head: AdvisedHead) -> list[tuple[str, str]]:
    """Gives what to take, a name and a text for each line."""
    texts = (f"cw.{python_call(head.kind)}: {head.meaning}", head.scaling, head.output, head.losses[0].keras)
    return list(zip(NAMES, texts, strict=True))


def _legend(values: dict[str, Any]) -> str:
    sampled, all_rows = values["num_sampled_rows"], values["shape"][0]
    return f"{LEGEND}{f' (of {sampled:,} rows)' if 0 < sampled < all_rows else ''}."


def _head_parts(head: AdvisedHead, legend: str) -> list[str]:
    width = max(map(len, NAMES)) + 2
    lines = [f"== If {head.answer}"] if head.answer else []
    lines += [_wrapped(f"{name:<{width}}{text}", " " * width) for name, text in table_of(head)]
    parts = ["\n".join(lines), _loss_table(head.losses, legend)]
    programs = {"In Keras": head.keras, "In codeword": head.codeword}
    return parts + [f"{name}:\n\n{textwrap.indent(text, '    ')}" for name, text in programs.items() if text]


def _loss_table(losses: tuple[LossChoice, ...], legend: str) -> str:
    """Gives the losses as a table, the advised one first, the text of the last column wrapped."""
    measured = any(choice.perfect is not None for choice in losses)
    rows = [_cells(choice) for choice in losses]
    shown = (0, 1, 2) if measured else (0,)
    widths = {place: max(len(row[place]) for row in [COLUMNS, *rows]) + 2 for place in shown}
    lines = []
    for number, row in enumerate([COLUMNS, *rows]):
        start = "".join(f"{row[place]:<{width}}" for place, width in widths.items())
        lines += [_wrapped(start + row[3], " " * len(start))]
        if number > 1:  # of the first loss it stands above
            lines += [" " * len(start) + code for code in row[4:]]
    return "\n".join([*lines, _wrapped(legend)] if measured else lines)


def _cells(choice: LossChoice) -> tuple[str, ...]:
    perfect, nothing_learnt = (
        "-" if value is None else f"{value:.4g}" for value in (choice.perfect, choice.nothing_learnt)
    )
    return choice.name, perfect, nothing_learnt, choice.when, choice.output, choice.keras


def _html_of(head: AdvisedHead) -> str:
    def row(cells: tuple[str, ...], tag: str = "td") -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    title = f"<h4>If {html.escape(head.answer)}</h4>" if head.answer else ""
    facts = "".join(row(pair) for pair in table_of(head))
    losses = row((*COLUMNS, "output layer", "in Keras"), "th") + "".join(row(_cells(choice)) for choice in head.losses)
    programs = "".join(f"<pre>{html.escape(text)}</pre>" for text in (head.keras, head.codeword) if text)
    return f"{title}<table>{facts}</table><table>{losses}</table>{programs}"


def _plain_head(head: AdvisedHead) -> dict[str, Any]:
    return {
        "answer": head.answer,
        "kind": head.kind.to_config(),
        "kind_python": f"cw.{python_call(head.kind)}",
        "meaning": head.meaning,
        "scaling": head.scaling,
        "output": head.output,
        "losses": [vars(choice) for choice in head.losses],
        "keras": head.keras,
        "codeword": head.codeword,
        "prepare": list(head.prepare),
    }


def _wrapped(text: str, indent: str = "") -> str:
    # Whole words only: a long piece of Python stays one piece.
    return "\n".join(
        textwrap.wrap(
            text, max(WIDTH, len(indent) + 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    )
