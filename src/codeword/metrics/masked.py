"""Any metric, computed over the observed entries only."""

from collections.abc import Callable
from typing import Any, Self

from codeword.backend import keras
from codeword.errors import ParameterError
from codeword.exact_tensors import divide_or_zero, row_sum
from codeword.keras_internals import mask_of, take_direction
from codeword.losses.observed_entries import AVERAGE, checked_missing, observed_entries, refuse_coupled
from codeword.metrics.exact_match import ExactMatch

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword", name="MaskedMetric")
class Masked(keras.metrics.Metric):
    """Compute another metric over the observed entries only.

    The wrapped metric receives the entries one by one, each as a row of one value (or of its logits), and their
    weights.

    Args:
        metric: Name ("mse", "mae", "rmse", …), function or Keras metric that takes `sample_weight`. A metric object
            belongs to this one from then on.
        missing: As in `losses.Masked`.
        average: "entry": each observed entry counts equally. "row": each row with an observed entry does. Unlike in
            `losses.Masked`, rows without one do not count.
        name: Name of the metric. None: the name of the wrapped metric, so that "rmse" is shown as "rmse".
        dtype: Dtype of a metric given by name or function; a metric object keeps its own.

    Call arguments:
        y_true, y_pred, sample_weight: As in `losses.Masked`. Keras passes weights to `compile(weighted_metrics=[...])`
            only.

    Returns:
        The result of the wrapped metric; where nothing was observed its result without data: 0, but NaN for R2Score.

    Raises:
        ParameterError: If a setting is not allowed, or the metric has no value for a single entry, such as cosine
            similarity.
        DataError: If the shapes do not fit.

    Example:
        >>> stars = np.array([[5, 0, 3], [0, 0, 1]])  # 0: not rated
        >>> metric = Masked("rmse", missing=0)
        >>> float(metric(stars, np.array([[3.0, 9.0, 3.0], [9.0, 9.0, 1.0]]))) ** 2  # of the errors 2, 0, 0
        1.333...
    """

    def __init__(
        self,
        metric: str | Callable[[Any, Any], Any] | keras.metrics.Metric,
        missing: float | None = 0,
        *,
        average: str = "entry",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        wrapped = _as_metric(metric, dtype)
        refuse_coupled("metric", metric, wrapped)
        if isinstance(wrapped, ExactMatch) and wrapped.by == "row":
            raise ParameterError('`metric` must have a value for each entry: got ExactMatch(by="row"). Pass by="cell".')
        super().__init__(name=name or (metric if isinstance(metric, str) else wrapped.name), dtype=dtype)
        self.metric = wrapped
        self.missing = checked_missing(missing)
        AVERAGE.check("average", average)
        self.average = average
        self._by_name = metric if isinstance(metric, str) else None
        take_direction(self, wrapped)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask = mask_of(y_pred)
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        y_true, y_pred, weights, rows = observed_entries(self.metric, y_true, y_pred, self.missing, sample_weight, mask)
        if self.average == "row":
            rows = divide_or_zero(rows, row_sum(weights))
        weights = weights * ops.reshape(rows, (-1, *[1] * (len(weights.shape) - 1)))
        if len(y_pred.shape) > len(y_true.shape):
            # (batch, ..., classes) -> (entries, classes)
            flat_true, flat_pred = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        else:
            flat_true, flat_pred = ops.reshape(y_true, (-1, 1)), ops.reshape(y_pred, (-1, 1))
        self.metric.update_state(flat_true, flat_pred, sample_weight=ops.reshape(weights, (-1,)))

    def result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "metric": self._by_name or keras.metrics.serialize(self.metric),
            "missing": self.missing,
            "average": self.average,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        metric = config["metric"]
        return cls(**{**config, "metric": keras.metrics.deserialize(metric) if isinstance(metric, dict) else metric})


def _as_metric(metric: Any, dtype: Any) -> Any:
    try:
        wrapped = keras.metrics.get("RootMeanSquaredError" if metric == "rmse" else metric)
    except ValueError as error:
        raise ParameterError(
            f'`metric` must be the name of a Keras metric, such as "rmse", a function or a metric object: '
            f"got {metric!r}."
        ) from error
    if wrapped is None or isinstance(wrapped, Masked):
        raise ParameterError(f'`metric` must be a metric to mask, such as "rmse": got {metric!r}.')
    if isinstance(wrapped, keras.metrics.Metric):
        return type(wrapped)(dtype=dtype) if isinstance(metric, str) else wrapped
    return keras.metrics.MeanMetricWrapper(wrapped, name=getattr(wrapped, "__name__", "metric"), dtype=dtype)
