"""Kmodel V3 for the Kendryte K210: compile, read, check and simulate. Needs numpy, threadpoolctl.

>>> graph = from_keras(model)
>>> compiled = compile(graph, calibration)      # uint8 (n, height, width, channels)
>>> scores = simulate(compiled.data, pictures)[0]
"""

from __future__ import annotations

from dataclasses import dataclass

from .compiler import LOADER_BYTES, CompiledModel, Options
from .compiler import compile_graph as compile
from .from_keras import from_keras
from .from_onnx import from_onnx
from .from_tflite import from_tflite
from .graph import Graph, Node
from .simulate import Simulator, simulate
from .tidy import with_scaling
from .v3 import ConvLayer, CpuLayer, Kmodel, read, write
from .verify import verify

__all__ = [
    "CompiledModel",
    "ConvLayer",
    "CpuLayer",
    "Graph",
    "Kmodel",
    "ModelInfo",
    "Node",
    "Options",
    "Simulator",
    "compile",
    "from_keras",
    "from_onnx",
    "from_tflite",
    "info",
    "read",
    "simulate",
    "verify",
    "with_scaling",
    "write",
]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What one needs to know to put a kmodel on a board; sizes in bytes, picture in pixels."""

    width: int
    height: int
    channels: int
    file_bytes: int
    main_memory: int
    ram_bytes: int
    layers: int
    outputs: tuple[int, ...]


def info(data: bytes) -> ModelInfo:
    """Read the header of a kmodel V3 and prove that it is safe to load.

    Raises:
        UserError: not a kmodel V3, damaged or unsafe.
    """
    model = read(data)
    verify(model)
    channels, height, width = model.convs[0].registers.in_shape if model.convs else (0, 0, 0)
    return ModelInfo(
        width=width,
        height=height,
        channels=channels,
        file_bytes=len(data),
        main_memory=model.main_memory,
        ram_bytes=len(data) + model.main_memory + LOADER_BYTES,
        layers=len(model.layers),
        outputs=tuple(size for _, size in model.outputs),
    )
