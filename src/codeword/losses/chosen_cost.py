"""The cost of a choice, where the cost of every alternative is known."""

from typing import Any

from codeword.backend import keras
from codeword.errors import DataError
from codeword.exact_tensors import as_float_tensor, row_sum
from codeword.settings import as_plain, check_settings, number

ops = keras.ops

# exp(-40) is a normal float32 number. Larger cost differences count as 40.
MOST_EXPONENT = 40.0

SETTINGS = {"sharpness": number(0), "balance": number(0)}


@keras.saving.register_keras_serializable(package="codeword")
def chosen_cost(y_true: Any, y_pred: Any, sharpness: float = 0.0, balance: float = 0.0) -> Any:
    """Return what each row's choice costs, plus a cost for uneven use of the choices.

    Formula:
        `-log(sum over e of choice_ie exp(-sharpness cost_ie)) / sharpness`, for sharpness 0 its limit
        `sum over e of choice_ie cost_ie`; plus `balance (E sum over e of share_e^2 - 1)`, with share_e the mean of
        choice_ie over the batch: 0 where all are chosen equally often, E - 1 where one is always chosen

    Args:
        y_true: Costs, finite, shape `(batch, E)`; or `(batch, ..., E)` for several choices per row, which add up. With
            sharpness, costs of more than 40 / sharpness above the least of a row count as that.
        y_pred: Choices of the same shape, one-hot or shares that sum to 1.
        sharpness: As in `ChosenCost`.
        balance: As in `ChosenCost`.

    Returns:
        Tensor of shape `(batch,)`, in units of the cost.

    Raises:
        DataError: If the shapes differ.
    """
    choices = as_float_tensor(y_pred)
    costs = ops.convert_to_tensor(y_true, dtype=choices.dtype)
    if len(choices.shape) < 2 or tuple(costs.shape[1:]) != tuple(choices.shape[1:]):
        raise DataError(
            "`y_true` must have one cost per choice, the shape of `y_pred`, (batch, choices): got costs of shape "
            f"{tuple(costs.shape)} and choices of shape {tuple(choices.shape)}."
        )
    if sharpness:
        least = ops.min(costs, axis=-1, keepdims=True)
        likelihoods = ops.exp(-ops.minimum(sharpness * (costs - least), MOST_EXPONENT))
        cost = least[..., 0] - ops.log(ops.sum(choices * likelihoods, axis=-1)) / sharpness
    else:
        cost = ops.sum(costs * choices, axis=-1)
    cost = row_sum(cost)  # (batch, gates...) -> (batch,)
    if not balance:
        return cost
    shares = ops.mean(choices, axis=0)
    unevenness = choices.shape[-1] * ops.sum(ops.square(shares), axis=-1) - 1
    return cost + balance * ops.sum(unevenness)


@keras.saving.register_keras_serializable(package="codeword")
class ChosenCost(keras.losses.Loss):
    """Compute the cost of the chosen one of several alternatives, where the cost of each is known, by `chosen_cost`.

    For a network that ends in a `Hardmax`, or in a softmax whose maximum is taken later: it also learns from the
    choices that it did not make. A one-hot costs exactly what its choice costs, at any sharpness.

    Gradient:
        With sharpness and balance 0 the cost is linear in the choice. Behind a `Hardmax` the softmax slope is then no
        approximation: its gradient is the gradient of the mean cost of a choice drawn by the softmax.

    Args:
        sharpness: Float, at least 0, per unit of the cost. Behind a softmax, more sharpness lets a row count most for
            the choices that are good and already likely, and experts specialize sooner. Behind a `Hardmax` leave it at
            0: the gradient grows as exp(sharpness times the difference of two costs), and sharpness 2.2 with a
            difference of 27 gave NaN under Adam.
        balance: Float, at least 0, in units of the cost. More than 0 keeps one choice from winning everywhere.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If a setting is negative or not finite.

    Example:
        >>> costs, choices = np.array([[0.0, 1.0], [3.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> float(ChosenCost()(costs, choices))
        1.0
        >>> float(ChosenCost(balance=0.5)(costs, np.array([[1.0, 0.0], [1.0, 0.0]])))
        2.0

    References:
        Jacobs et al., "Adaptive Mixtures of Local Experts", 1991, eq. (1.3), the likelihood of a mixture; Shazeer et
        al., "Outrageously Large Neural Networks", 2017, eq. (7), the squared coefficient of variation. Here for costs
        of any kind, and of the choices instead of the scores.
    """

    def __init__(
        self, sharpness: float = 0.0, balance: float = 0.0, *, name: str = "chosen_cost", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.sharpness = as_plain(sharpness)
        self.balance = as_plain(balance)
        check_settings(self, SETTINGS)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return chosen_cost(y_true, y_pred, self.sharpness, self.balance)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sharpness": self.sharpness, "balance": self.balance}
