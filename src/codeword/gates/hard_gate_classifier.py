"""Gates over classifiers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from codeword.errors import CodewordError, DataError, ExpertError
from codeword.gates.answers import all_classes, check_labels, kind_of_labels
from codeword.gates.experts import ask, check_kinds
from codeword.gates.hard_gate import HardGate


def _all_give_probabilities(gate: "HardGateClassifier") -> bool:
    if gate.experts is None:
        return len(getattr(gate, "output_shape_", (2, 2))) == 2
    return all(hasattr(expert, "predict_proba") for expert in gate.experts)


class HardGateClassifier(ClassifierMixin, HardGate):
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
        batch_size: Rows a step. None: 256.
        learning_rate: Adam's highest rate; it rises for a moment, then falls to 0 along a half cosine.
        penalty: What the sum of the squares of the gate's weights, biases aside, costs, in units of the cost; of
            several numbers the one that held-out rows confirm.
        seed: Same seed, machine and backend: same choices.
        verbose: 0 silent, 1 progress bars, 2 a line an epoch.

    Attributes:
        experts_: The fitted experts; None for a gate of outputs.
        classes_: Labels, ascending, `(num_classes,)`.
        usage_: Share of the training rows for which each expert is chosen, `(num_experts,)`.
        held_out_: Mean cost, without `balance`, on rows not seen in training: of the "gate", of the "best_expert"
            alone, and of the "best_possible" choice. Where gate and best expert are equal, the gate always chooses that
            expert.
        model_: Keras model from rows, standardized and within 5, to one-hots; open. hidden_: its layers.
        history_: Training loss by epoch, of all gates that were tried. Not in a saved gate.

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
        """Gives the chosen expert's probabilities of the classes, `(n, num_classes)`; 0 for those it does not know."""
        return self._answers(X, "predict_proba", outputs)

    def _learn_targets(self, y: Any, num_rows: int) -> NDArray[np.intp]:
        labels = check_labels(y, num_rows)
        check_kinds(self.experts or (), self._kind)
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
