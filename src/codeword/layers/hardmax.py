"""A hard choice in the middle of a network."""

from typing import Any

import numpy as np

from codeword import activations, random_numbers
from codeword.backend import keras
from codeword.errors import ParameterError
from codeword.layers.hard_layer import HardLayer

ops = keras.ops

SLOPES = ("softmax", "gumbel", "reinmax")
SAMPLED = ("gumbel", "reinmax")


@keras.saving.register_keras_serializable(package="codeword")
class Hardmax(HardLayer):
    """Gives the one-hot of the maximum along an axis; among equals the first wins.

    Gradient:
        "softmax": that of `softmax(inputs / temperature)` along `axis`. "gumbel" and "reinmax" draw the choice in
        training, with the odds `softmax(inputs)`; "gumbel" has the gradient of a softmax of inputs and noise, "reinmax"
        one that is exact to second order. In inference nothing is drawn.

    Args:
        axis: Axis of the choice.
        slope: "softmax", "gumbel" or "reinmax".
        temperature: Positive float, in units of the input, for the softmax. "reinmax" wants 2 to 4: at 1 the gate of
            docs/slopes.md did not train.
        annealed: Whether the temperature is a variable that `callbacks.AnnealTemperature` lowers in training.
        seed: Of the random numbers; None: from Keras' global seed.

    Call arguments:
        inputs: Float tensor of any rank above 1: scores, any range.
        training: Whether "gumbel" and "reinmax" draw.

    Returns:
        Tensor of the same shape and dtype: along `axis` one 1, the rest 0.

    Raises:
        ParameterError: If `slope` is unknown or `temperature` is not positive.

    Example:
        >>> chosen = Hardmax()(np.array([[0.1, 0.7, 0.7]]))
        >>> keras.ops.convert_to_numpy(chosen).tolist()
        [[0.0, 1.0, 0.0]]

    Source:
        Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, section 2.2 ("gumbel", and "softmax"
        without its noise); Liu et al., "Bridging Discrete and Backpropagation", 2023 ("reinmax").
    """

    def __init__(
        self,
        axis: int = -1,
        *,
        slope: str = "softmax",
        temperature: float = 1.0,
        annealed: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if slope not in SLOPES:
            raise ParameterError(f"`slope` of Hardmax must be one of {', '.join(SLOPES)}. Received: {slope!r}.")
        activations.check_temperature("temperature", temperature)
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
            raise ParameterError(f"`axis` must be an integer. Received: {axis!r}.")
        self.axis = int(axis)
        self.slope = slope
        self.temperature = float(temperature)
        self.annealed = bool(annealed)
        self.seed = seed
        if slope in SAMPLED:
            self.seed_generator = keras.random.SeedGenerator(seed)
        if annealed:
            # Here and not in `build`: TensorFlow builds a network only in its first step, after `on_epoch_begin`.
            self.current_temperature = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(temperature),
                trainable=False,
                dtype="float32",
                autocast=False,  # half precision would make 0 of a small one
                name="temperature",
            )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = self.as_called(inputs)
        temperature = self.current_temperature.value if self.annealed else self.temperature
        drawn = training and self.slope in SAMPLED
        noise = self._gumbel_noise(x) if drawn else None
        slope = "reinmax" if drawn and self.slope == "reinmax" else "softmax"
        return activations.choice(x, self.axis, slope, temperature, noise=noise)

    def symbols(self, inputs: Any) -> Any:
        return activations.index_of_maximum(self.as_called(inputs), self.axis)

    def margin(self, inputs: Any) -> Any:
        """Gives how far the best score lies before the second best; infinite where there is no second."""
        scores = ops.moveaxis(activations.widened(self.as_called(inputs)), self.axis, -1)
        if scores.shape[-1] == 1:
            return ops.full_like(scores[..., 0], float("inf"))
        best_two = ops.top_k(scores, 2)[0]
        best, second = best_two[..., 0], best_two[..., 1]
        # Two infinite scores are a tie; their difference would be NaN.
        return ops.where(ops.equal(best, second), 0.0, best - second)

    def get_config(self) -> dict[str, Any]:
        settings = {"slope": self.slope, "temperature": self.temperature, "annealed": self.annealed, "seed": self.seed}
        return {**super().get_config(), "axis": self.axis, **settings}

    def _gumbel_noise(self, x: Any) -> Any:
        """Gives noise whose maximum over scores and it falls on each with the odds of their softmax."""
        # Neither 0 nor 1 is drawn, whose logarithms would be infinite.
        return -ops.log(-ops.log(random_numbers.uniform(x, self.seed_generator)))
