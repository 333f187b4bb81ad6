"""Look into a kmodel file: what `maixforge kmodel info`, `diff` and `plot` show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import kmodel
from ..deploy import firmware
from ..errors import naming
from ..kmodel.describe import (
    V3,
    LayerError,
    kind_of,
    layer_table,
    memory_blocks,
    peak_bytes,
)
from ..kmodel.diff import Difference, diff
from ..kmodel.plot import plot
from .result_types import LayerRow
from .tryout import find_pictures, read_model, read_picture

PICTURES = 16
"""Most pictures that are looked at."""
ERROR_PICTURES = 4
"""Most pictures that the error of the layers is measured on."""
OTHER_KINDS = ("kmodel V", "encrypted")
"""Files that are known and whole, but not for us to read."""


def inspect(path: Path) -> dict[str, Any]:
    """Return what is in a model file.

    Returns:
        `kind` for every known file ("kmodel V3", "kmodel V5 (...)", "encrypted ..."). Of a kmodel
        V3 also `file_bytes`, `main_memory`, `ram_bytes`, `kpu_ram` (its peak, bytes), `ms`,
        `layers` (`LayerInfo` as mappings) and `firmware` (name, budget, basis, fits).

    Raises:
        UserError: the file is broken, or not a kmodel at all.
    """
    data = read_model(path)
    kind = kind_of(data)
    if kind != V3 and kind.startswith(OTHER_KINDS):
        return {"kind": kind}
    with naming(path.name):
        model, facts = kmodel.read(data), kmodel.info(data)
    rows = layer_table(model)
    return {
        "kind": kind,
        "file_bytes": facts.file_bytes,
        "main_memory": facts.main_memory,
        "ram_bytes": facts.ram_bytes,
        "kpu_ram": peak_bytes(memory_blocks(model), "kpu"),
        "ms": round(sum(row.ms for row in rows), 2),
        "layers": [row.as_dict() for row in rows],
        "firmware": [
            {
                "name": one.name,
                "budget": one.model_bytes,
                "basis": one.basis,
                "fits": firmware.fits(facts.ram_bytes, one),
            }
            for one in firmware.known()
        ],
    }


def compare(a: Path, b: Path, images: Iterable[Path]) -> Difference:
    """Return what differs between two kmodels, with their answers to `images` (or folders).

    Raises:
        UserError: one is not a whole kmodel V3, or a picture cannot be read.
    """
    files = read_model(a), read_model(b)
    for path, data in zip((a, b), files, strict=True):
        with naming(path.name):
            kmodel.info(data)
    chosen = find_pictures(images)[:PICTURES]
    pictures = _pictures(files[0], chosen) if chosen else None
    return diff(*files, pictures)


def draw(
    path: Path,
    float_folder: Path | None,
    calibration: Path | None,
    scale: float | None = None,
    offset: float | None = None,
) -> bytes:
    """Return a PNG of a kmodel; with its float model and pictures also the error of each layer.

    Raises:
        UserError: not a whole kmodel V3, or one that was not made from the float model.
    """
    data, errors = read_model(path), ()
    with naming(path.name):
        kmodel.info(data)
    if float_folder and calibration:
        found = find_pictures([calibration])
        step = max(1, len(found) // ERROR_PICTURES)
        chosen = found[::step][:ERROR_PICTURES]
        errors = layer_errors(data, float_folder, chosen, scale, offset)
    return plot(data, path.name, errors)


def layer_errors(
    data: bytes,
    float_folder: Path,
    images: list[Path],
    scale: float | None = None,
    offset: float | None = None,
) -> tuple[LayerError, ...]:
    """Return the error of each KPU layer on some pictures; see `kmodel.sqnr`.

    `float_folder` may also be a network's file, as `maixforge kmodel compile` takes it.
    """
    from ..kmodel import sqnr  # noqa: PLC0415

    if float_folder.is_file():
        from .convert import read_network  # noqa: PLC0415 - reads pictures with this module

        graph, fit = kmodel.with_scaling(read_network(float_folder), scale, offset), "crop"
    else:
        from ..trainer import runtime  # noqa: PLC0415 - loads TensorFlow
        from ..trainer.model import load  # noqa: PLC0415

        runtime.start(0)
        model = load(float_folder)
        graph, fit = kmodel.from_keras(model.model), model.card.fit
    return tuple(sqnr.layer_errors(graph, data, _pictures(data, images, fit)))


def layer_rows(data: bytes, errors: Sequence[LayerError]) -> list[LayerRow]:
    """Return every layer of a kmodel with its error, as the result page shows it."""
    known = {number: error for error in errors for number in error.numbers}
    rows: list[LayerRow] = []
    for one in layer_table(kmodel.read(data)):
        error = known.get(one.number)
        rows.append(
            {
                "name": error.name if error else one.kind,
                "kind": f"{one.kind} {one.pool}".strip(),
                "in": list(one.in_shape),
                "out": list(one.out_shape),
                "ms": round(one.ms, 3),
                "sqnr_db": round(error.sqnr_db, 1) if error else None,
            }
        )
    return rows


def _pictures(data: bytes, paths: list[Path], fit: Any = "crop") -> np.ndarray:
    shape = kmodel.Simulator(data).input_shape
    return np.concatenate([read_picture(path, shape, fit) for path in paths])


def summary(one: Mapping[str, Any]) -> list[str]:
    """Return a layer as cells: number, kind, input, output, M products, lines, kB, ms."""
    shapes = ("x".join(map(str, one[name])) for name in ("in_shape", "out_shape"))
    lines = "{}+{}".format(*one["lines"]) if any(one["lines"]) else "-"
    return [
        str(one["number"]),
        f"{one['kind']} {one['pool']}".strip(),
        *shapes,
        f"{one['macs'] / 1e6:.1f}",
        lines,
        f"{one['weight_bytes'] / 1e3:.1f}",
        f"{one['ms']:.3f}",
    ]
