"""One plain line per epoch."""

import sys
from typing import Any

from tqdm.auto import tqdm

from codeword.backend import keras
from codeword.callbacks.epoch_bar import formatted


class EpochLines(keras.callbacks.Callback):
    """Print one plain line per epoch to stderr, with the loss and the metrics.

    `codeword.fit` and the estimators use it for `verbose=2`.
    """

    looks_at_model = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        figures = " ".join(f"{name}={value}" for name, value in formatted(logs).items())
        tqdm.write(f"epoch {epoch + 1}/{self.params['epochs']}: {figures}", file=sys.stderr)
