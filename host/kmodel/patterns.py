"""Activations that exporters write in pieces."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .graph import Node

Piece = str | tuple[float, float]
"""An activation's name; or the scale and shift that all channels have."""
LONGEST = 6

GATES: dict[tuple[Piece, ...], tuple[str, float]] = {
    ("sigmoid",): ("silu", 1.0),
    ("hard_sigmoid",): ("hard_swish", 1.0),
    ("softplus", "tanh"): ("mish", 1.0),
    ((1.0, 3.0), "relu6"): ("hard_swish", 6.0),
    ((1.0, 3.0), "relu6", (0.1667, 0.0)): ("hard_swish", 1.0),
    ((0.7071, 0.0), "erf", (1.0, 1.0)): ("gelu", 2.0),
    ((0.7071, 0.0), "erf", (1.0, 1.0), (0.5, 0.0)): ("gelu", 1.0),
    ((0.7071, 0.0), "erf", (0.5, 0.5)): ("gelu", 1.0),
}
"""What x times these is, and by how much it must be multiplied. Four digits of scales count."""


def gated(nodes: Mapping[str, Node], gate: str, x: str) -> tuple[str, float]:
    """Return which activation x * gate is ("": none), and by how much it must be multiplied."""
    return GATES.get(tuple(chain(nodes, gate, x)), ("", 1.0))


def chain(nodes: Mapping[str, Node], end: str, start: str) -> list[Piece]:
    """Return what makes the node `end` of the node `start`; nothing where something else does."""
    pieces: list[Piece] = []
    while end != start and end and len(pieces) < LONGEST:
        node = nodes[end]
        pieces.append(_piece(node))
        if len(node.inputs) != 1:
            return []
        end = node.inputs[0]
    return pieces[::-1] if end == start and start else []


def _piece(node: Node) -> Piece:
    if node.op != "batch_norm":
        return str(node.attrs.get("kind", node.op))
    numbers = [np.unique(node.arrays[one].round(4)) for one in ("scale", "shift")]
    if any(len(one) != 1 for one in numbers):
        return "batch_norm"
    scale, shift = (round(float(one[0]), 4) for one in numbers)
    return scale, shift
