"""What a network must keep to so that the KPU can run it: names, padding, strides, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import UserError
from .fold import FloatLayer, refuse
from .graph import Graph, Node
from .steps import PICTURE, Lowered


@dataclass(frozen=True, slots=True)
class Value:
    """What a node gives: the step that makes it and its shape as it lies in memory.

    `padded`: a border of zeros is asked for. `owed`: a stride of 2 is not done yet. `form`: "map"
    of bytes, "pixel" (see `steps`), "floats" (a map) or "vector".
    """

    step: int
    shape: tuple[int, ...]
    padded: bool = False
    owed: bool = False
    form: Literal["map", "pixel", "floats", "vector"] = "map"


def sources_of(graph: Graph) -> list[tuple[int, ...]]:
    """Return for each node the numbers of the nodes that it reads (PICTURE: the picture).

    Raises:
        UserError: a node reads a name that no earlier node has.
    """
    numbers: dict[str, int] = {"": PICTURE}
    sources = []
    for number, node in enumerate(graph.nodes):
        missing = [name for name in node.inputs if name not in numbers]
        if missing:
            raise refuse(node.name, f"an input {missing[0]}", "the name of an earlier node")
        sources.append(tuple(numbers[name] for name in node.inputs) or (number - 1,))
        numbers[node.name] = number  # of several nodes with one name the last is meant
    return sources


def check_padding(node: Node, value: Value) -> tuple[int, int]:
    """Return kernel and stride; refuse padding that is not one pixel on every side."""
    kernel, stride = node.attrs["kernel"], node.attrs["stride"]
    same = node.attrs["padding"] == "same"
    height, width = (side // 2 if value.owed else side for side in value.shape[1:])
    if kernel == 1 and stride == 2 and (height % 2 or width % 2):
        raise refuse(node.name, f"stride 2 on {width}x{height} pixels", "even sizes")
    if kernel == 1:
        if value.padded:
            raise refuse(node.name, "ZeroPadding2D before a 1x1 convolution", "no padding")
        return kernel, stride
    if value.padded and same:
        raise refuse(node.name, "padding twice", "ZeroPadding2D(1) with padding='valid'")
    if not value.padded and not same:
        needed = "one pixel on every side: padding='same' in Keras, padding=1 in PyTorch"
        raise refuse(node.name, "a 3x3 convolution without padding", needed)
    if same and stride == 2:
        raise UserError("kmodel_same_stride", node.name, found=f"{height}x{width} pixels")
    return kernel, stride


def check_whole(lowered: Lowered) -> None:
    """Refuse what only the whole network shows: no KPU layer, odd pixels, bad weights."""
    if not lowered.layers or not isinstance(lowered.steps[0].op, FloatLayer):
        raise refuse("network", "no convolution", "at least one convolution")
    for layer in lowered.layers:
        if not (np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all()):
            raise UserError("kmodel_range", layer.name, found="weights that are not numbers")
