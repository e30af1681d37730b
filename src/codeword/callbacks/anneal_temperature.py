"""Temperatures that fall from epoch to epoch."""

from typing import Any

from codeword.backend import keras
from codeword.errors import ParameterError
from codeword.keras_internals import flat_layers
from codeword.layers import Hardmax
from codeword.surrogates import TEMPERATURE


class AnnealTemperature(keras.callbacks.Callback):
    """Lower the temperature of every annealed `Hardmax` from its initial value to `last`.

    A high temperature lets all choices learn. A low one comes close to the hard choice. The temperature falls by the
    same factor in every epoch. It does not change the layer's output, only its gradient.

    Args:
        last: Positive float, the temperature of the last epoch, in units of the scores.

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
        TEMPERATURE.check("last", last)
        self.last = last

    def on_train_begin(self, logs: Any = None) -> None:
        if not self._layers():
            names = ", ".join(layer.name for layer in self.model.layers[:9])
            raise ParameterError(
                f"`AnnealTemperature` needs a model with a `Hardmax(annealed=True)`: got the layers {names}."
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        share = min(1.0, epoch / max(1, self.params["epochs"] - 1))
        for layer in self._layers():
            layer.current_temperature.assign(layer.temperature * (self.last / layer.temperature) ** share)

    def _layers(self) -> list[Hardmax]:
        return [layer for layer in flat_layers(self.model) if isinstance(layer, Hardmax) and layer.annealed]
