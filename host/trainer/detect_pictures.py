"""Pictures of a detection data set: decoded once, kept on disk, and where their boxes lie.

Every picture becomes one file of plain bytes, which TensorFlow reads without Python and which
the system keeps in memory as far as there is room.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.dataset import Dataset, Sample
from ..datasets.limits import PREPARE_LIMITS
from ..datasets.pictures import decode
from ..datasets.prepare import fit_image
from ..files import atomic_write
from .checkpoint import Checkpoints
from .detect_options import DetectOptions
from .options import Fit
from .pictures import THREADS

CANVAS = 1.4
"""Training pictures are kept at this multiple of the input size, so that magnified views stay
sharp."""

VISIBLE = 0.35
"""A box of which less than this part is left at the border is not taught."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Decoded pictures; everything is in pixels of their canvas of `size` (width, height).

    `files`: one of each picture, uint8 (height, width, 3) RGB, grey where the picture is not.
    `origin` and `extent` float32 (n, 2): left, top and width, height of the picture in it.
    `boxes` float32 (n, m, 4): left, top, right, bottom. `labels` int32 (n, m): -1 is no box.
    """

    files: tuple[str, ...]
    size: tuple[int, int]
    origin: np.ndarray
    extent: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.files)

    def read(self, place: Any) -> Any:
        """Return pictures (n, height, width, 3) as a tensor of uint8; `place` are numbers (n,)."""
        import tensorflow as tf  # noqa: PLC0415

        width, height = self.size
        names = tf.gather(tf.constant(self.files), place)

        def one(name: Any) -> Any:
            return tf.reshape(tf.io.decode_raw(tf.io.read_file(name), tf.uint8), (height, width, 3))

        return tf.map_fn(one, names, fn_output_signature=tf.TensorSpec((height, width, 3), "uint8"))

    def truth(self) -> list[np.ndarray]:
        """Return the boxes of each picture, (k, 5): left, top, right, bottom, label.

        Parts (0..1) of the canvas; what lies outside is cut off.
        """
        scale = np.tile(self.size, 2)
        return [
            np.column_stack([boxes[labels >= 0] / scale, labels[labels >= 0]])
            for boxes, labels in zip(self.boxes, self.labels, strict=True)
        ]


def placing(picture: tuple[int, int], size: tuple[int, int], fit: Fit) -> np.ndarray:
    """Return where `prepare.fit_image` puts a picture: scale x, y and left, top, float64 (4,).

    Both sizes are (width, height). A point p of the picture is at p * scale + (left, top).
    """
    ratios = size[0] / picture[0], size[1] / picture[1]
    if fit == "crop":
        scale = max(ratios)
        left, top = (min(0.0, (size[i] - picture[i] * scale) / 2) for i in (0, 1))
        return np.array([scale, scale, left, top])
    scale = min(ratios)
    inner = [max(1, round(side * scale)) for side in picture]
    return np.array(
        [inner[0] / picture[0], inner[1] / picture[1],
         (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2]
    )  # fmt: skip


def place_boxes(
    sample: Sample, picture: tuple[int, int], size: tuple[int, int], fit: Fit
) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes of a sample on the canvas, float32 (k, 4) in pixels, and labels int32 (k,).

    `picture` is the size of the picture itself. Boxes are cut off at the border; those of which
    less than `VISIBLE` is left are missing.
    """
    rows = [(box.left, box.top, box.right, box.bottom) for box in sample.boxes]
    boxes = np.array(rows, np.float64).reshape(-1, 4)
    where = placing(picture, size, fit)
    whole = boxes * np.tile(where[:2], 2) + np.tile(where[2:], 2)
    cut = np.clip(whole, 0, np.tile(size, 2))
    left = (cut[:, 2:] - cut[:, :2]).prod(1)
    kept = (left >= VISIBLE * (whole[:, 2:] - whole[:, :2]).prod(1)) & (left > 0)
    labels = np.array([box.label for box in sample.boxes], np.int32)
    return cut[kept].astype(np.float32), labels[kept]


def decode_all(
    dataset: Dataset,
    samples: Sequence[Sample],
    size: tuple[int, int],
    fit: Fit,
    store: Checkpoints,
    name: str,
    tick: Callable[[int], None],
) -> Pictures:
    """Return `samples` on canvases of `size`, from `store` when an earlier run has made them.

    `tick(1)` is called after each picture.

    Raises:
        UserError: a picture cannot be read.
    """
    folder = store.folder / f"{name}-pictures"
    files = tuple(str(folder / f"{number:06}.raw") for number in range(len(samples)))
    found = store.load(f"{name}-boxes")
    if found is not None and all(Path(file).is_file() for file in files):
        tick(len(samples))
        return Pictures(files, size, **found[0])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def one(number: int) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
        sample = samples[number]
        path, side = dataset.file(sample), 2 * max(size)
        picture = decode(path, sample.path, PREPARE_LIMITS.pixels, side=side)
        canvas = np.asarray(fit_image(picture.image, size, fit))
        atomic_write(Path(files[number]), canvas.tobytes())
        shape = picture.width, picture.height
        return shape, *place_boxes(sample, shape, size, fit)

    rows = []
    with ThreadPoolExecutor(THREADS) as pool:
        for row in pool.map(one, range(len(samples))):
            rows.append(row)
            tick(1)
    arrays = _arrays(rows, size, fit)
    store.save(f"{name}-boxes", arrays)
    return Pictures(files, size, **arrays)


def canvas_bytes(options: DetectOptions, train: int, valid: int) -> int:
    """Return the bytes that the decoded pictures of both splits take on the disk."""
    width, height = options.size
    return round(3 * width * height * (CANVAS**2 * train + valid))


def drop_pictures(store: Checkpoints) -> None:
    """Delete the decoded pictures, which are large and needed no more."""
    for folder in store.folder.glob("*-pictures"):
        shutil.rmtree(folder, ignore_errors=True)


def _arrays(
    rows: Sequence[tuple[tuple[int, int], np.ndarray, np.ndarray]], size: tuple[int, int], fit: Fit
) -> dict[str, np.ndarray]:
    most = max([1, *(len(labels) for _, _, labels in rows)])
    boxes = np.zeros((len(rows), most, 4), np.float32)
    labels = np.full((len(rows), most), -1, np.int32)
    where = np.array([placing(shape, size, fit) for shape, _, _ in rows]).reshape(-1, 4)
    shapes = np.array([shape for shape, _, _ in rows]).reshape(-1, 2)
    for number, (_, found, kinds) in enumerate(rows):
        boxes[number, : len(kinds)], labels[number, : len(kinds)] = found, kinds
    return {
        "origin": where[:, 2:].astype(np.float32),
        "extent": (where[:, :2] * shapes).astype(np.float32),
        "boxes": boxes,
        "labels": labels,
    }
