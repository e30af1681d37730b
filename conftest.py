"""What all tests share: names for the docstrings' examples, and settings that save the compiler and the collector work.

On JAX most of the time goes into compiling, and much of the rest into the garbage collector, which walks over all that
tracing keeps.
"""

import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codeword

# What one process of a run has compiled the others read: the same program, the same bits. It saves test_hard_gate.py 42
# of 103 s; of all programs a tenth come twice. Who names a folder keeps it for the next run. JAX reads the environment
# when it is loaded, in the processes that tests start, too; other backends do not.
OWN_CACHE = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else tempfile.mkdtemp(prefix="codeword-compiled-")
if OWN_CACHE is not None:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = OWN_CACHE
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Here LLVM need not optimize, which takes about half of the time to compile: these files ask what is said, shown,
# refused and learnt. All others have the programs that users have, above all the contracts, which compare compiled and
# eager bits; and so have tests marked `optimized`, such as the demo, which trains longer than it compiles.
HASTILY_COMPILED = {
    "test_advice.py",
    "test_autoencoder.py",
    "test_binarize.py",
    "test_cli.py",
    "test_cli_advise.py",
    "test_cli_fit_bits.py",
    "test_cli_ratings.py",
    "test_cli_search.py",
    "test_documents.py",
    "test_encoding_pieces.py",
    "test_examine.py",
    "test_findings.py",
    "test_fit.py",
    "test_gate_file.py",
    "test_hard_gate.py",
    "test_healthy_models.py",
    "test_model_file.py",
    "test_similarity.py",
    "test_similarity_contract.py",
    "test_training.py",
}

# Ten times fewer walks than Python's 700, 10, 10: 17.4 s -> 12.5 s in test_layers_contract.py, all compiled before.
gc.set_threshold(50_000, 20, 50)


def is_hastily_compiled(item: pytest.Item) -> bool:
    return item.path.name in HASTILY_COMPILED and item.get_closest_marker("optimized") is None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the hastily compiled first: they take longest, and each change of the way throws away what is compiled."""
    items.sort(key=is_hastily_compiled, reverse=True)


def pytest_collection_finish() -> None:
    """Spares the collector all that was imported: `keras.utils.clear_session` calls it in each test of findings."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    wanted = str(int(is_hastily_compiled(item)))
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


@pytest.fixture(autouse=True)
def names_in_examples(doctest_namespace: dict[str, Any], tmp_path: Path) -> None:
    doctest_namespace["np"] = np
    doctest_namespace["folder"] = tmp_path
    for name in ("Bits", "Choices", "Floats", "Levels", "Scalars"):
        doctest_namespace[name] = getattr(codeword, name)
