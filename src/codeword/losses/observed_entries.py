"""Which entries of a target are observed, and the weight of each."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.errors import DataError, ParameterError
from codeword.exact_tensors import sizes_fit, wide_dtype, with_target_shape
from codeword.keras_internals import function_of
from codeword.settings import one_of

ops = keras.ops

AVERAGE = one_of("entry", "row")
"""What counts equally: each observed entry, or each row with one."""

COUPLED = frozenset(
    "categorical_crossentropy categorical_focal_crossentropy categorical_generalized_cross_entropy categorical_hinge "
    "cosine_similarity kl_divergence dice tversky circle ctc "
    "categorical_accuracy top_k_categorical_accuracy f_score f1_score fbeta_score one_hot_iou one_hot_mean_iou "
    "pearson_correlation concordance_correlation".replace("_", "").split()
)


def checked_missing(missing: Any) -> float | None:
    """Return the number that stands for a missing entry as a float, NaN or None."""
    if missing is None:
        return None
    if isinstance(missing, bool) or not isinstance(missing, int | float | np.integer | np.floating):
        raise ParameterError(
            f"`missing` must be the number that stands for a missing entry, NaN, or None if none does: got {missing!r}."
        )
    # One and the same NaN, so that two configurations with it are equal.
    return math.nan if math.isnan(missing) else float(missing)


def refuse_coupled(argument: str, given: Any, part: Any) -> None:
    """Refuse a Keras loss or metric that has no value for a single entry of a row, such as cosine similarity."""
    if _keras_names(part) & COUPLED:
        raise ParameterError(
            f"`{argument}` must have a value for each entry, so that missing entries can be left out: got {given!r}, "
            "which couples the entries of a row. "
            'Pass one such as "mse", "huber", "binary_crossentropy" or "sparse_categorical_crossentropy".'
        )


def has_class_axis(part: Any, y_true: Any, y_pred: Any) -> bool:
    """Return whether the predictions have one axis more than the targets: one number per class of each entry.

    For Keras' own losses and metrics this holds only if they are sparse; for others the shapes decide.
    """
    given, predicted = tuple(y_true.shape), tuple(y_pred.shape)
    one_more = len(predicted) == len(given) + 1 or (len(predicted) == len(given) and given[-1:] == (1,))
    names = _keras_names(part)
    return one_more and predicted[-1] != 1 and (not names or any(name.startswith("sparse") for name in names))


def observed_entries(
    part: Any, y_true: Any, y_pred: Any, missing: float | None, sample_weight: Any = None, mask: Any = None
) -> tuple[Any, Any, Any, Any]:
    """Return targets and predictions that are 1 wherever nothing is observed, and the weights of entries and rows.

    1 is legal for every loss: it has a logarithm, can be a divisor, and is a label among 0 and 1 as among -1 and +1.

    Missing entries may be NaN or infinite. The arguments are those of a masked loss or metric, and `part` is what it
    wraps; `mask` is true where observed, of y_true's shape or its first axes.
    """
    y_true = with_target_shape(y_true, y_pred.shape[:-1] if has_class_axis(part, y_true, y_pred) else y_pred.shape)
    # Half precision counts exactly only up to 256 or 2048.
    dtype = wide_dtype(y_true)
    observed = _is_observed(ops.cast(y_true, dtype), missing)
    if mask is not None:
        observed = ops.logical_and(observed, _over_entries(ops.cast(mask, "bool"), y_true))
    weights = ops.ones_like(y_true, dtype=dtype)
    rows = ops.ones(ops.shape(y_true)[:1], dtype=dtype)
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
        given = _over_entries(sample_weight, y_true)
        observed = ops.logical_and(observed, given != 0)
        if all(size == 1 for size in sample_weight.shape[1:]):
            rows = rows * ops.reshape(sample_weight, (-1,))
        else:
            weights = weights * given
    over_classes = observed[..., None] if len(y_pred.shape) > len(y_true.shape) else observed
    return (
        ops.where(observed, y_true, ops.ones_like(y_true)),
        ops.where(over_classes, y_pred, ops.ones_like(y_pred)),
        ops.where(observed, weights, ops.zeros_like(weights)),
        rows,
    )


def _is_observed(y_true: Any, missing: float | None) -> Any:
    if missing is None:
        return ops.ones_like(y_true, dtype="bool")
    if math.isnan(missing):
        return ops.logical_not(ops.isnan(y_true))
    return ops.not_equal(y_true, ops.convert_to_tensor(missing, y_true.dtype))


def _over_entries(weights: Any, y_true: Any) -> Any:
    """Return weights of the first axes with as many axes as the entries, added or removed ones having size 1."""
    given, wanted = tuple(weights.shape), tuple(y_true.shape)
    kept: Sequence[int | None] = given
    while len(kept) > 1 and kept[-1] == 1:
        kept = kept[:-1]
    if not sizes_fit(kept, wanted[: len(kept)]):
        raise DataError(
            f"`sample_weight` must weigh the rows, shape {wanted[:1]}, or the entries of `y_true`, shape {wanted}: "
            f"got shape {given}. Pass a mask of y_true's shape, 1 where observed."
        )
    sizes = ops.shape(weights)
    return ops.reshape(weights, (*sizes[: len(kept)], *[1] * (len(wanted) - len(kept))))


def _keras_names(part: Any) -> set[str]:
    """Return Keras' names of the loss or metric, lower case without underscores; none if it is not Keras' own."""
    things = (type(part), part, function_of(part))
    own = [thing for thing in things if str(getattr(thing, "__module__", "")).startswith("keras.")]
    names = {getattr(thing, "__name__", "").lower().replace("_", "") for thing in own}
    return names - {"", "lossfunctionwrapper", "meanmetricwrapper"}
