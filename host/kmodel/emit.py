"""Lay a quantized network out as layers of a kmodel: places in KPU RAM and main memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import UserError
from .bytes_ops import add_values, requantize_table
from .calibrate import QuantizedNetwork
from .fold import FloatLayer
from .layout import RAM_LINES, MapLayout, group_lines, map_lines
from .quantize import ARG_SHIFT, QuantizedLayer
from .registers import MAX_LOADS, Registers, weight_loads
from .steps import PICTURE, CpuOp, Lowered, Step
from .v3 import ConvLayer, CpuLayer, Kmodel, Layer, LayerType


class Spans:
    """Places in one memory: a value that is not read any more gives its place to later ones."""

    def __init__(self, limit: int) -> None:
        self.limit, self.top = limit, 0
        self.live: dict[object, tuple[int, int]] = {}

    def take(self, key: object, size: int, first: tuple[int, ...] = (0,)) -> int | None:
        """Return the start of `size` free units, one of `first` if possible, or None."""
        ends = [start + length for start, length in self.live.values()]
        for start in (*first, 0, *sorted(ends)):
            if start >= 0 and start + size <= self.limit and not self._taken(start, size):
                self.live[key] = (start, size)
                self.top = max(self.top, start + size)
                return start
        return None

    def _taken(self, start: int, size: int) -> bool:
        return any(start < at + length and at < start + size for at, length in self.live.values())

    def free(self, key: object) -> None:
        """Give a place back (nothing happens when it has none)."""
        self.live.pop(key, None)


class Emitter:
    """Turns steps into layers, one after the other."""

    def __init__(self, lowered: Lowered, network: QuantizedNetwork) -> None:
        self.lowered, self.network = lowered, network
        self.layers: list[Layer] = []
        self.numbers: list[int] = []  # of the step that each layer belongs to
        self.kpu, self.main = Spans(RAM_LINES), Spans(1 << 31)
        self.last_kpu, self.last_main = _last_uses(lowered)
        lines = map_lines(*lowered.input_shape)
        self.kpu.take(PICTURE, lines, (RAM_LINES - lines,))
        self.lowest = RAM_LINES

    def run(self) -> Kmodel:
        """Return the whole file's layers and header."""
        for number, step in enumerate(self.lowered.steps):
            before = len(self.layers)
            if isinstance(step.op, FloatLayer):
                self.conv(number, step, step.op)
            else:
                self.cpu(number, step, step.op)
            self.numbers += [number] * (len(self.layers) - before)
            self.release(number)
        outputs = tuple(
            (self.main.live[number][0], 4 * values_of(self.lowered.steps[number]))
            for number in self.lowered.outputs
        )
        return Kmodel(tuple(self.layers), outputs, self.main.top, self.lowest)

    def release(self, number: int) -> None:
        """Free what no later step reads."""
        for value in (*self.lowered.steps[number].inputs, number):
            if self.last_kpu.get(value, -1) <= number:
                self.kpu.free(value)
            if self.last_main.get(value, -1) <= number:
                self.main.free(value)

    def map_place(self, number: int, shape: tuple[int, int, int], name: str, source: int) -> int:
        """Return lines in KPU RAM for a map; maps alternate between both ends where they can."""
        lines = map_lines(*shape)
        ends = (0, RAM_LINES - lines)
        at = self.kpu.take(number, lines, ends if source > 0 else ends[::-1])
        if at is None:
            used = sum(length for _, length in self.kpu.live.values()) + lines
            raise UserError("kmodel_kpu_ram", name, lines=used, limit=RAM_LINES)
        self.lowest = min(self.lowest, at)
        return at

    def buffer(self, number: int, size: int) -> int:
        """Return bytes in main memory; DMA writes whole 8-byte words."""
        at = self.main.take(number, -(-size // 8) * 8)
        assert at is not None
        return at

    def at(self, number: int) -> int:
        """Return where a value lies in main memory."""
        return self.main.live[number][0]

    def conv(self, number: int, step: Step, layer: FloatLayer) -> None:
        """Append a KPU layer; what the CPU reads of it is copied to main memory."""
        source = self.kpu.live[step.inputs[0]][0]
        self.lowest = min(self.lowest, source)
        target = self.map_place(number, layer.out_shape, layer.name, source)
        copied = number in self.last_main
        size = 1
        for side in layer.out_shape:
            size *= side
        at = self.buffer(number, size) if copied else 0
        quantized = self.network.layers[number]
        self.layers += conv_layers(layer, quantized, (source, target), at if copied else None)

    def cpu(self, number: int, step: Step, op: CpuOp) -> None:
        """Append an operation of the CPU; what the KPU reads of it is uploaded."""
        emit = getattr(self, f"_{op.kind}")
        emit(number, step, op)
        if op.kind in ("add", "concat", "resize") and number in self.last_kpu:
            channels, height, width = op.out_shape
            line = self.map_place(number, (channels, height, width), op.name, 1)
            fields = {"input": self.at(number), "kpu_output": line}
            shape = {"width": width, "height": height, "channels": channels}
            self.layer(LayerType.K210_UPLOAD, {**fields, **shape}, flags=0)

    def layer(
        self,
        kind: LayerType,
        values: Mapping[str, float],
        *,
        flags: int = 1,
        table: np.ndarray | None = None,
    ) -> None:
        """Append a CPU layer; flags are those that nncase 0.1 writes."""
        self.layers.append(CpuLayer(kind, {"flags": flags, **values}, table))

    def _dequantize(self, number: int, step: Step, op: CpuOp) -> None:
        source, count = step.inputs[0], values_of(step)
        meaning = self.network.ranges[source]
        values = {"input": self.at(source), "output": self.buffer(number, 4 * count)}
        scale = {"scale": meaning.step, "bias": -meaning.step * meaning.zero}
        self.layer(LayerType.DEQUANTIZE, {**values, "count": count, **scale})

    def _global_mean(self, number: int, step: Step, op: CpuOp) -> None:
        source, channels = step.inputs[0], op.out_shape[0]
        pixels = values_of(self.lowered.steps[source]) // channels
        places = {"input": self.at(source), "output": self.buffer(number, 4 * channels)}
        self.layer(
            LayerType.GLOBAL_AVERAGE_POOL2D,
            {**places, "kernel_size": pixels, "channels": channels},
        )

    def _dense(self, number: int, step: Step, op: CpuOp) -> None:
        inputs, outputs = op.arrays["w"].shape
        table = np.concatenate([op.arrays["w"].T.reshape(-1), op.arrays["b"]]).astype("<f4")
        values = {"input": self.at(step.inputs[0]), "output": self.buffer(number, 4 * outputs)}
        values |= {"in_channels": inputs, "out_channels": outputs, "activation": 0}
        self.layer(LayerType.FULLY_CONNECTED, values, flags=0, table=table)

    def _softmax(self, number: int, step: Step, op: CpuOp) -> None:
        channels = op.out_shape[0]
        places = {"input": self.at(step.inputs[0]), "output": self.buffer(number, 4 * channels)}
        self.layer(LayerType.SOFTMAX, {**places, "channels": channels})

    def _add(self, number: int, step: Step, op: CpuOp) -> None:
        a, b = step.inputs
        count = values_of(step)
        places = {"a": self.at(a), "b": self.at(b), "output": self.buffer(number, count)}
        ranges = self.network.ranges
        integers = add_values(ranges[a], ranges[b], ranges[number])
        self.layer(LayerType.QUANTIZED_ADD, {**places, "count": count, **integers})

    def _concat(self, number: int, step: Step, op: CpuOp) -> None:
        ranges, parts = self.network.ranges, []
        for position, source in enumerate(step.inputs):
            count, at = values_of(self.lowered.steps[source]), self.at(source)
            if ranges[source] != ranges[number]:
                key = (number, position)
                place = self.main.take(key, -(-count // 8) * 8)
                assert place is not None
                table = requantize_table(ranges[source], ranges[number])
                values = {"input": at, "output": place, "count": count}
                self.layer(LayerType.REQUANTIZE, values, table=table)
                at = place
            parts.append((at, count))
        total = sum(count for _, count in parts)
        values = {"output": self.buffer(number, total), "inputs": len(parts)}
        self.layer(LayerType.QUANTIZED_CONCAT, values, table=np.array(parts, "<u4"))
        for position in range(len(step.inputs)):
            self.main.free((number, position))

    def _resize(self, number: int, step: Step, op: CpuOp) -> None:
        channels, height, width = op.out_shape
        rows, columns = op.factors
        places = {"input": self.at(step.inputs[0])}
        places["output"] = self.buffer(number, channels * height * width)
        shape = {"in_w": width // columns, "in_h": height // rows, "channels": channels}
        shape |= {"out_w": width, "out_h": height, "align": 0}
        self.layer(LayerType.QUANTIZED_RESIZE_NEAREST_NEIGHBOR, {**places, **shape})

    def _to_map(self, number: int, step: Step, op: CpuOp) -> None:
        channels = op.out_shape[0]
        meaning = self.network.ranges[number]
        key = (number, "bytes")
        at = self.main.take(key, -(-channels // 8) * 8)
        assert at is not None
        places = {"input": self.at(step.inputs[0]), "output": at, "count": channels}
        # MaixPy's QUANTIZE cuts: half a level more makes it round.
        scale = {"scale": meaning.step, "bias": -meaning.step * (meaning.zero + 0.5)}
        self.layer(LayerType.QUANTIZE, {**places, **scale}, flags=0)
        line = self.map_place(number, (channels, 4, 4), op.name, 1)
        values = {"input": at, "kpu_output": line, "channels": channels}
        self.layer(LayerType.K210_ADD_PADDING, values, flags=0)
        self.main.free(key)

    def _from_map(self, number: int, step: Step, op: CpuOp) -> None:
        channels = op.out_shape[0]
        places = {"input": self.at(step.inputs[0]), "output": self.buffer(number, channels)}
        self.layer(LayerType.K210_REMOVE_PADDING, {**places, "channels": channels})


def values_of(step: Step) -> int:
    """Return how many values a step's result has."""
    count = 1
    for side in step.op.out_shape:
        count *= side
    return count


def _last_uses(lowered: Lowered) -> tuple[dict[int, int], dict[int, int]]:
    """Return the last step that reads each value from KPU RAM, and from main memory."""
    last_kpu: dict[int, int] = {}
    last_main = dict.fromkeys(lowered.outputs, len(lowered.steps))
    for number, step in enumerate(lowered.steps):
        for source in step.inputs:
            if isinstance(step.op, FloatLayer):
                last_kpu[source] = number
            else:
                last_main[source] = max(number, last_main.get(source, 0))
    return last_kpu, last_main


def conv_layers(
    layer: FloatLayer, quantized: QuantizedLayer, place: tuple[int, int], main_output: int | None
) -> list[ConvLayer]:
    """Return the K210_CONV of a layer, or several when its weights need more than 64 loads.

    The parts make neighbouring output channels from the same input; a part begins where a line
    of the output map begins, so that together they leave one map.
    """
    channels, outputs = layer.in_shape[0], len(layer.weights)
    taps = layer.kernel**2
    _, per_load, _ = weight_loads(taps, channels, outputs, depthwise=layer.depthwise)
    _, height, width = layer.out_shape
    group = MapLayout.of_width(width).group
    most = outputs if layer.depthwise else MAX_LOADS * per_load // group * group
    parts = []
    for first in range(0, outputs, most):
        count = min(most, outputs - first)
        line = place[1] + (map_lines(first, height, width) if first else 0)
        at = 0 if main_output is None else main_output + first * height * width
        flags = int(main_output is not None)
        part = slice(first, first + count)
        parts.append(_conv_part(layer, quantized, part, (place[0], line), (flags, at)))
    return parts


def conv_whole(layer: FloatLayer, quantized: QuantizedLayer) -> ConvLayer:
    """Return a layer as one K210_CONV at no particular place, to compute with."""
    return _conv_part(layer, quantized, slice(0, len(layer.weights)), (0, 0), (0, 0))


def _conv_part(
    layer: FloatLayer,
    quantized: QuantizedLayer,
    part: slice,
    place: tuple[int, int],
    output: tuple[int, int],
) -> ConvLayer:
    return ConvLayer(
        flags=output[0],
        main_output=output[1],
        registers=conv_registers(
            layer,
            place,
            zero_x=quantized.source.zero,
            zero_w=quantized.weight_zero,
            outputs=part.stop - part.start,
        ),
        weights=quantized.weights[part].reshape(-1),
        bn_mul=quantized.bn_mul[part],
        bn_shift=quantized.bn_shift[part],
        bn_add=quantized.bn_add[part],
        activation=quantized.activation,
    )


def conv_registers(
    layer: FloatLayer,
    place: tuple[int, int],
    *,
    zero_x: int,
    zero_w: int,
    outputs: int | None = None,
) -> Registers:
    """Return the KPU descriptor of a layer, or of a part of its output channels."""
    channels, height, width = layer.in_shape
    all_outputs, out_height, out_width = layer.out_shape
    outputs = outputs or all_outputs
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
