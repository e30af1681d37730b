"""One run of a model on a sample of its data, and the loss that its outputs have there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.doctor.measuring.given_data import Arrays
from codeword.inference.recording import Call, call_model, operations_of, recorded, replaced, to_array
from codeword.keras_internals import added_losses, mask_of, set_mask

MAX_RECORDED_CELLS = 40_000_000
_FIRST_ROWS = 32


@dataclass(frozen=True, eq=False)
class Run:
    """A built model in inference mode on some rows of its data."""

    model: Any
    x: Arrays
    y: Arrays | None  # the same object as `x` for an autoencoder
    sample_weight: Arrays | None
    rows: NDArray[np.intp]  # indices of the rows that the model ran on
    calls: tuple[Call, ...]  # in the order in which they ended
    outputs: Any  # tensors, in the structure in which the model returns them

    @property
    def is_reconstruction(self) -> bool:
        """Whether the targets are the inputs, as for an autoencoder."""
        return self.y is self.x

    @property
    def is_compiled(self) -> bool:
        """Whether there is a loss: from `compile`, an overridden `compute_loss` or `add_loss`."""
        if not getattr(self.model, "compiled", False):
            return False
        if self.model.loss is not None or type(self.model).compute_loss is not keras.Model.compute_loss:
            return True
        return any(added_losses(one) for one in [self.model, *operations_of(self.model)])

    @cached_property
    def failure(self) -> Exception | None:
        """What the loss raised on the sample, or None."""
        try:
            _ = self.is_compiled and self.y is not None and self.loss
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
        """Return the loss of other output values on the sample, or on some rows of it, by their positions."""
        part = slice(None) if chosen is None else chosen
        made = [keras.ops.convert_to_tensor(one[part]) for one in predictions]
        for one, given in zip(made, keras.tree.flatten(self.outputs), strict=True):
            mask = mask_of(given)
            if mask is not None:  # from Masking and Embedding(mask_zero=True): the losses of Keras read it
                set_mask(one, keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(mask)[part]))
        x, y, weight = self.tensors(self.rows[part])
        y_pred = keras.tree.pack_sequence_as(self.outputs, made)
        return float(keras.ops.convert_to_numpy(self.model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight)))

    def tensors(self, rows: NDArray[np.intp]) -> tuple[Any, Any, Any]:
        """Return rows of the inputs, targets and sample weights as tensors; None without sample weights."""
        assert self.y is not None
        weight = None if self.sample_weight is None else self.sample_weight.tensors(rows)
        return self.x.tensors(rows), self.y.tensors(rows), weight

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
    first = min(len(sample), _FIRST_ROWS) if fixed is None else len(sample)
    outputs, calls = _recorded_run(model, x.tensors(sample[:first]))
    cells = sum(int(np.prod(tuple(getattr(one, "shape", (0,))))) for call in calls for one in call.outputs) / first
    most = max(first, int(MAX_RECORDED_CELLS / max(1.0, cells)))
    sample = sample[:: -(-len(sample) // most)]
    if len(sample) > first:
        outputs, calls = _recorded_run(model, x.tensors(sample))
    shapes = [tuple(one.shape[1:]) for one in keras.tree.flatten(outputs)]
    if y is None and shapes == [one.scan.shape[1:] for one in x.arrays]:
        y = x
    return Run(model, x, y, sample_weight, sample, tuple(calls), outputs)


def fixed_batch(model: Any) -> int | None:
    """Return the batch size that a model is fixed to, as a stateful recurrent one is; None if it takes any."""
    return next((one.shape[0] for one in getattr(model, "inputs", None) or () if one.shape[0] is not None), None)


def as_arrays(outputs: Any) -> list[NDArray[Any]]:
    """Return output tensors as arrays, float32 or wider."""
    arrays = map(to_array, keras.tree.flatten(outputs))
    return [one.astype(np.float32) if one.dtype.name in ("bfloat16", "float16") else one for one in arrays]


def as_float32(tensor: Any) -> NDArray[np.float32]:
    """Return a tensor of any dtype as a float32 array."""
    return to_array(keras.ops.cast(tensor, "float32"))


def _recorded_run(model: Any, x: Any) -> tuple[Any, list[Call]]:
    with recorded(model) as calls:
        outputs = call_model(model, x)
    return outputs, calls
