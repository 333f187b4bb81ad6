"""The SD zip of a package: the files for the root of the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import write_zip
from .board import SEALED, render
from .firmware import CAMERA
from .flash_map import MODEL_ADDRESS
from .package import MANIFEST, Package, require_fit
from .picture import start_picture
from .readme import readme

FULL_VIEW = 224
"""Side of the camera picture that models are trained on; smaller inputs are scaled from it."""


def build(package: Package, out: Path) -> Path:
    """Write the zip for the card's root to `out` (whole or not at all) and return `out`.

    It holds boot.py, m.kmodel (of a sealed package m.kmx instead), labels.txt, start.jpg,
    README.txt and manifest.json. Equal packages give equal bytes.

    Raises:
        UserError: the model does not fit the package's firmware.
    """
    require_fit(package)
    write_zip(out, {**texts(package), package.board_file.name: package.board_file})
    return out


def texts(package: Package) -> dict[str, bytes]:
    """Return every file of the card but the model, by name."""
    return {
        "boot.py": boot_script(package),
        "labels.txt": "".join(f"{label}\n" for label in package.labels).encode("ascii"),
        "start.jpg": start_picture(package),
        "README.txt": readme(package),
        MANIFEST: package.manifest(),
    }


def boot_script(package: Package) -> bytes:
    """Return boot.py of the model's task: ASCII, self-contained, its settings as plain data."""
    options = package.options
    region: dict[str, Any] = {}
    if package.task == "detect":
        anchors = tuple(side for anchor in package.anchors for side in anchor)
        region = {"anchors": anchors, "nms": float(options.nms)}
    settings: dict[str, Any] = {
        "model": f"/sd/{package.board_file.name}",
        "flash_address": MODEL_ADDRESS,
        "input": package.input_size,
        "window": camera_window(package.input_size),
        "labels": package.labels,
        "threshold": float(options.threshold),
        **region,
        "board": options.board,
        "rotation": options.rotation,
        "mirror": options.mirror,
        "flip": options.flip,
        "json": options.serial_json,
        "title": package.name if package.name.isascii() else "MaixForge",
    }
    return render(f"run_{package.task}", settings, SEALED if package.seal else None)


def camera_window(input_size: tuple[int, int]) -> tuple[int, int]:
    """Return the part of the 320x240 camera picture that a model's input is taken from.

    The camera cuts windows in steps of 8 pixels. A model for smaller pictures was trained on
    scaled ones, so it sees the same part of the scene as a model for 224x224.
    """
    scale = max(1.0, FULL_VIEW / max(input_size))
    width, height = (-(-round(side * scale) // 8) * 8 for side in input_size)
    return min(width, CAMERA[0]), min(height, CAMERA[1])
