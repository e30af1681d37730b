"""Memory maps that do not stay in memory."""

import contextlib
import mmap
from typing import Any

import numpy as np


def let_go(x: Any) -> None:
    """Drop the pages that a read-only memory map has read. A private one keeps its pages, which hold its changes."""
    mapped = None
    while x is not None:
        if isinstance(x, np.memmap):
            mapped = x.mode
        if isinstance(x, mmap.mmap):
            if mapped == "r" and hasattr(mmap, "MADV_DONTNEED"):
                with contextlib.suppress(OSError, ValueError):
                    x.madvise(mmap.MADV_DONTNEED)
            return
        x = getattr(x, "base", None)
