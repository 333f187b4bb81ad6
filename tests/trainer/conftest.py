"""Small rendered data sets for trainings of a few seconds."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from host.datasets.dataset import Box, Dataset, Sample
from host.trainer.detect_options import detect_options_for
from host.trainer.options import options_for

LABELS = ("disc", "bars")


def picture(label: int, rng: np.random.Generator) -> Image.Image:
    """A disc or three bars of any colour on any ground, 160 x 140 pixels."""
    ground, ink = (tuple(int(v) for v in rng.integers(0, 256, 3)) for _ in range(2))
    image = Image.new("RGB", (160, 140), ground)
    draw = ImageDraw.Draw(image)
    left, top = (int(v) for v in rng.integers(20, 50, 2))
    if label == 0:
        draw.ellipse((left, top, left + 70, top + 70), fill=ink)
    else:
        for bar in range(3):
            draw.rectangle((left + 25 * bar, top, left + 25 * bar + 10, top + 70), fill=ink)
    return image


@pytest.fixture(scope="session")
def shapes(tmp_path_factory) -> Dataset:
    """Two classes with 10 training, 4 validation and 4 test pictures each."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(5)
    samples = []
    for label, name in enumerate(LABELS):
        (root / name).mkdir()
        for number in range(18):
            path = f"{name}/{number:02}.png"
            picture(label, rng).save(root / path)
            split = "train" if number < 10 else "valid" if number < 14 else "test"
            samples.append(Sample(path, 160, 140, label, split=split))
    return Dataset("classify", root, LABELS, tuple(samples))


@pytest.fixture(scope="session")
def quick():
    """A function that makes options of a training that takes seconds."""

    def make(**overrides):
        small = {
            "size": 128, "views": 3, "head_epochs": 15, "tune_blocks": 2, "tune_epochs": 3,
            "batch": 8,
        }  # fmt: skip
        return options_for("fast", **{**small, **overrides})

    return make


def scene(rng: np.random.Generator, label: int | None) -> tuple[Image.Image, tuple[Box, ...]]:
    """A white square (0) or a black disc (1) on a coloured ground, 160 x 120 pixels."""
    ground = tuple(int(v) for v in rng.integers(80, 180, 3))
    image = Image.new("RGB", (160, 120), ground)
    if label is None:
        return image, ()
    side = int(rng.integers(30, 70))
    left, top = int(rng.integers(0, 160 - side)), int(rng.integers(0, 120 - side))
    draw = ImageDraw.Draw(image)
    shape = (left, top, left + side - 1, top + side - 1)
    if label:
        draw.ellipse(shape, fill=(0, 0, 0))
    else:
        draw.rectangle(shape, fill=(255, 255, 255))
    return image, (Box(label, left, top, left + side, top + side),)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory) -> Dataset:
    """Squares and discs: 14 training pictures (2 of them empty) and 6 for validation."""
    root = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(8)
    samples = []
    for number in range(20):
        image, boxes = scene(rng, None if number in (3, 9) else number % 2)
        image.save(root / f"{number:02}.png")
        split = "train" if number < 14 else "valid"
        samples.append(Sample(f"{number:02}.png", 160, 120, boxes=boxes, split=split))
    return Dataset("detect", root, ("square", "disc"), tuple(samples))


@pytest.fixture(scope="session")
def quick_detector():
    """A function that makes options of a detector's training that takes seconds."""

    def make(**overrides):
        small = {
            "size": 128, "backbone": "mobilenet_1.0_cut6", "neck": 64, "head_epochs": 2,
            "tune_epochs": 3, "batch": 8, "epoch_least": 24, "plain_epochs": 0.4,
        }  # fmt: skip
        return detect_options_for(**{**small, **overrides})

    return make
