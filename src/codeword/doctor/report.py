"""All findings of one examination: to print, to show in a notebook, to hand to a program, to act on."""

import html
import json
import math
import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any

from codeword.doctor.finding import SEVERITIES, Finding

_WIDTH = 110
_COLORS = {"error": "#b3261e", "warning": "#9a6700", "note": "#57606a"}


@dataclass(frozen=True)
class Report:
    """What `examine` found; `print` shows it, a notebook too.

    Attributes:
        findings: Errors first, then warnings, then notes.
        subject: What was examined, in a sentence.
    """

    findings: tuple[Finding, ...]
    subject: str
    _case: Any = field(default=None, repr=False, compare=False)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Why the network cannot learn what it shall."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Why it learns worse, or something else than meant."""
        return self._of("warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """Good to know."""
        return self._of("note")

    def remedied(self) -> Any:
        """Rebuilds the model with what can be put right by itself: scaling, output, loss, mask, slope, bits.

        Returns:
            `(model, scaling)`: a new Keras model, its weights drawn anew but for frozen and adapted layers, compiled
            with an optimizer of the same settings, without metrics; and a function that scales what enters:
            `model.fit(scaling(x), scaling(x))` for an autoencoder, else `model.fit(scaling(x), scaling.targets(y))`.
            `scaling.inverse` takes outputs back. The examined model stays as it is.

        Raises:
            ParameterError: If the model is subclassed, so that only its author can rebuild it, or was not run.
        """
        from codeword.doctor.remedies.rebuild import rebuilt

        return rebuilt(self._case, (*self.errors, *self.warnings))

    def to_json(self) -> str:
        """Gives subject, counts and findings as JSON; NaN and infinity as null."""
        counts = {f"{severity}s": len(self._of(severity)) for severity in SEVERITIES}
        findings = [_plain(asdict(finding)) for finding in self.findings]
        return json.dumps({"subject": self.subject, **counts, "findings": findings}, allow_nan=False)

    def __str__(self) -> str:
        parts = [textwrap.fill(self.subject, _WIDTH), *(_shown(finding) for finding in self.findings), self._verdict()]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        rows = "".join(_html_row(finding) for finding in self.findings)
        return (
            f"<p>{html.escape(self.subject)}</p><table "
            f"style='text-align:left'>{rows}</table><p><b>{html.escape(self._verdict())}</b></p>"
        )

    def _verdict(self) -> str:
        if not self.findings:
            return "Nothing found."
        counted = [
            f"{len(found)} {severity}{'s' if len(found) > 1 else ''}"
            for severity in SEVERITIES
            if (found := self._of(severity))
        ]
        return f"{', '.join(counted)}."

    def _of(self, severity: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == severity)


def _shown(finding: Finding) -> str:
    head = f"{finding.severity.upper()}  {finding.title}  [{finding.code}]"
    evidence = textwrap.fill(finding.evidence, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    remedy = textwrap.indent(finding.remedy, "    ")
    return "\n".join(part for part in (head, evidence, remedy, f"  {finding.docs}") if part.strip())


def _html_row(finding: Finding) -> str:
    return (
        f"<tr><td style='vertical-align:top;color:{_COLORS[finding.severity]}'><b>{finding.severity}</b></td><td "
        f"style='text-align:left'><b>{html.escape(finding.title)}</b> "
        f"<code>{finding.code}</code><br>{html.escape(finding.evidence)}<pre>{html.escape(finding.remedy)}</pre></td></tr>"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
