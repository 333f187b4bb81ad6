"""A kmodel as a picture: time of each layer, both memories over time, and the error it makes.

All panels share one axis, the layers in their order. Plain matplotlib on the Agg canvas: no
window, no global state, equal bytes for equal input; imported when something is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .describe import Block, LayerError, LayerInfo, layer_table, memory_blocks, peak_bytes
from .layout import LINE_BYTES, RAM_LINES
from .v3 import read
from .verify import verify

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, GRID, BACK = "#1d2733", "#66727f", "#e3e8ed", "#ffffff"
CONV, DEPTHWISE, CPU, RED, GREEN = "#1f6fb4", "#7cc0e8", "#e07b27", "#c8372d", "#2c8a4b"
FAMILIES = {"conv": ("convolution", CONV), "depthwise": ("depthwise", DEPTHWISE)}
CPU_FAMILY = ("CPU", CPU)
PICTURE_COLOUR = "#b9c3cc"
GOOD_DB, POOR_DB = 20.0, 10.0
"""Above the first an error is a tenth of the signal or less, below the second a third or more."""
LABELLED = 0.33
"""Bars from this share of the longest on carry their number."""
MOST_LABELS = 60
HEIGHTS = (2.3, 2.7, 1.3, 1.9)
"""Of the panels, in inches."""
INCHES = 0.33
"""Width of a layer."""
LONGEST_TITLE = 99
THINNEST = 0.02
"""Least height of a tensor, as a part of the memory: thinner ones could not be seen."""
KPU_BYTES = LINE_BYTES * RAM_LINES


def plot(data: bytes, title: str, errors: Sequence[LayerError] = ()) -> bytes:
    """Draw a kmodel.

    Args:
        data: bytes of the file.
        title: its name.
        errors: of `sqnr.layer_errors`; without them that panel is left out.

    Returns:
        A PNG.

    Raises:
        UserError: not a kmodel V3, damaged or unsafe.
    """
    model = read(data)
    verify(model)
    rows, blocks = layer_table(model), memory_blocks(model)
    heights = HEIGHTS[: 4 if errors else 3]
    width = min(max(INCHES * len(rows) + 1.6, 8.5), 22.0)
    figure = _figure(width, sum(heights) + 1.9)
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    _head(figure, title, rows, blocks, len(data))
    _times(panels[0], rows)
    _memory(panels[1], "KPU RAM, MiB", rows, blocks, "kpu")
    _memory(panels[2], "main memory, kB", rows, blocks, "main")
    if errors:
        _errors(panels[3], errors)
    names = {number: error.name for error in errors for number in error.numbers}
    _layer_axis(panels[-1], rows, names)
    return _png(figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure((width, height), dpi=110, facecolor=BACK, layout="constrained")
    FigureCanvasAgg(figure)
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.12, h_pad=0.06, hspace=0.03)
    return figure


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _family(row: LayerInfo) -> tuple[str, str]:
    return FAMILIES.get(row.kind.split()[0], CPU_FAMILY)


def _head(
    figure: Figure, title: str, rows: Sequence[LayerInfo], blocks: list[Block], size: int
) -> None:
    """Write the title and the figures that count."""
    facts = [
        f"{sum(row.ms for row in rows):.1f} ms a picture",
        f"{sum(row.macs for row in rows) / 1e6:,.0f} M multiplications",
        f"file {size / 1e6:.2f} MB",
        f"KPU RAM {peak_bytes(blocks, 'kpu') / 2**20:.2f} of 2 MiB",
    ]
    head = figure.suptitle(
        title[:LONGEST_TITLE], x=0.012, ha="left", color=INK, fontsize=16, fontweight="bold"
    )
    line = figure.text(
        0.988, 0.985, "   ·   ".join(facts), ha="right", va="top", color=QUIET, fontsize=10.5
    )
    room = 0.96 * figure.bbox.width - line.get_window_extent().width
    while head.get_window_extent().width > room:
        head.set_text(f"{head.get_text().rstrip('…')[:-1]}…")


def _plain(axes: Axes, label: str) -> None:
    axes.set_title(label, color=INK, fontsize=11, fontweight="bold", loc="left", pad=5)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=QUIET, labelsize=9)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, lw=0.9)


def _times(axes: Axes, rows: Sequence[LayerInfo]) -> None:
    """Draw a bar a layer; the slow ones carry their number."""
    from matplotlib.patches import Patch  # noqa: PLC0415

    _plain(axes, "time, ms (estimate)")
    axes.bar([row.number + 0.5 for row in rows], [row.ms for row in rows], width=0.82,
             color=[_family(row)[1] for row in rows])  # fmt: skip
    slowest = max(row.ms for row in rows)
    for row in rows:
        if row.ms < LABELLED * slowest:
            continue
        axes.annotate(f"{row.ms:.2g}", (row.number + 0.5, row.ms), (0, 2), ha="center",
                      textcoords="offset points", fontsize=8.5, color=INK)  # fmt: skip
    axes.margins(y=0.13)
    axes.set_ylim(bottom=0)
    seen = dict.fromkeys(_family(row) for row in rows)
    axes.legend(handles=[Patch(color=colour, label=name) for name, colour in seen], ncols=3,
                loc="lower right", bbox_to_anchor=(1.0, 0.99), frameon=False, fontsize=9,
                labelcolor=INK, borderpad=0, handlelength=1.0)  # fmt: skip


def _memory(
    axes: Axes, label: str, rows: Sequence[LayerInfo], blocks: list[Block], memory: str
) -> None:
    """Draw every tensor as a rectangle: its layers across, its bytes up."""
    from matplotlib.patches import FancyBboxPatch, Rectangle  # noqa: PLC0415

    _plain(axes, label)
    chosen = [block for block in blocks if block.memory == memory]
    kpu = memory == "kpu"
    unit = 2**20 if kpu else 1000
    top = KPU_BYTES / unit if kpu else max((block.end for block in chosen), default=1) / unit
    axes.set_ylim(0, top * 1.002)
    axes.set_xlim(0, len(rows))
    axes.add_patch(Rectangle((0, 0), len(rows), top, color="#f4f6f8", zorder=0))
    shapes = {f"layer {row.number}": row for row in rows}
    for block in chosen:
        low, high = block.start / unit, block.end / unit
        row = shapes.get(block.label)
        colour = _family(row)[1] if row else PICTURE_COLOUR
        across = block.last + 1 - block.first
        gap, height = 0.06, max(high - low, THINNEST * top)
        axes.add_patch(FancyBboxPatch(
            (block.first + gap, min(low, top - height)), across - 2 * gap, height,
            boxstyle="square,pad=0", facecolor=colour, edgecolor=BACK, lw=0.7, alpha=0.92,
            zorder=2))  # fmt: skip
        _inscribe(axes, block, row, (high - low) / top, (low + high) / 2)


def _inscribe(axes: Axes, block: Block, row: LayerInfo | None, share: float, middle: float) -> None:
    """Write the shape into a rectangle that has the room for it."""
    across = block.last + 1 - block.first
    text = "picture" if row is None else "×".join(map(str, row.out_shape))
    layer = axes.figure.get_figwidth() / axes.get_xlim()[1]  # type: ignore[union-attr]
    lies = 0.063 * len(text) < 0.9 * across * layer
    stands = share * HEIGHTS[1] > 0.066 * len(text) + 0.1
    if not (stands or (lies and share > 0.1)):
        return
    light = row is None or _family(row)[1] == DEPTHWISE
    axes.text(block.first + across / 2, middle, text, ha="center", va="center", zorder=3,
              fontsize=7.5, color=INK if light else BACK,
              rotation=0 if lies else 90)  # fmt: skip


def _errors(axes: Axes, errors: Sequence[LayerError]) -> None:
    """Draw the SQNR of each layer, and say what is good."""
    _plain(axes, "signal to quantization noise, dB")
    points = [(number + 0.5, error.sqnr_db) for error in errors for number in error.numbers]
    x, y = [point[0] for point in points], [point[1] for point in points]
    high = max(*y, GOOD_DB + 8) * 1.08
    low = min(0.0, *y)
    for start, end, colour in (
        (low, POOR_DB, "#fbe9e7"), (POOR_DB, GOOD_DB, "#fff6e6"), (GOOD_DB, high, "#eaf5ec"),
    ):  # fmt: skip
        axes.axhspan(start, end, color=colour, lw=0, zorder=0)
    axes.plot(x, y, color=INK, lw=1.2, alpha=0.55, zorder=2)
    colours = [GREEN if db >= GOOD_DB else CPU if db >= POOR_DB else RED for db in y]
    axes.scatter(x, y, s=34, c=colours, edgecolors=BACK, linewidths=0.9, zorder=3)
    worst = min(points, key=lambda point: point[1])
    axes.annotate(f"{worst[1]:.0f} dB", worst, (0, -13), textcoords="offset points",
                  ha="center", fontsize=9, color=INK)  # fmt: skip
    axes.set_ylim(low, high)


def _layer_axis(axes: Axes, rows: Sequence[LayerInfo], names: Mapping[int, str]) -> None:
    """Write number and kind (or name) of the layers below the last panel."""
    every = -(-len(rows) // MOST_LABELS)
    shown = rows[::every]
    labels = [f"{_label(row, names)}  {row.number}" for row in shown]
    axes.set_xticks([row.number + 0.5 for row in shown], labels, rotation=90, fontsize=8)
    for tick, row in zip(axes.get_xticklabels(), shown, strict=True):
        colour = _family(row)[1]
        tick.set_color(INK if colour == DEPTHWISE else colour)
    axes.set_xlim(0, len(rows))


def _label(row: LayerInfo, names: Mapping[int, str]) -> str:
    words = f"{row.kind} {row.pool}".strip()
    return names.get(row.number, re.sub(r"(\d)x(\d)", r"\1×\2", words))
