"""The cost of what was chosen."""

from numbers import Real
from typing import Any

from codeword.backend import keras
from codeword.errors import DataError, ParameterError

ops = keras.ops

# exp of it is a normal float32 number; what costs more is not told from what costs that.
MOST_EXPONENT = 40.0


@keras.saving.register_keras_serializable(package="codeword")
class ChosenCost(keras.losses.Loss):
    """Costs what the chosen one of several costs, where each row says what each of them would.

    For a network that ends in a `Hardmax`, or in a softmax whose maximum will be taken: it learns from what every
    choice would have cost, also from those that it did not make. Whatever the sharpness, a one-hot costs exactly what
    its choice costs.

    Formula:
        `loss_i = -log(sum over e of choice_ie exp(-sharpness cost_ie)) / sharpness`, for sharpness 0 its limit
        `sum over e of choice_ie cost_ie`. And `balance (E sum over e of share_e^2 - 1)`, with share_e the mean of
        choice_ie over the batch: 0 where all are chosen equally often, E - 1 where one takes all.

    With sharpness and balance 0 the cost is linear in the choice, so behind a `Hardmax` the softmax slope is no
    approximation: its gradient is that of the mean cost of a choice drawn with the odds of the softmax. Behind a
    softmax more sharpness lets a row count most for the choices that are good and already likely, and many choices sort
    themselves out sooner. Behind a `Hardmax` leave it at 0: there the gradient grows as exp(sharpness times the gap of
    two costs), and sharpness 2.2 with a gap of 27 gave NaN under Adam.

    Args:
        sharpness: At least 0, per unit of the cost.
        balance: At least 0, in units of the cost. More than 0 keeps one choice from taking all.

    Call arguments:
        y_true: Costs, finite, shape `(batch, E)`; or `(batch, …, E)` for several choices a row, which add up. With
            sharpness, costs of more than 40 / sharpness above the least of a row count as that.
        y_pred: Choices, one-hot or shares that sum to 1, of the same shape.

    Raises:
        ParameterError: If a setting is negative.
        DataError: If the shapes differ.

    Example:
        >>> costs, choices = np.array([[0., 1.], [3., 2.]]), np.array([[1., 0.], [0., 1.]])
        >>> float(ChosenCost()(costs, choices)), float(ChosenCost(balance=.5)(costs, np.array([[1., 0.], [1., 0.]])))
        (1.0, 2.0)

    Source:
        Jacobs et al., "Adaptive Mixtures of Local Experts", 1991, eq. (1.3), the likelihood of a mixture; Shazeer et
        al., "Outrageously Large Neural Networks", 2017, eq. (7), the squared coefficient of variation. Differs: for
        costs of any kind, and of the choices, not of the scores.
    """

    def __init__(
        self, sharpness: float = 0.0, balance: float = 0.0, *, name: str = "chosen_cost", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.sharpness = _at_least_0("sharpness", sharpness)
        self.balance = _at_least_0("balance", balance)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if len(y_pred.shape) < 2 or tuple(y_true.shape[1:]) != tuple(y_pred.shape[1:]):
            raise DataError(
                "`y_true` must be one cost for each choice, of the shape of `y_pred`, (batch, choices). Received: "
                f"costs of shape {tuple(y_true.shape)} and choices of shape {tuple(y_pred.shape)}."
            )
        cost = self._cost(y_true, y_pred)
        gates = list(range(1, len(cost.shape)))
        cost = ops.sum(cost, axis=gates) if gates else cost
        if not self.balance:
            return cost
        shares = ops.mean(y_pred, axis=0)
        unevenness = y_pred.shape[-1] * ops.sum(ops.square(shares), axis=-1) - 1
        return cost + self.balance * ops.sum(unevenness)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sharpness": self.sharpness, "balance": self.balance}

    def _cost(self, costs: Any, choices: Any) -> Any:
        """Gives what each choice costs, without the last axis."""
        if not self.sharpness:
            return ops.sum(costs * choices, axis=-1)
        least = ops.min(costs, axis=-1, keepdims=True)
        chances = ops.exp(-ops.minimum(self.sharpness * (costs - least), MOST_EXPONENT))
        return least[..., 0] - ops.log(ops.sum(choices * chances, axis=-1)) / self.sharpness


def _at_least_0(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < float("inf"):
        raise ParameterError(f"`{name}` must be a number, at least 0. Received: {value!r}. Try 0.1.")
    return float(value)
