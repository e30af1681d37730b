"""Any loss, taken over the observed entries only."""

from collections.abc import Callable
from typing import Any, Self

from codeword.backend import keras
from codeword.errors import DataError, ParameterError
from codeword.keras_internals import mask_of
from codeword.losses.observed_entries import (
    checked_average,
    checked_missing,
    divide_or_zero,
    observed_entries,
    refuse_coupled,
    row_sum,
    wide_dtype,
)

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword", name="MaskedLoss")
class Masked(keras.losses.Loss):
    """Another loss, averaged over the observed entries: what is missing costs nothing and teaches nothing.

    Formula:
        e = the wrapped loss of one entry, w = its weight, 0 where missing; sums over the entries of a row, or of the
        batch, and 0 where nothing is observed.

        - average="row": `sum(w e) / sum(w)` for each row, times the row's weight; then `reduction` over the rows.
        - average="entry": `sum(w e) / sum(w)` over the batch, w times the weight of its row.

    Gradient:
        By a prediction that is missing exactly 0, even if the prediction or the target is NaN or infinite. By an
        observed one `w / sum(w)` times that of e; for average="row" times the row's weight, and over the number of
        rows. NaN in an observed place stays NaN.

    Args:
        loss: Name ("mse", "huber", …), function or Keras loss with a value for each entry. Its own reduction and dtype
            do not count.
        missing: The number that stands for a missing entry in `y_true`; NaN; or None, if all are observed, or if only
            `sample_weight` says which, as where 0 is a legal value.
        average: "row": each row with something observed counts alike. "entry": each observed entry of the batch does;
            the mean over several batches, as Keras shows it, still weighs batches by their rows.
        reduction: With average="row": "sum_over_batch_size" or "mean" divide by the number of rows, those without any
            observed entry included; "mean_with_sample_weight" by the weights of the rows with one, so that empty rows
            do not count; "sum" adds up the rows; None gives each row's, shape `(batch,)`. With average="entry" all
            means are the formula's; "sum" is `sum(w e)`; None gives `w e`, shape of `y_true`.
        name: "masked_" and the wrapped loss's name if None.
        dtype: What the entries' losses are computed in, as for every Keras loss; counted and added up in float32 at
            least.

    Call arguments:
        y_true: Numbers, shape `(batch, ...)`; what follows the first axis is a row.
        y_pred: Predictions of the same shape; or with one more axis, of numbers for each class.
        sample_weight: Weights >= 0 of the rows, shape `(batch,)` or `(batch, 1)`; or of the entries: a mask or weights
            of y_true's shape, or of its first axes. It is multiplied with the mask that `missing` makes, and where
            it is 0 nothing is observed. `fit(x, y, sample_weight=mask)` hands it over.

    Raises:
        ParameterError: If the loss has no value for a single entry, such as categorical cross-entropy.
        DataError: If the shapes do not fit.

    Example:
        >>> stars = np.array([[5, 0, 3], [0, 0, 1]])  # 0: not rated
        >>> loss = Masked("mse", missing=0)
        >>> float(loss(stars, np.array([[4., 9., 3.], [9., 9., 4.]])))  # mean of (1 + 0) / 2 and 9
        4.75
    """

    def __init__(
        self,
        loss: str | Callable[[Any, Any], Any] | keras.losses.Loss,
        missing: float | None = 0,
        *,
        average: str = "row",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        try:
            wrapped = keras.losses.get(loss)
        except ValueError as error:
            raise ParameterError(
                f"`loss` must be a Keras loss: its name, a function or an object. Received: {loss!r}. "
                'Take one such as "mse".'
            ) from error
        if wrapped is None or isinstance(wrapped, Masked):
            raise ParameterError(f'`loss` must be a loss to mask. Received: {loss!r}. Take one such as "mse".')
        refuse_coupled("loss", loss, wrapped)
        own_name = loss if isinstance(loss, str) else getattr(wrapped, "name", getattr(wrapped, "__name__", "loss"))
        super().__init__(name=name or f"masked_{own_name}", reduction=reduction, dtype=dtype)
        self.loss = loss if isinstance(loss, str) else wrapped
        self.missing = checked_missing(missing)
        self.average = checked_average(average)
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
        # After the weights, as a cost of the stand-in 1 may be infinite, as a logarithm can make it.
        costs = ops.where(weights == 0, ops.zeros_like(costs), costs)
        average = self._row_average if self.average == "row" else self._entry_average
        return ops.cast(average(costs, weights, rows), self.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Gives the wrapped loss of each entry, missing or not, in y_true's shape."""
        if len(y_pred.shape) > len(y_true.shape):
            costs = self._value(y_true, y_pred)
        else:
            # Keras' losses take the mean over the last axis: over this one it is the entry itself.
            costs = self._value(y_true[..., None], y_pred[..., None])
        given, wanted = tuple(costs.shape), tuple(y_true.shape)
        pairs = zip(given, wanted, strict=False)
        if len(given) != len(wanted) or any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise DataError(
                f"`loss` must give a value for each entry, shape {wanted}. "
                f"Received: shape {given} from {self.loss!r}. Let it take the mean over the last axis only."
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
    """Values that only Keras' reduction is left to do for, its share for several devices included."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred
