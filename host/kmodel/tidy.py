"""What is done to a graph once it is read: the input's meaning, and nodes that are not needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .colours import Colours
from .graph import Graph, Node

PIXELS = Node("input_scaling", "affine", {"scale": 1 / 255, "offset": 0.0})
"""What a network is fed with when nothing says otherwise: pixels from 0 to 1."""


def with_scaling(graph: Graph, scale: float | None = None, offset: float | None = None) -> Graph:
    """Say what the network's input makes of a pixel byte: byte * scale + offset.

    Without numbers a network that begins with such a scaling of its own stays as it is, if that
    is one of bytes (x / 255, or x - 128); any other is taken for one that wants pixels from 0 to
    1, as one that begins with x * 2 - 1 or with ImageNet's mean and deviation does.
    """
    if scale is None and offset is None and _scales_bytes(graph):
        return graph
    numbers = {"scale": PIXELS.attrs["scale"] if scale is None else scale, "offset": offset or 0.0}
    first = replace(PIXELS, attrs=numbers)
    rest = [
        replace(node, inputs=tuple(source or first.name for source in node.inputs))
        for node in graph.nodes
    ]
    return replace(graph, nodes=(first, *rest))


def _scales_bytes(graph: Graph) -> bool:
    """Return whether the network begins with a scaling of values from 0 to 255."""
    colours = Colours(np.ones(graph.input_shape[2]), np.zeros(graph.input_shape[2]))
    if not graph.nodes or graph.nodes[0].op != "affine":
        return False
    for node in graph.nodes:
        if node.op != "affine":
            break
        colours = colours.then(node.attrs["scale"], node.attrs["offset"])
    # Values from 0 to 1 are stretched, or have a mean between 0 and 1 taken away.
    stretched = bool((np.abs(colours.scale) > 1).any())
    shifted = bool(((colours.scale == 1) & (colours.zeros > 0) & (colours.zeros < 1)).any())
    return not (stretched or shifted)


def needed(nodes: dict[str, Node], outputs: Sequence[str]) -> list[Node]:
    """Return the nodes that `outputs` are made of, in their order."""
    wanted = set(outputs)
    for node in reversed(nodes.values()):
        if node.name in wanted:
            wanted.update(node.inputs)
    return [node for node in nodes.values() if node.name in wanted]


def merged(nodes: list[Node], outputs: Sequence[str]) -> tuple[list[Node], dict[str, str]]:
    """Join batch norms that follow each other or lie beside a dense layer; drop idle ones.

    Returns the nodes, and which node now stands for those that are gone.
    """
    readers = Counter(source for node in nodes for source in node.inputs) + Counter(outputs)
    made: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for one in nodes:
        node = replace(one, inputs=tuple(renamed.get(source, source) for source in one.inputs))
        before = made.get(node.inputs[0])
        alone = readers[one.inputs[0]] == 1 and readers[node.inputs[0]] == 1
        if node.op == "dense" and before and before.op == "batch_norm" and alone:
            made.pop(before.name)
            node = replace(_after(before.arrays, node), inputs=before.inputs)
        if node.op == "batch_norm" and before and before.op in ("batch_norm", "dense") and alone:
            renamed[node.name] = before.name
            node = made[before.name] = _joined(before, node.arrays)
        if node.op == "batch_norm" and _does_nothing(node):
            made.pop(node.name, None)
            renamed |= dict.fromkeys((one.name, node.name), node.inputs[0])
        else:
            made[node.name] = node
    return list(made.values()), renamed


def _joined(node: Node, norm: dict[str, np.ndarray]) -> Node:
    first, second = ("scale", "shift") if node.op == "batch_norm" else ("w", "b")
    arrays = {
        first: node.arrays[first] * norm["scale"],
        second: node.arrays[second] * norm["scale"] + norm["shift"],
    }
    return replace(node, arrays=arrays)


def _after(norm: dict[str, np.ndarray], dense: Node) -> Node:
    w, b = (dense.arrays[one].astype(np.float64) for one in "wb")
    arrays = {"w": norm["scale"][:, None] * w, "b": norm["shift"] @ w + b}
    return replace(dense, arrays={key: one.astype(np.float32) for key, one in arrays.items()})


def _does_nothing(node: Node) -> bool:
    return bool(np.allclose(node.arrays["scale"], 1, atol=1e-6) and not node.arrays["shift"].any())
