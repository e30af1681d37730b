"""Inference in batches of one fixed size, so that a row gives the same numbers alone as among 10,000."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

BATCH_ROWS = 256


def in_fixed_batches(
    model: Any,
    x: NDArray[Any],
    *,
    prepare: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
    description: str,
    verbose: int = 0,
) -> Iterator[tuple[slice, Any]]:
    """Runs a Keras model over rows, each time on exactly `BATCH_ROWS` of them.

    Matrix products round differently for other batch sizes, which could turn a bit that lies on its threshold. So the
    last batch is filled up with copies of its last row, whose results are dropped.

    Args:
        model: Keras model of one input.
        x: `n` rows. Without rows the model still runs once, so that shapes and dtypes are known.
        prepare: Turns a batch of `x` into the model's input.
        description: Shown before the progress bar, which appears after two seconds.
        verbose: 0 for no bar.

    Yields:
        The slice of rows, and the model's output for them: an array or a list of arrays.
    """
    starts = range(0, max(len(x), 1), BATCH_ROWS)
    for start in tqdm(starts, desc=description, unit="batch", delay=2, disable=not verbose):
        rows = x[start : start + BATCH_ROWS]
        missing = BATCH_ROWS - len(rows)
        filling = np.repeat(rows[-1:], missing, axis=0) if len(rows) else np.zeros((missing, *x.shape[1:]), x.dtype)
        output = model.predict_on_batch(prepare(np.concatenate([rows, filling]) if missing else rows))
        if isinstance(output, list | tuple):
            yield slice(start, start + len(rows)), [np.asarray(part)[: len(rows)] for part in output]
        else:
            yield slice(start, start + len(rows)), np.asarray(output)[: len(rows)]
