"""Names that every docstring's example may use."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codeword


@pytest.fixture(autouse=True)
def names_in_examples(doctest_namespace: dict[str, Any], tmp_path: Path) -> None:
    doctest_namespace["np"] = np
    doctest_namespace["folder"] = tmp_path
    for name in ("Bits", "Choices", "Floats", "Levels", "Scalars"):
        doctest_namespace[name] = getattr(codeword, name)
