"""What all gates share: learn what answers cost, choose an expert for every row, and ask only that expert."""

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted, validate_data

from codeword.arrays.rows import as_array, check_rows
from codeword.data_kinds import Real
from codeword.errors import DataError, ExpertError, ParameterError
from codeword.gates.answers import check_outputs
from codeword.gates.experts import are_fitted, check_experts, fit_out_of_fold, fitted_clone, rows_of
from codeword.gates.network import build_gate
from codeword.gates.saving import NUM_PROBES, SavedGate
from codeword.gates.training import GateRecipe, train_gate
from codeword.inference.fixed_batches import in_fixed_batches
from codeword.settings import TRAINING, Setting, check_settings, either, integer, layers, number, optional
from codeword.training import recipe as training

a_splitter = Setting("a splitter", lambda value: hasattr(value, "split") and not isinstance(value, str | type))
several_numbers = Setting(
    "several numbers to try, such as (5e-4, 5e-3)",
    lambda value: isinstance(value, list | tuple | np.ndarray) and len(value) > 0 and all(map(number(0).holds, value)),
)
SETTINGS = {
    "experts": optional(Setting("a list of estimators", lambda value: isinstance(value, Sequence))),
    "cv": either(integer(2), a_splitter),
    "hidden": layers,
    "balance": number(0),
    "penalty": either(number(0), several_numbers),
    **{name: TRAINING[name] for name in ("epochs", "batch_size", "learning_rate", "seed", "verbose")},
}
ROW_LIMIT = 5.0  # standard deviations; beyond it one odd value would outweigh all others


class HardGate(SavedGate):
    """What `HardGateClassifier` and `HardGateRegressor` share. See `HardGateClassifier`."""

    SETTINGS = SETTINGS
    _kind: ClassVar[str]  # of its experts

    def __init__(
        self,
        experts: Sequence[Any] | None = None,
        *,
        cv: Any = 5,
        hidden: Sequence[int] = (20,),
        balance: float = 0.0,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 0.03,
        penalty: Any = (5e-6, 5e-4, 5e-3),
        seed: int = 0,
        verbose: bool | int = True,
    ) -> None:
        self.experts = experts
        self.cv = cv
        self.hidden = hidden
        self.balance = balance
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.penalty = penalty
        self.seed = seed
        self.verbose = verbose

    def fit(self, X: Any, y: Any, *, outputs: Any = None) -> Self:
        """Learn which expert to ask. If this fails, the gate is unchanged.

        Args:
            X: Array or frame of shape `(n, num_features)`, finite numbers.
            y: The right answers: class labels, or numbers of shape `(n,)` or `(n, num_targets)`.
            outputs: For a gate without experts, what they answered to these rows: labels or numbers of shape
                `(n, num_experts)`; probabilities of the sorted classes of `y`, `(n, num_experts, num_classes)`; or
                numbers of shape `(n, num_experts, num_targets)`.

        Raises:
            DataError: If rows, answers or outputs are not allowed. Nothing has been trained then.
            DataTypeError: If they have a type that cannot be used.
            ParameterError: If a setting is not allowed.
            ExpertError: If an expert raises, returns NaN, or does not return one answer per row.
            DivergedError: If the loss becomes NaN or infinite.
        """
        before = dict(vars(self))
        try:
            self._fit(X, y, outputs)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _fit(self, X: Any, y: Any, outputs: Any) -> None:
        check_settings(self, SETTINGS)
        if self.experts is not None:
            check_experts(self.experts, self._kind)
        if (self.experts is None) == (outputs is None):
            came = "neither" if outputs is None else "both"
            raise ParameterError(
                f"A gate chooses among `experts`, or among columns of `outputs`: got {came}. "
                "Write experts=[...] in the constructor, or fit(X, y, outputs=...)."
            )
        rows = self._rows(X, reset=True)
        self.statistics_ = Real(spread="each").learn(rows)
        self.experts_ = list(self.experts) if self.experts is not None and are_fitted(self.experts) else None
        if y is None:
            raise DataError("A gate requires y to be passed, but the target y is None. Call fit(X, y).")
        targets = self._learn_targets(y)
        if len(targets) != len(rows):
            raise DataError(f"`y` must have one answer per row: got {len(targets)} answers for {len(rows)} rows.")
        if outputs is None:
            costs = self._costs_of_experts(X if hasattr(X, "shape") else rows, y, targets)
        else:
            outputs = check_outputs(outputs, len(rows))
            self.output_shape_ = outputs.shape[1:]
            costs = self._costs(np.moveaxis(self._read_outputs(outputs, "predict"), 1, 0), targets)
        self.num_experts_ = costs.shape[1]
        learned = np.isfinite(costs).all(axis=1)  # the gate cannot learn from rows that no fold held out
        if not learned.any():
            raise DataError(f"`cv` must hold out rows for the gate to learn from: got none from {self.cv!r}.")
        recipe = GateRecipe(**{name: getattr(self, name) for name in GateRecipe._fields})
        with training.seeded(int(self.seed)):
            trained = train_gate(self._entered(rows[learned]), costs[learned], self.n_features_in_, recipe)
        self.model_, self.hidden_, self.history_, self.held_out_ = trained
        self.probe_ = self._probe()
        self.usage_ = np.bincount(self._chosen(rows), minlength=self.num_experts_) / len(rows)

    def choose(self, X: Any) -> NDArray[np.int64]:
        """Return the number of the expert to ask for each row, int64 of shape `(n,)`. No expert is asked."""
        return self._chosen(self._rows(X))

    def predict(self, X: Any, *, outputs: Any = None) -> NDArray[Any]:
        """Return the answer of the chosen expert for each row. Every expert sees only the rows that it was chosen for.

        Args:
            X: Rows as for `fit`.
            outputs: What the experts answered to these rows, if the gate was fitted with outputs.

        Returns:
            Class labels `(n,)`; or numbers, float64 of shape `(n,)` or `(n, num_targets)`.

        Raises:
            ExpertError: If a chosen expert raises, returns NaN, or does not return one answer per row.
        """
        answers = self._answers(X, "predict", outputs)
        return self.classes_[answers] if is_classifier(self) else answers

    @abstractmethod
    def _learn_targets(self, y: Any) -> NDArray[Any]:
        """Check the right answers, and return them as `_cost` takes them."""

    @abstractmethod
    def _ask(self, expert: Any, number: int, method: str, x: Any) -> NDArray[Any]:
        """Return the answers of an expert as `_cost` takes them."""

    @abstractmethod
    def _cost(self, answers: NDArray[Any], targets: NDArray[Any], number: int) -> NDArray[np.floating[Any]]:
        """Return what the answers of an expert would cost, one number per row."""

    @abstractmethod
    def _read_outputs(self, outputs: NDArray[Any], method: str) -> NDArray[Any]:
        """Return the outputs of all experts as answers, `(n, num_experts, ...)`."""

    def _costs(self, answers: Iterable[NDArray[Any]], targets: NDArray[Any]) -> NDArray[np.floating[Any]]:
        return np.stack([self._cost(answer, targets, number) for number, answer in enumerate(answers)], axis=1)

    def _costs_of_experts(self, x: Any, y: Any, targets: NDArray[Any]) -> NDArray[np.floating[Any]]:
        if self.experts_ is not None:
            answers = [self._ask(expert, number, "predict", x) for number, expert in enumerate(self.experts_)]
            return self._costs(answers, targets)
        experts, y = list(self.experts or ()), np.asarray(as_array(y)).reshape(np.shape(targets))
        costs, times = np.zeros((2, len(targets), len(experts)))
        for index, unseen, expert in fit_out_of_fold(
            experts, x, y, self.cv, classify=is_classifier(self), seed=int(self.seed), verbose=self.verbose
        ):
            answer = self._ask(expert, index, "predict", rows_of(x, unseen))
            costs[unseen, index] += self._cost(answer, targets[unseen], index)
            times[unseen, index] += 1
        self.experts_ = [fitted_clone(expert, number, x, y) for number, expert in enumerate(experts)]
        return np.where(times > 0, costs / np.maximum(times, 1), np.nan)

    def _answers(self, X: Any, method: str, outputs: Any) -> NDArray[Any]:
        """Return the answers of the chosen experts, each asked only for its own rows."""
        rows = self._rows(X)
        if (outputs is None) != (self.experts_ is not None):
            came, fitted = ("none", "outputs") if outputs is None else ("some", "experts")
            raise ParameterError(
                "`outputs` must be passed if, and only if, the gate was fitted with outputs: "
                f"got {came}, and the gate was fitted with {fitted}."
            )
        chosen = self._chosen(rows)
        if self.experts_ is None:
            checked = check_outputs(outputs, len(rows), self.output_shape_)
            return self._read_outputs(checked, method)[np.arange(len(rows)), chosen]
        x = X if hasattr(X, "shape") else rows  # lists are no rows to choose from
        answers: list[NDArray[Any]] = []
        for index in np.unique(chosen).tolist():
            where = np.flatnonzero(chosen == index)
            own = x if len(where) == len(rows) else rows_of(x, where)
            answers.append(self._ask(self.experts_[index], index, method, own))
            if answers[-1].shape[1:] != answers[0].shape[1:]:
                raise ExpertError(
                    f"All experts must answer in one shape: got {(len(rows), *answers[0].shape[1:])} and, from expert "
                    f"{index}, {(len(rows), *answers[-1].shape[1:])}. Fit all experts to the same targets."
                )
        return np.concatenate(answers)[np.argsort(np.argsort(chosen, kind="stable"))]

    def _rows(self, X: Any, *, reset: bool = False) -> NDArray[Any]:
        """Return checked rows; with `reset` the gate takes over their columns."""
        if not reset:
            check_is_fitted(self)
        row_shape = None if reset else (self.n_features_in_,)
        rows = check_rows(as_array(X), row_shape, "X", estimator=type(self).__name__)
        if rows.ndim != 2:
            raise DataError(f"`X` must have shape (n, num_features): got shape {rows.shape}. Flatten the rows.")
        rows = Real().check(rows)
        validate_data(self, X, reset=reset, skip_check_array=True)
        return rows

    def _entered(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Return rows as they enter the network."""
        with np.errstate(over="ignore"):
            return np.clip(Real().to_network(rows, self.statistics_), -ROW_LIMIT, ROW_LIMIT)

    def _chosen(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        parts = in_fixed_batches(self.model_, self._entered(rows), description="choose", verbose=self.verbose)
        return np.concatenate([one_hot.argmax(axis=-1) for _, one_hot in parts])

    def _build_networks(self) -> None:
        with training.seeded(int(self.seed)):
            self.model_ = build_gate(self.n_features_in_, self.num_experts_, hidden=self.hidden_)

    def _probe(self) -> dict[str, NDArray[Any]]:
        """Ask all experts for made-up rows, by which `load` recognizes them; return nothing if they refuse these."""
        if self.experts_ is None:
            return {}
        spread = np.random.default_rng(0).normal(size=(NUM_PROBES, self.n_features_in_))
        rows = self.statistics_["mean"] + self.statistics_["scale"] * spread
        # Probabilities tell experts apart that mostly agree.
        for method in ("predict_proba", "predict") if hasattr(self, "predict_proba") else ("predict",):
            with suppress(ExpertError):
                return {"rows": rows, "answers": self._all_answers(self.experts_, rows, method)}
        return {}

    def _all_answers(self, experts: Sequence[Any], rows: NDArray[np.float64], method: str) -> NDArray[Any]:
        """Return what all experts answer to rows, `(n, num_experts, ...)`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that these rows have no column names
            answers = [self._ask(expert, number, method, rows) for number, expert in enumerate(experts)]
        if len({answer.shape for answer in answers}) > 1:
            raise ExpertError(
                f"All experts must answer in the same shape: got shapes {[answer.shape for answer in answers]}."
            )
        return np.stack(answers, axis=1)

    def _take_parts(self, path: str | Path, config: dict[str, Any], given: dict[str, Any]) -> None:
        experts = given["experts"]
        if (experts is None) != (self.experts_ is None):
            wanted = "columns of outputs" if self.experts_ is None else "experts"
            raise ParameterError(
                f"{path} is a gate of {self.num_experts_} {wanted}: got experts={experts!r}. "
                f"Call load(path{')' if self.experts_ is None else ', experts=[...])'}."
            )
        if experts is None:
            return
        check_experts(experts, self._kind)
        if len(experts) != self.num_experts_ or not are_fitted(experts):
            raise ParameterError(
                f"{path} is a gate of {self.num_experts_} fitted experts: got {len(experts)}, "
                f"{'fitted' if are_fitted(experts) else 'not fitted'}. Pass the `experts_` of the gate that was saved."
            )
        try:
            others = self._experts_unlike_the_probe(experts) if self.probe_ else []
        except ExpertError as error:
            raise ParameterError(f"`experts` must be those that the gate was fitted with. {error}") from error
        if others:
            raise ParameterError(
                "`experts` must be those that the gate was fitted with, in the same order: got other answers from "
                f"{', '.join(f'expert {index}, {experts[index]!r}' for index in others)}."
            )
        self.experts, self.experts_ = experts, list(experts)

    def _experts_unlike_the_probe(self, experts: Sequence[Any]) -> list[int]:
        """Return the numbers of the experts whose answers to the probe have changed since the fit."""
        expected = self.probe_["answers"]
        method = "predict_proba" if is_classifier(self) and expected.ndim == 3 else "predict"
        answers = self._all_answers(experts, self.probe_["rows"], method)
        if answers.shape != expected.shape:
            return list(range(len(experts)))
        # Machines round differently, the more so in half precision.
        tolerance = 1e-3 if is_classifier(self) else 1e-5 * float(np.max(self.target_scale_))
        near = np.isclose(answers, expected, rtol=1e-5, atol=tolerance).reshape(len(answers), len(experts), -1)
        return np.flatnonzero(~near.all(axis=(0, 2))).tolist()
