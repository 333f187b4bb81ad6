"""Where feature maps lie in the KPU's 2 MiB of RAM. One line is 64 bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LINE_BYTES = 64
RAM_LINES = 32768


@dataclass(frozen=True, slots=True)
class MapLayout:
    """How a feature map of one width is stored: a line holds 4, 2 or 1 channels of a row.

    `group` channels share a line, `pitch` bytes apart; a row takes `row_lines` lines.
    """

    group: int
    row_lines: int
    pitch: int

    @classmethod
    def of_width(cls, width: int) -> MapLayout:
        """Return the layout for feature maps `width` pixels wide."""
        if width <= 16:
            return cls(4, 1, 16)
        if width <= 32:
            return cls(2, 1, 32)
        return cls(1, -(-width // LINE_BYTES), LINE_BYTES)


def map_lines(channels: int, height: int, width: int) -> int:
    """Return how many lines a feature map occupies."""
    layout = MapLayout.of_width(width)
    return layout.row_lines * height * -(-channels // min(channels, layout.group))


def group_lines(height: int, width: int) -> int:
    """Return the lines of one channel group (the register's "channel switch address")."""
    return MapLayout.of_width(width).row_lines * height


def _blocks(ram: np.ndarray, line: int, shape: tuple[int, int, int]) -> np.ndarray:
    """View the lines of a map as (n, groups, height, group, pitch * row_lines)."""
    channels, height, width = shape
    layout = MapLayout.of_width(width)
    groups = -(-channels // layout.group)
    start = line * LINE_BYTES
    size = groups * height * layout.row_lines * LINE_BYTES
    pitch = layout.pitch * layout.row_lines
    return ram[:, start : start + size].reshape(len(ram), groups, height, layout.group, pitch)


def read_map(ram: np.ndarray, line: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Copy a feature map out of KPU RAM.

    Args:
        ram: uint8 (n, 2 MiB), one KPU RAM for each picture.
        line: first line of the map.
        shape: channels, height, width.

    Returns:
        uint8 (n, channels, height, width), contiguous.
    """
    channels, height, width = shape
    view = _blocks(ram, line, shape)[..., :width].transpose(0, 1, 3, 2, 4)
    dense = np.ascontiguousarray(view).reshape(len(ram), -1, height, width)
    return dense if dense.shape[1] == channels else np.ascontiguousarray(dense[:, :channels])


def write_map(ram: np.ndarray, line: int, values: np.ndarray) -> None:
    """Store uint8 (n, channels, height, width) at `line`; bytes between rows stay as they are."""
    count, channels, height, width = values.shape
    blocks = _blocks(ram, line, (channels, height, width))
    group = blocks.shape[3]
    whole = channels // group
    if whole:
        part = values[:, : whole * group].reshape(count, whole, group, height, width)
        blocks[:, :whole, :, :, :width] = part.transpose(0, 1, 3, 2, 4)
    if channels % group:
        rest = values[:, whole * group :]
        blocks[:, whole, :, : channels % group, :width] = rest.transpose(0, 2, 1, 3)
