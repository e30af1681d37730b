"""All findings of one examination: to print, to show in a notebook, to pass to a program, to act on."""

import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from codeword.advice.blocks import Block, InBlocks, as_json, paragraph, program, wrapped
from codeword.doctor.finding import SEVERITIES, Finding

if TYPE_CHECKING:
    from codeword.data_kinds.heads import Head
    from codeword.doctor.case import Case
    from codeword.doctor.remedies.rebuild import Remedied

_COLORS = {"error": "#b3261e", "warning": "#9a6700", "note": "#57606a"}


@dataclass(frozen=True, repr=False)
class Report(InBlocks):
    """The findings of `examine`; `print(report)` shows all of them, and so does a notebook.

    Attributes:
        findings: Errors first, then warnings, then notes.
        subject: What was examined, in one sentence.
    """

    findings: tuple[Finding, ...]
    subject: str
    _case: "Case | None" = field(default=None, compare=False)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Why the network cannot learn what it is meant to learn."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Why the network learns worse, or learns something else."""
        return self._of("warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is good to know."""
        return self._of("note")

    @property
    def heads(self) -> "tuple[Head | None, ...]":
        """The head that fits the targets of each output; None without targets.

        A head has a data `kind`, a `scaling`, an `activation` and a `loss`. `advise` reads the same table.
        """
        outputs = () if self._case is None else self._case.outputs
        return tuple(None if out.target is None else out.head for out in outputs)

    def remedied(self, missing: float | None = None) -> "Remedied":
        """Build a new model with everything fixed that needs no decision: scaling, output, loss, mask, slope, bits.

        An autoencoder with a linear output and a distance loss gets the head of its data kind. The examined model stays
        as it is.

        Args:
            missing: Value in the targets that stands for a missing entry, such as 0 in a table of ratings. The data
                alone cannot tell.

        Returns:
            `(model, scaling)`. `model` is a new Keras model, compiled with an optimizer of the same settings and
            without metrics. Its weights are initialized again, except in frozen and adapted layers. `scaling` is a
            function that scales the input: train with `model.fit(scaling(x), scaling.targets(y))`, or with
            `model.fit(scaling(x), scaling(x))` for an autoencoder. `scaling.inverse` undoes the scaling.

        Raises:
            ParameterError: If the model is subclassed, so that only its author can rebuild it, or could not run.
        """
        from codeword.doctor.remedies.rebuild import rebuilt

        return rebuilt(self._case, (*self.errors, *self.warnings), missing)

    def to_json(self) -> str:
        """Return subject, counts and findings as JSON; NaN and infinity become null."""
        counts = {f"{severity}s": len(self._of(severity)) for severity in SEVERITIES}
        findings = [{**asdict(finding), "explain": finding.explain} for finding in self.findings]
        return as_json({"subject": self.subject, **counts, "findings": findings})

    def __repr__(self) -> str:
        codes = ", ".join(finding.code for finding in self.findings)
        return f"Report({self._counts()}{': ' if codes else ''}{codes})"

    def _blocks(self) -> Iterator[Block]:
        yield paragraph(self.subject)
        for finding in self.findings:
            yield _block_of(finding)
        yield paragraph(f"{self._counts().capitalize()}.")

    def _counts(self) -> str:
        counts = [(severity, len(self._of(severity))) for severity in SEVERITIES]
        shown = [f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts if count]
        return ", ".join(shown) or "nothing found"

    def _of(self, severity: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == severity)


def _block_of(finding: Finding) -> Block:
    title = f"{finding.severity.upper()}  {finding.title}  [{finding.code}]"
    remedy, explain = program(finding.remedy), f"explain: {finding.explain}"
    lines = [title, wrapped(finding.evidence, "  ", first="  "), remedy.text, f"  {explain}"]
    shown = (
        f"<p><b style='color:{_COLORS[finding.severity]}'>{finding.severity}</b> <b>{html.escape(finding.title)}</b> "
        f"<code>{finding.code}</code><br>{html.escape(finding.evidence)}</p>{remedy.html}<p><code>{explain}</code></p>"
    )
    return Block("\n".join(line for line in lines if line.strip()), shown)
