"""Feature maps in KPU RAM."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.kmodel.layout import LINE_BYTES, RAM_LINES, map_lines, read_map, write_map

WIDTHS = [1, 4, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 129, 320]


def place(line, shape, channel, row, column):
    """byte(c,y,x) = base*64 + (c div g)*rows*h*64 + (c mod g)*pitch + y*rows*64 + x."""
    _, height, width = shape
    group, pitch = (4, 16) if width <= 16 else (2, 32) if width <= 32 else (1, 64)
    rows = math.ceil(width / 64)
    return (
        line * 64
        + (channel // group) * rows * height * 64
        + (channel % group) * pitch
        + row * rows * 64
        + column
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 9])
def test_every_byte_lies_where_the_formula_says(width, channels):
    shape, line = (channels, 5, width), 11
    values = np.random.default_rng(width).integers(1, 256, (2, *shape), dtype=np.uint8)
    ram = np.zeros((2, RAM_LINES * LINE_BYTES), np.uint8)
    write_map(ram, line, values)
    wanted = np.zeros_like(ram)
    for index in np.ndindex(*shape):
        wanted[:, place(line, shape, *index)] = values[(slice(None), *index)]
    assert (ram == wanted).all()
    assert (read_map(ram, line, shape) == values).all()


@settings(max_examples=40)
@given(st.integers(1, 1024), st.integers(1, 64), st.sampled_from(WIDTHS))
def test_a_map_ends_within_its_lines(channels, height, width):
    lines = map_lines(channels, height, width)
    last = place(0, (channels, height, width), channels - 1, height - 1, width - 1)
    assert last < lines * LINE_BYTES
    group = 4 if width <= 16 else 2 if width <= 32 else 1
    assert lines == math.ceil(width / 64) * height * math.ceil(channels / min(channels, group))


def test_mobilenet_needs_the_lines_that_the_facts_name():
    """MobileNetV1-0.75 at 224 peaks at 10752 + 10752 lines."""
    assert map_lines(48, 112, 112) == 10752


def test_bytes_between_rows_stay_as_they_are():
    ram = np.full((1, RAM_LINES * LINE_BYTES), 77, np.uint8)
    write_map(ram, 3, np.zeros((1, 6, 4, 20), np.uint8))
    assert (ram == 0).sum() == 6 * 4 * 20
