"""Any loss, averaged over the observed entries only."""

from collections.abc import Callable
from typing import Any, Self

from codeword.backend import keras
from codeword.errors import DataError, ParameterError
from codeword.exact_tensors import divide_or_zero, row_sum, sizes_fit, wide_dtype
from codeword.keras_internals import mask_of
from codeword.losses.observed_entries import AVERAGE, checked_missing, observed_entries, refuse_coupled

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword", name="MaskedLoss")
class Masked(keras.losses.Loss):
    """Average another loss over the observed entries, so that missing entries cost nothing and teach nothing.

    With the default `average="entry"` each observed entry counts equally, as in the RMSE of ratings and in
    `metrics.Masked`. With "row" each row does, and so the single entry of one row as much as a hundred of another.

    Formula:
        With e = the wrapped loss of one entry and w = its weight, 0 where missing; 0 where nothing is observed:

        - average="entry": `sum(w e) / sum(w)` over the batch, with w times the weight of its row.
        - average="row": `sum(w e) / sum(w)` for each row, times the row's weight; then `reduction` over the rows.

    Gradient:
        By a missing prediction exactly 0, even if the prediction or the target is NaN or infinite. By an observed one
        `w / sum(w)` times the gradient of e; for average="row" also times the row's weight, and divided by the number
        of rows. NaN in an observed place stays NaN.

    Args:
        loss: Name ("mse", "huber", …), function or Keras loss that has a value for each entry. Its own reduction and
            dtype are ignored.
        missing: The number that stands for a missing entry in `y_true`; NaN; or None, if all entries are observed, or
            only `sample_weight` says which are, as where 0 is a legal value.
        average: "entry" or "row". With "entry", Keras' mean over several batches still weighs batches by their rows.
        reduction: With average="entry" every mean is the formula; "sum" is `sum(w e)`; None returns `w e`, in the shape
            of `y_true`. With average="row", "sum_over_batch_size" and "mean" divide by the number of rows, including
            those without an observed entry; "mean_with_sample_weight" divides by the weights of the rows with one, so
            that empty rows do not count; "sum" adds up the rows; None returns each row's loss, shape `(batch,)`.
        name: Name of the loss. None: "masked_" and the name of the wrapped loss.
        dtype: The dtype in which the entries' losses are computed, as for every Keras loss. They are counted and added
            in float32 at least.

    Call arguments:
        y_true: Numbers, shape `(batch, ...)`; all axes but the first form a row.
        y_pred: Predictions of the same shape; or with one more axis, one number per class.
        sample_weight: Weights >= 0 of the rows, shape `(batch,)` or `(batch, 1)`; or of the entries: a mask or weights
            of y_true's shape, or of its first axes. It is multiplied by the mask that `missing` makes, and an entry of
            weight 0 is not observed. `fit(x, y, sample_weight=mask)` passes it on.

    Raises:
        ParameterError: If a setting is not allowed, or the loss has no value for a single entry, such as categorical
            cross-entropy.
        DataError: If the shapes do not fit.

    Example:
        >>> stars = np.array([[5, 0, 3], [0, 0, 1]])  # 0: not rated
        >>> predicted = np.array([[4.0, 9.0, 3.0], [9.0, 9.0, 3.0]])
        >>> round(float(Masked("mse", missing=0)(stars, predicted)), 4)  # mean of the errors 1, 0 and 4
        1.6667
        >>> float(Masked("mse", missing=0, average="row")(stars, predicted))  # mean of (1 + 0) / 2 and 4
        2.25
    """

    def __init__(
        self,
        loss: str | Callable[[Any, Any], Any] | keras.losses.Loss,
        missing: float | None = 0,
        *,
        average: str = "entry",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        try:
            wrapped = keras.losses.get(loss)
        except ValueError as error:
            raise ParameterError(
                f'`loss` must be the name of a Keras loss, such as "mse", a function or a loss object: got {loss!r}.'
            ) from error
        if wrapped is None or isinstance(wrapped, Masked):
            raise ParameterError(f'`loss` must be a loss to mask, such as "mse": got {loss!r}.')
        refuse_coupled("loss", loss, wrapped)
        own_name = loss if isinstance(loss, str) else getattr(wrapped, "name", getattr(wrapped, "__name__", "loss"))
        super().__init__(name=name or f"masked_{own_name}", reduction=reduction, dtype=dtype)
        self.loss = loss if isinstance(loss, str) else wrapped
        self.missing = checked_missing(missing)
        AVERAGE.check("average", average)
        self.average = average
        self._value = wrapped.call if isinstance(wrapped, keras.losses.Loss) else wrapped
        self._part = wrapped

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        mask = mask_of(y_pred)
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred, dtype=self.dtype)
        y_true, y_pred, weights, rows = observed_entries(self._part, y_true, y_pred, self.missing, sample_weight, mask)
        costs = self.call(ops.cast(y_true, self.dtype), y_pred)
        mask = mask_of(costs)  # of SparseCategoricalCrossentropy(ignore_class=...)
        if mask is not None:
            weights = ops.where(mask, weights, ops.zeros_like(weights))
        costs = ops.cast(costs, weights.dtype)
        # After the weights, because the stand-in 1 can have an infinite cost, such as a logarithm of 0.
        costs = ops.where(weights == 0, ops.zeros_like(costs), costs)
        average = self._row_average if self.average == "row" else self._entry_average
        return ops.cast(average(costs, weights, rows), self.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the wrapped loss of each entry, missing entries included, in y_true's shape."""
        if len(y_pred.shape) > len(y_true.shape):
            costs = self._value(y_true, y_pred)
        else:
            # Keras' losses average over the last axis: over an axis of size 1 that is the entry itself.
            costs = self._value(y_true[..., None], y_pred[..., None])
        given, wanted = tuple(costs.shape), tuple(y_true.shape)
        if not sizes_fit(given, wanted):
            raise DataError(
                f"`loss` must return one value per entry, shape {wanted}: got shape {given} from {self.loss!r}. "
                "Let it average over the last axis only."
            )
        return costs

    def _row_average(self, costs: Any, weights: Any, rows: Any) -> Any:
        total = row_sum(weights)
        if self.reduction == "mean_with_sample_weight":
            rows = ops.where(total == 0, ops.zeros_like(rows), rows)
        return self._reduce(divide_or_zero(row_sum(weights * costs), total), rows)

    def _entry_average(self, costs: Any, weights: Any, rows: Any) -> Any:
        weights = weights * ops.reshape(rows, (-1, *[1] * (len(weights.shape) - 1)))
        if self.reduction in ("sum", "none", None):
            return self._reduce(costs, weights)
        mean = divide_or_zero(ops.sum(weights * costs), ops.sum(weights))
        return self._reduce(mean[None], None)

    def _reduce(self, values: Any, weights: Any) -> Any:
        return _Given(self.name, self.reduction, wide_dtype(values))(values, values, weights)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "loss": self.loss if isinstance(self.loss, str) else keras.losses.serialize(self.loss),
            "missing": self.missing,
            "average": self.average,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        loss = config["loss"]
        return cls(**{**config, "loss": keras.losses.deserialize(loss) if isinstance(loss, dict) else loss})


class _Given(keras.losses.Loss):
    """Reduce values that are losses already, as Keras does, its scaling for several devices included."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred
