"""Keras' own `fit`, with as many steps a call as the backend is faster by."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from codeword.backend import keras
from codeword.training.batch_hooks import looks_at_batches

# On TensorFlow 1.2 to 1.5 times the speed; on PyTorch Keras refuses more than one. benchmarks/training.py
MOST_STEPS_A_CALL = 32


@contextmanager
def many_steps_a_call(model: Any, callbacks: Any, lengths: Sequence[int]) -> Iterator[None]:
    """Lets Keras make many steps a call on TensorFlow, unless the user or a callback wants them one by one.

    What is compiled is kept until the model is compiled again.

    Args:
        model: Compiled Keras model.
        callbacks: Keras callbacks, as `fit` takes them.
        lengths: Steps of an epoch, and of its validation, of which Keras wants whole calls; empty if unknown.
    """
    hooks = callbacks.callbacks if isinstance(callbacks, keras.callbacks.CallbackList) else callbacks or ()
    common = math.gcd(*lengths)
    steps = max((number for number in range(1, MOST_STEPS_A_CALL + 1) if common % number == 0), default=1)
    wanted = (
        model.steps_per_execution != 1 or model.run_eagerly or any(map(looks_at_batches, keras.tree.flatten(hooks)))
    )
    if keras.backend.backend() != "tensorflow" or wanted or steps == 1 or not common:
        yield
    else:
        model.make_train_function()
        one_step = model.train_function
        kept = one_step.__dict__.setdefault("codeword_steps", {})
        model.steps_per_execution = steps
        model.train_function, model.test_function = kept.get(steps, (None, None))
        try:
            yield
            kept[steps] = model.train_function, model.test_function
        finally:
            model.steps_per_execution, model.train_function, model.test_function = 1, one_step, None
