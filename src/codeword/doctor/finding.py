"""What the doctor can find: one finding, and the table of all of them."""

from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("error", "warning", "note")

# Codes are stable: programs may look for them. docs/findings.md explains each.
TITLES = {
    # the examination itself
    "model-fails": "the model raises an error on this data",
    "not-compiled": "the model is not compiled: what concerns the loss and the gradient was not looked at",
    "no-targets": "no targets were given: what concerns the loss and the gradient was not looked at",
    "not-examined": "a part was not looked at",
    # data
    "not-finite": "NaN or infinity in the data",
    "not-scaled": "the data is not scaled",
    "constant-columns": "columns that never change",
    "zeros-as-missing": "zeros that look like missing entries, and are learnt",
    "masked-softmax": "a loss that leaves out missing entries, over a softmax that couples all of them",
    "empty-rows": "a row with nothing observed makes the loss NaN",
    "validation-copies": "the validation measures copying",
    # output and loss
    "targets-not-distributions": "softmax over targets that are not distributions",
    "cross-entropy-targets": "cross-entropy on targets outside 0 to 1",
    "output-out-of-reach": "the output cannot reach the targets",
    "output-range-unused": "half of the output's range is never asked for",
    "cross-entropy-floor": "this loss does not fall to zero on this data",
    "logits-twice": "from_logits=True over an output that is a probability already",
    "not-probabilities": "cross-entropy over an output that is no probability",
    "labels-as-numbers": "class labels treated as numbers",
    "labels-out-of-range": "class numbers that the output does not have",
    "levels-as-reals": "few levels treated as real numbers",
    # gradient
    "loss-not-finite": "the loss is NaN or infinite",
    "no-gradient": "weights that get no gradient",
    "saturated": "a hidden layer is saturated",
    "dead-relus": "units that are 0 for every row",
    "vanishing-gradient": "the gradient vanishes on its way back",
    "exploding-gradient": "values or gradients explode",
    # code
    "one-code": "all rows get the same code",
    "dead-bits": "bits that never change",
    "duplicate-bits": "bits that say the same",
    "unbalanced-bits": "bits that are nearly always the same",
    "correlated-bits": "bits that say nearly the same",
    "rounded-after-training": "a code that is rounded after training only",
    "near-threshold": "values so near the threshold that another machine may round them the other way",
}


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor found.

    Attributes:
        code: Its stable name, such as "targets-not-distributions".
        severity: "error": the network cannot learn what it shall. "warning": it learns worse, or something else than
            meant. "note": good to know.
        title: What is wrong, in a few words.
        evidence: What was measured on this data and this model, in a sentence or two.
        remedy: Lines of Python to paste, where `model`, `x`, `y`, `np`, `keras` and `codeword as cw` are known.
        docs: Where the finding is explained.
        numbers: The figures behind the evidence.
    """

    code: str
    severity: str
    title: str
    evidence: str
    remedy: str
    docs: str
    numbers: dict[str, Any] = field(default_factory=dict)


def found(
    code: str, severity: str, evidence: str, remedy: str = "", *, title: str | None = None, **numbers: Any
) -> Finding:
    """Makes the finding of a code, with its title from the table unless another is given."""
    assert severity in SEVERITIES
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in numbers.items()}
    return Finding(code, severity, title or TITLES[code], evidence, remedy, f"docs/findings.md#{code}", plain)
