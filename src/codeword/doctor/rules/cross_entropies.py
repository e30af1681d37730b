"""Cross-entropies: are targets and outputs the probabilities that they take, and what is the least they can reach?"""

import math
from collections.abc import Iterator

from codeword.data_kinds.heads import CROSS_ENTROPIES
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.measuring.output_facts import OutputFacts
from codeword.doctor.measuring.target_figures import count, entropy
from codeword.doctor.prescription import (
    REBUILD,
    compile_with,
    head_lines,
    is_classes,
    is_distributions,
    path_of,
    same_cells,
)

CLOSE = 1e-6  # MinMaxScaler gives 1.0000000000000002
_PLAIN = {
    "binary": "binary_crossentropy",
    "categorical": "categorical_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
}
_WITHOUT_MINIMUM = {
    "binary": "-y log p - (1 - y) log(1 - p) has no minimum at p = y and falls below any bound",
    "categorical": "-y log p, summed over the cells, has no minimum at p = y",
}


def outside_rule(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    """Looks for cross-entropy on targets outside 0 to 1."""
    facts, scan = out.loss, target.scan
    if facts is None or facts.kind not in ("binary", "categorical") or is_classes(case, number):
        return
    if not same_cells(case, number) or (scan.minimum >= 0 and scan.maximum <= 1):
        return
    missing = case.missing(number)
    outside = count(target, lambda values: (values < -CLOSE) | (values > 1 + CLOSE), missing)
    if outside == 0:
        return
    share = outside / scan.num_finite
    yield found(
        "cross-entropy-targets",
        "error",
        f"`{target.name}` goes from {scan.minimum:g} to {scan.maximum:g}: {share:.1%} of the cells lie outside 0 to "
        f"1, where {_WITHOUT_MINIMUM[facts.kind]}.",
        head_lines(case, number),
        share=share,
        minimum=scan.minimum,
        maximum=scan.maximum,
    )


def logits_rule(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    """Looks for logits that are asked for where the output is a probability already."""
    facts = out.loss
    if facts is None or not facts.is_cross_entropy or not facts.from_logits or not out.is_probability:
        return
    width = case.predictions[number].shape[-1]
    if facts.kind == "binary":
        reached = f"probabilities from .5 to {1 / (1 + math.exp(-1)):.3f} only, so that a 1 costs"
        least = math.log1p(math.exp(-1))
    else:
        reached = f"no class more than {math.e / (math.e + width - 1):.3f}, so that every row costs"
        least = math.log((math.e + width - 1) / math.e)
    yield found(
        "logits-twice",
        "error",
        f"The {out.activation or 'output'} gives 0 to 1; the loss takes that for logits and applies it once more: "
        f"{reached} {least:.3f} at least, however long one trains.",
        compile_with(case, number, f'"{_PLAIN[facts.kind]}"'),
        least_loss=least,
    )


def probabilities_rule(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    """Looks for probabilities that are asked for where the output is none."""
    facts = out.loss
    if facts is None or not facts.is_cross_entropy or facts.from_logits or out.is_probability:
        return
    values = case.predictions[number]
    outside = float(((values < 0) | (values > 1)).mean())
    if out.activation is None and outside == 0:
        return
    made = f"The output is {out.activation}" if out.activation else "The output"
    if out.activation in ("linear", None):
        remedy = compile_with(case, number, f"keras.losses.{CROSS_ENTROPIES[facts.kind]}(from_logits=True)")
    else:
        activation = "sigmoid" if facts.kind == "binary" else "softmax"
        path = None if out.layer is None else path_of(case.model, out.layer)
        change = (
            f"{path}.activation = keras.activations.{activation}"
            if path and "activation" in vars(out.layer)
            else REBUILD
        )
        loss = f'"{_PLAIN[facts.kind]}"'
        remedy = f"{change}\n{compile_with(case, number, loss)}"
    yield found(
        "not-probabilities",
        "error",
        f"{made}, from {values.min():.4g} to {values.max():.4g}; {outside:.1%} of the values lie outside 0 to 1, "
        "where Keras cuts them off before it takes the logarithm, and nothing is learnt.",
        remedy,
        share_outside=outside,
    )


def floor_rule(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    """Tells what a perfect output still costs."""
    facts, scan = out.loss, target.scan
    if facts is None or facts.kind not in ("binary", "categorical") or facts.name is None or "focal" in facts.name:
        return
    if scan.minimum < -CLOSE or scan.maximum > 1 + CLOSE or not same_cells(case, number):
        return
    if case.sample_weight is not None or facts.reduction not in ("sum_over_batch_size", "mean"):
        return
    if facts.kind == "categorical" and not is_distributions(target):
        return
    floor, between = entropy(target, facts.kind, facts.label_smoothing, case.missing(number))
    if floor < 1e-6:
        return
    smoothing = f" smoothed by {facts.label_smoothing:g}" if facts.label_smoothing else ""
    evidence = (
        f"{between:.1%} of the cells of `{target.name}` lie strictly between 0 and 1{smoothing}. A perfect output "
        f"still costs {floor:.7f}, the targets' own entropy: that is where this loss ends, not at 0."
    )
    if case.has_loss and len(case.outputs) == 1 and case.sample_weight is None and math.isfinite(case.loss):
        evidence += f" The model is at {case.loss:.4f} now."
    yield found(
        "cross-entropy-floor",
        "note",
        evidence,
        f"# To watch what is left to learn, watch the loss less {floor:.7f}, or:\n"
        f'model.compile(optimizer=model.optimizer, loss=model.loss, metrics=["mse"])  # its least '
        "value is 0",
        floor=floor,
        share_between=between,
    )
