"""Which places of the chip's two memories each layer of a kmodel reads and writes."""

from __future__ import annotations

from collections.abc import Iterator

from .layout import map_lines
from .v3 import ConvLayer, CpuLayer, Layer, LayerType

Span = tuple[int, int, str]
"""First byte (or line), one past the last, and what is there."""

WRITTEN = ("output", "result")
"""What the spans that a layer writes are called; it reads the others."""
JOINS = (LayerType.CONCAT, LayerType.QUANTIZED_CONCAT)


def kpu_spans(layer: Layer) -> Iterator[Span]:
    """Yield the lines of KPU RAM that a layer reads and writes."""
    if isinstance(layer, ConvLayer):
        registers = layer.registers
        for line, shape, what in (
            (registers.src_line, registers.in_shape, "input"),
            (registers.dst_line, registers.out_shape, "result"),
        ):
            yield line, line + map_lines(*shape), what
    elif "kpu_output" in layer.values:
        shape = (
            (layer["channels"], layer["height"], layer["width"])
            if layer.type is LayerType.K210_UPLOAD
            else (layer["channels"], 4, 4)
        )
        yield layer["kpu_output"], layer["kpu_output"] + map_lines(*shape), "result"


def main_spans(layer: Layer) -> Iterator[Span]:
    """Yield the bytes of main memory that a layer reads and writes."""
    if isinstance(layer, ConvLayer):
        if layer.flags & 1:
            channels, height, width = layer.registers.out_shape
            size = _words(channels * height * width)
            yield layer.main_output, layer.main_output + size, "result"
        return
    for name, size in _sizes(layer):
        start = layer[name]
        yield start, start + size, name
    if layer.type in JOINS and layer.table is not None:
        for start, size in layer.table.tolist():
            yield start, start + size, "part"


def _words(size: int) -> int:
    """Round up to whole 8-byte words, as DMA writes them."""
    return -(-size // 8) * 8


def _sizes(layer: CpuLayer) -> list[tuple[str, int]]:
    """Return the main-memory fields of a CPU layer and how many bytes each is read or written."""
    inside, outside = counts(layer)
    wide_in, wide_out = (4 if layer.type in kinds else 1 for kinds in (FLOAT_IN, FLOAT_OUT))
    sizes = {"input": wide_in * inside, "a": wide_in * inside, "b": wide_in * inside}
    sizes["output"] = wide_out * outside
    if layer.type is LayerType.QUANTIZED_ADD:
        sizes["output"] = _words(outside)  # the runtime adds eight at a time
    return [(name, size) for name, size in sizes.items() if name in layer.values]


_FLOAT_BOTH = {
    LayerType.ADD,
    LayerType.GLOBAL_AVERAGE_POOL2D,
    LayerType.AVERAGE_POOL2D,
    LayerType.L2_NORMALIZATION,
    LayerType.SOFTMAX,
    LayerType.LOGISTIC,
    LayerType.FULLY_CONNECTED,
    LayerType.TENSORFLOW_FLATTEN,
    LayerType.RESIZE_NEAREST_NEIGHBOR,
}
FLOAT_IN = _FLOAT_BOTH | {LayerType.QUANTIZE}
FLOAT_OUT = _FLOAT_BOTH | {LayerType.DEQUANTIZE, LayerType.CHANNELWISE_DEQUANTIZE}


def counts(layer: CpuLayer) -> tuple[int, int]:
    """Return how many values a CPU layer reads from main memory and writes there."""
    values = {name: int(value) for name, value in layer.values.items()}
    channels = values.get("channels", 0)
    if layer.table is not None and layer.type in JOINS:
        total = int(layer.table[:, 1].sum())  # in bytes, whatever the type
        return total, total
    if "count" in values:
        return values["count"], values["count"]
    if "kernel_size" in values:
        return channels * values["kernel_size"], channels
    if "channel_size" in values:
        return channels * values["channel_size"], channels * values["channel_size"]
    if "in_channels" in values:
        return values["in_channels"], values["out_channels"]
    if "out_c" in values:
        return (
            values["in_c"] * values["in_h"] * values["in_w"],
            values["out_c"] * values["out_h"] * values["out_w"],
        )
    if "out_w" in values:
        planes = (("in_w", "in_h"), ("out_w", "out_h"))
        inside, outside = (channels * values[w] * values[h] for w, h in planes)
        return inside, outside
    if "width" in values:
        plane = values["width"] * values["height"]
        return channels * plane, channels * plane
    if layer.type is LayerType.K210_REMOVE_PADDING:
        return 16 * channels, channels
    return channels, channels
