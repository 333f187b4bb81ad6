"""Small pictures for the pages: decoded and written anew, so that no uploaded byte is served."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..datasets.prepare import load_image
from ..errors import UserError
from ..files import atomic_write

FOLDER = "thumbnails"
LAYERS = "report/layers.png"
"""The drawing of a job's kmodel, inside the job's folder."""
SIDE = 192
QUALITY = 85


def worst(result: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the worst pictures of a result, the INT8 model's (the one the board runs)."""
    return result.get("report", {}).get("int8", {}).get("worst", [])


def worst_thumbnail(folder: Path, result: dict[str, Any], number: int) -> bytes:
    """Return the `number`th worst picture as a JPEG of 192 pixels a side; it is made once.

    Raises:
        UserError: `picture_missing` when there is no such picture.
    """
    made = folder / FOLDER / f"{number}.jpg"
    if not made.exists():
        made.parent.mkdir(exist_ok=True)
        atomic_write(made, _jpeg(_source(folder, result, number)))
    return made.read_bytes()


def _source(folder: Path, result: dict[str, Any], number: int) -> Path:
    entries = worst(result)
    if not 0 <= number < len(entries):
        raise UserError("picture_missing", str(number))
    root = (folder / result["report"].get("pictures", "dataset")).resolve()
    path = (root / entries[number]["path"]).resolve()
    # The paths come from our own child, but their names come from the upload.
    if not (path.is_relative_to(root) and root.is_relative_to(folder) and path.is_file()):
        raise UserError("picture_missing", entries[number]["path"])
    return path


def _jpeg(path: Path) -> bytes:
    pixels = load_image(path, (SIDE, SIDE), "letterbox")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
