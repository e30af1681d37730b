"""What the losses of codes share: how likely each code of a batch chooses each other one."""

from typing import Any

from codeword.backend import keras
from codeword.errors import DataError
from codeword.settings import number

ops = keras.ops

TEMPERATURE = number(above=0)


def code_log_probabilities(codes: Any, temperature: float, *, chooser: Any = None) -> Any:
    """Return the log of the probability with which each row chooses the code of each other row of the batch.

    Formula:
        `log softmax over j != i of a_i . b_j / (num_bits temperature)`, shape `(batch, batch)`; a is `chooser`, or b.
    """
    scale = 1.0 / (codes.shape[-1] * temperature)
    similarity = ops.matmul(codes if chooser is None else chooser, ops.transpose(codes))
    return ops.log_softmax(without_diagonal(similarity * scale), axis=-1)


def without_diagonal(logits: Any) -> Any:
    """Return square logits whose diagonal is so low that nothing chooses itself."""
    size = ops.shape(logits)[0]
    # exp of it is 0; float16 cannot hold less.
    lowest = -3e4 if keras.backend.standardize_dtype(logits.dtype) == "float16" else -1e9
    return ops.where(ops.cast(ops.eye(size), "bool"), ops.cast(lowest, logits.dtype), logits)


def check_codes_shape(codes: Any) -> None:
    """Check that predictions are one code per row, of rank 2."""
    if len(codes.shape) != 2:
        raise DataError(
            f"`y_pred` must be codes of shape (batch, num_bits): got shape {tuple(codes.shape)}. Flatten them."
        )
