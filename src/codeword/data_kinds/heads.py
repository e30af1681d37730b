"""The table of heads: the scaling, output activation and loss that fit the values of an array.

`advise`, `examine` and `remedied` read it, and so do the estimators, through their data kinds.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds.inference import kind_of_values, scale_if_mostly_missing, scale_if_zero_is_missing
from codeword.data_kinds.kind import DataKind, LossCall
from codeword.data_kinds.levels import Levels
from codeword.data_kinds.scaling import Scaling, is_unscaled

CROSS_ENTROPIES = {
    "binary": "BinaryCrossentropy",
    "categorical": "CategoricalCrossentropy",
    "sparse": "SparseCategoricalCrossentropy",
}


@dataclass(frozen=True)
class Head:
    """What a network needs for an output: a data kind and what follows from it."""

    kind: DataKind
    scaling: Scaling
    activation: str  # Keras' name; "staircase" takes only the levels of the kind
    loss: LossCall  # between scaled values and the output
    keeps_loss: bool = False  # whether the loss that the model has already is right, such as one written by its author

    @property
    def missing(self) -> float | None:
        """The value that the loss treats as missing; None if there is none."""
        return self.loss.arguments.get("missing")

    @property
    def levels(self) -> list[float]:
        """The levels of a staircase, scaled; empty for other activations."""
        if self.activation != "staircase":
            return []
        return [float(level) for level in (np.array(self.kind.entry_levels) - self.scaling.shift) / self.scaling.factor]

    @property
    def loss_code(self) -> str:
        """Python of the loss, where `model` is the model and `cw` is codeword."""
        return "model.loss" if self.keeps_loss else self.loss.code


@dataclass(frozen=True)
class GivenOutput:
    """What the output of an existing model has already; the chooser keeps what is right."""

    activation: str | None = "linear"  # Keras' name; None if unknown
    is_probability: bool = False  # whether its values cannot leave 0 to 1
    loss: str | None = None  # Keras' name
    loss_kind: str | None = None  # "binary", "categorical", "sparse" (cross-entropies), "distance", "levels", "own"
    missing: float | None = None  # value that the loss leaves out
    num_classes: int | None = None  # number of classes that the targets name
    is_reconstruction: bool = True  # whether the targets are the inputs, as of an autoencoder


def choose_head(scan: ValueScan, given: GivenOutput | None = None) -> Head:
    """Return the head that fits all values that the output has to reproduce; NaN does not count.

    `given` is what the model has already, one number per cell; None if the network is still to be built.
    """
    return head_of_kind(kind_of_values(scan), scan) if given is None else _kept(scan, given)


def head_of_kind(kind: DataKind, scan: ValueScan) -> Head:
    """Return the head of values that have this data kind, with its loss."""
    return Head(kind, kind.scaling_by(scan), kind.activation, kind.loss_call)


def completion(kind: DataKind, activation: str | None, low: float, high: float) -> str | None:
    """Return what must follow an existing output so that it is the output of this kind's head.

    Args:
        kind: Data kind of the values that the output has to reproduce.
        activation: Keras' name of the output's activation; None if unknown.
        low: Lower end of its range.
        high: Upper end of its range.

    Returns:
        The head's activation, after an output that takes any value; "linear" for nothing, if it has that activation;
        "logit" or "log", which turn probabilities into logits; None if nothing makes it the head's.
    """
    if (low, high) == (-math.inf, math.inf):
        return kind.activation
    is_share = activation is None and low >= 0 and high <= 1
    if kind.activation != "linear" and (activation == kind.activation or (is_share and kind.activation == "sigmoid")):
        return "linear"
    if activation is not None and activation == kind.probability_activation:
        return {"sigmoid": "logit", "softmax": "log"}[activation]
    return None


def endings(kind: DataKind) -> str:
    """Describe the activations that `completion` accepts for this kind, as the end of "must end in"."""
    accepted = kind.activation if kind.activation != "linear" else kind.probability_activation
    return f"a {accepted} or without an activation" if accepted else "a layer without an activation"


def sums_to_one(scan: ValueScan) -> bool:
    """Return whether the last axis sums to 1 nearly everywhere, as distributions do."""
    return len(scan.shape) > 1 and scan.shape[-1] > 1 and scan.share_summing_to_one > 0.99


def _kept(scan: ValueScan, given: GivenOutput) -> Head:
    """Return the head for an existing output, which keeps what the values allow."""
    if given.missing is not None:
        return _observed_only(scan, given)
    kind = kind_of_values(scan)
    if given.num_classes is not None or given.loss_kind == "sparse":
        return _of_one_answer(Levels(given.num_classes) if given.num_classes else kind, "sparse", given)
    if sums_to_one(scan) and _cells_exclude_each_other(given):
        return _of_one_answer(kind, "categorical", given)
    head = _of_numbers(kind, scan)
    if given.loss_kind in ("own", "levels"):
        return replace(head, activation="sigmoid" if kind.is_probability else "linear", keeps_loss=True)
    if kind.is_probability and (given.loss_kind in ("binary", "categorical") or "mse" not in kind.losses):
        head = _of_probabilities(kind.with_loss("binary_crossentropy"), scan, given)
    elif given.loss_kind == "distance" and not head.levels:
        head = replace(head, loss=_distance(given.loss))
    return replace(head, loss=_masked(head.loss, math.nan)) if scan.num_nan else head


def _cells_exclude_each_other(given: GivenOutput) -> bool:
    """Return whether rows that sum to 1 are distributions: as targets, or if an autoencoder treats them so."""
    if given.is_reconstruction:
        return given.activation == "softmax" or given.loss_kind == "categorical"
    return given.loss_kind != "binary" or given.activation == "softmax"


def _observed_only(scan: ValueScan, given: GivenOutput) -> Head:
    """Return the head of values of which some are missing; they stay unscaled, so that 0 remains 0."""
    kind = scale_if_zero_is_missing(scan) or scale_if_mostly_missing(scan) or kind_of_values(scan)
    loss = _distance(given.loss if given.loss_kind == "distance" else None)
    return Head(kind, Scaling(), "linear", _masked(loss, given.missing))


def _of_one_answer(kind: DataKind, cross_entropy: str, given: GivenOutput) -> Head:
    """Return a softmax that stays as it is, or logits from any other output."""
    loss = LossCall("keras.losses", CROSS_ENTROPIES[cross_entropy])
    if given.is_probability:
        return Head(kind, Scaling(), "softmax", loss)
    return Head(kind, Scaling(), "linear", loss._replace(arguments={"from_logits": True}))


def _of_probabilities(kind: DataKind, scan: ValueScan, given: GivenOutput) -> Head:
    """Return binary cross-entropy of logits, or of a sigmoid if the model has an activation."""
    head = head_of_kind(kind, scan)
    is_new = given.loss_kind not in ("binary", "categorical") and not given.is_probability
    if given.activation == "linear" or is_new:
        return head
    return replace(head, activation="sigmoid", loss=LossCall("keras.losses", CROSS_ENTROPIES["binary"]))


def _of_numbers(kind: DataKind, scan: ValueScan) -> Head:
    """Return the head that has one number per cell: a staircase for levels, which enter as numbers as well."""
    if "staircase" not in kind.losses:
        return head_of_kind(kind, scan)
    largest = max(map(abs, kind.entry_levels))
    kind = kind.with_loss("staircase")
    return Head(kind, Scaling(factor=largest) if is_unscaled(scan) else Scaling(), kind.activation, kind.loss_call)


def _masked(loss: LossCall, missing: float | None) -> LossCall:
    return LossCall("codeword.losses", "Masked", {"loss": loss if loss.arguments else loss.alias, "missing": missing})


def _distance(loss: str | None) -> LossCall:
    """Return a loss by Keras' name, such as "mean_absolute_error"; the squared error without one."""
    return LossCall("keras.losses", "".join(part.capitalize() for part in (loss or "mean_squared_error").split("_")))
