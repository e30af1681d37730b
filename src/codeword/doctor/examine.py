"""`codeword.examine`: what is wrong with a Keras model on its data."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import SEVERITIES, Finding, found
from codeword.doctor.measuring.given_data import Arrays, read_arrays
from codeword.doctor.measuring.look import look
from codeword.doctor.measuring.recording import unchanged
from codeword.doctor.report import Report
from codeword.doctor.rules.code import code_findings
from codeword.doctor.rules.data import data_findings, not_finite
from codeword.doctor.rules.gradients import gradient_findings
from codeword.doctor.rules.missing import missing_findings
from codeword.doctor.rules.output import output_findings
from codeword.doctor.rules.validation import validation_findings
from codeword.errors import DataTypeError, ParameterError

# What follows from an error, and would only say it again.
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
    """Says why a Keras model does not learn what it shall, with numbers from its own data.

    Ranges and missing values are read from all of the data; the model runs on up to 2,048 rows, its gradient on 256.
    Nothing of the model changes: weights, optimizer, random state. An unbuilt model is built, as `fit` would do.

    Args:
        model: Any Keras model. If it is not compiled, what concerns loss and gradient is left out, and a note says so.
        x: What enters: an array or memory map of shape `(n, ...)`, a frame, a scipy.sparse matrix, or a list or
            dictionary of them, as the model takes them; as it would go into `fit`.
        y: The targets. None: `x`, if the model's output has its shape.
        sample_weight: As for `fit`: weights of rows, or of cells, 0 where nothing was observed.
        validation_data: Inputs and targets as for `fit`: whether they are held out apart.
        code_layer: Name of a layer whose values are, or will be, rounded to bits.
        seed: Of the sample of rows.
        verbose: Whether to show progress where reading the data takes long.

    Returns:
        A `Report`: `print` it; `report.findings`; `report.remedied()`.

    Raises:
        DataTypeError: If `model` is no Keras model, or the data no array of numbers.
        DataError: If there are no rows, or their numbers differ.
        ParameterError: If `code_layer` names no layer.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, activation="sigmoid")])
        >>> model.compile("adam", loss="mse")
        >>> report = examine(model, np.arange(400.0).reshape(100, 4) % 255)
        >>> [finding.code for finding in report.errors]
        ['output-out-of-reach']
    """
    if not isinstance(model, keras.Model):
        hint = "Pass its `model_`." if hasattr(model, "model_") else "Pass a Keras model."
        raise DataTypeError(f"`model` must be a Keras model. Received: {type(model).__name__}. {hint}")
    inputs = read_arrays(x, "x", verbose=verbose)
    targets = None if y is None or y is x else read_arrays(y, "y", verbose=verbose, num_rows=len(inputs))
    weights = None if sample_weight is None else read_arrays(sample_weight, "sample_weight", num_rows=len(inputs))
    held_out = None if validation_data is None else _held_out(validation_data, verbose)
    _build(model, inputs)
    with unchanged(model), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras' own, of what the findings tell
        case = look(
            model,
            inputs,
            targets,
            sample_weight=weights,
            validation_data=held_out,
            code_layer=code_layer,
            seed=seed,
        )
        findings = _findings(case, inputs, targets)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Report(tuple(findings), _subject(model, case, inputs), case if isinstance(case, Case) else None)


def _findings(case: Case | Finding, x: Arrays, y: Arrays | None) -> list[Finding]:
    arrays = [*x.arrays, *(y.arrays if y is not None else ())]
    if isinstance(case, Finding):
        return [*not_finite(arrays, {}), case]
    missing = {
        target.name: case.missing(number)
        for number, target in enumerate(case.targets)
        if target is not None and not case.same
    }
    findings = [*not_finite(arrays, missing), *_left_out(case)]
    for rules in _RULES:
        try:
            for finding in rules(case):
                findings.append(finding)
        except ParameterError:
            raise
        except Exception as error:  # on a model of a kind that nobody thought of, the other rules still hold
            findings.append(_stopped(rules, error))
    wrong = any(finding.severity == "error" for finding in findings)  # of a code that cannot be learnt, nothing is said
    hidden = {"rounded-after-training"} if wrong and case.code_layer is None else set()
    hidden = hidden.union(*(_FOLLOWS.get(finding.code, set()) for finding in findings))
    return [finding for finding in findings if finding.code not in hidden]


def _stopped(rules: Callable[[Case], Iterator[Finding]], error: Exception) -> Finding:
    subject = rules.__name__.removesuffix("_findings")
    evidence = f"What concerns {subject} was not looked at to the end: {type(error).__name__}: {error}."
    return found("not-examined", "note", evidence, "# the other findings hold; please tell us of this model")


def _left_out(case: Case) -> list[Finding]:
    """Says what could not be looked at."""
    notes = [] if case.failure is None else [case.failure]
    if not case.compiled:
        why = (
            "It has a training step of its own, whose loss only it knows."
            if case.own_training
            else "It was not compiled with a loss."
        )
        remedy = 'model.compile(optimizer="adam", loss="mse")  # the loss that it shall be trained with'
        notes.append(found("not-compiled", "note", f"{why} {len(case.calls)} calls of layers were looked at.", remedy))
    elif case.own_training:
        name = type(case.model).__name__
        evidence = f"{name} has a training step of its own; looked at was the loss that it was compiled with."
        notes.append(found("not-examined", "note", evidence, "# print what your train_step minimizes"))
    if case.y is None:
        given = ", ".join(str(one.shape[1:]) for one in case.predictions)
        entering = ", ".join(str(one.scan.shape[1:]) for one in case.x.arrays)
        evidence = f"No `y` was given, and the shape of what comes out, {given}, is not that of `x`, {entering}."
        notes.append(found("no-targets", "note", evidence, "report = cw.examine(model, x, y)  # y as it goes into fit"))
    return notes


def _build(model: Any, x: Arrays) -> None:
    """Builds a model without weights by calling it on one row; what it raises is told by the run that follows."""
    if not model.built:
        try:
            model(x.tensors(np.arange(1)))
        except Exception:
            return


def _held_out(validation_data: Any, verbose: bool) -> tuple[Arrays, Arrays]:
    try:
        x, y = validation_data
    except (TypeError, ValueError) as error:
        raise DataTypeError(
            f"`validation_data` must be inputs and targets, (x, y). Received: {type(validation_data).__name__}. For "
            "an autoencoder pass (x, x)."
        ) from error
    inputs = read_arrays(x, "validation_data[0]", verbose=verbose)
    return inputs, inputs if y is x else read_arrays(y, "validation_data[1]", verbose=verbose, num_rows=len(inputs))


def _subject(model: Any, case: Case | Finding, x: Arrays) -> str:
    shapes = ", ".join("×".join(map(str, one.scan.shape[1:])) or "1" for one in x.arrays)
    if isinstance(case, Finding):
        return f"`{model.name}`: {shapes} enter; {len(x):,} rows."
    outputs = []
    for out, values in zip(case.outputs, case.predictions, strict=True):
        loss = "no loss" if out.loss is None else (out.loss.name or "a loss of one's own")
        masked = " of the observed entries" if out.loss is not None and out.loss.masked else ""
        shape = "×".join(map(str, values.shape[1:])) or "1"
        outputs.append(f"{shape} come out ({out.activation or 'activation not known'}, {loss}{masked})")
    count = model.count_params() if model.built else 0
    return (
        f"`{model.name}`: {shapes} enter, {'; '.join(outputs)}; {count:,} parameters. All {len(x):,} rows were read, "
        f"the model ran on {len(case.sample):,} of them."
    )
