"""A hard choice in the middle of a network."""

from typing import Any

from codeword import random_numbers, surrogates
from codeword.backend import keras
from codeword.exact_tensors import index_of_maximum, widened
from codeword.layers.hard_layer import HardLayer
from codeword.settings import TRAINING, boolean, integer, one_of, optional

ops = keras.ops

DRAWN = ("gumbel", "reinmax")

SETTINGS = {
    "axis": integer(None),
    "slope": one_of(*surrogates.CHOICE_SLOPES),
    "temperature": surrogates.TEMPERATURE,
    "annealed": boolean,
    "seed": optional(TRAINING["seed"]),
}


@keras.saving.register_keras_serializable(package="codeword")
class Hardmax(HardLayer):
    """Return the one-hot of the maximum along an axis; the first of equal maxima wins.

    With `slope="gumbel"` or "reinmax" the choice is drawn in training, with the probabilities `softmax(inputs)`. In
    inference nothing is drawn.

    Gradient:
        "softmax": the gradient of `softmax(inputs / temperature)` along `axis`. "gumbel": the same, of inputs plus
        Gumbel noise. "reinmax": a gradient that is exact to second order for the drawn choice.

    Args:
        axis: Axis of the choice.
        slope: "softmax", "gumbel" or "reinmax".
        temperature: Positive float, in units of the input, for the softmax. "reinmax" needs 2 to 4: at 1 the gate of
            docs/slopes.md did not train.
        annealed: Whether the temperature is a variable that `callbacks.AnnealTemperature` lowers in training.
        seed: Integer from 0 to 2**32 - 1. None: derived from Keras' global seed.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of rank 2 or more: scores, any range.
        training: Whether "gumbel" and "reinmax" draw.

    Returns:
        Tensor of the same shape and dtype: along `axis` one 1, the rest 0.

    Raises:
        ParameterError: If a setting is not allowed.

    Example:
        >>> keras.ops.convert_to_numpy(Hardmax()(np.array([[0.1, 0.7, 0.7]]))).tolist()
        [[0.0, 1.0, 0.0]]

    References:
        Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, section 2.2 ("gumbel", and "softmax"
        without the noise); Liu et al., "Bridging Discrete and Backpropagation", 2023 ("reinmax").
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
        self.keep(SETTINGS, axis=axis, slope=slope, temperature=temperature, annealed=annealed, seed=seed)
        if slope in DRAWN:
            self.seed_generator = keras.random.SeedGenerator(seed)
        if annealed:
            # Here and not in `build`: TensorFlow builds a network only in its first step, after `on_epoch_begin`.
            self.current_temperature = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(temperature),
                trainable=False,
                dtype="float32",
                autocast=False,  # half precision would turn a small one into 0
                name="temperature",
            )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = self.as_called(inputs)
        temperature = self.current_temperature.value if self.annealed else self.temperature
        if not training or self.slope not in DRAWN:
            return surrogates.choice(x, self.axis, "softmax", temperature)
        # Gumbel noise: the maximum of scores plus noise falls on each with the probabilities of their softmax.
        noise = -ops.log(-ops.log(random_numbers.uniform(x, self.seed_generator)))
        return surrogates.choice(x, self.axis, self.slope, temperature, noise=noise)

    def symbols(self, inputs: Any) -> Any:
        return index_of_maximum(self.as_called(inputs), self.axis)

    def margin(self, inputs: Any) -> Any:
        """Return the difference of the best and the second best score; infinity where there is only one score."""
        scores = ops.moveaxis(widened(self.as_called(inputs)), self.axis, -1)
        if scores.shape[-1] == 1:
            return ops.full_like(scores[..., 0], float("inf"))
        best_two = ops.top_k(scores, 2)[0]
        best, second = best_two[..., 0], best_two[..., 1]
        # Two infinite scores are a tie, but their difference would be NaN.
        return ops.where(ops.equal(best, second), 0.0, best - second)
