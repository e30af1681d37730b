"""Pictures for people who would rather look than read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import MissingExtraError


def require_matplotlib() -> Any:
    """Imports matplotlib's figure class, or says how to get it."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            f'Pictures need matplotlib: got {error}. Install it: pip install "codeword[plots]".'
        ) from error
    return Figure


def save_image_rows(
    path: str | Path, rows: dict[str, NDArray[Any]], *, title: str = "", mark_wrong: bool = True
) -> None:
    """Draws images beside each other, one line of images for each name; wrong cells of later lines in red frames.

    Args:
        path: File to write; its suffix says the format.
        rows: By name the images of a line, shape `(n, height, width)`; the first line is the truth.
        title: Above the picture.
        mark_wrong: Whether cells that differ from the truth get a frame: of real numbers all do.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    truth = next(iter(rows.values()))
    low, high = float(truth.min()), float(truth.max())
    figure = require_matplotlib()(figsize=(1.0 * len(truth) + 1.6, 1.15 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), len(truth), squeeze=False)
    for line, (name, images) in enumerate(rows.items()):
        for column, image in enumerate(images):
            axis = axes[line, column]
            axis.imshow(image, cmap="gray_r", vmin=low, vmax=high)
            for y, x in np.argwhere(image != truth[column]) if mark_wrong else ():
                axis.add_patch(_frame(x, y))
            axis.set_xticks([])
            axis.set_yticks([])
        axes[line, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def save_error_by_count(
    path: str | Path,
    counts: NDArray[Any],
    errors: dict[str, NDArray[Any]],
    *,
    title: str = "",
    label: str = "ratings that the user has in training",
) -> None:
    """Draws the root mean squared error by how much is known, in eight groups of equally many answers.

    Args:
        path: File to write; its suffix says the format.
        counts: How much was known for each answer, `(n,)`.
        errors: By name of the method the errors of its answers, `(n,)`.
        title: Above the picture.
        label: Below the picture: what was counted.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figure = require_matplotlib()(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    groups = [group for group in np.array_split(np.argsort(counts, kind="stable"), 8) if len(group)]
    middles = [float(np.median(counts[group])) for group in groups]
    for name, values in errors.items():
        heights = [float(np.sqrt(np.square(values[group], dtype=np.float64).mean())) for group in groups]
        axis.plot(middles, heights, marker="o", label=name)
    if min(middles) > 0:
        axis.set_xscale("log")
    axis.set_xticks(middles, labels=[f"{middle:g}" for middle in middles])
    axis.minorticks_off()
    axis.set_xlabel(label)
    axis.set_ylabel("root mean squared error")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def save_search(
    path: str | Path,
    queries: NDArray[Any],
    found: NDArray[Any],
    right: NDArray[np.bool_],
    distances: NDArray[Any],
    ones: NDArray[Any],
    *,
    title: str = "",
) -> None:
    """Draws queries, each with what was found nearest and how many bits differ; below, how often each bit is 1.

    Args:
        path: File to write; its suffix says the format.
        queries: Images of shape `(q, height, width)`.
        found: Images of shape `(q, k, height, width)`, nearest first.
        right: Whether each is of the query's kind, `(q, k)`; others get a red title.
        distances: Bits that differ, `(q, k)`.
        ones: Share of rows in which each bit is 1, `(num_bits,)`.
        title: Above the picture.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    lines, k = found.shape[:2]
    figure = require_matplotlib()(figsize=(k + 1.6, 1.15 * lines + 2.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.15 * lines, 1.7))
    axes = above.subplots(lines, k + 1, squeeze=False)
    for line in range(lines):
        for column, image in enumerate([queries[line], *found[line]]):
            axis = axes[line, column]
            axis.imshow(image, cmap="gray_r")
            axis.set_xticks([])
            axis.set_yticks([])
            if column:
                color = "black" if right[line, column - 1] else "tab:red"
                axis.set_title(f"{distances[line, column - 1]}", fontsize=8, color=color, pad=2)
        axes[line, 0].set_title("query", fontsize=8, pad=2)
    axis = below.subplots()
    axis.bar(np.arange(len(ones)), ones, width=0.8)
    axis.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    axis.set_ylim(0, 1)
    axis.set_xlabel("bit")
    axis.set_ylabel("share of ones")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def save_choices(
    path: str | Path,
    region: NDArray[Any],
    extent: tuple[float, float, float, float],
    points: NDArray[Any],
    right: NDArray[np.bool_],
    scores: dict[str, float],
    names: Sequence[str],
    *,
    title: str = "",
) -> None:
    """Draws which expert a gate chooses where on a plane, and beside it how good each is alone.

    Args:
        path: File to write; its suffix says the format.
        region: Number of the chosen expert on a grid, shape `(height, width)`, the lowest row first.
        extent: Left, right, bottom and top of the grid.
        points: Rows on the plane, `(n, 2)`.
        right: Whether the gate's answer to each is right, `(n,)`; wrong ones are crosses.
        scores: By name a share of right answers, drawn as bars in this order.
        names: Of the experts.
        title: Above the picture.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figure = require_matplotlib()(figsize=(11, 5), layout="constrained")
    plane, bars = figure.subplots(1, 2, width_ratios=(1.5, 1))
    colors = [f"C{number}" for number in range(len(names))]
    for number, (name, color) in enumerate(zip(names, colors, strict=True)):
        chosen = np.ma.masked_where(region != number, np.ones(region.shape))
        plane.imshow(chosen, origin="lower", extent=extent, aspect="auto", alpha=0.35, cmap=_single_color(color))
        plane.plot([], [], "s", color=color, alpha=0.5, label=f"{name}: {np.mean(region == number):.0%} of the plane")
    plane.plot(*points[right].T, ".", color="black", markersize=3, label="right")
    plane.plot(*points[~right].T, "x", color="tab:red", markersize=5, label="wrong")
    plane.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=3, fontsize=8, frameon=False)
    positions = np.arange(len(scores))[::-1]
    bars.barh(positions, list(scores.values()), color=[*colors, *["0.4"] * (len(scores) - len(names))], alpha=0.7)
    bars.set_yticks(positions, labels=list(scores))
    bars.set_xlim(0, 1)
    bars.spines[["top", "right"]].set_visible(False)
    for position, score in zip(positions, scores.values(), strict=True):
        bars.text(score, position, f" {score:.3f}", va="center", fontsize=9)
    bars.set_xlabel("share of right answers")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _single_color(color: str) -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap([color])


def _frame(x: int, y: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="tab:red", linewidth=1.2)
