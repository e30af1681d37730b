"""A hard choice in the middle of a network."""

from typing import Any

from codeword import activations
from codeword.backend import keras
from codeword.layers.hard_layer import HardLayer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class Hardmax(HardLayer):
    """Gives the one-hot of the maximum along an axis; among equals the first wins.

    Gradient:
        "softmax": that of `softmax(inputs / temperature)` along `axis`. "straight_through": 1.

    Args:
        axis: Axis of the choice.
        slope: "softmax" or "straight_through".
        temperature: Positive float, in units of the input.

    Call arguments:
        inputs: Float tensor of any rank above 1: scores, any range.

    Returns:
        Tensor of the same shape and dtype: along `axis` one 1, the rest 0.

    Raises:
        ParameterError: If `slope` is unknown or `temperature` is not positive.

    Example:
        >>> chosen = Hardmax()(np.array([[0.1, 0.7, 0.7]]))
        >>> keras.ops.convert_to_numpy(chosen).tolist()
        [[0.0, 1.0, 0.0]]

    Source:
        Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, section 2.2, without the noise.
    """

    def __init__(self, axis: int = -1, *, slope: str = "softmax", temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        activations.check_hardmax(slope, temperature)
        self.axis = axis
        self.slope = slope
        self.temperature = temperature

    def call(self, inputs: Any) -> Any:
        return activations.hardmax(self.as_called(inputs), self.axis, self.slope, self.temperature)

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
        return {**super().get_config(), "axis": self.axis, "slope": self.slope, "temperature": self.temperature}
