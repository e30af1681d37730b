"""Output and loss: do the range of the output, the loss and the targets match?"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from codeword.data_kinds.inference import kind_of_values, scale_if_zero_is_missing
from codeword.data_kinds.python_text import python_call
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.target_figures import beyond
from codeword.doctor.output import Output
from codeword.doctor.remedies.heads import head_lines
from codeword.doctor.rules.classes import class_numbers_rule, distributions_rule, labels_rule
from codeword.doctor.rules.cross_entropies import floor_rule, logits_rule, outside_rule, probabilities_rule


def output_findings(case: Case) -> Iterator[Finding]:
    """Check every output that has targets."""
    for out in case.targeted:
        for rule in _RULES if out.target.scan.num_finite else ():
            for finding in rule(case, out):
                yield _named(finding, out) if out.name else finding


def _named(finding: Finding, out: Output) -> Finding:
    evidence = f"Output `{out.name}`: {finding.evidence[0].lower()}{finding.evidence[1:]}"
    return replace(finding, evidence=evidence, numbers={**finding.numbers, "output": out.number})


def _reach(case: Case, out: Output) -> Iterator[Finding]:
    scan, loss, (low, high) = out.target.scan, out.loss, out.source[1:3]
    if out.activation in ("softmax", "hardmax") or out.is_classes or loss.from_logits or loss.is_hinge:
        return
    if loss.kind in ("levels", "categorical", "sparse") or not out.same_cells:
        return
    if scan.minimum >= low and scan.maximum <= high:
        return
    outside, error = beyond(out.target, low, high, out.missing)
    share = outside / scan.num_finite
    if outside == 0:
        return
    reach = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} and above"
    yield found(
        "output-out-of-reach",
        f"{out.title} returns values {reach}, but `{out.target.name}` ranges from {scan.minimum:g} to "
        f"{scan.maximum:g}: {share:.1%} of the cells are out of reach. The mean squared error cannot fall below "
        f"{error:.4g}.",
        head_lines(case, out),
        {"share": share, "least_mse": error, "low": low, "high": high},
        severity="error" if share > 0.01 else "warning",
    )


def _unused(case: Case, out: Output) -> Iterator[Finding]:
    scan, loss = out.target.scan, out.loss
    if out.activation not in ("tanh", "softsign", "hard_tanh") or out.source[1:3] != (-1, 1):
        return
    if scan.minimum < 0 or scan.maximum > 1 or out.is_classes or scan.minimum == scan.maximum:
        return
    if loss.is_cross_entropy or loss.kind == "levels" or loss.is_hinge or not out.same_cells:
        return
    below = float((out.values < 0).mean())
    yield found(
        "output-range-unused",
        f"{out.title} returns values from -1 to 1, but `{out.target.name}` ranges from {scan.minimum:g} to "
        f"{scan.maximum:g}: no target is below 0, and {below:.1%} of the outputs are below 0 now.",
        head_lines(case, out),
        {"share_below": below},
    )


def _levels(case: Case, out: Output) -> Iterator[Finding]:
    loss, scan = out.loss, out.target.scan
    is_hard = out.activation in ("staircase", "sign", "step", "hardmax")
    if loss.kind not in ("distance", "binary") or is_hard or out.is_classes:
        return
    if scan.distinct is None or not out.same_cells or int(np.prod(scan.shape[1:])) < 2:
        return
    if out.is_distributions or out.missing is not None or scale_if_zero_is_missing(scan) is not None:
        return
    kind = kind_of_values(scan)
    two = set(scan.distinct) == {0.0, 1.0}
    levels = np.array(scan.distinct if two else kind.entry_levels)
    if len(levels) < (2 if two else 3) or (two and loss.kind == "binary"):
        return
    edges = (levels[1:] + levels[:-1]) / 2
    nearest = levels[np.searchsorted(edges, out.values)]
    right = float((nearest == out.sample_target.reshape(out.values.shape)).mean())
    shown, name = ", ".join(f"{level:g}" for level in levels), python_call(kind)
    remedy = head_lines(case, out)
    if not two:
        remedy += f"\n# One logit per level is more accurate: cw.Autoencoder(data=cw.{name}).fit(x)"
    yield found(
        "levels-as-reals",
        f"`{out.target.name}` has only {len(levels)} distinct values ({shown}), so its data kind is {name}, but "
        f"{loss.name} treats them as real numbers. Rounded to the nearest of these values, the outputs are right in "
        f"{right:.1%} of the cells.",
        remedy,
        {"levels": len(levels), "share_right": right},
        severity="note" if two else "warning",
    )


_RULES = (
    labels_rule,
    class_numbers_rule,
    distributions_rule,
    outside_rule,
    _reach,
    _unused,
    logits_rule,
    probabilities_rule,
    floor_rule,
    _levels,
)
