"""What the pictures of all reports share: colours, empty figures, axes, bytes.

Plain matplotlib figures on the Agg canvas: no window, no global state, equal bytes for equal
input. `matplotlib` is imported when something is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, GRID, BACK = "#1d2733", "#66727f", "#e3e8ed", "#ffffff"
BLUE, ORANGE, RED, GREEN = "#1f6fb4", "#e07b27", "#c8372d", "#2c8a4b"

STAGE_NAMES = {"head": "head only", "tune": "last blocks"}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; sizes in inches of 100 pixels, drawn at 144 per inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure((width, height), dpi=144, facecolor=BACK, layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.1, h_pad=0.1, wspace=0.03)
    FigureCanvasAgg(figure)
    return figure


def plain_axes(axes: Axes, title: str) -> None:
    """Write the title and leave horizontal lines only."""
    axes.set_title(title, color=INK, fontsize=13, fontweight="bold", loc="left", pad=20)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.grid(axis="y", color=GRID, lw=1)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, length=0)


def png(figure: Figure) -> bytes:
    """Return the picture's file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def mark_stages(axes: Axes, history: Sequence[Mapping[str, Any]]) -> None:
    """Shade the second stage and write the stages' names above the axes."""
    start = 0.5
    for stage, name in STAGE_NAMES.items():
        count = sum(row["stage"] == stage for row in history)
        if not count:
            continue
        if stage == "tune":
            axes.axvspan(start, start + count, color="#f4f1ec", zorder=0)
        axes.text(start + count / 2, 1.015, name, ha="center", va="bottom",
                  color=QUIET, fontsize=9, transform=axes.get_xaxis_transform())  # fmt: skip
        start += count


def shorten(label: str, most: int = 13) -> str:
    """Return a label that is at most so long."""
    return label if len(label) <= most else label[: most - 1] + "…"
