"""How long a kmodel takes on the chip: an estimate from the KPU's structure.

The KPU works through an ordinary convolution in about (input pixels x in x out channels) / 31
cycles, whether the kernel is 1x1 or 3x3, and does all pixels of a strided layer; this constant is
calibrated on the one published pair of network and time, MobileNetV1-0.75 at 224: 37 ms
(MaixPy forum, topic 1790) to 40 ms (Sipeed forum, topic 1811) at 398 MHz. Expect an error of a
third either way; it has not been measured on a board by us.
"""

from __future__ import annotations

from .v3 import ConvLayer, CpuLayer, Kmodel

CLOCK_HZ = 398e6
PRODUCTS_PER_CYCLE = 31.0
DEPTHWISE_VALUES_PER_CYCLE = 31.0
CPU_BYTES_PER_SECOND = 60e6
"""Guess for the CPU layers: float32 values pass through uncached memory."""


def conv_seconds(layer: ConvLayer) -> float:
    """Return the estimated seconds of one KPU layer."""
    registers = layer.registers
    channels, height, width = registers.in_shape
    outputs = registers.out_channels_minus1 + 1
    if registers.depthwise:
        return height * width * channels / DEPTHWISE_VALUES_PER_CYCLE / CLOCK_HZ
    return height * width * channels * outputs / PRODUCTS_PER_CYCLE / CLOCK_HZ


def cpu_seconds(layer: CpuLayer) -> float:
    """Return the estimated seconds of one CPU layer, by the bytes that it reads."""
    values = layer.values
    if "count" in values:
        return 4 * values["count"] / CPU_BYTES_PER_SECOND
    if "in_channels" in values:
        return 4 * values["in_channels"] * values["out_channels"] / CPU_BYTES_PER_SECOND
    return 4 * values.get("channels", 0) * values.get("kernel_size", 1) / CPU_BYTES_PER_SECOND


def estimate_ms(model: Kmodel) -> float:
    """Return the estimated milliseconds of one `KPU.forward`."""
    return 1e3 * sum(
        conv_seconds(layer) if isinstance(layer, ConvLayer) else cpu_seconds(layer)
        for layer in model.layers
    )
