"""The lowered network: steps in order, each a KPU layer or something that the CPU does.

A step's value is one of: a map of bytes (channels, height, width), a map of floats, a vector of
floats, or a "pixel": a map of 4x4 bytes of which only pixel (0, 0) counts, which is how the KPU
runs dense layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..errors import Finding
from .colours import Colours
from .fold import FloatLayer, Shape

Kind = Literal[
    "add", "concat", "resize", "dequantize", "global_mean", "dense", "softmax", "to_map", "from_map"
]
PICTURE = -1
"""The input of steps that read the picture."""


@dataclass(frozen=True, slots=True)
class CpuOp:
    """One operation of the CPU.

    `clamp` ("linear", "relu" or "relu6") is what an `add` does to its sum. `factors` are how
    many times a `resize` repeats rows and columns. `arrays` of a `dense`: w (in, out), b (out,).
    """

    name: str
    kind: Kind
    out_shape: tuple[int, ...]
    clamp: str = "linear"
    factors: tuple[int, int] = (1, 1)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """An operation and the numbers of the steps that it reads (PICTURE for the picture)."""

    op: FloatLayer | CpuOp
    inputs: tuple[int, ...]

    def op_kind(self) -> str:
        """Return the kind of a CPU operation, "conv" for a KPU layer."""
        return self.op.kind if isinstance(self.op, CpuOp) else "conv"


@dataclass(frozen=True, slots=True)
class Lowered:
    """The network as steps.

    Attributes:
        scale, offset: what the network makes of a pixel byte: byte * scale + offset.
        input_shape: channels, height, width of the picture.
        steps: in order of execution; a step reads only earlier ones.
        outputs: the steps whose values `KPU.forward` returns.
        notes: what a user should know of how the network was brought onto the chip.
        colours: instead of scale and offset, where they differ between colours and are not in
            the first layer's weights (see `lowering.lower`).
    """

    scale: float
    offset: float
    input_shape: Shape
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    notes: tuple[Finding, ...] = ()
    colours: Colours | None = None

    @property
    def layers(self) -> tuple[FloatLayer, ...]:
        """The KPU layers, first to last."""
        return tuple(step.op for step in self.steps if isinstance(step.op, FloatLayer))

    def last_use(self) -> dict[int, int]:
        """Return for each value (PICTURE too) the last step that reads it; outputs never end."""
        uses = {source: number for number, step in enumerate(self.steps) for source in step.inputs}
        return uses | dict.fromkeys(self.outputs, len(self.steps))


def run_cpu_op(op: CpuOp, inputs: list[np.ndarray]) -> np.ndarray:
    """Run an operation of the CPU in float32."""
    x = inputs[0]
    match op.kind:
        case "add":
            top = {"relu6": 6.0}.get(op.clamp)
            total = x + inputs[1]
            return total if op.clamp == "linear" else np.clip(total, 0, top)
        case "concat":
            return np.concatenate(inputs, 1)
        case "resize":
            return x.repeat(op.factors[0], 2).repeat(op.factors[1], 3)
        case "global_mean":
            return x.mean((2, 3))
        case "dense":
            return x.reshape(len(x), -1) @ op.arrays["w"] + op.arrays["b"]
        case "softmax":
            powers = np.exp(x - x.max(1, keepdims=True))
            return powers / powers.sum(1, keepdims=True)
        case "to_map":
            # On the chip the other 15 pixels hold anything; here the same, so that means are right.
            return np.tile(x.reshape(len(x), -1, 1, 1), (1, 1, 4, 4))
        case "from_map":
            return x[:, :, 0, 0]
        case "dequantize":
            return x
