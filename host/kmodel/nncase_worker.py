"""Compile or simulate a kmodel V5 with nncase 1.9, in the folder that this is started in.

Runs in an interpreter of its own (Python 3.7 to 3.10, for nncase has no other wheels), so: the
syntax of 3.7, the standard library, numpy and nncase only. `canmv.py` writes the files and starts

    python nncase_worker.py compile     network.tflite or .onnx, pictures.npy, options.json
                                        -> m.kmodel
    python nncase_worker.py simulate    m.kmodel, pictures.npy -> result_0.npy, result_1.npy ...

pictures.npy is uint8 (n, channels, height, width).
"""

import json
import os
import sys
from pathlib import Path

import nncase  # pyright: ignore[reportMissingImports] - lives in the other interpreter
import numpy as np


def compile_file() -> None:
    """Write m.kmodel."""
    asked = json.loads(Path("options.json").read_text())
    pictures = np.load("pictures.npy")
    options = nncase.CompileOptions()
    options.target = "k210"
    options.input_type = "uint8"
    options.quant_type = options.w_quant_type = "uint8"
    # Ranges of weights by least squared error: not nncase's default, but nearer to the network.
    options.use_mse_quant_w = True
    options.input_shape = [1, *pictures.shape[1:]]
    options.input_layout = options.output_layout = "NCHW"
    options.preprocess = True  # without it the input would be float
    options.input_range = asked["input_range"]
    options.mean = [0.0] * pictures.shape[1]
    options.std = [1.0] * pictures.shape[1]
    compiler = nncase.Compiler(options)
    network = Path(asked["network"]).read_bytes()
    if asked["network"].endswith(".onnx"):
        compiler.import_onnx(network, nncase.ImportOptions())
    else:
        compiler.import_tflite(network, nncase.ImportOptions())
    calibration = nncase.PTQTensorOptions()
    calibration.calibrate_method = asked["calibrate_method"]
    calibration.samples_count = len(pictures)
    calibration.set_tensor_data(pictures.tobytes())
    compiler.use_ptq(calibration)
    compiler.compile()
    Path("m.kmodel").write_bytes(compiler.gencode_tobytes())


def simulate_file() -> None:
    """Write one array (n, values) for each output of m.kmodel."""
    simulator = nncase.Simulator()
    simulator.load_model(Path("m.kmodel").read_bytes())
    results = [[] for _ in range(simulator.outputs_size)]
    for picture in np.load("pictures.npy"):
        simulator.set_input_tensor(0, nncase.RuntimeTensor.from_numpy(picture[None]))
        simulator.run()
        for i, rows in enumerate(results):
            rows.append(simulator.get_output_tensor(i).to_numpy().reshape(-1).copy())
    for i, rows in enumerate(results):
        np.save(f"result_{i}.npy", np.stack(rows))


if __name__ == "__main__":
    # nncase talks on standard output, also from C++: what it says is of no use.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    {"compile": compile_file, "simulate": simulate_file}[sys.argv[1]]()
