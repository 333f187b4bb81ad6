"""What the network's values look like on real pictures: ranges, and the quantized prefix's bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .fold import FloatLayer, Lowered, pool_float, run_float
from .kpu import ConvPlan
from .quantize import QuantizedLayer, Range, choose_range, quantize_layer, with_bias
from .v3 import ConvLayer

BATCH = 8
SAMPLE = 2048
"""Values kept of each picture and layer for the choice of the range."""

Build = Callable[[FloatLayer, QuantizedLayer], ConvLayer]


@dataclass
class Statistics:
    """Extremes and a sample of one layer's outputs."""

    low: float = 0.0
    high: float = 0.0
    parts: list[np.ndarray] = field(default_factory=list)

    def add(self, values: np.ndarray) -> None:
        """Take in values (n, c, h, w)."""
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        flat = values.reshape(-1)
        step = max(1, len(flat) // (SAMPLE * len(values))) | 1  # odd: hits all columns
        self.parts.append(flat[::step].astype(np.float32))

    def range(self, *, search: bool) -> Range:
        """Return the range of least squared error, or the extremes."""
        if not search:
            return Range.of(self.low, self.high)
        return choose_range(np.concatenate(self.parts), self.low, self.high)


def input_range(lowered: Lowered) -> Range:
    """Return what an input byte means to the first layer, up to `input_residue`."""
    zero = int(np.clip(round(-lowered.offset / lowered.scale), 0, 255))
    return Range(lowered.scale, zero)


def input_residue(lowered: Lowered) -> float:
    """Return the constant by which the byte meaning misses the network's input.

    A byte's zero must be an integer; x / 127.5 - 1 has it at 127.5. The missing half level goes
    into the first layer's bias.
    """
    return lowered.offset + lowered.scale * input_range(lowered).zero


def to_float(lowered: Lowered, images: np.ndarray) -> np.ndarray:
    """Return float32 (n, c, h, w) network input of uint8 images (n, h, w, c)."""
    planar = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
    planar *= np.float32(lowered.scale)
    planar += np.float32(lowered.offset)
    return planar


def measure(lowered: Lowered, images: np.ndarray) -> list[Statistics]:
    """Run the float network over uint8 images (n, h, w, c), a few at a time."""
    statistics = [Statistics() for _ in lowered.layers]
    for first in range(0, len(images), BATCH):
        x = to_float(lowered, images[first : first + BATCH])
        for layer, seen in zip(lowered.layers, statistics, strict=True):
            x = run_float(layer, x)[1]
            seen.add(x)
            x = pool_float(layer, x)
    return statistics


def quantize_network(
    lowered: Lowered,
    statistics: list[Statistics],
    images: np.ndarray,
    build: Build,
    *,
    zero_search: bool,
    range_search: bool,
    correct_bias: bool,
) -> list[QuantizedLayer]:
    """Quantize layer after layer.

    With `correct_bias` the float and the quantized network run side by side on `images`, and each
    layer's bias is moved, channel by channel, by the mean difference that it sees: so it also
    corrects what the layers before it did wrong.
    """
    chosen = []
    source = input_range(lowered)
    x = to_float(lowered, images) if correct_bias else None
    bytes_in = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    for index, (layer, seen) in enumerate(zip(lowered.layers, statistics, strict=True)):
        bias = layer.bias
        if index == 0:
            bias = bias + input_residue(lowered) * layer.weights.sum((1, 2))
        result = seen.range(search=range_search)
        quantized = quantize_layer(layer, source, result, search=zero_search)
        quantized = with_bias(quantized, bias, layer.name)
        if x is not None:
            quantized, x, bytes_in = _correct(layer, quantized, bias, x, bytes_in, build)
        chosen.append(quantized)
        source = result
    return chosen


def _correct(
    layer: FloatLayer,
    quantized: QuantizedLayer,
    bias: np.ndarray,
    x: np.ndarray,
    bytes_in: np.ndarray,
    build: Build,
) -> tuple[QuantizedLayer, np.ndarray, np.ndarray]:
    """Return the layer with its bias corrected, and the outputs of both networks."""
    wanted, after = run_float(layer, x)
    sums = quantized.sums_to_float(ConvPlan(build(layer, quantized)).sums(bytes_in))
    error = wanted.mean((0, 2, 3), dtype=np.float64) - sums.mean((0, 2, 3)) - bias
    corrected = with_bias(quantized, bias + error, layer.name)
    result = ConvPlan(build(layer, corrected)).run(bytes_in)
    return corrected, pool_float(layer, after), result
