"""Whole files, as the first version wrote them, which attacks damage."""

from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "0.1"


def golden(*names: str) -> list[bytes]:
    """Return the contents of files."""
    return [(GOLDEN / name).read_bytes() for name in names]
