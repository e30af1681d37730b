"""Classes and distributions: are labels treated as classes, and do rows sum to 1 where they must?"""

import math
from collections.abc import Iterator

from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.target_figures import count, least_simplex_error
from codeword.doctor.output import Output
from codeword.doctor.remedies.heads import head_lines


def labels_rule(case: Case, out: Output) -> Iterator[Finding]:
    """Find class labels under a loss for numbers."""
    if out.num_classes is None or out.loss.kind != "distance":
        return
    scan = out.target.scan
    labels = len(scan.distinct or ())
    low, high = f"{scan.minimum:g}", f"{scan.maximum:g}"
    shown = f"`{out.target.name}` has {labels} distinct whole numbers from {low} to {high}"
    if out.num_units > 1:
        evidence = (
            f"{shown}, one per row, but {out.loss.name} compares each with all {out.num_units} outputs of its row."
        )
        numbers = {"classes": labels, "units": out.num_units}
        yield found("labels-as-numbers", evidence, head_lines(case, out, scale=False), numbers)
        return
    lines = [
        "# If the numbers are class labels (if they are amounts, nothing is wrong):",
        "features = model.layers[-1].input",
        f"model = keras.Model(model.inputs, keras.layers.Dense({int(scan.maximum) + 1})(features))",
        f'model.compile("adam", loss={out.head.loss_code})',
    ]
    yield found(
        "labels-as-numbers",
        f"{shown}. To {out.loss.name}, class {high} is farther from class {low} than class {scan.minimum + 1:g} is.",
        "\n".join(lines),
        {"classes": out.num_classes, "units": 1},
        severity="warning",
    )


def class_numbers_rule(case: Case, out: Output) -> Iterator[Finding]:
    """Find class numbers that the output does not have."""
    loss, scan, width = out.loss, out.target.scan, out.width
    if loss.kind != "sparse" or width < 2 or not (scan.minimum < 0 or scan.maximum >= width):
        return
    ignored = math.nan if loss.ignore_class is None else loss.ignore_class
    outside = count(out.target, lambda values: ((values < 0) | (values >= width)) & (values != ignored), out.missing)
    if outside == 0:
        return
    name = out.target.name
    remedy = f"{name} = {name} - 1  # classes are counted from 0"
    if scan.minimum != 1 or scan.maximum != width:
        remedy = (
            f"# give the last layer {int(scan.maximum) + 1} units, or renumber the classes:\n"
            f"{name} = np.unique({name}, return_inverse=True)[1].reshape({name}.shape)"
        )
    yield found(
        "labels-out-of-range",
        f"`{name}` has class numbers from {scan.minimum:g} to {scan.maximum:g}, but the output has {width} classes, 0 "
        f"to {width - 1}: {outside:,} of {scan.num_finite:,} labels name a class that does not exist. JAX learns "
        "nothing from them; PyTorch and TensorFlow stop or return NaN.",
        remedy,
        {"outside": outside, "classes": width},
    )


def distributions_rule(case: Case, out: Output) -> Iterator[Finding]:
    """Find a softmax, or categorical cross-entropy, over targets that are not distributions."""
    loss, scan = out.loss, out.target.scan
    sums_to_one = out.activation in ("softmax", "hardmax")
    if out.missing is not None or loss.kind in ("sparse", "levels") or not (sums_to_one or loss.kind == "categorical"):
        return
    if not out.same_cells or out.is_distributions or out.num_classes is not None:
        return
    (least, mean, greatest), share = scan.group_sum, scan.share_summing_to_one
    summing = f"{share:.1%} of the rows sum" if share else "no row sums"
    cells = scan.shape[-1] if len(scan.shape) > 1 else 1
    if sums_to_one:
        title, cause = "", f"The outputs of a row always sum to 1 over its {cells} cells"
    else:
        title = "categorical cross-entropy over targets that are not distributions"
        cause = f"Categorical cross-entropy treats the {cells} cells of a row as one distribution, which sums to 1"
    error, zeros = least_simplex_error(out.sample_target.reshape(out.values.shape))
    yield found(
        "targets-not-distributions",
        f"{cause}, but the targets of a row sum to {mean:,.6g} on average (from {least:,.6g} to {greatest:,.6g}), and "
        f"{summing} to 1. The closest outputs with sum 1 leave a mean squared error of {error:.4g}, which is "
        f"{error / zeros if zeros else 1:.1%} of the error of all-zero outputs.",
        head_lines(case, out),
        {"mean_sum": mean, "share_summing_to_one": share, "least_mse": error, "columns": cells},
        title=title,
    )
