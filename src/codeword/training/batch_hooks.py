"""What callbacks need: some read the model, some act after batches and must hear of every one."""

from typing import Any

from codeword.backend import keras

READ_LOGS_ONLY = (keras.callbacks.History, keras.callbacks.ProgbarLogger, keras.callbacks.TerminateOnNaN)
HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def looks_at_model(callback: Any) -> bool:
    """Return whether a callback may read more than its logs; its attribute `looks_at_model` may deny it."""
    return type(callback) not in READ_LOGS_ONLY and getattr(callback, "looks_at_model", True)


def looks_at_batches(callback: Any) -> bool:
    """Return whether a callback acts after batches, and not only after epochs."""
    if not looks_at_model(callback) or getattr(callback, "save_freq", None) == "epoch":
        return False
    if getattr(callback, "update_freq", None) == "epoch" and not getattr(callback, "profile_batch", 0):
        return False
    return is_hooked(callback)


def is_hooked(callback: Any) -> bool:
    """Return whether a callback has its own method for one of the hooks."""
    base = keras.callbacks.Callback
    return any(getattr(getattr(callback, hook), "__func__", None) is not getattr(base, hook) for hook in HOOKS)
