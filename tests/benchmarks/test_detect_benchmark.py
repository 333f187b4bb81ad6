"""The benchmark of detectors: its split, and the plain loop's grid of boxes."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import detect
from host.datasets.dataset import Box, Dataset, Sample
from host.trainer.detect_options import detect_options_for


def test_split_of_the_raccoons(shared, tmp_path):
    source = shared / "data" / "det_voc_raccoon.zip"
    if not source.is_file():
        pytest.skip("no det_voc_raccoon.zip in ../shared/data")
    dataset = detect.raccoon(source, tmp_path)
    train, valid = dataset.of_split("train"), dataset.of_split("valid")
    assert (len(train), len(valid)) == (160, 40)
    assert not {one.path for one in train} & {one.path for one in valid}
    assert all(one.width and one.boxes for one in dataset.samples)
    order = np.random.default_rng(42).permutation(200)
    number = int(order[160]) + 1  # raccoon-1.jpg is the first by length and name
    assert any(one.path.endswith(f"raccoon-{number}.jpg") for one in valid)


def test_overrides():
    assert detect._overrides(["stride=16", "fit=crop", "flip_horizontal=false"]) == {
        "stride": 16, "fit": "crop", "flip_horizontal": False,
    }  # fmt: skip


def test_plain_loop_puts_boxes_where_the_pixels_are(tmp_path):
    pytest.importorskip("keras")
    from benchmarks import plain_yolo

    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[60:140, 90:190] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sample = Sample("a.png", 300, 200, boxes=(Box(1, 90, 60, 190, 140),), split="train")
    dataset = Dataset("detect", tmp_path, ("one", "two"), (sample,))
    options = detect_options_for(size=(160, 128))
    anchors = ((0.5, 0.5), (1.0, 1.0), (1.6, 1.6), (3.0, 3.0), (4.0, 4.0))
    for seed in range(6):
        rng = np.random.default_rng(seed)
        picture, target = plain_yolo._example(dataset, sample, anchors, options, rng)
        ((row, column, anchor),) = np.argwhere(target[..., 4])
        x, y, w, h, _, *label = target[row, column, anchor]
        assert label == [0, 1]
        assert (row, column) == (int(y), int(x))
        rows, columns = (np.nonzero((picture.min(2) > 60).any(axis))[0] for axis in (1, 0))
        edges = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        found = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * 32
        assert np.abs(found - edges).max() < 2


def test_nothing_named_is_told(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["detect"])
    with pytest.raises(SystemExit):
        detect.main()
    assert "--raccoon ZIP" in capsys.readouterr().err
