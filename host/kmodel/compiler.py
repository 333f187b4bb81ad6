"""Compile a network to a kmodel V3. Pure: arrays in, bytes out; same input, same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from .calibrate import measure, quantize_network
from .cost import conv_seconds, estimate_ms
from .fold import FloatLayer, Lowered, lower
from .graph import Graph, Node
from .layout import RAM_LINES, MapLayout, group_lines, map_lines
from .quantize import ARG_SHIFT, QuantizedLayer, Range
from .registers import Registers, weight_loads
from .v3 import ConvLayer, CpuLayer, Kmodel, Layer, LayerType, write
from .verify import verify

Progress = Callable[[str, float], None]
"""Called with the name of a phase and the fraction of it that is done."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of the compiler.

    Attributes:
        zero_search: search the weights' zero point of each layer.
        range_search: activation ranges of least squared error instead of the extremes.
        bias_images: how many calibration pictures correct the biases (0: no correction).
        dense_on_kpu: run a dense layer behind global pooling on the KPU, before the pooling.
    """

    zero_search: bool = True
    range_search: bool = True
    bias_images: int = 32
    dense_on_kpu: bool = True


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer as people read it; shapes are channels, height, width."""

    name: str
    kind: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    weights: int
    ms: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """A kmodel and what is known of it.

    Attributes:
        data: the bytes of the file.
        main_memory: bytes that the runtime allocates for CPU tensors.
        ram_bytes: general RAM that the board needs to load it: file and main memory.
        ms: estimated milliseconds a picture (see `cost`).
        layers: the KPU layers.
    """

    data: bytes
    main_memory: int
    ram_bytes: int
    ms: float
    layers: tuple[LayerReport, ...]


LOADER_BYTES = 255 + 192
"""What KPU.load adds to the file's size: alignment to 256 and its own structures."""


def compile_graph(
    graph: Graph,
    calibration: np.ndarray,
    options: Options | None = None,
    progress: Progress | None = None,
) -> CompiledModel:
    """Quantize `graph` and lay it out as a kmodel V3.

    Args:
        graph: the network (see `graph.from_keras`).
        calibration: uint8 (n, height, width, channels), pictures like those the board will see;
            100 or more are advised.
        options: choices; the defaults are the best that we know.
        progress: called as the work goes on.

    Raises:
        UserError: the network does not fit the chip; the finding names the layer.
    """
    options, tell = options or Options(), progress or (lambda _phase, _fraction: None)
    check_pictures(calibration, graph.input_shape)
    lowered = lower(graph, dense_on_kpu=options.dense_on_kpu)
    places = place_maps(lowered.layers)
    tell("calibrate", 0.0)
    statistics = measure(lowered, calibration)
    tell("quantize", 0.5)
    by_name = dict(zip((id(layer) for layer in lowered.layers), places, strict=True))
    chosen = quantize_network(
        lowered,
        statistics,
        calibration[spread(len(calibration), options.bias_images)],
        lambda layer, quantized: conv_layer(layer, quantized, by_name[id(layer)]),
        zero_search=options.zero_search,
        range_search=options.range_search,
        correct_bias=options.bias_images > 0,
    )
    convs = [
        conv_layer(layer, quantized, place)
        for layer, quantized, place in zip(lowered.layers, chosen, places, strict=True)
    ]
    model = _with_tail(lowered, convs, chosen[-1].result, places)
    verify(model)
    data = write(model)
    tell("quantize", 1.0)
    return CompiledModel(
        data=data,
        main_memory=model.main_memory,
        ram_bytes=len(data) + model.main_memory + LOADER_BYTES,
        ms=estimate_ms(model),
        layers=tuple(map(_report, lowered.layers, convs, chosen)),
    )


def check_pictures(images: np.ndarray, shape: tuple[int, int, int]) -> None:
    """Refuse anything but one or more uint8 pictures of `shape` (height, width, channels)."""
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        raise UserError(
            "kmodel_picture_size",
            found=f"{images.dtype} {'x'.join(map(str, images.shape))}",
            needed=f"uint8 (pictures)x{'x'.join(map(str, shape))}",
        )


def spread(count: int, wanted: int) -> np.ndarray:
    """Return `wanted` indices spread evenly over `count`."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(int))


def place_maps(layers: tuple[FloatLayer, ...]) -> list[tuple[int, int]]:
    """Return source and destination line of each layer in KPU RAM.

    The picture lies at the very end; results alternate between both ends, so only a layer's own
    input and output must fit together.

    Raises:
        UserError: `kmodel_kpu_ram`, naming the layer.
    """
    source = RAM_LINES - map_lines(*layers[0].in_shape)
    places = []
    for layer in layers:
        inside, outside = map_lines(*layer.in_shape), map_lines(*layer.out_shape)
        if inside + outside > RAM_LINES:
            raise UserError("kmodel_kpu_ram", layer.name, lines=inside + outside, limit=RAM_LINES)
        target = 0 if source > 0 else RAM_LINES - outside
        places.append((source, target))
        source = target
    return places


def conv_layer(layer: FloatLayer, quantized: QuantizedLayer, place: tuple[int, int]) -> ConvLayer:
    """Return the K210_CONV of a quantized layer; its result stays in KPU RAM."""
    return ConvLayer(
        flags=0,
        main_output=0,
        registers=conv_registers(
            layer, place, zero_x=quantized.source.zero, zero_w=quantized.weight_zero
        ),
        weights=quantized.weights.reshape(-1),
        bn_mul=quantized.bn_mul,
        bn_shift=quantized.bn_shift,
        bn_add=quantized.bn_add,
        activation=quantized.activation,
    )


def conv_registers(
    layer: FloatLayer, place: tuple[int, int], *, zero_x: int, zero_w: int
) -> Registers:
    """Return the KPU descriptor of a layer."""
    channels, height, width = layer.in_shape
    outputs, out_height, out_width = layer.out_shape
    loads, channels_per_load, bytes_per_load = weight_loads(
        layer.kernel**2, channels, outputs, depthwise=layer.depthwise
    )
    inside, outside = MapLayout.of_width(width), MapLayout.of_width(out_width)
    return Registers(
        depthwise=int(layer.depthwise),
        src_line=place[0],
        dst_line=place[1],
        in_channels_minus1=channels - 1,
        out_channels_minus1=outputs - 1,
        channels_per_load_minus1=channels_per_load - 1,
        in_width_minus1=width - 1,
        in_height_minus1=height - 1,
        out_width_minus1=out_width - 1,
        out_height_minus1=out_height - 1,
        kernel=int(layer.kernel == 3),
        pool=layer.pool,
        pad_value=zero_x,
        loads_minus1=loads - 1,
        bytes_per_load=bytes_per_load,
        in_group_lines=group_lines(height, width),
        in_row_lines=inside.row_lines,
        in_line_channels=inside.group,
        out_group_lines=group_lines(out_height, out_width),
        out_row_lines=outside.row_lines,
        out_line_channels=outside.group,
        shr_w=ARG_SHIFT,
        shr_x=ARG_SHIFT,
        arg_w=-zero_x << ARG_SHIFT,
        arg_x=-zero_w << ARG_SHIFT,
        arg_add=zero_x * zero_w * layer.kernel**2,
        out_pixels_minus1=out_height * out_width - 1,
        out_values_minus1=outputs * out_height * out_width - 1,
    )


class MainMemory:
    """Places of CPU tensors: a tensor that is not read any more gives its place to the next."""

    def __init__(self) -> None:
        self.size = 0
        self.live: list[tuple[int, int]] = []

    def take(self, size: int, free: tuple[int, int] | None = None) -> tuple[int, int]:
        """Return offset and size of a new tensor; `free` may be reused after this one."""
        size = -(-size // 8) * 8  # DMA writes whole 8-byte words
        at = 0
        for start, length in sorted(self.live):
            if at + size <= start:
                break
            at = max(at, start + length)
        self.size = max(self.size, at + size)
        self.live.append((at, size))
        if free is not None:
            self.live.remove(free)
        return at, size


def _with_tail(
    lowered: Lowered, convs: list[ConvLayer], result: Range, places: list[tuple[int, int]]
) -> Kmodel:
    """Add the CPU layers: dequantize, then the graph's tail."""
    memory = MainMemory()
    channels, height, width = lowered.layers[-1].out_shape
    count = channels * height * width
    raw = memory.take(count)
    convs[-1] = replace(convs[-1], flags=1, main_output=raw[0])
    floats = memory.take(4 * count, raw)
    fields = {"flags": 1, "input": raw[0], "output": floats[0], "count": count}
    step = result.step
    layers: list[Layer] = [
        *convs,
        CpuLayer(LayerType.DEQUANTIZE, {**fields, "scale": step, "bias": -step * result.zero}),
    ]
    values, now = count, floats
    for node in lowered.tail:
        layer, values, now = _tail_layer(node, memory, now, channels, values)
        layers.append(layer)
    lowest = min(min(pair) for pair in places)
    return Kmodel(tuple(layers), ((now[0], 4 * values),), memory.size, lowest)


def _tail_layer(
    node: Node, memory: MainMemory, now: tuple[int, int], channels: int, values: int
) -> tuple[CpuLayer, int, tuple[int, int]]:
    """Return the CPU layer of a tail node, its number of values and their place."""
    if node.op == "global_mean":
        out = memory.take(4 * channels, now)
        fields = {"kernel_size": values // channels, "channels": channels}
        kind, table, count = LayerType.GLOBAL_AVERAGE_POOL2D, None, channels
    elif node.op == "dense":
        weights, bias = node.arrays["w"], node.arrays["b"]
        inputs, count = weights.shape
        out = memory.take(4 * count, now)
        fields = {"in_channels": inputs, "out_channels": count, "activation": 0}
        kind = LayerType.FULLY_CONNECTED
        table = np.concatenate([weights.T.reshape(-1), bias]).astype("<f4")
    else:
        out = memory.take(4 * values, now)
        fields, kind, table, count = {"channels": values}, LayerType.SOFTMAX, None, values
    flags = 0 if kind is LayerType.FULLY_CONNECTED else 1  # as nncase 0.1 writes them
    place = {"flags": flags, "input": now[0], "output": out[0]}
    return CpuLayer(kind, {**place, **fields}, table), count, out


def _report(layer: FloatLayer, conv: ConvLayer, quantized: QuantizedLayer) -> LayerReport:
    low, high = (float((byte - quantized.result.zero) * quantized.result.step) for byte in (0, 255))
    kind = f"{'depthwise' if layer.depthwise else 'conv'} {layer.kernel}x{layer.kernel}"
    return LayerReport(
        layer.name,
        kind,
        layer.in_shape,
        layer.out_shape,
        layer.weights.size,
        conv_seconds(conv) * 1e3,
        low,
        high,
    )
