"""Measures a training from the end of its first epoch on."""

import time
from typing import Any

from codeword.backend import keras


class Clock(keras.callbacks.Callback):
    """Measures from the end of the first epoch to the end of training."""

    looks_at_model = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 0:
            self.start = time.perf_counter()

    def on_train_end(self, logs: Any = None) -> None:
        self.seconds = time.perf_counter() - self.start
