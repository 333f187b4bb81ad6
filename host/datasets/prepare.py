"""Bring pictures of any size to the size of the model's input; make a small zip of a folder."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import Finding, UserError
from ..files import write_zip
from .checks import check
from .dataset import Dataset, Sample, Task
from .formats import load
from .formats.export import layout
from .limits import MIB, PREPARE_LIMITS, RULES, Limits, Progress, Rules
from .pictures import decode, quiet_decoders

Fit = Literal["crop", "letterbox"]

GREY = (114, 114, 114)
"""Bars of a letterbox. Near the mean of ImageNet (124, 116, 104), so that after normalisation
they are almost zero and add little; black bars would be a strong pattern. 114 is YOLO's custom."""


def load_image(
    path: Path,
    size: tuple[int, int],
    fit: Fit = "crop",
    *,
    name: str = "",
    pixels: int = PREPARE_LIMITS.pixels,
) -> NDArray[np.uint8]:
    """Return the picture at `path` as uint8 (height, width, 3), RGB; `size` is (width, height).

    "crop" takes the largest middle part of the right shape; "letterbox" keeps all of the
    picture between grey bars. EXIF rotation, alpha, CMYK and 16 bits are taken care of.

    Raises:
        UserError: one of the `picture_` codes of `pictures.decode`; messages call it `name`.
    """
    image = decode(path, name or path.name, pixels, side=2 * max(size)).image
    return np.asarray(fit_image(image, size, fit))


def fit_image(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Return an RGB `image` scaled to `size` (width, height) by crop or letterbox.

    Lanczos with its support scaled to the reduction: no aliasing, the sharpest of Pillow's.
    """
    width, height = size
    ratios = width / image.width, height / image.height
    scale = max(ratios) if fit == "crop" else min(ratios)
    if fit == "crop":
        part = width / scale, height / scale
        left, top = (image.width - part[0]) / 2, (image.height - part[1]) / 2
        box = (max(left, 0), max(top, 0), *_inside(image, left + part[0], top + part[1]))
        return image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3)
    inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    canvas = Image.new("RGB", size, GREY)
    scaled = image.resize(inner, Image.Resampling.LANCZOS, reducing_gap=3)
    canvas.paste(scaled, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


def _inside(image: Image.Image, right: float, bottom: float) -> tuple[float, float]:
    return min(right, image.width), min(bottom, image.height)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` made: the zip, its size, pictures (or boxes) per label, what to say."""

    path: Path
    bytes: int
    labels: tuple[str, ...]
    counts: dict[str, int]
    findings: tuple[Finding, ...]
    task: Task = "classify"


def prepare(
    folder: Path,
    out_zip: Path,
    size: int = 224,
    fit: Fit = "crop",
    *,
    quality: int = 90,
    limits: Limits = PREPARE_LIMITS,
    progress: Progress | None = None,
    rules: Rules = RULES,
) -> Prepared:
    """Write a zip of the pictures in `folder`, checked, at `size` pixels square, as JPEG.

    The zip has `label/00001.jpg` (below `train/`, `valid/`, `test/` if the folder is split),
    is accepted by `intake`, and is the same bytes for the same pictures. Originals are not
    touched. `progress` counts each picture twice: checked, then converted.

    Pictures with boxes become Pascal VOC. They keep their shape, whatever `fit`, and are made
    no smaller than twice `size` on the longer side: training zooms into them.

    Raises:
        UserError: the errors of `formats.load`; all errors of `checks.check` at once.
    """
    dataset = load(folder, limits)
    looked = len(dataset.samples)
    dataset = check(dataset, rules, progress and (lambda n, _: progress(n, 2 * looked)), limits)
    if errors := dataset.errors():
        raise UserError.of(errors)
    names = _names(dataset)
    detects = dataset.task == "detect"
    with tempfile.TemporaryDirectory(prefix="maixforge-") as temporary:
        files = {name: Path(temporary, f"{n}.jpg") for n, name in enumerate(names)}

        def convert(name: str) -> None:
            path = dataset.file(names[name])
            picture = decode(path, names[name].path, limits.pixels, side=2 * size)
            image = picture.image
            if detects:
                image.thumbnail((2 * size, 2 * size), Image.Resampling.LANCZOS)
            else:
                image = fit_image(image, (size, size), fit)
            image.save(files[name], "JPEG", quality=quality)

        with quiet_decoders(), ThreadPoolExecutor(2) as pool:
            for done, _ in enumerate(pool.map(convert, names), start=1):
                if progress:
                    progress(looked + done, looked + len(names))
        members = _with_boxes(dataset, names, files) if detects else files
        write_zip(out_zip, members, compress=False)
    return _result(dataset, out_zip, limits)


def _with_boxes(
    dataset: Dataset, names: Mapping[str, Sample], files: Mapping[str, Path]
) -> dict[str, bytes | Path]:
    """Return the members of a VOC zip: the pictures in `files`, which are smaller, and labels."""
    samples = []
    for name, sample in names.items():
        with Image.open(files[name]) as image:
            width, height = image.size
        x, y = width / sample.width, height / sample.height
        boxes = tuple(
            replace(box, left=x * box.left, right=x * box.right, top=y * box.top,
                    bottom=y * box.bottom)
            for box in sample.boxes
        )  # fmt: skip
        samples.append(replace(sample, path=name, width=width, height=height, boxes=boxes))
    texts, pictures = layout(dataset.with_samples(samples), "voc")
    members: dict[str, bytes | Path] = {path: text.encode() for path, text in texts.items()}
    return members | {path: files[sample.path] for path, sample in pictures.items()}


def _names(dataset: Dataset) -> dict[str, Sample]:
    """Return the name of each sample, numbered within its class and split."""
    numbers: Counter[tuple[str, ...]] = Counter()
    is_split = any(sample.split for sample in dataset.samples)
    names: dict[str, Sample] = {}
    for sample in dataset.samples:
        label = "pictures" if sample.label is None else dataset.labels[sample.label]
        folder = (sample.split or "train", label) if is_split else (label,)
        numbers[folder] += 1
        names["/".join((*folder, f"{numbers[folder]:05}.jpg"))] = sample
    return names


def _result(dataset: Dataset, path: Path, limits: Limits) -> Prepared:
    size = path.stat().st_size
    findings = list(dataset.findings)
    if size > limits.zip_bytes:
        params = {"found": f"{size / MIB:.1f}", "needed": f"{limits.zip_bytes / MIB:.0f}"}
        findings.append(Finding("prepared_zip_large", path.name, "warning", params))
    return Prepared(path, size, dataset.labels, dataset.counts(), tuple(findings), dataset.task)
