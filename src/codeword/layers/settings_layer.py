"""Base class of the layers that have settings."""

from collections.abc import Mapping
from typing import Any

from codeword.backend import keras
from codeword.settings import Setting, as_plain, check_settings


class SettingsLayer(keras.layers.Layer):
    """Base class of layers that check, keep and save settings, and whose outputs have the shape of their inputs."""

    kept_names: tuple[str, ...] = ()

    def keep(self, table: Mapping[str, Setting], **settings: Any) -> None:
        """Store settings under their names, and check those that the table names."""
        for name, value in settings.items():
            setattr(self, name, as_plain(value))
        self.kept_names = tuple(settings)
        check_settings(self, table)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.kept_names}}


def without_half_precision(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return arguments of a layer that computes in float32 under a mixed-precision policy, unless `dtype` is set."""
    half = keras.config.dtype_policy().compute_dtype in ("bfloat16", "float16")
    return {**kwargs, "dtype": "float32"} if half and kwargs.get("dtype") is None else kwargs
