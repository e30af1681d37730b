"""Gates: choose one of several experts for every row, and ask only that one."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin, is_classifier
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from codeword.data_kinds import Real
from codeword.errors import CodewordError, DataError, ExpertError, ParameterError
from codeword.estimators.gate_checks import (
    all_classes,
    check_gate_settings,
    check_labels,
    check_numbers,
    check_outputs,
    kind_of_labels,
)
from codeword.estimators.gate_experts import are_fitted, ask, check_kinds, fit_out_of_fold, fitted_clone, rows_of
from codeword.estimators.gate_parts import gate_parts_of, probe_of
from codeword.estimators.gate_training import train_gate
from codeword.estimators.input_checks import check_rows
from codeword.model_file import model_fingerprint, write_model_file
from codeword.networks.gate import build_gate
from codeword.tables import as_array
from codeword.training import fitting
from codeword.training.fixed_batches import in_fixed_batches

COST_LIMIT = 1e12  # the costs of answers that are farther off overflow float32
ROW_LIMIT = 5.0  # standard deviations; beyond it one odd value would outvote all others


class _HardGate(BaseEstimator):
    """What `HardGateClassifier` and `HardGateRegressor` share: to learn costs, to choose, and to ask the chosen."""

    def __init__(
        self,
        experts: Sequence[Any] | None = None,
        *,
        cv: Any = 5,
        hidden: Sequence[int] = (20,),
        balance: float = 0.0,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 0.02,
        weight_decay: Any = (5e-6, 5e-4, 5e-3),
        seed: int = 0,
        verbose: int = 1,
    ) -> None:
        self.experts = experts
        self.cv = cv
        self.hidden = hidden
        self.balance = balance
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.seed = seed
        self.verbose = verbose

    def fit(self, X: Any, y: Any, *, outputs: Any = None) -> Self:
        """Learns which expert to ask. If that fails, the gate is what it was before.

        Args:
            X: Array or frame of shape `(n, num_features)`, finite numbers.
            y: The right answers: class labels, or numbers of shape `(n,)` or `(n, num_targets)`.
            outputs: Where there are no experts, what they answered to these rows: `(n, num_experts)` labels or
                numbers; `(n, num_experts, num_classes)` probabilities of the sorted classes of `y`; or
                `(n, num_experts, num_targets)`.

        Raises:
            DataError, DataTypeError: If rows, answers or outputs are not allowed, before anything is trained.
            ParameterError: If a setting cannot work.
            ExpertError: If an expert raises, or gives NaN, or not one answer a row.
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
        check_gate_settings(self, outputs)
        rows = _checked_rows(X)
        validate_data(self, X, skip_check_array=True)
        fitted = outputs is None and are_fitted(self.experts or ())
        self.experts_ = list(self.experts) if fitted and self.experts is not None else None
        targets = self._learn_targets(y, len(rows))
        if outputs is not None:
            checked = check_outputs(outputs, len(rows))
            self.output_shape_ = checked.shape[1:]
            costs = self._costs_of_outputs(checked, targets)
        else:
            costs = self._costs_of_experts(_as_asked(X, rows), y, targets)
        self.num_experts_ = costs.shape[1]
        self.statistics_ = Real().learn(rows)
        learnt = np.isfinite(costs).all(axis=1)  # rows that no fold held out teach nothing
        if not learnt.any():
            raise DataError(f"`cv` must hold out rows for the gate to learn from. Received: none from {self.cv!r}.")
        with fitting.seeded(int(self.seed)):
            trained = train_gate(self, self._entered(rows[learnt]), costs[learnt])
        self.model_, self.hidden_, self.history_, self.held_out_ = trained
        self.probe_ = probe_of(self)
        self.usage_ = np.bincount(self._chosen(rows), minlength=self.num_experts_) / len(rows)

    def choose(self, X: Any) -> NDArray[np.int64]:
        """Gives the number of the expert to ask, one a row: int64 of shape `(n,)`. Asks none of them."""
        return self._chosen(self._rows(X))

    def predict(self, X: Any, *, outputs: Any = None) -> NDArray[Any]:
        """Gives the answer of the chosen expert, one a row; every expert sees only the rows that it was chosen for.

        Args:
            X: Rows like those of `fit`.
            outputs: What the experts answered to these rows, if the gate was fitted with such.

        Returns:
            Class labels `(n,)`; or numbers, float64 of shape `(n,)` or `(n, num_targets)`.

        Raises:
            ExpertError: If a chosen expert raises, or gives NaN, or not one answer a row.
        """
        return self._finished(self._answers(X, "predict", outputs))

    def save(self, path: str | Path) -> str:
        """Writes the gate to one `.codeword` file, whole or not at all; without the experts, which are yours to keep.

        `codeword.load(path, experts=[…])` makes it again.

        Returns:
            The gate's fingerprint.
        """
        check_is_fitted(self)
        config, arrays = gate_parts_of(self)
        write_model_file(path, config, arrays)
        return model_fingerprint(config, arrays)

    @property
    def fingerprint_(self) -> str:
        """64 hexadecimal digits that tell this gate from any other, whatever its experts are."""
        check_is_fitted(self)
        return model_fingerprint(*gate_parts_of(self))

    @abstractmethod
    def _learn_targets(self, y: Any, num_rows: int) -> NDArray[Any]:
        """Checks the right answers and gives them as `_cost` takes them."""

    @abstractmethod
    def _ask(self, expert: Any, number: int, method: str, x: Any) -> NDArray[Any]:
        """Gives an expert's answers as `_cost` takes them."""

    @abstractmethod
    def _cost(self, answers: NDArray[Any], targets: NDArray[Any], number: int) -> NDArray[np.floating[Any]]:
        """Gives what an expert's answers would cost, one number a row."""

    @abstractmethod
    def _read_outputs(self, outputs: NDArray[Any], method: str) -> NDArray[Any]:
        """Gives the outputs of all experts as answers, `(n, num_experts, …)`."""

    def _finished(self, answers: NDArray[Any]) -> NDArray[Any]:
        return answers

    def _costs_of_outputs(self, outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.floating[Any]]:
        answers = self._read_outputs(outputs, "predict")
        return np.stack([self._cost(answers[:, number], targets, number) for number in range(answers.shape[1])], axis=1)

    def _costs_of_experts(self, x: Any, y: Any, targets: NDArray[Any]) -> NDArray[np.floating[Any]]:
        if self.experts_ is not None:
            answers = [self._ask(expert, number, "predict", x) for number, expert in enumerate(self.experts_)]
            return np.stack([self._cost(answer, targets, number) for number, answer in enumerate(answers)], axis=1)
        experts, y = list(self.experts or ()), np.asarray(as_array(y)).reshape(np.shape(targets))
        costs, times = np.zeros((2, len(targets), len(experts)))
        for number, unseen, expert in fit_out_of_fold(experts, x, y, self._folds(y), verbose=self.verbose):
            answer = self._ask(expert, number, "predict", rows_of(x, unseen))
            costs[unseen, number] += self._cost(answer, targets[unseen], number)
            times[unseen, number] += 1
        self.experts_ = [fitted_clone(expert, number, x, y) for number, expert in enumerate(experts)]
        return np.where(times > 0, costs / np.maximum(times, 1), np.nan)

    def _folds(self, y: NDArray[Any]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Gives the rows to fit on and the rows to ask for, fold by fold."""
        if hasattr(self.cv, "split"):
            return list(self.cv.split(np.zeros((len(y), 1)), y))
        if len(y) < self.cv:
            raise DataError(
                f"There must be at least as many rows as folds, {self.cv}. Received: {len(y)} sample(s). Lower `cv`."
            )
        rarest = np.unique(y, return_counts=True)[1].min() if is_classifier(self) else 0
        folds = StratifiedKFold if rarest >= self.cv else KFold
        return list(folds(self.cv, shuffle=True, random_state=int(self.seed)).split(np.zeros((len(y), 1)), y))

    def _answers(self, X: Any, method: str, outputs: Any) -> NDArray[Any]:
        """Gives the answers of the chosen experts, each asked only for its rows."""
        rows = self._rows(X)
        if (outputs is None) != (self.experts_ is not None):
            came = "none" if outputs is None else "some"
            raise ParameterError(
                f"`outputs` must be given as in training, and only then. Received: {came}. This gate was fitted with "
                f"{'outputs' if outputs is None else 'experts'}; choose(X) needs neither."
            )
        chosen = self._chosen(rows)
        if self.experts_ is None:
            answers = self._read_outputs(check_outputs(outputs, len(rows), self.output_shape_), method)
            return answers[np.arange(len(rows)), chosen]
        x, merged = _as_asked(X, rows), None
        for number in np.unique(chosen):
            where = np.flatnonzero(chosen == number)
            answers = self._ask(self.experts_[number], int(number), method, rows_of(x, where))
            if merged is None:
                merged = np.empty((len(rows), *answers.shape[1:]), answers.dtype)
            if answers.shape[1:] != merged.shape[1:]:
                raise ExpertError(
                    f"All experts must give answers of one shape. Received: {(len(rows), *merged.shape[1:])} and, from "
                    f"expert {number}, {(len(rows), *answers.shape[1:])}. Fit all to the same targets."
                )
            merged[where] = answers
        assert merged is not None, "check_rows refuses no rows"
        return merged

    def _rows(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        rows = _checked_rows(X, (self.n_features_in_,), type(self).__name__)
        validate_data(self, X, reset=False, skip_check_array=True)
        return rows

    def _entered(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Gives rows as they enter the network."""
        with np.errstate(over="ignore"):
            entered = Real().to_network(rows, self.statistics_)
        return np.clip(entered, -ROW_LIMIT, ROW_LIMIT)

    def _chosen(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        chosen = np.empty(len(rows), np.int64)
        entered = self._entered(rows)
        for part, one_hot in in_fixed_batches(self.model_, entered, description="choose", verbose=self.verbose):
            chosen[part] = one_hot.argmax(axis=-1)
        return chosen

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __getstate__(self) -> dict[str, Any]:
        # Pickled as parameters and arrays: Keras models only pickle together with their registered classes.
        fitted = hasattr(self, "model_")
        state = {name: value for name, value in super().__getstate__().items() if name != "model_"}
        return {**state, "_weights": self.model_.get_weights() if fitted else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is not None:
            self.model_ = build_gate(self.n_features_in_, self.num_experts_, hidden=self.hidden_)
            self.model_.set_weights(weights)


def _all_give_probabilities(gate: "HardGateClassifier") -> bool:
    if gate.experts is None:
        return len(getattr(gate, "output_shape_", (2, 2))) == 2
    return all(hasattr(expert, "predict_proba") for expert in gate.experts)


class HardGateClassifier(ClassifierMixin, _HardGate):
    """Chooses, for every row, one of several classifiers, and gives that one's answer.

    Experts that come fitted stay as they are. It is best then that they have not seen the rows of `fit`, or the gate
    learns where they remember instead of where they know. Experts that come unfitted are cloned and fitted, and the
    gate learns from what they answer to rows out of their fold.

    Args:
        experts: At least two classifiers, all fitted or none; None if `outputs` are given in their place. They may
            know different classes.
        cv: Folds in which unfitted experts are fitted: their number, or a splitter of scikit-learn.
        hidden: Units of the gate's dense layers. A linear gate is tried as well, always.
        balance: At least 0, in units of the cost (1 is an error); more of it keeps one expert from taking all rows.
        epochs: Passes over the rows. None: as many as 1,500 steps take, and at least 10.
        batch_size: Rows a step. None: 128.
        learning_rate: AdamW's highest rate; it falls to 0 along a half cosine.
        weight_decay: What the sum of the squares of the gate's weights costs, in units of the cost; of several numbers
            the one that held-out rows confirm.
        seed: Same seed, machine and backend: same choices.
        verbose: 0 silent, 1 progress bars, 2 a line an epoch.

    Attributes:
        experts_: The fitted experts; None for a gate of outputs.
        classes_: Labels, ascending, `(num_classes,)`.
        usage_: Share of the training rows for which each expert is chosen, `(num_experts,)`.
        held_out_: Mean cost on rows not seen in training: of the "gate", of the "best_expert" alone, and of the
            "best_possible" choice. Where gate and best expert are equal, the gate always chooses that expert.
        model_: Keras model from rows, standardized and within 5, to one-hots; open. hidden_: its layers.
        history_: Cost by epoch, of all gates that were tried.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> y = np.where(x[:, 0] > 0, "right", "left")
        >>> gate = HardGateClassifier([LogisticRegression(), DecisionTreeClassifier()], epochs=2, verbose=0).fit(x, y)
        >>> gate.choose(x[:3]).shape, gate.predict(x[:3]).tolist() == y[:3].tolist()
        ((3,), True)
    """

    def predict_proba(self, X: Any, *, outputs: Any = None) -> NDArray[np.float64]:
        """Gives the chosen expert's probabilities of the classes, `(n, num_classes)`; 0 for those it does not know."""
        return self._answers(X, "predict_proba", outputs)

    predict_proba = available_if(_all_give_probabilities)(predict_proba)

    def _learn_targets(self, y: Any, num_rows: int) -> NDArray[np.intp]:
        labels = check_labels(y, num_rows)
        check_kinds(self.experts or (), "classifier")
        known = [np.asarray(expert.classes_) for expert in self.experts_ or () if hasattr(expert, "classes_")]
        self.classes_ = all_classes(labels, known)
        if known and len(known) == len(self.experts_ or ()):
            unseen = np.setdiff1d(labels, np.concatenate(known))
            if len(unseen):
                raise DataError(
                    f"Every class of `y` must be known to an expert. Received: {unseen[:5].tolist()}, which none of "
                    "them has seen. Fit an expert to them, or leave those rows out."
                )
        return np.searchsorted(self.classes_, labels)

    def _ask(self, expert: Any, number: int, method: str, x: Any) -> NDArray[Any]:
        answers = ask(expert, number, method, x)
        source = f"expert {number}, {expert!r}"
        if method == "predict":
            if answers.ndim != 1:
                raise ExpertError(
                    f"`predict` must give one label a row. Received: shape {answers.shape} from {source}. "
                    "Wrap it so that it does."
                )
            return self._positions(answers, source)
        if not hasattr(expert, "classes_"):
            raise ExpertError(
                "An expert with `predict_proba` must have `classes_`, its columns. Received: none from "
                f"{source}. Set them, or hide predict_proba."
            )
        known = self._positions(np.asarray(expert.classes_), source)
        if answers.ndim != 2 or answers.shape[1] != len(known) or answers.dtype.kind not in "fiub":
            raise ExpertError(
                f"`predict_proba` must give one number a class, {len(known)}. Received: shape "
                f"{answers.shape}, dtype {answers.dtype}, from {source}."
            )
        probabilities = np.zeros((len(answers), len(self.classes_)))
        probabilities[:, known] = answers
        return probabilities

    def _cost(self, answers: NDArray[Any], targets: NDArray[Any], number: int) -> NDArray[np.floating[Any]]:
        # Never probabilities: they pull towards the expert that is surest, not the one that is right most often.
        return (answers != targets).astype(np.float64)

    def _read_outputs(self, outputs: NDArray[Any], method: str) -> NDArray[Any]:
        if outputs.ndim == 2:
            return self._positions(outputs, "`outputs`", DataError)
        if outputs.shape[2] != len(self.classes_):
            raise DataError(
                f"`outputs` must have one probability for each of the {len(self.classes_)} classes of `y`. Received: "
                f"shape {outputs.shape}. Classes in order: {self.classes_[:9].tolist()}."
            )
        if outputs.dtype.kind not in "fiub" or outputs.min() < 0 or outputs.max() > 1 + 1e-3:
            came = f"{outputs.min()} to {outputs.max()}" if outputs.dtype.kind in "fiub" else f"dtype {outputs.dtype}"
            raise DataError(
                f"`outputs` of three axes must be probabilities, from 0 to 1. Received: {came}. Give predict_proba's."
            )
        return outputs if method == "predict_proba" else outputs.argmax(axis=-1)

    def _finished(self, answers: NDArray[Any]) -> NDArray[Any]:
        return self.classes_[answers]

    def _positions(
        self, labels: NDArray[Any], source: str, error: type[CodewordError] = ExpertError
    ) -> NDArray[np.intp]:
        """Gives the numbers of labels in `classes_`."""
        if kind_of_labels(labels) != kind_of_labels(self.classes_):
            raise error(
                f"Answers must be labels of {self.classes_[:9].tolist()}. Received: dtype {labels.dtype}, such as "
                f"{labels.ravel()[:5].tolist()}, from {source}. Give experts that were fitted to these classes."
            )
        places = np.minimum(np.searchsorted(self.classes_, labels), len(self.classes_) - 1)
        wrong = self.classes_[places] != labels
        if np.any(wrong):
            unknown = np.unique(labels[wrong])[:5].tolist()
            raise error(
                f"Answers must be labels of {self.classes_[:9].tolist()}. Received: {unknown} from {source}. "
                "Give experts that were fitted to these classes."
            )
        return places


class HardGateRegressor(RegressorMixin, MultiOutputMixin, _HardGate):
    """Chooses, for every row, one of several regressors, and gives that one's answer.

    Like `HardGateClassifier`, with numbers for labels; a cost of 1 is the squared error of the mean of `y`.

    Args:
        experts: At least two regressors, all fitted or none; None if `outputs` are given in their place.
        cv, hidden, balance, epochs, batch_size, learning_rate, weight_decay, seed, verbose: See `HardGateClassifier`.

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

    def _learn_targets(self, y: Any, num_rows: int) -> NDArray[np.float64]:
        numbers = check_numbers(y, num_rows)
        check_kinds(self.experts or (), "regressor")
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


def _checked_rows(X: Any, row_shape: tuple[int, ...] | None = None, estimator: str = "A gate") -> NDArray[Any]:
    rows = check_rows(as_array(X), row_shape, "X", estimator=estimator)
    if rows.ndim != 2:
        raise DataError(f"`X` must have shape (n, num_features). Received: shape {rows.shape}. Flatten the rows.")
    return Real().check(rows)


def _as_asked(X: Any, rows: NDArray[Any]) -> Any:
    """Gives rows as experts are asked: as they came, or as an array where they came as lists."""
    return X if hasattr(X, "shape") else rows
