"""Prove that a kmodel touches only its own memory. The chip's loader checks nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..errors import UserError
from .layout import RAM_LINES, MapLayout, group_lines, map_lines
from .lifetimes import Owners, Tensor
from .registers import Registers, weight_loads
from .v3 import EIGHT_BIT_WEIGHTS, ConvLayer, CpuLayer, Kmodel, LayerType

MAX_MAIN_MEMORY = 6 << 20
"""The chip's whole general RAM, bytes."""

Span = tuple[int, int, str]
"""First byte (or line), one past the last, and what is there."""


def verify(model: Kmodel) -> None:
    """Check every address of `model`, and that every layer reads what was written for it.

    Raises:
        UserError: `kmodel_unsafe`, naming the layer and what does not fit.
    """
    check_addresses(model)
    check_lifetimes(model)


def check_addresses(model: Kmodel) -> None:
    """Check every address of `model` against the memory that it asks for.

    Raises:
        UserError: `kmodel_unsafe`, naming the layer and what does not fit.
    """
    if not model.layers:
        raise UserError("kmodel_unsafe", where="header", found="no layers")
    if not model.flags & EIGHT_BIT_WEIGHTS:
        raise UserError("kmodel_unsafe", where="header", found="16-bit weights")
    if model.main_memory > MAX_MAIN_MEMORY:
        raise UserError("kmodel_unsafe", where="header", found=f"{model.main_memory} bytes")
    for index, layer in enumerate(model.layers):
        where = _name(index, layer)
        if isinstance(layer, ConvLayer):
            _check_conv(layer, where)
        else:
            _check_sizes(layer, where)
        for start, end, what in _main_spans(layer):
            if end > model.main_memory:
                _fail(where, f"{what} at {start}..{end} of {model.main_memory} bytes")
        for start, end, what in _kpu_spans(layer):
            if end > RAM_LINES:
                _fail(where, f"{what} in KPU RAM lines {start}..{end} of {RAM_LINES}")
    for start, size in model.outputs:
        if start + size > model.main_memory or size == 0 or size % 4:
            _fail("outputs", f"{start}+{size} of {model.main_memory} bytes")


def check_lifetimes(model: Kmodel) -> None:
    """Check that no layer reads what nobody wrote, or a tensor that was partly overwritten.

    What the first layer reads is the picture (or the list of floats) that the board puts there.

    Raises:
        UserError: `kmodel_unsafe`.
    """
    main, kpu = Owners("bytes"), Owners("KPU RAM lines")
    for index, layer in enumerate(model.layers):
        where = _name(index, layer)
        floats = [layer.type in kinds for kinds in (_FLOAT_IN | _JOINS, _FLOAT_OUT | _JOINS)]
        for owners, spans, read, wrote in (
            (kpu, list(_kpu_spans(layer)), False, False),
            (main, list(_main_spans(layer)), *floats),
        ):
            for start, end, what in spans:
                if what not in _WRITTEN:
                    if index == 0:
                        owners.write(Tensor(start, end, "the input", read))
                    if problem := owners.read((start, end), read):
                        _fail(where, problem)
            for start, end, what in spans:
                if what in _WRITTEN:
                    owners.write(Tensor(start, end, where, wrote))
        _check_in_place(layer, where)
    for start, size in model.outputs:
        if problem := main.read_output((start, start + size)):
            _fail("outputs", problem)


_WRITTEN = ("output", "result")
_JOINS = {LayerType.CONCAT}
_FORWARD = {
    LayerType.ADD,
    LayerType.QUANTIZED_ADD,
    LayerType.REQUANTIZE,
    LayerType.QUANTIZE,
    LayerType.SOFTMAX,
    LayerType.L2_NORMALIZATION,
    LayerType.LOGISTIC,
    LayerType.GLOBAL_AVERAGE_POOL2D,
    LayerType.K210_REMOVE_PADDING,
}
"""Layers whose next result never lies behind the next value that they read, in the same place."""


def _check_in_place(layer: ConvLayer | CpuLayer, where: str) -> None:
    """Refuse a layer whose result destroys what it has yet to read."""
    spans = list(_main_spans(layer))
    for start, end, what in spans:
        for at, until, _ in (one for one in spans if one[2] in _WRITTEN):
            overlap = what not in _WRITTEN and start < until and at < end
            if overlap and not (layer.type in _FORWARD and at <= start):
                _fail(where, f"its result at {at}..{until} overwrites its {what} at {start}..{end}")


def _name(index: int, layer: ConvLayer | CpuLayer) -> str:
    return f"layer {index} ({layer.type.name})"


def _fail(where: str, found: str) -> None:
    raise UserError("kmodel_unsafe", where=where, found=found)


_PLACES = frozenset(("flags", "input", "output", "kpu_output", "a", "b", "pad_w", "pad_h"))
_NOT_SIZES = _PLACES | {"scale", "bias", "activation", "align"}


def _check_sizes(layer: CpuLayer, where: str) -> None:
    for name in layer.values.keys() & {"scale", "bias"}:
        if not math.isfinite(layer[name]):
            _fail(where, f"{name} is {layer[name]}")
    quantized_add = layer.type is LayerType.QUANTIZED_ADD  # most of its fields are factors
    names = {"count"} if quantized_add else layer.values.keys() - _NOT_SIZES
    for name in sorted(names):
        if not 0 < layer[name] <= MAX_MAIN_MEMORY:
            _fail(where, f"{name} is {layer[name]}")


def _check_conv(layer: ConvLayer, where: str) -> None:
    registers = layer.registers
    (channels, *inside), (outputs, *outside) = registers.in_shape, registers.out_shape
    if registers.kernel > 1 or registers.pool > 9:
        _fail(where, f"kernel code {registers.kernel} with pool {registers.pool}")
    if min(inside + outside) < 4:
        _fail(where, f"a feature map of {min(inside + outside)} pixels; the KPU needs 4")
    if registers.depthwise and (channels != outputs or registers.pool):
        _fail(where, "a depthwise layer that pools or changes its channels")
    stride = {0: 1, 1: 2, 2: 2, 3: 4, 4: 4, 5: 2, 6: 2, 7: 4, 8: 1, 9: 1}[registers.pool]
    if [side // stride for side in inside] != outside:
        _fail(where, f"pool {registers.pool} makes {outside} of {inside}")
    for name, value in _descriptor(registers).items():
        if getattr(registers, name) != value:
            _fail(where, f"{name} is {getattr(registers, name)}; its shapes ask for {value}")
    if (layer.activation.start[1:] < layer.activation.start[:-1]).any():
        _fail(where, "an activation table that is not ascending")
    source = range(registers.src_line, registers.src_line + map_lines(*registers.in_shape))
    target = range(registers.dst_line, registers.dst_line + map_lines(*registers.out_shape))
    if source.start < target.stop and target.start < source.stop:
        _fail(where, "its result overwrites its input in KPU RAM")


def _descriptor(registers: Registers) -> dict[str, int]:
    """Return what the shapes of a layer say about its other registers.

    The simulator reads only the shapes; the chip reads all of these. True for every layer of the
    real files. `int_en` and `send_data_out` are not here: the runtime sets them.
    """
    (channels, height, width), (outputs, out_height, out_width) = (
        registers.in_shape,
        registers.out_shape,
    )
    inside, outside = MapLayout.of_width(width), MapLayout.of_width(out_width)
    loads, per_load, size = weight_loads(
        registers.kernel_size**2, channels, outputs, depthwise=bool(registers.depthwise)
    )
    zeros = "ram_flag full_add pad_type first_stride bypass_conv coef_size"
    return {
        **dict.fromkeys(zeros.split(), 0),
        **dict.fromkeys(("load_para", "load_coor", "load_act"), 1),
        "channels_per_load_minus1": per_load - 1,
        "loads_minus1": loads - 1,
        "bytes_per_load": size,
        "in_group_lines": group_lines(height, width),
        "in_row_lines": inside.row_lines,
        "in_line_channels": inside.group,
        "out_group_lines": group_lines(out_height, out_width),
        "out_row_lines": outside.row_lines,
        "out_line_channels": outside.group,
        "out_pixels_minus1": out_height * out_width - 1,
        "out_values_minus1": outputs * out_height * out_width - 1,
    }


def _kpu_spans(layer: ConvLayer | CpuLayer) -> Iterator[Span]:
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


def _main_spans(layer: ConvLayer | CpuLayer) -> Iterator[Span]:
    if isinstance(layer, ConvLayer):
        if layer.flags & 1:
            channels, height, width = layer.registers.out_shape
            size = _words(channels * height * width)
            yield layer.main_output, layer.main_output + size, "result"
        return
    for name, size in _sizes(layer):
        start = layer[name]
        yield start, start + size, name
    if layer.type in (LayerType.CONCAT, LayerType.QUANTIZED_CONCAT) and layer.table is not None:
        for start, size in layer.table.tolist():
            yield start, start + size, "part"


def _words(size: int) -> int:
    """Round up to whole 8-byte words, as DMA writes them."""
    return -(-size // 8) * 8


def _sizes(layer: CpuLayer) -> list[tuple[str, int]]:
    """Return the main-memory fields of a CPU layer and how many bytes each is read or written."""
    inside, outside = _counts(layer)
    wide_in, wide_out = (4 if layer.type in kinds else 1 for kinds in (_FLOAT_IN, _FLOAT_OUT))
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
_FLOAT_IN = _FLOAT_BOTH | {LayerType.QUANTIZE}
_FLOAT_OUT = _FLOAT_BOTH | {LayerType.DEQUANTIZE, LayerType.CHANNELWISE_DEQUANTIZE}


def _counts(layer: CpuLayer) -> tuple[int, int]:
    """Return how many values a CPU layer reads from main memory and writes there."""
    values = {name: int(value) for name, value in layer.values.items()}
    channels = values.get("channels", 0)
    if layer.table is not None and layer.type in (LayerType.CONCAT, LayerType.QUANTIZED_CONCAT):
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
