"""What the numbers of a layer may be. `verify` holds the addresses against the memories."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import UserError
from .layout import MapLayout, group_lines
from .registers import Registers, weight_loads
from .spans import FLOAT_IN, FLOAT_OUT, JOINS
from .v3 import ConvLayer, CpuLayer, Layer, LayerType

MAX_MAIN_MEMORY = 6 << 20
"""The chip's whole general RAM, bytes."""
MAX_PARTS = 256
"""Parts of a concatenation; nncase makes as many as the network's layer has inputs."""
MAX_L2 = 8192
"""Values of an L2 normalization: eight times the channels of any map."""
WORD = 8
"""Bytes that DMA writes at a time."""


def out_of_range(place: Mapping[str, Any], found: str, needed: str) -> UserError:
    """Return the finding of a number that cannot be; both texts are formulas."""
    return UserError("kmodel_value", **place, found=found, needed=needed)


def check_layer(layer: Layer, place: Mapping[str, Any]) -> None:
    """Check the numbers of a layer against each other and against what its kind can do.

    Raises:
        UserError: `kmodel_value`.
    """
    if isinstance(layer, ConvLayer):
        _check_conv(layer, place)
        return
    _check_sizes(layer, place)
    rules = _RULES.get(layer.type, _no_rules)(layer)
    for right, found, needed in rules:
        if not right:
            raise out_of_range(place, found, needed)
    for name in ("input", "a", "b", "output"):
        wide = layer.type in (FLOAT_OUT if name == "output" else FLOAT_IN)
        if wide and name in layer.values and layer[name] % 4:
            raise out_of_range(place, f"{name} = {layer[name]}", f"{name} % 4 = 0")


_PLACES = frozenset(("flags", "input", "output", "kpu_output", "a", "b", "pad_w", "pad_h"))
_NOT_SIZES = _PLACES | {"scale", "bias", "activation", "align"}

Rule = tuple[bool, str, str]
"""Whether it holds, what was found, and what is needed, as formulas."""


def _check_sizes(layer: CpuLayer, place: Mapping[str, Any]) -> None:
    for name in layer.values.keys() & {"scale", "bias"}:
        if not math.isfinite(layer[name]):
            raise out_of_range(place, f"{name} = {layer[name]}", f"|{name}| < inf")
    quantized_add = layer.type is LayerType.QUANTIZED_ADD  # most of its fields are factors
    names = {"count"} if quantized_add else layer.values.keys() - _NOT_SIZES
    for name in sorted(names):
        if not 0 < layer[name] <= MAX_MAIN_MEMORY:
            raise out_of_range(place, f"{name} = {layer[name]}", f"{name} = 1..{MAX_MAIN_MEMORY}")


def _no_rules(layer: CpuLayer) -> Iterator[Rule]:
    yield from ()


def _pool_rules(layer: CpuLayer) -> Iterator[Rule]:
    """Each window begins and ends in the map or its padding, and has at least one pixel of it."""
    inside, outside = layer["in_c"], layer["out_c"]
    yield inside == outside, f"in_c = {inside}, out_c = {outside}", "in_c = out_c"
    for side in "wh":
        size, out, kernel, stride, pad = (
            layer[f"{name}_{side}"] for name in ("in", "out", "kernel", "stride", "pad")
        )
        yield pad < kernel, f"pad_{side} = {pad}", f"pad_{side} < kernel_{side} = {kernel}"
        most = size + 2 * pad
        yield kernel <= most, f"kernel_{side} = {kernel}", f"kernel_{side} <= {most}"
        last = (size + pad - 1) // stride + 1
        yield out <= last, f"out_{side} = {out}", f"out_{side} <= {last}"


def _add_rules(layer: CpuLayer) -> Iterator[Rule]:
    """Shifts that C defines, and no product beyond the runtime's 64 bits."""
    for name in ("a_shift", "b_shift", "out_shift"):
        yield 0 <= layer[name] < 63, f"{name} = {layer[name]}", f"{name} = 0..62"
    largest = 0
    for name in "ab":
        offset, factor = layer[f"{name}_offset"], abs(layer[f"{name}_mul"])
        largest += max(abs(offset), abs(255 + offset)) * factor
    total = (largest >> min(layer["a_shift"], layer["b_shift"])) + 2
    product = total * abs(layer["out_mul"])
    most = max(largest, product)
    yield most < 1 << 63, f"|sum| <= 2^{most.bit_length()}", "|sum| < 2^63"


def _join_rules(layer: CpuLayer) -> Iterator[Rule]:
    assert layer.table is not None
    count = layer["inputs"]
    yield count <= MAX_PARTS, f"inputs = {count}", f"inputs <= {MAX_PARTS}"
    yield bool(layer.table[:, 1].all()), "size = 0", "size >= 1"


def _l2_rules(layer: CpuLayer) -> Iterator[Rule]:
    yield layer["channels"] <= MAX_L2, f"channels = {layer['channels']}", f"channels <= {MAX_L2}"


_RULES = {
    LayerType.QUANTIZED_MAX_POOL2D: _pool_rules,
    LayerType.AVERAGE_POOL2D: _pool_rules,
    LayerType.QUANTIZED_ADD: _add_rules,
    LayerType.L2_NORMALIZATION: _l2_rules,
    **dict.fromkeys(JOINS, _join_rules),
}
_STRIDE = {0: 1, 1: 2, 2: 2, 3: 4, 4: 4, 5: 2, 6: 2, 7: 4, 8: 1, 9: 1}


def _check_conv(layer: ConvLayer, place: Mapping[str, Any]) -> None:
    for right, found, needed in _conv_rules(layer):
        if not right:
            raise out_of_range(place, found, needed)
    registers = layer.registers
    for name, value in descriptor(registers).items():
        if getattr(registers, name) != value:
            raise out_of_range(place, f"{name} = {getattr(registers, name)}", f"{name} = {value}")


def _conv_rules(layer: ConvLayer) -> Iterator[Rule]:
    registers = layer.registers
    (channels, *inside), (outputs, *outside) = registers.in_shape, registers.out_shape
    yield registers.kernel <= 1, f"kernel = {registers.kernel}", "kernel = 0..1"
    yield registers.pool in _STRIDE, f"pool = {registers.pool}", f"pool = 0..{max(_STRIDE)}"
    least = min(inside + outside)
    yield least >= 4, f"height, width = {least}", "height, width >= 4"
    if registers.depthwise:
        yield outputs == channels, f"depthwise, out_c = {outputs}", f"out_c = in_c = {channels}"
        yield registers.pool == 0, f"depthwise, pool = {registers.pool}", "pool = 0"
    wanted = [side // _STRIDE[registers.pool] for side in inside]
    yield wanted == outside, f"pool = {registers.pool}, out = {outside}", f"out = {wanted}"
    start = layer.activation.start
    falls = np.flatnonzero(start[1:] < start[:-1])
    i = int(falls[0]) if len(falls) else 0
    yield not len(falls), f"start[{i + 1}] < start[{i}]", f"start[{i + 1}] >= start[{i}]"
    if layer.flags & 1:
        at = layer.main_output
        yield at % WORD == 0, f"main_output = {at}", f"main_output % {WORD} = 0"


def descriptor(registers: Registers) -> dict[str, int]:
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
