"""Results of attacks: one JSON file per program, and the exit status that CI looks at.

A program is `reliability/NAME.py`. Its docstring is its text in docs/reliability.md, without the line of the command.
It ends with `run(__file__, attacks)`, where `attacks` yields a `Row` per attack:

    python -m reliability.NAME            # minutes at most, writes results/NAME.json
    python -m reliability.NAME --full     # as many cases as docs/reliability.md asks for
    python -m reliability.NAME --smoke    # seconds, writes nothing

The exit status is 1 if a row has failures that are not `known`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.results_file import machine

FOLDER = Path(__file__).parent / "results"
MAX_EXAMPLES = 5  # failed cases per row that are kept, and printed


class Size(NamedTuple):
    """How much of an attack is run."""

    name: str

    def of(self, smoke: Any, usual: Any, full: Any) -> Any:
        return {"smoke": smoke, "usual": usual, "full": full}[self.name]


class Attack(NamedTuple):
    """An entry of a program's table: the name of its row, what is called, and how often, depending on the size."""

    name: str
    call: Callable[..., Any]
    counts: tuple[int, int, int]  # smoke, usual, full


@dataclass
class Row:
    """One attack: its cases, and its failures by kind, zeros included.

    `figures` are other measurements, shown as they are. `examples` describe failed cases. `known` is the reason why the
    failures are there, for readers of the page; `skipped` the reason why there are no cases on this machine.
    """

    attack: str
    cases: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    known: str = ""
    skipped: str = ""

    @classmethod
    def of_kinds(cls, attack: str, *kinds: str) -> "Row":
        """Return a row without cases that counts failures of these kinds."""
        return cls(attack, failures=dict.fromkeys(kinds, 0))

    def fail(self, kind: str, example: str) -> None:
        """Count a failure of a kind that the row has."""
        self.failures[kind] = self.failures[kind] + 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{kind}: {' '.join(example.split())[:300]}")


def run(program: str, attacks: Callable[[Size], Iterable[Row]]) -> None:
    """Run the attacks of a program file, print and keep their rows, and exit."""
    parser = argparse.ArgumentParser(prog=f"python -m reliability.{Path(program).stem}")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--smoke", action="store_const", const="smoke", dest="size", help="seconds; writes nothing")
    group.add_argument("--full", action="store_const", const="full", dest="size", help="every case that is asked for")
    size = Size(parser.parse_args().size or "usual")
    rows, start = [], time.monotonic()
    for row in attacks(size):
        rows.append(row)
        print(_line(row), flush=True)
        if size.name != "smoke":  # kept as they come: the full run of some programs takes long
            FOLDER.mkdir(exist_ok=True)
            content = {"machine": machine(), "size": size.name, "rows": [asdict(one) for one in rows]}
            (FOLDER / f"{Path(program).stem}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{Path(program).stem}: {sum(row.cases for row in rows):,} cases in {time.monotonic() - start:.0f} s")
    sys.exit(any(not row.known and any(row.failures.values()) for row in rows))


def _line(row: Row) -> str:
    if row.skipped:
        return f"{row.attack}: skipped, {row.skipped}"
    counted = _listed(row.failures) + _listed(row.figures)
    return "\n    ".join([f"{row.attack}: {row.cases:,} cases{counted}", *row.examples])


def _listed(entries: Mapping[str, Any]) -> str:
    return "".join(f", {name} {value}" for name, value in entries.items())
