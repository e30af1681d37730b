"""Fuzzed readers and mutation: they count what they look for, and every input can be made again."""

import ast
import os
import pickle
import signal
from random import Random

import numpy as np
import pytest

from codeword.errors import DataError
from reliability import mutation
from reliability.fuzzing import batches, model_files, npy_files, table_files
from reliability.fuzzing.damage import changed_bytes, changed_json, json_bytes
from reliability.golden import golden


def fill_memory():
    filled = np.ones(2**22)  # 32 MiB
    assert filled.any()


def run_code():
    pickle.loads(pickle.dumps(os.getpid))


def refuse(error):
    raise error


READS = {
    1: lambda: refuse(DataError("no")),
    2: lambda: refuse(KeyError("no")),
    3: lambda: os.kill(os.getpid(), signal.SIGKILL),
    4: run_code,
    5: fill_memory,
    6: lambda: refuse(batches.ChangedError("no")),
}


def test_a_batch_counts_each_failure_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MEMORY_BYTES", 2**24)
    told = []
    case = batches.Case(lambda random, folder, number: READS.get(number, lambda: None))
    accepted = batches.run_batch(case, 0, 0, 8, tmp_path, lambda kind, words: told.append((words.split(":")[0], kind)))
    assert told == [
        ("input 2", "foreign errors"),
        ("input 3", "crashes"),
        ("input 4", "code run"),
        ("input 5", "memory"),
        ("input 6", "changed unnoticed"),
    ]
    assert accepted == 4  # 0, 4, 5 and 7


def test_a_fault_of_the_program_itself_is_no_finding(tmp_path):
    case = batches.Case(lambda random, folder, number: refuse(KeyError("mine")))
    with pytest.raises(RuntimeError, match=r"The program itself failed: KeyError\('mine'\)"):
        batches.run_batch(case, 0, 0, 2, tmp_path, lambda kind, words: None)


@pytest.mark.parametrize(
    "made",
    [
        lambda random: npy_files.npy_file(random, npy_files.templates()),
        lambda random: table_files.csv_file(random, [b"a,b\n1,2\n"]),
        table_files.note_file,
        lambda random: model_files.model_file_of(random, golden("ratings.codeword")),
    ],
)
def test_the_same_seed_makes_the_same_file(made):
    files = [made(Random(number)) for number in range(20)]
    assert files == [made(Random(number)) for number in range(20)]
    assert len(set(files)) > 15


def test_damage_changes_what_it_gets():
    content, value = bytes(range(200)), {"a": [1, {"b": None}], "c": "d"}
    assert sum(changed_bytes(Random(number), content) != content for number in range(50)) > 40
    assert sum(changed_json(Random(number), value) != value for number in range(50)) > 40
    assert any(json_bytes(Random(number), value) != json_bytes(Random(0), value) for number in range(50))


SOURCE = '''
"""A module."""

LIMIT: int = 3


def area(width, height):
    """Return the area."""
    if width < 0 or not height:
        raise ValueError(f"{width + 1}")
    return min(width, LIMIT) * height
'''


def test_each_mutant_is_one_change(tmp_path, monkeypatch):
    monkeypatch.setattr(mutation, "SOURCE", tmp_path)
    (tmp_path / "area.py").write_text(SOURCE)
    mutants = mutation.mutants_of("area.py")
    changes = "3 -> 4|Or -> And|Lt -> LtE|0 -> 1|without Not|left out|return -> None|Mult -> Div|min -> max"
    assert sorted(mutant.what for mutant in mutants) == sorted(changes.split("|"))
    texts = {ast.unparse(mutant.tree) for mutant in mutants}
    assert len(texts) == len(mutants)
    assert ast.unparse(ast.parse(SOURCE)) not in texts


def test_marks_say_which_lines_are_run(monkeypatch):
    tree = ast.fix_missing_locations(mutation._Marked("area.py").visit(ast.parse(SOURCE)))
    lines = []
    monkeypatch.setattr("builtins.codeword_line", lambda file, line: lines.append(line), raising=False)
    names = {}
    exec(compile(tree, "area.py", "exec"), names)
    assert names["area"](2, 5) == 10
    assert lines == [9, 11]
