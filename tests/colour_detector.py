"""A detector that nobody trained: it finds red and green squares by weights written by hand."""

import numpy as np
from PIL import Image

from host import kmodel
from host.kmodel import Graph, Node

LABELS = ("red", "green")
ANCHORS = (2.0, 2.0, 1.0, 3.0, 3.0, 1.0, 4.0, 4.0, 1.0, 1.0)
"""Only the first one is ever used: a box is about two grid cells of 32 pixels wide and high."""
FINE_ANCHORS = tuple(2 * side for side in ANCHORS)
"""The same for cells of 16 pixels."""


def grid(width: int = 224, height: int = 224) -> tuple[int, int]:
    """Return columns and rows of a network's output; the chip halves even sizes only."""
    stride = 16 if width % 32 or height % 32 else 32
    return width // stride, height // stride


def network(width: int = 224, height: int = 224, classes: int = 2, pools: int = 0) -> bytes:
    """Return the kmodel: halvings of how red and how green a place is, then the head.

    `pools` further halvings are pools, which round odd sizes down.
    """
    mean = np.full((3, 3), 1 / 9, np.float32)
    colours = np.array([[1, -0.5], [-0.5, 1], [-0.5, -0.5]], np.float32)  # of red, green, blue
    first = mean[:, :, None, None] * colours
    again = mean[:, :, None, None] * np.eye(2, dtype=np.float32)
    nodes = [Node("input", "affine", {"scale": 1 / 255, "offset": 0.0})]
    for number in range(int(np.log2(width // grid(width, height)[0]))):
        w = again if number else first
        nodes += [
            Node(f"pad{number}", "pad"),
            Node(f"conv{number}", "conv", {"kernel": 3, "stride": 2, "padding": "valid"},
                 {"w": w, "b": np.zeros(2, np.float32)}),
            Node(f"relu{number}", "activation", {"kind": "relu6"}),
        ]  # fmt: skip
    valid = {"window": 2, "stride": 2, "padding": "valid"}
    nodes += [Node(f"pool{number}", "mean_pool", valid) for number in range(pools)]
    head = np.zeros((1, 1, 2, 5, 5 + classes), np.float32)
    bias = np.zeros((5, 5 + classes), np.float32)
    head[..., 0, 4] = 20
    bias[:, 4] = -12
    bias[0, :5] = 0.3, -0.2, 0.1, -0.05, -5  # corners are far from whole pixels
    head[0, 0, 0, :, 5] = 8
    if classes > 1:
        head[0, 0, 1, :, 6] = 8
    last = {"w": head.reshape(1, 1, 2, -1), "b": bias.reshape(-1)}
    nodes.append(Node("head", "conv", {"kernel": 1, "stride": 1, "padding": "same"}, last))
    pictures = np.stack([np.asarray(scene(n, width, height)) for n in range(12)])
    return kmodel.compile(Graph(tuple(nodes), (height, width, 3)), pictures).data


def scene(seed: int, width: int = 320, height: int = 240, squares: int = 2) -> Image.Image:
    """Return a grey picture with red and green squares, in colours that RGB565 keeps."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 66, np.uint8)
    picture[..., 1] = 65
    for number in range(squares):
        x, y = rng.integers(0, width - 64), rng.integers(0, height - 64)
        picture[y : y + 64, x : x + 64] = (0, 0, 0)
        picture[y : y + 64, x : x + 64, (seed + number) % 2] = 255
    return Image.fromarray(picture)
