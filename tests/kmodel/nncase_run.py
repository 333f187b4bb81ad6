"""Run K210_CONV layers in Kendryte's functional simulator, which nncase 1.9 brings.

A process of its own, for nncase needs Python 3.7 to 3.10; standard library and numpy only.

    python nncase_run.py JOBS.npz RESULTS.npz

JOBS holds for each job i: `registers{i}` (the 96 bytes as a kmodel V3 stores them), `weights{i}`,
`bn{i}`, `act{i}` (the bytes of the blocks) and `x{i}`, uint8 (n, channels, height, width).
RESULTS holds `y{i}`, uint8, and `words{i}`, the register words that nncase chose itself.

For each job a one-layer ONNX network of the same shape is compiled to a kmodel V5; the file's
constants and the registers that say how to compute are then overwritten with the job's, so that
the simulator runs exactly what the KPU would.
"""

import struct
import sys
from contextlib import contextmanager

import numpy as np

STRIDE = {0: 1, 1: 2, 2: 2, 3: 4, 4: 4, 5: 2, 6: 2, 7: 4, 8: 1, 9: 1}

# --- ONNX, as much of it as one convolution needs (protocol buffers, onnx.proto) ----------------


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def blob(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name, values):
    """TensorProto: dims, float, name, raw data."""
    values = np.ascontiguousarray(values, np.float32)
    dims = b"".join(number(1, side) for side in values.shape)
    return dims + number(2, 1) + blob(8, name) + blob(9, values.tobytes())


def attribute(name, values):
    """AttributeProto: one integer or a list of them."""
    if isinstance(values, int):
        return blob(1, name) + number(3, values) + number(20, 2)
    return blob(1, name) + b"".join(number(8, value) for value in values) + number(20, 7)


def node(op, inputs, output, **attributes):
    names = b"".join(blob(1, name) for name in inputs)
    values = b"".join(blob(5, attribute(key, value)) for key, value in attributes.items())
    return names + blob(2, output) + blob(3, output) + blob(4, op) + values


def value_info(name, shape):
    dims = b"".join(blob(1, number(1, side)) for side in shape)
    return blob(1, name) + blob(2, blob(1, number(1, 1) + blob(2, dims)))


def onnx_conv(shape, outputs, kernel, depthwise, stride):
    """Return an ONNX file: convolution, ReLU and, for a stride of 2 or 4, a maximum pool."""
    channels, height, width = shape
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(outputs, 1 if depthwise else channels, kernel, kernel))
    nodes = [
        node(
            "Conv",
            ["x", "w", "b"],
            "c",
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[1, 1],
            group=channels if depthwise else 1,
        ),
        node("Relu", ["c"], "y" if stride == 1 else "r"),
    ]
    whole, cut = [1, outputs, height, width], [1, outputs, height // stride, width // stride]
    infos = [value_info("c", whole)]
    if stride > 1:
        sides = [stride, stride]
        nodes.append(node("MaxPool", ["r"], "y", kernel_shape=sides, strides=sides))
        infos.append(value_info("r", whole))
    graph = b"".join(blob(1, part) for part in nodes) + blob(2, "layer")
    graph += blob(5, tensor("w", weights)) + blob(5, tensor("b", rng.normal(size=outputs)))
    graph += blob(11, value_info("x", [1, channels, height, width])) + blob(
        12, value_info("y", cut)
    )
    graph += b"".join(blob(13, info) for info in infos)
    return number(1, 6) + blob(7, graph) + blob(8, blob(1, "") + number(2, 11))


# --- nncase -------------------------------------------------------------------------------------


def compile_v5(onnx, shape):
    """Return the kmodel V5 of an ONNX file: bytes in, floats out."""
    import nncase

    options = nncase.CompileOptions()
    options.target = "k210"
    options.input_type = "uint8"
    options.quant_type = options.w_quant_type = "uint8"
    options.input_shape = [1, *shape]
    options.input_layout = options.output_layout = "NCHW"
    options.preprocess = True
    options.input_range = [0, 1]
    options.mean, options.std = [0.0] * shape[0], [1.0] * shape[0]
    compiler = nncase.Compiler(options)
    compiler.import_onnx(onnx, nncase.ImportOptions())
    calibration = nncase.PTQTensorOptions()
    calibration.samples_count = 1
    picture = np.random.default_rng(2).integers(0, 256, [1, *shape], dtype=np.uint8)
    calibration.set_tensor_data(picture.tobytes())
    compiler.use_ptq(calibration)
    compiler.compile()
    return compiler.gencode_tobytes()


class Layer:
    """The one KPU layer of a kmodel V5 and where its parts lie in the file.

    The code of a KPU convolution is: four memory ranges of 12 bytes each (kind, start, size:
    weights, batch norm, activation, output), the number of pictures, the register block. The
    ranges count from the start of the KPU module's `.rdata`.
    """

    def __init__(self, data, words):
        self.data = bytearray(data)
        module = data.index(b"k210" + bytes(12))
        section = data.index(b".rdata" + bytes(10), module)
        self.constants = section + 32 + struct.unpack_from("<I", data, section + 20)[0]
        wanted = struct.pack("<2Q", *words[2:4])  # channels and sizes
        found = [at for at in range(module, len(data) - 16) if data.startswith(wanted, at)]
        if len(found) != 1:
            raise SystemExit(f"{len(found)} layers of the shape {shape_of(words)}")
        self.block = found[0] - 16

    def words(self):
        return struct.unpack_from("<12Q", self.data, self.block)

    def put(self, name, values):
        """Overwrite the constants `name` with bytes of the same size."""
        at = self.block - 4 - {"weights": 48, "bn": 36, "act": 24}[name]
        start, size = struct.unpack_from("<2I", self.data, at + 4)
        if size != len(values):
            raise SystemExit(f"{name}: {len(values)} bytes for {size}")
        self.data[self.constants + start : self.constants + start + size] = values

    def compute_as(self, words):
        """Take over how the layer computes; where its maps lie stays as nncase chose."""
        own = list(self.words())
        own[4] = words[4]
        own[9], own[10] = words[9], words[10]
        struct.pack_into("<12Q", self.data, self.block, *own)


def run_file(data, pictures):
    import nncase

    simulator = nncase.Simulator()
    simulator.load_model(bytes(data))
    results = []
    for picture in pictures:
        simulator.set_input_tensor(0, nncase.RuntimeTensor.from_numpy(picture[None]))
        simulator.run()
        results.append(simulator.get_output_tensor(0).to_numpy().copy())
    return np.concatenate(results)


def constant_table(byte):
    """Return an activation table that gives `byte` for everything."""
    words = [(i - 16 << 8 & (1 << 36) - 1) << 24 for i in range(16)]
    words[0] = 1 << 35 + 24
    return struct.pack("<16Q", *words) + bytes([byte] * 16)


def run_layer(base, job):
    """Return the layer's output bytes and the register words that nncase chose.

    The file ends with a dequantization; what it makes of 0 and of 255 is found out by running
    activation tables that give nothing else.
    """
    layer = Layer(base, job["words"])
    own, ends = layer.words(), []
    for byte in (0, 255):
        layer.put("act", constant_table(byte))
        ends.append(run_file(layer.data, job["x"][:1]).max())
    layer.compute_as(job["words"])
    for name in ("weights", "bn", "act"):
        layer.put(name, job[name].tobytes())
    values = run_file(layer.data, job["x"])
    levels = (values.astype(np.float64) - ends[0]) * 255 / (float(ends[1]) - ends[0])
    if np.abs(levels - np.rint(levels)).max() > 0.01:
        raise SystemExit("the output does not consist of bytes")
    return np.rint(levels).astype(np.uint8), np.array(own, np.uint64)


def shape_of(words):
    """Return the base network's parameters: shape, outputs, kernel, depthwise, stride."""
    channels, outputs = (words[2] & 1023) + 1, (words[2] >> 32 & 1023) + 1
    width, height = (words[3] & 1023) + 1, (words[3] >> 10 & 511) + 1
    kernel, pool = 3 if words[4] & 7 else 1, words[4] >> 4 & 15
    return (channels, height, width), outputs, kernel, bool(words[0] >> 3 & 1), STRIDE[pool]


@contextmanager
def quiet():
    """nncase talks on standard output: send it away at the level of the process."""
    import os

    sys.stdout.flush()
    saved = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(nowhere)


def main():
    jobs, results, compiled = np.load(sys.argv[1]), {}, {}
    count = sum(name.startswith("registers") for name in jobs.files)
    for i in range(count):
        job = {name: jobs[f"{name}{i}"] for name in ("weights", "bn", "act", "x")}
        job["words"] = struct.unpack("<12Q", jobs[f"registers{i}"].tobytes())
        shape = shape_of(job["words"])
        with quiet():
            if shape not in compiled:
                compiled[shape] = compile_v5(onnx_conv(*shape), shape[0])
            results[f"y{i}"], results[f"words{i}"] = run_layer(compiled[shape], job)
    np.savez(sys.argv[2], **results)


if __name__ == "__main__":
    main()
