"""The gate over regressors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin

from codeword.data_kinds import Real
from codeword.errors import DataError, ExpertError
from codeword.gates.answers import check_numbers
from codeword.gates.experts import ask
from codeword.gates.hard_gate import HardGate

COST_LIMIT = 1e12  # costs of answers with larger errors overflow float32


class HardGateRegressor(RegressorMixin, MultiOutputMixin, HardGate):
    """Choose one of several regressors for each row, and return the answer of that one.

    It is `HardGateClassifier` for numbers. The cost of an answer is its squared error, in units of the squared error
    of always predicting the mean of `y`.

    Args:
        experts: At least two regressors, all fitted or all unfitted; None if `outputs` are passed in their place.
        cv: See `HardGateClassifier`, like all other arguments.
        hidden: Units of the dense layers.
        balance: Reward of even use, in units of the cost.
        epochs: Number of epochs.
        batch_size: Rows per step.
        learning_rate: Highest learning rate of Adam.
        penalty: Cost of the squares of the gate's weights, or several to choose from.
        seed: Seed of all random numbers.
        verbose: 0 or False for silence; 1 or True for progress bars; 2 for one line per epoch.

    Attributes:
        experts_: The fitted experts; None for a gate of outputs.
        target_scale_: The spread of each target, the unit of the costs.
        usage_: See `HardGateClassifier`, like all other attributes.
        held_out_: Mean costs on rows not seen in training.
        model_: Keras model from standardized rows to one-hots.
        hidden_: Units of its dense layers.
        history_: Training loss per epoch.

    Example:
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn.tree import DecisionTreeRegressor
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> gate = HardGateRegressor([LinearRegression(), DecisionTreeRegressor()], epochs=2, verbose=0)
        >>> gate.fit(x, 2 * x[:, 0]).predict(x[:3]).shape
        (3,)
    """

    _kind = "regressor"

    def _learn_targets(self, y: Any) -> NDArray[np.float64]:
        numbers = check_numbers(y)
        self.target_scale_ = Real(spread="each").learn(numbers)["scale"]
        return numbers

    def _ask(self, expert: Any, number: int, method: str, x: Any) -> NDArray[np.float64]:
        answers = ask(expert, number, method, x)
        if answers.dtype.kind not in "fiub":
            raise ExpertError(f"Answers must be numbers: got dtype {answers.dtype} from expert {number}, {expert!r}.")
        return answers.astype(np.float64)

    def _cost(self, answers: NDArray[Any], targets: NDArray[Any], number: int) -> NDArray[np.floating[Any]]:
        if answers.shape != targets.shape:
            raise DataError(
                f"Answers must have the shape of `y`, {targets.shape}: got shape {answers.shape} from expert {number}. "
                "Fit all experts to the same targets."
            )
        with np.errstate(over="ignore"):
            squared = np.minimum(np.square((answers - targets) / self.target_scale_), COST_LIMIT)
        return squared if squared.ndim == 1 else squared.mean(axis=1)

    def _read_outputs(self, outputs: NDArray[Any], method: str) -> NDArray[np.float64]:
        if outputs.dtype.kind not in "fiub":
            raise DataError(f"`outputs` of regressors must be numbers: got dtype {outputs.dtype}.")
        if outputs.shape[2:] == (1,):
            outputs = outputs[:, :, 0]  # as `y` of one column
        return outputs.astype(np.float64)
