"""One model and its data: the facts that all rules read, each measured once, when it is first asked for."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.doctor.finding import Finding
from codeword.doctor.measuring.given_data import Array, Arrays, sample_of
from codeword.doctor.measuring.gradients import Gradients, gradient_function
from codeword.doctor.measuring.output_facts import OutputFacts
from codeword.doctor.measuring.recording import Call, operations_of, replaced
from codeword.keras_internals import added_losses, mask_of, set_mask, takes_training

GRADIENT_ROWS = 256


@dataclass
class Case:
    """A model, its data, and what was measured when it ran on a sample of the rows.

    Attributes:
        model: Keras model, built.
        x: What enters.
        y: What shall come out; None if nobody said and the output's shape is not that of `x`.
        same: Whether the targets are the inputs, as of an autoencoder.
        sample_weight: As given, or None.
        validation_data: Inputs and targets, or None.
        code_layer: Name of the layer whose values shall be bits, or None.
        sample: Numbers of the rows that the model ran on.
        calls: Every call of a layer in that run, in inference mode.
        outputs: What each output can be, and what its loss asks.
        predictions: The outputs' values on the sample.
        output_structure: The outputs in the structure in which the model gives them.
        failure: What the loss raised, or None.
    """

    model: Any
    x: Arrays
    y: Arrays | None
    same: bool
    sample_weight: Arrays | None
    validation_data: tuple[Arrays, Arrays] | None
    code_layer: str | None
    sample: NDArray[np.intp]
    calls: list[Call] = field(default_factory=list)
    outputs: list[OutputFacts] = field(default_factory=list)
    predictions: list[NDArray[Any]] = field(default_factory=list)
    output_structure: Any = None
    failure: Finding | None = None

    @property
    def compiled(self) -> bool:
        """Whether there is a loss to look at."""
        return bool(getattr(self.model, "compiled", False)) and self.loss_was_given

    @property
    def loss_was_given(self) -> bool:
        """Whether `compile`, an overridden `compute_loss` or `add_loss` gave one."""
        own = type(self.model).compute_loss is not keras.Model.compute_loss
        return (
            self.model.loss is not None
            or own
            or any(added_losses(one) for one in [self.model, *operations_of(self.model)])
        )

    @property
    def has_loss(self) -> bool:
        """Whether there is a loss that can be computed on this data."""
        return self.compiled and self.y is not None and self.failure is None

    @property
    def own_training(self) -> bool:
        """Whether the model has a training step of its own, which may not use the compiled loss."""
        return type(self.model).train_step is not keras.Model.train_step

    @property
    def targets(self) -> list[Array | None]:
        """The array of targets of each output; None where there is none."""
        if self.y is None:
            return [None] * len(self.outputs)
        arrays = list(self.y.arrays)
        if isinstance(self.y.structure, dict) and len(self.outputs) > 1:
            by_name = dict(zip(sorted(self.y.structure), arrays, strict=True))  # as they were read
            return [by_name.get(out.name) for out in self.outputs]
        return [*arrays, *[None] * len(self.outputs)][: len(self.outputs)]

    @property
    def name_of_targets(self) -> str:
        """What remedies call the targets."""
        return "x" if self.same else "y"

    @cached_property
    def sample_targets(self) -> list[NDArray[Any] | None]:
        """The targets of the sampled rows, of each output."""
        return [None if one is None else one.rows(self.sample) for one in self.targets]

    @cached_property
    def loss(self) -> float:
        """The loss of the sample in inference mode, penalties included."""
        return self.loss_of(self.predictions)

    def loss_of(self, predictions: list[NDArray[Any]], rows: NDArray[np.intp] | None = None) -> float:
        """Gives the loss that other outputs would have on the sample, or on some of its rows."""
        assert self.y is not None
        chosen = slice(None) if rows is None else rows
        numbers = self.sample[chosen]
        y_pred = keras.tree.pack_sequence_as(
            self.output_structure, [keras.ops.convert_to_tensor(one[chosen]) for one in predictions]
        )
        for made, given in zip(keras.tree.flatten(y_pred), keras.tree.flatten(self.output_structure), strict=True):
            mask = mask_of(given)
            if mask is not None:  # of Masking and Embedding(mask_zero=True): Keras' losses ask for it
                set_mask(made, keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(mask)[chosen]))
        weight = None if self.sample_weight is None else self.sample_weight.tensors(numbers)
        value = self.model.compute_loss(
            x=self.x.tensors(numbers), y=self.y.tensors(numbers), y_pred=y_pred, sample_weight=weight
        )
        return float(keras.ops.convert_to_numpy(value))

    def predict_with(self, layer: Any, change: Callable[[Any], Any]) -> list[NDArray[Any]]:
        """Gives the outputs on the sample if what a layer gives went through `change` first."""
        with replaced(layer, change):
            return as_arrays(call_model(self.model, self.x.tensors(self.sample)))

    def missing(self, number: int) -> float | None:
        """Gives the value that the loss of an output leaves out of the targets: 0, NaN or another; None for none."""
        return self._missing[number]

    @cached_property
    def _missing(self) -> list[float | None]:
        return [self._measured_missing(number) for number in range(len(self.outputs))]

    def _measured_missing(self, number: int) -> float | None:
        facts, target, values = self.outputs[number], self.sample_targets[number], self.predictions[number]
        if facts.loss is not None and facts.loss.masked and facts.loss.missing is not None:
            return facts.loss.missing
        if not self.has_loss or target is None or target.shape != values.shape or target.ndim < 2:
            return None
        if facts.loss is None or (facts.loss.kind not in ("own",) and self.sample_weight is None):
            return None
        candidates = [(0.0, target == 0), (math.nan, _isnan(target))]
        if target.dtype.kind != "b" and np.nanmin(target) < 0:  # -1 for "not known"
            candidates.append((float(np.nanmin(target)), target == np.nanmin(target)))
        for missing, where in candidates:
            if where.any() and not where.all() and self._leaves_out(number, where):
                return None if missing == 0 and self._is_likelihood(number) else missing
        return None

    def _is_likelihood(self, number: int) -> bool:
        """Says whether twice the targets cost no more than the targets, as of -y log p: there a 0 in y is a value."""
        target, values = self.sample_targets[number], self.predictions[number]
        assert target is not None
        rows = np.flatnonzero((target != 0).reshape(len(target), -1).any(axis=1))

        def loss_at(factor: float) -> float:
            changed = np.where(target == 0, values, factor * target).astype(values.dtype)
            return self.loss_of([*self.predictions[:number], changed, *self.predictions[number + 1 :]], rows)

        return loss_at(2.0) <= loss_at(1.0)

    def _leaves_out(self, number: int, where: NDArray[np.bool_]) -> bool:
        """Says whether the loss stays the same, to the last digits, when the outputs change in these places."""
        rows = np.flatnonzero(~where.reshape(len(where), -1).all(axis=1))  # the loss of an empty row may be NaN
        values = self.predictions[number]
        other = (0.5 * values + 0.3).astype(values.dtype)

        def loss_with(changed: NDArray[Any]) -> float:
            return self.loss_of([*self.predictions[:number], changed, *self.predictions[number + 1 :]], rows)

        before, there, elsewhere = (
            loss_with(one) for one in (values, np.where(where, other, values), np.where(where, values, other))
        )
        least = 1e-6 * abs(before)
        return math.isfinite(before) and abs(there - before) <= least and abs(elsewhere - before) > least

    @cached_property
    def gradients(self) -> tuple[float, Gradients]:
        """The training loss of up to 256 rows, and its gradient by every trainable weight."""
        return self._gradients()

    @cached_property
    def _gradients(self) -> Callable[[], tuple[float, Gradients]]:
        assert self.y is not None
        numbers = self._gradient_rows()
        weight = None if self.sample_weight is None else self.sample_weight.tensors(numbers)
        return gradient_function(self.model, self.x.tensors(numbers), self.y.tensors(numbers), weight)

    def _gradient_rows(self) -> NDArray[np.intp]:
        """Gives rows that follow each other, as losses of pairs need them, and rows from everywhere."""
        if fixed_batch(self.model) is not None:
            return self.sample
        half = GRADIENT_ROWS // 2
        together = sample_of(self.x, 0, first=half)
        return np.union1d(together, self.sample[:: -(-len(self.sample) // half)])

    @cached_property
    def unmoved_weights(self) -> list[Any]:
        """The trainable weights whose gradient is None or 0, and stays so when all that have one have moved a little.

        So a layer that starts at 0, before one that does not, is not among them, and layers that all start at 0 are.
        """
        weights = self.model.trainable_variables
        moving = [one is not None and bool(one.any()) for one in self.gradients[1]]
        if all(moving):
            return []
        before = [np.array(keras.ops.convert_to_numpy(one), copy=True) for one in weights]
        rng = np.random.default_rng(0)
        try:
            while True:
                for variable, value, moves in zip(weights, before, moving, strict=True):
                    if moves:
                        spread = 0.05 * (float(value.std()) or 1.0)
                        variable.assign(value + spread * rng.standard_normal(value.shape).astype(value.dtype))
                again = [one is not None and bool(one.any()) for one in self._gradients()[1]]
                if not any(now and not old for now, old in zip(again, moving, strict=True)):
                    return [weight for weight, moves in zip(weights, moving, strict=True) if not moves]
                moving = [now or old for now, old in zip(again, moving, strict=True)]
        finally:
            for variable, value in zip(weights, before, strict=True):
                variable.assign(value)


def fixed_batch(model: Any) -> int | None:
    """Gives the number of rows that a model takes at once, as a stateful recurrent one does; None for any."""
    return next((one.shape[0] for one in getattr(model, "inputs", None) or () if one.shape[0] is not None), None)


def call_model(model: Any, x: Any) -> Any:
    """Runs a model in inference mode."""
    with _without_gradient():
        return model(x, training=False) if takes_training(model) else model(x)


def as_arrays(outputs: Any) -> list[NDArray[Any]]:
    """Gives the tensors of an output as arrays, float32 at least."""
    arrays = [np.asarray(keras.ops.convert_to_numpy(one)) for one in keras.tree.flatten(outputs)]
    return [one.astype(np.float32) if one.dtype.name in ("bfloat16", "float16") else one for one in arrays]


def _without_gradient() -> Any:
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()


def _isnan(array: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
