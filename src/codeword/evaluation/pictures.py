"""Pictures of reconstructions.

They need matplotlib and raise `MissingExtraError` without it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import MissingExtraError


def require_matplotlib() -> Any:
    """Return matplotlib's figure class, or raise with instructions to install it."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            f'Pictures need matplotlib: got {error}. Install it with pip install "codeword[plots]".'
        ) from error
    return Figure


def save_image_rows(
    path: str | Path, rows: dict[str, NDArray[Any]], *, title: str = "", mark_wrong: bool = True
) -> None:
    """Draw lines of images; wrong cells in all lines but the first have a red frame.

    Args:
        path: File to write; the suffix determines the format.
        rows: Images of each line by its name, shape `(n, height, width)`. The first line holds the true images.
        title: Title of the picture.
        mark_wrong: Draw frames around cells that differ from the true image. Real-valued cells always differ.
    """
    truth = next(iter(rows.values()))
    low, high = float(truth.min()), float(truth.max())
    figure = require_matplotlib()(figsize=(1.0 * len(truth) + 1.6, 1.15 * len(rows) + 0.5), layout="constrained")
    from matplotlib.patches import Rectangle

    axes = figure.subplots(len(rows), len(truth), squeeze=False)
    for line, (name, images) in enumerate(rows.items()):
        for column, image in enumerate(images):
            axis = axes[line, column]
            axis.imshow(image, cmap="gray_r", vmin=low, vmax=high)
            for y, x in np.argwhere(image != truth[column]) if mark_wrong else ():
                axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="tab:red", linewidth=1.2))
            axis.set(xticks=[], yticks=[])
        axes[line, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)
