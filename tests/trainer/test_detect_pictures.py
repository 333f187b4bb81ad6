"""Decoded pictures: boxes lie where the pixels do, whatever the shape and fit."""

import numpy as np
import pytest
from PIL import Image

from host.datasets.dataset import Box, Dataset, Sample
from host.datasets.prepare import load_image
from host.trainer.checkpoint import Checkpoints
from host.trainer.detect_pictures import decode_all, drop_pictures, place_boxes


def marked(path, size, box, exif=0):
    """Write a black picture with a white box."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    image = Image.fromarray(pixels)
    data = image.getexif()
    if exif:
        data[0x0112] = exif
    image.save(path, exif=data)


def seen(canvas):
    """The box of what is white, as left, top, right, bottom."""
    rows, columns = (np.nonzero((canvas.min(2) > 185).any(axis))[0] for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


@pytest.mark.parametrize("fit", ["letterbox", "crop"])
@pytest.mark.parametrize("picture", [(400, 300), (123, 457), (64, 48), (1000, 90), (224, 160)])
@pytest.mark.parametrize("size", [(224, 160), (240, 240)])
def test_boxes_lie_where_the_pixels_do(tmp_path, picture, size, fit):
    w, h = picture
    box = (w * 3 // 8, h // 4, w * 5 // 8, h * 3 // 4)
    marked(tmp_path / "a.png", picture, box)
    sample = Sample("a.png", boxes=(Box(2, *box),))
    found, labels = place_boxes(sample, picture, size, fit)
    wanted = seen(load_image(tmp_path / "a.png", size, fit))
    assert labels.tolist() == [2]
    assert np.abs(found[0] - wanted).max() <= 1 + max(size) / max(picture)


def test_boxes_that_a_crop_leaves_out():
    boxes = (Box(0, 0, 0, 60, 100), Box(1, 150, 0, 250, 100), Box(0, 40, 20, 140, 60))
    found, labels = place_boxes(Sample("", boxes=boxes), (400, 100), (128, 128), "crop")
    assert labels.tolist() == [1]  # the last one is cut to a thin strip at the left
    assert np.allclose(found, [[0, 0, 128, 128]])


def test_decoded_once_kept_and_dropped(tmp_path):
    for number, exif in enumerate((0, 6)):  # 6: turn by a quarter to see it upright
        marked(tmp_path / f"{number}.jpg", (200, 100), (20, 10, 80, 60), exif)
    # upright, the second picture is 100 x 200 and its box lies at the right
    samples = [
        Sample("0.jpg", boxes=(Box(0, 20, 10, 80, 60),)),
        Sample("1.jpg", boxes=(Box(0, 40, 20, 90, 80), Box(0, 0, 0, 10, 10))),
    ]
    dataset = Dataset("detect", tmp_path, ("one",), tuple(samples))
    store = Checkpoints(tmp_path / "kept", "run")
    ticks = []
    arguments = (samples, (160, 128), "letterbox", store, "train")
    found = decode_all(dataset, *arguments, ticks.append)
    assert ticks == [1, 1]
    for number, boxes in enumerate(found.boxes):
        canvas = found.read([number]).numpy()[0]
        plain = load_image(tmp_path / f"{number}.jpg", (160, 128), "letterbox")
        assert np.array_equal(canvas, plain)
        assert np.abs(seen(canvas) - boxes[0]).max() <= 1.5
    assert found.labels.tolist() == [[0, -1], [0, 0]]
    assert [len(rows) for rows in found.truth()] == [1, 2]
    assert np.allclose(found.truth()[0][0, :4] * [160, 128, 160, 128], found.boxes[0, 0])
    for path in tmp_path.glob("*.jpg"):
        path.unlink()
    again = decode_all(dataset, *arguments, ticks.append)
    assert ticks == [1, 1, 2]
    assert np.array_equal(again.boxes, found.boxes)
    drop_pictures(store)
    assert not list((tmp_path / "kept").glob("*-pictures"))
