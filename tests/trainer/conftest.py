"""Small rendered data sets for trainings of a few seconds."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from host.datasets.dataset import Dataset, Sample
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
