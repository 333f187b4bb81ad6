"""Random little networks, and what they compute, in float64 and plain numpy (Keras' meaning)."""

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from host.kmodel import Graph, Node
from host.kmodel.activation import function


def run64(graph, images):
    """Return what the network makes of uint8 images (n, h, w, c), as float64."""
    x = images.astype(np.float64)
    results = {"": x}
    for node in graph.nodes:
        inputs = [results[name] for name in node.inputs] or [x]
        if node.op in JOINS:
            x = JOINS[node.op](inputs)
        else:
            x = OPERATIONS[node.op](inputs[0], node.attrs, node.arrays)
        results[node.name] = x
    return x


JOINS = {"add": sum, "concat": lambda inputs: np.concatenate(inputs, -1)}


def _windows(x, attrs):
    kernel, stride = attrs["kernel"], attrs["stride"]
    if attrs["padding"] == "same":
        assert stride == 1 or kernel == 1  # what we hold for equal to the KPU's padding
        border = kernel // 2
        x = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
    windows = sliding_window_view(x, (kernel, kernel), (1, 2))
    height, width = (side // stride * stride for side in windows.shape[1:3])
    return windows[:, :height:stride, :width:stride]


def _conv(x, attrs, arrays):
    return np.einsum("nyxcij,ijco->nyxo", _windows(x, attrs), arrays["w"]) + arrays["b"]


def _depthwise(x, attrs, arrays):
    return np.einsum("nyxcij,ijcm->nyxc", _windows(x, attrs), arrays["w"]) + arrays["b"]


def _activation(x, attrs, arrays):
    if attrs["kind"] == "leaky":
        return np.where(x < 0, x * attrs["slope"], x)
    if attrs["kind"] not in ("relu", "relu6"):  # compared with Keras in test_activation.py
        return function(attrs["kind"], attrs.get("slope", 0.0))(x)
    return np.clip(x, 0, 6 if attrs["kind"] == "relu6" else None)


def _pool(x, attrs, reduce):
    window = attrs["window"]
    if attrs["stride"] == 1:
        whole = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), "edge")
        return reduce(sliding_window_view(whole, (window, window), (1, 2)), (4, 5))
    count, height, width, channels = x.shape
    height, width = height // window, width // window
    cut = x[:, : height * window, : width * window]
    return reduce(cut.reshape(count, height, window, width, window, channels), (2, 4))


def _softmax(x, attrs, arrays):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


OPERATIONS = {
    "affine": lambda x, attrs, arrays: x * attrs["scale"] + attrs["offset"],
    "pad": lambda x, attrs, arrays: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
    "conv": _conv,
    "depthwise": _depthwise,
    "batch_norm": lambda x, attrs, arrays: x * arrays["scale"] + arrays["shift"],
    "activation": _activation,
    "max_pool": lambda x, attrs, arrays: _pool(x, attrs, np.max),
    "mean_pool": lambda x, attrs, arrays: _pool(x, attrs, np.mean),
    "global_mean": lambda x, attrs, arrays: x.mean((1, 2)),
    "dense": lambda x, attrs, arrays: x @ arrays["w"].astype(np.float64) + arrays["b"],
    "softmax": _softmax,
    "flatten": lambda x, attrs, arrays: x.reshape(len(x), -1),
    "resize": lambda x, attrs, arrays: x.repeat(attrs["scale"][0], 1).repeat(attrs["scale"][1], 2),
}


class Builder:
    """Appends nodes with random weights; `channels` follows the last one."""

    def __init__(self, seed, channels=3):
        self.rng = np.random.default_rng(seed)
        self.channels = channels
        self.nodes = []

    def add(self, op, attrs=None, **arrays):
        floats = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
        self.nodes.append(Node(f"{op}_{len(self.nodes)}", op, attrs or {}, floats))
        return self

    @property
    def last(self):
        """The name of the last node."""
        return self.nodes[-1].name

    def reading(self, *names):
        """Make the last node read these."""
        self.nodes[-1] = replace(self.nodes[-1], inputs=names)
        return self

    def join(self, op, *names):
        """Add or concatenate the last node and those of these names."""
        return self.add(op).reading(self.nodes[-2].name, *names)

    def dense(self, outputs, inputs=None):
        size = (inputs or self.channels, outputs)
        weights = self.rng.normal(size=size) * np.sqrt(2 / size[0])
        self.channels = outputs
        return self.add("dense", w=weights, b=self.rng.normal(size=outputs) * 0.1)

    def rescale(self, scale, offset):
        return self.add("affine", {"scale": scale, "offset": offset})

    def conv(self, outputs, kernel=3, stride=1):
        size = (kernel, kernel, self.channels, outputs)
        weights = self.rng.normal(size=size) * np.sqrt(2 / (kernel**2 * self.channels))
        self.channels = outputs
        return self._placed("conv", kernel, stride, weights, outputs)

    def depthwise(self, stride=1, kernel=3):
        weights = self.rng.normal(size=(kernel, kernel, self.channels, 1)) * np.sqrt(2) / kernel
        return self._placed("depthwise", kernel, stride, weights, self.channels)

    def _placed(self, op, kernel, stride, weights, outputs):
        padded = kernel == 3 and stride == 2
        if padded:
            self.add("pad")
        attrs = {"kernel": kernel, "stride": stride, "padding": "valid" if padded else "same"}
        return self.add(op, attrs, w=weights, b=self.rng.normal(size=outputs) * 0.1)

    def norm(self):
        scale = self.rng.uniform(0.6, 1.6, self.channels) * self.rng.choice([1, 1, 1, -1])
        return self.add("batch_norm", scale=scale, shift=self.rng.normal(size=self.channels) * 0.3)

    def act(self, kind, slope=0.1):
        if kind == "linear":
            return self
        return self.add("activation", {"kind": kind, "slope": slope})

    def pool(self, kind="max", window=2, stride=None):
        attrs = {"window": window, "stride": stride or window}
        return self.add(f"{kind}_pool", attrs | {"padding": "same" if stride == 1 else "valid"})

    def head(self, classes, softmax=True):
        self.add("global_mean")
        weights = self.rng.normal(size=(self.channels, classes)) / np.sqrt(self.channels) * 4
        self.add("dense", w=weights, b=self.rng.normal(size=classes) * 0.3)
        return self.add("softmax") if softmax else self

    def graph(self, height=32, width=32):
        first = next(node for node in self.nodes if "w" in node.arrays)
        return Graph(tuple(self.nodes), (height, width, first.arrays["w"].shape[2]))


def random_network(seed, head=False):
    """A chain as MobileNet and small YOLOs have it: 8 to 64 channels, strides, pools, leaky."""
    build = Builder(seed)
    rng = build.rng
    scale, offset = [(1 / 127.5, -1.0), (1 / 255, 0.0), (1.0, -128.0)][rng.integers(3)]
    build.rescale(scale if scale < 1 else 1 / 128, offset if scale < 1 else -1.0)
    build.conv(8 * int(rng.integers(1, 4)), 3, int(rng.integers(1, 3)))
    kind = str(rng.choice(["relu6", "relu", "leaky"]))
    build.norm().act(kind)
    for _ in range(int(rng.integers(1, 4))):
        choice = rng.integers(4)
        if choice < 2:  # a block of MobileNet
            build.depthwise(int(choice) + 1 if rng.random() < 0.7 else 1).norm().act(kind)
            build.conv(8 * int(rng.integers(1, 9)), 1).norm().act(kind)
        elif choice == 2:
            build.conv(8 * int(rng.integers(1, 9))).norm().act(kind).pool()
        else:
            build.conv(8 * int(rng.integers(1, 5)), 1).act("linear")
    return build.head(int(rng.integers(2, 9))).graph(64, 48) if head else build.graph(64, 48)


def photos(seed, shape, count):
    """Smooth noise: uint8 (count, height, width, channels) with shadows and edges."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    coarse = rng.uniform(0, 255, (count, -(-height // 8), -(-width // 8), channels))
    smooth = np.kron(coarse, np.ones((1, 8, 8, 1)))[:, :height, :width]
    noisy = smooth + rng.normal(size=smooth.shape) * 20
    return noisy.clip(0, 255).astype(np.uint8)
