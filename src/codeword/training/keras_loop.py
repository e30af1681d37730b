"""Training by Keras' own `fit`, with as many steps per call as the backend gains from."""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from codeword.backend import keras
from codeword.keras_internals import kept_until_compiled, stream_of_seeds
from codeword.training.batch_hooks import looks_at_batches
from codeword.training.batches import Batches

ops = keras.ops

# On TensorFlow 1.2 to 1.5 times the speed; on PyTorch Keras refuses more than one. benchmarks/training.py
MOST_STEPS_PER_CALL = 32


class KerasBatches(keras.utils.PyDataset):
    """`Batches` as a data set for `keras.Model.fit`, which asks for one batch at a time.

    With `shuffle` the batches of an epoch come in an order of this thread's stream. Keras' own `shuffle` would draw it
    from Python's global stream.
    """

    def __init__(self, batches: Batches, *, shuffle: bool = False) -> None:
        super().__init__()
        self._batches = batches
        self._order = list(range(len(batches)))
        self._shuffle = stream_of_seeds().shuffle if shuffle else None
        self._seen = keras.backend.backend() != "tensorflow"  # which looks at the first batches for their shapes
        self._arrays = keras.tree.map_structure(ops.convert_to_tensor, batches.arrays)
        self._blocks: list[tuple[int, Any]] | None = batches.blocks()  # Keras ends one epoch before the first

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        if index == 0 and self._shuffle is not None:
            if self._seen:
                self._order = list(range(len(self)))
                self._shuffle(self._order)
            self._seen = True
        index = self._order[index]
        if self._blocks is None:
            self._blocks = self._batches.blocks()
        for num_steps, draws in self._blocks:
            if index < num_steps:
                # Called at once, so `index` cannot change before.
                drawn = keras.tree.map_structure(lambda steps: ops.convert_to_tensor(steps[index]), draws)  # noqa: B023
                return self._batches.batch(self._arrays, drawn)
            index -= num_steps
        raise IndexError(index)

    def on_epoch_end(self) -> None:
        self._blocks = None  # the next epoch draws its own


def as_data_set(batches: Batches, *, shuffle: bool = False) -> Any:
    """Return batches as what `keras.Model.fit` takes without drawing from a global stream; see `KerasBatches`."""
    data = KerasBatches(batches, shuffle=shuffle)
    if keras.backend.backend() != "torch":
        return data
    import torch

    class Epochs(torch.utils.data.IterableDataset):
        started = False

        def __len__(self) -> int:
            return len(data)

        def __iter__(self) -> Iterator[Any]:
            if self.started:
                data.on_epoch_end()
            self.started = True
            return map(data.__getitem__, range(len(data)))

    # For each epoch PyTorch draws a seed that nothing uses: from this generator, not from its global stream.
    return torch.utils.data.DataLoader(Epochs(), batch_size=None, generator=torch.Generator())


@contextmanager
def many_steps_per_call(model: Any, callbacks: Any, lengths: Sequence[int]) -> Iterator[None]:
    """Let Keras run many steps per call on TensorFlow, unless the user or a callback wants single steps.

    Keras wants `lengths`, the numbers of steps of an epoch and of its validation, to be multiples of the steps per
    call. They are empty if unknown. What is compiled is kept until the model is compiled again.
    """
    hooks = callbacks.callbacks if isinstance(callbacks, keras.callbacks.CallbackList) else callbacks or ()
    common = math.gcd(*lengths)
    steps = max((number for number in range(1, MOST_STEPS_PER_CALL + 1) if common % number == 0), default=1)
    single = not hasattr(model, "train_function") or model.steps_per_execution != 1 or model.run_eagerly
    single = single or any(map(looks_at_batches, keras.tree.flatten(hooks)))
    if keras.backend.backend() != "tensorflow" or single or steps == 1 or not common:
        yield
    else:
        kept = kept_until_compiled(model)
        one_step = model.train_function
        model.steps_per_execution = steps
        model.train_function, model.test_function = kept.get(steps, (None, None))
        try:
            yield
            kept[steps] = model.train_function, model.test_function
        finally:
            model.steps_per_execution, model.train_function, model.test_function = 1, one_step, None


def say_why(reason: str) -> None:
    """Print why Keras' own `fit` trains a model on JAX; to stderr, which keeps results on stdout clean."""
    print(f"codeword: {reason}, so Keras' own fit trains this model.", file=sys.stderr)
