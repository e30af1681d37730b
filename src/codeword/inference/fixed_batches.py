"""Inference in batches of one fixed size, so that a row has the same result alone as among 10,000."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from codeword.inference.compiled_inference import compiled_inference

# A single row costs a whole batch, so with 512 it took twice as long. Many rows then took 0.9 to 0.95 of the time with
# 784 cells per row, and 0.65 to 0.8 with 64.
BATCH_ROWS = 256
CELLS_PER_PIECE = 1 << 20  # 0.866 of bare products; 0.777 with 1 << 18, when the device waits between pieces


class Rows(Protocol):
    """An array, or an object that returns one for each slice."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


def in_fixed_batches(
    model: Any,
    x: Rows,
    *,
    prepare: Callable[[NDArray[Any], int | None], NDArray[Any]] = lambda rows, first_row: rows,
    take: Callable[[Any], Any] = lambda outputs: outputs,
    description: str,
    verbose: bool | int = 0,
) -> Iterator[tuple[slice, Any]]:
    """Run a Keras model over rows, on exactly `BATCH_ROWS` of them at a time.

    Matrix products round differently for other batch sizes, which could flip a bit at its threshold. So the last batch
    is padded with copies of its last row, whose results are dropped.

    Rows are read and prepared in pieces of whole batches, the next piece while the device computes. Only one piece is
    in memory.

    Args:
        model: Keras model with one input.
        x: `n` rows. Without rows the model still runs once, so that shapes and dtypes are known.
        prepare: Function from a piece of rows, and the number of its first row or None if it is all, to the model's
            input.
        take: Function that selects from the model's outputs what to copy from the device.
        description: Text before the progress bar, which appears after two seconds.
        verbose: 0 or False for no progress bar.

    Yields:
        The slice of rows of a piece, and the model's output for them: an array or a list of arrays.
    """
    infer = compiled_inference(model)
    num_rows = _rows_per_piece(model)
    computed: tuple[slice, list[Any]] | None = None
    with tqdm(total=len(x), desc=description, unit=" rows", delay=2, disable=not verbose) as bar:
        for start in range(0, max(len(x), 1), num_rows):
            part = slice(start, min(start + num_rows, len(x)))
            rows = x[part]
            rows = prepare(rows, None if len(rows) == len(x) else start)
            outputs = [take(infer(batch)) for batch in _batches(rows)]
            if computed is not None:
                yield _fetched(*computed)
                bar.update(num_rows)
            computed = part, outputs
        assert computed is not None, "one batch at least"
        yield _fetched(*computed)
        bar.update(len(x) - computed[0].start)


def collected(pieces: Iterable[tuple[slice, Sequence[NDArray[Any]]]], num_rows: int) -> list[NDArray[Any]]:
    """Put the arrays of all pieces of rows into whole arrays."""
    whole: list[NDArray[Any]] = []
    for rows, arrays in pieces:
        whole = whole or [np.empty((num_rows, *array.shape[1:]), array.dtype) for array in arrays]
        for target, array in zip(whole, arrays, strict=True):
            target[rows] = array
    return whole


def _rows_per_piece(model: Any) -> int:
    shapes = [tensor.shape[1:] for tensor in (*model.inputs, *model.outputs)]
    cells = max(math.prod(size or 1 for size in shape) for shape in shapes)
    return max(1, CELLS_PER_PIECE // (cells * BATCH_ROWS)) * BATCH_ROWS


def _batches(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, max(len(rows), 1), BATCH_ROWS):
        batch = rows[start : start + BATCH_ROWS]
        missing = BATCH_ROWS - len(batch)
        if missing:
            filling = np.repeat(batch[-1:], missing, axis=0) if len(batch) else np.zeros((missing, *rows.shape[1:]))
            batch = np.concatenate([batch, filling.astype(rows.dtype, copy=False)])
        yield batch


def _fetched(part: slice, outputs: list[Any]) -> tuple[slice, Any]:
    """Join the outputs of the batches, without the padding of the last one."""
    num_rows = part.stop - part.start
    if isinstance(outputs[0], list | tuple):
        return part, [_joined(several)[:num_rows] for several in zip(*outputs, strict=True)]
    return part, _joined(outputs)[:num_rows]


def _joined(arrays: Sequence[Any]) -> NDArray[Any]:
    joined = [np.asarray(array) for array in arrays]
    return joined[0] if len(joined) == 1 else np.concatenate(joined)
