"""Write docs/reliability.md from the results in `results/`.

python -m reliability.report
"""

import ast
import json
import re
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.report import table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reliability.md"
IS_PROGRAM = re.compile(r"^ +run\(__file__", re.MULTILINE)
Row = dict[str, Any]


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page; equal results make equal text."""
    sections = [section(name) for name in programs() if results_of(name)]
    return "\n\n".join(part.strip("\n") for part in [INTRODUCTION, PROMISES, OTHERS, *sections]) + "\n"


INTRODUCTION = """
# Reliability

Use this page to see what codeword promises when something goes wrong, what it does not promise, and how both were
tested. Each table below comes from a program that attacks codeword and counts what failed.

- The line above each table is the command that measured it, from the top of the repository. `--full` runs as many
  cases as a release should; `make attack` runs all programs without it.
- A number in a column of failures is the number of cases that failed in this way. Anything but 0 is a miss, and the
  line below the table says why it is there.
- `reliability/results/` holds the raw values, the machine and the versions. `python -m reliability.report` makes this
  page from them.
"""

PROMISES = """
## What is promised

- **A system call fails, the disk is full, or the process dies.** Every file is all old or all new: models, codes with
  their note, stores, exports. A failed call ends in an error of codeword's; `on_disk` of an `OutputPathError` says
  whether the file is old or new. The next call works, and removes what a dead process left.
- **Codes** are never decoded or searched with another model than theirs, whatever was interrupted or replaced.
- **A model, a table or a store of a stranger** runs none of its code or SQL when it is read. No other file is opened
  and no socket, and time and memory stay in proportion to the size of the file.
- **A condition of a stranger.** `where` reads columns of the store and nothing else. A server should take the mapping,
  `where={"label": "cat"}`, which is no SQL.
- **Links or foreign files where a store keeps its locks** are refused, and never followed, emptied or overwritten.
- **Threads, forks and processes** may share an index or a store: answers are right, batches whole, and nothing hangs.

## What is not promised

- **A store whose `stat` fails while DuckDB opens it for writing**, once, though the file is there and everything else
  works: DuckDB takes the store for missing and creates a new one over it. Keep a copy, such as `export_parquet` makes.
- **A mapped `.npy` file that another program cuts** ends the process (SIGBUS), as with any memory map.
- **Power failures.** Files are synced before they are renamed, and folders after it, but the programs here kill
  processes and not machines. A disk that lies about `fsync` can lose the last call.
- **Other programs with write access.** What they edit is noticed; what they delete is gone.
- **Network file systems without locks.** Processes on two machines must not write to one store there.
- **Other systems.** The programs run on Linux. Windows and macOS run the same code with locks and renames of their own,
  and temporary files of killed processes stay on Windows.
- **DuckDB, FAISS, Keras and NumPy.** Their faults can be ours. Files are checked before they see them where that is
  possible, and `codeword examine` loads a stranger's `.keras` file in a process of its own with limits.
"""

OTHERS = """
## Tried on files of others

Public collections of test files and of attacks, which are not part of this project: files read by every reader that
takes the format, and texts given to a small store. The last run, in November 2026, found no error of another library
in a public call, no crash, nothing over 5 seconds and no other file. 21 of 21 arrays were equal to NumPy's, and 275 of
278 Parquet tables to Arrow's; in the three others DuckDB renames columns whose names differ only in case, or are empty.

| what | from | tried |
| --- | --- | --- |
| `.npy` files | NumPy, ndarray-npy, xtensor | 30 files, 210 calls |
| `.csv` files | DuckDB, frictionless-py, csv-spectrum, Polars, Arrow | 500 of 1,826 files, 3,500 calls |
| `.parquet` files, some damaged | parquet-testing, Arrow, DuckDB, fastparquet, Polars | 311 of 852 files, 2,177 calls |
| databases, none of them a store | DuckDB, frictionless-py | 26 files, 52 calls |
| texts in and as conditions, ids, metadata | payloadbox, PayloadsAllTheThings, fuzzdb, sqlmap, BLNS | 4,513 texts |
"""


def programs() -> list[str]:
    """Return the names of all programs: the files that end with `run(__file__, ...)`."""
    return sorted(path.stem for path in HERE.glob("*.py") if IS_PROGRAM.search(path.read_text(encoding="utf-8")))


def section(name: str) -> str:
    """Return the text and tables of a program."""
    title, text = text_of(name)
    rows, size = results_of(name), size_of(name)
    parts = [f"## {title}", *([text] if text else []), f"`python -m reliability.{name}{' --full' * (size == 'full')}`"]
    for columns, group in groupby((row for row in rows if not row["skipped"]), key=columns_of):
        parts.append(table([["attack", "cases", *columns], *(line_of(row) for row in group)]))
    notes = [f"- {row['attack']}: {row['known']}" for row in rows if row["known"] and any(row["failures"].values())]
    notes += [f"- {row['attack']}: not run, {row['skipped']}" for row in rows if row["skipped"]]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


def text_of(name: str) -> tuple[str, str]:
    """Return the title and text of a program: its docstring, without the command."""
    docstring = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or name
    title, *paragraphs = docstring.split("\n\n")
    return title.rstrip("."), "\n\n".join(part for part in paragraphs if "python -m" not in part)


def results_of(name: str) -> list[Row]:
    rows: list[Row] = content_of(name).get("rows", [])
    return rows


def size_of(name: str) -> str:
    return str(content_of(name).get("size", "usual"))


def content_of(name: str) -> dict[str, Any]:
    path = HERE / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def columns_of(row: Row) -> tuple[str, ...]:
    return (*row["failures"], *row["figures"])


def line_of(row: Row) -> list[str]:
    failures = [f"**{count:,}**" if count else "0" for count in row["failures"].values()]
    return [row["attack"], f"{row['cases']:,}", *failures, *row["figures"].values()]


if __name__ == "__main__":
    main()
