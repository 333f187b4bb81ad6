"""Data sets made from nothing, for the tests of host/datasets."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from host.datasets.limits import Rules

FEW = Rules(images_min=4)
"""The usual rules, with classes that are quick to make."""


def picture(seed: int, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """A picture of soft random blobs; two seeds give pictures that look different."""
    blobs = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)


def write_class(folder: Path, count: int, seed: int = 0, first: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        picture(seed * 10_000 + number).save(folder / f"{number}.jpg", quality=90)


def write_classes(folder: Path, counts: dict[str, int]) -> Path:
    """Write `counts` pictures into each of the class folders and return `folder`."""
    for seed, (name, count) in enumerate(counts.items()):
        write_class(folder / name, count, seed)
    return folder


def zip_folder(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]
