"""Pictures of the documentation: errors, search results and choices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.evaluation.pictures import require_matplotlib


def save_error_by_count(
    path: str | Path,
    counts: NDArray[Any],
    errors: dict[str, NDArray[Any]],
    *,
    title: str = "",
    label: str = "ratings that the user has in training",
) -> None:
    """Draw the root mean squared error against a count, in eight groups of equal size.

    Args:
        path: File to write; the suffix determines the format.
        counts: Count for each prediction, `(n,)`, such as the number of known ratings.
        errors: Errors of the predictions, `(n,)`, by name of the method.
        title: Title of the picture.
        label: Label of the horizontal axis: what the counts mean.
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
    axis.set(xlabel=label, ylabel="root mean squared error")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def save_recall(
    path: str | Path, lengths: Sequence[int], recalls: dict[str, Sequence[float]], *, title: str = ""
) -> None:
    """Draw the share of relevant items that lists hold against the length of the lists.

    Args:
        path: File to write; the suffix determines the format.
        lengths: Lengths of the lists, `(n,)`.
        recalls: Recall of the lists of each length, `(n,)`, by name of the method.
        title: Title of the picture.
    """
    figure = require_matplotlib()(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for name, values in recalls.items():
        axis.plot(lengths, values, marker="o", label=name)
    axis.set(xlabel="length of the list", ylabel="recall: share of liked test items in it", ylim=(0, None))
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
    """Draw queries with their nearest images and distances, and below them how often each bit is 1.

    Args:
        path: File to write; the suffix determines the format.
        queries: Images of shape `(q, height, width)`.
        found: Images of shape `(q, k, height, width)`, nearest first.
        right: Whether each image has the label of its query, `(q, k)`; wrong images have a red title.
        distances: Distances in bits, `(q, k)`.
        ones: Share of codes in which each bit is 1, `(num_bits,)`.
        title: Title of the picture.
    """
    lines, k = found.shape[:2]
    figure = require_matplotlib()(figsize=(k + 1.6, 1.15 * lines + 2.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.15 * lines, 1.7))
    axes = above.subplots(lines, k + 1, squeeze=False)
    for line in range(lines):
        for column, image in enumerate([queries[line], *found[line]]):
            axis = axes[line, column]
            axis.imshow(image, cmap="gray_r")
            axis.set(xticks=[], yticks=[])
            if column:
                color = "black" if right[line, column - 1] else "tab:red"
                axis.set_title(f"{distances[line, column - 1]}", fontsize=8, color=color, pad=2)
        axes[line, 0].set_title("query", fontsize=8, pad=2)
    axis = below.subplots()
    axis.bar(np.arange(len(ones)), ones, width=0.8)
    axis.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    axis.set(ylim=(0, 1), xlabel="bit", ylabel="share of ones")
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
    """Draw which expert a gate chooses in each region of a plane, and the accuracy of each expert alone.

    Args:
        path: File to write; the suffix determines the format.
        region: Index of the chosen expert on a grid, shape `(height, width)`, bottom row first.
        extent: Left, right, bottom and top of the grid.
        points: Rows in the plane, `(n, 2)`.
        right: Whether the gate's prediction for each row is right, `(n,)`; wrong predictions are drawn as crosses.
        scores: Accuracy by name, drawn as bars in this order.
        names: Names of the experts.
        title: Title of the picture.
    """
    figure = require_matplotlib()(figsize=(11, 5), layout="constrained")
    from matplotlib.colors import ListedColormap

    plane, bars = figure.subplots(1, 2, width_ratios=(1.5, 1))
    colors = [f"C{number}" for number in range(len(names))]
    for number, (name, color) in enumerate(zip(names, colors, strict=True)):
        chosen = np.ma.masked_where(region != number, np.ones(region.shape))
        plane.imshow(chosen, origin="lower", extent=extent, aspect="auto", alpha=0.35, cmap=ListedColormap([color]))
        plane.plot([], [], "s", color=color, alpha=0.5, label=f"{name}: {np.mean(region == number):.0%} of the plane")
    plane.plot(*points[right].T, ".", color="black", markersize=3, label="right")
    plane.plot(*points[~right].T, "x", color="tab:red", markersize=5, label="wrong")
    plane.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=3, fontsize=8, frameon=False)
    positions = np.arange(len(scores))[::-1]
    bars.barh(positions, list(scores.values()), color=[*colors, *["0.4"] * (len(scores) - len(names))], alpha=0.7)
    bars.set_yticks(positions, labels=list(scores))
    bars.set(xlim=(0, 1), xlabel="accuracy")
    bars.spines[["top", "right"]].set_visible(False)
    for position, score in zip(positions, scores.values(), strict=True):
        bars.text(score, position, f" {score:.3f}", va="center", fontsize=9)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
