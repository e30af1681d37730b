"""Where the data sets lie."""

import os
from pathlib import Path

FOLDER_VARIABLE = "CODEWORD_DATA"


def data_folder(name: str, folder: str | Path | None) -> Path | None:
    """Gives the folder of a data set: the given one, or `name` in the folder that CODEWORD_DATA names, else None."""
    if folder is None and os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE]) / name
    return None if folder is None else Path(folder)
