"""Rounded scalars in the middle of a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword import surrogates
from codeword.activations import representable
from codeword.backend import keras
from codeword.code_kinds import Scalars, scalar_values
from codeword.errors import ParameterError
from codeword.layers.hard_layer import HardLayer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class ScalarQuantizer(HardLayer):
    """Rounds every number to one of `steps` equally spaced values, so that 256 steps are one byte.

    Gradient:
        1 from `minimum` to `maximum`; outside `surrogates.slope_of(distance, slope, width)`.

    Args:
        steps: Number of values, 2 to 65536; or one number for each column of the last axis.
        minimum, maximum: Range of the values, in units of the input; what lies outside is clipped.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. How far outside the range an input may lie and still learn. None:
            a twelfth of the range.

    Call arguments:
        inputs: Float tensor of shape `(..., num_scalars)`, any range.

    Returns:
        Tensor of the same shape and dtype; every value is `minimum + k (maximum - minimum) / (steps - 1)` for a whole
        k, taken from one table of float32 numbers.

    Raises:
        ParameterError: If a setting cannot work, or two steps are the same number in the layer's dtype (300 steps
            from 0 to 1 are in bfloat16).

    Example:
        >>> rounded = ScalarQuantizer(steps=5)(np.array([[-1., .3, .6, 2.]]))
        >>> keras.ops.convert_to_numpy(rounded).tolist()
        [[0.0, 0.25, 0.5, 1.0]]
    """

    def __init__(
        self,
        steps: int | Sequence[int] = 256,
        *,
        minimum: float = 0.0,
        maximum: float = 1.0,
        slope: str = "tanh",
        width: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        several = isinstance(steps, Sequence | np.ndarray) and not isinstance(steps, str)
        self.steps = Scalars(len(steps) if several else 1, steps=steps).steps  # type: ignore[arg-type]
        if not -np.inf < minimum < maximum < np.inf:
            raise ParameterError(f"`minimum` must be below `maximum`. Received: {minimum!r} and {maximum!r}.")
        surrogates.check_slope(slope, 1.0 if width is None else width)
        self.minimum = float(minimum)
        self.maximum = float(maximum)
        self.slope = slope
        self.width = None if width is None else float(width)

    def build(self, input_shape: Any) -> None:
        if isinstance(self.steps, tuple) and input_shape[-1] != len(self.steps):
            raise ParameterError(
                f"`steps` must be one number or one for each of the {input_shape[-1]} columns. "
                f"Received: {len(self.steps)} numbers."
            )
        for row in scalar_values(self._counts(), self.minimum, self.maximum):
            representable(row, self.compute_dtype)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        inputs = self.as_called(inputs)
        table = scalar_values(self._counts(), self.minimum, self.maximum)
        index = self.symbols(inputs)
        if isinstance(self.steps, tuple):
            index = index + ops.arange(len(table), dtype="int32") * table.shape[1]
        hard = ops.take(ops.cast(ops.convert_to_tensor(table.ravel()), inputs.dtype), index)
        width = (self.maximum - self.minimum) / 12 if self.width is None else self.width
        distance = ops.maximum(ops.maximum(self.minimum - inputs, inputs - self.maximum), 0)
        return surrogates.with_slope(hard, inputs, surrogates.slope_of(distance, self.slope, width))

    def symbols(self, inputs: Any) -> Any:
        return ops.cast(ops.round(self._position(inputs)), "int32")

    def margin(self, inputs: Any) -> Any:
        last = self._last_step()
        position = (self._wide(inputs) - self.minimum) * (last / (self.maximum - self.minimum))
        nearest_edge = ops.clip(ops.floor(position), 0, last - 1) + 0.5
        return ops.abs(position - nearest_edge) / last * (self.maximum - self.minimum)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "steps": list(self.steps) if isinstance(self.steps, tuple) else self.steps,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "slope": self.slope,
            "width": self.width,
        }

    def _position(self, inputs: Any) -> Any:
        """Gives where each input lies on the steps, 0 to steps - 1; NaN counts as the minimum."""
        last = self._last_step()
        position = (self._wide(inputs) - self.minimum) * (last / (self.maximum - self.minimum))
        return ops.clip(ops.where(ops.isnan(position), 0.0, position), 0, last)

    def _wide(self, inputs: Any) -> Any:
        return ops.cast(self.as_called(inputs), "float32")

    def _last_step(self) -> Any:
        return ops.convert_to_tensor(np.array(self._counts(), np.float32) - 1)

    def _counts(self) -> tuple[int, ...]:
        return self.steps if isinstance(self.steps, tuple) else (int(self.steps),)
