"""What happens between the epochs of a training."""

from typing import Any

from codeword.activations import check_temperature
from codeword.backend import keras
from codeword.errors import ParameterError
from codeword.layers import Hardmax


class AnnealTemperature(keras.callbacks.Callback):
    """Lowers the temperature of every annealed `Hardmax`, from its own in the first epoch to `last` in the last.

    A high temperature lets all choices learn, a low one comes near to what the hard choice does. Between the two it
    falls by the same factor in every epoch. What the layer gives does not depend on it, only what it learns.

    Args:
        last: Positive float, in units of the scores.

    Raises:
        ParameterError: If `last` is not positive, or the model has no `Hardmax(annealed=True)`.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), Hardmax(annealed=True)])
        >>> model.compile("adam", loss="mse")
        >>> x, y, anneal = np.ones((8, 4)), np.ones((8, 3)), AnnealTemperature(last=0.25)
        >>> history = model.fit(x, y, epochs=3, callbacks=[anneal], verbose=0)
        >>> float(model.layers[-1].current_temperature)
        0.25
    """

    def __init__(self, last: float = 0.25) -> None:
        super().__init__()
        check_temperature("last", last)
        self.last = last

    def on_train_begin(self, logs: Any = None) -> None:
        if not self._layers():
            names = [layer.name for layer in self.model.layers]
            raise ParameterError(
                "AnnealTemperature needs a layer whose temperature may change. Received: a model of "
                f"{', '.join(names[:9])}. Make it by Hardmax(annealed=True)."
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        share = min(1.0, epoch / max(1, self.params["epochs"] - 1))
        for layer in self._layers():
            layer.current_temperature.assign(layer.temperature * (self.last / layer.temperature) ** share)

    def _layers(self) -> list[Hardmax]:
        return [layer for layer in self.model._flatten_layers() if isinstance(layer, Hardmax) and layer.annealed]
