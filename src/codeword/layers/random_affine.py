"""Images a little turned, scaled and shifted: views of the same thing."""

import math
from typing import Any

from codeword.backend import keras
from codeword.errors import DataError, ParameterError

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class RandomAffine(keras.layers.Layer):
    """Turns, scales and shifts each image at random, in training only; in inference it gives images as they are.

    One bilinear interpolation for all three; what comes in from outside is 0.

    Args:
        rotation: Largest angle in degrees, either way.
        zoom: Largest change of height and of width, each for itself, as a share of them.
        shift: Largest shift in each direction, as a share of height and width.
        seed: Of the random numbers; None: from Keras' global seed.

    Call arguments:
        inputs: Float tensor of shape `(batch, height, width)` or `(batch, height, width, channels)`.
        training: Whether to vary the images.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ParameterError: If a setting is negative, or `zoom` is 1 or more.
        DataError: If the inputs are no images.
    """

    def __init__(
        self,
        rotation: float = 17.0,
        zoom: float = 0.15,
        shift: float = 0.09,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") is None and keras.config.dtype_policy().compute_dtype in ("bfloat16", "float16"):
            kwargs["dtype"] = "float32"  # half precision does not hold where a pixel lies
        super().__init__(**kwargs)
        for name, value, most in (("rotation", rotation, 180.0), ("zoom", zoom, 0.99), ("shift", shift, 1.0)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise ParameterError(f"`{name}` must be a number from 0 to {most:g}. Received: {value!r}.")
        self.rotation = rotation
        self.zoom = zoom
        self.shift = shift
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) not in (3, 4):
            raise DataError(
                "RandomAffine varies images, (batch, height, width) or (batch, height, width, channels). "
                f"Received: shape {tuple(input_shape)}. Reshape the rows to images."
            )
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return inputs
        images = inputs if len(inputs.shape) == 4 else ops.expand_dims(inputs, -1)
        transforms = self._transforms(ops.shape(images)[0], images.shape[1], images.shape[2])
        varied = ops.image.affine_transform(
            images, ops.cast(transforms, images.dtype), fill_mode="constant", data_format="channels_last"
        )
        return varied if len(inputs.shape) == 4 else ops.squeeze(varied, -1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        settings = {"rotation": self.rotation, "zoom": self.zoom, "shift": self.shift, "seed": self.seed}
        return {**super().get_config(), **settings}

    def _transforms(self, count: Any, height: int, width: int) -> Any:
        """Gives for each image the eight numbers by which an output pixel (x, y) finds its input pixel.

        Keras' order: x_in = a x + b y + c, y_in = d x + e y + f, and two zeros. They turn and scale about the center.
        """

        def uniform(largest: float) -> Any:
            return keras.random.uniform((count,), -largest, largest, seed=self.seed_generator)

        angle = uniform(self.rotation * math.pi / 180)
        zoom_x, zoom_y = 1 + uniform(self.zoom), 1 + uniform(self.zoom)
        a, b = ops.cos(angle) * zoom_x, -ops.sin(angle) * zoom_x
        d, e = ops.sin(angle) * zoom_y, ops.cos(angle) * zoom_y
        center_x, center_y = (width - 1) / 2, (height - 1) / 2
        c = center_x - a * center_x - b * center_y + uniform(self.shift * width)
        f = center_y - d * center_x - e * center_y + uniform(self.shift * height)
        zero = ops.zeros_like(angle)
        return ops.stack([a, b, c, d, e, f, zero, zero], axis=1)
