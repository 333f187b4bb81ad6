"""Steps of their own for the channels of a map: cross-layer equalization without its limits.

A byte's step is one for the whole map as far as the CPU is concerned, but the KPU multiplies each
output channel by a number of its own anyway. So a channel that never comes near the map's largest
value may use finer steps, at no cost, as long as only KPU layers read the map: a depthwise layer
undoes them in its own multiplication, exactly; an ordinary convolution takes them into its weights,
where they make some weights larger than others, so there the square root is a compromise.

Nagel et al. (2019) scale weights and biases for this, which ReLU6 forbids. Here nothing of the
float network changes: what a byte means does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .fold import FloatLayer
from .quantize import Range

SCALABLE = ("linear", "relu", "relu6", "leaky", "leaky_relu")
"""Activations whose table serves any step."""
DEPTHWISE_POWER, CONV_POWER = 1.0, 0.5
"""To what power gains are taken, by the kind of layer that reads the map (by ablation)."""
MOST = 16.0
"""Largest gain: a channel that was silent on the calibration pictures may speak on others."""


def gain_power(layer: FloatLayer, readers: Sequence[object]) -> float:
    """Return to what power the gains of a layer's result may be taken; 0 is none.

    Args:
        layer: makes the map.
        readers: all that read it; anything but a `FloatLayer` needs one step for all channels.
    """
    if layer.activation not in SCALABLE or not readers:
        return 0.0
    layers = [one for one in readers if isinstance(one, FloatLayer)]
    if len(layers) < len(readers):
        return 0.0
    return DEPTHWISE_POWER if all(one.depthwise for one in layers) else CONV_POWER


def with_gains(meaning: Range, low: np.ndarray, high: np.ndarray, power: float) -> Range:
    """Return the range with gains for channels whose extremes (channels,) leave room.

    Gains reach to where a channel's extremes meet those of the range at power 1, less below.
    """
    if power == 0:
        return meaning
    bottom, top = meaning.zero * meaning.step, (255 - meaning.zero) * meaning.step
    tiny = 1e-12
    room = np.minimum(top / np.maximum(high, tiny), bottom / np.maximum(-low, tiny))
    if meaning.zero == 0:  # what is below 0 is 0
        room = top / np.maximum(high, tiny)
    gains = np.clip(room, 1.0, MOST) ** power
    return replace(meaning, gains=tuple(float(gain) for gain in gains))


def with_shifts(meaning: Range, channels: int, copies: int) -> Range:
    """Return the range of `copies` of a map of `channels`, rounded at offsets evenly apart."""
    offsets = (np.arange(copies) - (copies - 1) / 2) / copies
    shifts = tuple(float(offset) for offset in np.repeat(offsets, channels))
    return replace(meaning, gains=meaning.gains and meaning.gains * copies, shifts=shifts)
