"""What the doctor can find: one finding, and the table of all of them, `findings.md`."""

import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from codeword.errors import ParameterError

SEVERITIES = ("error", "warning", "note")

# Each section of findings.md has a code, a title and an explanation, which begins with the usual severity.
_SECTIONS = re.findall(
    r"^## (\S+)\n\n\*([^\n]+)\*\n\n(\*\*(Error|Warning|Note)\b.*?)\s*(?=^## |\Z)",
    files("codeword.doctor").joinpath("findings.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE | re.DOTALL,
)
TITLES = {code: title for code, title, _, _ in _SECTIONS}  # codes are stable: programs may look for them
_EXPLANATIONS = {code: text for code, _, text, _ in _SECTIONS}
_USUAL_SEVERITIES = {code: severity.lower() for code, _, _, severity in _SECTIONS}


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
    code: str, evidence: str, remedy: str, numbers: dict[str, Any] | None = None, *, severity: str = "", title: str = ""
) -> Finding:
    """Return the finding of a code, with the severity and title of the table unless others are passed."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in (numbers or {}).items()}
    return Finding(code, severity or _USUAL_SEVERITIES[code], title or TITLES[code], evidence, remedy, plain)


def explanation_of(code: str) -> str:
    """Return the explanation of a finding as Markdown.

    Args:
        code: Code of the finding, such as "targets-not-distributions".

    Raises:
        ParameterError: If there is no such finding.
    """
    if code not in TITLES:
        raise ParameterError(f"`code` must be the code of a finding: got {code!r}. The codes are {', '.join(TITLES)}.")
    return _EXPLANATIONS[code]
