"""The networks of our trainers as the compiler sees them, without Keras and without weights.

Size, memory and time of a kmodel follow from the shapes of its layers, so a page can ask the
compiler itself before anything is trained. `host.trainer.backbone` and `detect_net` build the real
ones; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kmodel import Graph, Node
from ..trainer.anchors import COUNT
from ..trainer.backbone import BLOCKS, OFFSET, SCALE
from ..trainer.detect_options import DetectOptions

BOX = 5
"""Values of a detector's box before its classes."""
TAIL = 1000
"""The block of neck and head: after all of the backbone's."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution. `block` is its block in the backbone (0: the first convolution, `TAIL`:
    neck and head), `outputs` 0 of a depthwise one, `width` and `height` those of its result."""

    block: int
    kernel: int
    stride: int
    inputs: int
    outputs: int
    width: int
    height: int
    relu: bool = True

    @property
    def products(self) -> int:
        """Multiplications of one picture."""
        each = self.kernel**2 * (self.inputs * self.outputs or self.inputs)
        return each * self.width * self.height


def layers(options: Any, classes: int) -> tuple[Layer, ...]:
    """Return the convolutions of the network that `options` (of a trainer) asks for, in order."""
    detects = isinstance(options, DetectOptions)
    network, (width, height) = options.network(), options.size
    goal = options.stride if detects else 32
    plan = [(0, 3, 2, network.channels(0))]
    reached = 2
    for block in range(1, network.cut + 1):
        stride = min(BLOCKS[block - 1][1], goal // reached)
        reached *= stride
        plan += [(block, 3, stride, 0), (block, 1, 1, network.channels(block))]
    if detects:
        halve = 2 if network.stride() < goal else 1
        plan += [(TAIL, 1, 1, options.neck), (TAIL, 3, halve, 0), (TAIL, 1, 1, options.neck)]
        plan.append((TAIL, 1, 1, COUNT * (BOX + classes)))
    inputs, found = 3, []
    for number, (block, kernel, stride, outputs) in enumerate(plan, 1):
        width, height = width // stride, height // stride
        relu = not (detects and number == len(plan))
        found.append(Layer(block, kernel, stride, inputs, outputs, width, height, relu))
        inputs = outputs or inputs
    return tuple(found)


def graph(layers: Sequence[Layer], size: tuple[int, int], classes: int) -> Graph:
    """Return the network for the compiler; its weights are made up. `size` is width, height."""
    nodes = [Node("rescaling", "affine", {"scale": SCALE, "offset": OFFSET})]
    for number, one in enumerate(layers):
        nodes += _nodes(f"conv{number}", one)
    if layers[-1].relu:  # a classifier
        arrays = {"w": _weights(layers[-1].outputs, classes), "b": np.zeros(classes, np.float32)}
        nodes += [Node("pool", "global_mean"), Node("logits", "dense", {}, arrays)]
        nodes.append(Node("probabilities", "softmax"))
    return Graph(tuple(nodes), (size[1], size[0], 3))


def _nodes(name: str, one: Layer) -> Iterator[Node]:
    padding = "same"
    if one.stride == 2:
        padding = "valid"
        yield Node(f"{name}_pad", "pad")
    attrs = {"kernel": one.kernel, "stride": one.stride, "padding": padding}
    w = _weights(one.kernel, one.kernel, one.inputs, one.outputs or 1)
    arrays = {"w": w, "b": np.zeros(one.outputs or one.inputs, np.float32)}
    yield Node(name, "conv" if one.outputs else "depthwise", attrs, arrays)
    if one.relu:
        yield Node(f"{name}_relu", "activation", {"kind": "relu6"})


def _weights(*shape: int) -> np.ndarray:
    """Return weights of both signs; all equal ones would have no range."""
    made = np.full(shape, 0.5, np.float32)
    made.reshape(-1)[::2] = -0.5
    return made
