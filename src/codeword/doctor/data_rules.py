"""Data: scaled, finite, observed, and held out apart?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.data_kinds.naming import scale_if_zero_is_missing
from codeword.doctor.case import Case, as_arrays, call_model
from codeword.doctor.finding import Finding, found
from codeword.doctor.given_data import Array, as_tensor
from codeword.doctor.prescription import Head, activation_line, compile_line, head_lines, is_unscaled, scaling_lines
from codeword.value_scan import row_pieces

_TAKE_ANY_SCALE = (
    "Embedding",
    "BatchNormalization",
    "Normalization",
    "LayerNormalization",
    "Discretization",
    "Hashing",
)


def data_findings(case: Case) -> Iterator[Finding]:
    """Looks at inputs and targets."""
    yield from _not_scaled(case)
    yield from _constant_columns(case)
    yield from _zeros(case)
    yield from _masked_softmax(case)
    yield from _empty_rows(case)
    yield from _validation(case)


def not_finite(arrays: list[Array], missing: dict[str, float | None]) -> Iterator[Finding]:
    """Looks for NaN and infinity in all of the data; NaN in targets is right where the loss leaves it out.

    Args:
        arrays: Inputs and targets.
        missing: By an array's name the value that the loss leaves out.
    """
    for array in arrays:
        scan = array.scan
        left_out = missing.get(array.name)
        num_nan = 0 if left_out is not None and math.isnan(left_out) else scan.num_nan
        if not (num_nan or scan.num_infinite):
            continue
        rows = np.concatenate(
            [
                ~np.isfinite(piece.astype(np.float64)).reshape(len(piece), -1).all(axis=1)
                for _, piece in row_pieces(array.values)
            ]
        )
        name = array.name.split("[")[0]
        others = {"x": "y", "y": "x"}[name] if name in "xy" else None
        axes = "" if len(scan.shape) == 1 else f".all(axis={tuple(range(1, len(scan.shape)))})"
        lines = [f"keep = np.isfinite({array.name}){axes}"]
        if rows.mean() < 0.5 and name == array.name:
            lines.append(f"{name} = {name}[keep]")
            lines.append(f"{others} = {others}[keep] if {others} is not None else None")
        else:
            lines = [
                "# If NaN means missing: it must not enter, and must cost nothing.",
                'model.compile(optimizer=model.optimizer, loss=cw.losses.Masked("mse", missing=float("nan")))',
                f"y = {array.name} if y is None else y",
                f"{array.name} = np.nan_to_num({array.name}, posinf=0, neginf=0)",
            ]
        yield found(
            "not-finite",
            "error",
            f"`{array.name}` holds {scan.num_nan:,} NaN and {scan.num_infinite:,} infinite values in "
            f"{int(rows.sum()):,} of "
            f"{len(rows):,} rows, the first at index {scan.first_not_finite}. One of them makes the loss and every "
            "weight NaN.",
            "\n".join(lines),
            num_nan=scan.num_nan,
            num_infinite=scan.num_infinite,
            rows=int(rows.sum()),
        )


def _not_scaled(case: Case) -> Iterator[Finding]:
    for number, array in enumerate(case.x.arrays):
        if not is_unscaled(array.scan) or not _enters_as_it_is(case, number):
            continue
        scan = array.scan
        columns = np.hypot(scan.column_mean, scan.column_std)
        largest = f", in column {int(np.nanargmax(columns))} of {np.nanmax(columns):.4g}" if scan.rms < 5 else ""
        yield found(
            "not-scaled",
            "warning",
            f"`{array.name}` goes from {scan.minimum:g} to {scan.maximum:g}, mean {scan.mean:.4g}, standard deviation "
            f"{scan.std:.4g}: "
            f"values of size {scan.rms:.4g}{largest} enter weights that were drawn for size 1.",
            "\n".join(scaling_lines(case))
            or f"{array.name} = {array.name} / {max(abs(scan.minimum), abs(scan.maximum)):g}",
            rms=scan.rms,
            minimum=scan.minimum,
            maximum=scan.maximum,
        )


def _enters_as_it_is(case: Case, number: int) -> bool:
    """Says whether the first layer with weights that an input reaches gets it unscaled, and minds."""
    array = case.x.arrays[number]
    given = array.rows(case.sample[:32]).astype(np.float64)
    rms = float(np.sqrt(np.square(given).mean()))
    for call in case.calls:
        if hasattr(call.layer, "layers") or not call.inputs:
            continue
        kind = type(call.layer).__name__
        for tensor in call.inputs:
            if tuple(tensor.shape[:1]) != (len(case.sample),) or not _same_values(tensor, given):
                continue
            if kind in _TAKE_ANY_SCALE or kind.startswith(("Random", "Category", "StringLookup", "IntegerLookup")):
                return False
            if kind in ("Rescaling", "CenterCrop", "Resizing"):
                return False
            if call.layer.weights if hasattr(call.layer, "weights") else False:
                return rms > 0
    return False


def _same_values(tensor: Any, given: NDArray[np.float64]) -> bool:
    rows = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor[: len(given)], "float32")), np.float64)
    return rows.size == given.size and bool(np.allclose(rows.reshape(given.shape), given, rtol=1e-2, atol=1e-6))


def _constant_columns(case: Case) -> Iterator[Finding]:
    for array in case.x.arrays:
        constant, total = array.scan.constant_columns, len(array.scan.column_minimum)
        if len(constant) == 0 or array.scan.shape[0] < 2:
            continue
        first = ", ".join(str(int(column)) for column in constant[:5]) + (", …" if len(constant) > 5 else "")
        many = len(constant) >= total / 2
        yield found(
            "constant-columns",
            "warning" if many else "note",
            f"{len(constant):,} of the {total:,} columns of `{array.name}` never change in {array.scan.shape[0]:,} "
            "rows "
            f"(columns {first}): they teach nothing, and dividing by their spread would divide by 0.",
            f"changing = {array.name}.reshape(len({array.name}), -1).std(axis=0) > 0\n"
            "# keep only those columns, and give the network as many inputs:\n"
            f"# {array.name} = {array.name}.reshape(len({array.name}), -1)[:, changing]",
            columns=len(constant),
            of=total,
        )


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
            f"{min(v for v in counts if v > 0):g} to {scan.maximum:g}, "
            f"most often {common:g}: ratings or counts? (It looks like {guess}.) If 0 means that nobody rated, the "
            "loss must "
            f"leave it out; now the zeros make {share:.1%} of it.",
            head_of_missing(case, number),
            share_zero=scan.share_zero,
            share_of_loss=share,
        )


def head_of_missing(case: Case, number: int) -> str:
    """Writes the head for targets in which 0 means missing."""
    out = case.outputs[number]
    lines = ["# If 0 means that nothing was observed (counts of which 0 is one: leave it as it is):"]
    if out.activation not in ("linear", None) and (out.high < _maximum(case, number) or out.activation == "softmax"):
        lines.append(activation_line(case, out, "linear"))
    lines.append(compile_line(case, number, Head("linear", "mse", missing=0.0)))
    return "\n".join(lines)


def _maximum(case: Case, number: int) -> float:
    target = case.targets[number]
    assert target is not None
    return target.scan.maximum


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
            f"{sample.shape[-1]:,} outputs sum to 1: "
            "every entry that is observed pulls on all that are missing. The observed ones of a row sum to "
            f"{sums.mean():.4g} on average, "
            f"and go up to {target.scan.maximum:g}.",
            head_lines(case, number),
            mean_sum=float(sums.mean()),
            columns=sample.shape[-1],
        )


def _empty_rows(case: Case) -> Iterator[Finding]:
    if not case.has_loss:
        return
    for number, target in enumerate(case.targets):
        missing = case.missing(number)
        if target is None or missing is None or target.scan.first_empty_row is None:
            continue
        row = target.scan.first_empty_row
        alone = case_on_rows(case, np.array([row]))
        loss = alone.loss
        if math.isfinite(loss):
            continue
        yield found(
            "empty-rows",
            "error",
            f"In {target.scan.num_empty_rows:,} of {target.scan.shape[0]:,} rows of `{target.name}` nothing is "
            "observed, the first is row "
            f"{row}. The loss of that row alone is {loss}: the mean over nothing.",
            f"{compile_line(case, number, Head('linear', 'mse', missing=missing))}  # a row with nothing observed "
            "costs 0",
            rows=target.scan.num_empty_rows,
        )


def case_on_rows(case: Case, numbers: NDArray[np.intp]) -> Case:
    """Gives the case with other rows for its sample."""
    other = Case(case.model, case.x, case.y, case.same, case.sample_weight, case.validation_data, case.code, numbers)
    outputs = call_model(case.model, case.x.tensors(numbers))
    other.outputs, other.output_structure, other.predictions = case.outputs, outputs, as_arrays(outputs)
    return other


def _validation(case: Case) -> Iterator[Finding]:
    if case.validation_data is None:
        return
    x_val, y_val = case.validation_data
    yield from _repeated_rows(case, x_val.arrays[0])
    target = y_val.arrays[0]
    missing = case.missing(0) if case.outputs else None
    if missing is None or target.scan.shape[1:] != x_val.arrays[0].scan.shape[1:]:
        return
    numbers = np.arange(min(len(x_val), 2048))
    entered, asked = x_val.arrays[0].rows(numbers), target.rows(numbers)
    observed = np.isfinite(asked) & (asked != missing)
    if not observed.any():
        return
    share = float((entered[observed] == asked[observed]).mean())
    if share < 0.5:
        return
    shown, hidden = _error_when_hidden(case, entered, asked, observed)
    yield found(
        "validation-copies",
        "warning",
        f"{share:.1%} of the entries that the validation asks for stand in its own input. Root mean squared error "
        f"there: {shown:.4g}; of the same "
        f"entries when a tenth of them is hidden from the input: {hidden:.4g}, which is what predicting means.",
        _held_apart(missing),
        share=share,
        rmse_shown=shown,
        rmse_hidden=hidden,
    )


def _held_apart(missing: float) -> str:
    """Writes a validation that asks for ratings which it does not show."""
    if math.isnan(missing):
        observed, hidden, empty = "~np.isnan(x)", "np.nan_to_num(np.where(asked, 0, x))", "np.nan"
    else:
        observed, hidden, empty = f"(x != {missing:g})", f"np.where(asked, {missing:g}, x)", f"{missing:g}"
    return "\n".join(
        [
            "rng = np.random.default_rng(0)",
            f"asked = {observed} & (rng.random(x.shape) < 0.1)  # a tenth is asked for, and not shown",
            f"validation_data = ({hidden}, np.where(asked, x, {empty}))",
            f"x = {hidden}  # and train without them",
        ]
    )


def _error_when_hidden(
    case: Case, entered: NDArray[Any], asked: NDArray[Any], observed: NDArray[np.bool_]
) -> tuple[float, float]:
    hidden = observed & (np.random.default_rng(0).random(asked.shape) < 0.1)
    errors = []
    for rows, where in ((entered, observed), (np.where(hidden, 0, entered).astype(entered.dtype), hidden)):
        x = keras.tree.pack_sequence_as(case.x.structure, [as_tensor(rows)])
        values = as_arrays(call_model(case.model, x))[0]
        errors.append(float(np.sqrt(np.square(values[where] - asked[where]).mean())) if where.any() else math.nan)
    return errors[0], errors[1]


def _repeated_rows(case: Case, validation: Array) -> Iterator[Finding]:
    training = case.x.arrays[0]
    if validation.scan.shape[1:] != training.scan.shape[1:]:
        return
    held_out = [hash(row.tobytes()) for _, piece in row_pieces(validation.values) for row in _plain(piece)]
    wanted, known = set(held_out), set()
    for _, piece in row_pieces(training.values):
        known.update(wanted.intersection(hash(row.tobytes()) for row in _plain(piece)))
    share = sum(row in known for row in held_out) / len(held_out)
    if share <= 0.01:
        return
    yield found(
        "validation-copies",
        "warning",
        f"{share:.1%} of the {len(held_out):,} rows held out for validation are rows of `{training.name}` as well: "
        "their loss says nothing of "
        "rows that the model has not seen.",
        "order = np.random.default_rng(0).permutation(len(x))\n"
        "held_out, rest = order[: len(x) // 10], order[len(x) // 10 :]\n"
        "validation_data = (x[held_out], (x if y is None else y)[held_out])\n"
        "x, y = x[rest], None if y is None else y[rest]",
        share=share,
    )


def _plain(piece: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(piece.reshape(len(piece), -1).astype(np.float32)) + np.float32(0)  # -0 becomes 0
