"""Write docs/performance.md and its picture from the results in `results/`.

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
    "rows": ("rows of 64 columns", "fit_seconds_an_epoch", "seconds per epoch"),
    "columns": ("columns, 10,000 rows", "fit_seconds_an_epoch", "seconds per epoch"),
    "bits": ("bits, 30,000 rows of 256 columns", "fit_seconds_an_epoch", "seconds per epoch"),
    "hidden": ("hidden units, 10,000 rows of 256 columns", "fit_seconds_an_epoch", "seconds per epoch"),
    "ratings": ("ratings, 64 units", "fit_seconds_an_epoch", "seconds per epoch"),
    "codes": ("codes of 64 bits", "query_seconds", "seconds per query"),
}


def main() -> None:
    (DOCS / "performance.md").write_text(performance(), encoding="utf-8")
    draw_growth(DOCS / "performance.png")


def performance() -> str:
    """Return the page; equal results make equal text."""
    parts = [INTRODUCTION, *training(), *encoding(), *start_up(), *growth(), MORE_MACHINES, losses(), WHY_SLOWER]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


INTRODUCTION = """
# Speed and memory

Use this page to see how fast codeword trains, encodes and starts, how much memory it takes, and where it is slower than
the alternatives.

How the figures were measured:

- A ratio compares programs that ran in turn on one machine, round by round. Its quartiles over the rounds follow in
  parentheses.
- A speed ratio above 1 means that codeword is faster. A memory ratio above 1 means that it takes more.
- The machine has two cores and no GPU. Trust ratios more than seconds.
- `benchmarks/results/` holds the raw values, the machine and the versions. `python benchmarks/report.py` makes this
  page from them.
"""

WHY_SLOWER = """
On wide networks matrix products dominate. On two cores, XLA reaches some 100 GFLOPS in batches of 100; OpenBLAS and MKL
reach 160. Compiled PyTorch is therefore faster on network C than even JAX by hand. XLA's switches for other matrix
products (XNNPACK, YNNPACK, oneDNN, wider vectors) did not change this. `encode` is compared with the matrix products
alone: its activations take 0.09 of the time, checks and packing 0.05.
"""

MORE_MACHINES = """
## When one machine is not enough

- **Rows that do not fit into memory.** Pass a memory map (`np.load(path, mmap_mode="r")`) to `codeword.fit` or
  `Autoencoder.encode`, or its path to `codeword encode`. They read it in pieces. `codeword.fit(..., max_bytes=)` limits
  the memory on the device.
- **Training that takes too long.** Train on a sample of a few hundred thousand rows, then encode all rows. A sample is
  usually enough to learn a code. Time grows with rows times columns times hidden units, so wide rows cost more than
  many rows.
- **A GPU.** The program stays the same: JAX finds the GPU, and `codeword.fit` keeps the data there for many steps per
  call.
- **Encoding on many machines.** Give each machine the model file and a share of the rows. Outside the margin, all
  machines compute the same codes. Parquet files and stores carry the model's fingerprint, so codes of another model
  are refused.
- **Search in very many codes.** A query reads all codes; a hundred million codes of 64 bits take 0.8 GB. Split them by
  rows, ask each part for its k nearest codes, and keep the k nearest of all. The result is exact, because distances
  are integers and ties are ordered by id.
- **Ratings.** The time per epoch grows with the number of ratings, not with users times items.
"""


def training() -> list[str]:
    parts = ["## Training", "`codeword.fit`, in steps per second from the second epoch on:"]
    limit = [["network", "against JAX by hand", "against Keras' `fit`, JAX", "steps per second"]]
    for network, meaning in NETWORKS.items():
        rows = of("training_jax", network=network)
        ours, hand = figures(rows, "codeword.fit"), "JAX by hand"
        plain = against(rows, "codeword.fit", "Keras fit")
        limit.append([meaning, pair(rows, f"codeword.fit / {hand}"), plain, f"{ours:,.0f}"])
    parts += [
        table(limit),
        '"JAX by hand" is one compiled scan over an epoch, with the data on the device and the optimizer written out: '
        "the speed that is possible without Keras. `codeword.fit` includes Keras' own steps, metrics and callbacks.",
        "The estimators against the same networks trained by hand. `RatingAutoencoder` computes observed ratings only; "
        "it is compared, per epoch, with a dense masked network on the same ratings:",
        table([["estimator", "network", "against JAX by hand"], *estimators()]),
        "### Against other libraries",
        table([["network", "rival", "codeword.fit is faster by"], *rivals()]),
        "### The cost of a discrete layer",
        "Training speed of the network with this layer in the middle, against the same network with tanh. The last "
        "column is the 95 % interval of the mean ratio:",
        table([["layer", "network", "speed against tanh", "interval"], *middles()]),
        "### Time to the first step, and memory",
        table([["", "seconds", "ratio to JAX by hand"], *first_steps()]),
        "Peak memory on network A with MNIST. The first column excludes what the same process used after training on "
        "two batches:",
        table([["", "MiB", "MiB of the whole process"], *memory()]),
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
    speed = [["", "against matrix products, JAX", "against NumPy", "rows per second"]]
    for row in load("encoding_speed"):
        if "share_of_jax" in row:
            rate = row["rows"] / row["ours_ms"] * 1e3
            speed.append([row["name"], shares(row["share_of_jax"]), shares(row["share_of_numpy"]), f"{rate:,.0f}"])
    maps = [["", "rows per second", "peak of the process, MiB"]]
    for row in load("encoding_memory"):
        maps.append([row["name"], f"{row['rows_a_second']:,.0f}", f"{row['peak_mib']['most_so_far']:.0f}"])
    return [
        "## Encoding and decoding",
        "`Autoencoder.encode` and `decode` against the bare matrix products of their weights on the same rows. Checks, "
        "activations, thresholds, packing and the conversion of values count as overhead.",
        table(speed),
        "A memory-mapped file, encoded in pieces:",
        table(maps),
    ]


def start_up() -> list[str]:
    rows = [["command", "median seconds"]]
    rows += [[f"`{row['name']}`", f"{row['median_seconds']:.3f}"] for row in load("start_up")]
    return ["## Start-up", "Median time of whole processes. None of them loads Keras.", table(rows)]


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
    return ["## Growth", "![Time and memory as the data grows](performance.png)", table(rows)]


def losses() -> str:
    """Return all pairs in which codeword is slower."""
    slower = []
    for name in ("jax", "estimator", "rivals", "tanh"):
        for row in load(f"training_{name}"):
            ours, other = row["pair"].split(" / ") if "pair" in row else ("", "")
            if "pair" in row and not ours.startswith("Keras") and row["ratio"] < 1:
                slower.append(f"- {ours} against {other}, {row['title']}, network {row['network']}: {ratio(row)}")
    for row in load("encoding_speed"):
        if row.get("share_of_numpy", [1])[0] < 1:
            slower.append(f"- {row['name']}, against matrix products by NumPy: {shares(row['share_of_numpy'])}")
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
    """Return the ratio of two contestants that were timed in turns but not paired."""
    turns = {row["contestant"]: row["epochs_and_seconds"] for row in rows if "contestant" in row}
    if not {over, under} <= turns.keys():
        return ""
    rates = [[epochs / seconds for epochs, seconds in turns[name]] for name in (over, under)]
    return spread([one / other for one, other in zip(*rates, strict=True)])


def ratio(row: Row) -> str:
    low, high = row["quartiles"]
    return f"**{row['ratio']:.2f}** ({low:.2f} to {high:.2f})"


def shares(values: list[float]) -> str:
    """Return a median with its quartiles."""
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
        lines = [(unit, [row[seconds] for row in measured]), ("MB beyond the process with its data", beyond)]
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
