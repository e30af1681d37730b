"""The progress that `verbose` asks for, on stderr; Keras' own bars would write escape characters to stdout."""

import sys
from typing import Any

from tqdm.auto import tqdm

from codeword.backend import keras

FORMAT = "{l_bar}{bar}| {n:1.4g}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


class EpochBar(keras.callbacks.Callback):
    """Show one progress bar for all epochs on stderr, with the time left, the loss and the metrics.

    Within long epochs the bar moves with the batches. `codeword.fit` and the estimators use it for `verbose=1`.

    Args:
        description: Text before the bar.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> model.compile("adam", loss="mse")
        >>> bar = EpochBar("my network")
        >>> history = model.fit(np.ones((8, 4)), np.ones((8, 3)), epochs=3, callbacks=[bar], verbose=0)
    """

    looks_at_model = False
    async_safe = True  # Keras may call it in a thread of its own

    def __init__(self, description: str = "fit") -> None:
        super().__init__()
        self.description = description
        self._bar: Any = None
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        if self._bar is None:
            total = self.params["epochs"]
            self._bar = tqdm(total=total, initial=epoch, desc=self.description, unit="epoch", bar_format=FORMAT)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.params.get("steps"):
            self._move(self._epoch + (batch + 1) / self.params["steps"], logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._move(epoch + 1, logs)

    def on_train_end(self, logs: Any = None) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _move(self, epochs: float, logs: Any) -> None:
        self._bar.set_postfix(_formatted(logs), refresh=False)
        self._bar.update(max(0.0, epochs - self._bar.n))


class EpochLines(keras.callbacks.Callback):
    """Print one plain line per epoch to stderr, with the loss and the metrics.

    `codeword.fit` and the estimators use it for `verbose=2`.
    """

    looks_at_model = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        figures = " ".join(f"{name}={value}" for name, value in _formatted(logs).items())
        tqdm.write(f"epoch {epoch + 1}/{self.params['epochs']}: {figures}", file=sys.stderr)


def with_progress(callbacks: Any, verbose: bool | int | str) -> Any:
    """Return callbacks and the one that `verbose` of `fit` asks for; a `CallbackList` unchanged, as Keras does."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    callbacks = keras.tree.flatten(callbacks) if callbacks else []
    if verbose == "auto" or verbose == 1:
        return [*callbacks, EpochBar()]
    return [*callbacks, EpochLines()] if verbose else callbacks


def _formatted(logs: Any) -> dict[str, str]:
    return {name: f"{float(value):.4f}" for name, value in (logs or {}).items()}
