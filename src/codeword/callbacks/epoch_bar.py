"""One progress bar for a whole training, where epochs are too short for one each."""

from typing import Any

from tqdm import tqdm

from codeword.backend import keras


class EpochBar(keras.callbacks.Callback):
    """Shows the epochs done, the time left and the loss.

    Args:
        description: Shown before the bar.
    """

    looks_at_model = False

    def __init__(self, description: str) -> None:
        super().__init__()
        self._description = description

    def on_train_begin(self, logs: Any = None) -> None:
        self._bar = tqdm(total=self.params["epochs"], desc=self._description, unit="epoch")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._bar.set_postfix({name: f"{float(value):.4f}" for name, value in (logs or {}).items()}, refresh=False)
        self._bar.update()

    def on_train_end(self, logs: Any = None) -> None:
        self._bar.close()
