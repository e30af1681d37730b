"""Cross-entropies: are targets and outputs the probabilities that they expect, and what is the lowest loss?"""

import math
from collections.abc import Iterator
from typing import Any

from codeword.data_kinds.heads import CROSS_ENTROPIES
from codeword.data_kinds.kind import LossCall
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.target_figures import count, entropy
from codeword.doctor.output import Output
from codeword.doctor.remedies.heads import REBUILD, compile_line, head_lines, path_to_activation

CLOSE = 1e-6  # MinMaxScaler returns 1.0000000000000002
_WITHOUT_MINIMUM = {
    "binary": "-y log p - (1 - y) log(1 - p) has no minimum at p = y and falls without bound",
    "categorical": "-y log p, summed over the cells, has no minimum at p = y",
}


def outside_rule(case: Case, out: Output) -> Iterator[Finding]:
    """Find cross-entropy on targets outside 0 to 1."""
    loss, scan = out.loss, out.target.scan
    if loss.kind not in ("binary", "categorical") or out.is_classes or not out.same_cells:
        return
    if scan.minimum >= 0 and scan.maximum <= 1:
        return
    outside = count(out.target, lambda values: (values < -CLOSE) | (values > 1 + CLOSE), out.missing)
    if outside == 0:
        return
    share = outside / scan.num_finite
    yield found(
        "cross-entropy-targets",
        f"`{out.target.name}` ranges from {scan.minimum:g} to {scan.maximum:g}: {share:.1%} of the cells are outside 0 "
        f"to 1, where {_WITHOUT_MINIMUM[loss.kind]}.",
        head_lines(case, out),
        {"share": share, "minimum": scan.minimum, "maximum": scan.maximum},
    )


def logits_rule(case: Case, out: Output) -> Iterator[Finding]:
    """Find a loss that expects logits from an output that is already a probability."""
    loss = out.loss
    if not loss.is_cross_entropy or not loss.from_logits or not out.is_probability:
        return
    if loss.kind == "binary":
        highest, least = 1 / (1 + math.exp(-1)), math.log1p(math.exp(-1))
        reached = f"sigmoid: the probabilities lie between 0.5 and {highest:.3f}, so a 1 costs at least {least:.3f}"
    else:
        highest, least = math.e / (math.e + out.width - 1), math.log((math.e + out.width - 1) / math.e)
        reached = f"softmax: no class gets more than {highest:.3f}, so every row costs at least {least:.3f}"
    yield found(
        "logits-twice",
        f"{out.title} returns values from 0 to 1, but the loss treats them as logits and applies its own {reached}, "
        "however long you train.",
        compile_line(out, _loss(loss.kind)),
        {"least_loss": least},
    )


def probabilities_rule(case: Case, out: Output) -> Iterator[Finding]:
    """Find a loss that expects probabilities from an output that is none."""
    loss = out.loss
    if not loss.is_cross_entropy or loss.from_logits or out.is_probability:
        return
    outside = float(((out.values < 0) | (out.values > 1)).mean())
    if out.activation is None and outside == 0:
        return
    if out.activation in ("linear", None):
        remedy = compile_line(out, _loss(loss.kind, from_logits=True))
    else:
        path = path_to_activation(out)
        change = f"{path} = keras.activations.{'sigmoid' if loss.kind == 'binary' else 'softmax'}" if path else REBUILD
        remedy = f"{change}\n{compile_line(out, _loss(loss.kind))}"
    made = f"The output is {out.activation} and" if out.activation else "The output"
    yield found(
        "not-probabilities",
        f"{made} ranges from {out.values.min():.4g} to {out.values.max():.4g}: {outside:.1%} of the values are outside "
        "0 to 1. Keras clips them before it takes the logarithm, so they get no gradient.",
        remedy,
        {"share_outside": outside},
    )


def floor_rule(case: Case, out: Output) -> Iterator[Finding]:
    """Report the loss of a perfect output, if it is not 0."""
    loss, scan, run = out.loss, out.target.scan, out.run
    if loss.kind not in ("binary", "categorical") or "focal" in (loss.name or ""):
        return
    if scan.minimum < -CLOSE or scan.maximum > 1 + CLOSE or not out.same_cells:
        return
    if run.sample_weight is not None or loss.reduction not in ("sum_over_batch_size", "mean"):
        return
    if loss.kind == "categorical" and not out.is_distributions:
        return
    floor, between = entropy(out.target, loss.kind, loss.label_smoothing, out.missing)
    if floor < 1e-6:
        return
    smoothing = f", and label smoothing is {loss.label_smoothing:g}" if loss.label_smoothing else ""
    evidence = (
        f"{between:.1%} of the cells of `{out.target.name}` are strictly between 0 and 1{smoothing}. A perfect output "
        f"still costs {floor:.7f}, the entropy of the targets: this loss ends there, not at 0."
    )
    if run.has_loss and len(run.predictions) == 1 and math.isfinite(run.loss):
        evidence += f" The model is at {run.loss:.4f} now."
    remedy = (
        f"# To see what is left to learn, subtract {floor:.7f} from the loss, or watch a metric that can reach 0:\n"
        'model.compile(optimizer=model.optimizer, loss=model.loss, metrics=["mse"])'
    )
    yield found("cross-entropy-floor", evidence, remedy, {"floor": floor, "share_between": between})


def _loss(kind: str, **arguments: Any) -> str:
    """Return Python of a cross-entropy."""
    return LossCall("keras.losses", CROSS_ENTROPIES[kind], arguments).code
