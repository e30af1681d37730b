"""The gate over classifiers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from codeword.errors import CodewordError, DataError, ExpertError
from codeword.gates.answers import all_classes, check_labels, kind_of_labels
from codeword.gates.experts import ask
from codeword.gates.hard_gate import HardGate


def _all_give_probabilities(gate: "HardGateClassifier") -> bool:
    if gate.experts is None:
        return len(getattr(gate, "output_shape_", (2, 2))) == 2
    return all(hasattr(expert, "predict_proba") for expert in gate.experts)


class HardGateClassifier(ClassifierMixin, HardGate):
    """Choose one of several classifiers for each row, and return the answer of that one.

    Fitted experts stay as they are. Pass `fit` rows that they have not seen, or the gate learns where they remember
    instead of where they know. Unfitted experts are cloned and fitted, and the gate learns from out-of-fold answers.

    The gate is no worse than its best expert as far as held-out rows can show: if no gate beats that expert by more
    than two standard errors, it always chooses that expert. Cross-validation takes the place that
    `validation_fraction` and `patience` have in other estimators, and `penalty` the place of `weight_decay`.

    Args:
        experts: At least two classifiers, all fitted or all unfitted; None if `outputs` are passed in their place. They
            may know different classes.
        cv: Number of folds in which unfitted experts are fitted, or a splitter of scikit-learn.
        hidden: Units of the dense layers. A linear gate is always tried, too.
        balance: Reward of even use, at least 0, in units of the cost (an error costs 1). Raise it if one expert takes
            all rows and the others should be used.
        epochs: Number of epochs. Default: as many as 1,500 steps take, and at least 10.
        batch_size: Rows per step. Default: 256.
        learning_rate: Highest learning rate of Adam. It rises briefly, then falls to 0 along half a cosine.
        penalty: Cost of the sum of the squares of the gate's weights, biases excluded, in units of the cost. Of several
            numbers, held-out rows choose one.
        seed: Seed of all random numbers. The same seed, machine and backend give the same choices.
        verbose: 0 or False for silence; 1 or True for progress bars; 2 for one line per epoch.

    Attributes:
        experts_: The fitted experts; None for a gate of outputs.
        classes_: The labels in ascending order, `(num_classes,)`.
        usage_: Share of the training rows for which each expert is chosen, `(num_experts,)`.
        held_out_: Mean cost, without `balance`, on rows not seen in training: of the "gate", of the "best_expert"
            alone, and of the "best_possible" choice. If gate and best expert are equal, the gate always chooses that
            expert.
        model_: Keras model from standardized rows, clipped at 5 standard deviations, to one-hots.
        hidden_: Units of the dense layers of `model_`; empty for a linear gate.
        history_: Training loss per epoch, of all gates that were tried. Not saved to files.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> y = np.where(x[:, 0] > 0, "right", "left")
        >>> gate = HardGateClassifier([LogisticRegression(), DecisionTreeClassifier()], epochs=2, verbose=0).fit(x, y)
        >>> gate.choose(x[:3]).shape, gate.predict(x[:3]).tolist() == y[:3].tolist()
        ((3,), True)
    """

    _kind = "classifier"

    @available_if(_all_give_probabilities)
    def predict_proba(self, X: Any, *, outputs: Any = None) -> NDArray[np.float64]:
        """Return the chosen expert's probabilities, `(n, num_classes)`; 0 for classes that it does not know.

        Args:
            X: Rows as for `fit`.
            outputs: Probabilities that the experts answered to these rows, if the gate was fitted with them.
        """
        return self._answers(X, "predict_proba", outputs)

    def _learn_targets(self, y: Any) -> NDArray[np.intp]:
        labels = check_labels(y)
        known = [np.asarray(expert.classes_) for expert in self.experts_ or () if hasattr(expert, "classes_")]
        self.classes_ = all_classes(labels, known)
        if known and len(known) == len(self.experts_ or ()):
            unseen = np.setdiff1d(labels, np.concatenate(known))
            if len(unseen):
                raise DataError(
                    f"Every class of `y` must be known to an expert: got {unseen[:5].tolist()}, unknown to all of them."
                )
        return np.searchsorted(self.classes_, labels)

    def _ask(self, expert: Any, number: int, method: str, x: Any) -> NDArray[Any]:
        answers = ask(expert, number, method, x)
        source = f"expert {number}, {expert!r}"
        if method == "predict":
            if answers.ndim != 1:
                raise ExpertError(f"`predict` must return one label per row: got shape {answers.shape} from {source}.")
            return self._positions(answers, source)
        if not hasattr(expert, "classes_"):
            raise ExpertError(
                f"An expert with `predict_proba` must have `classes_`, its columns: got none from {source}."
            )
        known = self._positions(np.asarray(expert.classes_), source)
        if answers.ndim != 2 or answers.shape[1] != len(known) or answers.dtype.kind not in "fiub":
            raise ExpertError(
                f"`predict_proba` must return one number per class, {len(known)}: got shape {answers.shape}, dtype "
                f"{answers.dtype}, from {source}."
            )
        probabilities = np.zeros((len(answers), len(self.classes_)))
        probabilities[:, known] = answers
        return probabilities

    def _cost(self, answers: NDArray[Any], targets: NDArray[Any], number: int) -> NDArray[np.floating[Any]]:
        # Never probabilities: they favor the most confident expert, not the one that is right most often.
        return (answers != targets).astype(np.float64)

    def _read_outputs(self, outputs: NDArray[Any], method: str) -> NDArray[Any]:
        if outputs.ndim == 2:
            return self._positions(outputs, "`outputs`", DataError)
        if outputs.shape[2] != len(self.classes_):
            raise DataError(
                f"`outputs` must have one probability for each of the {len(self.classes_)} classes of `y`: got shape "
                f"{outputs.shape}. The classes in order: {self.classes_[:9].tolist()}."
            )
        if outputs.dtype.kind not in "fiub" or outputs.min() < 0 or outputs.max() > 1 + 1e-3:
            came = f"{outputs.min()} to {outputs.max()}" if outputs.dtype.kind in "fiub" else f"dtype {outputs.dtype}"
            raise DataError(
                f"`outputs` with three axes must be probabilities, from 0 to 1: got {came}. Pass predict_proba's."
            )
        return outputs if method == "predict_proba" else outputs.argmax(axis=-1)

    def _positions(
        self, labels: NDArray[Any], source: str, error: type[CodewordError] = ExpertError
    ) -> NDArray[np.intp]:
        """Return the positions of labels in `classes_`."""
        if kind_of_labels(labels) == kind_of_labels(self.classes_):
            places = np.minimum(np.searchsorted(self.classes_, labels), len(self.classes_) - 1)
            wrong = self.classes_[places] != labels
            if not np.any(wrong):
                return places
            came = str(np.unique(labels[wrong])[:5].tolist())
        else:
            came = f"dtype {labels.dtype}, such as {labels.ravel()[:5].tolist()},"
        raise error(
            f"Answers must be labels of {self.classes_[:9].tolist()}: got {came} from {source}. "
            "Use experts that were fitted to these classes."
        )
