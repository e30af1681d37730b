"""An advice: what it holds, and how it is shown (no Keras)."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codeword.advice.blocks import Block, InBlocks, as_json, html_table, paragraph, program, wrapped
from codeword.advice.heads import AdvisedHead, LossChoice
from codeword.data_kinds import DataKind
from codeword.data_kinds.python_text import python_call, python_literal

NAMES = ("Data kind", "Scaling", "Output layer", "Loss")
COLUMNS = ("loss", "perfect", "nothing learned", "when to use it")
LEGEND = (
    "perfect: the mean loss of outputs that equal every value; nothing learned: of the best output that is the same "
    "for every row"
)
MAX_SHOWN_VALUES = 8


@dataclass(frozen=True, repr=False)
class Advice(InBlocks):
    """What `advise` recommends; `print(advice)` shows all of it, and so does a notebook.

    Attributes:
        values: Facts about the data: shape, dtype, range, distinct values, zeros, NaN, constant columns.
        question: What the values alone cannot say; None if they say everything.
        heads: One head per answer, the likeliest first; one head if there is no question.
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
        """The first head's program with an estimator of codeword; None if there is none."""
        return self.heads[0].codeword

    def to_json(self) -> str:
        """Return everything as JSON."""
        return as_json({**vars(self), "heads": [_plain_head(head) for head in self.heads]})

    def __repr__(self) -> str:
        loss, _, arguments = self.heads[0].losses[0].keras.partition("(")
        shown = f"{loss}({'...' if arguments != ')' else ''})"
        more = ", question" if self.question else ""
        return f"Advice({python_call(self.kind)}, {self.heads[0].output}, {shown}{more})"

    def _blocks(self) -> Iterator[Block]:
        yield paragraph(sentences_of(self.values), label="Data:")
        if self.question:
            yield paragraph(self.question, label="Question:")
        sampled, all_rows = self.values["num_sampled_rows"], self.values["shape"][0]
        legend = f"{LEGEND}{f' (of {sampled:,} rows)' if 0 < sampled < all_rows else ''}."
        for head in self.heads:
            yield from _head_blocks(head, legend)
        if self.notes:
            items = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
            yield Block("\n".join(wrapped(f"- {note}", "  ") for note in self.notes), f"<ul>{items}</ul>")


def sentences_of(values: dict[str, Any]) -> str:
    """Return the facts about the data in a few sentences."""
    shape, distinct = values["shape"], values["distinct"]
    size = " x ".join(f"{size:,}" for size in shape[1:])
    rows = f"{shape[0]:,} row{'s' if shape[0] > 1 else ''} of {size} values"
    text = f"{rows if len(shape) > 1 else f'{shape[0]:,} values in one column'}, {values['dtype']}. "
    if values["share_observed"] < 1 and values["num_nan"] == 0:
        text += f"{values['share_observed']:.2%} of the cells are stored. "
    if distinct is None:
        text += f"More than 64 different values, {values['minimum']:.4g} to {values['maximum']:.4g}"
    elif len(distinct) > MAX_SHOWN_VALUES:
        text += f"{len(distinct)} different values, {python_literal(distinct[0])} to {python_literal(distinct[-1])}"
    else:
        text += f"Only the value{'s' if len(distinct) > 1 else ''} {python_literal(distinct)[1:-1]}"
    text += f", mean {values['mean']:.4g}; "
    text += f"{values['share_zero']:.1%} of them 0. " if values["share_zero"] else "none of them 0. "
    if not values["num_nan"]:
        return f"{text}No NaN."
    return f"{text}NaN: {values['num_nan']:,}, the first at index {tuple(values['first_nan'])}."


def _head_blocks(head: AdvisedHead, legend: str) -> Iterator[Block]:
    texts = (f"cw.{python_call(head.kind)}: {head.meaning}", head.scaling, head.output, head.losses[0].keras)
    table = list(zip(NAMES, texts, strict=True))
    width = max(map(len, NAMES)) + 2
    lines = [f"== If {head.answer}"] if head.answer else []
    lines += [wrapped(f"{name:<{width}}{text}", " " * width) for name, text in table]
    title = f"<h4>If {html.escape(head.answer)}</h4>" if head.answer else ""
    yield Block("\n".join(lines), f"{title}{html_table(table)}")
    losses = html_table(map(_cells, head.losses), header=(*COLUMNS, "output layer", "in Keras"))
    yield Block(_loss_table(head.losses, legend), losses)
    for name, code in (("In Keras", head.keras), ("In codeword", head.codeword)):
        if code:
            yield program(code, label=name)


def _loss_table(losses: tuple[LossChoice, ...], legend: str) -> str:
    """Return the losses as a table, the recommended one first; the text of the last column is wrapped."""
    measured = any(choice.perfect is not None for choice in losses)
    rows = [_cells(choice) for choice in losses]
    shown = (0, 1, 2) if measured else (0,)
    widths = {place: max(len(row[place]) for row in [COLUMNS, *rows]) + 2 for place in shown}
    lines = []
    for number, row in enumerate([COLUMNS, *rows]):
        start = "".join(f"{row[place]:<{width}}" for place, width in widths.items())
        lines += [wrapped(start + row[3], " " * len(start))]
        if number > 1:  # the first loss stands in the table above
            lines += [" " * len(start) + code for code in row[4:]]
    return "\n".join([*lines, wrapped(legend)] if measured else lines)


def _cells(choice: LossChoice) -> tuple[str, ...]:
    figures = ("-" if value is None else f"{value:.4g}" for value in (choice.perfect, choice.nothing_learnt))
    return choice.name, *figures, choice.when, choice.output, choice.keras


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
