"""The network as the compiler sees it: named operations on one picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    `op` is one of: affine, pad, conv, depthwise, batch_norm, activation, max_pool, mean_pool,
    global_mean, dense, softmax, add, concat, resize, flatten. `attrs` hold its numbers, `arrays`
    its float32 weights: conv (kh, kw, in, out), depthwise (kh, kw, channels, 1), dense (in, out),
    bias (out,), batch_norm scale and shift (channels,). `inputs` names the nodes that it reads,
    "" is the picture; empty means the node before it (the picture for the first one).
    """

    name: str
    op: str
    attrs: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """Operations on one picture, in order; `input_shape` is height, width, channels."""

    nodes: tuple[Node, ...]
    input_shape: tuple[int, int, int]
