"""Try a kmodel on pictures without a board: what `KPU.forward` or `run_yolo2` would answer."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from .. import kmodel
from ..datasets.prepare import load_image
from ..errors import UserError, naming
from ..files import atomic_write
from ..kmodel.region import ANCHORS, Detection, decode
from ..kmodel.v3 import MAX_FILE
from .pictures import draw_boxes

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
DRAWN_SIDE = 640
"""Pixels that a drawn picture's longer side has about."""
COLOURS = ((44, 138, 75), (200, 55, 45), (31, 111, 180), (224, 123, 39), (122, 79, 176))
"""Of boxes, by the number of their class."""


def try_out(
    model: Path,
    images: Sequence[Path],
    *,
    labels: Path | None = None,
    anchors: str = "",
    threshold: float = 0.5,
    nms: float = 0.3,
    fit: Literal["crop", "letterbox"] = "crop",
) -> list[dict[str, Any]]:
    """Simulate `model` on each picture.

    Args:
        model: a kmodel V3 whose input is a colour or grey picture of any size.
        images: picture files and folders of them; brought to the model's size by `fit`.
        labels: a file with one label a line; by default `labels.txt` beside the model.
        anchors: five pairs of numbers (grid cells) of a YOLOv2 model, or "".
        threshold, nms: for boxes, as `kpu.init_yolo2` takes them.

    Returns:
        For each picture: "image", "output" (the raw values), and one of these: "label", "index",
        "score" where there is one score a class; "boxes" (label, index, score, left, top, right,
        bottom in pixels of the model's input) when anchors are given; otherwise "map", the shape
        (channels, height, width) of the values.

    Raises:
        UserError: not a whole kmodel V3, labels that are not its own, unusable anchors or pictures.
    """
    with naming(model.name):
        simulator = kmodel.Simulator(read_model(model))
        size = simulator.input_shape
    names, boxes = _labels(model, labels), parse_anchors(anchors) if anchors else None
    answers = []
    for image in find_pictures(images):
        raw = simulator.run(read_picture(image, size, fit))[0][0]
        answer: dict[str, Any] = {"image": str(image), "output": [float(one) for one in raw]}
        shape = _map_shape(simulator.model, len(raw))
        if boxes is not None:
            if shape is None or shape[0] % ANCHORS or shape[0] < ANCHORS * 6:
                raise UserError("kmodel_no_boxes", model.name, values=len(raw))
            found = decode(raw, shape[1:], boxes, threshold, nms)
            answer["boxes"] = [_pixels(one, names, size) for one in found]
        elif shape and len(names) != len(raw):
            answer["map"] = list(shape)
        else:
            if names and len(names) != len(raw):
                name = (labels or _beside(model)).name
                raise UserError("labels_do_not_fit", name, labels=len(names), outputs=len(raw))
            best = int(np.argmax(raw))
            answer |= {"index": best, "label": _name(names, best), "score": float(raw[best])}
        answers.append(answer)
    return answers


def draw_answers(
    model: Path, answers: Sequence[Mapping[str, Any]], fit: Literal["crop", "letterbox"], out: Path
) -> list[Path]:
    """Write each picture as the model sees it, with its boxes, as a PNG into the folder `out`.

    `answers` are of `try_out`; those without boxes are left out. A name that comes twice gets a
    number.
    """
    _, height, width = kmodel.Simulator(read_model(model)).input_shape
    scale = max(1, round(DRAWN_SIDE / max(width, height)))
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for answer in answers:
        if "boxes" not in answer:
            continue
        source = Path(answer["image"])
        image = Image.fromarray(load_image(source, (scale * width, scale * height), fit))
        parts = {"left": width, "right": width, "top": height, "bottom": height}
        rows = [
            (
                {side: box[side] / whole for side, whole in parts.items()},
                COLOURS[box["index"] % len(COLOURS)],
                f"{box['label']} {100 * box['score']:.0f}%",
            )
            for box in reversed(answer["boxes"])  # the surest on top
        ]
        draw_boxes(image, rows)
        path = out / f"{source.stem}.png"
        while path in written:
            path = out / f"{source.stem}-{len(written)}.png"
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        atomic_write(path, buffer.getvalue())
        written.append(path)
    return written


def _map_shape(model: kmodel.Kmodel, values: int) -> tuple[int, int, int] | None:
    """Return channels, rows and columns where the answer is the last convolution's map."""
    channels, rows, columns = model.convs[-1].registers.out_shape
    whole = rows * columns > 1 and channels * rows * columns == values
    return (channels, rows, columns) if whole else None


def _pixels(box: Detection, names: tuple[str, ...], size: tuple[int, int, int]) -> dict[str, Any]:
    _, height, width = size
    return {
        "label": _name(names, box.label),
        "index": box.label,
        "score": box.score,
        "left": box.left * width,
        "top": box.top * height,
        "right": box.right * width,
        "bottom": box.bottom * height,
    }


def read_model(path: Path) -> bytes:
    """Return the bytes of a model file; of one that no firmware loads only the beginning."""
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the labels of a file with one label a line; empty lines do not count.

    Raises:
        UserError: `labels_not_text`.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError("labels_not_text", path.name, reason=str(error)) from error
    return tuple(line.strip() for line in lines if line.strip())


def _beside(model: Path) -> Path:
    return model.with_name("labels.txt")


def _labels(model: Path, labels: Path | None) -> tuple[str, ...]:
    file = labels or _beside(model)
    return read_labels(file) if file.exists() else ()


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else str(index)


def find_pictures(places: Iterable[Path]) -> list[Path]:
    """Return the picture files among `places` and in folders among them, sorted.

    Raises:
        UserError: `pictures_missing`: a folder has none.
    """
    found: list[Path] = []
    for place in places:
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        pictures = [one for one in files if one.suffix.lower() in SUFFIXES or one == place]
        if not pictures:
            raise UserError("pictures_missing", place.name)
        found += pictures
    return found


def read_picture(path: Path, shape: tuple[int, int, int], fit: Any) -> np.ndarray:
    """Return a picture file as uint8 (1, height, width, channels) for an input of `shape`."""
    channels, height, width = shape
    picture = load_image(path, (width, height), fit)
    if channels == 1:  # the weights of ITU-R 601, as cameras make grey
        picture = (picture @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)[..., None]
    return picture[None]


def parse_anchors(text: str) -> np.ndarray:
    """Return anchors, float (5, 2), of ten numbers with commas or blanks between them.

    Raises:
        UserError: `anchors_invalid`.
    """
    try:
        numbers = [float(one) for one in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 2 * ANCHORS or not all(0 < one < np.inf for one in numbers):
        raise UserError("anchors_invalid", "--anchors", found=text)
    return np.array(numbers).reshape(ANCHORS, 2)
