"""Pictures of a detector's training: curves, thresholds, errors, the worst pictures with boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from .detect_errors import BOXES, KINDS, JudgedPicture, Mark
from .detect_evaluate import THRESHOLDS, DetectorReport
from .detect_match import RECALLS
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PURPLE, TEAL, YELLOW = "#7a4fb0", "#17868c", "#b98a00"
REPORTS = (BLUE, ORANGE, GREEN)
"""Colours of the reports that share an axes."""
CLASSES = (BLUE, ORANGE, GREEN, RED, PURPLE, TEAL)
"""Colours of classes, the weakest first."""
OTHERS = "#c3cbd4"
KIND_COLOURS: dict[str, str] = dict(
    zip(KINDS, (GREEN, RED, RED, ORANGE, PURPLE, YELLOW), strict=True)
)
FAINT, TRUTH = "#eab3ad", "#ffffff"
"""Of what is not there: a missed box in a bar; the dashes of a true box."""


def training_curves(history: Sequence[Mapping[str, Any]], kept: Mapping[str, Any]) -> bytes:
    """Return a PNG of loss and mAP over the epochs of `ModelCard.history`.

    `kept` (of the card) names the stage and epoch whose weights the model has.
    """
    figure = new_figure(10.4, 4.3)
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(history) + 1)
    best = [(row["stage"], row["epoch"]) for row in history].index((kept["stage"], kept["epoch"]))
    for axes, title in ((left, "Loss"), (right, "mAP of the validation pictures, %")):
        plain_axes(axes, title)
        mark_stages(axes, history)
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.set_xlabel("epoch", color=QUIET)
    left.plot(epochs, [row["loss"] for row in history], color=BLUE, lw=2.2, label="training views")
    for name, colour, width, label in (
        ("val_map50", ORANGE, 2.2, "mAP50: boxes that are about right"),
        ("val_map", GREEN, 1.8, "mAP50-95: boxes that are exact"),
    ):
        values = [100 * row[name] for row in history]
        right.plot(epochs, values, color=colour, lw=width, label=label)
        right.plot(epochs[best], values[best], "o", color=colour, ms=8, mec=BACK, mew=1.6, zorder=5)
    left.set_ylim(bottom=0)
    right.set_ylim(0, 101)
    right.plot([], [], "o", color=QUIET, ms=8, mec=BACK, mew=1.6, label="kept")
    lines, names = (a + b for a, b in zip(*(each.get_legend_handles_labels()
                                            for each in (left, right)), strict=True))  # fmt: skip
    figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False, labelcolor=INK)
    return png(figure)


def precision_recall(reports: Mapping[str, DetectorReport]) -> bytes:
    """Return a PNG of precision over recall for each class, a panel for each report by its name.

    Of many classes the weakest (of the last report) have colours.
    """
    figure = new_figure(5.3 * len(reports) + 0.2, 5.2)
    panels = figure.subplots(1, len(reports), squeeze=False)[0]
    last = [*reports.values()][-1]
    filled = [n for n, one in enumerate(last.classes) if one.support]
    weakest = sorted(filled, key=lambda number: last.classes[number].ap50)
    colours = dict(zip(weakest, CLASSES, strict=False))
    for axes, (name, report) in zip(panels, reports.items(), strict=True):
        plain_axes(axes, f"{name}:  mAP50 {report.map50:.1%}")
        axes.text(0, 1.02, f"mAP50-95 {report.map:.1%}", color=QUIET, fontsize=9.5, va="bottom",
                  transform=axes.transAxes)  # fmt: skip
        _class_lines(axes, report, filled, colours)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)
        axes.set_xlabel("recall, %: true boxes that are found", color=QUIET)
        axes.set_ylabel("precision, %: found boxes that are right", color=QUIET)
        if len(filled) > 1:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False,
                        labelcolor=INK, fontsize=9)  # fmt: skip
    return png(figure)


def _class_lines(
    axes: Axes, report: DetectorReport, filled: Sequence[int], colours: Mapping[int, str]
) -> None:
    curves = {number: 100 * report.classes[number].curve for number in filled}
    for number, curve in curves.items():
        if number not in colours:
            axes.plot(100 * RECALLS, curve, color=OTHERS, lw=1.2, zorder=1)
    for number, colour in colours.items():
        one = report.classes[number]
        axes.plot(100 * RECALLS, curves[number], color=colour, lw=1.8,
                  label=f"{shorten(one.label, 18)}  {one.ap50:.0%}")  # fmt: skip
    if len(filled) > len(colours):
        axes.plot(
            [], [], color=OTHERS, lw=1.2, label=f"{len(filled) - len(colours)} better classes"
        )
    if len(filled) == 1:
        axes.fill_between(100 * RECALLS, curves[filled[0]], color=BLUE, alpha=0.08, lw=0)
    elif filled:
        mean = np.mean([*curves.values()], axis=0)
        axes.plot(100 * RECALLS, mean, color=INK, lw=2.6, label="all classes")


def thresholds(reports: Mapping[str, DetectorReport]) -> bytes:
    """Return a PNG of F1 over the threshold of all reports, and of what the last one trades."""
    figure = new_figure(10.4, 4.5)
    left, right = figure.subplots(1, 2)
    (*_, (name, last)) = reports.items()
    best = "Recommended threshold" if last.threshold == last.recommended else "Threshold"
    plain_axes(left, f"{best} {last.threshold:.2f}")
    plain_axes(right, "What the threshold trades, %")
    right.text(0, 1.02, name, color=QUIET, fontsize=9.5, va="bottom", transform=right.transAxes)
    for (label, report), colour in zip(reports.items(), REPORTS, strict=False):
        left.plot(THRESHOLDS, 100 * report.curve.f1, color=colour, lw=2.2,
                  label=f"{label}: F1 {report.f1:.1%}")  # fmt: skip
        left.plot([report.threshold], [100 * report.f1], "o", color=colour, ms=9, mec=BACK,
                  mew=1.6, zorder=5)  # fmt: skip
    precise = np.where(last.curve.recall > 0, 100 * last.curve.precision, np.nan)
    right.plot(THRESHOLDS, precise, color=TEAL, lw=2.2,
               label=f"precision {last.precision:.1%}: few false alarms")  # fmt: skip
    right.plot(THRESHOLDS, 100 * last.curve.recall, color=PURPLE, lw=2.2,
               label=f"recall {last.recall:.1%}: few missed")  # fmt: skip
    for axes in (left, right):
        axes.axvline(last.threshold, color=QUIET, lw=1, ls=(0, (4, 3)), zorder=0)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 101)
        axes.set_xlabel("threshold: least score of a box", color=QUIET)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False,
                    labelcolor=INK)  # fmt: skip
    left.set_ylabel("F1 of precision and recall, %", color=QUIET)
    return png(figure)


def errors(reports: Mapping[str, DetectorReport]) -> bytes:
    """Return a PNG of how many boxes are right and how many are wrong in which way."""
    figure = new_figure(10.4, 1.5 + 0.55 * len(reports))
    axes = figure.subplots()
    starts = np.zeros(len(reports))
    rows = np.arange(len(reports))
    longest = max(sum(report.errors.values()) for report in reports.values())
    for kind in KINDS:
        counts = np.array([report.errors[kind] for report in reports.values()])
        if not counts.any():
            continue
        faint = kind == "missed"
        axes.barh(rows, counts, left=starts, color=FAINT if faint else KIND_COLOURS[kind],
                  height=0.62, lw=0, label=kind)  # fmt: skip
        for row, (count, start) in enumerate(zip(counts, starts, strict=True)):
            if count > 0.02 * longest:
                axes.text(start + count / 2, row, str(count), ha="center", va="center",
                          color=INK if faint else BACK, fontweight="bold", fontsize=11)  # fmt: skip
        starts += counts
    plain_axes(axes, "Boxes by what is right or wrong with them")
    levels = sorted({f"{report.threshold:.2f}" for report in reports.values()})
    axes.text(0, 1.02, f"threshold {', '.join(levels)}", color=QUIET, fontsize=9.5, va="bottom",
              transform=axes.transAxes)  # fmt: skip
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks(rows, [*reports], fontsize=11, color=INK)
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=len(KINDS), frameon=False, labelcolor=INK)
    return png(figure)


def gallery(pictures: np.ndarray, judged: Sequence[JudgedPicture], columns: int = 4) -> bytes:
    """Return a PNG of pictures with the true boxes and those of the model.

    `pictures` uint8 (n, height, width, 3) belong to `judged`, e.g. the first of
    `DetectorReport.worst`.
    """
    rows = max(-(-len(judged) // columns), 1)
    shape = pictures.shape[1] / pictures.shape[2]
    figure = new_figure(2.7 * columns, (2.7 * shape + 0.32) * rows + 0.4)
    labels = {box.label for picture in judged for box in (*picture.truth, *picture.found)}
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if place < len(judged):
            _card(axes, pictures[place], judged[place], named=len(labels) > 1)
    _key(figure, {box.kind for picture in judged for box in picture.found})
    return png(figure)


def _card(axes: Axes, picture: np.ndarray, judged: JudgedPicture, named: bool) -> None:
    height, width = picture.shape[:2]
    axes.imshow(picture, interpolation="lanczos", extent=(0, width, height, 0))
    for box in judged.truth[:BOXES]:
        missed = box.kind == "missed"
        _outline(axes, box, picture, RED if missed else TRUTH, 2.4 if missed else 1.6, dashed=True)
        if named and box.kind in ("missed", "mislabelled"):
            _tag(axes, box, picture, shorten(box.label), RED if missed else INK, below=True)
    for box in reversed(judged.found[:BOXES]):
        _outline(axes, box, picture, KIND_COLOURS[box.kind], 2.4)
        score = f"{box.score:.0%}"
        text = f"{shorten(box.label)} {score}" if named else score
        _tag(axes, box, picture, text, KIND_COLOURS[box.kind])
    axes.set_title(_summary(judged), loc="left", color=RED if judged.wrong else GREEN,
                   fontsize=10, fontweight="bold", pad=4)  # fmt: skip
    axes.set_xlabel(shorten(PurePath(judged.path).name, 34), color=QUIET, fontsize=8.5,
                    labelpad=3, loc="left")  # fmt: skip


def _summary(judged: JudgedPicture) -> str:
    kinds = [box.kind for box in judged.marks]
    wrong = [f"{kinds.count(kind)} {kind}" for kind in KINDS[1:] if kind in kinds]
    text = ", ".join(wrong[:2]) + (" …" if len(wrong) > 2 else "")
    return text or (f"{len(kinds)} right" if kinds else "rightly empty")


def _outline(
    axes: Axes, box: Mark, picture: np.ndarray, colour: str, width: float, dashed: bool = False
) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    height, wide = picture.shape[:2]
    corner = box.left * wide, box.top * height
    sides = (box.right - box.left) * wide, (box.bottom - box.top) * height
    for ink, lw, style in (("#00000080", width + 1.6, "-"), (colour, width, "--")):
        axes.add_patch(Rectangle(corner, *sides, fill=False, ec=ink, lw=lw, joinstyle="miter",
                                 ls=style if dashed else "-"))  # fmt: skip


def _tag(
    axes: Axes, box: Mark, picture: np.ndarray, text: str, colour: str, below: bool = False
) -> None:
    """Write on a box's upper edge (or in its lower corner), never outside the picture."""
    height, width = picture.shape[:2]
    x, y = box.left * width, (box.bottom if below else box.top) * height
    right = x > 0.7 * width
    high = not below and y < 0.08 * height
    axes.text(box.right * width if right else x, y + 0.015 * height * high, text, fontsize=8,
              fontweight="bold", color=BACK, ha="right" if right else "left",
              va="top" if high else "bottom", clip_on=True,
              bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.6})  # fmt: skip


def _key(figure: Any, kinds: Iterable[str]) -> None:
    """Say below the pictures what the lines mean."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    lines = [
        Line2D([], [], color="#9aa5b1", lw=1.8, ls="--", label="true box"),
        Line2D([], [], color=RED, lw=2.4, ls="--", label="true box, missed"),
        *(Line2D([], [], color=KIND_COLOURS[kind], lw=2.4, label=f"found, {kind}")
          for kind in KINDS if kind in kinds),
    ]  # fmt: skip
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False,
                  labelcolor=INK, fontsize=9)  # fmt: skip
