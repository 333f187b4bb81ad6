"""Compile a network to a kmodel V3. Pure: arrays in, bytes out; same input, same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import Finding, UserError
from .calibrate import measure, quantize_network
from .copies import MOST_MS, choose_copies, with_copies
from .cost import conv_seconds, estimate_ms
from .emit import Emitter, conv_whole
from .fold import FloatLayer
from .graph import Graph
from .lowering import lower
from .v3 import ConvLayer, write
from .verify import verify

Progress = Callable[[str, float], None]
"""Called with the name of a phase and the fraction of it that is done."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of the compiler.

    Attributes:
        zero_search: search the weights' zero point of each layer.
        range_search: activation ranges of least squared error instead of the extremes.
        channel_steps: give the channels of a map steps of their own where only the KPU reads it.
        round_weights: round weights so that their errors cancel on `bias_images` pictures.
        bias_images: how many calibration pictures correct the biases (0: no correction).
        copies_time: part of the KPU's time that copies of the first maps' channels may cost
            (see `copies`; 0: no copies).
        copies_ms: milliseconds that they may cost, whatever part of the time that is.
        dense_on_kpu: run a dense layer behind global pooling on the KPU, before the pooling.
    """

    zero_search: bool = True
    range_search: bool = True
    channel_steps: bool = True
    round_weights: bool = True
    bias_images: int = 32
    copies_time: float = 0.35
    copies_ms: float = MOST_MS
    dense_on_kpu: bool = True


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer as people read it; shapes are channels, height, width.

    `low` and `high` are what bytes 0 and 255 mean; `gains` divide them, channel by channel. The
    result's channels come `copies` times, all of them before any again; their mean counts.
    """

    name: str
    kind: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    weights: int
    ms: float
    low: float
    high: float
    gains: tuple[float, ...] | None = None
    copies: int = 1


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """A kmodel and what is known of it.

    Attributes:
        data: the bytes of the file.
        main_memory: bytes that the runtime allocates for CPU tensors.
        ram_bytes: general RAM that the board needs to load it: file and main memory.
        ms: estimated milliseconds a picture (see `cost`).
        layers: the KPU layers.
        findings: warnings about how the network was brought onto the chip.
    """

    data: bytes
    main_memory: int
    ram_bytes: int
    ms: float
    layers: tuple[LayerReport, ...]
    findings: tuple[Finding, ...] = ()


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
        graph: the network (see `from_keras`).
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
    tell("calibrate", 0.0)
    statistics = measure(lowered, calibration)
    tell("quantize", 0.5)
    copies = choose_copies(lowered, options.copies_time, options.copies_ms)
    lowered = with_copies(lowered, copies)
    network = quantize_network(
        lowered,
        statistics,
        calibration[spread(len(calibration), options.bias_images)],
        conv_whole,
        zero_search=options.zero_search,
        range_search=options.range_search,
        channel_steps=options.channel_steps,
        correct_bias=options.bias_images > 0,
        adapt_weights=options.round_weights,
        copies=copies,
    )
    emitter = Emitter(lowered, network)
    model = emitter.run()
    verify(model)
    data = write(model)
    tell("quantize", 1.0)
    return CompiledModel(
        data=data,
        main_memory=model.main_memory,
        ram_bytes=len(data) + model.main_memory + LOADER_BYTES,
        ms=estimate_ms(model),
        layers=_reports(emitter, copies),
        findings=lowered.notes,
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


def _reports(emitter: Emitter, copies: dict[int, int]) -> tuple[LayerReport, ...]:
    """Return a report of each KPU layer; one that was cut in parts is one layer."""
    seconds: dict[int, float] = {}
    for number, layer in zip(emitter.numbers, emitter.layers, strict=True):
        if isinstance(layer, ConvLayer):
            seconds[number] = seconds.get(number, 0.0) + conv_seconds(layer)
    reports = []
    for number, time in seconds.items():
        layer, meaning = emitter.lowered.steps[number].op, emitter.network.ranges[number]
        assert isinstance(layer, FloatLayer)
        low, high = (float((byte - meaning.zero) * meaning.step) for byte in (0, 255))
        kind = f"{'depthwise' if layer.depthwise else 'conv'} {layer.kernel}x{layer.kernel}"
        size = layer.weights.size
        shapes = layer.in_shape, layer.out_shape
        limits = low, high, meaning.gains
        count = copies.get(number, 1)
        reports.append(LayerReport(layer.name, kind, *shapes, size, time * 1e3, *limits, count))
    return tuple(reports)
