"""Bit flips and truncations of our own files.

One bit of a file is changed, or its end is cut off, and the file is read. It must be refused, or answer exactly as
before: some bits mean nothing, such as those of free blocks in a store. An answer that changed unnoticed is a failure.
Codes that 0.1 wrote have notes that know nothing of the codes: there flips cannot be noticed, and are not counted here.

    python -m reliability.bit_flips [--full]
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from reliability.children import in_child
from reliability.fuzzing.batches import Case, ChangedError, load_libraries, memory_folder, run_batch
from reliability.golden import golden
from reliability.results import Row, Size, run

KINDS = ("changed unnoticed", "foreign errors", "code run", "crashes", "hangs", "memory")
FINGERPRINT = "0123456789abcdef" * 4


class Format(NamedTuple):
    """A format: what writes its files to a folder, which of them is damaged, what reads them, and how many damages."""

    name: str
    write: Callable[[Path], Any]
    file: str
    read: Callable[[Path], Any]
    counts: tuple[int, int, int | None]  # smoke, usual, full; None: every bit and every length


def attacks(size: Size) -> Iterator[Row]:
    load_libraries()
    for one in FORMATS:
        with tempfile.TemporaryDirectory(prefix="flips-", dir=memory_folder()) as folder:
            yield flipped(one, size.of(*one.counts), Path(folder))


def flipped(one: Format, most: int | None, folder: Path) -> Row:
    inputs = folder / "inputs"
    inputs.mkdir()
    row = Row.of_kinds(one.name, *KINDS)
    assert in_child(one.write, inputs, seconds=120).ending == "returned"
    whole, right = {path: path.read_bytes() for path in inputs.iterdir()}, in_child(one.read, inputs).value
    assert right is not None
    content = whole[inputs / one.file]
    cases = 9 * len(content)  # eight bits a byte, and its loss with all that follows
    numbers = range(cases) if most is None or most >= cases else sorted(Random(0).sample(range(cases), most))

    def write(random: Random, inputs: Path, number: int) -> Callable[[], Any]:
        for path, unchanged in whole.items():
            if path.name != one.file and (not path.exists() or path.stat().st_size != len(unchanged)):
                path.write_bytes(unchanged)
        place, bit = divmod(numbers[number], 9)
        (inputs / one.file).write_bytes(_damaged(content, place, bit))

        def read() -> None:
            if one.read(inputs) != right:
                raise ChangedError(f"byte {place} of {len(content)}, {f'bit {bit}' if bit < 8 else 'cut off here'}")

        return read

    def on_failure(kind: str, words: str) -> None:
        row.fail(kind, words)

    accepted = sum(
        run_batch(Case(write), 0, start, min(start + 2_000, len(numbers)), inputs, on_failure)
        for start in range(0, len(numbers), 2_000)
    )
    row.cases = len(numbers)
    row.figures = {"of possible": f"{cases:,}", "without meaning": f"{accepted:,}"}
    return row


def _damaged(content: bytes, place: int, bit: int) -> bytes:
    if bit == 8:
        return content[:place]
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def _copied(name: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(*golden(name))


def _read_model(folder: Path) -> Any:
    from codeword.files.model_file import read_model_file

    (path,) = folder.glob("*.codeword")
    config, arrays = read_model_file(path)
    return config, {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}


def _codes() -> Any:
    return np.random.default_rng(0).integers(0, 256, (12, 8), np.uint8)


def _written(suffix: str) -> Callable[[Path], Any]:
    def write(folder: Path) -> None:
        from codeword import Bits
        from codeword.files.output_table import write_codes

        write_codes(folder / f"codes{suffix}", _codes(), fingerprint=FINGERPRINT, kind=Bits(64))

    return write


def _read_codes(folder: Path) -> Any:
    from codeword.files.codes import read_codes

    (path,) = (path for path in folder.iterdir() if path.name.startswith("codes") and path.suffix != ".json")
    codes, kind = read_codes(path, fingerprint=FINGERPRINT)
    return codes.tolist(), str(kind)


def _write_store(folder: Path) -> Any:
    import codeword

    store = codeword.CodeStore(folder / "store.duckdb")
    codes = np.random.default_rng(0).integers(0, 256, (3_000, 8), np.uint8)
    store.append(None, codes, {"label": [f"label {number % 7}" for number in range(3_000)], "year": np.arange(3_000)})


def _read_store(folder: Path) -> Any:
    import codeword

    store = codeword.CodeStore(folder / "store.duckdb", timeout_seconds=1)
    stored = store.get(range(len(store)))
    found = store.search(stored.codes[:3], k=5)
    metadata = {name: values.tolist() for name, values in stored.metadata.items()}
    return store.fingerprint, store.num_bits, stored.codes.tolist(), metadata, [part.tolist() for part in found]


def _write_export(folder: Path) -> Any:
    import codeword

    with tempfile.TemporaryDirectory() as other:
        store = codeword.CodeStore(Path(other) / "store.duckdb")
        store._fingerprint, store._code = FINGERPRINT, codeword.Bits(64)
        store.append(None, _codes(), {"label": list("abcabcabcabc")})
        store.export_parquet(folder / "codes.parquet")


def _read_export(folder: Path) -> Any:
    import codeword

    with tempfile.TemporaryDirectory() as other:
        store = codeword.CodeStore(Path(other) / "store.duckdb")
        store.import_parquet(folder / "codes.parquet")
        stored = store.get(range(12))
        return store.fingerprint, stored.codes.tolist(), stored.metadata["label"].tolist()


FORMATS = (
    Format("model of ratings", _copied("ratings.codeword"), "ratings.codeword", _read_model, (200, 2_000, None)),
    Format("model of an autoencoder", _copied("model.codeword"), "model.codeword", _read_model, (200, 2_000, None)),
    Format("model of a gate", _copied("gate.codeword"), "gate.codeword", _read_model, (200, 2_000, None)),
    Format("codes in .npy", _written(".npy"), "codes.npy", _read_codes, (100, None, None)),
    Format("note of codes in .npy", _written(".npy"), "codes.npy.json", _read_codes, (100, None, None)),
    Format("codes in .csv", _written(".csv"), "codes.csv", _read_codes, (20, 300, None)),
    Format("note of codes in .csv", _written(".csv"), "codes.csv.json", _read_codes, (20, 300, None)),
    Format("codes in .parquet", _written(".parquet"), "codes.parquet", _read_codes, (20, 300, None)),
    Format("store", _write_store, "store.duckdb", _read_store, (10, 200, 20_000)),
    Format("export of a store", _write_export, "codes.parquet", _read_export, (10, 200, 6_000)),
)

if __name__ == "__main__":
    run(__file__, attacks)
