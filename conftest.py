"""What all tests share: names for the docstrings' examples, and settings that save the compiler and the collector work.

On JAX most of the time goes into compiling, and much of the rest into the garbage collector, which walks over all that
tracing keeps.
"""

import gc
import os
import shutil
import signal
import sys
import tempfile
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import codeword

# A shell without job control starts programs in the background deaf to Ctrl-C; tests of interrupts must hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What one process of a run has compiled the others read: the same program, the same bits. Of all programs a fifth come
# twice. Who names a folder keeps it for the next run. JAX reads the environment when it is loaded, in the processes
# that tests start, too; other backends do not.
OWN_CACHE = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else tempfile.mkdtemp(prefix="codeword-compiled-")
if OWN_CACHE is not None:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = OWN_CACHE
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Tests run in as many processes as there are cores, so each takes one: PyTorch's threads for tiny tensors cost four
# times the processor time, and wait for each other where cores are shared. The user's own choice stands.
for threads in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(threads, "1")

# Compiled hastily: nothing optimized, loops as LLVM wants them least. That takes a third of the time to compile, and
# half of the time of all tests. Only tests marked `optimized`, which train longer than they compile, let LLVM optimize.
# With XLA_FLAGS in the environment, empty perhaps, all is compiled as it says: `make test-backends` runs the contracts,
# which compare compiled and eager bits, as users have them. (A jaxlib that does not know a flag ends with its name.)
HASTE = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
HASTILY = os.environ.get("KERAS_BACKEND", "jax") == "jax" and os.environ.setdefault("XLA_FLAGS", HASTE) == HASTE

# Ten times fewer walks than Python's 700, 10, 10: 17.4 s -> 12.5 s in test_layers_contract.py, all compiled before.
gc.set_threshold(50_000, 20, 50)


def is_optimized(item: pytest.Item) -> bool:
    return not HASTILY or item.get_closest_marker("optimized") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the optimized last: a change of the way throws away what is compiled."""
    items.sort(key=is_optimized)


def pytest_collection_finish() -> None:
    """Spares the collector all that was imported: `keras.utils.clear_session` calls it in each test of findings."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    wanted = str(int(not is_optimized(item)))
    if os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS") == wanted:
        return
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = wanted
    jax = sys.modules.get("jax")
    if jax is not None:
        jax.config.update("jax_disable_most_optimizations", wanted == "1")
        jax.clear_caches()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or extension modules, DuckDB's for one, tell at the end that they were never freed
    if OWN_CACHE is not None:
        shutil.rmtree(OWN_CACHE, ignore_errors=True)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `fit` do everything but train, for tests of all that comes before and after: most of their time."""

    def keep_first_weights(model: Any, batches: Any, validation: Any, epochs: int, *_: Any) -> Any:
        names = ["loss"] if validation is None else ["loss", "val_loss"]
        return SimpleNamespace(history={name: [0.0] * epochs for name in names})

    monkeypatch.setattr("codeword.training.recipe._train", keep_first_weights)


@pytest.fixture(autouse=True)
def names_in_examples(request: pytest.FixtureRequest) -> None:
    if isinstance(request.node, pytest.DoctestItem):  # for all others a folder would be made, too
        namespace = request.getfixturevalue("doctest_namespace")
        names = ("Bits", "Choices", "Floats", "HammingIndex", "KeptRows", "Levels", "Queries", "Scalars")
        namespace |= {name: getattr(codeword, name) for name in names}
        namespace |= {"np": np, "folder": request.getfixturevalue("tmp_path")}
