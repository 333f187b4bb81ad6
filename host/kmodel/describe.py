"""What is in a kmodel, from its bytes alone: layers, their cost, and memory over time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import UserError
from .cost import layer_seconds
from .kpu import POOLS
from .layout import LINE_BYTES, map_lines
from .spans import WRITTEN, counts, kpu_spans, main_spans
from .v3 import CpuLayer, Kmodel, Layer, LayerType, read
from .verify import verify

V3, BROKEN = "kmodel V3", "broken kmodel V3"
_POOL_NAMES = {"max": "max", "mean": "mean", "left_top": "stride", "right_top": "right top"}


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer as people read it.

    Attributes:
        number: its place in the file, from 0.
        kind: "conv 3x3", "depthwise 3x3", or the CPU layer's name in lower case.
        pool: what follows a convolution: "", "max 2x2", "stride 2x2" and so on.
        in_shape, out_shape: channels, height, width, or the number of values.
        macs: multiplications that the KPU (or, in a dense layer, the CPU) makes; a strided layer
            computes all pixels.
        weight_bytes: weights alone, without batch norm and table.
        lines: lines of KPU RAM (64 bytes) of its input and its output.
        ms: estimated milliseconds (see `cost`).
    """

    number: int
    kind: str
    pool: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    macs: int
    weight_bytes: int
    lines: tuple[int, int]
    ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "ms": round(self.ms, 4)}


@dataclass(frozen=True, slots=True)
class Block:
    """A tensor in memory: bytes `start` to `end` from before layer `first` to behind `last`.

    `label` says which layer made it ("picture" for the network's input).
    """

    memory: Literal["kpu", "main"]
    start: int
    end: int
    first: int
    last: int
    label: str


@dataclass(frozen=True, slots=True)
class LayerError:
    """Error of one KPU layer of the network (see `sqnr`).

    `numbers` are its layers in the file: more than one where its weights were cut in parts.
    """

    name: str
    numbers: tuple[int, ...]
    sqnr_db: float


def kind_of(data: bytes) -> str:
    """Name what a file is: "kmodel V3", "broken kmodel V3", "kmodel V4 (...)", "encrypted ...".

    Nothing is raised; a file that is none of these is named by its first bytes.
    """
    try:
        verify(read(data))
    except UserError as error:
        if error.code == "kmodel_wrong_version":
            return str(error.findings[0].params["found"])
        return BROKEN
    return V3


def layer_table(model: Kmodel) -> tuple[LayerInfo, ...]:
    """Return one row for each layer of the file, in its order."""
    return tuple(_row(number, layer) for number, layer in enumerate(model.layers))


def _row(number: int, layer: Layer) -> LayerInfo:
    ms = 1e3 * layer_seconds(layer)
    if isinstance(layer, CpuLayer):
        inside, outside = _cpu_shapes(layer)
        dense = layer.type is LayerType.FULLY_CONNECTED
        macs = layer["in_channels"] * layer["out_channels"] if dense else 0
        table = layer.table.nbytes if dense and layer.table is not None else 0
        lines = sum(end - start for start, end, _ in kpu_spans(layer))
        name = layer.type.name.lower().removeprefix("k210_").replace("_", " ")
        name = name.removesuffix("2d")
        return LayerInfo(number, name, "", inside, outside, macs, table, (0, lines), ms)
    registers = layer.registers
    inside, outside = registers.in_shape, registers.out_shape
    kernel = 2 * registers.kernel + 1
    sources = 1 if registers.depthwise else inside[0]
    macs = kernel**2 * sources * outside[0] * inside[1] * inside[2]
    kind = f"{'depthwise' if registers.depthwise else 'conv'} {kernel}x{kernel}"
    lines = (map_lines(*inside), map_lines(*outside))
    return LayerInfo(
        number, kind, pool_name(registers.pool), inside, outside, macs, layer.weights.nbytes,
        lines, ms,
    )  # fmt: skip


def pool_name(code: int) -> str:
    """Return how people call a pool code of the KPU; "" for none."""
    window, stride, kind = POOLS[code]
    if kind == "none":
        return ""
    name = f"{_POOL_NAMES[kind]} {window}x{window}"
    return name if stride == window else f"{name} stride {stride}"


def _cpu_shapes(layer: CpuLayer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    values = {name: int(value) for name, value in layer.values.items() if name.endswith(_SIDES)}
    match layer.type:
        case LayerType.QUANTIZED_MAX_POOL2D | LayerType.AVERAGE_POOL2D:
            inside, outside = (tuple(values[f"{end}_{side}"] for side in "chw") for end in IN_OUT)
            return inside, outside
        case LayerType.RESIZE_NEAREST_NEIGHBOR | LayerType.QUANTIZED_RESIZE_NEAREST_NEIGHBOR:
            channels = values["channels"]
            inside, outside = ((channels, values[f"{end}_h"], values[f"{end}_w"]) for end in IN_OUT)
            return inside, outside
        case LayerType.K210_UPLOAD | LayerType.TENSORFLOW_FLATTEN:
            shape = values["channels"], values["height"], values["width"]
            return shape, shape if layer.type is LayerType.K210_UPLOAD else (math.prod(shape),)
        case LayerType.K210_ADD_PADDING:
            return (values["channels"],), (values["channels"], 4, 4)
        case LayerType.K210_REMOVE_PADDING:
            return (values["channels"], 4, 4), (values["channels"],)
    inside, outside = counts(layer)
    return (inside,), (outside,)


IN_OUT = ("in", "out")
_SIDES = ("_c", "_h", "_w", "channels", "height", "width")


def memory_blocks(model: Kmodel) -> list[Block]:
    """Return every tensor's place and time in KPU RAM and in main memory.

    A tensor lives from the layer that writes it to the last one that reads it (an output of the
    model: to the end). What nobody wrote before is the picture.
    """
    return [*_lives(model, "kpu"), *_lives(model, "main")]


def _lives(model: Kmodel, memory: Literal["kpu", "main"]) -> Iterator[Block]:
    """Follow the spans of one memory through the layers."""
    live: list[list[Any]] = []  # start, end, first, last, label
    unit = LINE_BYTES if memory == "kpu" else 1
    for number, layer in enumerate(model.layers):
        spans = list(kpu_spans(layer) if memory == "kpu" else main_spans(layer))
        for start, end, what in spans:
            if what not in WRITTEN:
                read_by = [one for one in live if one[0] < end and start < one[1]]
                for one in read_by:
                    one[3] = number
                if not read_by:
                    live.append([start, end, number, number, "picture"])
        for start, end, what in spans:
            if what in WRITTEN:
                yield from _ended(live, start, end, memory, unit)
                live.append([start, end, number, number, f"layer {number}"])
    for start, size in model.outputs if memory == "main" else ():
        for one in live:
            if one[0] < start + size and start < one[1]:
                one[3] = len(model.layers) - 1
    yield from _ended(live, 0, 1 << 40, memory, unit)


def _ended(
    live: list[list[Any]], start: int, end: int, memory: Literal["kpu", "main"], unit: int
) -> Iterator[Block]:
    """Take the blocks that start..end overwrites out of `live`."""
    gone = [one for one in live if one[0] < end and start < one[1]]
    for first, last, born, died, label in gone:
        yield Block(memory, first * unit, last * unit, born, died, label)
    live[:] = [one for one in live if one not in gone]


def peak_bytes(blocks: list[Block], memory: Literal["kpu", "main"]) -> int:
    """Return the most bytes that are alive at once in one of the memories.

    A layer that puts its result in the place of its input has one of both there.
    """
    chosen = sorted(
        (block for block in blocks if block.memory == memory), key=lambda block: block.start
    )
    return max((_alive(chosen, now) for now in {block.first for block in chosen}), default=0)


def _alive(blocks: list[Block], now: int) -> int:
    """Return how many bytes of blocks (in the order of their starts) live at layer `now`."""
    total = end = 0
    for block in blocks:
        if block.first <= now <= block.last:
            total += max(0, block.end - max(block.start, end))
            end = max(end, block.end)
    return total
