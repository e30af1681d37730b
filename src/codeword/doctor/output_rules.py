"""Output and loss: do the output's range, the loss and the targets fit each other?"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from codeword.data_kinds.naming import scale_if_zero_is_missing
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.given_data import Array
from codeword.doctor.output_facts import OutputFacts
from codeword.doctor.prescription import (
    CLASSES,
    REBUILD,
    compile_line,
    head_lines,
    head_of,
    is_classes,
    is_distributions,
    label_classes,
    path_of,
    same_cells,
    scaling_lines,
    scaling_of,
)
from codeword.doctor.target_figures import beyond, count, entropy, least_simplex_error

MAX_LEVELS = 16
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


def output_findings(case: Case) -> Iterator[Finding]:
    """Looks at every output that has targets."""
    for number, (out, target) in enumerate(zip(case.outputs, case.targets, strict=True)):
        if target is None or target.scan.num_finite == 0:
            continue
        for rule in _RULES:
            for finding in rule(case, number, out, target):
                yield _named(finding, out, number)


def _labels(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    classes = label_classes(case, number)
    if classes is None or out.loss is None or out.loss.kind != "distance":
        return
    width = int(np.prod(case.predictions[number].shape[1:]))
    scan = target.scan
    shown = f"`{target.name}` holds {len(scan.distinct or ())} whole numbers from {scan.minimum:g} to {scan.maximum:g}"
    head = head_of(case, number)
    if width > 1:
        yield found(
            "labels-as-numbers",
            "error",
            f"{shown}, one a row, and {out.loss.name} compares each with all {width} outputs of its row.",
            head_lines(case, number, scale=False),
            classes=len(scan.distinct or ()),
            units=width,
        )
        return
    lines = [
        "# If the numbers are names of classes (if they are amounts, all is well):",
        "features = model.layers[-1].input",
        f"model = keras.Model(model.inputs, keras.layers.Dense({int(scan.maximum) + 1})(features))",
        f'model.compile("adam", loss={head.loss_code})',
    ]
    yield found(
        "labels-as-numbers",
        "warning",
        f"{shown}, and {out.loss.name} takes class {scan.maximum:g} for further from class {scan.minimum:g} than "
        f"class {scan.minimum + 1:g} is.",
        "\n".join(lines),
        classes=classes,
        units=1,
    )


def _class_numbers(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    facts, scan = out.loss, target.scan
    width = case.predictions[number].shape[-1] if case.predictions[number].ndim > 1 else 1
    if facts is None or facts.kind != "sparse" or width < 2 or not (scan.minimum < 0 or scan.maximum >= width):
        return
    ignored = math.nan if facts.ignore_class is None else facts.ignore_class
    outside = count(
        target, lambda values: ((values < 0) | (values >= width)) & (values != ignored), case.missing(number)
    )
    if outside == 0:
        return
    name = target.name
    from_one = scan.minimum == 1 and scan.maximum == width
    yield found(
        "labels-out-of-range",
        "error",
        f"`{name}` holds class numbers from {scan.minimum:g} to {scan.maximum:g}, and the output has {width} classes, "
        f"0 to {width - 1}: {outside:,} of {scan.num_finite:,} name a class that is not there. JAX teaches nothing by "
        "them, PyTorch and TensorFlow may stop, or give NaN.",
        f"{name} = {name} - 1  # classes are counted from 0"
        if from_one
        else f"# give the last layer {int(scan.maximum) + 1} units, or number the classes anew:\n"
        f"{name} = np.unique({name}, return_inverse=True)[1].reshape({name}.shape)",
        outside=outside,
        classes=width,
    )


def _distributions(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    facts, scan = out.loss, target.scan
    if case.missing(number) is not None or (facts is not None and facts.kind in ("sparse", "levels")):
        return
    categorical = facts is not None and facts.kind == "categorical"
    if out.activation not in ("softmax", "hardmax") and not categorical:
        return
    if not same_cells(case, number) or is_distributions(target):
        return
    if label_classes(case, number) is not None:
        return
    least, mean, greatest = scan.group_sum
    cells = scan.shape[-1] if len(scan.shape) > 1 else 1
    title = None
    asks = f"The outputs of a row always sum to 1, over its {cells} cells"
    if out.activation not in ("softmax", "hardmax"):
        title = "categorical cross-entropy over targets that are not distributions"
        asks = f"Categorical cross-entropy takes the {cells} cells of a row for one distribution, which sums to 1"
    sample = case.sample_targets[number]
    assert sample is not None
    error, zeros = least_simplex_error(sample.reshape(case.predictions[number].shape))
    yield found(
        "targets-not-distributions",
        "error",
        f"{asks}; the targets sum to {mean:,.6g} on average, from {least:,.6g} to {greatest:,.6g}, and in "
        f"{scan.share_summing_to_one:.1%} of the rows to 1. The nearest that outputs of sum 1 can come leaves a mean "
        f"squared error of {error:.4g}, {error / zeros if zeros else 1:.1%} of that of zeros everywhere.",
        head_lines(case, number),
        title=title,
        mean_sum=mean,
        share_summing_to_one=scan.share_summing_to_one,
        least_mse=error,
        columns=cells,
    )


def _outside(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
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


def _logits(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
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
        _compile_with(case, number, f'"{_PLAIN[facts.kind]}"'),
        least_loss=least,
    )


def _probabilities(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    facts = out.loss
    if facts is None or not facts.is_cross_entropy or facts.from_logits or out.is_probability:
        return
    values = case.predictions[number]
    outside = float(((values < 0) | (values > 1)).mean())
    if out.activation is None and outside == 0:
        return
    made = f"The output is {out.activation}" if out.activation else "The output"
    if out.activation in ("linear", None):
        remedy = _compile_with(case, number, f"keras.losses.{CLASSES[_PLAIN[facts.kind]]}(from_logits=True)")
    else:
        activation = "sigmoid" if facts.kind == "binary" else "softmax"
        path = None if out.layer is None else path_of(case.model, out.layer)
        change = (
            f"{path}.activation = keras.activations.{activation}"
            if path and "activation" in vars(out.layer)
            else REBUILD
        )
        loss = f'"{_PLAIN[facts.kind]}"'
        remedy = f"{change}\n{_compile_with(case, number, loss)}"
    yield found(
        "not-probabilities",
        "error",
        f"{made}, from {values.min():.4g} to {values.max():.4g}; {outside:.1%} of the values lie outside 0 to 1, "
        "where Keras cuts them off before it takes the logarithm, and nothing is learnt.",
        remedy,
        share_outside=outside,
    )


def _floor(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
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


def _levels(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    facts, scan = out.loss, target.scan
    if facts is None or facts.kind not in ("distance", "binary") or out.is_hard or is_classes(case, number):
        return
    values = case.predictions[number]
    if scan.distinct is None or not same_cells(case, number) or int(np.prod(scan.shape[1:])) < 2:
        return
    levels = np.array(scan.distinct)
    if not 2 <= len(levels) <= MAX_LEVELS or scan.num_cells < 8 * len(levels) or is_distributions(target):
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
    if two:
        lines = [
            f"{_layer_code(case, out)}.activation = keras.activations.sigmoid",
            _compile_with(case, number, '"binary_crossentropy"'),
        ]
        kind = "Binary()"
    else:
        scaling = scaling_of(scan)
        scaled = case.same and not scaling.is_identity and np.ndim(scaling.factor) == 0
        values = scaling(levels) if scaled else levels
        lines = [
            *(scaling_lines(case) if scaled else []),
            f"levels = [{', '.join(f'{level:.9g}' for level in values)}]",
            f"{_layer_code(case, out)}.activation = cw.activations.staircase(levels)  # only these values come out",
            _compile_with(case, number, '"mse"'),
            "# Exact cells count most? One logit a level is better still: "
            "cw.Autoencoder(data=cw.Levels(levels)).fit(x)",
        ]
        kind = f"Levels([{shown}])"
    if _layer_code(case, out) == "?":
        lines = [f"# {kind}: let the last layer have the activation and loss of docs/heads.md"]
    yield found(
        "levels-as-reals",
        "note" if two else "warning",
        f"`{target.name}` takes {len(levels)} values only ({shown}): its data kind is {kind}, and {facts.name} takes "
        f"them for real numbers. Put on the nearest of them, the outputs are right in {right:.1%} of the cells.",
        "\n".join(lines),
        levels=len(levels),
        share_right=right,
    )


def _compile_with(case: Case, number: int, loss: str) -> str:
    line = compile_line(case, number, head_of(case, number))
    return line.replace(head_of(case, number).loss_code, loss, 1)


def _layer_code(case: Case, out: OutputFacts) -> str:
    path = None if out.layer is None else path_of(case.model, out.layer)
    return path if path and "activation" in vars(out.layer) else "?"


def _named(finding: Finding, out: OutputFacts, number: int) -> Finding:
    if not out.name:
        return finding
    numbers = {**finding.numbers, "output": number}
    return replace(finding, evidence=f"Output `{out.name}`: {finding.evidence}", numbers=numbers)


_RULES = (
    _labels,
    _class_numbers,
    _distributions,
    _outside,
    _reach,
    _unused,
    _logits,
    _probabilities,
    _floor,
    _levels,
)
