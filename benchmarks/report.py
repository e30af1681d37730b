"""Writes docs/performance.md and its picture from the results in `results/`.

python benchmarks/report.py
"""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parent.parent / "docs"
Row = dict[str, Any]

NETWORKS = {
    "A": "A: 784-250-10 bits-250-784, batch 100, 60,000 rows",
    "B": "B: 64-32-8 bits-32-64, batch 32, 1,797 rows",
    "C": "C: 4000-128-4000, masked, batch 128, 6,000 rows filled to 4 %",
}
GROWTH = {
    "rows": ("rows of 64 columns", "fit_seconds_an_epoch", "seconds an epoch"),
    "columns": ("columns, 10,000 rows", "fit_seconds_an_epoch", "seconds an epoch"),
    "bits": ("bits, 30,000 rows of 256 columns", "fit_seconds_an_epoch", "seconds an epoch"),
    "hidden": ("hidden units, 10,000 rows of 256 columns", "fit_seconds_an_epoch", "seconds an epoch"),
    "ratings": ("ratings, 64 units", "fit_seconds_an_epoch", "seconds an epoch"),
    "codes": ("codes of 64 bits", "query_seconds", "seconds a query"),
}


def main() -> None:
    (DOCS / "performance.md").write_text(performance(), encoding="utf-8")
    draw_growth(DOCS / "performance.png")


def performance() -> str:
    """Gives the page; the same results give the same text."""
    parts = [INTRODUCTION, *training(), *encoding(), *start_up(), *growth(), MORE_MACHINES, losses(), WHY_SLOWER]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


INTRODUCTION = """
# How fast, and how large

Every figure here is a ratio of programs that ran in turn on one machine, round by round, and stands in
`benchmarks/results/` with machine, versions and raw values; this page is made from them by `python
benchmarks/report.py`. A ratio is followed by its quartiles over the rounds. More than 1 means that codeword is
faster, or takes more memory, as the head of the table says. The machine has two cores and no GPU: trust ratios more
than seconds.
"""

WHY_SLOWER = """
Matrix products decide on wide networks: on two cores XLA's reach some 100 GFLOPS in batches of 100, OpenBLAS and MKL
160. On network C PyTorch, compiled, is therefore ahead of the limit itself. XLA's own switches for other products
(XNNPACK, YNNPACK, oneDNN, wider vectors) did not change it. `encode` stands beside products alone; its activations
take .09 of the time, checks and packing .05.
"""

MORE_MACHINES = """
## When one machine is not enough

- **Rows that do not fit into memory**: give `codeword.fit`, `Autoencoder.encode` and the command `codeword encode` a
  memory map (`np.load(path, mmap_mode="r")`); they read it in pieces. `codeword.fit(..., max_bytes=)` says how much
  may lie on the device.
- **Training that takes too long**: a code is learnt from a sample as well as from all rows long before time runs out;
  train on a few hundred thousand rows, encode all. Wide rows cost more than many: time grows with rows times columns
  times hidden units.
- **A GPU**: nothing changes in the program; JAX finds it. `codeword.fit` keeps the data there, whole calls at a time.
- **Encoding** needs no coordination: give each machine the model file and a share of the rows. Codes are the same
  everywhere but within the margin, and a `.parquet` or store of each share carries the model's fingerprint, so that
  foreign codes are refused.
- **Search** grows with the codes: a hundred million codes of 64 bits are .8 GB, and a query reads them all. Divide
  them by rows, ask every part for its k nearest, and keep the k nearest of all: exact, as distances are integers and
  ties go by id.
- **Ratings**: an epoch grows with the ratings, not with users times items.
"""


def training() -> list[str]:
    parts = ["## Training", "Steps a second of `codeword.fit`, from the second epoch on."]
    limit = [["network", "beside JAX by hand", "beside Keras' `fit`, JAX", "steps a second"]]
    for network, meaning in NETWORKS.items():
        rows = of("training_jax", network=network)
        ours, hand = figures(rows, "codeword.fit"), "JAX by hand"
        plain = against(rows, "codeword.fit", "Keras fit")
        limit.append([meaning, pair(rows, f"codeword.fit / {hand}"), plain, f"{ours:,.0f}"])
    parts += [
        table(limit),
        "By hand is one compiled scan over an epoch with the data on the device, the optimizer written out: what one "
        "can reach without Keras. Behind `codeword.fit` stand Keras' own steps, metrics and callbacks.",
        "`Autoencoder` beside exactly what it trains, by hand; `RatingAutoencoder`, which computes the ratings alone, "
        "beside a dense masked network on the same ratings, by epochs:",
        table([["estimator", "network", "beside JAX by hand"], *estimators()]),
        "### Beside others",
        table([["network", "rival", "codeword.fit is faster by"], *rivals()]),
        "### What a discrete layer costs",
        "The network with the layer in the middle, beside the same with tanh, and the 95 % interval of the mean ratio:",
        table([["layer", "network", "speed beside tanh", "interval"], *middles()]),
        "### Until the first step, and memory",
        table([["", "seconds", "ratio to by hand"], *first_steps()]),
        "Peak of memory, network A on MNIST, beyond that of the same process when it had trained on two batches:",
        table([["", "MiB", "of the whole process"], *memory()]),
    ]
    return parts


def estimators() -> Iterable[list[str]]:
    for row in load("training_estimator"):
        if "pair" in row:
            name = row["pair"].split(" / ")[0]
            yield [f"`{name}`, {row['title']}", row["network"], ratio(row)]


def rivals() -> Iterable[list[str]]:
    for row in load("training_rivals"):
        if "pair" in row:
            yield [f"{row['network']}, {row['title']}", row["pair"].split(" / ")[1], f"{ratio(row)} ×"]


def middles() -> Iterable[list[str]]:
    for row in load("training_tanh"):
        if "pair" in row:
            low, high = row["interval_95"]
            yield [f"`{row['pair'].split(' / ')[0]}`", row["network"], ratio(row), f"{low:.3f} to {high:.3f}"]


def first_steps() -> Iterable[list[str]]:
    rows = load("training_first_step")
    for row in rows:
        if "contestant" in row:
            pairs = [one for one in rows if one.get("pair") == f"{row['contestant']} / JAX by hand"]
            yield [row["contestant"], f"{row['seconds']:.2f}", ratio(pairs[0]) if pairs else "1"]


def memory() -> Iterable[list[str]]:
    for row in load("training_memory"):
        if "contestant" in row:
            yield [row["contestant"], f"{row['growth_mib']:.0f}", f"{row['peak_mib']:.0f}"]


def encoding() -> list[str]:
    speed = [["", "beside bare products, JAX", "beside NumPy", "rows a second"]]
    for row in load("encoding_speed"):
        if "share_of_jax" in row:
            rate = row["rows"] / row["ours_ms"] * 1e3
            speed.append([row["name"], shares(row["share_of_jax"]), shares(row["share_of_numpy"]), f"{rate:,.0f}"])
    maps = [["", "rows a second", "peak of the process, MiB"]]
    for row in load("encoding_memory"):
        maps.append([row["name"], f"{row['rows_a_second']:,.0f}", f"{row['peak_mib']['most_so_far']:.0f}"])
    return [
        "## Encoding and decoding",
        "`Autoencoder.encode` and `decode` beside nothing but the matrix products of their weights on the same rows: "
        "checks, activations, thresholds, packing and the values' way back count against them.",
        table(speed),
        "A memory-mapped file, encoded in pieces:",
        table(maps),
    ]


def start_up() -> list[str]:
    rows = [["command", "median seconds"]]
    rows += [[f"`{row['name']}`", f"{row['median_seconds']:.3f}"] for row in load("start_up")]
    return ["## Start-up", "Whole processes; none of them loads Keras.", table(rows)]


def growth() -> list[str]:
    rows = [["what grows", "from", "to", "time", "memory"]]
    for part, (meaning, seconds, unit) in GROWTH.items():
        measured = load(f"growth_{part}")
        if not measured:
            continue
        first, last = measured[0], measured[-1]
        times = f"{first[seconds]:.3g} to {last[seconds]:.3g} {unit}"
        peaks = f"{first['peak_mb']:,.0f} to {last['peak_mb']:,.0f} MB"
        rows.append([meaning, f"{first['size']:,}", f"{last['size']:,}", times, peaks])
    return ["## Growth", "![time and memory as data grow](performance.png)", table(rows)]


def losses() -> str:
    """Gives all pairs in which codeword is the slower one."""
    slower = []
    for name in ("jax", "estimator", "rivals", "tanh"):
        for row in load(f"training_{name}"):
            ours, other = row["pair"].split(" / ") if "pair" in row else ("", "")
            if "pair" in row and not ours.startswith("Keras") and row["ratio"] < 1:
                slower.append(f"- {ours} against {other}, {row['title']}, network {row['network']}: {ratio(row)}")
    for row in load("encoding_speed"):
        if row.get("share_of_numpy", [1])[0] < 1:
            slower.append(f"- {row['name']}, against bare products by NumPy: {shares(row['share_of_numpy'])}")
    return "\n".join(["## Where codeword is slower", "", *(slower or ["- nowhere above"])])


def load(name: str) -> list[Row]:
    path = RESULTS / f"{name}.json"
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return rows


def of(name: str, **keys: Any) -> list[Row]:
    return [row for row in load(name) if all(row.get(key) == value for key, value in keys.items())]


def figures(rows: list[Row], contestant: str) -> float:
    return next((row["steps_per_second"] for row in rows if row.get("contestant") == contestant), float("nan"))


def pair(rows: list[Row], name: str) -> str:
    return next((ratio(row) for row in rows if row.get("pair") == name), "")


def against(rows: list[Row], over: str, under: str) -> str:
    """Gives the ratio of two contestants whose turns were timed, though no pair of them was."""
    turns = {row["contestant"]: row["epochs_and_seconds"] for row in rows if "contestant" in row}
    if not {over, under} <= turns.keys():
        return ""
    rates = [[epochs / seconds for epochs, seconds in turns[name]] for name in (over, under)]
    return spread([one / other for one, other in zip(*rates, strict=True)])


def ratio(row: Row) -> str:
    low, high = row["quartiles"]
    return f"**{row['ratio']:.2f}** ({low:.2f} to {high:.2f})"


def shares(values: list[float]) -> str:
    """Gives a median with its quartiles."""
    middle, low, high = values
    return f"**{middle:.2f}** ({low:.2f} to {high:.2f})"


def spread(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"**{middle:.2f}** ({low:.2f} to {high:.2f})"


def table(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw_growth(path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(GROWTH), figsize=(3 * len(GROWTH), 5.4), sharex="col", layout="constrained")
    for column, (part, (meaning, seconds, unit)) in enumerate(GROWTH.items()):
        measured = load(f"growth_{part}")
        sizes = [row["size"] for row in measured]
        beyond = [row["peak_mb"] - row["before_fit_mb"] for row in measured]
        lines = [(unit, [row[seconds] for row in measured]), ("MB beyond the data's process", beyond)]
        lines = [*lines, ("MB of data", [row["data_mb"] for row in measured])]
        for place, (label, values) in zip((0, 1, 1), lines, strict=True):
            axes[place, column].plot(sizes, values, "o-" if label != "MB of data" else ":", label=label)
            axes[place, column].set(xscale="log", yscale="log")
            axes[place, column].legend(fontsize=7, frameon=False)
        axes[1, column].set_xlabel(meaning, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
