"""Random rotations, zooms and shifts of images."""

import math
from typing import Any

from codeword.backend import keras
from codeword.errors import DataError
from codeword.layers.settings_layer import SettingsLayer, without_half_precision
from codeword.settings import TRAINING, number, optional

ops = keras.ops

SETTINGS = {
    "rotation": number(0, 180),
    "zoom": number(0, 0.99),
    "shift": number(0, 1),
    "seed": optional(TRAINING["seed"]),
}


@keras.saving.register_keras_serializable(package="codeword")
class RandomAffine(SettingsLayer):
    """Rotate, zoom and shift each image at random in training; in inference return the images unchanged.

    Rotation, zoom and shift share one bilinear interpolation, so that an image is blurred once, not three times as by
    three layers. Pixels from outside the image are 0. The default ranges suit handwritten digits; they are those of
    `objectives.KeepGroups(augment="images")`.

    Args:
        rotation: Largest angle in degrees, in either direction, from 0 to 180.
        zoom: Largest relative change of height and of width, which are drawn separately, from 0 to 0.99.
        shift: Largest shift in each direction, as a share of height and width, from 0 to 1.
        seed: Integer from 0 to 2**32 - 1. None: derived from Keras' global seed.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of shape `(batch, height, width)` or `(batch, height, width, channels)`.
        training: Whether to change the images.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ParameterError: If a setting is outside its range.
        DataError: If the inputs are not images.

    Example:
        >>> images = np.zeros((16, 28, 28), "float32")
        >>> RandomAffine(rotation=10, shift=0.05)(images, training=True).shape
        (16, 28, 28)
    """

    def __init__(
        self, rotation: float = 17.0, zoom: float = 0.15, shift: float = 0.09, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**without_half_precision(kwargs))  # too coarse for the position of a pixel
        self.keep(SETTINGS, rotation=rotation, zoom=zoom, shift=shift, seed=seed)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) not in (3, 4):
            raise DataError(
                "`inputs` must be images of shape (batch, height, width) or (batch, height, width, channels): "
                f"got shape {tuple(input_shape)}. Reshape the rows to images."
            )
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return inputs
        images = inputs if len(inputs.shape) == 4 else ops.expand_dims(inputs, -1)
        transforms = self._transforms(ops.shape(images)[0], images.shape[1], images.shape[2])
        changed = ops.image.affine_transform(
            images, ops.cast(transforms, images.dtype), fill_mode="constant", data_format="channels_last"
        )
        return changed if len(inputs.shape) == 4 else ops.squeeze(changed, -1)

    def _transforms(self, count: Any, height: int, width: int) -> Any:
        """Return, for each image, the eight numbers that map an output pixel (x, y) to its input pixel.

        In Keras' order: x_in = a x + b y + c, y_in = d x + e y + f, and two zeros. Rotation and zoom are about the
        center.
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
        return ops.stack([a, b, c, d, e, f, zero, zero], axis=1)  # (count, 8)
