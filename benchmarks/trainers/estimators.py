"""`cw.Autoencoder` on the rows of a network; its first epoch, in which it compiles, is not counted."""

import time
from typing import Any

from networks import Network, Rows

import codeword as cw
from codeword.backend import keras


def make(network: Network, rows: Rows, **settings: Any) -> Any:
    assert network.middle is not None
    common = {"hidden": (network.hidden,), "batch_size": network.batch, "similar": "nothing", "verbose": 0}
    code = cw.Bits(network.middle)

    def train(epochs: int) -> tuple[list[float], float]:
        clock = Clock()
        model = cw.Autoencoder(data=cw.UnitInterval(), code=code, epochs=epochs + 1, **common, **settings)
        model.fit(rows, callbacks=[clock])
        return model.history_["loss"][:2], clock.seconds

    return train


class Clock(keras.callbacks.Callback):
    """Measures from the end of the first epoch to the end of training."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 0:
            self.start = time.perf_counter()

    def on_train_end(self, logs: Any = None) -> None:
        self.seconds = time.perf_counter() - self.start
