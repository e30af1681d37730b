"""Gates over regressors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin

from codeword.data_kinds import Real
from codeword.errors import DataError, ExpertError
from codeword.gates.answers import check_numbers
from codeword.gates.experts import ask, check_kinds
from codeword.gates.hard_gate import HardGate

COST_LIMIT = 1e12  # the costs of answers that are farther off overflow float32


class HardGateRegressor(RegressorMixin, MultiOutputMixin, HardGate):
    """Chooses, for every row, one of several regressors, and gives that one's answer.

    Like `HardGateClassifier`, with numbers for labels; a cost of 1 is the squared error of the mean of `y`.

    Args:
        experts: At least two regressors, all fitted or none; None if `outputs` are given in their place.
        cv, hidden, balance, epochs, batch_size, learning_rate, penalty, seed, verbose: See `HardGateClassifier`.

    Attributes:
        experts_, usage_, held_out_, model_, hidden_, history_: See `HardGateClassifier`.

    Example:
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn.tree import DecisionTreeRegressor
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> gate = HardGateRegressor([LinearRegression(), DecisionTreeRegressor()], epochs=2, verbose=0)
        >>> gate.fit(x, 2 * x[:, 0]).predict(x[:3]).shape
        (3,)
    """

    _kind = "regressor"

    def _learn_targets(self, y: Any, num_rows: int) -> NDArray[np.float64]:
        numbers = check_numbers(y, num_rows)
        check_kinds(self.experts or (), self._kind)
        self.target_scale_ = Real().learn(numbers)["scale"]
        return numbers

    def _ask(self, expert: Any, number: int, method: str, x: Any) -> NDArray[np.float64]:
        answers = ask(expert, number, method, x)
        if answers.dtype.kind not in "fiub":
            raise ExpertError(
                f"Answers must be numbers. Received: dtype {answers.dtype} from expert {number}, {expert!r}."
            )
        return answers.astype(np.float64)

    def _cost(self, answers: NDArray[Any], targets: NDArray[Any], number: int) -> NDArray[np.floating[Any]]:
        if answers.shape != targets.shape:
            raise DataError(
                f"Answers must have the shape of `y`, {targets.shape}. Received: shape {answers.shape} from expert "
                f"{number}. Fit all experts to the same targets."
            )
        with np.errstate(over="ignore"):
            squared = np.minimum(np.square((answers - targets) / self.target_scale_), COST_LIMIT)
        return squared if squared.ndim == 1 else squared.mean(axis=1)

    def _read_outputs(self, outputs: NDArray[Any], method: str) -> NDArray[np.float64]:
        if outputs.dtype.kind not in "fiub":
            raise DataError(f"`outputs` of regressors must be numbers. Received: dtype {outputs.dtype}.")
        if outputs.shape[2:] == (1,):
            outputs = outputs[:, :, 0]  # as `y` of one column
        return outputs.astype(np.float64)
