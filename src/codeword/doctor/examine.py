"""`codeword.examine`: what is wrong with a Keras model on its data."""

import warnings
from contextlib import suppress
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import SEVERITIES, Finding, found
from codeword.doctor.measuring.given_data import Arrays, read_arrays, sample_of
from codeword.doctor.measuring.run import run_on_sample
from codeword.doctor.output import Output, outputs_of
from codeword.doctor.report import Report
from codeword.doctor.rules.code import code_findings
from codeword.doctor.rules.data import data_findings, not_finite
from codeword.doctor.rules.examination import examination_findings, failed, stopped
from codeword.doctor.rules.gradients import gradient_findings
from codeword.doctor.rules.missing import missing_findings
from codeword.doctor.rules.output import output_findings
from codeword.doctor.rules.validation import validation_findings
from codeword.errors import DataTypeError, ParameterError
from codeword.inference.recording import unchanged

# Findings that follow from another one and would only repeat it.
_FOLLOWS = {
    "not-probabilities": {"cross-entropy-floor"},
    "loss-not-finite": {"zeros-as-missing"},
    "empty-rows": {"loss-not-finite"},
    "not-finite": {"loss-not-finite"},
    "labels-out-of-range": {"model-fails", "loss-not-finite"},
    "labels-as-numbers": {"levels-as-reals", "model-fails"},
    "cross-entropy-targets": {"model-fails"},  # PyTorch refuses to compute it
    "logits-twice": {"cross-entropy-floor"},
}
_RULES = (
    examination_findings,
    output_findings,
    data_findings,
    missing_findings,
    validation_findings,
    gradient_findings,
    code_findings,
)


def examine(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    validation_data: tuple[Any, Any] | None = None,
    code_layer: str | None = None,
    seed: int = 0,
    verbose: bool = True,
) -> Report:
    """Report why a Keras model does not learn what it is meant to learn, with figures from its own data.

    Ranges and missing values are read from all of the data. The model runs on up to 2,048 rows, its gradient on 256.
    The model does not change: weights, optimizer and random state stay the same. An unbuilt model is built, as `fit`
    would do.

    Args:
        model: Any Keras model. Without a compiled loss, loss and gradient are not checked, which a note reports.
        x: Inputs as you pass them to `fit`: an array or memory map of shape `(n, ...)`, a frame, a scipy.sparse
            matrix, or a list or dictionary of them.
        y: Targets. Default: `x`, if the output of the model has its shape.
        sample_weight: Weights as you pass them to `fit`: per row, or per cell with 0 where nothing was observed.
        validation_data: Held-out inputs and targets as you pass them to `fit`.
        code_layer: Name of a layer whose values are, or will be, rounded to bits.
        seed: Seed of the row sample.
        verbose: Whether to show a progress bar if reading the data takes long.

    Returns:
        A `Report`. `print(report)` shows it; see also `report.findings` and `report.remedied()`.

    Raises:
        DataTypeError: If `model` is not a Keras model, or the data is not numeric.
        DataError: If there are no rows, or the numbers of rows differ.
        ParameterError: If `code_layer` names no layer.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, activation="sigmoid")])
        >>> model.compile("adam", loss="mse")
        >>> report = examine(model, np.arange(400.0).reshape(100, 4) % 255)
        >>> [finding.code for finding in report.errors]
        ['output-out-of-reach']
    """
    if not isinstance(model, keras.Model):
        hint = " Pass its `model_`." if hasattr(model, "model_") else ""
        raise DataTypeError(f"`model` must be a Keras model: got {type(model).__name__}.{hint}")
    inputs = read_arrays(x, "x", verbose=verbose)
    targets = None if y is None or y is x else read_arrays(y, "y", verbose=verbose, num_rows=len(inputs))
    weights = None if sample_weight is None else read_arrays(sample_weight, "sample_weight", num_rows=len(inputs))
    held_out = None if validation_data is None else _held_out(validation_data, verbose)
    if not model.built:
        with suppress(Exception):  # the run that follows reports any error
            model(inputs.tensors(np.arange(1)))
    case, arrays = None, [*inputs.arrays, *(targets.arrays if targets else ())]
    evidence = "Every row of the sample contains NaN or infinity, so the model could not run."
    problem = found("not-examined", evidence, "# remove NaN and infinity first")
    with unchanged(model), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras warns about what the findings explain
        sample = sample_of(inputs, seed)
        try:
            run = run_on_sample(model, inputs, targets, weights, sample) if len(sample) else None
            case = Case(run, outputs_of(run), held_out, code_layer) if run else None
        except Exception as error:  # layers may be custom code that raises anything
            problem = failed("The model", error, arrays)
        findings = _findings(case) if case else [*not_finite(arrays, {}), problem]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    subject = _subject(case) if case else f"Model `{model.name}`: input {_shapes(inputs)}; {len(inputs):,} rows."
    return Report(tuple(findings), subject, case)


def _findings(case: Case) -> list[Finding]:
    """Return the findings of all rules, without those that only follow from another one."""
    run = case.run
    targets = None if run.is_reconstruction else run.y
    missing = {out.target.name: out.missing for out in case.targeted} if targets else {}
    findings = list(not_finite([*run.x.arrays, *(targets.arrays if targets else ())], missing))
    for rules in _RULES:
        try:
            for finding in rules(case):
                findings.append(finding)
        except ParameterError:
            raise
        except Exception as error:  # on an unforeseen kind of model, the other rules are still valid
            findings.append(stopped(rules, error))
    wrong = any(finding.severity == "error" for finding in findings)  # a code that cannot be learned needs no rounding
    hidden = {"rounded-after-training"} if wrong and case.code_layer is None else set()
    hidden = hidden.union(*(_FOLLOWS.get(finding.code, set()) for finding in findings))
    return [finding for finding in findings if finding.code not in hidden]


def _held_out(validation_data: Any, verbose: bool) -> tuple[Arrays, Arrays]:
    try:
        x, y = validation_data
    except (TypeError, ValueError) as error:
        raise DataTypeError(
            f"`validation_data` must be a pair of inputs and targets: got {type(validation_data).__name__}. For an "
            "autoencoder, pass (x, x)."
        ) from error
    inputs = read_arrays(x, "validation_data[0]", verbose=verbose)
    return inputs, inputs if y is x else read_arrays(y, "validation_data[1]", verbose=verbose, num_rows=len(inputs))


def _subject(case: Case) -> str:
    run = case.run
    return (
        f"Model `{run.model.name}` ({run.model.count_params():,} parameters): input {_shapes(run.x)}; output "
        f"{', '.join(map(_summary, case.outputs))}. All {len(run.x):,} rows were read, and the model ran on "
        f"{len(run.rows):,} of them."
    )


def _summary(out: Output) -> str:
    loss = (out.loss.name or "custom loss") if out.loss.kind else "no loss"
    masked = " of the observed entries" if out.loss.masked else ""
    shape = "×".join(map(str, out.values.shape[1:])) or "1"
    return f"{shape} ({out.activation or 'unknown activation'}, {loss}{masked})"


def _shapes(x: Arrays) -> str:
    return ", ".join("×".join(map(str, one.scan.shape[1:])) or "1" for one in x.arrays)
