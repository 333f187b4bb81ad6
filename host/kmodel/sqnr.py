"""How far each quantized layer is from the float network: signal to quantization noise.

The float network and the simulated file run side by side on the same pictures; a layer's error
contains what the layers before it did wrong. 6 dB are a factor of two; 40 dB are 1 % of noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import UserError
from .calibrate import to_float
from .compiler import LayerReport, check_pictures
from .describe import LayerError
from .fold import FloatLayer, pool_float, run_float
from .graph import Graph
from .layout import read_map, write_map
from .lowering import lower
from .simulate import CPU_LAYERS, Memory, Simulator, run_conv
from .steps import PICTURE, Lowered, run_cpu_op
from .v3 import ConvLayer

BEST_DB = 120.0
"""Reported where the error is zero or next to it."""


def layer_errors(
    graph: Graph,
    data: bytes,
    pictures: np.ndarray,
    reports: Sequence[LayerReport] = (),
    *,
    dense_on_kpu: bool = True,
) -> list[LayerError]:
    """Compare the layers of a compiled file with the float network that it was made from.

    Args:
        graph: the float network.
        data: the kmodel that `compile` made of it.
        pictures: uint8 (n, height, width, channels); a few are enough, all run at once.
        reports: `CompiledModel.layers`, which tell what a byte of each layer means; without
            them what comes closest is taken (see `dequantized`), which flatters a little.
        dense_on_kpu: as it was compiled.

    Returns:
        One error for each KPU layer, in their order.

    Raises:
        UserError: the pictures have the wrong size (`kmodel_picture_size`), or the file was not
            made from this network (`kmodel_other_network`).
    """
    check_pictures(pictures, graph.input_shape)
    lowered = lower(graph, dense_on_kpu=dense_on_kpu)
    chip = byte_maps(data, pictures)
    errors = []
    for index, (layer, wanted) in enumerate(float_maps(lowered, pictures)):
        numbers, found = _gather(chip, layer)
        if wanted.shape[2:] == (1, 1):  # a dense layer: one pixel of 4x4 counts
            found = found[:, :, :1, :1]
        values = _values(wanted, found, reports[index] if reports else None)
        errors.append(LayerError(layer.name, numbers, sqnr_db(wanted, values)))
    if next(chip, None) is not None:
        raise UserError("kmodel_other_network", "output")
    return errors


def _values(wanted: np.ndarray, found: np.ndarray, report: LayerReport | None) -> np.ndarray:
    """Return what bytes (n, c, h, w) mean; without a report see `dequantized`."""
    if report is None:
        return dequantized(found, wanted)
    values = report.low + (report.high - report.low) / 255 * found.astype(np.float32)
    if report.gains is not None:  # those of all copies are the same
        values /= np.array(report.gains[: found.shape[1]], np.float32)[:, None, None]
    return values


def _gather(
    chip: Iterator[tuple[int, np.ndarray]], layer: FloatLayer
) -> tuple[tuple[int, ...], np.ndarray]:
    """Take the parts of a layer from the file's layers and join their channels.

    Of several copies of the channels (see `copies`) the mean is given.
    """
    numbers, parts, channels = [], [], 0
    wanted = layer.out_shape[0]
    while channels < wanted:
        number, part = next(chip, (0, np.empty((0, 0, 0, 0), np.uint8)))
        if part.shape[2:] != layer.out_shape[1:]:
            raise UserError("kmodel_other_network", layer.name)
        numbers.append(number)
        parts.append(part)
        channels += part.shape[1]
    if channels % wanted:
        raise UserError("kmodel_other_network", layer.name)
    whole = np.concatenate(parts, 1)
    if channels > wanted:
        shape = len(whole), channels // wanted, *whole.shape[2:]
        whole = whole.reshape(*shape[:2], wanted, *shape[2:]).mean(1, dtype=np.float32)
    return tuple(numbers), whole


def sqnr_db(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return 10 log10 of the power of `wanted` over that of the difference, at most BEST_DB."""
    noise = np.square(wanted - found, dtype=np.float64).sum()
    signal = np.square(wanted, dtype=np.float64).sum()
    if noise <= signal * 10 ** (-BEST_DB / 10):
        return BEST_DB
    return float(10 * np.log10(max(signal / noise, 1e-12)))


def dequantized(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return what the bytes `found` mean, as float32 (n, channels, height, width).

    A file does not say what a byte of an inner map means. It means (byte - zero) * step, with one
    zero for the map and a step for each channel; those are taken that come closest to `wanted`.
    """
    channels = found.shape[1]
    x = found.transpose(1, 0, 2, 3).reshape(channels, -1).astype(np.float64)
    y = wanted.transpose(1, 0, 2, 3).reshape(channels, -1).astype(np.float64)
    zero = np.arange(256.0)[:, None]
    products = np.einsum("ci,ci->c", x, y) - zero * y.sum(1)  # (256, channels)
    squares = np.einsum("ci,ci->c", x, x) - 2 * zero * x.sum(1) + zero**2 * x.shape[1]
    steps = products / np.maximum(squares, 1e-9)
    best = int((steps * products).sum(1).argmax())  # explains most of the power
    values = (found.astype(np.float32) - best) * steps[best][:, None, None]
    return values.astype(np.float32)


def float_maps(lowered: Lowered, pictures: np.ndarray) -> Iterator[tuple[FloatLayer, np.ndarray]]:
    """Give each KPU layer and its float output (n, channels, height, width).

    Of a dense layer's 4x4 pixels only the one that counts is given.
    """
    values = {PICTURE: to_float(lowered, pictures)}
    pixels: set[int] = set()
    last = lowered.last_use()
    for number, step in enumerate(lowered.steps):
        inputs = [values[source] for source in step.inputs]
        if isinstance(step.op, FloatLayer):
            values[number] = pool_float(step.op, run_float(step.op, inputs[0])[1])
            if step.inputs[0] in pixels:
                pixels.add(number)
                yield step.op, values[number][:, :, :1, :1]
            else:
                yield step.op, values[number]
        else:
            values[number] = run_cpu_op(step.op, inputs)
            if step.op.kind == "to_map":
                pixels.add(number)
        for source in {*step.inputs} - {PICTURE}:
            if last[source] == number:
                del values[source]


def byte_maps(data: bytes, pictures: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give number and uint8 output (n, channels, height, width) of each KPU layer of a file."""
    simulator = Simulator(data)
    memory = Memory(len(pictures), simulator.model.main_memory)
    planar = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    write_map(memory.kpu, simulator.model.convs[0].registers.src_line, planar)
    for number, layer in enumerate(simulator.model.layers):
        if not isinstance(layer, ConvLayer):
            CPU_LAYERS[layer.type](memory, layer)
            continue
        run_conv(memory, layer, simulator.plans[number])
        yield number, read_map(memory.kpu, layer.registers.dst_line, layer.registers.out_shape)
