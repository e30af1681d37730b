"""Missing entries: does the loss leave them out, and does the output keep them apart?"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from codeword.data_kinds.heads import choose_head
from codeword.data_kinds.inference import scale_if_zero_is_missing
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.target_figures import first_unobserved_row
from codeword.doctor.output import Output
from codeword.doctor.remedies.heads import activation_line, compile_line, head_lines


def missing_findings(case: Case) -> Iterator[Finding]:
    """Check every output whose targets may have missing entries."""
    for out in case.targeted:
        yield from _zeros(out)
        yield from _masked_softmax(case, out)
        yield from _empty_rows(out)


def _zeros(out: Output) -> Iterator[Finding]:
    scan, run, loss = out.target.scan, out.run, out.loss
    sample, values = out.sample_target, out.values
    if scale_if_zero_is_missing(scan) is None or not run.has_loss or out.missing is not None:
        return
    if loss.kind not in ("distance", "binary", "categorical", "own") or sample.shape != values.shape:
        return
    without = out.loss_with(np.where(sample == 0, 0, values).astype(values.dtype))
    share = (run.loss - without) / run.loss if run.loss else math.nan
    counts = dict(zip(scan.distinct or (), scan.distinct_counts or (), strict=True))
    others = [value for value in counts if value > 0]
    common, least = max(others, key=lambda value: counts[value]), min(others)
    guess = "counts" if common == least else "ratings"
    yield found(
        "zeros-as-missing",
        f"{scan.share_zero:.1%} of the cells of `{out.target.name}` are 0. The others range from {least:g} to "
        f"{scan.maximum:g}, most often {common:g}, and look like {guess}. If 0 means not rated, the loss must leave it "
        f"out: zeros make up {share:.1%} of the loss now.",
        _lines_without_zeros(out),
        {"share_zero": scan.share_zero, "share_of_loss": share},
    )


def _lines_without_zeros(out: Output) -> str:
    """Return Python of the head for targets in which 0 means missing."""
    head = choose_head(out.target.scan, replace(out.given, missing=0.0))
    lines = ['# If 0 means "not observed" (if 0 is a count like the others, change nothing):']
    too_low = out.source.high < out.target.scan.maximum
    if out.activation not in ("linear", None) and (too_low or out.activation == "softmax"):
        lines.append(activation_line(out, head))
    return "\n".join([*lines, compile_line(out, head.loss_code)])


def _masked_softmax(case: Case, out: Output) -> Iterator[Finding]:
    missing = out.missing
    if missing is None or out.activation != "softmax" or out.loss.kind in ("sparse", "categorical"):
        return
    sample = out.sample_target
    observed = np.isfinite(sample) & (sample != missing)
    mean_sum = float(np.where(observed, sample, 0).sum(axis=-1).mean())
    yield found(
        "masked-softmax",
        f"The loss leaves out entries of `{out.target.name}` that are {_shown(missing)}, but the softmax makes the "
        f"{sample.shape[-1]:,} outputs of a row sum to 1, so every observed entry changes the missing ones too. The "
        f"observed entries of a row sum to {mean_sum:.4g} on average, and single ones reach "
        f"{out.target.scan.maximum:g}.",
        head_lines(case, out),
        {"mean_sum": mean_sum, "columns": sample.shape[-1]},
    )


def _empty_rows(out: Output) -> Iterator[Finding]:
    if not out.run.has_loss or out.missing is None:
        return
    row, num_rows = first_unobserved_row(out.target, out.missing)
    if row is None or math.isfinite(loss := out.run.on_rows(np.array([row])).loss):
        return
    yield found(
        "empty-rows",
        f"{num_rows:,} of {out.target.scan.shape[0]:,} rows of `{out.target.name}` have no observed entry, the first "
        f"is row {row}. The loss of that row alone is {_shown(loss)}: the mean of nothing.",
        f"{compile_line(out, out.head.loss_code)}  # a row without observed entries costs 0",
        {"rows": num_rows},
    )


def _shown(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:g}"
