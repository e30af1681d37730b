"""Runs a model on a sample of its data, for the first and only time."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.doctor.case import Case, as_arrays, call_model, fixed_batch
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Arrays, sample_of
from codeword.doctor.measuring.output_facts import losses_of, output_facts
from codeword.doctor.measuring.recording import Call, recorded

MAX_RECORDED_CELLS = 40_000_000
_FIRST_ROWS = 32


def look(
    model: Any,
    x: Arrays,
    y: Arrays | None,
    *,
    sample_weight: Arrays | None,
    validation_data: tuple[Arrays, Arrays] | None,
    code_layer: str | None,
    seed: int,
) -> Case | Finding:
    """Runs the model on a sample and says what it saw; the finding "model-fails" if it cannot run."""
    sample = sample_of(x, seed)
    if len(sample) == 0:
        return found(
            "not-examined",
            "note",
            "No row of the sample is finite in all columns, so the model was not run.",
            "# see not-finite",
        )
    fixed = fixed_batch(model)
    if fixed is not None and len(sample) >= fixed:
        sample = sample[:fixed]
    try:
        first = _FIRST_ROWS if fixed is None else len(sample)
        outputs, calls = _run(model, x.tensors(sample[:first]))
        cells = sum(_size(one) for call in calls for one in call.outputs) / min(first, len(sample))
        most = max(first, int(MAX_RECORDED_CELLS / max(1.0, cells)))
        sample = sample[:: -(-len(sample) // most)]
        if len(sample) > first:
            outputs, calls = _run(model, x.tensors(sample))
        predictions = as_arrays(outputs)
        same = y is None and _is_autoencoder(x, predictions)
        case = Case(model, x, x if same else y, same, sample_weight, validation_data, code_layer, sample)
        case.calls, case.predictions, case.output_structure = calls, predictions, outputs
        _fill_outputs(case, outputs)
    except Exception as error:  # whatever the user's own layers raise
        return _failed(error, x, y)
    if case.has_loss:
        try:
            _ = case.loss
        except Exception as error:  # and the user's own loss
            case.failure = _failed(error, x, y)
    return case


def _run(model: Any, x: Any) -> tuple[Any, list[Call]]:
    with recorded(model) as calls:
        outputs = call_model(model, x)
    return outputs, list(calls)


def _fill_outputs(case: Case, outputs: Any) -> None:
    tensors = keras.tree.flatten(outputs)
    names = sorted(outputs) if isinstance(outputs, dict) else list(getattr(case.model, "output_names", []))
    names = names if len(names) == len(tensors) else [f"output_{number}" for number in range(len(tensors))]
    losses = losses_of(case.model, len(tensors), names) if case.compiled else [None] * len(tensors)
    for name, tensor, values, loss in zip(names, tensors, case.predictions, losses, strict=True):
        facts = output_facts(name if len(tensors) > 1 else "", tensor, values, case.calls, loss)
        case.outputs.append(facts)


def _failed(error: Exception, x: Arrays, y: Arrays | None) -> Finding:
    shapes = ", ".join(f"{one.name} {one.scan.shape} {one.scan.dtype}" for one in (*x.arrays, *(y.arrays if y else ())))
    plain = re.sub(r"\x1b\[\d*m", "", str(error))
    said = " ".join(line.strip() for line in plain.splitlines()[:4] if line.strip())
    said = f"{said[:400]} …" if len(said) > 400 else said.rstrip(".")
    return found(
        "model-fails",
        "error",
        f"The model raised {type(error).__name__}: {said}. It was given {shapes}.",
        "model.summary()  # compare the shape of its input and output with that of the data",
        rows=len(x),
    )


def _is_autoencoder(x: Arrays, predictions: list[NDArray[Any]]) -> bool:
    return len(x.arrays) == len(predictions) and all(
        one.scan.shape[1:] == values.shape[1:] for one, values in zip(x.arrays, predictions, strict=True)
    )


def _size(tensor: Any) -> int:
    return int(np.prod(tuple(tensor.shape))) if hasattr(tensor, "shape") else 0
