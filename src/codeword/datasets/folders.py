"""Folders that hold data sets."""

import os
from pathlib import Path

FOLDER_VARIABLE = "CODEWORD_DATA"


def data_folder(name: str, folder: str | Path | None) -> Path | None:
    """Return `folder`, or else `name` inside the folder that CODEWORD_DATA names, or else None."""
    if folder is None and os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE]) / name
    return None if folder is None else Path(folder)
