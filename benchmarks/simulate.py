"""Pictures per second of the K210 simulator, beside the vendor's.

    python -m benchmarks.simulate [--images 32] [--size 224] [--alpha 0.75]

A MobileNetV1 without its head, with random weights: ours is compiled to a kmodel V3 and run by
`host.kmodel.Simulator`; the same network is compiled by nncase 1.9 to a kmodel V5 and run by
`nncase.Simulator` where an interpreter with it exists (TEST_NNCASE_PYTHON, build/nncase-venv).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from host.kmodel import Graph, Node, Options, Simulator, compile

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
BLOCKS += [(1024, 2), (1024, 1)]
"""Channels and stride of each depthwise separable block (Howard et al. 2017, table 1)."""


def mobilenet(size: int, alpha: float) -> Graph:
    """Return MobileNetV1's convolutions with random weights, padded on all sides."""
    rng = np.random.default_rng(0)
    nodes = [Node("scale", "affine", {"scale": 1 / 127.5, "offset": -1.0})]

    def conv(op: str, kernel: int, stride: int, shape: tuple[int, ...], outputs: int) -> None:
        weights = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:3]))
        if op == "depthwise":
            weights *= np.sqrt(shape[2])
        if stride == 2:
            nodes.append(Node(f"pad_{len(nodes)}", "pad"))
        attrs = {
            "kernel": kernel,
            "stride": stride,
            "padding": "valid" if stride == 2 else "same",
        }
        arrays = {"w": weights.astype(np.float32), "b": np.zeros(outputs, np.float32)}
        nodes.append(Node(f"{op}_{len(nodes)}", op, attrs, arrays))
        nodes.append(Node(f"relu_{len(nodes)}", "activation", {"kind": "relu6"}))

    channels = int(32 * alpha)
    conv("conv", 3, 2, (3, 3, 3, channels), channels)
    for wanted, stride in BLOCKS:
        outputs = int(wanted * alpha)
        conv("depthwise", 3, stride, (3, 3, channels, 1), channels)
        conv("conv", 1, 1, (1, 1, channels, outputs), outputs)
        channels = outputs
    return Graph(tuple(nodes), (size, size, 3))


def ours(size: int, alpha: float, images: np.ndarray) -> dict[str, float]:
    """Compile and simulate; returns seconds of each step."""
    graph = mobilenet(size, alpha)
    start = time.perf_counter()
    compiled = compile(graph, images[:32], Options(bias_images=8))
    compiled_at = time.perf_counter()
    simulator = Simulator(compiled.data)
    simulator.run(images[:1])
    ready = time.perf_counter()
    simulator.run(images)
    done = time.perf_counter()
    return {
        "compile_seconds": compiled_at - start,
        "load_seconds": ready - compiled_at,
        "images_per_second": len(images) / (done - ready),
        "kmodel_bytes": len(compiled.data),
    }


def theirs(size: int, alpha: float, images: int) -> dict[str, float] | None:
    """Do the same with nncase in its own interpreter; None where there is none."""
    default = ROOT / "build" / "nncase-venv" / "bin" / "python"
    python = os.environ.get("TEST_NNCASE_PYTHON") or str(default)
    if not Path(python).is_file():
        return None
    script = ROOT / "tests" / "kmodel" / "nncase_speed.py"
    command = [python, str(script), str(size), str(alpha), str(images)]
    with tempfile.TemporaryDirectory() as folder:  # nncase leaves a file where it runs
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print one line for each simulator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--alpha", type=float, default=0.75)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (args.images, args.size, args.size, 3), dtype=np.uint8)
    print(f"MobileNetV1 {args.alpha} at {args.size} without head; {os.cpu_count()} cores,")
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{'simulator':<24}{'images/s':>10}{'compile s':>11}{'kmodel bytes':>14}")
    rows = {
        "host.kmodel": ours(args.size, args.alpha, images),
        "nncase 1.9.0.20230322": theirs(args.size, args.alpha, max(2, args.images // 8)),
    }
    for name, row in rows.items():
        if row is None:
            print(f"{name:<24}{'not installed':>14}")
            continue
        speed, seconds = row["images_per_second"], row["compile_seconds"]
        print(f"{name:<24}{speed:>10.2f}{seconds:>11.1f}{row['kmodel_bytes']:>14,.0f}")


if __name__ == "__main__":
    main()
