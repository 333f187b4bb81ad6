"""The KPU of a virtual board: the host's simulator runs the model file that the script loaded.

MaixPy's loader is a closed library; which code it gives for which fault is known from running that
library in emulation (missing, short or truncated file, wrong version, no memory) and partly a
guess, marked as such.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from ...kmodel import Simulator, region
from ...kmodel.v3 import ConvLayer

Scores = Sequence[float] | Callable[[np.ndarray], Sequence[float]]
MAX_FILE = 6 << 20
BESIDES = 255 + 192  # bytes that a model takes beside file and main memory: alignment, context
VERSION_CODE, FORMAT_CODE, DECRYPT_CODE, READ_CODE, MEMORY_CODE, CONV_CODE = (
    2002, 2003, 2004, 2005, 2006, 2007,
)  # fmt: skip
CONV = 10240
ANCHORS = 5
OBJECTS = 10
"""Boxes that the firmware has room for; more overwrite what lies behind (sipeed_yolo2.h)."""


@dataclass(frozen=True)
class Loaded:
    """A model in the board's memory (bytes); `simulator` is None where a test gives the answers."""

    simulator: Simulator | None
    input_shape: tuple[int, int, int]
    memory: int


@functools.lru_cache(maxsize=4)
def simulator_of(data: bytes) -> Simulator:
    """Return the simulator of a kmodel; the same model is run by many scenarios."""
    return Simulator(data)


def load(source: str | int, data: bytes, free: int, model: bytes | None) -> Loaded | int:
    """Load a model as KPU.load does.

    Args:
        source: path on the card or address in the flash.
        data: the bytes that lie there.
        free: bytes of memory for models.
        model: the kmodel that runs (b"" for the loaded one), None where a test gives answers.

    Returns:
        The model, or the number of MaixPy's error.

    Raises:
        UserError: the file passes the loader's checks but is damaged: a board would crash.
    """
    if len(data) < 8:
        return READ_CODE
    version, flags_or_arch = struct.unpack_from("<I4xI", data.ljust(12, b"\0"))
    if version != 3 or flags_or_arch != 0:
        encrypted = isinstance(source, str) and ".kmodel" not in source
        return DECRYPT_CODE if encrypted else VERSION_CODE  # 2004: a guess
    header = struct.unpack_from("<7I", data.ljust(28, b"\0"))
    size = len(data) if isinstance(source, str) or model is None else flash_size(data)
    if size == 0:
        return FORMAT_CODE
    memory = size + BESIDES + header[5]
    if size > MAX_FILE or memory > free:
        return MEMORY_CODE
    if model is None:
        return Loaded(None, (0, 0, 0), memory)
    if first_layer(data) != CONV and not model:
        return CONV_CODE
    simulator = simulator_of(model or data)
    return Loaded(simulator, simulator.input_shape, memory)


def first_layer(data: bytes) -> int:
    """Return the type of the first layer, 0 where the file ends before it."""
    outputs = struct.unpack_from("<I", data, 24)[0] if len(data) >= 28 else 0
    at = 28 + 8 * outputs
    return struct.unpack_from("<I", data, at)[0] if len(data) >= at + 4 else 0


def flash_size(data: bytes) -> int:
    """Return the bytes that the loader reads from the flash: the bodies' sizes are summed."""
    layers, outputs = struct.unpack_from("<I", data, 12)[0], struct.unpack_from("<I", data, 24)[0]
    start = 28 + 8 * outputs
    heads = data[start : start + 8 * layers]
    if len(heads) < 8 * layers:
        return 0
    bodies = sum(struct.unpack_from("<I", heads, 8 * i + 4)[0] for i in range(layers))
    return start + 8 * layers + bodies if bodies else 0


def boxes(
    loaded: Loaded, values: np.ndarray, threshold: float, nms: float, anchors: Sequence[float]
) -> list[dict[str, Any]]:
    """Decode a detector's output as run_yolo2 does (sipeed_yolo2.c).

    Corners are pixels of the input, rounded down; only the left and top ones are cut at the edge
    (unsigned numbers), and all are kept in 16 bits. One class a box; anchor by anchor, row by row.

    Raises:
        ValueError: the last conv has not 5 * (5 + classes) channels, or does not give floats.
    """
    assert loaded.simulator is not None
    last = [one for one in loaded.simulator.model.layers if isinstance(one, ConvLayer)][-1]
    channels, rows, columns = last.registers.out_shape
    if channels % ANCHORS or channels // ANCHORS <= 5 or values.dtype != np.float32:
        raise ValueError(f"no YOLOv2 head: {channels} channels of {values.dtype}")
    if values.size != channels * rows * columns or len(anchors) != 2 * ANCHORS:
        raise ValueError(f"{values.size} values, {len(anchors)} anchor numbers")
    pairs = np.asarray(anchors, float).reshape(ANCHORS, 2)
    found = region.suppress(region.candidates(values, (rows, columns), pairs, threshold), nms)
    _, height, width = loaded.input_shape
    result = []
    for left, top, right, bottom, label, score, _ in region.reported(found).tolist():
        x1, x2 = (_pixel(side * width) for side in (left, right))
        y1, y2 = (_pixel(side * height) for side in (top, bottom))
        rect = [_int16(value) for value in (x1, y1, x2 - x1, y2 - y1)]
        result.append({"rect": rect, "id": int(label), "value": score})
    return result


def _pixel(value: float) -> int:
    """Return what the chip makes of a float as uint32_t: cut, and kept in range."""
    return int(min(max(value, 0.0), 4294967295.0))


def _int16(value: int) -> int:
    return (value + 0x8000 & 0xFFFF) - 0x8000


def run(loaded: Loaded, scores: Scores, picture: np.ndarray) -> list[np.ndarray]:
    """Return the outputs for a uint8 (h, w, 3) picture: the simulator's, or what a test gives."""
    if loaded.simulator is None:
        values = scores(picture) if callable(scores) else scores
        return [np.asarray([float(value) for value in values], np.float32)]
    return [output[0] for output in loaded.simulator.run(picture[None])]


def why_damaged(error: UserError) -> str:
    """Say what a board would have crashed on."""
    return f"the model is damaged and would crash the board: {error.findings[0].text('what')}"
