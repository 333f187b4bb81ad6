"""Make a graph of what a file says: the picture, scales, and functions of single values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import UserError
from .graph import Graph, Node
from .patterns import chain, gated
from .pointwise import combined
from .tidy import merged, needed
from .values import Value, refuse


class Pointwise:
    """Makes the nodes of a graph; here those that leave the pixels apart."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.picture = Value("", (0, 0, 0), "")

    def begin(self, name: str, shape: Sequence[int], axes: str) -> Value:
        """Return the picture; `shape` in the order of `axes`, 0 where it is not fixed."""
        sizes = dict(zip(axes, shape, strict=True)) if len(shape) == 4 else {}
        height, width, channels = (sizes.get(axis, 0) for axis in "hwc")
        if sizes.get("1", 1) > 1 or min(height, width) < 1 or channels not in (1, 3):
            raise UserError("kmodel_network_input", name, found="x".join(map(str, shape)))
        self.picture = Value("", (height, width, channels), axes)
        return self.picture

    def emit(
        self,
        name: str,
        op: str,
        values: Sequence[Value],
        attrs: dict[str, Any] | None = None,
        arrays: dict[str, np.ndarray] | None = None,
        sizes: tuple[int, int, int] | None = None,
    ) -> Value:
        """Add a node that reads `values`; its value has the axes of the first."""
        if any(any(value.pads) for value in values):
            raise refuse(name, "padding not before a convolution", "a 3x3 convolution behind it")
        if any("b" in value.axes for value in values):
            found = f"{op} of a map that is split into boxes"
            raise refuse(name, found, "the split at the end; the script reads it plane by plane")
        unique = name
        while unique in self.nodes or not unique:
            unique = f"{unique}:{op}"
        floats = {key: np.asarray(one, np.float32) for key, one in (arrays or {}).items()}
        inputs = tuple(value.node for value in values)
        self.nodes[unique] = Node(unique, op, attrs or {}, floats, inputs=inputs)
        made = replace(values[0], node=unique, sizes=sizes or values[0].sizes)
        if made.is_vector:
            made = replace(made, axes=made.axes.replace("h", "1").replace("w", "1"))
        return made

    def graph(self, outputs: Sequence[Value]) -> Graph:
        """Return the graph of all that `outputs` need; they come out in the nodes' order."""
        for value in outputs:
            if any(value.pads):
                raise refuse(value.node, "padding at the end", "a 3x3 convolution behind it")
        ends = [value.node for value in outputs]
        for node in needed(self.nodes, ends):
            if node.op == "greater":
                raise refuse(node.name, node.attrs["kind"], "a choice between two values behind it")
        nodes, renamed = merged(needed(self.nodes, ends), ends)
        read = {source for node in nodes for source in node.inputs}
        for value in outputs:
            name = renamed.get(value.node, value.node)
            if name in read or not name:
                raise refuse(name, "an output that other layers read", "outputs at the end")
        before, chained = "", []
        for node in nodes:
            chained.append(replace(node, inputs=()) if node.inputs == (before,) else node)
            before = node.name
        return Graph(tuple(chained), self.picture.sizes)

    # --- values of one pixel at a time ----------------------------------------------------------

    def scale_shift(self, name: str, value: Value, scale: Any = 1.0, shift: Any = 0.0) -> Value:
        """Return value * scale + shift; both are numbers or arrays for the file's axes."""
        if "v" in value.axes and max(np.size(scale), np.size(shift)) > 1:
            return self._scale_flat(name, value, scale, shift)
        scales, shifts = (self._per_channel(name, value, one) for one in (scale, shift))
        if not value.node or self.nodes[value.node].op == "affine":
            attrs = {"scale": _plain(scales), "offset": _plain(shifts)}
            return self.emit(name, "affine", [value], attrs)
        return self.emit(name, "batch_norm", [value], {}, {"scale": scales, "shift": shifts})

    def _scale_flat(self, name: str, value: Value, scale: Any, shift: Any) -> Value:
        """Scale each value of a flattened map; only a dense layer can take that in."""
        size = math.prod(value.sizes)
        given = [np.broadcast_to(np.reshape(one, -1), size) for one in (scale, shift)]
        sorted_ = [in_order(value, one[:, None])[:, 0] for one in given]
        if not self._is_flat(value):
            value = self.emit(f"{name}:flatten", "flatten", [value])
        arrays = {"scale": sorted_[0], "shift": sorted_[1]}
        return self.emit(name, "batch_norm", [value], {}, arrays)

    def _per_channel(self, name: str, value: Value, constant: Any) -> np.ndarray:
        array = np.asarray(constant, np.float64)
        if array.size == 1:
            return np.full(value.sizes[2], array.reshape(-1)[0])
        place = value.axes.find("c") - len(value.axes)  # from the end, as numpy broadcasts
        others = [size for axis, size in enumerate(array.shape, -array.ndim) if axis != place]
        if "c" not in value.axes or array.size != value.sizes[2] or math.prod(others) != 1:
            raise refuse(name, f"numbers of shape {array.shape}", "one number for each channel")
        return array.reshape(-1)

    def activation(self, name: str, value: Value, kind: str, slope: float | None = None) -> Value:
        """Add an activation; "linear" is none."""
        if kind == "linear":
            return value
        if kind == "leaky" and not 0 < (slope or 0) < 1:
            raise refuse(name, f"a leaky ReLU with slope {slope:g}", "a slope between 0 and 1")
        attrs = {"kind": kind} if slope is None else {"kind": kind, "slope": float(slope)}
        return self.emit(name, "activation", [value], attrs)

    def prelu(self, name: str, value: Value, slopes: np.ndarray) -> Value:
        """Add a PReLU; the table of the KPU is one for all channels, so is the slope."""
        if len(np.unique(slopes)) != 1:
            found = f"a PReLU with {slopes.size} different slopes"
            raise refuse(name, found, "one slope for all channels, such as a leaky ReLU")
        return self.activation(name, value, "leaky", float(slopes.flat[0]))

    def clip(self, name: str, value: Value, low: float, high: float) -> Value:
        """Add what limits values: ReLU with any maximum, or -1 to 1."""
        low, high = (math.copysign(math.inf, x) if abs(x) > 1e30 else x for x in (low, high))
        kind = {
            (0, 6): "relu6",
            (0, math.inf): "relu",
            (-1, 1): "hard_tanh",
            (-math.inf, math.inf): "linear",
        }.get((low, high))
        if low == 0 < high < math.inf and kind is None:
            return self.activation(name, value, "relu_max", high)
        if kind is None:
            kind = f"= x {low!r} max {high!r} min"
        return self.activation(name, value, kind)

    def limit(self, name: str, value: Value, number: float, *, low: bool) -> Value:
        """Limit values from one side; with a limit from the other side before it, from both."""
        node = self.nodes.get(value.node)
        kind = node.attrs.get("kind") if node else None
        if low and number == 0:
            if node and kind == "below":
                top = float(node.attrs["slope"])
                return self.clip(name, replace(value, node=node.inputs[0]), 0.0, top)
            return self.activation(name, value, "relu")
        if node and kind == "relu" and not low and number > 0:
            return self.clip(name, replace(value, node=node.inputs[0]), 0.0, number)
        return self.activation(name, value, "above" if low else "below", number)

    def product(self, name: str, a: Value, b: Value) -> Value:
        """Multiply two values: x * sigmoid(x), hard swish, or other functions of one value."""
        for x, gate in ((a, b), (b, a)):
            kind, factor = gated(self.nodes, gate.node, x.node)
            if kind:
                made = self.activation(name, x, kind)
                return made if factor == 1 else self.scale_shift(f"{name}:scale", made, factor)
        squeezed = a.is_vector != b.is_vector
        found = (
            "a factor for each channel that is computed" if squeezed else "a product of two maps"
        )
        needed = (
            "a constant factor, or functions of one value; no squeeze-and-excite "
            "(MobileNet V1 and V2 have none)"
        )
        return self.pointwise(name, "*", [a, b], found, needed)

    def pointwise(
        self, name: str, word: str, values: Sequence[Value], found: str, needed: str
    ) -> Value:
        """Add what `word` (see `pointwise`) makes of values that are all functions of one."""
        first = values[0]
        same = all((one.axes, one.sizes) == (first.axes, first.sizes) for one in values)
        ends = [one.node for one in values]
        start, kind = combined(self.nodes, ends, word) if same else ("", "")
        if not kind:
            raise refuse(name, found, needed)
        return self.activation(name, replace(first, node=start), kind)

    def quotient(self, name: str, a: Value, b: Value) -> Value:
        """Divide two values: x / (1 + |x|), or other functions of one value."""
        if chain(self.nodes, b.node, a.node) != ["abs", (1.0, 1.0)]:
            needed = "a constant divisor, or functions of one value"
            return self.pointwise(name, "/", [a, b], "a quotient of two maps", needed)
        return self.activation(name, a, "softsign")

    def logarithm(self, name: str, value: Value) -> Value:
        """Take the logarithm; of a sigmoid or of 1 + exp(x) it is a function of its own."""
        node = self.nodes.get(value.node)
        inner = self.nodes.get(node.inputs[0]) if node else None
        if (
            inner
            and inner.attrs.get("kind") == "exp"
            and chain(self.nodes, value.node, inner.name) == [(1.0, 1.0)]
        ):
            return self.activation(name, replace(value, node=inner.inputs[0]), "softplus")
        if node is None or node.attrs.get("kind") != "sigmoid":
            return self.activation(name, value, "log")
        return self.activation(name, replace(value, node=node.inputs[0]), "log_sigmoid")

    def softmax(self, name: str, value: Value, axis: int = -1) -> Value:
        """Add a softmax over the channels."""
        if not value.is_vector or value.shape[axis] != value.sizes[2]:
            raise refuse(name, "softmax of a feature map", "softmax of a vector")
        return self.emit(name, "softmax", [value])

    def _is_flat(self, value: Value) -> bool:
        """Tell whether the node itself is flattened: behind a batch norm of all its values."""
        node = self.nodes.get(value.node)
        return bool(node and node.op == "batch_norm"
                    and len(node.arrays["scale"]) == math.prod(value.sizes)
                    and not value.is_vector)  # fmt: skip


def in_order(value: Value, rows: np.ndarray) -> np.ndarray:
    """Bring rows, one for each value of a flattened map, into the order height, width, channels."""
    height, width, channels = value.sizes
    known = {"h": height, "w": width, "c": channels}
    cube = rows.reshape(*(known[axis] for axis in value.order), -1)
    places = [value.order.index(axis) for axis in "hwc"]
    return cube.transpose(*places, 3).reshape(rows.shape)


def _plain(numbers: np.ndarray) -> float | tuple[float, ...]:
    """Return one number, or one for each colour where they differ."""
    values = tuple(map(float, numbers))
    return values if len(set(values)) > 1 else values[0]
