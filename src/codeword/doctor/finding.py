"""What the doctor can find: one finding, the table of all of them, and what each one means."""

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from codeword.errors import ParameterError

SEVERITIES = ("error", "warning", "note")

# Codes are stable: programs may look for them. findings.md explains each.
TITLES = {
    # the examination itself
    "model-fails": "the model raises an error on this data",
    "not-compiled": "the model has no loss: loss and gradient were not checked",
    "no-targets": "no targets were given: output, loss and gradient were not checked",
    "not-examined": "one part was not checked",
    # data
    "not-finite": "NaN or infinity in the data",
    "not-scaled": "the data is not scaled",
    "constant-columns": "columns that never change",
    "zeros-as-missing": "zeros that look like missing entries but count in the loss",
    "masked-softmax": "a masked loss over a softmax, which couples all entries",
    "empty-rows": "a row without observed entries makes the loss NaN",
    "validation-copies": "the validation measures copying",
    # output and loss
    "targets-not-distributions": "softmax over targets that are not distributions",
    "cross-entropy-targets": "cross-entropy on targets outside 0 to 1",
    "output-out-of-reach": "the output cannot reach the targets",
    "output-range-unused": "half of the output range is never needed",
    "cross-entropy-floor": "this loss cannot reach zero on this data",
    "logits-twice": "from_logits=True on an output that is already a probability",
    "not-probabilities": "cross-entropy on an output that is not a probability",
    "labels-as-numbers": "class labels treated as numbers",
    "labels-out-of-range": "class numbers that the output does not have",
    "levels-as-reals": "a few levels treated as real numbers",
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
    "duplicate-bits": "bits that duplicate other bits",
    "unbalanced-bits": "bits that almost always have the same value",
    "correlated-bits": "bits that are highly correlated",
    "rounded-after-training": "a code that is rounded only after training",
    "near-threshold": "values so close to the threshold that another machine may round them differently",
}


@dataclass(frozen=True, repr=False)
class Finding:
    """One problem that `examine` found.

    Attributes:
        code: Stable name, such as "targets-not-distributions".
        severity: "error": the network cannot learn what it is meant to learn. "warning": it learns worse, or learns
            something else. "note": good to know.
        title: The problem in a few words.
        evidence: What was measured on this data and this model, in one to three sentences.
        remedy: Lines of Python to paste, where `model`, `x`, `y`, `np`, `keras` and `codeword as cw` are known.
        numbers: The figures behind the evidence.
    """

    code: str
    severity: str
    title: str
    evidence: str
    remedy: str
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def explain(self) -> str:
        """The command that prints the explanation."""
        return f"codeword examine --explain {self.code}"

    @property
    def explanation(self) -> str:
        """What the finding means, why it matters and what to do, as Markdown."""
        return explanation_of(self.code)

    def __repr__(self) -> str:
        return f"Finding({self.code!r}, severity={self.severity!r}, title={self.title!r})"


def found(
    code: str, severity: str, evidence: str, remedy: str = "", *, title: str | None = None, **numbers: Any
) -> Finding:
    """Return the finding of a code, with its title from the table unless another is passed."""
    assert severity in SEVERITIES
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in numbers.items()}
    return Finding(code, severity, title or TITLES[code], evidence, remedy, plain)


def explanation_of(code: str) -> str:
    """Return the explanation of a finding as Markdown.

    Args:
        code: Code of the finding, such as "targets-not-distributions".

    Raises:
        ParameterError: If there is no such finding.
    """
    if code not in TITLES:
        raise ParameterError(f"`code` must be the code of a finding: got {code!r}. The codes are {', '.join(TITLES)}.")
    return _explanations()[code]


@cache
def _explanations() -> dict[str, str]:
    text = files("codeword.doctor").joinpath("findings.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (\S+)\n", text, flags=re.MULTILINE)
    return {code: body.strip() for code, body in zip(sections[1::2], sections[2::2], strict=True)}
