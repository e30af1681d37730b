"""How fast does codeword train, beside the fastest that can be written by hand and beside its rivals?

    CODEWORD_DATA=/folder python benchmarks/training.py               all parts, on an idle machine
    CODEWORD_DATA=/folder python benchmarks/training.py --part jax    one part; what its file has is not done again
    python benchmarks/training.py --smoke                             less than a minute, drawn images
    python benchmarks/training.py --table                             the figures of the results files

    jax         `codeword.fit` and Keras' `fit` beside the limit, a training loop written by hand for JAX
    estimator   `Autoencoder` beside the same by hand; `RatingAutoencoder` beside a dense network on the same ratings
    rivals      beside PyTorch by hand, Keras on TensorFlow and PyTorch, vector-quantize-pytorch and larq's sign
    tanh        each discrete layer beside tanh in its place
    first_step  from the call to the first step, which compiles, in fresh processes
    memory      the peak of training on bytes and on float32, in fresh processes

Every contestant is a process that stays alive and trains for some seconds when asked: in turn, every other round
backwards, one at a time, all on the same rows from the same first weights. Compilation is not counted outside
`first_step`. Figures are ratios round by round. Those of PyTorch and TensorFlow run in the environments that
`make test-backends` makes, and are left out without them.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from results_file import ResultsFile
from trainers.alternation import Workers, alternate, compared, present
from trainers.contestants import GROUPS, Group

from codeword.datasets.folders import FOLDER_VARIABLE

PROGRAMS = Path(__file__).parent / "trainers"
FIRST = {"JAX by hand": "hand", "Keras fit": "keras", "codeword.fit": "codeword"}
MEMORY = [(by, dtype) for by in ("codeword", "keras") for dtype in ("uint8", "float32")]
ROUNDS, SECONDS = 9, 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--rounds", type=int, help=f"turns of each contestant; {ROUNDS} if not given")
    parser.add_argument("--seconds", type=float, help=f"of a turn; {SECONDS} if not given")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs and learns")
    parser.add_argument("--table", action="store_true", help="only print what was measured")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.smoke else ROUNDS)
    arguments.seconds = arguments.seconds or (0.05 if arguments.smoke else SECONDS)
    if arguments.smoke:
        os.environ.pop(FOLDER_VARIABLE, None)
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling is nearly all that a smoke test does
    workers = Workers(smoke=arguments.smoke)
    try:
        for part in arguments.part or PARTS:
            results = ResultsFile(f"training_{part}", smoke=arguments.smoke)
            if arguments.table:
                print_table(part, results)
            else:
                PARTS[part](part, results, workers, arguments)
    finally:
        workers.close()


def speeds(part: str, results: ResultsFile, workers: Workers, arguments: argparse.Namespace) -> None:
    """Measures all groups of a part."""
    for group in GROUPS:
        done = results.has(title=group.title, network=group.network)
        if group.part == part and not done and (group.in_smoke or not arguments.smoke):
            measure_group(group, results, workers, arguments)


def measure_group(group: Group, results: ResultsFile, workers: Workers, arguments: argparse.Namespace) -> None:
    contestants = dict(group.contestants)
    for name in group.contestants:
        if not present(contestants[name]):
            print(f"{group.title}, {group.network}: {name} is left out, its environment is not there")
            del contestants[name]
        elif arguments.smoke and contestants[name].options.keys() & {"compiled", "grouped"}:
            del contestants[name]  # PyTorch alone compiles for longer than all the rest takes
    settings = {"rounds": arguments.rounds, "seconds": arguments.seconds, "smoke": arguments.smoke}
    started, turns = alternate(group, contestants, workers, **settings)
    if not arguments.smoke:
        workers.close()
    common = {"title": group.title, "network": group.network}
    rates = {name: [epochs / seconds for epochs, seconds in rounds] for name, rounds in turns.items()}
    rows = [
        {
            **common,
            "contestant": name,
            "steps_per_second": median(rates[name]) * answer["steps_an_epoch"],
            "seconds_an_epoch": 1 / median(rates[name]),
            "epochs_and_seconds": turns[name],
            **answer,
        }
        for name, answer in started.items()
    ]
    rows += [
        {**common, "pair": f"{over} / {under}", **compared(rates[over], rates[under])}
        for over, under in group.pairs
        if over in rates and under in rates
    ]
    for row in rows:  # when all are there: an interrupted group is measured again
        results.add(row)


def first_step(part: str, results: ResultsFile, workers: Workers, arguments: argparse.Namespace) -> None:
    """Measures how long it takes until training begins: the first epoch less the shortest of the later ones."""
    if results.rows:
        return
    answers = ask_children("first_step.py", {name: [argument] for name, argument in FIRST.items()}, arguments)
    seconds = {name: [answer["first"] - min(answer["later"]) for answer in rounds] for name, rounds in answers.items()}
    for name, rounds in answers.items():
        results.add({"contestant": name, "seconds": median(seconds[name]), "rounds": rounds})
    for over, under in (("codeword.fit", "JAX by hand"), ("codeword.fit", "Keras fit"), ("Keras fit", "JAX by hand")):
        results.add({"pair": f"{over} / {under}", **compared(seconds[over], seconds[under])})


def memory(part: str, results: ResultsFile, workers: Workers, arguments: argparse.Namespace) -> None:
    """Measures peaks; a few rounds show that they hardly vary."""
    if results.rows:
        return
    chosen = MEMORY[:: len(MEMORY) - 1] if arguments.smoke else MEMORY
    names = {f"{by}.fit, {dtype}": [by, dtype] for by, dtype in chosen}
    answers = ask_children("memory.py", names, arguments)
    growth = {name: [answer["growth"] for answer in rounds] for name, rounds in answers.items()}
    for name, rounds in answers.items():
        peak = median(answer["peak"] for answer in rounds)
        results.add({"contestant": name, "growth_mib": median(growth[name]), "peak_mib": peak, "rounds": rounds})
    for over, under in itertools.combinations(names, 2):
        results.add({"pair": f"{over} / {under}", **compared(growth[over], growth[under])})


def ask_children(
    program: str, names: dict[str, list[str]], arguments: argparse.Namespace
) -> dict[str, list[dict[str, Any]]]:
    """Starts a fresh process for every answer, in alternation; in a smoke test two at a time."""

    def ask(name: str) -> dict[str, Any]:
        command = [sys.executable, str(PROGRAMS / program), *names[name], *["--smoke"] * arguments.smoke]
        variables = {**os.environ, "KERAS_BACKEND": "jax"}
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables).stdout
        return json.loads(printed.splitlines()[-1])

    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with ThreadPoolExecutor(2 if arguments.smoke else 1) as pool:
        for number in range(arguments.rounds):
            turn = list(names)[:: -1 if number % 2 else 1]
            for name, answer in zip(turn, pool.map(ask, turn), strict=True):
                answers[name].append(answer)
    return answers


def print_table(part: str, results: ResultsFile) -> None:
    print(f"\n{part}")
    for row in results.rows:
        place = f"{row['title']}, {row['network']}: " if "title" in row else ""
        if "pair" in row:
            low, high = row["interval_95"] or (float("nan"), float("nan"))
            print(f"  {place}{row['pair']}: {row['ratio']:.3f} (mean from {low:.3f} to {high:.3f})")
        else:
            names = ("steps_per_second", "seconds_an_epoch", "seconds", "growth_mib", "peak_mib")
            figures = ", ".join(f"{name} {row[name]:.5g}" for name in names if name in row)
            print(f"  {place}{row['contestant']}: {figures}")


Measure = Callable[[str, ResultsFile, Workers, argparse.Namespace], None]
PARTS: dict[str, Measure] = {
    "jax": speeds,
    "estimator": speeds,
    "rivals": speeds,
    "tanh": speeds,
    "first_step": first_step,
    "memory": memory,
}

if __name__ == "__main__":
    main()
