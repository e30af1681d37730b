"""What a loss expects of its output and targets, read from what `compile` was given."""

from dataclasses import dataclass, replace
from typing import Any

from codeword.backend import keras
from codeword.inference.output_source import snake_case
from codeword.losses import BinInsensitive, LevelCrossentropy, LevelSquaredError, Masked, OrdinalCrossentropy

_DISTANCES = """
mean_squared_error mean_absolute_error huber log_cosh mean_absolute_percentage_error mean_squared_logarithmic_error
"""
_KINDS = {
    "binary_crossentropy": "binary",
    "binary_focal_crossentropy": "binary",
    "categorical_crossentropy": "categorical",
    "categorical_focal_crossentropy": "categorical",
    "sparse_categorical_crossentropy": "sparse",
    **dict.fromkeys(_DISTANCES.split(), "distance"),
}
_LEVEL_LOSSES = (BinInsensitive, LevelCrossentropy, LevelSquaredError, OrdinalCrossentropy)


@dataclass(frozen=True)
class LossFacts:
    """What a loss expects of its output and targets.

    Attributes:
        name: Keras' name, such as "mean_squared_error"; the class name for losses of codeword; None for custom ones.
        kind: "binary", "categorical", "sparse" (cross-entropies), "distance", "levels" or "own"; empty without a loss.
        ignore_class: The class number that costs nothing, or None.
        masked: Whether it is `codeword.losses.Masked`, which leaves out `missing`.
    """

    name: str | None = None
    kind: str = ""
    from_logits: bool = False
    label_smoothing: float = 0.0
    reduction: str = "sum_over_batch_size"
    ignore_class: int | None = None
    masked: bool = False
    missing: float | None = None

    @property
    def is_cross_entropy(self) -> bool:
        return self.kind in ("binary", "categorical", "sparse")

    @property
    def is_hinge(self) -> bool:
        """Whether it maps targets of 0 and 1 to -1 and 1."""
        return "hinge" in (self.name or "")


def loss_facts(loss: Any) -> LossFacts:
    """Return what a loss expects, from its name, function or object; None is no loss."""
    if loss is None:
        return LossFacts()
    if isinstance(loss, Masked):
        return replace(loss_facts(loss.loss), masked=True, missing=loss.missing)
    if isinstance(loss, _LEVEL_LOSSES):
        return LossFacts(type(loss).__name__, "levels")
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return LossFacts(kind="own")
    given = type(loss) if isinstance(loss, keras.losses.Loss) else loss
    if not str(getattr(given, "__module__", "")).startswith("keras."):
        return LossFacts(kind="own")
    name = snake_case(given.__name__)
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    known = {key: config[key] for key in ("from_logits", "reduction", "ignore_class") if key in config}
    smoothing = float(config.get("label_smoothing") or 0)
    return LossFacts(name, _KINDS.get(name, "own"), label_smoothing=smoothing, **known)


def losses_of(model: Any, names: list[str]) -> list[Any]:
    """Return the loss of each named output as `compile` got it; None where there is none."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        return [loss.get(name) for name in names] if len(names) > 1 or names[0] in loss else [*loss.values()][:1]
    if isinstance(loss, list | tuple):
        return [*loss, *[None] * len(names)][: len(names)]
    return [loss] * len(names)
