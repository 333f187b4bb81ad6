"""Small pictures for the pages: decoded and written anew, so that no uploaded byte is served."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..datasets.prepare import load_image
from ..errors import UserError
from ..files import atomic_write
from . import added

FOLDER = "thumbnails"
REPORT = "report"
LAYERS = f"{REPORT}/layers.png"
"""The drawing of a job's kmodel, inside the job's folder."""
SIDE = 192
BOXES_SIDE = 336
"""Of pictures with boxes: the longer side."""
QUALITY = 85
KIND_COLOURS = {
    "right": (44, 138, 75),
    "missed": (200, 55, 45),
    "false": (200, 55, 45),
    "misplaced": (224, 123, 39),
    "mislabelled": (122, 79, 176),
    "doubled": (185, 138, 0),
}
"""Colours of boxes by what is right or wrong with them, as in the report's drawings."""


def worst(result: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the worst pictures of a result, the INT8 model's (the one the board runs)."""
    return result.get("report", {}).get("int8", {}).get("worst", [])


def worst_thumbnail(folder: Path, result: dict[str, Any], number: int) -> bytes:
    """Return the `number`th worst picture as a small JPEG of ours; it is made once.

    A classifier's has 192 pixels a side. A detector's is the network's input, magnified, with the
    true boxes in white and those that were found in the colour of what is wrong with them.

    Raises:
        UserError: `picture_missing` when there is no such picture.
    """
    entries = worst(result)
    if not 0 <= number < len(entries):
        raise UserError("picture_missing", str(number))
    return thumbnail(folder, result, entries[number], f"{number}.jpg")


def thumbnail(folder: Path, result: dict[str, Any], entry: Mapping[str, Any], name: str) -> bytes:
    """Return a judged picture as `worst_thumbnail` does; kept as the file `name`, if it has one.

    Raises:
        UserError: `picture_missing` when its file is not there.
    """
    made = folder / FOLDER / name
    if name and made.exists():
        return made.read_bytes()
    path = _source(folder, result, entry["path"])
    data = jpeg(_with_boxes(path, result, entry) if "nms" in result else _small(path))
    if name:
        made.parent.mkdir(exist_ok=True)
        atomic_write(made, data)
    return data


def _source(folder: Path, result: dict[str, Any], name: str) -> Path:
    root = (folder / result["report"].get("pictures", "dataset")).resolve()
    path = (root / name).resolve()
    # The paths come from our own child, but their names come from the upload.
    inside = path.is_relative_to(root) or path.parent == (folder / added.FOLDER).resolve()
    if not (inside and root.is_relative_to(folder) and path.is_file()):
        raise UserError("picture_missing", name)
    return path


def _small(path: Path) -> Image.Image:
    return Image.fromarray(load_image(path, (SIDE, SIDE), "letterbox"))


def _with_boxes(path: Path, result: dict[str, Any], entry: Mapping[str, Any]) -> Image.Image:
    width, height = result["input"]
    scale = BOXES_SIDE / max(width, height)
    size = round(width * scale), round(height * scale)
    image = Image.fromarray(load_image(path, size, result["fit"]))
    draw_boxes(image, [(box, (255, 255, 255), "") for box in entry["truth"]])
    draw_boxes(
        image,
        [
            (box, KIND_COLOURS[box["kind"]], f"{box['label']} {100 * box['score']:.0f}%")
            for box in reversed(entry["found"])  # the surest on top
        ],
    )
    missed = [box for box in entry["truth"] if box["kind"] == "missed"]
    draw_boxes(image, [(box, KIND_COLOURS["missed"], box["label"]) for box in missed])
    return image


def draw_boxes(
    image: Image.Image, boxes: Iterable[tuple[Mapping[str, Any], tuple[int, int, int], str]]
) -> None:
    """Draw boxes (left, top, right, bottom in parts of the picture) with colour and text."""
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    for box, colour, text in boxes:
        left, right = (round(box[side] * (image.width - 1)) for side in ("left", "right"))
        top, bottom = (round(box[side] * (image.height - 1)) for side in ("top", "bottom"))
        area = min(left, right), min(top, bottom), max(left, right), max(top, bottom)
        draw.rectangle(area, outline=colour, width=2)
        if text:
            wide = draw.textlength(text, font)
            x = max(min(left, image.width - wide - 4), 0)
            y = top - 15 if top >= 15 else max(top, 0)
            draw.rectangle((x, y, x + wide + 3, y + 15), fill=colour)
            draw.text((x + 2, y), text, fill=(255, 255, 255), font=font)


def jpeg(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
