"""Try a kmodel on pictures without a board: what `KPU.forward` or `run_yolo2` would answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .. import kmodel
from ..datasets.prepare import load_image
from ..errors import UserError
from ..kmodel.region import ANCHORS, decode


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
        images: picture files; brought to the model's size by `fit`.
        labels: a file with one label a line; by default `labels.txt` beside the model.
        anchors: five pairs of numbers (grid cells) of a YOLOv2 model, or "".
        threshold, nms: for boxes, as `kpu.init_yolo2` takes them.

    Returns:
        For each picture: "image", "output" (the raw values), and "label", "index", "score" for
        one score a class, or "boxes" (label, score, left, top, right, bottom in pixels of the
        model's input) when anchors are given.
    """
    simulator = kmodel.Simulator(model.read_bytes())
    names = _labels(model, labels)
    _, height, width = simulator.input_shape
    boxes = _anchors(anchors) if anchors else None
    answers = []
    for image in images:
        raw = simulator.run(read_picture(image, simulator.input_shape, fit))[0][0]
        answer: dict[str, Any] = {"image": str(image), "output": [float(one) for one in raw]}
        if boxes is not None:
            grid = simulator.model.convs[-1].registers.out_shape[1:]
            answer["boxes"] = [
                {
                    "label": _name(names, one.label),
                    "score": one.score,
                    "left": one.left * width,
                    "top": one.top * height,
                    "right": one.right * width,
                    "bottom": one.bottom * height,
                }
                for one in decode(raw, grid, boxes, threshold, nms)
            ]
        elif not names or len(names) == len(raw):
            best = int(np.argmax(raw))
            answer |= {"index": best, "label": _name(names, best), "score": float(raw[best])}
        answers.append(answer)
    return answers


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the labels of a file with one label a line; empty lines do not count."""
    lines = path.read_text("utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _labels(model: Path, labels: Path | None) -> tuple[str, ...]:
    beside = labels or model.with_name("labels.txt")
    return read_labels(beside) if beside.exists() else ()


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else str(index)


def read_picture(path: Path, shape: tuple[int, int, int], fit: Any) -> np.ndarray:
    """Return a picture file as uint8 (1, height, width, channels) for an input of `shape`."""
    channels, height, width = shape
    picture = load_image(path, (width, height), fit)
    if channels == 1:  # the weights of ITU-R 601, as cameras make grey
        picture = (picture @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)[..., None]
    return picture[None]


def _anchors(text: str) -> np.ndarray:
    try:
        numbers = [float(one) for one in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 2 * ANCHORS or min(numbers) <= 0:
        raise UserError("anchors_invalid", "--anchors", found=text)
    return np.array(numbers).reshape(ANCHORS, 2)
