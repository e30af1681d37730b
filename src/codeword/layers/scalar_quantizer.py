"""Rounded scalars in the middle of a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword import surrogates
from codeword.backend import keras
from codeword.code_kinds import Scalars, scalar_values
from codeword.errors import ParameterError
from codeword.exact_tensors import representable
from codeword.layers.hard_layer import HardLayer
from codeword.settings import as_plain, number, optional
from codeword.surrogates import SLOPE_SETTINGS

ops = keras.ops

SETTINGS = {
    "minimum": number(),
    "maximum": number(),
    "slope": SLOPE_SETTINGS["slope"],
    "width": optional(SLOPE_SETTINGS["width"]),
}


@keras.saving.register_keras_serializable(package="codeword")
class ScalarQuantizer(HardLayer):
    """Round each input to one of `steps` equally spaced values; 256 steps are one byte.

    Gradient:
        1 from `minimum` to `maximum`; outside `surrogates.slope_of(distance, slope, width)`.

    Args:
        steps: Number of values, 2 to 65536; or one number for each column of the last axis.
        minimum: Smallest value, in units of the input. Inputs below it are clipped.
        maximum: Largest value, in units of the input. Inputs above it are clipped.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. Inputs much farther outside the range get almost no gradient.
            None: a twelfth of the range.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of shape `(..., num_scalars)`, any range.

    Returns:
        Tensor of the same shape and dtype; every value is `minimum + k (maximum - minimum) / (steps - 1)` for an
        integer k, looked up in a table of float32 numbers.

    Raises:
        ParameterError: If a setting is not allowed, or two values are the same number in the layer's dtype, as 300
            steps from 0 to 1 are in bfloat16.

    Example:
        >>> rounded = ScalarQuantizer(steps=5)(np.array([[-1.0, 0.3, 0.6, 2.0]]))
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
        self.keep(SETTINGS, minimum=minimum, maximum=maximum, slope=slope, width=width)
        if not minimum < maximum:
            raise ParameterError(f"`minimum` must be below `maximum`: got {minimum!r} and {maximum!r}.")

    def build(self, input_shape: Any) -> None:
        if isinstance(self.steps, tuple) and input_shape[-1] != len(self.steps):
            raise ParameterError(
                f"`steps` must be one number, or one for each of the {input_shape[-1]} columns: "
                f"got {len(self.steps)} numbers."
            )
        for row in scalar_values(self._counts(), self.minimum, self.maximum):
            representable(row, self.compute_dtype)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        inputs = self.as_called(inputs)
        table = scalar_values(self._counts(), self.minimum, self.maximum)  # (1 or columns, steps)
        index = self.symbols(inputs)
        if isinstance(self.steps, tuple):
            index = index + ops.arange(len(table), dtype="int32") * table.shape[1]
        hard = ops.take(ops.cast(ops.convert_to_tensor(table.ravel()), inputs.dtype), index)
        width = (self.maximum - self.minimum) / 12 if self.width is None else self.width
        distance = ops.maximum(ops.maximum(self.minimum - inputs, inputs - self.maximum), 0)
        return surrogates.with_slope(hard, inputs, surrogates.slope_of(distance, self.slope, width))

    def symbols(self, inputs: Any) -> Any:
        # NaN counts as the minimum.
        position = self._position(inputs)
        position = ops.clip(ops.where(ops.isnan(position), 0.0, position), 0, self._last_symbol())
        return ops.cast(ops.round(position), "int32")

    def margin(self, inputs: Any) -> Any:
        position, last = self._position(inputs), self._last_symbol()
        nearest_edge = ops.clip(ops.floor(position), 0, last - 1) + 0.5
        return ops.abs(position - nearest_edge) / last * (self.maximum - self.minimum)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": as_plain(self.steps)}

    def _position(self, inputs: Any) -> Any:
        """Return where each input lies among the values, in symbols: from 0 to steps - 1 within the range."""
        wide = ops.cast(self.as_called(inputs), "float32")
        return (wide - self.minimum) * (self._last_symbol() / (self.maximum - self.minimum))

    def _last_symbol(self) -> Any:
        return ops.convert_to_tensor(np.array(self._counts(), np.float32) - 1)

    def _counts(self) -> tuple[int, ...]:
        return self.steps if isinstance(self.steps, tuple) else (int(self.steps),)
