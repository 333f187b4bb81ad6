"""The vendor's half of benchmarks/simulate.py; runs in nncase's interpreter (Python 3.7-3.10).

python nncase_speed.py SIZE ALPHA IMAGES prints one line of JSON.
"""

import json
import sys
import time

import numpy as np
from nncase_run import blob, compile_v5, node, number, quiet, run_file, tensor, value_info

BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5
BLOCKS += [(1024, 2), (1024, 1)]


def mobilenet(size, alpha):
    """Return MobileNetV1's convolutions as an ONNX file, padded by one pixel on all sides."""
    rng = np.random.default_rng(0)
    nodes, tensors, infos = [], [], []
    channels, side, last = 3, size, "x"

    def conv(outputs, kernel, stride, depthwise):
        nonlocal channels, side, last
        number_of = len(nodes)
        weight, bias, result = (f"{letter}{number_of}" for letter in "wbc")
        inputs = 1 if depthwise else channels
        scale = np.sqrt(2 / (kernel**2 * inputs))
        tensors.append(tensor(weight, rng.normal(size=(outputs, inputs, kernel, kernel)) * scale))
        tensors.append(tensor(bias, np.zeros(outputs)))
        attributes = {
            "kernel_shape": [kernel, kernel],
            "pads": [kernel // 2] * 4,
            "strides": [stride, stride],
            "group": channels if depthwise else 1,
        }
        nodes.append(node("Conv", [last, weight, bias], result, **attributes))
        nodes.append(node("Relu", [result], f"r{number_of}"))
        channels, side, last = outputs, side // stride, f"r{number_of}"
        infos.extend(value_info(name, [1, outputs, side, side]) for name in (result, last))

    conv(int(32 * alpha), 3, 2, False)
    for outputs, stride in BLOCKS:
        conv(channels, 3, stride, True)
        conv(int(outputs * alpha), 1, 1, False)
    graph = b"".join(blob(1, part) for part in nodes) + blob(2, "mobilenet")
    graph += b"".join(blob(5, part) for part in tensors)
    graph += blob(11, value_info("x", [1, 3, size, size])) + blob(12, infos.pop())
    graph += b"".join(blob(13, info) for info in infos)
    return number(1, 6) + blob(7, graph) + blob(8, blob(1, "") + number(2, 11))


def main():
    size, alpha, images = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    pictures = np.random.default_rng(1).integers(0, 256, (images, 3, size, size), dtype=np.uint8)
    with quiet():
        start = time.perf_counter()
        data = compile_v5(mobilenet(size, alpha), (3, size, size))
        compiled = time.perf_counter()
        run_file(data, pictures[:1])
        ready = time.perf_counter()
        run_file(data, pictures)
        done = time.perf_counter()
    result = {
        "compile_seconds": compiled - start,
        "images_per_second": images / (done - ready),
        "kmodel_bytes": len(data),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
