"""How long a kmodel takes on the chip: an estimate from the KPU's structure.

The KPU works on lines of 64 bytes. A layer costs, in cycles of the KPU's clock:

* 1.02 for each line of the result (before a pool) and each input channel: 64 pixels a cycle, for
  1x1 and 3x3 alike (64 units of 9 multipliers; a 1x1 kernel leaves 8 of the 9 idle);
* 1.03 for each line that is read or written, which is all that a depthwise layer costs;
* 1.56 for each kernel and 0.117 for each byte of weights; but never less than 0.33 a byte, what
  the DMA can bring;
* 4400 to set up the layer.

So narrow maps are slow: 20 pixels of a row fill a line like 32. The six numbers are the least
squares of 29 published times of single layers, which they meet within 12 %, 4 % on average (RMS):
Sipeed's table of a 3x3 layer of 128 channels from 4x4 to 256x256 pixels at 300 MHz, 16-bit weights
(bbs.sipeed.com/t/topic/691); the log of MaixPy's face detector (kendryte/nncase issue 77) and of
three layers of a test network (issue 96), both taken for 400 MHz. Whole networks at 398 MHz:

| network | published | estimate |
|---|---|---|
| face detector, YOLOv2 on 320x240 (issue 77) | 12.7 ms | 12.9 ms |
| MobileNetV1-0.75 at 224, 1000 classes (Sipeed, topics 1790, 1811) | 37, 40 ms | 41 ms |
| 20-class YOLO on 320x224, camera and screen included | 51 ms (19.5 fps) | 51 ms alone |
| 1x1 layers of issue 92 (MobileNetV1-0.75, inferred) | 0.9-3.1 ms | -18 to +3 % |
| MobileNetV1-1.0 on 320x240 (topic 691) | 20-30 fps | 95 ms, 10 fps |

The last figure contradicts the second (2.7 times the work of 37 ms); we believe the second. The
log of issue 92 also gives 0.25 ms to every depthwise layer, whatever its size; MaixPy's does not.
The CPU's layers are known worse: dequantize and the copy of a result from issue 77, upload and
quantized add from issue 97 (kendryte/nncase), the rest is a guess from these. Nothing here was
measured on a board by this project. Expect 15 % for a network of convolutions, and a factor of
two for a CPU layer.
"""

from __future__ import annotations

from .layout import map_lines
from .v3 import ConvLayer, CpuLayer, Kmodel, Layer, LayerType

CLOCK_HZ = 398e6
"""KPU and CPU of a board that runs stock MaixPy."""

LAYER_CYCLES = 4400.0
LINE_CYCLES = 1.03
PRODUCT_LINE_CYCLES = 1.02
KERNEL_CYCLES = 1.56
WEIGHT_BYTE_CYCLES = 0.117
LOAD_BYTE_CYCLES = 0.33

COPY_SECONDS = 15e-9
"""A byte of a result from KPU RAM to main memory."""
VALUE_SECONDS = 45e-9
"""A value that a CPU layer reads, float or byte; times of other layers are relative to it."""

# Layers whose values cost something else than VALUE_SECONDS.
_VALUE_COST = {
    LayerType.FULLY_CONNECTED: 20e-9,  # a multiplication with its weight, guess
    LayerType.SOFTMAX: 500e-9,  # an exponential, guess
    LayerType.LOGISTIC: 500e-9,
    LayerType.QUANTIZED_ADD: 190e-9,
    LayerType.K210_UPLOAD: 66e-9,
    LayerType.CONCAT: 4e-9,  # memcpy
    LayerType.QUANTIZED_CONCAT: 4e-9,
}


def conv_seconds(layer: ConvLayer) -> float:
    """Return the estimated seconds of one KPU layer, the copy to main memory included."""
    registers = layer.registers
    channels, height, width = registers.in_shape
    outputs = registers.out_channels_minus1 + 1
    copied = (registers.out_values_minus1 + 1) if layer.flags & 1 else 0
    cycles = conv_cycles(
        channels,
        outputs,
        (height, width),
        kernel_bytes=9 if registers.kernel else 1,
        depthwise=bool(registers.depthwise),
    )
    return cycles / CLOCK_HZ + copied * COPY_SECONDS


def conv_cycles(
    channels: int, outputs: int, size: tuple[int, int], *, kernel_bytes: int, depthwise: bool
) -> float:
    """Return the cycles of a KPU layer on a map of `size` (height, width)."""
    inside, outside = map_lines(channels, *size), map_lines(outputs, *size)
    kernels = channels if depthwise else channels * outputs
    products = 0 if depthwise else channels * outside
    work = (
        LINE_CYCLES * (inside + outside)
        + PRODUCT_LINE_CYCLES * products
        + (KERNEL_CYCLES + WEIGHT_BYTE_CYCLES * kernel_bytes) * kernels
    )
    return LAYER_CYCLES + max(work, LOAD_BYTE_CYCLES * kernel_bytes * kernels)


def cpu_seconds(layer: CpuLayer) -> float:
    """Return the estimated seconds of one CPU layer, by the values that it reads."""
    return cpu_values(layer) * _VALUE_COST.get(layer.type, VALUE_SECONDS)


def cpu_values(layer: CpuLayer) -> int:
    """Return how many values a CPU layer works on (a dense layer: its multiplications)."""
    values = layer.values
    match layer.type:
        case LayerType.FULLY_CONNECTED:
            return layer["in_channels"] * layer["out_channels"]
        case LayerType.GLOBAL_AVERAGE_POOL2D:
            return layer["kernel_size"] * layer["channels"]
        case LayerType.CHANNELWISE_DEQUANTIZE:
            return layer["channel_size"] * layer["channels"]
        case LayerType.CONCAT | LayerType.QUANTIZED_CONCAT:
            return int(layer.table[:, 1].sum()) if layer.table is not None else 0
        case LayerType.QUANTIZED_MAX_POOL2D | LayerType.AVERAGE_POOL2D:
            window = layer["kernel_w"] * layer["kernel_h"]
            return layer["out_w"] * layer["out_h"] * layer["out_c"] * window
        case LayerType.RESIZE_NEAREST_NEIGHBOR | LayerType.QUANTIZED_RESIZE_NEAREST_NEIGHBOR:
            return layer["out_w"] * layer["out_h"] * layer["channels"]
    if "count" in values:
        return layer["count"]
    return layer["channels"] * int(values.get("width", 1)) * int(values.get("height", 1))


def layer_seconds(layer: Layer) -> float:
    """Return the estimated seconds of a layer."""
    return conv_seconds(layer) if isinstance(layer, ConvLayer) else cpu_seconds(layer)


def estimate_ms(model: Kmodel) -> float:
    """Return the estimated milliseconds of one `KPU.forward`."""
    return 1e3 * sum(map(layer_seconds, model.layers))
