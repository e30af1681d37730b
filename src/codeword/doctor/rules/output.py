"""Output and loss: do the output's range, the loss and the targets fit each other?"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from codeword.data_kinds import Binary
from codeword.data_kinds.inference import kind_of_values, scale_if_zero_is_missing
from codeword.data_kinds.python_text import python_call
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.measuring.output_facts import OutputFacts
from codeword.doctor.measuring.target_figures import beyond
from codeword.doctor.prescription import (
    activation_code,
    compile_line,
    head_lines,
    head_of,
    is_classes,
    is_distributions,
    path_of,
    same_cells,
    scaling_lines,
)
from codeword.doctor.rules.classes import class_numbers_rule, distributions_rule, labels_rule
from codeword.doctor.rules.cross_entropies import floor_rule, logits_rule, outside_rule, probabilities_rule


def output_findings(case: Case) -> Iterator[Finding]:
    """Looks at every output that has targets."""
    for number, (out, target) in enumerate(zip(case.outputs, case.targets, strict=True)):
        if target is None or target.scan.num_finite == 0:
            continue
        for rule in _RULES:
            for finding in rule(case, number, out, target):
                yield _named(finding, out, number)


def _reach(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    scan, facts = target.scan, out.loss
    if out.activation in ("softmax", "hardmax") or is_classes(case, number):
        return
    if facts is not None and (facts.from_logits or facts.kind in ("levels", "categorical", "sparse")):
        return
    if not same_cells(case, number) or (scan.minimum >= out.low and scan.maximum <= out.high):
        return
    missing = case.missing(number)
    outside, error = beyond(target, out.low, out.high, missing)
    share = outside / scan.num_finite
    if outside == 0 or (facts is not None and "hinge" in (facts.name or "")):
        return
    end = f"{out.low:g} to {out.high:g}" if math.isfinite(out.high) else f"{out.low:g} upwards"
    yield found(
        "output-out-of-reach",
        "error" if share > 0.01 else "warning",
        f"{out.activation or 'The output'} gives {end}, and `{target.name}` goes from {scan.minimum:g} to "
        f"{scan.maximum:g}: {share:.1%} of the cells cannot be reached, which leaves a mean squared error of at least "
        f"{error:.4g}.",
        head_lines(case, number),
        share=share,
        least_mse=error,
        low=out.low,
        high=out.high,
    )


def _unused(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    scan, facts = target.scan, out.loss
    if out.activation not in ("tanh", "softsign", "hard_tanh") or (out.low, out.high) != (-1, 1):
        return
    if scan.minimum < 0 or scan.maximum > 1 or is_classes(case, number) or scan.minimum == scan.maximum:
        return
    if facts is not None and (facts.is_cross_entropy or facts.kind == "levels" or "hinge" in (facts.name or "")):
        return  # the hinges turn 0 and 1 into -1 and 1
    if not same_cells(case, number):
        return
    below = float((case.predictions[number] < 0).mean())
    yield found(
        "output-range-unused",
        "warning",
        f"{out.activation} gives -1 to 1, and `{target.name}` lies from {scan.minimum:g} to {scan.maximum:g}: below 0 "
        f"there is nothing to hit, and {below:.1%} of the outputs are there now.",
        head_lines(case, number),
        share_below=below,
    )


def _levels(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    facts, scan = out.loss, target.scan
    if facts is None or facts.kind not in ("distance", "binary") or out.is_hard or is_classes(case, number):
        return
    values = case.predictions[number]
    if scan.distinct is None or not same_cells(case, number) or int(np.prod(scan.shape[1:])) < 2:
        return
    kind = kind_of_values(scan)
    levels = np.array(scan.distinct if kind == Binary() else kind.entry_levels)
    if len(levels) < 2 or is_distributions(target):
        return
    if case.missing(number) is not None or scale_if_zero_is_missing(scan) is not None:
        return
    two = len(levels) == 2
    if two and (facts.kind == "binary" or set(scan.distinct) != {0.0, 1.0}):
        return
    edges = (levels[1:] + levels[:-1]) / 2
    sample = case.sample_targets[number]
    assert sample is not None
    right = float((levels[np.searchsorted(edges, values)] == sample.reshape(values.shape)).mean())
    shown = ", ".join(f"{level:g}" for level in levels)
    head, name = head_of(case, number), python_call(kind)
    lines = [
        *scaling_lines(case),
        f"{_layer_code(case, out)}.activation = {activation_code(head)}",
        compile_line(case, number, head),
    ]
    if not two:
        lines.append(f"# For the most exact cells use one logit per level: cw.Autoencoder(data=cw.{name}).fit(x)")
    if _layer_code(case, out) == "?":
        lines = [f"# {name}: let the last layer have the activation and loss of docs/heads.md"]
    yield found(
        "levels-as-reals",
        "note" if two else "warning",
        f"`{target.name}` takes {len(levels)} values only ({shown}): its data kind is {name}, and "
        f"{facts.name} treats them as real numbers. Put on the nearest of them, {right:.1%} of the "
        "outputs are right.",
        "\n".join(lines),
        levels=len(levels),
        share_right=right,
    )


def _layer_code(case: Case, out: OutputFacts) -> str:
    path = None if out.layer is None else path_of(case.model, out.layer)
    return path if path and "activation" in vars(out.layer) else "?"


def _named(finding: Finding, out: OutputFacts, number: int) -> Finding:
    if not out.name:
        return finding
    numbers = {**finding.numbers, "output": number}
    return replace(finding, evidence=f"Output `{out.name}`: {finding.evidence}", numbers=numbers)


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
