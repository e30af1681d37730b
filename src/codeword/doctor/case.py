"""One model and its data: the facts that all rules read, each measured once, when it is first needed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from codeword.doctor.measuring.given_data import Arrays, sample_of
from codeword.doctor.measuring.gradients import Gradients, gradient_function
from codeword.doctor.measuring.run import Run, fixed_batch
from codeword.doctor.output import Output
from codeword.errors import ParameterError
from codeword.inference.recording import Call, copies_of

GRADIENT_ROWS = 256


@dataclass(frozen=True, eq=False)
class Case:
    """A model and its data, as one examination sees them."""

    run: Run
    outputs: tuple[Output, ...]
    validation_data: tuple[Arrays, Arrays] | None
    code_layer: str | None  # the layer whose values are, or will be, rounded to bits

    @property
    def targeted(self) -> tuple[Output, ...]:
        """The outputs that have targets."""
        return tuple(out for out in self.outputs if out.target is not None)

    @property
    def name_of_targets(self) -> str:
        """Name of the targets in remedies."""
        return "x" if self.run.is_reconstruction else "y"

    @cached_property
    def code_call(self) -> Call | None:
        """The last call of the layer that the user named; None if no layer was named."""
        if self.code_layer is None:
            return None
        last_calls = {call.layer.name: call for call in self.run.calls}
        if self.code_layer not in last_calls:
            names = ", ".join(last_calls)
            raise ParameterError(
                f"`code_layer` must name a layer that the model calls: got {self.code_layer!r}. The layers are {names}."
            )
        return last_calls[self.code_layer]

    @cached_property
    def gradients(self) -> tuple[float, Gradients]:
        """The training loss of up to 256 rows, and its gradient with respect to every trainable weight."""
        return self._gradients()

    @cached_property
    def _gradients(self) -> Callable[[], tuple[float, Gradients]]:
        rows, half = self.run.rows, GRADIENT_ROWS // 2
        if fixed_batch(self.run.model) is None:  # consecutive rows, which losses over pairs need, and others
            rows = np.union1d(sample_of(self.run.x, 0, first=half), rows[:: -(-len(rows) // half)])
        return gradient_function(self.run.model, *self.run.tensors(rows))

    @cached_property
    def unmoved_weights(self) -> list[Any]:
        """The trainable weights whose gradient is None or 0, and stays so after all other weights moved a little.

        A layer that starts at 0 before one that does not is therefore not among them; layers that all start at 0 are.
        """
        weights = self.run.model.trainable_variables
        moving = _moving(self.gradients)
        if all(moving):
            return []
        before = copies_of(weights)
        rng = np.random.default_rng(0)
        try:
            while True:
                for variable, value, moves in zip(weights, before, moving, strict=True):
                    if moves:
                        spread = 0.05 * (float(value.std()) or 1.0)
                        variable.assign(value + spread * rng.standard_normal(value.shape).astype(value.dtype))
                again = [now or old for now, old in zip(_moving(self._gradients()), moving, strict=True)]
                if again == moving:
                    return [weight for weight, moves in zip(weights, moving, strict=True) if not moves]
                moving = again
        finally:
            for variable, value in zip(weights, before, strict=True):
                variable.assign(value)


def _moving(gradients: tuple[float, Gradients]) -> list[bool]:
    return [one is not None and bool(one.any()) for one in gradients[1]]
