"""The 16-segment table that turns the batch norm's result into an output byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .v3 import Activation

if TYPE_CHECKING:
    from .fold import FloatLayer
    from .quantize import Range

FRACTION_BITS = 10
"""Bits between batch norm and activation; 10 is what all real files use."""
_FAR = (1 << 35) - 16
# Where nncase 0.1 puts the ten unused segments below 0; any ascending values serve.
_BELOW = [-(1 << 35), *(-(1 << 30) + (i << 20) for i in range(9))]


def activation_table(layer: FloatLayer, result: Range) -> Activation:
    """Return the table. Linear, ReLU and ReLU6 share one: only the clamped byte differs."""
    if layer.activation == "leaky":
        return _leaky(layer.slope, result.zero)
    start = [*_BELOW, 0, *(_FAR + i for i in range(5))]
    mul, shift = [0] * 16, [0] * 16
    mul[10], shift[10] = 1 << FRACTION_BITS, 2 * FRACTION_BITS
    # The far segments are never reached; 255 keeps the table ascending all the same.
    return _table(start, mul, shift, [0] * 11 + [255] * 5)


def _leaky(slope: float, zero: int) -> Activation:
    """Below the byte of 0 a slope that begins where the byte is 0, above it the identity."""
    one = 1 << FRACTION_BITS
    shift = 2 * FRACTION_BITS
    while round(slope * 2.0 ** (shift - FRACTION_BITS + 1)) < 1 << 14 and shift < 35:
        shift += 1
    mul = round(slope * 2.0 ** (shift - FRACTION_BITS))
    begin = zero * one - round(zero * one / slope)
    start = [-(1 << 35), begin, zero * one, *(_FAR + i for i in range(13))]
    return _table(
        start,
        [0, mul, one, *([0] * 13)],
        [0, shift, 2 * FRACTION_BITS, *([0] * 13)],
        [0, 0, zero, *([255] * 13)],
    )


def _table(start: list[int], mul: list[int], shift: list[int], add: list[int]) -> Activation:
    return Activation(*(np.array(part, np.int64) for part in (start, mul, shift, add)))
