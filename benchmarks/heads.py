"""What does a wrong output or loss cost an autoencoder, and does `cw.examine` find, measure and mend it?

    CODEWORD_DATA=/folder python benchmarks/heads.py               all parts, about half an hour on one core
    CODEWORD_DATA=/folder python benchmarks/heads.py --part floor
    python benchmarks/heads.py --smoke                             seconds, on the built-in digits

The program that is examined is one that people post: 784-128-64-28-64-128-784, relu, a softmax on top, Adam, binary
cross-entropy, 5 epochs in batches of 100, MNIST in grays of 0 to 255 that nobody has scaled.

by_hand: what each pair of output and loss reaches on data in [0, 1]. remedied: what comes of the posted program by
`examine(...).remedied()`; asked: at most 1.05 times the error of the best by hand, and half of the posted one's. floor:
the loss that a perfect output still has, beside Keras and NumPy; asked: equal to 1e-6. time: seconds and memory of
`examine`; asked: 10 s on 60,000 rows, 30 s and 500 MB on a million rows in a memory-mapped file. Run it alone.

Models learn from the first 50,000 training images. The best by hand is chosen on the other 10,000, and all are measured
on the 10,000 test images: mean squared error of outputs clipped to [0, 1], gray 0 being 0 and gray 255 being 1.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from results_file import ResultsFile
from scipy.special import entr, expit

import codeword as cw

HIDDEN = (128, 64, 28, 64, 128)
WHITE = 255.0
BATCH = 100
POSTED, ONLY_SCALED = "as posted", "posted, data scaled"
SAMPLE_SECONDS = 0.01
KINDS_OF_MEMORY = ("VmRSS", "VmHWM", "RssAnon", "RssFile")
Rows = NDArray[Any]
Measured = dict[str, Any]


class Head(NamedTuple):
    """An output's activation, its loss, and whether the data are in [0, 1]."""

    activation: str
    loss: str
    scaled: bool = True
    from_logits: bool = False


HEADS = {
    POSTED: Head("softmax", "binary_crossentropy", scaled=False),
    ONLY_SCALED: Head("softmax", "binary_crossentropy"),
    "sigmoid, cross-entropy": Head("sigmoid", "binary_crossentropy"),
    "sigmoid, mse": Head("sigmoid", "mse"),
    "sigmoid, mae": Head("sigmoid", "mae"),
    "linear, mse": Head("linear", "mse"),
    "relu, mse": Head("relu", "mse"),
    "linear, mae": Head("linear", "mae"),
    "linear, cross-entropy from logits": Head("linear", "binary_crossentropy", from_logits=True),
}
OPTIMIZERS = {
    "adam": lambda: "adam",
    "adadelta": lambda: "adadelta",  # Keras 3 takes a rate of .001,
    "adadelta, rate 1": lambda: cw.backend.keras.optimizers.Adadelta(1.0),  # old Keras took 1
}


class Images(NamedTuple):
    """Grays of 0 to 255, uint8, `(n, 784)`."""

    train: Rows
    validation: Rows
    test: Rows


class Setting(NamedTuple):
    images: Images
    epochs: int
    seeds: range
    optimizers: list[str]
    smoke: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=[*PARTS, "all"], action="append", help="only this part; may be repeated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, action="append", help="of part by_hand")
    parser.add_argument("--smoke", action="store_true", help="see that everything runs")
    arguments = parser.parse_args()
    asked = arguments.part or ["all"]
    images = digits() if arguments.smoke else mnist()
    seeds = range(1 if arguments.smoke else arguments.seeds)
    optimizers = arguments.optimizer or (["adam"] if arguments.smoke else list(OPTIMIZERS))
    setting = Setting(images, 1 if arguments.smoke else 5, seeds, optimizers, arguments.smoke)
    for part in PARTS if "all" in asked else asked:
        results = ResultsFile(f"heads_{part}", smoke=arguments.smoke)
        measure, summarize = PARTS[part]
        measure(results, setting)
        print(f"\n{part}")
        summarize(results.rows)


def mnist() -> Images:
    (train, _), (test, _) = cw.datasets.load_mnist()
    train = train.reshape(-1, 784)
    return Images(train[:50_000], train[50_000:], test.reshape(-1, 784))


def digits() -> Images:
    """Gives scikit-learn's digits, enlarged to 28x28 pixels."""
    from sklearn.datasets import load_digits

    large = np.kron(load_digits().images * (WHITE / 16), np.ones((3, 3)))
    rows = np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(-1, 784).astype(np.uint8)
    return Images(rows[:1_200], rows[1_200:1_500], rows[1_500:])


def compiled(head: Head, optimizer: str = "adam") -> Any:
    keras = cw.backend.keras
    layers = [keras.layers.Dense(units, "relu") for units in HIDDEN]
    model = keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(784, head.activation)])
    loss = keras.losses.BinaryCrossentropy(from_logits=True) if head.from_logits else head.loss
    model.compile(optimizer=OPTIMIZERS[optimizer](), loss=loss)
    return model


# By hand


def by_hand(results: ResultsFile, setting: Setting) -> None:
    constants(results, setting.images)
    for optimizer in setting.optimizers:
        for seed in setting.seeds:
            for name, head in HEADS.items():
                if not results.has(name=name, optimizer=optimizer, seed=seed):
                    figures = trained(head, optimizer, seed, setting)
                    results.add({"name": name, "optimizer": optimizer, "seed": seed, **figures})


def trained(head: Head, optimizer: str, seed: int, setting: Setting) -> Measured:
    start = time.perf_counter()
    cw.backend.keras.utils.set_random_seed(seed)
    model = compiled(head, optimizer)
    scaling = (lambda x: x / np.float32(WHITE)) if head.scaled else (lambda x: x)
    losses = fit(model, scaling(floats(setting.images.train)), setting.epochs)
    outputs = [outputs_of(model, scaling(floats(rows))) for rows in setting.images[1:]]
    return {**errors(outputs, setting.images), "losses": losses, "seconds": round(time.perf_counter() - start, 1)}


def fit(model: Any, x: Rows, epochs: int) -> list[float]:
    return model.fit(x, x, epochs=epochs, batch_size=BATCH, verbose=0).history["loss"]


def floats(rows: Rows) -> NDArray[np.float32]:
    return rows.astype(np.float32)


def outputs_of(model: Any, x: Rows) -> Rows:
    """Gives the outputs, or the probabilities that they stand for, if they are logits."""
    outputs = model.predict(x, batch_size=1_000, verbose=0).astype(np.float64)
    return expit(outputs) if getattr(model.loss, "from_logits", False) else outputs


def errors(outputs: list[Rows], images: Images) -> Measured:
    validation, test = (
        float(np.mean(np.square(np.clip(output, 0, 1) - rows / WHITE)))
        for output, rows in zip(outputs, images[1:], strict=True)
    )
    return {"validation_mse": validation, "test_mse": test}


def constants(results: ResultsFile, images: Images) -> None:
    """Measures what a model reaches that has learnt nothing about single images."""
    for name, image in (("black image", np.zeros(784)), ("mean image", images.train.mean(axis=0) / WHITE)):
        if not results.has(name=name):
            outputs = [np.broadcast_to(image, rows.shape) for rows in images[1:]]
            results.add({"name": name, "optimizer": "none", "seed": None, **errors(outputs, images)})


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.5f}" + (f" ± {statistics.stdev(values):.5f}" if len(values) > 1 else "")


def best_by_hand(rows: list[Measured]) -> str:
    """Names the head of least validation error, of those that learnt with Adam."""
    means = {
        name: statistics.mean(found)
        for name in HEADS
        if (found := [row["validation_mse"] for row in rows if row["name"] == name and row["optimizer"] == "adam"])
    }
    return min(means, key=lambda name: means[name])


def summarize_by_hand(rows: list[Measured]) -> None:
    for optimizer in dict.fromkeys(row["optimizer"] for row in rows):
        print(f"  {optimizer:<36} {'validation MSE':<18} test MSE")
        for name in dict.fromkeys(row["name"] for row in rows if row["optimizer"] == optimizer):
            found = [row for row in rows if (row["name"], row["optimizer"]) == (name, optimizer)]
            validation, test = (spread([row[key] for row in found]) for key in ("validation_mse", "test_mse"))
            print(f"    {name:<34} {validation:<18} {test:<18} n={len(found)}")
    print(f"  best by validation data: {best_by_hand(rows)}")


# Remedied


def remedied(results: ResultsFile, setting: Setting) -> None:
    """Trains what `remedied` gives; the posted program and the best by hand stand in the results of `by_hand`."""
    hand = ResultsFile("heads_by_hand", smoke=setting.smoke)
    by_hand(hand, setting._replace(optimizers=["adam"]))
    best = best_by_hand(hand.rows)
    for seed in setting.seeds:
        if results.has(seed=seed):
            continue
        own = mended(seed, setting)
        posted, only_scaled, best_mse = (
            next(row["test_mse"] for row in hand.rows if (row["name"], row["optimizer"], row["seed"]) == key)
            for key in ((name, "adam", seed) for name in (POSTED, ONLY_SCALED, best))
        )
        results.add(
            {
                "seed": seed,
                **own,
                "test_mse_posted": posted,
                "test_mse_only_scaled": only_scaled,
                "best_by_hand": best,
                "test_mse_best": best_mse,
                "over_best": own["test_mse"] / best_mse,
                "posted_over": posted / own["test_mse"],
            }
        )


def mended(seed: int, setting: Setting) -> Measured:
    """Does what a user does: the posted program, examined, remedied, trained."""
    x = floats(setting.images.train)
    cw.backend.keras.utils.set_random_seed(seed)
    posted = compiled(HEADS[POSTED])
    report = cw.examine(posted, x, verbose=False)
    model, scaling = report.remedied()
    before = cw.examine(model, scaling(x), verbose=False)
    losses = fit(model, scaling(x), setting.epochs)
    after = cw.examine(model, scaling(x), verbose=False)
    black, white = (scaling(np.full((1, 784), gray, np.float32)) for gray in (0, WHITE))
    outputs = [(outputs_of(model, scaling(floats(rows))) - black) / (white - black) for rows in setting.images[1:]]
    return {
        "found": codes(report),
        "found_in_remedied": codes(before),
        "found_in_trained": codes(after),
        "activation": model.layers[-1].activation.__name__,
        "loss": getattr(model.loss, "name", str(model.loss)),
        "black": float(np.mean(black)),
        "white": float(np.mean(white)),
        **errors(outputs, setting.images),
        "losses": losses,
    }


def codes(report: Any) -> list[str]:
    return [f"{finding.severity}: {finding.code}" for finding in report.findings]


def summarize_remedied(rows: list[Measured]) -> None:
    for title, key in (
        ("as posted", "test_mse_posted"),
        ("posted, data scaled", "test_mse_only_scaled"),
        (f"best by hand: {rows[0]['best_by_hand']}", "test_mse_best"),
        (f"remedied: {rows[0]['activation']}, {rows[0]['loss']}", "test_mse"),
        ("remedied / best by hand (asked <= 1.05)", "over_best"),
        ("as posted / remedied (asked >= 2)", "posted_over"),
    ):
        print(f"  {title:<50} {spread([row[key] for row in rows])}")
    for title, key in (("posted", "found"), ("remedied", "found_in_remedied"), ("trained", "found_in_trained")):
        print(f"  found in the {title} model: {', '.join(rows[0][key]) or 'nothing'}")


# The least loss


def floor(results: ResultsFile, setting: Setting) -> None:
    for name, (head, load) in FLOORS.items():
        if results.has(data=name) or (setting.smoke and "Fashion" in name):
            continue
        y = load(setting)
        report = cw.examine(compiled(head), y, verbose=False)
        found = next(finding for finding in report.findings if finding.code == "cross-entropy-floor")
        reported, by_keras, by_numpy = found.numbers["floor"], keras_floor(head, y), numpy_floor(head, y)
        results.add(
            {
                "data": name,
                "rows": len(y),
                "reported": reported,
                "keras": by_keras,
                "numpy": by_numpy,
                "from_keras": abs(reported - by_keras),
                "from_numpy": abs(reported - by_numpy),
            }
        )


def keras_floor(head: Head, y: Rows) -> float:
    """Gives the loss, by Keras itself, of an output that equals its target."""
    loss = getattr(cw.backend.keras.losses, head.loss)
    blocks = [np.asarray(loss(y[start : start + 1_000], y[start : start + 1_000])) for start in range(0, len(y), 1_000)]
    return float(np.mean(np.concatenate(blocks), dtype=np.float64))


def numpy_floor(head: Head, y: Rows) -> float:
    y = y.astype(np.float64)
    if head.loss == "categorical_crossentropy":
        return float(np.mean(np.sum(entr(y), axis=-1)))
    return float(np.mean(entr(y) + entr(1 - y)))


def unit(rows: Rows) -> NDArray[np.float32]:
    return floats(rows) / np.float32(WHITE)


def of_sum_one(rows: Rows) -> NDArray[np.float32]:
    return floats(rows / rows.sum(axis=1, keepdims=True, dtype=np.float64))


def summarize_floor(rows: list[Measured]) -> None:
    print(f"  {'':<40} {'reported':<12} {'Keras':<12} {'NumPy':<12} differences (asked <= 1e-6)")
    for row in rows:
        figures = " ".join(f"{row[key]:<12.8f}" for key in ("reported", "keras", "numpy"))
        print(f"  {row['data']:<40} {figures} {row['from_keras']:.1e}, {row['from_numpy']:.1e}")


# Seconds and memory


def seconds_and_memory(results: ResultsFile, setting: Setting) -> None:
    """Examines the posted program, and one whose least loss is to be read from all cells, each in a fresh process.

    That process has only built the model and opened the data.
    """
    rows = np.concatenate(setting.images[:2])
    many = 10_000 if setting.smoke else 1_000_000
    for head, kinds, white in (
        (POSTED, {"float32": floats, "uint8": np.asarray}, WHITE),
        ("sigmoid, cross-entropy", {"float32 in [0, 1]": unit}, 1.0),
    ):
        with tempfile.TemporaryDirectory() as folder:
            for kind, convert in kinds.items():
                if not results.has(name=f"{len(rows):,} rows, {kind}"):
                    np.save(Path(folder) / "rows.npy", convert(rows))
                    figures = in_fresh_process(Path(folder) / "rows.npy", head, mapped=False)
                    results.add({"name": f"{len(rows):,} rows, {kind}", "head": head, **figures})
            first = f"{many:,} rows, mapped {next(iter(kinds))}, first read"
            again = first.replace("first read", "read before")  # in the cache of the operating system
            if not (results.has(name=first) and results.has(name=again)):
                require_space(folder, 4 * 784 * many)
                write_changed(Path(folder) / "many.npy", rows, many, white)
                for name in (first, again):
                    figures = in_fresh_process(Path(folder) / "many.npy", head, mapped=True)
                    results.add({"name": name, "head": head, **figures})


def require_space(folder: str, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < 2 * num_bytes:
        raise SystemExit(f"Twice {num_bytes:,} bytes must be free in {folder}: got {free:,}. Set TMPDIR.")


def write_changed(path: Path, rows: Rows, count: int, white: float) -> None:
    """Writes the images again and again, each time with other small changes of what is not black; leaves no cache."""
    generator, block = np.random.default_rng(0), 10_000
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, 784)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, count, block):
            part = rows[np.arange(start, min(start + block, count)) % len(rows)]
            changed = part + generator.integers(-8, 9, part.shape, np.int16) * (part > 0)
            file.write((floats(np.clip(changed, 0, WHITE)) * np.float32(white / WHITE)).tobytes())
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_fresh_process(path: Path, head: str, *, mapped: bool) -> Measured:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(examined, path, head, mapped=mapped).result()


def examined(path: Path, head: str, *, mapped: bool) -> Measured:
    """Times `examine`, and gives by how many MB the resident memory grew beyond what was there; needs Linux."""
    cw.backend.keras.utils.set_random_seed(0)
    model, x = compiled(HEADS[head]), np.load(path, mmap_mode="r" if mapped else None)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory()
    with Sampler() as sampler:
        start, start_processor = time.perf_counter(), time.process_time()
        report = cw.examine(model, x, verbose=False)
        seconds, processor_seconds = time.perf_counter() - start, time.process_time() - start_processor
    return {
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "mb_before": before["VmRSS"],
        "growth_mb": {name: most - before[name] for name, most in sampler.most.items()},
        # Too much, if the parent's peak was larger than this process's: Linux hands that on.
        "growth_mb_maxrss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - before["VmRSS"],
        "found": codes(report),
        "cores": len(os.sched_getaffinity(0)),
    }


def memory() -> dict[str, float]:
    """Gives MB of resident memory: all and its peak, the process's own, and pages of files, which may be dropped."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0][:-1]: int(words[1]) * 1024 / 1e6 for words in lines if words[0][:-1] in KINDS_OF_MEMORY}


class Sampler:
    """Looks at the memory of this process again and again, in a thread."""

    def __enter__(self) -> "Sampler":
        self.most = memory()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _look(self) -> None:
        while True:
            for name, now in memory().items():
                self.most[name] = max(self.most[name], now)
            if self._done.wait(SAMPLE_SECONDS):
                return


def summarize_time(rows: list[Measured]) -> None:
    print(f"  {'':<55} seconds (of a processor)   MB grown: sampled (own, files); peak; ru_maxrss; before")
    for row in rows:
        grown = row["growth_mb"]
        print(
            f"  {row['name']:<55} {row['seconds']:.2f} ({row['processor_seconds']:.2f})   "
            f"{grown['VmRSS']:.0f} ({grown['RssAnon']:.0f}, "
            f"{grown['RssFile']:.0f}); {grown['VmHWM']:.0f}; {row['growth_mb_maxrss']:.0f}; {row['mb_before']:.0f}"
        )


FLOORS: dict[str, tuple[Head, Callable[[Setting], Rows]]] = {
    "MNIST, sigmoid": (HEADS["sigmoid, cross-entropy"], lambda setting: unit(np.concatenate(setting.images[:2]))),
    "MNIST, from logits": (
        HEADS["linear, cross-entropy from logits"],
        lambda setting: unit(np.concatenate(setting.images[:2])),
    ),
    "MNIST, rows of sum 1, softmax": (
        Head("softmax", "categorical_crossentropy"),
        lambda setting: of_sum_one(np.concatenate(setting.images[:2])),
    ),
    "Fashion-MNIST, sigmoid": (
        HEADS["sigmoid, cross-entropy"],
        lambda setting: unit(cw.datasets.load_fashion_mnist()[0][0].reshape(-1, 784)),
    ),
    "uniform random numbers, sigmoid": (
        HEADS["sigmoid, cross-entropy"],
        lambda setting: np.random.default_rng(0).random((10_000, 784), np.float32),
    ),
}
PARTS: dict[str, tuple[Callable[[ResultsFile, Setting], None], Callable[[list[Measured]], None]]] = {
    "by_hand": (by_hand, summarize_by_hand),
    "remedied": (remedied, summarize_remedied),
    "floor": (floor, summarize_floor),
    "time": (seconds_and_memory, summarize_time),
}


if __name__ == "__main__":
    main()
