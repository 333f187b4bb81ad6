"""Lower a graph to the layers that the KPU has: convolution, batch norm, activation, pool.

Padding and strides are checked here, batch norm is folded into weights and bias, strides become
the KPU's "keep the left top pixel" pool: a depthwise layer cannot pool, so its stride moves to the
next 1x1 convolution (nothing in between mixes pixels, so that is exact).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from . import taps
from .graph import Graph, Node
from .registers import MAX_LOADS, weight_loads

LEFT_TOP = 5
POOL_CODES = {("max_pool", 2): 1, ("mean_pool", 2): 2, ("max_pool", 4): 3, ("mean_pool", 4): 4}
MEAN_POOLS = (2, 4)
POOL_STRIDE = {0: 1, 1: 2, 2: 2, 3: 4, 4: 4, LEFT_TOP: 2}
MAX_CHANNELS, MAX_HEIGHT, MAX_WIDTH, MIN_SIDE = 1024, 256, 512, 4
"""What nncase 1.9 gives to the KPU; its registers could say 512x960, which nobody has seen run."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FloatLayer:
    """One KPU layer before quantization.

    Attributes:
        weights: float32 (out, in, kernel*kernel); depthwise (channels, 1, kernel*kernel).
        bias: float32 (out,).
        activation: "linear", "relu", "relu6" or "leaky" (with `slope` below zero).
        pool: the KPU's pool code; LEFT_TOP is a stride of 2.
        in_shape, out_shape: channels, height, width.
    """

    name: str
    depthwise: bool
    kernel: int
    weights: np.ndarray
    bias: np.ndarray
    activation: str
    slope: float
    pool: int
    in_shape: Shape
    out_shape: Shape


@dataclass(frozen=True, slots=True)
class Lowered:
    """The network as KPU layers and what the CPU does after them.

    Attributes:
        scale, offset: what the network makes of a pixel byte: byte * scale + offset.
        layers: the KPU layers, first to last.
        tail: CPU operations: "global_mean", "dense", "softmax" nodes, in order.
    """

    scale: float
    offset: float
    layers: tuple[FloatLayer, ...]
    tail: tuple[Node, ...]


def lower(graph: Graph, *, dense_on_kpu: bool = True) -> Lowered:
    """Lower `graph`.

    Args:
        graph: the network.
        dense_on_kpu: run a dense layer behind global pooling as a 1x1 convolution before it
            (equal in exact arithmetic; saves main memory and CPU time).

    Raises:
        UserError: something in the network does not fit the KPU; says what fits.
    """
    state = _Lowering(graph)
    nodes = list(graph.nodes)
    while nodes and nodes[0].op != "global_mean":
        state.take(nodes.pop(0))
    tail = nodes
    if dense_on_kpu and [node.op for node in nodes[:2]] == ["global_mean", "dense"]:
        dense = nodes.pop(1)
        weights, bias = dense.arrays["w"].T[:, :, None], dense.arrays["b"]
        state.add_conv(dense.name, weights, bias, kernel=1, stride=1)
    state.settle_stride("output")
    state.check_end()
    for node in tail:
        if node.op not in ("global_mean", "dense", "softmax"):
            raise _refuse(node.name, f"{node.op} after pooling", "dense, softmax")
    return Lowered(state.scale, state.offset, tuple(state.layers), tuple(tail))


def _refuse(name: str, found: str, needed: str) -> UserError:
    return UserError("kmodel_operation_unsupported", name, found=found, needed=needed)


class _Lowering:
    def __init__(self, graph: Graph) -> None:
        height, width, channels = graph.input_shape
        self.shape: Shape = (channels, height, width)
        self.scale, self.offset = 1.0, 0.0
        self.layers: list[FloatLayer] = []
        self.padded = False
        self.owed_stride = False  # a depthwise layer's stride 2, not done yet

    def take(self, node: Node) -> None:
        if self.padded and node.op not in ("conv", "depthwise"):
            raise _refuse(node.name, "ZeroPadding2D not before a convolution", "a 3x3 convolution")
        handler = getattr(self, f"_{node.op}", None)
        if handler is None:
            raise _refuse(node.name, node.op, "a place behind global average pooling")
        handler(node)

    def _affine(self, node: Node) -> None:
        if self.layers:
            raise _refuse(node.name, "Rescaling inside the network", "Rescaling as first layer")
        self.offset = self.offset * node.attrs["scale"] + node.attrs["offset"]
        self.scale *= node.attrs["scale"]

    def _pad(self, node: Node) -> None:
        self.padded = True

    def _conv(self, node: Node) -> None:
        kernel, stride = self._check_padding(node)
        w = node.arrays["w"]
        weights = w.transpose(3, 2, 0, 1).reshape(w.shape[3], w.shape[2], -1)
        self.add_conv(node.name, weights, node.arrays["b"], kernel=kernel, stride=stride)

    def _depthwise(self, node: Node) -> None:
        kernel, stride = self._check_padding(node)
        self.settle_stride(node.name)
        weights = node.arrays["w"].transpose(2, 3, 0, 1).reshape(self.shape[0], 1, -1)
        self._append(node.name, weights, node.arrays["b"], kernel, depthwise=True)
        self.owed_stride = stride == 2

    def _check_padding(self, node: Node) -> tuple[int, int]:
        """Return kernel and stride; refuse padding that is not one pixel on every side."""
        kernel, stride = node.attrs["kernel"], node.attrs["stride"]
        padded, self.padded = self.padded, False
        same = node.attrs["padding"] == "same"
        if stride == 2 and (self.shape[1] % 2 or self.shape[2] % 2):
            raise _refuse(
                node.name, f"stride 2 on {self.shape[2]}x{self.shape[1]} pixels", "even sizes"
            )
        if kernel == 1:
            if padded:
                raise _refuse(node.name, "ZeroPadding2D before a 1x1 convolution", "no padding")
            return kernel, stride
        if padded and same:
            raise _refuse(node.name, "padding twice", "ZeroPadding2D(1) with padding='valid'")
        if not padded and not same:
            raise _refuse(node.name, "a 3x3 convolution without padding", "ZeroPadding2D(1)")
        if same and stride == 2:
            raise UserError(
                "kmodel_same_stride", node.name, found=f"{self.shape[1]}x{self.shape[2]} pixels"
            )
        return kernel, stride

    def add_conv(
        self, name: str, weights: np.ndarray, bias: np.ndarray, *, kernel: int, stride: int
    ) -> None:
        """Append an ordinary convolution; a stride owed by a depthwise layer goes with it."""
        pool = LEFT_TOP if stride == 2 else 0
        if self.owed_stride and kernel == 1 and not pool:
            pool, self.owed_stride = LEFT_TOP, False
        self.settle_stride(name)
        self._append(name, weights, bias, kernel, pool=pool)

    def settle_stride(self, name: str) -> None:
        """Do an owed stride by a 1x1 convolution that changes nothing else."""
        if self.owed_stride:
            self.owed_stride = False
            self._append_identity(f"{name}_stride", LEFT_TOP)

    def _append_identity(self, name: str, pool: int) -> None:
        channels = self.shape[0]
        eye = np.eye(channels, dtype=np.float32)[:, :, None]
        self._append(name, eye, np.zeros(channels, np.float32), 1, pool=pool)

    def _append(
        self,
        name: str,
        weights: np.ndarray,
        bias: np.ndarray,
        kernel: int,
        *,
        depthwise: bool = False,
        pool: int = 0,
    ) -> None:
        layer = FloatLayer(
            name=name,
            depthwise=depthwise,
            kernel=kernel,
            weights=np.ascontiguousarray(weights, np.float32),
            bias=np.asarray(bias, np.float32),
            activation="linear",
            slope=0.0,
            pool=pool,
            in_shape=self.shape,
            out_shape=pooled((len(weights), *self.shape[1:]), pool),
        )
        check_limits(layer)
        self.shape = layer.out_shape
        self.layers.append(layer)

    def check_end(self) -> None:
        """Refuse what only the whole network shows: no KPU layer, odd pixels, bad weights."""
        if not self.layers:
            raise _refuse("network", "no convolution", "at least one convolution")
        if self.padded:
            raise _refuse("network", "ZeroPadding2D at its end", "a convolution behind it")
        # Padding is a byte that means 0, so one of the bytes must.
        if not (self.scale > 0 and 0 <= -self.offset / self.scale <= 255):
            found = f"pixels from {self.offset:g} to {self.scale * 255 + self.offset:g}"
            raise _refuse("input", found, "a range that contains 0, such as 0..1 or -1..1")
        for layer in self.layers:
            if not (np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all()):
                raise UserError("kmodel_range", layer.name, found="weights that are not numbers")

    def _last(self, node: Node) -> FloatLayer:
        if not self.layers:
            raise _refuse(node.name, f"{node.op} before the first convolution", "a convolution")
        return self.layers[-1]

    def _batch_norm(self, node: Node) -> None:
        layer = self._last(node)
        if layer.activation != "linear" or layer.pool not in (0, LEFT_TOP):
            raise _refuse(
                node.name, "batch norm behind an activation", "batch norm behind a convolution"
            )
        scale, shift = node.arrays["scale"], node.arrays["shift"]
        weights = (layer.weights * scale[:, None, None]).astype(np.float32)
        bias = (layer.bias * scale + shift).astype(np.float32)
        self.layers[-1] = replace(layer, weights=weights, bias=bias)

    def _activation(self, node: Node) -> None:
        layer = self._last(node)
        kind = node.attrs["kind"]
        if layer.activation != "linear":
            raise _refuse(node.name, "two activations in a row", "one activation")
        if layer.pool in MEAN_POOLS:  # behind a maximum it is the same
            raise _refuse(node.name, "an activation behind a mean", "the activation before it")
        slope = node.attrs.get("slope", 0.0)
        self.layers[-1] = replace(layer, activation=kind, slope=slope)

    def _max_pool(self, node: Node) -> None:
        layer = self._last(node)
        window = node.attrs["window"]
        if node.attrs["padding"] == "same" and any(side % window for side in self.shape[1:]):
            raise _refuse(
                node.name, "pooling with padding='same' of an odd size", "padding='valid'"
            )
        code = POOL_CODES[node.op, window]
        if layer.pool or layer.depthwise or self.owed_stride:
            self.settle_stride(node.name)
            self._append_identity(node.name, code)
            return
        out_shape = pooled(layer.out_shape, code)
        self.layers[-1] = replace(layer, pool=code, out_shape=out_shape)
        check_limits(self.layers[-1])
        self.shape = out_shape

    _mean_pool = _max_pool


def pooled(shape: Shape, pool: int) -> Shape:
    """Return the shape of a map after a pool code."""
    stride = POOL_STRIDE[pool]
    return shape[0], shape[1] // stride, shape[2] // stride


def check_limits(layer: FloatLayer) -> None:
    """Refuse what the KPU's registers cannot say (facts: docs/kmodel.md)."""
    for channels, height, width in (layer.in_shape, layer.out_shape):
        if channels > MAX_CHANNELS or height > MAX_HEIGHT or width > MAX_WIDTH:
            raise _refuse(
                layer.name,
                f"a feature map of {width}x{height} with {channels} channels",
                f"at most {MAX_WIDTH}x{MAX_HEIGHT} and {MAX_CHANNELS} channels",
            )
        if min(height, width) < MIN_SIDE:
            raise _refuse(
                layer.name, f"a feature map of {width}x{height}", "feature maps of 4x4 or larger"
            )
    channels, outputs, taps = layer.in_shape[0], len(layer.weights), layer.kernel**2
    if weight_loads(taps, channels, outputs, depthwise=layer.depthwise)[0] > MAX_LOADS:
        raise _refuse(
            layer.name,
            f"{layer.kernel}x{layer.kernel} weights {layer.in_shape[0]} to {layer.out_shape[0]}",
            "fewer channels: weights must load in 64 pieces of 30 KiB",
        )


def run_float(layer: FloatLayer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run one layer in float32.

    Args:
        layer: the layer.
        x: (n, in channels, h, w).

    Returns:
        Sums with bias before the activation, and values after the activation, both
        (n, out channels, h, w) before a real pool (a stride of 2 is already taken).
    """
    sums = float_sums(layer, x)
    sums += layer.bias[None, :, None, None]
    return sums, activate(layer, sums)


def float_sums(layer: FloatLayer, x: np.ndarray) -> np.ndarray:
    """Return the plain convolution of x without bias."""
    stride = 2 if layer.pool == LEFT_TOP else 1
    if layer.kernel == 1 and not layer.depthwise:
        view = x[:, :, ::stride, ::stride]
        return taps.pointwise(np.ascontiguousarray(view), layer.weights[:, :, 0])
    if not layer.depthwise:
        weights = layer.weights.reshape(*layer.weights.shape[:2], 3, 3)
        return taps.full3x3(taps.padded(x, 0), weights, stride)
    weights = layer.weights[:, 0]
    if layer.kernel == 1:
        return x * weights[None, :, :, None]
    count, channels, height, width = x.shape
    out = np.empty(x.shape, np.float32)

    def finish(picture: int, block: slice, total: np.ndarray) -> None:
        out[picture, block] = total

    taps.depthwise3x3(
        lambda picture, block: taps.padded(x[picture : picture + 1, block], 0)[0],
        weights,
        (count, channels, height, width),
        1,
        finish,
    )
    return out


def activate(layer: FloatLayer, sums: np.ndarray) -> np.ndarray:
    """Apply the float activation."""
    if layer.activation == "linear":
        return sums
    if layer.activation == "leaky":
        return np.where(sums < 0, sums * np.float32(layer.slope), sums)
    return np.clip(sums, 0, 6 if layer.activation == "relu6" else None)


def pool_float(layer: FloatLayer, values: np.ndarray) -> np.ndarray:
    """Apply a real pool (1..4) to float values; a stride has been taken by `run_float`."""
    if layer.pool in (0, LEFT_TOP):
        return values
    window = POOL_STRIDE[layer.pool]
    channels, height, width = layer.out_shape
    cut = values[:, :, : height * window, : width * window]
    parts = cut.reshape(len(values), channels, height, window, width, window)
    return parts.max((3, 5)) if layer.pool in (1, 3) else parts.mean((3, 5))
