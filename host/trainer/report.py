"""Pictures of a training for the report: curves, confusion matrices, the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .drawing import (
    BACK,
    BLUE,
    GREEN,
    INK,
    ORANGE,
    QUIET,
    RED,
    mark_stages,
    new_figure,
    plain_axes,
    png,
    shorten,
)
from .evaluate import ClassifierReport, Judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUES = ("#f6f9fc", "#d3e4f3", "#8dbde0", "#3b8bc6", "#0f4c81")

COUNTS_UP_TO = 12
"""Cells show their number of pictures up to this many classes."""


def training_curves(history: Sequence[Mapping[str, Any]], kept: Mapping[str, Any]) -> bytes:
    """Return a PNG of loss and accuracy over the epochs of `ModelCard.history`.

    `kept` (of the card) names the stage and epoch whose weights the model has.
    """
    figure = new_figure(10.4, 4.3)
    left, right = figure.subplots(1, 2)
    best = next(
        number
        for number, row in enumerate(history, 1)
        if (row["stage"], row["epoch"]) == (kept["stage"], kept["epoch"])
    )
    _curve(left, "Loss", history, "loss", best, 1.0)
    _curve(right, "Accuracy, %", history, "accuracy", best, 100.0)
    left.set_ylim(bottom=0)
    right.set_ylim(top=101)
    lines, names = left.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=3, frameon=False, labelcolor=INK)
    return png(figure)


def _curve(
    axes: Axes, title: str, history: Sequence[Mapping[str, Any]], name: str, best: int, unit: float
) -> None:
    epochs = np.arange(1, len(history) + 1)
    train = [unit * row[name] for row in history]
    valid = [unit * row[f"val_{name}"] for row in history]
    plain_axes(axes, title)
    mark_stages(axes, history)
    axes.plot(epochs, train, color=BLUE, lw=1.6, alpha=0.75, label="training views")
    axes.plot(epochs, valid, color=ORANGE, lw=2.2, label="validation pictures")
    axes.plot([best], [valid[best - 1]], "o", color=ORANGE, ms=9, mec=BACK, mew=1.6, zorder=5,
              label="kept")  # fmt: skip
    axes.set_xlim(0.5, len(history) + 0.5)
    axes.set_xlabel("epoch", color=QUIET)


def confusion_matrices(reports: Mapping[str, ClassifierReport]) -> bytes:
    """Return a PNG of the confusion matrix of each report, side by side, by its name."""
    classes = max(len(report.labels) for report in reports.values())
    side = float(np.clip(0.52 * classes + 1.4, 3.6, 8.6))
    figure = new_figure((side + 0.5) * len(reports), side + 0.4)
    for axes, (name, report) in zip(
        np.atleast_1d(figure.subplots(1, len(reports))), reports.items(), strict=True
    ):
        _matrix(axes, name, report)
    return png(figure)


def _matrix(axes: Axes, name: str, report: ClassifierReport) -> None:
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415

    count = len(report.labels)
    shares = report.confusion / np.maximum(report.confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("blues", BLUES), vmin=0, vmax=1)
    right = int(np.trace(report.confusion))
    axes.set_title(f"{name}:  {report.accuracy:.1%}", color=INK, fontsize=13,
                   fontweight="bold", loc="left", pad=24)  # fmt: skip
    axes.text(0, 1.02, f"{right} of {report.pictures} pictures right", color=QUIET, fontsize=9.5,
              va="bottom", transform=axes.transAxes)  # fmt: skip
    size = 10.5 if count <= 6 else 9.0
    crowded = max(map(len, report.labels)) > 5
    slant: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(count), report.labels, fontsize=size, **(slant if crowded else {}))
    axes.set_yticks(range(count), report.labels, fontsize=size)
    axes.set_xlabel("answer", color=QUIET)
    axes.set_ylabel("truth", color=QUIET)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=BACK, lw=2)
    axes.tick_params(which="minor", length=0)
    _counts(axes, report, shares)


def _counts(axes: Axes, report: ClassifierReport, shares: np.ndarray) -> None:
    """Write the pictures into the cells; mistakes are red, so that single ones are seen."""
    size = 12 if len(report.labels) <= COUNTS_UP_TO // 2 else 9
    size = size if len(report.labels) <= COUNTS_UP_TO else 7
    for (row, column), pictures in np.ndenumerate(report.confusion):
        if not pictures:
            continue
        colour = BACK if shares[row, column] > 0.5 else INK if row == column else RED
        axes.text(column, row, str(pictures), ha="center", va="center", fontsize=size,
                  color=colour, fontweight="bold" if row != column else "normal")  # fmt: skip


def gallery(pictures: np.ndarray, judged: Sequence[Judged], columns: int = 6) -> bytes:
    """Return a PNG of pictures with what they are and what the model said.

    `pictures` uint8 (n, height, width, 3) belong to `judged`, e.g. the first of
    `ClassifierReport.worst`. Wrong answers have a red frame, unsure right ones a green one.
    """
    rows = -(-len(judged) // columns)
    shape = pictures.shape[1] / pictures.shape[2]
    figure = new_figure(1.75 * columns, (1.75 * shape + 0.52) * max(rows, 1))
    grid = figure.subplots(max(rows, 1), columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(place < len(judged))
        if place < len(judged):
            _card(axes, pictures[place], judged[place])
    return png(figure)


def _card(axes: Axes, picture: np.ndarray, judged: Judged) -> None:
    axes.imshow(picture, interpolation="lanczos")
    colour = RED if judged.wrong else GREEN
    axes.spines[:].set(color=colour, linewidth=2.4)
    style: Any = {"color": colour, "fontsize": 9.5, "fontweight": "bold", "pad": 4}
    axes.set_title(shorten(judged.predicted), loc="left", **style)
    axes.set_title(f"{judged.score:.0%}", loc="right", **style)
    truth = f"is {shorten(judged.truth)}" + (f", {judged.truth_score:.0%}" if judged.wrong else "")
    axes.set_xlabel(truth, color=INK, fontsize=9, labelpad=3, loc="left")
