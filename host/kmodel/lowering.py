"""Lower a graph to steps: what the KPU does, and what the CPU does around it.

Padding and strides are checked here, batch norm is folded into weights and bias, strides become
the KPU's "keep the left top pixel" pool: a depthwise layer cannot pool, so its stride moves to the
1x1 convolution behind it (nothing in between mixes pixels, so that is exact). Where an operation
cannot be folded into the layer before it, a 1x1 convolution that changes nothing is put in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .activation import never_falls
from .colours import Input
from .constraints import Value, check_padding, check_whole, sources_of
from .fold import (
    LEFT_TOP,
    MAX_CHANNELS,
    MEAN_POOLS,
    POOL_CODES,
    FloatLayer,
    Shape,
    check_limits,
    pooled,
    refuse,
)
from .graph import Graph, Node
from .steps import PICTURE, CpuOp, Kind, Lowered, Step

CLAMPS = ("relu", "relu6")
FLOAT_DENSE = 64 << 10
"""Bytes of float weights up to which a dense layer stays on the CPU; the KPU's are a quarter."""


def lower(graph: Graph, *, dense_on_kpu: bool = True, fold_colours: bool = True) -> Lowered:
    """Lower `graph`.

    Args:
        graph: the network.
        dense_on_kpu: run a dense layer behind global pooling as a 1x1 convolution before it
            (equal in exact arithmetic; saves main memory and CPU time).
        fold_colours: put a scale for each colour into the first layer (see `colours`); without
            it `Lowered.colours` holds it, and padding is exact, as the chip cannot have it.

    Raises:
        UserError: something in the network does not fit the KPU; says what fits.
    """
    return _Lowering(graph, dense_on_kpu, fold_colours).run()


class _Lowering:
    def __init__(self, graph: Graph, dense_on_kpu: bool, fold_colours: bool) -> None:
        height, width, channels = graph.input_shape
        self.picture: Shape = (channels, height, width)
        self.nodes, self.dense_on_kpu = graph.nodes, dense_on_kpu
        self.sources = sources_of(graph)
        self.readers = Counter(source for inputs in self.sources for source in inputs)
        self.input = Input(channels, fold=fold_colours)
        self.steps: list[Step] = []
        self.done: dict[int, Value] = {PICTURE: Value(PICTURE, self.picture)}
        self.alone = True  # no other node reads what the present one reads
        self.shared: set[int] = set()  # steps that several nodes read: they stay as they are

    def run(self) -> Lowered:
        for number, node in enumerate(self.nodes):
            if number in self.done:
                continue
            values = [self.done[source] for source in self.sources[number]]
            self.alone = all(self.readers[source] == 1 for source in self.sources[number])
            if not self.alone:
                self.shared.update(value.step for value in values)
            self.done[number] = self.take(number, node, values)
        leaves = [number for number in range(len(self.nodes)) if not self.readers[number]]
        outputs = tuple(self.finish(self.done[leaf]) for leaf in leaves)
        scale, offset = self.input.meaning()
        lowered = Lowered(scale, offset, self.picture, tuple(self.steps), outputs,
                          tuple(self.input.notes), self.input.kept)  # fmt: skip
        check_whole(lowered)
        return lowered

    def take(self, number: int, node: Node, values: list[Value]) -> Value:
        value = values[0]
        if any(one.padded for one in values) and node.op not in ("conv", "depthwise"):
            raise refuse(node.name, "ZeroPadding2D not before a convolution", "a 3x3 convolution")
        if node.op == "global_mean":
            return self.global_mean(number, value)
        if node.op in ("add", "concat"):
            return self.join(node, values)
        handler: Callable[[Node, Value], Value] | None = HANDLERS.get(node.op)
        if handler is None:
            raise refuse(node.name, node.op, ", ".join(sorted(HANDLERS)))
        return handler(self, node, value)  # type: ignore[call-arg]

    def affine(self, node: Node, value: Value) -> Value:
        if value.step != PICTURE or self.steps or not self.alone:
            raise refuse(node.name, "Rescaling inside the network", "Rescaling as first layer")
        self.input.then(node.attrs["scale"], node.attrs["offset"])
        return value

    def pad(self, node: Node, value: Value) -> Value:
        return replace(value, padded=True)

    def conv(self, node: Node, value: Value) -> Value:
        value = self.as_map(node, value)
        kernel, stride = check_padding(node, value)
        w = node.arrays["w"]
        weights = w.transpose(3, 2, 0, 1).reshape(w.shape[3], w.shape[2], -1)
        return self.add_conv(node.name, value, weights, node.arrays["b"], kernel, stride)

    def depthwise(self, node: Node, value: Value) -> Value:
        value = self.as_map(node, value)
        kernel, stride = check_padding(node, value)
        value = self.settle(node.name, value)
        weights = node.arrays["w"].transpose(2, 3, 0, 1).reshape(value.shape[0], 1, -1)
        made = self.append(node.name, value, weights, node.arrays["b"], kernel, depthwise=True)
        return replace(made, owed=stride == 2)

    def add_conv(
        self,
        name: str,
        value: Value,
        weights: np.ndarray,
        bias: np.ndarray,
        kernel: int = 1,
        stride: int = 1,
    ) -> Value:
        """Append an ordinary convolution; a stride owed by a depthwise layer goes with it."""
        pool = LEFT_TOP if stride == 2 else 0
        if value.owed and kernel == 1 and not pool:
            pool, value = LEFT_TOP, replace(value, owed=False)
        value = self.settle(name, value)
        return self.append(name, value, weights, bias, kernel, pool=pool)

    def settle(self, name: str, value: Value) -> Value:
        """Do an owed stride by a 1x1 convolution that changes nothing else."""
        return self.identity(f"{name}_stride", value, LEFT_TOP) if value.owed else value

    def identity(self, name: str, value: Value, pool: int = 0) -> Value:
        """Append a 1x1 convolution that changes nothing but what its pool does."""
        channels = value.shape[0]
        eye = np.eye(channels, dtype=np.float32)[:, :, None]
        made = self.append(name, value, eye, np.zeros(channels, np.float32), 1, pool=pool)
        return replace(made, form=value.form)

    def append(
        self,
        name: str,
        value: Value,
        weights: np.ndarray,
        bias: np.ndarray,
        kernel: int,
        *,
        depthwise: bool = False,
        pool: int = 0,
    ) -> Value:
        channels, height, width = value.shape
        if value.step == PICTURE:
            weights, bias = self.input.first(name, weights, bias)
        layer = FloatLayer(
            name=name,
            depthwise=depthwise,
            kernel=kernel,
            weights=np.ascontiguousarray(weights, np.float32),
            bias=np.asarray(bias, np.float32),
            activation="linear",
            slope=0.0,
            pool=pool,
            in_shape=(channels, height, width),
            out_shape=pooled((len(weights), height, width), pool),
        )
        check_limits(layer)
        self.steps.append(Step(layer, (value.step,)))
        return Value(len(self.steps) - 1, layer.out_shape, form=value.form)

    def cpu(self, name: str, kind: Kind, values: list[Value], shape: tuple[int, ...], **more: Any
            ) -> Value:  # fmt: skip
        """Append an operation of the CPU and return its value as a vector or map of floats."""
        self.steps.append(
            Step(CpuOp(name, kind, shape, **more), tuple(value.step for value in values))
        )
        form = "floats" if len(shape) == 3 else "vector"
        return Value(len(self.steps) - 1, shape, form=form)

    def as_map(self, node: Node, value: Value) -> Value:
        if value.form != "map":
            raise refuse(node.name, f"{node.op} behind a vector", "dense or softmax")
        return value

    def joinable(self, node: Node, value: Value) -> Value:
        """Return `value` as a map of bytes that the CPU can read."""
        value = self.settle(node.name, self.as_map(node, value))
        if value.step == PICTURE:
            raise refuse(node.name, f"{node.op} of the picture itself", "a convolution first")
        return value

    def join(self, node: Node, values: list[Value]) -> Value:
        """Add or concatenate maps."""
        values = [self.joinable(node, value) for value in values]
        shapes: set[tuple[int, ...]] = {value.shape for value in values}
        if node.op == "add":
            if len(shapes) != 1 or len(values) < 2:
                raise refuse(node.name, f"add of {sorted(shapes)}", "maps of one shape")
            total = values[0]
            for value in values[1:]:
                total = self.cpu(node.name, "add", [total, value], total.shape)
            return replace(total, form="map")
        if len({shape[1:] for shape in shapes}) != 1:
            raise refuse(node.name, f"concat of {sorted(shapes)}", "maps of one height and width")
        _, height, width = values[0].shape
        shape: tuple[int, ...] = (sum(value.shape[0] for value in values), height, width)
        return replace(self.cpu(node.name, "concat", values, shape), form="map")

    def resize(self, node: Node, value: Value) -> Value:
        value = self.joinable(node, value)
        rows, columns = node.attrs["scale"]
        channels, height, width = value.shape
        shape = (channels, height * rows, width * columns)
        made = self.cpu(node.name, "resize", [value], shape, factors=(rows, columns))
        return replace(made, form="map")

    def own_layer(self, value: Value) -> FloatLayer | None:
        """Return the KPU layer behind `value` when it may still be changed, else None."""
        op = self.last_op(value)
        return op if isinstance(op, FloatLayer) else None

    def last_op(self, value: Value) -> FloatLayer | CpuOp | None:
        """Return what makes `value` when only the present node reads it, else None."""
        if value.step == PICTURE or value.step in self.shared:
            return None
        return self.steps[value.step].op

    def change(self, value: Value, layer: FloatLayer) -> Value:
        self.steps[value.step] = Step(layer, self.steps[value.step].inputs)
        return replace(value, shape=layer.out_shape)

    def batch_norm(self, node: Node, value: Value) -> Value:
        scale, shift = node.arrays["scale"], node.arrays["shift"]
        last = self.last_op(value)
        if isinstance(last, CpuOp) and last.kind == "dense":
            w, b = last.arrays["w"] * scale, last.arrays["b"] * scale + shift
            arrays = {"w": w.astype(np.float32), "b": b.astype(np.float32)}
            self.steps[value.step] = Step(
                replace(last, arrays=arrays), self.steps[value.step].inputs
            )
            return value
        if value.form == "floats":
            raise refuse(node.name, "batch norm of a flattened map", "it before the Flatten")
        if value.form == "vector":
            value = self.to_pixel(node.name, value)
        layer = self.own_layer(value)
        if layer is None or layer.activation != "linear" or layer.pool not in (0, LEFT_TOP):
            if value.step == PICTURE:
                raise refuse(node.name, "batch norm of the picture", "Rescaling")
            value = self.identity(node.name, self.settle(node.name, value))
            layer = self.steps[value.step].op
        assert isinstance(layer, FloatLayer)
        weights = (layer.weights * scale[:, None, None]).astype(np.float32)
        bias = (layer.bias * scale + shift).astype(np.float32)
        return self.change(value, replace(layer, weights=weights, bias=bias))

    def activation(self, node: Node, value: Value) -> Value:
        kind, slope = node.attrs["kind"], node.attrs.get("slope", 0.0)
        last = self.last_op(value)
        if isinstance(last, CpuOp) and last.kind == "add" and kind in CLAMPS:
            step = self.steps[value.step]
            self.steps[value.step] = Step(replace(last, clamp=kind), step.inputs)
            return value
        if value.form == "vector":
            value = self.to_pixel(node.name, value)
            value = self.identity(node.name, value)
            return self.change(value, self._activated(value, kind, slope))
        layer = self.own_layer(value)
        if value.form == "floats":
            raise refuse(node.name, "an activation of a flattened map", "it before the Flatten")
        # Behind a maximum it is the same, unless it falls somewhere.
        mixed = layer and layer.pool not in (0, LEFT_TOP) and not never_falls(kind, slope)
        if layer is None or layer.activation != "linear" or layer.pool in MEAN_POOLS or mixed:
            if value.step == PICTURE:
                raise refuse(node.name, "an activation of the picture", "a convolution first")
            value = self.identity(node.name, self.settle(node.name, value))
        return self.change(value, self._activated(value, kind, slope))

    def _activated(self, value: Value, kind: str, slope: float) -> FloatLayer:
        layer = self.steps[value.step].op
        assert isinstance(layer, FloatLayer)
        return replace(layer, activation=kind, slope=slope)

    def to_pixel(self, name: str, value: Value) -> Value:
        """Bring a vector of floats onto the KPU."""
        channels = int(np.prod(value.shape))
        if channels > MAX_CHANNELS:
            raise refuse(name, f"a vector of {channels} values", f"at most {MAX_CHANNELS}")
        made = self.cpu(name, "to_map", [value], (channels, 4, 4))
        return replace(made, form="pixel")

    def pool(self, node: Node, value: Value) -> Value:
        value = self.as_map(node, value)
        window, stride = node.attrs["window"], node.attrs["stride"]
        height, width = (side // 2 if value.owed else side for side in value.shape[1:])
        if node.attrs["padding"] == "same" and (height % stride or width % stride):
            raise refuse(node.name, "pooling with padding='same' of an odd size", "padding='valid'")
        code = POOL_CODES[node.op, window, stride]
        layer = self.own_layer(value)
        if layer is None or layer.pool or layer.depthwise or value.owed:
            if value.step == PICTURE:
                raise refuse(node.name, f"{node.op} of the picture", "a convolution")
            return self.identity(node.name, self.settle(node.name, value), code)
        made = replace(layer, pool=code, out_shape=pooled(layer.out_shape, code))
        check_limits(made)
        return self.change(value, made)

    def global_mean(self, number: int, value: Value) -> Value:
        node = self.nodes[number]
        value = self.settle(node.name, self.as_map(node, value))
        behind = self.only_reader(number)
        if self.dense_on_kpu and behind is not None and self.nodes[behind].op == "dense":
            after = self.only_reader(behind)
            ends = after is None or self.nodes[after].op == "softmax"
            if ends and self.nodes[behind].arrays["w"].shape[1] <= MAX_CHANNELS:
                dense = self.nodes[behind]
                weights = dense.arrays["w"].T[:, :, None]
                value = self.add_conv(dense.name, value, weights, dense.arrays["b"])
                self.done[behind] = made = self.mean_of(node.name, value)
                return made
        return self.mean_of(node.name, value)

    def mean_of(self, name: str, value: Value) -> Value:
        floats = self.cpu(name, "dequantize", [value], value.shape)
        return self.cpu(name, "global_mean", [floats], (value.shape[0],))

    def only_reader(self, number: int) -> int | None:
        readers = [n for n, sources in enumerate(self.sources) if number in sources]
        return readers[0] if len(readers) == 1 else None

    def flatten(self, node: Node, value: Value) -> Value:
        if value.form in ("vector", "pixel"):
            return value
        value = self.settle(node.name, self.as_map(node, value))
        return self.cpu(node.name, "dequantize", [value], value.shape)

    def dense(self, node: Node, value: Value) -> Value:
        w, b = node.arrays["w"], node.arrays["b"]
        if value.form == "pixel":
            return self.add_conv(node.name, value, w.T[:, :, None], b)
        if value.form == "map":
            raise refuse(node.name, "dense on a feature map", "Flatten or global pooling first")
        if value.form == "floats":  # the board's order is channels, rows, columns; Keras' is not
            channels, height, width = value.shape
            w = w.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(w.shape)
        if self.dense_on_kpu and w.nbytes > FLOAT_DENSE and max(w.shape) <= MAX_CHANNELS:
            pixel = self.to_pixel(f"{node.name}_input", value)
            return self.add_conv(node.name, pixel, w.T[:, :, None], b)
        arrays = {"w": np.ascontiguousarray(w, np.float32), "b": np.asarray(b, np.float32)}
        return self.cpu(node.name, "dense", [value], (len(b),), arrays=arrays)

    def softmax(self, node: Node, value: Value) -> Value:
        value = self.as_vector(value)
        if value.form != "vector":
            raise refuse(node.name, "softmax of a feature map", "softmax of a vector")
        return self.cpu(node.name, "softmax", [value], value.shape)

    def as_vector(self, value: Value) -> Value:
        if value.form == "pixel":
            channels = value.shape[0]
            pixel = self.cpu("output", "from_map", [value], (channels,))
            return self.cpu("output", "dequantize", [pixel], (channels,))
        return value

    def finish(self, value: Value) -> int:
        """Return the step that gives `value` as floats."""
        if value.padded:
            raise refuse("network", "ZeroPadding2D at its end", "a convolution behind it")
        value = self.as_vector(self.settle("output", value))
        if value.form == "map":
            if value.step == PICTURE:
                raise refuse("network", "no convolution", "at least one convolution")
            value = self.cpu("output", "dequantize", [value], value.shape)
        return value.step


HANDLERS: dict[str, Any] = {
    "affine": _Lowering.affine,
    "pad": _Lowering.pad,
    "conv": _Lowering.conv,
    "depthwise": _Lowering.depthwise,
    "batch_norm": _Lowering.batch_norm,
    "activation": _Lowering.activation,
    "max_pool": _Lowering.pool,
    "mean_pool": _Lowering.pool,
    "resize": _Lowering.resize,
    "flatten": _Lowering.flatten,
    "dense": _Lowering.dense,
    "softmax": _Lowering.softmax,
}
