"""The layers that the chip's CPU runs, on a model of its two memories.

They do what Kendryte's standalone SDK does (lib/drivers/kpu.c; each docstring names the function),
in float32 and in the order of additions of the library that MaixPy links: fused multiply-adds (see
`float32`), and a multiplication by the reciprocal where a loop divides by one number (softmax,
global average pooling).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from . import float32
from .float32 import F4, fma
from .layout import LINE_BYTES, RAM_LINES, read_map, write_map
from .v3 import CpuLayer, LayerType


class Memory:
    """The two memories of the chip for a batch of pictures."""

    def __init__(self, pictures: int, main_bytes: int) -> None:
        self.kpu = np.zeros((pictures, RAM_LINES * LINE_BYTES), np.uint8)
        self.main = np.zeros((pictures, main_bytes), np.uint8)

    def get(self, at: int, size: int, dtype: np.dtype | type = np.uint8) -> np.ndarray:
        """Read `size` bytes at `at` as (pictures, values)."""
        return np.ascontiguousarray(self.main[:, at : at + size]).view(dtype)

    def put(self, at: int, values: np.ndarray) -> None:
        """Write values, one row for each picture, at `at`."""
        rows = np.ascontiguousarray(values).reshape(len(values), -1).view(np.uint8)
        self.main[:, at : at + rows.shape[1]] = rows

    def floats(self, layer: CpuLayer, count: int, name: str = "input") -> np.ndarray:
        """Read `count` float32 values at the offset that the field `name` holds."""
        return self.get(layer[name], 4 * count, F4)


def _dequantize(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_kmodel_dequantize`."""
    values = memory.get(layer["input"], layer["count"])
    scale, bias = np.float32(layer["scale"]), np.float32(layer["bias"])
    memory.put(layer["output"], fma(values, scale, bias))


def _quantize(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_quantize`: times the reciprocal of the scale, cut to an integer.

    The SDK's source rounds here; MaixPy's library does not (0.6.2 was run). What is no number
    becomes 255, as RISC-V's conversion to an integer makes the largest of it.
    """
    values = memory.floats(layer, layer["count"])
    scale = np.float32(1) / np.float32(layer["scale"])
    levels = np.nan_to_num((values - np.float32(layer["bias"])) * scale, nan=255)
    memory.put(layer["output"], np.clip(levels, 0, 255).astype(np.uint8))


def _channelwise_dequantize(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_kmodel_channelwise_dequantize`."""
    assert layer.table is not None
    channels, size = layer["channels"], layer["channel_size"]
    values = memory.get(layer["input"], channels * size).reshape(-1, channels, size)
    scale, bias = (layer.table[:, column, None] for column in (0, 1))
    memory.put(layer["output"], fma(values, scale, bias))


def _requantize(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_requantize`."""
    assert layer.table is not None
    memory.put(layer["output"], layer.table[memory.get(layer["input"], layer["count"])])


def _global_average(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_global_average_pool2d`: adds one value after the other."""
    size, channels = layer["kernel_size"], layer["channels"]
    values = memory.floats(layer, size * channels).reshape(-1, channels, size)
    total = float32.total(values)[:, :, 0]
    memory.put(layer["output"], total * np.float32(np.float32(1) / np.float32(size)))


def _fully_connected(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_kmodel_fully_connected`, without its activation: MaixPy's library ignores the field."""
    assert layer.table is not None
    inputs, outputs = layer["in_channels"], layer["out_channels"]
    weights = layer.table[: inputs * outputs].reshape(outputs, inputs)
    values = memory.floats(layer, inputs)
    memory.put(layer["output"], float32.dense(values, weights, layer.table[inputs * outputs :]))


def _softmax(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_softmax`."""
    values = memory.floats(layer, layer["channels"])
    # The runtime starts its maximum at FLT_MIN: only positive logits are shifted.
    largest = np.maximum(values.max(1, keepdims=True), np.finfo(np.float32).tiny)
    powers = float32.exp(values - largest)
    memory.put(layer["output"], powers * (np.float32(1) / float32.total(powers)))


def _logistic(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_logistic`."""
    values = memory.floats(layer, layer["channels"])
    memory.put(layer["output"], np.float32(1) / (np.float32(1) + float32.exp(-values)))


def _l2_normalize(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_l2_normalization`: a sum of squares below 1e-10 counts as 1e-10."""
    values = memory.floats(layer, layer["channels"])
    total = np.maximum(float32.sum_of_squares(values), np.float32(1e-10))
    memory.put(layer["output"], values * (np.float32(1) / np.sqrt(total)))


def _add(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_kmodel_add`."""
    count = layer["count"]
    memory.put(layer["output"], memory.floats(layer, count, "a") + memory.floats(layer, count, "b"))


def _quantized_add(memory: Memory, layer: CpuLayer) -> None:
    a, b = (memory.get(layer[name], layer["count"]) for name in ("a", "b"))
    memory.put(layer["output"], quantized_add(a, b, layer.values))


def quantized_add(a: np.ndarray, b: np.ndarray, fields: Mapping[str, int | float]) -> np.ndarray:
    """Add uint8 arrays as `kpu_quantized_add` does, with the nine fields of QUANTIZED_ADD.

    The operands are shifted down one by one, or together where both shifts are equal; these
    shifts round down, that of the result as `carry_shift` does.
    """
    field = {name: int(value) for name, value in fields.items()}
    left = (a.astype(np.int64) + field["a_offset"]) * field["a_mul"]
    right = (b.astype(np.int64) + field["b_offset"]) * field["b_mul"]
    if field["a_shift"] == field["b_shift"]:
        total = (left + right) >> field["a_shift"]
    else:
        total = (left >> field["a_shift"]) + (right >> field["b_shift"])
    total = carry_shift(total * field["out_mul"], field["out_shift"])
    return np.clip(total + field["out_offset"], 0, 255).astype(np.uint8)


def carry_shift(values: np.ndarray, shift: int) -> np.ndarray:
    """Shift int64 right as `kpu_carry_shift` does.

    The bit below the last one is added where the value is not negative, so halves go up; of a
    negative value it is taken off the floor: -0.5 becomes -2, and so does -1.5 (-3).
    """
    if shift <= 0:
        return values
    values = values >> (shift - 1)
    odd = np.where(values < 0, -1, 1) * (values & 1)
    return (values >> 1) + odd


def _concat(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_concat`."""
    assert layer.table is not None
    parts = [memory.get(int(start), int(size)) for start, size in layer.table]
    memory.put(layer["output"], np.concatenate(parts, axis=1))


def _max_pool(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_quantized_max_pool2d`: a window outside the map gives 0."""
    maps = _pool_input(memory, layer, np.uint8)
    out = np.zeros((len(maps), layer["out_c"], layer["out_h"], layer["out_w"]), np.uint8)
    if few_outputs(layer):
        for to, window in _windows(layer):
            out[to] = maps[window].max((2, 3))
    else:
        for to, source in _taps(layer):
            np.maximum(out[to], maps[source], out=out[to])
    memory.put(layer["output"], out)


def _average_pool(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_average_pool2d`: the mean of the pixels inside the map, without the activation field.

    Pixels are added row by row; the sum is divided by their number.
    """
    maps = _pool_input(memory, layer, F4)
    out = np.zeros((len(maps), layer["out_c"], layer["out_h"], layer["out_w"]), F4)
    count = np.zeros(out.shape[2:], F4)
    if few_outputs(layer):
        for to, window in _windows(layer):
            pixels = maps[window].reshape(*maps.shape[:2], -1)
            out[to], count[to[1:]] = float32.total(pixels)[..., 0], pixels.shape[2]
    else:
        for to, source in _taps(layer):
            out[to] += maps[source]
            count[to[1:]] += 1
    memory.put(layer["output"], out / count)


def _pool_input(memory: Memory, layer: CpuLayer, dtype: np.dtype | type) -> np.ndarray:
    shape = (layer["in_c"], layer["in_h"], layer["in_w"])
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return memory.get(layer["input"], size, dtype).reshape(-1, *shape)


def few_outputs(layer: CpuLayer) -> bool:
    """Tell whether a window has more pixels than the map behind the pool."""
    return layer["kernel_h"] * layer["kernel_w"] > layer["out_h"] * layer["out_w"]


def _windows(layer: CpuLayer) -> Iterator[tuple[tuple, tuple]]:
    """Yield each output pixel and the part of its window inside the map, if there is any."""
    for row in range(layer["out_h"]):
        for column in range(layer["out_w"]):
            rows, columns = _window(row, layer, "h"), _window(column, layer, "w")
            if rows.start < rows.stop and columns.start < columns.stop:
                yield (..., row, column), (..., rows, columns)


def _window(place: int, layer: CpuLayer, side: str) -> slice:
    start = place * layer[f"stride_{side}"] - layer[f"pad_{side}"]
    return slice(max(start, 0), min(start + layer[f"kernel_{side}"], layer[f"in_{side}"]))


def _taps(layer: CpuLayer) -> Iterator[tuple[tuple, tuple]]:
    """Yield for each pixel of the window the outputs that have it and the inputs that it is."""
    for row in range(layer["kernel_h"]):
        to_y, from_y = _tap(row, layer, "h")
        for column in range(layer["kernel_w"]):
            to_x, from_x = _tap(column, layer, "w")
            yield (..., to_y, to_x), (..., from_y, from_x)


def _tap(tap: int, layer: CpuLayer, side: str) -> tuple[slice, slice]:
    """Return the outputs along one side whose pixel `tap` is inside the map, and those pixels."""
    stride, shift = layer[f"stride_{side}"], tap - layer[f"pad_{side}"]
    first = max(0, -(shift // stride))
    last = min(layer[f"out_{side}"], (layer[f"in_{side}"] - 1 - shift) // stride + 1)
    last = max(first, last)
    return slice(first, last), slice(first * stride + shift, last * stride + shift, stride)


def _flatten(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_tf_flatten`."""
    size = 4 if layer.type is LayerType.TENSORFLOW_FLATTEN else 1
    shape = (-1, layer["channels"], layer["height"], layer["width"], size)
    values = memory.get(layer["input"], size * int(np.prod(shape[1:4]))).reshape(shape)
    memory.put(layer["output"], values.transpose(0, 2, 3, 1, 4))


def _resize(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_resize_nearest_neighbor`: the place times a float32 factor, cut to an integer."""
    size = 4 if layer.type is LayerType.RESIZE_NEAREST_NEIGHBOR else 1
    channels, height, width = layer["channels"], layer["in_h"], layer["in_w"]
    values = memory.get(layer["input"], size * channels * height * width)
    maps = values.reshape(-1, channels, height, width, size)
    scale_y = np.float32(height) / np.float32(layer["out_h"])
    scale_x = np.float32(width) / np.float32(layer["out_w"])
    rows = np.minimum((np.arange(layer["out_h"], dtype=F4) * scale_y).astype(int), height - 1)
    columns = np.minimum((np.arange(layer["out_w"], dtype=F4) * scale_x).astype(int), width - 1)
    memory.put(layer["output"], maps[:, :, rows][:, :, :, columns])


def _upload(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_upload`."""
    shape = (-1, layer["channels"], layer["height"], layer["width"])
    values = memory.get(layer["input"], int(np.prod(shape[1:])))
    write_map(memory.kpu, layer["kpu_output"], values.reshape(shape))


def _add_padding(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_add_padding`: writes pixel (0, 0) of each channel; the others keep what they were."""
    shape = (layer["channels"], 4, 4)
    maps = read_map(memory.kpu, layer["kpu_output"], shape).copy()
    maps[:, :, 0, 0] = memory.get(layer["input"], layer["channels"])
    write_map(memory.kpu, layer["kpu_output"], maps)


def _remove_padding(memory: Memory, layer: CpuLayer) -> None:
    """`kpu_remove_padding`."""
    maps = memory.get(layer["input"], 16 * layer["channels"])
    memory.put(layer["output"], maps[:, ::16])


CPU_LAYERS: dict[LayerType, Callable[[Memory, CpuLayer], None]] = {
    LayerType.ADD: _add,
    LayerType.QUANTIZED_ADD: _quantized_add,
    LayerType.GLOBAL_AVERAGE_POOL2D: _global_average,
    LayerType.QUANTIZED_MAX_POOL2D: _max_pool,
    LayerType.AVERAGE_POOL2D: _average_pool,
    LayerType.QUANTIZE: _quantize,
    LayerType.DEQUANTIZE: _dequantize,
    LayerType.REQUANTIZE: _requantize,
    LayerType.L2_NORMALIZATION: _l2_normalize,
    LayerType.SOFTMAX: _softmax,
    LayerType.LOGISTIC: _logistic,
    LayerType.CONCAT: _concat,
    LayerType.QUANTIZED_CONCAT: _concat,
    LayerType.FULLY_CONNECTED: _fully_connected,
    LayerType.TENSORFLOW_FLATTEN: _flatten,
    LayerType.QUANTIZED_TENSORFLOW_FLATTEN: _flatten,
    LayerType.RESIZE_NEAREST_NEIGHBOR: _resize,
    LayerType.QUANTIZED_RESIZE_NEAREST_NEIGHBOR: _resize,
    LayerType.CHANNELWISE_DEQUANTIZE: _channelwise_dequantize,
    LayerType.K210_ADD_PADDING: _add_padding,
    LayerType.K210_REMOVE_PADDING: _remove_padding,
    LayerType.K210_UPLOAD: _upload,
}
