"""Which callbacks look at the model, and which do something after batches and so must hear of every one."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras

UNCONCERNED = (keras.callbacks.History, keras.callbacks.ProgbarLogger, keras.callbacks.TerminateOnNaN)
HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def looks_at_model(callback: Any) -> bool:
    """Whether a callback may look at more than the numbers that it is told; its own `looks_at_model` may say no."""
    return type(callback) not in UNCONCERNED and getattr(callback, "looks_at_model", True)


def looks_at_batches(callback: Any) -> bool:
    """Whether a callback does something after batches, and not only after epochs."""
    if not looks_at_model(callback) or getattr(callback, "save_freq", None) == "epoch":
        return False
    if getattr(callback, "update_freq", None) == "epoch" and not getattr(callback, "profile_batch", 0):
        return False
    return is_hooked(callback)


def is_hooked(callback: Any, hooks: Sequence[str] = HOOKS) -> bool:
    """Whether a callback has a method of its own for one of the hooks."""
    return any(not getattr(getattr(callback, hook), "_is_default", False) for hook in hooks)
