"""Missing entries: are they left out, and does what is left out stay out?"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from codeword.data_kinds.heads import GivenOutput, choose_head
from codeword.data_kinds.inference import scale_if_zero_is_missing
from codeword.doctor.case import Case, as_arrays, call_model
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.target_figures import first_unobserved_row
from codeword.doctor.prescription import activation_line, compile_line, head_lines


def missing_findings(case: Case) -> Iterator[Finding]:
    """Looks at the targets of which something may be missing, and at how they are held out."""
    yield from _zeros(case)
    yield from _masked_softmax(case)
    yield from _empty_rows(case)


def _zeros(case: Case) -> Iterator[Finding]:
    for number, (out, target) in enumerate(zip(case.outputs, case.targets, strict=True)):
        if (
            target is None
            or scale_if_zero_is_missing(target.scan) is None
            or not case.has_loss
            or case.missing(number) is not None
        ):
            continue
        if out.loss is None or out.loss.kind not in ("distance", "binary", "categorical", "own"):
            continue
        sample, values = case.sample_targets[number], case.predictions[number]
        assert sample is not None
        if sample.shape != values.shape:
            continue
        filled = list(case.predictions)
        filled[number] = np.where(sample == 0, 0, values).astype(values.dtype)
        share = (case.loss - case.loss_of(filled)) / case.loss if case.loss else math.nan
        scan = target.scan
        counts = dict(zip(scan.distinct or (), scan.distinct_counts or (), strict=True))
        common = max((value for value in counts if value > 0), key=lambda value: counts[value])
        guess = "counts" if common == min(value for value in counts if value > 0) else "ratings"
        yield found(
            "zeros-as-missing",
            "warning",
            f"{scan.share_zero:.1%} of the cells of `{target.name}` are 0, the others "
            f"{min(v for v in counts if v > 0):g} to {scan.maximum:g}, most often {common:g}: ratings or counts? (It "
            f"looks like {guess}.) If 0 means that nobody rated, the loss must leave it out; now the zeros make "
            f"{share:.1%} of it.",
            head_of_missing(case, number),
            share_zero=scan.share_zero,
            share_of_loss=share,
        )


def head_of_missing(case: Case, number: int) -> str:
    """Writes the head for targets in which 0 means missing."""
    out, target = case.outputs[number], case.targets[number]
    assert target is not None
    head = choose_head(target.scan, GivenOutput(missing=0.0))
    lines = ["# If 0 means that nothing was observed (counts of which 0 is one: leave it as it is):"]
    if out.activation not in ("linear", None) and (out.high < target.scan.maximum or out.activation == "softmax"):
        lines.append(activation_line(case, out, head))
    lines.append(compile_line(case, number, head))
    return "\n".join(lines)


def _masked_softmax(case: Case) -> Iterator[Finding]:
    for number, (out, target) in enumerate(zip(case.outputs, case.targets, strict=True)):
        if target is None or out.activation != "softmax" or case.missing(number) is None:
            continue
        if out.loss is not None and out.loss.kind in ("sparse", "categorical"):
            continue
        sample, missing = case.sample_targets[number], case.missing(number)
        assert sample is not None
        observed = np.isfinite(sample) & (sample != missing)
        sums = np.where(observed, sample, 0).sum(axis=-1)
        yield found(
            "masked-softmax",
            "error",
            f"The loss leaves out what is {missing:g} in `{target.name}`, but softmax makes each row's "
            f"{sample.shape[-1]:,} outputs sum to 1: every entry that is observed pulls on all that are missing. The "
            f"observed ones of a row sum to {sums.mean():.4g} on average, and go up to {target.scan.maximum:g}.",
            head_lines(case, number),
            mean_sum=float(sums.mean()),
            columns=sample.shape[-1],
        )


def _empty_rows(case: Case) -> Iterator[Finding]:
    if not case.has_loss:
        return
    for number, target in enumerate(case.targets):
        missing = case.missing(number)
        row, num_rows = (None, 0) if target is None or missing is None else first_unobserved_row(target, missing)
        if target is None or missing is None or row is None:
            continue
        alone = case_on_rows(case, np.array([row]))
        loss = alone.loss
        if math.isfinite(loss):
            continue
        head = choose_head(target.scan, GivenOutput(missing=missing))
        yield found(
            "empty-rows",
            "error",
            f"In {num_rows:,} of {target.scan.shape[0]:,} rows of `{target.name}` nothing is observed, the first is "
            f"row {row}. The loss of that row alone is {loss}: the mean over nothing.",
            f"{compile_line(case, number, head)}  # a row with nothing observed costs 0",
            rows=num_rows,
        )


def case_on_rows(case: Case, numbers: NDArray[np.intp]) -> Case:
    """Gives the case with other rows for its sample."""
    other = Case(
        case.model, case.x, case.y, case.same, case.sample_weight, case.validation_data, case.code_layer, numbers
    )
    outputs = call_model(case.model, case.x.tensors(numbers))
    other.outputs, other.output_structure, other.predictions = case.outputs, outputs, as_arrays(outputs)
    return other
