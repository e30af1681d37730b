"""One run of a model on a sample of its data, and the loss that its outputs have there."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.doctor.measuring.given_data import Arrays
from codeword.doctor.measuring.recording import Call, operations_of, recorded, replaced
from codeword.keras_internals import added_losses, mask_of, set_mask, takes_training

MAX_RECORDED_CELLS = 40_000_000
_FIRST_ROWS = 32


@dataclass(frozen=True, eq=False)
class Run:
    """A model in inference mode on some rows of its data.

    Attributes:
        model: Built Keras model.
        x: Inputs.
        y: Targets; the same object as `x` for an autoencoder, or None.
        sample_weight: Sample weights, or None.
        rows: Indices of the rows that the model ran on.
        calls: Every call of a layer during the run, in the order in which the calls ended.
        outputs: Output tensors, in the structure in which the model returns them.
    """

    model: Any
    x: Arrays
    y: Arrays | None
    sample_weight: Arrays | None
    rows: NDArray[np.intp]
    calls: tuple[Call, ...]
    outputs: Any

    @property
    def is_reconstruction(self) -> bool:
        """Whether the targets are the inputs, as for an autoencoder."""
        return self.y is self.x

    @property
    def is_compiled(self) -> bool:
        """Whether there is a loss: from `compile`, an overridden `compute_loss` or `add_loss`."""
        if not getattr(self.model, "compiled", False):
            return False
        own = type(self.model).compute_loss is not keras.Model.compute_loss
        return (
            self.model.loss is not None
            or own
            or any(added_losses(one) for one in [self.model, *operations_of(self.model)])
        )

    @property
    def has_custom_training(self) -> bool:
        """Whether the model has its own training step, which may not use the compiled loss."""
        return type(self.model).train_step is not keras.Model.train_step

    @cached_property
    def failure(self) -> Exception | None:
        """What the loss raised on the sample, or None."""
        if not self.is_compiled or self.y is None:
            return None
        try:
            _ = self.loss
        except Exception as error:  # a loss may be custom code that raises anything
            return error
        return None

    @property
    def has_loss(self) -> bool:
        """Whether there is a loss that can be computed on this data."""
        return self.is_compiled and self.y is not None and self.failure is None

    @cached_property
    def predictions(self) -> list[NDArray[Any]]:
        """The values of each output on the sample, float32 or wider."""
        return as_arrays(self.outputs)

    @cached_property
    def loss(self) -> float:
        """The loss of the sample in inference mode, penalties included."""
        return self.loss_of(self.predictions)

    def loss_of(self, predictions: list[NDArray[Any]], chosen: NDArray[np.intp] | None = None) -> float:
        """Return the loss of other output values on the sample.

        Args:
            predictions: Values of each output on the sample.
            chosen: Positions within the sample of the rows that count. Default: all.
        """
        assert self.y is not None
        part = slice(None) if chosen is None else chosen
        rows = self.rows[part]
        y_pred = keras.tree.pack_sequence_as(
            self.outputs, [keras.ops.convert_to_tensor(one[part]) for one in predictions]
        )
        for made, given in zip(keras.tree.flatten(y_pred), keras.tree.flatten(self.outputs), strict=True):
            mask = mask_of(given)
            if mask is not None:  # from Masking and Embedding(mask_zero=True): the losses of Keras read it
                set_mask(made, keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(mask)[part]))
        weight = None if self.sample_weight is None else self.sample_weight.tensors(rows)
        value = self.model.compute_loss(
            x=self.x.tensors(rows), y=self.y.tensors(rows), y_pred=y_pred, sample_weight=weight
        )
        return float(keras.ops.convert_to_numpy(value))

    def predictions_with(self, layer: Any, change: Callable[[Any], Any]) -> list[NDArray[Any]]:
        """Return the outputs on the sample if the output of a layer passes through `change` first."""
        with replaced(layer, change):
            return as_arrays(call_model(self.model, self.x.tensors(self.rows)))

    def on_rows(self, rows: NDArray[np.intp]) -> "Run":
        """Run the model on other rows, without recording its calls."""
        return replace(self, rows=rows, calls=(), outputs=call_model(self.model, self.x.tensors(rows)))


def run_on_sample(
    model: Any, x: Arrays, y: Arrays | None, sample_weight: Arrays | None, sample: NDArray[np.intp]
) -> Run:
    """Run a model on a sample of rows, fewer if its layers return too many values to keep.

    Without targets, the inputs are the targets of a model whose outputs have the same shapes.
    """
    fixed = fixed_batch(model)
    if fixed is not None and len(sample) >= fixed:
        sample = sample[:fixed]
    first = _FIRST_ROWS if fixed is None else len(sample)
    outputs, calls = _recorded_run(model, x.tensors(sample[:first]))
    cells = sum(_size(one) for call in calls for one in call.outputs) / min(first, len(sample))
    most = max(first, int(MAX_RECORDED_CELLS / max(1.0, cells)))
    sample = sample[:: -(-len(sample) // most)]
    if len(sample) > first:
        outputs, calls = _recorded_run(model, x.tensors(sample))
    if y is None and _has_shapes_of(x, keras.tree.flatten(outputs)):
        y = x
    return Run(model, x, y, sample_weight, sample, tuple(calls), outputs)


def fixed_batch(model: Any) -> int | None:
    """Return the batch size that a model is fixed to, as a stateful recurrent one is; None if it takes any."""
    return next((one.shape[0] for one in getattr(model, "inputs", None) or () if one.shape[0] is not None), None)


def call_model(model: Any, x: Any) -> Any:
    """Call a model in inference mode."""
    with _without_gradient():
        return model(x, training=False) if takes_training(model) else model(x)


def as_arrays(outputs: Any) -> list[NDArray[Any]]:
    """Return output tensors as arrays, float32 or wider."""
    arrays = [np.asarray(keras.ops.convert_to_numpy(one)) for one in keras.tree.flatten(outputs)]
    return [one.astype(np.float32) if one.dtype.name in ("bfloat16", "float16") else one for one in arrays]


def as_float32(tensor: Any) -> NDArray[np.float32]:
    """Return a tensor of any dtype as a float32 array."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))


def _recorded_run(model: Any, x: Any) -> tuple[Any, list[Call]]:
    with recorded(model) as calls:
        outputs = call_model(model, x)
    return outputs, calls


def _has_shapes_of(x: Arrays, outputs: list[Any]) -> bool:
    return len(x.arrays) == len(outputs) and all(
        one.scan.shape[1:] == tuple(values.shape[1:]) for one, values in zip(x.arrays, outputs, strict=True)
    )


def _size(tensor: Any) -> int:
    return int(np.prod(tuple(tensor.shape))) if hasattr(tensor, "shape") else 0


def _without_gradient() -> Any:
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()
