"""Compile a network that somebody else trained: a file and pictures in, a kmodel out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .. import kmodel
from ..datasets.tree import is_picture, list_files
from ..errors import Finding, UserError
from ..files import atomic_write
from ..kmodel.agreement import agreement
from ..kmodel.colours import Colours
from ..kmodel.from_onnx import from_onnx
from ..kmodel.from_tflite import from_tflite
from ..kmodel.graph import Graph
from ..kmodel.keras2 import of_keras2
from ..kmodel.tidy import with_scaling
from .tryout import read_picture

CALIBRATION = 200
"""Pictures that are looked at; more change next to nothing."""
ADVISED = 20
COMPARED = 32
"""Pictures that the kmodel's answers are compared on."""
SUFFIXES = (".keras", ".h5", ".onnx", ".tflite")

Report = Callable[[str, float], None]
"""Called with the name of a phase and the fraction of it that is done."""


def convert(
    model: Path,
    calibration: Path,
    out: Path,
    *,
    scale: float | None = None,
    offset: float | None = None,
    fit: Literal["crop", "letterbox"] = "crop",
    copies_ms: float | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Compile the float network in `model` and write `out` whole, or not at all.

    Args:
        model: a .keras, .h5, .onnx or .tflite file.
        calibration: a folder of pictures like those that the board will see, at any depth.
        out: the kmodel to write; its folder is made.
        scale, offset: what the network's input holds: byte * scale + offset. Without them the
            network's own scaling, or else pixels from 0 to 1.
        fit: how pictures come to the network's size.
        copies_ms: milliseconds on the board that finer first maps may cost, instead of the
            compiler's own limits.
        report: called as the work goes on.

    Returns:
        "kmodel" (the path), "bytes", "main_memory", "ram_bytes", "ms", "layers" (KPU layers),
        "input" (width, height, channels), "scale", "offset" (lists where colours differ),
        "pictures", "agreement" (for each output, see `kmodel.agreement.Agreement`) and
        "findings" (`Finding`s).

    Raises:
        UserError: the network cannot be read or does not fit the chip, or there are no pictures.
    """
    tell = report or (lambda _phase, _part: None)
    tell("read", 0.0)
    graph = with_scaling(read_network(model), scale, offset)
    pictures, findings = read_calibration(calibration, graph.input_shape, fit)
    options = kmodel.Options()
    if copies_ms is not None:
        options = replace(options, copies_time=math.inf, copies_ms=copies_ms)
    made = kmodel.compile(graph, pictures, options, progress=tell)
    facts = kmodel.info(made.data)
    tell("evaluate", 0.0)
    compared = agreement(graph, made.data, pictures[_spread(len(pictures), COMPARED)])
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, made.data)
    tell("evaluate", 1.0)
    return {
        "kmodel": str(out),
        "bytes": len(made.data),
        "main_memory": made.main_memory,
        "ram_bytes": made.ram_bytes,
        "ms": round(made.ms, 2),
        "layers": len(made.layers),
        "input": [facts.width, facts.height, facts.channels],
        **_meaning(graph),
        "pictures": len(pictures),
        "agreement": [asdict(one) for one in compared],
        "findings": [*findings, *made.findings],
    }


def read_network(path: Path) -> Graph:
    """Read a network by the ending of its name.

    Raises:
        UserError: `kmodel_model_unreadable`, or what the front ends raise.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or not path.is_file():
        raise UserError("kmodel_model_unreadable", path.name, reason=suffix or "-")
    if suffix == ".onnx":
        return from_onnx(path)
    if suffix == ".tflite":
        return from_tflite(path.read_bytes(), path.name)
    return _from_keras(path)


def _from_keras(path: Path) -> Graph:
    from ..trainer.load import load_keras  # noqa: PLC0415 - loads TensorFlow

    model = load_keras(path, of_keras2)
    shape = getattr(model, "input_shape", None)
    sizes = shape[1:] if isinstance(shape, tuple) and len(shape) == 4 else (0,)
    if not all(sizes) or sizes[-1] not in (1, 3):
        raise UserError("kmodel_network_input", path.name, found=str(shape))
    return kmodel.from_keras(model)


def read_calibration(
    folder: Path, shape: tuple[int, int, int], fit: Literal["crop", "letterbox"]
) -> tuple[np.ndarray, list[Finding]]:
    """Return pictures of a folder as uint8 (n, *shape), and what there is to say about them.

    Raises:
        UserError: `calibration_empty`, or all findings when no picture can be read.
    """
    names = [name for name in list_files(folder)[0] if is_picture(name)]
    if not names:
        raise UserError("calibration_empty", str(folder))
    height, width, channels = shape
    pictures: list[np.ndarray] = []
    findings: list[Finding] = []
    for place in _spread(len(names), CALIBRATION):
        try:
            pictures.append(read_picture(folder / names[place], (channels, height, width), fit))
        except UserError as error:
            findings += [Finding(one.code, names[place], "warning", one.params)
                         for one in error.findings]  # fmt: skip
    if not pictures:
        raise UserError.of(Finding(one.code, one.path, "error", one.params) for one in findings)
    if len(pictures) < ADVISED:
        params = {"count": len(pictures), "advised": ADVISED}
        findings.append(Finding("calibration_small", str(folder), "warning", params))
    return np.concatenate(pictures), findings


def _spread(count: int, wanted: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(int))


def _meaning(graph: Graph) -> dict[str, float | list[float]]:
    """Return what the network reads: numbers, or lists of one for each colour."""
    colours = Colours(np.ones(graph.input_shape[2]), np.zeros(graph.input_shape[2]))
    for node in graph.nodes:
        if node.op != "affine":
            break
        colours = colours.then(node.attrs["scale"], node.attrs["offset"])
    numbers = {"scale": colours.scale.tolist(), "offset": colours.offset.tolist()}
    return numbers if colours.differ else {key: one[0] for key, one in numbers.items()}
