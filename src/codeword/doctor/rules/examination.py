"""The examination itself: what failed, and what could not be checked."""

import re
from collections.abc import Callable, Iterator, Sequence

from codeword.backend import keras
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding, found
from codeword.doctor.measuring.given_data import Array


def examination_findings(case: Case) -> Iterator[Finding]:
    """Report what could not be checked, and why."""
    run = case.run
    if run.failure is not None and run.y is not None:
        yield failed("The loss", run.failure, [*run.x.arrays, *run.y.arrays])
    has_custom_training = type(run.model).train_step is not keras.Model.train_step
    if not run.is_compiled:
        cause = "The model was not compiled with a loss."
        if has_custom_training:
            cause = "The model has a custom train_step, and only that knows its loss."
        evidence = f"{cause} {len(run.calls)} calls of layers were checked."
        remedy = 'model.compile(optimizer="adam", loss="mse")  # use the loss that you train with'
        yield found("not-compiled", evidence, remedy)
    elif has_custom_training:
        name = type(run.model).__name__
        evidence = f"{name} has a custom train_step. The compiled loss was checked; the train_step may use another one."
        yield found("not-examined", evidence, "# compare it with what your train_step minimizes")
    if run.y is None:
        shapes = ", ".join(str(one.shape[1:]) for one in run.predictions)
        entering = ", ".join(str(one.scan.shape[1:]) for one in run.x.arrays)
        evidence = f"`y` was not passed, and the output shape {shapes} is not the shape of `x`, {entering}."
        yield found("no-targets", evidence, "report = cw.examine(model, x, y)  # y as you pass it to fit")


def failed(what: str, error: Exception, arrays: Sequence[Array]) -> Finding:
    """Return the finding about a model or loss that raised an error on these arrays."""
    shapes = ", ".join(f"{one.name} {one.scan.shape} {one.scan.dtype}" for one in arrays)
    plain = re.sub(r"\x1b\[\d*m", "", str(error))  # without colors
    message = " ".join(line.strip() for line in plain.splitlines()[:4] if line.strip())
    message = f"{message[:400]} …" if len(message) > 400 else message.rstrip(".")
    return found(
        "model-fails",
        f"{what} raised {type(error).__name__}: {message}. The data was {shapes}.",
        "model.summary()  # compare its input and output shapes with the shapes of the data",
        {"rows": arrays[0].scan.shape[0]},
    )


def stopped(rules: Callable[[Case], Iterator[Finding]], error: Exception) -> Finding:
    """Return the finding about rules that raised an error."""
    subject = rules.__name__.removesuffix("_findings")
    evidence = f"The {subject} checks stopped with {type(error).__name__}: {error}."
    return found("not-examined", evidence, "# all other findings are valid; please report this model")
