"""Run the bytes of a kmodel V3 on pictures, as stock MaixPy on a K210 would.

KPU RAM and main memory are modelled byte for byte, so a wrong address gives a wrong answer here
too. The CPU's layers are in `cpu_layers`.
"""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from .cpu_layers import CPU_LAYERS, F4, Memory
from .kpu import MAX_TABLE, ConvPlan
from .layout import read_map, write_map
from .v3 import ConvLayer, Kmodel, LayerType, read
from .verify import verify

BATCH = 8
"""Pictures simulated at a time: each has a KPU RAM of 2 MiB of its own."""


MAX_TABLES = 1 << 26
"""Bytes that the activations' look-up tables of one model may take; networks need some 20 MB."""


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
        self.plans: dict[int, ConvPlan] = {}
        room = MAX_TABLES
        for index, layer in enumerate(self.model.layers):
            if isinstance(layer, ConvLayer):
                plan = ConvPlan(layer, half_up, min(MAX_TABLE, room))
                room -= len(plan.table.values) if plan.table else 0
                self.plans[index] = plan

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
        with np.errstate(all="ignore"):  # overflows and what is no number, as on the chip
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


def run_conv(memory: Memory, layer: ConvLayer, plan: ConvPlan) -> None:
    """Read the input map from KPU RAM, write the result there and, if flagged, to main memory."""
    registers = layer.registers
    result = plan.run(read_map(memory.kpu, registers.src_line, registers.in_shape))
    write_map(memory.kpu, registers.dst_line, result)
    if layer.flags & 1:
        memory.put(layer.main_output, result)
