"""Run the bytes of a kmodel V3 on pictures, as stock MaixPy on a K210 would.

KPU RAM and main memory are modelled byte for byte, so a wrong address gives a wrong answer here
too. CPU layers compute in float32 as the runtime does, its quirks included: FULLY_CONNECTED
ignores its activation field, softmax multiplies by 1/sum, global average pooling by 1/n.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import UserError
from .bytes_ops import quantized_add
from .kpu import ConvPlan
from .layout import LINE_BYTES, RAM_LINES, read_map, write_map
from .v3 import ConvLayer, CpuLayer, Kmodel, LayerType, read
from .verify import verify

BATCH = 8
"""Pictures simulated at a time: each has a KPU RAM of 2 MiB of its own."""

F4 = np.dtype("<f4")


class Simulator:
    """One kmodel made ready to run.

    Args:
        kmodel: the bytes of the file.
        half_up: how ties of the activation round (see `kpu.activate`).

    Raises:
        UserError: not a kmodel V3, damaged, or it would overwrite memory on the chip.
    """

    def __init__(self, kmodel: bytes, *, half_up: bool = False) -> None:
        self.model = read(kmodel)
        verify(self.model)
        for index, layer in enumerate(self.model.layers):
            if isinstance(layer, CpuLayer) and layer.type not in CPU_LAYERS:
                raise UserError(
                    "kmodel_layer_unsupported", where=f"layer {index}", found=layer.type.name
                )
        self.plans = {
            index: ConvPlan(layer, half_up)
            for index, layer in enumerate(self.model.layers)
            if isinstance(layer, ConvLayer)
        }

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of the picture that the first layer reads."""
        return _first_conv(self.model).registers.in_shape

    @property
    def dtype(self) -> np.dtype:
        """What `KPU.forward` gives: float32, or uint8 where the last layer leaves bytes."""
        return np.dtype(np.uint8) if gives_bytes(self.model) else F4

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """Simulate pictures.

        Args:
            images: uint8 (n, height, width, channels) as a camera gives them.

        Returns:
            One array (n, values) for each output of the model: float32 (uint8 where the last
            layer gives bytes), as `KPU.forward(...)[:]` returns them.
        """
        channels, height, width = self.input_shape
        if images.dtype != np.uint8 or images.shape[1:] != (height, width, channels):
            raise UserError(
                "kmodel_picture_size",
                found=f"{images.dtype} {'x'.join(map(str, images.shape[1:]))}",
                needed=f"uint8 {height}x{width}x{channels}",
            )
        if not len(images):
            dtype = self.dtype
            return [np.empty((0, size // dtype.itemsize), dtype) for _, size in self.model.outputs]
        parts = [self._batch(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _batch(self, images: np.ndarray) -> list[np.ndarray]:
        memory = Memory(len(images), self.model.main_memory)
        planar = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        write_map(memory.kpu, _first_conv(self.model).registers.src_line, planar)
        for index, layer in enumerate(self.model.layers):
            if isinstance(layer, ConvLayer):
                run_conv(memory, layer, self.plans[index])
            else:
                CPU_LAYERS[layer.type](memory, layer)
        return [memory.get(at, size, self.dtype).copy() for at, size in self.model.outputs]


def simulate(kmodel: bytes, images: np.ndarray) -> list[np.ndarray]:
    """Run uint8 pictures (n, h, w, channels); see `Simulator.run`."""
    return Simulator(kmodel).run(images)


def gives_bytes(model: Kmodel) -> bool:
    """Tell whether the last layer leaves quantized bytes, not floats."""
    return model.layers[-1].type in (
        LayerType.K210_CONV,
        LayerType.QUANTIZE,
        LayerType.REQUANTIZE,
        LayerType.QUANTIZED_ADD,
        LayerType.QUANTIZED_CONCAT,
        LayerType.QUANTIZED_MAX_POOL2D,
        LayerType.QUANTIZED_TENSORFLOW_FLATTEN,
        LayerType.QUANTIZED_RESIZE_NEAREST_NEIGHBOR,
        LayerType.K210_REMOVE_PADDING,
    )


def _first_conv(model: Kmodel) -> ConvLayer:
    first = model.layers[0]
    if not isinstance(first, ConvLayer):
        raise UserError("kmodel_no_picture_input", found=first.type.name)
    return first


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


def run_conv(memory: Memory, layer: ConvLayer, plan: ConvPlan) -> None:
    """Read the input map from KPU RAM, write the result there and, if flagged, to main memory."""
    registers = layer.registers
    result = plan.run(read_map(memory.kpu, registers.src_line, registers.in_shape))
    write_map(memory.kpu, registers.dst_line, result)
    if layer.flags & 1:
        memory.put(layer.main_output, result)


def _dequantize(memory: Memory, layer: CpuLayer) -> None:
    values = memory.get(layer["input"], layer["count"]).astype(np.float64)
    # One fused multiply-add: rounded once (exact in float64 before that).
    scale, bias = np.float64(np.float32(layer["scale"])), np.float64(np.float32(layer["bias"]))
    memory.put(layer["output"], (values * scale + bias).astype(F4))


def _quantize(memory: Memory, layer: CpuLayer) -> None:
    values = memory.floats(layer, layer["count"])
    scale, bias = np.float32(layer["scale"]), np.float32(layer["bias"])
    rounded = np.round((values - bias) / scale)
    memory.put(layer["output"], np.clip(rounded, 0, 255).astype(np.uint8))


def _channelwise_dequantize(memory: Memory, layer: CpuLayer) -> None:
    assert layer.table is not None
    channels, size = layer["channels"], layer["channel_size"]
    values = memory.get(layer["input"], channels * size).reshape(-1, channels, size)
    scale, bias = (layer.table[:, column, None].astype(np.float64) for column in (0, 1))
    memory.put(layer["output"], (values * scale + bias).astype(F4))


def _requantize(memory: Memory, layer: CpuLayer) -> None:
    assert layer.table is not None
    memory.put(layer["output"], layer.table[memory.get(layer["input"], layer["count"])])


def _global_average(memory: Memory, layer: CpuLayer) -> None:
    size, channels = layer["kernel_size"], layer["channels"]
    values = memory.floats(layer, size * channels).reshape(-1, channels, size)
    total = np.zeros(values.shape[:2], np.float32)
    for column in range(size):  # one after the other, as the runtime adds them
        total += values[:, :, column]
    memory.put(layer["output"], total * np.float32(np.float32(1) / np.float32(size)))


def _fully_connected(memory: Memory, layer: CpuLayer) -> None:
    assert layer.table is not None
    inputs, outputs = layer["in_channels"], layer["out_channels"]
    weights = layer.table[: inputs * outputs].reshape(outputs, inputs)
    values = memory.floats(layer, inputs)
    memory.put(layer["output"], values @ weights.T + layer.table[inputs * outputs :])


def _softmax(memory: Memory, layer: CpuLayer) -> None:
    values = memory.floats(layer, layer["channels"])
    # The runtime starts its maximum at FLT_MIN: only positive logits are shifted.
    largest = np.maximum(values.max(1, keepdims=True), np.finfo(np.float32).tiny)
    powers = np.exp(values - largest)
    memory.put(layer["output"], powers * (np.float32(1) / powers.sum(1, keepdims=True)))


def _logistic(memory: Memory, layer: CpuLayer) -> None:
    values = memory.floats(layer, layer["channels"])
    memory.put(layer["output"], np.float32(1) / (np.float32(1) + np.exp(-values)))


def _l2_normalize(memory: Memory, layer: CpuLayer) -> None:
    values = memory.floats(layer, layer["channels"])
    total = np.maximum((values * values).sum(1, keepdims=True), np.float32(1e-10))
    memory.put(layer["output"], values * (np.float32(1) / np.sqrt(total)))


def _add(memory: Memory, layer: CpuLayer) -> None:
    count = layer["count"]
    memory.put(layer["output"], memory.floats(layer, count, "a") + memory.floats(layer, count, "b"))


def _quantized_add(memory: Memory, layer: CpuLayer) -> None:
    a, b = (memory.get(layer[name], layer["count"]) for name in ("a", "b"))
    memory.put(layer["output"], quantized_add(a, b, layer.values))


def _concat(memory: Memory, layer: CpuLayer) -> None:
    assert layer.table is not None
    parts = [memory.get(int(start), int(size)) for start, size in layer.table]
    memory.put(layer["output"], np.concatenate(parts, axis=1))


def _max_pool(memory: Memory, layer: CpuLayer) -> None:
    out = np.zeros((len(memory.main), layer["out_c"], layer["out_h"], layer["out_w"]), np.uint8)
    source = memory.get(layer["input"], layer["in_c"] * layer["in_h"] * layer["in_w"])
    maps = source.reshape(-1, layer["in_c"], layer["in_h"], layer["in_w"])
    for row in range(layer["out_h"]):
        for column in range(layer["out_w"]):
            top = row * layer["stride_h"] - layer["pad_h"]
            left = column * layer["stride_w"] - layer["pad_w"]
            window = maps[
                :,
                :,
                max(top, 0) : top + layer["kernel_h"],
                max(left, 0) : left + layer["kernel_w"],
            ]
            out[:, :, row, column] = window.max((2, 3), initial=0)
    memory.put(layer["output"], out)


def _flatten(memory: Memory, layer: CpuLayer) -> None:
    size = 4 if layer.type is LayerType.TENSORFLOW_FLATTEN else 1
    shape = (-1, layer["channels"], layer["height"], layer["width"], size)
    values = memory.get(layer["input"], size * int(np.prod(shape[1:4]))).reshape(shape)
    memory.put(layer["output"], values.transpose(0, 2, 3, 1, 4))


def _resize(memory: Memory, layer: CpuLayer) -> None:
    size = 4 if layer.type is LayerType.RESIZE_NEAREST_NEIGHBOR else 1
    channels, height, width = layer["channels"], layer["in_h"], layer["in_w"]
    values = memory.get(layer["input"], size * channels * height * width)
    maps = values.reshape(-1, channels, height, width, size)
    scale_y = np.float32(height) / np.float32(layer["out_h"])
    scale_x = np.float32(width) / np.float32(layer["out_w"])
    rows = np.minimum((np.arange(layer["out_h"]) * scale_y).astype(int), height - 1)
    columns = np.minimum((np.arange(layer["out_w"]) * scale_x).astype(int), width - 1)
    memory.put(layer["output"], maps[:, :, rows][:, :, :, columns])


def _upload(memory: Memory, layer: CpuLayer) -> None:
    shape = (-1, layer["channels"], layer["height"], layer["width"])
    values = memory.get(layer["input"], int(np.prod(shape[1:])))
    write_map(memory.kpu, layer["kpu_output"], values.reshape(shape))


def _add_padding(memory: Memory, layer: CpuLayer) -> None:
    maps = np.zeros((len(memory.main), layer["channels"], 4, 4), np.uint8)
    maps[:, :, 0, 0] = memory.get(layer["input"], layer["channels"])
    write_map(memory.kpu, layer["kpu_output"], maps)


def _remove_padding(memory: Memory, layer: CpuLayer) -> None:
    maps = memory.get(layer["input"], 16 * layer["channels"])
    memory.put(layer["output"], maps[:, ::16])


CPU_LAYERS: dict[LayerType, Callable[[Memory, CpuLayer], None]] = {
    LayerType.ADD: _add,
    LayerType.QUANTIZED_ADD: _quantized_add,
    LayerType.GLOBAL_AVERAGE_POOL2D: _global_average,
    LayerType.QUANTIZED_MAX_POOL2D: _max_pool,
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
