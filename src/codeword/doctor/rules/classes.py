"""Classes and distributions: are labels told as such, and does a row sum to 1 where it shall?"""

import math
from collections.abc import Iterator

import numpy as np

from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.measuring.output_facts import OutputFacts
from codeword.doctor.measuring.target_figures import count, least_simplex_error
from codeword.doctor.prescription import (
    head_lines,
    head_of,
    is_distributions,
    label_classes,
    same_cells,
)


def labels_rule(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    """Looks for class labels given to a loss of numbers."""
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


def class_numbers_rule(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    """Looks for class numbers that the output does not have."""
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


def distributions_rule(case: Case, number: int, out: OutputFacts, target: Array) -> Iterator[Finding]:
    """Looks for a softmax, or categorical cross-entropy, over targets that are not distributions."""
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
